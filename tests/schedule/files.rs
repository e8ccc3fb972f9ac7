//! Maintenances in files: what is read, and where what is wrong with them is said to stand.

use std::fs;
use std::path::Path;

use intermission::config::maintenances::{Declared, Written, preview};
use intermission::config::{self, Color, Problems};
use tempfile::TempDir;

use super::{at, noon};

const CONFIG: &str = r#"
[maintenances]
directory = "planned"
[[blackout]]
name = "year-end"
from = "2026-12-20T00:00:00Z"
to = "2027-01-03T00:00:00Z"
[[upstream]]
name = "app"
servers = ["127.0.0.1:9000"]
[[route]]
name = "claims"
paths = ["/*"]
upstream = "app"
"#;

const GOOD: &str = "title: Upgrade\nphases:\n  - starts: 2026-11-29T16:00:00Z\n    lasts: 4h\n";

/// What a config says with these files beside it.
fn load(files: &[(&str, &str)]) -> Result<Vec<Declared>, Problems> {
    let dir = TempDir::new().expect("a directory");
    fs::create_dir(dir.path().join("planned")).expect("a directory");
    for (name, text) in files {
        fs::write(dir.path().join("planned").join(name), text).expect("writing");
    }
    let loaded = config::load_text("intermission.toml", CONFIG, dir.path());
    loaded.map(|loaded| loaded.declared.expect("a file was read"))
}

#[test]
fn toml_yaml_and_json_say_the_same() {
    let toml = "title = \"Upgrade\"\n[[phase]]\nstarts = 2026-11-29T16:00:00Z\nlasts = \"4h\"\n";
    let json = r#"{"title":"Upgrade","phases":[{"starts":"2026-11-29T16:00:00Z","lasts":"4h"}]}"#;
    let files = [("a.toml", toml), ("b.yaml", GOOD), ("c.yml", GOOD), ("d.json", json)];
    let others = [("README.md", "x"), (".a.toml.swp", "x"), ("..data.toml", "x")];
    let all: Vec<_> = files.into_iter().chain(others).collect();
    let declared =
        load(&all).unwrap_or_else(|problems| panic!("{}", problems.render(Color::Plain)));
    let names: Vec<_> = declared.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["a.toml", "b.yaml", "c.yml", "d.json"]);
    assert!(declared.iter().all(|one| one.draft == declared[0].draft), "{declared:#?}");
}

#[test]
fn everything_wrong_is_told_with_its_file_line_and_column() {
    let toml = "title = \"x\"\n[[phase]]\nregions = [\"mars\"]\nstarts = \"2026-11-29T16:00:00Z\"\nends = \"2026-11-29T15:00:00Z\"\n";
    let yaml =
        "title: x\nphases:\n  - starts: 2026-11-29T16:00:00Z\n    lasts: soon\n    colour: red\n";
    let fine = yaml.replace("    colour: red\n", "");
    let late = GOOD.replace("2026-11-29", "2026-12-24");
    let nobody = "title: x\nkind: emergency\nphases: [{}]\n";
    let problems = load(&[
        ("a.toml", toml),
        ("b.yaml", yaml),
        ("c.yaml", &fine),
        ("d.yaml", &late),
        ("e.yaml", "title: [x\n"),
        ("f.toml", "title = \"x\ny\"\n"),
        ("g.json", "{\n\"title\": x}"),
        ("h.yaml", GOOD),
        ("i.yaml", nobody),
    ])
    .expect_err("they are at fault");
    let told: Vec<_> = problems.iter().map(|problem| problem.what.clone()).collect();
    for wanted in [
        "a.toml:3:11: `phases[0].regions`: there is no region \"mars\"",
        "a.toml:5:8: `phases[0].ends`: it ends",
        "b.yaml:5:",
        "c.yaml:4:12: `phases[0].lasts`: \"soon\" is not a duration",
        "d.yaml:3:13: `phases[0].starts`: it lies in the blackout `year-end`",
        "e.yaml:",
        "f.toml:2:",
        "g.json:2:",
        "i.yaml:3:10: `phases[0].starts`: it is missing",
    ] {
        assert!(told.iter().any(|what| what.contains(wanted)), "{wanted}: {told:#?}");
    }
    assert!(!told.iter().any(|what| what.contains("h.yaml")), "{told:#?}");
    // All at the key that names the directory.
    assert!(problems.iter().all(|problem| problem.line == 3), "{told:#?}");
}

#[test]
fn what_unfolds_without_end_is_refused_in_a_moment() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (name, of) in ('b'..='k').zip('a'..) {
        let list = vec![format!("*{of}"); 10].join(",");
        bomb += &format!("{name}: &{name} [{list}]\n");
    }
    let deep = "[".repeat(100_000);
    let problems = load(&[
        ("a.yaml", &bomb),
        ("b.yaml", &deep),
        ("c.json", &deep),
        ("d.toml", &format!("a = {deep}")),
    ]);
    assert_eq!(problems.expect_err("all of them").len(), 4);
}

#[test]
fn a_file_alone_tells_its_faults_with_an_excerpt() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("upgrade.yaml");
    fs::write(&path, GOOD.replace("4h", "soon")).expect("writing");
    let told = preview(&path, None, 1, noon()).expect_err("it is at fault").render(Color::Plain);
    assert!(told.contains("upgrade.yaml:4:12") && told.contains("lasts: soon"), "{told}");
    fs::write(&path, GOOD).expect("writing");
    let (occurrences, warnings) = preview(&path, None, 9, noon()).expect("it is sound");
    assert_eq!(
        (occurrences.len(), occurrences[0].phases[0].starts),
        (1, at("2026-11-29T16:00:00Z"))
    );
    assert_eq!(warnings.len(), 1, "who reopens it is not said");
    let unknown = Written::read(Path::new("upgrade.ini")).err().expect("of no known kind");
    assert!(unknown.to_string().contains("no known kind"), "{unknown}");
}
