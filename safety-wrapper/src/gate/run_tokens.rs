//! By what a run names itself to the forward proxy: a token that counts as long as the run lives, and nowhere else.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use data_encoding::BASE64URL_NOPAD;
use wardkeep_proto::digest::Digest;
use wardkeep_proto::ids::{AgentName, PermitId};

use super::Gate;

const DOMAIN: &str = "wardkeep/run-token/v1";
const PREFIX: &str = "wkr1_";

/// Of the runs that live.
#[derive(Debug, Default)]
pub(super) struct RunTokens(Mutex<HashMap<PermitId, (Digest, AgentName)>>);

impl RunTokens {
    fn change<T>(&self, change: impl FnOnce(&mut HashMap<PermitId, (Digest, AgentName)>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Gate {
    /// The token of a run, in force from now on. The same one after a restart: it follows from the gate's key.
    pub(super) fn run_token(&self, permit: PermitId, agent: &AgentName) -> String {
        let signed = self.key.sign(&Digest::of(DOMAIN, permit.to_string().as_bytes()).0);
        let token = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&Digest::plain(&signed).0));
        let digest = Digest::plain(token.as_bytes());
        self.run_tokens.change(|known| known.insert(permit, (digest, agent.clone())));
        token
    }

    /// From now on it names nobody.
    pub(super) fn end_run_token(&self, permit: PermitId) {
        self.run_tokens.change(|known| known.remove(&permit));
    }

    /// Whose run holds `token`; `None` for anything else.
    #[must_use]
    pub fn agent_of_run(&self, token: &str) -> Option<AgentName> {
        if !token.starts_with(PREFIX) {
            return None;
        }
        let digest = Digest::plain(token.as_bytes());
        self.run_tokens
            .change(|known| known.values().find(|(known, _)| *known == digest).map(|(_, agent)| agent.clone()))
    }
}
