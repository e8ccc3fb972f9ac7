//! What the sections about traffic mean: regions, upstreams, routes, and what is done with forms.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;
use toml::Spanned;

use super::file::{Section, Text};
use super::problem::Found;
use super::{edge, keys, names, node, quantity};
use crate::addr::HostPattern;
use crate::limit;
use crate::route::PathPattern;
use crate::snapshot::edge::EdgeRules;
use crate::snapshot::{Csp, FormPolicy, Programs, ResumeMode};

/// Fields by which widespread frameworks know a form of theirs: Django, Flask, Rails, Spring,
/// Express, Symfony and Laravel, ASP.NET, Phoenix, Yii, WordPress, Drupal, Magento.
pub const CSRF_FIELDS: [&str; 13] = [
    "csrfmiddlewaretoken",
    "csrf_token",
    "authenticity_token",
    "_csrf",
    "_token",
    "__RequestVerificationToken",
    "_csrf_token",
    "csrf",
    "csrftoken",
    "YII_CSRF_TOKEN",
    "_wpnonce",
    "form_token",
    "form_key",
];

/// Where widespread applications ask a visitor to sign in.
pub const SIGN_IN_PATHS: [&str; 10] = [
    "/login",
    "/login/",
    "/signin",
    "/sign-in",
    "/sign_in",
    "/users/sign_in",
    "/accounts/login/",
    "/admin/login/",
    "/auth/login",
    "/wp-login.php",
];

/// One region as it was declared.
pub(super) struct Region {
    pub(super) name: Text,
    pub(super) header: Option<(HeaderName, String)>,
    pub(super) hosts: Vec<Spanned<HostPattern>>,
    pub(super) networks: Vec<Spanned<IpNet>>,
}

/// One route as it was declared.
pub(super) struct Route {
    pub(super) name: Text,
    pub(super) title: String,
    pub(super) hosts: Vec<Spanned<HostPattern>>,
    pub(super) paths: Vec<Spanned<PathPattern>>,
    pub(super) upstream: Option<Text>,
    /// Region and upstream.
    pub(super) upstreams: Vec<(Text, Text)>,
    pub(super) answer_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) encoded_slashes: bool,
    pub(super) websocket: bool,
    pub(super) forms: FormPolicy,
    pub(super) edge: Option<Box<EdgeRules>>,
}

/// Reads `[[region]]`.
pub(super) fn regions(file: &Section<'_>, found: &mut Found) -> Vec<Region> {
    let mut unique = names::Unique::new("region");
    let mut regions = Vec::new();
    let sections = file.sections("region", &keys::REGION, found);
    if let Some(first_over) = sections.get(limit::REGIONS_MAX) {
        let help = format!("{} are possible", limit::REGIONS_MAX);
        found.add(first_over.span(), "too many regions", help);
    }
    for section in sections.iter().take(limit::REGIONS_MAX) {
        let name = names::required(section, "name", found);
        let header = region_header(section, found);
        let hosts = hosts(section, found).unwrap_or_default();
        let networks = node::networks(section, "networks", found);
        let Some(name) = name else { continue };
        unique.check(&name, found);
        regions.push(Region { name, header, hosts, networks });
    }
    regions
}

fn region_header(region: &Section<'_>, found: &mut Found) -> Option<(HeaderName, String)> {
    if !region.has("header") {
        return None;
    }
    let section = region.section("header", &keys::REGION_HEADER, found);
    let mut wanted = |key| {
        if !section.has(key) {
            let help = format!("write {}", region.example("header"));
            found.add(region.place("header"), format!("this header has no `{key}`"), help);
        }
        section.text(key, found)
    };
    // Both are looked at before either is missed.
    let (name, value) = (wanted("name"), wanted("value"));
    let (name, value) = (name?, value?);
    let Ok(header) = HeaderName::from_bytes(name.get_ref().as_bytes()) else {
        let what = format!("{:?} is not a name of a header", name.get_ref());
        found.add(name.span(), what, "letters, digits and `-` are possible: \"x-region\"");
        return None;
    };
    let visible =
        !value.get_ref().is_empty() && value.get_ref().bytes().all(|b| b > 31 && b != 127);
    if !visible || value.get_ref().trim() != value.get_ref() {
        let what = format!("no header has the value {:?}", value.get_ref());
        found.add(value.span(), what, "write it without control characters or outer spaces");
        return None;
    }
    Some((header, value.into_inner()))
}

