//! Certificates by ACME (RFC 8555): asked for where there is none, and again when two thirds of
//! their time have passed. What is to be shown or answered meanwhile is put beside them in the
//! store, and takes effect as everything does: by a reload, whole or not at all.

mod files;
mod order;
mod to_ca;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{Account, NewAccount};
use tokio::sync::watch;

use self::to_ca::ToCa;
use super::phase::{Phase, stopped};
use super::reload::{Reloads, Trigger, Verdict, Way};
use crate::clock::{Clock, Tick, Wall};
use crate::snapshot::{Acme, Live};
use crate::tls::Identity;
use crate::{digest, limit};

/// Why there is no certificate yet. It is asked for again later.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The CA refuses, or is not reached.
    #[error("{0}")]
    Ca(#[from] instant_acme::Error),
    /// A file cannot be read or written.
    #[error("the store: {0}")]
    Store(#[from] std::io::Error),
    /// The account cannot be read, or a proof cannot be made.
    #[error("{0}")]
    Made(String),
    /// The CA does not take proofs of this kind for the domain.
    #[error("the CA does not offer this challenge")]
    NotOffered,
    /// The CA did not believe the proof.
    #[error("the CA did not find the proof")]
    NotProved,
    /// What is to be shown or answered cannot be put in force.
    #[error("the reload failed: {0}")]
    NotInForce(String),
    /// The CA takes its time.
    #[error("the CA took too long")]
    Late,
}

/// Who is to have certificates, and how they come into force.
struct Renewals {
    live: Live,
    reloads: Reloads,
    clock: Clock,
    /// By domain.
    again: HashMap<String, Again>,
}

/// When a domain may be asked for again.
#[derive(Clone, Copy, Debug)]
struct Again {
    at: Tick,
    /// How long to wait after another failure.
    wait: Duration,
}

/// Works as long as the node lives.
pub async fn run(live: Live, reloads: Reloads, clock: Clock, mut phase: watch::Receiver<Phase>) {
    // A CA that looks at a proof needs somebody who answers.
    if phase.wait_for(|phase| *phase != Phase::Starting).await.is_err() {
        return;
    }
    let mut reloaded = reloads.watch();
    let mut renewals = Renewals { live, reloads, clock, again: HashMap::new() };
    loop {
        // CANCEL: an order that is given up is begun anew by the next process.
        tokio::select! {
            () = stopped(&mut phase) => return,
            () = renewals.look() => {}
        }
        // Our own reloads ask for nothing new.
        reloaded.mark_unchanged();
        // CANCEL: each branch only says that it is time to look.
        tokio::select! {
            () = stopped(&mut phase) => return,
            () = tokio::time::sleep(renewals.rest()) => {}
            changed = reloaded.changed() => if changed.is_err() { return },
        }
    }
}

impl Renewals {
    /// How long until something may be due.
    fn rest(&self) -> Duration {
        let now = self.clock.tick();
        let waits = self.again.values().map(|again| again.at.since(now));
        waits.min().unwrap_or(limit::ACME_LOOK_EVERY).min(limit::ACME_LOOK_EVERY)
    }

    /// Asks for what is due.
    async fn look(&mut self) {
        let site = Arc::clone(&self.live.snapshot().site);
        let Some(acme) = &site.acme else { return self.again.clear() };
        self.again.retain(|domain, _| acme.domains.contains(domain));
        for domain in &acme.domains {
            let now = self.clock.tick();
            let known = self.again.get(domain).copied();
            if known.is_some_and(|again| now < again.at) {
                continue;
            }
            if !is_due(acme, domain, self.clock.now()) {
                self.again.remove(domain);
                continue;
            }
            let again = match self.renew(acme, domain).await {
                Ok(()) => {
                    tracing::info!(domain, "a certificate of the CA is in force");
                    // Should the CA give what is due at once, it is not asked on and on.
                    let at = later(self.clock.tick(), limit::ACME_AGAIN_AFTER_MAX);
                    Again { at, wait: limit::ACME_AGAIN_AFTER }
                }
                Err(fault) => {
                    let wait = known.map_or(limit::ACME_AGAIN_AFTER, |again| again.wait);
                    tracing::error!(domain, %fault, again_in = ?wait, "no certificate by ACME");
                    let at = later(self.clock.tick(), wait);
                    Again { at, wait: (wait * 2).min(limit::ACME_AGAIN_AFTER_MAX) }
                }
            };
            self.again.insert(domain.clone(), again);
        }
    }

    /// One order, from the account to the certificate in force.
    async fn renew(&self, acme: &Acme, domain: &str) -> Result<(), Fault> {
        files::prepare(acme)?;
        let account = account(acme).await?;
        let outcome = self.prove(&account, acme, domain).await;
        // Whether or not it went well, what was shown for it is of no more use.
        files::forget_proofs(acme)?;
        if let Ok(certificate) = &outcome {
            files::write(&acme.certificate(domain), certificate.as_bytes())?;
        }
        let settled = self.in_force().await;
        outcome?;
        settled
    }

    async fn prove(&self, account: &Account, acme: &Acme, domain: &str) -> Result<String, Fault> {
        let mut order = order::begin(account, domain).await?;
        if order::prepare(&mut order, acme, domain).await? {
            self.in_force().await?;
            order::prove(&mut order, acme).await?;
        }
        order::finish(&mut order).await
    }

    /// Puts in force what was written.
    async fn in_force(&self) -> Result<(), Fault> {
        let outcome = self.reloads.carry_out(Trigger::Acme, Way::Apply).await;
        let outcome = outcome.map_err(|refused| Fault::NotInForce(refused.to_string()))?;
        match outcome.result {
            Verdict::Ok => Ok(()),
            Verdict::Failed => Err(Fault::NotInForce(outcome.reason.clone())),
        }
    }
}

/// Whether a domain has no certificate, or one of whose time two thirds have passed.
fn is_due(acme: &Acme, domain: &str, now: Wall) -> bool {
    let at = acme.certificate(domain);
    let Ok(identity) = Identity::read(&at, &at) else { return true };
    let (begins, ends) = identity.validity();
    now >= begins.plus(ends.since(begins) * 2 / 3)
}

/// This much later, and up to a tenth more: nodes that began at once do not go on so.
fn later(tick: Tick, span: Duration) -> Tick {
    let part = u32::from(u8::from_be_bytes(digest::random()));
    tick.plus(span + span / 10 * part / 255)
}

/// The account at the CA: the one that is kept, or a new one.
async fn account(acme: &Acme) -> Result<Account, Fault> {
    let made = |fault: serde_json::Error| Fault::Made(fault.to_string());
    let builder = Account::builder_with_http(Box::new(ToCa::new(acme)));
    let at = files::account(acme);
    if let Ok(known) = std::fs::read(&at) {
        let credentials = serde_json::from_slice(&known).map_err(made)?;
        return Ok(builder.from_credentials(credentials).await?);
    }
    let contact: Vec<&str> = acme.contact.iter().map(String::as_str).collect();
    let new = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let (account, credentials) = builder.create(&new, acme.directory.to_string(), None).await?;
    files::write(&at, &serde_json::to_vec(&credentials).map_err(made)?)?;
    Ok(account)
}
