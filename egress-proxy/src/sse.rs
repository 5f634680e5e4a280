//! Server-sent events read byte by byte, from pieces cut anywhere.
//!
//! Source: WHATWG HTML, "9.2.6 Interpreting an event stream". Lines end with LF, CR or CRLF and with nothing else.

/// Bytes of one event that are kept; an event beyond this is passed by, its data unseen.
pub(crate) const EVENT_BYTES: usize = 1024 * 1024;

/// Reads events; holds at most one event's data and one unfinished line.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    data: Vec<u8>,
    /// A `data` line was seen in this event.
    has_data: bool,
    /// Some line was seen since the last event ended.
    within: bool,
    /// The event grew beyond [`EVENT_BYTES`].
    over: bool,
    /// The last byte was a CR that may belong to a CRLF.
    after_cr: bool,
    /// The last call ended an event: its data is cleared by the next call.
    ended: bool,
    /// Bytes that were passed by because their event was too long.
    skipped: u64,
    /// The first line, where a byte order mark may stand, is behind us.
    begun: bool,
}

impl Parser {
    /// Reads up to the end of the next event. Gives the bytes consumed, and whether an event ended there.
    pub(crate) fn advance(&mut self, input: &[u8]) -> (usize, bool) {
        if self.ended {
            self.ended = false;
            self.data.clear();
            self.has_data = false;
            self.over = false;
        }
        let mut at = 0;
        if std::mem::take(&mut self.after_cr) {
            match input.first() {
                Some(b'\n') => at = 1,
                Some(_) => {}
                None => self.after_cr = true,
            }
        }
        while let Some(length) = memchr::memchr2(b'\n', b'\r', &input[at..]) {
            let piece = &input[at..at + length];
            at += length + 1;
            if input[at - 1] == b'\r' {
                match input.get(at) {
                    Some(b'\n') => at += 1,
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
            if self.end_line(piece) {
                self.ended = true;
                return (at, true);
            }
        }
        self.keep(&input[at..]);
        (input.len(), false)
    }

    /// The data of the event that the last [`Self::advance`] ended; `None` if it had none or was too long.
    pub(crate) fn data(&self) -> Option<&[u8]> {
        (self.ended && self.has_data && !self.over).then_some(&self.data)
    }

    /// The data of the event that the stream ended within, as if its last line and the blank one had come.
    pub(crate) fn unended(&self) -> Option<Vec<u8>> {
        if self.at_boundary() || self.over {
            return None;
        }
        let mut data = if self.ended { Vec::new() } else { self.data.clone() };
        if let Some(value) = value(&self.line) {
            if !data.is_empty() {
                data.push(b'\n');
            }
            data.extend_from_slice(value);
        }
        Some(data)
    }

    /// Bytes of all events so far that were too long to be seen.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether nothing of an unfinished event was read.
    pub(crate) fn at_boundary(&self) -> bool {
        !self.within && self.line.is_empty()
    }

    /// Takes one whole line; `true` if it ended an event.
    fn end_line(&mut self, piece: &[u8]) -> bool {
        if self.line.is_empty() {
            return self.take_line(piece);
        }
        self.keep(piece);
        let line = std::mem::take(&mut self.line);
        let ended = self.take_line(&line);
        self.line = line;
        self.line.clear();
        ended
    }

    fn take_line(&mut self, line: &[u8]) -> bool {
        let line = if self.begun { line } else { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) };
        self.begun = true;
        if line.is_empty() {
            return std::mem::take(&mut self.within);
        }
        self.within = true;
        let Some(value) = value(line) else { return false };
        if self.over || self.data.len() + value.len() > EVENT_BYTES {
            self.over = true;
            self.skipped += value.len() as u64;
            return false;
        }
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(value);
        false
    }

    fn keep(&mut self, piece: &[u8]) {
        // A line beyond the bound keeps its beginning, so that it is still known for what it is, and spoils its event.
        let room = (EVENT_BYTES + 16).saturating_sub(self.line.len());
        if piece.len() > room {
            self.over = true;
            self.skipped += (piece.len() - room) as u64;
        }
        self.line.extend_from_slice(&piece[..piece.len().min(room)]);
    }
}

/// What a line adds to the data of its event.
fn value(line: &[u8]) -> Option<&[u8]> {
    match line.strip_prefix(b"data")? {
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        [] => Some(&[]),
        _ => None,
    }
}

#[cfg(test)]
mod fuzzed;

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<Option<String>> {
        let mut parser = Parser::default();
        let mut found = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (used, ended) = parser.advance(rest);
                rest = &rest[used..];
                if ended {
                    found.push(parser.data().map(|data| String::from_utf8(data.to_vec()).unwrap()));
                }
            }
        }
        found
    }

    const STREAM: &str = "\u{feff}event: a\ndata: one\n\n: ping\n\ndata:two\r\ndata: more\u{2028}of it\r\n\r\n\r\n\
                          data\rdata:  three\r\rid: 4\ndatax: no\n\ndata: unfinished\n";

    #[test]
    fn every_cut_gives_the_same_events() {
        let whole = events(&[STREAM.as_bytes()]);
        let want = [Some("one"), None, Some("two\nmore\u{2028}of it"), Some("\n three"), None];
        assert_eq!(whole, want.map(|event| event.map(str::to_owned)));
        let bytes = STREAM.as_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(events(&[&bytes[..cut], &bytes[cut..]]), whole, "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(events(&single), whole);
    }

    #[test]
    fn an_endless_event_is_passed_by_in_bounded_room() {
        let mut parser = Parser::default();
        parser.advance(b"data: ");
        for _ in 0..40 {
            parser.advance(&[b'x'; 64 * 1024]);
        }
        assert!(parser.line.capacity() <= 4 * EVENT_BYTES);
        assert_eq!(parser.advance(b"\n\n"), (2, true));
        assert_eq!(parser.data(), None);
        assert_eq!(parser.advance(b"data: next\n\n"), (12, true));
        assert_eq!(parser.data(), Some(b"next".as_slice()));
    }

    #[test]
    fn a_boundary_is_only_between_events() {
        let mut parser = Parser::default();
        assert!(parser.at_boundary());
        for piece in ["d", "ata: x", "\n"] {
            parser.advance(piece.as_bytes());
            assert!(!parser.at_boundary(), "{piece:?}");
        }
        parser.advance(b"\n");
        assert!(parser.at_boundary());
    }
}
