//! What must be seen before visitors are let in again, and how they are.

use std::time::Duration;

use super::fault::Found;
use super::{DraftProbe, DraftRamp, DraftVerification, duration};
use crate::limit;
use crate::window::plan::{Probe, Ramp, RampBy, Verification};

/// A verification; what is at fault stands in it with its default.
pub(super) fn verification(
    field: &str,
    typed: &DraftVerification,
    found: &mut Found,
) -> Verification {
    let default = Verification::default();
    let every = duration::optional(
        &format!("{field}.every"),
        typed.every.as_ref(),
        limit::VERIFY_EVERY_MIN..=limit::VERIFY_WITHIN_MAX,
        found,
    );
    let within = duration::optional(
        &format!("{field}.within"),
        typed.within.as_ref(),
        limit::VERIFY_EVERY_MIN..=limit::VERIFY_WITHIN_MAX,
        found,
    );
    let probes = probes(field, &typed.probes, found);
    let verification = Verification {
        probes,
        health: typed.health.unwrap_or(default.health),
        successes: typed.successes.unwrap_or(default.successes),
        every: every.unwrap_or(default.every),
        within: within.unwrap_or(default.within),
    };
    possible(field, &verification, found);
    verification
}

fn possible(field: &str, verification: &Verification, found: &mut Found) {
    let Verification { successes, every, within, .. } = *verification;
    if verification.probes.is_empty() && !verification.health {
        let what = "it looks at nothing: there are no probes, and health checks do not count";
        found.fault(field, what, "name a probe, or leave `health` out");
    }
    if !(1..=limit::VERIFY_SUCCESSES_MAX).contains(&successes) {
        let help = format!("from 1 to {} is possible", limit::VERIFY_SUCCESSES_MAX);
        found.fault(&format!("{field}.successes"), "it is out of range", help);
        return;
    }
    let least = every.saturating_mul(successes - 1);
    if least >= within {
        let what = format!(
            "{successes} rounds every {} take {}, which is not within {}",
            duration::show(every),
            duration::show(least),
            duration::show(within)
        );
        found.fault(&format!("{field}.within"), what, "give it more time, or fewer rounds");
    }
}

fn probes(field: &str, typed: &[DraftProbe], found: &mut Found) -> Vec<Probe> {
    if typed.len() > limit::PROBES_MAX {
        let help = format!("{} are possible", limit::PROBES_MAX);
        found.fault(&format!("{field}.probes"), format!("{} probes", typed.len()), help);
    }
    let named =
        |(at, one): (usize, &DraftProbe)| probe(&format!("{field}.probes[{at}]"), one, found);
    typed.iter().take(limit::PROBES_MAX).enumerate().map(named).collect()
}

fn probe(field: &str, typed: &DraftProbe, found: &mut Found) -> Probe {
    let default = Probe::default();
    let is_target = |letter: char| letter.is_ascii_graphic() && letter != '#';
    if !typed.path.starts_with('/') || !typed.path.chars().all(is_target) {
        let what = format!("{:?} is not a path", typed.path);
        let help = "write it as in a request, beginning with a slash: \"/health\"";
        found.fault(&format!("{field}.path"), what, help);
    }
    if !typed.host.chars().all(|letter| letter.is_ascii_graphic() && letter != '/') {
        let what = format!("{:?} is not a host", typed.host);
        found.fault(&format!("{field}.host"), what, "write \"www.example.com\"");
    }
    let status = typed.status.unwrap_or(default.status);
    if !(200..=599).contains(&status) {
        let what = format!("{status} is no status of a final answer");
        found.fault(&format!("{field}.status"), what, "write one from 200 to 599");
    }
    let long = |text: &str| text.chars().count() > limit::PROBE_TEXT_CHARS_MAX;
    let fields = typed.headers.iter().flat_map(|(name, value)| [name, value]);
    if [&typed.path, &typed.host, &typed.contains].into_iter().chain(fields).any(|text| long(text))
    {
        let help = format!("{} characters are possible", limit::PROBE_TEXT_CHARS_MAX);
        found.fault(field, "one of its texts is too long", help);
    }
    headers(field, typed, found);
    let bounds = Duration::from_millis(10)..=limit::PROBE_WITHIN_MAX;
    let within =
        duration::optional(&format!("{field}.within"), typed.within.as_ref(), bounds, found);
    Probe {
        host: typed.host.clone(),
        path: typed.path.clone(),
        headers: typed.headers.clone(),
        status,
        contains: typed.contains.clone(),
        within: within.unwrap_or(default.within),
    }
}

fn headers(field: &str, typed: &DraftProbe, found: &mut Found) {
    if typed.headers.len() > limit::PROBE_FIELDS_MAX {
        let what = format!("{} fields", typed.headers.len());
        let help = format!("{} are possible", limit::PROBE_FIELDS_MAX);
        found.fault(&format!("{field}.headers"), what, help);
    }
    for (name, value) in &typed.headers {
        let named = http::HeaderName::from_bytes(name.as_bytes()).is_ok();
        if !named || http::HeaderValue::from_str(value).is_err() {
            let field = format!("{field}.headers.{name}");
            let help = "write a name of letters and `-`, and a value of visible characters";
            found.fault(&field, "it cannot be sent as a header field", help);
        }
    }
}

/// A ramp; none, after a fault, if it has no time.
pub(super) fn ramp(field: &str, typed: &DraftRamp, found: &mut Found) -> Option<Ramp> {
    let over = &format!("{field}.over");
    if let RampBy::PerMinute(count) = typed.by
        && !(1..=limit::RAMP_PER_MINUTE_MAX).contains(&count)
    {
        let help = format!("from 1 to {} is possible", limit::RAMP_PER_MINUTE_MAX);
        found.fault(&format!("{field}.by.per_minute"), "it is out of range", help);
    }
    if typed.over.is_empty() {
        let help = "say how long it takes until everybody is let in: \"10m\"";
        found.fault(over, "it is missing", help);
        return None;
    }
    let bounds = Duration::from_secs(1)..=limit::RAMP_OVER_MAX;
    let over = duration::read(over, &typed.over, bounds, found)?;
    Some(Ramp { over, by: typed.by })
}
