//! The report as Markdown, to be pasted into a ticket or a wiki.

use std::fmt::Write as _;
use std::time::Duration;

use super::{OfWindow, Range, Report, Totals};
use crate::clock::Wall;
use crate::window::history::Entry;
use crate::window::maintenance::{Kind, Severity};
use crate::window::scope::Scope;
use crate::window::state::State;

impl Report {
    /// As Markdown. What operators typed stands in it as text: it cannot make headings, tables or
    /// links.
    pub fn markdown(&self) -> String {
        let mut page = String::new();
        self.head(&mut page);
        for window in &self.windows {
            self.window(&mut page, window);
        }
        if !self.updates.is_empty() {
            page.push_str("\n## Updates\n\n");
            for update in &self.updates {
                line(
                    &mut page,
                    &format!("- {} {}: {}", update.at, text(&update.by), text(&update.text)),
                );
            }
        }
        let aftermath = self.aftermath.clone().unwrap_or_default();
        page.push_str("\n## Afterwards\n\n");
        line(&mut page, &or_none(&text(&aftermath.text), "Nothing was written yet."));
        if !aftermath.link.is_empty() {
            line(&mut page, &format!("\nIncident report: {}", text(&aftermath.link)));
        }
        page
    }

    fn head(&self, page: &mut String) {
        let title = or_none(&text(&self.title), "Maintenance");
        line(page, &format!("# {title}\n"));
        line(page, "| | |\n|---|---|");
        let kind = match self.kind {
            Kind::Planned => "planned",
            Kind::Emergency => "emergency",
        };
        let severity = match self.severity {
            Severity::Minor => "minor",
            Severity::Major => "major",
            Severity::Critical => "critical",
        };
        row(page, "kind", &format!("{kind}, {severity}"));
        row(page, "owner", &or_none(&text(&self.owner), "nobody was named"));
        row(page, "progress", self.progress.name());
        row(page, "planned", &range(self.planned));
        row(page, "real", &range(self.real));
        for one in &self.disruptions {
            row(
                page,
                "longest disruption",
                &format!("{} ({})", span(one.longest), scope(&one.scope)),
            );
        }
        totals(page, &self.totals);
        row(page, "as of", &self.at.to_string());
    }

    fn window(&self, page: &mut String, window: &OfWindow) {
        let number = window.phase.map(|number| format!("Phase {number}"));
        let name = text(&window.name);
        let title = match (number, name.is_empty()) {
            (Some(number), true) => number,
            (Some(number), false) => format!("{number}: {name}"),
            (None, _) => "Window".to_owned(),
        };
        line(page, &format!("\n## {title}\n\n| | |\n|---|---|"));
        row(page, "scope", &format!("{}; mode {}", scope(&window.scope), window.mode.name()));
        row(page, "state", window.state.name());
        row(page, "planned", &range(window.planned));
        row(page, "real", &range(window.real));
        row(page, "in force", &span(window.in_force));
        let told = [("late", window.late), ("overrun", window.overrun)];
        for (what, time) in told.into_iter().filter(|(_, time)| !time.is_zero()) {
            row(page, what, &span(time));
        }
        row(page, "extensions", &window.extensions.to_string());
        row(page, "failed checks", &window.failures.to_string());
        totals(page, &window.totals);
        line(page, "\n| at | by | change | promised end | why |\n|---|---|---|---|---|");
        window.timeline.iter().for_each(|entry| step(page, entry));
    }
}

fn totals(page: &mut String, totals: &Totals) {
    let Totals { refused, pages, held, released, visitors, forms_not_kept, submissions } = totals;
    let kinds = [
        (pages.html, "pages"),
        (pages.problem, "problems"),
        (pages.text, "text"),
        (pages.grpc, "gRPC"),
        (pages.websocket, "WebSocket"),
    ];
    let kinds: Vec<_> = kinds
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| format!("{count} {kind}"))
        .collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    row(page, "requests refused", &format!("{refused}{kinds}"));
    row(page, "visitors met", &format!("about {visitors}"));
    if *held > 0 {
        row(page, "requests held", &format!("{held}, of which {released} went on"));
    }
    let forms = format!(
        "{} kept: {} sent, {} refused, {} unknown, {} waiting, {} expired, {} discarded; {} not kept",
        submissions.kept,
        submissions.sent,
        submissions.refused,
        submissions.unknown,
        submissions.waiting,
        submissions.expired,
        submissions.discarded,
        forms_not_kept,
    );
    row(page, "forms", &forms);
}

fn step(page: &mut String, entry: &Entry) {
    let from = entry.from.map_or("new", State::name);
    let promised = entry.promised_end.map_or("-".to_owned(), |end| end.to_string());
    let cells = [entry.at.to_string(), text(&entry.by), format!("{from} → {}", entry.to.name())];
    line(page, &format!("| {} | {promised} | {} |", cells.join(" | "), text(&entry.why)));
}

fn row(page: &mut String, what: &str, value: &str) {
    line(page, &format!("| {what} | {value} |"));
}

fn line(page: &mut String, text: &str) {
    let _ = writeln!(page, "{text}");
}

fn range(range: Range) -> String {
    let at = |at: Option<Wall>| at.map_or("?".to_owned(), |at| at.to_string());
    match (range.from, range.to) {
        (None, None) => "-".to_owned(),
        (from, to) => format!("{} to {}", at(from), at(to)),
    }
}

fn scope(scope: &Scope) -> String {
    let methods = match scope.methods.to_string().as_str() {
        "all" => String::new(),
        methods => format!(", methods: {}", text(methods)),
    };
    let (regions, routes) = (scope.regions.to_string(), scope.routes.to_string());
    format!("regions: {}, routes: {}{methods}", text(&regions), text(&routes))
}

/// A time to the second, as people say it.
fn span(time: Duration) -> String {
    let secs = time.as_secs();
    let parts =
        [(secs / 86_400, "d"), (secs / 3600 % 24, "h"), (secs / 60 % 60, "min"), (secs % 60, "s")];
    let told = parts.iter().filter(|(count, _)| *count > 0);
    let told: Vec<_> = told.map(|(count, unit)| format!("{count} {unit}")).collect();
    or_none(&told.join(" "), "less than a second")
}

/// What somebody typed, on one line and without meaning to Markdown or HTML.
fn text(typed: &str) -> String {
    let mut told = String::with_capacity(typed.len());
    for letter in typed.trim().chars() {
        match letter {
            '\n' | '\r' | '\t' => told.push(' '),
            '<' => told.push_str("&lt;"),
            '>' => told.push_str("&gt;"),
            '&' => told.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' => {
                told.push('\\');
                told.push(letter);
            }
            control if control.is_control() => told.push(' '),
            letter => told.push(letter),
        }
    }
    told
}

fn or_none(text: &str, none: &str) -> String {
    if text.is_empty() { none.to_owned() } else { text.to_owned() }
}
