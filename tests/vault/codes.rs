//! What opens a submission without the browser that sent it.

use std::net::IpAddr;

use intermission::limit;
use intermission::store::Store;
use intermission::vault::Owner;
use intermission::vault::code::{Code, CodeFault};
use intermission::vault::item::State;
use intermission::vault::receipt::Denied;

use super::house::House;

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

/// The page token of a submission as it stands.
async fn token(house: &House, owner: &Owner, id: intermission::id::Id) -> String {
    owner.page_token(id, house.vault.open(owner, id).await.expect("its owner's").item.version)
}

#[tokio::test]
async fn a_code_opens_what_its_reference_names_and_nothing_else() {
    let house = House::new();
    let owner = Owner::generate();
    let kept = house.keep(&owner, b"name=Ana").await;
    let other = house.keep(&owner, b"name=Bea").await;
    let page = token(&house, &owner, kept.id).await;
    assert!(house.vault.code(&owner, kept.id, "forged").await.is_err());
    assert!(house.vault.code(&Owner::generate(), kept.id, &page).await.is_err());
    let (item, code) = house.vault.code(&owner, kept.id, &page).await.expect("a code");
    assert_eq!(code.text().len(), 19, "four groups of four");
    let (reference, said) = (item.reference.to_string(), code.text().to_lowercase());
    let house = house.restart();
    let coded = house.vault.by_code(address(1), &reference, &said).await.expect("the right code");
    assert_eq!(coded.record.head.target, "/claims/new?step=2");
    let mut body = house.vault.read_coded(&coded).expect("a body");
    let mut read = Vec::new();
    while let Some(piece) = body.next().await {
        read.extend_from_slice(&piece.expect("readable"));
    }
    assert_eq!(read, b"name=Ana");

    let page = token(&house, &owner, other.id).await;
    let (beside, another) = house.vault.code(&owner, other.id, &page).await.expect("a code");
    let crossed = house.vault.by_code(address(1), &reference, &another.text()).await;
    assert!(matches!(crossed, Err(CodeFault::Wrong)), "each its own");
    let page = token(&house, &owner, kept.id).await;
    house.vault.code(&owner, kept.id, &page).await.expect("a second code");
    let first = house.vault.by_code(address(1), &reference, &said).await;
    assert!(matches!(first, Err(CodeFault::Wrong)), "the second took the first one's place");

    let beside = beside.reference.to_string();
    let coded = house.vault.by_code(address(1), &beside, &another.text()).await.expect("right");
    house.vault.discard_coded(coded).await.expect("deleted");
    assert_eq!(house.state(&owner, other.id).await, State::Discarded);
    let gone = house.vault.by_code(address(1), &beside, &another.text()).await;
    assert!(matches!(gone, Err(CodeFault::Wrong)), "with its content its code went");
    assert_eq!(house.state(&owner, kept.id).await, State::Held);
}

#[tokio::test]
async fn an_address_tries_five_times_a_minute_and_a_code_bears_a_hundred_wrong_ones() {
    let house = House::new();
    let owner = Owner::generate();
    let kept = house.keep(&owner, b"name=Ana").await;
    let page = token(&house, &owner, kept.id).await;
    let (item, code) = house.vault.code(&owner, kept.id, &page).await.expect("a code");
    let (reference, right) = (item.reference.to_string(), code.text());
    let wrong = "0000-0000-0000-0000";
    assert!(Code::heard(wrong).is_some(), "well-formed, and wrong all the same");
    let mut tried = 0;
    for last in 0..=254 {
        for _ in 0..limit::CODES_PER_MINUTE {
            if tried == limit::CODE_WRONG_MAX - 1 {
                break;
            }
            let refused = house.vault.by_code(address(last), &reference, wrong).await;
            assert!(matches!(refused, Err(CodeFault::Wrong)), "{tried}");
            tried += 1;
        }
        if last == 0 {
            let late = house.vault.by_code(address(last), &reference, &right).await;
            assert!(matches!(late, Err(CodeFault::TooOften(_))), "the right one is late, too");
        }
    }
    assert_eq!(tried, 99);
    house.vault.by_code(address(200), &reference, &right).await.expect("99 are borne");
    let last = house.vault.by_code(address(200), &reference, wrong).await;
    assert!(matches!(last, Err(CodeFault::Wrong)));
    let void = house.vault.by_code(address(201), &reference, &right).await;
    assert!(matches!(void, Err(CodeFault::Wrong)), "void after the hundredth");
    let (_, code) = house.vault.code(&owner, kept.id, &page).await.expect("another code");
    house.vault.by_code(address(202), &reference, &code.text()).await.expect("it is good");
}

#[tokio::test]
async fn who_leaves_gets_a_code_for_each_that_has_content() {
    let house = House::new();
    let owner = Owner::generate();
    let kept = [
        house.keep(&owner, b"name=Ana").await.id,
        house.keep(&owner, b"name=Bea").await.id,
        house.keep(&owner, b"name=Cai").await.id,
    ];
    let page = token(&house, &owner, kept[2]).await;
    house.vault.discard(&owner, kept[2], &page).await.expect("deleted");
    let gone = house.vault.leave(&owner, kept[2], &page).await;
    assert_eq!(gone.map(|_| ()), Err(Denied::Gone(State::Discarded)));
    let page = token(&house, &owner, kept[0]).await;
    let codes = house.vault.leave(&owner, kept[0], &page).await.expect("codes");
    assert_eq!(codes.len(), 2);
    for (item, code) in codes {
        let reference = item.reference.to_string();
        let coded = house.vault.by_code(address(1), &reference, &code.text()).await;
        assert_eq!(coded.expect("it opens").item.id, item.id);
    }
}

#[tokio::test]
async fn a_damaged_or_foreign_code_row_is_no_panic() {
    let house = House::new();
    let owner = Owner::generate();
    let kept = house.keep(&owner, b"name=Ana").await;
    let item = house.vault.open(&owner, kept.id).await.expect("open").item;
    let reference = item.reference.to_string();
    for wrapped in [vec![0], vec![2; 5], vec![2; 100], item.wrapped_key.clone()] {
        house.store.keep_code(kept.id, wrapped).await.expect("stored");
        let tried = house.vault.by_code(address(1), &reference, "0000-0000-0000-0000").await;
        assert!(tried.is_err());
    }
    for (reference, code) in [("", ""), ("x", "0000-0000-0000-0000"), (&*reference, "é")] {
        let tried = house.vault.by_code(address(2), reference, code).await;
        assert!(matches!(tried, Err(CodeFault::Wrong)), "{reference} {code}");
    }
}
