//! Tells the story: numbered steps with what was seen.

use super::{Broken, Seen};

/// Columns of a line of quoted words.
const WIDTH: usize = 92;
/// Lines of quoted words; the rest is left out.
const QUOTED_LINES_MAX: usize = 3;

/// Counts and prints.
pub(super) struct Teller {
    steps: usize,
    under_way: String,
}

impl Teller {
    pub(super) fn new() -> Self {
        Self { steps: 0, under_way: String::new() }
    }

    /// How many promises held.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// A heading.
    pub(super) fn act(&self, title: &str) {
        anstream::println!("\n{title}");
    }

    /// Does one step and tells it; a promise that does not hold ends the story.
    pub(super) fn step(&mut self, promise: &str, act: impl FnOnce() -> Seen) -> Result<(), Broken> {
        promise.clone_into(&mut self.under_way);
        let seen = act()?;
        self.steps += 1;
        anstream::println!("{:4} ✓ {promise}", self.steps);
        for line in seen.lines() {
            for row in rows(line) {
                anstream::println!("         {row}");
            }
        }
        Ok(())
    }

    /// Names the promise that did not hold.
    pub(super) fn broken(&self, broken: &Broken) {
        anstream::println!(
            "{:4} ✗ {}\n\nBROKEN PROMISE: {}",
            self.steps + 1,
            self.under_way,
            self.under_way
        );
        anstream::println!("{broken}");
    }
}

/// Quoted words are set in a few rows; everything else stands as it was printed.
fn rows(line: &str) -> Vec<String> {
    if !line.starts_with('“') {
        return vec![line.to_owned()];
    }
    let (mut rows, mut row) = (Vec::new(), String::new());
    for word in line.split(' ') {
        let full = row.chars().count() + 1 + word.chars().count() > WIDTH;
        if full && rows.len() + 1 == QUOTED_LINES_MAX {
            row.push_str(" …”");
            break;
        }
        if full {
            rows.push(std::mem::take(&mut row));
        }
        if !row.is_empty() {
            row.push(' ');
        }
        row.push_str(word);
    }
    rows.push(row);
    rows
}
