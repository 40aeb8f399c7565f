//! Passwords and tokens of the file. What they refer to need not be there while nobody asks for them, and whether
//! somebody does is only known when all layers have been read.

use std::collections::BTreeMap;

use super::Walk;
use crate::config::reference::{self, Broken};
use crate::config::schema::{self, Field, Given};
use crate::config::secrets::{Secret, Tokens, Users};
use crate::config::value::{self, Expected};
use crate::config::yaml::{Content, Node};
use crate::error::ConfigError;

impl Walk<'_> {
    /// Sets `field`, which is one of secrets.
    pub(super) fn secrets(
        &mut self,
        field: &'static Field,
        path: &str,
        node: &Node,
    ) -> Result<(), ConfigError> {
        match (field, &node.content) {
            (Field::Users(at), Content::Map(pairs)) => {
                self.unique(path, pairs)?;
                let mut users = BTreeMap::new();
                for pair in pairs {
                    let path = schema::join(path, &pair.key);
                    users.insert(pair.key.clone(), self.secret(field, &path, &pair.value)?);
                }
                *at(&mut self.draft.config) = Users::of(users);
                self.note(path, node);
                for pair in pairs {
                    self.note(&schema::join(path, &pair.key), &pair.value);
                }
            }
            (Field::Tokens(at), Content::List(items)) => {
                let tokens = items.iter().map(|item| self.secret(field, path, item));
                let tokens = tokens.collect::<Result<_, _>>()?;
                *at(&mut self.draft.config) = Tokens::of(tokens);
                self.note(path, node);
                for (index, item) in items.iter().enumerate() {
                    self.note(&schema::item(path, index), item);
                }
            }
            (_, Content::Scalar(_)) => {
                self.all_secrets(field, path, node)?;
                self.note(path, node);
            }
            _ => return Err(self.unfit(field, path, node, field.expected())),
        }
        Ok(())
    }

    /// Sets `field` to what one text holds, as the environment has it.
    fn all_secrets(&mut self, field: &'static Field, path: &str, node: &Node) -> Result<(), ConfigError> {
        let outcome = match (field, self.secret(field, path, node)?) {
            (Field::Users(_), Secret::Given(text)) => value::pairs(&text).map(Given::Pairs),
            (_, Secret::Given(text)) => field.list(&text),
            (Field::Users(at), missing) => {
                *at(&mut self.draft.config) = Users::of(BTreeMap::from([(String::new(), missing)]));
                return Ok(());
            }
            (Field::Tokens(at), missing) => {
                *at(&mut self.draft.config) = Tokens::of(vec![missing]);
                return Ok(());
            }
            _ => Err(field.expected()),
        };
        let set = outcome.and_then(|given| field.set(&mut self.draft.config, given));
        set.map_err(|expected| self.unfit(field, path, node, expected))
    }

    /// The secret that `node` is, or refers to.
    fn secret(&self, field: &Field, path: &str, node: &Node) -> Result<Secret, ConfigError> {
        let Content::Scalar(text) = &node.content else {
            return Err(self.unfit(field, path, node, Expected::new("text")));
        };
        match reference::resolve(text, self.environment) {
            Ok(None) => Ok(Secret::Given(text.clone())),
            Ok(Some(resolved)) if resolved.trim().is_empty() => Ok(Secret::Blank),
            Ok(Some(resolved)) => Ok(Secret::Given(resolved)),
            Err(Broken::Unset(variable)) => Ok(Secret::Unset(variable)),
            Err(broken) => Err(self.broken(Some(field), path, node, broken)),
        }
    }
}
