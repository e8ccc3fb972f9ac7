//! What a page has: its forms, and the controls in them that a visitor fills in.

use std::cell::RefCell;
use std::rc::Rc;

use lol_html::html_content::Element;
use lol_html::{HtmlRewriter, MemorySettings, Settings, element, text};

use crate::limit;

/// Which controls are counted, here and when they are written: both passes must agree.
pub(super) const CONTROLS: &str = "input, textarea, select, button";

/// The tokenizer; what it would write goes nowhere.
type Reader<'a> = HtmlRewriter<'a, fn(&[u8])>;

/// What a page has.
#[derive(Default)]
pub(super) struct Survey {
    pub base: Option<String>,
    pub forms: Vec<Form>,
    /// Every control of the page, in its order.
    pub controls: Vec<Control>,
    /// Every option of the page, in its order.
    pub options: Vec<Choice>,
    pub has_body: bool,
    /// The form whose tags enclose what is read now.
    current: Option<usize>,
    /// The select whose options are read now.
    select: Option<usize>,
}

/// A form.
#[derive(Default)]
pub(super) struct Form {
    pub id: Option<String>,
    /// Where it goes: its own action, and those of its buttons.
    pub actions: Vec<String>,
    pub is_post: bool,
    pub asks_password: bool,
}

/// A control with a name.
pub(super) struct Control {
    pub name: Option<String>,
    pub kind: Kind,
    pub value: Option<String>,
    /// The form that it belongs to, by number.
    pub form: Option<usize>,
    /// The form that it names instead of standing in it.
    owner: Option<String>,
    /// Nobody can change it: an answer for it is not the visitor's.
    pub is_fixed: bool,
}

/// What a control takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// One line.
    Line,
    /// Several lines.
    Lines,
    /// On or off.
    Checkbox,
    /// One of several.
    Radio,
    /// One option.
    Select,
    /// Any options.
    SelectMany,
    /// A file.
    File,
    /// What the form adds by itself.
    Hidden,
    /// What sends the form.
    Button,
    /// What is never filled in: passwords, codes, payment details.
    Never,
}

/// An option of a select.
pub(super) struct Choice {
    /// The number of its select among the controls.
    pub select: usize,
    pub value: Option<String>,
    /// As it is written: an entity may come in two pieces.
    text: String,
    pub is_disabled: bool,
}

impl Choice {
    /// What it sends: its value, or its text with its white space tidied (HTML §4.10.10).
    pub(super) fn sends(&self) -> String {
        let tidied = || {
            let text = html_escape::decode_html_entities(&self.text);
            text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
        };
        self.value.clone().unwrap_or_else(tidied)
    }
}

impl Survey {
    /// Of a whole page; none if it cannot be read.
    pub(super) fn of(page: &[u8]) -> Option<Self> {
        let seen = Rc::new(RefCell::new(Self::default()));
        let mut reader = reader(&seen);
        reader.write(page).ok()?;
        reader.end().ok()?;
        let mut survey = seen.take();
        for control in &mut survey.controls {
            if let Some(owner) = &control.owner {
                let known = |form: &Form| form.id.as_ref() == Some(owner);
                control.form = survey.forms.iter().position(known);
            }
        }
        let passwords = survey.controls.iter().filter(|control| control.is_password());
        let asking: Vec<usize> = passwords.filter_map(|control| control.form).collect();
        for form in asking {
            survey.forms[form].asks_password = true;
        }
        Some(survey)
    }

    fn form(&mut self, form: &Element<'_, '_>) -> usize {
        self.forms.push(Form {
            id: attribute(form, "id"),
            actions: vec![attribute(form, "action").unwrap_or_default()],
            is_post: is(form, "method", "post"),
            asks_password: false,
        });
        self.current = Some(self.forms.len() - 1);
        self.forms.len() - 1
    }

    fn control(&mut self, control: &Element<'_, '_>) {
        let tag = control.tag_name();
        let kind = match tag.as_str() {
            "textarea" => Kind::Lines,
            "select" if control.has_attribute("multiple") => Kind::SelectMany,
            "select" => Kind::Select,
            "button" => Kind::Button,
            _ => kind_of_input(control),
        };
        self.controls.push(Control {
            name: attribute(control, "name").filter(|name| !name.is_empty()),
            kind,
            value: attribute(control, "value"),
            form: self.current,
            owner: attribute(control, "form"),
            is_fixed: control.has_attribute("disabled") || control.has_attribute("readonly"),
        });
        self.select = (tag == "select").then(|| self.controls.len() - 1);
        if is(control, "type", "password") {
            self.mark_password();
        }
        self.button(control);
    }

