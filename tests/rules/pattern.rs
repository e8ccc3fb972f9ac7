//! What operators may write for paths, and what they are told otherwise.

use intermission::route::PathPattern;

#[test]
fn patterns_read_back_as_they_were_written() {
    for text in
        ["/", "/*", "/claims", "/claims/", "/claims/*", "/api/{version}/claims", "/{a}/*", "/%2A"]
    {
        assert_eq!(PathPattern::parse(text).expect(text).as_str(), text);
    }
}

#[test]
fn a_fault_says_how_to_mend_it() {
    let rows = [
        ("claims", "write `/claims`"),
        ("", "write `/`"),
        ("/claims?x=1", "leave out the `?`"),
        ("/claims#top", "leave out the `?` or `#`"),
        ("/claims*", "write `/claims/*`"),
        ("/*/claims", "as the last segment"),
        ("/a;v=1", "leave them out"),
        ("/a//b", "write `/a/b`"),
        ("/a//*", "write `/a/*`"),
        ("//", "write `"),
        ("/a/../b", "write `/b`"),
        ("/a/./b/*", "write `/a/b/*`"),
        ("/a/%2e%2e/b", "write `/b`"),
        ("/a/{id", "`{id`: braces hold one whole segment's name"),
        ("/a/x{id}", "`x{id}`"),
        ("/a/{}", "`{}`"),
        ("/a/{*rest}", "as the last segment"),
        ("/a/%zz", "a percent sign without two hexadecimal digits"),
        ("/a/%00", "a control character"),
        ("/.intermission", "the proxy's own"),
        ("/.intermission/*", "the proxy's own"),
    ];
    for (text, told) in rows {
        let fault = PathPattern::parse(text).expect_err(text).to_string();
        assert!(fault.contains(told), "{text}: {fault}");
    }
}
