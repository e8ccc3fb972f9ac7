//! HTTP/2 connections to one server: how many streams each carries, and one being made at a time.
//!
//! Cancelled streams are ordinary here: clients leave. h2 would count what a server still sends on
//! them as errors, and give the connection up after 1,024 of those, which harms everybody else on
//! it; so that count is off, and late frames are ignored instead.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::{Builder, Connection, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::super::body::Upload;
use super::super::gather::Gather;
use super::connect::ConnectError;
use super::stream::Stream;
use crate::limit;

/// The HTTP/2 connections to a server.
#[derive(Default)]
pub(super) struct Sessions {
    open: RefCell<Vec<Rc<Session>>>,
    /// Who waits for the one that is being made.
    opening: RefCell<Option<Vec<oneshot::Sender<Opened>>>>,
    /// Whether the server chose HTTP/1.1 the last time that it was asked.
    is_http1: Cell<bool>,
}

/// What became of a connection that somebody waited for.
pub(super) type Opened = Result<(), ConnectError>;

/// One HTTP/2 connection.
pub(super) struct Session {
    requests: RefCell<SendRequest<Upload>>,
    /// None once it is done: what still waits in it is told by its end.
    driver: Rc<RefCell<Option<Driver>>>,
    streams: Cell<usize>,
    carried: Cell<u64>,
    used: Cell<u64>,
}

type Driver = Connection<TokioIo<Heard>, Upload, Local>;

/// A stream of a session that is in use.
pub(super) struct InUse {
    session: Rc<Session>,
    number: u64,
}

/// Runs what hyper spawns on the worker's own thread. Each task ends with its connection or stream.
#[derive(Clone, Copy)]
pub(super) struct Local;

impl<F: Future<Output = ()> + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

impl Sessions {
    /// A stream on a connection that has room for one.
    pub(super) fn stream(&self, now: u64) -> Option<InUse> {
        let mut open = self.open.borrow_mut();
        open.retain(|session| !session.is_closed());
        let session = open.iter().find(|session| session.has_room())?;
        Some(session.take(now))
    }

    /// Waits for the connection that is being made, or has `make` begin with one: one for all who
    /// need one now.
    pub(super) fn opened(&self, make: impl FnOnce()) -> oneshot::Receiver<Opened> {
        let (tell, told) = oneshot::channel();
        let mut opening = self.opening.borrow_mut();
        match &mut *opening {
            Some(waiting) => waiting.push(tell),
            None => {
                *opening = Some(vec![tell]);
                drop(opening);
                make();
            }
        }
        told
    }

    /// The connection that was being made is there, or is not.
    pub(super) fn tell(&self, opened: &Opened) {
        for waiting in self.opening.take().into_iter().flatten() {
            // Whoever left needs no connection.
            let _ = waiting.send(opened.clone());
        }
    }

    /// Adds a connection.
    pub(super) fn add(&self, session: Rc<Session>) {
        self.is_http1.set(false);
        self.open.borrow_mut().push(session);
    }

    /// The server was asked and chose HTTP/1.1.
    pub(super) fn add_http1(&self) {
        self.is_http1.set(true);
    }

    /// Whether it did so the last time.
    pub(super) fn is_http1(&self) -> bool {
        self.is_http1.get()
    }

    /// Closes connections without streams since before `oldest`.
    pub(super) fn prune(&self, oldest: u64) {
        let stays = |session: &Rc<Session>| {
            let idle = session.streams.get() == 0 && session.used.get() < oldest;
            !idle && !session.is_closed()
        };
        self.open.borrow_mut().retain(stays);
    }

    /// No further stream on any of them; each closes after its last.
    pub(super) fn retire(&self) {
        self.is_http1.set(false);
        self.open.borrow_mut().clear();
    }
}

impl Session {
    /// Begins HTTP/2 on a socket, and waits until the server has said what it allows.
    ///
    /// CANCEL: dropping it closes the connection.
    pub(super) async fn begin(stream: Stream) -> std::io::Result<Rc<Self>> {
        let (tell, heard) = oneshot::channel();
        let socket = Heard { stream: Gather(stream), tell: Some(tell) };
        let mut builder = Builder::new(Local);
        builder
            .timer(TokioTimer::new())
            .max_header_list_size(limit::H2_HEADER_LIST_MAX)
            .initial_max_send_streams(limit::H2_UPSTREAM_STREAMS_MAX)
            .initial_stream_window_size(limit::H2_UPSTREAM_STREAM_WINDOW)
            .initial_connection_window_size(limit::H2_UPSTREAM_CONNECTION_WINDOW)
            .max_send_buf_size(limit::H2_SEND_BUFFER)
            .max_local_error_reset_streams(None)
            .max_concurrent_reset_streams(limit::H2_UPSTREAM_RESETS_MAX)
            .keep_alive_interval(limit::H2_UPSTREAM_PING_EVERY)
            .keep_alive_timeout(limit::H2_UPSTREAM_PING_TIMEOUT);
        let handshake = builder.handshake(TokioIo::new(socket)).await;
        let (requests, driver) = handshake.map_err(std::io::Error::other)?;
        heard.await.map_err(|_| std::io::ErrorKind::ConnectionReset)?;
        let driver = Rc::new(RefCell::new(Some(driver)));
        let running = Rc::clone(&driver);
        // The task ends with its connection: when the session goes, or the server closes.
        tokio::task::spawn_local(poll_fn(move |cx| {
            let mut driver = running.borrow_mut();
            let ended = driver.as_mut().is_none_or(|driver| Pin::new(driver).poll(cx).is_ready());
            let Some(over) = ended.then(|| driver.take()) else { return Poll::Pending };
            // Its end wakes others, who may look at it.
            drop(driver);
            drop(over);
            Poll::Ready(())
        }));
        Ok(Rc::new(Self {
            requests: RefCell::new(requests),
            driver,
            streams: Cell::new(0),
            carried: Cell::new(0),
            used: Cell::new(0),
        }))
    }

    fn is_closed(&self) -> bool {
        self.driver.borrow().is_none() || self.requests.borrow().is_closed()
    }

    fn has_room(&self) -> bool {
        let driver = self.driver.borrow();
        let Some(driver) = &*driver else { return false };
        let allowed = driver.current_max_send_streams();
        self.streams.get() < allowed.min(limit::H2_UPSTREAM_STREAMS_MAX)
    }

    fn take(self: &Rc<Self>, now: u64) -> InUse {
        self.streams.set(self.streams.get() + 1);
        self.carried.set(self.carried.get() + 1);
        self.used.set(now);
        InUse { session: Rc::clone(self), number: self.carried.get() }
    }
}

impl InUse {
    /// Sends a request, at once; what is returned waits for the answer's head.
    pub(super) fn send(
        &self,
        request: Request<Upload>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Upload>>>> + use<>
    {
        self.session.requests.borrow_mut().try_send_request(request)
    }

    /// Whether it is the first of its connection.
    pub(super) fn is_first(&self) -> bool {
        self.number == 1
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.session.streams.set(self.session.streams.get().saturating_sub(1));
    }
}

/// A socket that tells when the server has said its first word: its SETTINGS (RFC 9113 §3.4).
struct Heard {
    stream: Gather<Stream>,
    tell: Option<oneshot::Sender<()>>,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if self.tell.is_some()
            && buf.filled().len() > before
            && let Some(tell) = self.tell.take()
        {
            // Whoever asked may be gone.
            let _ = tell.send(());
        }
        polled
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
