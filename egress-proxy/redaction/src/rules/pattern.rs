//! Expressions of rules: a bounded part of regular expressions, matched byte by byte as the text comes.

use std::collections::HashMap;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, OnceLock};

use regex_automata::dfa::{StartKind, dense};
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, NFA, State, WhichCaptures};
use regex_automata::util::pool::{Pool, PoolGuard};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::literal::{Extractor, Literal};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::signs;
use crate::byteset::ByteSet;
use crate::cursor::{Cursor, More};

/// Highest count of a repetition.
const COUNT: u32 = 512;
/// Longest match, in bytes: what one anchor may cost.
const LONGEST: usize = 4096;
/// Largest automaton, in bytes.
const STATES: usize = 256 * 1024;

/// An expression. What is made of it is made when it is first needed, and an automaton state by state: all of it takes
/// milliseconds, and most of what stands in a text has not even the [`Shape`] of a match.
#[derive(Clone)]
pub(super) struct Pattern {
    made: Arc<Made>,
}

/// Most expressions are never read: what is made of one takes no room before.
struct Made {
    text: Box<str>,
    shape: OnceLock<Option<Box<Shape>>>,
    automaton: OnceLock<Option<Box<Automaton>>>,
}

/// What all matches of an expression have in common.
struct Shape {
    hir: Hir,
    /// Bytes that stand in a match.
    alphabet: [bool; 256],
    /// Length of the shortest match.
    least: usize,
}

/// The automaton of an expression, and the states of it that were needed.
struct Automaton {
    dfa: DFA,
    states: Pool<Cache, MakeStates>,
}

type MakeStates = Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// One reading of a text, byte by byte.
struct Reading<'a> {
    dfa: &'a DFA,
    states: PoolGuard<'a, Cache, MakeStates>,
    at: LazyStateID,
}

