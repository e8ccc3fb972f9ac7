//! How tables and JSON are printed.

use std::io::IsTerminal as _;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde_json::Value;

/// The width of a table that no terminal asks for.
const PLAIN_COLUMNS: u16 = 120;

const ID_CHARS: usize = 32;
/// An id and the spaces at its sides.
const ID_COLUMNS: u16 = 34;
/// From this width on, a table has room for ids.
const ROOMY_COLUMNS: u16 = 80;

/// Whether a rendering is for a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Paint {
    /// With colours.
    Colours,
    /// Characters alone.
    Plain,
}

impl Paint {
    /// What standard output is good for.
    pub(super) fn of_output() -> Self {
        if std::io::stdout().is_terminal() { Self::Colours } else { Self::Plain }
    }
}

/// For whom a table is laid out.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// In columns; the terminal's if it is none.
    pub(super) width: Option<u16>,
    pub(super) paint: Paint,
}

impl Shape {
    /// For standard output. `COLUMNS` tells the width where there is no terminal.
    pub(super) fn of_output() -> Self {
        let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Self { width: said, paint: Paint::of_output() }
    }

    /// A table with this head, and no rows yet.
    pub(super) fn table(self, head: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if let Some(width) = self.width {
            table.set_width(width);
        }
        if self.paint == Paint::Plain {
            table.force_no_tty();
            table.set_width(self.width.unwrap_or(PLAIN_COLUMNS));
        }
        table.set_header(head.iter().copied());
        table
    }
}

/// A table of texts for standard output; `none` where there is no row.
pub(super) fn of<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    none: &str,
) -> String {
    let mut table = Shape::of_output().table(&head);
    let mut with_ids = [false; N];
    for row in rows {
        for (has_ids, cell) in with_ids.iter_mut().zip(&row) {
            *has_ids |= cell.lines().any(|line| line.len() == ID_CHARS && !line.contains(' '));
        }
        table.add_row(row);
    }
    // An id that is broken over two lines cannot be copied.
    let columns = table.width().unwrap_or(PLAIN_COLUMNS);
    for at in (0..N).filter(|at| with_ids[*at] && columns >= ROOMY_COLUMNS) {
        if let Some(column) = table.column_mut(at) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(ID_COLUMNS)));
        }
    }
    if table.is_empty() { format!("{none}\n") } else { format!("{table}\n") }
}

/// JSON with a line for each member, or on one line where many follow each other.
pub(super) fn json(answer: &Value, many: bool) -> String {
    if many { format!("{answer}\n") } else { format!("{answer:#}\n") }
}

/// Prints the API's answer, or what people read of it.
pub(super) fn print(
    as_json: bool,
    answer: &Value,
    told: impl FnOnce(&Value) -> Result<String, super::Fault>,
) -> Result<(), super::Fault> {
    let text = if as_json { json(answer, false) } else { told(answer)? };
    anstream::print!("{text}");
    Ok(())
}

/// What a list holds: `items`, or the member of an older name.
pub(super) fn items(answer: &Value, name: &str) -> Value {
    let found = answer.get("items").or_else(|| answer.get(name));
    found.cloned().unwrap_or_else(|| Value::Array(Vec::new()))
}
