//! Which route is where.

mod contained;

use actix_web::dev::{
    AppService, HttpServiceFactory, Payload, ResourceDef, ServiceRequest, ServiceResponse, fn_service,
};
use actix_web::http::Method;
use actix_web::web::{Bytes, ServiceConfig};
use actix_web::{Error, HttpRequest, HttpResponse};
use otel_vitals::Vitals;
use otel_vitals::health::Probe;
use std::future::{Future, ready};
use std::sync::Arc;

use crate::answer::Methods;
use crate::gate::Access;
use crate::state::State;
use crate::{hardware, heartbeat, path, posted, pprof, probes, self_check, unread, variables};
use contained::contained;

/// The name under which the workers of a server are watched.
const WORKER: &str = "actix-worker";

/// Mounts the routes that `monitor` in the configuration asks for. Routes of the application are left alone, and so are its
/// `app_data`, its middleware, which goes around ours too, and its default service. A middleware that changes paths must leave ours as
/// they are: `NormalizePath` does, but with `TrailingSlash::Always`, which belongs around other scopes.
///
/// It may be called once, outside of the closure of `HttpServer::new`, or inside of it for each worker, and be mounted several
/// times and below scopes: everything is shared by all that is mounted for the same vitals. A runtime that it is mounted in is
/// watched as `actix-worker-0`, `actix-worker-1`, …, unless it is watched already, so that
/// [`watch_worker`](Vitals::watch_worker) need not be called.
///
/// When a server that listens mounts the routes, it is asked for its heartbeat over HTTP, as `monitor.retryCount` says:
///
/// - once for each address, by a thread of its own, as long as the server lives. A server that is started when all workers of
///   another at the same address have ended is asked again.
/// - An address that means all of the machine's is asked on the loopback one. A server that speaks TLS itself, routes below a scope
///   and Unix sockets are asked only at the URL that `monitor.self_check` names; of a Unix socket actix says that it
///   listens on `127.0.0.1:8080`, so that `monitor.retryCount: 0` is the thing to say there.
/// - What comes of it is logged, and nothing else happens.
///
/// ```no_run
/// use actix_web::{App, HttpServer};
/// use otel_vitals_actix::routes;
///
/// #[actix_web::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let vitals = otel_vitals::init()?;
///     let mounted = routes(&vitals);
///     HttpServer::new(move || App::new().configure(mounted.clone())).bind(("127.0.0.1", 38000))?.run().await?;
///     vitals.shutdown()?;
///     Ok(())
/// }
/// ```
pub fn routes(vitals: &Vitals) -> impl Fn(&mut ServiceConfig) + Clone + Send + Sync + 'static + use<> {
    let state = State::of(vitals);
    move |config| {
        state.vitals().watch_worker(WORKER);
        config.service(Routes::new(&state));
    }
}

/// The routes of one place where they are mounted.
pub(crate) struct Routes {
    state: Arc<State>,
}

impl Routes {
    pub(crate) fn new(state: &Arc<State>) -> Self {
        Routes { state: Arc::clone(state) }
    }
}

impl HttpServiceFactory for Routes {
    /// The table of all routes. What is asked most often comes first.
    fn register(self, service: &mut AppService) {
        let monitor = self.state.monitor();
        let mut table = Table { service, state: &self.state };
        if monitor.status {
            table.heartbeat(&monitor.health);
        }
        if monitor.status {
            for (probe, route) in [
                (Probe::Live, &monitor.live),
                (Probe::Ready, &monitor.ready),
                (Probe::Startup, &monitor.startup),
            ] {
                table.get(route, Access::Everyone, move |state, _| ready(probes::answer(&state, probe)));
            }
        }
        if monitor.hardware {
            let routes = &monitor.status_hardware;
            table.get(&routes.disk, Access::Hardware, hardware::disk);
            table.get(&routes.ram, Access::Hardware, hardware::ram);
            table.get(&routes.cpu, Access::Hardware, hardware::cpu);
            table.get(&routes.cpu_info, Access::Hardware, hardware::cpu_info);
        }
        if monitor.debug {
            table.get(&monitor.debug_vars, Access::Debug, variables::answer);
        }
        if monitor.pprof {
            let rules = Rules { access: Access::Debug, methods: pprof::methods, mark: pprof::of_go };
            table.tree(&monitor.debug_pprof, rules, pprof::answer);
        }
    }
}

