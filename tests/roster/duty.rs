//! What operators say of servers: stored, shown, and kept through reloads and restarts.

use intermission::control::command::Assignment;
use intermission::control::{Expected, Refused};
use intermission::snapshot::Duty;
use intermission::window::state::Author;

use super::app::App;
use super::stage::{Stage, all, checked, run, well};

const BOTH: &str = "servers = [\"127.0.0.1:9001\", \"127.0.0.1:9002\"]";
const OTHER: &str = "servers = [\"127.0.0.1:9003\"]";

fn order(server: &str, state: Duty, expected: Expected) -> Assignment {
    let (upstream, server) = ("app".to_owned(), server.to_owned());
    Assignment { upstream, server, state, expected }
}

fn ops() -> Author {
    Author { by: "ops".to_owned(), why: "new disks".to_owned() }
}

fn duties(stage: &Stage) -> Vec<Duty> {
    stage.members().iter().map(|member| member.duty).collect()
}

#[test]
fn a_duty_is_in_force_when_it_is_answered_and_survives_reload_and_restart() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let stage = Stage::with(&folder, BOTH).await;
        let set = order("127.0.0.1:9002", Duty::Maint, Expected::Any);
        let posted = stage.handle.post(set, ops()).await.expect("it is taken");
        assert_eq!(stage.live.snapshot().generation, posted.generation);
        assert_eq!(duties(&stage), [Duty::Ready, Duty::Maint]);
        assert_eq!((posted.posting.version, &*posted.posting.why), (1, "new disks"));
        stage.reload(BOTH).await;
        assert_eq!(duties(&stage), [Duty::Ready, Duty::Maint]);
        stage.close().await;

        let stage = Stage::with(&folder, BOTH).await;
        assert_eq!(duties(&stage), [Duty::Ready, Duty::Maint], "in the first snapshot");
        stage.reload(OTHER).await;
        let standing = stage.handle.standing();
        let strangers: Vec<_> = standing.servers.strangers().map(|p| p.server.as_str()).collect();
        assert_eq!(strangers, ["127.0.0.1:9002"]);
        stage.reload(BOTH).await;
        assert_eq!(duties(&stage), [Duty::Ready, Duty::Maint], "it waited for its server");
        assert!(stage.members().iter().all(|member| member.since.is_some()), "both are new here");

        let ready = order("127.0.0.1:9002", Duty::Ready, Expected::Version(1));
        assert_eq!(stage.handle.post(ready, ops()).await.expect("taken").posting.version, 2);
        assert_eq!(duties(&stage), [Duty::Ready, Duty::Ready]);
        stage.close().await;
    });
}

#[test]
fn of_two_operators_at_once_one_is_told_that_somebody_was_faster() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let stage = Stage::with(&folder, BOTH).await;
        let none = Expected::Version(0);
        let post = |state| stage.handle.post(order("127.0.0.1:9001", state, none), ops());
        let (drain, maint) = tokio::join!(post(Duty::Drain), post(Duty::Maint));
        let won = drain.expect("the first in the queue");
        let lost = maint.expect_err("the second");
        assert_eq!(won.posting.state, Duty::Drain);
        let (server, expected, actual) = ("127.0.0.1:9001".to_owned(), 0, 1);
        assert_eq!(lost, Refused::Posted { server, expected, actual });
        assert_eq!(duties(&stage), [Duty::Drain, Duty::Ready]);
        let unknown = order("127.0.0.1:1", Duty::Maint, Expected::Any);
        let refused = stage.handle.post(unknown, ops()).await.expect_err("no such server");
        assert!(matches!(refused, Refused::NoServer { .. }), "{refused}");
        stage.close().await;
    });
}

#[test]
fn a_server_that_comes_back_from_maintenance_starts_slowly_and_stays_checked() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let app = App::http(200).await;
        let server = app.address.to_string();
        let text = checked(&format!("\"{server}\""), "path = \"/healthz\"\n");
        let stage = Stage::with(&folder, &text).await;
        stage.until(all(well)).await;
        assert_eq!(stage.members()[0].since, None);
        for state in [Duty::Maint, Duty::Ready] {
            let set = order(&server, state, Expected::Any);
            stage.handle.post(set, ops()).await.expect("it is taken");
            assert_eq!(stage.members()[0].is_eligible(), state == Duty::Ready);
        }
        assert!(stage.members()[0].since.is_some());
        let asked = app.asked();
        stage.after_checks(2).await;
        assert!(app.asked() > asked);
        stage.close().await;
    });
}
