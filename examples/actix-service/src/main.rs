//! A small real service with its vitals: an API on SQLite, and beside it health, hardware and debug routes.
//!
//! ```text
//! cargo run --release -p actix-service@0.1.0
//! ```

mod items;
mod store;

use actix_web::{App, HttpServer, web};
use opentelemetry_instrumentation_actix_web::RequestMetrics;
use otel_vitals::Vitals;
use otel_vitals::health::{Check, ComponentType};
use otel_vitals::vars::Counter;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use items::Shop;
use store::Store;

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

#[actix_web::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().init();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "a program says on standard error why it cannot start")]
            {
                eprintln!("actix-service: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let vitals = Vitals::builder().service_name("actix-service").config_file(config_file()).start()?;
    let shop = Shop { store: Store::open(&database())?, orders: Counter::new() };
    watch(&vitals, &shop)?;

    let server = HttpServer::new({
        let (vitals, shop) = (vitals.clone(), web::Data::new(shop));
        let requests = RequestMetrics::builder().with_meter_provider(vitals.meter_provider().clone()).build();
        let routes = otel_vitals_actix::routes(&vitals);
        move || {
            App::new()
                .app_data(shop.clone())
                .configure(routes.clone())
                .service(web::scope("").wrap(requests.clone()).configure(items::routes))
        }
    })
    .disable_signals()
    .bind(address())?;
    announce(&server.addrs());
    otel_vitals_actix::serve(server.run(), &vitals).await?;
    // The collector may be away; the service has served all the same.
    if let Err(error) = vitals.shutdown() {
        tracing::warn!(%error, "the last export did not arrive");
    }
    Ok(())
}

/// What is told of this service beyond what is told of any.
fn watch(vitals: &Vitals, shop: &Shop) -> Result<(), Box<dyn Error>> {
    let store = shop.store.clone();
    let ping = move || {
        let store = store.clone();
        async move { store.ping() }
    };
    vitals.health().register("store", Check::new(ping).component(ComponentType::Datastore))?;
    vitals.health().register("export", Check::export(vitals))?;
    vitals.vars().publish("orders", shop.orders.clone())?;
    let store = shop.store.clone();
    vitals.vars().publish("items", move || store.count())?;
    Ok(())
}

/// `VITALS_CONFIG`, else `vitals.yaml` beside this crate's source.
fn config_file() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("vitals.yaml");
    std::env::var_os("VITALS_CONFIG").filter(|path| !path.is_empty()).map_or_else(beside, PathBuf::from)
}

/// The file that `ACTIX_SERVICE_DATABASE` names, else memory.
fn database() -> PathBuf {
    std::env::var_os("ACTIX_SERVICE_DATABASE").map_or_else(|| ":memory:".into(), PathBuf::from)
}

/// `ACTIX_SERVICE_ADDRESS`, else port 38000 of this machine alone.
fn address() -> String {
    std::env::var("ACTIX_SERVICE_ADDRESS").unwrap_or_else(|_| "127.0.0.1:38000".to_owned())
}

fn announce(addresses: &[std::net::SocketAddr]) {
    for address in addresses {
        tracing::info!("http://{address}/status/health");
    }
}
