//! The files that come with Intermission are true: examples load, and the reference is complete.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use intermission::cli::check::Check;
use intermission::config::keys::{self, Keys, Times};
use intermission::config::{self, Color, Loaded};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

fn check(file: PathBuf, json: bool) -> intermission::cli::check::Report {
    Check { file: Some(file), config: PathBuf::new(), json }.report()
}

#[test]
fn every_example_file_passes_the_real_check() {
    let files = fs::read_dir(folder()).expect("the folder config/");
    let files = files.map(|entry| entry.expect("an entry").path());
    let mut checked = 0;
    for file in files.filter(|path| path.extension().is_some_and(|ext| ext == "toml")) {
        let report = check(file, false);
        assert_eq!((report.code, report.err.as_str()), (0, ""));
        assert!(report.out.contains(": ok: "), "{}", report.out);
        checked += 1;
    }
    assert!(checked >= 3, "{checked} files");
}

#[test]
fn the_config_in_the_kubernetes_example_has_only_a_name_that_is_unknown_here() {
    let yaml = fs::read_to_string(folder().join("kubernetes.yaml")).expect("the example");
    let block = yaml.split("intermission.toml: |\n").nth(1).expect("the config in it");
    let lines = block.lines().take_while(|line| line.starts_with("    "));
    let text: String = lines.map(|line| format!("{}\n", line.trim_start())).collect();
    let text = text.replace("claims:9000", "127.0.0.1:9000");
    if let Err(problems) = config::load_text("kubernetes.yaml", &text, &folder()) {
        panic!("{}", problems.render(Color::Plain));
    }
}

#[test]
fn check_tells_machines_the_same() {
    let good: serde_json::Value =
        serde_json::from_str(&check(folder().join("minimal.toml"), true).out).expect("JSON");
    assert_eq!((&good["ok"], &good["routes"]), (&true.into(), &1.into()));
    assert_eq!(good["fingerprint"].as_str().map(str::len), Some(16));

    let dir = tempfile::TempDir::new().expect("a directory");
    let file = dir.path().join("bad.toml");
    fs::write(&file, "[node]\nnam = \"a\"\n").expect("writing");
    let report = check(file.clone(), true);
    let bad: serde_json::Value = serde_json::from_str(&report.out).expect("JSON");
    assert_eq!((report.code, &bad["ok"]), (64, &false.into()));
    let first = bad["problems"].as_array().expect("a list").iter().find(|p| p["line"] == 2);
    assert_eq!(first.expect("the key")["help"], "did you mean `name`?");
    let human = check(file, false);
    assert_eq!((human.code, human.out.as_str()), (64, ""));
    assert!(human.err.contains("bad.toml: 3 problems"), "{}", human.err);
}

/// One row of a table of the reference.
#[derive(Clone)]
struct Row {
    kind: String,
    default: String,
}

/// The tables of `config/README.md`, by section and key.
fn reference() -> BTreeMap<(String, String), Row> {
    let text = fs::read_to_string(folder().join("README.md")).expect("the reference");
    let (_, keys) = text.split_once("\n## Keys\n").expect("the part about keys");
    let mut rows = BTreeMap::new();
    let mut section = String::new();
    for line in keys.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            section = title.trim_matches('`').trim_matches(['[', ']']).to_owned();
            if section == "The file" {
                section.clear();
            }
        } else if let Some(row) = line.strip_prefix("| `") {
            let cells: Vec<&str> = row.split(" | ").collect();
            // Other tables tell of what keys do.
            if cells.len() < 3 {
                continue;
            }
            let key = cells[0].trim_end_matches('`').to_owned();
            let row = Row { kind: cells[1].to_owned(), default: cells[2].to_owned() };
            assert!(rows.insert((section.clone(), key.clone()), row).is_none(), "{key} twice");
        }
    }
    rows
}

#[test]
fn the_reference_names_every_key_and_no_other() {
    let written: Vec<(String, String)> = reference().into_keys().collect();
    let mut known: Vec<(String, String)> = keys::ALL
        .iter()
        .flat_map(|keys| keys.keys.iter().map(|key| (keys.section.to_owned(), key.name.to_owned())))
        .collect();
    known.sort();
    assert_eq!(written, known);
}

/// What the planes see of a config, without names that differ between machines.
fn seen(loaded: &Loaded) -> String {
    let site = &loaded.site;
    let rules: Vec<String> = site
        .rules
        .iter()
        .map(|rules| {
            format!(
                "{} {:?} {:?} {} {} {:?}",
                rules.title,
                rules.answer_timeout,
                rules.idle_timeout,
                rules.encoded_slashes,
                rules.websocket,
                rules.forms
            )
        })
        .collect();
    let connects: Vec<_> = site.upstreams.iter().map(|pool| pool.connect_timeout).collect();
    format!(
        "{rules:#?} {connects:?} {:?} {:?} {:?} {:?} {:?} {:?} {:#?}",
        site.trusted.is_empty(),
        (site.proxy_protocol.is_empty(), site.forwarded),
        site.via,
        site.limits,
        site.pace,
        site.operator,
        loaded.process
    )
}

