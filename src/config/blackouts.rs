//! `[[blackout]]`: times in which nothing may be planned.

use super::file::{Section, Text};
use super::problem::Found;
use super::{keys, names};
use crate::clock::Wall;
use crate::limit;
use crate::window::draft::{Reading, read_instant, read_zone};
use crate::window::maintenance::Recurrence;
use crate::window::schedule::{Blackout, Series};
use crate::window::scope::Selection;

/// Blackouts, and the regions that they name, to be looked up.
pub(super) fn blackouts(file: &Section<'_>, found: &mut Found) -> Vec<(Blackout, Vec<Text>)> {
    let sections = file.sections("blackout", &keys::BLACKOUT, found);
    if sections.len() > limit::BLACKOUTS_MAX {
        let help = format!("{} are possible", limit::BLACKOUTS_MAX);
        found.add(file.place("blackout"), format!("{} blackouts", sections.len()), help);
    }
    let mut unique = names::Unique::new("blackout");
    let read = |section: &Section<'_>| blackout(section, &mut unique, found);
    sections.iter().take(limit::BLACKOUTS_MAX).filter_map(read).collect()
}

fn blackout(
    section: &Section<'_>,
    unique: &mut names::Unique,
    found: &mut Found,
) -> Option<(Blackout, Vec<Text>)> {
    let name = names::required(section, "name", found);
    if let Some(name) = &name {
        unique.check(name, found);
    }
    let zone_name = section.text("zone", found);
    let zone_text = zone_name.as_ref().map_or("", |name| name.get_ref().as_str());
    let zone = read_zone(zone_text);
    if zone.is_none() {
        let help = "write a name of the IANA time zone database: \"Europe/Paris\", \"UTC\"";
        found.add(section.place("zone"), format!("there is no zone {zone_text:?}"), help);
    }
    let zone = zone.unwrap_or(jiff::tz::TimeZone::UTC);
    let from = instant(section, "from", &zone, found);
    let to = instant(section, "to", &zone, found);
    let regions = section.texts("regions", found).unwrap_or_default();
    names::each_once(&regions, found);
    let rule = section.text("rule", found);
    let (from, to) = (from?, to?);
    if to <= from {
        let what = format!("it ends at {to}, before it begins at {from}");
        found.add(section.place("to"), what, "name a later instant");
        return None;
    }
    let series = rule.and_then(|rule| series(&rule, zone_text, from, found));
    let selection = Selection::of(regions.iter().map(|region| region.get_ref().clone()));
    let blackout = Blackout { name: name?.into_inner(), from, to, regions: selection, series };
    Some((blackout, regions))
}

fn instant(
    section: &Section<'_>,
    key: &'static str,
    zone: &jiff::tz::TimeZone,
    found: &mut Found,
) -> Option<Wall> {
    if !section.has(key) {
        let what = format!("this {} has no `{key}`", section.title());
        found.add(section.span(), what, format!("add a line {}", section.example(key)));
        return None;
    }
    let typed = section.text(key, found)?;
    let (what, help) = match read_instant(typed.get_ref(), zone) {
        Reading::At(at) => return Some(at),
        Reading::Skipped(one, other) | Reading::Twice(one, other) => (
            "the clock is put forward or back over it".to_owned(),
            format!("write \"{one}\" or \"{other}\""),
        ),
        Reading::Unreadable => (
            format!("`{key}` is not an instant"),
            format!("write it like this: {}", section.example(key)),
        ),
    };
    found.add(typed.span(), what, help);
    None
}

fn series(rule: &Text, zone: &str, from: Wall, found: &mut Found) -> Option<Series> {
    let typed = rule.get_ref().clone();
    let recurrence =
        Recurrence { rule: typed, zone: zone.to_owned(), except: Vec::new(), at: None };
    match Series::of(&recurrence, from, "blackout") {
        Ok(series) => Some(series),
        Err(faults) => {
            for fault in faults {
                found.add(rule.span(), fault.what, fault.help);
            }
            None
        }
    }
}
