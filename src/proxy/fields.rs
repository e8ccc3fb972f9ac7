//! Which fields of a head need our attention: found in one pass, since most heads have none of
//! them and asking a map for each costs more than everything else that is done to a small request.

use http::HeaderMap;

/// A set of kinds of fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Fields(u16);

impl Fields {
    /// `Connection`.
    pub(super) const CONNECTION: Self = Self(1);
    /// `Keep-Alive`, `Proxy-Connection`, `Transfer-Encoding`, `HTTP2-Settings`, `TE`.
    pub(super) const HOP: Self = Self(1 << 1);
    /// `Upgrade`.
    pub(super) const UPGRADE: Self = Self(1 << 2);
    /// `Expect`.
    pub(super) const EXPECT: Self = Self(1 << 3);
    /// `Cookie`.
    pub(super) const COOKIE: Self = Self(1 << 4);
    /// `Set-Cookie`.
    pub(super) const SET_COOKIE: Self = Self(1 << 5);
    /// `Forwarded` and `X-Forwarded-*`.
    pub(super) const FORWARDED: Self = Self(1 << 6);
    /// `Intermission-*`, `Client-Cert` and `Client-Cert-Chain`, which only we may send, and names
    /// with an underscore, which some servers read as a dash.
    pub(super) const FOREIGN: Self = Self(1 << 7);

    /// `traceparent` and `tracestate`.
    pub(super) const TRACE: Self = Self(1 << 12);

    /// Those of a head.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        headers.keys().fold(Self::default(), |set, name| Self(set.0 | Self::kind(name.as_str()).0))
    }

    /// Whether any of `kinds` is there.
    pub(super) fn any(self, kinds: Self) -> bool {
        self.0 & kinds.0 != 0
    }

    /// Both sets.
    pub(super) const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    fn kind(name: &str) -> Self {
        match (name.len(), name) {
            (2, "te") | (10, "keep-alive") | (14, "http2-settings") => Self::HOP,
            (11, "client-cert") | (17, "client-cert-chain") => Self::FOREIGN,
            (16, "proxy-connection") | (17, "transfer-encoding") => Self::HOP,
            (6, "cookie") => Self::COOKIE,
            (6, "expect") => Self::EXPECT,
            (7, "upgrade") => Self::UPGRADE,
            (9, "forwarded") => Self::FORWARDED,
            (10, "tracestate") | (11, "traceparent") => Self::TRACE,
            (10, "connection") => Self::CONNECTION,
            (10, "set-cookie") => Self::SET_COOKIE,
            _ if name.starts_with("x-forwarded-") => Self::FORWARDED,
            _ if name.starts_with("intermission-") || name.bytes().any(|byte| byte == b'_') => {
                Self::FOREIGN
            }
            _ => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_seen_and_nothing_else() {
        let kinds = [
            ("connection", Fields::CONNECTION),
            ("TE", Fields::HOP),
            ("Transfer-Encoding", Fields::HOP),
            ("x-forwarded-for", Fields::FORWARDED),
            ("x_forwarded_for", Fields::FOREIGN),
            ("intermission-resumed", Fields::FOREIGN),
            ("client-cert", Fields::FOREIGN),
            ("client-cert-chain", Fields::FOREIGN),
            ("cookie", Fields::COOKIE),
            ("Traceparent", Fields::TRACE),
            ("tracestate", Fields::TRACE),
            ("accept", Fields::default()),
            ("host", Fields::default()),
            ("x-te", Fields::default()),
        ];
        for (name, kind) in kinds {
            let mut headers = HeaderMap::new();
            let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a field name");
            headers.insert(name, http::HeaderValue::from_static("x"));
            assert_eq!(Fields::of(&headers), kind);
        }
    }
}
