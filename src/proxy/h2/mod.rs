//! HTTP/2: one connection, from its preface to its end. Each stream is a task with a lane of its
//! own; what belongs to the connection as a whole is decided here.
//!
//! | what ends a connection | how |
//! |---|---|
//! | idle for too long, old, many requests, the process stops | GOAWAY, streams finish |
//! | SETTINGS that are not acknowledged in time | GOAWAY with SETTINGS_TIMEOUT |
//! | more control frames or resets than a client needs | GOAWAY with ENHANCE_YOUR_CALM |
//! | what the protocol forbids | GOAWAY with the reason, by the library |
//! | a PING that is not answered, a socket that takes nothing | closed |

mod connect;
mod frames;
mod intake;
mod stream;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Ping, PingPong, Reason, RecvStream};
use http::Request;
use tokio::net::TcpStream;

use super::deadline::{Clockwork, Wait};
use super::gather::Gather;
use super::h1;
use super::lane::{Kind, Lane, Link};
use super::socket::Socket;
use crate::limit;
use crate::telemetry::shard::Goaway;
use frames::{Fault, Frames, PREFACE, Tally};

#[cfg(feature = "fuzzing")]
pub(super) use frames::heads;
pub(super) use stream::Received;

type Followed = Frames<Gather<Socket>>;

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

/// Serves a connection to its end.
pub(super) async fn serve(link: Rc<Link>, socket: Socket) {
    let socket = Rc::new(RefCell::new(Gather(socket)));
    let farewell = converse(&link, Rc::clone(&socket)).await;
    if farewell == Farewell::Said
        && let Some(socket) = Rc::into_inner(socket)
    {
        // The client may still be sending, and is to read our last frame rather than a reset.
        h1::close(socket.into_inner().0, None).await;
    }
}

/// Whether the client was told why its connection ends, or there is nobody to tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Farewell {
    Said,
    Cut,
}

