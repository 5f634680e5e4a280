//! What the gateway reads of a body: the members of its top level and the results of tool calls in it, in one pass.
//!
//! Most of a session's body is the body before it. Of that one the gateway keeps keyed hashes of its pieces, what was read, and
//! the place behind each turn of the conversation; the next one is read from the last such place in what both begin with, up to
//! what follows the conversation, if that is as it was. The outcome is that of reading all of it. No text is kept but names of
//! members and of calls.

use std::sync::{Mutex, MutexGuard, PoisonError};

use wardkeep_proto::ids::AgentName;
use wardkeep_redaction::{Engine, PIECE, Place, Token, Unscannable, Visit, read_json_on};

use crate::attachments::{is_holder, may_be_file};
use crate::gate_memory::{CallResult, Key, Search, key};
use crate::refusal::Refusal;
use crate::request::{Head, InvalidBody, MEMBERS, Member};
use crate::signs::{Scent, Signs};

mod rest;

use rest::Rest;

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
    pub(crate) signs: Signs,
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
    signs: Signs,
    rest: Option<Rest>,
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
    signs: Signs,
}

impl Outlines {
    /// Reads `body`.
    ///
    /// # Errors
    /// It is no object that a request could be.
    pub(crate) fn read(&self, agent: &AgentName, engine: &Engine, body: &[u8]) -> Result<Outline, Refusal> {
        if body.len() < LEAST {
            let Read { members, results, signs, .. } = read(agent, engine, body, Read::default(), 0)?;
            return Ok(Outline { head: Head::of(members, body)?, results, signs, shared: 0 });
        }
        let pieces = engine.pieces(body);
        let (before, shared) = self.take(agent, &pieces);
        let read = read(agent, engine, body, before, shared)?;
        let head = Head::of(read.members.clone(), body)?;
        let outline = Outline { head, results: read.results.clone(), signs: read.signs, shared };
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
    let Read { mut members, mut results, mut places, rest, .. } = before;
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
    let signs = from.as_ref().map(|mark| mark.signs).unwrap_or_default();
    let is_kept = body.len() >= LEAST;
    let mut reader = Reader {
        engine,
        search,
        members,
        places,
        open,
        signs,
        scent: Scent::default(),
        too_many: false,
        no_name: false,
        rest,
        behind: None,
    };
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
    let signs = reader.signs();
    let (new, last) = reader.search.finish();
    results.extend(new.into_iter().map(|result| (key(engine, agent, &result.of), result)));
    results.iter_mut().enumerate().for_each(|(number, (_, result))| result.is_last = number >= last);
    let Reader { members, places, rest, behind, signs: behind_signs, .. } = reader;
    let rest = match behind.filter(|_| is_kept) {
        Some(Behind { is_known: true, .. }) => rest,
        Some(Behind { at, members: before, .. }) => Rest::of(engine, body, at, &members[before..], behind_signs),
        None => None,
    };
    Ok(Read { members, results, places, signs, rest })
}

/// What follows a conversation, while that is all there is.
#[derive(Clone, Copy)]
struct Behind {
    at: usize,
    /// Members before.
    members: usize,
    had: Signs,
    /// It was known.
    is_known: bool,
}

struct Reader<'a> {
    engine: &'a Engine,
    search: Search<'a>,
    members: Vec<Member>,
    places: Vec<Mark>,
    /// The member of the top level whose value comes or is open.
    open: Option<Member>,
    /// In what was read since the conversation.
    signs: Signs,
    scent: Scent,
    too_many: bool,
    /// A name is no text.
    no_name: bool,
    /// What followed the conversation before.
    rest: Option<Rest>,
    behind: Option<Behind>,
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

    fn signs(&self) -> Signs {
        self.behind.map_or(self.signs, |behind| self.signs.and(behind.had))
    }

    fn ended(&mut self, place: Place) -> Option<Place> {
        let body = self.search.body();
        let at = place.at();
        if place.depth() == 2
            && body[at - 1] == b'}'
            && self.search.is_in_turns()
            && let Some(open) = &self.open
        {
            let (results, last) = self.search.count();
            let (members, open) = (self.members.len(), open.clone());
            self.places.push(Mark { place, members, open, results, last, signs: self.signs() });
        }
        if place.depth() != 1 {
            return None;
        }
        let mut member = self.open.take()?;
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
        if self.search.is_behind_turns() { self.skip(place) } else { None }
    }

    /// The conversation has ended: goes to the end of what follows, where that is known.
    fn skip(&mut self, place: Place) -> Option<Place> {
        let (at, had) = (place.at(), self.signs());
        let rest = self.rest.as_ref().filter(|rest| rest.is_at(self.engine, self.search.body(), at));
        let members = rest.map(|rest| rest.members(at)).filter(|more| self.members.len() + more.len() <= MEMBERS);
        self.behind = Some(Behind { at, members: self.members.len(), had, is_known: members.is_some() });
        self.signs = rest.map(Rest::signs).unwrap_or_default();
        self.members.extend(members?);
        rest.map(|rest| place.after(rest.end()))
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
        self.scent.begin(object, self.search.depth());
        self.search.begin(object, at);
    }

    fn end(&mut self, at: usize) {
        self.search.end(at);
        self.scent.end(self.search.depth());
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
        let name = token.text(self.search.body());
        self.signs.files |= is_holder(&name);
        self.signs = self.signs.and(self.scent.key(&name, self.search.depth()));
        self.search.key(token);
    }

    fn string(&mut self, token: Token) {
        self.value(token.start - 1);
        self.signs.files |= may_be_file(token, self.search.body());
        self.signs = self.signs.and(self.scent.string(token, self.search.body()));
        self.search.string(token);
    }

    fn number(&mut self, token: Token) {
        self.value(token.start);
        self.search.number(token);
    }
}

#[cfg(test)]
mod tests;
