//! What routes, thresholds, users and tokens must be as a whole.

use super::Complaint;
use crate::config::secrets::Secret;
use crate::config::{MonitorConfig, Threshold, phc, schema};
use crate::error::{Found, Problem};

const PPROF: &str = "monitor.debug_pprof";
const SECURITY: &str = "monitor.security";
const USERS: &str = "monitor.securityUser";
const TOKENS: &str = "monitor.securityToken";

/// What the header of a request has room for (bytes).
const LONGEST_PART: usize = 1024;
const LONGEST_TOKEN: usize = 4080;

const EMPTY: Found = Found::Shape("an empty one");

impl MonitorConfig {
    pub(super) fn check(&self) -> Result<(), Complaint> {
        self.check_routes()?;
        self.check_thresholds()?;
        self.check_users()?;
        self.check_tokens()?;
        if self.security { self.check_credentials() } else { Ok(()) }
    }

    /// No two routes are one. The prefix is the same for all of them.
    fn check_routes(&self) -> Result<(), Complaint> {
        let defaults = MonitorConfig::default();
        let is_default = |route: &Route<'_>| {
            defaults.routes().iter().any(|default| default.key == route.key && default.path == route.path)
        };
        let routes: Vec<_> = self.routes().into_iter().filter(|route| route.on).collect();
        for (index, route) in routes.iter().enumerate() {
            if let Some(earlier) = routes.iter().take(index).find(|earlier| earlier.meets(route)) {
                // Whoever left the default alone is not to blame.
                return Err(if is_default(route) {
                    earlier.taken_by(route)
                } else {
                    route.taken_by(earlier)
                });
            }
        }
        Ok(())
    }

    /// All routes in the order of their keys.
    fn routes(&self) -> [Route<'_>; 10] {
        let hardware = &self.status_hardware;
        let route = |on, key, path| Route { on, key, path };
        [
            route(self.status, "monitor.health", &self.health),
            route(self.status, "monitor.live", &self.live),
            route(self.status, "monitor.ready", &self.ready),
            route(self.status, "monitor.startup", &self.startup),
            route(self.hardware, "monitor.status_hardware.disk", &hardware.disk),
            route(self.hardware, "monitor.status_hardware.ram", &hardware.ram),
            route(self.hardware, "monitor.status_hardware.cpu", &hardware.cpu),
            route(self.hardware, "monitor.status_hardware.cpu_info", &hardware.cpu_info),
            route(self.debug, "monitor.debug_vars", &self.debug_vars),
            route(self.pprof, PPROF, &self.debug_pprof),
        ]
    }

    fn check_thresholds(&self) -> Result<(), Complaint> {
        let (given, defaults) = (&self.thresholds, MonitorConfig::default().thresholds);
        check_threshold("disk", given.disk, defaults.disk)?;
        check_threshold("ram", given.ram, defaults.ram)?;
        check_threshold("load", given.load, defaults.load)?;
        check_threshold("throttled", given.throttled, defaults.throttled)
    }

    /// What there is of users must be right, whether somebody asks for them or not.
    fn check_users(&self) -> Result<(), Complaint> {
        for (name, secret) in self.security_user.secrets() {
            if name.is_empty() && !matches!(secret, Secret::Given(_)) {
                continue;
            }
            check_user(name).map_err(|(found, expected)| {
                // A name with a colon may have the password in it.
                Complaint::new(USERS, found, expected).first_at(schema::join(USERS, name))
            })?;
            let Secret::Given(password) = secret else { continue };
            check_password(password).map_err(|(found, expected)| {
                Complaint::new(schema::join(USERS, name), found, expected).or_at(USERS)
            })?;
        }
        Ok(())
    }

    fn check_tokens(&self) -> Result<(), Complaint> {
        for (index, secret) in self.security_token.secrets().enumerate() {
            let Secret::Given(token) = secret else { continue };
            let found = if token.is_empty() { EMPTY } else { Found::Secret };
            let fits = (1..=LONGEST_TOKEN).contains(&token.len());
            if !fits || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                let expected = "tokens of visible ASCII characters without spaces, 4080 of them at most";
                return Err(Complaint::new(TOKENS, found, expected).first_at(schema::item(TOKENS, index)));
            }
        }
        Ok(())
    }

    /// With `security` there is somebody who may ask, and what the file refers to is there.
    fn check_credentials(&self) -> Result<(), Complaint> {
        for (name, secret) in self.security_user.secrets() {
            let key = if name.is_empty() { USERS.to_owned() } else { schema::join(USERS, name) };
            check_there(secret, "a password").map_err(|problem| Complaint::of(key, problem).or_at(USERS))?;
        }
        for (index, secret) in self.security_token.secrets().enumerate() {
            check_there(secret, "a token")
                .map_err(|problem| Complaint::of(TOKENS, problem).first_at(schema::item(TOKENS, index)))?;
        }
        if self.security_user.is_empty() && self.security_token.is_empty() {
            let expected =
                "a user here, or a token in monitor.securityToken, because monitor.security is true";
            return Err(Complaint::new(USERS, Found::Shape("nothing"), expected).or_at(SECURITY));
        }
        Ok(())
    }
}

