//! The table of keys against everything that must agree with it: the options of the groups and the documentation.

use super::schema::{Field, Kind};
use super::*;
use std::collections::BTreeSet;

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What `text` as a file sets, and the paths of the keys in it, without a look at the whole.
fn applied(text: &str) -> (Config, BTreeSet<String>) {
    let mut draft = Draft::new(Scope::Everything);
    let environment = Environment::new([
        ("OTLP_TOKEN", "s3cr3t"),
        ("VITALS_ADMIN_PASSWORD", "p4ssw0rd"),
        ("VITALS_TOKEN", "t0k3n"),
    ]);
    file::apply(Path::new("vitals.yaml"), text, &environment, &mut draft)
        .unwrap_or_else(|error| panic!("{error}"));
    (draft.config, draft.said.into_keys().collect())
}

fn fields() -> BTreeSet<String> {
    let fields = schema::entries().into_iter().filter(|entry| matches!(entry.kind, Kind::Field(_)));
    fields.map(|entry| entry.path).collect()
}

/// The example with every line that is commented out and looks like a key taken in.
fn with_comments_taken_in(text: &str) -> String {
    let key_in_comment = |line: &str| {
        let trimmed = line.trim_start();
        let key = trimmed.strip_prefix("# ")?.split_once(": ")?.0;
        let is_key = key.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.'));
        is_key.then(|| line.replacen("# ", "", 1))
    };
    let taken_in = text.lines().map(|line| key_in_comment(line).unwrap_or_else(|| line.to_owned()));
    // A map that a comment continues is empty without it.
    taken_in
        .collect::<Vec<_>>()
        .join("\n")
        .replace("attributes: {}", "attributes:")
        .replace("headers: {}", "headers:")
        .replace("securityUser: {}", "securityUser:")
        .replace("securityToken: []", "securityToken:")
        .replace("# - ", "- ")
}

#[test]
fn the_example_is_the_defaults() {
    assert_eq!(applied(&document("vitals.yaml")).0, Config::default());
}

#[test]
fn the_example_has_every_key() {
    let text = with_comments_taken_in(&document("vitals.yaml"));
    let (config, set) = applied(&text);
    let shorthand = |path: &String| path.ends_with(".enabled");
    let missing: Vec<_> = fields().difference(&set).filter(|path| !shorthand(path)).cloned().collect();
    assert!(missing.is_empty(), "not in docs/vitals.yaml: {missing:?}");
    assert_eq!(config.service.name.as_deref(), Some("checkout"));
    assert_eq!(config.resource.attributes.len(), 1);
    assert_eq!(config.otlp.headers.iter().next(), Some(("authorization", "Bearer s3cr3t")));
    assert_eq!(config.otlp.url(), "http://collector:4318/in");
    assert_eq!(config.monitor.security_user.iter().collect::<Vec<_>>(), [("admin", "p4ssw0rd")]);
    assert_eq!(config.monitor.security_token.iter().collect::<Vec<_>>(), ["t0k3n"]);
    assert!(config.monitor.self_check.is_some());
}

#[test]
fn every_key_is_documented_with_its_variable_and_default() {
    let text = document("configuration.md");
    let mut documented = BTreeSet::new();
    for line in text.lines().filter(|line| line.contains("| `VITALS_")) {
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let [_, key, variable, default, ..] = cells[..] else { panic!("{line}") };
        assert_eq!(variable, environment::variable(key), "{line}");
        documented.insert(key.to_owned());
        if default != "–" {
            let config = Config::load_from(None, [(variable, default)]).unwrap();
            assert_eq!(config, Config::default(), "{line}");
        }
    }
    let settable =
        schema::entries().into_iter().filter(|entry| matches!(entry.kind, Kind::Field(_) | Kind::Group(_)));
    let settable: BTreeSet<_> = settable.map(|entry| entry.path).collect();
    assert_eq!(documented, settable);
}

#[test]
fn what_has_no_default_in_the_documentation_has_none() {
    let text = document("configuration.md");
    for line in text.lines().filter(|line| line.contains("` | – |")) {
        let key = line.split('`').nth(1).unwrap();
        let mut config = Config::default();
        let unset = match schema::find(key).unwrap() {
            Field::Text(at) => at(&mut config).is_none(),
            Field::Path(at) => at(&mut config).is_none(),
            Field::Names(at) => at(&mut config).is_empty(),
            Field::Attributes => config.resource.attributes.is_empty(),
            Field::Headers => config.otlp.headers.is_empty(),
            Field::Endpoint | Field::MetricsEndpoint => config.otlp.endpoint.is_none(),
            Field::Prefix(at) => at(&mut config).is_empty(),
            Field::SelfCheck(at) => at(&mut config).is_none(),
            Field::Users(at) => at(&mut config).is_empty(),
            Field::Tokens(at) => at(&mut config).is_empty(),
            Field::Switch(_) | Field::Time(..) | Field::Choice(_) | Field::Exporters => false,
            Field::Number(..) | Field::Route(_) | Field::Folders(_) | Field::Address(_) => false,
        };
        assert!(unset, "{line}");
    }
}

#[test]
fn every_variable_of_opentelemetry_is_documented() {
    let text = document("configuration.md");
    for name in environment::opentelemetry() {
        assert!(text.contains(&format!("`{name}`")), "{name} is not in docs/configuration.md");
    }
}

#[test]
fn keys_of_later_versions_are_documented_as_such() {
    let text = document("configuration.md");
    for entry in schema::entries().iter().filter(|entry| matches!(entry.kind, Kind::Later)) {
        assert!(text.contains(&format!("`{}`", entry.path)), "{}", entry.path);
    }
}

