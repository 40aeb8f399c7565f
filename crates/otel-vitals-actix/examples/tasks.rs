//! A program with tasks on a runtime of several threads, which tells of them at `/debug/pprof/tasks`.
//!
//! ```text
//! cargo run -p otel-vitals-actix --example tasks
//! curl -s 'http://127.0.0.1:38001/debug/pprof/tasks?debug=1'
//! ```
//!
//! What each of them waits for is told by tokio in an unstable build:
//!
//! ```text
//! RUSTFLAGS="--cfg tokio_unstable" cargo run --target-dir target/unstable -p otel-vitals-actix --example tasks --features otel-vitals/taskdump
//! ```

use otel_vitals::{Config, Vitals};
use otel_vitals_actix::AdminServer;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // Nobody is sent metrics here.
    let configure = |config: &mut Config| {
        config.metrics.exporters.clear();
        config.monitor.pprof = true;
    };
    let vitals = Vitals::builder().config(Config::default()).configure(configure).start()?;
    vitals.watch_runtime("shop", runtime.handle());
    let admin = AdminServer::bind(&vitals, SocketAddr::from((Ipv4Addr::LOCALHOST, 38001)))?;
    let (send, orders) = mpsc::channel(8);
    runtime.spawn(take_orders(orders));
    let end = Arc::new(Notify::new());
    for _ in 0..3 {
        runtime.spawn(order_now_and_then(send.clone()));
        runtime.spawn(wait_for_the_end(Arc::clone(&end)));
    }
    tracing::info!("http://{}/debug/pprof/", admin.address());
    runtime.block_on(tokio::signal::ctrl_c())?;
    end.notify_waiters();
    vitals.shutdown()?;
    Ok(())
}

async fn take_orders(mut orders: mpsc::Receiver<u32>) {
    while let Some(order) = orders.recv().await {
        tracing::info!(order);
    }
}

async fn order_now_and_then(orders: mpsc::Sender<u32>) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    for number in 0.. {
        every.tick().await;
        if orders.send(number).await.is_err() {
            return;
        }
    }
}

async fn wait_for_the_end(end: Arc<Notify>) {
    end.notified().await;
}
