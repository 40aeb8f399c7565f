use super::*;
use crate::config::Config;
use proptest::prelude::*;
use std::sync::atomic::AtomicUsize;

fn vars() -> Vars {
    let mut config = Config::default();
    config.service.name = Some("shop".to_owned());
    Vars::new(Standard::new(&config, otel_vitals_runtime::Runtimes::default(), Default::default()))
}

fn parsed(json: &str) -> serde_json::Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

#[test]
fn every_kind_is_written_as_expvar_does() {
    let vars = vars();
    let (counter, gauge, text, map) = (Counter::new(), Gauge::new(), Text::new(), Map::new());
    vars.publish("counter", counter.clone()).unwrap();
    vars.publish("gauge", gauge.clone()).unwrap();
    vars.publish("text", text.clone()).unwrap();
    vars.publish("map", map.clone()).unwrap();
    vars.publish("closure", || vec![1_u8, 2]).unwrap();
    counter.add(-3);
    gauge.set(1.5);
    gauge.add(0.25);
    text.set("<a & \"b\"\n");
    map.add("z", 2);
    map.add("z", 1);
    map.set("a", "x");
    map.add("a", 1);
    let json = vars.to_json();
    for line in [
        "\"counter\": -3,\n",
        "\"gauge\": 1.75,\n",
        "\"text\": \"\\u003ca \\u0026 \\\"b\\\"\\n\",\n",
        "\"map\": {\"a\": \"x\", \"z\": 3},\n",
        "\"closure\": [1, 2],\n",
    ] {
        assert!(json.contains(line), "{line} in {json}");
    }
    assert!(json.starts_with("{\n\"build\": {") && json.ends_with("\n}\n"), "{json}");
}

#[test]
fn names_are_sorted_and_the_standard_ones_are_all_there() {
    let vars = vars();
    vars.publish("aa", || 0_u64).unwrap();
    vars.publish("zz", || "end").unwrap();
    let json = vars.to_json();
    let at: Vec<_> = std::iter::once("aa")
        .chain(standard::NAMES)
        .chain(["zz"])
        .map(|name| json.find(&format!("\n\"{name}\": ")).unwrap_or_else(|| panic!("{name} in {json}")))
        .collect();
    assert!(at.is_sorted(), "{at:?}");
}

#[test]
fn the_standard_ones_say_what_is() {
    let document = parsed(&vars().to_json());
    assert_eq!(document["os"], if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS });
    assert_eq!(document["os_cores"], std::thread::available_parallelism().unwrap().get());
    assert_eq!(document["tasks"], 0);
    assert_eq!(document["build"]["service_name"], "shop");
    assert_eq!(document["build"]["service_version"], serde_json::Value::Null);
    assert!(document["rust_version"].as_str().unwrap().starts_with("1."));
    assert!(document["uptime_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(document["last_pause"], serde_json::Value::Null);
    assert_eq!(document["memstats"]["PauseNs"].as_array().unwrap().len(), 256);
    // Arguments are shown only when they are asked for; this test program has some or not.
    assert_eq!(document["cmdline"].as_array().unwrap().len(), 1);
}

#[test]
fn arguments_are_shown_when_they_are_asked_for() {
    let mut config = Config::default();
    config.monitor.cmdline = true;
    let standard = Standard::new(&config, otel_vitals_runtime::Runtimes::default(), Default::default());
    let document = parsed(&Vars::new(standard).to_json());
    let all: Vec<_> = std::env::args().collect();
    assert_eq!(document["cmdline"], serde_json::json!(all));
}

#[test]
fn a_closure_that_panics_costs_its_own_value() {
    let vars = vars();
    vars.publish("bad", || -> i64 { panic!("on purpose") }).unwrap();
    vars.publish("good", || 1).unwrap();
    for _ in 0..2 {
        let document = parsed(&vars.to_json());
        assert_eq!(document["bad"], serde_json::Value::Null);
        assert_eq!(document["good"], 1);
    }
}

#[test]
fn what_a_closure_throws_is_dropped_each_time_also_when_that_panics_again() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Thrown {
        panics: bool,
    }
    impl Drop for Thrown {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::SeqCst);
            assert!(!self.panics, "on purpose");
        }
    }
    for panics in [false, true] {
        let vars = vars();
        vars.publish("bad", move || -> i64 { std::panic::panic_any(Thrown { panics }) }).unwrap();
        let before = DROPPED.load(Ordering::SeqCst);
        for look in 1..=100 {
            assert_eq!(parsed(&vars.to_json())["bad"], serde_json::Value::Null);
            assert_eq!(DROPPED.load(Ordering::SeqCst), before + look);
        }
    }
}

#[test]
fn a_closure_may_use_the_variables() {
    let vars = vars();
    let same = vars.clone();
    vars.publish("self", move || same.publish("born", || 1).is_ok()).unwrap();
    assert_eq!(parsed(&vars.to_json())["self"], true);
    assert_eq!(parsed(&vars.to_json())["self"], false);
    assert_eq!(parsed(&vars.to_json())["born"], 1);
}

#[test]
fn a_name_is_there_once() {
    let vars = vars();
    assert_eq!(vars.publish("", || 1), Err(PublishError::Unnamed));
    vars.publish("x", || 1).unwrap();
    for name in ["x", "memstats", "cmdline"] {
        assert_eq!(vars.publish(name, || 2), Err(PublishError::Taken { name: name.to_owned() }));
    }
    assert!(vars.remove("x") && !vars.remove("x") && !vars.remove("memstats"));
    vars.publish("x", || 3).unwrap();
    assert_eq!(parsed(&vars.to_json())["x"], 3);
}

#[test]
fn what_json_has_no_number_for_is_null_and_what_is_too_deep_too() {
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(json::written(&Value::Float(odd)), "null");
    }
    assert_eq!(json::written(&Value::Float(1e21)), "1e+21");
    assert_eq!(json::written(&Value::Float(-2.5e-9)), "-2.5e-9");
    assert_eq!(json::written(&Value::Float(1_000_000.0)), "1000000");
    assert_eq!(json::written(&Value::Float(1e-7)), "1e-7");
    let deep = (0..10_000).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    assert!(json::written(&deep).contains("null"));
    // Dropping it by recursion, as Rust does, would be this test's own overflow in a debug build.
    std::mem::forget(deep);
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            proptest::collection::btree_map(any::<String>(), inner, 0..6).prop_map(Value::Map),
        ]
    })
}

fn expected(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Integer(value) => (*value).into(),
        Value::Unsigned(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Text(text) => text.clone().into(),
        Value::List(items) => items.iter().map(expected).collect(),
        Value::Map(map) => map.iter().map(|(name, value)| (name.clone(), expected(value))).collect(),
    }
}

/// What is the same number is the same value, with a point or without.
fn same(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    match (one, other) {
        (serde_json::Value::Number(one), serde_json::Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64()
        }
        (serde_json::Value::Array(one), serde_json::Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (serde_json::Value::Object(one), serde_json::Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}

proptest! {
    #[test]
    fn any_value_is_read_back_by_any_reader_of_json(value in values()) {
        let json = json::written(&value);
        prop_assert!(same(&parsed(&json), &expected(&value)), "{value:?} is {json}");
    }
}
