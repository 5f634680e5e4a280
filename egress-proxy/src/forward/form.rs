//! Methods that the fields of a form name, looked for while the form passes: many servers obey `_method=DELETE` more than the
//! first line.

use wardkeep_policy::bundle::egress::{NotListed, Opening};
use zeroize::Zeroizing;

use super::outgoing;
use super::wire::{Fields, is_token};

/// Bytes of a field that are kept on each side of its `=`. What a field is called stands at the end of its name, whatever
/// servers pass over before it.
const KEPT: usize = 128;

pub(crate) struct Form {
    opening: Opening,
    path: String,
    /// With room for [`KEPT`] bytes, so that no copy of a secret stays behind.
    name: Zeroizing<Vec<u8>>,
    value: Zeroizing<Vec<u8>>,
    /// The `=` was there.
    has_value: bool,
}

impl Form {
    /// What `opening` says of the body of a request for `path`, if that is a form to some server: by the types that it leaves
    /// with, by none, or by one that cannot be read.
    pub(crate) fn of(fields: &Fields, opening: Opening, path: &str) -> Option<Self> {
        let mut kinds = outgoing::kinds(fields).peekable();
        (kinds.peek().is_none() || kinds.any(may_be_form)).then(|| Self {
            opening,
            path: path.to_owned(),
            name: Zeroizing::new(Vec::with_capacity(KEPT)),
            value: Zeroizing::new(Vec::with_capacity(KEPT)),
            has_value: false,
        })
    }

    /// The next bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), NotListed> {
        while !bytes.is_empty() {
            // A second `=` belongs to the value. Some servers begin a field behind `;`, too.
            let end = if self.has_value {
                memchr::memchr2(b'&', b';', bytes)
            } else {
                memchr::memchr3(b'&', b';', b'=', bytes)
            };
            let (run, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            self.keep(run);
            let Some((mark, behind)) = rest.split_first() else { break };
            if *mark == b'=' {
                self.has_value = true;
            } else {
                self.check()?;
                self.name.clear();
                self.value.clear();
                self.has_value = false;
            }
            bytes = behind;
        }
        Ok(())
    }

    /// Of a name its end, of a value its beginning.
    fn keep(&mut self, run: &[u8]) {
        if self.has_value {
            let room = KEPT - self.value.len();
            self.value.extend_from_slice(&run[..run.len().min(room)]);
            return;
        }
        let run = &run[run.len().saturating_sub(KEPT)..];
        let over = (self.name.len() + run.len()).saturating_sub(KEPT);
        self.name.drain(..over);
        self.name.extend_from_slice(run);
    }

    /// Nothing follows the last field, as far as anybody knows.
    pub(crate) fn check(&self) -> Result<(), NotListed> {
        self.opening.allows_field(&self.path, &self.name, &self.value)
    }
}

/// Whether a server could take a body of this type for a form.
fn may_be_form(kind: &[u8]) -> bool {
    // Wherever the word stands: in quotes, behind a comma, as a parameter.
    const WORD: &[u8] = b"form-urlencoded";
    let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let mut words = essence.split(|byte| *byte == b'/');
    let mut is_word = || words.next().is_some_and(|word| !word.is_empty() && word.iter().all(|byte| is_token(*byte)));
    let is_readable = is_word() && is_word() && words.next().is_none();
    !is_readable || kind.windows(WORD.len()).any(|word| word.eq_ignore_ascii_case(WORD))
}
