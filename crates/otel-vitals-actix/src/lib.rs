//! Health, hardware and debug routes of otel-vitals for actix-web, and a server of them that answers while the service is stuck.
//!
//! ```no_run
//! use actix_web::{App, HttpServer};
//! use otel_vitals_actix::{AdminServer, routes, serve};
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let vitals = otel_vitals::init()?;
//!     let admin = AdminServer::start(&vitals)?; // 127.0.0.1:38001, if you like one
//!
//!     let mounted = routes(&vitals);
//!     let server = HttpServer::new(move || App::new().configure(mounted.clone()))
//!         .bind(("127.0.0.1", 38000))?
//!         .disable_signals()
//!         .run();
//!     serve(server, &vitals).await?; // until SIGTERM or Ctrl-C
//!
//!     admin.stop();
//!     vitals.shutdown()?;
//!     Ok(())
//! }
//! ```
//!
//! ```text
//! $ curl http://127.0.0.1:38000/status/health
//! OK
//! ```
//!
//! - [`routes`] mounts what `monitor` in the configuration asks for next to the routes of a service.
//! - [`AdminServer`] has the same on a port and threads of its own, for any service.
//! - [`serve`] ends a server so that no request is lost.
//!
//! # Who may ask
//!
//! The heartbeat and the probes answer everybody. With `monitor.security: true` all else needs the password of a user or a token; without
//! it the hardware is open, and debug and profiles answer only whoever sits on the same machine. `docs/security.md` has the whole of it.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `profiling` | yes | the profiles below `monitor.debug_pprof`; without it there are the index and the command line |
//! | `flamegraph` | | flame graphs among them; [inferno](https://crates.io/crates/inferno), which draws them, is under the CDDL 1.0 |
//!
//! # What every route does
//!
//! It answers `GET` and `HEAD`; any other method is `405`, but for a `POST` to the `symbol` of profiles. Nothing of it is kept by a cache (`Cache-Control: no-store`) or
//! taken by a browser for something else (`X-Content-Type-Options: nosniff`).

mod admin;
mod answer;
mod blocking;
mod gate;
mod hardware;
mod heartbeat;
mod path;
mod posted;
mod pprof;
mod probes;
mod routes;
mod self_check;
mod serve;
mod state;
mod unread;
mod variables;

pub use admin::{AdminError, AdminServer};
pub use routes::routes;
pub use serve::serve;
