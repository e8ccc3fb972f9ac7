//! Bytes of forms: exact, bounded, in any chunks.

use std::sync::Arc;

use intermission::limit;
use intermission::vault::form::{Fault, Kind, Scanner, Token};
use intermission::vault::policy::Policy;
use intermission::vault::substitute::Substituter;
use intermission::vault::summary::{Field, Forbidden, Inspector, Shown, Summary};
use proptest::prelude::*;

const MULTIPART: &str = "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk";

/// What a form says, with the chunks it came in forgotten.
#[derive(Debug, PartialEq, Eq, Default)]
struct Read {
    bytes: Vec<u8>,
    fields: Vec<(String, Option<String>, Vec<u8>)>,
}

fn read(kind: Kind, content_type: &str, chunks: &[&[u8]]) -> Result<Read, Fault> {
    let mut read = Read::default();
    let mut scanner = Scanner::new(kind, content_type)?;
    let mut sink = |token: Token<'_>| match token {
        Token::Raw(bytes) => read.bytes.extend_from_slice(bytes),
        Token::Begin(part) => {
            read.fields.push((part.name.clone(), part.file.clone(), Vec::new()));
        }
        Token::Value(bytes) => {
            read.bytes.extend_from_slice(bytes);
            read.fields.last_mut().expect("a value has begun").2.extend_from_slice(bytes);
        }
        Token::End => {}
    };
    for chunk in chunks {
        scanner.push(chunk, &mut sink)?;
    }
    scanner.finish(&mut sink)?;
    Ok(read)
}

fn names(read: &Read) -> Vec<&str> {
    read.fields.iter().map(|(name, ..)| name.as_str()).collect()
}

fn multipart(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut body = String::new();
    for (head, content) in parts {
        body += "------WebKitFormBoundary7MA4YWxk\r\n";
        body += &format!("Content-Disposition: form-data; {head}\r\n\r\n{content}\r\n");
    }
    (body + "------WebKitFormBoundary7MA4YWxk--\r\n").into_bytes()
}

#[test]
fn urlencoded_fields_are_found() {
    let read = read(Kind::Urlencoded, "", &[b"a=1&b%5B%5D=x+y&&c&=z&d="]).expect("a form");
    assert_eq!(names(&read), ["a", "b[]", "c", "", "d"]);
    assert_eq!(read.fields[1].2, b"x+y");
    assert_eq!(read.bytes, b"a=1&b%5B%5D=x+y&&c&=z&d=");
}

#[test]
fn multipart_fields_and_files_are_found() {
    let body = multipart(&[
        ("name=\"text\"", "two\r\nlines --"),
        ("name=\"a %22b%22\"", ""),
        ("name=\"up\"; filename=\"scan \\\"1\\\".pdf\"\r\nContent-Type: application/pdf", "%PDF"),
        ("name=\"win\"; filename=\"C:\\\"", "x"),
        ("name=plain; filename*=UTF-8''x", ""),
    ]);
    let read = read(Kind::Multipart, MULTIPART, &[&body]).expect("a form");
    assert_eq!(names(&read), ["text", "a \"b\"", "up", "win", "plain"]);
    assert_eq!(read.fields[0].2, b"two\r\nlines --");
    assert_eq!(read.fields[2].1.as_deref(), Some("scan \"1\".pdf"));
    assert_eq!(read.fields[3].1.as_deref(), Some("C:\\"));
    assert!(read.fields[4].1.is_some());
    assert_eq!(read.bytes, body);
}

#[test]
fn plain_fields_are_found() {
    let read = read(Kind::Plain, "", &[b"a=1\r\nb=x & y\r\n"]).expect("a form");
    assert_eq!(names(&read), ["a", "b"]);
    assert_eq!(read.fields[1].2, b"x & y\r");
}

