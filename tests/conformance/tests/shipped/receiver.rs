//! An OTLP/gRPC receiver that keeps what arrives, or refuses it.

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// A receiver that listens for as long as the test runs.
pub(crate) struct Receiver {
    endpoint: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    refusing: bool,
    received: Vec<ResourceMetrics>,
}

impl Receiver {
    /// Listens on a free loopback port, on a thread of its own.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<Mutex<State>>::default();
        let service = MetricsServiceServer::new(Service(Arc::clone(&state)));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener).unwrap());
                Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
            });
        });
        Receiver { endpoint, state }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whether to refuse what arrives from now on, in a way that forbids to try again.
    pub(crate) fn refuse(&self, refusing: bool) {
        self.state().refusing = refusing;
    }

    /// What has arrived and was not refused.
    pub(crate) fn received(&self) -> Vec<ResourceMetrics> {
        self.state().received.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Service(Arc<Mutex<State>>);

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.refusing {
            return Err(Status::invalid_argument("this receiver takes nothing now"));
        }
        state.received.extend(request.into_inner().resource_metrics);
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}
