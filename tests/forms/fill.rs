//! Answers put back into the form of a page: which form, which fields, and never anything else.

use intermission::inject::fill::{Answer, Fill, Given, Outcome, Wanted};

const PAGE: &str = "https://example.org/claims/new?step=2";

fn answers(pairs: &[(&str, &str)]) -> Vec<Answer> {
    let answer = |(name, value): &(&str, &str)| Answer {
        name: (*name).to_owned(),
        given: match value.strip_prefix("file:") {
            Some(file) => Given::File(file.to_owned()),
            None => Given::Text((*value).to_owned()),
        },
    };
    pairs.iter().map(answer).collect()
}

/// What stands where the note would: how many were placed, what is left, which files.
fn told(outcome: &Outcome) -> String {
    let left: Vec<_> = outcome.left.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("[{}|{}|{}]", outcome.placed, left.join("&"), outcome.files.join("&"))
}

fn filled_in(target: &str, page: &str, answers: Vec<Answer>, piece: usize) -> String {
    let target = format!("https://example.org{target}");
    let wanted = Wanted { page: PAGE.to_owned(), target, answers };
    let mut fill = Fill::new(wanted, Box::new(told));
    let mut out = Vec::new();
    page.as_bytes().chunks(piece).for_each(|piece| fill.push(piece, &mut out));
    fill.finish(&mut out);
    String::from_utf8(out).expect("text")
}

#[track_caller]
fn filled(page: &str, pairs: &[(&str, &str)]) -> String {
    let whole = filled_in("/claims", page, answers(pairs), usize::MAX);
    assert_eq!(filled_in("/claims", page, answers(pairs), 3), whole, "in pieces");
    whole
}

/// A form that goes where the answers went.
fn form(inner: &str) -> String {
    format!("<form action=\"/claims\" method=\"post\">{inner}</form>")
}

#[track_caller]
fn assert_filled(inner: &str, pairs: &[(&str, &str)], told: &str, becomes: &str) {
    let placed = told.trim_start_matches('[').split('|').next().expect("a number");
    let head = format!("<form action=\"/claims\" method=\"post\" data-im-filled=\"{placed}\">");
    assert_eq!(filled(&form(inner), pairs), format!("{told}{head}{becomes}</form>"));
}

#[test]
fn lines_and_texts_take_what_was_typed() {
    assert_filled(
        r#"<input name="name" value="old"><input name=mail type=email><textarea name="story">old</textarea>"#,
        &[("name", "Ana \"<b>\" & é"), ("mail", "a@b.c"), ("story", "one\r\n</textarea>two")],
        "[3||]",
        "<input name=\"name\" value=\"Ana &quot;&lt;b&gt;&quot; &amp; &#xe9;\">\
         <input name=mail type=email value=\"a@b.c\">\
         <textarea name=\"story\">\none\r\n&lt;/textarea&gt;two</textarea>",
    );
}

#[test]
fn fields_of_one_name_take_their_answers_in_order() {
    assert_filled(
        r#"<input name="tag"><input name="tag"><input name="tag" value="third">"#,
        &[("tag", "a"), ("tag", "b")],
        "[2||]",
        r#"<input name="tag" value="a"><input name="tag" value="b"><input name="tag" value="third">"#,
    );
}

#[test]
fn boxes_are_as_they_were_sent_and_not_as_the_page_has_them() {
    assert_filled(
        r#"<input type=checkbox name=a checked><input type=checkbox name=b value=1>
           <input type=checkbox name=b value=2 checked><input type=radio name=r value=x checked>
           <input type=radio name=r value=y><input type=radio name=new value=z checked>"#,
        &[("b", "1"), ("r", "y")],
        "[2||]",
        r#"<input type=checkbox name=a><input type=checkbox name=b value=1 checked="">
           <input type=checkbox name=b value=2><input type=radio name=r value=x>
           <input type=radio name=r value=y checked=""><input type=radio name=new value=z checked>"#,
    );
}

#[test]
fn a_hidden_twin_of_a_box_is_the_forms_own() {
    assert_filled(
        r#"<input type=hidden name=a value=0><input type=checkbox name=a value=1 checked>"#,
        &[("a", "0")],
        "[0||]",
        r#"<input type=hidden name=a value=0><input type=checkbox name=a value=1>"#,
    );
}

#[test]
fn options_are_chosen_by_value_or_by_text() {
    assert_filled(
        "<select name=s><option value=1 selected>One<option value=2>Two</select>\
         <select name=t><option selected>One &amp;  all</option><option>Tw&eacute;\n o</option></select>\
         <select name=m multiple><option selected>a<option>b<option>c</select>\
         <select name=n multiple><option selected>a</select><select name=o><option>x<option selected>y</select>",
        &[("s", "2"), ("t", "Twé o"), ("m", "b"), ("m", "c"), ("gone", "1"), ("o", "z")],
        "[4|gone=1&o=z|]",
        "<select name=s><option value=1>One<option value=2 selected=\"\">Two</select>\
         <select name=t><option>One &amp;  all</option><option selected=\"\">Tw&eacute;\n o</option></select>\
         <select name=m multiple><option>a<option selected=\"\">b<option selected=\"\">c</select>\
         <select name=n multiple><option>a</select><select name=o><option>x<option selected>y</select>",
    );
}