impl Reading<'_> {
    /// Reads a byte, or the end. A match is told of one byte late, which is when the byte after it is known.
    fn read(&mut self, next: Option<u8>) -> Option<()> {
        self.at = match next {
            Some(byte) => self.dfa.next_state(&mut self.states, self.at, byte),
            None => self.dfa.next_eoi_state(&mut self.states, self.at),
        }
        .ok()?;
        (!self.at.is_dead()).then_some(())
    }

    /// Whether no byte leads on from here.
    fn is_over(&mut self) -> bool {
        let cleared = self.states.clear_count();
        // When there are too many states they are forgotten, the one under way as well.
        (0..=u8::MAX).all(|byte| {
            self.states.clear_count() == cleared
                && self.dfa.next_state(&mut self.states, self.at, byte).is_ok_and(|next| next.is_dead())
        })
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.made.text)
    }
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self { made: Arc::new(Made { text: text.into(), shape: OnceLock::new(), automaton: OnceLock::new() }) }
    }

    /// Takes the place of one with the same text: what was made of that is made once.
    pub(super) fn share(&mut self, known: &mut HashMap<Box<str>, Self>) {
        *self = known.entry(self.made.text.clone()).or_insert_with(|| self.clone()).clone();
    }

    /// Why the expression must not be used: rules of bundles are judged before, ours by a test.
    pub(super) fn verify(&self) -> Result<(), String> {
        let hir = parse(&self.made.text).map_err(|e| match e {
            regex_syntax::Error::Parse(e) => e.kind().to_string(),
            regex_syntax::Error::Translate(e) => e.kind().to_string(),
            _ => "not an expression".to_owned(),
        })?;
        bounded(&hir)?;
        let properties = hir.properties();
        if properties.minimum_len().is_none_or(|least| least == 0) {
            return Err("it must not match the empty text".to_owned());
        }
        if properties.maximum_len().is_none_or(|most| most > LONGEST) {
            return Err(format!("it may match more than {LONGEST} bytes; lower its counts"));
        }
        if is_small(&hir) { Ok(()) } else { Err("its automaton is too large; lower its counts".to_owned()) }
    }

    /// The most bytes before the run of signs that every match of these, one behind the other, holds. Needs no automaton.
    pub(super) fn before_run(patterns: &[&Self]) -> Option<usize> {
        let parts = patterns.iter().map(|pattern| parse(&pattern.made.text).ok()).collect::<Option<_>>()?;
        signs::before_run(&Hir::concat(parts))
    }

    /// Whether a match can begin with `text`.
    pub(super) fn can_begin_with(&self, text: &[u8]) -> bool {
        let Some(mut reading) = self.reading() else { return false };
        text.iter().all(|&byte| reading.read(Some(byte)).is_some())
    }

    /// The bytes that can follow `text`, in any case, for a match that begins with it. Needs no state.
    pub(super) fn after(&self, text: &[u8]) -> ByteSet {
        let Some(nfa) = self.automaton().map(|automaton| automaton.dfa.get_nfa()) else { return ByteSet::NONE };
        let mut states = reached(nfa, vec![nfa.start_anchored()]);
        for byte in text {
            let cases = [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
            states = reached(nfa, cases.iter().flat_map(|byte| step(nfa, &states, *byte)).collect());
            // A match may end before.
            if states.iter().any(|state| matches!(nfa.state(*state), State::Match { .. })) {
                return ByteSet::ALL;
            }
        }
        (0..=u8::MAX).filter(|byte| step(nfa, &states, *byte).next().is_some()).collect()
    }

    /// The bytes that stand in a match, and the length of the shortest.
    pub(super) fn body(&self) -> Option<(ByteSet, usize)> {
        let Shape { alphabet, least, .. } = self.shape()?;
        Some(((0..=u8::MAX).filter(|byte| alphabet[usize::from(*byte)]).collect(), *least))
    }

    /// Whether of all spellings of `text` only this one begins a match. May say no where it is so; needs no automaton.
    pub(super) fn begins_only_with(&self, text: &[u8]) -> bool {
        let Ok(hir) = parse(&self.made.text) else { return false };
        let beginnings = Extractor::new().limit_class(16).extract(&hir);
        beginnings.literals().is_some_and(|literals| {
            literals.iter().map(Literal::as_bytes).all(|known| {
                let len = known.len().min(text.len());
                known.starts_with(text) || !known[..len].eq_ignore_ascii_case(&text[..len])
            })
        })
    }

    /// The bytes that can follow `text`, in any case, for a match that begins with it; needs no automaton. Some that cannot may
    /// be among them.
    pub(super) fn follows(&self, text: &[u8]) -> ByteSet {
        let Ok(hir) = parse(&self.made.text) else { return ByteSet::NONE };
        let beginnings = Extractor::new().limit_class(256).limit_literal_len(text.len() + 1).extract(&hir);
        let Some(literals) = beginnings.literals() else { return ByteSet::ALL };
        let same = |known: &&[u8]| known.iter().zip(text).all(|(one, other)| one.eq_ignore_ascii_case(other));
        literals
            .iter()
            .map(Literal::as_bytes)
            .filter(same)
            .try_fold(ByteSet::NONE, |set, known| {
                // What is known may end before.
                let next = known.get(text.len())?;
                Some(set.with(&[next.to_ascii_lowercase(), next.to_ascii_uppercase()]))
            })
            .unwrap_or(ByteSet::ALL)
    }

    /// How many places from here on no match can begin at, because a byte follows that stands in none.
    #[inline]
    pub(super) fn no_match_for(&self, ahead: &[u8]) -> usize {
        let Some(Shape { alphabet, least, .. }) = self.shape() else { return 0 };
        let window = &ahead[..ahead.len().min(*least)];
        window.iter().rposition(|&byte| !alphabet[usize::from(byte)]).map_or(0, |at| at + 1)
    }

    /// Length of the shortest match.
    pub(super) fn least(&self) -> usize {
        self.shape().map_or(usize::MAX, |shape| shape.least)
    }

    /// Whether every match has at most `most` bytes, all of them `allowed`.
    pub(super) fn stays_within(&self, most: usize, allowed: impl Fn(u8) -> bool) -> bool {
        let longest = parse(&self.made.text).ok().and_then(|hir| hir.properties().maximum_len());
        longest.is_some_and(|longest| longest <= most)
            && self.shape().is_some_and(|shape| (0..=u8::MAX).all(|b| !shape.alphabet[usize::from(b)] || allowed(b)))
    }

    /// Whether all of `text` matches.
    pub(super) fn is_whole(&self, text: &[u8]) -> bool {
        if text.len() < self.least() || self.no_match_for(text) > 0 {
            return false;
        }
        let Some(mut reading) = self.reading() else { return false };
        text.iter().all(|&byte| reading.read(Some(byte)).is_some())
            && reading.read(None).is_some()
            && reading.at.is_match()
    }

    /// Shows `seen` the end of every match that begins at `cursor`, shortest first, with the byte that follows it. Answers
    /// how far it had to read: not at all where what follows has not the shape of a match.
    pub(super) fn ends(&self, mut cursor: Cursor<'_>, mut seen: impl FnMut(usize, Option<u8>)) -> Result<usize, More> {
        if self.no_match_for(cursor.ahead()) > 0 {
            return Ok(cursor.at);
        }
        let Some(mut reading) = self.reading() else { return Ok(cursor.at) };
        loop {
            let next = match cursor.peek() {
                Ok(next) => next,
                Err(_) if reading.is_over() => return Ok(cursor.at),
                Err(more) => return Err(more),
            };
            if reading.read(next).is_none() {
                return Ok(cursor.at);
            }
            if reading.at.is_match() {
                seen(cursor.at, next);
            }
            if next.is_none() {
                return Ok(cursor.at);
            }
            cursor.at += 1;
        }
    }

    fn shape(&self) -> Option<&Shape> {
        self.made.shape.get_or_init(|| shape(&self.made.text).map(Box::new)).as_deref()
    }

    fn automaton(&self) -> Option<&Automaton> {
        self.made.automaton.get_or_init(|| automaton(&self.shape()?.hir).map(Box::new)).as_deref()
    }

    /// A reading at its beginning.
    fn reading(&self) -> Option<Reading<'_>> {
        let Automaton { dfa, states } = self.automaton()?;
        let mut states = states.get();
        let at = dfa.start_state(&mut states, &start::Config::new().anchored(Anchored::Yes)).ok()?;
        Some(Reading { dfa, states, at })
    }
}

