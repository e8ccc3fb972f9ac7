//! `kill -9` of the proxy at every moment of a submission's life, a hundred times.
//!
//! Whatever the moment: a receipt that a visitor saw has its submission behind it after the
//! restart, no body reaches the application twice, and what was on its way stays `unknown` until
//! the visitor says otherwise.

mod account;
mod node;
mod origin;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use intermission::cli::demo::visitor::{Enctype, Form, Page, Sender, Visitor};

use self::account::{Account, Entry};
use self::node::Node;
use self::origin::Origin;

/// Kills in all, in equal parts at each moment. `INTERMISSION_KILLS` asks for more or fewer.
const KILLS: usize = 108;
/// Visitors that press Send at once in a hurry.
const HURRY_VISITORS: usize = 6;
/// Visitors that send forms at once in a storm.
const STORM_VISITORS: usize = 3;
/// Forms of one visitor in a storm, below what one browser may hold.
const STORM_FORMS: usize = 12;

/// Bytes of an upload: many sealed frames, and more than the sockets' buffers hold.
const UPLOAD_BYTES: usize = 2_000_000;

/// When the proxy is killed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Moment {
    /// Half of the form has arrived.
    MidBody,
    /// The visitor has seen the 303.
    AfterReceipt,
    /// The visitor has seen the 307, and has not come back with the ticket.
    Armed,
    /// The application has the whole body and has not answered.
    Sending,
    /// Anywhere, while many forms arrive.
    Storm,
    /// Anywhere, while many visitors press Send.
    Hurry,
}

const MOMENTS: [Moment; 6] = [
    Moment::MidBody,
    Moment::AfterReceipt,
    Moment::Armed,
    Moment::Sending,
    Moment::Storm,
    Moment::Hurry,
];

/// A form that was sent, and who sent it.
#[derive(Clone)]
struct Kept {
    mark: String,
    visitor: Visitor,
    receipt: String,
}

#[test]
fn no_receipt_without_its_submission_and_no_body_twice_whenever_the_proxy_is_killed() {
    let kills = std::env::var("INTERMISSION_KILLS").ok().and_then(|kills| kills.parse().ok());
    let account = Account::default();
    let origin = Origin::start(account.clone());
    let mut node = Node::start(origin.address());
    let mut kept = Vec::new();
    let mut done = 0;
    for round in 0..kills.unwrap_or(KILLS) {
        let moment = MOMENTS[round % MOMENTS.len()];
        kept.extend(match moment {
            Moment::MidBody => mid_body(&mut node, round),
            Moment::AfterReceipt => after_receipt(&mut node, &account, round),
            Moment::Armed => armed(&mut node, &account, round),
            Moment::Sending => sending(&mut node, &account, &origin, round),
            Moment::Storm => storm(&mut node, &account, round),
            Moment::Hurry => hurry(&mut node, &account, round),
        });
        done += 1;
    }
    // Every receipt that was ever shown, once more, after all those kills.
    for Kept { mark, visitor, receipt } in &mut kept {
        let page = visitor.open(receipt).expect("an answer");
        if page.answer.status == 200 && page.answer.text().contains(mark.as_str()) {
            account.enter(Entry::Readable(mark.clone()));
        }
    }
    let faults = account.faults();
    assert!(faults.is_empty(), "after {done} kills: {faults:#?}");
    let receipts = account.count(|entry| matches!(entry, Entry::Receipt(_)));
    let arrived = account.count(|entry| matches!(entry, Entry::Arrived(_)));
    println!("{done} kills, {receipts} receipts, {arrived} bodies at the application, no fault");
    assert!(receipts >= done / 2, "only {receipts} receipts: the rounds proved little");
}

/// Nothing was promised, and nothing must be there.
fn mid_body(node: &mut Node, round: usize) -> Vec<Kept> {
    node.close();
    let mut visitor = node.visitor();
    let request = visitor.post("/form", &small_or_upload(round), Sender::SameOrigin);
    let half = request.body.len() / 2;
    let unfinished = node.write(&[request.head(), request.body[..half].to_vec()].concat());
    if request.body.len() > UPLOAD_BYTES {
        node::wait_for("frames of half an upload on disk", || node.stray_frames() >= 8);
    } else {
        node.wait_until_busy_with(&unfinished);
    }
    node.kill_and_start();
    let list = visitor.open("/.intermission/s").expect("the list");
    assert!(!list.answer.text().contains("/.intermission/s/"), "half a form was kept");
    assert_eq!(node.stray_frames(), 0, "its frames are still there");
    Vec::new()
}

/// The promise stands.
fn after_receipt(node: &mut Node, account: &Account, round: usize) -> Vec<Kept> {
    node.close();
    let visitor = node.visitor();
    let kept = keep_form(visitor, account, mark(round, 0), &small_or_upload(round));
    let kept = kept.expect("a receipt");
    node.kill_and_start();
    must_be(&kept, "held");
    vec![kept]
}

