//! Who may ask over HTTP: users and tokens that are there when somebody asks, and are never shown.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod monitor;

use monitor::{ROUTE, file, in_code, load, message, tokens, try_load, users};
use otel_vitals::{Config, Vitals};
use std::path::Path;

const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQxMjM0$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI";

#[test]
fn security_needs_somebody_who_may_ask() {
    let expected = "expected a user here, or a token in monitor.securityToken, because monitor.security is true, found nothing";
    for content in ["monitor:\n  security: true\n", "monitor:\n  securityToken: []\n  security: true\n"] {
        let (error, text) = try_load(content, &[]).unwrap_err();
        assert_eq!(
            text,
            format!("vitals.yaml:{}: monitor.securityUser: {expected}", content.lines().count())
        );
        assert_eq!(error.key(), Some("monitor.securityUser"));
    }
    assert_eq!(
        message("", &[("VITALS_MONITOR_SECURITY", "true")]),
        format!("VITALS_MONITOR_SECURITY: monitor.securityUser: {expected}")
    );
    load("monitor: {security: true, securityUser: {admin: x}}", &[]);
    load("monitor: {security: true, securityToken: x}", &[]);
    let disabled = message("monitor: {security: true}", &[("OTEL_SDK_DISABLED", "true")]);
    assert!(disabled.contains("monitor.securityUser"), "{disabled}");
}

#[test]
fn passwords_and_tokens_that_do_not_do_are_refused_and_not_shown() {
    let key = "monitor.securityUser";
    let hash = "a hash such as $argon2id$v=19$m=19456,t=2,p=1$salt$hash, since it begins like one, for at most 256 MiB, \
                64 passes and 64 lanes";
    let hidden = "found a value that is not shown";
    let token = "monitor.securityToken: expected tokens of visible ASCII characters without spaces, 4080 of them at most";
    for (content, expected) in [
        ("securityUser: {admin: ''}", format!("{key}.admin: expected a password, found an empty one")),
        ("securityUser: {admin: '  '}", format!("{key}.admin: expected a password, found an empty one")),
        ("securityUser: {admin: }", format!("{key}.admin: expected text, found nothing")),
        ("securityUser: {admin: [s3cr3t]}", format!("{key}.admin: expected text, {hidden}")),
        (
            "securityUser: {admin: \"s3cr3t\\n\"}",
            format!(
                "{key}.admin: expected a password without control characters, such as the end of a line, {hidden}"
            ),
        ),
        ("securityUser: {admin: $argon2id$s3cr3t}", format!("{key}.admin: expected {hash}, {hidden}")),
        (
            "securityUser: {admin: '$argon2id$v=16$m=8,t=1,p=1$s3cr3t00$s3cr3t00'}",
            format!("{key}.admin: expected {hash}, {hidden}"),
        ),
        (
            "securityUser: {admin: '$argon2id$v=19$m=1048576,t=1,p=1$s3cr3t00$s3cr3t00'}",
            format!("{key}.admin: expected {hash}, {hidden}"),
        ),
        (
            "securityUser: {'': s3cr3t}",
            format!("{key}: expected user names that are not empty, found an empty one"),
        ),
        (
            "securityUser: {'admin:s3cr3t': x}",
            format!(
                "{key}: expected user names without a colon, which basic authentication cannot carry, {hidden}"
            ),
        ),
        (
            "securityUser: {\"a\\tb\": s3cr3t}",
            format!("{key}: expected user names without control characters, {hidden}"),
        ),
        (
            "securityUser: admin:s3cr3t",
            format!(
                "{key}: expected name=value pairs separated by commas, with a comma or a percent sign in them percent-encoded, {hidden}"
            ),
        ),
        (
            "securityUser: [admin, s3cr3t]",
            format!("{key}: expected user names with their passwords, {hidden}"),
        ),
        ("securityUser: admin=s3cr3t,admin=x", format!("{key}: expected each user once, {hidden}")),
        ("securityUser: admin=", format!("{key}.admin: expected a password, found an empty one")),
        (
            "securityUser: {admin: 's3cr3t ${'}",
            format!(
                "{key}.admin: expected ${{env:NAME}} or ${{env:NAME:-default}}, or $$ for a dollar sign, {hidden}"
            ),
        ),
        ("securityToken: ['']", format!("{token}, found an empty one")),
        ("securityToken: 's3cr3t,'", format!("{token}, found an empty one")),
        ("securityToken: [ok, s3cr3t token]", format!("{token}, {hidden}")),
        ("securityToken: s3cr3té", format!("{token}, {hidden}")),
        (
            "securityToken: {s3cr3t: x}",
            "monitor.securityToken: expected a list of tokens, found a map".to_owned(),
        ),
        ("securityToken: [[s3cr3t]]", format!("monitor.securityToken: expected text, {hidden}")),
    ] {
        let text = message(&format!("monitor:\n  {content}\n"), &[]);
        assert_eq!(text, format!("vitals.yaml:2: {expected}"));
    }
    let variable = "VITALS_MONITOR_SECURITYUSER";
    let (error, text) = try_load("monitor: {securityUser: {admin: x}}", &[(variable, "admin=")]).unwrap_err();
    assert_eq!(text, format!("{variable}: {key}.admin: expected a password, found an empty one"));
    assert_eq!((error.variable(), error.key()), (Some(variable), Some("monitor.securityUser.admin")));
    assert_eq!(
        message("", &[(variable, &format!("admin={HASH}"))]),
        format!("{variable}: {key}.admin: expected {hash}, {hidden}")
    );
    assert_eq!(
        message("", &[("VITALS_MONITOR_SECURITYTOKEN", "a,,b")]),
        "VITALS_MONITOR_SECURITYTOKEN: expected tokens of visible ASCII characters without spaces, 4080 of them at most, found an empty one"
    );
}

