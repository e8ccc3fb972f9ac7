//! What the node's own probes show, to be let through what is closed.
//!
//! Made anew by each process and never stored or told to anybody, so that it is worth nothing
//! after a restart and cannot be revoked by mistake. A probe also says for which region it asks,
//! which a client cannot: what tells regions apart may be a balancer in front of us.

use std::sync::LazyLock;

use crate::digest;

/// The field that carries it. As every field of this beginning, no application ever sees it.
pub const FIELD: &str = "intermission-pass";

static SECRET: LazyLock<String> = LazyLock::new(|| digest::base64url(&digest::random::<32>()));

/// The field's value for a probe of this region.
pub fn value(region: &str) -> String {
    format!("{} {region}", *SECRET)
}

/// The region that a probe asks for; none if this is nobody's pass.
pub fn region_of(value: &[u8]) -> Option<&str> {
    let (secret, region) = value.split_at_checked(SECRET.len())?;
    let region = region.strip_prefix(b" ")?;
    if !digest::same(secret, SECRET.as_bytes()) {
        return None;
    }
    std::str::from_utf8(region).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_the_process_s_own_and_says_its_region() {
        assert_eq!(region_of(value("apac").as_bytes()), Some("apac"));
        let mut forged = value("apac").into_bytes();
        forged[3] ^= 1;
        for foreign in [&forged[..], b"", b"apac", b"x apac", SECRET.as_bytes()] {
            assert_eq!(region_of(foreign), None);
        }
    }
}
