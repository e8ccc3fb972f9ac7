//! A server that is well or not, as the test says, and that can die and come back on its port.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What it answers, and how often it was asked.
pub(super) struct App {
    pub(super) address: SocketAddr,
    pub(super) said: Arc<Said>,
    task: Option<JoinHandle<()>>,
    speaks: Speaks,
}

#[derive(Default)]
pub(super) struct Said {
    /// The HTTP status; for gRPC the serving status.
    pub(super) answer: AtomicU16,
    pub(super) asked: AtomicUsize,
}

#[derive(Clone)]
pub(super) enum Speaks {
    Http,
    Tls(Arc<rustls::ServerConfig>),
    Grpc,
    Http2,
    /// HTTP/1.1 after a PROXY header that says that the connection is for nobody.
    Proxied,
}

impl App {
    pub(super) async fn http(status: u16) -> Self {
        Self::start(Speaks::Http, status).await
    }

    pub(super) async fn start(speaks: Speaks, answer: u16) -> Self {
        let said = Arc::new(Said::default());
        said.answer.store(answer, Ordering::SeqCst);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let task = Some(tokio::spawn(serve(listener, speaks.clone(), Arc::clone(&said))));
        Self { address, said, task, speaks }
    }

    pub(super) fn answers(&self, answer: u16) {
        self.said.answer.store(answer, Ordering::SeqCst);
    }

    pub(super) fn asked(&self) -> usize {
        self.said.asked.load(Ordering::SeqCst)
    }

    /// Nobody listens at its port any more.
    pub(super) async fn die(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }

    /// Listens at its old port again.
    pub(super) async fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("its port");
        let task = serve(listener, self.speaks.clone(), Arc::clone(&self.said));
        self.task = Some(tokio::spawn(task));
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn serve(listener: TcpListener, speaks: Speaks, said: Arc<Said>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, speaks.clone(), Arc::clone(&said)));
    }
}

async fn converse(stream: TcpStream, speaks: Speaks, said: Arc<Said>) {
    match speaks {
        Speaks::Http => page(stream, said).await,
        Speaks::Http2 => {
            let answer = service_fn(move |request| status_of(request, Arc::clone(&said)));
            let builder = http2::Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection(TokioIo::new(stream), answer).await;
        }
        Speaks::Proxied => {
            let (mut stream, mut header) = (stream, [0; 15]);
            let read = stream.read_exact(&mut header).await;
            if read.is_ok() && header == *b"PROXY UNKNOWN\r\n" {
                page(stream, said).await;
            }
        }
        Speaks::Tls(config) => {
            if let Ok(stream) = tokio_rustls::TlsAcceptor::from(config).accept(stream).await {
                page(stream, said).await;
            }
        }
        Speaks::Grpc => {
            let answer = service_fn(move |request| serving(request, Arc::clone(&said)));
            let builder = http2::Builder::new(TokioExecutor::new());
            let _ = builder.serve_connection(TokioIo::new(stream), answer).await;
        }
    }
}

async fn page(stream: impl AsyncRead + AsyncWrite + Unpin, said: Arc<Said>) {
    let answer = service_fn(move |request| status_of(request, Arc::clone(&said)));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

/// The page `/healthz`.
async fn status_of(
    request: Request<Incoming>,
    said: Arc<Said>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    said.asked.fetch_add(1, Ordering::SeqCst);
    let status = match request.uri().path() {
        "/healthz" => said.answer.load(Ordering::SeqCst),
        _ => 404,
    };
    let answer = Response::builder().status(status).body(Full::<Bytes>::default());
    Ok(answer.expect("an answer"))
}

/// `grpc.health.v1.Health/Check`, which knows the services "" and "claims".
async fn serving(
    request: Request<Incoming>,
    said: Arc<Said>,
) -> Result<Response<Frames>, Infallible> {
    assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
    assert_eq!(request.headers()["content-type"], "application/grpc");
    let question = request.into_body().collect().await.expect("a question").to_bytes();
    let is_known = matches!(&question[..], [0, 0, 0, 0, 0] | [0, 0, 0, 0, 8, 0x0a, 6, ..]);
    said.asked.fetch_add(1, Ordering::SeqCst);
    let status = said.answer.load(Ordering::SeqCst) as u8;
    let message = Bytes::from(vec![0, 0, 0, 0, 2, 8, status]);
    let code = HeaderValue::from_static(if is_known { "0" } else { "5" });
    let trailers = HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), code)]);
    let body = Frames([Frame::data(message), Frame::trailers(trailers)].into_iter());
    let answer = Response::builder().header("content-type", "application/grpc").body(body);
    Ok(answer.expect("an answer"))
}

/// A message and its trailers.
struct Frames(std::array::IntoIter<Frame<Bytes>, 2>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}
