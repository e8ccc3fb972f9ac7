//! Which fields of a page's forms are secret, as far as the page says so: passwords, codes and
//! cards, and what the application marked. Names only, never values.
//!
//! A visitor without JavaScript sends a form to a closed place, and its body does not tell that
//! the field called `geheimnis` was a password field. The page that was served did.

use std::borrow::Cow;

use memchr::memmem;

use super::attributes::attributes;
use super::scan::{Met, Name};
use crate::limit;

/// What a page's forms keep secret.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Learnt {
    /// What its relative addresses are relative to, if it says so.
    pub base: Option<String>,
    /// Its forms that have something secret.
    pub forms: Vec<Form>,
}

/// A form that has something secret.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Form {
    /// Where it may go, as the page says it; empty is the page itself.
    pub actions: Vec<String>,
    /// Names of fields that are never kept.
    pub secrets: Vec<String>,
    id: String,
    /// The page wants none of it kept.
    off: bool,
}

/// Reads the tags of one page.
#[derive(Default)]
pub struct Learner {
    learnt: Learnt,
    /// The form that is open.
    current: Option<usize>,
    /// Names of fields that stand outside of their form, with its id.
    loose: Vec<(String, Field)>,
    /// The element within which nothing is kept, and how often it is open.
    off: Option<(Name, u32)>,
    /// Whether the page uses our attributes at all.
    marks: bool,
    bytes: usize,
}

struct Field {
    name: String,
    secret: bool,
    action: Option<String>,
}

impl Learner {
    /// Looks over more of the page before its tags are told.
    pub fn skim(&mut self, bytes: &[u8]) {
        let has = |mark: &str| memmem::find(bytes, mark.as_bytes()).is_some();
        self.marks = self.marks || has("data-intermission") || has("data-private");
    }

    /// Takes what was met.
    pub fn meet(&mut self, met: Met<'_>) {
        match met {
            Met::Named(..) => {}
            Met::Start { name, tag, pieced, .. } => self.start(name, tag, pieced),
            Met::End(name) => self.end(name),
        }
    }

    /// What was learnt of the page.
    pub fn finish(mut self) -> Learnt {
        for (id, field) in std::mem::take(&mut self.loose) {
            if let Some(form) = self.learnt.forms.iter().position(|form| form.id == id) {
                self.add(form, field);
            }
        }
        self.learnt.forms.retain(|form| !form.secrets.is_empty());
        self.learnt
    }

    fn start(&mut self, name: Name, tag: &[u8], pieced: bool) {
        let marked = (self.marks || pieced) && is_marked(tag);
        match name.get() {
            b"form" => self.form(tag, marked),
            b"input" | b"textarea" | b"select" | b"button" => self.field(tag, marked),
            b"base" if self.learnt.base.is_none() => {
                self.learnt.base = one(tag, b"href").map(|href| self.text(href));
            }
            _ => {}
        }
        match &mut self.off {
            Some((open, times)) if *open == name => *times += 1,
            None if marked && !is_void(name.get()) => self.off = Some((name, 1)),
            Some(_) | None => {}
        }
    }

    fn end(&mut self, name: Name) {
        if name.get() == b"form" {
            self.current = None;
        }
        if let Some((open, times)) = &mut self.off
            && *open == name
        {
            *times -= 1;
            if *times == 0 {
                self.off = None;
            }
        }
    }

    fn form(&mut self, tag: &[u8], marked: bool) {
        // A form within a form is none.
        if self.current.is_some() || self.learnt.forms.len() == limit::LEARNT_FORMS_PER_PAGE_MAX {
            return;
        }
        let action = one(tag, b"action").unwrap_or_default();
        let form = Form {
            actions: vec![self.text(action.trim_ascii())],
            secrets: Vec::new(),
            id: self.text(one(tag, b"id").unwrap_or_default()),
            off: marked || self.off.is_some(),
        };
        self.learnt.forms.push(form);
        self.current = Some(self.learnt.forms.len() - 1);
    }

    fn field(&mut self, tag: &[u8], marked: bool) {
        let action = one(tag, b"formaction");
        let name = one(tag, b"name").unwrap_or_default();
        if name.is_empty() && action.is_none() {
            return;
        }
        let secret = marked || self.off.is_some() || is_secret(tag);
        let field = Field { name: self.text(name), secret, action: action.map(|to| self.text(to)) };
        match (one(tag, b"form"), self.current) {
            (Some(id), _) if self.loose.len() < limit::LEARNT_NAMES_PER_FORM_MAX => {
                let id = self.text(id);
                self.loose.push((id, field));
            }
            (None, Some(form)) => self.add(form, field),
            (Some(_), _) | (None, None) => {}
        }
    }

    fn add(&mut self, form: usize, field: Field) {
        let Some(form) = self.learnt.forms.get_mut(form) else { return };
        let room = |names: &[String]| names.len() < limit::LEARNT_NAMES_PER_FORM_MAX;
        if let Some(action) = field.action
            && !form.actions.contains(&action)
            && room(&form.actions)
        {
            form.actions.push(action);
        }
        let new = !field.name.is_empty() && !form.secrets.contains(&field.name);
        if (field.secret || form.off) && new && room(&form.secrets) {
            form.secrets.push(field.name);
        }
    }

    /// A value with its references resolved. Of a page that has too many of them, no more is kept.
    fn text(&mut self, value: &[u8]) -> String {
        self.bytes += value.len();
        if self.bytes > limit::LEARNT_BYTES_PER_PAGE_MAX {
            return String::new();
        }
        let text = String::from_utf8_lossy(value);
        let text: Cow<'_, str> = html_escape::decode_html_entities(&text);
        text.into_owned()
    }
}

/// The value of an attribute; of several the first counts.
fn one<'a>(tag: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    attributes(tag).find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
}

/// Whether the application says that this is not to be kept. In lower case, as it is skimmed for.
fn is_marked(tag: &[u8]) -> bool {
    attributes(tag).any(|(name, value)| {
        name == b"data-private"
            || name == b"data-intermission" && value.eq_ignore_ascii_case(b"off")
    })
}

/// Whether a field holds a password, a code, or what is on a payment card.
fn is_secret(tag: &[u8]) -> bool {
    if one(tag, b"type").is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"password")) {
        return true;
    }
    let words = one(tag, b"autocomplete").unwrap_or_default().split(u8::is_ascii_whitespace);
    words.map(<[u8]>::to_ascii_lowercase).any(|word| {
        matches!(&*word, b"current-password" | b"new-password" | b"one-time-code")
            || word.starts_with(b"cc-")
    })
}

/// Elements that have no end tag (HTML §13.1.2).
fn is_void(name: &[u8]) -> bool {
    matches!(
        name,
        b"area"
            | b"base"
            | b"br"
            | b"col"
            | b"embed"
            | b"hr"
            | b"img"
            | b"input"
            | b"link"
            | b"meta"
            | b"source"
            | b"track"
            | b"wbr"
    )
}
