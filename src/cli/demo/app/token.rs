//! CSRF tokens: bound to a session, with an age, under a key that a restart changes.

use std::time::Duration;

use crate::clock::Wall;
use crate::digest;

/// How long a token is good for.
const LIFE: Duration = Duration::from_secs(3600);

/// Makes and checks tokens.
pub(super) struct Tokens {
    key: digest::Hash,
}

impl Tokens {
    /// Under a new key.
    pub(super) fn new() -> Self {
        Self { key: digest::random() }
    }

    /// A token for this session.
    pub(super) fn issue(&self, session: &str, now: Wall) -> String {
        let issued = now.secs().to_string();
        format!("{issued}.{}", self.mark(session, &issued))
    }

    /// Whether the token was issued to this session, under this key, and not too long ago.
    pub(super) fn accepts(&self, session: &str, token: &str, now: Wall) -> bool {
        let Some((issued, mark)) = token.split_once('.') else { return false };
        let Ok(secs) = issued.parse::<i64>() else { return false };
        let fresh = now.since(Wall::from_millis(secs.saturating_mul(1000))) < LIFE;
        fresh && digest::same(mark.as_bytes(), self.mark(session, issued).as_bytes())
    }

    fn mark(&self, session: &str, issued: &str) -> String {
        digest::hex(&digest::mac(&self.key, &[session.as_bytes(), issued.as_bytes()])[..16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_session_its_key_and_an_hour() {
        let tokens = Tokens::new();
        let now = Wall::from_millis(1_000_000_000);
        let token = tokens.issue("amina", now);
        assert!(tokens.accepts("amina", &token, now.plus(LIFE / 2)));
        assert!(!tokens.accepts("amina", &token, now.plus(LIFE)));
        assert!(!tokens.accepts("ben", &token, now));
        assert!(!Tokens::new().accepts("amina", &token, now), "a restart makes it stale");
        for nonsense in ["", ".", "1.", "x.y", "99999999999999999999.a"] {
            assert!(!tokens.accepts("amina", nonsense, now), "{nonsense}");
        }
    }
}