#[test]
fn every_option_of_a_group_has_a_key() {
    let config = Config::default();
    let metrics = config.metrics;
    let groups = (metrics.process, metrics.allocator, metrics.tokio, metrics.pauses, metrics.host);
    let options = format!("{groups:?}");
    let paths = schema::entries();
    for word in options.split([' ', '(', ')', '{', '}', ',']).filter_map(|word| word.strip_suffix(':')) {
        let known = paths.iter().any(|entry| entry.path.rsplit('.').next() == Some(word));
        assert!(known, "no key for the option {word}");
    }
}

#[test]
fn every_field_of_the_monitor_has_a_key() {
    // Those of bar-counter/monitor are spelled otherwise.
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let entries = schema::entries();
    let keys = entries.iter().filter(|entry| entry.path.starts_with("monitor."));
    let keys: BTreeSet<_> = keys.map(|entry| plain(entry.path.rsplit('.').next().unwrap())).collect();
    let fields = format!("{:?}", MonitorConfig::default());
    let names = fields.split([' ', '(', ')', '{', '}', ',']).filter_map(|word| word.strip_suffix(':'));
    let names: BTreeSet<_> = names.map(plain).collect();
    assert_eq!(names, keys);
}

#[test]
fn the_file_in_the_folder_is_read_when_nobody_names_one() {
    let folder = tempfile::tempdir().unwrap();
    let (here, other) = (folder.path().join("vitals.yaml"), folder.path().join("other.yaml"));
    let interval = |file, variables: &[(&str, &Path)]| {
        let environment = Environment::new(variables.iter().map(|(name, value)| (*name, *value)));
        Config::layered(Scope::Everything, file, &here, &environment)
            .map(|config| config.metrics.interval.as_secs())
    };
    assert_eq!(interval(None, &[]), Ok(60), "nothing there");
    std::fs::write(&here, "metrics: {interval: 1s}").unwrap();
    std::fs::write(&other, "metrics: {interval: 2s}").unwrap();
    assert_eq!(interval(None, &[]), Ok(1));
    assert_eq!(interval(None, &[("VITALS_CONFIG", Path::new(""))]), Ok(1), "empty is unset");
    assert_eq!(interval(None, &[("VITALS_CONFIG", &other)]), Ok(2));
    assert_eq!(interval(Some(&here), &[("VITALS_CONFIG", &other)]), Ok(1));
}

#[test]
fn a_file_in_the_folder_that_cannot_be_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let error = Config::layered(Scope::Everything, None, folder.path(), &Environment::default()).unwrap_err();
    let path = folder.path().display();
    let expected = format!(
        "{path}: expected a configuration file, found \"{path}\", which cannot be read: it is not a regular file"
    );
    assert_eq!(error.to_string(), expected);
}

/// What a provider that the application brought does without, all of it wrong.
const UNUSED: [(&str, &str); 12] = [
    ("OTEL_METRICS_EXPORTER", "prometheus"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "soon"),
    ("OTEL_METRIC_EXPORT_TIMEOUT", "never"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "pigeon"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://["),
    ("OTEL_EXPORTER_OTLP_HEADERS", "s3cr3t"),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere"),
    ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/nowhere"),
    ("OTEL_RESOURCE_ATTRIBUTES", "team"),
    ("VITALS_OTLP_COMPRESSION", "zstd"),
    ("VITALS_METRICS_EXPORTERS", ","),
    ("VITALS_METRICS_INTERVAL", "60"),
];

fn measuring(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vitals.yaml");
    std::fs::write(&file, text).unwrap();
    let loaded = Config::load_for(Scope::Measuring, Some(&file), variables.iter().copied());
    let shown = |error: ConfigError| error.to_string().replace(&file.display().to_string(), "vitals.yaml");
    loaded.map_err(shown)
}

#[test]
fn what_nothing_uses_may_be_wrong() {
    let file = "metrics:\n  interval: 60\n  freshness: 5ms\nservice: {name: ''}\n\
        otlp:\n  timeout: 0s\n  certificate: /nowhere\n  headers: {a: '${env:UNSET}'}\n";
    let config = measuring(file, &UNUSED).unwrap();
    assert_eq!(config.metrics.freshness, Duration::from_millis(5));
    assert_eq!(config.metrics.interval, MetricsConfig::default().interval);
    assert_eq!(config.validate_for(Scope::Measuring), Ok(()));
    for (name, value) in UNUSED {
        assert!(Config::load_from(None, [(name, value)]).is_err(), "{name} is wrong elsewhere");
    }
}

#[test]
fn what_is_used_and_what_is_unknown_is_refused_all_the_same() {
    for (text, variables, expected) in [
        ("otlp: {x: [}", &[][..], "vitals.yaml:1: not YAML: "),
        ("otlp: {endpiont: x}", &[], "vitals.yaml:1: otlp.endpiont: unknown key, "),
        ("metrics: {freshness: 5}", &[], "vitals.yaml:1: metrics.freshness: expected a time"),
        ("monitor: {health: status}", &[], "vitals.yaml:1: monitor.health: expected a path such as"),
        ("monitor: {security: true}", &[], "vitals.yaml:1: monitor.securityUser: expected a user"),
        ("", &[("VITALS_METRICS_HOST_CPU", "on")], "VITALS_METRICS_HOST_CPU: expected true or false"),
        ("", &[("VITALS_OTLP_ENPOINT", "x")], "VITALS_OTLP_ENPOINT: unknown variable, "),
        ("", &[("VITALS_METRICS_HOST_ROOT_PATH", "/nowhere")], "VITALS_METRICS_HOST_ROOT_PATH: expected"),
    ] {
        let error = measuring(text, variables).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}