fn syntax() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

#[expect(clippy::result_large_err, reason = "the error is the parser's and rare")]
fn parse(text: &str) -> Result<Hir, regex_syntax::Error> {
    syntax::parse_with(text, &syntax())
}

fn shape(text: &str) -> Option<Shape> {
    let hir = parse(text).ok()?;
    let mut alphabet = [false; 256];
    letters(&hir, &mut alphabet);
    let least = hir.properties().minimum_len()?;
    Some(Shape { hir, alphabet, least })
}

fn automaton(hir: &Hir) -> Option<Automaton> {
    let config = DFA::config().match_kind(MatchKind::All).cache_capacity(4 * STATES).skip_cache_capacity_check(true);
    let dfa = DFA::builder().configure(config).build_from_nfa(compile(hir)?).ok()?;
    let make = dfa.clone();
    Some(Automaton { dfa, states: Pool::new(Box::new(move || make.create_cache())) })
}

/// Whether all states of its automaton need little memory.
fn is_small(hir: &Hir) -> bool {
    let config = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .match_kind(MatchKind::All)
        .accelerate(false)
        .dfa_size_limit(Some(STATES))
        .determinize_size_limit(Some(16 * STATES));
    compile(hir).is_some_and(|nfa| dense::Builder::new().configure(config).build_from_nfa(&nfa).is_ok())
}

/// What an automaton is made from.
fn compile(hir: &Hir) -> Option<NFA> {
    let config = thompson::Config::new().utf8(false).which_captures(WhichCaptures::None);
    thompson::Compiler::new().configure(config).build_from_hir(hir).ok()
}

/// The states that can be reached from `from` without a byte, these included.
fn reached(nfa: &NFA, from: Vec<StateID>) -> Vec<StateID> {
    let (mut states, mut left) = (Vec::new(), from);
    while let Some(state) = left.pop() {
        if states.contains(&state) {
            continue;
        }
        states.push(state);
        match nfa.state(state) {
            State::Union { alternates } => left.extend(alternates.iter()),
            State::BinaryUnion { alt1, alt2 } => left.extend([alt1, alt2]),
            State::Capture { next, .. } | State::Look { next, .. } => left.push(*next),
            _ => {}
        }
    }
    states
}

/// Where `byte` leads from some states.
fn step<'a>(nfa: &'a NFA, states: &'a [StateID], byte: u8) -> impl Iterator<Item = StateID> + 'a {
    states.iter().filter_map(move |state| match nfa.state(*state) {
        State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        State::Sparse(sparse) => sparse.matches_byte(byte),
        State::Dense(dense) => dense.matches_byte(byte),
        _ => None,
    })
}

/// The bytes that `hir` reads.
fn letters(hir: &Hir, alphabet: &mut [bool; 256]) {
    match hir.kind() {
        HirKind::Literal(text) => text.0.iter().for_each(|&byte| alphabet[usize::from(byte)] = true),
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().for_each(|range| alphabet[usize::from(range.start())..=usize::from(range.end())].fill(true));
        }
        HirKind::Class(Class::Unicode(_)) => alphabet.fill(true),
        HirKind::Repetition(repetition) => letters(&repetition.sub, alphabet),
        HirKind::Capture(group) => letters(&group.sub, alphabet),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().for_each(|part| letters(part, alphabet)),
        HirKind::Empty | HirKind::Look(_) => {}
    }
}