/// Nothing was sent; the old ticket is void or good for one send, and a new press sends once.
fn armed(node: &mut Node, account: &Account, round: usize) -> Vec<Kept> {
    node.close();
    let mut kept = keep(node, account, mark(round, 0)).expect("a receipt");
    node.reopen();
    let (page, send) = send_form(&mut kept);
    account.enter(Entry::Pressed(kept.mark.clone()));
    let press = kept.visitor.post(&page.at, &send, Sender::SameOrigin);
    let answer = kept.visitor.send(&press).expect("the 307");
    assert_eq!(answer.status, 307, "{}", answer.text());
    node.kill_and_start();

    let target = answer.header("location").expect("a location").to_owned();
    let target = target.find("/form").map_or(target.as_str(), |at| &target[at..]);
    let ticket = kept.visitor.post_to(target, &page.at, &send, Sender::SameOrigin);
    let late = kept.visitor.send(&ticket).expect("an answer");
    if account.arrivals(&kept.mark) == 0 {
        let told = late.header("location").is_some_and(|to| *to == kept.receipt);
        assert!(told || late.status == 410, "a void ticket → {} {:?}", late.status, late.headers);
        let (page, send) = send_form(&mut kept);
        kept.visitor.submit(&page, &send).expect("sent");
    }
    assert_eq!(account.arrivals(&kept.mark), 1, "after the restart it goes on, once");
    // The ticket is used up whichever way it went.
    kept.visitor.send(&ticket).expect("an answer");
    assert_eq!(account.arrivals(&kept.mark), 1, "a ticket is good for one send");
    vec![kept]
}

/// It may have arrived, so nothing repeats it without the visitor's word.
fn sending(node: &mut Node, account: &Account, origin: &Origin, round: usize) -> Vec<Kept> {
    node.close();
    let mark = mark(round, 0);
    origin.stall(&mark);
    let mut kept = keep(node, account, mark).expect("a receipt");
    node.reopen();
    let (page, send) = send_form(&mut kept);
    account.enter(Entry::Pressed(kept.mark.clone()));
    let press = kept.visitor.post(&page.at, &send, Sender::SameOrigin);
    let answer = kept.visitor.send(&press).expect("the 307");
    assert_eq!(answer.status, 307, "{}", answer.text());
    let ticket = kept.visitor.post_to("/form", &page.at, &send, Sender::SameOrigin);
    let waiting = node.write(&[ticket.head(), ticket.body.clone()].concat());
    node::wait_for("the body at the application", || account.arrivals(&kept.mark) == 1);
    node.kill_and_start();
    drop(waiting);

    must_be(&kept, "unknown");
    kept.visitor.send(&ticket).expect("an answer");
    assert_eq!(account.arrivals(&kept.mark), 1, "an old ticket sends nothing");
    let (page, mut send) = send_form(&mut kept);
    send.fields.retain(|(name, _)| name != "checked");
    kept.visitor.submit(&page, &send).expect("an answer");
    assert_eq!(account.arrivals(&kept.mark), 1, "without the visitor's word nothing repeats");
    if round.is_multiple_of(2) {
        origin.answer(&kept.mark);
        let (page, send) = send_form(&mut kept);
        account.enter(Entry::Checked(kept.mark.clone()));
        kept.visitor.submit(&page, &send.with("checked", "yes")).expect("an answer");
        assert_eq!(account.arrivals(&kept.mark), 2, "with it, it goes once more");
    }
    vec![kept]
}

/// Many forms, killed anywhere: between the commit and the 303, between the 303 and its reader.
fn storm(node: &mut Node, account: &Account, round: usize) -> Vec<Kept> {
    node.close();
    let over = AtomicBool::new(false);
    let shared: &Node = node;
    let kept = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..STORM_VISITORS)
            .map(|at| {
                scope.spawn({
                    let over = &over;
                    move || hail(shared, account, round * 1_000 + at * 100, over)
                })
            })
            .collect();
        // SLEEP: the point is to strike at an arbitrary moment, so there is nothing to wait for.
        std::thread::sleep(Duration::from_millis(20 + (round as u64 * 37) % 180));
        shared.kill();
        over.store(true, Ordering::SeqCst);
        senders.into_iter().flat_map(|sender| sender.join().expect("a sender")).collect::<Vec<_>>()
    });
    node.start_again();
    for kept in &kept {
        must_be(kept, "held");
    }
    kept
}

