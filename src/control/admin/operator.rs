//! Who asks, and what they may do. Every route of the API asks here, and nowhere else.

use std::net::IpAddr;
use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::json;

use super::problem::Problem;
use crate::control::scopes::{lies_in, meet};
use crate::grant::Role;
use crate::window::maintenance::Kind;
use crate::window::scope::{Scope, Selection};
use crate::window::state::Author;

/// The code of what waits for a second operator.
pub(super) const APPROVAL_WANTED: &str = "approval_wanted";

/// Where a request came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Whence {
    /// An address.
    Address(IpAddr),
    /// The admin socket.
    Socket,
}

impl std::fmt::Display for Whence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Socket => f.write_str("unix"),
        }
    }
}

/// Who asks. Every handler below `/api/v1` finds this among the request's extensions.
#[derive(Clone, Debug)]
pub(super) struct Operator {
    /// Who, in the history and the audit.
    pub(super) name: String,
    /// What they may do.
    pub(super) role: Role,
    /// Where.
    pub(super) scope: Scope,
    /// Where they are.
    pub(super) from: Whence,
    /// Where nobody closes anything alone.
    pub(super) approvals: Arc<[Scope]>,
    /// Who has approved what is asked.
    pub(super) approved: Option<String>,
}

impl Operator {
    /// Whether they may do something of this role there.
    pub(super) fn may(&self, role: Role, scope: &Scope) -> Result<(), Problem> {
        self.has(role)?;
        if lies_in(scope, &self.scope) {
            return Ok(());
        }
        let outside = [
            outside("regions", &scope.regions, &self.scope.regions),
            outside("routes", &scope.routes, &self.scope.routes),
        ];
        let outside = outside.into_iter().flatten().collect::<Vec<_>>().join("; ");
        let detail = format!("`{}` may not do that for {outside}", self.name);
        Err(Problem::new(StatusCode::FORBIDDEN, "outside_scope", detail)
            .with("allowed", json!(self.scope)))
    }

    /// Whether they may close a scope, or plan to. Where two are needed, the second has to
    /// approve, unless it is an emergency and an admin says so.
    pub(super) fn may_close(&self, scope: &Scope, emergency: bool) -> Result<(), Problem> {
        self.may(Role::Operator, scope)?;
        let needed = self.approvals.iter().any(|guarded| meet(guarded, scope));
        if !needed || self.approved.is_some() {
            return Ok(());
        }
        if emergency {
            return self.may(Role::Admin, scope);
        }
        let detail = "another operator has to approve; nothing was done yet";
        Err(Problem::new(StatusCode::ACCEPTED, APPROVAL_WANTED, detail).guarded(scope.clone()))
    }

    /// The same for a part of a maintenance. A plan that calls itself an emergency waits for the
    /// second as any other, unless it is an admin's.
    pub(super) fn may_plan(&self, scope: &Scope, kind: Kind) -> Result<(), Problem> {
        let alone = match kind {
            Kind::Planned => false,
            Kind::Emergency => self.has(Role::Admin).is_ok(),
        };
        self.may_close(scope, alone)
    }

    /// Whether they have this role.
    pub(super) fn has(&self, role: Role) -> Result<(), Problem> {
        if role <= self.role {
            return Ok(());
        }
        let (name, has, wanted) = (&self.name, self.role.name(), role.name());
        let detail = format!("`{name}` is {has}; for this {wanted} is wanted");
        Err(Problem::new(StatusCode::FORBIDDEN, "role_wanted", detail).with("role", wanted))
    }

    /// The author of what they do, for the history.
    pub(super) fn author(&self, why: String) -> Author {
        let why = match &self.approved {
            None => why,
            Some(second) if why.is_empty() => format!("approved by {second}"),
            Some(second) => format!("{why} (approved by {second})"),
        };
        Author { by: self.name.clone(), why }
    }
}

fn outside(what: &str, asked: &Selection, allowed: &Selection) -> Option<String> {
    match (asked, allowed) {
        (_, Selection::All) => None,
        (Selection::All, Selection::Named(_)) => Some(format!("all {what}")),
        (Selection::Named(_), Selection::Named(_)) => {
            let names: Vec<_> = asked.names().filter(|name| !allowed.covers(name)).collect();
            (!names.is_empty()).then(|| format!("the {what} {}", names.join(", ")))
        }
    }
}

