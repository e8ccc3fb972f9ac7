//! The note that stands in a page of the application whose form holds a visitor's answers.
//!
//! It is HTML without a style, a script or an attribute that a policy of the page could forbid:
//! it looks like the page that it stands in.

use std::fmt::Write as _;

use super::Lang;
use super::catalog::Texts;
use crate::id::Id;

/// What became of the answers.
pub struct Refilled<'a> {
    /// The submission.
    pub id: Id,
    /// Where its visitor looks after it: the receipt, or the page that asks for its code.
    pub back: &'a str,
    /// How many stand in the form.
    pub placed: usize,
    /// Names and values that found no field.
    pub left: &'a [(String, String)],
    /// Names of files to be chosen again.
    pub files: &'a [String],
}

/// As HTML. Whatever was typed is text. The address that leads to the page names it, so that it is
/// what is seen and read first.
pub(super) fn note(lang: Lang, texts: &Texts, refilled: &Refilled<'_>) -> String {
    let Refilled { id, back, placed, left, files } = *refilled;
    let say = |key: &str| html_escape::encode_text(&texts.fill(key, &[])).into_owned();
    let (tag, dir) = (lang.tag(), lang.direction());
    let title = if placed > 0 { "refilled.title" } else { "refilled.title_none" };
    let mut html = format!(
        "<section id=\"im-refill={id}\" data-im-refill=\"{id}\" lang=\"{tag}\" dir=\"{dir}\"><h2>{}</h2>",
        say(title)
    );
    if placed > 0 {
        let _ = write!(html, "<p>{}</p>", say("refilled.lead"));
    }
    if !left.is_empty() {
        let _ = write!(html, "<p>{}</p><dl>", say("refilled.left"));
        for (name, value) in left {
            let (name, value) = (html_escape::encode_text(name), html_escape::encode_text(value));
            // A first line break is not taken for a part of the text (HTML §13.1.2.5).
            let _ = write!(
                html,
                "<dt dir=\"auto\">{name}</dt><dd><pre dir=\"auto\">\n{value}</pre></dd>"
            );
        }
        html.push_str("</dl>");
    }
    if !files.is_empty() {
        let _ = write!(html, "<p>{}</p><ul>", say("refilled.files"));
        for file in files {
            let _ = write!(html, "<li><bdi>{}</bdi></li>", html_escape::encode_text(file));
        }
        html.push_str("</ul>");
    }
    let receipt = say("refilled.receipt");
    let back = html_escape::encode_double_quoted_attribute(back);
    let _ = write!(html, "<p><a href=\"{back}\">{receipt}</a></p></section>");
    html
}
