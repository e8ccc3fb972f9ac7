//! The demo's application: a small claim portal with sessions, CSRF tokens and uploads.
//!
//! It is strict in the way that real frameworks are: a post without a session, from another origin
//! or with a token that went stale is refused with a page. It knows nothing of Intermission.

mod ledger;
mod multipart;
mod portal;
mod token;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use http::Request;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

pub use ledger::Ledger;

use self::portal::Portal;
use crate::clock::Clock;
use crate::serve;

/// Connections at once. Over it: the next waits in the listener's backlog.
const CONNECTIONS_MAX: usize = 256;
/// Bytes of one request body. Over it: 413.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A running application. Stopping it cuts its connections, as a deploy would.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl App {
    /// Starts on `address` over `ledger`, its database. The key of its CSRF tokens is made anew at
    /// every start, so that a form page loaded before a restart holds a stale token after it.
    pub fn start(ledger: Arc<Ledger>, address: SocketAddr, clock: Clock) -> io::Result<Self> {
        let listener = serve::patiently(|| TcpListener::bind(address))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let portal = Arc::new(Portal::new(ledger, clock));
        let serve = move || runtime.block_on(accept(listener, portal, stopped));
        let thread = std::thread::Builder::new().name("demo-app".into()).spawn(serve)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, portal: Arc<Portal>, mut stopped: oneshot::Receiver<()>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let mut connections = JoinSet::new();
    loop {
        // CANCEL: accept and join_next lose nothing when dropped; a stop drops every connection.
        tokio::select! {
            _ = &mut stopped => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                let Ok((stream, _)) = accepted else { continue };
                let portal = Arc::clone(&portal);
                connections.spawn(async move {
                    let answer = service_fn(move |request| answer(Arc::clone(&portal), request));
                    let mut server = hyper::server::conn::http1::Builder::new();
                    server.timer(TokioTimer::new());
                    // A connection that breaks is the client's affair.
                    let _ = server.serve_connection(TokioIo::new(stream), answer).await;
                });
            }
        }
    }
}

async fn answer(
    portal: Arc<Portal>,
    request: Request<Incoming>,
) -> Result<portal::Answer, std::convert::Infallible> {
    let (head, body) = request.into_parts();
    Ok(match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(whole) => portal.answer(&Request::from_parts(head, whole.to_bytes())),
        Err(_) => portal::too_large(),
    })
}
