//! Whatever operators and visitors write, it adds no element and no attribute to a page.

use intermission::pages::{
    FieldKind, Lang, ListView, News, Notice, Pages, PhaseNotice, ReceiptState, ReceiptView, Words,
    sample,
};
use lol_html::{RewriteStrSettings, element, rewrite_str};

const HOSTILE: [&str; 7] = [
    "\"><img src=x onerror=alert(1)>",
    "'><script>alert(1)</script>",
    "</script><svg onload=alert(1)>",
    "</style><link rel=stylesheet href=//evil.example>",
    "</title><meta http-equiv=refresh content=0>",
    "{{ view.page_token }}{% include 'x' %}{time}",
    "javascript:alert(1) data:text/html,<b> <!--",
];

/// Every element with its attributes' names, as an HTML parser sees them.
pub(super) fn bones(html: &[u8]) -> Vec<String> {
    let html = std::str::from_utf8(html).expect("UTF-8");
    let seen = std::cell::RefCell::new(Vec::new());
    let note = element!("*", |found| {
        let attributes = found.attributes().iter().map(|a| a.name()).collect::<Vec<_>>();
        seen.borrow_mut().push(format!("{} {}", found.tag_name(), attributes.join(" ")));
        Ok(())
    });
    let settings = RewriteStrSettings::new().append_element_content_handler(note);
    rewrite_str(html, settings).expect("HTML");
    seen.into_inner()
}

fn notice(words: &str) -> Notice {
    let words = words.to_owned();
    let notice = sample::notices().remove(0);
    Notice {
        service: words.clone(),
        operator: words.clone(),
        phase: Some(PhaseNotice { number: 1, name: words.clone() }),
        updates: vec![News { at: notice.since, text: words.clone() }],
        words: Words {
            title: words.clone(),
            reason: words.clone(),
            message: words.clone(),
            impact: words.clone(),
            benefit: words.clone(),
            contact: words.clone(),
            alternative: words,
        },
        ..notice
    }
}

fn receipt(words: &str, state: ReceiptState) -> ReceiptView {
    let text = words.to_owned();
    let mut view = sample::receipt(state);
    for field in &mut view.fields {
        field.name = text.clone();
        // An empty value is shown as such, which is another shape.
        field.value = text.clone();
        if let FieldKind::File { file, .. } = &mut field.kind {
            *file = text.clone();
        }
    }
    ReceiptView {
        reference: text.clone(),
        service: text.clone(),
        path: text.clone(),
        page_token: text.clone(),
        ticket: text.clone(),
        operator: text.clone(),
        contact: text,
        ..view
    }
}

fn list(words: &str) -> ListView {
    let mut view = sample::lists().remove(0);
    for item in &mut view.items {
        item.service = words.to_owned();
        item.reference = words.to_owned();
    }
    ListView { operator: words.to_owned(), ..view }
}

#[test]
fn hostile_words_add_nothing_to_a_page() {
    let pages = Pages::builtin();
    let all = |lang, words: &str| {
        let notice = notice(words);
        let mut all = vec![
            bones(&pages.closed(&notice).of(lang).html),
            bones(&pages.not_kept(lang, &notice, words).html),
            bones(&pages.list(lang, &list(words)).html),
        ];
        let receipt = |state| bones(&pages.receipt(lang, &receipt(words, state)).html);
        all.extend(ReceiptState::ALL.into_iter().map(receipt));
        all
    };
    for lang in [Lang::En, Lang::Ar] {
        let calm = all(lang, "words");
        for words in HOSTILE {
            assert_eq!(all(lang, words), calm, "{lang:?} {words}");
        }
    }
}

#[test]
fn hostile_words_are_shown_as_they_were_typed() {
    let pages = Pages::builtin();
    for words in HOSTILE {
        let page = pages.receipt(Lang::En, &receipt(words, ReceiptState::Held));
        let html = std::str::from_utf8(&page.html).expect("UTF-8");
        assert!(html_escape::decode_html_entities(html).matches(words).count() > 10, "{words}");
    }
}

#[test]
fn a_sign_in_path_leads_nowhere_else() {
    let pages = Pages::builtin();
    let page = |path: &str| {
        let sign_in = Some(path.to_owned());
        let view = ReceiptView { sign_in, ..sample::receipt(ReceiptState::Refused) };
        String::from_utf8(pages.receipt(Lang::En, &view).html.to_vec()).expect("UTF-8")
    };
    assert!(page("/login").contains("href=\"&#x2f;login\""), "{}", page("/login"));
    for path in
        ["//evil.example/", "https://evil.example/", "javascript:alert(1)", "/\\evil.example"]
    {
        assert!(!page(path).contains("target="), "{path}");
    }
}

#[test]
fn neither_answers_nor_tokens_are_printed_by_debug() {
    let printed = format!("{:?}", receipt("geheim", ReceiptState::Held));
    assert!(!printed.contains("geheim"), "{printed}");
}
