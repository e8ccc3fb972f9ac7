//! What is never kept: passwords, one-time codes, payment cards. Pure.
//!
//! A field is known by the words of its name, so that `user[password]`, `newPassword2` and
//! `card-number` are, while `passport_number` and `compass` are not; a card is also known by its
//! digits. Where a name could mean two things, losing a form weighs less than keeping a secret.

use std::sync::Arc;

/// Letters that say "password" wherever they stand in a word, in the languages of our pages.
const PASSWORD_PARTS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "kennwort",
    "motdepasse",
    "contrasena",
    "contraseña",
    "senha",
    "パスワード",
    "暗証番号",
    "كلمةالمرور",
];
/// Whole words that are secrets by themselves.
const SECRET_WORDS: &[&str] =
    &["pwd", "pswd", "passcode", "otp", "totp", "hotp", "mfa", "cvv", "cvc", "cvn", "csc", "mdp"];
/// Words that are run together from two.
const SECRET_COMPOUNDS: &[&str] = &[
    "cardnumber",
    "cardnum",
    "cardno",
    "creditcard",
    "creditcardnumber",
    "ccnumber",
    "ccnum",
    "ccno",
    "cccvv",
    "cccvc",
    "onetimecode",
    "otpcode",
    "otptoken",
    "pincode",
    "securitycode",
    "kartennummer",
    "kreditkarte",
    "kreditkartennummer",
];
/// Neighbouring words that are a secret together.
const SECRET_PAIRS: &[(&str, &str)] = &[
    ("pin", "code"),
    ("pin", "number"),
    ("one", "time"),
    ("two", "factor"),
    ("2", "fa"),
    ("security", "code"),
    ("verification", "code"),
    ("auth", "code"),
    ("authentication", "code"),
    ("authenticator", "code"),
    ("login", "code"),
    ("sms", "code"),
    ("recovery", "code"),
    ("backup", "code"),
    ("credit", "card"),
    ("cc", "number"),
    ("cc", "num"),
    ("cc", "no"),
    ("mot", "passe"),
];
/// What makes a card's number a payment card's, unless one of [`OTHER_CARDS`] stands before.
const CARD_NUMBER: &[&str] = &["number", "num", "no", "nr"];
/// Cards that pay for nothing.
const OTHER_CARDS: &[&str] = &[
    "id",
    "identity",
    "identification",
    "library",
    "member",
    "membership",
    "insurance",
    "health",
    "loyalty",
    "student",
    "sim",
    "residence",
    "business",
    "report",
];
/// What stands before `pin` where it is a place or a habit, not a secret.
const OTHER_PINS: &[&str] = &["map", "drop", "push"];
/// What stands before `pass` where it is a password.
const BEFORE_PASS: &[&str] =
    &["user", "login", "my", "new", "old", "current", "confirm", "re", "admin", "db", "j"];

/// What one route never keeps.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    never_kept: Arc<[String]>,
}

impl Policy {
    /// The built-in rules and these field names.
    pub fn new(never_kept: Arc<[String]>) -> Self {
        Self { never_kept }
    }

    /// Whether a value in the field of this name is never kept.
    pub fn forbids(&self, name: &str) -> bool {
        self.never_kept.iter().any(|never| never.eq_ignore_ascii_case(name)) || is_secret(name)
    }
}

/// Whether a field of this name holds a password, a one-time code or payment details.
pub fn is_secret(name: &str) -> bool {
    if !may_be_secret(name) {
        return false;
    }
    let words = words(name);
    // `pass_word` and `mot-de-passe` are written apart; `compass_word` is not one of them.
    // In one piece, since a name may be long and have a word in every other byte.
    let whole = words.concat();
    let mut from_here = words.iter().scan(0, |start, word| {
        let rest = &whole[*start..];
        *start += word.len();
        Some((rest, word))
    });
    if from_here.any(|(rest, word)| {
        PASSWORD_PARTS.iter().any(|part| rest.starts_with(part) || word.contains(part))
    }) {
        return true;
    }
    words.iter().enumerate().any(|(at, word)| {
        let before = at.checked_sub(1).map(|before| words[before].as_str());
        let after = words.get(at + 1).map(String::as_str);
        SECRET_WORDS.contains(&word.as_str())
            || SECRET_COMPOUNDS.contains(&word.as_str())
            || after.is_some_and(|after| SECRET_PAIRS.contains(&(word, after)))
            || is_secret_ending(word, before, after)
    })
}

/// Whether letters of a secret's name are in this one at all. Hardly any name has them, and a form
/// has many names, so that they are looked for before the words are told apart.
fn may_be_secret(name: &str) -> bool {
    if !name.is_ascii() {
        return true;
    }
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
    let letters: Vec<u8> = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    (0..letters.len()).any(|at| {
        let beginnings: &[&str] = match letters[at] {
            b'p' => &["pass", "pwd", "pswd", "pin"],
            b'k' => &["kennwort", "kartennummer", "kreditkart"],
            b'c' => &["code", "card", "cv", "csc", "ccn", "cccv", "contrasena"],
            b's' => &["secret", "senha"],
            b'o' => &["otp", "onetime"],
            b'm' => &["mfa", "mdp"],
            b't' => &["twofactor"],
            b'2' => &["2fa"],
            _ => &[],
        };
        beginnings.iter().any(|beginning| letters[at..].starts_with(beginning.as_bytes()))
    })
}

