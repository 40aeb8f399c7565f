//! What is told over HTTP and where: layers, and values that do not do.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod monitor;

use monitor::{ROUTE, in_code, load, message, tokens, try_load, users};
use otel_vitals::{Config, Threshold};
use std::time::Duration;

#[test]
fn the_file_says_all_of_it() {
    let monitor = load(
        "monitor:\n  prefix: /internal\n  status: false\n  health: /h\n  live: /l\n  ready: /r\n  startup: /s\n  \
         retryCount: 0\n  self_check: http://127.0.0.1:8080/api/h\n  drain: 5s\n  hardware: false\n  \
         status_hardware: {disk: /hw/d, ram: /hw/r, cpu: /hw/c, cpu_info: /hw/i}\n  disks: [/, /data]\n  thresholds:\n    \
         disk: {warning: 70, critical: 75%}\n    ram: {warning: 1%, critical: 100}\n    \
         load: {warning: 300%, critical: 1000}\n    throttled: {warning: 5, critical: 5}\n  legacy_status_codes: true\n  \
         debug: true\n  debug_vars: /d/v\n  cmdline: true\n  pprof: true\n  debug_pprof: /d/p\n  security: true\n  \
         securityUser: {admin: one, ops: two}\n  securityToken: [a, b]\n  admin: {address: '[::1]:0'}\n",
        &[],
    )
    .monitor;
    let routes = [&monitor.prefix, &monitor.health, &monitor.live, &monitor.ready, &monitor.startup];
    assert_eq!(routes, ["/internal", "/h", "/l", "/r", "/s"]);
    let hardware = &monitor.status_hardware;
    let routes = [&hardware.disk, &hardware.ram, &hardware.cpu, &hardware.cpu_info];
    assert_eq!(routes, ["/hw/d", "/hw/r", "/hw/c", "/hw/i"]);
    assert_eq!((monitor.debug_vars.as_str(), monitor.debug_pprof.as_str()), ("/d/v", "/d/p"));
    assert!(!monitor.status && !monitor.hardware && monitor.legacy_status_codes);
    assert!(monitor.debug && monitor.cmdline && monitor.pprof && monitor.security);
    assert_eq!((monitor.retry_count, monitor.drain), (0, Duration::from_secs(5)));
    assert_eq!(monitor.self_check.as_deref(), Some("http://127.0.0.1:8080/api/h"));
    assert_eq!(monitor.disks, ["/", "/data"]);
    let thresholds = &monitor.thresholds;
    assert_eq!((thresholds.disk, thresholds.ram), (Threshold::new(70, 75), Threshold::new(1, 100)));
    assert_eq!((thresholds.load, thresholds.throttled), (Threshold::new(300, 1000), Threshold::new(5, 5)));
    let users: Vec<_> = monitor.security_user.iter().collect();
    assert_eq!(users, [("admin", "one"), ("ops", "two")]);
    assert_eq!(monitor.security_token.iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(monitor.admin.address.to_string(), "[::1]:0");
}

#[test]
fn variables_win_over_the_file_key_by_key() {
    let file = "monitor:\n  retryCount: 3\n  health: /file\n  thresholds: {disk: {warning: 10, critical: 20}}\n  \
                security: true\n  securityUser: {admin: file, ops: file}\n  securityToken: file\n  disks: /file\n";
    let config = load(
        file,
        &[
            ("VITALS_MONITOR_RETRYCOUNT", "7"),
            ("VITALS_MONITOR_LIVE", "/variable"),
            ("VITALS_MONITOR_THRESHOLDS_DISK_CRITICAL", "30%"),
            ("VITALS_MONITOR_SECURITYUSER", "admin=p%2C%3Aw, ops=x=y"),
            ("VITALS_MONITOR_SECURITYTOKEN", "one, two"),
            ("VITALS_MONITOR_DISKS", "/, /data"),
            ("VITALS_MONITOR_ADMIN_ADDRESS", "0.0.0.0:9000"),
            ("VITALS_MONITOR_PREFIX", ""),
        ],
    );
    let monitor = &config.monitor;
    assert_eq!(
        (monitor.retry_count, monitor.health.as_str(), monitor.live.as_str()),
        (7, "/file", "/variable")
    );
    assert_eq!(monitor.thresholds.disk, Threshold::new(10, 30));
    assert_eq!(users(&config), [("admin", "p,:w"), ("ops", "x=y")]);
    assert_eq!(tokens(&config), ["one", "two"]);
    assert_eq!(monitor.disks, ["/", "/data"]);
    assert_eq!(monitor.admin.address.to_string(), "0.0.0.0:9000");
    let config = load(file, &[("VITALS_MONITOR_SECURITYUSER", "eve=x")]);
    assert_eq!(users(&config), [("eve", "x")], "a later layer replaces all users");
    assert_eq!(tokens(&config), ["file"]);
}

#[test]
fn wrong_values_say_what_was_expected() {
    let share = "a percentage such as 80 or 80%, from 1 to 100";
    let url = "a URL with a path, such as http://127.0.0.1:8080/status/health, without a query";
    let address = "an IP address with a port, such as 127.0.0.1:38001";
    let prefix = "nothing, or a path such as /internal without a slash at its end";
    let folders = "a list of at least one absolute path";
    for (key, value, expected) in [
        ("health", "status/health", ROUTE),
        ("live", "/status/live/", ROUTE),
        ("ready", "/status//ready", ROUTE),
        ("startup", "/status/{id}", ROUTE),
        ("debug_vars", "/vars?x=1", ROUTE),
        ("debug_pprof", "/debug/*", ROUTE),
        ("status_hardware.disk", "/", ROUTE),
        ("health", "/a/../b", "a path without . and .. between its slashes, which clients take out"),
        ("prefix", "/", prefix),
        ("prefix", "internal", prefix),
        ("retryCount", "1001", "a whole number from 0 to 1000"),
        ("retryCount", "-1", "a whole number from 0 to 1000"),
        ("retryCount", "ten", "a whole number from 0 to 1000"),
        ("drain", "11m", "a time with its unit, such as 10s or 100ms, from 0s to 10m"),
        ("self_check", "https://a/b", url),
        ("self_check", "/status/health", url),
        ("thresholds.disk.warning", "0", share),
        ("thresholds.ram.critical", "101%", share),
        ("thresholds.throttled.warning", "1.5", share),
        ("thresholds.load.critical", "100001", "a percentage such as 80 or 80%, from 1 to 100000"),
        ("disks", "data", folders),
        ("disks", "/,data", folders),
        ("disks", ",", folders),
        ("admin.address", ":38001", address),
        ("admin.address", "localhost:38001", address),
        ("admin.address", "127.0.0.1", address),
        ("security", "yes", "true or false"),
    ] {
        let expected = format!("expected {expected}, found \"{value}\"");
        let nested =
            key.split('.').rev().fold(format!("'{value}'"), |inner, name| format!("{{{name}: {inner}}}"));
        let (error, text) = try_load(&format!("\nmonitor: {nested}"), &[]).unwrap_err();
        assert_eq!(text, format!("vitals.yaml:2: monitor.{key}: {expected}"));
        assert_eq!((error.line(), error.value()), (Some(2), Some(value)));
        let variable = format!("VITALS_MONITOR_{}", key.replace('.', "_").to_uppercase());
        assert_eq!(message("", &[(&variable, value)]), format!("{variable}: {expected}"));
    }
    assert_eq!(
        message("monitor: {disks: []}", &[]),
        format!("vitals.yaml:1: monitor.disks: expected {folders}, found \"[]\"")
    );
    assert_eq!(
        message("monitor: false", &[]),
        "vitals.yaml:1: monitor: expected a map of keys, found \"false\""
    );
    assert_eq!(
        message("monitor: {self_check: 'http://user:s3cr3t@a/b?token=s3cr3t'}", &[]),
        format!(
            "vitals.yaml:1: monitor.self_check: expected {url}, found \"http://<redacted>@a/b?<redacted>\""
        )
    );
}

#[test]
fn unknown_keys_and_variables_name_the_nearest() {
    for (content, key, nearest) in [
        ("monitor: {retry_count: 1}", "monitor.retry_count", "monitor.retryCount"),
        ("monitor: {securityuser: {a: b}}", "monitor.securityuser", "monitor.securityUser"),
        (
            "monitor: {thresholds: {disk: {warn: 1}}}",
            "monitor.thresholds.disk.warn",
            "monitor.thresholds.disk.warning",
        ),
        (
            "monitor: {status_hardware: {cpuinfo: /x}}",
            "monitor.status_hardware.cpuinfo",
            "monitor.status_hardware.cpu_info",
        ),
    ] {
        let expected = format!("vitals.yaml:1: {key}: unknown key, the nearest known one is {nearest}");
        assert_eq!(message(content, &[]), expected);
    }
    assert_eq!(
        message("", &[("VITALS_MONITOR_SECURITY_TOKEN", "s3cr3t")]),
        "VITALS_MONITOR_SECURITY_TOKEN: unknown variable, the nearest known one is VITALS_MONITOR_SECURITYTOKEN"
    );
}

#[test]
fn two_routes_that_are_one_are_refused() {
    let same = |key: &str, other: &str, path: &str| {
        format!(
            "monitor.{key}: expected a route of its own, which monitor.{other} does not have already, found \"{path}\""
        )
    };
    for (content, expected) in [
        // Of two that were said the later, else the one that was said.
        ("{health: /x, ready: /x}", same("ready", "health", "/x")),
        ("{health: /status/live}", same("health", "live", "/status/live")),
        ("{startup: /status/health}", same("startup", "health", "/status/health")),
        ("{status_hardware: {ram: /status/live}}", same("status_hardware.ram", "live", "/status/live")),
        ("{status_hardware: {cpu: /c, cpu_info: /c}}", same("status_hardware.cpu_info", "status_hardware.cpu", "/c")),
        ("{debug: true, debug_vars: /status/hardware/disk}", same("debug_vars", "status_hardware.disk", "/status/hardware/disk")),
        ("{pprof: true, debug_pprof: /status/ready}", same("debug_pprof", "ready", "/status/ready")),
        (
            "{pprof: true, debug: true, debug_vars: /debug/pprof/vars}",
            "monitor.debug_vars: expected a route that is not below monitor.debug_pprof, found \"/debug/pprof/vars\"".to_owned(),
        ),
        (
            "{pprof: true, debug_pprof: /status}",
            "monitor.debug_pprof: expected a route that monitor.health is not below, found \"/status\"".to_owned(),
        ),
        (
            "{prefix: /p, health: '/${env:NAME}', live: '/${env:NAME}'}",
            same("live", "health", "/${env:NAME}"),
        ),
    ] {
        let text = message(&format!("monitor: {content}"), &[("NAME", "hidden")]);
        assert_eq!(text, format!("vitals.yaml:1: {expected}"));
    }
    assert_eq!(
        message("monitor: {health: /x}", &[("VITALS_MONITOR_LIVE", "/x")]),
        same("live", "health", "/x").replace("monitor.live", "VITALS_MONITOR_LIVE")
    );
    let refused = in_code(|config| config.monitor.health = "/status/ready".to_owned());
    assert_eq!(refused, Err(format!("configuration: {}", same("health", "ready", "/status/ready"))));
    for fine in [
        "{status: false, health: /status/live, ready: /status/hardware/disk}",
        "{hardware: false, status_hardware: {disk: /status/hardware/ram}}",
        "{debug_vars: /status/health, debug_pprof: /status}",
        "{pprof: true, debug_pprof: /status/health2, debug_vars: /status/health2/x}",
        "{pprof: true, debug_pprof: /status/heal}",
        "{health: /status/Live}",
    ] {
        load(&format!("monitor: {fine}"), &[]);
    }
}

#[test]
fn a_warning_does_not_come_after_what_is_critical() {
    let key = "monitor.thresholds";
    for (content, expected) in [
        (
            "{disk: {warning: 91}}",
            format!("{key}.disk.warning: expected a percentage not above {key}.disk.critical, found \"91\""),
        ),
        (
            "{ram: {critical: 79%}}",
            format!("{key}.ram.critical: expected a percentage not below {key}.ram.warning, found \"79\""),
        ),
        (
            "{load: {warning: 500, critical: 400}}",
            format!("{key}.load.warning: expected a percentage not above {key}.load.critical, found \"500\""),
        ),
        (
            "{throttled: {critical: 1}}",
            format!(
                "{key}.throttled.critical: expected a percentage not below {key}.throttled.warning, found \"1\""
            ),
        ),
    ] {
        assert_eq!(
            message(&format!("monitor: {{thresholds: {content}}}"), &[]),
            format!("vitals.yaml:1: {expected}")
        );
    }
    let refused = in_code(|config| config.monitor.thresholds.disk = Threshold::new(60, 50));
    assert_eq!(
        refused,
        Err(format!(
            "configuration: {key}.disk.warning: expected a percentage not above {key}.disk.critical, found \"60\""
        ))
    );
}

#[test]
fn what_code_sets_is_looked_at_too() {
    type Change = fn(&mut Config);
    let cases: [(Change, String); 9] = [
        (|config| config.monitor.health = "x".to_owned(), format!("health: expected {ROUTE}, found \"x\"")),
        (
            |config| config.monitor.prefix = "/".to_owned(),
            "prefix: expected nothing, or a path such as /internal without a slash at its end, found \"/\"".to_owned(),
        ),
        (|config| config.monitor.retry_count = 1001, "retryCount: expected a whole number from 0 to 1000, found \"1001\"".to_owned()),
        (
            |config| config.monitor.drain = Duration::from_secs(601),
            "drain: expected a time with its unit, such as 10s or 100ms, from 0s to 10m, found \"10m 1s\"".to_owned(),
        ),
        (
            |config| config.monitor.self_check = Some("http://u:s3cr3t@a".to_owned()),
            "self_check: expected a URL with a path, such as http://127.0.0.1:8080/status/health, without a query, found \
             \"http://<redacted>@a\""
                .to_owned(),
        ),
        (
            |config| config.monitor.thresholds.ram.critical = 101,
            "thresholds.ram.critical: expected a percentage such as 80 or 80%, from 1 to 100, found \"101\"".to_owned(),
        ),
        (|config| config.monitor.disks.clear(), "disks: expected a list of at least one absolute path, found \"[]\"".to_owned()),
        (
            |config| config.monitor.security_user = [("admin", "")].into_iter().collect(),
            "securityUser.admin: expected a password, found an empty one".to_owned(),
        ),
        (
            |config| config.monitor.security = true,
            "securityUser: expected a user here, or a token in monitor.securityToken, because monitor.security is true, \
             found nothing"
                .to_owned(),
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(in_code(change), Err(format!("configuration: monitor.{expected}")));
        assert_eq!(
            in_code(|config| {
                change(config);
                config.monitor = otel_vitals::MonitorConfig::default();
            }),
            Ok(())
        );
    }
    let disabled = in_code(|config| {
        config.disabled = true;
        config.monitor.security = true;
    });
    assert!(
        disabled.is_err_and(|message| message.contains("monitor.securityUser")),
        "who serves routes is asked all the same"
    );
}
