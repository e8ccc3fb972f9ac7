//! An operator's own page files: read, compiled and tried out, with every fault told at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use minijinja::Error;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::catalog::{Catalog, line_at};
use super::render::{FILES, Sheet, Templates};
use super::sheet::{Plain, Receipt, Unkept, not_kept_key};
use super::view::PlainKind;
use super::{Lang, sample};
use crate::limit;

/// What is wrong with a page file, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}:{line}: {message}", file.display())]
pub struct TemplateFault {
    /// The file.
    pub file: PathBuf,
    /// From 1; 1 where the file as a whole is meant.
    pub line: usize,
    /// What is wrong, and how to mend it.
    pub message: String,
}

/// Reads the files of `dir` and puts them over the built-in ones.
pub(super) fn load(dir: &Path) -> Result<Templates, Vec<TemplateFault>> {
    let mut faults = Vec::new();
    let files = read(dir, &mut faults);
    let mut catalog = Catalog::builtin();
    for lang in Lang::ALL {
        let name = format!("catalog/{}.toml", lang.tag());
        if let Some(file) = files.get(&name) {
            let found = catalog.put_over(lang, file);
            faults.extend(found.into_iter().map(|f| fault(dir.join(&name), f.line, f.message)));
        }
    }
    let mut templates = match files.get("style.css") {
        Some(style) => {
            faults.extend(style_faults(&dir.join("style.css"), style));
            Templates::bare(catalog, style)
        }
        None => Templates::with_our_style(catalog),
    };
    let mut compiled = true;
    for (name, source) in pages(&files) {
        if let Err(error) = templates.env.add_template_owned(name.clone(), source) {
            compiled = false;
            faults.push(of_error(dir, &name, &error));
        }
    }
    if compiled {
        try_out(dir, &templates, &files, &mut faults);
    }
    if faults.is_empty() { Ok(templates) } else { Err(faults) }
}

/// Every file that counts, by its name relative to `dir`.
fn read(dir: &Path, faults: &mut Vec<TemplateFault>) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let catalogs = dir.join("catalog");
    let folders = [("", dir.to_owned()), ("catalog/", catalogs)];
    for (prefix, folder) in folders {
        if !prefix.is_empty() && !folder.exists() {
            continue;
        }
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) => {
                faults.push(fault(folder, 1, format!("the folder cannot be read: {e}")));
                continue;
            }
        };
        for entry in entries.flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            match belongs(&name) {
                Belongs::Yes => match text_of(&entry.path()) {
                    Ok(text) => {
                        files.insert(name, text);
                    }
                    Err(message) => faults.push(fault(entry.path(), 1, message)),
                },
                Belongs::No => {}
                Belongs::Mistaken(message) => faults.push(fault(entry.path(), 1, message)),
            }
        }
    }
    files
}

/// Whether a file in the folder is one of ours.
enum Belongs {
    Yes,
    /// Something else that may lie there: a README, the hidden files of a mounted volume.
    No,
    /// It looks as if it was meant to be one.
    Mistaken(String),
}

fn belongs(name: &str) -> Belongs {
    let base = name.strip_prefix("catalog/").unwrap_or(name);
    let ending = base.rsplit_once('.').map_or("", |(_, ending)| ending);
    if base.starts_with('.') {
        return Belongs::No;
    }
    let language = base.strip_suffix(".toml").filter(|_| name.starts_with("catalog/"));
    match (language, ending) {
        (Some(tag), _) if Lang::ALL.iter().any(|lang| lang.tag() == tag) => Belongs::Yes,
        (Some(_), _) => Belongs::Mistaken(format!(
            "there is no such language; name it one of {}",
            Lang::ALL.map(Lang::tag).join(", ")
        )),
        (None, "html")
            if base.starts_with('_') || FILES.iter().any(|(known, _)| *known == name) =>
        {
            Belongs::Yes
        }
        (None, "html") => Belongs::Mistaken(format!(
            "there is no such page; name it one of {}, or `_…` if others include it",
            FILES.map(|(known, _)| known).join(", ")
        )),
        (None, "css") if name == "style.css" => Belongs::Yes,
        (None, "css") => Belongs::Mistaken("the one style sheet is style.css".to_owned()),
        (None, "js") => Belongs::Mistaken("the script of the pages cannot be replaced".to_owned()),
        (None, _) => Belongs::No,
    }
}

fn text_of(file: &Path) -> Result<String, String> {
    let size = fs::metadata(file).map_err(|e| format!("the file cannot be read: {e}"))?.len();
    if size > limit::TEMPLATE_BYTES_MAX {
        return Err(format!(
            "{size} bytes are more than the {} allowed",
            limit::TEMPLATE_BYTES_MAX
        ));
    }
    let text = fs::read_to_string(file).map_err(|e| format!("the file cannot be read: {e}"))?;
    // An HTML parser turns CR LF into LF before it hashes a style, so the hash must be of that.
    Ok(text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n"))
}

/// Our templates with theirs in their place, and their pieces.
fn pages(files: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let ours = FILES.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned()));
    let theirs = files.iter().filter(|(name, _)| name.ends_with(".html"));
    ours.chain(theirs.map(|(name, source)| (name.clone(), source.clone()))).collect()
}

