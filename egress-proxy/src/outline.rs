//! What the gateway reads of a body: the members of its top level and the results of tool calls in it, in one pass.
//!
//! Most of a session's body is the body before it. Of that one the gateway keeps keyed hashes of its pieces, what was read, and
//! the place behind each turn of the conversation; the next one is read from the last such place in what both begin with. The
//! outcome is that of reading all of it. No text is kept but names of members and of calls.

use std::sync::{Mutex, MutexGuard, PoisonError};

use wardkeep_proto::ids::AgentName;
use wardkeep_redaction::{Engine, PIECE, Place, Token, Unscannable, Visit, read_json_on};

use crate::attachments::{is_holder, may_be_file};
use crate::gate_memory::{CallResult, Key, Search, key};
use crate::refusal::Refusal;
use crate::request::{Head, InvalidBody, MEMBERS, Member};

/// Sessions that are kept of one agent, and of all.
const OF_ONE: usize = 8;
const OF_ALL: usize = 64;
/// A smaller body is read in no time.
const LEAST: usize = 8 * 1024;

/// What was read.
#[derive(Debug)]
pub(crate) struct Outline {
    pub(crate) head: Head,
    pub(crate) results: Vec<(Key, CallResult)>,
    /// Something in it may be a file.
    pub(crate) has_files: bool,
    /// Bytes with which the last body of the session began, too.
    pub(crate) shared: usize,
}

/// What is kept of the last body of each session; the last in the list was used last.
#[derive(Default)]
pub(crate) struct Outlines(Mutex<Vec<Session>>);

struct Session {
    agent: AgentName,
    pieces: Vec<u128>,
    read: Read,
}

#[derive(Default)]
struct Read {
    members: Vec<Member>,
    results: Vec<(Key, CallResult)>,
    places: Vec<Mark>,
    has_files: bool,
}

/// The state of a reader behind a turn of the conversation.
#[derive(Clone)]
struct Mark {
    place: Place,
    /// Members before the one that holds the conversation, and that one as far as it is known.
    members: usize,
    open: Member,
    /// Results up to here, and those before the model's last word.
    results: usize,
    last: usize,
    has_files: bool,
}

impl Outlines {
    /// Reads `body`.
    ///
    /// # Errors
    /// It is no object that a request could be.
    pub(crate) fn read(&self, agent: &AgentName, engine: &Engine, body: &[u8]) -> Result<Outline, Refusal> {
        if body.len() < LEAST {
            let Read { members, results, has_files, .. } = read(agent, engine, body, Read::default(), 0)?;
            return Ok(Outline { head: Head::of(members, body)?, results, has_files, shared: 0 });
        }
        let pieces = engine.pieces(body);
        let (before, shared) = self.take(agent, &pieces);
        let read = read(agent, engine, body, before, shared)?;
        let head = Head::of(read.members.clone(), body)?;
        let outline = Outline { head, results: read.results.clone(), has_files: read.has_files, shared };
        self.put(Session { agent: agent.clone(), pieces, read });
        Ok(outline)
    }

    /// Takes out the session that goes on with these pieces; with how many bytes they both begin.
    fn take(&self, agent: &AgentName, pieces: &[u128]) -> (Read, usize) {
        let mut sessions = self.sessions();
        let shared = |session: &Session| session.pieces.iter().zip(pieces).take_while(|(a, b)| a == b).count();
        let own = sessions.iter().enumerate().filter(|(_, session)| session.agent == *agent);
        let best = own.map(|(at, session)| (shared(session), at)).max();
        match best {
            // The last piece may be a short one, which is not told from a longer one that begins so.
            Some((shared, at)) if 2 * shared >= sessions[at].pieces.len() => {
                let session = sessions.remove(at);
                let whole = shared.min(session.pieces.len() - 1).min(pieces.len() - 1);
                (session.read, whole * PIECE)
            }
            _ => (Read::default(), 0),
        }
    }

