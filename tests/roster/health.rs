//! Checks: servers die and come back, flap, speak TLS and gRPC, and reloads change nothing.

use std::sync::Arc;

use intermission::control::roster::Health;

use super::app::{App, Speaks};
use super::stage::{Stage, all, checked, ill, run, well};

const PAGE: &str = "path = \"/healthz\"\n";

fn quoted(apps: &[&App]) -> String {
    apps.iter().map(|app| format!("\"{}\"", app.address)).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_server_that_dies_is_out_and_back_when_it_comes_back() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (stays, mut dies) = (App::http(200).await, App::http(200).await);
        let stage = Stage::with(&folder, &checked(&quoted(&[&stays, &dies]), PAGE)).await;
        assert!(stage.members().iter().all(|member| member.is_eligible()), "before any check");
        stage.until(all(well)).await;
        assert!(stage.members().iter().all(|m| m.is_eligible() && m.since.is_none()));

        dies.die().await;
        stage.until(|places| ill(&places[1].health)).await;
        let eligible = |stage: &Stage| {
            stage.members().iter().map(|member| member.is_eligible()).collect::<Vec<_>>()
        };
        assert_eq!(eligible(&stage), [true, false]);
        let Health::Unhealthy { health_error, .. } = &stage.places()[1].health else {
            panic!("{:?}", stage.places());
        };
        assert!(health_error.contains("refused"), "{health_error}");

        dies.come_back().await;
        stage.until(all(well)).await;
        assert_eq!(eligible(&stage), [true, true]);
        let since: Vec<_> = stage.members().iter().map(|member| member.since.is_some()).collect();
        assert_eq!(since, [false, true], "the one that came back starts slowly");
        stage.close().await;
    });
}

#[test]
fn a_new_server_that_does_not_answer_is_out_after_its_first_check() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut dead = App::http(200).await;
        dead.die().await;
        let health = format!("{PAGE}fall = 100\n").replace("20ms", "1h");
        let stage = Stage::with(&folder, &checked(&quoted(&[&dead]), &health)).await;
        stage.until(all(ill)).await;
        stage.close().await;
    });
}

#[test]
fn a_server_that_flaps_stays_in_until_it_fails_often_enough_in_a_row() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let app = App::http(200).await;
        let health = format!("{PAGE}fall = 5\nrise = 2\n");
        let stage = Stage::with(&folder, &checked(&quoted(&[&app]), &health)).await;
        stage.until(all(well)).await;
        for _ in 0..4 {
            app.answers(503);
            stage.after_checks(2).await;
            app.answers(200);
            stage.after_checks(2).await;
            assert!(all(well)(&stage.places()), "two in a row are not five");
        }
        app.answers(503);
        stage.until(all(ill)).await;
        app.answers(404);
        stage.after_checks(4).await;
        assert!(all(ill)(&stage.places()), "404 is not among 200-399");
        app.answers(302);
        stage.until(all(well)).await;
        stage.close().await;
    });
}

#[test]
fn a_reload_forgets_nothing_and_starts_nothing_anew() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (good, bad) = (App::http(200).await, App::http(500).await);
        let text = checked(&quoted(&[&good, &bad]), PAGE);
        let stage = Stage::with(&folder, &text).await;
        stage.until(|places| well(&places[0].health) && ill(&places[1].health)).await;
        let slow = text.replace("20ms", "1h");
        for _ in 0..20 {
            stage.reload(&slow).await;
            let eligible: Vec<_> = stage.members().iter().map(|m| m.is_eligible()).collect();
            assert_eq!(eligible, [true, false]);
        }
        let more = App::http(500).await;
        stage.reload(&checked(&quoted(&[&more, &good, &bad]), PAGE).replace("20ms", "1h")).await;
        stage.until(|places| ill(&places[0].health)).await;
        let healths: Vec<_> = stage.places().iter().map(|place| well(&place.health)).collect();
        assert_eq!(healths, [false, true, false], "the new one was asked at once");
        assert_eq!(more.asked(), 1);

        stage.reload(&format!("servers = [{}]", quoted(&[&good, &bad]))).await;
        assert!(stage.members().iter().all(|m| m.is_eligible()), "nobody checks any more");
        let (asked, _) = (good.asked(), bad.asked());
        stage.reload(&checked(&quoted(&[&good]), PAGE)).await;
        stage.until(all(well)).await;
        assert!(good.asked() > asked);
        stage.close().await;
    });
}

