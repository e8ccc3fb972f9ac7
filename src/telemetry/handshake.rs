//! How TLS handshakes with clients went, for counting.

/// How one went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handshake {
    /// TLS 1.2, from the beginning.
    Full12,
    /// TLS 1.2, an earlier session was taken up again.
    Resumed12,
    /// TLS 1.3, from the beginning.
    Full13,
    /// TLS 1.3, an earlier session was taken up again.
    Resumed13,
    /// The two did not come to terms, or the client went away.
    Failed,
    /// The client took too long.
    Late,
    /// The client spoke HTTP instead.
    InTheClear,
    /// Too many were under way.
    Crowded,
}

impl Handshake {
    /// Every one, in the order of the cells.
    pub const ALL: [Self; 8] = [
        Self::Full12,
        Self::Resumed12,
        Self::Full13,
        Self::Resumed13,
        Self::Failed,
        Self::Late,
        Self::InTheClear,
        Self::Crowded,
    ];

    /// The labels `outcome` and `version`; the version is empty if none was agreed on.
    pub const fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Full12 => ("full", "1.2"),
            Self::Resumed12 => ("resumed", "1.2"),
            Self::Full13 => ("full", "1.3"),
            Self::Resumed13 => ("resumed", "1.3"),
            Self::Failed => ("failed", ""),
            Self::Late => ("late", ""),
            Self::InTheClear => ("in_the_clear", ""),
            Self::Crowded => ("crowded", ""),
        }
    }
}
