//! The table.

use std::fmt::Write as _;

use crate::arrivals::{Metric, Picture, Series};
use crate::pauses::Told;
use crate::receiver::OPT_INS;
use crate::units;

/// What part of the table there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) lines: usize,
    pub(crate) columns: usize,
}

/// One line of the table, cut into columns.
struct Row {
    metric: String,
    unit: String,
    value: String,
    rate: String,
    attributes: String,
}

/// The whole table as text.
pub(crate) fn whole(picture: &Picture, pauses: &Told, endpoint: &str) -> String {
    let mut text = head(picture, endpoint) + &pauses.text();
    text.push_str(&body(picture, usize::MAX));
    text
}

/// As much of the table as there is room for: when it is too long, fewer series of each metric (their number is
/// told), then the first lines only, which is told too. What is too wide is cut.
pub(crate) fn fitted(picture: &Picture, pauses: &Told, endpoint: &str, room: Room) -> String {
    // The last line of a terminal stays empty: it is where the cursor is.
    let lines = room.lines.saturating_sub(1);
    let head = head(picture, endpoint) + &pauses.text();
    let all = [usize::MAX, 8, 4, 3, 2, 1].map(|most| head.clone() + &body(picture, most));
    let [.., shortest] = &all;
    let text = all.iter().find(|text| text.lines().count() <= lines).unwrap_or(shortest);
    let length = text.lines().count();
    let kept = if length > lines { lines.saturating_sub(1) } else { length };
    let left_out = (length > lines && lines > 0)
        .then(|| format!("… and {} more lines; --once shows all", length - kept));
    let shown = text.lines().take(kept).chain(left_out.as_deref());
    shown.flat_map(|line| cut(line, room.columns)).collect()
}

/// `line` in at most `columns` characters, with its end.
fn cut(line: &str, columns: usize) -> impl Iterator<Item = char> {
    let is_long = line.chars().count() > columns;
    let kept = if is_long { columns.saturating_sub(1) } else { columns };
    line.chars().take(kept).chain(is_long.then_some('…')).chain(['\n'])
}

/// Who sends, what, where to, and how much of it.
fn head(picture: &Picture, endpoint: &str) -> String {
    let resource = |key: &str| picture.resource.get(key).map(String::as_str);
    let who: Vec<String> = [
        resource("service.name").map(str::to_owned),
        resource("service.version").map(|version| format!("version {version}")),
        resource("process.pid").map(|pid| format!("pid {pid}")),
        resource("host.name").map(|host| format!("host {host}")),
        resource("os.type")
            .map(|os| [os, resource("host.arch").unwrap_or_default()].join(" ").trim().to_owned()),
        resource("process.runtime.name").map(|name| {
            [name, resource("process.runtime.version").unwrap_or_default()].join(" ").trim().to_owned()
        }),
    ]
    .into_iter()
    .flatten()
    .collect();
    let series: usize = picture.metrics.values().map(|metric| metric.series.len()).sum();
    format!(
        "{}\nOTLP/gRPC to {endpoint} · export {} · {} metrics, {series} series · {} in this export\n\
         opt-in metrics that are on for this table: {OPT_INS}\n",
        who.join(" · "),
        picture.exports,
        picture.metrics.len(),
        units::bytes(picture.bytes as f64),
    )
}

