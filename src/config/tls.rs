//! What the sections about TLS mean, with every file that they name read and checked.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::acme::Given;
use super::file::Section;
use super::node::directory;
use super::problem::Found;
use super::{keys, names};
use crate::snapshot::{Listener, Protocol};
use crate::tls::{Client, Clients, Fault, Identity, Name, Roots, Server, Terms, Verify, Version};

/// The CAs of the system, read once if an upstream asks for them.
#[derive(Default)]
pub(super) struct System(Option<Roots>);

impl System {
    pub(super) fn roots(&mut self) -> Result<Roots, Fault> {
        if let Some(roots) = &self.0 {
            return Ok(roots.clone());
        }
        let roots = Roots::system()?;
        self.0 = Some(roots.clone());
        Ok(roots)
    }
}

/// Reads `[tls]`: what `https` listeners show.
pub(super) fn server(
    file: &Section<'_>,
    base: &Path,
    listeners: &[Spanned<Listener>],
    acme: &Given,
    found: &mut Found,
) -> Option<Server> {
    let section = file.section("tls", &keys::TLS, found);
    let https = listeners.iter().find(|known| known.get_ref().protocol == Protocol::Https);
    let sections = section.sections("certificate", &keys::CERTIFICATE, found);
    let mut identities: Vec<_> = sections
        .iter()
        .filter_map(|typed| identity(typed, "chain", base, found).or_else(|| lacking(typed, found)))
        .collect();
    let versions = [("1.2", Version::Tls12), ("1.3", Version::Tls13)];
    let oldest = names::choice(&section, "min_version", &versions, found);
    let clients = clients(&section, base, found);
    identities.extend_from_slice(&acme.identities);
    // Until the CA has given one, nobody can be shown any.
    if identities.is_empty() && acme.asked.is_none() {
        if let Some(https) = https.filter(|_| !section.has("certificate")) {
            let help = "add [[tls.certificate]] with chain and key";
            found.add(https.span(), "this listener has no certificate to show", help);
        }
        return None;
    }
    let oldest = oldest.unwrap_or(Version::Tls12);
    match Server::new(Terms { identities, proofs: acme.proofs.clone(), oldest, clients: clients? })
    {
        Ok(server) => Some(server),
        Err(fault) => {
            found.add(section.span(), fault.to_string(), "is the certificate whole?");
            None
        }
    }
}

/// How clients are asked for certificates of a CA.
type Asking = fn(Roots) -> Clients;

/// Who has to show a certificate. None if what was typed cannot be meant: nobody is let in
/// unasked because of a file that cannot be read.
fn clients(section: &Section<'_>, base: &Path, found: &mut Found) -> Option<Clients> {
    let ca = directory(section, "client_ca", base, found);
    let words: [(_, Asking); 2] = [("required", Clients::Must), ("optional", Clients::May)];
    let wanted = names::choice(section, "client_certificate", &words, found);
    let Some(ca) = ca else {
        if !section.has("client_certificate") {
            return (!section.has("client_ca")).then_some(Clients::Unasked);
        }
        let help = format!("name the CA of the clients: {}", section.example("client_ca"));
        let what = "nobody is known who could have given clients their certificates";
        found.add(section.place("client_certificate"), what, help);
        return None;
    };
    let roots = roots(&ca, Roots::read(ca.get_ref()), found)?;
    match section.has("client_certificate") {
        true => wanted.map(|asking| asking(roots)),
        false => Some(Clients::Must(roots)),
    }
}

/// Says that a certificate lacks what it needs.
fn lacking(typed: &Section<'_>, found: &mut Found) -> Option<Identity> {
    if !typed.has("chain") && !typed.has("key") {
        let help = "name both files: chain = \"site.pem\", key = \"site.key\"";
        found.add(typed.span(), "this certificate has neither chain nor key", help);
    }
    None
}

