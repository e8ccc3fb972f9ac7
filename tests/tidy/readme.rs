//! What the pages for people promise is there: files they link to, commands, keys and metrics.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use intermission::config::keys;
use intermission::telemetry::metrics::NAMES;
use regex::Regex;

use super::source;
use super::{Complaint, assert_tidy};

/// `](target)` and `src="target"`.
static LINK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"\]\(([^)\s]+)\)|src="([^"]+)""#).expect("a link"));
static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"`([^`\n]+)`").expect("a code span"));
static FLAG: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?-u)(?:^|\s)(--[a-z][a-z-]*)").expect("a flag"));
/// `config/minimal.toml`, `tests/run`: what begins like a folder of ours.
static FILE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?-u)^(?:\./)?((?:benches|config|pages|src|tests)/[\w./-]+)$").expect("a path")
});

/// Commands that have commands.
const FAMILIES: [&str; 5] = ["maintenance", "window", "bypass", "token", "upstream"];

fn readme() -> String {
    std::fs::read_to_string(source::root().join("README.md")).expect("the README")
}

fn complaint(path: &str, line: usize, what: String) -> Complaint {
    Complaint { rule: "readme", path: path.to_owned(), line, what }
}

/// Links and paths of the page at `path` that lead nowhere.
fn check_links(path: &str, text: &str, root: &Path) -> Vec<Complaint> {
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    let mut complaints = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let links = LINK.captures_iter(line).filter_map(|found| found.get(1).or(found.get(2)));
        let links = links.map(|link| link.as_str()).filter(|link| !link.contains("://"));
        let linked = links.map(|link| folder.join(link.split('#').next().unwrap_or_default()));
        let spans = CODE.captures_iter(line).filter_map(|span| {
            let name = FILE.captures(&span[1])?;
            Some(Path::new(&name[1]).to_owned())
        });
        for target in linked.chain(spans).filter(|target| !root.join(target).exists()) {
            complaints.push(complaint(path, at + 1, format!("{} is not there", target.display())));
        }
    }
    complaints
}

/// Every call of the program in a text, without the shell around it.
fn calls(text: &str) -> Vec<&str> {
    let in_blocks = text.lines().map(|line| line.trim_start_matches("$ ").trim());
    let in_spans =
        CODE.captures_iter(text).filter_map(|span| span.get(1)).map(|span| span.as_str());
    let ours = |call: &'_ str| call.starts_with("intermission ") || call.starts_with("cargo run ");
    let called = in_blocks.chain(in_spans).filter(|call| ours(call));
    called.map(|call| call.split(" #").next().unwrap_or(call).trim()).collect()
}

/// The command and the flags of a call: `on`, `["--region", "--route"]`; `bypass create`.
fn parts(call: &str) -> Option<(String, Vec<&str>)> {
    let call = match call.strip_prefix("cargo run ") {
        Some(rest) => rest.split_once("-- ")?.1,
        None => call.strip_prefix("intermission ")?,
    };
    let mut words = call.split_whitespace();
    let command = words.next()?;
    let is_word = |word: &&str| word.chars().all(|letter| letter.is_ascii_lowercase());
    let below = words.next().filter(is_word).filter(|_| FAMILIES.contains(&command));
    let command = below.map_or_else(|| command.to_owned(), |below| format!("{command} {below}"));
    let flags = FLAG.captures_iter(call).filter_map(|found| found.get(1));
    Some((command, flags.map(|flag| flag.as_str()).collect()))
}

