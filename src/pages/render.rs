//! Templates, style and script, and how they become a page in one language.
//!
//! Templates see: `view` (what to show), `say(key, …)` (a text of the catalog as HTML, values
//! escaped and isolated from the direction of the text around them), `text(key, …)` (the same as
//! plain text, for titles and attributes), `when(instant)` (a `<time>`), `link(words)` (an
//! operator's words, with addresses made into links), `size(bytes)`, `span(minutes)`, `lang`,
//! `dir`, `style` and `script`.

use std::sync::Arc;

use http::HeaderValue;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, context};

use super::Lang;
use super::catalog::{Catalog, Piece, Texts, pieces};
use crate::clock::Wall;
use crate::{digest, limit};

/// The template files: the frame, a piece that several pages include, and the pages.
pub(super) const FILES: [(&str, &str); 9] = [
    ("layout.html", include_str!("../../pages/layout.html")),
    ("_returns.html", include_str!("../../pages/_returns.html")),
    ("_answers.html", include_str!("../../pages/_answers.html")),
    ("closed.html", include_str!("../../pages/closed.html")),
    ("receipt.html", include_str!("../../pages/receipt.html")),
    ("code.html", include_str!("../../pages/code.html")),
    ("list.html", include_str!("../../pages/list.html")),
    ("not_kept.html", include_str!("../../pages/not_kept.html")),
    ("plain.html", include_str!("../../pages/plain.html")),
];

const STYLE: &str = include_str!("../../pages/style.css");
const SCRIPT: &str = include_str!("../../pages/script.js");

/// A page that can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sheet {
    Closed,
    Receipt,
    Code,
    List,
    NotKept,
    Plain,
}

impl Sheet {
    /// Every page.
    pub(super) const ALL: [Self; 6] =
        [Self::Closed, Self::Receipt, Self::Code, Self::List, Self::NotKept, Self::Plain];

    /// Its template.
    pub(super) const fn file(self) -> &'static str {
        match self {
            Self::Closed => "closed.html",
            Self::Receipt => "receipt.html",
            Self::Code => "code.html",
            Self::List => "list.html",
            Self::NotKept => "not_kept.html",
            Self::Plain => "plain.html",
        }
    }
}

/// Compiled templates with their texts, and the policy that lets exactly their style and script
/// run.
pub(super) struct Templates {
    pub(super) env: Environment<'static>,
    pub(super) catalog: Catalog,
    csp: HeaderValue,
    receipt_csp: HeaderValue,
    assets: [String; 2],
    speech: [Speech; 7],
}

/// The functions of one language.
struct Speech {
    say: Value,
    text: Value,
    when: Value,
    span: Value,
}

impl Templates {
    /// The built-in ones. A test renders each of them in every language.
    pub(super) fn builtin() -> Self {
        let mut templates = Self::with_our_style(Catalog::builtin());
        for (name, source) in FILES {
            let added = templates.env.add_template(name, source);
            debug_assert!(added.is_ok(), "{name}: {added:?}");
        }
        templates
    }

    /// No template yet, and our style.
    pub(super) fn with_our_style(catalog: Catalog) -> Self {
        Self::bare(catalog, &squeeze(STYLE))
    }

