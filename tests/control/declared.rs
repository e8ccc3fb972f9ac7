//! Maintenances that files declare: planned, revised and cancelled by what the files say, and left
//! alone while these say the same.

use std::sync::Arc;
use std::time::Duration;

use intermission::clock::Clock;
use intermission::config::maintenances::Declared;
use intermission::control::command::Expected;
use intermission::control::declared::Declarations;
use intermission::control::{Refused, Standing, Which};
use intermission::store::Store;
use intermission::window::maintenance::{Maintenance, Source};
use intermission::window::schedule::drift;
use intermission::window::state::{Checks, State, Window};
use tempfile::TempDir;

use super::desk::{Desk, START, ops, run};

/// A file called `name` with this document. The clock of these tests stands at 12:00 on that day.
fn file(name: &str, toml: &str) -> Declared {
    let draft = toml::from_str(toml).unwrap_or_else(|error| panic!("{error}\n{toml}"));
    Declared { name: name.to_owned(), draft }
}

const TWO: &str = r#"
title = "Upgrade"
[[phase]]
regions = ["apac"]
starts = "2026-11-21T13:00:00Z"
ends = "2026-11-21T14:00:00Z"
[[phase]]
regions = ["eu"]
starts = "2026-11-21T15:00:00Z"
ends = "2026-11-21T16:00:00Z"
"#;

async fn declare(desk: &Desk, files: &[Declared]) -> Vec<String> {
    let store = Arc::clone(&desk.store) as Arc<dyn Store>;
    let drain = Duration::from_secs(30);
    let declarations = Declarations::new(desk.handle.clone(), store, desk.clock.clone(), drain);
    declarations.reconcile(files).await
}

fn live(standing: &Standing) -> (&Maintenance, Vec<&Window>) {
    let [maintenance] = &standing.maintenances[..] else { panic!("{standing:?}") };
    let mut windows: Vec<&Window> = standing.windows.iter().map(AsRef::as_ref).collect();
    windows.sort_by_key(|window| window.phase.as_ref().map(|phase| phase.number));
    (maintenance, windows)
}

#[test]
fn a_new_file_is_planned_once_and_a_changed_one_is_revised() {
    run(async {
        let folder = TempDir::new().expect("a folder");
        let desk = Desk::over(&folder, Clock::manual(START)).await;
        let one = [file("upgrade.toml", TWO)];
        assert_eq!(declare(&desk, &one).await, [""; 0]);
        let planned = desk.handle.standing();
        let (maintenance, windows) = live(&planned);
        assert_eq!(maintenance.source, Source::File("upgrade.toml".to_owned()));
        assert_eq!(windows.len(), 2);
        // The same again is nothing new, also after a restart.
        desk.close().await;
        let desk = Desk::over(&folder, Clock::manual(START)).await;
        assert_eq!(declare(&desk, &one).await, [""; 0]);
        let again = desk.handle.standing();
        assert_eq!(live(&again).0.version, 1);
        // Another end is.
        let later = TWO.replace("T16:00", "T17:30");
        assert_eq!(declare(&desk, &[file("upgrade.toml", &later)]).await, [""; 0]);
        let revised = desk.handle.standing();
        let (maintenance, windows) = live(&revised);
        assert_eq!((maintenance.version, windows.len()), (2, 2));
        let ends = windows[1].promised_end.map(|end| end.to_string());
        assert_eq!(ends.as_deref(), Some("2026-11-21T17:30:00Z"));
        // Nobody else edits it.
        let refused = desk.handle.cancel_maintenance(maintenance.id, Expected::Any, ops()).await;
        assert!(matches!(refused, Err(Refused::Declared { .. })), "{refused:?}");
        desk.close().await;
    });
}

#[test]
fn of_a_file_that_is_gone_what_has_not_begun_is_cancelled() {
    run(async {
        let folder = TempDir::new().expect("a folder");
        let desk = Desk::over(&folder, Clock::manual(START)).await;
        declare(&desk, &[file("upgrade.toml", TWO)]).await;
        let first = live(&desk.handle.standing()).1[0].id;
        desk.handle.start(first, Expected::Any, ops()).await.expect("it begins");
        assert_eq!(declare(&desk, &[]).await, [""; 0]);
        let left = desk.handle.standing();
        let (_, windows) = live(&left);
        // The first is in force and stays so; the second will not come.
        assert_eq!(windows.iter().map(|window| window.id).collect::<Vec<_>>(), [first]);
        assert!(windows[0].state.in_force());
        // It is asked again and again, and has nothing to add.
        assert_eq!(declare(&desk, &[]).await, [""; 0]);
        desk.close().await;
    });
}