/// How a place is answered.
#[derive(Clone, Copy)]
struct Rules {
    access: Access,
    methods: fn(&HttpRequest) -> Methods,
    /// What a refusal gets so that it is like those of the handler. What the gate says is the same everywhere.
    mark: fn(HttpResponse) -> HttpResponse,
}

/// Where routes are put.
struct Table<'a> {
    service: &'a mut AppService,
    state: &'a Arc<State>,
}

impl Table<'_> {
    /// The heartbeat, with nothing between it and the router.
    fn heartbeat(&mut self, route: &str) {
        let held = (Arc::clone(self.state), self_check::begin(self.state, self.service));
        let beat = move |request: ServiceRequest| {
            // As long as a worker has this, others share its state, and whoever asks for the heartbeat goes on.
            let _ = &held;
            let (request, payload) = request.into_parts();
            let response = unread::held(heartbeat::beat(request.method()), payload);
            ready(Ok::<_, Error>(ServiceResponse::new(request, response)))
        };
        let place = path::exactly(&path::below(&self.state.monitor().prefix, route));
        self.service.register_service(place, None, fn_service(beat), None);
    }

    /// `handler` answers GET and HEAD at `route`, to those who have this access.
    fn get<H, F>(&mut self, route: &str, access: Access, handler: H)
    where
        H: Fn(Arc<State>, HttpRequest) -> F + Clone + 'static,
        F: Future<Output = HttpResponse> + 'static,
    {
        let place = path::exactly(&path::below(&self.state.monitor().prefix, route));
        let handler = move |state, request, _| handler(state, request);
        self.put(place, Rules { access, methods: |_| Methods::Asking, mark: |refusal| refusal }, handler);
    }

    /// `handler` answers at `route` and at everything below it, and is given what was posted. What of the path is below it is
    /// `request.match_info().unprocessed()`, empty or with its slash.
    fn tree<H, F>(&mut self, route: &str, rules: Rules, handler: H)
    where
        H: Fn(Arc<State>, HttpRequest, Bytes) -> F + Clone + 'static,
        F: Future<Output = HttpResponse> + 'static,
    {
        self.put(path::tree(&path::below(&self.state.monitor().prefix, route)), rules, handler);
    }

    fn put<H, F>(&mut self, place: ResourceDef, rules: Rules, handler: H)
    where
        H: Fn(Arc<State>, HttpRequest, Bytes) -> F + Clone + 'static,
        F: Future<Output = HttpResponse> + 'static,
    {
        let state = Arc::clone(self.state);
        let serve = move |request: ServiceRequest| {
            let (state, handler) = (Arc::clone(&state), handler.clone());
            let (request, mut payload) = request.into_parts();
            async move {
                let asked = ask(state, rules, request.clone(), &mut payload, handler);
                let response = contained(asked).await;
                let response = unread::held(response, payload);
                Ok::<_, Error>(ServiceResponse::new(request, response))
            }
        };
        self.service.register_service(place, None, fn_service(serve), None);
    }
}

/// The gate comes first, so that who may not pass does not learn what is behind it.
async fn ask<H, F>(
    state: Arc<State>,
    rules: Rules,
    request: HttpRequest,
    payload: &mut Payload,
    handler: H,
) -> HttpResponse
where
    H: Fn(Arc<State>, HttpRequest, Bytes) -> F,
    F: Future<Output = HttpResponse>,
{
    if let Some(refusal) = state.gate.refuse(rules.access, &request).await {
        return refusal;
    }
    let methods = (rules.methods)(&request);
    if !methods.allow(request.method()) {
        return (rules.mark)(methods.refuse());
    }
    let read = if *request.method() == Method::POST { posted::read(payload).await } else { Ok(Bytes::new()) };
    match read {
        Ok(posted) => handler(state, request, posted).await,
        Err(refused) => (rules.mark)(refused.answer()),
    }
}
