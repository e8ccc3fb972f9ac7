//! The page again, with the answers in its form and a note before it.

use std::cell::{Cell, RefCell};

use lol_html::html_content::{ContentType, Element};
use lol_html::{HtmlRewriter, MemorySettings, Settings, element, end};

use super::plan::{Change, Plan};
use super::survey::CONTROLS;
use crate::limit;

/// How many answers a form was given; our script leaves it alone then.
const FILLED: &str = "data-im-filled";

/// The page with everything in it; none if it cannot be written, and then it stays as it was.
pub(super) fn write(page: &[u8], plan: &Plan, note: &str) -> Option<Vec<u8>> {
    let note = ascii(note);
    let out = RefCell::new(Vec::with_capacity(page.len() + note.len() + 1024));
    let (forms, controls, options, bodies) =
        (Cell::new(0), Cell::new(0), Cell::new(0), Cell::new(0));
    let next = |count: &Cell<usize>| {
        count.set(count.get() + 1);
        count.get() - 1
    };
    let settings = Settings::new()
        .with_strict(false)
        .with_memory_settings(
            MemorySettings::new().with_max_allowed_memory_usage(limit::FILLED_PAGE_BYTES_MAX * 2),
        )
        .append_element_content_handler(element!("form", |form| {
            if plan.form == Some(next(&forms)) {
                form.set_attribute(FILLED, &plan.outcome.placed.to_string())?;
                form.before(&note, ContentType::Html);
            }
            Ok(())
        }))
        .append_element_content_handler(element!("body", |body| {
            if plan.form.is_none() && next(&bodies) == 0 {
                body.prepend(&note, ContentType::Html);
            }
            Ok(())
        }))
        .append_element_content_handler(element!(CONTROLS, |control| {
            Ok(change(control, &plan.controls[next(&controls)])?)
        }))
        .append_element_content_handler(element!("option", |option| {
            if let Some(chosen) = plan.options[next(&options)] {
                set(option, "selected", chosen)?;
            }
            Ok(())
        }))
        .append_document_content_handler(end!(|end| {
            if plan.form.is_none() && !plan.has_body {
                end.append(&note, ContentType::Html);
            }
            Ok(())
        }));
    let mut rewriter =
        HtmlRewriter::new(settings, |bytes: &[u8]| out.borrow_mut().extend_from_slice(bytes));
    rewriter.write(page).ok()?;
    rewriter.end().ok()?;
    Some(out.into_inner())
}

type Written = Result<(), lol_html::errors::AttributeNameError>;

fn change(control: &mut Element<'_, '_>, change: &Change) -> Written {
    match change {
        Change::Nothing => {}
        Change::Check(on) => set(control, "checked", *on)?,
        Change::Say(text) if control.tag_name() == "textarea" => {
            // A first line break is not taken for a part of the text (HTML §13.1.2.5).
            let text = format!("\n{}", ascii(&html_escape::encode_text(text)));
            control.set_inner_content(&text, ContentType::Html);
        }
        Change::Say(text) => {
            let text = ascii(&html_escape::encode_double_quoted_attribute(text));
            control.set_attribute("value", &text)?;
        }
    }
    Ok(())
}

fn set(element: &mut Element<'_, '_>, name: &str, on: bool) -> Written {
    if on {
        element.set_attribute(name, "")
    } else {
        element.remove_attribute(name);
        Ok(())
    }
}

/// HTML with what is not ASCII as character references.
fn ascii(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    for letter in html.chars() {
        if letter.is_ascii() {
            out.push(letter);
        } else {
            out.push_str(&format!("&#x{:x};", u32::from(letter)));
        }
    }
    out
}