fn body(picture: &Picture, most: usize) -> String {
    let mut groups: Vec<(&str, Vec<Row>)> = Vec::new();
    // What the pipeline says of itself comes last.
    let (of_itself, others): (Vec<_>, Vec<_>) =
        picture.metrics.iter().partition(|(name, _)| name.starts_with("otel"));
    for (name, metric) in others.into_iter().chain(of_itself) {
        let namespace = name.split('.').next().unwrap_or_default();
        match groups.last_mut() {
            Some((last, rows)) if *last == namespace => rows.extend(rows_of(name, metric, most)),
            _ => groups.push((namespace, rows_of(name, metric, most))),
        }
    }
    let rows = || groups.iter().flat_map(|(_, rows)| rows);
    let width = |column: fn(&Row) -> &str| rows().map(|row| column(row).chars().count()).max().unwrap_or(0);
    let (metric, unit) = (width(|row| &row.metric), width(|row| &row.unit).max(4));
    let (value, rate) = (width(|row| &row.value).max(5), width(|row| &row.rate).max(10));
    let mut text = String::new();
    for (namespace, rows) in &groups {
        let padding = metric.saturating_sub(namespace.len()) + 2;
        let _ = writeln!(
            text,
            "\n{namespace}{:padding$}  {:unit$}  {:>value$}  {:>rate$}  attributes",
            "", "unit", "value", "per second"
        );
        for row in rows {
            let line = format!(
                "  {:metric$}  {:unit$}  {:>value$}  {:>rate$}  {}",
                row.metric, row.unit, row.value, row.rate, row.attributes
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}

/// At most `most` rows of one metric; the first bears its name, the last tells how many are left out.
fn rows_of(name: &str, metric: &Metric, most: usize) -> Vec<Row> {
    let left_out = metric.series.len().saturating_sub(most);
    let mut rows: Vec<Row> =
        metric.series.iter().take(most).map(|series| row(name, &metric.unit, series)).collect();
    for row in rows.iter_mut().skip(1) {
        row.metric.clear();
        row.unit.clear();
    }
    if let (Some(last), 1..) = (rows.last_mut(), left_out) {
        last.attributes.insert_str(0, &format!("(+{left_out} more) "));
    }
    rows
}

fn row(name: &str, unit: &str, series: &Series) -> Row {
    Row {
        metric: name.to_owned(),
        unit: unit.to_owned(),
        value: units::value(name, unit, series.value),
        rate: series.rate.map(|rate| units::rate(unit, series.value, rate)).unwrap_or_default(),
        attributes: series.attributes.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrivals::Value;
    use crate::pauses::Line;
    use std::time::Duration;

    fn series(attributes: &str, value: f64, rate: Option<f64>) -> Series {
        Series { attributes: attributes.to_owned(), value: Value::Number(value), rate }
    }

    fn picture() -> Picture {
        let cores = ["idle", "system", "user"].map(|mode| {
            let mode = format!("cpu.mode={mode}");
            series(&mode, 1.5, Some(0.5))
        });
        let metric = |unit: &str, series| Metric { unit: unit.to_owned(), series };
        Picture {
            resource: [("service.name", "checkout"), ("process.pid", "17"), ("os.type", "linux")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            exports: 3,
            bytes: 2048,
            metrics: [
                ("system.cpu.time".to_owned(), metric("s", cores.into())),
                ("process.memory.usage".to_owned(), metric("By", vec![series("", 1_572_864.0, None)])),
            ]
            .into(),
        }
    }

    const WHOLE: &str = "\
checkout · pid 17 · linux
OTLP/gRPC to http://127.0.0.1:4317 · export 3 · 2 metrics, 4 series · 2.0 KiB in this export
opt-in metrics that are on for this table: process.{cpu,memory}.utilization, system.cpu.utilization, system.{memory,filesystem}.limit

process                 unit    value  per second  attributes
  process.memory.usage  By    1.5 MiB

system                  unit    value  per second  attributes
  system.cpu.time       s      1.50 s      50.0 %  cpu.mode=idle
                               1.50 s      50.0 %  cpu.mode=system
                               1.50 s      50.0 %  cpu.mode=user
";

    #[test]
    fn every_series_has_its_line() {
        assert_eq!(whole(&picture(), &Told::default(), "http://127.0.0.1:4317"), WHOLE);
    }

    #[test]
    fn pauses_come_first() {
        let line = Line {
            ago: Some(Duration::from_secs(2)),
            duration: Duration::from_millis(250),
            of: "runtime stalling, worker 0".to_owned(),
            cause: "blocked executor".to_owned(),
        };
        let pauses = Told { count: 1, total: line.duration, last: vec![line] };
        let expected = "\
checkout · pid 17 · linux
OTLP/gRPC to http://127.0.0.1:4317 · export 3 · 2 metrics, …
opt-in metrics that are on for this table: process.{cpu,mem…

pauses: 1, 250.0 ms in all; the last of at least 10.0 ms:
      2.00 s ago    250.0 ms  runtime stalling, worker 0  b…

… and 5 more lines; --once shows all
";
        let room = Room { lines: 9, columns: 60 };
        assert_eq!(fitted(&picture(), &pauses, "http://127.0.0.1:4317", room), expected);
        assert!(whole(&picture(), &pauses, "http://127.0.0.1:4317").contains(&pauses.text()));
    }

    #[test]
    fn what_fits_is_whole() {
        let room = Room { lines: WHOLE.lines().count() + 1, columns: 200 };
        assert_eq!(fitted(&picture(), &Told::default(), "http://127.0.0.1:4317", room), WHOLE);
    }

    #[test]
    fn what_does_not_fit_shows_fewer_series_and_says_so() {
        let expected = "\
checkout · pid 17 · linux
OTLP/gRPC to http://127.0.0.1:4317 · export 3 · 2 metrics, 4 series · 2.0 KiB i…
opt-in metrics that are on for this table: process.{cpu,memory}.utilization, sy…

process                 unit    value  per second  attributes
  process.memory.usage  By    1.5 MiB

system                  unit    value  per second  attributes
  system.cpu.time       s      1.50 s      50.0 %  cpu.mode=idle
                               1.50 s      50.0 %  (+1 more) cpu.mode=system
";
        let room = Room { lines: WHOLE.lines().count(), columns: 80 };
        assert_eq!(fitted(&picture(), &Told::default(), "http://127.0.0.1:4317", room), expected);
    }

    #[test]
    fn what_still_does_not_fit_is_cut_and_says_so() {
        let room = Room { lines: 8, columns: 60 };
        let expected = "\
checkout · pid 17 · linux
OTLP/gRPC to http://127.0.0.1:4317 · export 3 · 2 metrics, …
opt-in metrics that are on for this table: process.{cpu,mem…

process                 unit    value  per second  attribut…
  process.memory.usage  By    1.5 MiB
… and 3 more lines; --once shows all
";
        assert_eq!(fitted(&picture(), &Told::default(), "http://127.0.0.1:4317", room), expected);
    }

    #[test]
    fn what_the_pipeline_says_of_itself_comes_last() {
        let mut picture = picture();
        for name in ["otel.sdk.exporter.operation.duration", "otel_vitals.source.errors", "zoo.animals"] {
            let metric = Metric { unit: "1".to_owned(), series: vec![series("", 1.0, None)] };
            picture.metrics.insert(name.to_owned(), metric);
        }
        let text = whole(&picture, &Told::default(), "http://127.0.0.1:4317");
        let namespaces: Vec<&str> = text
            .lines()
            .filter(|line| line.ends_with("attributes"))
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(namespaces, ["process", "system", "zoo", "otel", "otel_vitals"]);
    }

    #[test]
    fn never_more_than_there_is_room_for() {
        for lines in 1..20 {
            for columns in [1, 20, 80] {
                let text =
                    fitted(&picture(), &Told::default(), "http://127.0.0.1:4317", Room { lines, columns });
                assert!(text.lines().count() < lines, "{lines} lines");
                assert!(text.lines().all(|line| line.chars().count() <= columns), "{columns} columns");
            }
        }
    }
}
