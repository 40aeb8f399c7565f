//! The configuration file.

mod secrets;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read as _};
use std::path::Path;

use super::draft::Draft;
use super::environment::Environment;
use super::reference::{self, Broken};
use super::schema::{self, Field, Given, Key, Kind, Shape};
use super::value::{self, Choice as _, Expected};
use super::yaml::{self, Content, Node, Pair};
use crate::error::{ConfigError, Found, Origin, Problem};

/// A configuration is a page; this is a book.
const MAX_SIZE: u64 = 64 * 1024;

/// Reads `path` whole, at most `limit` bytes of it. Only a regular file: another kind may never end.
pub(super) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is larger than {limit} bytes")));
    }
    Ok(bytes)
}

/// The text of the configuration file `path`.
pub(super) fn text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path, MAX_SIZE)?).map_err(|_| io::Error::other("it is not UTF-8"))
}

/// Applies `text`, which is the file `path`.
pub(super) fn apply(
    path: &Path,
    text: &str,
    environment: &Environment,
    draft: &mut Draft,
) -> Result<(), ConfigError> {
    let mut walk = Walk { file: path, environment, draft };
    match yaml::parse(text) {
        Ok(document) => walk.section(schema::ROOT, "", &document),
        Err(fault) => Err(walk.error(fault.line, "", Problem::Syntax { reason: fault.reason })),
    }
}

/// The way through the document along the schema.
struct Walk<'a> {
    file: &'a Path,
    environment: &'a Environment,
    draft: &'a mut Draft,
}

