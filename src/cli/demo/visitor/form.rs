//! Forms: read out of a page's HTML, filled in, encoded as a browser would.

use html_escape::decode_html_entities;
use percent_encoding::AsciiSet;

use super::Page;
use crate::digest;

/// What `multipart/form-data` names escape (WHATWG HTML, multipart form data).
const IN_QUOTES: &AsciiSet = &percent_encoding::CONTROLS.add(b'"');

/// A form with its current values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Where it goes; the page itself if it does not say.
    pub action: Option<String>,
    /// Whether it is sent as `multipart/form-data`.
    pub enctype: Enctype,
    /// Names and values, in order.
    pub fields: Vec<(String, String)>,
    /// The field, name and bytes of a chosen file.
    pub file: Option<(String, String, Vec<u8>)>,
}

/// How a form is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Enctype {
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
    /// `multipart/form-data`.
    Multipart,
}

impl Form {
    /// A form that is on no page: what an attacker, or a test, makes up.
    pub fn made_up(action: &str) -> Self {
        let action = Some(action.to_owned());
        Self { action, enctype: Enctype::Urlencoded, fields: Vec::new(), file: None }
    }

    /// The first form of `page` whose action ends with `action`.
    pub fn find(page: &Page, action: &str) -> Option<Self> {
        let ours = |form: &Self| form.action.as_deref().unwrap_or(&page.at).ends_with(action);
        Self::all(&page.answer.text()).into_iter().find(ours)
    }

    /// Every form in `html`.
    pub fn all(html: &str) -> Vec<Self> {
        let mut forms = Vec::new();
        let mut rest = html;
        while let Some(start) = rest.find("<form") {
            let end = rest[start..].find("</form").map_or(rest.len(), |end| start + end);
            forms.extend(Self::read(&rest[start..end]));
            rest = &rest[end..];
        }
        forms
    }

    /// The same with a field set, or added.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, text)) => value.clone_into(text),
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// The same with a file chosen.
    #[must_use]
    pub fn with_file(mut self, field: &str, name: &str, bytes: &[u8]) -> Self {
        self.file = Some((field.to_owned(), name.to_owned(), bytes.to_vec()));
        self
    }

    /// A field's value.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Content type and body.
    pub fn encode(&self) -> (String, Vec<u8>) {
        match self.enctype {
            Enctype::Urlencoded => {
                let mut body = form_urlencoded::Serializer::new(String::new());
                let body = body.extend_pairs(&self.fields).finish();
                ("application/x-www-form-urlencoded".to_owned(), body.into_bytes())
            }
            Enctype::Multipart => self.multipart(),
        }
    }