/// A route, and whether there is one.
#[derive(Clone, Copy)]
struct Route<'a> {
    on: bool,
    key: &'static str,
    path: &'a str,
}

impl Route<'_> {
    /// Whether a request could be meant for both.
    fn meets(&self, other: &Route<'_>) -> bool {
        self.path == other.path || self.owns(other) || other.owns(self)
    }

    /// Whether `other` is below this one, which is that of profiles and has all that is below it.
    fn owns(&self, other: &Route<'_>) -> bool {
        let below = |rest: &str| rest.starts_with('/');
        self.key == PPROF && other.path.strip_prefix(self.path).is_some_and(below)
    }

    /// The complaint that this route has what `other` has already.
    fn taken_by(&self, other: &Route<'_>) -> Complaint {
        let expected = if self.path == other.path {
            format!("a route of its own, which {} does not have already", other.key)
        } else if other.owns(self) {
            format!("a route that is not below {}", other.key)
        } else {
            format!("a route that {} is not below", other.key)
        };
        Complaint::new(self.key, Found::text(self.path), expected)
    }
}

fn check_threshold(name: &str, given: Threshold, default: Threshold) -> Result<(), Complaint> {
    let Threshold { warning, critical } = given;
    if warning <= critical {
        return Ok(());
    }
    let key = |end: &str| format!("monitor.thresholds.{name}.{end}");
    // Whoever left the default alone is not to blame.
    Err(if warning == default.warning {
        let expected = format!("a percentage not below {}", key("warning"));
        Complaint::new(key("critical"), Found::text(&critical.to_string()), expected)
    } else {
        let expected = format!("a percentage not above {}", key("critical"));
        Complaint::new(key("warning"), Found::text(&warning.to_string()), expected)
    })
}

/// Whether basic authentication can carry the name.
fn check_user(name: &str) -> Result<(), (Found, &'static str)> {
    if name.trim().is_empty() {
        return Err((EMPTY, "user names that are not empty"));
    }
    if name.contains(':') {
        return Err((Found::Secret, "user names without a colon, which basic authentication cannot carry"));
    }
    if name.contains(char::is_control) {
        return Err((Found::Secret, "user names without control characters"));
    }
    if name.len() > LONGEST_PART {
        return Err((Found::Secret, "user names of 1024 bytes at most"));
    }
    Ok(())
}

fn check_password(password: &str) -> Result<(), (Found, &'static str)> {
    if password.trim().is_empty() {
        return Err((EMPTY, "a password"));
    }
    if password.contains(char::is_control) {
        return Err((Found::Secret, "a password without control characters, such as the end of a line"));
    }
    if password.starts_with(phc::ARGON2) && !phc::is_argon2(password) {
        let expected = "a hash such as $argon2id$v=19$m=19456,t=2,p=1$salt$hash, since it begins like one, \
                        for at most 256 MiB, 64 passes and 64 lanes";
        return Err((Found::Secret, expected));
    }
    if password.len() > LONGEST_PART {
        return Err((Found::Secret, "a password of 1024 bytes at most"));
    }
    Ok(())
}

/// Whether what a file refers to is there.
fn check_there(secret: &Secret, what: &str) -> Result<(), Problem> {
    match secret {
        Secret::Given(_) => Ok(()),
        Secret::Unset(variable) => Err(Problem::Unset { variable: variable.clone() }),
        Secret::Blank => Err(Problem::Wrong { found: EMPTY, expected: what.to_owned() }),
    }
}