impl Walk<'_> {
    fn section(&mut self, keys: &'static [Key], path: &str, node: &Node) -> Result<(), ConfigError> {
        let pairs = match &node.content {
            Content::Null => return Ok(()),
            Content::Map(pairs) => pairs,
            _ => return Err(self.wrong(path, node, Expected::new("a map of keys"))),
        };
        self.unique(path, pairs)?;
        for pair in pairs {
            if !keys.iter().any(|key| key.name == pair.key) {
                let nearest = schema::nearest(path, keys, &pair.key);
                let key = schema::join(path, &pair.key);
                return Err(self.error(pair.line, &key, Problem::Unknown { nearest }));
            }
        }
        // In the order of the schema, because of two keys for one field the later wins.
        for key in keys {
            if let Some(pair) = pairs.iter().find(|pair| pair.key == key.name) {
                self.key(key, &schema::join(path, key.name), pair)?;
            }
        }
        Ok(())
    }

    fn key(&mut self, key: &'static Key, path: &str, pair: &Pair) -> Result<(), ConfigError> {
        match (&key.kind, &pair.value.content) {
            (Kind::Later, _) => Err(self.error(pair.line, path, Problem::Later)),
            (Kind::Group(keys), Content::Scalar(text)) => {
                let text = self.resolve(None, path, &pair.value, text)?;
                let expected =
                    |_| self.wrong(path, &pair.value, Expected::new("true, false or a map of keys"));
                let on = bool::parse(&text).map_err(expected)?;
                schema::switch_group(keys, &mut self.draft.config, on);
                Ok(())
            }
            (Kind::Section(keys) | Kind::Group(keys), _) => self.section(keys, path, &pair.value),
            (Kind::Field(field), _) => self.field(field, path, &pair.value),
        }
    }

    fn field(&mut self, field: &'static Field, path: &str, node: &Node) -> Result<(), ConfigError> {
        match self.set(field, path, node) {
            Err(_) if !self.draft.scope.has(path) => Ok(()),
            outcome => outcome,
        }
    }

    fn set(&mut self, field: &'static Field, path: &str, node: &Node) -> Result<(), ConfigError> {
        if matches!(field, Field::Users(_) | Field::Tokens(_)) {
            return self.secrets(field, path, node);
        }
        if self.is_empty_reference(field, path, node)? {
            return Ok(());
        }
        let given = self.given(field, path, node)?;
        let set = field.set(&mut self.draft.config, given);
        set.map_err(|expected| self.unfit(field, path, node, expected))?;
        self.note(path, node);
        Ok(())
    }

    /// Remembers that the key at `path` was set by `node`.
    fn note(&mut self, path: &str, node: &Node) {
        let origin = Origin::File { path: self.file.to_owned(), line: Some(node.line) };
        let written = node.content.text().filter(|text| text.contains('$')).map(Cow::into_owned);
        self.draft.note(path, origin, written);
    }

    /// Whether the value refers to variables that hold nothing, which leaves the key unset.
    fn is_empty_reference(&self, field: &Field, path: &str, node: &Node) -> Result<bool, ConfigError> {
        let Content::Scalar(text) = &node.content else { return Ok(false) };
        Ok(!text.is_empty() && self.resolve(Some(field), path, node, text)?.is_empty())
    }

    /// The value of `node` in the shape that `field` takes. Lists and maps may be written as the environment has them.
    fn given(&self, field: &Field, path: &str, node: &Node) -> Result<Given, ConfigError> {
        match (field.shape(), &node.content) {
            (Shape::One, Content::Scalar(text)) => {
                Ok(Given::One(self.resolve(Some(field), path, node, text)?))
            }
            (Shape::Many, Content::Scalar(text)) => {
                let names = field.list(&self.resolve(Some(field), path, node, text)?);
                names.map_err(|expected| self.unfit(field, path, node, expected))
            }
            (Shape::Pairs, Content::Scalar(text)) => {
                let pairs = value::pairs(&self.resolve(Some(field), path, node, text)?);
                pairs.map(Given::Pairs).map_err(|expected| self.unfit(field, path, node, expected))
            }
            (Shape::Many, Content::List(items)) => {
                let names = items.iter().map(|item| self.text(field, path, item, field.expected()));
                names.collect::<Result<_, _>>().map(Given::Many)
            }
            (Shape::Pairs, Content::Map(pairs)) => {
                self.unique(path, pairs)?;
                let pair = |Pair { key, value, .. }: &Pair| {
                    let text = self.text(field, &schema::join(path, key), value, Expected::new("text"))?;
                    Ok((key.clone(), text))
                };
                pairs.iter().map(pair).collect::<Result<_, _>>().map(Given::Pairs)
            }
            _ => Err(self.unfit(field, path, node, field.expected())),
        }
    }

    /// The text of a `node` inside of a value.
    fn text(
        &self,
        field: &Field,
        path: &str,
        node: &Node,
        expected: Expected,
    ) -> Result<String, ConfigError> {
        match &node.content {
            Content::Scalar(text) => self.resolve(Some(field), path, node, text),
            _ => Err(self.unfit(field, path, node, expected)),
        }
    }

    /// `text` with what it refers to, which is (part of) the value of `field`.
    fn resolve(
        &self,
        field: Option<&Field>,
        path: &str,
        node: &Node,
        text: &str,
    ) -> Result<String, ConfigError> {
        match reference::resolve(text, self.environment) {
            Ok(None) => Ok(text.to_owned()),
            Ok(Some(resolved)) => Ok(resolved),
            Err(broken) => Err(self.broken(field, path, node, broken)),
        }
    }

    /// A reference that has no value.
    fn broken(&self, field: Option<&Field>, path: &str, node: &Node, broken: Broken) -> ConfigError {
        let expected = match broken {
            Broken::Unset(variable) => return self.error(node.line, path, Problem::Unset { variable }),
            Broken::NotText(name) => format!("UTF-8 in the environment variable {name}"),
            Broken::Syntax => "${env:NAME} or ${env:NAME:-default}, or $$ for a dollar sign".to_owned(),
        };
        self.unfit_for(field, path, node, Expected(expected))
    }

    fn unique(&self, path: &str, pairs: &[Pair]) -> Result<(), ConfigError> {
        let mut lines = HashMap::with_capacity(pairs.len());
        for Pair { key, line, .. } in pairs {
            if let Some(first_line) = lines.insert(key, *line) {
                return Err(self.error(*line, &schema::join(path, key), Problem::Twice { first_line }));
            }
        }
        Ok(())
    }

    /// A value that does not fit `field`.
    fn unfit(&self, field: &Field, path: &str, node: &Node, expected: Expected) -> ConfigError {
        self.unfit_for(Some(field), path, node, expected)
    }

    /// Shows the value as it is written: what a reference stands for stays hidden.
    fn unfit_for(&self, field: Option<&Field>, path: &str, node: &Node, expected: Expected) -> ConfigError {
        let found = match (node.content.text(), field) {
            (Some(text), Some(field)) => field.found(&text),
            (Some(text), None) => Found::text(&text),
            (None, _) => Found::Shape(node.content.shape()),
        };
        self.error(node.line, path, Problem::Wrong { found, expected: expected.0 })
    }

    /// A value in a place that is no field.
    fn wrong(&self, path: &str, node: &Node, expected: Expected) -> ConfigError {
        self.unfit_for(None, path, node, expected)
    }

    fn error(&self, line: usize, path: &str, problem: Problem) -> ConfigError {
        let origin = Origin::File { path: self.file.to_owned(), line: Some(line) };
        ConfigError::new(origin, (!path.is_empty()).then_some(path), problem)
    }
}