/// What `intermission COMMAND --help` prints; none if there is no such command.
fn help_of(command: &str) -> Option<String> {
    let program = env!("CARGO_BIN_EXE_intermission");
    let done = Command::new(program)
        .args(command.split(' '))
        .arg("--help")
        .output()
        .expect("the program runs");
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Calls of commands and flags that the program does not have.
fn check_calls(path: &str, text: &str) -> Vec<Complaint> {
    let mut helps: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut complaints = Vec::new();
    for (command, flags) in calls(text).into_iter().filter_map(parts) {
        // `intermission --help` and files that are called like the program.
        if command.starts_with('-') || command.contains('.') {
            continue;
        }
        let help = helps.entry(command.clone()).or_insert_with(|| help_of(&command));
        match help {
            None => complaints.push(complaint(path, 0, format!("no command `{command}`"))),
            Some(help) => {
                let known = |flag: &&str| {
                    help.split_whitespace().any(|word| word.trim_end_matches(',') == *flag)
                };
                let unknown = flags.iter().filter(|flag| !known(flag));
                complaints.extend(
                    unknown.map(|flag| complaint(path, 0, format!("`{command}` has no {flag}"))),
                );
            }
        }
    }
    complaints
}

/// Metrics and config keys in code spans that are not in the code.
fn check_names(path: &str, text: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for span in CODE.captures_iter(text) {
        let name = &span[1];
        if name.starts_with("intermission_") && !NAMES.iter().any(|metric| metric.name == name) {
            complaints.push(complaint(path, 0, format!("no metric `{name}`")));
        }
        let is_file = name == "node.key";
        if let Some((section, key)) = name.rsplit_once('.').filter(|_| !is_file)
            && !section.is_empty()
            && let Some(keys) = keys::ALL.iter().find(|keys| keys.section == section)
            && !keys.keys.iter().any(|known| known.name == key)
        {
            complaints.push(complaint(path, 0, format!("no key `{name}`")));
        }
    }
    complaints
}

#[test]
fn pages_link_to_what_is_there() {
    let root = source::root();
    let pages = [
        "README.md",
        "CHANGELOG.md",
        ".github/CONTRIBUTING.md",
        "benches/README.md",
        "config/README.md",
        "pages/README.md",
        "src/README.md",
        "src/telemetry/README.md",
    ];
    let found = pages.iter().flat_map(|page| {
        let text = std::fs::read_to_string(root.join(page)).expect("a page is UTF-8");
        check_links(page, &text, &root)
    });
    assert_tidy(found.collect());
}

#[test]
fn the_readme_calls_commands_and_names_that_exist() {
    let text = readme();
    assert!(calls(&text).len() >= 10, "{:?}", calls(&text));
    assert_tidy(check_calls("README.md", &text));
    assert_tidy(check_names("README.md", &text));
}

#[test]
fn the_operators_guide_calls_commands_and_names_that_exist() {
    let text = std::fs::read_to_string(source::root().join("config/README.md")).expect("the guide");
    assert!(calls(&text).len() >= 30, "{:?}", calls(&text));
    assert_tidy(check_calls("config/README.md", &text));
    assert_tidy(check_names("config/README.md", &text));
}

#[test]
fn pictures_in_the_readme_are_small() {
    let folder = source::root().join("pages/screenshots");
    for picture in std::fs::read_dir(folder).expect("the pictures").flatten() {
        let bytes = picture.metadata().expect("a file").len();
        assert!(bytes <= 60 * 1024, "{}: {bytes} bytes", picture.path().display());
    }
}

#[test]
fn what_is_not_there_is_found() {
    let root = source::root();
    let links = |text| check_links("config/README.md", text, &root).len();
    assert_eq!(
        links("[a](minimal.toml) <img src=\"../pages/style.css\"> [b](https://a.example)"),
        0
    );
    assert_eq!(links("[a](gone.toml), <img src=\"gone.png\">, `config/gone.toml`"), 3);
    let called = |text| check_calls("README.md", text).len();
    assert_eq!(called("`intermission on --route a`\n$ intermission status --watch  # --gone"), 0);
    assert_eq!(called("`intermission gone`, `intermission on --gone`"), 2);
    assert_eq!(called("`intermission bypass create --for 1h`, `intermission token --name a`"), 0);
    assert_eq!(called("`intermission bypass gone`, `intermission bypass list --for 1h`"), 2);
    assert_eq!(called("cargo run --release -- demo --walk\ncargo run -- demo --gone"), 1);
    let named = |text| check_names("README.md", text).len();
    assert_eq!(named("`intermission_windows`, `listen.trusted`, `node.key`, `./tests/run`"), 0);
    assert_eq!(named("`intermission_gone` and `listen.gone`"), 2);
}
