//! Which declared maintenances stand otherwise than their files say: an operator extended one, or
//! began a phase early.

use super::command::Standing;
use crate::window::maintenance::{Maintenance, Source};
use crate::window::schedule::{self, Drift};

/// Where one maintenance differs from the document that it was last laid down by.
pub fn of(standing: &Standing, maintenance: &Maintenance) -> Vec<Drift> {
    let windows = maintenance.windows.iter().filter_map(|id| standing.window(*id));
    schedule::drift(maintenance, windows.map(AsRef::as_ref))
}

/// The declared maintenances that differ, each with its file's name.
pub fn all(standing: &Standing) -> impl Iterator<Item = (&Maintenance, &str, Vec<Drift>)> {
    standing.maintenances.iter().filter_map(|maintenance| match &maintenance.source {
        Source::Operator => None,
        Source::File(file) => {
            let differences = of(standing, maintenance);
            (!differences.is_empty()).then_some((&**maintenance, file.as_str(), differences))
        }
    })
}

/// Tells the operator's log of each difference.
pub fn tell(standing: &Standing) {
    for (maintenance, file, differences) in all(standing) {
        for Drift { window, field, declared, live } in differences {
            let id = maintenance.id;
            let what = "it stands otherwise than its file says";
            tracing::warn!(maintenance = %id, %window, file, field, declared, live, "{what}");
        }
    }
}
