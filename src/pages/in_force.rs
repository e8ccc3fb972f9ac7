//! The templates in force, and what stands behind each of them when it fails.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::HeaderValue;
use minijinja::value::{Serde, Value};

use super::catalog::Texts;
use super::render::{Sheet, Templates};
use super::{ClosedPage, Lang, Notice, Page, machine, minimal};

/// An operator's templates if there are any, and ours.
pub(super) struct InForce {
    ours: Templates,
    theirs: Option<Templates>,
    /// Whether a failure to render was told already; one line is enough.
    told: AtomicBool,
}

impl InForce {
    pub(super) fn of(ours: Templates, theirs: Option<Templates>) -> Self {
        Self { ours, theirs, told: AtomicBool::new(false) }
    }

    /// The answers for a closure in one language.
    pub(super) fn closed(&self, lang: Lang, notice: &Notice) -> ClosedPage {
        let texts = self.texts(lang);
        let notice = &*notice.spoken(lang);
        let minimal = || minimal::closed(lang, texts, notice);
        let page = self.page(Sheet::Closed, lang, &Value::from(Serde(notice)), minimal);
        ClosedPage {
            html: page.html,
            csp: page.csp,
            problem: machine::problem(texts, notice),
            text: machine::text(texts, notice),
            grpc_message: machine::grpc_message(texts, notice),
            language: page.language,
        }
    }

    /// The texts that visitors read.
    pub(super) fn texts(&self, lang: Lang) -> &Texts {
        self.theirs.as_ref().unwrap_or(&self.ours).catalog.texts(lang)
    }

    /// Renders with the operator's templates, else with ours, else without any.
    pub(super) fn page(
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
