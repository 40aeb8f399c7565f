//! A field of the configuration and how it is set.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::endpoint;
use crate::config::value::{self, Choice, Expected, Span};
use crate::config::{Config, Endpoint, ExporterKind};
use crate::error::Found;

/// Where a value goes and what it must look like.
pub(in crate::config) enum Field {
    Switch(fn(&mut Config) -> &mut bool),
    Time(fn(&mut Config) -> &mut Duration, Span),
    Text(fn(&mut Config) -> &mut Option<String>),
    Path(fn(&mut Config) -> &mut Option<PathBuf>),
    Names(fn(&mut Config) -> &mut Vec<String>),
    Choice(fn(&mut Config, &str) -> Result<(), Expected>),
    Exporters,
    Attributes,
    Headers,
    Endpoint,
    MetricsEndpoint,
}

/// A value as it was written, whatever it was written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) enum Given {
    One(String),
    Many(Vec<String>),
    Pairs(Vec<(String, String)>),
}

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Shape {
    One,
    Many,
    Pairs,
}

impl Field {
    pub(in crate::config) fn shape(&self) -> Shape {
        match self {
            Field::Names(_) | Field::Exporters => Shape::Many,
            Field::Attributes | Field::Headers => Shape::Pairs,
            _ => Shape::One,
        }
    }

    /// The wrong value `text`, or as much of it as may be shown.
    pub(in crate::config) fn found(&self, text: &str) -> Found {
        match self {
            Field::Headers => Found::Secret,
            Field::Endpoint | Field::MetricsEndpoint => Found::text(&endpoint::shown(text)),
            _ => Found::text(text),
        }
    }

    /// What to write, for who wrote something else.
    pub(in crate::config) fn expected(&self) -> Expected {
        match self {
            Field::Switch(_) => Expected(bool::names()),
            Field::Time(_, span) => span.expected(),
            Field::Text(_) => Expected::new("text"),
            Field::Path(_) => Expected::new("the path of a file or folder"),
            Field::Names(_) => Expected::new("a list of names"),
            // The empty text is no choice, so this always is the error that names them.
            Field::Choice(set) => match set(&mut Config::default(), "") {
                Err(expected) => expected,
                Ok(()) => Expected::new("text"),
            },
            Field::Exporters => Expected::new("a list of otlp and console, or none"),
            Field::Attributes => Expected::new("attribute names with their values"),
            Field::Headers => Expected::new("header names with their values"),
            Field::Endpoint | Field::MetricsEndpoint => Expected::new("a URL"),
        }
    }

    /// The list that `text` is. To send nowhere is said in so many words, not with a comma.
    pub(in crate::config) fn list(&self, text: &str) -> Result<Given, Expected> {
        match (self, value::list(text)) {
            (Field::Exporters, names) if names.is_empty() => Err(Expected(Option::<ExporterKind>::names())),
            (_, names) => Ok(Given::Many(names)),
        }
    }

    /// Sets the field. What was there before is replaced, but for attributes, which are kept unless they are named
    /// again: a header that was meant for one server must not reach another.
    pub(in crate::config) fn set(&self, config: &mut Config, given: Given) -> Result<(), Expected> {
        match (self, given) {
            (Field::Switch(at), Given::One(text)) => choose(at(config), &text)?,
            (Field::Time(at, span), Given::One(text)) => *at(config) = span.parse(&text)?,
            (Field::Text(at), Given::One(text)) => *at(config) = Some(not_empty(text)?),
            (Field::Path(at), Given::One(text)) => *at(config) = Some(not_empty(text)?.into()),
            (Field::Names(at), Given::Many(names)) => *at(config) = names,
            (Field::Choice(set), Given::One(text)) => set(config, &text)?,
            (Field::Exporters, Given::Many(names)) => config.metrics.exporters = value::exporters(&names)?,
            (Field::Attributes, Given::Pairs(pairs)) => set_attributes(config, pairs)?,
            (Field::Headers, Given::Pairs(pairs)) => {
                for (name, value) in &pairs {
                    value::check_header(name, value)?;
                }
                config.otlp.headers = pairs.into_iter().collect();
            }
            (Field::Endpoint, Given::One(url)) => {
                config.otlp.endpoint = Some(Endpoint::Base(not_empty(url)?));
            }
            (Field::MetricsEndpoint, Given::One(url)) => {
                config.otlp.endpoint = Some(Endpoint::Exact(not_empty(url)?));
            }
            _ => return Err(self.expected()),
        }
        Ok(())
    }

    /// Sets a time in the whole milliseconds of OpenTelemetry's variables, and any other field from text.
    pub(in crate::config) fn set_milliseconds(
        &self,
        config: &mut Config,
        text: &str,
    ) -> Result<(), Expected> {
        match self {
            Field::Time(at, span) => *at(config) = span.parse_milliseconds(text)?,
            _ => self.set(config, Given::One(text.to_owned()))?,
        }
        Ok(())
    }
}

pub(super) fn choose<T: Choice>(at: &mut T, text: &str) -> Result<(), Expected> {
    *at = T::parse(text)?;
    Ok(())
}

fn not_empty(text: String) -> Result<String, Expected> {
    if text.trim().is_empty() { Err(Expected::new("text that is not empty")) } else { Ok(text) }
}

/// What names the service goes where the service is named, so that whoever names it later wins.
fn set_attributes(config: &mut Config, pairs: Vec<(String, String)>) -> Result<(), Expected> {
    for (name, value) in pairs {
        let service = &mut config.service;
        match name.as_str() {
            "" => return Err(Expected::new("attribute names that are not empty")),
            "service.name" => service.name = Some(not_empty(value)?),
            "service.namespace" => service.namespace = Some(not_empty(value)?),
            "service.version" => service.version = Some(not_empty(value)?),
            "service.instance.id" => service.instance_id = Some(not_empty(value)?),
            _ => {
                let attributes = &mut config.resource.attributes;
                attributes.retain(|(known, _)| *known != name);
                attributes.push((name, value));
            }
        }
    }
    Ok(())
}