    /// A button may send its form elsewhere.
    fn button(&mut self, button: &Element<'_, '_>) {
        if let (Some(action), Some(form)) = (attribute(button, "formaction"), self.current) {
            let form = &mut self.forms[form];
            form.is_post |= is(button, "formmethod", "post");
            form.actions.push(action);
        }
    }

    fn mark_password(&mut self) {
        if let Some(control) = self.controls.last_mut() {
            control.kind = Kind::Never;
            control.value = Some(PASSWORD.to_owned());
        }
    }

    /// An option's end tag may be left out: its text goes on until the next one begins.
    fn words(&mut self, text: &str) {
        let select = self.select;
        let last = self.options.last_mut().filter(|option| Some(option.select) == select);
        if let Some(option) = last {
            option.text.push_str(text);
        }
    }

    fn option(&mut self, option: &Element<'_, '_>) {
        // One outside of a select is counted too, so that both passes agree.
        self.options.push(Choice {
            select: self.select.unwrap_or(usize::MAX),
            value: attribute(option, "value"),
            text: String::new(),
            is_disabled: option.has_attribute("disabled"),
        });
    }
}

/// Stands for the value of a password's control, which is not looked at.
const PASSWORD: &str = "\0password";

impl Control {
    fn is_password(&self) -> bool {
        self.kind == Kind::Never && self.value.as_deref() == Some(PASSWORD)
    }
}

fn reader<'a>(seen: &Rc<RefCell<Survey>>) -> Reader<'a> {
    let [head, form, control, option, list, words, body] = std::array::from_fn(|_| Rc::clone(seen));
    let settings = Settings::new()
        .with_strict(false)
        .with_memory_settings(
            MemorySettings::new().with_max_allowed_memory_usage(limit::FILLED_PAGE_BYTES_MAX * 2),
        )
        .append_element_content_handler(element!("base[href]", move |base| {
            let known = head.borrow_mut().base.take();
            head.borrow_mut().base = known.or_else(|| attribute(base, "href"));
            Ok(())
        }))
        .append_element_content_handler(element!("body", move |_| {
            body.borrow_mut().has_body = true;
            Ok(())
        }))
        .append_element_content_handler(element!("form", move |tag| {
            let number = form.borrow_mut().form(tag);
            let at_end = Rc::clone(&form);
            if let Some(handlers) = tag.end_tag_handlers() {
                handlers.push(Box::new(move |_| {
                    let mut seen = at_end.borrow_mut();
                    seen.current = seen.current.filter(|current| *current != number);
                    Ok(())
                }));
            }
            Ok(())
        }))
        .append_element_content_handler(element!(CONTROLS, move |tag| {
            control.borrow_mut().control(tag);
            Ok(())
        }))
        .append_element_content_handler(element!("option", move |tag| {
            option.borrow_mut().option(tag);
            Ok(())
        }))
        .append_element_content_handler(element!("datalist", move |_| {
            list.borrow_mut().select = None;
            Ok(())
        }))
        .append_element_content_handler(text!("select", move |chunk| {
            words.borrow_mut().words(chunk.as_str());
            Ok(())
        }));
    fn nowhere(_: &[u8]) {}
    HtmlRewriter::new(settings, nowhere)
}

/// What an `<input>` takes, by its type and by what browsers are told to fill in.
fn kind_of_input(input: &Element<'_, '_>) -> Kind {
    let hints = attribute(input, "autocomplete").unwrap_or_default().to_ascii_lowercase();
    let secret = |hint: &str| hint.starts_with("cc-") || SECRETS.contains(&hint);
    if hints.split_ascii_whitespace().any(secret) {
        return Kind::Never;
    }
    let kind = attribute(input, "type").unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "checkbox" => Kind::Checkbox,
        "radio" => Kind::Radio,
        "file" => Kind::File,
        "hidden" => Kind::Hidden,
        "submit" | "image" | "button" | "reset" => Kind::Button,
        "password" => Kind::Never,
        // Whatever browsers do not know is a line of text to them.
        _ => Kind::Line,
    }
}

const SECRETS: [&str; 3] = ["one-time-code", "current-password", "new-password"];

pub(super) fn attribute(element: &Element<'_, '_>, name: &str) -> Option<String> {
    let value = element.get_attribute(name)?;
    Some(html_escape::decode_html_entities(&value).into_owned())
}

fn is(element: &Element<'_, '_>, name: &str, wanted: &str) -> bool {
    let value = element.get_attribute(name).unwrap_or_default();
    value.trim().eq_ignore_ascii_case(wanted)
}
