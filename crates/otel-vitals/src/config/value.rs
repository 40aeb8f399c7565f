//! Text to values: what a switch, a time, a choice, a list and a set of pairs look like.

use http::{HeaderName, HeaderValue};
use std::time::Duration;

use super::{Compression, ExporterKind, HeapSource, Protocol, Temporality};

/// A value is wrong; this is what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected(pub(super) String);

impl Expected {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Expected(what.into())
    }
}

/// A closed set of values with the names that configuration gives them.
pub(super) trait Choice: Copy + 'static {
    const NAMES: &'static [(&'static str, Self)];

    /// The names, for a message.
    fn names() -> String {
        let names: Vec<_> = Self::NAMES.iter().map(|(name, _)| *name).collect();
        match names.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            _ => names.concat(),
        }
    }

    fn parse(text: &str) -> Result<Self, Expected> {
        let found = Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        found.map(|(_, choice)| *choice).ok_or_else(|| Expected(Self::names()))
    }
}

impl Choice for bool {
    const NAMES: &'static [(&'static str, Self)] = &[("true", true), ("false", false)];
}

impl Choice for Protocol {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("grpc", Protocol::Grpc),
        ("http/protobuf", Protocol::HttpProtobuf),
        ("http/json", Protocol::HttpJson),
    ];
}

impl Choice for Compression {
    const NAMES: &'static [(&'static str, Self)] =
        &[("none", Compression::None), ("gzip", Compression::Gzip)];
}

impl Choice for Temporality {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("cumulative", Temporality::Cumulative),
        ("delta", Temporality::Delta),
        ("lowmemory", Temporality::LowMemory),
    ];
}

impl Choice for HeapSource {
    const NAMES: &'static [(&'static str, Self)] =
        &[("sampler", HeapSource::Sampler), ("jemalloc", HeapSource::Jemalloc)];
}

impl Choice for Option<ExporterKind> {
    const NAMES: &'static [(&'static str, Self)] =
        &[("otlp", Some(ExporterKind::Otlp)), ("console", Some(ExporterKind::Console)), ("none", None)];
}

/// Times from `min` to `max`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) min: Duration,
    pub(super) max: Duration,
}

impl Span {
    pub(super) const fn new(min: Duration, max: Duration) -> Self {
        Span { min, max }
    }

    pub(super) fn expected(self) -> Expected {
        let (min, max) = (humantime::format_duration(self.min), humantime::format_duration(self.max));
        Expected(format!("a time with its unit, such as 10s or 100ms, from {min} to {max}"))
    }

    pub(super) fn contains(self, time: Duration) -> bool {
        (self.min..=self.max).contains(&time)
    }

    /// A time with its unit.
    pub(super) fn parse(self, text: &str) -> Result<Duration, Expected> {
        let time = humantime::parse_duration(text.trim()).ok().filter(|time| self.contains(*time));
        time.ok_or_else(|| self.expected())
    }

    /// A time as OpenTelemetry's variables have it.
    pub(super) fn parse_milliseconds(self, text: &str) -> Result<Duration, Expected> {
        let time = text.trim().parse().ok().map(Duration::from_millis).filter(|time| self.contains(*time));
        time.ok_or_else(|| {
            let (min, max) = (self.min.as_millis(), self.max.as_millis());
            Expected(format!("a whole number of milliseconds from {min} to {max}"))
        })
    }
}

/// Whole numbers from `min` to `max`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers {
    min: u32,
    max: u32,
    /// Whether they are percentages, which may say so.
    percent: bool,
}

impl Numbers {
    pub(super) const fn new(min: u32, max: u32) -> Self {
        Numbers { min, max, percent: false }
    }

    pub(super) const fn percentages(min: u32, max: u32) -> Self {
        Numbers { min, max, percent: true }
    }

    pub(super) fn expected(self) -> Expected {
        let what = if self.percent { "a percentage such as 80 or 80%," } else { "a whole number" };
        Expected(format!("{what} from {} to {}", self.min, self.max))
    }

