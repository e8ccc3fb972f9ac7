//! What visitors are told of the windows over a cell, and what they are promised.

use std::collections::{BTreeMap, BTreeSet};

use super::site::Site;
use crate::clock::Wall;
use crate::limit;
use crate::pages::{News, Notice, PhaseNotice, Stage, Words};
use crate::window::maintenance::Maintenance;
use crate::window::state::{Mode, State, Texts, Window};

/// What is known of several windows together.
pub(super) struct Outlook {
    /// Since when the place is closed.
    pub(super) since: Wall,
    /// The latest end; none if one of the windows promises none, or a promise is broken.
    pub(super) until: Option<Wall>,
    pub(super) stage: Stage,
}

impl Outlook {
    /// Of these windows, of which there is at least one.
    pub(super) fn of(windows: &[&Window]) -> Self {
        let since = windows.iter().map(|window| window.from()).min();
        let stage = stage_of(windows);
        let ends: Option<Vec<Wall>> = windows.iter().map(|window| end_of(window)).collect();
        let until = ends.and_then(|ends| ends.into_iter().max());
        let until = until.filter(|_| stage != Stage::Overrun);
        Self { since: since.unwrap_or(Wall::from_millis(0)), until, stage }
    }
}

fn stage_of(windows: &[&Window]) -> Stage {
    let any = |state: State| windows.iter().any(|window| window.state == state);
    if any(State::Overrun) {
        Stage::Overrun
    } else if any(State::Draining) || any(State::Closed) {
        Stage::Closed
    } else if any(State::Verifying) {
        Stage::Verifying
    } else {
        Stage::Reopening
    }
}

/// When a window lets everybody in again, as far as it is known: a promise that had passed when
/// the work was done is none any more, and a ramp has an end of its own.
fn end_of(window: &Window) -> Option<Wall> {
    match window.state {
        State::Reopening => window.ramp().map(|(_, end)| end),
        State::Verifying => window.promised_end.filter(|end| *end > window.since),
        State::Planned
        | State::Stalled
        | State::Draining
        | State::Closed
        | State::Overrun
        | State::Ended
        | State::Cancelled => window.promised_end,
    }
}

/// What visitors would be told of this window, were it the only one over a route of this title.
pub fn told_of(
    window: &Window,
    maintenance: Option<&Maintenance>,
    site: &Site,
    service: &str,
) -> Notice {
    notice(window, maintenance, &Outlook::of(&[window]), site, service)
}

/// What visitors are told of this window, the first of those over a cell.
pub(super) fn notice(
    window: &Window,
    maintenance: Option<&Maintenance>,
    outlook: &Outlook,
    site: &Site,
    service: &str,
) -> Notice {
    let whole = outlook.until.map(|until| until.since(outlook.since));
    let disruption = window.plan.disruption.filter(|span| whole.is_none_or(|whole| *span < whole));
    let layers = Layers { window: &window.texts, maintenance };
    let tags = layers.tags();
    let languages: BTreeMap<String, Words> =
        tags.into_iter().map(|tag| (tag.to_owned(), layers.words(Some(tag)))).collect();
    let updates = maintenance.into_iter().flat_map(|one| one.updates.iter().rev());
    let updates = updates.take(limit::PAGE_UPDATES_MAX);
    Notice {
        window: window.id,
        maintenance: window.phase.as_ref().map(|phase| phase.maintenance),
        phase: window
            .phase
            .as_ref()
            .map(|phase| PhaseNotice { number: phase.number, name: phase.name.clone() }),
        service: service.to_owned(),
        operator: site.operator.clone(),
        read_only: window.mode == Mode::ReadOnly,
        stage: outlook.stage,
        since: outlook.since,
        until: outlook.until,
        overrun: outlook.stage == Stage::Overrun,
        disruption: disruption.map(|span| span.as_secs().div_ceil(60)),
        updates: updates.map(|one| News { at: one.at, text: one.text.clone() }).collect(),
        words: layers.words(None),
        languages,
    }
}

/// Where words come from: the window, and where that says nothing its maintenance.
struct Layers<'a> {
    window: &'a Texts,
    maintenance: Option<&'a Maintenance>,
}

impl<'a> Layers<'a> {
    fn texts(&self) -> impl Iterator<Item = &'a Texts> + use<'a> {
        [Some(self.window), self.maintenance.map(|one| &one.texts)].into_iter().flatten()
    }

    /// Every language that somebody translated something into.
    fn tags(&self) -> BTreeSet<&'a str> {
        self.texts().flat_map(|texts| texts.languages.keys()).map(String::as_str).collect()
    }

    /// All words in this language, field by field: the translation, else the original beside it,
    /// else the same of the maintenance.
    fn words(&self, tag: Option<&str>) -> Words {
        let pick = |field: fn(&Texts) -> &String| {
            let mut said = self.texts().flat_map(|texts| {
                let translated = tag.and_then(|tag| texts.languages.get(tag));
                [translated, Some(texts)].into_iter().flatten().map(field)
            });
            said.find(|words| !words.is_empty()).cloned().unwrap_or_default()
        };
        let mut title = pick(|texts| &texts.title);
        if let (true, Some(maintenance)) = (title.is_empty(), self.maintenance) {
            title.clone_from(&maintenance.title);
        }
        Words {
            title,
            reason: pick(|texts| &texts.reason),
            message: pick(|texts| &texts.message),
            impact: pick(|texts| &texts.impact),
            benefit: pick(|texts| &texts.benefit),
            contact: pick(|texts| &texts.contact),
            alternative: pick(|texts| &texts.alternative),
        }
    }
}
