//! Calls that a model asked for without an id, and their results: matched by tool and by what was handed in.
//!
//! Each such call of an answer has a place of its own on disk. A result takes the place that holds the same result already
//! (histories say everything again with each turn), or else one that holds none yet.

use std::collections::{BTreeMap, HashMap};

use wardkeep_proto::ids::AgentName;
use wardkeep_redaction::Engine;

use super::{CallResult, Gave, Kept, Key, Of, Past, Request, Sources, Why, given};
use crate::refusal::Refusal;

/// The first half of the keys of one tool's calls.
pub(crate) type Tool = [u8; 8];

/// Which tool, whatever the case of its name: the gate's own count does not tell them apart either.
pub(super) fn tool(engine: &Engine, agent: &AgentName, name: &str) -> Tool {
    let [half, _] = halves(engine.print("call/unnamed", format!("{agent}\0{}", name.to_lowercase()).as_bytes()));
    half
}

/// The `number`th call of the answer to `request`.
pub(super) fn place(engine: &Engine, tool: Tool, request: &str, number: usize) -> Key {
    let [half, _] = halves(engine.print("call/place", format!("{request}\0{number}").as_bytes()));
    let mut key = [0; 16];
    key[..8].copy_from_slice(&tool);
    key[8..].copy_from_slice(&half);
    key
}

fn halves(print: [u8; 16]) -> [Tool; 2] {
    let (first, second) = print.split_at(8);
    [first, second].map(|half| half.try_into().expect("eight of sixteen"))
}

/// What is wrong with the results that have no id. What new ones gave goes to `gave`.
pub(super) async fn judge(
    request: &Request<'_>,
    results: &[(Key, CallResult)],
    sources: Sources<'_>,
    (is_blind, gave): (bool, &mut Vec<(Key, Gave)>),
) -> Result<Vec<(Key, Past)>, Refusal> {
    let Request { agent, engine, body, .. } = *request;
    // In the order of their names, so that the same is told each time.
    let mut tools: BTreeMap<&str, (Key, Vec<Handed>)> = BTreeMap::new();
    for (key, result) in results {
        if let Of::Tool(name) = &result.of {
            let handed = Handed { gave: given(engine, &body[result.content.clone()]), is_last: result.is_last };
            tools.entry(name).or_insert((*key, Vec::new())).1.push(handed);
        }
    }
    let mut past = Vec::new();
    for (name, (key, handed)) in tools {
        let decided = sources.decisions.decided_for(agent, name).await.map_err(Refusal::Gate)?;
        let known = sources.meter.recall_tool(agent.clone(), tool(engine, agent, name)).await?;
        let why = if decided < handed.len() as u64 {
            Why::Undecided
        } else if matched(&handed, &known.kept, gave) {
            continue;
        } else if is_blind || known.since.is_none() {
            Why::Forgotten
        } else {
            Why::Unasked
        };
        past.push((key, Past { call: name.to_owned(), why }));
    }
    Ok(past)
}

/// One result without an id.
struct Handed {
    gave: Gave,
    is_last: bool,
}

/// Whether each result finds a place of its own. New ones go to `gave`.
fn matched(handed: &[Handed], places: &[Kept], gave: &mut Vec<(Key, Gave)>) -> bool {
    let mut same: HashMap<Gave, Vec<Key>> = HashMap::new();
    let mut free = Vec::new();
    for place in places {
        match place.gave {
            Some(gave) => same.entry(gave).or_default().push(place.key),
            None => free.push(place.key),
        }
    }
    let is_new = |one: &&Handed| same.get_mut(&one.gave).and_then(Vec::pop).is_none();
    let new: Vec<&Handed> = handed.iter().filter(is_new).collect();
    let (last, mut deep): (Vec<&Handed>, Vec<&Handed>) = new.into_iter().partition(|one| one.is_last);
    // Runtimes cut old results to save room: each may stand in a place that gave as much or more. The shortest first, so that as
    // many as can find one.
    let mut taken: Vec<u64> = same.iter().flat_map(|(gave, keys)| keys.iter().map(|_| gave.bytes)).collect();
    taken.sort_unstable();
    deep.sort_by_key(|one| one.gave.bytes);
    let mut taken = taken.into_iter();
    let rest = deep.into_iter().filter(|one| !taken.any(|bytes| bytes >= one.gave.bytes));
    let rest: Vec<&Handed> = rest.chain(last).collect();
    let fits = rest.len() <= free.len();
    gave.extend(free.into_iter().zip(rest).map(|(key, one)| (key, one.gave)));
    fits
}
