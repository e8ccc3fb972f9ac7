//! `src/telemetry/README.md` says what the code says.

use intermission::telemetry::access::FIELDS;
use intermission::telemetry::end::End;
use intermission::telemetry::metrics::NAMES;

const README: &str = include_str!("../../src/telemetry/README.md");
const END: &str = include_str!("../../src/telemetry/end.rs");

/// The rows of the README's table with this head, each as its cells.
fn table(head: &str) -> Vec<Vec<&str>> {
    let rows = README.lines().skip_while(|line| *line != head).skip(2);
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
    rows.take_while(|line| line.starts_with('|')).map(cells).collect()
}

#[test]
fn every_field_of_a_line_is_explained_in_order() {
    let named: Vec<_> = table("| field | what it tells |").iter().map(|row| row[0]).collect();
    assert_eq!(named, FIELDS.map(|field| format!("`{field}`")));
}

#[test]
fn every_end_code_is_explained_in_the_words_of_the_code() {
    let doc_lines = END.lines().skip_while(|line| !line.starts_with("pub enum End"));
    let mut wanted = Vec::new();
    let mut doc = String::new();
    for line in doc_lines.skip(1).take_while(|line| *line != "}") {
        match line.trim().strip_prefix("/// ") {
            Some(words) => doc = words.to_owned(),
            None => wanted.push(std::mem::take(&mut doc)),
        }
    }
    let wanted =
        End::ALL.iter().zip(wanted).map(|(end, doc)| format!("| `{}` | {doc} |", end.code()));
    let wanted: Vec<_> = wanted.collect();
    let rows: Vec<_> =
        table("| end | meaning |").iter().map(|row| format!("| {} |", row.join(" | "))).collect();
    assert_eq!(rows, wanted, "the table should read:\n{}", wanted.join("\n"));
}

#[test]
fn every_metric_is_explained() {
    let wanted: Vec<_> = NAMES
        .iter()
        .map(|metric| {
            let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let cells = [format!("`{}`", metric.name), metric.kind().to_owned(), labels.join(", ")];
            format!("| {} | {} |", cells.join(" | "), metric.help)
        })
        .collect();
    let rows = table("| metric | kind | labels | meaning |");
    let rows: Vec<_> = rows.iter().map(|row| format!("| {} |", row.join(" | "))).collect();
    assert_eq!(rows, wanted, "the table should read:\n{}", wanted.join("\n"));
}
