//! How scopes meet each other and the names that a config knows.

use crate::snapshot::Site;
use crate::window::scope::{Scope, Selection};

/// A name in a scope that the config does not have.
#[derive(Clone, PartialEq, Eq, Debug, PartialOrd, Ord, serde::Serialize, utoipa::ToSchema)]
pub struct Unknown {
    /// `region` or `route`.
    pub kind: &'static str,
    /// The name.
    pub name: String,
    /// What was perhaps meant.
    pub meant: Option<String>,
    /// The names there are; cut to the first few where there are many.
    pub known: Vec<String>,
}

/// How many known names a message lists.
const KNOWN_NAMES_LISTED_MAX: usize = 20;

/// The names of `scope` that `site` does not have.
pub(super) fn unknown(scope: &Scope, site: &Site) -> Vec<Unknown> {
    let regions = scope.regions.names().filter(|name| site.regions.named(name).is_none());
    let routes = scope.routes.names().filter(|name| site.route_named(name).is_none());
    let regions = regions.map(|name| missing("region", name, region_names(site)));
    let routes = routes.map(|name| missing("route", name, route_names(site)));
    regions.chain(routes).collect()
}

/// The names of a site's regions.
pub(super) fn region_names(site: &Site) -> Vec<String> {
    let regions = 0..u16::try_from(site.regions.len()).unwrap_or(u16::MAX);
    regions.map(|at| site.regions.name(crate::region::RegionIx(at)).to_owned()).collect()
}

/// The names of a site's routes.
pub(super) fn route_names(site: &Site) -> Vec<String> {
    site.rules.iter().map(|rules| rules.name.to_string()).collect()
}

fn missing(kind: &'static str, name: &str, mut known: Vec<String>) -> Unknown {
    let distance = |other: &String| strsim::damerau_levenshtein(name, other);
    let meant = known.iter().min_by_key(|other| distance(other)).cloned();
    let meant = meant.filter(|other| distance(other) <= 1 + name.chars().count() / 4);
    known.truncate(KNOWN_NAMES_LISTED_MAX);
    Unknown { kind, name: name.to_owned(), meant, known }
}

/// A sentence on each unknown name, with what was perhaps meant and what there is.
pub(super) fn sentence(unknown: &[Unknown]) -> String {
    let each = unknown.iter().map(|one| {
        let meant = one.meant.as_ref().map(|name| format!(" (did you mean \"{name}\"?)"));
        let Unknown { kind, name, known, .. } = one;
        let (meant, known) = (meant.unwrap_or_default(), known.join(", "));
        format!("there is no {kind} \"{name}\"{meant}; {kind}s are: {known}")
    });
    each.collect::<Vec<_>>().join(". ")
}

/// Whether everything in `part` is in `whole`. A selection of all also means names to come, so it
/// lies in no list of names.
pub(super) fn lies_in(part: &Scope, whole: &Scope) -> bool {
    let within = |part: &Selection, whole: &Selection| match (part, whole) {
        (_, Selection::All) => true,
        (Selection::All, Selection::Named(_)) => false,
        (Selection::Named(part), Selection::Named(whole)) => part.is_subset(whole),
    };
    within(&part.regions, &whole.regions)
        && within(&part.routes, &whole.routes)
        && within(&part.methods, &whole.methods)
}

/// Whether anything is in both.
pub(super) fn meet(a: &Scope, b: &Scope) -> bool {
    let common = |a: &Selection, b: &Selection| match (a, b) {
        (Selection::All, _) | (_, Selection::All) => true,
        (Selection::Named(a), Selection::Named(b)) => !a.is_disjoint(b),
    };
    common(&a.regions, &b.regions) && common(&a.routes, &b.routes) && common(&a.methods, &b.methods)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(regions: &[&str], routes: &[&str]) -> Scope {
        let of = |names: &[&str]| Selection::of(names.iter().map(|name| (*name).to_owned()));
        Scope { regions: of(regions), routes: of(routes), ..Scope::default() }
    }

    #[test]
    fn a_part_lies_in_its_whole_and_not_the_other_way_round() {
        let (part, whole) = (scope(&["apac"], &["claims"]), scope(&["apac", "eu"], &[]));
        assert!(lies_in(&part, &whole) && lies_in(&part, &part) && lies_in(&whole, &whole));
        assert!(!lies_in(&whole, &part));
        assert!(!lies_in(&scope(&[], &["claims"]), &part), "all regions are more than one");
    }

    #[test]
    fn scopes_meet_in_a_common_cell_only() {
        assert!(meet(&scope(&["apac"], &[]), &scope(&[], &["claims"])));
        assert!(!meet(&scope(&["apac"], &["claims"]), &scope(&["apac"], &["quotes"])));
        assert!(!meet(&scope(&["apac"], &[]), &scope(&["eu"], &[])));
    }
}