#[test]
fn what_is_not_the_visitors_is_never_filled() {
    let inner = r#"<input type=hidden name=version value=7><input type=password name=p>
        <input name=card autocomplete="section-a cc-number"><input name=fixed value=1 readonly>
        <input name=off disabled><input type=file name=photo><input type=submit name=go value="Save it">
        <button name=also value="Add one">Add</button>"#;
    assert_filled(
        inner,
        &[
            ("version", "6"),
            ("p", "secret"),
            ("card", "4111"),
            ("fixed", "2"),
            ("off", "x"),
            ("photo", "file:wing.jpg"),
            ("empty", "file:"),
            ("go", "Save it"),
            ("also", "Add one"),
        ],
        "[0|p=secret&card=4111|wing.jpg]",
        inner,
    );
}

#[test]
fn words_that_an_editor_kept_in_a_hidden_field_are_not_lost() {
    assert_filled(
        "<input type=hidden name=body value=''>",
        &[("body", "<p>Dear all</p>")],
        "[0|body=<p>Dear all</p>|]",
        "<input type=hidden name=body value=''>",
    );
}

#[test]
fn a_line_that_cannot_hold_a_text_is_not_given_half_of_it() {
    assert_filled(
        "<input name=story>",
        &[("story", "one\ntwo")],
        "[0|story=one\ntwo|]",
        "<input name=story>",
    );
    let part = vec![Answer { name: "story".into(), given: Given::Part("begin".into()) }];
    let page = form("<textarea name=story></textarea>");
    let got = filled_in("/claims", &page, part, 64);
    assert!(
        got.starts_with("[0|story=begin|]") && got.contains("<textarea name=story></te"),
        "{got}"
    );
}

#[test]
fn the_form_is_the_one_that_goes_there() {
    let page = r#"<body><form action="/search"><input name=name></form>
        <form action="other" method=post><input name=name></form>
        <form method=post id=f><input name=x></form><input name=name form=f></body>"#;
    let got = filled_in("/claims/new?step=2", page, answers(&[("name", "Ana")]), 9);
    assert!(got.contains("<input name=name form=f value=\"Ana\">"), "{got}");
    assert_eq!(got.matches("value=\"Ana\"").count(), 1, "{got}");
    let based = r#"<base href="/app/"><form action="save" method=post><input name=a></form>"#;
    let got = filled_in("/app/save", based, answers(&[("a", "1")]), 9);
    assert!(got.contains("value=\"1\""), "{got}");
    let button = r#"<form action="/x" method=post><input name=a><button formaction="/claims">Go</button></form>"#;
    assert!(filled(button, &[("a", "1")]).contains("value=\"1\""));
}

#[test]
fn of_several_forms_that_go_there_the_row_with_the_same_number_is_meant() {
    let row = |id: u8| form(&format!("<input type=hidden name=id value={id}><input name=text>"));
    let page = [row(1), row(2), row(3)].concat();
    let got = filled(&page, &[("id", "2"), ("text", "mine")]);
    let at = got.find("value=\"mine\"").expect("filled");
    assert!(got.find("value=2").expect("row 2") < at && at < got.find("value=3").expect("row 3"));
}

#[test]
fn a_form_that_moved_is_known_by_its_names() {
    let moved = r#"<form action="/v2/claims" method=post><input name=a><input name=b></form>"#;
    let login = r#"<form action="/login" method=post><input name=a><input name=b><input type=password name=p></form>"#;
    let pairs = [("a", "1"), ("b", "2"), ("c", "3")];
    let got = filled(&format!("{login}{moved}"), &pairs);
    assert!(got.contains("[2|c=3|]<form action=\"/v2/claims\""), "{got}");
    assert!(!got[..got.find("[2|").expect("a note")].contains("value="), "{got}");
    let two = filled(&format!("<html><body class=x>{moved}{moved}</body>"), &pairs);
    assert!(
        two.contains("<body class=x>[0|a=1&b=2&c=3|]<form") && !two.contains("value="),
        "{two}"
    );
    assert!(filled("<p>gone", &pairs).ends_with("<p>gone[0|a=1&b=2&c=3|]"));
}

#[test]
fn a_page_that_is_too_long_passes_as_it_is() {
    let page = format!("{}{}", form("<input name=a>"), "x".repeat(2 * 1024 * 1024));
    assert_eq!(filled_in("/claims", &page, answers(&[("a", "1")]), 65_536), page);
}

#[test]
fn bytes_of_another_encoding_pass_untouched() {
    let page =
        [&form("<input name=a title='\0'>").into_bytes()[..], b"\xe9\xff\x80 caf\xe9"].concat();
    let wanted = Wanted {
        page: PAGE.into(),
        target: "https://example.org/claims".into(),
        answers: answers(&[("a", "é")]),
    };
    let mut fill = Fill::new(wanted, Box::new(|_| "“".to_owned()));
    let mut out = Vec::new();
    fill.push(&page, &mut out);
    fill.finish(&mut out);
    assert!(out.starts_with(b"&#x201c;<form"), "{}", String::from_utf8_lossy(&out));
    assert!(out.ends_with(b"value=\"&#xe9;\"></form>\xe9\xff\x80 caf\xe9"), "{out:?}");
}
