//! What the pages that passed keep secret, by where their forms go: so that a password field is
//! known for one when its form comes to a closed place, whatever it is called.
//!
//! It is kept in memory alone. After a start nothing is known until pages have passed; then a
//! field is told by its name (`vault::policy`), and by what our script sees in the page itself.
//! The lock is taken by pages that have something secret, and by captures.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::addr::url::resolve;
use crate::inject::learn;
use crate::limit;
use crate::route::path::canonical;

/// Shared by all workers.
#[derive(Clone, Default)]
pub(super) struct Learnt(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    forms: HashMap<Place, Secrets>,
    /// The places, by when they were learnt.
    order: BTreeMap<u64, Place>,
    count: u64,
    bytes: usize,
}

/// Host and port in lower case, and the canonical path.
type Place = (Arc<str>, Arc<str>);

#[derive(Default)]
struct Secrets {
    names: Vec<String>,
    learnt: u64,
}

impl Learnt {
    /// Takes what was learnt of the page at this absolute URL.
    pub(super) fn take(&self, page: &str, learnt: &learn::Learnt) {
        if learnt.forms.is_empty() {
            return;
        }
        let base = learnt.base.as_ref().map_or(page.to_owned(), |base| resolve(page, base));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for form in &learnt.forms {
            for action in &form.actions {
                // No action is the page itself, whatever its base.
                let target = match &**action {
                    "" => page.to_owned(),
                    action => resolve(&base, action),
                };
                if let Some(place) = place_of(&target) {
                    known.add(place, &form.secrets);
                }
            }
        }
        known.shrink();
    }

    /// The names of fields that are never kept of a form that goes there.
    pub(super) fn secrets(&self, authority: &str, path: &str) -> Vec<String> {
        let Some(place) = place(authority, path) else { return Vec::new() };
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.forms.get(&place).map(|secrets| secrets.names.clone()).unwrap_or_default()
    }
}

impl Known {
    /// Adds names to those of a place; a page may show a form with fewer fields than another does.
    fn add(&mut self, place: Place, names: &[String]) {
        self.count += 1;
        let secrets = match self.forms.get_mut(&place) {
            Some(secrets) => {
                self.order.remove(&secrets.learnt);
                secrets
            }
            None => {
                self.bytes += weight(&place);
                self.forms.entry(place.clone()).or_default()
            }
        };
        for name in names {
            let full = secrets.names.len() >= limit::LEARNT_NAMES_PER_FORM_MAX;
            if !full && !secrets.names.contains(name) {
                self.bytes += name.len();
                secrets.names.push(name.clone());
            }
        }
        secrets.learnt = self.count;
        self.order.insert(self.count, place);
    }

    fn shrink(&mut self) {
        while self.forms.len() > limit::LEARNT_FORMS_MAX || self.bytes > limit::LEARNT_BYTES_MAX {
            let Some((_, place)) = self.order.pop_first() else { return };
            if let Some(secrets) = self.forms.remove(&place) {
                let names: usize = secrets.names.iter().map(String::len).sum();
                self.bytes = self.bytes.saturating_sub(weight(&place) + names);
            }
        }
    }
}

fn weight((authority, path): &Place) -> usize {
    authority.len() + path.len()
}

/// Of an absolute URL.
fn place_of(url: &str) -> Option<Place> {
    let (_, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let path = target.split(['?', '#']).next().unwrap_or_default();
    place(authority, if path.is_empty() { "/" } else { path })
}

fn place(authority: &str, path: &str) -> Option<Place> {
    let mut scratch = String::new();
    let path = canonical(path, &mut scratch).ok()?.path;
    Some((authority.to_ascii_lowercase().into(), path.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(action: &str, secret: &str) -> learn::Learnt {
        let mut learnt = learn::Learnt { base: None, forms: vec![learn::Form::default()] };
        learnt.forms[0].actions.push(action.to_owned());
        learnt.forms[0].secrets.push(secret.to_owned());
        learnt
    }

    #[test]
    fn a_form_is_known_by_where_it_goes_however_that_is_written() {
        let learnt = Learnt::default();
        for (action, path) in [
            ("", "/a/b"),
            ("c", "/a/c"),
            ("../d?x=1#y", "/d"),
            ("/e%66/./g", "/ef/g"),
            ("https://SITE.test/h", "/h"),
            ("?q", "/a/b"),
        ] {
            learnt.take("https://site.test/a/b?old", &one(action, action));
            let known = learnt.secrets("Site.Test", path);
            assert!(known.contains(&action.to_owned()), "{action:?}: {known:?}");
        }
        assert!(learnt.secrets("other.test", "/h").is_empty());
        assert_eq!(learnt.secrets("site.test", "/a/b"), ["", "?q"], "names add up");
    }

    #[test]
    fn the_least_recently_learnt_goes_first_and_the_bounds_hold() {
        let learnt = Learnt::default();
        learnt.take("http://s/", &one("/first", "a"));
        learnt.take("http://s/", &one("/second", "a"));
        for number in 0..limit::LEARNT_FORMS_MAX - 2 {
            learnt.take("http://s/", &one(&format!("/{number}"), "a"));
        }
        learnt.take("http://s/", &one("/first", "b"));
        learnt.take("http://s/", &one("/more", "a"));
        assert_eq!(learnt.secrets("s", "/first"), ["a", "b"], "it was seen again");
        assert!(learnt.secrets("s", "/second").is_empty(), "it went");
        let known = learnt.0.lock().expect("nobody panicked");
        assert_eq!(
            (known.forms.len(), known.order.len()),
            (limit::LEARNT_FORMS_MAX, known.forms.len())
        );
        let weigh = |(place, secrets): (&Place, &Secrets)| {
            weight(place) + secrets.names.iter().map(String::len).sum::<usize>()
        };
        assert_eq!(known.forms.iter().map(weigh).sum::<usize>(), known.bytes);
    }
}
