//! What a window did to visitors, in numbers.

use serde::{Deserialize, Serialize};

use crate::clock::Wall;
use crate::digest;

/// Totals over requests that a window governed. Everything is kept of none of them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Requests that were answered as closed, by the kind of the answer.
    pub pages: Pages,
    /// Requests that waited.
    pub held: u64,
    /// Those of them that went on to the application.
    pub released: u64,
    /// Forms that were captured.
    pub captured: u64,
    /// Forms that were not kept.
    pub not_kept: u64,
    /// A sketch of who was answered as closed: it tells how many they were, not who.
    pub visitors: Sketch,
    /// When the first of them was answered.
    pub first: Option<Wall>,
    /// When the last was.
    pub last: Option<Wall>,
}

/// Requests by the kind of the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Pages {
    /// For people.
    pub html: u64,
    /// `application/problem+json`.
    pub problem: u64,
    /// A line of text.
    pub text: u64,
    /// gRPC.
    pub grpc: u64,
    /// WebSocket upgrades.
    pub websocket: u64,
}

impl Pages {
    /// All of them.
    pub fn total(&self) -> u64 {
        let Self { html, problem, text, grpc, websocket } = self;
        html + problem + text + grpc + websocket
    }
}

/// The registers of a HyperLogLog (Flajolet and others, 2007): about how many were met, within
/// about 3 %, in 1 KiB. Own, because it is thirty lines, and because what is stored of visitors
/// must be seen to be no more than this.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Sketch(Vec<u8>);

/// Registers of a sketch: 2^10, for a standard error of 1.04 / √1024.
pub const REGISTERS: usize = 1 << 10;

/// Where a hash is noted in a sketch: which register, and what it is raised to.
pub fn place_of(hash: u64) -> (usize, u8) {
    let register = (hash >> (u64::BITS - REGISTERS.trailing_zeros())) as usize;
    // The bit that is set keeps the rank within the bits that are left.
    let rest = hash << REGISTERS.trailing_zeros() | (1 << (REGISTERS.trailing_zeros() - 1));
    (register, rest.leading_zeros() as u8 + 1)
}

impl Sketch {
    /// Of registers that were filled elsewhere.
    pub fn of(registers: impl Iterator<Item = u8>) -> Self {
        let registers: Vec<u8> = registers.collect();
        let empty = registers.len() != REGISTERS || registers.iter().all(|rank| *rank == 0);
        if empty { Self::default() } else { Self(registers) }
    }

    /// Notes a hash.
    pub fn note(&mut self, hash: u64) {
        self.0.resize(REGISTERS, 0);
        let (register, rank) = place_of(hash);
        self.0[register] = self.0[register].max(rank);
    }

    /// About how many different hashes were noted.
    pub fn count(&self) -> u64 {
        if self.0.is_empty() {
            return 0;
        }
        let registers = REGISTERS as f64;
        let sum: f64 = self.0.iter().map(|rank| 0.5f64.powi(i32::from(*rank))).sum();
        let estimate = 0.7213 / (1.0 + 1.079 / registers) * registers * registers / sum;
        let empty = self.0.iter().filter(|rank| **rank == 0).count();
        // For small numbers, empty registers tell more than full ones.
        let small = estimate <= 2.5 * registers && empty > 0;
        let estimate = if small { registers * (registers / empty as f64).ln() } else { estimate };
        estimate.round() as u64
    }

    /// Those of both.
    fn join(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        let pairs = self.0.iter_mut().zip(&other.0);
        pairs.for_each(|(mine, theirs)| *mine = (*mine).max(*theirs));
    }
}

impl From<Sketch> for String {
    fn from(sketch: Sketch) -> Self {
        digest::base64url(&sketch.0)
    }
}

impl TryFrom<String> for Sketch {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match digest::unbase64url(&text) {
            Some(registers) if registers.is_empty() || registers.len() == REGISTERS => {
                Ok(Self(registers))
            }
            Some(_) | None => Err("not the registers of a sketch"),
        }
    }
}

impl Tally {
    /// Adds what another process, or another worker, counted of the same window.
    pub fn add(&mut self, other: &Self) {
        let Pages { html, problem, text, grpc, websocket } = other.pages;
        self.pages.html += html;
        self.pages.problem += problem;
        self.pages.text += text;
        self.pages.grpc += grpc;
        self.pages.websocket += websocket;
        self.held += other.held;
        self.released += other.released;
        self.captured += other.captured;
        self.not_kept += other.not_kept;
        self.visitors.join(&other.visitors);
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> u64 {
        let bytes = digest::sha256(&number.to_be_bytes());
        u64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"))
    }

    #[test]
    fn a_sketch_counts_within_a_tenth_and_repeats_do_not_count() {
        for many in [0, 1, 10, 500, 2_000, 20_000, 100_000] {
            let mut sketch = Sketch::default();
            (0..many).for_each(|number| sketch.note(hash(number)));
            (0..many.min(100)).for_each(|number| sketch.note(hash(number)));
            let counted = sketch.count();
            assert!(counted.abs_diff(many) <= many / 10, "{counted} for {many}");
        }
    }

    #[test]
    fn joined_sketches_count_each_once_and_survive_their_text() {
        let (mut a, mut b) = (Tally::default(), Tally::default());
        (0..1_000).for_each(|number| a.visitors.note(hash(number)));
        (500..1_500).for_each(|number| b.visitors.note(hash(number)));
        a.add(&b);
        assert!(a.visitors.count().abs_diff(1_500) < 150, "{}", a.visitors.count());
        let text = serde_json::to_string(&a).expect("JSON");
        assert_eq!(serde_json::from_str::<Tally>(&text).expect("a tally"), a);
        assert!(serde_json::from_str::<Sketch>("\"AAAA\"").is_err());
    }
}