/// The role that a route asks for. What is not named here asks for more, not for less.
pub(super) fn role_for(method: &Method, route: &str) -> Role {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match route {
        // Who may do what is nobody's business but the admins'.
        "/api/v1/tokens" | "/api/v1/tokens/{id}" | "/api/v1/config/reload" => Role::Admin,
        // Nothing is changed, whatever the method.
        "/api/v1/preview" => Role::Viewer,
        _ if reads => Role::Viewer,
        _ if OPERATORS.contains(&route) => Role::Operator,
        _ => Role::Admin,
    }
}

/// What operators may change.
const OPERATORS: [&str; 20] = [
    "/api/v1/switches",
    "/api/v1/switches/off",
    "/api/v1/maintenances",
    "/api/v1/maintenances/{id}",
    "/api/v1/maintenances/{id}/cancel",
    "/api/v1/maintenances/{id}/updates",
    "/api/v1/maintenances/{id}/aftermath",
    "/api/v1/windows/{id}",
    "/api/v1/windows/{id}/start",
    "/api/v1/windows/{id}/extend",
    "/api/v1/windows/{id}/end",
    "/api/v1/windows/{id}/cancel",
    "/api/v1/upstreams/{upstream}/servers/{server}/state",
    "/api/v1/bypasses",
    "/api/v1/bypasses/{id}",
    "/api/v1/approvals",
    "/api/v1/approvals/{id}",
    "/api/v1/config/check",
    "/api/v1/submissions",
    "/api/v1/submissions/{id}",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(regions: &[&str], routes: &[&str]) -> Scope {
        let of = |names: &[&str]| Selection::of(names.iter().map(|name| (*name).to_owned()));
        Scope { regions: of(regions), routes: of(routes), ..Scope::default() }
    }

    fn operator(role: Role, scope: Scope) -> Operator {
        let name = "ada".to_owned();
        let approvals = Arc::from([self::scope(&[], &["payments"])]);
        Operator { name, role, scope, from: Whence::Socket, approvals, approved: None }
    }

    #[test]
    fn a_role_may_what_lesser_ones_may_and_only_in_its_scope() {
        let ada = operator(Role::Operator, scope(&["eu"], &["claims", "payments"]));
        let claims = scope(&["eu"], &["claims"]);
        assert!(ada.may(Role::Viewer, &claims).is_ok() && ada.may(Role::Operator, &claims).is_ok());
        assert!(ada.may(Role::Admin, &claims).is_err());
        for more in [scope(&["eu", "apac"], &["claims"]), scope(&[], &["claims"])] {
            assert!(ada.may(Role::Operator, &more).is_err(), "{more:?}");
        }
        assert!(operator(Role::Admin, Scope::default()).may(Role::Admin, &claims).is_ok());
    }

    #[test]
    fn two_are_needed_where_the_config_says_so() {
        let (claims, payments) = (scope(&["eu"], &["claims"]), scope(&["eu"], &["payments"]));
        let ada = operator(Role::Operator, Scope::default());
        assert!(ada.may_close(&claims, false).is_ok());
        assert!(ada.may_close(&payments, false).is_err());
        assert!(ada.may_close(&Scope::default(), false).is_err(), "everything is payments too");
        assert!(ada.may_close(&payments, true).is_err(), "an emergency is an admin's");
        let boss = operator(Role::Admin, Scope::default());
        assert!(boss.may_close(&payments, true).is_ok());
        assert!(boss.may_close(&payments, false).is_err());
        for (who, kind, alone) in [
            (&ada, Kind::Emergency, false),
            (&boss, Kind::Planned, false),
            (&boss, Kind::Emergency, true),
        ] {
            assert_eq!(who.may_plan(&payments, kind).is_ok(), alone, "{:?}, {kind:?}", who.role);
            assert!(who.may_plan(&claims, kind).is_ok());
        }
        let approved = Operator { approved: Some("bob".to_owned()), ..ada };
        assert!(approved.may_close(&payments, false).is_ok());
        assert_eq!(approved.author("x".to_owned()).why, "x (approved by bob)");
    }

    #[test]
    fn an_unknown_mutation_asks_for_an_admin() {
        assert_eq!(role_for(&Method::POST, "/api/v1/later"), Role::Admin);
        assert_eq!(role_for(&Method::GET, "/api/v1/later"), Role::Viewer);
        assert_eq!(role_for(&Method::POST, "/api/v1/switches"), Role::Operator);
        assert_eq!(role_for(&Method::GET, "/api/v1/tokens"), Role::Admin);
    }
}
