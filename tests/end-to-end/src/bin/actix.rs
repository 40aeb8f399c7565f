//! An actix service: `main` runs on a current-thread runtime, and so does every worker.
//!
//! `GET /flush` flushes inside of a worker. The command `port` says where.

use actix_web::{App, HttpResponse, HttpServer, rt, web};
use end_to_end::script;

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let Some(vitals) = script::start(otel_vitals::init) else { return Ok(()) };
    let of_workers = vitals.clone();
    let server = HttpServer::new(move || {
        of_workers.watch_worker("actix-worker");
        let vitals = of_workers.clone();
        let flush = move || {
            let vitals = vitals.clone();
            async move {
                match vitals.flush() {
                    Ok(()) => HttpResponse::Ok().body("flushed"),
                    Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
                }
            }
        };
        App::new().route("/flush", web::get().to(flush))
    });
    let server = server.workers(2).disable_signals().bind(("127.0.0.1", 0))?;
    let port = server.addrs().first().map(std::net::SocketAddr::port);
    let server = server.run();
    let handle = server.handle();
    let server = rt::spawn(server);
    // Its first turn starts the workers; then the commands block this runtime.
    tokio::task::yield_now().await;
    let vitals = script::obey_with(vitals, |command| (command == "port").then(|| port.into()));
    handle.stop(true).await;
    server.await??;
    if let Some(vitals) = vitals {
        // Not left to the drop of the last handle: workers may hold theirs to the very end of the process. What an
        // export at shutdown came to is for the collector to tell.
        let _ = vitals.shutdown();
    }
    Ok(())
}
