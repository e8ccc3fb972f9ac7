//! Which form is meant, and which answer goes into which of its controls. Pure.

use std::collections::BTreeSet;

use super::survey::{Control, Form, Kind, Survey};
use super::{Answer, Given, Outcome, Wanted};
use crate::addr::url::{resolve, same_place};

/// What is written into a page.
#[derive(Default)]
pub(super) struct Plan {
    /// The form, by number; none is meant, or none can be told.
    pub form: Option<usize>,
    /// By the number of a control.
    pub controls: Vec<Change>,
    /// By the number of an option: whether it is chosen. None: as it is.
    pub options: Vec<Option<bool>>,
    pub has_body: bool,
    pub outcome: Outcome,
}

/// What is done to a control.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    /// Its value, or what stands in it.
    Say(String),
    /// On or off.
    Check(bool),
}

/// An answer, and whether it has found its place.
struct Open<'a> {
    answer: &'a Answer,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is looked for yet.
    Waits,
    /// It stands in the form.
    Placed,
    /// The form says it by itself, or nobody may change it there.
    Quiet,
}

impl Plan {
    /// For this page and these answers.
    pub(super) fn of(survey: &Survey, wanted: &Wanted) -> Self {
        let mut plan = Self {
            form: choose(survey, wanted),
            controls: vec![Change::Nothing; survey.controls.len()],
            options: vec![None; survey.options.len()],
            has_body: survey.has_body,
            outcome: Outcome::default(),
        };
        let mut open: Vec<Open<'_>> =
            wanted.answers.iter().map(|answer| Open { answer, fate: Fate::Waits }).collect();
        if let Some(form) = plan.form {
            let of_form = survey.controls.iter().enumerate();
            for (number, control) in of_form.filter(|(_, control)| control.form == Some(form)) {
                if let Some(name) = &control.name {
                    plan.control(survey, number, control, name, &mut open);
                }
            }
        }
        plan.conclude(&open);
        plan
    }