    fn put(&self, session: Session) {
        let mut sessions = self.sessions();
        let own = sessions.iter().filter(|other| other.agent == session.agent).count();
        if own >= OF_ONE
            && let Some(oldest) = sessions.iter().position(|other| other.agent == session.agent)
        {
            sessions.remove(oldest);
        }
        if sessions.len() >= OF_ALL {
            sessions.remove(0);
        }
        sessions.push(session);
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a body that begins with `shared` bytes of the one that was read before.
fn read(agent: &AgentName, engine: &Engine, body: &[u8], before: Read, shared: usize) -> Result<Read, Refusal> {
    let Read { mut members, mut results, mut places, .. } = before;
    places.truncate(places.partition_point(|mark| mark.place.at() <= shared));
    let from = places.last().cloned();
    let (kept, known) = from.as_ref().map_or((0, 0), |mark| (mark.members, mark.results));
    members.truncate(kept);
    results.truncate(known);
    let search = match &from {
        Some(mark) => Search::within_turns(body, mark.open.value.start, known, mark.last),
        None => Search::new(body),
    };
    let open = from.as_ref().map(|mark| mark.open.clone());
    let has_files = from.as_ref().is_some_and(|mark| mark.has_files);
    let mut reader = Reader { search, members, places, open, has_files, too_many: false, no_name: false };
    read_json_on(body, from.as_ref().map(|mark| mark.place), &mut reader, Reader::ended).map_err(
        |error| match error {
            Unscannable::NotJson { .. } => InvalidBody::NotAnObject.into(),
            // It may be no document either.
            other => Head::parse(body).map_or_else(Refusal::from, |_| other.into()),
        },
    )?;
    if reader.too_many {
        return Err(InvalidBody::TooMany.into());
    }
    if !reader.search.is_object() || reader.no_name {
        return Err(InvalidBody::NotAnObject.into());
    }
    let (new, last) = reader.search.finish();
    results.extend(new.into_iter().map(|result| (key(engine, agent, &result.of), result)));
    results.iter_mut().enumerate().for_each(|(number, (_, result))| result.is_last = number >= last);
    Ok(Read { members: reader.members, results, places: reader.places, has_files: reader.has_files })
}

struct Reader<'a> {
    search: Search<'a>,
    members: Vec<Member>,
    places: Vec<Mark>,
    /// The member of the top level whose value comes or is open.
    open: Option<Member>,
    has_files: bool,
    too_many: bool,
    /// A name is no text.
    no_name: bool,
}

impl Reader<'_> {
    /// The value of a member begins.
    fn value(&mut self, start: usize) {
        if self.search.depth() == 1
            && let Some(open) = &mut self.open
        {
            open.value = start..start;
        }
    }

    fn ended(&mut self, place: Place) {
        let body = self.search.body();
        let at = place.at();
        if place.depth() == 2
            && body[at - 1] == b'}'
            && self.search.is_in_turns()
            && let Some(open) = &self.open
        {
            let (results, last) = self.search.count();
            let (members, open) = (self.members.len(), open.clone());
            self.places.push(Mark { place, members, open, results, last, has_files: self.has_files });
        }
        if place.depth() != 1 {
            return;
        }
        let Some(mut member) = self.open.take() else { return };
        if member.value.start == 0 {
            // A word, which says nothing of its place.
            let len = if body[..at].ends_with(b"false") { 5 } else { 4 };
            member.value.start = at - len;
        }
        member.value.end = at;
        if self.members.len() < MEMBERS {
            self.members.push(member);
        } else {
            self.too_many = true;
        }
    }
}

/// What stands between the quotes, if nothing in it stands for something else.
fn plain(quoted: &[u8]) -> Option<&str> {
    let inner = quoted.get(1..quoted.len() - 1)?;
    let is_plain = inner.iter().all(|byte| *byte >= b' ' && *byte != b'\\');
    std::str::from_utf8(inner).ok().filter(|_| is_plain)
}

