//! A client that keeps the protocol, for what is in heads and bodies.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, StatusCode};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::support::PATIENCE;

/// One connection.
pub(super) struct Client {
    runtime: Runtime,
    requests: SendRequest<Bytes>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Option<HeaderMap>,
}

impl Answer {
    /// The value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// The body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A request under way.
pub(super) struct Call {
    pub(super) answer: ResponseFuture,
    pub(super) body: SendStream<Bytes>,
}

impl Client {
    #[track_caller]
    pub(super) fn connect(to: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().expect("a runtime");
        let requests = runtime.block_on(async {
            let stream = TcpStream::connect(to).await.expect("the listener is bound");
            let (requests, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
            tokio::spawn(async move { drop(connection.await) });
            requests
        });
        Self { runtime, requests }
    }

    /// Begins a request.
    #[track_caller]
    pub(super) fn begin(&mut self, request: Request<()>, ended: bool) -> Call {
        let requests = self.requests.clone();
        self.wait(async {
            let mut requests = requests.ready().await.expect("a connection");
            let (answer, body) = requests.send_request(request, ended).expect("a request");
            Call { answer, body }
        })
    }

    /// Waits, but not for ever.
    #[track_caller]
    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        let work = async { tokio::time::timeout(PATIENCE, work).await };
        self.runtime.block_on(work).expect("in time")
    }

    /// Lets the connection work until this is so.
    #[track_caller]
    pub(super) fn until(&self, met: impl Fn() -> bool) {
        self.wait(async {
            while !met() {
                // SLEEP: between two looks at what announces nothing.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
    }

    /// Sends a piece of a request's body.
    pub(super) fn send(&self, call: &mut Call, piece: &[u8], last: bool) {
        call.body.send_data(Bytes::copy_from_slice(piece), last).expect("a stream");
        // Lets the connection write.
        self.wait(tokio::task::yield_now());
    }

    /// The answer to a request without a body.
    #[track_caller]
    pub(super) fn ask(&mut self, request: Request<()>) -> Answer {
        let call = self.begin(request, true);
        self.finish(call).expect("an answer")
    }

    /// The answer to a request with this body.
    #[track_caller]
    pub(super) fn post(&mut self, request: Request<()>, body: &[u8]) -> Answer {
        let mut call = self.begin(request, false);
        self.send(&mut call, body, true);
        self.finish(call).expect("an answer")
    }

    /// The answer to what is under way, to its end.
    #[track_caller]
    pub(super) fn finish(&self, call: Call) -> Result<Answer, h2::Error> {
        self.wait(async {
            let (parts, mut stream) = call.answer.await?.into_parts();
            let body = take(&mut stream).await?;
            let trailers = stream.trailers().await?;
            Ok(Answer { status: parts.status, headers: parts.headers, body, trailers })
        })
    }
}

/// All that is left of a body.
pub(super) async fn take(stream: &mut RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut body = Vec::new();
    while let Some(piece) = poll_fn(|cx| stream.poll_data(cx)).await {
        let piece = piece?;
        stream.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// A request to the site.
pub(super) fn get(target: &str) -> http::request::Builder {
    Request::builder().uri(format!("http://site.test{target}"))
}

/// A request without more to it.
pub(super) fn plain(request: http::request::Builder) -> Request<()> {
    request.body(()).expect("a request")
}