/// Every repetition has an end, and nothing looks around: the decision about a stream needs no byte beyond the match and one.
fn bounded(hir: &Hir) -> Result<(), String> {
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            if repetition.max.is_none_or(|most| most > COUNT) {
                return Err(format!("`*`, `+` and counts above {COUNT} are not bounded; write {{1,{COUNT}}} or less"));
            }
            bounded(&repetition.sub)
        }
        HirKind::Look(_) => Err("`^`, `$` and `\\b` are not read here; see `left` and `right`".to_owned()),
        HirKind::Capture(group) => bounded(&group.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().try_for_each(bounded),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_bound_is_refused() {
        for (text, why) in [
            ("a*", "not bounded"),
            ("ab+c", "not bounded"),
            ("a{3,}", "not bounded"),
            ("a{513}", "not bounded"),
            ("(a{512}){512}", "more than 4096 bytes"),
            ("a?", "empty text"),
            ("^abc", "not read here"),
            ("abc\\b", "not read here"),
            ("a(", "unclosed group"),
            ("\\p{L}", "Unicode"),
            ("[ab]{0,200}a[ab]{14}", "too large"),
        ] {
            let answer = Pattern::new(text).verify();
            assert!(answer.as_ref().is_err_and(|e| e.contains(why)), "{text}: {answer:?}");
        }
        for text in ["ghp_[A-Za-z0-9]{36}", "(?i)a{1,512}", "(?:x|yz){2,9}-[^\\s\"]{8,64}", "\\d{3}-\\w{4}"] {
            assert_eq!(Pattern::new(text).verify(), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_match_is_told_when_its_end_is_certain_and_not_before() {
        let ends = |text: &[u8], ended| {
            let mut found = Vec::new();
            let answer = Pattern::new("ab{2,3}").ends(Cursor::new(text, 0, ended), |end, next| found.push((end, next)));
            (found, answer)
        };
        assert_eq!(ends(b"ac", false), (vec![], Ok(0)), "no match has a c");
        assert_eq!(ends(b"aabb", false), (vec![], Ok(1)));
        assert_eq!(ends(b"abb", false), (vec![], Err(More)));
        assert_eq!(ends(b"abb", true), (vec![(3, None)], Ok(3)));
        assert_eq!(ends(b"abbc", false), (vec![(3, Some(b'c'))], Ok(4)));
        assert_eq!(ends(b"abbbb", false), (vec![(3, Some(b'b')), (4, Some(b'b'))], Ok(5)));
    }

    #[test]
    fn places_where_nothing_begins_are_known_from_what_follows() {
        let pattern = Pattern::new("[a-f]{2}[0-9]{2,4}");
        for (ahead, far) in
            [("ab12", 0), ("ab-1", 3), ("-b12", 1), ("ab1-2", 4), ("ab12-", 0), ("abcg", 4), ("ab", 0), ("", 0)]
        {
            assert_eq!(pattern.no_match_for(ahead.as_bytes()), far, "{ahead}");
        }
    }

    #[test]
    fn beginnings_and_whole_texts() {
        let pattern = Pattern::new("sk-[a-z]{4}");
        assert!(pattern.can_begin_with(b"sk-") && pattern.can_begin_with(b"sk-ab"));
        assert!(!pattern.can_begin_with(b"SK-") && !pattern.can_begin_with(b"sk_"));
        assert!(pattern.begins_only_with(b"sk-"));
        assert!(!pattern.begins_only_with(b"Sk-") && !Pattern::new("(?i)sk-[a-z]{4}").begins_only_with(b"sk-"));
        assert!(Pattern::new("(?:SK|AC)[0-9a-f]{4}").begins_only_with(b"AC0"));
        assert!(!Pattern::new("[Ss]k-[0-9a-f]{4}").begins_only_with(b"sk-"));
        assert_eq!(pattern.after(b"sK-"), (b'a'..=b'z').collect());
        assert_eq!(pattern.after(b"skx"), ByteSet::NONE);
        assert_eq!(pattern.follows(b"sK-"), (b'a'..=b'z').chain(b'A'..=b'Z').collect());
        assert_eq!(pattern.follows(b"s"), ByteSet::NONE.with(b"kK"));
        assert_eq!(pattern.follows(b"skx"), ByteSet::NONE);
        assert_eq!(Pattern::new("ab(?:c|d1)?").follows(b"ab"), ByteSet::ALL);
        assert_eq!(Pattern::new("ab(?:c|d1)?").after(b"ab"), ByteSet::ALL);
        assert_eq!(Pattern::new("(?i)ab[0-4]|Ab[5-9]").after(b"ab"), (b'0'..=b'9').collect());
        assert!(pattern.is_whole(b"sk-abcd"));
        assert!(!pattern.is_whole(b"sk-abc") && !pattern.is_whole(b"sk-abcde"));
    }
}
