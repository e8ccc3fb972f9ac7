//! What visitors read: the catalog of texts, the choice of a language, the rendering of pages.
//!
//! A closed page is rendered once and is bytes on the path of a request from then on; pages for one
//! visitor are rendered when they are asked for. Rendering never fails for the caller: behind an
//! operator's templates stand the built-in ones, and behind those a page that needs no template
//! engine.

mod catalog;
mod in_force;
mod machine;
mod minimal;
mod negotiate;
mod notice;
mod overrides;
mod refilled;
mod render;
pub mod sample;
mod sheet;
pub mod view;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::HeaderValue;
use minijinja::value::{Serde, Value};

use self::in_force::InForce;
pub use self::negotiate::negotiate;
pub use self::notice::{News, Notice, PhaseNotice, Stage, Words};
pub use self::overrides::TemplateFault;
pub use self::refilled::Refilled;
use self::render::{Sheet, Templates};
use self::sheet::{Plain, Receipt, Unkept, not_kept_key};
pub use self::view::{
    CodeMade, CodeStep, CodeView, Field, FieldKind, ListItem, ListView, Mode, PlainKind, Privacy,
    ReceiptState, ReceiptView,
};

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

/// The answers for one closure: each rendered once, then sent as it is.
pub struct ClosedPages {
    notice: Notice,
    in_force: Arc<InForce>,
    by_lang: [OnceLock<ClosedPage>; 7],
}

impl ClosedPages {
    /// The answers in one language.
    pub fn of(&self, lang: Lang) -> &ClosedPage {
        self.by_lang[lang as usize].get_or_init(|| self.in_force.closed(lang, &self.notice))
    }
}

impl fmt::Debug for ClosedPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosedPages").field("notice", &self.notice).finish_non_exhaustive()
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
    in_force: Arc<InForce>,
    /// The small pages, rendered when first asked for: strangers ask for them in any number.
    plain: [[OnceLock<Page>; 7]; PlainKind::ALL.len()],
}

impl Pages {
    /// The built-in pages.
    pub fn builtin() -> Self {
        Self::of(Templates::builtin(), None)
    }

    /// The built-in pages with an operator's files over them: templates and `style.css` replace
    /// ours, texts in `catalog/xx.toml` go over ours key by key. Every template is rendered in
    /// every language with sample views, so that what is broken is told here and not to visitors.
    pub fn with_overrides(dir: &Path) -> Result<Self, Vec<TemplateFault>> {
        let theirs = overrides::load(dir)?;
        Ok(Self::of(Templates::builtin(), Some(theirs)))
    }

    fn of(ours: Templates, theirs: Option<Templates>) -> Self {
        let plain = std::array::from_fn(|_| std::array::from_fn(|_| OnceLock::new()));
        Self { in_force: Arc::new(InForce::of(ours, theirs)), plain }
    }

    /// The answers for a closure. They are rendered when they are first asked for: a switch may
    /// cover thousands of routes, and most of their pages nobody reads.
    pub fn closed(&self, notice: &Notice) -> ClosedPages {
        let by_lang = std::array::from_fn(|_| OnceLock::new());
        ClosedPages { notice: notice.clone(), in_force: Arc::clone(&self.in_force), by_lang }
    }

    /// One submission in any state, with the forms that act on it.
    pub fn receipt(&self, lang: Lang, view: &ReceiptView) -> Page {
        let shown = Value::from(Serde(Receipt::of(view)));
        let minimal = || minimal::receipt(lang, self.in_force.texts(lang), view);
        self.in_force.page(Sheet::Receipt, lang, &shown, minimal)
    }

    /// What a code opens, or is asked for, or that it is there.
    pub fn code(&self, lang: Lang, view: &CodeView) -> Page {
        let minimal = || minimal::code(lang, self.in_force.texts(lang), view);
        self.in_force.page(Sheet::Code, lang, &Value::from(Serde(view)), minimal)
    }

    /// All submissions of one browser.
    pub fn list(&self, lang: Lang, view: &ListView) -> Page {
        let minimal = || minimal::list(lang, self.in_force.texts(lang));
        self.in_force.page(Sheet::List, lang, &Value::from(Serde(view)), minimal)
    }

    /// The answer to a form that was not kept; `why` is the name of a `NotKept`.
    pub fn not_kept(&self, lang: Lang, notice: &Notice, why: &str) -> Page {
        let notice = notice.spoken(lang);
        let shown = Value::from(Serde(Unkept { notice: &notice, why: not_kept_key(why) }));
        let minimal = || minimal::not_kept(lang, self.in_force.texts(lang), &notice, why);
        self.in_force.page(Sheet::NotKept, lang, &shown, minimal)
    }

    /// The note in a page of the application that holds these answers, as HTML.
    pub fn refilled(&self, lang: Lang, refilled: &Refilled<'_>) -> String {
        refilled::note(lang, self.in_force.texts(lang), refilled)
    }

    /// A small page that says one thing.
    pub fn plain(&self, lang: Lang, kind: PlainKind) -> Page {
        let made = || {
            let view = Value::from(Serde(Plain::of(kind)));
            let minimal = || minimal::plain(lang, self.in_force.texts(lang), kind);
            self.in_force.page(Sheet::Plain, lang, &view, minimal)
        };
        self.plain[kind as usize][lang as usize].get_or_init(made).clone()
    }
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
            let texts = pages.in_force.texts(lang);
            let html = |page: Page| String::from_utf8(page.html.to_vec()).expect("text");
            let closed =
                String::from_utf8(pages.closed(&notice).of(lang).html.to_vec()).expect("text");
            assert!(
                closed.contains(&html_escape::encode_text(&notice.words.reason).into_owned()),
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
}