/// Many presses of Send, killed anywhere: before the ticket, between the durable `sending` and the
/// application, between its answer and the note of it.
fn hurry(node: &mut Node, account: &Account, round: usize) -> Vec<Kept> {
    node.close();
    let keep = |number| keep(node, account, mark(round, number)).expect("a receipt");
    let mut kept: Vec<Kept> = (0..HURRY_VISITORS).map(keep).collect();
    node.reopen();
    let forms: Vec<(Page, Form)> = kept.iter_mut().map(send_form).collect();
    std::thread::scope(|scope| {
        for (kept, (page, send)) in kept.iter_mut().zip(&forms) {
            scope.spawn(|| {
                account.enter(Entry::Pressed(kept.mark.clone()));
                // An answer is not expected: the proxy may be gone.
                let _ = kept.visitor.submit(page, send);
            });
        }
        // SLEEP: the point is to strike at an arbitrary moment, so there is nothing to wait for.
        std::thread::sleep(Duration::from_micros(4_000 + (round as u64 * 2_777) % 28_000));
        node.kill();
    });
    node.start_again();
    for kept in &mut kept {
        let page = kept.visitor.open(&kept.receipt).expect("the receipt");
        let state = page.answer.header("intermission-state").unwrap_or("(absent)").to_owned();
        let arrived = account.arrivals(&kept.mark);
        assert!(arrived == 0 || state != "held", "arrived, and would be sent again as if not");
        // Whatever it says: a press without the visitor's word must not bring it there twice.
        if let Some(mut send) = Form::find(&page, "/resume") {
            send.fields.retain(|(name, _)| name != "checked");
            kept.visitor.submit(&page, &send).expect("an answer");
        }
        let then = account.arrivals(&kept.mark);
        assert!(then <= 1, "{} arrived {then} times; it was {state}", kept.mark);
        // An armed one waits for its ticket; an unknown one for the visitor's word.
        let waits = state.starts_with("armed") || state.starts_with("unknown");
        assert!(then == 1 || waits, "{}: {state}, and Send sent nothing", kept.mark);
    }
    kept
}

/// One visitor who sends form after form until the proxy is gone.
fn hail(node: &Node, account: &Account, first: usize, over: &AtomicBool) -> Vec<Kept> {
    let mut kept: Vec<Kept> = Vec::new();
    let visitor = node.visitor();
    for number in first..first + STORM_FORMS {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let visitor = kept.last().map_or_else(|| visitor.clone(), |last| last.visitor.clone());
        let Some(next) = keep_with(visitor, account, format!("mark-storm-{number}")) else { break };
        kept.push(next);
    }
    // All of one visitor's receipts are opened with the newest cookies.
    if let Some(visitor) = kept.last().map(|last| last.visitor.clone()) {
        for kept in &mut kept {
            kept.visitor = visitor.clone();
        }
    }
    kept
}

fn mark(round: usize, number: usize) -> String {
    format!("mark-{round}-{number}")
}

fn form(mark: &str) -> Form {
    // Long enough that half of it is not one packet with its head.
    Form::made_up("/form").with("story", &format!("{mark} {}", "wave ".repeat(400)))
}

/// A small form, or an upload of many sealed frames.
fn small_or_upload(round: usize) -> Form {
    let mark = mark(round, 0);
    if (round / MOMENTS.len()).is_multiple_of(2) {
        return form(&mark);
    }
    let mut upload = form(&mark).with_file("paper", "paper.bin", &[7; UPLOAD_BYTES]);
    upload.enctype = Enctype::Multipart;
    upload
}

fn keep(node: &Node, account: &Account, mark: String) -> Option<Kept> {
    keep_with(node.visitor(), account, mark)
}

fn keep_with(visitor: Visitor, account: &Account, mark: String) -> Option<Kept> {
    let form = form(&mark);
    keep_form(visitor, account, mark, &form)
}

/// Sends a form to the closed route; enters the receipt the moment that it is seen.
fn keep_form(mut visitor: Visitor, account: &Account, mark: String, form: &Form) -> Option<Kept> {
    let request = visitor.post("/form", form, Sender::SameOrigin);
    let answer = visitor.send(&request).ok()?;
    assert_eq!(answer.status, 303, "{:?} {}", answer.headers, answer.text());
    let receipt = answer.header("location").expect("a location").to_owned();
    account.enter(Entry::Receipt(mark.clone()));
    Some(Kept { mark, visitor, receipt })
}

/// The receipt shows what was typed, and this state.
fn must_be(kept: &Kept, state: &str) {
    let page = kept.visitor.clone().open(&kept.receipt).expect("an answer");
    let told = page.answer.header("intermission-state").unwrap_or("(absent)").to_owned();
    assert!(
        page.answer.status == 200 && page.answer.text().contains(&kept.mark),
        "{}: {} without {}",
        kept.receipt,
        page.answer.status,
        kept.mark
    );
    assert!(told.starts_with(state), "{} is {told}, not {state}", kept.receipt);
}

fn send_form(kept: &mut Kept) -> (Page, Form) {
    let page = kept.visitor.open(&kept.receipt).expect("the receipt");
    let form = Form::find(&page, "/resume");
    let form = form.unwrap_or_else(|| panic!("no Send on {}", page.answer.text()));
    (page, form)
}
