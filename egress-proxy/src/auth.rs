//! A provider's credentials: taken from the vault for exactly its host, and shown as it wants them.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use wardkeep_policy::{Auth, Provider};
use wardkeep_proto::ids::SecretName;
use wardkeep_proto::secret::{Destination, SecretSource, SecretValue};
use wardkeep_proto::time::Clock;
use zeroize::Zeroizing;

use crate::client::Upstream;
use crate::refusal::Refusal;
use crate::sheaf::Sheaf;

mod sigv4;

/// What a request is made to pass with; wiped when dropped.
pub(crate) enum Credentials {
    /// Nothing at all.
    None,
    /// A key in a header.
    Header(HeaderName, &'static str, SecretValue),
    /// A signature.
    Signature(sigv4::Signer),
}

impl Credentials {
    /// Gets what `provider` asks for; `key` is the one of its pool that is to be used.
    pub(crate) fn resolve(
        secrets: &dyn SecretSource,
        provider: &Provider,
        key: Option<&SecretName>,
        to: &Upstream,
    ) -> Result<Self, Refusal> {
        let destination = Destination::Host { host: &to.host, port: to.port };
        let (name, prefix) = match provider.auth() {
            Auth::None => return Ok(Self::None),
            Auth::Sigv4(signing) => {
                let session = signing.session_token.as_ref();
                return Ok(Self::Signature(sigv4::Signer {
                    access_key_id: secrets.resolve(&signing.access_key_id, destination)?,
                    secret_access_key: secrets.resolve(&signing.secret_access_key, destination)?,
                    session_token: session.map(|name| secrets.resolve(name, destination)).transpose()?,
                    region: signing.region,
                    service: signing.service,
                }));
            }
            Auth::XApiKey => (HeaderName::from_static("x-api-key"), ""),
            Auth::Bearer => (header::AUTHORIZATION, "Bearer "),
            Auth::ApiKey => (HeaderName::from_static("api-key"), ""),
            Auth::XGoogApiKey => (HeaderName::from_static("x-goog-api-key"), ""),
        };
        let key = key.ok_or(Refusal::BadProvider)?;
        Ok(Self::Header(name, prefix, secrets.resolve(key, destination)?))
    }

    /// Has all masked that is held at this moment: the key, too, which may come back. Whoever gives a key has done so.
    pub(crate) fn catch_up(&self, secrets: &dyn SecretSource) {
        if matches!(self, Self::None) {
            secrets.catch_up();
        }
    }

    /// Puts them on a request that is finished otherwise.
    pub(crate) fn show(
        &self,
        method: &str,
        to: &Upstream,
        headers: &mut HeaderMap,
        body: &Sheaf,
        clock: &dyn Clock,
    ) -> Result<(), Refusal> {
        match self {
            Self::None => Ok(()),
            Self::Header(name, prefix, key) => {
                let text = Zeroizing::new([prefix, key.expose()].concat());
                insert(headers, name.clone(), &text)
            }
            Self::Signature(signer) => signer.sign(method, to, headers, &body.whole(), clock.now()),
        }
    }
}

/// A value that no log of a library shows.
fn insert(headers: &mut HeaderMap, name: HeaderName, text: &str) -> Result<(), Refusal> {
    let mut value = HeaderValue::from_str(text).map_err(|_| Refusal::BadKey)?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}
