//! The names of the sites that `decide` judges: hosts, paths, and the dice that pick them.

use super::ROUTES_PER_HOST;

/// A generator that gives the same numbers on every run (xorshift64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32 % bound
    }
}

/// Three quarters of the hosts are exact, one quarter wildcards; each serves twenty routes.
pub(super) fn host_pattern(host: u32) -> String {
    if host % 4 == 3 { format!("*.tenant{host}.example.com") } else { host_name(host) }
}

pub(super) fn host_name(host: u32) -> String {
    if host % 4 == 3 {
        format!("shop.tenant{host}.example.com")
    } else {
        format!("service{host}.example.com")
    }
}

pub(super) fn path_pattern(route: u32) -> String {
    match route % ROUTES_PER_HOST {
        0 => "/*".to_owned(),
        n @ 1..=4 => format!("/api/{{version}}/resource{n}"),
        n @ 5..=9 => format!("/app{n}"),
        n => format!("/app{n}/*"),
    }
}

pub(super) fn path_name(route: u32, dice: &mut Dice) -> String {
    match route % ROUTES_PER_HOST {
        0 => format!("/elsewhere/{}", dice.below(1_000)),
        n @ 1..=4 => format!("/api/v{}/resource{n}", dice.below(3)),
        n @ 5..=9 => format!("/app{n}"),
        n => format!("/app{n}/claims/{}/edit", dice.below(100_000)),
    }
}
