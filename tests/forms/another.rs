//! Somebody else has signed in since a form was kept.

use super::stage::{Browser, Stage};
use crate::support::origin::Origin;

const WHO: &str = "resume = \"replay\"\nsession_cookies = [\"user\"]";
const MINE: &str = "?note=another&mine=yes";

fn signed_in(browser: &mut Browser, user: &str) {
    browser.cookies.insert("user".into(), user.into());
}

/// A form that Ana has left at a place that is open again.
fn left_by_ana(forms: &str) -> (Stage, Browser, String) {
    let stage = Stage::with_forms(Origin::replying("taken"), forms);
    let mut browser = stage.browser();
    signed_in(&mut browser, "CANARYana");
    stage.close();
    let receipt = browser.save("/claims", "story=rear-ended");
    stage.reopen();
    (stage, browser, receipt)
}

#[test]
fn whoever_is_signed_in_as_another_sees_and_sends_nothing_unasked() {
    let (mut stage, mut browser, receipt) = left_by_ana(WHO);
    let own = browser.get(&receipt).text();
    assert!(own.contains("rear-ended") && !own.contains("signed in differently"), "{own}");
    signed_in(&mut browser, "bea");
    let page = browser.get(&receipt);
    assert_eq!((page.status(), page.field("intermission-state")), (200, Some("held")));
    let page = page.text();
    assert!(page.contains("signed in differently"), "{page}");
    for concealed in ["rear-ended", "intermission_ticket", "/refill", "/data", "/discard"] {
        assert!(!page.replace("&#x2f;", "/").contains(concealed), "{concealed}: {page}");
    }
    let mine = format!("{receipt}{MINE}");
    let page = browser.get(&mine).text();
    assert!(page.contains("rear-ended") && page.contains("signed in differently"), "{page}");
    assert!(page.contains("name=\"mine\" value=\"yes\" required"), "{page}");
    // Without that word nothing is sent.
    let form = browser.form(&mine);
    let (target, form) = browser.press(&receipt, &form);
    let back = browser.post(&target, &form);
    let note = format!("{receipt}?note=another");
    assert_eq!((back.status(), back.field("location")), (303, Some(note.as_str())));
    assert_eq!(stage.origin.requests().len(), 0);
    assert_eq!(browser.state(&receipt), "held");
    let form = browser.form(&mine) + "&mine=yes";
    let (target, form) = browser.press(&receipt, &form);
    assert_eq!(browser.post(&target, &form).text(), "taken");
    assert_eq!(browser.state(&receipt), "accepted");
    stage.stop();
    assert!(!stage.stores("CANARYana"), "who it was is not kept");
}

#[test]
fn a_cookie_that_the_receipt_does_not_see_is_looked_at_where_the_form_goes() {
    let (stage, mut browser, receipt) = left_by_ana(WHO);
    // Of another path: the receipt never gets it.
    browser.cookies.remove("user");
    let page = browser.get(&receipt).text();
    assert!(page.contains("rear-ended") && !page.contains("signed in differently"), "{page}");
    let form = browser.form(&receipt);
    let (target, form) = browser.press(&receipt, &form);
    let mut there = browser.clone();
    signed_in(&mut there, "bea");
    let note = format!("{receipt}?note=another");
    assert_eq!(there.post(&target, &form).field("location"), Some(note.as_str()));
    assert_eq!(stage.origin.requests().len(), 0);
    let told = browser.get(&note).text();
    assert!(told.contains("signed in differently") && !told.contains("rear-ended"), "{told}");
    assert!(told.contains("note=another&amp;mine=yes"), "the way on keeps the word: {told}");
    let form = browser.form(&format!("{receipt}{MINE}")) + "&mine=yes";
    let (target, form) = browser.press(&receipt, &form);
    assert_eq!(there.post(&target, &form).text(), "taken");
}

#[test]
fn nobody_is_asked_who_is_the_same_or_of_whom_nothing_is_known() {
    // The same, signed out, and a route that looks at no cookie.
    let plain = "resume = \"replay\"";
    for (forms, user) in [(WHO, Some("CANARYana")), (WHO, None), (plain, Some("bea"))] {
        let (_stage, mut browser, receipt) = left_by_ana(forms);
        match user {
            Some(user) => signed_in(&mut browser, user),
            None => drop(browser.cookies.remove("user")),
        }
        assert!(!browser.get(&receipt).text().contains("signed in differently"), "{user:?}");
        assert_eq!(browser.send(&receipt).text(), "taken", "{user:?}");
    }
    // Whoever was not signed in then, and is now, may be another.
    let stage = Stage::with_forms(Origin::replying("taken"), WHO);
    let mut browser = stage.browser();
    stage.close();
    let receipt = browser.save("/claims", "story=rear-ended");
    stage.reopen();
    signed_in(&mut browser, "bea");
    assert!(browser.get(&receipt).text().contains("signed in differently"));
}