/// Reads `[[route]]`.
pub(super) fn routes(file: &Section<'_>, found: &mut Found) -> Vec<Route> {
    let mut unique = names::Unique::new("route");
    let mut routes = Vec::new();
    let missing = (
        "there is no [[route]]: no request would be served",
        "add [[route]] with a name, paths = [\"/*\"] and an upstream",
    );
    for section in file.some_sections("route", &keys::ROUTE, missing, found) {
        if let Some(route) = route(&section, found) {
            unique.check(&route.name, found);
            routes.push(route);
        }
    }
    routes
}

fn route(section: &Section<'_>, found: &mut Found) -> Option<Route> {
    let name = names::required(section, "name", found);
    let any = || vec![Spanned::new(section.span(), HostPattern::Any)];
    let hosts = hosts(section, found).unwrap_or_else(any);
    if hosts.is_empty() && section.texts("hosts", found).is_some_and(|typed| typed.is_empty()) {
        let help = "name at least one, or leave the key out to mean every host";
        found.add(section.place("hosts"), "this route has no hosts", help);
    }
    let paths = paths(section, found);
    let upstream = match section.has("redirect") {
        true => None,
        false => names::required(section, "upstream", found),
    };
    let title = section.text("title", found);
    let title = title.map(|title| names::for_visitors("title", title, found));
    let upstreams = section.pairs("upstreams", found);
    let answer_timeout = timeout(section, "answer_timeout", limit::ANSWER_TIMEOUT, found);
    let idle_timeout = timeout(section, "idle_timeout", limit::ANSWER_IDLE, found);
    let encoded_slashes = section.flag("encoded_slashes", found).unwrap_or(false);
    let websocket = section.flag("websocket", found).unwrap_or(true);
    let forms = forms(section, found);
    let edge = edge::rules(section, &paths, found);
    let name = name?;
    let title = title.filter(|title| !title.trim().is_empty());
    Some(Route {
        title: title.unwrap_or_else(|| capital(name.get_ref())),
        name,
        hosts,
        paths,
        upstream,
        upstreams,
        answer_timeout,
        idle_timeout,
        encoded_slashes,
        websocket,
        forms,
        edge,
    })
}