    /// No template yet; everything that templates use.
    pub(super) fn bare(catalog: Catalog, style: &str) -> Self {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_fuel(Some(limit::TEMPLATE_STEPS_MAX));
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            env.set_syntax(syntax);
        }
        let script = squeeze(SCRIPT);
        env.add_global("style", Value::from_safe_string(style.to_owned()));
        env.add_global("script", Value::from_safe_string(script.clone()));
        env.add_function("link", |words: String| Value::from_safe_string(link(&words)));
        env.add_function("size", size);
        let speech = Lang::ALL.map(|lang| Speech::of(catalog.texts(lang)));
        let csp = policy(style, &script, "'self'");
        let receipt_csp = policy(style, &script, "'self' https: http:");
        Self { env, catalog, csp, receipt_csp, assets: [style.to_owned(), script], speech }
    }

    /// What this page may do.
    ///
    /// A browser holds a form to `form-action` through every redirect that follows (seen in
    /// Chromium: the application has the form, and the visitor is left on a page that does
    /// nothing). An application may answer a sent submission with a redirect to another site, so
    /// the receipt must allow that.
    pub(super) fn csp(&self, sheet: Sheet) -> HeaderValue {
        match sheet {
            Sheet::Receipt => self.receipt_csp.clone(),
            Sheet::Closed | Sheet::Code | Sheet::List | Sheet::NotKept | Sheet::Plain => {
                self.csp.clone()
            }
        }
    }

    /// Whether the policy lets this inline style or script run.
    pub(super) fn allows(&self, asset: &str) -> bool {
        self.assets.iter().any(|known| known == asset)
    }

    /// One page in one language.
    pub(super) fn render(&self, sheet: Sheet, lang: Lang, view: &Value) -> Result<String, Error> {
        let speech = &self.speech[lang as usize];
        self.env.get_template(sheet.file())?.render(context! {
            view => view,
            lang => lang.tag(),
            dir => lang.direction(),
            say => &speech.say,
            text => &speech.text,
            when => &speech.when,
            span => &speech.span,
        })
    }
}

impl Speech {
    fn of(texts: &Arc<Texts>) -> Self {
        let [for_say, for_text, for_when, for_span] = std::array::from_fn(|_| Arc::clone(texts));
        Self {
            say: Value::from_function(move |key: String, values: Kwargs| {
                say(&for_say, &key, &values).map(Value::from_safe_string)
            }),
            text: Value::from_function(move |key: String, values: Kwargs| {
                plain(&for_text, &key, &values)
            }),
            when: Value::from_function(move |at: String| time(&for_when, &at)),
            span: Value::from_function(move |minutes: u64| for_span.span(minutes)),
        }
    }
}

/// A text as HTML. Its own markup is shown, not obeyed, and so is that of the values; a value that
/// is markup of ours, such as a time, is put in as it is.
fn say(texts: &Texts, key: &str, values: &Kwargs) -> Result<String, Error> {
    let mut html = String::new();
    for piece in pieces(wanted(texts, key)?) {
        match piece {
            Piece::Words(words) => html.push_str(&html_escape::encode_text(words)),
            Piece::Place(name) => {
                let value = value_of(key, name, values)?;
                let shown = value.to_string();
                if value.is_safe() {
                    html.push_str(&shown);
                } else {
                    html.extend(["<bdi>", &html_escape::encode_text(&shown), "</bdi>"]);
                }
            }
        }
    }
    Ok(html)
}

/// A text as it is; the template escapes it.
fn plain(texts: &Texts, key: &str, values: &Kwargs) -> Result<String, Error> {
    let mut filled = String::new();
    for piece in pieces(wanted(texts, key)?) {
        match piece {
            Piece::Words(words) => filled.push_str(words),
            Piece::Place(name) => filled.push_str(&value_of(key, name, values)?.to_string()),
        }
    }
    Ok(filled)
}

fn wanted<'a>(texts: &'a Texts, key: &str) -> Result<&'a str, Error> {
    let missing = || Error::new(ErrorKind::InvalidOperation, format!("there is no text `{key}`"));
    texts.get(key).ok_or_else(missing)
}

fn value_of(key: &str, name: &str, values: &Kwargs) -> Result<Value, Error> {
    if values.has(name) {
        return values.get(name);
    }
    let message = format!("the text `{key}` wants a value for `{name}`");
    Err(Error::new(ErrorKind::MissingArgument, message))
}

