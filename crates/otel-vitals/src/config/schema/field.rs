//! A field of the configuration and how it is set.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::value::{self, Choice, Expected, Numbers, Span};
use crate::config::{Config, Endpoint, ExporterKind, Tokens, Users};
use crate::config::{endpoint, route};
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
    Number(fn(&mut Config) -> &mut u32, Numbers),
    Route(fn(&mut Config) -> &mut String),
    Prefix(fn(&mut Config) -> &mut String),
    SelfCheck(fn(&mut Config) -> &mut Option<String>),
    Folders(fn(&mut Config) -> &mut Vec<String>),
    Address(fn(&mut Config) -> &mut SocketAddr),
    Users(fn(&mut Config) -> &mut Users),
    Tokens(fn(&mut Config) -> &mut Tokens),
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
            Field::Names(_) | Field::Exporters | Field::Folders(_) | Field::Tokens(_) => Shape::Many,
            Field::Attributes | Field::Headers | Field::Users(_) => Shape::Pairs,
            _ => Shape::One,
        }
    }

    /// The wrong value `text`, or as much of it as may be shown.
    pub(in crate::config) fn found(&self, text: &str) -> Found {
        match self {
            Field::Headers | Field::Users(_) | Field::Tokens(_) => Found::Secret,
            Field::Endpoint | Field::MetricsEndpoint | Field::SelfCheck(_) => {
                Found::text(&endpoint::shown(text))
            }
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
            Field::Number(_, numbers) => numbers.expected(),
            Field::Route(_) => route::expected(),
            Field::Prefix(_) => route::expected_prefix(),
            Field::SelfCheck(_) => route::expected_url(),
            Field::Folders(_) => Expected::new("a list of at least one absolute path"),
            Field::Address(_) => Expected::new("an IP address with a port, such as 127.0.0.1:38001"),
            Field::Users(_) => Expected::new("user names with their passwords"),
            Field::Tokens(_) => Expected::new("a list of tokens"),
        }
    }

    /// The list that `text` is. To send nowhere is said in so many words, not with a comma, and a token that is
    /// empty is a mistake.
    pub(in crate::config) fn list(&self, text: &str) -> Result<Given, Expected> {
        match (self, value::list(text)) {
            (Field::Exporters, names) if names.is_empty() => Err(Expected(Option::<ExporterKind>::names())),
            (Field::Tokens(_), _) => {
                Ok(Given::Many(text.split(',').map(|item| item.trim().to_owned()).collect()))
            }
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
            (Field::Number(at, numbers), Given::One(text)) => *at(config) = numbers.parse(&text)?,
            (Field::Route(at), Given::One(route)) => {
                route::check(&route)?;
                *at(config) = route;
            }
            (Field::Prefix(at), Given::One(prefix)) => {
                route::check_prefix(&prefix)?;
                *at(config) = prefix;
            }
            (Field::SelfCheck(at), Given::One(url)) => {
                route::check_url(&url)?;
                *at(config) = Some(url);
            }
            (Field::Folders(at), Given::Many(paths)) => {
                *at(config) =
                    Some(paths).filter(|paths| are_folders(paths)).ok_or_else(|| self.expected())?;
            }
            (Field::Address(at), Given::One(text)) => {
                *at(config) = text.trim().parse().map_err(|_| self.expected())?;
            }
            (Field::Users(at), Given::Pairs(pairs)) => {
                let names: BTreeSet<_> = pairs.iter().map(|(name, _)| name).collect();
                if names.len() < pairs.len() {
                    return Err(Expected::new("each user once"));
                }
                *at(config) = pairs.into_iter().collect();
            }
            (Field::Tokens(at), Given::Many(tokens)) => *at(config) = tokens.into_iter().collect(),
            _ => return Err(self.expected()),
        }
        Ok(())
    }

    /// What of the field in `config` neither a file nor a variable could have set, and what belongs there.
    pub(in crate::config) fn wrong(&self, config: &mut Config) -> Option<(Found, Expected)> {
        let against = |text: &str, outcome: Result<(), Expected>| {
            outcome.err().map(|expected| (self.found(text), expected))
        };
        match self {
            Field::Time(at, span) => Some(*at(config))
                .filter(|time| !span.contains(*time))
                .map(|time| (Found::text(&humantime::format_duration(time).to_string()), span.expected())),
            Field::Text(at) => {
                let text = at(config).take()?;
                against(&text, not_empty(text.clone()).map(drop))
            }
            Field::Headers => {
                let mut headers = config.otlp.headers.iter();
                headers.find_map(|(name, value)| against(value, value::check_header(name, value)))
            }
            Field::Number(at, numbers) => Some(*at(config))
                .filter(|number| !numbers.contains(*number))
                .map(|number| (Found::text(&number.to_string()), numbers.expected())),
            Field::Route(at) => {
                let route = at(config);
                against(route, route::check(route))
            }
            Field::Prefix(at) => {
                let prefix = at(config);
                against(prefix, route::check_prefix(prefix))
            }
            Field::SelfCheck(at) => {
                let url = at(config).as_deref()?;
                against(url, route::check_url(url))
            }
            Field::Folders(at) => {
                let paths = Some(at(config)).filter(|paths| !are_folders(paths))?;
                Some((Found::text(&format!("[{}]", paths.join(", "))), self.expected()))
            }
            _ => None,
        }
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

fn are_folders(paths: &[String]) -> bool {
    let is_absolute = |path: &String| path.starts_with('/') || Path::new(path).is_absolute();
    !paths.is_empty() && paths.iter().all(is_absolute)
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
