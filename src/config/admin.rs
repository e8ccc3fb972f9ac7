//! What the sections about the admin API mean: where it listens, who may use it and for what.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use toml::Spanned;

use super::file::{Section, Text};
use super::node::{clash, directory, socket, unspanned};
use super::problem::Found;
use super::{AdminRules, AdminTls, Token, keys, names, tls};
use crate::addr::HostPattern;
use crate::grant::Role;
use crate::grant::token::LOCAL_USER;
use crate::region::RegionTable;
use crate::snapshot::Listener;
use crate::tls::{Clients, Name, Roots, Server, Terms, Version};
use crate::window::scope::{Scope, Selection};
use crate::{digest, limit};

/// What was read, and the names in it that must be declared elsewhere.
pub(super) struct Read {
    pub(super) rules: AdminRules,
    regions: Vec<Text>,
    routes: Vec<Text>,
}

/// Reads `[admin]`, `[[admin.token]]`, `[admin.tls]` and `[[approval]]`.
pub(super) fn read(
    file: &Section<'_>,
    base: &Path,
    listeners: &[Spanned<Listener>],
    found: &mut Found,
) -> Read {
    let admin = file.section("admin", &keys::ADMIN, found);
    let mut named = Named::default();
    let tls = encrypted(&admin, base, found);
    let tokens = tokens(&admin, &mut named, found);
    let listen = listen(&admin, listeners, &tokens, found);
    certificates_without_tls(&admin, &tokens, tls.as_ref(), found);
    let approvals = file.sections("approval", &keys::APPROVAL, found);
    let approvals = approvals.iter().map(|section| named.scope(section, found)).collect();
    let share = admin.whole("confirm_share", 0..=100, found);
    let share = share.and_then(|share| u8::try_from(share).ok());
    let rules = AdminRules {
        listen,
        tokens: tokens.into_iter().map(|(token, _)| token).collect(),
        hosts: hosts(&admin, found),
        unix: directory(&admin, "unix", base, found).map(Spanned::into_inner),
        tls,
        approvals,
        confirm_share: share.unwrap_or(limit::CONFIRM_SHARE),
    };
    Read { rules, regions: named.regions, routes: named.routes }
}

impl Read {
    /// The rules, if every name in them is declared.
    pub(super) fn compile<'n>(
        self,
        regions: &RegionTable,
        routes: impl Iterator<Item = &'n str> + Clone,
        found: &mut Found,
    ) -> AdminRules {
        for name in &self.regions {
            if regions.named(name.get_ref()).is_none() {
                names::unknown("region", name, regions.names(), found);
            }
        }
        for name in &self.routes {
            if !routes.clone().any(|known| known == name.get_ref()) {
                names::unknown("route", name, routes.clone(), found);
            }
        }
        self.rules
    }
}

/// Names that were met in scopes.
#[derive(Default)]
struct Named {
    regions: Vec<Text>,
    routes: Vec<Text>,
}

impl Named {
    /// The scope that a section names; everything where it names nothing.
    fn scope(&mut self, section: &Section<'_>, found: &mut Found) -> Scope {
        let regions = selection(section, "regions", &mut self.regions, found);
        let routes = selection(section, "routes", &mut self.routes, found);
        Scope { regions, routes, ..Scope::default() }
    }
}

fn selection(
    section: &Section<'_>,
    key: &'static str,
    named: &mut Vec<Text>,
    found: &mut Found,
) -> Selection {
    let Some(texts) = section.texts(key, found) else { return Selection::All };
    if texts.is_empty() {
        let help = format!("leave `{key}` out for all of them, or name some");
        found.add(section.place(key), format!("`{key}` names nothing"), help);
    }
    names::each_once(&texts, found);
    named.extend(texts.iter().cloned());
    Selection::of(unspanned(texts))
}