    pub(super) fn contains(self, number: u32) -> bool {
        (self.min..=self.max).contains(&number)
    }

    pub(super) fn parse(self, text: &str) -> Result<u32, Expected> {
        let text = text.trim();
        let digits = text.strip_suffix('%').filter(|_| self.percent).map_or(text, str::trim_end);
        let number = digits.parse().ok().filter(|number| self.contains(*number));
        number.ok_or_else(|| self.expected())
    }
}

/// The exporters that `names` are, each once.
pub(super) fn exporters(names: &[String]) -> Result<Vec<ExporterKind>, Expected> {
    let mut exporters = Vec::new();
    for name in names {
        match Option::<ExporterKind>::parse(name)? {
            Some(kind) if exporters.contains(&kind) => {}
            Some(kind) => exporters.push(kind),
            None if names.len() == 1 => {}
            None => return Err(Expected::new("none alone, or a list of otlp and console")),
        }
    }
    Ok(exporters)
}

/// The items of a list in an environment variable.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// Pairs in an environment variable, as W3C baggage writes them: `name=value,name2=value2`, percent-encoded.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>, Expected> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(pair).collect::<Option<_>>().ok_or_else(|| {
        Expected::new(
            "name=value pairs separated by commas, with a comma or a percent sign in them percent-encoded",
        )
    })
}

fn pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let (name, value) = (decode(name.trim())?, decode(value.trim())?);
    (!name.is_empty()).then_some((name, value))
}

fn decode(text: &str) -> Option<String> {
    let mut after_percent = text.split('%').skip(1);
    let encoded = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !after_percent.all(encoded) {
        return None;
    }
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// Whether a request can carry the header over gRPC and HTTP alike, and is still the same request with it.
pub(super) fn check_header(name: &str, value: &str) -> Result<(), Expected> {
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(Expected::new("header names of letters, digits and hyphens"));
    }
    if let Some(taken) = taken(&name.to_ascii_lowercase()) {
        return Err(Expected(format!("no header {taken}, which the request sets itself")));
    }
    if HeaderValue::from_str(value).is_err() || !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(Expected::new("header values of visible ASCII characters"));
    }
    Ok(())
}

