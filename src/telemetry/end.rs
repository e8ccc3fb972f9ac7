//! Who ended a request, in which phase, and why: the last field of every access line.

/// How a request ended. `done` is the ordinary one; every other names who, phase and cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum End {
    /// The answer was sent to its last byte.
    Done,
    /// The head is not HTTP, or its framing is in doubt: 400.
    ClientHeadMalformed,
    /// The head, a field or the target is over its bound: 431 or 414.
    ClientHeadTooLarge,
    /// The head was not complete in time: 408.
    ClientHeadTimeout,
    /// Method, version, expectation or host that we do not serve: 405, 417, 421, 501, 505.
    ClientHeadUnsupported,
    /// The body's framing is broken: 400.
    ClientBodyMalformed,
    /// The client went away while sending the body.
    ClientBodyAbort,
    /// The body did not arrive in time: 408.
    ClientBodyTimeout,
    /// The client went away before the answer's head was there.
    ClientWaitAbort,
    /// The client went away while the answer was being sent.
    ClientAnswerAbort,
    /// The client took nothing of the answer for too long.
    ClientAnswerTimeout,
    /// No route has this host and path: 404.
    ProxyRouteUnknown,
    /// The path could be read in two ways: 400.
    ProxyRouteRefused,
    /// The vault could not keep the form: disk, key or store failure.
    ProxyCaptureStore,
    /// Too many requests wait for a server of the upstream: 503.
    ProxyQueueFull,
    /// No server of the upstream had a place in time: 503.
    ProxyQueueTimeout,
    /// Too many requests wait for the window to end: answered as closed.
    ProxyHoldFull,
    /// It waited as long as it may and the window did not end: answered as closed.
    ProxyHoldTimeout,
    /// Too many requests are under way: 503.
    ProxyOverload,
    /// The process stopped before the answer was complete.
    ProxyAnswerStop,
    /// A window outlasted a WebSocket, a stream or a request; its client was told so.
    ProxyAnswerClosed,
    /// A fault of ours: 500, or 503 where the store fails.
    ProxyFault,
    /// No server of the upstream may be asked: 503.
    UpstreamConnectNone,
    /// No server took the connection: 502.
    UpstreamConnectRefused,
    /// No server took the connection in time: 504.
    UpstreamConnectTimeout,
    /// The server is not who it should be, or does not speak TLS: 502.
    UpstreamConnectTls,
    /// The server closed before the answer's head: 502.
    UpstreamWaitReset,
    /// The answer's head did not come in time: 504.
    UpstreamWaitTimeout,
    /// The answer's head is not HTTP, or its framing is in doubt: 502.
    UpstreamWaitMalformed,
    /// The server closed in the middle of the answer: the client's connection is cut too.
    UpstreamAnswerReset,
    /// The framing or coding of the answer's body is broken: the client's connection is cut too.
    UpstreamAnswerMalformed,
    /// The answer paused for too long: the client's connection is cut too.
    UpstreamAnswerTimeout,
}

impl End {
    /// Every code, for tables and for the test that shows each one reachable.
    pub const ALL: [Self; 32] = [
        Self::Done,
        Self::ClientHeadMalformed,
        Self::ClientHeadTooLarge,
        Self::ClientHeadTimeout,
        Self::ClientHeadUnsupported,
        Self::ClientBodyMalformed,
        Self::ClientBodyAbort,
        Self::ClientBodyTimeout,
        Self::ClientWaitAbort,
        Self::ClientAnswerAbort,
        Self::ClientAnswerTimeout,
        Self::ProxyRouteUnknown,
        Self::ProxyRouteRefused,
        Self::ProxyCaptureStore,
        Self::ProxyQueueFull,
        Self::ProxyQueueTimeout,
        Self::ProxyHoldFull,
        Self::ProxyHoldTimeout,
        Self::ProxyOverload,
        Self::ProxyAnswerStop,
        Self::ProxyAnswerClosed,
        Self::ProxyFault,
        Self::UpstreamConnectNone,
        Self::UpstreamConnectRefused,
        Self::UpstreamConnectTimeout,
        Self::UpstreamConnectTls,
        Self::UpstreamWaitReset,
        Self::UpstreamWaitTimeout,
        Self::UpstreamWaitMalformed,
        Self::UpstreamAnswerReset,
        Self::UpstreamAnswerMalformed,
        Self::UpstreamAnswerTimeout,
    ];

    /// `who/phase/why`, as in access lines and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::ClientHeadMalformed => "client/head/malformed",
            Self::ClientHeadTooLarge => "client/head/too_large",
            Self::ClientHeadTimeout => "client/head/timeout",
            Self::ClientHeadUnsupported => "client/head/unsupported",
            Self::ClientBodyMalformed => "client/body/malformed",
            Self::ClientBodyAbort => "client/body/abort",
            Self::ClientBodyTimeout => "client/body/timeout",
            Self::ClientWaitAbort => "client/wait/abort",
            Self::ClientAnswerAbort => "client/answer/abort",
            Self::ClientAnswerTimeout => "client/answer/timeout",
            Self::ProxyRouteUnknown => "proxy/route/unknown",
            Self::ProxyRouteRefused => "proxy/route/refused",
            Self::ProxyCaptureStore => "proxy/capture/store",
            Self::ProxyQueueFull => "proxy/queue/full",
            Self::ProxyQueueTimeout => "proxy/queue/timeout",
            Self::ProxyHoldFull => "proxy/hold/full",
            Self::ProxyHoldTimeout => "proxy/hold/timeout",
            Self::ProxyOverload => "proxy/overload",
            Self::ProxyAnswerStop => "proxy/answer/stop",
            Self::ProxyAnswerClosed => "proxy/answer/closed",
            Self::ProxyFault => "proxy/fault",
            Self::UpstreamConnectNone => "upstream/connect/none",
            Self::UpstreamConnectRefused => "upstream/connect/refused",
            Self::UpstreamConnectTimeout => "upstream/connect/timeout",
            Self::UpstreamConnectTls => "upstream/connect/tls",
            Self::UpstreamWaitReset => "upstream/wait/reset",
            Self::UpstreamWaitTimeout => "upstream/wait/timeout",
            Self::UpstreamWaitMalformed => "upstream/wait/malformed",
            Self::UpstreamAnswerReset => "upstream/answer/reset",
            Self::UpstreamAnswerMalformed => "upstream/answer/malformed",
            Self::UpstreamAnswerTimeout => "upstream/answer/timeout",
        }
    }
}