/// A `<time>` that reads well without the script and that the script turns into the visitor's zone.
fn time(texts: &Texts, at: &str) -> Result<Value, Error> {
    let wrong = |e| Error::new(ErrorKind::InvalidOperation, format!("not an instant: {e}"));
    let at = Wall::parse(at).map_err(wrong)?;
    let words = texts.when(at);
    let words = html_escape::encode_text(&words);
    Ok(Value::from_safe_string(format!("<time datetime=\"{at}\">{words}</time>")))
}

/// An operator's words as HTML, with web and mail addresses made into links. Other schemes stay
/// words.
fn link(words: &str) -> String {
    let mut html = String::new();
    for token in words.split_inclusive(char::is_whitespace) {
        let start = token.len() - token.trim_start_matches(['(', '<', '"', '\'']).len();
        let rest = &token[start..];
        let ends = |c: char| c.is_whitespace() || ".,;:!?)>\"'".contains(c);
        let word = rest.trim_end_matches(ends);
        html.push_str(&html_escape::encode_text(&token[..start]));
        match address(word) {
            Some(address) => {
                let address = html_escape::encode_double_quoted_attribute(&address).into_owned();
                let word = html_escape::encode_text(word);
                html.extend(["<a href=\"", &address, "\">", &word, "</a>"]);
            }
            None => html.push_str(&html_escape::encode_text(word)),
        }
        html.push_str(&html_escape::encode_text(&rest[word.len()..]));
    }
    html
}

/// Where a word leads, if it is a web or mail address.
fn address(word: &str) -> Option<String> {
    let scheme_of = |scheme: &str| {
        let head = word.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then(|| &word[scheme.len()..])
    };
    if let Some(rest) = scheme_of("https://").or_else(|| scheme_of("http://")) {
        return rest.starts_with(|c: char| c.is_alphanumeric()).then(|| word.to_owned());
    }
    if let Some(mail) = scheme_of("mailto:") {
        return is_mail(mail).then(|| word.to_owned());
    }
    is_mail(word).then(|| format!("mailto:{word}"))
}

fn is_mail(word: &str) -> bool {
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".+-_".contains(&b))
    };
    word.split_once('@').is_some_and(|(name, domain)| {
        plain(name) && plain(domain) && domain.contains('.') && !domain.contains("..")
    })
}

/// Bytes, as people say them.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} KB", bytes.div_ceil(1_000)),
        _ => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}

/// Run this style and this script, ask their own site, post to `forms`.
fn policy(style: &str, script: &str, forms: &str) -> HeaderValue {
    let hash = |asset: &str| digest::base64(&digest::sha256(asset.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; \
         img-src data:; form-action {forms}; base-uri 'none'; frame-ancestors 'none'",
        hash(style),
        hash(script)
    );
    HeaderValue::from_str(&policy).expect("base64 is visible ASCII")
}

/// Takes indentation, blank lines and whole-line comments out of an asset of ours.
fn squeeze(asset: &str) -> String {
    let comment = |line: &&str| line.starts_with("//") || line.starts_with("/*");
    let lines = asset.lines().map(str::trim).filter(|line| !line.is_empty() && !comment(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_and_mail_addresses_become_links() {
        for (words, html) in [
            ("help@example.com", r#"<a href="mailto:help@example.com">help@example.com</a>"#),
            (
                "(https://a.example/?y&z).",
                r#"(<a href="https://a.example/?y&amp;z">https://a.example/?y&amp;z</a>)."#,
            ),
            ("javascript:alert(1)", "javascript:alert(1)"),
            ("data:text/html,x", "data:text/html,x"),
            ("https://\"onload=x", "https://\"onload=x"),
            ("https:///x mailto:x a@b @ a@b..c", "https:///x mailto:x a@b @ a@b..c"),
            ("<b>\u{e9}", "&lt;b&gt;é"),
        ] {
            assert_eq!(link(words), html, "{words}");
        }
    }

    #[test]
    fn sizes_are_never_told_too_small() {
        assert_eq!(
            [size(0), size(999), size(1_001), size(2_000_001)],
            ["0 B", "999 B", "2 KB", "3 MB"]
        );
    }
}