    fn multipart(&self) -> (String, Vec<u8>) {
        let fence = format!("----walk{}", digest::hex(&digest::random::<12>()));
        let mut body = Vec::new();
        let quote = |name: &str| percent_encoding::utf8_percent_encode(name, IN_QUOTES).to_string();
        for (name, value) in &self.fields {
            let name = quote(name);
            let part =
                format!("--{fence}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            body.extend_from_slice(part.as_bytes());
            body.extend_from_slice(value.as_bytes());
            body.extend_from_slice(b"\r\n");
        }
        if let Some((field, name, bytes)) = &self.file {
            let (field, name) = (quote(field), quote(name));
            let head = format!(
                "--{fence}\r\nContent-Disposition: form-data; name=\"{field}\"; \
                 filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{fence}--\r\n").as_bytes());
        (format!("multipart/form-data; boundary={fence}"), body)
    }

    /// Reads `<form …>` and what follows, up to its end. Forms with GET are not for us.
    fn read(html: &str) -> Option<Self> {
        let mut tags = Tags { rest: html };
        let form = tags.next()?;
        if !form.get("method").is_some_and(|method| method.eq_ignore_ascii_case("post")) {
            return None;
        }
        let multipart = form.get("enctype").is_some_and(|kind| kind == "multipart/form-data");
        let enctype = if multipart { Enctype::Multipart } else { Enctype::Urlencoded };
        let mut fields = Vec::new();
        while let Some(tag) = tags.next() {
            let Some(name) = tag.get("name") else { continue };
            match tag.name.as_str() {
                "input" => fields.extend(tag.input().map(|value| (name, value))),
                "textarea" => fields.push((name, text_until(tags.rest, "</textarea"))),
                "select" => fields.push((name, chosen(tags.rest))),
                _ => {}
            }
        }
        Some(Self { action: form.get("action"), enctype, fields, file: None })
    }
}

/// The value of the option that is selected, else of the first.
fn chosen(html: &str) -> String {
    let select = &html[..html.find("</select").unwrap_or(html.len())];
    let mut tags = Tags { rest: select };
    let mut value = None;
    while let Some(option) = tags.next() {
        if option.name == "option" && (value.is_none() || option.get("selected").is_some()) {
            value = Some(option.get("value").unwrap_or_else(|| text_until(tags.rest, "<")));
        }
    }
    value.unwrap_or_default()
}

fn text_until(html: &str, end: &str) -> String {
    let text = &html[..html.find(end).unwrap_or(html.len())];
    decode_html_entities(text.strip_prefix('\n').unwrap_or(text)).into_owned()
}

/// A start tag.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// What an input sends if nothing else is pressed or chosen.
    fn input(&self) -> Option<String> {
        let value = self.get("value");
        match self.get("type").as_deref().unwrap_or("text") {
            "submit" | "button" | "reset" | "image" | "file" => None,
            "checkbox" | "radio" => {
                self.get("checked").map(|_| value.unwrap_or_else(|| "on".to_owned()))
            }
            _ => Some(value.unwrap_or_default()),
        }
    }
}

/// The start tags of some HTML, in order. Quoted attribute values may hold anything.
struct Tags<'a> {
    rest: &'a str,
}

impl Iterator for Tags<'_> {
    type Item = Tag;

    fn next(&mut self) -> Option<Tag> {
        loop {
            let at = self.rest.find('<')?;
            self.rest = &self.rest[at + 1..];
            if self.rest.starts_with(|first: char| first.is_ascii_alphabetic()) {
                break;
            }
        }
        let end = |c: char| c.is_ascii_whitespace() || c == '>' || c == '/';
        let name = self.take(self.rest.find(end)?).to_ascii_lowercase();
        let mut attributes = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
            if self.rest.is_empty() || self.rest.starts_with('>') {
                self.rest = self.rest.strip_prefix('>').unwrap_or_default();
                return Some(Tag { name, attributes });
            }
            let key = self.take(self.rest.find(|c| end(c) || c == '=')?).to_ascii_lowercase();
            let value = self.value()?;
            attributes.push((key, value));
        }
    }
}

impl<'a> Tags<'a> {
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn value(&mut self) -> Option<String> {
        let Some(after) = self.rest.trim_start().strip_prefix('=') else {
            return Some(String::new());
        };
        self.rest = after.trim_start();
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let raw = match quote {
            Some(quote) => {
                self.rest = &self.rest[1..];
                let raw = self.take(self.rest.find(quote)?);
                self.rest = &self.rest[1..];
                raw
            }
            None => self.take(self.rest.find(|c: char| c.is_ascii_whitespace() || c == '>')?),
        };
        Some(decode_html_entities(raw).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_with_its_current_values() {
        let html = r#"<form method="get"><input name="q"></form>
            <form method=POST action="/a?b=1&amp;c=2"><input type=hidden name=t value="x&quot;>y">
            <input type="checkbox" name="no"><input type="checkbox" name="yes" checked>
            <input type="file" name="f"><textarea name="s">
one &lt; two</textarea><select name="k"><option>A<option value="b" selected>B</select>
            <button name="go" value="1">Go</button></form>"#;
        let forms = Form::all(html);
        assert_eq!(forms.len(), 1);
        let form = &forms[0];
        assert_eq!(form.action.as_deref(), Some("/a?b=1&c=2"));
        let expected = [("t", "x\">y"), ("yes", "on"), ("s", "one < two"), ("k", "b")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(form.fields, expected);
    }
}
