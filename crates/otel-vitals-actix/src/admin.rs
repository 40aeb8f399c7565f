//! The routes on a server of their own, which answers whatever the service does.

use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse, fn_service};
use actix_web::http::{KeepAlive, StatusCode};
use actix_web::{App, Error, HttpServer};
use otel_vitals::Vitals;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::Builder;

use crate::routes::Routes;
use crate::state::State;
use crate::{answer, unread};

/// Connections at a time; more wait to be accepted.
const CONNECTIONS: usize = 256;

/// How long the head of a request may take to arrive.
const REQUEST: Duration = Duration::from_secs(5);

/// How long a client may take to leave.
const DISCONNECT: Duration = Duration::from_secs(1);

/// Seconds that requests under way have at the end.
const SHUTDOWN: u64 = 1;

/// Bound of the start and of the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server of the routes of `monitor`, with a port and threads of its own: for a service that is not made with actix, for one whose
/// port everybody reaches, and to be answered while all workers of the service are stuck. It stops when it is dropped.
///
/// It can be started anywhere, outside and inside of any runtime. What a client can do is bounded: there are 256 connections at a time,
/// each for one request, whose head must be there within five seconds. Signals are not its business.
///
/// ```no_run
/// use otel_vitals_actix::AdminServer;
///
/// let vitals = otel_vitals::init()?;
/// let admin = AdminServer::start(&vitals)?; // where monitor.admin.address says
/// println!("{}", admin.address());
/// // ... the service ...
/// admin.stop();
/// vitals.shutdown()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AdminServer {
    address: SocketAddr,
    handle: ServerHandle,
    /// Is disconnected when the thread has ended. None when that has been waited for.
    ended: Mutex<Option<Receiver<()>>>,
    /// The process that has the thread; one that is forked from it has none.
    process: u32,
}

/// Why there is no admin server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The address cannot be listened on.
    #[error("the admin server cannot listen on {address}: {source}")]
    #[non_exhaustive]
    Bind {
        /// The address (`monitor.admin.address`).
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system refuses a thread or what a runtime needs.
    #[error("the admin server cannot start: {source}")]
    #[non_exhaustive]
    Start {
        /// What the system says.
        source: io::Error,
    },
}

impl AdminServer {
    /// Starts it on the address that `monitor.admin.address` says.
    ///
    /// # Errors
    /// [`AdminError::Bind`] when the address is taken or is none of this machine, [`AdminError::Start`] when the system
    /// refuses a thread.
    pub fn start(vitals: &Vitals) -> Result<Self, AdminError> {
        Self::bind(vitals, vitals.config().monitor.admin.address)
    }

    /// Starts it on `address`; port 0 is one that is free.
    ///
    /// ```
    /// # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
    /// # let vitals = otel_vitals::Vitals::builder().meter_provider(provider).start()?;
    /// let admin = otel_vitals_actix::AdminServer::bind(&vitals, ([127, 0, 0, 1], 0).into())?;
    /// assert_ne!(admin.address().port(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`start`](AdminServer::start).
    pub fn bind(vitals: &Vitals, address: SocketAddr) -> Result<Self, AdminError> {
        let bound = TcpListener::bind(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (local, listener) = bound.map_err(|source| AdminError::Bind { address, source })?;
        let state = State::of(vitals);
        let (started, start) = channel();
        let (ends, ended) = channel::<()>();
        let run = move || {
            let _ends = ends;
            run(listener, &state, &started);
        };
        let thread = std::thread::Builder::new().name("vitals-admin".to_owned());
        thread.spawn(run).map_err(|source| AdminError::Start { source })?;
        let late = |_| Err(io::Error::other("its thread did not come up"));
        let handle = start.recv_timeout(PATIENCE).unwrap_or_else(late);
        let handle = handle.map_err(|source| AdminError::Start { source })?;
        Ok(AdminServer {
            address: local,
            handle,
            ended: Mutex::new(Some(ended)),
            process: std::process::id(),
        })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: requests under way have a second to end, and all is over after five at the latest. Dropping it does the same,
    /// but leaves them no time.
    pub fn stop(self) {
        self.end(true);
    }

    fn end(&self, graceful: bool) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(ended) = ended.filter(|_| self.process == std::process::id()) else { return };
        // The command is sent by the call.
        drop(self.handle.stop(graceful));
        // Nothing is ever sent: this waits until the other end is gone.
        let _ = ended.recv_timeout(PATIENCE);
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.end(false);
    }
}

/// The thread: tells `started` how the start went, and goes on until the server is stopped.
fn run(listener: TcpListener, state: &Arc<State>, started: &Sender<io::Result<ServerHandle>>) {
    let outcome = Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(serve(listener, state, started)));
    if let Err(error) = outcome {
        // Who started it knows no more of what happens after the start.
        if let Err(unsent) = started.send(Err(error)) {
            let error = unsent.0.err();
            tracing::error!(target: "otel_vitals", ?error, "the admin server ended");
        }
    }
}

/// What is not one of ours.
async fn nothing(request: ServiceRequest) -> Result<ServiceResponse, Error> {
    let (request, payload) = request.into_parts();
    let response = unread::held(answer::text(StatusCode::NOT_FOUND, "there is nothing here\n"), payload);
    Ok(ServiceResponse::new(request, response))
}

async fn serve(
    listener: TcpListener,
    state: &Arc<State>,
    started: &Sender<io::Result<ServerHandle>>,
) -> io::Result<()> {
    let state = Arc::clone(state);
    let server =
        HttpServer::new(move || App::new().service(Routes::new(&state)).default_service(fn_service(nothing)))
            .workers(1)
            // Nothing of ours uses them.
            .worker_max_blocking_threads(1)
            .max_connections(CONNECTIONS)
            // Who asks now and then would keep a place that others wait for.
            .keep_alive(KeepAlive::Disabled)
            .client_request_timeout(REQUEST)
            .client_disconnect_timeout(DISCONNECT)
            .shutdown_timeout(SHUTDOWN)
            .disable_signals()
            .listen(listener)?
            .run();
    let handle = server.handle();
    let mut server = Box::pin(server);
    // Its first turn starts the worker, and says whether that went well.
    let first = poll_fn(|context| Poll::Ready(Pin::new(&mut server).poll(context))).await;
    if let Poll::Ready(ended) = first {
        return ended;
    }
    // Nobody waits for it any more when the start took too long: then it is stopped again.
    if started.send(Ok(handle)).is_err() {
        return Ok(());
    }
    server.await
}
