//! What a browser gets: every page, in every language, in every state.

use std::fs;
use std::path::Path;

use intermission::digest;
use intermission::pages::{Lang, Page, Pages, PlainKind, sample};

use super::safety::bones;

/// Every page there is, with a name to tell it by.
fn every_page(pages: &Pages) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    let mut add = |name: String, page: Page| {
        let html = String::from_utf8(page.html.to_vec()).expect("UTF-8");
        all.push((name, html, page.csp.to_str().expect("ASCII").to_owned()));
    };
    for lang in Lang::ALL {
        for (n, notice) in sample::notices().iter().enumerate() {
            let closed = pages.closed(notice);
            let closed = closed.of(lang);
            let (csp, language) = (closed.csp.clone(), closed.language.clone());
            add(format!("closed {n} {lang:?}"), Page { html: closed.html.clone(), csp, language });
            for why in
                ["origin", "type", "policy", "secret", "size", "quota", "broken", "store", "?"]
            {
                add(format!("not kept {n} {why} {lang:?}"), pages.not_kept(lang, notice, why));
            }
        }
        for (n, view) in sample::receipts().iter().enumerate() {
            add(format!("receipt {n} {:?} {lang:?}", view.state), pages.receipt(lang, view));
        }
        for view in sample::codes() {
            add(format!("code {:?} {lang:?}", view.step), pages.code(lang, &view));
        }
        for (n, view) in sample::lists().iter().enumerate() {
            add(format!("list {n} {lang:?}"), pages.list(lang, view));
        }
        for kind in PlainKind::ALL {
            add(format!("plain {kind:?} {lang:?}"), pages.plain(lang, kind));
        }
    }
    all
}

/// The content of every inline element of this name.
fn inline<'a>(html: &'a str, element: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let after = html.split(&open).skip(1);
    after.map(|rest| rest.split_once(&close).expect("closed").0).collect()
}

#[test]
fn every_page_is_small_whole_and_asks_nobody_else() {
    for (name, html, _) in every_page(&Pages::builtin()) {
        assert!(
            html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"),
            "{name}"
        );
        assert!(html.len() <= 14 * 1024, "{name}: {} bytes", html.len());
        // A page that fell back to the minimal one has no style.
        assert!(html.contains("<style>"), "{name} is the minimal page");
        assert_eq!(html.matches("<h1>").count(), 1, "{name}");
        for needed in [
            "name=\"robots\" content=\"noindex\"",
            "name=\"turbo-visit-control\" content=\"reload\"",
            "name=\"viewport\"",
        ] {
            assert!(html.contains(needed), "{name} lacks {needed}");
        }
        let lower = html.to_lowercase();
        for unwanted in [
            "http-equiv",
            "src=",
            "@import",
            "url(",
            "<iframe",
            "javascript:",
            "submitted",
            "{{",
            "{%",
            "{service}",
            "{time}",
        ] {
            assert!(!lower.contains(unwanted), "{name} has {unwanted}");
        }
        for tag in bones(html.as_bytes()) {
            assert!(!tag.contains(" on") && !tag.contains(" style"), "{name}: <{tag}>");
        }
    }
}

#[test]
fn the_policy_lets_exactly_the_pages_own_style_and_script_run() {
    for (name, html, csp) in every_page(&Pages::builtin()) {
        for (element, directive) in [("style", "style-src"), ("script", "script-src")] {
            for asset in inline(&html, element) {
                let hash = digest::base64(&digest::sha256(asset.as_bytes()));
                assert!(csp.contains(&format!("{directive} 'sha256-{hash}'")), "{name} {element}");
            }
        }
        assert!(csp.starts_with("default-src 'none'") && !csp.contains("unsafe"), "{csp}");
        let receipt = name.starts_with("receipt");
        let forms = if receipt { "'self' https: http:" } else { "'self'" };
        assert!(csp.contains(&format!("form-action {forms}; ")), "{name}: {csp}");
        assert_eq!(inline(&html, "style").len(), 1, "{name}");
        assert_eq!(html.matches("<script").count(), inline(&html, "script").len(), "{name}");
    }
}

/// What cannot be seen here is looked at in a browser, by `tests/browser/test_pages.py`.
#[test]
fn every_page_is_left_for_the_browser_to_look_at() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    // What was left by another build may show pages that are no more.
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("ours");
    }
    fs::create_dir_all(&folder).expect("a folder");
    let pages = every_page(&Pages::builtin());
    for (name, html, _) in &pages {
        let name: String = name.chars().filter(|letter| *letter != '?').collect();
        let file = folder.join(name.trim().replace(' ', "-") + ".html");
        fs::write(file, html).expect("room");
    }
    assert_eq!(fs::read_dir(&folder).expect("there").count(), pages.len());
}