/// Reads `[upstream.tls]`: how servers are spoken to.
pub(super) fn client(
    upstream: &Section<'_>,
    base: &Path,
    system: &mut System,
    found: &mut Found,
) -> Option<Client> {
    let section = upstream.section("tls", &keys::UPSTREAM_TLS, found);
    if !upstream.has("tls") {
        return None;
    }
    let identity = identity(&section, "certificate", base, found);
    let verify = verify(&section, base, system, found);
    let name = section.text("server_name", found).and_then(|typed| {
        let help = format!("write {}", section.example("server_name"));
        let parsed = Name::parse(typed.get_ref());
        parsed.map_err(|fault| found.add(typed.span(), fault.to_string(), help)).ok()
    });
    let made = Client::new(&verify?, identity.as_ref(), name).map_err(|fault| {
        found.add(section.span(), fault.to_string(), "are the files whole?");
    });
    made.ok()
}

/// Whose word is taken for who a server is.
fn verify(
    section: &Section<'_>,
    base: &Path,
    system: &mut System,
    found: &mut Found,
) -> Option<Verify> {
    let verify = section.flag("verify", found).unwrap_or(true);
    let ca = directory(section, "ca", base, found);
    if !verify {
        if section.has("ca") {
            let help = "remove `ca`, or remove `verify = false`";
            found.add(section.place("ca"), "nothing is verified, so `ca` means nothing", help);
        }
        return Some(Verify::Nothing);
    }
    let known = match ca {
        Some(ca) => roots(&ca, Roots::read(ca.get_ref()), found),
        // What was typed cannot be meant, which was said.
        None if section.has("ca") => None,
        None => roots(&Spanned::new(section.span(), ()), system.roots(), found),
    };
    known.map(Verify::By)
}

/// CAs, or what is wrong with them.
pub(super) fn roots<T>(
    typed: &Spanned<T>,
    known: Result<Roots, Fault>,
    found: &mut Found,
) -> Option<Roots> {
    known
        .map_err(|fault| {
            let help = match fault {
                Fault::NoRoots => "name the CA of these servers: ca = \"ca.pem\"",
                Fault::Unreadable { .. }
                | Fault::Empty { .. }
                | Fault::Mismatch { .. }
                | Fault::Name(_)
                | Fault::Verifier(_)
                | Fault::Refused(_) => "the file holds the certificates of CAs as PEM",
            };
            found.add(typed.span(), fault.to_string(), help);
        })
        .ok()
}

/// A certificate and its key; none if neither is there. One without the other is a problem.
pub(super) fn identity(
    section: &Section<'_>,
    chain: &'static str,
    base: &Path,
    found: &mut Found,
) -> Option<Identity> {
    let certificate = directory(section, chain, base, found);
    let key = directory(section, "key", base, found);
    match (certificate, key) {
        (Some(certificate), Some(key)) => read(&certificate, &key, found),
        (None, None) => None,
        (Some(alone), None) => lonely(section, chain, "key", &alone, found),
        (None, Some(alone)) => lonely(section, "key", chain, &alone, found),
    }
}

fn read(
    certificate: &Spanned<PathBuf>,
    key: &Spanned<PathBuf>,
    found: &mut Found,
) -> Option<Identity> {
    let made = Identity::read(certificate.get_ref(), key.get_ref()).map_err(|fault| {
        let about_key = fault.is_about(key.get_ref());
        let place = if about_key { key.span() } else { certificate.span() };
        let help = "both files hold PEM; the chain begins with the certificate of the key";
        found.add(place, fault.to_string(), help);
    });
    made.ok()
}

/// Says that a certificate has no key, or a key no certificate.
fn lonely(
    section: &Section<'_>,
    has: &'static str,
    lacks: &'static str,
    alone: &Spanned<PathBuf>,
    found: &mut Found,
) -> Option<Identity> {
    // A value that cannot be meant was told.
    if !section.has(lacks) {
        let help = format!("name both files: add {}", section.example(lacks));
        found.add(alone.span(), format!("`{has}` stands there without `{lacks}`"), help);
    }
    None
}
