//! The gate's memory: whether each result of a tool call that a request holds is of a call that the gate decided on.
//!
//! A model's answer names its calls by ids; the hook shows the gate the same ids; the next request hands the results in under
//! them. So a result without a decision was made by a tool that no hook stopped. What is kept of a call is a keyed fingerprint
//! of its id, and of the result that was last handed in; no text.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use wardkeep_policy::GateMemory;
use wardkeep_proto::ids::{AgentName, SessionId};
use wardkeep_proto::time::Timestamp;
use wardkeep_redaction::Engine;

use crate::meter::Meter;
use crate::refusal::Refusal;

mod answers;
mod decisions;
mod results;
mod unnamed;
mod watch;

pub use decisions::{Answering, Bypass, Decisions, Past, Unanswered, Why};
pub(crate) use results::{CallResult, Of, Search};
pub(crate) use unnamed::Tool;
pub(crate) use watch::Watch;

/// Calls of one agent that are kept in memory; older ones are on disk.
const CALLS: usize = 8 * 1024;
/// Agents whose calls are kept in memory.
const AGENTS: usize = 256;
/// Results of one request that are told one by one.
const TOLD: usize = 16;
/// Longest id that is shown.
const SHOWN: usize = 128;

/// Why a request with results does not leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the result of tool call {} does not leave: {}{}", .first.call, .first.why, more(*.others))]
pub(crate) struct PastTheGate {
    first: Past,
    others: usize,
}

fn more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(" ({others} more like it)") }
}

/// Names a call of one agent.
pub(crate) type Key = [u8; 16];

/// A result without its text: fingerprint and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Gave {
    pub(crate) print: [u8; 16],
    pub(crate) bytes: u64,
}

/// What is on disk of a call that a model asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) key: Key,
    pub(crate) gave: Option<Gave>,
}

/// What was asked of the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recalled {
    pub(crate) kept: Vec<Kept>,
    /// The oldest call of the agent that is known.
    pub(crate) since: Option<Timestamp>,
}

/// All agents' calls.
#[derive(Default)]
pub(crate) struct Memory(Mutex<HashMap<AgentName, Calls>>);

/// Calls of one agent.
#[derive(Default)]
struct Calls {
    known: HashMap<Key, Call>,
    /// In the order in which they became known.
    order: VecDeque<Key>,
    /// What was told of already.
    told: HashSet<(Key, Why)>,
    /// An answer could not be read: calls in it are not known.
    blind: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Call {
    asked: bool,
    decided: Option<Timestamp>,
    gave: Option<Gave>,
}

impl Calls {
    fn at(&mut self, key: Key) -> &mut Call {
        if !self.known.contains_key(&key) {
            if self.known.len() >= CALLS
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
            self.order.push_back(key);
        }
        self.known.entry(key).or_default()
    }
}

/// One request, as the memory judges it.
pub(crate) struct Request<'a> {
    pub(crate) agent: &'a AgentName,
    /// Asked for only where something is told.
    pub(crate) session: &'a (dyn Fn() -> Option<SessionId> + Sync),
    pub(crate) id: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) results: Vec<(Key, CallResult)>,
    pub(crate) mode: GateMemory,
    pub(crate) engine: &'a Arc<Engine>,
}

/// Where it asks.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) decisions: &'a dyn Decisions,
    pub(crate) meter: &'a Meter,
}

impl Memory {
    /// Judges the results in a request. What it gives watches the answer.
    pub(crate) async fn judge(
        self: &Arc<Self>,
        request: &mut Request<'_>,
        sources: Sources<'_>,
    ) -> Result<Option<Watch>, Refusal> {
        let Request { agent, engine, mode, .. } = *request;
        if mode == GateMemory::Off {
            return Ok(None);
        }
        let mut watch = Watch::new(self, sources.meter, agent, (engine, request.id));
        let mut results = std::mem::take(&mut request.results);
        if mode == GateMemory::Report {
            self.leave_out_the_told(agent, &mut results);
        }
        if results.is_empty() {
            return Ok(Some(watch));
        }
        let known = self.learn(agent, &results, sources).await?;
        let mut past = unnamed::judge(request, &results, sources, (known.blind, &mut watch.gave)).await?;
        past.extend(compare(request, &results, &known, &mut watch.gave));
        if past.is_empty() {
            return Ok(Some(watch));
        }
        self.tell(request, &past, sources.decisions).await?;
        past.retain(|(_, one)| mode == GateMemory::Refuse && one.why.is_refused());
        if past.is_empty() {
            return Ok(Some(watch));
        }
        let (_, first) = past.swap_remove(0);
        Err(Refusal::PastTheGate(PastTheGate { first, others: past.len() }))
    }

