//! Whatever the section `monitor` holds: reading it never panics, what is accepted makes sense, and secrets stay secret.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use otel_vitals::{Config, ConfigError, MonitorConfig, Threshold};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

/// Every key that takes one value or a list, with values that tend to do.
const KEYS: [(&str, &str); 29] = [
    ("prefix", "/[ab]?"),
    ("health", "/[ab](/[ab])?"),
    ("live", "/[ab](/[ab])?"),
    ("ready", "/[ab](/[ab])?"),
    ("startup", "/[ab](/[ab])?"),
    ("status_hardware.disk", "/[ab](/[ab])?"),
    ("status_hardware.ram", "/[abc](/[ab])?"),
    ("status_hardware.cpu", "/[cd](/[ab])?"),
    ("status_hardware.cpu_info", "/[cd](/[ab])?"),
    ("debug_vars", "/[ab](/[ab])?"),
    ("debug_pprof", "/[abe]"),
    ("status", "true|false"),
    ("hardware", "true|false"),
    ("debug", "true|false"),
    ("pprof", "true|false"),
    ("cmdline", "true|false"),
    ("legacy_status_codes", "true|false"),
    ("security", "true|false"),
    ("retryCount", "[0-9]{1,4}"),
    ("drain", "[0-9]{1,3}[sm]"),
    ("self_check", "http://[a-c]:[0-9]{1,5}/[ab]?"),
    ("disks", "/[a-c]?(,/[a-c])?"),
    ("thresholds.disk.warning", "[0-9]{1,2}%?"),
    ("thresholds.disk.critical", "[0-9]{1,3}%?"),
    ("thresholds.load.warning", "[0-9]{1,3}%?"),
    ("thresholds.load.critical", "[0-9]{1,6}%?"),
    ("securityUser", "([ab]=[ $a-c]{0,3}(,[cd]=[x-z]{0,3})?)?"),
    ("securityToken", "[a-c ]{0,3}(,[a-c]{0,2})?"),
    ("admin.address", "127\\.0\\.0\\.[0-9]{1,3}:[0-9]{1,5}"),
];

fn name(key: &str) -> String {
    format!("VITALS_MONITOR_{}", key.replace('.', "_").to_uppercase())
}

/// A few variables, each with a value that tends to do or, now and then, with anything.
fn variables() -> impl Strategy<Value = Vec<(String, String)>> {
    let variable = proptest::sample::select(&KEYS[..]).prop_flat_map(|(key, likely)| {
        let value = prop_oneof![12 => proptest::string::string_regex(likely).unwrap(), 1 => any::<String>()];
        value.prop_map(move |value| (name(key), value))
    });
    prop::collection::vec(variable, 1..6)
}

fn from_file(content: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vitals.yaml");
    std::fs::write(&path, content).unwrap();
    Config::load_from(Some(&path), variables.iter().copied())
}

/// The routes that are switched on, but for those of profiles.
fn routes(monitor: &MonitorConfig) -> Vec<&str> {
    let hardware = &monitor.status_hardware;
    let probes = [&monitor.health, &monitor.live, &monitor.ready, &monitor.startup];
    let hardware = [&hardware.disk, &hardware.ram, &hardware.cpu, &hardware.cpu_info];
    let vars = [&monitor.debug_vars];
    let all: [(bool, &[&String]); 3] =
        [(monitor.status, &probes), (monitor.hardware, &hardware), (monitor.debug, &vars)];
    all.iter()
        .filter(|(on, _)| *on)
        .flat_map(|(_, routes)| routes.iter().map(|route| route.as_str()))
        .collect()
}

