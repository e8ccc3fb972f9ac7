//! Who of several servers is next: pure choices over what is known of each.

use std::hash::Hasher as _;

/// What a choice knows of a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Where it stands in its list.
    pub at: usize,
    /// Its share, from 1.
    pub weight: u64,
    /// Requests that it is busy with.
    pub in_flight: usize,
    /// What stands for it in hashes.
    pub mark: u64,
}

/// Smooth weighted round robin, as nginx does it: in a row of as many turns as the weights' sum,
/// everyone is asked as often as its weight says, and never in a bunch. `credit` is by `at`.
pub(super) fn in_turn(
    candidates: impl Iterator<Item = Candidate>,
    credit: &mut [i64],
) -> Option<usize> {
    let mut total = 0;
    let mut best: Option<usize> = None;
    for Candidate { at, weight, .. } in candidates {
        let weight = i64::try_from(weight).unwrap_or(i64::MAX >> 16);
        total += weight;
        credit[at] += weight;
        if best.is_none_or(|best| credit[at] > credit[best]) {
            best = Some(at);
        }
    }
    let best = best?;
    credit[best] -= total;
    Some(best)
}

/// The less busy, for its weight, of two that are drawn by their weights: nearly as good as knowing
/// the least busy of all, and no two workers run to the same one at once.
pub(super) fn less_busy(
    candidates: impl Iterator<Item = Candidate> + Clone,
    mut random: impl FnMut() -> u64,
) -> Option<usize> {
    let total: u64 = candidates.clone().map(|candidate| candidate.weight).sum();
    let draw = |mut point: u64, but: Option<usize>| {
        let others = candidates.clone().filter(|candidate| Some(candidate.at) != but);
        for candidate in others {
            match point.checked_sub(candidate.weight) {
                Some(rest) => point = rest,
                None => return Some(candidate),
            }
        }
        None
    };
    let one = draw(random() % total.max(1), None)?;
    let rest = total - one.weight;
    let Some(two) = (rest > 0).then(|| draw(random() % rest, Some(one.at))).flatten() else {
        return Some(one.at);
    };
    let busy = |this: Candidate, other: Candidate| this.in_flight as u64 * other.weight;
    Some(if busy(two, one) < busy(one, two) { two.at } else { one.at })
}

/// Weighted rendezvous: every key has its own order of the servers, so that the keys of one that
/// leaves are spread over the others, and nobody else's key moves.
pub(super) fn of_key(candidates: impl Iterator<Item = Candidate>, key: u64) -> Option<usize> {
    let score = |candidate: &Candidate| {
        // In (0, 1), so that the logarithm is negative and finite.
        let drawn = (mixed(key ^ candidate.mark) >> 11) as f64 + 0.5;
        candidate.weight as f64 / -(drawn / (1u64 << 53) as f64).ln()
    };
    let scored = candidates.map(|candidate| (score(&candidate), candidate.at));
    scored.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, at)| at)
}

/// The same number for the same bytes on every node and in every process (FNV-1a). Visitors may
/// choose what goes in; all they gain is another server.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut hash = Fnv::default();
    hash.write(bytes);
    hash.finish()
}

struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        mixed(self.0)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// Spreads every bit of a number over all of it (the finish of SplitMix64).
pub(super) fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(weights: &[u64]) -> Vec<Candidate> {
        let server = |(at, weight): (usize, &u64)| {
            let mark = hash(format!("10.0.0.{at}:80").as_bytes());
            Candidate { at, weight: *weight, in_flight: 0, mark }
        };
        weights.iter().enumerate().map(server).collect()
    }

    fn random() -> impl FnMut() -> u64 {
        let mut state = 1;
        move || {
            state += 1;
            mixed(state)
        }
    }

    #[test]
    fn turns_come_as_often_as_weights_say_and_never_in_a_bunch() {
        let servers = servers(&[5, 1, 1]);
        let mut credit = [0; 3];
        let row: Vec<_> =
            (0..7).filter_map(|_| in_turn(servers.iter().copied(), &mut credit)).collect();
        assert_eq!(row, [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(credit, [0; 3], "a whole row leaves nothing behind");
        assert_eq!(in_turn([].into_iter(), &mut credit), None);
    }

    #[test]
    fn the_busy_one_is_spared_and_idle_ones_are_drawn_by_weight() {
        let mut random = random();
        let mut three = servers(&[1, 1, 1]);
        three[1].in_flight = 100;
        let drawn = (0..1000).filter_map(|_| less_busy(three.iter().copied(), &mut random));
        assert_eq!(drawn.filter(|at| *at == 1).count(), 0, "it is never the less busy of two");
        let idle = servers(&[3, 1]);
        let drawn = (0..10_000).filter_map(|_| less_busy(idle.iter().copied(), &mut random));
        let heavy = drawn.filter(|at| *at == 0).count();
        assert!((7_200..7_800).contains(&heavy), "{heavy} of 10000 for three quarters");
        assert_eq!(less_busy(servers(&[1]).into_iter(), &mut random), Some(0));
        assert_eq!(less_busy([].into_iter(), &mut random), None);
    }

    #[test]
    fn keys_stay_where_they_are_when_another_server_leaves() {
        let all = servers(&[1, 2, 1, 1]);
        let of = |key: u64, without: Option<usize>| {
            of_key(all.iter().copied().filter(|server| Some(server.at) != without), mixed(key))
        };
        let mut counts = [0; 4];
        for key in 0..10_000 {
            let home = of(key, None).expect("a server");
            counts[home] += 1;
            let after = of(key, Some(3)).expect("a server");
            assert!(home == 3 || home == after, "key {key} moved from {home} to {after}");
        }
        for (count, share) in counts.into_iter().zip([2_000, 4_000, 2_000, 2_000]) {
            assert!((share - 200..share + 200).contains(&count), "{count} keys for {share}");
        }
    }
}
