//! The configs in the README at the top are those in `config/`, and the annotated one is complete.

use std::fs;
use std::path::{Path, PathBuf};

use intermission::config::{self, Color, keys};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn example(name: &str) -> String {
    fs::read_to_string(root().join("config").join(name)).expect("an example")
}

/// The key of a line, live or after `# `.
fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.strip_prefix("# ").unwrap_or(line).split_once(" = ")?;
    let is_word =
        |letter: char| letter.is_ascii_lowercase() || letter == '_' || letter.is_ascii_digit();
    key.chars().all(is_word).then_some(key)
}

/// The section that a line begins, live or after `# `.
fn section_of(line: &str) -> Option<&str> {
    let line = line.strip_prefix("# ").unwrap_or(line);
    let name = line.trim_start_matches('[').trim_end_matches(']');
    (line.starts_with('[') && line.ends_with(']') && !name.contains(' ')).then_some(name)
}

#[test]
fn the_readme_shows_the_examples_as_they_are() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let blocks = readme.split("```toml\n").skip(1);
    let blocks: Vec<&str> = blocks.filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks, [example("minimal.toml"), example("intermission.toml")]);
}

#[test]
fn the_annotated_config_has_every_key() {
    let text = example("intermission.toml");
    let mut section = String::new();
    let mut seen = Vec::new();
    for line in text.lines() {
        if let Some(name) = section_of(line) {
            section = name.to_owned();
        } else if let Some(key) = key_of(line) {
            seen.push((section.clone(), key.to_owned()));
        }
    }
    for keys in keys::ALL {
        for key in keys.keys {
            let nested = |name: &str| text.contains(&format!("[{name}]"));
            let is_there = match keys.section {
                "" => nested(key.name),
                "upstream.servers" => text.contains("{ address = \"10.1.0.12:9000\", weight = 2 }"),
                "region.header" => text.contains("header = { name = \"x-region\""),
                section => {
                    nested(&format!("{section}.{}", key.name))
                        || seen.contains(&(section.to_owned(), key.name.to_owned()))
                }
            };
            assert!(is_there, "[{}] {} is missing", keys.section, key.name);
        }
    }
}

#[test]
fn the_annotated_config_serves_with_every_key_live() {
    let text = example("intermission.toml");
    let mut absent = false;
    let live = |line: &str| {
        if section_of(line).is_some() {
            // A section after `# ` names files that are not on this machine.
            absent = line.starts_with('#');
        }
        match (line.strip_prefix("# "), key_of(line)) {
            // There is no such directory either, and no certificate to show.
            (Some(line), Some(key)) if !absent && !["directory", "https"].contains(&key) => {
                format!("{line}\n")
            }
            _ => format!("{line}\n"),
        }
    };
    let written_out: String = text.lines().map(live).collect();
    assert!(written_out.contains("\nidle_timeout = \"60s\"\n"), "{written_out}");
    if let Err(problems) = config::load_text("full.toml", &written_out, Path::new("/")) {
        panic!("{}", problems.render(Color::Plain));
    }
}
