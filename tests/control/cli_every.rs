//! Every command once for people and once as JSON, against one node; and none is left out.

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::Value;

use super::cli::{binary, run, told};
use super::node::{Node, TOKEN};
use crate::support::http1::Message;
use crate::support::origin::Origin;
use crate::support::raw;

/// Who may approve what the other asked for.
const SECOND: &str = "im_second";

/// Those that tell nothing of a node.
const NO_JSON: [&str; 4] = ["serve", "demo", "completions", "man"];

const PLAN: &str = r#"
title = "Database upgrade"
[[phase]]
name = "one"
regions = ["eu"]
routes = ["claims"]
starts = "2030-03-03T16:00:00Z"
lasts = "4h"
[[phase]]
name = "two"
regions = ["eu"]
routes = ["claims"]
starts = "2030-03-04T16:00:00Z"
lasts = "4h"
"#;

/// Two operators, of whom both are needed for quotes.
fn node() -> Node {
    let hash = intermission::digest::hex(&intermission::digest::sha256(SECOND.as_bytes()));
    let second = format!("[[admin.token]]\nname = \"second\"\nsha256 = \"{hash}\"\n");
    let approval = "[[approval]]\nroutes = [\"quotes\"]\n";
    Node::configured(Origin::replying("hello"), |text, _| format!("{text}{second}{approval}"))
}

/// What was tried so far.
struct Tried {
    node: Node,
    told: BTreeSet<String>,
    as_json: BTreeSet<String>,
}

impl Tried {
    fn words(command: &str, arguments: &[&str]) -> Vec<String> {
        command.split(' ').chain(arguments.iter().copied()).map(str::to_owned).collect()
    }

    /// What people read of it, which has all these parts.
    #[track_caller]
    fn human(&mut self, command: &str, arguments: &[&str], parts: &[&str]) -> String {
        let words = Self::words(command, arguments);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (code, said) = run(&self.node, &words);
        assert_eq!(code, 0, "{words:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{part:?} of {words:?}: {said}");
        }
        assert!(serde_json::from_str::<Value>(&said).is_err(), "{words:?}: {said}");
        self.told.insert(command.to_owned());
        said
    }

    /// Its JSON, which has something at this pointer.
    #[track_caller]
    fn json(&mut self, command: &str, arguments: &[&str], pointer: &str) -> Value {
        let words = Self::words(command, &[arguments, &["--json"]].concat());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (code, said) = run(&self.node, &words);
        assert_eq!(code, 0, "{words:?}: {said}");
        let value: Value = serde_json::from_str(&said)
            .unwrap_or_else(|error| panic!("{words:?}: {error}: {said}"));
        let found = value.pointer(pointer).cloned().unwrap_or_default();
        assert!(!found.is_null(), "{pointer} of {words:?}: {value:#}");
        self.as_json.insert(command.to_owned());
        found
    }

    /// Its JSON's text at this pointer.
    #[track_caller]
    fn text(&mut self, command: &str, arguments: &[&str], pointer: &str) -> String {
        self.json(command, arguments, pointer).as_str().expect("a text").to_owned()
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.node.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("text").to_owned()
    }
}

#[test]
fn every_command_speaks_to_people_and_to_programs() {
    let mut tried = Tried { node: node(), told: BTreeSet::new(), as_json: BTreeSet::new() };
    switches(&mut tried);
    maintenances(&mut tried);
    windows(&mut tried);
    guards(&mut tried);
    records(&mut tried);
    let folder = tempfile::tempdir().expect("a folder");
    let out = binary().args(["man", "--dir"]).arg(folder.path()).output().expect("it runs");
    assert_eq!(told(&out).0, 0);
    let pages = std::fs::read_dir(folder.path()).expect("a folder");
    let pages: BTreeSet<String> = pages
        .map(|page| page.expect("a page").file_name().into_string().expect("text"))
        .filter_map(|name| Some(name.strip_suffix(".1")?.to_owned()))
        .collect();
    assert!(pages.len() > 40, "{pages:?}");
    let all: BTreeSet<String> = tried.told.union(&tried.as_json).cloned().collect();
    for page in &pages {
        let Some(name) = page.strip_prefix("intermission-") else { continue };
        let is_family = pages.iter().any(|other| other.starts_with(&format!("{page}-")));
        // Words of a command are joined by what stands in some words too.
        let known = all.iter().find(|known| known.replace(' ', "-") == name);
        let exempt = NO_JSON.contains(&name) || (is_family && known.is_none());
        assert!(exempt || known.is_some(), "{name} is not tried");
    }
    assert_eq!(tried.told, tried.as_json, "each is tried both ways");
}

