//! A shutdown in which no request is lost.

use actix_web::dev::Server;
use otel_vitals::Vitals;
use otel_vitals_core::quietly;
use std::io;
use std::pin::pin;

/// Runs `server` until a signal ends it, in the order in which nobody is turned away:
///
/// 1. `SIGTERM`, and `/status/ready` fails from then on;
/// 2. for `monitor.drain` the server goes on as before, until whoever distributes requests has seen that;
/// 3. the server takes no more connections, and what is being answered is answered, for as long as
///    `HttpServer::shutdown_timeout` says.
///
/// `SIGINT`, which is Ctrl-C, ends it at once after readiness failed, and so does a second signal of either kind while the first is
/// being followed. It returns when the server has ended, also when something else ended it. Vitals go on: call
/// [`shutdown`](Vitals::shutdown) afterwards, so that the last requests are measured.
///
/// The server must be built with `disable_signals()`: it listens to signals itself otherwise, and stops on the first. On systems
/// other than Unix only Ctrl-C is a signal.
///
/// ```no_run
/// use actix_web::{App, HttpServer};
/// use otel_vitals_actix::{routes, serve};
///
/// #[actix_web::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let vitals = otel_vitals::init()?;
///     let mounted = routes(&vitals);
///     let server = HttpServer::new(move || App::new().configure(mounted.clone()))
///         .bind(("127.0.0.1", 38000))?
///         .disable_signals()
///         .run();
///     serve(server, &vitals).await?;
///     vitals.shutdown()?;
///     Ok(())
/// }
/// ```
///
/// # Errors
/// What the server ended with, or the system's refusal to tell of signals.
pub async fn serve(server: Server, vitals: &Vitals) -> io::Result<()> {
    let mut signals = Signals::new()?;
    let handle = server.handle();
    let mut server = Box::pin(server);
    let first = tokio::select! {
        ended = &mut server => return ended,
        signal = signals.next() => signal,
    };
    vitals.health().begin_shutdown();
    quietly(|| tracing::info!(target: "otel_vitals", signal = first.name(), "the server ends"));
    let mut graceful = first == Signal::Terminate;
    if graceful {
        let drained = tokio::time::sleep(vitals.config().monitor.drain);
        tokio::select! {
            ended = &mut server => return ended,
            () = drained => {}
            _ = signals.next() => graceful = false,
        }
    }
    // The command is sent by the call; what it returns need not be waited for, because the server ends after it.
    drop(handle.stop(graceful));
    let another = pin!(signals.next());
    tokio::select! {
        ended = &mut server => ended,
        // Dropping a server ends it at once.
        _ = another => Ok(()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    /// End when everything is done.
    Terminate,
    /// End now.
    Interrupt,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Signal::Terminate => "SIGTERM",
            Signal::Interrupt => "SIGINT",
        }
    }
}

/// The signals that end a server.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            Some(()) = self.terminate.recv() => Signal::Terminate,
            Some(()) = self.interrupt.recv() => Signal::Interrupt,
            else => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Signals)
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
