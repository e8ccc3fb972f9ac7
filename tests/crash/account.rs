//! What was promised and what happened, and the check that holds one against the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One thing that happened to the form that carries a mark.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Entry {
    /// The visitor saw the 303.
    Receipt(String),
    /// The visitor pressed Send.
    Pressed(String),
    /// The visitor said that an `unknown` one is not there, and pressed Send.
    Checked(String),
    /// Its whole body reached the application.
    Arrived(String),
    /// At the end, its receipt showed what was typed.
    Readable(String),
}

/// What was promised to visitors and is not so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// A receipt without its submission.
    Lost(String),
    /// More bodies at the application than the visitor's words allow.
    Twice(String, usize),
    /// A body at the application that nobody sent on.
    Unasked(String),
}

/// The account that everybody enters into.
#[derive(Clone, Default)]
pub(super) struct Account {
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Account {
    pub(super) fn enter(&self, entry: Entry) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// How often the body with this mark reached the application.
    pub(super) fn arrivals(&self, mark: &str) -> usize {
        self.count(|entry| *entry == Entry::Arrived(mark.to_owned()))
    }

    pub(super) fn count(&self, which: impl Fn(&Entry) -> bool) -> usize {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().filter(|entry| which(entry)).count()
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        faults(&self.entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Default)]
struct Sums {
    receipts: usize,
    pressed: usize,
    checked: usize,
    arrived: usize,
    readable: usize,
}

/// Pure, so that it can be shown to turn red.
fn faults(entries: &[Entry]) -> Vec<Fault> {
    let mut sums: BTreeMap<&str, Sums> = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Receipt(mark) => sums.entry(mark).or_default().receipts += 1,
            Entry::Pressed(mark) => sums.entry(mark).or_default().pressed += 1,
            Entry::Checked(mark) => sums.entry(mark).or_default().checked += 1,
            Entry::Arrived(mark) => sums.entry(mark).or_default().arrived += 1,
            Entry::Readable(mark) => sums.entry(mark).or_default().readable += 1,
        }
    }
    let mut faults = Vec::new();
    for (mark, sum) in sums {
        let mark = mark.to_owned();
        if sum.receipts > 0 && sum.readable == 0 {
            faults.push(Fault::Lost(mark.clone()));
        }
        if sum.arrived > 0 && sum.pressed == 0 {
            faults.push(Fault::Unasked(mark.clone()));
        }
        if sum.arrived > 1 + sum.checked {
            faults.push(Fault::Twice(mark, sum.arrived));
        }
    }
    faults
}

#[test]
fn the_check_turns_red_on_a_lost_a_doubled_and_an_unasked_form() {
    let mark = || "m".to_owned();
    let sound = [
        Entry::Receipt(mark()),
        Entry::Pressed(mark()),
        Entry::Arrived(mark()),
        Entry::Readable(mark()),
    ];
    assert_eq!(faults(&sound), []);
    assert_eq!(faults(&sound[..3]), [Fault::Lost(mark())]);

    let twice = [&sound[..], &[Entry::Arrived(mark())]].concat();
    assert_eq!(faults(&twice), [Fault::Twice(mark(), 2)]);
    let twice_by_word = [&twice[..], &[Entry::Checked(mark())]].concat();
    assert_eq!(faults(&twice_by_word), []);

    assert_eq!(faults(&[Entry::Arrived(mark())]), [Fault::Unasked(mark())]);
}
