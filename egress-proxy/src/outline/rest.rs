//! What follows the conversation in a body: tools and settings, mostly the same from turn to turn, behind a conversation that grew.
//!
//! It cannot be read on from the last turn's places, since it stands elsewhere. But between two members of the outermost object
//! what follows is read the same wherever it stands, as long as no other conversation is in it.

use std::ops::Range;

use wardkeep_redaction::Engine;

use crate::request::Member;
use crate::signs::Signs;

/// The rest of a session's last body: keyed hashes, and what was read in it, as if it began a body.
pub(super) struct Rest {
    bytes: usize,
    pieces: Vec<u128>,
    members: Vec<Member>,
    signs: Signs,
}

impl Rest {
    /// What was read behind `at`. `None` where nothing was.
    pub(super) fn of(engine: &Engine, body: &[u8], at: usize, members: &[Member], signs: Signs) -> Option<Self> {
        let rest = body.get(at..).filter(|_| !members.is_empty())?;
        let members = members.iter().map(|member| shifted(member, |place| place - at)).collect();
        Some(Self { bytes: rest.len(), pieces: engine.pieces(rest), members, signs })
    }

    /// Whether all that follows `at` is this.
    pub(super) fn is_at(&self, engine: &Engine, body: &[u8], at: usize) -> bool {
        // Pieces of one length: the last ones, too, are told apart.
        body.get(at..).is_some_and(|rest| rest.len() == self.bytes && engine.pieces(rest) == self.pieces)
    }

    /// Its members behind `at`.
    pub(super) fn members(&self, at: usize) -> impl ExactSizeIterator<Item = Member> {
        self.members.iter().map(move |member| shifted(member, |place| place + at))
    }

    /// Where its last value ends.
    pub(super) fn end(&self) -> usize {
        self.members.last().map_or(0, |last| last.value.end)
    }

    pub(super) const fn signs(&self) -> Signs {
        self.signs
    }
}

fn shifted(member: &Member, to: impl Fn(usize) -> usize) -> Member {
    let Range { start, end } = member.value;
    Member { name: member.name.clone(), start: to(member.start), value: to(start)..to(end) }
}
