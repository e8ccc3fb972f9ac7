//! What can be decided for a request. A value, never a side effect.

/// What is done with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Verdict {
    /// One of our own endpoints below `/.intermission/`.
    Own,
    /// A load balancer's probe while its scope is closed: 200.
    Probe,
    /// To the upstream.
    Forward,
    /// Small enough and of the right kind to be a resume ticket: looked into, then sent on as a
    /// submission or forwarded as it is.
    Resume,
    /// A form post that may be kept.
    Capture(FormKind),
    /// A program's request that may be kept: 202.
    Accept(FormKind),
    /// Waits for the window to end, then is judged again.
    Hold,
    /// Closed: an answer made for who asks, and for a form why it is not kept.
    Page(Wants, Option<NotKept>),
    /// Not served.
    Refuse(Refusal),
    /// Led elsewhere.
    Redirect(Leads),
}

impl Verdict {
    /// The name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Probe => "probe",
            Self::Forward => "forward",
            Self::Resume => "resume",
            Self::Capture(_) | Self::Accept(_) => "capture",
            Self::Hold => "hold",
            Self::Page(..) => "page",
            Self::Refuse(_) => "refuse",
            Self::Redirect(_) => "redirect",
        }
    }
}

/// Where a redirect leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Leads {
    /// To the same address by `https`.
    ToHttps,
    /// Where the route says.
    Elsewhere,
}

/// Who asks, as far as the form of the answer goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Wants {
    /// A browser navigating: HTML.
    Html,
    /// A script or an API client: `application/problem+json`.
    Problem,
    /// gRPC: trailers-only status.
    Grpc,
    /// A WebSocket upgrade: 503 before the upgrade.
    WebSocket,
    /// An event stream: 503 in plain text with `Retry-After`.
    EventStream,
    /// Anything else, such as curl: plain text.
    Text,
}

/// The encoding of a form post, or of what a program sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum FormKind {
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
    /// `multipart/form-data`.
    Multipart,
    /// `text/plain`.
    Plain,
    /// JSON, of a program.
    Json,
    /// Anything else, of a program.
    Opaque,
}

/// Why a form was not kept. The visitor is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum NotKept {
    /// No evidence that it comes from a page of this site.
    Origin,
    /// Not sent by a browser as a form, or of another content type.
    Type,
    /// The route keeps none.
    Policy,
    /// It holds a password, a one-time code or payment details.
    Secret,
    /// Over the size limit.
    Size,
    /// Over a quota.
    Quota,
    /// It did not arrive whole, or is not what its content type says.
    Broken,
    /// The disk is full or the store failed.
    Store,
}

impl NotKept {
    /// The name in the `Intermission-State` header, in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Type => "type",
            Self::Policy => "policy",
            Self::Secret => "secret",
            Self::Size => "size",
            Self::Quota => "quota",
            Self::Broken => "broken",
            Self::Store => "store",
        }
    }
}

/// Why a request is not served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Refusal {
    /// No route has this host and path: 404.
    UnknownRoute,
    /// The path has an encoded slash, which the route does not allow: 400.
    EncodedSlash,
    /// CONNECT, TRACE and unknown expectations: 405, 417.
    Unsupported,
}
