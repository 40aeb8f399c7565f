//! Who may ask what.
//!
//! With `monitor.security` whoever is not asking for the heartbeat or a probe says who he is. Without it the hardware is
//! open, and what is below `debug` answers whoever sits on the same machine.

mod argon2;
mod authorization;
mod credentials;
mod digest;
mod local;
mod throttle;
mod users;

use actix_web::{HttpRequest, HttpResponse};
use otel_vitals::MonitorConfig;

use credentials::Credentials;
use local::Local;

/// What a route needs of those who ask it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing at all, ever: heartbeat and probes.
    Everyone,
    /// Credentials with `security`, nothing without.
    Hardware,
    /// Credentials with `security`, to be on this machine without.
    Debug,
}

/// Stands before all routes but the heartbeat.
pub(crate) struct Gate {
    rule: Rule,
}

enum Rule {
    /// Who knows a secret may pass.
    Secured(Box<Credentials>),
    /// Who is on this machine may pass, and everybody to the hardware.
    Unsecured(Local),
}

impl Gate {
    pub(crate) fn new(monitor: &MonitorConfig) -> Self {
        let rule = if monitor.security {
            Rule::Secured(Box::new(Credentials::new(&monitor.security_user, &monitor.security_token)))
        } else {
            Rule::Unsecured(Local::new())
        };
        Gate { rule }
    }

    /// What a request is answered that may not pass; nothing when it may.
    pub(crate) async fn refuse(&self, access: Access, request: &HttpRequest) -> Option<HttpResponse> {
        match (&self.rule, access) {
            (_, Access::Everyone) | (Rule::Unsecured(_), Access::Hardware) => None,
            (Rule::Secured(credentials), _) => credentials.refuse(request).await,
            (Rule::Unsecured(local), Access::Debug) => local.refuse(request),
        }
    }
}
