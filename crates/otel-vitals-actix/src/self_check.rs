//! Whether the heartbeat answers, asked over HTTP as anybody would ask it, when a server starts.
//!
//! A service whose port is reached by nobody, or whose routes are not where they should be, says so in its log in its first seconds.

use actix_web::dev::AppService;
use otel_vitals_core::{caught, quietly};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use ureq::Agent;

use crate::state::State;
use crate::{heartbeat, path};

/// Bound of one try.
const TIMEOUT: Duration = Duration::from_secs(1);

/// From the end of one try to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// How much of an answer is read.
const LONGEST: u64 = 64;

/// Who is asked, and who is not.
#[derive(Default)]
pub(crate) struct SelfChecks {
    /// By URL.
    asked: Mutex<HashMap<String, Weak<Asked>>>,
    /// Why some are not, of which it was said.
    left_out: Mutex<HashSet<&'static str>>,
}

/// One heartbeat that is asked or has been. Asking ends when the last worker that serves it is gone.
pub(crate) struct Asked {
    _goes_on: Sender<()>,
}

/// Where the heartbeat of a server is.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    Url(String),
    /// It cannot be told, and why.
    Unknown(&'static str),
    /// There is no server.
    Nowhere,
}

/// Asks for the heartbeat that is being mounted, if nobody does so yet.
pub(crate) fn begin(state: &State, service: &AppService) -> Option<Arc<Asked>> {
    let monitor = state.monitor();
    if monitor.retry_count == 0 {
        return None;
    }
    let url =
        match place(&path::below(&monitor.prefix, &monitor.health), monitor.self_check.as_deref(), service) {
            Place::Url(url) => url,
            Place::Unknown(why) => {
                state.self_checks.leave_out(why);
                return None;
            }
            Place::Nowhere => return None,
        };
    state.self_checks.ask(url, monitor.retry_count)
}

fn place(route: &str, configured: Option<&str>, service: &AppService) -> Place {
    let config = service.config();
    // What an application has that nobody serves, as in tests of it.
    if config.host() == "localhost:8080" {
        return Place::Nowhere;
    }
    match configured {
        Some(url) => Place::Url(url.to_owned()),
        None if config.secure() => Place::Unknown("the server speaks TLS"),
        None if !service.is_root() => Place::Unknown("it is below a scope"),
        None => Place::Url(url(config.local_addr(), route)),
    }
}

/// The URL of `route` on a server that listens on `address`.
fn url(mut address: SocketAddr, route: &str) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    // With it comes the number of an interface, which a URL has no place for.
    if let SocketAddr::V6(address) = &mut address {
        address.set_scope_id(0);
    }
    format!("http://{address}{route}")
}

impl SelfChecks {
    /// Says once that nobody is asked, and why, however many workers there are.
    fn leave_out(&self, why: &'static str) {
        let is_new = self.left_out.lock().unwrap_or_else(PoisonError::into_inner).insert(why);
        if is_new {
            quietly(|| {
                tracing::info!(target: "otel_vitals", "the heartbeat is not asked for at the start: {why}; monitor.self_check is the URL to ask");
            });
        }
    }

    fn ask(&self, url: String, tries: u32) -> Option<Arc<Asked>> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, asked| asked.strong_count() > 0);
        if let Some(asked) = asked.get(&url).and_then(Weak::upgrade) {
            return Some(asked);
        }
        let (goes_on, ended) = channel();
        let of_thread = url.clone();
        let thread = std::thread::Builder::new().name("vitals-self-check".to_owned());
        match thread.spawn(move || ask(&of_thread, tries, &ended)) {
            Ok(_) => {
                let now = Arc::new(Asked { _goes_on: goes_on });
                asked.insert(url, Arc::downgrade(&now));
                Some(now)
            }
            Err(error) => {
                drop(asked);
                quietly(|| {
                    tracing::error!(target: "otel_vitals", %error, url, "the heartbeat is not asked for at the start: there is no thread for it");
                });
                None
            }
        }
    }
}

/// Asks until it answers, `tries` times at most, and logs what came of it.
fn ask(url: &str, tries: u32, ended: &Receiver<()>) {
    let agent = agent();
    let mut last = String::new();
    for number in 1..=tries {
        let pause = if number == 1 { Duration::ZERO } else { PAUSE };
        if ended.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        // The client has threads of its own, and panics when there are none to be had.
        match caught(|| ask_once(&agent, url))
            .unwrap_or_else(|| Err("none: it could not be asked".to_owned()))
        {
            Ok(()) => {
                return quietly(|| {
                    tracing::info!(target: "otel_vitals", url, tries = number, "the heartbeat answers");
                });
            }
            Err(answer) => last = answer,
        }
    }
    // A server that was stopped meanwhile does not answer, and need not.
    if ended.recv_timeout(Duration::ZERO) == Err(RecvTimeoutError::Timeout) {
        let hint =
            if last == NOT_FOUND { "; monitor.self_check is the URL to ask where it is another" } else { "" };
        quietly(|| {
            tracing::error!(target: "otel_vitals", url, tries, "the heartbeat does not answer: asked {url} {tries} times, the last answer was: {last}{hint}");
        });
    }
}

const NOT_FOUND: &str = "status 404";

/// Nothing when it answers, else what it does instead.
fn ask_once(agent: &Agent, url: &str) -> Result<(), String> {
    let mut response = agent.get(url).call().map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    if status != 200 {
        return Err(format!("status {status}"));
    }
    let body =
        response.body_mut().with_config().limit(LONGEST).read_to_vec().map_err(|error| error.to_string())?;
    if body == heartbeat::BODY.as_bytes() {
        Ok(())
    } else {
        Err("status 200, but another body than OK".to_owned())
    }
}

/// Asks directly and only there: what the environment says of proxies is for other hosts.
fn agent() -> Agent {
    Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_global(Some(TIMEOUT))
        .max_idle_connections(0)
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_means_all_is_asked_on_loopback() {
        for (address, url) in [
            ("0.0.0.0:80", "http://127.0.0.1:80/status/health"),
            ("[::]:80", "http://[::1]:80/status/health"),
            ("192.0.2.1:8080", "http://192.0.2.1:8080/status/health"),
            ("[fe80::1%3]:80", "http://[fe80::1]:80/status/health"),
        ] {
            assert_eq!(super::url(address.parse().unwrap(), "/status/health"), url);
        }
    }

    #[test]
    fn one_is_asked_once_as_long_as_it_is_served() {
        let checks = SelfChecks::default();
        // Nobody listens there: one try is over at once, and there is a thread as long as that takes.
        let ask = || checks.ask("http://127.0.0.1:1/".to_owned(), 1).unwrap();
        let one = ask();
        assert!(Arc::ptr_eq(&one, &ask()));
        drop(one);
        assert_eq!(checks.asked.lock().unwrap().values().filter(|asked| asked.strong_count() > 0).count(), 0);
        ask();
        assert_eq!(checks.asked.lock().unwrap().len(), 1);
    }
}