#[test]
fn a_hash_comes_through_unchanged() {
    let quoted = format!(
        "monitor: {{security: true, securityUser: {{admin: '{HASH}', ops: '${{env:HASH}}', price: a$$b}}}}"
    );
    let config = load(&quoted, &[("HASH", HASH)]);
    assert_eq!(users(&config), [("admin", HASH), ("ops", HASH), ("price", "a$b")]);
    let plain = format!("monitor:\n  securityUser:\n    admin: {HASH}\n");
    assert_eq!(users(&load(&plain, &[])), [("admin", HASH)]);
    let encoded = format!("admin={}", HASH.replace(',', "%2C"));
    assert_eq!(users(&load("", &[("VITALS_MONITOR_SECURITYUSER", &encoded)])), [("admin", HASH)]);
    assert_eq!(
        in_code(|config| config.monitor.security_user = [("admin", HASH)].into_iter().collect()),
        Ok(())
    );
}

const DESIGN: &str =
    "monitor:\n  security: false\n  securityUser:\n    ops: x\n    admin: \"${env:VITALS_ADMIN_PASSWORD}\"\n";

#[test]
fn a_password_that_is_not_set_is_needed_with_security_only() {
    let config = load(DESIGN, &[]);
    assert_eq!(users(&config), [("ops", "x")]);
    load(DESIGN, &[("VITALS_ADMIN_PASSWORD", "")]);
    let on = DESIGN.replace("security: false", "security: true");
    let (error, text) = try_load(&on, &[]).unwrap_err();
    let unset = "the environment variable VITALS_ADMIN_PASSWORD that it refers to is not set";
    assert_eq!(text, format!("vitals.yaml:5: monitor.securityUser.admin: {unset}"));
    assert_eq!(error.key(), Some("monitor.securityUser.admin"));
    assert_eq!(error.file().and_then(Path::file_name), Some("vitals.yaml".as_ref()));
    for blank in ["", "  "] {
        let text = message(&on, &[("VITALS_ADMIN_PASSWORD", blank)]);
        assert_eq!(
            text,
            "vitals.yaml:5: monitor.securityUser.admin: expected a password, found an empty one"
        );
    }
    assert_eq!(users(&load(&on, &[("VITALS_ADMIN_PASSWORD", "pw")])), [("admin", "pw"), ("ops", "x")]);
    // Later layers have the last word on both.
    assert_eq!(
        message(DESIGN, &[("VITALS_MONITOR_SECURITY", "true")]),
        format!("vitals.yaml:5: monitor.securityUser.admin: {unset}")
    );
    load(&on, &[("VITALS_MONITOR_SECURITY", "false")]);
    assert_eq!(users(&load(&on, &[("VITALS_MONITOR_SECURITYUSER", "eve=x")])), [("eve", "x")]);
    let mut config = load(DESIGN, &[]);
    config.monitor.security = true;
    let error = config.validate().unwrap_err();
    assert_eq!(error.to_string(), format!("configuration: monitor.securityUser.admin: {unset}"));
    config.monitor.security_user = [("admin", "pw")].into_iter().collect();
    assert_eq!(config.validate(), Ok(()));
}

