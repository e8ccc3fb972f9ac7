//! Written configs and what is said about them. Each file of `fixtures/` holds a config, a line
//! `----`, and the expected problems, or the one line of a config that can be served. `BLESS=1`
//! rewrites what is expected; read the difference before it is committed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use intermission::cli::check::summary;
use intermission::config::{self, Color};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

/// What is said about a config, without what differs between machines.
fn said(text: &str) -> String {
    let base = folder();
    let said = match config::load_text("intermission.toml", text, &base) {
        Ok(loaded) => {
            let (before, _) = summary(&loaded).rsplit_once(", ").map_or_else(
                || panic!("a fingerprint in {}", summary(&loaded)),
                |(before, after)| (before.to_owned(), after.to_owned()),
            );
            before + "\n"
        }
        Err(problems) => problems.render(Color::Plain),
    };
    let said = said.replace(&format!("{}/", base.display()), "");
    said.lines().fold(String::new(), |mut out, line| {
        let line = line.split_once("Resolver: ").map_or(line, |(before, _)| before);
        let _ = writeln!(out, "{}", line.trim_end());
        out
    })
}

#[test]
fn each_fixture_is_told_as_expected() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = String::new();
    let mut count = 0;
    let entries = std::fs::read_dir(folder().join("fixtures")).expect("the folder fixtures/");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "txt"));
    paths.sort();
    for path in paths {
        count += 1;
        let fixture = std::fs::read_to_string(&path).expect("a fixture");
        let (typed, expected) = fixture
            .split_once("\n----\n")
            .unwrap_or_else(|| panic!("{} has no line ----", path.display()));
        let said = said(&format!("{typed}\n"));
        if said != expected && bless {
            std::fs::write(&path, format!("{typed}\n----\n{said}")).expect("writing a fixture");
        } else if said != expected {
            let _ = writeln!(wrong, "{}:\n{said}\n", path.display());
        }
    }
    assert!(wrong.is_empty(), "not as expected; got:\n{wrong}");
    assert!(count >= 25, "only {count} fixtures were found");
}
