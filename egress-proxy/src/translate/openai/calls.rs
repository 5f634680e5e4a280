//! The calls of one answer, told one after the other.
//!
//! Arguments of parallel calls may come by turns here, and blocks of the other API do not. So the first call that is not whole
//! streams, and what comes of later ones waits for its end.

use crate::sse::EVENT_BYTES;
use crate::translate::fault::Untranslatable;
use crate::translate::json::Text;
use crate::translate::model::Event;
use crate::translate::pieces::Pieces;

/// The calls of one answer that are told apart; more are no answer.
const CALLS: usize = 1024;
/// Bytes of calls that wait: as many as one event may have.
const HELD_BYTES: usize = EVENT_BYTES;
/// Bytes of all their ids, which are kept to the end.
const ID_BYTES: usize = EVENT_BYTES;

#[derive(Debug, Default)]
pub(super) struct Calls {
    known: Vec<Call>,
    id_bytes: usize,
    /// How many of them have ended; the next one is being told, all behind it wait.
    ended: usize,
    /// Bytes of those that wait.
    held: usize,
    /// A call ended in the middle of its arguments.
    unfinished: bool,
}

#[derive(Debug)]
struct Call {
    index: Option<u64>,
    id: String,
    pieces: Pieces,
    waiting: Option<Waiting>,
}

/// What is told of a call when it is its turn.
#[derive(Debug)]
struct Waiting {
    name: String,
    /// As a JSON string without its last quote.
    arguments: String,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether one was cut in the middle.
    pub(super) fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// The call that a delta with these words goes on with.
    ///
    /// Some providers number all calls 0, or none: another id with a name is another call. Without one it goes on, for others
    /// make up an id for each chunk.
    pub(super) fn find(&self, index: Option<u64>, id: Option<Text<'_>>, is_named: bool) -> Option<usize> {
        match (index, id) {
            (None, None) => self.known.len().checked_sub(1),
            (None, Some(id)) => self.known.iter().position(|call| call.id == id.token()),
            (Some(_), id) => {
                let same = |call: &Call| !is_named || id.is_none_or(|id| call.id == id.token());
                self.known.iter().rposition(|call| call.index == index && same(call))
            }
        }
    }

    /// A call begins; gives its place.
    pub(super) fn begin(
        &mut self,
        index: Option<u64>,
        id: Text<'_>,
        name: Text<'_>,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<usize, Untranslatable> {
        let place = self.known.len();
        self.id_bytes += id.token().len();
        if place == CALLS || self.id_bytes > ID_BYTES {
            return Err(Untranslatable::TooLong);
        }
        while self.known.get(self.ended).is_some_and(|call| call.pieces.is_whole()) {
            self.next(emit);
        }
        let mut begun = Call { index, id: id.token().to_owned(), pieces: Pieces::default(), waiting: None };
        if self.ended == place {
            emit(Event::Call { id, name });
            self.known.push(begun);
            return Ok(place);
        }
        begun.waiting = Some(Waiting { name: name.token().to_owned(), arguments: "\"".to_owned() });
        self.known.push(begun);
        self.hold(name.token().len(), emit)?;
        Ok(place)
    }

    /// The call at `place` goes on. `None`: it has ended, and this is more than white space behind it.
    pub(super) fn go_on(
        &mut self,
        place: usize,
        piece: Text<'_>,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<Option<()>, Untranslatable> {
        let call = &mut self.known[place];
        let was_whole = call.pieces.is_whole();
        call.pieces.push(piece);
        if place < self.ended {
            return Ok((was_whole && call.pieces.is_whole()).then_some(()));
        }
        if let Some(waiting) = &mut call.waiting {
            waiting.arguments.push_str(piece.inner());
            self.hold(piece.inner().len(), emit)?;
        } else {
            emit(Event::Arguments { call: place, piece });
            self.advance(emit);
        }
        Ok(Some(()))
    }

    /// No call goes on.
    pub(super) fn close(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        while self.ended < self.known.len() {
            self.next(emit);
        }
    }

    /// So many bytes more wait. One that said nothing yet has no arguments then, as far as anybody can wait.
    fn hold(&mut self, bytes: usize, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), Untranslatable> {
        self.held += bytes;
        while self.held > HELD_BYTES {
            let told = &self.known[self.ended].pieces;
            if !(told.is_empty() || told.is_whole()) {
                return Err(Untranslatable::ByTurns);
            }
            self.next(emit);
        }
        self.advance(emit);
        Ok(())
    }

    /// Nothing waits for a call that is whole.
    fn advance(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        while self.ended + 1 < self.known.len() && self.known[self.ended].pieces.is_whole() {
            self.next(emit);
        }
    }

    /// The call that is being told ends, and the one behind it says what it has.
    fn next(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        let pieces = &self.known[self.ended].pieces;
        if pieces.is_empty() {
            emit(Event::Arguments { call: self.ended, piece: Text::NO_ARGUMENTS });
        } else {
            self.unfinished |= !pieces.is_whole();
        }
        self.ended += 1;
        let Some(call) = self.known.get_mut(self.ended) else { return };
        let Some(Waiting { name, mut arguments }) = call.waiting.take() else { return };
        self.held -= name.len() + arguments.len() - 1;
        arguments.push('"');
        let written = |token| Text::written(token).unwrap_or(Text::EMPTY);
        emit(Event::Call { id: written(&call.id), name: written(&name) });
        let piece = written(&arguments);
        if !piece.is_empty() {
            emit(Event::Arguments { call: self.ended, piece });
        }
    }
}