pub(super) fn timeout(
    section: &Section<'_>,
    key: &'static str,
    default: Duration,
    found: &mut Found,
) -> Duration {
    let bounds = limit::TIMEOUT_FLOOR..=limit::TIMEOUT_CEILING;
    quantity::duration(section, key, default, bounds, found)
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn paths(section: &Section<'_>, found: &mut Found) -> Vec<Spanned<PathPattern>> {
    let typed = section.texts("paths", found);
    if typed.as_ref().is_some_and(Vec::is_empty) || !section.has("paths") {
        let help = format!("name at least one: {}; every path is \"/*\"", section.example("paths"));
        found.add(section.place("paths"), "this route has no paths", help);
    }
    let mut paths: Vec<Spanned<PathPattern>> = Vec::new();
    let typed = typed.unwrap_or_default();
    names::each_once(&typed, found);
    for text in typed {
        match PathPattern::parse(text.get_ref()) {
            Ok(path) => paths.push(Spanned::new(text.span(), path)),
            Err(fault) => {
                let what = format!("`{}` is not a path pattern", text.get_ref());
                found.add(text.span(), what, fault.to_string());
            }
        }
    }
    paths
}

fn hosts(section: &Section<'_>, found: &mut Found) -> Option<Vec<Spanned<HostPattern>>> {
    let mut hosts = Vec::new();
    let typed = section.texts("hosts", found)?;
    names::each_once(&typed, found);
    for text in typed {
        match HostPattern::parse(text.get_ref()) {
            Ok(host) => hosts.push(Spanned::new(text.span(), host)),
            Err(fault) => {
                let what = format!("`{}` is not a host", text.get_ref());
                found.add(text.span(), what, fault.to_string());
            }
        }
    }
    Some(hosts)
}

fn forms(route: &Section<'_>, found: &mut Found) -> FormPolicy {
    let section = route.section("forms", &keys::FORMS, found);
    let modes = [
        ("confirm", ResumeMode::Confirm),
        ("replay", ResumeMode::Replay),
        ("refill", ResumeMode::Refill),
        ("copy", ResumeMode::Copy),
    ];
    let csps = [("amend", Csp::Amend), ("respect", Csp::Respect)];
    let programs =
        [("prefer", Programs::Prefer), ("refuse", Programs::Refuse), ("keep", Programs::Keep)];
    let most = limit::KEPT_BYTES_CEILING;
    let life = limit::SUBMISSION_LIFE_FLOOR..=limit::SUBMISSION_LIFE_MAX;
    FormPolicy {
        keep: section.flag("keep", found).unwrap_or(true),
        resume: names::choice(&section, "resume", &modes, found).unwrap_or(ResumeMode::Confirm),
        life: quantity::duration(&section, "life", limit::SUBMISSION_LIFE, life, found),
        body_bytes_max: quantity::size(
            &section,
            "body_bytes_max",
            limit::FORM_BYTES_MAX,
            most,
            found,
        ),
        upload_bytes_max: quantity::size(
            &section,
            "upload_bytes_max",
            limit::UPLOAD_BYTES_MAX,
            most,
            found,
        ),
        csrf_fields: fields(&section, "csrf_fields", &CSRF_FIELDS, found),
        never_kept: fields(&section, "never_kept", &[], found),
        sign_in_paths: sign_in_paths(&section, found),
        session_cookies: fields(&section, "session_cookies", &[], found),
        script: section.flag("script", found).unwrap_or(true),
        csp: names::choice(&section, "csp", &csps, found).unwrap_or(Csp::Amend),
        tee: section.flag("tee", found).unwrap_or(false),
        idempotency_key: section.flag("idempotency_key", found).unwrap_or(false),
        programs: names::choice(&section, "programs", &programs, found).unwrap_or(Programs::Prefer),
    }
}

fn fields(
    forms: &Section<'_>,
    key: &'static str,
    default: &[&str],
    found: &mut Found,
) -> Arc<[String]> {
    let Some(typed) = forms.texts(key, found) else {
        return default.iter().map(|name| (*name).to_owned()).collect();
    };
    for name in typed.iter().filter(|name| name.get_ref().trim().is_empty()) {
        let help = format!("write the name of a field, or remove it: {}", forms.example(key));
        found.add(name.span(), format!("`{key}` holds an empty name"), help);
    }
    typed.into_iter().map(Spanned::into_inner).collect()
}

fn sign_in_paths(forms: &Section<'_>, found: &mut Found) -> Arc<[String]> {
    let Some(typed) = forms.texts("sign_in_paths", found) else {
        return SIGN_IN_PATHS.iter().map(|path| (*path).to_owned()).collect();
    };
    for path in typed.iter().filter(|path| !path.get_ref().starts_with('/')) {
        let what = format!("`{}` is not an absolute path", path.get_ref());
        let help = format!("begin it with a slash: {}", forms.example("sign_in_paths"));
        found.add(path.span(), what, help);
    }
    typed.into_iter().map(Spanned::into_inner).collect()
}
