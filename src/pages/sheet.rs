//! What each template sees: a view, and what follows from it.

use serde::Serialize;

use super::Notice;
use super::view::{Mode, PlainKind, ReceiptState, ReceiptView};

/// What the receipt's template sees: the view, and what follows from it.
#[derive(Serialize)]
pub(super) struct Receipt<'a> {
    #[serde(flatten)]
    view: &'a ReceiptView,
    /// Whether there is content that its owner can read.
    keeps: bool,
    /// Whether its reader may see it, and act on it.
    shown: bool,
    sendable: bool,
    refillable: bool,
    refill_first: bool,
    /// Which title: a held submission says whether it can be sent yet.
    title: &'static str,
    /// The mode that Send asks for.
    send_mode: Mode,
    /// Whether the application refused because a token had expired.
    stale: bool,
    /// Where to sign in first.
    sign_in: Option<&'a str>,
    /// Whether it can be sent again unseen although it may have arrived.
    once: bool,
}

impl<'a> Receipt<'a> {
    pub(super) fn of(view: &'a ReceiptView) -> Self {
        let refused = view.state == ReceiptState::Refused;
        let (first_sign_in, gone) = (view.sign_in.is_some(), view.form_gone);
        let stale =
            refused && !first_sign_in && !gone && matches!(view.answer, Some(400 | 403 | 419));
        let waiting = view.state == ReceiptState::Held && (view.window_closed || !view.sendable());
        Self {
            keeps: view.state.keeps_answers(),
            shown: view.state.keeps_answers() && !view.concealed,
            sendable: view.sendable(),
            refillable: view.refillable(),
            refill_first: view.refill_first(),
            title: if waiting { "waiting" } else { view.state.key() },
            // What was refused once is refused again if the very same bytes are sent: after an
            // expired token or a sign-in, only fresh tokens can help. Where there are none to be
            // had, sending it as it was is all that is left.
            send_mode: match (gone, refused) {
                (true, _) => Mode::Replay,
                (false, true) => Mode::Confirm,
                (false, false) => view.mode,
            },
            stale,
            once: view.honoured && view.state == ReceiptState::Unknown,
            sign_in: view.sign_in.as_deref().filter(|path| is_local(path)),
            view,
        }
    }
}

/// What the template of [`Pages::not_kept`] sees.
#[derive(Serialize)]
pub(super) struct Unkept<'a> {
    #[serde(flatten)]
    pub(super) notice: &'a Notice,
    pub(super) why: Option<&'static str>,
}

/// What the template of [`Pages::plain`] sees.
#[derive(Serialize)]
pub(super) struct Plain {
    key: &'static str,
    next: &'static str,
    /// Nobody: whose site it is may be just what is not known.
    operator: &'static str,
}

impl Plain {
    pub(super) const fn of(kind: PlainKind) -> Self {
        Self { key: kind.key(), next: kind.next(), operator: "" }
    }
}

/// The catalog's key for a `NotKept`; none for a name that is not known here.
pub(super) fn not_kept_key(why: &str) -> Option<&'static str> {
    const KEYS: [(&str, &str); 8] = [
        ("origin", "not_kept.origin"),
        ("type", "not_kept.type"),
        ("policy", "not_kept.policy"),
        ("secret", "not_kept.secret"),
        ("size", "not_kept.size"),
        ("quota", "not_kept.quota"),
        ("broken", "not_kept.broken"),
        ("store", "not_kept.store"),
    ];
    KEYS.iter().find(|(name, _)| *name == why).map(|(_, key)| *key)
}

/// Whether a path leads nowhere but to this site: browsers read `//` and `/\` as another host.
fn is_local(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && !path.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_in_leads_nowhere_else() {
        for path in
            ["//evil.example", "/\\evil", "https://evil.example", "javascript:x", "", "/\t/x"]
        {
            assert!(!is_local(path), "{path}");
        }
        assert!(is_local("/accounts/login/?next=/claims/"));
    }
}
