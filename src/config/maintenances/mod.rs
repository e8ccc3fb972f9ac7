//! Maintenances that are declared in files of a directory: one document each, by its file's name.

mod document;
mod yaml;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use toml::Spanned;

pub use document::Written;

use super::file::Section;
use super::problem::Found;
use super::{Loaded, Problems, keys};
use crate::clock::Wall;
use crate::limit;
use crate::snapshot::Site;
use crate::window::draft::{Compiled, Draft, Fault, Given, Names, Past};
use crate::window::maintenance::Kind;
use crate::window::schedule::{self, Occurrence, PhaseTimes};

/// Occurrences of a series that may lie in blackouts before nothing is said to come.
const LOOKED_THROUGH: usize = 32;

/// A maintenance that a file declares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Declared {
    /// The file's name, without its directory: the maintenance's name for ever.
    pub name: String,
    /// What it says.
    pub draft: Draft,
}

/// The directory, if there is to be one. Relative paths are meant from `base`.
pub(super) fn directory(
    file: &Section<'_>,
    base: &Path,
    found: &mut Found,
) -> Option<Spanned<PathBuf>> {
    let section = file.section("maintenances", &keys::MAINTENANCES, found);
    let typed = section.text("directory", found)?;
    Some(Spanned::new(typed.span(), base.join(typed.get_ref())))
}

/// The documents in the directory. Everything that is wrong with any of them is a problem of the
/// config, told with the file's line: what is declared is in force as a whole, or not at all.
pub(super) fn declared(
    dir: Option<&Spanned<PathBuf>>,
    site: &Site,
    drain: Duration,
    found: &mut Found,
) -> Vec<Declared> {
    let Some(dir) = dir else { return Vec::new() };
    let paths = match files(dir.get_ref()) {
        Ok(paths) => paths,
        Err(fault) => {
            let what = format!("the directory {} cannot be read: {fault}", dir.get_ref().display());
            found.add(dir.span(), what, "make it, or leave the key out");
            return Vec::new();
        }
    };
    if paths.len() > limit::DECLARED_FILES_MAX {
        let help = format!("{} are possible", limit::DECLARED_FILES_MAX);
        found.add(dir.span(), format!("{} maintenances are declared", paths.len()), help);
    }
    let read = |path: &PathBuf| match one(path, site, drain) {
        Ok(declared) => Some(declared),
        Err(problems) => {
            for problem in &problems {
                let (name, line, column) = (problems.name(), problem.line, problem.column);
                let what = format!("{name}:{line}:{column}: {}", problem.what);
                found.add(dir.span(), what, &problem.help);
            }
            None
        }
    };
    paths.iter().take(limit::DECLARED_FILES_MAX).filter_map(read).collect()
}

/// The files that declare something. Those that begin with a dot are an editor's, or a ConfigMap's.
fn files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(".");
        if !name.starts_with('.') && document::Format::of(&path).is_some() && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn one(path: &Path, site: &Site, drain: Duration) -> Result<Declared, Problems> {
    let written = Written::read(path)?;
    let draft = &written.draft;
    let given = Given { now: Wall::from_millis(0), drain, past: Past::Allowed };
    let mut faults = names_of(site).unknown(draft);
    for (at, phase) in draft.phases.iter().enumerate() {
        if draft.kind == Kind::Emergency && phase.starts.is_none() {
            let help = "a file is read again and again: say when it begins";
            faults.push(Fault::new(format!("phases[{at}].starts"), "it is missing", help));
        }
    }
    match draft.compile(&given) {
        Ok(compiled) => faults.extend(blacked_out(draft, &compiled, site)),
        Err(more) => faults.extend(more),
    }
    if !faults.is_empty() {
        return Err(written.problems(&faults));
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(Declared { name: name.unwrap_or_default(), draft: written.draft })
}

/// A series passes over blackouts by itself; a single maintenance must not lie in one.
fn blacked_out(draft: &Draft, compiled: &Compiled, site: &Site) -> Vec<Fault> {
    if draft.despite_blackout || draft.recurrence.is_some() {
        return Vec::new();
    }
    schedule::conflicts(&compiled.phases, [], &site.blackouts, None).faults()
}

/// The names that a document may use.
pub fn names_of(site: &Site) -> Names<'_> {
    let routes = site.rules.iter().map(|rules| &*rules.name).collect();
    Names { regions: site.regions.names().collect(), routes }
}

/// What a file of the directory plans, if nothing is known of it yet.
#[derive(Serialize)]
pub struct Planned<'a> {
    /// Its name, without its directory.
    pub file: &'a str,
    /// What it is called.
    pub title: &'a str,
    /// When it is next; none if nothing of it is to come.
    pub next: Option<Occurrence>,
}

/// What the files of the directory plan, seen from `now`.
pub fn plans(loaded: &Loaded, now: Wall) -> Vec<Planned<'_>> {
    let given = Given { now, drain: loaded.process.drain, past: Past::Allowed };
    let to_come = |one: &Occurrence| {
        let ends = |phase: &PhaseTimes| phase.ends.is_none_or(|end| end > now);
        one.blackout.is_none() && one.phases.iter().any(ends)
    };
    let plan = |declared: &'_ Declared| {
        let coming =
            schedule::preview(&declared.draft, LOOKED_THROUGH, &given, &loaded.site.blackouts);
        coming.unwrap_or_default().into_iter().find(to_come)
    };
    let declared = loaded.declared.iter().flatten();
    let planned = declared.map(|declared| Planned {
        file: &declared.name,
        title: &declared.draft.title,
        next: plan(declared),
    });
    planned.collect()
}

/// What a file would plan: its next occurrences from `now` on, and what may not be meant. With a
/// config, names and blackouts are looked up in it.
pub fn preview(
    path: &Path,
    config: Option<&Path>,
    count: usize,
    now: Wall,
) -> Result<(Vec<Occurrence>, Vec<Fault>), Problems> {
    let written = Written::read(path)?;
    let loaded = config.map(super::load).transpose()?;
    let site = loaded.as_ref().map(|loaded| &*loaded.site);
    let given = Given { now, drain: limit::WINDOW_DRAIN, past: Past::Allowed };
    let mut faults = site.map_or_else(Vec::new, |site| names_of(site).unknown(&written.draft));
    let compiled = written.draft.compile(&given).map_err(|more| faults.extend(more));
    let Ok(compiled) = compiled else { return Err(written.problems(&faults)) };
    if !faults.is_empty() {
        return Err(written.problems(&faults));
    }
    let blackouts = site.map_or(&[][..], |site| &site.blackouts);
    let occurrences = schedule::preview(&written.draft, count, &given, blackouts);
    let occurrences = occurrences.map_err(|faults| written.problems(&faults))?;
    Ok((occurrences, compiled.warnings))
}