    /// What was told of a call and changes nothing is not asked for again with each turn.
    fn leave_out_the_told(&self, agent: &AgentName, results: &mut Vec<(Key, CallResult)>) {
        const FOR_GOOD: [Why; 4] = [Why::Undecided, Why::Unasked, Why::Forgotten, Why::NotOfServer];
        let mut agents = self.agents();
        let told = &of(&mut agents, agent).told;
        results.retain(|(key, _)| told.is_empty() || !FOR_GOOD.iter().any(|why| told.contains(&(*key, *why))));
    }

    /// Finds out what is known of these calls, here, on disk and at the gate.
    async fn learn(
        &self,
        agent: &AgentName,
        results: &[(Key, CallResult)],
        sources: Sources<'_>,
    ) -> Result<Known, Refusal> {
        let mut known = {
            let mut agents = self.agents();
            let kept = of(&mut agents, agent);
            let calls = results.iter().map(|(key, _)| (*key, kept.known.get(key).copied().unwrap_or_default()));
            Known { calls: calls.collect(), since: None, blind: kept.blind }
        };
        let is_named = |result: &CallResult| matches!(result.of, Of::Call(_) | Of::Server(_));
        let named = results.iter().filter(|(_, result)| is_named(result)).map(|(key, _)| *key);
        let unasked: HashSet<Key> = named.filter(|key| known.calls.get(key).is_none_or(|call| !call.asked)).collect();
        if !unasked.is_empty() {
            let recalled = sources.meter.recall(agent.clone(), unasked.into_iter().collect()).await?;
            known.since = recalled.since;
            for Kept { key, gave } in recalled.kept {
                let call = known.calls.entry(key).or_default();
                (call.asked, call.gave) = (true, call.gave.or(gave));
            }
        }
        let undecided = |call: &Call| call.decided.is_none();
        let asked = results.iter().filter(|(key, _)| known.calls.get(key).is_none_or(undecided));
        let (keys, ids): (Vec<Key>, Vec<String>) = asked
            .filter_map(|(key, result)| match &result.of {
                Of::Call(id) => Some((*key, id.clone())),
                _ => None,
            })
            .unzip();
        if !ids.is_empty() {
            let decided = sources.decisions.decided(agent, &ids).await.map_err(Refusal::Gate)?;
            for (key, at) in keys.into_iter().zip(decided) {
                known.calls.entry(key).or_default().decided = at;
            }
        }
        let mut agents = self.agents();
        let kept = of(&mut agents, agent);
        for (key, call) in known.calls.iter().filter(|(_, call)| call.asked || call.decided.is_some()) {
            let kept = kept.at(*key);
            // What an answer told meanwhile stays.
            *kept = Call { asked: kept.asked || call.asked, decided: call.decided, gave: kept.gave.or(call.gave) };
        }
        Ok(known)
    }

    /// Records what was not told before; a request that could not be recorded does not leave.
    async fn tell(
        &self,
        request: &Request<'_>,
        past: &[(Key, Past)],
        decisions: &dyn Decisions,
    ) -> Result<(), Refusal> {
        let new: Vec<&(Key, Past)> = {
            let mut agents = self.agents();
            let calls = of(&mut agents, request.agent);
            past.iter().filter(|(key, one)| !calls.told.contains(&(*key, one.why))).collect()
        };
        if new.is_empty() {
            return Ok(());
        }
        let refused = request.mode == GateMemory::Refuse && past.iter().any(|(_, one)| one.why.is_refused());
        let bypass = Bypass {
            agent: request.agent.clone(),
            session: (request.session)(),
            request: request.id.to_owned(),
            refused,
            results: new.iter().take(TOLD).map(|(_, one)| one.clone()).collect(),
            count: new.len(),
        };
        decisions.passed_by(bypass).await.map_err(Refusal::Gate)?;
        let mut agents = self.agents();
        let calls = of(&mut agents, request.agent);
        if calls.told.len() >= CALLS {
            calls.told.clear();
        }
        calls.told.extend(new.into_iter().map(|(key, one)| (*key, one.why)));
        Ok(())
    }

