//! How tables and JSON are printed.

use std::io::IsTerminal as _;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde_json::Value;

/// The width of a table that no terminal asks for.
const PLAIN_COLUMNS: u16 = 120;

const ID_CHARS: u16 = 32;
/// The spaces at the sides of a cell.
const SIDES: u16 = 2;
/// From this width on, a table has room for ids.
const ROOMY_COLUMNS: u16 = 80;
/// Which words are kept whole, by their length: as long ones as there is room for.
const WHOLE_WORDS: [u16; 4] = [12, 10, 8, 6];

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
    let (mut words, mut with_ids) = (head.map(longest_word), [false; N]);
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            with_ids[at] |= cell.split_whitespace().any(is_id);
            words[at] = words[at].max(longest_word(cell));
        }
        table.add_row(row);
    }
    let columns = table.width().unwrap_or(PLAIN_COLUMNS);
    for (at, least) in least_widths(words, with_ids, columns).into_iter().enumerate() {
        if let Some(column) = table.column_mut(at).filter(|_| least > 0) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        }
    }
    if table.is_empty() { format!("{none}\n") } else { format!("{table}\n") }
}

fn is_id(word: &str) -> bool {
    word.len() == usize::from(ID_CHARS) && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// In characters; that of an id does not count.
fn longest_word(cell: &str) -> u16 {
    let words = cell.split_whitespace().filter(|word| !is_id(word));
    words.map(|word| u16::try_from(word.chars().count()).unwrap_or(u16::MAX)).max().unwrap_or(0)
}

/// How narrow each column may become: an id that is broken over two lines cannot be copied, and a
/// date that is broken within can hardly be read. Zero where it may be broken all the same.
fn least_widths<const N: usize>(words: [u16; N], with_ids: [bool; N], columns: u16) -> [u16; N] {
    let least = |whole: u16| {
        let mut least = words.map(|word| word.min(whole) + SIDES);
        for at in (0..N).filter(|at| with_ids[*at] && columns >= ROOMY_COLUMNS) {
            least[at] = ID_CHARS + SIDES;
        }
        least
    };
    let fits = |least: &[u16; N]| least.iter().sum::<u16>() <= columns;
    let fitting = WHOLE_WORDS.into_iter().map(least).find(fits);
    fitting.unwrap_or_else(|| {
        with_ids.map(|has| if has && columns >= ROOMY_COLUMNS { ID_CHARS + SIDES } else { 0 })
    })
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
