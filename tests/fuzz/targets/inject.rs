//! Pages that our script goes into: only the tag is new, however the page is cut, and as little is
//! held as was promised.
#![no_main]

use bytes::Bytes;
use intermission::inject::rewrite::{Placed, Rewriter, Tag, Work};
use intermission::inject::scan::Syntax;
use libfuzzer_sys::fuzz_target;

/// The page as it goes out, and what was learnt of it.
fn rewritten(pieces: &[&[u8]], syntax: Syntax) -> (Vec<u8>, Placed, String) {
    let script = Some(Tag::new("site", None));
    let mut rewriter = Rewriter::new(Work { syntax, script, learn: true });
    let (mut out, mut taken) = (Vec::new(), 0);
    for piece in pieces {
        rewriter.push(Bytes::copy_from_slice(piece), &mut out);
        taken += piece.len();
        assert!(out.iter().map(Bytes::len).sum::<usize>() + 5 >= taken, "too much is held");
    }
    rewriter.finish(&mut out);
    let (placed, learnt) = (rewriter.placed(), format!("{:?}", rewriter.learnt()));
    (out.concat(), placed, learnt)
}

fuzz_target!(|input: (u8, bool, &[u8])| {
    let (size, xml, page) = input;
    let syntax = if xml { Syntax::Xml } else { Syntax::Html };
    let whole = rewritten(&[page], syntax);
    let pieces: Vec<&[u8]> = page.chunks(usize::from(size).max(1)).collect();
    let cut = rewritten(&pieces, syntax);
    assert_eq!((&cut.0, cut.1), (&whole.0, whole.1));
    // A tag of which only the beginning is kept may tell less in pieces.
    if page.len() <= intermission::limit::INJECT_TAG_BYTES_MAX {
        assert_eq!(cut.2, whole.2);
    }
    let tag = Tag::new("site", None);
    match whole.1 {
        Placed::In => {
            let at = whole.0.windows(tag.bytes().len()).position(|w| w == tag.bytes());
            let at = at.expect("it is in");
            let rest = [&whole.0[..at], &whole.0[at + tag.bytes().len()..]].concat();
            assert!(rest == page || page.windows(tag.bytes().len()).any(|w| w == tag.bytes()));
        }
        Placed::Looking | Placed::Nowhere => assert_eq!(whole.0, page),
    }
});
