//! The closed page, taken from our proxy and given to HAProxy: the same bytes, the same fields.

use std::io;
use std::path::Path;

use tokio::runtime::Runtime;

use super::load::{self, Request};
use super::proxy::Ours;

/// Where the closed page is.
pub(crate) const PATH: &str = "/closed/1";
/// What a browser asks for.
pub(crate) const ACCEPT: &str = "text/html";

/// A page and its fields, without those that frame it.
pub(crate) struct Page {
    pub(crate) body: Vec<u8>,
    fields: Vec<(String, String)>,
}

impl Page {
    /// What our proxy shows a browser.
    pub(crate) fn taken_from(ours: &Ours, runtime: &Runtime) -> io::Result<Self> {
        let request = Request::get(ours.proxy.open, PATH, ACCEPT);
        let whole = load::ask(runtime, ours.proxy.open, &request)?;
        if whole.status != 503 {
            return Err(io::Error::other(format!("{PATH} is not closed: {}", whole.status)));
        }
        Ok(Self { body: whole.body, fields: whole.fields })
    }

    /// HAProxy's rule that answers with this page. The date is told as well, but does not move on.
    pub(crate) fn rule(&self, file: &Path) -> String {
        let own = ["content-length", "content-type", "connection"];
        let kind = self.field("content-type").unwrap_or("text/html");
        let file = file.to_string_lossy();
        let mut rule = format!(
            "http-request return status 503 content-type {} file {}",
            escaped(kind),
            escaped(&file)
        );
        for (name, value) in &self.fields {
            if !own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
                rule += &format!(" hdr {} {}", escaped(name), escaped(&value.replace('%', "%%")));
            }
        }
        rule
    }

    fn field(&self, name: &str) -> Option<&str> {
        let named = self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }
}

/// One word of HAProxy's config.
fn escaped(word: &str) -> String {
    let special = |letter: char| matches!(letter, ' ' | '\\' | '"' | '\'' | '#');
    let letter = |letter| if special(letter) { vec!['\\', letter] } else { vec![letter] };
    word.chars().flat_map(letter).collect()
}
