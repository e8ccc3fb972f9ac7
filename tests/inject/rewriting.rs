//! Where the tag goes, byte by byte, however a page is cut.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use intermission::inject::attributes::attributes;
use intermission::inject::rewrite::{Placed, Rewriter, Tag, Work};
use intermission::inject::scan::{Met, Scanner, Syntax};
use lol_html::{HtmlRewriter, Settings, element};
use proptest::prelude::*;

use super::tag;

/// A page that comes in these pieces, as it goes out, and what became of the tag.
fn rewritten(pieces: &[&[u8]], syntax: Syntax) -> (Vec<u8>, Placed) {
    let script = Some(Tag::new("site", None));
    let mut rewriter = Rewriter::new(Work { syntax, script, learn: true });
    let mut out = Vec::new();
    let mut taken = 0;
    for piece in pieces {
        rewriter.push(Bytes::copy_from_slice(piece), &mut out);
        taken += piece.len();
        let given: usize = out.iter().map(Bytes::len).sum();
        assert!(given + 5 >= taken, "{} bytes are held", taken - given);
    }
    rewriter.finish(&mut out);
    (out.concat(), rewriter.placed())
}

#[track_caller]
fn becomes(page: &str, wanted: &str, syntax: Syntax) {
    let wanted = wanted.replace('^', &tag());
    let placed = if wanted == page { Placed::Nowhere } else { Placed::In };
    for cut in 0..=page.len() {
        let (start, end) = page.as_bytes().split_at(cut);
        let (got, how) = rewritten(&[start, end], syntax);
        assert_eq!(String::from_utf8_lossy(&got), wanted, "cut at {cut}");
        assert_eq!(how, placed, "{page}");
    }
    let bytes: Vec<&[u8]> = page.as_bytes().chunks(1).collect();
    assert_eq!(String::from_utf8_lossy(&rewritten(&bytes, syntax).0), wanted, "byte by byte");
}

#[test]
fn the_tag_stands_first_in_the_head_and_never_before_the_doctype() {
    for (page, wanted) in [
        ("<!doctype html><html><head><meta>", "<!doctype html><html><head>^<meta>"),
        ("<HTML lang=\">\"><Head a='>' >x", "<HTML lang=\">\"><Head a='>' >^x"),
        ("\u{feff} \n<!-- <head> --><html><head>", "\u{feff} \n<!-- <head> --><html><head>^"),
        ("<!doctype html><title>x</title>", "<!doctype html>^<title>x</title>"),
        ("<html><body>x", "<html>^<body>x"),
        ("<html>text<header>x", "<html>text^<header>x"),
        ("<html5><head>", "^<html5><head>"),
        ("<hea", "<hea"),
        ("<p>x</p>", "^<p>x</p>"),
        ("<!doctype html>just text", "<!doctype html>just text^"),
        ("<html>", "<html>^"),
        ("<!-- never ends <head>", "<!-- never ends <head>"),
        ("<!--[if IE]><head><![endif]--><head>", "<!--[if IE]><head><![endif]--><head>^"),
        ("<!-->x<head>", "<!-->x<head>^"),
        ("</head><head>", "</head><head>^"),
        ("<?php ?><head>", "<?php ?><head>^"),
        ("<head/><meta>", "<head/>^<meta>"),
    ] {
        becomes(page, wanted, Syntax::Html);
    }
}

#[test]
fn what_is_no_page_stays_as_it_is() {
    for body in
        ["", "  ", "{\"a\": \"<head>\"}", "ok <b>x</b>", "\u{feff}\u{feff}<head>", "\0<head>"]
    {
        becomes(body, body, Syntax::Html);
    }
}

#[test]
fn xml_stays_well_formed() {
    const TYPE: &str = "<!DOCTYPE html [<!ENTITY a \"<head>\">]>";
    for (page, wanted) in [
        ("<?xml version=\"1.0\"?><html><head><title/>", Some("<head>")),
        ("<?x a > <head> ?><html><head>", Some("<head>")),
        ("<html><head/><body/></html>", None),
        ("<html><body/></html>", None),
        ("<HTML><HEAD>", None),
        ("<svg><head>", None),
        ("<html><![CDATA[<head>]]><head>", Some("<head>")),
        (&format!("{TYPE}<html><head>"), Some("<head>")),
    ] {
        let place = wanted.map(|at| page.rfind(at).expect("it is there") + at.len());
        let wanted = match place {
            Some(place) => format!("{}^{}", &page[..place], &page[place..]),
            None => page.to_owned(),
        };
        becomes(page, &wanted, Syntax::Xml);
    }
}