/// Words that are a secret only beside others, or only at the end.
fn is_secret_ending(word: &str, before: Option<&str>, after: Option<&str>) -> bool {
    let is_last = after.is_none_or(|after| after.bytes().all(|byte| byte.is_ascii_digit()));
    let stands_after = |others: &[&str]| before.is_some_and(|before| others.contains(&before));
    match word {
        "card" => after.is_some_and(|a| CARD_NUMBER.contains(&a)) && !stands_after(OTHER_CARDS),
        "pass" => is_last && (before.is_none() || stands_after(BEFORE_PASS)),
        "pin" => is_last && !stands_after(OTHER_PINS),
        "secret" => is_last,
        _ => false,
    }
}

/// The words of a field's name in lower case: split at other characters, between letters and
/// digits, and at `aB`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        let breaks = before.is_lowercase() && letter.is_uppercase()
            || before.is_alphanumeric() && before.is_numeric() != letter.is_numeric()
            || !letter.is_alphanumeric();
        if breaks {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            let last = words.last_mut().expect("one was pushed");
            last.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

const DIGITS_MAX: usize = 19;

/// Finds a payment card's number in a value that comes in pieces: as the whole of it, or standing
/// free in a text.
#[derive(Clone, Debug, Default)]
pub struct CardScan {
    run: Run,
    /// Whether anything but the run was seen in the value.
    seen_more: bool,
    found: bool,
}

/// Digits with single separators between them.
#[derive(Clone, Debug, Default)]
struct Run {
    digits: [u8; DIGITS_MAX],
    len: usize,
    /// Digits in each group between separators.
    groups: [u8; 5],
    group: usize,
    separated: bool,
    /// Longer than a card's number, grouped more often than one, or grown together with letters.
    spoilt: bool,
}

impl CardScan {
    /// Takes more of the value, decoded.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'0'..=b'9' => self.run.digit(byte - b'0'),
                b' ' | b'-' if self.run.len > 0 && !self.run.separated => {
                    self.run.separated = true;
                }
                b' ' | b'-' | b'\t' | b'\r' | b'\n' if self.run.len == 0 => self.run.spoilt = false,
                byte => {
                    let grown = byte.is_ascii_alphanumeric() || !byte.is_ascii();
                    if self.run.len == 0 {
                        (self.seen_more, self.run.spoilt) = (true, grown);
                        continue;
                    }
                    self.run.spoilt |= grown && !self.run.separated;
                    self.end_run(Stands::InText);
                    self.seen_more = true;
                    self.run.spoilt = grown;
                }
            }
        }
    }

    /// Whether the value held a card's number.
    pub fn finish(mut self) -> bool {
        let stands = if self.seen_more { Stands::InText } else { Stands::Alone };
        self.end_run(stands);
        self.found
    }

    fn end_run(&mut self, stands: Stands) {
        let run = std::mem::take(&mut self.run);
        self.seen_more |= run.len > 0;
        self.found |= run.is_card(stands);
    }
}

/// Whether a run of digits is a value of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    Alone,
    InText,
}

impl Run {
    fn digit(&mut self, digit: u8) {
        if std::mem::take(&mut self.separated) {
            self.group = (self.group + 1).min(self.groups.len());
        }
        if self.len == DIGITS_MAX || self.group == self.groups.len() {
            self.spoilt = true;
            return;
        }
        self.digits[self.len] = digit;
        self.len += 1;
        self.groups[self.group] += 1;
    }

    fn is_card(&self, stands: Stands) -> bool {
        let digits = &self.digits[..self.len];
        let groups = &self.groups[..=self.group.min(self.groups.len() - 1)];
        let written_so = match groups {
            [_] | [4, 4, 4, 4] | [4, 6, 5] | [4, 6, 4] | [4, 4, 4, 4, 1..=3] => true,
            _ => stands == Stands::Alone,
        };
        !self.spoilt && written_so && is_issued(digits) && is_luhn(digits)
    }
}

/// Whether an issuer gives out numbers of this beginning and length. (Visa's of 13 digits are no
/// longer in use, and would be met by one barcode in ten.)
fn is_issued(digits: &[u8]) -> bool {
    let lead =
        |count: usize| digits.iter().take(count).fold(0u32, |lead, d| lead * 10 + u32::from(*d));
    match digits.len() {
        13 => matches!(lead(4), 5018 | 5020 | 5038 | 6304 | 6759 | 6761..=6763),
        14 => matches!(lead(3), 300..=305 | 360..=369 | 380..=399),
        15 => matches!(lead(2), 34 | 37),
        16..=19 => {
            lead(1) == 4
                || matches!(lead(2), 51..=55 | 62 | 65)
                || matches!(lead(4), 2200..=2204 | 2221..=2720 | 3528..=3589 | 6011 | 6440..=6499)
                || matches!(lead(4), 5018 | 5020 | 5038 | 6304 | 6759 | 6761..=6763)
        }
        _ => false,
    }
}

fn is_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .zip([1, 2].into_iter().cycle())
        .map(|(digit, weight)| u32::from(*digit) * weight)
        .map(|product| product / 10 + product % 10)
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_is_looked_at_twice() {
        let single = [PASSWORD_PARTS, SECRET_WORDS, SECRET_COMPOUNDS, &["pass", "pin", "secret"]];
        let single = single.concat().into_iter().map(str::to_owned);
        let pairs = SECRET_PAIRS.iter().map(|(one, two)| format!("{one}-{two}"));
        let cards = CARD_NUMBER.iter().map(|number| format!("card {number}"));
        for name in single.chain(pairs).chain(cards) {
            let around = [name.clone(), format!("my[{name}]"), name.to_uppercase()];
            for name in around {
                assert!(may_be_secret(&name), "{name}");
            }
            assert!(is_secret(&name), "{name}");
        }
        for name in ["field12", "claim", "address_line_2", "e-mail"] {
            assert!(!may_be_secret(name), "{name}");
        }
    }
}
