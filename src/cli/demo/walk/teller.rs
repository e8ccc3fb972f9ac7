//! Tells the story: numbered steps with what was seen.

use super::{Broken, Seen};

/// Columns of a line of what was seen.
const WIDTH: usize = 92;

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
        println!("\n{title}");
    }

    /// Does one step and tells it; a promise that does not hold ends the story.
    pub(super) fn step(&mut self, promise: &str, act: impl FnOnce() -> Seen) -> Result<(), Broken> {
        promise.clone_into(&mut self.under_way);
        let seen = act()?;
        self.steps += 1;
        println!("{:4} ✓ {promise}", self.steps);
        for line in seen.lines() {
            println!("         {}", shortened(line));
        }
        Ok(())
    }

    /// Names the promise that did not hold.
    pub(super) fn broken(&self, broken: &Broken) {
        println!("{:4} ✗ {}\n\nBROKEN PROMISE: {}", self.steps + 1, self.under_way, self.under_way);
        println!("{broken}");
    }
}

fn shortened(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    let start: String = line.chars().take(WIDTH - 1).collect();
    format!("{start}…")
}
