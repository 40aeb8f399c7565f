//! The service from its start to its end.

use actix_web::{App, HttpServer, rt, web};
use otel_vitals::Vitals;
use std::error::Error;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;

use crate::arguments::Arguments;
use crate::routes::{self, State};
use crate::{load, table};

/// Serves until it is told to stop, by a signal or because the load is over.
pub(crate) fn serve(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    // From here on, what the allocator holds is on its way to the collector.
    let vitals = Vitals::builder().service_name("allocators").start()?;
    let served = rt::System::new().block_on(listen(vitals.clone(), arguments));
    // The last export, bounded in time. A collector that is not there is no failure of the service.
    if let Err(error) = vitals.shutdown() {
        let _ = writeln!(io::stderr(), "allocators: {error}");
    }
    served
}

async fn listen(vitals: Vitals, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let state = web::Data::new(State::new(vitals));
    let server = HttpServer::new(move || App::new().configure(|config| routes::configure(&state, config)))
        .workers(2)
        .shutdown_timeout(5)
        .bind((Ipv4Addr::LOCALHOST, arguments.port))?;
    let address = server.addrs().first().copied().ok_or("no address to listen on")?;
    let server = server.run();
    writeln!(io::stdout(), "listening on http://{address}")?;
    let Some(duration) = arguments.load else { return Ok(server.await?) };

    let handle = server.handle();
    let server = rt::spawn(server);
    let load = rt::task::spawn_blocking(move || {
        let load = load::put_on(address, duration)?;
        io::Result::Ok(format!("{load}\n\n{}", table::now()))
    });
    let shown = load.await?;
    handle.stop(true).await;
    server.await??;
    io::stdout().write_all(shown?.as_bytes())?;
    Ok(())
}
