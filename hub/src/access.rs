//! Who may call what: one table for every HTTP route and every RPC, and the guard that keeps it.
//!
//! A route can only be added together with its [`Access`]; the guard for it is put in front by [`Routes`], so a handler
//! is never reached by anyone else. The written table below is compared with the routes as they were built.

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::middleware::Next;
use axum::routing::{MethodRouter, get, post};
use http::Method;

use crate::app::App;
use crate::auth;

#[cfg(test)]
mod tests;

/// Who may call a route or an RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone. Reads only.
    Anyone,
    /// Anyone with a one-time token in the request, from the same site, at a limited rate.
    TokenHolder,
    /// A signed-in person: session cookie or API token. A write by cookie needs the session's CSRF token.
    Person,
    /// As [`Access::Person`], with the role of operator.
    Operator,
    /// A daemon with a tenant's certificate in force (RPC only).
    Tenant,
}

/// One line of the table: method, path (as axum writes it), who.
pub type HttpLine = (Method, &'static str, Access);

/// Every HTTP route of the API and the installer; those of the pages stand in [`crate::pages::HTTP`].
pub const HTTP: &[HttpLine] = &[
    (Method::GET, "/healthz", Access::Anyone),
    (Method::GET, "/api/v1/healthz", Access::Anyone),
    (Method::GET, "/api/v1/openapi.json", Access::Anyone),
    (Method::GET, "/api/v1/session", Access::Person),
    (Method::GET, "/api/v1/tenants", Access::Person),
    (Method::GET, "/api/v1/tenants/{tenant}", Access::Person),
    (Method::GET, "/api/v1/tenants/{tenant}/policy", Access::Person),
    (Method::GET, "/api/v1/tenants/{tenant}/commands", Access::Person),
    (Method::POST, "/api/v1/tenants/{tenant}/commands", Access::Person),
    (Method::GET, "/api/v1/approvals", Access::Person),
    (Method::GET, "/api/v1/approvals/{digest}", Access::Person),
    (Method::POST, "/api/v1/approvals/{digest}/decision", Access::Person),
    (Method::GET, "/api/v1/passkeys", Access::Person),
    (Method::POST, "/api/v1/passkeys", Access::Person),
    (Method::POST, "/api/v1/passkeys/challenge", Access::Person),
    (Method::POST, "/api/v1/passkeys/{fingerprint}/removal", Access::Person),
    (Method::POST, "/api/v1/passkeys/{fingerprint}/introduction", Access::Person),
    (Method::GET, "/api/v1/activity", Access::Person),
    (Method::GET, "/api/v1/usage", Access::Person),
    (Method::GET, "/install/{script}", Access::Anyone),
    (Method::GET, "/install/wardkeep-agent", Access::Anyone),
    (Method::GET, "/install/wardkeep-agent/{digest}", Access::Anyone),
];

/// Every RPC, as `service/method`.
pub const RPC: &[(&str, Access)] = &[
    ("wardkeep.v1.Enrolment/Enrol", Access::TokenHolder),
    ("wardkeep.v1.Enrolment/Renew", Access::Tenant),
    ("wardkeep.v1.TenantLink/Attach", Access::Tenant),
    ("wardkeep.v1.Report/Usage", Access::Tenant),
    ("wardkeep.v1.Report/AuditCheckpoint", Access::Tenant),
    ("wardkeep.v1.Report/AuditCheckpoints", Access::Tenant),
];

/// A router that cannot have a route without a guard.
pub struct Routes {
    app: App,
    router: Router<App>,
    lines: Vec<HttpLine>,
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Routes").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl Routes {
    /// No routes yet.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self { app, router: Router::new(), lines: Vec::new() }
    }

    /// Adds a read.
    #[must_use]
    pub fn get<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::GET, path, access, get(handler))
    }

    /// Adds a write.
    #[must_use]
    pub fn post<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.add(Method::POST, path, access, post(handler))
    }

    fn add(mut self, method: Method, path: &'static str, access: Access, route: MethodRouter<App>) -> Self {
        let (app, line) = (self.app.clone(), (method.clone(), access));
        let guard = axum::middleware::from_fn(move |request: Request, next: Next| {
            auth::guard(app.clone(), line.clone(), request, next)
        });
        self.router = self.router.route(path, route.layer(guard));
        self.lines.push((method, path, access));
        self
    }

    /// The router with its state, and what it is made of.
    pub fn finish(self) -> (Router, Vec<HttpLine>) {
        (self.router.with_state(self.app), self.lines)
    }
}