#[test]
fn tcp_checks_want_a_connection_and_another_port_may_be_asked() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut app, side) = (App::http(500).await, App::http(200).await);
        let server = quoted(&[&app]);
        let stage = Stage::with(&folder, &checked(&server, "kind = \"tcp\"\n")).await;
        stage.until(all(well)).await;
        app.die().await;
        stage.until(all(ill)).await;
        let port = format!("{PAGE}port = {}\n", side.address.port());
        stage.reload(&checked(&server, &port)).await;
        stage.until(all(well)).await;
        assert!(side.asked() > 0 && app.asked() == 0);
        stage.close().await;
    });
}

#[test]
fn grpc_checks_want_serving() {
    const SERVING: u16 = 1;
    const NOT_SERVING: u16 = 2;
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let app = App::start(Speaks::Grpc, SERVING).await;
        let kind = "kind = \"grpc\"\nservice = \"claims\"\n";
        let stage = Stage::with(&folder, &checked(&quoted(&[&app]), kind)).await;
        stage.until(all(well)).await;
        app.answers(NOT_SERVING);
        stage.until(all(ill)).await;
        app.answers(SERVING);
        stage.until(all(well)).await;
        let unknown = "kind = \"grpc\"\nservice = \"unknown-service\"\n";
        stage.reload(&checked(&quoted(&[&app]), unknown)).await;
        stage.until(all(ill)).await;
        let Health::Unhealthy { health_error, .. } = &stage.places()[0].health else {
            panic!("{:?}", stage.places());
        };
        assert_eq!(health_error, "gRPC status 5");
        stage.close().await;
    });
}

#[test]
fn checks_speak_what_requests_of_the_upstream_speak() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (h2, proxied) =
            (App::start(Speaks::Http2, 200).await, App::start(Speaks::Proxied, 200).await);
        let text = |app: &App, more: &str| format!("{more}{}", checked(&quoted(&[app]), PAGE));
        let stage = Stage::with(&folder, &text(&h2, "protocol = \"h2\"\n")).await;
        stage.until(all(well)).await;
        stage.reload(&text(&h2, "")).await;
        stage.until(all(ill)).await;
        stage.reload(&text(&proxied, "")).await;
        stage.until(all(ill)).await;
        stage.reload(&text(&proxied, "proxy_protocol = \"v1\"\n")).await;
        stage.until(all(well)).await;
        stage.close().await;
    });
}

#[test]
fn checks_verify_a_server_as_requests_do() {
    run(async {
        let folder = tempfile::tempdir().expect("a folder");
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
        let own = own.expect("a certificate");
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, own.cert.pem()).expect("a file");
        let key = rustls_pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key.expect("a key"))
            .expect("a pair");
        let app = App::start(Speaks::Tls(Arc::new(config)), 200).await;
        let tls = |name: &str| {
            let ca = ca.display();
            format!("{PAGE}[upstream.tls]\nca = \"{ca}\"\nserver_name = \"{name}\"\n")
        };
        let text = |name: &str| checked(&quoted(&[&app]), &tls(name));
        let stage = Stage::with(&folder, &text("localhost")).await;
        stage.until(all(well)).await;
        stage.reload(&text("elsewhere.test")).await;
        stage.until(all(ill)).await;
        let Health::Unhealthy { health_error, .. } = &stage.places()[0].health else {
            panic!("{:?}", stage.places());
        };
        assert!(health_error.starts_with("TLS: "), "{health_error}");
        stage.close().await;
    });
}
