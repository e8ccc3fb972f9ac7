//! The order in which routes are found, and conflicts.

use intermission::addr::HostPattern;
use intermission::route::{Conflict, PathPattern, RouteIx, RouteTable};
use proptest::prelude::*;

type Row = (Vec<HostPattern>, Vec<PathPattern>);

fn row(hosts: &[&str], paths: &[&str]) -> Row {
    let hosts = hosts.iter().map(|text| HostPattern::parse(text).expect(text)).collect();
    (hosts, paths.iter().map(|text| PathPattern::parse(text).expect(text)).collect())
}

fn table(rows: &[Row]) -> RouteTable {
    RouteTable::build(rows).unwrap_or_else(|conflicts| panic!("{conflicts:?}"))
}

#[test]
fn within_a_host_the_longest_and_plainest_match_wins() {
    let patterns = [
        "/*",                     // 0
        "/claims",                // 1
        "/claims/*",              // 2
        "/claims/new",            // 3
        "/claims/{id}",           // 4
        "/claims/{id}/edit",      // 5
        "/api/{version}/claims",  // 6
        "/api/v1/*",              // 7
        "/{tenant}/settings",     // 8
        "/about/",                // 9
        "/",                      // 10
        "/{tenant}/{id}/files/*", // 11
        "/%7Bliteral%7D",         // 12
        "/star/%2A",              // 13
    ];
    let rows: Vec<Row> = patterns.iter().map(|pattern| row(&["*"], &[pattern])).collect();
    let table = table(&rows);
    let wanted = [
        ("/", 10),
        ("/claims", 1),
        ("/claims/", 2),
        ("/claims/new", 3),
        ("/claims/new/", 2),
        ("/claims/7", 4),
        ("/claims/7/", 2),
        ("/claims/7/edit", 5),
        ("/claims/new/edit", 5),
        ("/claims/7/edit/deep", 2),
        ("/claimsx", 0),
        ("/api/v2/claims", 6),
        ("/api/v1/claims", 7),
        ("/api/v1", 7),
        ("/api/v1/", 7),
        ("/api/v2", 0),
        ("/acme/settings", 8),
        ("/claims/settings", 4),
        ("/about/", 9),
        ("/about", 0),
        ("/acme/9/files", 11),
        ("/acme/9/files/a/b", 11),
        ("/api/v2/files/x", 11),
        ("/acme/9/other", 0),
        ("/%7Bliteral%7D", 12),
        ("/star/*", 13),
        ("/star/x", 0),
    ];
    for (path, ix) in wanted {
        assert_eq!(table.find("example.com", path), Some(RouteIx(ix)), "{path}");
    }
}

#[test]
fn a_more_specific_host_is_asked_first_and_passes_on() {
    let table = table(&[
        row(&["*"], &["/*"]),
        row(&["*.example.com"], &["/claims/*"]),
        row(&["*.eu.example.com"], &["/claims/new"]),
        row(&["a.eu.example.com", "other.test"], &["/only"]),
    ]);
    let wanted = [
        ("a.eu.example.com", "/only", 3),
        ("a.eu.example.com", "/claims/new", 2),
        ("a.eu.example.com", "/claims/7", 1),
        ("a.eu.example.com", "/x", 0),
        ("b.eu.example.com", "/only", 0),
        ("b.eu.example.com", "/claims/new", 2),
        ("eu.example.com", "/claims/new", 1),
        ("example.com", "/claims/new", 0),
        ("badexample.com", "/claims/new", 0),
        ("other.test", "/only", 3),
        ("[::1]", "/only", 0),
    ];
    for (host, path, ix) in wanted {
        assert_eq!(table.find(host, path), Some(RouteIx(ix)), "{host}{path}");
    }
}

#[test]
fn without_a_match_there_is_no_route() {
    let table = table(&[row(&["a.test"], &["/x/*"]), row(&["*.b.test"], &["/"])]);
    for (host, path) in
        [("b.test", "/"), ("a.test", "/"), ("a.test", "/xy"), ("c.b.test", "/x"), ("", "/")]
    {
        assert_eq!(table.find(host, path), None, "{host}{path}");
    }
}

#[test]
fn each_repeated_place_is_a_conflict() {
    let rows = [
        row(&["a.test", "b.test"], &["/x", "/y/{id}"]),
        row(&["b.test", "a.test"], &["/y/{name}"]),
        row(&["*"], &["/x", "/x", "/x/*"]),
        row(&["*.test", "*"], &["/x/*"]),
    ];
    let conflicts = RouteTable::build(&rows).err().expect("conflicts");
    let conflict = |first, second, path: &str| Conflict {
        first: RouteIx(first),
        second: RouteIx(second),
        path: path.to_owned(),
    };
    assert_eq!(conflicts, [conflict(0, 1, "/y/{name}"), conflict(2, 3, "/x/*")]);
}

#[test]
fn what_a_star_implies_is_no_conflict() {
    let table = table(&[row(&["*"], &["/x/*"]), row(&["*"], &["/x"]), row(&["*"], &["/x/"])]);
    for (path, ix) in [("/x", 1), ("/x/", 2), ("/x/y", 0)] {
        assert_eq!(table.find("h", path), Some(RouteIx(ix)), "{path}");
    }
}

/// How well a pattern fits, segment by segment, by the documented order; greater is better.
fn fit(pattern: &str, path: &str) -> Option<Vec<u8>> {
    let mut path = path.split('/').skip(1);
    let mut ranks = Vec::new();
    let mut segments = pattern.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment == "*" && segments.peek().is_none() {
            ranks.push(1);
            return Some(ranks);
        }
        let found = path.next()?;
        match segment {
            _ if segment.starts_with('{') && !found.is_empty() => ranks.push(2),
            _ if segment == found => ranks.push(3),
            _ => return None,
        }
    }
    // A path that ends exactly is better than one that a star would take.
    ranks.push(4);
    path.next().is_none().then_some(ranks)
}

fn segment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "{x}", "{y}"])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn it_finds_what_trying_every_pattern_finds(
        patterns in prop::collection::vec(
            (prop::collection::vec(segment(), 0..4), prop::sample::select(vec!["", "/", "/*"])),
            1..12,
        ),
        path in prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 0..5),
        end in prop::sample::select(vec!["", "/"]),
    ) {
        let texts = patterns.iter().map(|(segments, end)| {
            let stem: String = segments.iter().map(|segment| format!("/{segment}")).collect();
            stem + end
        });
        let texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
        let rows: Vec<Row> = texts.iter().map(|text| row(&["*"], &[text])).collect();
        let path: String = path.iter().map(|segment| format!("/{segment}")).collect();
        let path = if path.is_empty() { "/".to_owned() } else { path + end };
        if let Ok(table) = RouteTable::build(&rows) {
            let star = |text: &str| text.strip_suffix("/*").map(str::to_owned);
            // `/x/*` takes `/x` as well, less gladly than anything written for it.
            let fits = texts.iter().enumerate().filter_map(|(ix, text)| {
                let implied = star(text).filter(|stem| !stem.is_empty());
                let implied = implied.and_then(|stem| fit(&stem, &path)).map(|mut ranks| {
                    *ranks.last_mut().expect("a rank") = 1;
                    ranks
                });
                fit(text, &path).or(implied).map(|ranks| (ranks, ix))
            });
            let best = fits.max().map(|(_, ix)| RouteIx(ix as u32));
            prop_assert_eq!(table.find("h", &path), best, "{} in {:?}", path, texts);
        }
    }
}