#[test]
fn what_an_operator_extended_stays_until_the_file_changes_and_is_told_as_drift() {
    run(async {
        let folder = TempDir::new().expect("a folder");
        let desk = Desk::over(&folder, Clock::manual(START)).await;
        let one = [file("upgrade.toml", TWO)];
        declare(&desk, &one).await;
        let planned = desk.handle.standing();
        let (maintenance, windows) = live(&planned);
        let first = windows[0].id;
        assert_eq!(drift(maintenance, windows), []);
        desk.handle.start(first, Expected::Any, ops()).await.expect("it begins");
        let end = Some(START.plus(Duration::from_secs(4 * 3600)));
        desk.handle.extend(first, Expected::Any, end, ops()).await.expect("extended");
        declare(&desk, &one).await;
        let standing = desk.handle.standing();
        let (maintenance, windows) = live(&standing);
        assert_eq!(windows[0].promised_end, end);
        let drifts = drift(maintenance, windows);
        let told: Vec<_> =
            drifts.iter().map(|one| (one.field.as_str(), one.live.as_str())).collect();
        let wanted = [
            ("phases[0].ends", "2026-11-21T16:00:00Z"),
            ("phases[0].starts", "2026-11-21T12:00:00Z"),
        ];
        assert_eq!(told, wanted);
        // The file's own change counts: words and end of what is in force, but not its scope.
        let changed = TWO.replace("\"apac\"", "\"eu\"").replace("T14:00", "T14:45");
        assert_eq!(declare(&desk, &[file("upgrade.toml", &changed)]).await, [""; 0]);
        let standing = desk.handle.standing();
        let window = live(&standing).1[0];
        let ends = window.promised_end.map(|end| end.to_string());
        assert_eq!(ends.as_deref(), Some("2026-11-21T14:45:00Z"));
        assert_eq!(window.scope.regions.to_string(), "apac");
        desk.close().await;
    });
}

#[test]
fn what_ended_or_was_missed_is_not_planned_again_until_its_file_changes() {
    run(async {
        let folder = TempDir::new().expect("a folder");
        let desk = Desk::over(&folder, Clock::manual(START)).await;
        let (head, _) = TWO.split_at(TWO.rfind("[[phase]]").expect("two phases"));
        let one = [file("upgrade.toml", head)];
        declare(&desk, &one).await;
        let first = live(&desk.handle.standing()).1[0].id;
        // Begun and ended before its own time.
        desk.handle.start(first, Expected::Any, ops()).await.expect("it begins");
        let which = Which::Window(first, Expected::Any);
        desk.handle.end(which, Checks::Skipped, ops()).await.expect("it ends");
        declare(&desk, &one).await;
        assert!(desk.handle.standing().maintenances.is_empty());
        // Another day is another plan.
        let other = head.replace("2026-11-21", "2026-11-22");
        declare(&desk, &[file("upgrade.toml", &other)]).await;
        assert_eq!(live(&desk.handle.standing()).1[0].state, State::Planned);
        // One that was over before it was read.
        let past = head.replace("2026-11-21", "2026-10-21");
        let files = [file("upgrade.toml", &other), file("past.toml", &past)];
        assert_eq!(declare(&desk, &files).await, [""; 0]);
        assert_eq!(desk.handle.standing().maintenances.len(), 1);
        desk.close().await;
    });
}

#[test]
fn a_series_that_began_long_ago_is_planned_for_its_next_occurrence() {
    run(async {
        let folder = TempDir::new().expect("a folder");
        let desk = Desk::over(&folder, Clock::manual(START)).await;
        let weekly = "title = \"Cleaning\"\nzone = \"Europe/Paris\"\nrecurrence = { rule = \"FREQ=WEEKLY\" }\n\
                      [[phase]]\nstarts = \"2026-06-07T02:00\"\nlasts = \"1h\"\nreopen = \"auto\"\n";
        let one = [file("weekly.toml", weekly)];
        declare(&desk, &one).await;
        declare(&desk, &one).await;
        let standing = desk.handle.standing();
        let (maintenance, windows) = live(&standing);
        // Two in the morning in winter, where it was two in the morning in summer.
        assert_eq!(windows[0].plan.starts.to_string(), "2026-11-22T01:00:00Z");
        assert_eq!(maintenance.version, 1);
        assert_eq!(drift(maintenance, windows), []);
        desk.close().await;
    });
}
