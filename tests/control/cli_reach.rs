//! Which admin API the binary asks, and as whom.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use super::cli::{binary, told};
use super::node::{Node, TOKEN};
use crate::support::origin::Origin;
use crate::support::tls::Ca;

fn keep(folder: &Path, text: &str) -> Command {
    let file = folder.join("intermission/cli.toml");
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    std::fs::write(&file, text).expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("its owner's");
    let mut command = binary();
    command.env("XDG_CONFIG_HOME", folder);
    command
}

fn said(command: &mut Command) -> (i32, String) {
    told(&command.output().expect("the binary runs"))
}

#[test]
fn servers_are_known_by_name_and_their_tokens_are_shown_to_them_alone() {
    let node = Node::start();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).expect("written");
    let text = format!(
        "default = \"here\"\n[server.here]\nurl = \"http://{at}\"\ntoken = \"{TOKEN}\"\n\
         [server.there]\nurl = \"http://{at}\"\ntoken_file = \"{}\"\n\
         [server.nobody]\nurl = \"http://{at}\"\n",
        file.display(),
        at = node.admin()
    );
    let known = || keep(folder.path(), &text);
    for arguments in [&["status"][..], &["status", "--profile", "there"]] {
        let (code, told) = said(known().args(arguments));
        assert!(code == 0 && told.contains("nothing is closed"), "{arguments:?}: {told}");
    }
    let (code, told) = said(known().args(["status", "--profile", "nobody"]));
    assert_eq!(code, 77, "{told}");
    // An address by hand is no reason to show it the token of another.
    let (code, told) =
        said(known().args(["status", "--server", &format!("http://{}", node.admin())]));
    assert_eq!(code, 77, "{told}");
    let (code, told) = said(known().args(["status", "--profile", "gone"]));
    assert!(code == 64 && told.contains("here, nobody, there"), "{told}");
    let by_file = ["status", "--server", &format!("http://{}", node.admin()), "--token-file"];
    let (code, told) = said(known().args(by_file).arg(&file));
    assert_eq!(code, 0, "{told}");
    let (code, told) = said(known().args(by_file).arg(folder.path().join("gone")));
    assert!(code == 64 && told.contains("cannot be read"), "{told}");
    let open = std::fs::Permissions::from_mode(0o644);
    let mut command = known();
    std::fs::set_permissions(folder.path().join("intermission/cli.toml"), open).expect("changed");
    let (code, told) = said(command.arg("status"));
    assert!(code == 64 && told.contains("chmod 600"), "{told}");
}

#[test]
fn a_socket_of_the_machine_is_asked_like_an_address() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("admin.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a caller");
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a head");
            read.extend(byte);
        }
        let body = "{\"items\":[]}";
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).expect("a reader");
        String::from_utf8(read).expect("text")
    });
    let server = format!("unix:{}", path.display());
    let (code, told) = said(binary().args(["window", "list", "--server", &server]));
    assert!(code == 0 && told.contains("no windows"), "{told}");
    let head = answering.join().expect("an answer").to_ascii_lowercase();
    assert!(head.starts_with("get /api/v1/windows?state=live") && head.contains("host: localhost"));
    let gone = format!("unix:{}", folder.path().join("gone").display());
    let (code, told) = said(binary().args(["window", "list", "--server", &gone]));
    assert!(code == 69 && told.contains("cannot be reached"), "{told}");
}

#[test]
fn an_https_server_must_prove_who_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, signed.cert.pem()).expect("written");
    // Nobody answers there: a name that resolves, and a port that is closed.
    let (code, told) =
        said(binary().args(["status", "--server", "https://127.0.0.1:1", "--ca"]).arg(&ca));
    assert!(code == 69 && told.contains("cannot be reached"), "{told}");
    let (code, told) = said(
        binary()
            .args(["status", "--server", "https://127.0.0.1:1", "--ca"])
            .arg(folder.path().join("gone.pem")),
    );
    assert!(code == 64 && told.contains("no TLS"), "{told}");
}

#[test]
fn there_is_a_man_page_for_each_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man");
    let (code, told) = said(binary().args(["man", "--dir"]).arg(&pages));
    assert_eq!(code, 0, "{told}");
    let page = |name: &str| std::fs::read_to_string(pages.join(name)).expect("a page");
    assert!(page("intermission.1").contains("Exit codes"));
    assert!(page("intermission-on.1").contains("wait\\-drained"));
    assert!(page("intermission-maintenance-plan.1").contains("dry\\-run"));
    let (_, help) = said(binary().arg("--help"));
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in commands.take_while(|line| !line.is_empty()) {
        let command = line.split_whitespace().next().expect("a command");
        assert!(pages.join(format!("intermission-{command}.1")).exists(), "{command}");
        let (code, _) = said(binary().args([command, "--help"]));
        assert_eq!(code, 0, "{command}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script) = said(binary().args(["completions", shell]));
        assert!(code == 0 && script.contains("maintenance"), "{shell}");
    }
}

#[test]
fn an_https_server_is_known_by_its_own_ca() {
    let ca = Ca::new("operators");
    let node = Node::configured(Origin::replying("hello"), |text, folder| {
        ca.issue(&["localhost", "127.0.0.1"]).write(folder, "admin");
        text + "[admin.tls]\nchain = \"admin.pem\"\nkey = \"admin.key\"\n"
    });
    let folder = tempfile::tempdir().expect("a folder");
    let (own, other) = (folder.path().join("own.pem"), folder.path().join("other.pem"));
    std::fs::write(&own, ca.pem()).expect("written");
    std::fs::write(&other, Ca::new("somebody else").pem()).expect("written");
    let url = format!("https://127.0.0.1:{}", node.admin().port());
    let text = format!(
        "[server.secure]\nurl = \"{url}\"\ntoken = \"{TOKEN}\"\nca = \"{}\"\n",
        own.display()
    );
    let mut profile = keep(folder.path(), &text);
    let (code, told) = said(profile.args(["status", "--profile", "secure"]));
    assert!(code == 0 && told.contains("nothing is closed"), "{told}");
    let by_hand = |file: &Path| {
        let mut command = binary();
        command.args(["status", "--json", "--server", &url, "--token", TOKEN, "--ca"]).arg(file);
        said(&mut command)
    };
    let (code, told) = by_hand(&own);
    assert!(code == 0 && told.contains("\"node-1\""), "{told}");
    let (code, told) = by_hand(&other);
    assert!(code == 69 && told.contains("cannot be reached"), "{told}");
}