fn listen(
    admin: &Section<'_>,
    listeners: &[Spanned<Listener>],
    tokens: &[(Token, Text)],
    found: &mut Found,
) -> SocketAddr {
    let typed = admin.text("listen", found);
    let address = typed.as_ref().and_then(|text| socket(text, &admin.example("listen"), found));
    let listen = address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 7070)));
    let place = admin.place("listen");
    if !listen.ip().to_canonical().is_loopback() && tokens.is_empty() {
        let what = format!("the admin API would be open to everyone who reaches {listen}");
        let help = "listen on 127.0.0.1, or add an [[admin.token]]; \
                    `intermission token` makes one";
        found.add(place.clone(), what, help);
    }
    if let Some(same) = listeners.iter().find(|known| clash(known.get_ref().at, listen)) {
        let what = format!("the admin API and a listener for visitors both want {listen}");
        let help = "give one of them another port";
        match admin.has("listen") {
            true => found.add_beside(place, (same.span(), "visitors"), what, help),
            false => found.add(same.span(), what, help),
        }
    }
    listen
}

fn hosts(admin: &Section<'_>, found: &mut Found) -> Vec<String> {
    let hosts = admin.texts("hosts", found).unwrap_or_default();
    let hosts = hosts.into_iter().filter_map(|text| {
        match HostPattern::parse(text.get_ref()) {
            Ok(HostPattern::Exact(host)) => return Some(host),
            Ok(HostPattern::Any | HostPattern::Below(_)) => {
                let what = "the admin API's hosts are named one by one, without `*`";
                found.add(text.span(), what, format!("write {}", admin.example("hosts")));
            }
            Err(fault) => {
                let what = format!("`{}` is not a host", text.get_ref());
                found.add(text.span(), what, fault.to_string());
            }
        }
        None
    });
    hosts.collect()
}

/// Reads `[admin.tls]`.
fn encrypted(admin: &Section<'_>, base: &Path, found: &mut Found) -> Option<AdminTls> {
    let section = admin.section("tls", &keys::ADMIN_TLS, found);
    if !admin.has("tls") {
        return None;
    }
    let paths = ["chain", "key", "client_ca"];
    let files =
        paths.iter().filter_map(|key| directory(&section, key, base, &mut Found::default()));
    let files = unspanned(files.collect());
    let identity = tls::identity(&section, "chain", base, found);
    if identity.is_none() && !section.has("chain") && !section.has("key") {
        let help = "name both files: chain = \"admin.pem\", key = \"admin.key\"";
        found.add(section.span(), "this section has neither chain nor key", help);
    }
    let clients = match directory(&section, "client_ca", base, found) {
        Some(ca) => Clients::Must(tls::roots(&ca, Roots::read(ca.get_ref()), found)?),
        None if section.has("client_ca") => return None,
        None => Clients::Unasked,
    };
    let asks = matches!(clients, Clients::Must(_));
    let identities = vec![identity?];
    let terms = Terms { identities, proofs: Vec::new(), oldest: Version::Tls12, clients };
    match Server::speaking_http1(terms) {
        Ok(server) => Some(AdminTls { files, asks, server }),
        Err(fault) => {
            found.add(section.span(), fault.to_string(), "is the certificate whole?");
            None
        }
    }
}

/// A certificate that nobody is asked for lets nobody in, and that would be noticed too late.
fn certificates_without_tls(
    admin: &Section<'_>,
    tokens: &[(Token, Text)],
    tls: Option<&AdminTls>,
    found: &mut Found,
) {
    let asks = match tls {
        Some(tls) => tls.asks,
        // What stands there cannot be meant, which was told.
        None => admin.has("tls"),
    };
    for (token, name) in tokens.iter().filter(|(token, _)| token.certificate.is_some() && !asks) {
        let what = format!("`{}` has a certificate, but nobody is asked for one", token.name);
        let help = "add [admin.tls] with chain, key and client_ca, or remove `certificate`";
        found.add(name.span(), what, help);
    }
}

