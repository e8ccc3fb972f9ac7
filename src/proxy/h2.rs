//! HTTP/2: hyper's server on a client's socket, a lane for each stream.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::deadline::Wait;
use super::gather::Gather;
use super::lane::{Kind, Lane, Link};
use super::request;
use super::socket::Socket;
use crate::limit;

/// What a client that speaks HTTP/2 without TLS says first (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether the first bytes are those of HTTP/2. They are looked at, not taken, and awaited no
/// longer than a head.
pub(super) async fn is_prefaced(stream: &TcpStream) -> bool {
    let look = async {
        let mut first = [0; PREFACE.len()];
        loop {
            let count = stream.peek(&mut first).await.unwrap_or(0);
            if count == 0 || !PREFACE.starts_with(&first[..count]) {
                return false;
            }
            if count == PREFACE.len() {
                return true;
            }
            // Peeking again would be ready at once.
            tokio::time::sleep(limit::PREFACE_LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(limit::HEAD_DEADLINE, look).await.unwrap_or(false)
}

/// Spawns the streams of one connection, each under the deadlines of the lane made just before.
#[derive(Clone, Default)]
struct Streams {
    next: Rc<RefCell<Option<Rc<Lane>>>>,
}

impl<F: Future<Output = ()> + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let lane = self.next.take();
        // The task ends with its stream: hyper's connection resets it when it goes.
        tokio::task::spawn_local(async move {
            let mut stream = pin!(stream);
            poll_fn(|cx| {
                if let Some(lane) = &lane {
                    lane.clockwork.watch(cx);
                }
                if stream.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                let stalled = lane.as_ref().is_some_and(|lane| lane.clockwork.passed(Wait::Write));
                if stalled { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        });
    }
}

/// Serves a connection to its end.
pub(super) async fn serve(link: Rc<Link>, socket: Socket) {
    let worker = Rc::clone(&link.worker);
    let registered = worker.sweep.register();
    let clockwork = registered.share();
    clockwork.restart(Wait::Head, clockwork.pace().keep_alive);
    let streams = Streams::default();
    let service = service_fn(|request| {
        let lane = Lane::new(&link, Kind::Http2);
        *streams.next.borrow_mut() = Some(Rc::clone(&lane));
        request::serve(&lane, request)
    });
    let mut http = hyper::server::conn::http2::Builder::new(streams.clone());
    http.timer(TokioTimer::new())
        .max_concurrent_streams(limit::H2_STREAMS_MAX)
        .max_header_list_size(limit::H2_HEADER_LIST_MAX)
        .initial_stream_window_size(limit::H2_STREAM_WINDOW)
        .initial_connection_window_size(limit::H2_CONNECTION_WINDOW)
        .max_send_buf_size(limit::H2_SEND_BUFFER)
        .keep_alive_interval(limit::H2_PING_EVERY)
        .keep_alive_timeout(limit::H2_PING_TIMEOUT);
    let mut http = http.serve_connection(TokioIo::new(Gather(socket)), service);
    let mut graceful = false;
    poll_fn(|cx| {
        clockwork.watch(cx);
        if Pin::new(&mut http).poll(cx).is_ready() || worker.cutting() {
            return Poll::Ready(());
        }
        if link.is_busy() {
            clockwork.restart(Wait::Head, clockwork.pace().keep_alive);
        }
        let idle = clockwork.passed(Wait::Head);
        if !graceful && (worker.stopping() || idle) {
            graceful = true;
            Pin::new(&mut http).graceful_shutdown();
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await;
}
