//! The same metrics in the Prometheus format, through the collector's exporter.

use end_to_end::{Collector, Setup, procfs, wait_until};

use crate::programs::plain;

#[test]
fn the_collector_shows_ours_to_prometheus() {
    let Some(collector) = Collector::start_with(Setup { prometheus: true, ..Setup::default() }) else {
        return;
    };
    let mut subject = plain().grpc(collector.grpc()).start();
    subject.tell("count 5").ok();
    subject.tell("flush").ok();
    let page = wait_until("the counter on the page", || {
        collector.scrape().filter(|page| value(page, "subject_count_total", "").is_some())
    });
    assert_eq!(value(&page, "subject_count_total", ""), Some(5.0));
    // The page is of the last export, and the program may have grown since.
    wait_until("the memory that is there", || {
        let shown = value(&collector.scrape()?, "process_memory_usage_bytes", "")?;
        let there = procfs::resident(subject.pid()) as f64;
        ((shown / there - 1.0).abs() < 0.2).then_some(())
    });
    for (name, label) in [
        ("process_cpu_time_seconds_total", r#"cpu_mode="user""#),
        ("system_memory_usage_bytes", r#"system_memory_state="used""#),
        ("linux_load_average_ratio", r#"linux_load_period="1m""#),
        ("otel_vitals_source_read_duration_seconds_count", r#"otel_vitals_source="process.usage""#),
    ] {
        assert!(value(&page, name, label).is_some(), "no {name} with {label} on the page");
    }
    for line in [
        "# TYPE process_cpu_time_seconds_total counter",
        "# TYPE process_memory_usage_bytes gauge",
        "# TYPE otel_vitals_source_read_duration_seconds histogram",
    ] {
        assert!(page.contains(line), "no {line:?} on the page");
    }
    subject.tell("shutdown").ok();
}

/// The value of the first series of `name` whose labels contain `label`.
pub(crate) fn value(page: &str, name: &str, label: &str) -> Option<f64> {
    let series = page.lines().find(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(label)
    });
    series?.rsplit(' ').next()?.parse().ok()
}