impl Visit for Reader<'_> {
    fn begin(&mut self, object: bool, at: usize) {
        self.value(at);
        self.search.begin(object, at);
    }

    fn end(&mut self, at: usize) {
        self.search.end(at);
    }

    fn key(&mut self, token: Token) {
        if self.search.depth() == 1 {
            let quoted = &self.search.body()[token.start - 1..=token.end];
            // Half a character, written as an escape, is no name.
            let name = plain(quoted).map_or_else(|| serde_json::from_slice(quoted), |name| Ok(name.to_owned()));
            let name = name.unwrap_or_else(|_| {
                self.no_name = true;
                String::new()
            });
            self.open = Some(Member { name, start: token.start - 1, value: 0..0 });
        }
        self.has_files |= is_holder(&token.text(self.search.body()));
        self.search.key(token);
    }

    fn string(&mut self, token: Token) {
        self.value(token.start - 1);
        self.has_files |= may_be_file(token, self.search.body());
        self.search.string(token);
    }

    fn number(&mut self, token: Token) {
        self.value(token.start);
        self.search.number(token);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wardkeep_redaction::RuleSet;

    use super::*;

    fn engine() -> Engine {
        Engine::build([], &RuleSet::none(), [7; 32]).unwrap()
    }

    fn of(outlines: &Outlines, engine: &Engine, body: &str) -> Result<String, String> {
        let agent = "office".parse().unwrap();
        outlines
            .read(&agent, engine, body.as_bytes())
            .map(|Outline { head, results, has_files, .. }| format!("{head:?} {results:?} {has_files}"))
            .map_err(|error| error.code().to_owned())
    }

    #[test]
    fn the_head_is_that_of_a_whole_parse() {
        let (outlines, engine) = (Outlines::default(), engine());
        for body in [
            r#"{"model":"m","stream":true,"n":-1.5e3 , "x" : [ ] ,"y":{},"z":null,"w":false,"t":"\u00e9\"","messages":[]}"#,
            " {\"model\" : \"m\" }\n",
            "{}",
            r#"{"a":[[],{}],"messages":[{"role":"user"}, {"role":"tool","tool_call_id":"a"} ] , "stream" : false}"#,
        ] {
            let whole = Head::parse(body.as_bytes()).map(|head| format!("{head:?}")).unwrap();
            let outline = of(&outlines, &engine, body).unwrap();
            assert!(outline.contains(&whole), "{body}\n{outline}\n{whole}");
        }
        for (body, code) in [
            ("[]", "invalid-body"),
            ("7", "invalid-body"),
            ("{", "invalid-body"),
            (r#"{"model":1}"#, "invalid-body"),
            (r#"{"a":1,"a":2}"#, "invalid-body"),
            (r#"{"stream":1}"#, "invalid-body"),
        ] {
            assert_eq!(of(&outlines, &engine, body), Err(code.to_owned()), "{body}");
        }
    }

    /// Deterministic noise.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % sides
        }
    }

    #[test]
    fn a_body_that_goes_on_is_read_as_one_that_comes_alone() {
        let (engine, mut dice) = (engine(), Dice(7));
        for _ in 0..60 {
            let outlines = Outlines::default();
            let mut turns: Vec<String> = Vec::new();
            let mut read_on = 0;
            for turn in 0..40 {
                let fill = "word ".repeat(dice.roll(400));
                turns.push(match dice.roll(5) {
                    0 => json!({"role": "user", "content": fill}).to_string(),
                    1 => json!({"role": "assistant", "content": [{"type": "tool_use", "id": turn.to_string(), "input": {"a": fill}}]}).to_string(),
                    2 => json!({"role": "tool", "tool_call_id": turn.to_string(), "content": fill}).to_string(),
                    3 => json!({"type": "function_call_output", "call_id": turn.to_string(), "output": [{"text": fill}]}).to_string(),
                    _ => json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": turn.to_string(), "content": fill}]}).to_string(),
                });
                match dice.roll(12) {
                    0 => turns.truncate(dice.roll(turns.len())),
                    1 => {
                        let at = dice.roll(turns.len());
                        turns[at] = turns[at].replacen('o', "0", 1);
                    }
                    _ => {}
                }
                let tail = ["", r#","tools":[{"name":"x"}]"#, r#","stream":true"#][dice.roll(3)];
                let name = ["messages", "input", "contents"][usize::from(turn > 20)];
                let body = format!(r#"{{"model":"m","system":"s","{name}":[{}]{tail}}}"#, turns.join(","));
                let before = outlines.sessions().first().map_or(0, |session| session.pieces.len());
                read_on += usize::from(before > 0);
                assert_eq!(of(&outlines, &engine, &body), of(&Outlines::default(), &engine, &body), "{body}");
            }
            assert!(read_on > 0);
        }
    }

    #[test]
    fn agents_share_nothing_and_memory_is_bounded() {
        let (outlines, engine) = (Outlines::default(), engine());
        for n in 0..200 {
            let agent: AgentName = format!("agent-{}", n % 20).parse().unwrap();
            let body = json!({"model": "m", "messages": [{"role": "user", "content": format!("{n} ").repeat(9000)}]})
                .to_string();
            outlines.read(&agent, &engine, body.as_bytes()).unwrap();
            let sessions = outlines.sessions();
            assert!(sessions.len() <= OF_ALL);
            assert!(sessions.iter().filter(|session| session.agent == agent).count() <= OF_ONE);
        }
    }
}
