//! What the gateway knows of the last body of each session, so that only what changed of the next one is searched.
//!
//! A session is an agent's, never shared with another, and told by how much of its last body comes again. Bodies hold
//! secrets: they are kept in memory alone, within [`BYTES`], wiped when they go, and dropped with the engine that judged
//! them and when the daemon closes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wardkeep_proto::ids::AgentName;
use wardkeep_redaction::{Compared, Engine, JsonMemo, RedactedBytes, Unscannable};

/// Memory that all sessions take together.
const BYTES: usize = 32 * 1024 * 1024;
/// Sessions of one agent: its own, and those of what works for it.
const SESSIONS: usize = 8;
/// Searching a smaller body costs less than keeping it.
const LEAST: usize = 4 * 1024;

/// The sessions of all agents.
#[derive(Default)]
pub(crate) struct Memo(Mutex<Vec<Session>>);

/// One of them; the last in the list was used last.
struct Session {
    agent: AgentName,
    memo: JsonMemo,
}

/// Where one body belongs.
pub(crate) struct Turn {
    pub(crate) memo: Arc<Memo>,
    pub(crate) agent: AgentName,
}

impl Turn {
    /// Whether a body of the agent is known, of so many bytes at least, that this engine has judged.
    pub(crate) fn is_known(&self, engine: &Engine, bytes: usize) -> bool {
        let is_one = |session: &Session| session.memo.is_of(engine) && session.memo.body_len() >= bytes;
        self.memo.sessions().iter().any(|session| session.agent == self.agent && is_one(session))
    }

    /// The body without secrets; the same as [`Engine::redact_json_sealing`] gives.
    pub(crate) fn redact<'a>(
        &self,
        engine: &Engine,
        body: &'a [u8],
        sealed: &[&str],
    ) -> Result<RedactedBytes<'a>, Unscannable> {
        if body.len() < LEAST {
            return engine.redact_json_sealing(body, sealed);
        }
        let (mut memo, compared) = self.memo.take(&self.agent, engine, body);
        let redacted = engine.redact_json_again(compared, sealed, &mut memo);
        tracing::debug!(agent = %self.agent, bytes = body.len(), searched = memo.searched(), "an LLM body was searched");
        self.memo.put(&self.agent, engine, memo);
        redacted
    }
}

impl Memo {
    /// Forgets everything.
    pub(crate) fn clear(&self) {
        let gone = std::mem::take(&mut *self.sessions());
        drop(gone);
    }

