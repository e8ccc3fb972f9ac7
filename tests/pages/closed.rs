//! What a closed page tells of a window, and in whose words.

use intermission::clock::Wall;
use intermission::pages::{Lang, News, Notice, Pages, Stage, Words, sample};

fn html(notice: &Notice, lang: Lang) -> String {
    let closed = Pages::builtin().closed(notice);
    String::from_utf8(closed.of(lang).html.to_vec()).expect("text")
}

#[test]
fn everything_that_the_operator_says_is_told() {
    let notice = sample::notices().remove(0);
    let Words { title, reason, message, impact, benefit, contact: _, alternative: _ } =
        &notice.words;
    for lang in Lang::ALL {
        let page = html(&notice, lang);
        for words in [title, reason, message, impact, benefit] {
            assert!(page.contains(words.as_str()), "{lang:?}: {words}");
        }
        for contact in ["0800 555 0100", "mailto:help@example.com", "https://example.com/roadside"]
        {
            assert!(page.contains(contact), "{lang:?}: {contact}");
        }
        let at = |news: &News| page.find(&news.text).expect("an update");
        assert!(at(&notice.updates[0]) < at(&notice.updates[1]), "the newest first");
    }
    assert!(html(&notice, Lang::En).contains("no longer than <bdi>1 h 15 min</bdi>"));
    let bare = html(&sample::notices()[1], Lang::En);
    for heading in ["What does not work", "What will be better", "Latest news", "no longer than"] {
        assert!(!bare.contains(heading), "{heading} about nothing");
    }
}

#[test]
fn translated_words_are_told_in_the_language_of_the_page() {
    let said = |reason: &str| Words { reason: reason.to_owned(), ..Words::default() };
    let languages = [("fr", "Nouvelle base"), ("pt-BR", "Novo banco"), ("de-CH", "Grüezi")];
    let languages = languages.map(|(tag, reason)| (tag.to_owned(), said(reason)));
    let mut notice = sample::notices().remove(0);
    notice.words = said("A new database");
    notice.languages = languages.into();
    notice.languages.insert("de".to_owned(), said("Neue Datenbank"));
    let told = [
        (Lang::En, "A new database"),
        (Lang::Fr, "Nouvelle base"),
        (Lang::Pt, "Novo banco"),
        (Lang::De, "Neue Datenbank"),
        (Lang::Ja, "A new database"),
    ];
    for (lang, reason) in told {
        assert!(html(&notice, lang).contains(reason), "{lang:?}");
        let page = Pages::builtin().not_kept(lang, &notice, "size");
        assert!(String::from_utf8_lossy(&page.html).contains(reason), "{lang:?}");
    }
}

#[test]
fn each_stage_has_its_words_and_promises_nothing_that_nobody_knows() {
    let bare = sample::notices().remove(1);
    let until = Some(Wall::parse("2026-11-21T16:00:00Z").expect("an instant"));
    for (stage, words) in [
        (Stage::Closed, "We do not know yet when"),
        (Stage::Overrun, "This is taking longer than we expected."),
        (Stage::Verifying, "We are checking that everything is well"),
        (Stage::Reopening, "for a few visitors at a time"),
    ] {
        let page =
            html(&Notice { stage, overrun: stage == Stage::Overrun, ..bare.clone() }, Lang::En);
        let shown = page.split("data-unknown>").nth(1).expect("shown, not hidden");
        assert!(shown.contains(words), "{stage:?}");
        assert!(page.contains("<div data-until hidden>"), "{stage:?}");
        let promised = html(&Notice { stage, until, ..bare.clone() }, Lang::En);
        assert!(promised.contains("Saturday 21 November at 16:00 UTC"), "{stage:?}");
    }
    let verifying = Notice { stage: Stage::Verifying, until, ..bare };
    let page = html(&verifying, Lang::En);
    let visible = page.split("data-unknown hidden>").nth(1).expect("hidden");
    assert!(visible.split("</p>").nth(1).expect("more").contains("We are checking"));
}
