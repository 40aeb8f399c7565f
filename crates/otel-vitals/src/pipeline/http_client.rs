//! The HTTP client of OTLP/HTTP: hyper on the pipeline's own runtime.

use async_trait::async_trait;
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};

use super::otlp::{Cause, Link, USER_AGENT};
use super::resolver::{self, Resolver};
use crate::config::OtlpConfig;
use crate::error::Error;

#[cfg(feature = "tls")]
type Connector = hyper_rustls::HttpsConnector<HttpConnector<Resolver>>;
#[cfg(not(feature = "tls"))]
type Connector = HttpConnector<Resolver>;

/// Sends OTLP requests with exactly the headers that the configuration names.
#[derive(Debug)]
pub(super) struct Client {
    inner: HyperClient<Connector>,
    headers: http::HeaderMap,
    cause: Cause,
}

impl Client {
    pub(super) fn new(config: &OtlpConfig, link: &Link) -> Result<Self, Error> {
        let mut headers = config.headers.to_map();
        headers.entry(http::header::USER_AGENT).or_insert(http::HeaderValue::from_static(USER_AGENT));
        // The pipeline bounds every export itself, and must be the one to notice.
        let timeout = config.timeout.saturating_mul(2);
        let inner = HyperClient::new(connector(config, link)?, timeout, None);
        Ok(Client { inner, headers, cause: link.cause.clone() })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // The exporter adds the headers of the environment by itself; ours already are what all layers agreed on.
        let body = [http::header::CONTENT_TYPE, http::header::CONTENT_ENCODING];
        let body = body.map(|name| (name.clone(), request.headers_mut().remove(name)));
        *request.headers_mut() = self.headers.clone();
        for (name, value) in body {
            if let Some(value) = value {
                request.headers_mut().insert(name, value);
            }
        }
        self.inner.send_bytes(request).await.inspect_err(|error| self.cause.is(error.as_ref()))
    }
}

#[cfg(feature = "tls")]
fn connector(config: &OtlpConfig, link: &Link) -> Result<Connector, Error> {
    let mut http = resolver::connector(config.timeout);
    http.enforce_http(false);
    let tls = super::tls::client(config, link)?;
    Ok(hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http))
}

#[cfg(not(feature = "tls"))]
fn connector(config: &OtlpConfig, link: &Link) -> Result<Connector, Error> {
    if link.is_encrypted() {
        Err(Error::Exporter { endpoint: config.url(), reason: super::otlp::NO_TLS.to_owned() })
    } else {
        Ok(resolver::connector(config.timeout))
    }
}