    fn control(
        &mut self,
        survey: &Survey,
        number: usize,
        control: &Control,
        name: &str,
        open: &mut [Open<'_>],
    ) {
        let on = control.value.as_deref().unwrap_or("on");
        match control.kind {
            _ if control.is_fixed => quiet(open, name, None),
            Kind::Hidden | Kind::Button => {
                quiet(open, name, Some(control.value.as_deref().unwrap_or_default()));
            }
            Kind::Checkbox => {
                self.controls[number] = Change::Check(take(open, name, |text| text == on));
            }
            // A group without an answer is new since: every group that was there gave one, or
            // none was chosen.
            Kind::Radio if has(open, name) => {
                self.controls[number] = Change::Check(take(open, name, |text| text == on));
            }
            Kind::Radio => {}
            Kind::Line => {
                let fits = |text: &str| !text.contains(['\n', '\r']);
                if let Some(text) = taken(open, name, fits) {
                    self.controls[number] = Change::Say(text);
                }
            }
            Kind::Lines => {
                if let Some(text) = taken(open, name, |_| true) {
                    self.controls[number] = Change::Say(text);
                }
            }
            Kind::Select | Kind::SelectMany => self.select(survey, number, control, name, open),
            Kind::File | Kind::Never => {}
        }
    }

    fn select(
        &mut self,
        survey: &Survey,
        number: usize,
        control: &Control,
        name: &str,
        open: &mut [Open<'_>],
    ) {
        let many = control.kind == Kind::SelectMany;
        let mut chosen = Vec::new();
        for (at, choice) in survey.options.iter().enumerate() {
            let may = choice.select == number && !choice.is_disabled;
            let enough = !many && !chosen.is_empty();
            if may && !enough && take(open, name, |text| text == choice.sends()) {
                chosen.push(at);
            }
        }
        // Without a word about it, a list of any number was sent with none of them chosen; a list
        // of one always says which.
        if chosen.is_empty() && (!many || has(open, name)) {
            return;
        }
        for (at, choice) in survey.options.iter().enumerate() {
            if choice.select == number {
                self.options[at] = Some(chosen.contains(&at));
            }
        }
    }

    fn conclude(&mut self, open: &[Open<'_>]) {
        for Open { answer, fate } in open {
            match (fate, &answer.given) {
                (Fate::Placed, _) => self.outcome.placed += 1,
                (Fate::Quiet, _) => {}
                (Fate::Waits, Given::File(file)) if file.is_empty() => {}
                (Fate::Waits, Given::File(file)) => self.outcome.files.push(file.clone()),
                (Fate::Waits, Given::Text(text) | Given::Part(text)) if text.is_empty() => {}
                (Fate::Waits, Given::Text(text) | Given::Part(text)) => {
                    self.outcome.left.push((answer.name.clone(), text.clone()));
                }
            }
        }
    }
}

/// The form that is meant: one that goes where the answers went; else the only one that has most
/// of their names, since an address may change between two versions of an application.
fn choose(survey: &Survey, wanted: &Wanted) -> Option<usize> {
    let base = match &survey.base {
        Some(base) => resolve(&wanted.page, base),
        None => wanted.page.clone(),
    };
    let goes_there = |form: &Form| {
        form.actions.iter().any(|action| {
            let place = match action.trim() {
                // HTML has it that no action is the page itself, whatever its base.
                "" => resolve(&wanted.page, ""),
                action => resolve(&base, action),
            };
            same_place(&place, &wanted.target)
        })
    };
    let posts: Vec<usize> =
        (0..survey.forms.len()).filter(|form| survey.forms[*form].is_post).collect();
    let there = posts.iter().copied().filter(|form| goes_there(&survey.forms[*form]));
    // Of several that go there the one that is most like it, and of equals the first.
    let best = there.map(|form| (likeness(survey, form, wanted), std::cmp::Reverse(form))).max();
    if let Some((_, std::cmp::Reverse(form))) = best {
        return Some(form);
    }
    let names: BTreeSet<&str> = wanted.answers.iter().map(|answer| &*answer.name).collect();
    let has_most = |form: &usize| likeness(survey, *form, wanted).0 * 2 > names.len();
    // A form that asks to sign in may have a name or two of it, and is not what was filled in.
    let others = posts.into_iter().filter(|form| !survey.forms[*form].asks_password);
    let mut others = others.filter(has_most);
    let only = others.next();
    if others.next().is_some() { None } else { only }
}

/// How many of the answers' names a form has, and how many of its own values are theirs.
fn likeness(survey: &Survey, form: usize, wanted: &Wanted) -> (usize, usize) {
    let of_form = || survey.controls.iter().filter(|control| control.form == Some(form));
    let named = |name: &str| of_form().any(|control| control.name.as_deref() == Some(name));
    let names: BTreeSet<&str> = wanted.answers.iter().map(|answer| &*answer.name).collect();
    let says = |control: &&Control| {
        wanted.answers.iter().any(|answer| match &answer.given {
            Given::Text(text) => {
                control.name.as_ref() == Some(&answer.name) && control.value.as_ref() == Some(text)
            }
            Given::Part(_) | Given::File(_) => false,
        })
    };
    let hidden = of_form().filter(|control| control.kind == Kind::Hidden);
    (names.into_iter().filter(|name| named(name)).count(), hidden.filter(says).count())
}

/// Whether there was an answer of this name, placed or not.
fn has(open: &[Open<'_>], name: &str) -> bool {
    open.iter().any(|open| open.answer.name == name)
}

/// Places the first waiting answer of this name that fits.
fn take(open: &mut [Open<'_>], name: &str, fits: impl Fn(&str) -> bool) -> bool {
    taken(open, name, fits).is_some()
}

fn taken(open: &mut [Open<'_>], name: &str, fits: impl Fn(&str) -> bool) -> Option<String> {
    let waiting = open.iter_mut().filter(|open| open.fate == Fate::Waits);
    let mut named = waiting.filter(|open| open.answer.name == name);
    let (open, text) = named.find_map(|open| match &open.answer.given {
        Given::Text(text) if fits(text) => {
            let text = text.clone();
            Some((open, text))
        }
        Given::Text(_) | Given::Part(_) | Given::File(_) => None,
    })?;
    open.fate = Fate::Placed;
    Some(text)
}

/// What the form says by itself is not shown as if the visitor had typed it: the same value, or,
/// in a field that is not seen, one that is no words. (Editors keep what was typed in such fields;
/// versions and tokens are one word.)
fn quiet(open: &mut [Open<'_>], name: &str, hidden: Option<&str>) {
    let waiting = open.iter_mut().filter(|open| open.fate == Fate::Waits);
    for open in waiting.filter(|open| open.answer.name == name) {
        let Given::Text(text) = &open.answer.given else { continue };
        let is_words = text.contains(char::is_whitespace) || text.contains('<');
        if hidden.is_none_or(|value| value == text || !is_words) {
            open.fate = Fate::Quiet;
            return;
        }
    }
}
