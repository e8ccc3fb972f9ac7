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

#[test]
fn a_list_is_read_page_by_page() {
    let node = Node::start();
    let switch = |region: &str| {
        let body = format!(r#"{{"regions":["{region}"],"reason":"x","drain":"1h"}}"#);
        let (status, answer) = node.operator("POST /api/v1/switches", &body);
        assert_eq!(status, 201, "{answer}");
        answer["window"]["id"].as_str().expect("an id").to_owned()
    };
    let mut ids: Vec<_> = (0..5).map(|at| switch(["eu", "apac"][at % 2])).collect();
    let walk = |line: &str, key: &str| {
        let (mut seen, mut after) = (Vec::new(), String::new());
        for _ in 0..9 {
            let (status, page) = node.operator(&format!("GET {line}limit=2{after}"), "");
            assert_eq!(status, 200, "{page}");
            let items = page["items"].as_array().expect("items");
            seen.extend(items.iter().map(|item| item[key].to_string().replace('"', "")));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return seen,
            }
        }
        panic!("{line} never ends");
    };
    assert_eq!(walk("/api/v1/windows?", "id"), ids);
    // Windows with nothing in flight close by themselves meanwhile, which is told as well.
    let seen = walk("/api/v1/history?", "seq");
    let (_, whole) = node.operator("GET /api/v1/history?limit=1000", "");
    let whole = whole["items"].as_array().expect("items").iter();
    let whole: Vec<_> = whole.map(|item| item["seq"].to_string()).collect();
    assert!(seen.len() >= 5 && whole.ends_with(&seen), "{seen:?} {whole:?}");
    for id in &ids {
        assert_eq!(node.operator(&format!("POST /api/v1/windows/{id}/end"), "").0, 200);
    }
    let mut ended = walk("/api/v1/windows?state=ended&", "id");
    ended.sort();
    ids.sort();
    assert_eq!(ended, ids);
    let (status, wrong) = node.operator("GET /api/v1/history?after=x", "");
    assert_eq!((status, wrong["field"].as_str()), (422, Some("after")));
}
