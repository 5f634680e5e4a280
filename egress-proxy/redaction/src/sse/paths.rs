//! Which strings of successive events are one text.
//!
//! Three readings of one string, since one too wide tears a text apart where two are sent by turns, and one too narrow does
//! where an identifier is new in each event:
//!
//! * wide: the names on the way to it;
//! * narrower: with the places in arrays, every `…index` and every `type` of the objects around it;
//! * narrowest: with every `id` and `…_id` as well.

use crate::json::{Token, Visit, read as read_json, text};

/// A string and the texts that it may be part of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    /// In the document.
    pub(super) token: Token,
    pub(super) wide: u64,
    /// The narrower and the narrowest.
    pub(super) narrow: [u64; 2],
}

/// Puts the strings of the document into `texts`; `false` if it is no JSON.
pub(super) fn read(document: &[u8], texts: &mut Vec<Text>) -> bool {
    texts.clear();
    let top = Level { object: false, wide: 1, narrow: 2, from: 0, name: 0, tells: Tells::Nothing, marks: [0; 2] };
    read_json(document, &mut Walk { document, texts, levels: vec![top] }).is_ok()
}

/// What the value of a member says about the texts beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tells {
    Nothing,
    Place,
    Name,
}

impl Tells {
    fn of(name: &[u8]) -> Self {
        let ends = |tail: &[u8]| name.len() >= tail.len() && name[name.len() - tail.len()..].eq_ignore_ascii_case(tail);
        if name == b"type" || ends(b"index") {
            Self::Place
        } else if name.eq_ignore_ascii_case(b"id") || ends(b"_id") || name.ends_with(b"Id") || name.ends_with(b"ID") {
            Self::Name
        } else {
            Self::Nothing
        }
    }
}

struct Level {
    object: bool,
    wide: u64,
    narrow: u64,
    /// Its first text.
    from: usize,
    /// Of the member that comes next: its name, or its place.
    name: u64,
    tells: Tells,
    /// What its members tell, by [`Tells`].
    marks: [u64; 2],
}

struct Walk<'a> {
    document: &'a [u8],
    texts: &'a mut Vec<Text>,
    levels: Vec<Level>,
}

impl Walk<'_> {
    /// The way to the value that comes next.
    fn step(&mut self) -> (u64, u64) {
        let Some(level) = self.levels.last_mut() else { return (0, 0) };
        if level.object {
            return (mix(level.wide, level.name), mix(level.narrow, level.name));
        }
        level.name += 1;
        (mix(level.wide, 0), mix(level.narrow, level.name))
    }

    fn mark(&mut self, token: Token) {
        let Some(level) = self.levels.last_mut() else { return };
        let said = mix(level.name, hash(token.raw(self.document)));
        match level.tells {
            Tells::Nothing => {}
            Tells::Place => level.marks[0] = mix(level.marks[0], said),
            Tells::Name => level.marks[1] = mix(level.marks[1], said),
        }
    }
}

impl Visit for Walk<'_> {
    fn begin(&mut self, object: bool, _at: usize) {
        let (wide, narrow) = self.step();
        let from = self.texts.len();
        self.levels.push(Level { object, wide, narrow, from, name: 0, tells: Tells::Nothing, marks: [0; 2] });
    }

    fn end(&mut self, _at: usize) {
        let Some(Level { from, marks: [place, name], .. }) = self.levels.pop() else { return };
        for Text { narrow: [narrower, narrowest], .. } in &mut self.texts[from..] {
            if place != 0 {
                (*narrower, *narrowest) = (mix(*narrower, place), mix(*narrowest, place));
            }
            if name != 0 {
                *narrowest = mix(*narrowest, name);
            }
        }
    }

    fn key(&mut self, token: Token) {
        let name = text::decode(token.raw(self.document));
        if let Some(level) = self.levels.last_mut() {
            (level.name, level.tells) = (hash(&name), Tells::of(&name));
        }
    }

    fn string(&mut self, token: Token) {
        let (wide, narrow) = self.step();
        self.mark(token);
        if token.start < token.end {
            self.texts.push(Text { token, wide, narrow: [narrow; 2] });
        }
    }

    fn number(&mut self, token: Token) {
        self.step();
        self.mark(token);
    }

    fn word(&mut self) {
        self.step();
    }
}

/// FNV-1a: whoever can choose names so that two ways meet can as well send a text in a way that no reading joins.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

fn mix(a: u64, b: u64) -> u64 {
    let mixed = (a ^ b.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 32
}
