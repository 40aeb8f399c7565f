//! As Go's `encoding/json` writes it: Go's names in Go's order, without whitespace, integers without a point.
//!
//! By hand, because it is names and numbers only, and no serializer writes a fraction as Go does.

use std::fmt::{Display, Write as _};

use super::MemStats;

/// What the names and two rings of zeroes take; a snapshot with larger numbers makes it grow.
const USUAL: usize = 6 * 1024;

pub(super) fn written(stats: &MemStats) -> String {
    let mut object = Object::new(String::with_capacity(USUAL));
    heap(stats, &mut object);
    beside_the_heap(stats, &mut object);
    collector(stats, &mut object);
    object.list("BySize", &stats.by_size, |class, json| {
        let mut object = Object::new(std::mem::take(json));
        object.field("Size", class.size);
        object.field("Mallocs", class.mallocs);
        object.field("Frees", class.frees);
        *json = object.end();
    });
    object.end()
}

fn heap(stats: &MemStats, object: &mut Object) {
    object.field("Alloc", stats.alloc);
    object.field("TotalAlloc", stats.total_alloc);
    object.field("Sys", stats.sys);
    object.field("Lookups", stats.lookups);
    object.field("Mallocs", stats.mallocs);
    object.field("Frees", stats.frees);
    object.field("HeapAlloc", stats.heap_alloc);
    object.field("HeapSys", stats.heap_sys);
    object.field("HeapIdle", stats.heap_idle);
    object.field("HeapInuse", stats.heap_inuse);
    object.field("HeapReleased", stats.heap_released);
    object.field("HeapObjects", stats.heap_objects);
}

fn beside_the_heap(stats: &MemStats, object: &mut Object) {
    object.field("StackInuse", stats.stack_inuse);
    object.field("StackSys", stats.stack_sys);
    object.field("MSpanInuse", stats.mspan_inuse);
    object.field("MSpanSys", stats.mspan_sys);
    object.field("MCacheInuse", stats.mcache_inuse);
    object.field("MCacheSys", stats.mcache_sys);
    object.field("BuckHashSys", stats.buck_hash_sys);
    object.field("GCSys", stats.gc_sys);
    object.field("OtherSys", stats.other_sys);
}

fn collector(stats: &MemStats, object: &mut Object) {
    object.field("NextGC", stats.next_gc);
    object.field("LastGC", stats.last_gc);
    object.field("PauseTotalNs", stats.pause_total_ns);
    object.list("PauseNs", &stats.pause_ns, number);
    object.list("PauseEnd", &stats.pause_end, number);
    object.field("NumGC", stats.num_gc);
    object.field("NumForcedGC", stats.num_forced_gc);
    object.field("GCCPUFraction", fraction(stats.gc_cpu_fraction));
    object.field("EnableGC", stats.enable_gc);
    object.field("DebugGC", stats.debug_gc);
}

/// An object while it is written.
struct Object {
    json: String,
    separator: char,
}

impl Object {
    fn new(json: String) -> Self {
        Object { json, separator: '{' }
    }

    fn field(&mut self, name: &str, value: impl Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.json, "{}\"{name}\":{value}", self.separator);
        self.separator = ',';
    }

    fn list<T>(&mut self, name: &str, values: &[T], write: impl Fn(&T, &mut String)) {
        self.field(name, "");
        let mut separator = '[';
        for value in values {
            self.json.push(separator);
            write(value, &mut self.json);
            separator = ',';
        }
        self.json.push(']');
    }

    fn end(mut self) -> String {
        self.json.push('}');
        self.json
    }
}

fn number(value: &u64, json: &mut String) {
    let _ = write!(json, "{value}");
}

/// Go writes the shortest digits that mean the number, as Rust does, and with an exponent where that is shorter: with a
/// sign, which Rust leaves out when it is positive.
fn fraction(value: f64) -> String {
    const PLAIN: std::ops::Range<f64> = 1e-6..1e21;
    if !value.is_finite() {
        return "0".to_owned();
    }
    if value == 0.0 || PLAIN.contains(&value.abs()) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    if text.contains("e-") { text } else { text.replace('e', "e+") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_as_go_writes_them() {
        // What `json.Marshal` of Go 1.26 makes of them.
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (0.000_001, "0.000001"),
            (0.000_000_99, "9.9e-7"),
            (-1.5e-10, "-1.5e-10"),
            (123_456_789.0, "123456789"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (f64::NAN, "0"),
            (f64::INFINITY, "0"),
        ] {
            assert_eq!(fraction(value), expected);
        }
    }

    #[test]
    fn the_usual_snapshot_is_written_without_growing() {
        assert!(MemStats::read().to_json().len() <= USUAL);
    }
}