#[test]
fn a_multipart_form_that_could_be_read_in_two_ways_is_refused() {
    let whole = multipart(&[("name=\"a\"", "1")]);
    let text = String::from_utf8(whole.clone()).expect("ascii");
    let broken = [
        text.replace("--\r\n", ""),
        text.replace("--\r\n", "--\r\nmore"),
        text.replace("Content-Disposition", "Content-Type"),
        text.replace("name=\"a\"", "filename=\"a\""),
        text.replace("name=\"a\"", "name=\"a\"; name=\"b\""),
        text.replace("name=\"a\"", "name=\"a"),
        text.replace("form-data", "attachment"),
        format!("preamble\r\n{text}"),
        text.replace("7MA4YWxk\r\n", "7MA4YWxkk\r\n"),
        text[..text.len() - 6].to_owned(),
        String::new(),
    ];
    for body in broken {
        let got = read(Kind::Multipart, MULTIPART, &[body.as_bytes()]);
        assert!(matches!(got, Err(Fault::Malformed(_))), "{body:?} gave {got:?}");
    }
    assert!(read(Kind::Multipart, "multipart/form-data", &[&whole]).is_err(), "no boundary");
}

#[test]
fn fields_and_heads_are_bounded() {
    let many = "a=1&".repeat(limit::FORM_FIELDS_MAX + 1);
    let got = read(Kind::Urlencoded, "", &[many.as_bytes()]);
    assert_eq!(got, Err(Fault::TooManyFields));
    let long = vec![b'a'; limit::FIELD_NAME_BYTES_MAX + 1];
    assert!(read(Kind::Urlencoded, "", &[&long]).is_err());
    let head = format!("name=\"{}\"", "a".repeat(limit::FIELD_NAME_BYTES_MAX));
    assert!(read(Kind::Multipart, MULTIPART, &[&multipart(&[(&head, "")])]).is_err());
}

fn swapped(
    kind: Kind,
    content_type: &str,
    body: &[u8],
    size: usize,
    fresh: &[(&str, &str)],
) -> Vec<u8> {
    let fresh = fresh.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let mut swap = Substituter::new(kind, content_type, fresh).expect("a form");
    let mut out = Vec::new();
    for chunk in body.chunks(size) {
        swap.push(chunk, &mut out).expect("a form");
    }
    swap.finish(&mut out).expect("a form");
    out
}

#[test]
fn fresh_tokens_are_put_in_and_every_other_byte_stays() {
    let body = b"name=M%fcller&csrf=old%2f1&csrf2=x&note=a+b&csrf";
    let got = swapped(Kind::Urlencoded, "", body, 3, &[("csrf", "new/2 +")]);
    assert_eq!(got, b"name=M%fcller&csrf=new%2F2+%2B&csrf2=x&note=a+b&csrf");
    let parts = [("name=\"csrf\"", "old"), ("name=\"f\"; filename=\"csrf\"", "\0\r\n--x")];
    let fresh = [("name=\"csrf\"", "fresher"), parts[1]];
    let got = swapped(
        Kind::Multipart,
        MULTIPART,
        &multipart(&parts),
        5,
        &[("csrf", "fresher"), ("f", "no")],
    );
    assert_eq!(got, multipart(&fresh));
}

fn inspect(kind: Kind, content_type: &str, body: &[u8]) -> Result<(Summary, [u8; 32]), Forbidden> {
    let never: Arc<[String]> = Arc::new(["Diagnosis".to_owned()]);
    let csrf: Arc<[String]> = Arc::new(["csrf".to_owned()]);
    let key = zeroize::Zeroizing::new([1; 32]);
    let mut inspector = Inspector::new(kind, Policy::new(never), csrf, key, &[b"browser"]);
    let mut scanner = Scanner::new(kind, content_type).expect("a form");
    for chunk in body.chunks(7) {
        scanner.push(chunk, &mut |token| inspector.take(token)).expect("a form");
    }
    scanner.finish(&mut |token| inspector.take(token)).expect("a form");
    inspector.finish()
}