#[test]
fn the_defaults_of_the_reference_are_those_of_the_code() {
    let least = "[[upstream]]\nname = \"app\"\nservers = [\"127.0.0.1:9000\"]\n\
                 [[route]]\nname = \"app\"\npaths = [\"/*\"]\nupstream = \"app\"\n";
    let mut sections: BTreeMap<String, String> = BTreeMap::new();
    let mut count = 0;
    for ((section, key), row) in reference() {
        let value = row.default.strip_prefix('`').and_then(|value| value.strip_suffix('`'));
        if let Some(value) = value.filter(|_| !section.starts_with("region")) {
            sections.entry(section).or_default().push_str(&format!("{key} = {value}\n"));
            count += 1;
        }
    }
    let mut take = |name: &str| sections.remove(name).unwrap_or_default();
    let upstream = least.replace("[[route]]", &format!("{}[[route]]", take("upstream")));
    let mut text = upstream + &take("route") + "[route.forms]\n" + &take("route.forms");
    // Whether a machine trusts any CA is its own affair, and no default of ours.
    let tls = sections.remove("upstream.tls");
    assert_eq!(tls.as_deref(), Some("verify = true\n"));
    // Those of a server that is a table.
    assert_eq!(sections.remove("upstream.servers").as_deref(), Some("weight = 1\n"));
    // Of a token, which is told by `control::gate`.
    assert_eq!(sections.remove("admin.token").as_deref(), Some("role = \"admin\"\n"));
    for (section, lines) in &sections {
        text.push_str(&format!("[{section}]\n{lines}"));
    }
    assert!(count >= 20, "{count} defaults:\n{text}");
    let load = |text: &str| {
        config::load_text("c.toml", text, Path::new("/"))
            .unwrap_or_else(|problems| panic!("{}", problems.render(Color::Plain)))
    };
    assert_eq!(seen(&load(&text)), seen(&load(least)), "written out:\n{text}");
}

/// A file with this one line in its section, and nothing else.
fn alone(section: &Keys, line: &str) -> String {
    let header = match (section.section, section.times) {
        ("", _) => String::new(),
        (name, _) if name.starts_with("route.") => format!("[[route]]\n[{name}]\n"),
        ("upstream.tls", _) => "[[upstream]]\n[upstream.tls]\n".to_owned(),
        ("upstream.servers", _) => return format!("[[upstream]]\nservers = [{{ {line} }}]\n"),
        ("region", _) => "[node]\nregion = \"apac\"\n[[region]]\n".to_owned(),
        ("region.header", _) => "[[region]]\n[region.header]\n".to_owned(),
        (name, Times::Once) if name.starts_with("upstream.") => format!("[[upstream]]\n[{name}]\n"),
        (name, Times::Once) => format!("[{name}]\n"),
        (name, Times::Many) => format!("[[{name}]]\n"),
    };
    format!("{header}{line}\n")
}

#[test]
fn every_key_is_really_read() {
    for section in keys::ALL {
        for key in section.keys {
            let text = alone(section, &format!("{} = 1979-05-27T07:32:00Z", key.name));
            let line = text.trim_end().lines().count();
            let Err(problems) = config::load_text("c.toml", &text, Path::new("/")) else {
                panic!("{text} was accepted");
            };
            let told = problems.iter().any(|p| p.line == line && p.what.contains(key.name));
            assert!(told, "{text}\n{}", problems.render(Color::Plain));
        }
    }
}

#[test]
fn no_example_of_a_key_is_a_problem_itself() {
    for section in keys::ALL.iter().filter(|section| !section.section.is_empty()) {
        for key in
            section.keys.iter().filter(|key| key.example != "[{ name = \"ops\", sha256 = \"…\" }]")
        {
            // It belongs to another kind of check than the usual one.
            if (section.section, key.name) == ("upstream.health", "service") {
                continue;
            }
            let text = alone(section, &format!("{} = {}", key.name, key.example));
            let line = text.trim_end().lines().count();
            let Err(problems) = config::load_text("c.toml", &text, Path::new("/")) else {
                continue;
            };
            for problem in problems.iter().filter(|problem| problem.line == line) {
                let what = problem.what.as_str();
                let refers = what.starts_with("there is no") || what.contains(" without ");
                let refers = refers || what.starts_with("by what ");
                let refers =
                    refers || what.contains(" has no address") || what.contains(" has no servers");
                let absent = what.contains("cannot be read") || what.contains(" certificate");
                assert!(refers || absent, "{text}\n{}", problems.render(Color::Plain));
            }
        }
    }
}

#[test]
fn types_of_the_reference_say_what_the_bounds_are() {
    let rows = reference();
    let kind = |section: &str, key: &str| rows[&(section.to_owned(), key.to_owned())].kind.clone();
    let over = [
        ("route.forms", "body_bytes_max", "\"49MiB\"", "48MiB"),
        ("route.forms", "life", "\"169h\"", "168h"),
        ("route", "answer_timeout", "\"25h\"", "24h"),
        ("limits", "connections", "1000001", "1000000"),
        ("node", "workers", "1025", "1024"),
    ];
    for (section, key, value, bound) in over {
        let of = keys::ALL.iter().find(|keys| keys.section == section).expect("a section");
        let text = alone(of, &format!("{key} = {value}"));
        let Err(problems) = config::load_text("c.toml", &text, Path::new("/")) else {
            panic!("{text} was accepted");
        };
        let told = problems.iter().any(|p| p.help.contains(bound));
        assert!(told && kind(section, key).contains(bound), "{section}.{key}");
    }
}