async fn converse(link: &Rc<Link>, socket: Rc<RefCell<Gather<Socket>>>) -> Farewell {
    let worker = &link.worker;
    let registered = worker.sweep.register();
    let clockwork = registered.share();
    let tally = Rc::<Tally>::default();
    let frames = Frames::new(socket, Rc::clone(&tally), clockwork.clone(), Rc::clone(link));
    clockwork.restart(Wait::Head, clockwork.pace().head);
    let mut handshake = pin!(builder().handshake::<_, Bytes>(frames));
    let shaken = poll_fn(|cx| {
        clockwork.watch(cx);
        match handshake.as_mut().poll(cx) {
            Poll::Ready(shaken) => Poll::Ready(Some(shaken)),
            // Whoever has just connected is heard also while the node stops: closing on a preface
            // that is on its way would reset the connection, before its client was told anything.
            Poll::Pending if clockwork.passed(Wait::Head) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    let mut connection = match shaken {
        Some(Ok(connection)) => connection,
        Some(Err(error)) => {
            tracing::debug!(%error, "a client did not begin with HTTP/2");
            return Farewell::Said;
        }
        None => return Farewell::Cut,
    };
    worker.shard.h2_opened();
    let pings = connection.ping_pong();
    let mut session = Session::new(link, clockwork, tally, connection, pings);
    poll_fn(|cx| session.poll(cx)).await
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(limit::H2_STREAMS_MAX)
        .max_header_list_size(limit::H2_HEADER_LIST_MAX)
        .initial_window_size(limit::H2_STREAM_WINDOW)
        .initial_connection_window_size(limit::H2_CONNECTION_WINDOW)
        .max_send_buffer_size(limit::H2_SEND_BUFFER)
        .max_local_error_reset_streams(Some(limit::H2_LOCAL_RESETS_MAX))
        .max_concurrent_reset_streams(limit::H2_REMEMBERED_RESETS_MAX)
        .reset_stream_duration(limit::H2_RESET_REMEMBERED)
        .enable_connect_protocol();
    builder
}

/// How far a connection is with its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Open,
    /// GOAWAY was sent: streams that are there finish.
    Leaving,
}

/// A connection whose preface was right.
///
/// Its deadlines: `Head` for a connection without streams, `Body` for the acknowledgement of our
/// SETTINGS, `Upstream` for the next PING or its answer, `Write` for the socket.
struct Session<'a> {
    link: &'a Rc<Link>,
    clockwork: Clockwork,
    tally: Rc<Tally>,
    connection: Connection<Followed, Bytes>,
    pings: Option<PingPong>,
    pinged: bool,
    heard: u64,
    stage: Stage,
}

impl<'a> Session<'a> {
    fn new(
        link: &'a Rc<Link>,
        clockwork: Clockwork,
        tally: Rc<Tally>,
        connection: Connection<Followed, Bytes>,
        pings: Option<PingPong>,
    ) -> Self {
        let pace = *clockwork.pace();
        clockwork.restart(Wait::Head, pace.keep_alive);
        clockwork.restart(Wait::Body, pace.head);
        clockwork.restart(Wait::Upstream, limit::H2_PING_EVERY);
        Self {
            link,
            clockwork,
            tally,
            connection,
            pings,
            pinged: false,
            heard: 0,
            stage: Stage::Open,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Farewell> {
        self.clockwork.watch(cx);
        loop {
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.begin(request, respond);
                    continue;
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(self.failed(&error)),
                Poll::Ready(None) => return Poll::Ready(Farewell::Said),
                Poll::Pending if self.link.worker.cutting() => {
                    return Poll::Ready(Farewell::Cut);
                }
                Poll::Pending => {}
            }
            if self.is_late(cx) {
                return Poll::Ready(Farewell::Cut);
            }
            let Some(reason) = self.reason_to_leave() else { return Poll::Pending };
            self.leave(reason);
        }
    }

    fn begin(&mut self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        self.link.worker.shard.h2_stream_opened();
        let lane = Lane::new(self.link, Kind::Http2);
        // The task ends with its stream, which ends with the connection.
        tokio::task::spawn_local(stream::serve(lane, request, respond));
    }

    /// Whether the client has let its last chance pass: it is gone, or does not let go.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let pace = *self.clockwork.pace();
        if self.connection.has_streams() {
            self.clockwork.clear(Wait::Head);
        } else {
            let stays = if self.stage == Stage::Open { pace.keep_alive } else { pace.write };
            self.clockwork.arm(Wait::Head, stays);
        }
        let lingers = self.stage == Stage::Leaving && self.clockwork.passed(Wait::Head);
        lingers || self.is_silent(cx)
    }

    /// Whether a PING was not answered. One is sent when nothing was heard for a while.
    fn is_silent(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(pings) = &mut self.pings else { return false };
        if self.pinged && pings.poll_pong(cx).is_ready() {
            self.pinged = false;
            self.clockwork.restart(Wait::Upstream, limit::H2_PING_EVERY);
        }
        if !self.clockwork.passed(Wait::Upstream) {
            return false;
        }
        if self.pinged {
            return true;
        }
        if self.heard == self.tally.heard.get() && pings.send_ping(Ping::opaque()).is_ok() {
            self.pinged = true;
            self.clockwork.restart(Wait::Upstream, limit::H2_PING_TIMEOUT);
            // Registers for the answer, which cannot be here yet.
            let _ = pings.poll_pong(cx);
            return false;
        }
        self.heard = self.tally.heard.get();
        self.clockwork.restart(Wait::Upstream, limit::H2_PING_EVERY);
        false
    }

    fn reason_to_leave(&self) -> Option<Goaway> {
        if self.stage == Stage::Leaving {
            return None;
        }
        if self.tally.settled.get() {
            self.clockwork.clear(Wait::Body);
        }
        let worker = &self.link.worker;
        let reasons = [
            (worker.stopping(), Goaway::Stop),
            (self.clockwork.passed(Wait::Body), Goaway::Settings),
            (self.clockwork.passed(Wait::Head), Goaway::Idle),
            (self.link.is_old(), Goaway::Spent),
            (self.link.has_carried(limit::H2_REQUESTS_MAX), Goaway::Spent),
        ];
        reasons.into_iter().find_map(|(met, reason)| met.then_some(reason))
    }

    fn leave(&mut self, reason: Goaway) {
        self.stage = Stage::Leaving;
        self.clockwork.clear(Wait::Head);
        self.clockwork.clear(Wait::Body);
        self.link.worker.shard.h2_goaway(reason);
        match reason {
            Goaway::Settings => self.connection.abrupt_shutdown(Reason::SETTINGS_TIMEOUT),
            Goaway::Stop | Goaway::Idle | Goaway::Spent | Goaway::Calm | Goaway::Error => {
                self.connection.graceful_shutdown()
            }
        }
    }

    fn failed(&self, error: &h2::Error) -> Farewell {
        tracing::debug!(%error, "an HTTP/2 connection failed");
        let shard = &self.link.worker.shard;
        let told = match self.tally.fault.get() {
            Some(Fault::Flood) => Goaway::Calm,
            Some(Fault::Protocol | Fault::FrameSize) => Goaway::Error,
            None if error.is_io() => return Farewell::Cut,
            None if error.reason() == Some(Reason::ENHANCE_YOUR_CALM) => Goaway::Calm,
            None => Goaway::Error,
        };
        shard.h2_goaway(told);
        Farewell::Said
    }
}