#[test]
fn the_summary_shows_answers_and_no_tokens() {
    let (summary, _) =
        inspect(Kind::Urlencoded, "", b"name=J%C3%BCrgen+K&csrf=t0ken").expect("kept");
    let shown = |name: &str, bytes, shown| Field { name: name.into(), bytes, shown };
    assert_eq!(
        summary.fields,
        [shown("name", 9, Shown::Whole("Jürgen K".into())), shown("csrf", 5, Shown::Token),]
    );
    assert_eq!(summary.tokens().collect::<Vec<_>>(), ["csrf"]);
    let long = format!("text={}", "é".repeat(limit::SHOWN_VALUE_BYTES_MAX));
    let (summary, _) = inspect(Kind::Urlencoded, "", long.as_bytes()).expect("kept");
    let Shown::Cut(text) = &summary.fields[0].shown else { panic!("{:?}", summary.fields) };
    assert_eq!(text.len(), limit::SHOWN_VALUE_BYTES_MAX);
}

#[test]
fn filled_secrets_are_forbidden_and_empty_ones_are_not() {
    assert!(inspect(Kind::Urlencoded, "", b"a=1&password=&b=2").is_ok());
    assert!(inspect(Kind::Urlencoded, "", b"a=1&password=x").is_err());
    assert!(inspect(Kind::Urlencoded, "", b"diagnosis=x").is_err(), "the route's own");
    assert!(inspect(Kind::Urlencoded, "", b"ref=4111%201111+1111-1111").is_err());
    assert!(inspect(Kind::Plain, "", b"otp=\r\na=1\r\n").is_ok());
    assert!(inspect(Kind::Plain, "", b"otp=1\r\n").is_err());
    let secret = multipart(&[("name=\"password\"", "x")]);
    assert!(inspect(Kind::Multipart, MULTIPART, &secret).is_err());
    let file = multipart(&[("name=\"f\"; filename=\"n\"", "4111111111111111")]);
    assert!(inspect(Kind::Multipart, MULTIPART, &file).is_ok(), "files are not searched");
}

#[test]
fn a_double_click_has_the_same_fingerprint_whatever_its_boundary() {
    let one = multipart(&[("name=\"a\"", "1"), ("name=\"b\"", "2")]);
    let text = String::from_utf8(one.clone()).expect("ascii");
    let other = text.replace("7MA4YWxk", "zzzzzzzz").into_bytes();
    let print = |ct: &str, body: &[u8]| inspect(Kind::Multipart, ct, body).expect("kept").1;
    assert_eq!(print(MULTIPART, &one), print(&MULTIPART.replace("7MA4YWxk", "zzzzzzzz"), &other));
    let moved = multipart(&[("name=\"a\"", "12"), ("name=\"b\"", "")]);
    assert_ne!(print(MULTIPART, &one), print(MULTIPART, &moved));
}

#[test]
fn forms_that_differ_in_anything_but_a_token_have_fingerprints_of_their_own() {
    let print = |kind, body: &[u8]| inspect(kind, MULTIPART, body).expect("kept").1;
    let mut seen = std::collections::BTreeMap::new();
    let mut alike = |what: &str, print: [u8; 32]| seen.insert(print, what.to_owned());
    // What stands between the parts of one form is written into the parts of another.
    let marks = ["%00", "%01", "%02", "%00%00%00%00%00%00%00%01", "%00%00%00%00%00%00%00%01%02"];
    let mut forms: Vec<String> =
        ["a=1&b=2", "a=12&b", "a=1&b2", "b=2&a=1", "a=1&b=2&b=2", "a=1", "a1=", "a=%31&b=2", ""]
            .map(str::to_owned)
            .into();
    forms.extend(marks.iter().flat_map(|m| [format!("a=1{m}&b=2"), format!("a{m}=1&b=2")]));
    for form in &forms {
        assert_eq!(alike(form, print(Kind::Urlencoded, form.as_bytes())), None, "{form}");
    }
    let files = ["name=\"f\"", "name=\"f\"; filename=\"\"", "name=\"f\"; filename=\"x\""];
    for head in files {
        let form = multipart(&[(head, "1")]);
        assert_eq!(alike(head, print(Kind::Multipart, &form)), None, "{head}");
    }
    let with_token = |token: &str| print(Kind::Urlencoded, format!("csrf={token}&a=1").as_bytes());
    assert_eq!(with_token("one"), with_token("another"));
    assert_eq!(with_token("one"), with_token(""));
}