    fn agents(&self) -> MutexGuard<'_, HashMap<AgentName, Calls>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of the calls whose results a request holds.
struct Known {
    calls: HashMap<Key, Call>,
    /// Since when calls of the agent are remembered; only where one of these is not.
    since: Option<Timestamp>,
    blind: bool,
}

/// What is wrong with the results of a request. What new ones gave goes to `gave`.
fn compare(
    request: &Request<'_>,
    results: &[(Key, CallResult)],
    known: &Known,
    gave: &mut Vec<(Key, Gave)>,
) -> Vec<(Key, Past)> {
    let Request { body, engine, .. } = *request;
    let mut past = Vec::new();
    let mut here: HashMap<Key, Gave> = HashMap::new();
    for (key, result) in results {
        let call = known.calls.get(key).copied().unwrap_or_default();
        let why = match (&result.of, call.decided) {
            (Of::Call(_), None) => Some(Why::Undecided),
            (Of::Call(_), Some(at)) if !call.asked => {
                let may_be_old = known.blind || known.since.is_none_or(|since| at < since);
                Some(if may_be_old { Why::Forgotten } else { Why::Unasked })
            }
            (Of::Call(_), Some(_)) => {
                let content = &body[result.content.clone()];
                let bytes = content.len() as u64;
                let given = result.is_last.then(|| given(engine, content));
                // Runtimes cut old results to save room. A longer one, or another new one, was not made by that.
                let is_other = here.get(key).copied().or(call.gave).is_some_and(|first| match given {
                    Some(given) => given != first,
                    None => bytes > first.bytes,
                });
                here.extend(given.map(|given| (*key, given)));
                is_other.then_some(Why::Replayed)
            }
            (Of::Server(_), _) => (!call.asked).then_some(Why::NotOfServer),
            (Of::Tool(_), _) => None,
            (Of::Nothing, _) => Some(Why::Nameless),
        };
        past.extend(why.map(|why| (*key, Past { call: shown(engine, &result.of), why })));
    }
    gave.extend(here);
    past
}

fn given(engine: &Engine, content: &[u8]) -> Gave {
    Gave { print: engine.print("call/result", content), bytes: content.len() as u64 }
}

fn of<'a>(agents: &'a mut HashMap<AgentName, Calls>, agent: &AgentName) -> &'a mut Calls {
    if !agents.contains_key(agent) {
        if agents.len() >= AGENTS {
            // All of it is on disk, too.
            agents.clear();
        }
        agents.insert(agent.clone(), Calls::default());
    }
    agents.get_mut(agent).expect("it is there, or was put there")
}

pub(crate) fn key(engine: &Engine, agent: &AgentName, of: &Of) -> Key {
    let plain: String;
    let (kind, name) = match of {
        // A runtime may take all but letters and digits out of the ids that it hands in, as OpenClaw does.
        Of::Call(id) if id.bytes().any(|byte| byte.is_ascii_alphanumeric()) => {
            plain = id.chars().filter(|char| char.is_alphanumeric()).collect();
            ("call", plain.as_str())
        }
        Of::Call(id) => ("call", id.as_str()),
        Of::Server(id) => ("server", id.as_str()),
        Of::Tool(name) => ("tool", name.as_str()),
        Of::Nothing => ("nothing", ""),
    };
    engine.print("call/id", format!("{agent}\0{kind}\0{name}").as_bytes())
}

/// What may be said of a call: its name without secrets, and not longer than names are.
fn shown(engine: &Engine, of: &Of) -> String {
    let (Of::Call(name) | Of::Server(name) | Of::Tool(name)) = of else { return "(none)".to_owned() };
    let plain = engine.redact(name).text.replace(|char: char| !(' '..='~').contains(&char), "?");
    plain.chars().take(SHOWN).collect()
}
