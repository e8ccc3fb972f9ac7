//! Why a request got no answer from upstream, and what is told of it.

use std::error::Error as _;

use super::upstream::ConnectError;
use crate::pages::PlainKind;
use crate::telemetry::end::End;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub(super) enum ForwardError {
    /// No server may be asked; nothing was sent.
    #[error("no server of the upstream may be asked")]
    Nobody,
    /// Too many wait for a server already; nothing was sent.
    #[error("too many requests wait for a server")]
    QueueFull,
    /// No server had a place in time; nothing was sent.
    #[error("no server had a place for the request in time")]
    QueueTimedOut,
    /// No server took the connection; nothing was sent.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection broke before a byte of the request was written; nothing was sent.
    #[error("the connection broke before anything was sent: {0}")]
    NeverSent(hyper::Error),
    /// The server said that it did not look at the request (RFC 9113 §8.7).
    #[error("the server refused the stream: {0}")]
    Refused(hyper::Error),
    /// The server closed or broke the connection before its answer.
    #[error("the server closed without an answer: {0}")]
    Reset(hyper::Error),
    /// The server's answer is not HTTP.
    #[error("the server's answer is malformed: {0}")]
    Malformed(hyper::Error),
    /// The server's answer could be read in two ways.
    #[error("the framing of the server's answer is in doubt")]
    InDoubt,
    /// The answer's head did not come in time.
    #[error("the server did not answer in time")]
    TimedOut,
    /// A window closed its place, and the time to drain is over.
    #[error("a window cut it off")]
    Closed,
    /// The request's body did not arrive whole, which is the client's doing.
    #[error("the request's body did not arrive whole")]
    Client(End),
}

impl ForwardError {
    /// What hyper's error means, given whether the request came back unsent, and what became of
    /// the client's body.
    pub(super) fn of(error: hyper::Error, unsent: bool, client: Option<End>) -> Self {
        match client {
            Some(end) => Self::Client(end),
            None if unsent => Self::NeverSent(error),
            None if is_refused(&error) => Self::Refused(error),
            None if error.is_parse() => Self::Malformed(error),
            None => Self::Reset(error),
        }
    }

    /// What is told of it.
    pub(super) fn end(&self) -> End {
        match self {
            Self::Nobody => End::UpstreamConnectNone,
            Self::QueueFull => End::ProxyQueueFull,
            Self::QueueTimedOut => End::ProxyQueueTimeout,
            Self::Connect(ConnectError::Refused(..)) | Self::NeverSent(_) => {
                End::UpstreamConnectRefused
            }
            Self::Connect(ConnectError::TimedOut(_)) => End::UpstreamConnectTimeout,
            Self::Connect(ConnectError::Tls(..)) => End::UpstreamConnectTls,
            Self::Reset(_) | Self::Refused(_) => End::UpstreamWaitReset,
            Self::Malformed(_) | Self::InDoubt => End::UpstreamWaitMalformed,
            Self::TimedOut => End::UpstreamWaitTimeout,
            Self::Closed => End::ProxyAnswerClosed,
            Self::Client(end) => *end,
        }
    }

    /// What the client is shown.
    pub(super) fn page(&self) -> PlainKind {
        match self {
            Self::Connect(ConnectError::TimedOut(_)) | Self::TimedOut => PlainKind::GatewayTimeout,
            Self::Nobody
            | Self::QueueFull
            | Self::QueueTimedOut
            | Self::Connect(ConnectError::Refused(..) | ConnectError::Tls(..))
            | Self::NeverSent(_)
            | Self::Refused(_)
            | Self::Reset(_)
            | Self::Malformed(_)
            | Self::Closed
            | Self::InDoubt => PlainKind::BadGateway,
            Self::Client(End::ClientBodyTimeout) => PlainKind::Timeout,
            Self::Client(_) => PlainKind::BadRequest,
        }
    }

    /// Whether there are servers, but none that may be asked now, or not any longer: it is 503
    /// then.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Nobody | Self::QueueFull | Self::QueueTimedOut | Self::Closed)
    }

    /// Whether no server has looked at the request.
    pub(super) fn never_sent(&self) -> bool {
        match self {
            Self::Nobody
            | Self::QueueFull
            | Self::QueueTimedOut
            | Self::Connect(_)
            | Self::NeverSent(_)
            | Self::Refused(_) => true,
            Self::Reset(_)
            | Self::Malformed(_)
            | Self::InDoubt
            | Self::TimedOut
            | Self::Closed
            | Self::Client(_) => false,
        }
    }

    /// Whether it is a server's fault.
    pub(super) fn is_servers(&self) -> bool {
        match self {
            Self::Connect(_)
            | Self::NeverSent(_)
            | Self::Reset(_)
            | Self::Malformed(_)
            | Self::InDoubt
            | Self::TimedOut => true,
            // A server that refuses a stream does so because it stops or has enough to do.
            Self::Nobody
            | Self::QueueFull
            | Self::QueueTimedOut
            | Self::Refused(_)
            | Self::Closed
            | Self::Client(_) => false,
        }
    }
}

/// Whether the server said that it did not look at the stream: by REFUSED_STREAM, or by a GOAWAY
/// that names a stream before it.
fn is_refused(error: &hyper::Error) -> bool {
    let h2 = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    h2.is_some_and(|error| {
        let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (error.is_go_away() || error.is_reset() && refused)
    })
}