fn tokens(admin: &Section<'_>, named: &mut Named, found: &mut Found) -> Vec<(Token, Text)> {
    let mut tokens = Vec::new();
    let mut unique = names::Unique::new("token");
    let (mut hashes, mut certificates) = (HashMap::new(), HashMap::new());
    for section in admin.sections("token", &keys::TOKEN, found) {
        let name = token_name(&section, found);
        if let Some(name) = &name {
            unique.check(name, found);
        }
        let certificate = certificate(&section, &mut certificates, found);
        let sha256 = hash(&section, &mut hashes, found);
        let words =
            [("viewer", Role::Viewer), ("operator", Role::Operator), ("admin", Role::Admin)];
        let role = names::choice(&section, "role", &words, found);
        let scope = named.scope(&section, found);
        // Until roles were known every token could do everything.
        let role = role.unwrap_or(Role::Admin);
        if let Some(name) = name.filter(|_| sha256.is_some() || certificate.is_some()) {
            let token = Token { name: name.get_ref().clone(), sha256, certificate, role, scope };
            tokens.push((token, name));
        }
    }
    tokens
}

/// What a token's secret hashes to. One that has only a certificate has none.
fn hash(
    section: &Section<'_>,
    seen: &mut HashMap<String, std::ops::Range<usize>>,
    found: &mut Found,
) -> Option<digest::Hash> {
    let Some(typed) = section.text("sha256", found) else {
        if !section.has("sha256") && !section.has("certificate") {
            let help = "run `intermission token`, and copy the line sha256 that it prints";
            found.add(section.span(), "this token has no sha256", help);
        }
        return None;
    };
    found.hide(typed.span());
    let hash = digest::unhex(typed.get_ref()).and_then(|bytes| bytes.try_into().ok());
    if hash.is_some() {
        one_each(&typed, "token", seen, found);
    } else {
        let what = "`sha256` is not a SHA-256 hash: 64 hexadecimal digits are wanted";
        let help = "run `intermission token`: it prints a token to keep, and its hash to \
                    write here";
        found.add(typed.span(), what, help);
    }
    hash
}

fn certificate(
    section: &Section<'_>,
    seen: &mut HashMap<String, std::ops::Range<usize>>,
    found: &mut Found,
) -> Option<String> {
    let typed = section.text("certificate", found)?;
    if let Err(fault) = Name::parse(typed.get_ref()) {
        let help = format!("write a DNS name of it: {}", section.example("certificate"));
        found.add(typed.span(), fault.to_string(), help);
        return None;
    }
    one_each(&typed, "certificate", seen, found);
    Some(typed.into_inner().to_ascii_lowercase())
}

/// One token under two names would leave the history without a name to tell.
fn one_each(
    typed: &Text,
    what: &str,
    seen: &mut HashMap<String, std::ops::Range<usize>>,
    found: &mut Found,
) {
    if let Some(first) = seen.insert(typed.get_ref().to_ascii_lowercase(), typed.span()) {
        let help = match what {
            "token" => "make a token for each: `intermission token`",
            _ => "give each of the two a certificate of its own",
        };
        let what = format!("two names have the same {what}");
        found.add_beside(typed.span(), (first, "first here"), what, help);
    }
}

/// The name of a person or a machine, so freer than other names.
fn token_name(token: &Section<'_>, found: &mut Found) -> Option<Text> {
    if !token.has("name") {
        return names::required(token, "name", found);
    }
    let typed = token.text("name", found)?;
    let name = typed.get_ref();
    let fault = if name.trim().is_empty() {
        "it is empty"
    } else if name.chars().count() > limit::NAME_CHARS_MAX {
        "it is too long: 64 characters are possible"
    } else if name.chars().any(char::is_control) {
        "it holds a control character"
    } else if name == "intermission" {
        "the proxy calls itself so in the history"
    } else if name.starts_with(LOCAL_USER) {
        "users of the admin socket are called so in the history"
    } else {
        return Some(typed);
    };
    let what = format!("{name:?} cannot be the name of a token: {fault}");
    found.add(typed.span(), what, format!("choose another: {}", token.example("name")));
    None
}
