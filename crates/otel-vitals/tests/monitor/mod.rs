//! Loads a `vitals.yaml` and what the variables say, and shows what is wrong with them.
#![allow(
    dead_code,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, and each uses what it needs"
)]

use otel_vitals::{Config, ConfigError};
use std::path::PathBuf;

pub(crate) const ROUTE: &str =
    "a path such as /status/health, of letters, digits and -._~!$&'()+,;=:@ between single slashes";

/// A folder with a `vitals.yaml` that holds `content`.
pub(crate) fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vitals.yaml");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

pub(crate) fn try_load(content: &str, variables: &[(&str, &str)]) -> Result<Config, (ConfigError, String)> {
    let (_folder, path) = file(content);
    Config::load_from(Some(&path), variables.iter().copied()).map_err(|error| {
        let message = error.to_string().replace(&path.display().to_string(), "vitals.yaml");
        (error, message)
    })
}

pub(crate) fn load(content: &str, variables: &[(&str, &str)]) -> Config {
    try_load(content, variables).unwrap_or_else(|(_, message)| panic!("{message}"))
}

pub(crate) fn message(content: &str, variables: &[(&str, &str)]) -> String {
    try_load(content, variables).unwrap_err().1
}

pub(crate) fn in_code(change: impl Fn(&mut Config)) -> Result<(), String> {
    let mut config = Config::default();
    change(&mut config);
    config.validate().map_err(|error| error.to_string())
}

pub(crate) fn users(config: &Config) -> Vec<(&str, &str)> {
    config.monitor.security_user.iter().collect()
}

pub(crate) fn tokens(config: &Config) -> Vec<&str> {
    config.monitor.security_token.iter().collect()
}
