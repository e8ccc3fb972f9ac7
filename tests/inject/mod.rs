//! Our script in the application's pages: which get it, where it stands, and that nothing else of
//! a page changes.

/// Policies of pages, entity tags, and which heads are a page's.
mod heads;
/// What forms keep secret, as their pages say.
mod learning;
/// Where the tag goes, byte by byte, however a page is cut.
mod rewriting;
/// Pages as they stream, their copies and their codings.
mod streams;
/// Pages over the wire.
mod wire;

use intermission::inject::rewrite::Tag;

/// The tag of the tests' route.
fn tag() -> String {
    String::from_utf8(Tag::new("site", None).bytes().to_vec()).expect("ASCII")
}
