//! The request of an adapter's tool, with its credentials put in.

use data_encoding::BASE64;
use wardkeep_policy::adapters::{AdapterRequest, Auth, Reference};
use wardkeep_proto::secret::Destination;
use zeroize::Zeroizing;

use super::Gate;
use crate::runner::{Work, http_target};

impl Gate {
    /// What the runner sends. The agent's part of it is text as it is: no reference in it is resolved.
    ///
    /// # Errors
    /// Why a credential is not given, in words for the agent; no value in it.
    pub(super) fn adapter(&self, request: &AdapterRequest) -> Result<Work, String> {
        let mut url = http_target(&request.url)?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let port = url.port_or_known_default().ok_or("the URL names no port")?;
        let value = |reference: &Reference| self.value(&reference.0, Destination::Host { host: &host, port });
        let mut headers = request.headers.clone();
        match &request.auth {
            Auth::None => {}
            Auth::Header { name, before, value: reference } => {
                headers.push((name.clone(), format!("{before}{}", *value(reference)?)));
            }
            Auth::Basic { user, password } => {
                let user = match Reference::try_from(user.clone()) {
                    Ok(reference) => value(&reference)?,
                    Err(_) => Zeroizing::new(user.clone()),
                };
                let pair = Zeroizing::new(format!("{}:{}", *user, *value(password)?));
                headers.push(("Authorization".to_owned(), format!("Basic {}", BASE64.encode(pair.as_bytes()))));
            }
            Auth::Query { name, value: reference } => {
                url.query_pairs_mut().append_pair(name, &value(reference)?);
            }
        }
        let (method, reply) = (request.method.clone(), request.reply.clone());
        Ok(Work::Http { method, url: url.to_string(), headers, body: request.body.clone(), reply })
    }
}
