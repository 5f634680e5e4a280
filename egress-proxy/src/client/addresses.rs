//! Where providers' endpoints are, remembered: a bundle has few, and each request asks for one.

use std::sync::{Arc, Mutex, PoisonError};

use wardkeep_policy::{Endpoint, Provider};

use super::Upstream;
use crate::headers;
use crate::refusal::Refusal;

/// Addresses that are remembered; a bundle with more begins anew.
const KEPT: usize = 64;

/// What was asked for lately, by all that an address is made of: what another bundle says is another address.
#[derive(Default)]
pub(crate) struct Addresses(Mutex<Vec<Known>>);

struct Known {
    base: String,
    path: String,
    model: String,
    query: Option<String>,
    upstream: Arc<Upstream>,
}

impl Addresses {
    /// As [`Upstream::of`].
    pub(crate) fn of(
        &self,
        provider: &Provider,
        endpoint: Endpoint,
        model: &str,
        query: Option<&str>,
    ) -> Result<Arc<Upstream>, Refusal> {
        if query.is_some() {
            // A caller's may be another one each time.
            return Upstream::of(provider, endpoint, model, query).map(Arc::new);
        }
        let path = provider.path(endpoint).ok_or(Refusal::NotServed)?;
        let query = headers::query(None, &provider.query);
        let is_it = |known: &Known| {
            known.base == provider.base_url && known.path == path && known.model == model && known.query == query
        };
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().iter().find(|known| is_it(known)) {
            return Ok(Arc::clone(&found.upstream));
        }
        let upstream = Arc::new(Upstream::of(provider, endpoint, model, None)?);
        let mut known = known();
        if known.len() == KEPT {
            known.clear();
        }
        let (base, path, model) = (provider.base_url.clone(), path.to_owned(), model.to_owned());
        known.push(Known { base, path, model, query, upstream: Arc::clone(&upstream) });
        Ok(upstream)
    }
}

#[cfg(test)]
mod tests {
    use wardkeep_policy::Dialect;

    use super::*;

    #[test]
    fn what_is_remembered_is_what_would_be_parsed() {
        let addresses = Addresses::default();
        let mut provider = Provider::new("p", Dialect::OpenAi, "https://a.example/v1", None);
        let mut seen = Vec::new();
        for change in 0..5 {
            match change {
                1 => provider.base_url = "https://b.example".to_owned(),
                2 => provider.query = [("api-version".to_owned(), "1".to_owned())].into(),
                3 => provider.paths = [(Endpoint::ChatCompletions, "/x/{model}".to_owned())].into(),
                4 => provider.base_url = "http://b.example".to_owned(),
                _ => {}
            }
            for model in ["a", "b c"] {
                for query in [None, Some("x=y")] {
                    for endpoint in [Endpoint::ChatCompletions, Endpoint::Embeddings, Endpoint::Messages] {
                        let want = Upstream::of(&provider, endpoint, model, query).map_err(|refusal| refusal.code());
                        for _ in 0..2 {
                            let found = addresses.of(&provider, endpoint, model, query);
                            assert_eq!(found.as_deref().map_err(Refusal::code), want.as_ref().map_err(|code| *code));
                        }
                        seen.push(want.map(|upstream| upstream.uri.to_string()));
                    }
                }
            }
        }
        assert!(seen.contains(&Ok("https://b.example/x/b%20c?api-version=1".to_owned())), "{seen:?}");
        assert!(seen.contains(&Err("bad-provider")) && seen.contains(&Err("not-served")), "{seen:?}");
        for model in 0..3 * KEPT {
            assert!(addresses.of(&provider, Endpoint::ChatCompletions, &model.to_string(), None).is_err());
            provider.base_url = "https://c.example".to_owned();
            addresses.of(&provider, Endpoint::ChatCompletions, &model.to_string(), None).unwrap();
            provider.base_url = "http://c.example".to_owned();
            assert!(addresses.0.lock().unwrap().len() <= KEPT);
        }
    }
}
