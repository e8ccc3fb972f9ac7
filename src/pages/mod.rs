//! What visitors read: the catalog of texts, the choice of a language, the rendering of pages.
//!
//! Closed pages are rendered once per publish and are bytes on the path of a request; pages for one visitor
//! are rendered when they are asked for. Rendering never fails for the caller: behind an operator's
//! templates stand the built-in ones, and behind those a page that needs no template engine.

mod catalog;
mod machine;
mod minimal;
mod negotiate;
mod overrides;
mod render;
pub mod sample;
pub mod view;

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::HeaderValue;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use self::catalog::Texts;
pub use self::negotiate::negotiate;
pub use self::overrides::TemplateFault;
use self::render::{Sheet, Templates};
pub use self::view::{
    Field, FieldKind, ListItem, ListView, Mode, PlainKind, ReceiptState, ReceiptView,
};
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

    /// Its BCP 47 tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Es => "es",
            Self::Pt => "pt",
            Self::Ja => "ja",
            Self::Ar => "ar",
        }
    }

    /// The direction it is written in, as HTML names it.
    const fn direction(self) -> &'static str {
        match self {
            Self::Ar => "rtl",
            Self::En | Self::De | Self::Fr | Self::Es | Self::Pt | Self::Ja => "ltr",
        }
    }
}

/// What a closed page tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

impl ClosedPages {
    /// The answers in one language.
    pub fn of(&self, lang: Lang) -> &ClosedPage {
        &self.by_lang[lang as usize]
    }
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

/// A page made for one visitor.
#[derive(Clone)]
pub struct Page {
    /// For a browser.
    pub html: Bytes,
    /// The content security policy that lets exactly this page's own style and script run.
    pub csp: HeaderValue,
    /// `Content-Language`.
    pub language: HeaderValue,
}

/// The templates and texts in force: the built-in ones, or an operator's over them.
pub struct Pages {
    ours: Templates,
    theirs: Option<Templates>,
    /// The small pages, rendered when first asked for: strangers ask for them in any number.
    plain: [[OnceLock<Page>; 7]; PlainKind::ALL.len()],
    /// Whether a failure to render was told already; one line is enough.
    told: AtomicBool,
}

impl Pages {
    /// The built-in pages.
    pub fn builtin() -> Self {
        Self::of(Templates::builtin(), None)
    }

    /// The built-in pages with an operator's files over them: templates and `style.css` replace
    /// ours, texts in `catalog/xx.toml` go over ours key by key. Every template is rendered in every language with
    /// sample views, so that what is broken is told here and not to visitors.
    pub fn with_overrides(dir: &Path) -> Result<Self, Vec<TemplateFault>> {
        let theirs = overrides::load(dir)?;
        Ok(Self::of(Templates::builtin(), Some(theirs)))
    }

    fn of(ours: Templates, theirs: Option<Templates>) -> Self {
        let plain = std::array::from_fn(|_| std::array::from_fn(|_| OnceLock::new()));
        Self { ours, theirs, plain, told: AtomicBool::new(false) }
    }

    /// The finished answers for a closure.
    pub fn closed(&self, notice: &Notice) -> ClosedPages {
        let view = Value::from(Serde(notice));
        let by_lang = Lang::ALL.map(|lang| {
            let texts = self.texts(lang);
            let minimal = || minimal::closed(lang, texts, notice);
            let page = self.page(Sheet::Closed, lang, &view, minimal);
            ClosedPage {
                html: page.html,
                csp: page.csp,
                problem: machine::problem(texts, notice),
                text: machine::text(texts, notice),
                grpc_message: machine::grpc_message(texts, notice),
                language: page.language,
            }
        });
        ClosedPages { by_lang }
    }

    /// One submission in any state, with the forms that act on it.
    pub fn receipt(&self, lang: Lang, view: &ReceiptView) -> Page {
        let shown = Value::from(Serde(Receipt::of(view)));
        let minimal = || minimal::receipt(lang, self.texts(lang), view);
        self.page(Sheet::Receipt, lang, &shown, minimal)
    }

    /// All submissions of one browser.
    pub fn list(&self, lang: Lang, view: &ListView) -> Page {
        let minimal = || minimal::list(lang, self.texts(lang));
        self.page(Sheet::List, lang, &Value::from(Serde(view)), minimal)
    }

    /// The answer to a form that was not kept; `why` is the name of a `NotKept`.
    pub fn not_kept(&self, lang: Lang, notice: &Notice, why: &str) -> Page {
        let shown = Value::from(Serde(Unkept { notice, why: not_kept_key(why) }));
        let minimal = || minimal::not_kept(lang, self.texts(lang), notice, why);
        self.page(Sheet::NotKept, lang, &shown, minimal)
    }

    /// A small page that says one thing.
    pub fn plain(&self, lang: Lang, kind: PlainKind) -> Page {
        let made = || {
            let view = Value::from(Serde(Plain::of(kind)));
            let minimal = || minimal::plain(lang, self.texts(lang), kind);
            self.page(Sheet::Plain, lang, &view, minimal)
        };
        self.plain[kind as usize][lang as usize].get_or_init(made).clone()
    }

    fn texts(&self, lang: Lang) -> &Texts {
        self.theirs.as_ref().unwrap_or(&self.ours).catalog.texts(lang)
    }