/// What of the transport's own headers `name` is, if it is one.
fn taken(name: &str) -> Option<&'static str> {
    const NAMES: [&str; 10] = [
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    ];
    let patterns = [(name.starts_with("grpc-"), "grpc-*"), (name.ends_with("-bin"), "*-bin")];
    let by_pattern = patterns.into_iter().find_map(|(is, pattern)| is.then_some(pattern));
    NAMES.into_iter().find(|known| *known == name).or(by_pattern)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPAN: Span = Span::new(Duration::from_millis(10), Duration::from_secs(3600));

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn times_have_a_unit_and_a_range() {
        assert_eq!(SPAN.parse("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(SPAN.parse(" 1m 30s "), Ok(Duration::from_secs(90)));
        for wrong in ["", "5", "-5s", "0s", "9ms", "61m", "99999999999999999999s", "soon"] {
            let expected = "a time with its unit, such as 10s or 100ms, from 10ms to 1h";
            assert_eq!(SPAN.parse(wrong), Err(Expected::new(expected)), "{wrong}");
        }
    }

    #[test]
    fn milliseconds_are_whole_and_in_range() {
        assert_eq!(SPAN.parse_milliseconds("5000"), Ok(Duration::from_secs(5)));
        for wrong in ["5s", "-1", "0", "9", "3600001", "1.5", "18446744073709551616"] {
            let expected = "a whole number of milliseconds from 10 to 3600000";
            assert_eq!(SPAN.parse_milliseconds(wrong), Err(Expected::new(expected)), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_whole_and_in_range() {
        let count = Numbers::new(0, 1000);
        assert_eq!((count.parse("0"), count.parse(" 1000 ")), (Ok(0), Ok(1000)));
        for wrong in ["", "-1", "1001", "1.5", "ten", "10%", "4294967296", "1 0"] {
            let expected = "a whole number from 0 to 1000";
            assert_eq!(count.parse(wrong), Err(Expected::new(expected)), "{wrong}");
        }
        let share = Numbers::percentages(1, 100);
        for (text, number) in [("1", 1), ("80", 80), ("80%", 80), ("100 %", 100)] {
            assert_eq!(share.parse(text), Ok(number), "{text}");
        }
        for wrong in ["", "%", "0", "0%", "101", "80.5%", "80%%", "%80", "-1%"] {
            let expected = "a percentage such as 80 or 80%, from 1 to 100";
            assert_eq!(share.parse(wrong), Err(Expected::new(expected)), "{wrong}");
        }
    }

    #[test]
    fn choices_ignore_case_and_name_themselves() {
        assert_eq!(Protocol::parse("HTTP/Protobuf"), Ok(Protocol::HttpProtobuf));
        assert_eq!(Temporality::parse("LowMemory"), Ok(Temporality::LowMemory));
        assert_eq!(Protocol::parse("http"), Err(Expected::new("grpc, http/protobuf or http/json")));
        assert_eq!(bool::parse("yes"), Err(Expected::new("true or false")));
    }

    #[test]
    fn pairs_are_decoded() {
        let text = " a=1 , b = x%20y%2C,Authorization=Basic dXNlcjpwYXNz==,%C3%A4=%F0%9F%A6%80,empty=,";
        let expected = [
            ("a", "1"),
            ("b", "x y,"),
            ("Authorization", "Basic dXNlcjpwYXNz=="),
            ("ä", "🦀"),
            ("empty", ""),
        ];
        assert_eq!(pairs(text), Ok(owned(&expected)));
    }

    #[test]
    fn broken_pairs_are_refused() {
        for wrong in ["a", "=1", "a=%", "a=%2", "a=%zz", "a=%ff", "a=1,b", "%=1"] {
            assert!(pairs(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn none_stands_alone() {
        let named = |text: &str| exporters(&list(text));
        assert_eq!(named("none"), Ok(vec![]));
        assert_eq!(named("console, OTLP,console"), Ok(vec![ExporterKind::Console, ExporterKind::Otlp]));
        assert_eq!(named("otlp,none"), Err(Expected::new("none alone, or a list of otlp and console")));
        assert_eq!(named("prometheus"), Err(Expected::new("otlp, console or none")));
    }

    #[test]
    fn headers_leave_the_request_what_it_is() {
        for (name, value) in [("api-key", "a b~!"), ("Authorization", "Basic dXNlcg=="), ("x-binary", "")] {
            assert_eq!(check_header(name, value), Ok(()), "{name}");
        }
        for (name, shown) in [
            ("Content-Length", "content-length"),
            ("content-type", "content-type"),
            ("content-encoding", "content-encoding"),
            ("transfer-encoding", "transfer-encoding"),
            ("HOST", "host"),
            ("connection", "connection"),
            ("te", "te"),
            ("grpc-timeout", "grpc-*"),
            ("Trace-Bin", "*-bin"),
        ] {
            let expected = format!("no header {shown}, which the request sets itself");
            assert_eq!(check_header(name, "5"), Err(Expected(expected)));
        }
        for value in ["🦀", "ä", "a\tb", "a\nb", "\u{7f}"] {
            let expected = Expected::new("header values of visible ASCII characters");
            assert_eq!(check_header("a", value), Err(expected), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = (pairs(&text), list(&text), SPAN.parse(&text), SPAN.parse_milliseconds(&text));
        }

        #[test]
        fn encoded_pairs_come_back(pairs_in in proptest::collection::vec(("[a-z.]{1,9}", any::<String>()), 1..5)) {
            use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
            let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let text: Vec<_> = pairs_in.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
            prop_assert_eq!(pairs(&text.join(",")), Ok(pairs_in));
        }
    }
}