#[test]
fn a_record_is_written_short_and_one_of_an_earlier_release_is_read() {
    let (summary, _) = inspect(Kind::Urlencoded, "", b"name=Ana&csrf=t0ken").expect("kept");
    let text = serde_json::to_string(&summary).expect("texts");
    assert_eq!(text, r#"{"fields":[["name",3,{"whole":"Ana"}],["csrf",5,"token"]]}"#);
    let before = r#"{"fields":[{"name":"name","bytes":3,"shown":{"whole":"Ana"}},
        {"name":"csrf","bytes":5,"shown":"token"}]}"#;
    for text in [before, text.as_str()] {
        assert!(serde_json::from_str::<Summary>(text).expect("either way") == summary);
    }
}

/// `body` cut at these places.
fn cut<'a>(body: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).collect();
    places.sort_unstable();
    let mut chunks = Vec::new();
    let mut from = 0;
    for place in places.into_iter().chain([body.len()]) {
        chunks.push(&body[from..place]);
        from = place;
    }
    chunks
}

proptest! {
    #[test]
    fn chunks_make_no_difference(
        pieces in prop::collection::vec("[a-z=&%+ \r\n\"-]{0,12}", 0..12),
        cuts in prop::collection::vec(any::<usize>(), 0..8),
        kind in prop_oneof![Just(Kind::Urlencoded), Just(Kind::Plain), Just(Kind::Multipart)],
        framed in any::<bool>(),
    ) {
        let body = if kind == Kind::Multipart && framed {
            let parts: Vec<_> = pieces.iter().map(|piece| ("name=\"a\"", piece.as_str())).collect();
            multipart(&parts)
        } else {
            pieces.concat().into_bytes()
        };
        let whole = read(kind, MULTIPART, &[&body]);
        let chunked = read(kind, MULTIPART, &cut(&body, &cuts));
        match (whole, chunked) {
            (Ok(whole), Ok(chunked)) => {
                prop_assert_eq!(&whole.bytes, &body);
                prop_assert_eq!(whole, chunked);
            }
            (whole, chunked) => prop_assert_eq!(whole.is_err(), chunked.is_err()),
        }
    }

    #[test]
    fn putting_in_the_same_value_changes_nothing(
        value in "[a-z0-9/+=_ -]{0,40}", other in "[a-zA-Z0-9%&=+]{0,40}", size in 1usize..50,
    ) {
        let encoded: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let shouted = encoded.replace("%2F", "%2f");
        let body = format!("t={shouted}&{other}");
        let got = swapped(Kind::Urlencoded, "", body.as_bytes(), size, &[("t", &value)]);
        // `other` may name `t` too, with another value: then there is something to change.
        prop_assume!(!other.split('&').any(|pair| pair.starts_with("t=")));
        prop_assert_eq!(got, body.into_bytes());
        let body = multipart(&[("name=\"t\"", &value), ("name=\"o\"", &other)]);
        prop_assert_eq!(swapped(Kind::Multipart, MULTIPART, &body, size, &[("t", &value)]), body);
    }

    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..400), at in any::<usize>()) {
        for kind in [Kind::Urlencoded, Kind::Plain, Kind::Multipart] {
            let _ = read(kind, MULTIPART, &cut(&body, &[at]));
        }
        let mut framed = b"------WebKitFormBoundary7MA4YWxk\r\n".to_vec();
        framed.extend_from_slice(&body);
        let _ = read(Kind::Multipart, MULTIPART, &[&framed]);
        let head = format!("Content-Disposition: form-data; {}\r\n\r\n", String::from_utf8_lossy(&body));
        let framed = [b"------WebKitFormBoundary7MA4YWxk\r\n", head.as_bytes()].concat();
        let _ = read(Kind::Multipart, MULTIPART, &[&framed]);
    }
}