    /// Renders with the operator's templates, else with ours, else without any.
    fn page(
        &self,
        sheet: Sheet,
        lang: Lang,
        view: &Value,
        minimal: impl FnOnce() -> String,
    ) -> Page {
        let language = HeaderValue::from_static(lang.tag());
        for templates in self.theirs.iter().chain([&self.ours]) {
            match templates.render(sheet, lang, view) {
                Ok(html) => {
                    return Page { html: Bytes::from(html), csp: templates.csp(sheet), language };
                }
                Err(fault) if !self.told.swap(true, Ordering::Relaxed) => {
                    tracing::error!(page = sheet.file(), %fault, "a page cannot be rendered");
                }
                Err(_) => {}
            }
        }
        Page { html: Bytes::from(minimal()), csp: self.ours.csp(sheet), language }
    }
}

/// What the receipt's template sees: the view, and what follows from it.
#[derive(Serialize)]
struct Receipt<'a> {
    #[serde(flatten)]
    view: &'a ReceiptView,
    /// Whether there is content that its owner can read.
    keeps: bool,
    sendable: bool,
    /// Which title: a held submission says whether it can be sent yet.
    title: &'static str,
    /// The mode that Send asks for.
    send_mode: Mode,
    /// Whether the application refused because a token had expired.
    stale: bool,
    /// Where to sign in first.
    sign_in: Option<&'a str>,
}

impl<'a> Receipt<'a> {
    fn of(view: &'a ReceiptView) -> Self {
        let refused = view.state == ReceiptState::Refused;
        let stale =
            refused && view.sign_in.is_none() && matches!(view.answer, Some(400 | 403 | 419));
        let waiting = view.state == ReceiptState::Held && (view.window_closed || !view.sendable());
        Self {
            keeps: view.state.keeps_answers(),
            sendable: view.sendable(),
            title: if waiting { "waiting" } else { view.state.key() },
            // What was refused once is refused again if the very same bytes are sent: after an
            // expired token or a sign-in, only fresh tokens can help.
            send_mode: if refused { Mode::Confirm } else { view.mode },
            stale,
            sign_in: view.sign_in.as_deref().filter(|path| refused && is_local(path)),
            view,
        }
    }
}

/// What the template of [`Pages::not_kept`] sees.
#[derive(Serialize)]
struct Unkept<'a> {
    #[serde(flatten)]
    notice: &'a Notice,
    why: Option<&'static str>,
}

/// What the template of [`Pages::plain`] sees.
#[derive(Serialize)]
struct Plain {
    key: &'static str,
    next: &'static str,
    /// Nobody: whose site it is may be just what is not known.
    operator: &'static str,
}

impl Plain {
    const fn of(kind: PlainKind) -> Self {
        Self { key: kind.key(), next: kind.next(), operator: "" }
    }
}

/// The catalog's key for a `NotKept`; none for a name that is not known here.
fn not_kept_key(why: &str) -> Option<&'static str> {
    const KEYS: [(&str, &str); 8] = [
        ("origin", "not_kept.origin"),
        ("type", "not_kept.type"),
        ("policy", "not_kept.policy"),
        ("secret", "not_kept.secret"),
        ("size", "not_kept.size"),
        ("quota", "not_kept.quota"),
        ("broken", "not_kept.broken"),
        ("store", "not_kept.store"),
    ];
    KEYS.iter().find(|(name, _)| *name == why).map(|(_, key)| *key)
}

/// Whether a path leads nowhere but to this site: browsers read `//` and `/\` as another host.
fn is_local(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && !path.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> Pages {
        let mut ours = Templates::bare(catalog::Catalog::builtin(), "");
        for (name, _) in render::FILES {
            ours.env
                .add_template(name, "{% for _ in range(9999) %}{{ view.nobody }}{% endfor %}")
                .expect("compiles");
        }
        Pages::of(ours, None)
    }

    #[test]
    fn without_any_template_a_visitor_still_reads_what_matters() {
        let pages = broken();
        let notice = sample::notices().remove(0);
        for lang in Lang::ALL {
            let texts = pages.texts(lang);
            let html = |page: Page| String::from_utf8(page.html.to_vec()).expect("text");
            let closed =
                String::from_utf8(pages.closed(&notice).of(lang).html.to_vec()).expect("text");
            assert!(
                closed.contains(&html_escape::encode_text(&notice.reason).into_owned()),
                "{closed}"
            );
            assert!(closed.contains(&texts.when(notice.until.expect("an end"))), "{closed}");
            let not_kept = html(pages.not_kept(lang, &notice, "size"));
            assert!(not_kept.contains(texts.get("not_kept.size").expect("a text")), "{not_kept}");
            let receipt = html(pages.receipt(lang, &sample::receipt(ReceiptState::Unknown)));
            assert!(receipt.contains("/data\""), "{receipt}");
            let plain = html(pages.plain(lang, PlainKind::Gone));
            assert!(plain.contains(texts.get("plain.gone").expect("a text")), "{plain}");
            for page in [closed, not_kept, receipt, plain] {
                assert!(
                    page.contains(&format!("lang=\"{}\"", lang.tag()))
                        && page.ends_with("</html>\n")
                );
            }
        }
    }

    #[test]
    fn sign_in_leads_nowhere_else() {
        for path in
            ["//evil.example", "/\\evil", "https://evil.example", "javascript:x", "", "/\t/x"]
        {
            assert!(!is_local(path), "{path}");
        }
        assert!(is_local("/accounts/login/?next=/claims/"));
    }
}
