//! What `[acme]` means, and what the CA has given so far.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;

use super::file::Section;
use super::node::directory;
use super::problem::Found;
use super::tls::{System, roots};
use super::{keys, names};
use crate::addr::HostPattern;
use crate::limit;
use crate::snapshot::{Acme, Proof};
use crate::tls::{Client, Identity, Roots, Verify};

/// The CA that is asked if none is named.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// What is asked for, and what is there.
pub(super) struct Given {
    pub(super) asked: Option<Arc<Acme>>,
    /// Certificates of the CA.
    pub(super) identities: Vec<Identity>,
    /// Certificates of our own that prove who we are to the CA.
    pub(super) proofs: Vec<Identity>,
    /// Answers that prove the same, by their token.
    pub(super) answers: BTreeMap<String, String>,
}

/// Reads `[acme]`, and what the last round of it has left in the store.
pub(super) fn read(file: &Section<'_>, base: &Path, store: &Path, found: &mut Found) -> Given {
    let section = file.section("acme", &keys::ACME, found);
    let asked = asked(file, &section, base, store, found);
    let mut given =
        Given { asked: None, identities: Vec::new(), proofs: Vec::new(), answers: BTreeMap::new() };
    let Some(acme) = asked else { return given };
    for domain in &acme.domains {
        let (certificate, proof) = (acme.certificate(domain), acme.proof(domain));
        // What cannot be read is as good as not there: it is asked for again.
        if certificate.exists() {
            match Identity::read(&certificate, &certificate) {
                Ok(identity) => given.identities.push(identity),
                Err(fault) => tracing::warn!(%fault, domain, "a certificate of ACME is of no use"),
            }
        }
        given.proofs.extend(Identity::read_proof(&proof).ok());
    }
    let [answers, _] = acme.proofs();
    let entries = std::fs::read_dir(answers).into_iter().flatten().flatten();
    for entry in entries.take(limit::ACME_PROOFS_MAX) {
        let token = entry.file_name().to_str().map(str::to_owned);
        let answer = std::fs::read_to_string(entry.path()).ok();
        given.answers.extend(token.zip(answer));
    }
    given.asked = Some(Arc::new(acme));
    given
}

fn asked(
    file: &Section<'_>,
    section: &Section<'_>,
    base: &Path,
    store: &Path,
    found: &mut Found,
) -> Option<Acme> {
    if !file.has("acme") {
        return None;
    }
    if !cfg!(feature = "acme") {
        let help = "build it with --features acme, or name certificates in [[tls.certificate]]";
        found.add(section.span(), "this build cannot ask for certificates by ACME", help);
    }
    let ways = [("http-01", Proof::Http), ("tls-alpn-01", Proof::Tls)];
    let proof = names::choice(section, "challenge", &ways, found).unwrap_or(Proof::Http);
    if !section.flag("terms_agreed", found).unwrap_or(false) {
        let help = "read the CA's terms of service, then add terms_agreed = true";
        found.add(section.place("terms_agreed"), "nobody agreed to the terms of the CA", help);
    }
    let client = client(section, base, found);
    let directory = url(section, found);
    let contact = section.texts("contact", found).unwrap_or_default();
    let contact = contact.into_iter().map(Spanned::into_inner).collect();
    let domains = domains(section, found);
    let folder = store.join("acme");
    Some(Acme { directory: directory?, client: client?, contact, domains, proof, folder })
}

/// How the CA is spoken to.
fn client(section: &Section<'_>, base: &Path, found: &mut Found) -> Option<Client> {
    let ca = directory(section, "ca", base, found);
    let known = match &ca {
        Some(ca) => roots(ca, Roots::read(ca.get_ref()), found),
        None if section.has("ca") => None,
        None => roots(&Spanned::new(section.span(), ()), System::default().roots(), found),
    };
    Client::new(&Verify::By(known?), None, None).ok()
}

fn url(section: &Section<'_>, found: &mut Found) -> Option<http::Uri> {
    let typed = section.text("directory", found);
    let text = typed.as_ref().map_or(LETS_ENCRYPT, |typed| typed.get_ref().as_str());
    let url = text.parse().ok().filter(|url: &http::Uri| {
        url.scheme() == Some(&http::uri::Scheme::HTTPS) && url.host().is_some()
    });
    if url.is_none() {
        let help =
            format!("write an address that begins https://: {}", section.example("directory"));
        found.add(section.place("directory"), format!("`{text}` is no place of a CA"), help);
    }
    url
}

fn domains(section: &Section<'_>, found: &mut Found) -> Vec<String> {
    let typed = section.texts("domains", found).unwrap_or_default();
    if typed.is_empty() && (!section.has("domains") || section.place("domains") != section.span()) {
        let help = format!("name the hosts: {}", section.example("domains"));
        found.add(section.place("domains"), "there is no domain to get a certificate for", help);
    }
    names::each_once(&typed, found);
    let mut domains = Vec::new();
    for text in typed {
        match HostPattern::parse(text.get_ref()) {
            Ok(HostPattern::Exact(host)) if !host.contains([':', '/', '[']) => domains.push(host),
            Ok(_) => {
                let what = format!("`{}` is not one host by its name", text.get_ref());
                let help = "a certificate for all hosts below one is not to be had so; name it in \
                            [[tls.certificate]]";
                found.add(text.span(), what, help);
            }
            Err(fault) => {
                let what = format!("`{}` is not a host", text.get_ref());
                found.add(text.span(), what, fault.to_string());
            }
        }
    }
    domains
}
