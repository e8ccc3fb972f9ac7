//! No file makes the reader panic, and every refusal names a place in the file.

use std::fs;
use std::path::{Path, PathBuf};

use intermission::config::{self, Color, Problems};
use proptest::prelude::*;
use tempfile::TempDir;

const GOOD: &str = include_str!("fixtures/good_every_section.txt");

fn good() -> &'static str {
    GOOD.split("\n----\n").next().unwrap_or(GOOD)
}

fn refusal(result: Result<config::Loaded, Problems>) -> Problems {
    match result {
        Ok(_) => panic!("it loaded"),
        Err(problems) => problems,
    }
}

/// Either it loads, or each problem stands in the file and can be shown.
fn holds(text: &str) {
    if let Err(problems) = config::load_text("c.toml", text, Path::new("/nowhere")) {
        assert!(problems.len() >= 1);
        let lines = text.split('\n').count();
        for problem in problems.iter() {
            assert!((1..=lines).contains(&problem.line), "line {} of {lines}", problem.line);
            let line = text.split('\n').nth(problem.line - 1).unwrap_or_default();
            assert!((1..=line.chars().count() + 1).contains(&problem.column), "{problem:?}");
            assert!(!problem.what.is_empty() && !problem.help.is_empty());
        }
        for color in [Color::Plain, Color::Styled] {
            assert!(problems.render(color).contains("error"));
        }
    }
}

#[derive(Clone, Debug)]
enum Change {
    Delete(usize, usize),
    Insert(usize, String),
    Double(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let pieces = prop_oneof![
        "\\PC{0,6}",
        "[\\[\\]{}=\"',.#\n\r\t \\\\0-9a-z-]{0,8}",
        Just("\n[[route]]\n".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[".to_owned()),
        Just("\u{0}\u{feff}é申".to_owned()),
        Just("99999999999999999999999999".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
    ];
    prop_oneof![
        (any::<usize>(), 1..40usize).prop_map(|(at, length)| Change::Delete(at, length)),
        (any::<usize>(), pieces).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (any::<usize>(), 1..200usize).prop_map(|(at, length)| Change::Double(at, length)),
    ]
}

fn changed(text: &str, changes: &[Change]) -> String {
    changes.iter().fold(text.to_owned(), |text, change| {
        let cut = |at: usize| text.floor_char_boundary(at % (text.len() + 1));
        match change {
            Change::Delete(at, length) => {
                let start = cut(*at);
                let end = text.floor_char_boundary((start + length).min(text.len()));
                text[..start].to_owned() + &text[end..]
            }
            Change::Insert(at, piece) => {
                let start = cut(*at);
                text[..start].to_owned() + piece + &text[start..]
            }
            Change::Double(at, length) => {
                let start = cut(*at);
                let end = text.floor_char_boundary((start + length).min(text.len()));
                text[..end].to_owned() + &text[start..end] + &text[end..]
            }
        }
    })
}

/// No name is looked up: what is no literal address is no server.
fn without_names(text: &str) -> String {
    let server = |line: &str| line.trim_start().starts_with("servers");
    let lines =
        text.lines().map(|line| if server(line) { "servers = [\"127.0.0.1:9\"]" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_mutilated_config_loads_or_is_refused_with_places(
        changes in prop::collection::vec(change(), 1..6),
    ) {
        holds(&without_names(&changed(good(), &changes)));
    }

    #[test]
    fn any_text_loads_or_is_refused_with_places(text in "\\PC{0,200}") {
        holds(&without_names(&text));
    }
}

#[test]
fn deep_nesting_is_refused_without_a_stack_overflow() {
    holds(&format!("a = {}", "[".repeat(100_000)));
    holds(&format!("a = {}", "{a=".repeat(100_000)));
    holds(&format!("[{}]", "a.".repeat(50_000) + "a"));
}

#[test]
fn a_thousand_problems_are_all_told() {
    let routes: String = (0..1_000)
        .map(|at| {
            format!("[[route]]\nname = \"r{at}\"\npaths = [\"/{at}\"]\nupstream = \"gone\"\n")
        })
        .collect();
    let text = format!("[[upstream]]\nname = \"app\"\nservers = [\"127.0.0.1:9000\"]\n{routes}");
    let problems = refusal(config::load_text("c.toml", &text, Path::new("/")));
    assert_eq!(problems.len(), 1_000);
}

fn in_dir(bytes: &[u8]) -> (TempDir, PathBuf) {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("c.toml");
    fs::write(&file, bytes).expect("writing");
    (dir, file)
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem() {
    let dir = TempDir::new().expect("a directory");
    for path in [dir.path().join("missing.toml"), dir.path().to_owned()] {
        let problems = refusal(config::load(&path));
        assert_eq!(problems.len(), 1);
        assert!(problems.render(Color::Plain).contains("cannot be read"), "{problems}");
    }
}

#[test]
fn a_file_that_is_not_utf_8_is_a_problem_with_its_line() {
    let (_dir, file) = in_dir(b"# one\n# two \xff\n");
    let told = refusal(config::load(&file)).render(Color::Plain);
    assert!(told.contains("line 2 is not UTF-8"), "{told}");
}

#[test]
fn a_file_that_is_too_large_is_a_problem() {
    let (_dir, file) = in_dir(&vec![b'#'; 4 * 1024 * 1024 + 1]);
    let told = refusal(config::load(&file)).render(Color::Plain);
    assert!(told.contains("too large"), "{told}");
}

#[test]
fn secrets_are_in_no_print() {
    let text = "[[admin.token]]\nname = \"ops\"\nsha256 = \"swordfish\"\n";
    let problems = refusal(config::load_text("c.toml", text, Path::new("/")));
    let json = serde_json::to_string(&problems).expect("JSON");
    for told in [problems.render(Color::Styled), format!("{problems:?} {problems}"), json] {
        assert!(!told.contains("swordfish"), "{told}");
    }
    let hash = "1f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let text = format!("{}\n[[admin.token]]\nname = \"b\"\nsha256 = \"{hash}\"\n", good());
    let loaded = config::load_text("c.toml", &text, Path::new("/")).expect("a good config");
    assert!(!format!("{:?}", loaded.process).contains("1f86"), "{:?}", loaded.process);
}

#[test]
fn ten_thousand_routes_load() {
    let routes: String = (0..10_000)
        .map(|at| {
            format!(
                "[[route]]\nname = \"r{at}\"\nhosts = [\"h{}.example.com\"]\n\
                 paths = [\"/{at}/*\", \"/{at}/{{id}}/edit\"]\nupstream = \"u{}\"\n",
                at % 100,
                at % 50
            )
        })
        .collect();
    let pools: String = (0..50)
        .map(|at| {
            format!("[[upstream]]\nname = \"u{at}\"\nservers = [\"127.0.0.1:{}\"]\n", 9000 + at)
        })
        .collect();
    let loaded = config::load_text("c.toml", &(pools + &routes), Path::new("/"));
    let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
    let site = loaded.site;
    let found = site.routes.find("h42.example.com", "/1042/7/edit").expect("a route");
    assert_eq!(&*site.rules(found).name, "r1042");
    let upstream = site.upstream_ix(found, site.regions.own());
    assert_eq!(&*site.upstreams[upstream.0 as usize].name, "u42");
}
