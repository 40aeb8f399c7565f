//! An OTLP/gRPC receiver on a loopback port: what a collector would get, handed over as it arrives.

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use otel_vitals::{Config, Protocol};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Duration;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// What is not measured by default and looks good in a table.
pub(crate) const OPT_INS: &str =
    "process.{cpu,memory}.utilization, system.cpu.utilization, system.{memory,filesystem}.limit";

/// A receiver that listens for as long as the process lives.
pub(crate) struct Receiver {
    endpoint: String,
}

impl Receiver {
    /// Listens on a free loopback port and calls `deliver` with every export that arrives. It has a thread and a
    /// runtime of its own, as a collector would.
    pub(crate) fn start(
        deliver: impl Fn(ExportMetricsServiceRequest) + Send + Sync + 'static,
    ) -> io::Result<Receiver> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let service =
            MetricsServiceServer::new(Deliver(deliver)).accept_compressed(CompressionEncoding::Gzip);
        thread::Builder::new().name("receiver".to_owned()).spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let server = Server::builder().add_service(service);
                server.serve_with_incoming(TcpIncoming::from(listener)).await.map_err(io::Error::other)
            })
        })?;
        Ok(Receiver { endpoint })
    }

    /// What makes a configuration without an endpoint send to this receiver, every `interval` and with the
    /// [`OPT_INS`]; one with an endpoint is left as it is.
    pub(crate) fn unless_configured(&self, interval: Duration) -> impl FnOnce(&mut Config) + use<> {
        let endpoint = self.endpoint.clone();
        move |config| {
            if config.otlp.endpoint.is_none() {
                config.otlp.endpoint = Some(endpoint.into());
                config.otlp.protocol = Protocol::Grpc;
                config.metrics.interval = interval;
                config.metrics.process.cpu_utilization = true;
                config.metrics.process.memory_utilization = true;
                config.metrics.host.cpu.utilization = true;
                config.metrics.host.memory.limit = true;
                config.metrics.host.filesystem.limit = true;
            }
        }
    }

    /// Where it listens, as an OTLP endpoint.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

struct Deliver<F>(F);

#[tonic::async_trait]
impl<F: Fn(ExportMetricsServiceRequest) + Send + Sync + 'static> MetricsService for Deliver<F> {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}