#[test]
fn what_no_header_has_room_for_is_refused() {
    for (key, longest) in [("securityUser: {x: ", 1024), ("securityToken: [", 4080)] {
        let content = |length| {
            let end = if key.ends_with('[') { "]" } else { "}" };
            format!("monitor: {{security: true, {key}{}{end}}}", "s".repeat(length))
        };
        load(&content(longest), &[]);
        let message = message(&content(longest + 1), &[]);
        assert!(message.contains(&format!("{longest} ")) && !message.contains("sss"), "{message}");
    }
}

#[test]
fn tokens_and_all_users_at_once_may_be_references_too() {
    let list = "monitor:\n  securityToken:\n    - one\n    - ${env:TOKEN}\n  security: ${env:ON:-false}\n";
    assert_eq!(tokens(&load(list, &[])), ["one"]);
    assert_eq!(
        message(list, &[("ON", "true")]),
        "vitals.yaml:4: monitor.securityToken: the environment variable TOKEN that it refers to is not set"
    );
    assert_eq!(
        message(list, &[("ON", "true"), ("TOKEN", "")]),
        "vitals.yaml:4: monitor.securityToken: expected a token, found an empty one"
    );
    assert_eq!(
        message(list, &[("TOKEN", "s3cr3t token")]),
        "vitals.yaml:4: monitor.securityToken: expected tokens of visible ASCII characters without spaces, 4080 of them at most, found a value \
         that is not shown"
    );
    assert_eq!(tokens(&load(list, &[("ON", "true"), ("TOKEN", "two")])), ["one", "two"]);
    let all = "monitor:\n  securityUser: ${env:USERS}\n  securityToken: ${env:TOKENS:-}\n  security: ${env:ON:-false}\n";
    load(all, &[]);
    assert_eq!(
        message(all, &[("ON", "true")]),
        "vitals.yaml:2: monitor.securityUser: the environment variable USERS that it refers to is not set"
    );
    assert_eq!(
        message(all, &[("ON", "true"), ("USERS", "")]),
        "vitals.yaml:2: monitor.securityUser: expected a password, found an empty one"
    );
    assert_eq!(
        message(all, &[("ON", "true"), ("USERS", "a=b")]),
        "vitals.yaml:3: monitor.securityToken: expected a token, found an empty one"
    );
    let config = load(all, &[("ON", "true"), ("USERS", "a=b,c=d"), ("TOKENS", "x,y")]);
    assert_eq!((users(&config), tokens(&config)), (vec![("a", "b"), ("c", "d")], vec!["x", "y"]));
}

#[test]
fn secrets_are_in_no_debug_output() {
    let content = "monitor: {security: true, securityUser: {admin: s3cr3t-one}, securityToken: [s3cr3t-two]}";
    let config = load(content, &[]);
    let builder = Vitals::builder().config(config.clone());
    for output in [format!("{config:?}"), format!("{config:#?}"), format!("{builder:?}")] {
        assert!(!output.contains("s3cr3t"), "{output}");
        assert!(output.contains("\"admin\"") && output.contains("<hidden>"), "{output}");
    }
}

#[test]
fn a_start_refuses_what_is_wrong() {
    let (_folder, path) = file("monitor: {security: true, securityUser: {admin: ''}}");
    let error = Vitals::builder().config_file(&path).start().unwrap_err().to_string();
    assert!(
        error.ends_with(":1: monitor.securityUser.admin: expected a password, found an empty one"),
        "{error}"
    );
    let error =
        Vitals::builder().config(Config::default()).configure(|config| config.monitor.live = "x".to_owned());
    let error = error.start().unwrap_err().to_string();
    assert_eq!(error, format!("configuration: monitor.live: expected {ROUTE}, found \"x\""));
}
