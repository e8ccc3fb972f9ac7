//! Times in which nothing may be planned: the season's sale, the close of a year.

use super::series::Series;
use crate::clock::Wall;
use crate::window::scope::Selection;

/// A time in which nothing may be planned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Blackout {
    /// What operators call it.
    pub name: String,
    /// From when on.
    pub from: Wall,
    /// Until when; that instant is free again.
    pub to: Wall,
    /// Which regions it holds in.
    pub regions: Selection,
    /// When it comes again, for the same time.
    pub series: Option<Series>,
}

impl Blackout {
    /// The part of it that a window in `regions` from `from` to `to` meets, if it meets it. A
    /// window of which nobody knows the end meets it only if it begins in it.
    pub fn meets(&self, from: Wall, to: Option<Wall>, regions: &Selection) -> Option<(Wall, Wall)> {
        self.regions.meets(regions).then_some(())?;
        let to = to.unwrap_or(from).max(Wall::from_millis(from.millis().saturating_add(1)));
        let length = self.to.since(self.from);
        let begins = match &self.series {
            None => Some(self.from),
            // The first that is not over when the window begins: the only one that can reach it.
            Some(series) => series.next_after(from.minus(length)),
        };
        let begins = begins.filter(|begins| *begins < to)?;
        let ends = begins.plus(length);
        (from < ends).then_some((begins, ends))
    }
}
