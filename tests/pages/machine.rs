//! Answers for machines: they parse, they say what is known, and hostile words stay inside.

use intermission::pages::{Lang, Notice, Pages, sample};
use serde_json::Value;

#[test]
fn problem_details_tell_a_program_when_to_come_back() {
    let pages = Pages::builtin();
    let notices = sample::notices();
    let timed = &notices[0];
    for notice in &notices {
        let closed = pages.closed(notice);
        for (lang, page) in Lang::ALL.map(|lang| (lang, closed.of(lang))) {
            let problem: Value = serde_json::from_slice(&page.problem).expect("JSON");
            assert_eq!(problem["type"], "tag:intermission,2026:closed");
            assert_eq!(problem["status"], 503);
            assert_eq!(problem["saved"], false);
            assert_eq!(problem["window"], notice.window.to_string());
            assert_eq!(problem["scope"]["service"], "Claims");
            assert_eq!(problem["state"], notice.stage.name());
            let impact = problem["impact"].as_str().unwrap_or_default();
            assert_eq!(impact, notice.words.impact);
            let phase = notice.phase.as_ref().map(|phase| phase.number.into());
            assert_eq!(problem["phase"].get("number").cloned(), phase);
            let maintenance = notice.maintenance.map(|id| Value::from(id.to_string()));
            assert_eq!(problem.get("maintenance").cloned(), maintenance);
            assert_eq!(problem["started_at"], "2026-11-21T14:02:00Z");
            match notice.until {
                Some(_) => assert_eq!(problem["ends_at"], "2026-11-21T16:00:00Z"),
                None => assert_eq!(problem["ends_at"], Value::Null),
            }
            let text = std::str::from_utf8(&page.text).expect("UTF-8");
            assert_eq!(text.lines().count(), 2, "{lang:?} {text}");
            assert_eq!(text.contains("UTC"), notice.until.is_some(), "{lang:?} {text}");
            assert_eq!(page.language, lang.tag());
        }
    }
    let english = |notice| String::from_utf8(pages.closed(notice).of(Lang::En).text.to_vec());
    assert_eq!(
        english(timed).expect("UTF-8"),
        "Claims is unavailable\nExpected back: Saturday 21 November at 16:00 UTC\n"
    );
}

#[test]
fn hostile_words_stay_inside_of_their_format() {
    let hostile = "<script>\"\\\r\nSet-Cookie: x=1\u{7}% é日本\u{202e}";
    let notice = Notice { service: hostile.to_owned(), ..sample::notices().remove(0) };
    let closed = Pages::builtin().closed(&notice);
    for page in Lang::ALL.map(|lang| closed.of(lang)) {
        let problem: Value = serde_json::from_slice(&page.problem).expect("JSON");
        assert_eq!(problem["scope"]["service"], hostile);
        assert!(!page.problem.contains(&b'<'), "a sniffing client would see an element");
        let text = std::str::from_utf8(&page.text).expect("UTF-8");
        assert_eq!(text.lines().count(), 2, "{text}");
        let message = page.grpc_message.to_str().expect("visible ASCII");
        assert!(message.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{message}");
        let decoded = percent_encoding::percent_decode_str(message).decode_utf8().expect("UTF-8");
        assert!(decoded.contains("% é日本") && !decoded.contains('\n'), "{decoded}");
        assert!(page.csp.to_str().is_ok());
    }
}
