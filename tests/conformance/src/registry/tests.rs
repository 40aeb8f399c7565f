use super::*;

const MANIFEST_TEXT: &str = "\
schema_url: https://example.com/schemas/0.1.0
description: A test.
stability: development
dependencies: [{schema_url: https://opentelemetry.io/schemas/1.44.0, registry_path: somewhere}]
";

const FILE: &str = "\
file_format: definition/2
attributes:
  - key: a.kind
    brief: Which.
    stability: development
    type: {members: [{id: x, value: ex, brief: An x., stability: stable}]}
metrics:
  - name: a.count
    brief: How many.
    instrument: updowncounter
    unit: '{thing}'
    stability: development
    annotations: {code_generation: {metric_value_type: int}}
    attributes: [{ref: a.kind, requirement_level: required}]
";

fn parsed(file: &str) -> Result<Registry, Error> {
    let files = [(MANIFEST, MANIFEST_TEXT), ("a.yaml", file)];
    Registry::parse(&files.map(|(name, text)| (name.to_owned(), text.to_owned())).into())
}

#[test]
fn a_metric_of_ours_is_resolved() {
    let metrics = parsed(FILE).unwrap().metrics(&Conventions::default()).unwrap();
    let [metric] = metrics.as_slice() else { panic!("{metrics:?}") };
    assert_eq!((metric.instrument.as_str(), metric.unit.as_str()), ("updowncounter", "{thing}"));
    assert!(metric.integer && metric.origin == Origin::Ours);
    let kind = metric.attribute("a.kind").unwrap();
    assert_eq!((kind.level, kind.kind.values()), (Level::Required, Some(vec!["ex"])));
}

#[test]
fn what_a_metric_must_have_is_asked_for_by_name() {
    for line in ["    unit: '{thing}'\n", "    instrument: updowncounter\n", "    brief: How many.\n"] {
        let missing = line.trim().split(':').next().unwrap();
        let error = parsed(&FILE.replace(line, "")).unwrap_err().to_string();
        assert!(error.starts_with("a.yaml: ") && error.contains(missing), "{missing}: {error}");
    }
    let (head, metrics) = FILE.split_once("metrics:").unwrap();
    let metrics = metrics.replace("    stability: development\n", "");
    let error = parsed(&format!("{head}metrics:{metrics}")).unwrap_err().to_string();
    assert!(error.contains("stability"), "{error}");
}

#[test]
fn what_the_format_does_not_know_is_refused() {
    for (from, to, named) in [
        ("unit:", "units:", "units"),
        ("updowncounter", "sumobserver", "sumobserver"),
        (
            "stability: development\n    annotations",
            "stability: experimental\n    annotations",
            "experimental",
        ),
        ("metrics:", "measurements:", "measurements"),
        ("requirement_level: required", "requirement_level: maybe", "maybe"),
        ("file_format: definition/2", "file_format: definition/1", "definition/1"),
    ] {
        let error = parsed(&FILE.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(named), "{named}: {error}");
    }
}

#[test]
fn a_reference_or_an_import_must_lead_somewhere() {
    let dangling = parsed(&FILE.replace("ref: a.kind", "ref: a.sort")).unwrap();
    let error = dangling.metrics(&Conventions::default()).unwrap_err();
    assert_eq!(error.to_string(), "a.count refers to a.sort, which the registry does not have");
    let import = parsed("file_format: definition/2\nimports: {metrics: [system.nothing]}").unwrap();
    let error = import.metrics(&Conventions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "imports.yaml refers to system.nothing, which semconv/upstream does not have"
    );
}

#[test]
fn a_registry_without_a_manifest_is_none() {
    let error = Registry::parse(&BTreeMap::new()).unwrap_err();
    assert_eq!(error.to_string(), "manifest.yaml: is missing");
}