#[test]
fn the_tag_is_well_formed_and_can_hold_any_name() {
    let tag = Tag::new("a\"><b>&", Some("n+/="));
    let text = String::from_utf8(tag.bytes().to_vec()).expect("text");
    assert_eq!(attributes(text.as_bytes()).count(), 4, "{text}");
    assert!(!text.contains("<b>") && text.ends_with("nonce=\"n+/=\"></script>"), "{text}");
}

#[test]
fn attributes_are_read_as_browsers_read_them() {
    let read = |tag: &'static str| -> Vec<(&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).expect("text");
        attributes(tag.as_bytes()).map(|(name, value)| (text(name), text(value))).collect()
    };
    for (tag, wanted) in [
        ("<a b=c d='e f' g=\"h>\" i>", &[("b", "c"), ("d", "e f"), ("g", "h>"), ("i", "")][..]),
        ("<a/b/c=d/>", &[("b", ""), ("c", "d/")]),
        ("<a  b \n=\t c >", &[("b", "c")]),
        ("<a =b=c>", &[("=b", "c")]),
        ("<a b=>", &[("b", "")]),
        ("<a b='cut short", &[("b", "cut short")]),
        ("<a", &[]),
    ] {
        assert_eq!(read(tag), wanted, "{tag}");
    }
}

/// The start tags of a page, by name, as we see them.
fn ours(page: &str, cut: usize) -> Vec<String> {
    let mut names = Vec::new();
    let mut scanner = Scanner::new(Syntax::Html);
    let (start, end) = page.as_bytes().split_at(cut);
    for piece in [start, end] {
        scanner.push(piece, &mut |met| match met {
            Met::Start { name, .. } => {
                names.push(String::from_utf8_lossy(name.get()).into_owned());
            }
            Met::Named(..) | Met::End(_) => {}
        });
    }
    names
}

/// As `lol_html` sees them.
fn theirs(page: &str) -> Vec<String> {
    let names = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&names);
    let handler = element!("*", move |element| {
        seen.borrow_mut().push(element.tag_name());
        Ok(())
    });
    let settings = Settings::new().with_strict(false).append_element_content_handler(handler);
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    rewriter.write(page.as_bytes()).expect("no limit is set");
    rewriter.end().expect("no limit is set");
    names.take()
}

/// Pieces of markup, whole and broken; scripts are whole, since theirs may nest in comments.
const SOUP: [&str; 36] = [
    "<div>",
    "<p class=\"a>b\">",
    "<!-- x > <b> -->",
    "<!-->",
    "<!--->",
    "<!--a--!>",
    "<!-- -- >",
    "<script>if(a<b){'<i>'}</script>",
    "<style>a<b>{}</style >",
    "<textarea><b></textarea>",
    "<title><x></title>",
    "text",
    "a < b",
    "</div>",
    "</ x>",
    "<?pi >",
    "<!doctype html>",
    "<![CDATA[x]]>",
    "<input name=x value='>'>",
    "<a href=x/y>",
    "<br/>",
    "<DIV ID=a>",
    "<",
    "</",
    "<!",
    "<3",
    "<html>",
    "<head>",
    "<body>",
    "\"",
    "'",
    "=",
    ">",
    "<em x=\"",
    "--",
    "<i =a b = '",
];

proptest! {
    #[test]
    fn any_cut_gives_the_same_page_and_only_the_tag_is_new(
        soup in prop::collection::vec(prop::sample::select(&SOUP[..]), 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let page = soup.concat();
        let (whole, placed) = rewritten(&[page.as_bytes()], Syntax::Html);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(page.len() + 1)).collect();
        cuts.extend([0, page.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> =
            cuts.windows(2).map(|cut| &page.as_bytes()[cut[0]..cut[1]]).collect();
        prop_assert_eq!(rewritten(&pieces, Syntax::Html), (whole.clone(), placed));
        let text = String::from_utf8(whole).expect("it was text");
        let tags = usize::from(placed == Placed::In);
        prop_assert_eq!(text.matches(&tag()).count(), tags);
        prop_assert_eq!(text.replacen(&tag(), "", 1), page);
    }

    #[test]
    fn tags_are_where_another_reader_of_html_sees_them(
        soup in prop::collection::vec(prop::sample::select(&SOUP[..]), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let page = soup.concat();
        prop_assert_eq!(ours(&page, cut.index(page.len() + 1)), theirs(&page));
    }
}

#[test]
fn drawings_within_a_page_do_not_hide_what_follows() {
    for (page, wanted) in [
        ("<svg><style/><a></svg><form>", &["svg", "style", "a", "form"][..]),
        ("<svg><![CDATA[<b> > ]]><a></svg><i>", &["svg", "a", "i"]),
        ("<![CDATA[<b>]]><i>", &["i"]),
        ("<svg/><style><i></style><b>", &["svg", "style", "b"]),
        ("<noscript><input></noscript>", &["noscript", "input"]),
    ] {
        assert_eq!(ours(page, page.len()), wanted, "{page}");
    }
}
