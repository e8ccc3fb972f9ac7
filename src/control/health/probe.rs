//! One check of one server: connect, ask, look at the answer, close.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, TE, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Target, grpc};
use crate::addr::proxy_protocol;
use crate::snapshot::{Question, Speaks};
use crate::tls::Alpn;

/// What checks call themselves.
const AGENT: HeaderValue = HeaderValue::from_static("intermission-health");
/// Bytes of an answer that are read; no answer that means "well" is longer.
const ANSWER_BYTES_MAX: usize = 4096;

/// A connection, with TLS or without.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Asks once, within the check's time. An error says what was seen, for operators.
///
/// CANCEL: dropping it closes the connection.
pub(super) async fn ask(target: &Target) -> Result<(), String> {
    let asked = async {
        match &target.check.question {
            Question::Tcp => connect(target, alpn(target)).await.map(drop),
            Question::Http { path, host, status } => {
                let got = match target.speaks {
                    Speaks::Http1 | Speaks::Either => get(target, path, host.as_ref()).await?,
                    Speaks::Http2 => get_by_h2(target, path, host.as_ref()).await?,
                };
                let good = status.iter().any(|good| good.contains(&got));
                if good { Ok(()) } else { Err(format!("answered {got}")) }
            }
            Question::Grpc { service, host } => call(target, service, host.as_ref()).await,
        }
    };
    let timeout = target.check.timeout;
    let late = |_| Err(format!("no answer within {timeout:?}"));
    tokio::time::timeout(timeout, asked).await.unwrap_or_else(late)
}

async fn connect(target: &Target, alpn: Alpn) -> Result<Box<dyn Wire>, String> {
    let mut at: SocketAddr = target.address.0;
    if let Some(port) = target.check.port {
        at.set_port(port);
    }
    let mut stream = TcpStream::connect(at).await.map_err(|error| error.to_string())?;
    if let Some(version) = target.proxy_protocol {
        // A check comes from us and is for nobody, which both versions have words for.
        let local = proxy_protocol::encode_local(version);
        stream.write_all(&local).await.map_err(|error| error.to_string())?;
    }
    let Some(tls) = &target.tls else { return Ok(Box::new(stream)) };
    let connected = tls.connect(&target.name, alpn, stream).await;
    Ok(Box::new(connected.map_err(|error| format!("TLS: {error}"))?))
}

/// The status of a page.
async fn get(
    target: &Target,
    path: &PathAndQuery,
    host: Option<&HeaderValue>,
) -> Result<u16, String> {
    let wire = connect(target, Alpn::Http1).await?;
    let request = Request::get(path.as_str())
        .header(HOST, named(target, host))
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|error| error.to_string())?;
    let shaken = http1::handshake(TokioIo::new(wire)).await.map_err(|error| error.to_string())?;
    let (mut requests, connection) = shaken;
    let answer = async {
        let answer = requests.send_request(request).await;
        answer.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string())
    };
    beside(answer, connection).await
}

/// What requests of this upstream offer, so that a check fails where they would.
fn alpn(target: &Target) -> Alpn {
    match target.speaks {
        Speaks::Http1 => Alpn::Http1,
        Speaks::Http2 => Alpn::H2,
        Speaks::Either => Alpn::Either,
    }
}

/// The status of a page of a server that speaks HTTP/2 alone.
async fn get_by_h2(
    target: &Target,
    path: &PathAndQuery,
    host: Option<&HeaderValue>,
) -> Result<u16, String> {
    let request = Request::get(absolute(target, path.as_str(), host)?)
        .header(USER_AGENT, AGENT)
        .body(Full::<Bytes>::default());
    let request = request.map_err(|error| error.to_string())?;
    by_h2(target, request, |answer| async move { Ok(answer.status().as_u16()) }).await
}

/// The URI of a request over HTTP/2.
fn absolute(target: &Target, path: &str, host: Option<&HeaderValue>) -> Result<Uri, String> {
    let scheme = if target.tls.is_some() { "https" } else { "http" };
    let uri = Uri::builder().scheme(scheme).authority(named(target, host).as_bytes());
    uri.path_and_query(path).build().map_err(|error| error.to_string())
}

/// Asks over HTTP/2, and reads the answer as `read` says.
async fn by_h2<T, F: Future<Output = Result<T, String>>>(
    target: &Target,
    request: Request<Full<Bytes>>,
    read: impl FnOnce(Response<Incoming>) -> F,
) -> Result<T, String> {
    let wire = connect(target, Alpn::H2).await?;
    let shaken = http2::handshake(TokioExecutor::new(), TokioIo::new(wire)).await;
    let (mut requests, connection) = shaken.map_err(|error| error.to_string())?;
    let answer = async {
        let answer = requests.send_request(request).await.map_err(|error| error.to_string())?;
        read(answer).await
    };
    beside(answer, connection).await
}

/// `grpc.health.v1.Health/Check`.
async fn call(target: &Target, service: &str, host: Option<&HeaderValue>) -> Result<(), String> {
    let request = Request::post(absolute(target, grpc::PATH, host)?)
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .header(USER_AGENT, AGENT)
        .body(Full::new(grpc::question(service)));
    let request = request.map_err(|error| error.to_string())?;
    let read = |answer: Response<Incoming>| async {
        let (head, body) = answer.into_parts();
        if head.status != http::StatusCode::OK {
            return Err(format!("answered {}", head.status.as_u16()));
        }
        let (body, trailers) = whole(body).await?;
        grpc::verdict(&head.headers, &body, &trailers)
    };
    by_h2(target, request, read).await
}

async fn whole(body: Incoming) -> Result<(Bytes, HeaderMap), String> {
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| error.to_string())?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    Ok((body.to_bytes(), trailers))
}

/// The host that is asked for.
fn named(target: &Target, host: Option<&HeaderValue>) -> HeaderValue {
    let typed = || HeaderValue::from_str(&target.name);
    host.cloned().map_or_else(typed, Ok).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The answer, while the connection is driven.
async fn beside<T>(
    answer: impl Future<Output = Result<T, String>>,
    connection: impl Future<Output = hyper::Result<()>>,
) -> Result<T, String> {
    let mut answer = std::pin::pin!(answer);
    let mut connection = std::pin::pin!(connection);
    let mut open = true;
    loop {
        // CANCEL: both are pinned outside the loop; the one that loses goes on in the next round.
        tokio::select! {
            answer = answer.as_mut() => return answer,
            _ = connection.as_mut(), if open => open = false,
        }
    }
}
