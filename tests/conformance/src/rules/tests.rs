use super::*;
use std::collections::BTreeMap;

const CONVENTIONS: &str = "header
system\tsystem.uptime\tgauge\ts\tdouble\tdevelopment\tno\t\trecommended\thost\tcpu.mode: required: string [rc]\tUp.\tm
system\tsystem.old\tgauge\ts\tdouble\tdevelopment\tyes\tDEPRECATED: renamed to system.uptime\tx\thost\t\tUp.\tm
";

const ENTITIES: &str = "header\nhost\thost.name\trecommended\tstring\tdevelopment\n";

const FILE: &str = "\
file_format: definition/2
imports: {metrics: [system.uptime], entities: [host]}
attributes:
  - key: a.kind
    brief: Which.
    stability: development
    type: {members: [{id: x, value: ex, brief: An x., stability: stable}]}
  - {key: a.name, brief: Who., stability: development, type: string, examples: [me]}
metrics:
  - name: a.count
    brief: How many.
    note: All of them.
    instrument: counter
    unit: '{thing}'
    stability: development
    annotations: {code_generation: {metric_value_type: int}}
";

fn manifest() -> String {
    format!(
        "{{schema_url: https://example.com/schemas/{}, description: A test., stability: development, \
         dependencies: [{{schema_url: 'https://opentelemetry.io/schemas/1.44.0', registry_path: x}}]}}",
        env!("CARGO_PKG_VERSION")
    )
}

fn violations(manifest: String, file: &str) -> Vec<String> {
    let conventions = Conventions::parse(CONVENTIONS, ENTITIES).unwrap();
    let files =
        BTreeMap::from([("manifest.yaml".to_owned(), manifest), ("a.yaml".to_owned(), file.to_owned())]);
    let registry = Registry::parse(&files).unwrap();
    let metrics = registry.metrics(&conventions).unwrap();
    check(&registry, &metrics, &conventions).iter().map(ToString::to_string).collect()
}

fn with(from: &str, to: &str) -> Vec<String> {
    assert!(FILE.contains(from), "{from} is not in the file");
    violations(manifest(), &FILE.replace(from, to))
}

#[test]
fn a_good_registry_breaks_no_rule() {
    assert_eq!(violations(manifest(), FILE), Vec::<String>::new());
}

#[test]
fn names_have_their_format() {
    for good in ["a.b", "a.b_c.d2", "a1.b"] {
        assert!(is_name(good), "{good}");
    }
    for bad in ["", "1a.b", "a..b", "a.b.", ".a", "a.B", "a.b-c", "a__b.c", "_a.b", "a.é"] {
        assert!(!is_name(bad), "{bad}");
    }
    assert_eq!(with("a.count", "a.Count"), ["a.Count: does not match ^[a-z][a-z0-9]*([._][a-z0-9]+)*$"]);
    assert_eq!(with("a.name", "a.na-me"), ["a.na-me: does not match ^[a-z][a-z0-9]*([._][a-z0-9]+)*$"]);
    assert_eq!(with("a.count", "count"), ["count: has no namespace"]);
}

#[test]
fn no_name_is_the_namespace_of_another() {
    assert_eq!(
        with("a.count", "system.uptime.total"),
        ["system.uptime: is the namespace of system.uptime.total"]
    );
    assert_eq!(with("a.name", "a.kind.name"), ["a.kind: is the namespace of a.kind.name"]);
    assert_eq!(with("a.name", "a.kind_name"), Vec::<String>::new());
}

#[test]
fn nothing_is_declared_twice() {
    assert_eq!(with("a.name", "a.kind"), ["a.kind: is there twice"]);
    assert_eq!(with("a.count", "system.old"), ["system.old: is a metric of the conventions already"]);
    assert_eq!(with("a.name", "cpu.mode"), ["cpu.mode: is an attribute of the conventions already"]);
    let twice = "{id: x, value: ex, brief: An x., stability: stable}, {id: x, value: why, brief: A why., stability: stable}";
    let found = with("{id: x, value: ex, brief: An x., stability: stable}", twice);
    assert_eq!(found, ["a.kind: has the member why twice"]);
    assert_eq!(with("[system.uptime]", "[system.uptime, system.uptime]"), ["system.uptime: is there twice"]);
}

#[test]
fn sentences_end_with_a_full_stop() {
    assert_eq!(with("How many.", "How many"), ["a.count: its brief does not end with a full stop"]);
    assert_eq!(with("All of them.", "All of them!"), ["a.count: its note does not end with a full stop"]);
    assert_eq!(with("Who.", "Who"), ["a.name: its brief does not end with a full stop"]);
    assert_eq!(with("An x.", "An x"), ["a.kind: the brief of ex does not end with a full stop"]);
}

#[test]
fn units_and_examples_are_there() {
    assert_eq!(with("'{thing}'", "''"), ["a.count: has no unit"]);
    assert_eq!(with(", examples: [me]", ""), ["a.name: is a string without an example"]);
}

#[test]
fn imports_are_names_of_what_is_current() {
    assert_eq!(with("entities: [host]", "entities: [ghost]"), ["ghost: is no entity of the conventions"]);
    assert_eq!(
        with("[system.uptime]", "[system.old]"),
        ["system.old: is imported and deprecated: DEPRECATED: renamed to system.uptime"]
    );
    let found = with("entities: [host]", "entities: ['ho*']");
    assert_eq!(
        found,
        ["ho*: is imported by wildcard; name what is emitted", "ho*: is no entity of the conventions"]
    );
}

#[test]
fn the_manifest_names_its_version_and_the_conventions() {
    let old = manifest().replace(env!("CARGO_PKG_VERSION"), "0.0.7");
    let [found] = violations(old, FILE).try_into().unwrap();
    assert!(found.starts_with("manifest.yaml: schema_url ends in 0.0.7"), "{found}");
    let other = manifest().replace("1.44.0", "1.30.0");
    assert_eq!(violations(other, FILE), ["manifest.yaml: does not depend on the conventions 1.44.0"]);
    let unfinished = manifest().replace("A test.", "A test");
    assert_eq!(
        violations(unfinished, FILE),
        ["manifest.yaml: its description does not end with a full stop"]
    );
}