    /// Takes out the session that `body` goes on with, or a new one, and what they share. Nobody else has it until it is put back.
    fn take<'a>(&self, agent: &AgentName, engine: &Engine, body: &'a [u8]) -> (JsonMemo, Compared<'a>) {
        // Compared and wiped outside of the lock.
        let (gone, mut own) = {
            let mut sessions = self.sessions();
            let gone: Vec<Session> = sessions.extract_if(.., |session| !session.memo.is_of(engine)).collect();
            (gone, sessions.extract_if(.., |session| session.agent == *agent).collect::<Vec<Session>>())
        };
        drop(gone);
        let compared = own.iter().enumerate().map(|(at, session)| (session.memo.compare(body), at));
        let best = compared.max_by_key(|(compared, at)| (compared.shared(), *at));
        let best = best.filter(|(compared, at)| 2 * compared.shared() >= own[*at].memo.body_len());
        let taken = best.map(|(compared, at)| (own.remove(at).memo, compared));
        self.sessions().append(&mut own);
        taken.unwrap_or_else(|| {
            let new = JsonMemo::default();
            let compared = new.compare(body);
            (new, compared)
        })
    }

    fn put(&self, agent: &AgentName, engine: &Engine, memo: JsonMemo) {
        if !memo.is_of(engine) {
            return;
        }
        let mut gone = Vec::new();
        let mut sessions = self.sessions();
        sessions.push(Session { agent: agent.clone(), memo });
        let own = sessions.iter().filter(|session| session.agent == *agent).count();
        let mut left = own.saturating_sub(SESSIONS);
        gone.extend(sessions.extract_if(.., |session| {
            let old = left > 0 && session.agent == *agent;
            left -= usize::from(old);
            old
        }));
        let mut bytes: usize = sessions.iter().map(|session| session.memo.bytes()).sum();
        while bytes > BYTES && !sessions.is_empty() {
            let oldest = sessions.remove(0);
            bytes -= oldest.memo.bytes();
            gone.push(oldest);
        }
        drop(sessions);
        drop(gone);
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use wardkeep_redaction::{RuleSet, Secret};

    use super::*;

    const TOKEN: &str = "tok-8Jq2xN4vRk7Lm0Zs";
    const SEALED: [&str; 1] = ["thinking"];

    fn engine() -> Engine {
        Engine::build([Secret::new("token", TOKEN)], &RuleSet::builtin(), [7; 32]).unwrap()
    }

    fn turn(memo: &Arc<Memo>, agent: &str) -> Turn {
        Turn { memo: Arc::clone(memo), agent: agent.parse().unwrap() }
    }

    fn body(of: &str, turns: usize, size: usize) -> String {
        let messages: Vec<String> = (0..turns)
            .map(|n| format!(r#"{{"role":"user","content":"{of} {n} {TOKEN} {}"}}"#, "word ".repeat(size / 5)))
            .collect();
        format!(r#"{{"model":"m","messages":[{}]}}"#, messages.join(","))
    }

    /// Bytes that were searched.
    fn asked(turn: &Turn, engine: &Engine, body: &str) -> usize {
        let out = turn.redact(engine, body.as_bytes(), &SEALED);
        assert_eq!(out, engine.redact_json_sealing(body.as_bytes(), &SEALED));
        turn.memo.sessions().last().map_or(0, |session| session.memo.searched())
    }

    #[test]
    fn each_session_goes_on_from_its_own() {
        let (memo, engine) = (Arc::new(Memo::default()), engine());
        let (office, other) = (turn(&memo, "office"), turn(&memo, "other"));
        for turns in 10..20 {
            for (turn, of) in [(&office, "first"), (&office, "second"), (&other, "first")] {
                let body = body(of, turns, 1000);
                let searched = asked(turn, &engine, &body);
                assert!(if turns == 10 { searched == body.len() } else { searched < 1200 }, "{of} {turns}: {searched}");
            }
        }
        assert_eq!(memo.sessions().len(), 3);
    }

    #[test]
    fn agents_share_nothing() {
        let (memo, engine) = (Arc::new(Memo::default()), engine());
        let body = body("the same", 10, 1000);
        asked(&turn(&memo, "office"), &engine, &body);
        assert_eq!(asked(&turn(&memo, "other"), &engine, &body), body.len());
    }

    #[test]
    fn another_engine_drops_all_of_them() {
        let (memo, before) = (Arc::new(Memo::default()), engine());
        for agent in ["a", "b", "c"] {
            asked(&turn(&memo, agent), &before, &body("x", 10, 1000));
        }
        let (after, body) = (engine(), body("x", 11, 1000));
        assert_eq!(asked(&turn(&memo, "a"), &after, &body), body.len());
        assert_eq!(memo.sessions().len(), 1);
        // A turn that began before the change leaves nothing of the old engine to find.
        memo.put(&"b".parse().unwrap(), &before, JsonMemo::default());
        memo.clear();
        assert!(memo.sessions().is_empty());
    }

    #[test]
    fn sessions_and_their_memory_are_bounded() {
        let (memo, engine) = (Arc::new(Memo::default()), engine());
        let office = turn(&memo, "office");
        for of in 0..3 * SESSIONS {
            asked(&office, &engine, &body(&format!("session-{of:02} ").repeat(20), 3, 2000));
        }
        assert_eq!(memo.sessions().len(), SESSIONS);
        let oldest = body(&"session-00 ".repeat(20), 3, 2000);
        assert_eq!(asked(&office, &engine, &oldest), oldest.len(), "the oldest went first");
        let none = Engine::build([], &RuleSet::none(), [7; 32]).unwrap();
        for of in 0..30 {
            let large = body(&format!("agent-{of:02}"), 2, 2 * 1024 * 1024);
            drop(turn(&memo, &format!("agent-{of}")).redact(&none, large.as_bytes(), &SEALED));
            assert!(memo.sessions().iter().map(|session| session.memo.bytes()).sum::<usize>() <= BYTES);
        }
        assert!(memo.sessions().len() >= 4);
        drop(office.redact(&none, b"{\"a\":1}", &SEALED));
        assert!(memo.sessions().iter().all(|session| session.memo.body_len() >= LEAST), "a small body is not kept");
    }

    #[test]
    fn a_refused_body_leaves_nothing() {
        let (memo, engine) = (Arc::new(Memo::default()), engine());
        let office = turn(&memo, "office");
        asked(&office, &engine, &body("x", 10, 1000));
        let signed = body("x", 11, 1000).replace(r#""role""#, r#""type":"thinking","role""#);
        assert!(office.redact(&engine, signed.as_bytes(), &SEALED).is_err());
        assert!(memo.sessions().len() <= 1);
        assert!(office.redact(&engine, signed.as_bytes(), &SEALED).is_err(), "and again");
    }
}
