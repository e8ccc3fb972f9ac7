//! The document of the admin API: it tells of every route, and of nothing else.

use std::collections::BTreeSet;

use serde_json::Value;

use super::node::Node;

/// Method, path and operation of everything that the document tells of.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let each = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("an item");
        item.iter().map(move |(method, operation)| {
            (method.to_uppercase(), path.clone(), operation.clone())
        })
    });
    each.collect()
}

fn document(node: &Node) -> Value {
    let (status, document) = node.operator("GET /api/v1/openapi.json", "");
    assert_eq!(status, 200);
    document
}

#[test]
fn every_operation_of_the_document_is_served() {
    let node = Node::start();
    let document = document(&node);
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let operations = operations(&document);
    assert!(operations.len() >= 17, "{}", operations.len());
    for (method, path, _) in &operations {
        let target = path.replace(['{', '}'], "");
        if path.ends_with("/events") {
            continue;
        }
        let answer = node.ask(&format!("{method} {target}"), &node.bearer(), "{}");
        let said = answer.text();
        assert!(!said.contains("\"code\":\"not_found\""), "{method} {path}: {said}");
        assert_ne!(answer.status(), 405, "{method} {path}: {said}");
    }
    // The control: what is not in the document is told apart in just that way.
    assert!(node.ask("GET /api/v1/x", &node.bearer(), "").text().contains("\"not_found\""));
    assert_eq!(node.ask("DELETE /api/v1/status", &node.bearer(), "").status(), 405);
}

#[test]
fn no_route_is_added_beside_the_document() {
    let routes = include_str!("../../src/control/admin/routes.rs");
    let listener = include_str!("../../src/control/admin/mod.rs");
    for source in [routes, listener] {
        // Parts of the same file are merged with what tells of them; nothing else may be.
        let source = source.replace(".merge(of_", "").replace("OpenApiRouter::new()", "");
        for way in [".route(", ".nest(", ".merge(", ".route_service(", "Router::new("] {
            assert!(!source.contains(way), "{way} adds what the document does not tell of");
        }
    }
    for part in routes.lines().filter(|line| line.starts_with("fn of_")) {
        assert!(part.contains("-> OpenApiRouter<"), "{part} tells the document of nothing");
    }
    assert!(routes.contains(".routes(routes!("), "the control: the way that does");
}

#[test]
fn the_table_in_the_readme_and_the_document_name_the_same() {
    let node = Node::start();
    let documented: BTreeSet<_> = operations(&document(&node))
        .into_iter()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    let page = include_str!("../../src/control/README.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let named = rows.flat_map(|row| row.split(" | ").next().unwrap_or("").split('`'));
    let named: BTreeSet<_> = named
        .filter(|text| text.contains(" /"))
        .map(|text| text.split('?').next().unwrap_or("").to_owned())
        .collect();
    assert_eq!(named, documented);
}

/// Every `$ref` below.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("$ref", Value::String(to)) => drop(found.insert(to.clone())),
                    (_, value) => references(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_document_is_whole() {
    let node = Node::start();
    let document = document(&node);
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.contains("#/components/schemas/Problem"), "{found:?}");
    for to in &found {
        let pointer = to.strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(pointer).is_some(), "{to} leads nowhere");
    }
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect("an operationId").to_owned();
        assert!(names.insert(name.clone()), "{name} twice");
        let says = operation["summary"].as_str().expect("a summary");
        assert!(says.ends_with('.'), "{method} {path}: {says}");
        let responses = operation["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
        if path.starts_with("/api/") {
            assert!(operation["security"][0]["token"].is_array(), "{method} {path}");
            for status in ["400", "401", "403", "429", "503"] {
                let body = &responses[status]["content"]["application/problem+json"]["schema"];
                let to = body["$ref"].as_str();
                assert_eq!(to, Some("#/components/schemas/Problem"), "{method} {path} {status}");
            }
        }
    }
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
}

/// What stands under `key` in each row of the list at `line`, read by pages of two.
fn walk(node: &Node, line: &str, key: &str) -> Vec<String> {
    let (mut seen, mut after) = (Vec::new(), String::new());
    for _ in 0..9 {
        let (status, page) = node.operator(&format!("GET {line}limit=2{after}"), "");
        assert_eq!(status, 200, "{line}: {page}");
        let items = page["items"].as_array().expect("items");
        assert!(items.len() <= 2, "{line}: {page}");
        seen.extend(items.iter().map(|item| item[key].to_string().replace('"', "")));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return seen,
        }
    }
    panic!("{line} never ends");
}

fn made(node: &Node, line: &str, body: &str, member: &str) -> String {
    let (status, answer) = node.operator(line, body);
    assert_eq!(status, 201, "{answer}");
    answer[member]["id"].as_str().expect("an id").to_owned()
}

/// As lists tell them: by id, which is by time, but for those of one millisecond.
fn in_order<T: Ord>(mut made: Vec<T>) -> Vec<T> {
    made.sort();
    made
}