/// What must hold of every configuration that was accepted.
fn makes_sense(config: &Config) -> Result<(), TestCaseError> {
    let monitor = &config.monitor;
    let routes = routes(monitor);
    prop_assert_eq!(routes.iter().collect::<BTreeSet<_>>().len(), routes.len());
    for route in routes.iter().copied().chain([monitor.debug_pprof.as_str()]) {
        prop_assert!(route.starts_with('/') && !route.ends_with('/') && !route.contains("//"), "{}", route);
        prop_assert!(
            route.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#{}*%".contains(&byte)),
            "{}",
            route
        );
    }
    if monitor.pprof {
        let below = format!("{}/", monitor.debug_pprof);
        prop_assert!(routes.iter().all(|route| *route != monitor.debug_pprof && !route.starts_with(&below)));
    }
    prop_assert!(
        monitor.prefix.is_empty() || monitor.prefix.starts_with('/') && !monitor.prefix.ends_with('/')
    );
    let thresholds = &monitor.thresholds;
    for Threshold { warning, critical, .. } in [thresholds.disk, thresholds.ram, thresholds.throttled] {
        prop_assert!((1..=critical).contains(&warning) && critical <= 100);
    }
    prop_assert!((1..=thresholds.load.critical).contains(&thresholds.load.warning));
    prop_assert!(monitor.retry_count <= 1000 && monitor.drain <= Duration::from_secs(600));
    prop_assert!(!monitor.disks.is_empty() && monitor.disks.iter().all(|disk| disk.starts_with('/')));
    prop_assert!(monitor.self_check.iter().all(|url| url.starts_with("http://")));
    for (name, password) in monitor.security_user.iter() {
        prop_assert!(!name.trim().is_empty() && !name.contains(':') && !password.trim().is_empty());
    }
    prop_assert!(monitor.security_token.iter().all(|token| !token.is_empty() && !token.contains(' ')));
    prop_assert!(
        !monitor.security || !monitor.security_user.is_empty() || !monitor.security_token.is_empty()
    );
    prop_assert_eq!(config.validate(), Ok(()), "what was read is accepted from code");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn what_is_accepted_makes_sense(variables in variables()) {
        match Config::load_from(None, variables.clone()) {
            Ok(config) => makes_sense(&config)?,
            Err(error) => {
                let culprit = error.variable().unwrap_or_default();
                prop_assert!(variables.iter().any(|(name, _)| name == culprit), "{}", error);
                prop_assert!(error.key().is_some_and(|key| key.starts_with("monitor.")), "{}", error);
            }
        }
    }

    #[test]
    fn what_code_sets_is_accepted_when_it_makes_sense(
        routes in prop::collection::vec("/?[ab/.*]{0,3}", 4),
        percentages in prop::collection::vec(0u32..130, 4),
        retries in 0u32..2000,
        drain in 0u64..1200,
        password in "[a$ \n]{0,2}",
        token in "[a é]{0,2}",
        switches in any::<[bool; 4]>(),
    ) {
        let mut config = Config::default();
        let monitor = &mut config.monitor;
        let [status, debug, pprof, security] = switches;
        (monitor.status, monitor.debug, monitor.pprof, monitor.security) = (status, debug, pprof, security);
        if let [health, live, vars, profiles] = &routes[..] {
            (monitor.health, monitor.live) = (health.clone(), live.clone());
            (monitor.debug_vars, monitor.debug_pprof) = (vars.clone(), profiles.clone());
        }
        if let [one, two, three, four] = percentages[..] {
            (monitor.thresholds.disk, monitor.thresholds.load) = (Threshold::new(one, two), Threshold::new(three, four));
        }
        (monitor.retry_count, monitor.drain) = (retries, Duration::from_secs(drain));
        monitor.security_user = [("admin", password)].into_iter().collect();
        monitor.security_token = [token].into_iter().collect();
        if config.validate().is_ok() {
            makes_sense(&config)?;
        }
    }

    #[test]
    fn files_that_look_like_it_never_panic(
        content in "(health|securityUser|securityToken|thresholds|disk|security|true|admin|[a-z$:{}\\[\\]\"'/%, \n-]){0,20}",
        password in proptest::option::of(any::<String>()),
    ) {
        let password = password.filter(|text| !text.contains('\0'));
        let variables = password.as_deref().map(|text| ("PW", text));
        for content in [format!("monitor: {{{content}}}"), format!("monitor:\n  securityUser: {{a: '${{env:PW}}', {content}}}")] {
            if let Ok(config) = from_file(&content, variables.as_slice()) {
                makes_sense(&config)?;
            }
        }
    }

    #[test]
    fn secrets_are_shown_nowhere(
        before in "[ -~é\n]{0,6}",
        after in "[ -~é\n]{0,6}",
        place in proptest::sample::select(&[
            "securityUser: {admin: SECRET}",
            "securityUser: SECRET",
            "securityUser: [SECRET]",
            "securityUser: {admin: [SECRET]}",
            "securityUser: {admin: x, ops: SECRET}",
            "securityToken: SECRET",
            "securityToken: [x, SECRET]",
            "securityToken: [[SECRET]]",
            "securityToken: [{x: SECRET}]",
        ][..]),
        begins_as_hash in any::<bool>(),
        security in any::<bool>(),
    ) {
        const SECRET: &str = "s3cr3t";
        let secret = format!("{}{before}{SECRET}{after}", if begins_as_hash { "$argon2id$" } else { "" });
        let quoted = format!("\"{}\"", secret.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
        let written = format!("monitor:\n  security: {security}\n  {}\n", place.replace("SECRET", &quoted));
        let referred = format!("monitor:\n  security: {security}\n  {}\n", place.replace("SECRET", "'${env:X}'"));
        let outcomes = [
            from_file(&written, &[]),
            from_file(&referred, &[("X", &secret)]),
            Config::load_from(None, [("VITALS_MONITOR_SECURITYUSER", &secret)]),
            Config::load_from(None, [("VITALS_MONITOR_SECURITYUSER", &format!("admin={secret}"))]),
            Config::load_from(None, [("VITALS_MONITOR_SECURITYTOKEN", &secret)]),
        ];
        for outcome in outcomes {
            let text = match outcome {
                Ok(config) => {
                    makes_sense(&config)?;
                    // A name is no secret, and a whole map may begin with anything.
                    if config.monitor.security_user.iter().any(|(name, _)| name.contains(SECRET)) { continue; }
                    format!("{config:?} {config:#?}")
                }
                Err(error) if error.key().is_some_and(|key| key.contains(SECRET)) => continue,
                Err(error) => format!("{error} {error:?} {:?} {:?}", error.value(), error.expected()),
            };
            prop_assert!(!text.contains(SECRET), "{}", text);
        }
    }

    #[test]
    fn users_come_through_the_file_and_the_environment(
        users in prop::collection::btree_map("[a-zA-Z.é]{1,6}", "[!-~é][ -~é]{0,8}", 1..4),
    ) {
        use std::fmt::Write as _;
        prop_assume!(users.values().all(|password| !password.starts_with("$argon2")));
        let encode = |text: &str| text.bytes().fold(String::new(), |mut encoded, byte| {
            write!(encoded, "%{byte:02X}").unwrap();
            encoded
        });
        let variable: Vec<_> = users.iter().map(|(name, password)| format!("{}={}", encode(name), encode(password))).collect();
        let pairs = users.iter().map(|(name, password)| {
            format!("    '{name}': '{}'\n", password.replace('\'', "''").replace('$', "$$"))
        });
        let file = format!("monitor:\n  security: true\n  securityUser:\n{}", pairs.collect::<String>());
        let expected: Vec<_> = users.iter().map(|(name, password)| (name.as_str(), password.as_str())).collect();
        for config in [
            from_file(&file, &[]),
            Config::load_from(None, [("VITALS_MONITOR_SECURITYUSER", variable.join(","))]),
        ] {
            let config = config.map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(config.monitor.security_user.iter().collect::<Vec<_>>(), expected.clone());
        }
    }
}
