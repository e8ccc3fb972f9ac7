//! The live form's CSRF values, read from its page as it streams by.
//!
//! Only fields on the route's allow-list are looked at. Fields that say which version of something
//! was edited are on no list of ours: refreshing those would overwrite another's edit unseen.

use std::cell::RefCell;
use std::rc::Rc;

use lol_html::html_content::Element;
use lol_html::{HtmlRewriter, MemorySettings, Settings, element};

use super::substitute::Fresh;
pub use crate::addr::url::resolve;
use crate::addr::url::same_place;
use crate::limit;

/// What Rails calls its token in a page's head.
const RAILS_FIELD: &str = "authenticity_token";

/// Why a page gives no fresh values. Nothing may be sent in their stead.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoForm {
    /// It is longer than is read.
    #[error("the page is longer than {} bytes", limit::LIVE_FORM_BYTES_MAX)]
    TooLong,
    /// It has no form for the place the submission goes to, or one without its tokens.
    #[error("the page has no form for this submission")]
    NotFound,
    /// It has none, and asks for a password instead.
    #[error("the page asks to sign in")]
    SignIn,
}

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The page's own URL, absolute.
    pub page: String,
    /// Where the submission goes, absolute.
    pub target: String,
    /// The token fields it carries.
    pub fields: Vec<String>,
}

/// The tokenizer; what it would write goes nowhere.
type Reader = HtmlRewriter<'static, fn(&[u8])>;

/// Reads one page.
pub struct LiveForm {
    wanted: Wanted,
    seen: Rc<RefCell<Seen>>,
    rewriter: Option<Reader>,
    bytes: usize,
}

/// What the page has.
#[derive(Default)]
struct Seen {
    base: Option<String>,
    meta_token: Option<String>,
    forms: Vec<Form>,
    /// The form whose tags enclose what is read now.
    current: Option<usize>,
    /// Inputs that name their form instead of standing in it.
    loose: Vec<(String, String, String)>,
}

#[derive(Default)]
struct Form {
    id: Option<String>,
    action: String,
    is_post: bool,
    asks_password: bool,
    fields: Fresh,
}

impl LiveForm {
    /// Begins a page.
    pub fn new(wanted: Wanted) -> Self {
        let seen = Rc::new(RefCell::new(Seen::default()));
        let rewriter = rewriter(&seen);
        Self { wanted, seen, rewriter: Some(rewriter), bytes: 0 }
    }

    /// Takes more of the page.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), NoForm> {
        self.bytes += bytes.len();
        if self.bytes > limit::LIVE_FORM_BYTES_MAX {
            return Err(NoForm::TooLong);
        }
        let Some(mut rewriter) = self.rewriter.take() else { return Err(NoForm::NotFound) };
        rewriter.write(bytes).map_err(|_| NoForm::NotFound)?;
        self.rewriter = Some(rewriter);
        Ok(())
    }

    /// The page is at its end: the fresh values of every wanted field.
    pub fn finish(self) -> Result<Fresh, NoForm> {
        self.rewriter.ok_or(NoForm::NotFound)?.end().map_err(|_| NoForm::NotFound)?;
        let mut seen = self.seen.take();
        for (form, name, value) in std::mem::take(&mut seen.loose) {
            let named = seen.forms.iter_mut().find(|known| known.id.as_ref() == Some(&form));
            if let Some(form) = named {
                form.fields.push((name, value));
            }
        }
        let asks_password = seen.forms.iter().any(|form| form.asks_password);
        let none = if asks_password { NoForm::SignIn } else { NoForm::NotFound };
        seen.fresh(&self.wanted).ok_or(none)
    }
}