fn switched(node: &Node, region: &str) -> String {
    let body = format!(r#"{{"regions":["{region}"],"reason":"x","drain":"1h"}}"#);
    made(node, "POST /api/v1/switches", &body, "window")
}

#[test]
fn a_list_is_read_page_by_page() {
    let node = Node::start();
    let ids = (0..5).map(|at| switched(&node, ["eu", "apac"][at % 2]));
    let ids = in_order(ids.collect());
    assert_eq!(walk(&node, "/api/v1/windows?", "id"), ids);
    // Windows with nothing in flight close by themselves meanwhile, which is told as well.
    let seen = walk(&node, "/api/v1/history?", "seq");
    let (_, whole) = node.operator("GET /api/v1/history?limit=1000", "");
    let whole = whole["items"].as_array().expect("items").iter();
    let whole: Vec<_> = whole.map(|item| item["seq"].to_string()).collect();
    assert!(seen.len() >= 5 && whole.ends_with(&seen), "{seen:?} {whole:?}");
    for id in &ids {
        assert_eq!(node.operator(&format!("POST /api/v1/windows/{id}/end"), "").0, 200);
    }
    let mut ended = walk(&node, "/api/v1/windows?state=ended&", "id");
    ended.sort();
    assert_eq!(ended, ids);
    let (status, wrong) = node.operator("GET /api/v1/history?after=x", "");
    assert_eq!((status, wrong["field"].as_str()), (422, Some("after")));
}

/// Every list, by the document.
fn lists(document: &Value) -> Vec<(String, Value)> {
    let gets = operations(document).into_iter().filter(|(method, ..)| method == "GET");
    let lists = gets.filter_map(|(_, path, operation)| {
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let name = schema["$ref"].as_str()?.rsplit('/').next()?;
        name.starts_with("Items").then(|| (path, operation["parameters"].clone()))
    });
    lists.collect()
}

#[test]
fn every_list_is_asked_for_and_answered_alike() {
    let node = Node::start();
    let lists = lists(&document(&node));
    let named = |wanted: &str| lists.iter().any(|(path, _)| path == &format!("/api/v1/{wanted}"));
    for wanted in ["windows", "maintenances", "tokens", "bypasses", "approvals", "submissions"] {
        assert!(named(wanted), "{wanted} in {lists:?}");
    }
    assert!(named("history") && named("audit") && named("state") && named("in-flight"));
    for (path, parameters) in &lists {
        let parameters = parameters.as_array().expect("parameters");
        let of = |name: &str| parameters.iter().find(|one| one["name"] == name);
        let limit = &of("limit").expect("limit")["schema"];
        assert_eq!((&limit["minimum"], &limit["maximum"]), (&1.into(), &1000.into()), "{path}");
        assert!(of("after").is_some(), "{path}");
        let (status, page) = node.operator(&format!("GET {path}?limit=1000"), "");
        assert_eq!((status, page["next"].is_null()), (200, true), "{path}: {page}");
        assert!(page["items"].is_array(), "{path}: {page}");
        for (query, field) in [("limit=0", "limit"), ("limit=1001", "limit"), ("after=!", "after")]
        {
            let (status, problem) = node.operator(&format!("GET {path}?{query}"), "");
            assert_eq!((status, problem["field"].as_str()), (422, Some(field)), "{path} {query}");
        }
    }
}

#[test]
fn tokens_bypasses_and_maintenances_are_read_to_their_end_though_some_go_meanwhile() {
    let node = Node::start();
    let token = |at: usize| format!(r#"{{"name":"t{at}","role":"viewer"}}"#);
    let make = |at| (made(&node, "POST /api/v1/tokens", &token(at), "token"), format!("t{at}"));
    let (ids, names): (Vec<_>, Vec<_>) = in_order((0..5).map(make).collect()).into_iter().unzip();
    let listed = walk(&node, "/api/v1/tokens?", "name");
    assert_eq!(listed[0], "ops", "that of the config is the first");
    assert_eq!(listed[1..], names);
    let (_, page) = node.operator("GET /api/v1/tokens?limit=1", "");
    assert_eq!(page["items"][0]["source"], "config");
    let rest = format!("/api/v1/tokens?after={}&", ids[2]);
    assert_eq!(walk(&node, &rest, "name"), names[3..]);

    let bypass = || made(&node, "POST /api/v1/bypasses", r#"{"for":"1h"}"#, "bypass");
    let bypasses = in_order((0..5).map(|_| bypass()).collect());
    assert_eq!(walk(&node, "/api/v1/bypasses?", "id"), bypasses);
    let (_, page) = node.operator("GET /api/v1/bypasses?limit=2", "");
    let next = page["next"].as_str().expect("more").to_owned();
    // One that was read is gone, and so is the very one that the page ended with.
    for gone in &bypasses[..2] {
        assert_eq!(node.operator(&format!("DELETE /api/v1/bypasses/{gone}"), "").0, 200);
    }
    let rest = walk(&node, &format!("/api/v1/bypasses?after={next}&"), "id");
    assert_eq!(rest, bypasses[2..], "none is left out, and none is told twice");

    let plan = |day: usize| {
        let phase = format!(r#"{{"routes":["claims"],"starts":"2030-03-0{day}","lasts":"1h"}}"#);
        let body = format!(r#"{{"title":"day {day}","phases":[{phase}]}}"#);
        made(&node, "POST /api/v1/maintenances", &body, "maintenance")
    };
    let mut planned = in_order((1..=5).map(plan).collect());
    assert_eq!(walk(&node, "/api/v1/maintenances?", "id"), planned);
    planned.reverse();
    assert_eq!(walk(&node, "/api/v1/maintenances?state=all&", "id"), planned);
}
