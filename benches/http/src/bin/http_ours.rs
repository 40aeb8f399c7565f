//! An actix service of so many workers with an empty route and ours beside it. Listens on a free port of this machine and prints the address.
#![allow(clippy::print_stdout, reason = "the bench reads the address")]

use actix_web::{App, HttpResponse, HttpServer, web};
use otel_vitals::Config;
use std::io;

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

#[actix_web::main]
async fn main() -> io::Result<()> {
    let mut config = Config::default();
    config.metrics.exporters = Vec::new();
    config.monitor.debug = true;
    let vitals = otel_vitals::Vitals::builder().config(config).start().map_err(io::Error::other)?;
    let threads = std::env::args().nth(1).and_then(|threads| threads.parse().ok()).unwrap_or(1);
    let routes = otel_vitals_actix::routes(&vitals);
    let server = HttpServer::new(move || {
        App::new().route("/empty", web::get().to(HttpResponse::Ok)).configure(routes.clone())
    })
    .workers(threads)
    .bind(("127.0.0.1", 0))?;
    for address in server.addrs() {
        println!("{address}");
    }
    server.run().await
}
