//! The elements of one JSON list, read as its bytes arrive: how Gemini streams without `alt=sse`.

/// Bytes of one element that are kept; a longer one is passed by unseen.
const ELEMENT_BYTES: usize = 1024 * 1024;

/// Reads elements; holds at most one.
#[derive(Default)]
pub(super) struct Elements {
    element: Vec<u8>,
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// The element grew beyond [`ELEMENT_BYTES`].
    over: bool,
    skipped: u64,
}

impl Elements {
    /// Takes bytes and shows each object of the list that is whole.
    pub(super) fn feed(&mut self, bytes: &[u8], mut show: impl FnMut(&[u8])) {
        for &byte in bytes {
            let inside = self.depth > 1;
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
            }
            if !inside && self.depth < 2 {
                continue;
            }
            if self.element.len() == ELEMENT_BYTES {
                self.over = true;
                self.skipped += 1;
            } else {
                self.element.push(byte);
            }
            if self.depth == 1 {
                if !self.over {
                    show(&self.element);
                }
                self.element.clear();
                self.over = false;
            }
        }
    }

    /// Whether the list is closed, or never began.
    pub(super) fn is_whole(&self) -> bool {
        self.depth == 0
    }

    /// Bytes that were passed by.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }
}
