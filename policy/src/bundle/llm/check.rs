//! What serde cannot see: names that lead nowhere, addresses that cannot be, secrets that nobody would send.

use std::collections::BTreeSet;

use super::{Auth, Endpoint, LlmConfig, Model, Provider, Route, route};

/// Providers and models that contradict themselves; the text says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidLlm(String);

/// Headers that the gateway itself writes, or that are of one connection only.
const OURS: [&str; 18] = [
    "accept-encoding",
    "api-key",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-api-key",
    "x-goog-api-key",
];

impl LlmConfig {
    /// Whether every provider can be asked and every model leads to one.
    ///
    /// # Errors
    /// The first thing to mend.
    pub fn check(&self) -> Result<(), InvalidLlm> {
        self.contradiction().map_or(Ok(()), |why| Err(InvalidLlm(why)))
    }

    fn contradiction(&self) -> Option<String> {
        twice("provider", self.providers.iter().map(|provider| provider.name.as_str()))
            .or_else(|| {
                let names = self.models.iter().map(|model| model.name.as_str());
                twice("model", names.chain(self.routes.iter().map(|route| route.name.as_str())))
            })
            .or_else(|| self.providers.iter().find_map(provider))
            .or_else(|| self.models.iter().find_map(|model| self.lost(model)))
            .or_else(|| self.routes.iter().find_map(route::wrong_route))
            .or_else(|| self.routes.iter().find_map(|route| self.astray(route)))
    }

    fn astray(&self, route: &Route) -> Option<String> {
        let Route { name, targets, .. } = route;
        let lost = targets.iter().find(|target| self.model(&target.model).is_none())?;
        Some(format!("route {name:?} names model {:?}, which is not there", lost.model))
    }

    fn lost(&self, model: &Model) -> Option<String> {
        let Model { name, provider, upstream_model, .. } = model;
        if self.provider(provider).is_none() {
            return Some(format!("model {name:?} names provider {provider:?}, which is not there"));
        }
        let fit = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
        (!fit(name) || !fit(upstream_model)).then(|| {
            format!("model {name:?}: name and upstream_model must be text on one line; write what agents ask for and what the provider calls it")
        })
    }
}

fn twice<'a>(kind: &str, mut names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut seen = BTreeSet::new();
    names.find(|name| !seen.insert(*name)).map(|name| format!("{kind} {name:?} stands there twice"))
}

fn provider(of: &Provider) -> Option<String> {
    let wrong = address(of).or_else(|| keys(of)).or_else(|| head(of)).or_else(|| paths(of)).or_else(|| body(of));
    let wrong = wrong.or_else(|| route::wrong_patience(of.breaker, of.cooldown, of.waits))?;
    Some(format!("provider {:?}: {wrong}", of.name))
}

fn address(of: &Provider) -> Option<String> {
    let Ok(url) = url::Url::parse(&of.base_url) else {
        return Some("base_url is not a URL; write it like \"https://api.example.com\"".to_owned());
    };
    let local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if url.scheme() != "https" && !(url.scheme() == "http" && local) {
        return Some("base_url must be https (http only to this machine)".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some(
            "base_url must not hold a user or a password; store them with `vault set` and name them as key".to_owned(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Some(
            "base_url must end with its path; write what follows the question mark as query = { … }".to_owned(),
        );
    }
    None
}

fn keys(of: &Provider) -> Option<String> {
    let mut seen = BTreeSet::new();
    if let Some(name) = of.every_key().find(|name| !seen.insert(name.as_str())) {
        return Some(format!("key {name} stands there twice; a pool is of different keys"));
    }
    match of.auth() {
        Auth::Sigv4(signing) => {
            let word = |text: &str| {
                !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            };
            if !word(&signing.region) || !word(&signing.service) {
                return Some(
                    "region and service of a signature are words like \"eu-central-1\" and \"bedrock\"".to_owned(),
                );
            }
            let idle = of.every_key().next()?;
            Some(format!("a signature is made with access_key_id and secret_access_key; remove key {idle}"))
        }
        Auth::None => {
            let idle = of.every_key().next()?;
            Some(format!("auth \"none\" shows no key; remove key {idle} or write how it is shown"))
        }
        Auth::XApiKey | Auth::Bearer | Auth::ApiKey | Auth::XGoogApiKey => of.key.is_none().then(|| {
            "key is missing; write the name that its API key has in the tenant's vault, or auth = \"none\"".to_owned()
        }),
    }
}

fn head(of: &Provider) -> Option<String> {
    for (name, value) in &of.headers {
        let token = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if name.is_empty() || !name.bytes().all(token) {
            return Some(format!("header {name:?} is not a name in lower case"));
        }
        if OURS.contains(&name.as_str()) {
            return Some(format!("header {name:?} is written by the gateway itself; leave it out, or see auth"));
        }
        if value.is_empty() || !value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return Some(format!("the value of header {name:?} must be visible ASCII"));
        }
    }
    for (name, value) in &of.query {
        let plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:".contains(&b));
        if !plain(name) || !plain(value) {
            return Some(format!("query {name:?} and its value must be letters, digits and -._~: only"));
        }
        if name == "key" {
            return Some("a key is never written into an address; name it as key".to_owned());
        }
    }
    None
}

fn paths(of: &Provider) -> Option<String> {
    if let Some(endpoint) = of.paths.keys().chain(&of.endpoints).find(|endpoint| endpoint.dialect() != of.dialect) {
        return Some(format!("endpoint {} is of another dialect; its own are {}", word(*endpoint), own(of)));
    }
    for (endpoint, path) in &of.paths {
        let sound = path.starts_with('/')
            && !path.split('/').any(|part| part == "." || part == "..")
            && path.replace("{model}", "m").bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~:".contains(&b));
        if !sound {
            let endpoint = word(*endpoint);
            return Some(format!(
                "path {path:?} of {endpoint} must begin with / and hold nothing but letters, digits, -._~: and {{model}}"
            ));
        }
    }
    None
}

fn body(of: &Provider) -> Option<String> {
    let rules = &of.body;
    let unnamed = |name: &String| name.is_empty() || name.starts_with('_');
    if of.server_tools.iter().any(unnamed) {
        return Some("server_tools must name types of tools, such as \"web_search\"".to_owned());
    }
    if let Some((name, _)) = rules.only.iter().find(|(_, values)| values.is_empty()) {
        return Some(format!("body member {name:?} may only be nothing at all; forbid it instead"));
    }
    let added: Vec<&str> = rules.add.keys().chain(rules.from_headers.values()).map(String::as_str).collect();
    if let Some(name) = added.iter().find(|name| rules.omit.iter().chain(&rules.forbid).any(|other| other == *name)) {
        return Some(format!("body member {name:?} is both put in and left out; decide for one"));
    }
    added.contains(&"model").then(|| "body must not add \"model\"; that is upstream_model of a model".to_owned())
}

fn own(of: &Provider) -> String {
    let own = Endpoint::ALL.into_iter().filter(|endpoint| endpoint.dialect() == of.dialect);
    own.map(word).collect::<Vec<_>>().join(", ")
}

/// As it is written in a policy.
fn word(endpoint: Endpoint) -> String {
    serde_json::to_value(endpoint).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