fn switches(tried: &mut Tried) {
    let apac = ["--region", "apac", "--route", "claims"];
    let why = ["--reason", "upgrade"];
    let on = [&apac[..], &why].concat();
    tried.human("on", &on, &["closed: claims in apac (page)", "back:", "window "]);
    let eu = ["--region", "eu", "--route", "claims", "--reason", "upgrade", "--emergency"];
    let window = tried.text("on", &eu, "/window/id");
    let later = ["--window", &window, "--back-in", "1h"];
    tried.human("extend", &later, &["claims in eu is back:"]);
    tried.text("extend", &later, "/window/promised_end");
    tried.human("status", &[], &["node-1: serving", "claims in apac", "in flight: 0"]);
    tried.text("status", &[], "/windows/0/id");
    tried.human("state", &[], &["claims", "apac", "eu", "open"]);
    tried.text("state", &[], "/items/0/state");
    tried.human("history", &[], &["upgrade", "ops", "draining"]);
    tried.text("history", &["--window", &window], "/history/0/by");
    tried.human("off", &["--window", &window], &["reopened: claims in eu", "generation"]);
    tried.json("off", &apac, "/generation");
}

fn maintenances(tried: &mut Tried) {
    let file = tried.file("plan.toml", PLAN);
    let plan = ["--file", file.as_str()];
    tried.human("maintenance preview", &[&file], &["2030-03-03", "one", "two"]);
    tried.text("maintenance preview", &[&file], "/occurrences/0/phases/0/starts");
    tried.human("maintenance diff", &plan, &["phase 1, one", "claims in eu"]);
    tried.json("maintenance diff", &plan, "/dry_run");
    tried.human("maintenance diff", &[], &["everything stands as its file says"]);
    tried.json("maintenance diff", &[], "/items");
    tried.human("maintenance plan", &plan, &["planned: Database upgrade", "maintenance "]);
    let of = tried.text("maintenance list", &[], "/items/0/id");
    tried.human("maintenance list", &[], &["Database upgrade", "0 of 2 over"]);
    let other = tried.file("other.toml", &PLAN.replace("Database upgrade", "Other"));
    let other = tried.text("maintenance plan", &["--file", &other], "/maintenance/id");
    tried.human("maintenance show", &[&of], &["Database upgrade (planned)", "phase 2, two"]);
    tried.text("maintenance show", &[&of], "/windows/1/id");
    tried.human("maintenance start", &[&of], &["claims in eu"]);
    tried.human("maintenance extend", &[&of, "--back-in", "30m"], &["claims in eu is back:"]);
    tried.text("maintenance extend", &[&of, "--back-in", "40m"], "/window/promised_end");
    tried.human("maintenance update", &[&of, "half is done"], &["told: half is done"]);
    tried.text("maintenance update", &[&of, "most is done"], "/maintenance/updates/1/text");
    tried.human("maintenance end", &[&of, "--skip-checks"], &["claims in eu"]);
    tried.text("maintenance start", &[&of, "--phase", "2"], "/window/id");
    tried.text("maintenance end", &[&of, "--skip-checks"], "/window/state");
    tried.human("maintenance aftermath", &[&of, "--text", "well"], &["kept with the report"]);
    let link = ["--link", "https://example.com/42"];
    let link = [&[of.as_str()][..], &link].concat();
    tried.text("maintenance aftermath", &link, "/maintenance/aftermath/link");
    let told = tried.human("maintenance report", &[&of], &["# Database upgrade", "half is done"]);
    let markdown = tried.human("maintenance report", &[&of, "--markdown"], &["|"]);
    let undated = |text: &str| {
        text.lines().filter(|line| !line.contains("as of")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(undated(&told), undated(&markdown), "people read Markdown too");
    tried.text("maintenance report", &[&of], "/title");
    tried.human("maintenance cancel", &[&other], &["cancelled"]);
    let third = tried.file("third.toml", &PLAN.replace("Database upgrade", "Third"));
    let third = tried.text("maintenance plan", &["--file", &third], "/maintenance/id");
    tried.text("maintenance cancel", &[&third], "/maintenance/progress");
}

fn windows(tried: &mut Tried) {
    let mut planned = |title: &str| {
        let file = tried.file("w.toml", &PLAN.replace("Database upgrade", title));
        let maintenance = tried.text("maintenance plan", &["--file", &file], "/maintenance/id");
        [0, 1].map(|at| {
            let pointer = format!("/windows/{at}/id");
            tried.text("maintenance show", &[&maintenance], &pointer)
        })
    };
    let ([a, b], [c, d]) = (planned("A"), planned("B"));
    tried.human("window list", &[], &["claims in eu", "planned"]);
    tried.text("window list", &[], "/items/0/state");
    tried.human("window start", &[&a], &["claims in eu"]);
    tried.human("window extend", &[&a, "--back-in", "1h"], &["claims in eu is back:"]);
    tried.text("window extend", &[&a, "--back-in", "2h"], "/window/promised_end");
    tried.human("window end", &[&a], &["reopened: claims in eu"]);
    tried.text("window start", &[&c], "/window/id");
    tried.text("window end", &[&c], "/window/state");
    tried.human("window cancel", &[&b], &["cancelled: claims in eu"]);
    tried.text("window cancel", &[&d], "/window/state");
}

fn guards(tried: &mut Tried) {
    let (of, life) = (["--route", "claims", "--reason", "a look"], ["--for", "1h"]);
    let parts = ["lets through: claims", "link: ", "Intermission-Bypass: ", "shown only now"];
    tried.human("bypass create", &[&of[..], &life].concat(), &parts);
    let id = tried.text("bypass create", &[&of[..], &life].concat(), "/bypass/id");
    tried.human("bypass list", &[], &["claims", "holders of its link", "a look", "ops", &id]);
    let first = tried.text("bypass list", &[], "/items/0/id");
    let network = ["--network", "10.0.0.0/8"];
    tried.human("bypass create", &[&network[..], &life].concat(), &["for:    10.0.0.0/8"]);
    tried.human("bypass revoke", &[&first], &[&format!("revoked: {first}")]);
    tried.text("bypass revoke", &[&id], "/bypass/id");

    tried.human("token", &["--name", "by hand"], &["sha256", "INTERMISSION_TOKEN="]);
    tried.text("token", &["--name", "by hand"], "/sha256");
    tried.human("token create", &["--name", "night"], &["shown only now", "im_"]);
    let id = tried.text("token create", &["--name", "day"], "/token/id");
    tried.human("token list", &[], &["night", "day", "viewer", &id]);
    let items = tried.json("token list", &[], "/items");
    let night = items.as_array().into_iter().flatten().find(|one| one["name"] == "night");
    let night = night.expect("it is told")["id"].as_str().expect("an id").to_owned();
    tried.human("token revoke", &[&id], &[&format!("revoked: {id}")]);
    tried.json("token revoke", &[&night], "/token");
    approvals(tried);
}

/// What one operator asks for and another approves or turns down.
fn approvals(tried: &mut Tried) {
    let ask = |tried: &Tried, region: &str| {
        let on = ["on", "--region", region, "--route", "quotes", "--reason", "y", "--yes"];
        let (code, said) = run(&tried.node, &on);
        assert_eq!(code, 79, "{said}");
        let id = said.split_once("intermission approve ").expect("how to").1;
        id.split('`').next().expect("an id").to_owned()
    };
    let apac = ask(tried, "apac");
    assert_eq!(tried.node.visit("apac.localhost", "/quotes/1"), 200, "nothing is done yet");
    tried.human("approve", &[], &["ops", "/api/v1/switches", "quotes in apac", &apac]);
    tried.text("approve", &[], "/items/0/id");
    let (code, said) = run(&tried.node, &["approve", &apac]);
    assert!(code == 77 || code == 1, "who asked cannot approve: {code}: {said}");
    let by_second = |arguments: &[&str]| {
        let out = binary()
            .args(arguments)
            .env("INTERMISSION_SERVER", format!("http://{}", tried.node.admin()))
            .env("INTERMISSION_TOKEN", SECOND)
            .output();
        told(&out.expect("the binary runs"))
    };
    let (code, said) = by_second(&["approve", &apac]);
    assert_eq!((code, said), (0, format!("approved and done: {apac}\n")));
    assert_eq!(tried.node.visit("apac.localhost", "/quotes/1"), 503);
    let eu = ask(tried, "eu");
    let (code, said) = by_second(&["approve", &eu, "--json"]);
    assert!(code == 0 && said.contains("\"window\""), "{said}");
    assert_eq!(tried.node.visit("eu.localhost", "/quotes/1"), 503);
    assert_eq!(run(&tried.node, &["off", "--all"]).0, 0);
    let eu = ask(tried, "eu");
    assert_eq!(by_second(&["approve", &eu, "--drop"]), (0, format!("dropped: {eu}\n")));
    assert_eq!(tried.node.visit("eu.localhost", "/quotes/1"), 200);
}

fn records(tried: &mut Tried) {
    tried.human("audit", &["--changes"], &["/api/v1/switches", "done", "ops", "+ {"]);
    tried.text("audit", &[], "/items/0/action");
    tried.human("events", &["--after", "0", "--count", "3"], &["window"]);
    tried.text("events", &["--after", "0", "--count", "1"], "/event");
    let server = tried.node.origin.address().to_string();
    tried.human("upstream list", &[], &["app", &server]);
    tried.json("upstream list", &["app"], "/upstream/servers/0");
    tried.human("upstream set", &["app", &server, "drain"], &[&server, "drain"]);
    tried.json("upstream set", &["app", &server, "ready"], "/generation");
    tried.human("in-flight", &[], &["nothing is in flight"]);
    tried.json("in-flight", &[], "/items");
    tried.human("submissions", &[], &["no forms were kept"]);
    tried.json("submissions", &[], "/items");
    tried.human("store keys", &[], &["key:    "]);
    let key = tried.text("store keys", &[], "/key");
    let told = tried.human("store rekey", &[], &["key:    "]);
    assert!(!told.contains(&format!("key:    {key}\n")), "another one: {told}");
    // A node makes the next one only after a while, so another node does.
    let (code, said) = run(&Node::start(), &["store", "rekey", "--json"]);
    let made: Value = serde_json::from_str(&said).unwrap_or_default();
    assert!(code == 0 && made["key"].is_string(), "{said}");
    tried.as_json.insert("store rekey".to_owned());
    let on = ["on", "--region", "eu", "--route", "claims", "--reason", "x", "--yes"];
    assert_eq!(run(&tried.node, &on).0, 0);
    let (first, second) = (kept(&tried.node, "name=Ada"), kept(&tried.node, "name=Bea"));
    tried.human("submissions find", &[&first], &["claims", "held", "reference"]);
    let reference = tried.text("submissions find", &[&second], "/reference");
    tried.human("submissions erase", &[&first], &["discarded"]);
    tried.json("submissions erase", &[&reference], "/state");
    assert_eq!(run(&tried.node, &["submissions", "erase", &reference]).0, 1, "nothing is left");
    let config = tried.node.config();
    let config = config.to_str().expect("text");
    tried.human("check", &[config], &["ok: 2 routes"]);
    tried.json("check", &[config], "/fingerprint");
}

/// Posts a form to the closed place; gives its id.
fn kept(node: &Node, body: &str) -> String {
    let post = format!(
        "POST /claims/new HTTP/1.1\r\nHost: eu.localhost\r\nOrigin: http://eu.localhost\r\n\
         Accept: text/html\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer: Message = raw::exchange(node.visitors(), post);
    assert_eq!(answer.status(), 303, "{}", answer.text());
    let receipt = answer.field("location").expect("a receipt").rsplit('/').next();
    receipt.expect("an id").to_owned()
}

#[test]
fn a_kept_form_is_told_by_number_and_by_its_reference() {
    let node = Node::start();
    let on = ["on", "--region", "eu", "--route", "claims", "--reason", "x", "--yes"];
    assert_eq!(run(&node, &on).0, 0);
    let receipt = kept(&node, "name=Ada");
    let (_, said) = run(&node, &["submissions"]);
    assert!(said.contains("claims") && said.contains("held"), "{said}");
    let (_, all) = run(&node, &["submissions", "--json"]);
    let all: Value = serde_json::from_str(&all).expect("JSON");
    assert_eq!(all["items"][0]["count"], 1, "{all}");
    let (code, said) = run(&node, &["submissions", "--reference", &receipt]);
    assert!(code == 0 && said.contains("claims") && said.contains("held"), "{said}");
    assert!(!said.contains("Ada"), "never what is in it");
    let (_, one) = run(&node, &["submissions", "--reference", &receipt, "--json"]);
    assert!(serde_json::from_str::<Value>(&one).is_ok(), "{one}");
    let (code, said) = run(&node, &["submissions", "--reference", "XXXX-XXXX"]);
    assert!(code == 1 && !said.is_empty(), "{code}: {said}");
}

#[test]
fn what_is_under_way_is_told_while_it_is() {
    use crate::support::origin::Act;
    let node = Node::before(Origin::acting(|_| Act::Stall(Vec::new())));
    let mut visitor = raw::Raw::connect(node.visitors());
    visitor.send("GET /claims/1 HTTP/1.1\r\nHost: eu.localhost\r\n\r\n");
    node.origin.wait_for(1);
    let (_, said) = run(&node, &["in-flight"]);
    let row = said.lines().find(|line| line.contains("claims")).expect("a row");
    assert!(row.contains("eu") && row.contains('1'), "{said}");
    let (_, told) = run(&node, &["in-flight", "--json"]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let place = &told["items"][0];
    assert_eq!((&place["requests"], &place["tunnels"]), (&1.into(), &0.into()), "{told}");
}

#[test]
fn an_interrupted_watcher_of_events_goes_on_where_it_was() {
    let node = Node::start();
    let close = ["on", "--region", "eu", "--route", "claims", "--reason", "first", "--yes"];
    assert_eq!(run(&node, &[&close[..], &["--wait-drained"]].concat()).0, 0);
    let watch = |after: &str, count: &str| {
        let out = binary()
            .args(["events", "--json", "--after", after, "--count", count])
            .env("INTERMISSION_SERVER", format!("http://{}", node.admin()))
            .env("INTERMISSION_TOKEN", TOKEN)
            .stdout(Stdio::piped())
            .output();
        let (code, said) = told(&out.expect("the binary runs"));
        assert_eq!(code, 0, "{said}");
        said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>()
    };
    // What has an id of its own can be gone on from.
    let last_of = |seen: &[Value]| {
        let ids = seen.iter().filter_map(|event| event["id"].as_str()?.parse::<u64>().ok());
        ids.max().expect("an id")
    };
    let last = last_of(&watch("0", "3"));
    // It was away while this happened.
    assert_eq!(run(&node, &["off", "--all", "--reason", "second"]).0, 0);
    let rest = watch(&last.to_string(), "2");
    assert!(last_of(&rest) > last, "{rest:?}");
    assert!(rest.iter().any(|event| event.to_string().contains("second")), "{rest:?}");
    let again = rest.iter().any(|event| event["id"].as_str() == Some(last.to_string().as_str()));
    assert!(!again, "nothing is told twice: {rest:?}");
}