impl Seen {
    fn fresh(&self, wanted: &Wanted) -> Option<Fresh> {
        let base = match &self.base {
            Some(base) => resolve(&wanted.page, base),
            None => wanted.page.clone(),
        };
        let posts = || self.forms.iter().filter(|form| form.is_post);
        let goes_there = |form: &&Form| {
            let place = if form.action.trim().is_empty() {
                // RFC 3986 §5.2 aside, HTML says: no action is the page itself, whatever its base.
                resolve(&wanted.page, "")
            } else {
                resolve(&base, form.action.trim())
            };
            same_place(&place, &wanted.target)
        };
        if posts().any(|form| goes_there(&form)) {
            return posts().filter(goes_there).find_map(|form| self.values(form, wanted));
        }
        // A form that asks to sign in has a token too, and is not what was filled in.
        let others = posts().filter(|form| !form.asks_password);
        let mut by_fields = others.filter_map(|form| form.values(&wanted.fields));
        let only = by_fields.next();
        if by_fields.next().is_some() { None } else { only }
    }

    /// All wanted values of a form; what it lacks may stand in the page's head.
    fn values(&self, form: &Form, wanted: &Wanted) -> Option<Fresh> {
        let value = |name: &String| {
            let in_head = || self.meta_token.clone().filter(|_| name == RAILS_FIELD);
            form.value(name).or_else(in_head).map(|value| (name.clone(), value))
        };
        wanted.fields.iter().map(value).collect()
    }
}

impl Form {
    fn value(&self, name: &str) -> Option<String> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    fn values(&self, names: &[String]) -> Option<Fresh> {
        let value = |name: &String| self.value(name).map(|value| (name.clone(), value));
        if names.is_empty() { None } else { names.iter().map(value).collect() }
    }
}

fn rewriter(seen: &Rc<RefCell<Seen>>) -> Reader {
    let in_form = Rc::clone(seen);
    let in_input = Rc::clone(seen);
    let in_head = Rc::clone(seen);
    let settings = Settings::new()
        .with_strict(false)
        .with_memory_settings(
            MemorySettings::new().with_max_allowed_memory_usage(limit::LIVE_FORM_BYTES_MAX),
        )
        .append_element_content_handler(element!("form", move |form| {
            let number = in_form.borrow_mut().begin(form);
            let at_end = Rc::clone(&in_form);
            if let Some(handlers) = form.end_tag_handlers() {
                handlers.push(Box::new(move |_| {
                    let mut seen = at_end.borrow_mut();
                    seen.current = seen.current.filter(|current| *current != number);
                    Ok(())
                }));
            }
            Ok(())
        }))
        .append_element_content_handler(element!("input[name]", move |input| {
            in_input.borrow_mut().input(input);
            Ok(())
        }))
        .append_element_content_handler(element!("base[href], meta[name]", move |tag| {
            in_head.borrow_mut().head(tag);
            Ok(())
        }));
    fn nowhere(_: &[u8]) {}
    HtmlRewriter::new(settings, nowhere)
}

impl Seen {
    fn begin(&mut self, form: &Element<'_, '_>) -> usize {
        let method = form.get_attribute("method").unwrap_or_default();
        self.forms.push(Form {
            id: attribute(form, "id"),
            action: attribute(form, "action").unwrap_or_default(),
            is_post: method.trim().eq_ignore_ascii_case("post"),
            asks_password: false,
            fields: Vec::new(),
        });
        self.current = Some(self.forms.len() - 1);
        self.forms.len() - 1
    }

    fn input(&mut self, input: &Element<'_, '_>) {
        let kind = input.get_attribute("type").unwrap_or_default();
        if let (true, Some(current)) = (kind.eq_ignore_ascii_case("password"), self.current) {
            self.forms[current].asks_password = true;
        }
        let Some(name) = attribute(input, "name") else { return };
        let value = attribute(input, "value").unwrap_or_default();
        match (attribute(input, "form"), self.current) {
            (Some(form), _) => self.loose.push((form, name, value)),
            (None, Some(current)) => self.forms[current].fields.push((name, value)),
            (None, None) => {}
        }
    }

    fn head(&mut self, tag: &Element<'_, '_>) {
        if tag.tag_name() == "base" {
            let first = self.base.take();
            self.base = first.or_else(|| attribute(tag, "href"));
        } else if attribute(tag, "name").as_deref() == Some("csrf-token") {
            self.meta_token = attribute(tag, "content");
        }
    }
}

fn attribute(element: &Element<'_, '_>, name: &str) -> Option<String> {
    let value = element.get_attribute(name)?;
    Some(html_escape::decode_html_entities(&value).into_owned())
}