/// Renders every page in every language, and looks at what comes out.
fn try_out(
    dir: &Path,
    templates: &Templates,
    files: &BTreeMap<String, String>,
    faults: &mut Vec<TemplateFault>,
) {
    for sheet in Sheet::ALL {
        'views: for view in views(sheet) {
            for lang in Lang::ALL {
                let found = match templates.render(sheet, lang, &view) {
                    Ok(html) => page_fault(templates, &html).map(|(mark, message)| {
                        let name = culprit(sheet, files, mark);
                        let source = files.get(name).map_or("", String::as_str);
                        let at = source.to_ascii_lowercase().find(mark).unwrap_or(0);
                        fault(dir.join(name), line_at(source, at), message)
                    }),
                    Err(error) => Some(of_error(dir, sheet.file(), &error)),
                };
                if let Some(found) = found {
                    if !faults.contains(&found) {
                        faults.push(found);
                    }
                    // The same fault in another language is no news; in another state it may be.
                    continue 'views;
                }
            }
        }
    }
}

/// The views that a page is tried on.
fn views(sheet: Sheet) -> Vec<Value> {
    match sheet {
        Sheet::Closed => sample::notices().iter().map(|n| Value::from(Serde(n))).collect(),
        Sheet::Receipt => {
            sample::receipts().iter().map(|r| Value::from(Serde(Receipt::of(r)))).collect()
        }
        Sheet::Code => sample::codes().iter().map(|c| Value::from(Serde(c))).collect(),
        Sheet::List => sample::lists().iter().map(|l| Value::from(Serde(l))).collect(),
        Sheet::NotKept => sample::notices()
            .iter()
            .flat_map(|notice| {
                [Some("size"), None].map(|why| {
                    Value::from(Serde(Unkept { notice, why: why.and_then(not_kept_key) }))
                })
            })
            .collect(),
        Sheet::Plain => {
            PlainKind::ALL.into_iter().map(|kind| Value::from(Serde(Plain::of(kind)))).collect()
        }
    }
}

/// What the browser would refuse or the visitor would miss: a mark to find the line by, and why.
fn page_fault(templates: &Templates, html: &str) -> Option<(&'static str, String)> {
    let lower = html.to_ascii_lowercase();
    for (mark, end) in [("<style", "</style"), ("<script", "</script")] {
        for (at, _) in lower.match_indices(mark) {
            let open = lower[at..].find('>').map_or(lower.len(), |end| at + end + 1);
            let close = lower[open..].find(end).map_or(lower.len(), |end| open + end);
            if !templates.allows(&html[open..close]) {
                let name = &mark[1..];
                let message = format!(
                    "the pages' policy allows only <{name}>{{{{ {name} }}}}</{name}>, spaced so"
                );
                return Some((mark, message));
            }
        }
    }
    const ELSEWHERE: [&str; 6] =
        ["src=\"http", "src=\"//", "src='http", "src='//", "<link rel=\"stylesheet", "<iframe"];
    if let Some(mark) = ELSEWHERE.into_iter().find(|mark| lower.contains(mark)) {
        let message = "the pages load nothing from elsewhere; put the image in as a data: address";
        return Some((mark, message.to_owned()));
    }
    if !lower.contains("<html") {
        return Some(("<", "the page has no <html> element".to_owned()));
    }
    None
}

/// Which of the operator's files a mark on a rendered page stands in.
fn culprit<'a>(sheet: Sheet, files: &'a BTreeMap<String, String>, mark: &str) -> &'a str {
    let has = |(_, source): &(&String, &String)| source.to_ascii_lowercase().contains(mark);
    let html = || files.iter().filter(|(name, _)| name.ends_with(".html"));
    let own = html().find(|(name, source)| *name == sheet.file() && has(&(name, source)));
    own.or_else(|| html().find(has)).map_or(sheet.file(), |(name, _)| name)
}

fn style_faults(file: &Path, style: &str) -> Vec<TemplateFault> {
    const FORBIDDEN: [(&str, &str); 4] = [
        ("</style", "`</style` would end the style sheet"),
        ("@import", "the pages load nothing from elsewhere; put the style in here"),
        ("url(http", "the pages load nothing from elsewhere; use a data: address"),
        ("url(\"http", "the pages load nothing from elsewhere; use a data: address"),
    ];
    let lower = style.to_ascii_lowercase();
    let found = FORBIDDEN.iter().filter_map(|(mark, why)| lower.find(mark).map(|at| (at, why)));
    found.map(|(at, why)| fault(file.to_owned(), line_at(style, at), (*why).to_owned())).collect()
}

/// An error of the template engine, in the innermost file that it tells of.
fn of_error(dir: &Path, sheet: &str, error: &Error) -> TemplateFault {
    let mut innermost = error;
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<Error>() {
            innermost = inner;
        }
        source = inner.source();
    }
    let placed = if innermost.line().is_some() { innermost } else { error };
    let file = dir.join(placed.name().unwrap_or(sheet));
    let detail = innermost.detail().map_or_else(String::new, |detail| format!(": {detail}"));
    fault(file, placed.line().unwrap_or(1), format!("{}{detail}", innermost.kind()))
}

fn fault(file: PathBuf, line: usize, message: String) -> TemplateFault {
    TemplateFault { file, line, message }
}
