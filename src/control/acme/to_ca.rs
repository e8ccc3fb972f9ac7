//! How the CA is spoken to: one connection for each of the few requests, under our own TLS.

use std::future::Future;
use std::io;
use std::pin::Pin;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use tokio::net::TcpStream;

use crate::limit;
use crate::snapshot::Acme;
use crate::tls::{Alpn, Client};

/// The way to the CA.
pub(super) struct ToCa(Client);

impl ToCa {
    pub(super) fn new(acme: &Acme) -> Self {
        Self(acme.client.clone())
    }
}

impl HttpClient for ToCa {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.0.clone();
        Box::pin(async move {
            let exchange = exchange(&client, request);
            let answer = tokio::time::timeout(limit::ACME_REQUEST_DEADLINE, exchange).await;
            answer.unwrap_or_else(|late| Err(other(late)))
        })
    }
}

fn other(fault: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Other(fault.into())
}

async fn exchange(
    client: &Client,
    mut request: Request<BodyWrapper<Bytes>>,
) -> Result<BytesResponse, Error> {
    let place = request.uri().clone();
    let secure = place.scheme() == Some(&http::uri::Scheme::HTTPS);
    let authority = place.authority().filter(|_| secure);
    // The CA names where to go on; that it goes on in secret is for us to see to.
    let authority = authority.ok_or_else(|| other("the CA leads away from https"))?;
    let host = HeaderValue::from_str(authority.as_str()).map_err(other)?;
    let server = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(443));
    let target = place.path_and_query().map_or("/", |target| target.as_str());
    *request.uri_mut() = target.parse::<Uri>()?;
    request.headers_mut().insert(HOST, host);
    let stream = TcpStream::connect(&server).await.map_err(other)?;
    let stream = client.connect(&server, Alpn::Http1, stream).await.map_err(other)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(other)?;
    let answer = async move {
        let (parts, body) = sender.send_request(request).await.map_err(other)?.into_parts();
        let body = Limited::new(body, limit::ACME_BODY_BYTES_MAX).collect().await.map_err(other)?;
        Ok(BytesResponse { parts, body: Box::new(body.to_bytes()) })
    };
    // The connection ends once the answer has let go of it.
    let (answer, ended) = tokio::join!(answer, connection);
    if let Err(fault) = ended {
        let fault = io::Error::other(fault);
        tracing::debug!(%fault, "a connection to the CA");
    }
    answer
}
