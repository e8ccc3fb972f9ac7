//! An operator's own page files: what they change, and how their faults are told.

use std::fs;
use std::path::Path;

use intermission::pages::{Lang, Notice, Page, Pages, PlainKind, TemplateFault, sample};

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let file = dir.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    }
    dir
}

fn load(files: &[(&str, &str)]) -> Result<Pages, Vec<TemplateFault>> {
    Pages::with_overrides(folder(files).path())
}

/// The faults of these files, as (file, line, message).
fn faults(files: &[(&str, &str)]) -> Vec<(String, usize, String)> {
    let dir = folder(files);
    let faults = Pages::with_overrides(dir.path()).err().expect("faults");
    let name = |file: &Path| {
        let inside = file.strip_prefix(dir.path()).expect("inside of the folder");
        inside.to_string_lossy().into_owned()
    };
    faults.iter().map(|fault| (name(&fault.file), fault.line, fault.message.clone())).collect()
}

fn html(page: Page) -> String {
    String::from_utf8(page.html.to_vec()).expect("UTF-8")
}

#[test]
fn texts_style_and_templates_take_the_place_of_ours() {
    let style = "body { color: teal }\n";
    let plain = "{% extends 'layout.html' %}{% block main %}{% include '_logo.html' %}\
                 <h1>{{ say('plain.' ~ view.key) }}</h1>{% endblock %}";
    let pages = load(&[
        ("catalog/de.toml", "[plain]\ngone = \"Zu spät\"\n"),
        ("style.css", &style.replace('\n', "\r\n")),
        ("plain.html", plain),
        ("_logo.html", "<img alt='' src='data:,'>"),
        ("README.md", "not a page"),
        ("..data/closed.html", "{{ a mounted volume's hidden copy"),
    ])
    .expect("no fault");
    let german = html(pages.plain(Lang::De, PlainKind::Gone));
    assert!(german.contains("<h1>Zu spät</h1>") && german.contains("src='data:,'"), "{german}");
    assert!(german.contains(&format!("<style>{style}</style>")), "{german}");
    let english = html(pages.plain(Lang::En, PlainKind::Gone));
    assert!(english.contains("no longer valid"), "{english}");
    let ours = Pages::builtin().plain(Lang::En, PlainKind::Gone).csp;
    assert_ne!(pages.plain(Lang::En, PlainKind::Gone).csp, ours, "the hash follows the style");
}

#[test]
fn every_fault_is_told_with_its_file_and_line() {
    let found = faults(&[
        ("catalog/fr.toml", "[closed]\ntitle = \"{servce}\"\n\nnews = \"x\"\n"),
        ("catalog/ja.toml", "[closed]\nwhy = \n"),
        ("catalog/nl.toml", ""),
        ("close.html", ""),
        ("script.js", ""),
        ("style.css", "body {}\n@import 'x';\n"),
        ("list.html", "line one\n{% if %}\n"),
    ]);
    let places: Vec<(&str, usize)> = found.iter().map(|(f, line, _)| (f.as_str(), *line)).collect();
    for place in [
        ("catalog/fr.toml", 2),
        ("catalog/fr.toml", 4),
        ("catalog/ja.toml", 2),
        ("catalog/nl.toml", 1),
        ("close.html", 1),
        ("script.js", 1),
        ("style.css", 2),
        ("list.html", 2),
    ] {
        assert!(places.contains(&place), "{place:?} is missing in {found:#?}");
    }
    assert_eq!(found.len(), 8, "{found:#?}");
    assert!(found.iter().any(|(_, _, message)| message.contains("{servce}")), "{found:#?}");
}

#[test]
fn a_template_that_compiles_but_fails_is_told_too() {
    let with = |main: &str| {
        format!("{{% extends 'layout.html' %}}\n{{% block main %}}\n{main}\n{{% endblock %}}\n")
    };
    for (main, part) in [
        ("{{ view.servise }}", "undefined"),
        ("{{ say('closed.nothing') }}", "closed.nothing"),
        ("{{ say('closed.title') }}", "service"),
        ("{{ when('soon') }}", "instant"),
        ("{% if view.read_only %}{{ view.nobody }}{% endif %}", "undefined"),
        ("{% for _ in range(9999) %}{% for _ in range(9999) %}{% endfor %}{% endfor %}", "fuel"),
        ("<script>alert(1)</script>", "policy"),
        ("<img src=\"https://cdn.example/logo.png\">", "elsewhere"),
    ] {
        let found = faults(&[("closed.html", &with(main))]);
        let [(file, line, message)] = &found[..] else { panic!("{main}: {found:#?}") };
        assert_eq!((file.as_str(), *line), ("closed.html", 3), "{message}");
        assert!(message.contains(part), "{main}: {message}");
    }
}

#[test]
fn a_style_element_with_a_space_in_it_would_be_blocked_and_is_told() {
    let layout = "<!doctype html>\n<html lang=\"{{ lang }}\">\n<style> {{ style }}</style>\n\
                  {% block main %}{% endblock %}</html>";
    let found = faults(&[("layout.html", layout)]);
    assert_eq!((found[0].0.as_str(), found[0].1), ("layout.html", 3), "{found:#?}");
}

#[test]
fn a_folder_that_is_not_there_is_one_fault() {
    let faults = Pages::with_overrides(Path::new("/nonexistent/pages")).err().expect("a fault");
    assert_eq!(faults.len(), 1, "{faults:#?}");
    assert!(faults[0].to_string().contains("/nonexistent/pages:1: "), "{}", faults[0]);
}

#[test]
fn a_template_that_fails_only_for_some_visitor_gives_way_to_ours() {
    // No sample has such a name, so `check` cannot see it.
    let closed = "{% extends 'layout.html' %}{% block title %}{% endblock %}{% block main %}\
                  <h1>Theirs</h1>{% if view.service == 'Odd' %}{{ view.nobody }}{% endif %}\
                  {% endblock %}";
    let pages = load(&[("closed.html", closed)]).expect("no fault that can be seen");
    let notice = sample::notices().remove(0);
    let closed =
        |notice: &Notice| String::from_utf8(pages.closed(notice).of(Lang::En).html.to_vec());
    assert!(closed(&notice).expect("UTF-8").contains("<h1>Theirs</h1>"));
    let odd = Notice { service: "Odd".to_owned(), ..notice };
    let ours = closed(&odd).expect("UTF-8");
    assert!(
        ours.contains("Sorry, <bdi>Odd</bdi> is unavailable") && ours.contains("<style>"),
        "{ours}"
    );
}
