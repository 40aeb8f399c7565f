//! A small declaration for the tests of this crate.

use crate::{Conventions, Declaration, Notes, Registry};
use std::collections::BTreeMap;

pub(crate) const METRICS: &str = "header
system\tsystem.disk.io\tcounter\tBy\tint\tdevelopment\tno\t\trecommended\thost\tsystem.device: recommended: string [x]; \
disk.io.direction: required: enum{read|write|erase~DEPRECATED} [x]; disk.speed: opt_in: double [x]\tBytes.\tmodel
system\tsystem.uptime\tgauge\ts\tdouble\tdevelopment\tno\t\topt-in\thost\t\tUp, and a lot more that is ...\tmodel
system\tsystem.heat\tgauge\tK\tdouble\tdevelopment\tno\t\trecommended\thost\t\tHot.\tmodel
system\tsystem.old\tgauge\ts\tdouble\tdevelopment\tyes\tDEPRECATED: renamed to system.uptime\tx\thost\t\tUp.\tmodel
";

pub(crate) const ENTITIES: &str = "header
process\tprocess.pid\trequired\tint\tx
process\tprocess.creation.time\trequired\tstring\tx
os\tos.type\trequired\tenum{linux|windows}\tx
";

pub(crate) const FILE: &str = "\
file_format: definition/2
imports: {metrics: [system.disk.io, system.uptime], entities: [process, os]}
attributes:
  - key: ours.kind
    brief: Which.
    stability: development
    type:
      members:
        - {id: x, value: ex, brief: An x., stability: stable}
        - {id: z, value: why, brief: A z., stability: stable}
metrics:
  - name: ours.count
    brief: How many.
    instrument: updowncounter
    unit: '{thing}'
    stability: development
    annotations: {code_generation: {metric_value_type: int}}
    attributes: [{ref: ours.kind, requirement_level: required}]
";

pub(crate) const NOTES: &str = "\
groups:
  - title: The System
    namespace: system
    scope: otel-vitals-host
    switch: metrics.host.system
    about: All of it.
    metrics:
      system.disk.io: {source: the disk}
      system.uptime: {source: the clock, meaning: How long it is up., option: metrics.host.uptime}
  - title: Ours
    namespace: ours
    scope: otel-vitals
    about: Only ours.
    metrics:
      ours.count: {source: counting}
left_out:
  system.heat: It is too hot.
resource:
  attributes:
    process.pid: {source: getpid}
    process.creation.time: {source: the clock}
    os.type: {source: the compiler, when: on an operating system}
";

/// The declaration that these texts make.
pub(crate) fn declaration() -> Declaration {
    with(&[])
}

/// The same, with texts replaced: each is in one of the parts at least.
pub(crate) fn with(replacements: &[(&str, &str)]) -> Declaration {
    let replaced =
        |text: &str| replacements.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    for (from, _) in replacements {
        assert!([METRICS, ENTITIES, FILE, NOTES].iter().any(|text| text.contains(from)), "{from} is nowhere");
    }
    let manifest = "{schema_url: 'https://a/0.1.0', description: A., stability: alpha, dependencies: []}";
    let files = BTreeMap::from([
        ("manifest.yaml".to_owned(), manifest.to_owned()),
        ("file.yaml".to_owned(), replaced(FILE)),
    ]);
    Declaration::new(
        Registry::parse(&files).unwrap(),
        Conventions::parse(&replaced(METRICS), &replaced(ENTITIES)).unwrap(),
        Notes::parse(&replaced(NOTES)).unwrap(),
    )
    .unwrap()
}
