//! Values as people write them.

use crate::arrivals::Value;

/// `value` of the metric `name`, whose unit is `unit`.
pub(crate) fn value(name: &str, unit: &str, value: Value) -> String {
    match value {
        Value::Number(number) if is_fraction(name, unit) => percent(number),
        Value::Number(number) => quantity(unit, number),
        Value::Histogram { count, mean: Some(mean) } => {
            format!("{} × {}", grouped(count as f64), quantity(unit, mean))
        }
        Value::Histogram { count, mean: None } => grouped(count as f64),
    }
}

/// `rate` per second of a metric whose unit is `unit`; seconds per second are a share of the time.
pub(crate) fn rate(unit: &str, value: Value, rate: f64) -> String {
    match (unit, value) {
        ("s", Value::Number(_)) => percent(rate),
        ("By", Value::Number(_)) => format!("{}/s", bytes(rate)),
        _ => format!("{}/s", plain(rate)),
    }
}

fn is_fraction(name: &str, unit: &str) -> bool {
    unit == "1" && name.ends_with(".utilization")
}

fn quantity(unit: &str, value: f64) -> String {
    match unit {
        "By" => bytes(value),
        "s" => duration(value),
        "Hz" => hertz(value),
        _ => plain(value),
    }
}

fn percent(fraction: f64) -> String {
    format!("{:.1} %", fraction * 100.0)
}

/// `1536` is `1.5 KiB`.
pub(crate) fn bytes(value: f64) -> String {
    scaled(value, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB"])
}

fn hertz(value: f64) -> String {
    scaled(value, 1000.0, &["Hz", "kHz", "MHz", "GHz"])
}

fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let mut scaled = value;
    let mut rest = units;
    // 1023.96 would be written as 1024.0.
    while let [_, larger @ ..] = rest
        && !larger.is_empty()
        && scaled.abs() >= step - 0.05
    {
        scaled /= step;
        rest = larger;
    }
    let unit = rest.first().copied().unwrap_or_default();
    let digits = usize::from(rest.len() < units.len() || scaled.fract() != 0.0);
    format!("{scaled:.digits$} {unit}")
}

/// Seconds: from `1.2 µs` over `3.45 s` to `2 d 3 h`.
pub(crate) fn duration(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 60.0 * MINUTE;
    const DAY: f64 = 24.0 * HOUR;
    match seconds.abs() {
        0.0 => "0 s".to_owned(),
        size if size < 1e-3 => format!("{:.1} µs", seconds * 1e6),
        size if size < 1.0 => format!("{:.1} ms", seconds * 1e3),
        size if size < 10.0 * MINUTE => format!("{seconds:.2} s"),
        size if size < HOUR => two_units(seconds, (MINUTE, "min"), (1.0, "s")),
        size if size < DAY => two_units(seconds, (HOUR, "h"), (MINUTE, "min")),
        _ => two_units(seconds, (DAY, "d"), (HOUR, "h")),
    }
}

fn two_units(seconds: f64, large: (f64, &str), small: (f64, &str)) -> String {
    let whole = (seconds / large.0).floor();
    let rest = ((seconds - whole * large.0) / small.0).floor();
    format!("{whole:.0} {} {rest:.0} {}", large.1, small.1)
}

/// A count, or a number with as many decimals as tell something.
fn plain(value: f64) -> String {
    match value.abs() {
        // 0.99999 per second is one, not 1.000.
        _ if (value - value.round()).abs() < 5e-4 => grouped(value),
        size if size < 1.0 => format!("{value:.3}"),
        size if size < 1000.0 => format!("{value:.1}"),
        _ => grouped(value),
    }
}

/// `1234567` is `1,234,567`.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_in_units_of_their_size() {
        for (name, unit, number, expected) in [
            ("process.memory.usage", "By", 0.0, "0 B"),
            ("process.memory.usage", "By", 1023.0, "1023 B"),
            ("process.memory.usage", "By", 1536.0, "1.5 KiB"),
            ("process.memory.usage", "By", 1_048_575.0, "1.0 MiB"),
            ("process.memory.usage", "By", 12_897_485.0, "12.3 MiB"),
            ("system.filesystem.usage", "By", 270_582_939_648.0, "252.0 GiB"),
            ("process.cpu.time", "s", 0.0, "0 s"),
            ("process.cpu.time", "s", 0.000_012_34, "12.3 µs"),
            ("process.cpu.time", "s", 0.25, "250.0 ms"),
            ("process.cpu.time", "s", 3.456, "3.46 s"),
            ("system.cpu.time", "s", 601.9, "10 min 1 s"),
            ("system.uptime", "s", 4_000.0, "1 h 6 min"),
            ("system.uptime", "s", 183_600.0, "2 d 3 h"),
            ("system.cpu.utilization", "1", 0.4321, "43.2 %"),
            ("linux.load.average", "1", 0.52, "0.520"),
            ("linux.load.average", "1", 12.25, "12.2"),
            ("system.cpu.frequency", "Hz", 2_400_000_000.0, "2.4 GHz"),
            ("process.thread.count", "{thread}", 17.0, "17"),
            ("process.context_switches", "{context_switch}", 1_234_567.0, "1,234,567"),
            ("balance", "1", -1_234.0, "-1,234"),
        ] {
            assert_eq!(value(name, unit, Value::Number(number)), expected, "{name} {number}");
        }
    }

    #[test]
    fn a_histogram_is_its_count_and_its_mean() {
        let name = "otel_vitals.source.read.duration";
        let some = Value::Histogram { count: 1_200, mean: Some(0.000_004_2) };
        assert_eq!(value(name, "s", some), "1,200 × 4.2 µs");
        assert_eq!(value(name, "s", Value::Histogram { count: 0, mean: None }), "0");
    }

    #[test]
    fn rates_say_what_they_count() {
        let number = Value::Number(1.0);
        assert_eq!(rate("By", number, 2_097_152.0), "2.0 MiB/s");
        assert_eq!(rate("s", number, 0.25), "25.0 %");
        assert_eq!(rate("{fault}", number, 0.0), "0/s");
        assert_eq!(rate("{fault}", number, 12.34), "12.3/s");
        assert_eq!(rate("{fault}", number, 0.99999), "1/s");
        assert_eq!(rate("s", Value::Histogram { count: 3, mean: None }, 3.0), "3/s");
    }
}
