//! What any engine promises of tallies, and of what became of a window's forms.

use intermission::id::{Id, NodeTag};
use intermission::store::Store;
use intermission::vault::item::State;
use intermission::window::tally::Tally;

use super::{NOON, item, quota, sealed};

/// The last tally of a window holds; one of which nothing was counted has none.
pub(super) async fn tallies_are_kept(store: &dyn Store) {
    let [met, missed] = [(); 2].map(|()| Id::new(NOON, NodeTag(1)));
    let mut tally = Tally { held: 3, first: Some(NOON), ..Tally::default() };
    tally.visitors.note(42);
    store.keep_tallies(vec![(met, Tally::default())]).await.expect("kept");
    store.keep_tallies(vec![(met, tally.clone())]).await.expect("kept");
    let stored = store.tallies(vec![missed, met]).await.expect("read");
    assert_eq!(stored, [(met, tally)]);
}

/// The forms of one window are counted by state, and no other's.
pub(super) async fn a_window_s_forms_are_counted(store: &dyn Store) {
    let [window, other] = [(); 2].map(|()| Id::new(NOON, NodeTag(1)));
    for (at, of) in [window, window, other].into_iter().enumerate() {
        let mut kept = item(&format!("visitor {at}"), NOON, 1);
        kept.window = Some(of);
        store.keep(kept, sealed(1, 8), quota()).await.expect("kept");
    }
    let counts = store.submissions_of(window).await.expect("counted");
    assert_eq!(counts, [(State::Held, 2)]);
    assert_eq!(store.submissions_of(Id::new(NOON, NodeTag(1))).await.expect("counted"), []);
}
