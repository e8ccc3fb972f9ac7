//! The receipt without any script: which forms it holds, and that it claims no more than is true.

use std::sync::LazyLock;

use intermission::pages::{Lang, Mode, Pages, ReceiptState, ReceiptView, sample};

fn page(view: &ReceiptView) -> String {
    static PAGES: LazyLock<Pages> = LazyLock::new(Pages::builtin);
    let page = PAGES.receipt(Lang::En, view);
    String::from_utf8(page.html.to_vec()).expect("UTF-8")
}

/// The names of the inputs of the form that posts to this action, in order.
fn inputs(html: &str, action: &str) -> Option<Vec<String>> {
    let start = html.find(&format!("/{action}\">"))?;
    let form = html[start..].split_once("</form>").expect("closed").0;
    let names = form.split(" name=\"").skip(1);
    Some(names.map(|rest| rest.split_once('"').expect("quoted").0.to_owned()).collect())
}

#[test]
fn send_carries_ticket_token_and_mode_in_this_order() {
    let html = page(&sample::receipt(ReceiptState::Held));
    let order = ["intermission_ticket", "im_csrf", "mode"].map(str::to_owned);
    assert_eq!(inputs(&html, "resume").expect("a form"), order);
    assert!(html.contains("name=\"mode\" value=\"confirm\""), "{html}");
    assert!(html.contains("Not sent yet. Your answers will be sent once, when you press Send."));
    let id = sample::receipt(ReceiptState::Held).id;
    let action = format!("<form method=\"post\" action=\"/.intermission/s/{id}/resume\">");
    assert!(html.replace("&#x2f;", "/").contains(&action), "{html}");
}

#[test]
fn unknown_is_sent_again_only_after_the_visitor_says_that_they_checked() {
    let html = page(&sample::receipt(ReceiptState::Unknown));
    let order = ["intermission_ticket", "im_csrf", "mode", "checked"].map(str::to_owned);
    assert_eq!(inputs(&html, "resume").expect("a form"), order);
    assert!(html.contains("type=\"checkbox\" name=\"checked\" value=\"yes\" required"), "{html}");
    assert!(html.contains("may or may not have arrived"), "{html}");
}

#[test]
fn send_is_offered_only_when_it_can_work() {
    for state in ReceiptState::ALL {
        let open = sample::receipt(state);
        let rests = [ReceiptState::Held, ReceiptState::Refused, ReceiptState::Unknown];
        let may = rests.contains(&state);
        assert_eq!(inputs(&page(&open), "resume").is_some(), may, "{state:?}");
        let closed = ReceiptView { window_closed: true, ..open.clone() };
        let copy = ReceiptView { mode: Mode::Copy, ..open.clone() };
        let spent = ReceiptView { ticket: String::new(), ..open.clone() };
        for view in [closed, copy, spent] {
            assert_eq!(inputs(&page(&view), "resume"), None, "{state:?}");
            assert!(!page(&view).contains("value=\"ticket\""), "{state:?}");
        }
        let keeps = state.keeps_answers();
        assert_eq!(page(&open).contains("EX-204-117"), keeps, "{state:?}");
        assert_eq!(page(&open).contains("/data\""), keeps, "{state:?}");
        let busy = [ReceiptState::Armed, ReceiptState::Sending].contains(&state);
        assert_eq!(inputs(&page(&open), "discard").is_some(), keeps && !busy, "{state:?}");
        let done = inputs(&page(&open), "done").is_some();
        assert_eq!(done, state == ReceiptState::Accepted, "{state:?}");
    }
}

#[test]
fn what_was_refused_is_never_offered_as_the_same_bytes() {
    let refused = sample::receipt(ReceiptState::Refused);
    for answer in [400, 403, 419] {
        let view = ReceiptView { answer: Some(answer), mode: Mode::Replay, ..refused.clone() };
        let html = page(&view);
        assert!(html.contains("value=\"confirm\"") && html.contains("expired"), "{answer}");
    }
    let view = ReceiptView { answer: Some(422), ..refused.clone() };
    assert!(page(&view).contains("may be refused again") && !page(&view).contains("expired"));
    let sign_in = Some("/login".to_owned());
    let html = page(&ReceiptView { answer: Some(302), sign_in, ..refused });
    assert!(html.contains("sign in first") && html.contains("target=\"_blank\""), "{html}");
}

#[test]
fn only_what_was_accepted_is_called_sent() {
    for state in ReceiptState::ALL {
        let closed = ReceiptView { window_closed: true, ..sample::receipt(state) };
        for view in [closed, sample::receipt(state)] {
            let html = page(&view);
            let title = html.split_once("<h1>").expect("h1").1.split_once("</h1>").expect("h1").0;
            let sent = title.contains("sent") && !title.contains("not sent");
            assert_eq!(sent, state == ReceiptState::Accepted, "{title}");
            if !state.keeps_answers() {
                assert!(!title.contains("are saved"), "{title}");
            }
        }
    }
}

#[test]
fn while_closed_it_says_when_and_can_be_checked_without_a_script() {
    let view = sample::receipts().remove(0);
    let html = page(&view);
    let until = view.until.expect("an end").rfc3339();
    assert!(html.contains(&format!("<time datetime=\"{until}\">")), "{html}");
    assert!(html.contains("href=\"\"") && html.contains("UTC</time>"), "{html}");
    assert!(html.contains("data-path=\"&#x2f;claims&#x2f;new\""), "{html}");
}
