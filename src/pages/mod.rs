//! What visitors read: the catalog of texts, the choice of a language, the rendering of pages.

use bytes::Bytes;
use http::HeaderValue;

use crate::clock::Wall;
use crate::id::Id;

/// A language that pages are written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum Lang {
    /// English.
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Spanish.
    Es,
    /// Portuguese.
    Pt,
    /// Japanese.
    Ja,
    /// Arabic, written from right to left.
    Ar,
}

impl Lang {
    /// Every language, in the order of [`ClosedPages`].
    pub const ALL: [Self; 7] =
        [Self::En, Self::De, Self::Fr, Self::Es, Self::Pt, Self::Ja, Self::Ar];
}

/// What a closed page tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The window that visitors are told of.
    pub window: Id,
    /// The route's title: "Claims".
    pub service: String,
    /// Who operates the site; may be empty.
    pub operator: String,
    /// Whether reading still works.
    pub read_only: bool,
    /// Since when it is closed.
    pub since: Wall,
    /// When it returns, if anybody knows.
    pub until: Option<Wall>,
    /// Whether the promised end has passed.
    pub overrun: bool,
    /// The operator's words; each may be empty.
    pub reason: String,
    /// A paragraph.
    pub message: String,
    /// Whom to ask.
    pub contact: String,
    /// What to do instead.
    pub alternative: String,
}

/// The finished answers for one closure: rendered once per publish, sent as they are.
#[derive(Debug)]
pub struct ClosedPages {
    /// By language, in the order of [`Lang::ALL`].
    pub by_lang: [ClosedPage; 7],
}

/// The finished answers in one language.
#[derive(Debug, Clone)]
pub struct ClosedPage {
    /// For a browser.
    pub html: Bytes,
    /// The content security policy that lets exactly this page's own style and script run.
    pub csp: HeaderValue,
    /// `application/problem+json` (RFC 9457).
    pub problem: Bytes,
    /// `text/plain`.
    pub text: Bytes,
    /// `grpc-message`, percent-encoded.
    pub grpc_message: HeaderValue,
    /// `Content-Language`.
    pub language: HeaderValue,
}

/// The templates and texts in force: the built-in ones, or an operator's over them.
pub struct Pages {}

impl Pages {
    /// The built-in pages.
    pub fn builtin() -> Self {
        Self {}
    }

    /// The finished answers for a closure. Never fails: a template that cannot be rendered gives
    /// the built-in minimal page.
    pub fn closed(&self, notice: &Notice) -> ClosedPages {
        let page = ClosedPage {
            html: Bytes::from(format!("<!doctype html><title>{}</title>", notice.service)),
            csp: HeaderValue::from_static("default-src 'none'"),
            problem: Bytes::from_static(b"{}"),
            text: Bytes::from_static(b"closed\n"),
            grpc_message: HeaderValue::from_static("closed"),
            language: HeaderValue::from_static("en"),
        };
        ClosedPages { by_lang: std::array::from_fn(|_| page.clone()) }
    }
}
