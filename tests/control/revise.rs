//! A maintenance that is changed after it was planned, by operators and by files.

use std::time::Duration;

use intermission::control::{Draft, Expected, Handle, Refused};
use intermission::id::Id;
use intermission::store::Store as _;
use intermission::window::maintenance::{Aftermath, Source};
use intermission::window::plan::Reopen;
use intermission::window::state::State;

use super::bench::{Bench, drafted, on_a_bench};
use super::desk::{START, ops};

fn phases(names: &[(&str, &str, i64, i64)]) -> Draft {
    let mut draft = drafted(names);
    for (_, order) in &mut draft.phases {
        (order.plan.reopen, order.plan.drain) = (Reopen::Manual, Duration::ZERO);
    }
    draft
}

async fn plan(bench: &mut Bench, draft: Draft) -> (Id, Vec<Id>) {
    let change = bench.done(async |handle| handle.plan(draft).await).await;
    let maintenance = change.maintenance.expect("the maintenance");
    (maintenance.id, maintenance.windows.clone())
}

#[test]
fn a_revision_adds_changes_and_leaves_out_what_has_not_begun() {
    on_a_bench(async |mut bench| {
        let three = [("a", "eu", 10, 20), ("b", "apac", 20, 30), ("c", "eu", 30, 40)];
        let (id, before) = plan(&mut bench, phases(&three)).await;
        bench.pass_to(START.plus(Duration::from_secs(600))).await;
        let two = phases(&[("a", "eu", 10, 25), ("renamed", "apac", 20, 30)]);
        let revise = async |handle: Handle| {
            handle.revise(id, Expected::Version(1), two.clone(), ops()).await
        };
        let change = bench.done(revise).await;
        let revised = change.maintenance.expect("the maintenance");
        assert_eq!((revised.version, &revised.windows), (2, &before));
        assert_eq!(bench.states(&before).await, [State::Closed, State::Planned, State::Cancelled]);
        let first = bench.window(before[0]).await;
        assert_eq!(first.promised_end, Some(START.plus(Duration::from_secs(25 * 60))));
        let name = |window: intermission::window::state::Window| window.phase.expect("phase").name;
        assert_eq!(name(bench.window(before[1]).await), "renamed");
        let late = bench.refused(revise).await;
        assert!(matches!(late, Refused::MaintenanceVersion { actual: 2, .. }), "{late}");
        // A third one again: another window, which the cancelled one does not hold up.
        let three =
            phases(&[("a", "eu", 10, 25), ("renamed", "apac", 20, 30), ("d", "eu", 30, 40)]);
        bench.pass(Duration::from_secs(1)).await;
        let change =
            bench.done(async |handle| handle.revise(id, Expected::Any, three, ops()).await).await;
        let windows = change.maintenance.expect("the maintenance").windows.clone();
        assert_eq!((windows.len(), change.windows.len()), (4, 1), "what is as it was is not told");
        bench.end(windows[0]).await;
        bench.pass_to(START.plus(Duration::from_secs(20 * 60))).await;
        bench.pass_to(START.plus(Duration::from_secs(30 * 60))).await;
        assert_eq!(bench.state(windows[1]).await, State::Overrun);
        bench.end(windows[1]).await;
        assert_eq!(bench.state(windows[3]).await, State::Closed);
    });
}

#[test]
fn what_is_in_force_cannot_be_left_out() {
    on_a_bench(async |mut bench| {
        let two = phases(&[("a", "eu", 0, 20), ("b", "apac", 20, 30)]);
        let (id, windows) = plan(&mut bench, two).await;
        bench.turn().await;
        let start = async |handle: Handle| handle.start(windows[1], Expected::Any, ops()).await;
        bench.done(start).await;
        let one = phases(&[("a", "eu", 0, 20)]);
        let refused =
            bench.refused(async |handle| handle.revise(id, Expected::Any, one, ops()).await).await;
        assert_eq!(refused, Refused::InForce { number: 2, window: windows[1] });
        let none = Draft { phases: Vec::new(), ..phases(&[("a", "eu", 0, 20)]) };
        let refused =
            bench.refused(async |handle| handle.revise(id, Expected::Any, none, ops()).await).await;
        assert_eq!(refused, Refused::NoPhases);
        let cancel =
            async |handle: Handle| handle.cancel_maintenance(id, Expected::Any, ops()).await;
        assert_eq!(bench.refused(cancel).await, Refused::NothingToCancel(id));
    });
}

#[test]
fn what_a_file_declares_is_edited_there_and_can_be_started_extended_and_ended() {
    on_a_bench(async |mut bench| {
        let declared = |to| {
            let mut draft = phases(&[("a", "eu", 10, to), ("b", "apac", 50, 60)]);
            draft.maintenance.source = Source::File("upgrade.toml".to_owned());
            draft
        };
        let (id, windows) = plan(&mut bench, declared(20)).await;
        let first = windows[0];
        let order = declared(30).phases[0].1.clone();
        let by_hand = phases(&[("a", "eu", 10, 30)]);
        let refusals = [
            bench.refused(async |h| h.revise(id, Expected::Any, by_hand, ops()).await).await,
            bench.refused(async |h| h.amend(first, Expected::Any, order, ops()).await).await,
            bench.refused(async |h| h.cancel(first, Expected::Any, ops()).await).await,
            bench.refused(async |h| h.cancel_maintenance(id, Expected::Any, ops()).await).await,
        ];
        for refused in refusals {
            assert!(refused.to_string().contains("`upgrade.toml`: edit that file"), "{refused}");
        }
        bench.done(async |h| h.start(first, Expected::Any, ops()).await).await;
        bench.done(async |h| h.extend(first, Expected::Any, None, ops()).await).await;
        bench.end(first).await;
        bench.done(async |h| h.revise(id, Expected::Any, declared(30), ops()).await).await;
        bench.done(async |h| h.withdraw(id, ops()).await).await;
        assert_eq!(bench.states(&windows).await, [State::Ended, State::Cancelled]);
    });
}

#[test]
fn how_it_goes_and_how_it_went_is_kept_with_it() {
    on_a_bench(async |mut bench| {
        let (id, windows) = plan(&mut bench, phases(&[("a", "eu", 10, 20)])).await;
        let update = async |handle: Handle| handle.update(id, "half way".to_owned(), ops()).await;
        bench.done(update).await;
        bench.done(async |handle| handle.cancel(windows[0], Expected::Any, ops()).await).await;
        let after = Aftermath { text: "no need".to_owned(), link: String::new() };
        let told = after.clone();
        bench.done(async |handle| handle.aftermath(id, told, ops()).await).await;
        let kept = bench.engine.maintenance(id).await.expect("readable").expect("stored");
        assert_eq!((kept.updates[0].text.as_str(), kept.aftermath), ("half way", Some(after)));
        assert_eq!(kept.version, 3);
        assert!(bench.handle().standing().maintenances.is_empty(), "it is over");
        let nobody = Id::from_bytes([9; 20]);
        let refused =
            bench.refused(async |handle| handle.update(nobody, String::new(), ops()).await).await;
        assert_eq!(refused, Refused::NoMaintenance(nobody));
    });
}
