//! What is never kept.

use intermission::vault::policy::{CardScan, is_secret};
use proptest::prelude::*;

use crate::support::PATIENCE;

#[test]
fn secret_fields_are_known_by_their_words() {
    for name in [
        "password",
        "Password1",
        "user[password]",
        "newPassword2",
        "pass_word",
        "passwd",
        "pwd",
        "user_pass",
        "pass",
        "passphrase",
        "passcode",
        "otp",
        "otp_code",
        "one-time-code",
        "oneTimePassword",
        "totp",
        "2fa_code",
        "cvv",
        "cvc2",
        "card-cvc",
        "cardNumber",
        "cardnumber",
        "card_number",
        "card-no",
        "creditCard",
        "cc-number",
        "pin",
        "PIN",
        "pin_code",
        "card_pin",
        "security_code",
        "verificationCode",
        "form-0-password",
        "mot_de_passe",
        "Passwort",
        "contraseña",
        "senha",
        "パスワード",
        "client_secret",
        "login_code",
        "j_password",
    ] {
        assert!(is_secret(name), "{name} is a secret");
    }
}

#[test]
fn fields_that_only_look_like_secrets_are_kept() {
    for name in [
        "passport_number",
        "passenger",
        "passengers[0][name]",
        "compass",
        "compass_word",
        "pinned",
        "shipping",
        "spinner",
        "encompass",
        "boarding_pass",
        "bypass",
        "code",
        "postal_code",
        "zip",
        "country_code",
        "iban",
        "account_number",
        "id_card_number",
        "library_card_no",
        "insurance-card-number",
        "map_pin",
        "discard",
        "cardinal",
        "card_color",
        "scorecard",
        "secretary",
        "token_ring",
        "one",
        "time",
        "number",
        "csrfmiddlewaretoken",
        "name",
        "",
    ] {
        assert!(!is_secret(name), "{name} is no secret");
    }
}

fn holds_card(value: &str) -> bool {
    let mut scan = CardScan::default();
    value.bytes().for_each(|byte| scan.push(&[byte]));
    let mut whole = CardScan::default();
    whole.push(value.as_bytes());
    let (by_byte, at_once) = (scan.finish(), whole.finish());
    assert_eq!(by_byte, at_once, "{value}");
    by_byte
}

#[test]
fn card_numbers_are_known_by_their_digits() {
    for value in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        " 5555555555554444 ",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "3530111333300000",
        "30569309025904",
        "2223003122003222",
        "6200000000000005",
        "41111111 11111111",
        "please charge 4111111111111111, thanks",
        "card: 5555 5555 5555 4444.",
        "4111111111111111\r\n",
    ] {
        assert!(holds_card(value), "{value} is a card");
    }
}

#[test]
fn other_numbers_are_kept() {
    for value in [
        "4111111111111112",
        "1234567812345670",
        "0000000000000000",
        "4111111111111",
        "41111111111111111111",
        "a4111111111111111",
        "4111111111111111b",
        "356938035643809",
        "2026-11-21 16:00",
        "+49 30 901820",
        "DE89 3704 0044 0532 0130 00",
        "4",
        "",
        "41111111 11111111 is not how cards are written in a text",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    ] {
        assert!(!holds_card(value), "{value} is no card");
    }
}

proptest! {
    #[test]
    fn no_name_and_no_value_panics(text in "\\PC{0,60}", digits in "[0-9 -]{0,60}") {
        let _ = is_secret(&text);
        let _ = holds_card(&text);
        let _ = holds_card(&digits);
    }
}

#[test]
fn a_name_of_many_words_is_read_once() {
    let name = "a_".repeat(100_000);
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    // A thread of its own: quadratic work on this name took minutes.
    std::thread::spawn(move || {
        let _ = tell.send((is_secret(&name), is_secret(&(name + "pass_word"))));
    });
    assert_eq!(told.recv_timeout(PATIENCE), Ok((false, true)));
}
