//! The engine and what it answers.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ring::hmac;

use crate::anchors::Anchors;
use crate::hits::{self, Hit, What};
use crate::index::{Beside, Index, Keys, LONGEST, Needles, keywords};
use crate::json::{self, Compared, JsonMemo, Kits, Unscannable};
use crate::patterns::PatternScan;
use crate::placeholder::{NAME, in_name};
use crate::print::{PIECE, Printer};
use crate::rules::RuleSet;
use crate::search::across::{are_one_text, is_nothing_across};
use crate::search::{Progress, VaultScan};
use crate::searchable::{MAX_BYTES, MIN_BESIDE, Unsearchable, searchable};
use crate::sse::Events;
use crate::stream::Stream;

/// All values together, in bytes.
const MAX_TOTAL: usize = 4 * 1024 * 1024;
/// Parts of all values in all their readings; a value of up to 512 bytes has three to six, in each of up to five
/// spellings. Bounds the index to some 100 MiB.
const MAX_PARTS: usize = 1 << 17;

/// One value to look for.
#[derive(Clone, Copy)]
pub struct Secret<'a> {
    /// Name as in `SECRET_REF(name)`: 1 to 64 letters, digits and `_ - . / :`, more than the vault takes, and nothing that
    /// would change the text around it.
    pub name: &'a str,
    /// The value: 64 KiB at most, and [`searchable`] unless `beside` is set.
    pub value: &'a str,
    /// For a short or common value, of 3 bytes and more: keywords, separated by commas. The value is redacted only where
    /// it stands alone and one of them stands within 40 bytes before it. `None`: redacted everywhere, in all its forms.
    pub beside: Option<&'a str>,
}

impl<'a> Secret<'a> {
    /// A value that is redacted everywhere.
    #[must_use]
    pub fn new(name: &'a str, value: &'a str) -> Self {
        Self { name, value, beside: None }
    }
}

impl Secret<'_> {
    /// Whether an engine can be built with it.
    ///
    /// # Errors
    /// [`BuildError`] says what is wrong with its name, value or context.
    pub fn check(&self) -> Result<(), BuildError> {
        if !(1..=NAME).contains(&self.name.len()) || !self.name.bytes().all(in_name) {
            return Err(BuildError::Name);
        }
        let checked = match self.beside {
            None => searchable(self.value),
            Some(_) if self.value.len() > MAX_BYTES => Err(Unsearchable::TooLong),
            Some(_) if self.value.len() < MIN_BESIDE => Err(Unsearchable::TooShort),
            Some(words) if keywords(words).next().is_none() => {
                return Err(BuildError::NoKeyword(self.name.to_owned()));
            }
            Some(_) => Ok(()),
        };
        checked.map_err(|why| BuildError::Unsearchable { name: self.name.to_owned(), why })
    }
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}, ..)", self.name)
    }
}

/// Why no engine could be built. Never contains a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The name would not stand in JSON, a shell or a path as it is. Not repeated: it may be the value.
    #[error("a name of a secret is 1 to {NAME} letters, digits and _ - . / : without accents")]
    Name,
    /// Looking for this value would destroy ordinary text, or fill the index.
    #[error("secret {name}: {why}")]
    Unsearchable {
        /// The secret.
        name: String,
        /// What is wrong with its value.
        why: Unsearchable,
    },
    /// [`Secret::beside`] holds no keyword.
    #[error("secret {0}: the context holds no keyword; name one of at least {MIN_BESIDE} letters")]
    NoKeyword(String),
    /// All values together would fill the index.
    #[error("all secrets together are longer than {MAX_TOTAL} bytes; remove some")]
    TooMany,
}

/// One redacted range. Offsets are bytes of the input; the value is never in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule spoke; `vault` for a vault value, `rest` for what follows a finding in another place.
    pub rule: String,
    /// The secret's name, for a vault value.
    pub name: Option<String>,
    /// First byte in the input.
    pub start: usize,
    /// Bytes of the input that were replaced.
    pub len: usize,
}

/// Text without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted<'a> {
    /// The input itself when nothing was found.
    pub text: Cow<'a, str>,
    /// What was replaced, in order of place.
    pub findings: Vec<Finding>,
}

/// Bytes without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactedBytes<'a> {
    /// The input itself when nothing was found.
    pub bytes: Cow<'a, [u8]>,
    /// What was replaced, in order of place.
    pub findings: Vec<Finding>,
}

/// Finds and replaces secrets. Cheap to clone; immutable.
#[derive(Clone)]
pub struct Engine {
    parts: Arc<Parts>,
}

struct Parts {
    names: Arc<[String]>,
    index: Arc<Index>,
    anchors: Arc<Anchors>,
    tag: hmac::Key,
    printer: Arc<Printer>,
    reach: usize,
    kits: Kits,
    /// No other engine of this process has it.
    generation: u64,
}

fn generation() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl Engine {
    /// Builds the index.
    ///
    /// `tag_key` makes the short hash of placeholders; keep it for the life of a tenant, so that equal secrets stay equal.
    ///
    /// # Errors
    /// [`BuildError`] names the first secret that cannot be looked for.
    pub fn build<'a>(
        secrets: impl IntoIterator<Item = Secret<'a>>,
        rules: &RuleSet,
        tag_key: [u8; 32],
    ) -> Result<Self, BuildError> {
        Self::of(secrets, Arc::new(Anchors::new(rules)), hmac::Key::new(hmac::HMAC_SHA256, &tag_key))
    }

    fn of<'a>(
        secrets: impl IntoIterator<Item = Secret<'a>>,
        anchors: Arc<Anchors>,
        tag: hmac::Key,
    ) -> Result<Self, BuildError> {
        let mut names = Vec::new();
        let (mut needles, mut beside) = (Needles::default(), Vec::new());
        let mut total = 0;
        for (owner, secret) in (0..).zip(secrets) {
            secret.check()?;
            total += secret.value.len();
            names.push(secret.name.to_owned());
            match secret.beside {
                Some(words) => beside.push((secret.value, owner, words)),
                None => needles.add(secret.value, owner),
            }
            if total > MAX_TOTAL || needles.parts > MAX_PARTS || names.len() > MAX_PARTS {
                return Err(BuildError::TooMany);
            }
        }
        let keys = Keys::new(hmac::sign(&tag, b"windows").as_ref());
        let longest = beside.iter().map(|(value, ..)| value.len()).max().unwrap_or(0).max(needles.longest).min(LONGEST);
        let index = Index::new(needles, Beside::new(keys, &beside), keys);
        // No escape takes more than six bytes; and two halves may stand apart.
        let reach = longest * 6 + 128;
        let (names, index) = (names.into(), Arc::new(index));
        let printer = Arc::new(Printer::new(&tag));
        let generation = generation();
        Ok(Self {
            parts: Arc::new(Parts { names, index, anchors, tag, printer, reach, kits: Kits::default(), generation }),
        })
    }

    /// The same rules and key with other values. What finds the rules is shared, not built again.
    ///
    /// # Errors
    /// As for [`Engine::build`].
    pub fn with_secrets<'a>(&self, secrets: impl IntoIterator<Item = Secret<'a>>) -> Result<Self, BuildError> {
        Self::of(secrets, self.parts.anchors.clone(), self.parts.tag.clone())
    }

    /// The same values with other rules. Nothing about the values is built again, so none need be at hand.
    #[must_use]
    pub fn with_rules(&self, rules: &RuleSet) -> Self {
        let Parts { names, index, tag, printer, reach, .. } = &*self.parts;
        let (names, index, tag, reach) = (names.clone(), index.clone(), tag.clone(), *reach);
        let printer = printer.clone();
        let (anchors, generation) = (Arc::new(Anchors::new(rules)), generation());
        Self {
            parts: Arc::new(Parts { names, index, anchors, tag, printer, reach, kits: Kits::default(), generation }),
        }
    }

    /// Redacts one whole text.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Redacted<'a> {
        let RedactedBytes { bytes, findings } = self.redact_bytes(text.as_bytes());
        let text = match bytes {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(text_of(bytes)),
        };
        Redacted { text, findings }
    }

    /// Redacts one whole text that may be a JSON document: one is redacted as [`Engine::redact_json`] does, with values found
    /// over all its members in a row, and stays valid; other text as [`Engine::redact`] does.
    #[must_use]
    pub fn redact_document<'a>(&self, text: &'a str) -> Redacted<'a> {
        if !text.trim_start().starts_with(['{', '[']) {
            return self.redact(text);
        }
        match json::redact_alone(self, text.as_bytes()) {
            Ok(RedactedBytes { bytes: Cow::Borrowed(_), findings }) => Redacted { text: Cow::Borrowed(text), findings },
            Ok(RedactedBytes { bytes: Cow::Owned(bytes), findings }) => {
                Redacted { text: Cow::Owned(text_of(bytes)), findings }
            }
            Err(_) => self.redact(text),
        }
    }

    /// Redacts one whole sequence of bytes, text or not.
    #[must_use]
    pub fn redact_bytes<'a>(&self, input: &'a [u8]) -> RedactedBytes<'a> {
        let mut scan = Scan::new(self);
        let hits = scan.whole(self, input);
        if hits.is_empty() {
            return RedactedBytes { bytes: Cow::Borrowed(input), findings: Vec::new() };
        }
        let mut splice = Splice::default();
        let mut out = Vec::with_capacity(input.len());
        splice.write(self, input, 0, input.len(), hits, &mut out);
        RedactedBytes { bytes: Cow::Owned(out), findings: splice.findings }
    }

    /// Redacts a JSON document: strings and keys are decoded before they are searched, changed ones are written anew, all
    /// other bytes pass as they are.
    ///
    /// # Errors
    /// [`Unscannable`]: what could not be scanned must not leave.
    pub fn redact_json<'a>(&self, body: &'a [u8]) -> Result<RedactedBytes<'a>, Unscannable> {
        json::redact(self, body, &[])
    }

    /// As [`Engine::redact_json`], but a hit inside an object whose `"type"` is one of `sealed` is refused: such blocks are
    /// signed by the provider and must come back unchanged or not at all. An entry that ends in a colon is the name of a
    /// member instead; an object in which it has a text is sealed.
    ///
    /// # Errors
    /// As above, and [`Unscannable::Sealed`].
    pub fn redact_json_sealing<'a>(&self, body: &'a [u8], sealed: &[&str]) -> Result<RedactedBytes<'a>, Unscannable> {
        json::redact(self, body, sealed)
    }

    /// As [`Engine::redact_json_sealing`], with the same result, but of what `memo` knows from the body before only what
    /// changed is searched, as far as it can be told apart. The memo then knows this body, or nothing if it is refused.
    ///
    /// # Errors
    /// As above.
    pub fn redact_json_again<'a>(
        &self,
        body: Compared<'a>,
        sealed: &[&str],
        memo: &mut JsonMemo,
    ) -> Result<RedactedBytes<'a>, Unscannable> {
        memo.redact(self, body, sealed)
    }

    /// Starts a stream; its output is the same for every way of cutting the input.
    #[must_use]
    pub fn stream(&self) -> Stream {
        Stream::new(self.clone())
    }

    /// What takes the place of `source`.
    pub(crate) fn placeholder(&self, what: What, source: &[u8]) -> String {
        match what {
            What::Vault(owner) => format!("SECRET_REF({})", self.parts.names[owner as usize]),
            What::Rule(rule) => self.placeholder(What::Tagged(rule, self.tag(source)), source),
            What::Tagged(rule, tag) => {
                format!("[REDACTED:{}:{}]", self.parts.anchors.kind(rule), data_encoding::HEXLOWER.encode(&tag))
            }
            What::Rest => String::new(),
        }
    }

    /// Bytes of the end of a text in which a value may begin that ends in another text.
    pub(crate) fn reach(&self) -> usize {
        self.parts.reach
    }

    /// Whether surely no vault value stands across byte `seam` of a text, as `search::across` says.
    pub(crate) fn is_nothing_across(&self, text: &[u8], seam: usize) -> bool {
        is_nothing_across(&self.parts.index, text, seam)
    }

    /// Whether a text can be searched behind others as if both were one, but for some bytes of it, as `search::across` says.
    pub(crate) fn are_one_text(&self, before: &[u8], text: &[u8]) -> Option<usize> {
        are_one_text(&self.parts.index, before, text)
    }

    /// What walks over documents left.
    pub(crate) fn kits(&self) -> &Kits {
        &self.parts.kits
    }

    /// The number of this engine: every other one has another.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.parts.generation
    }

    /// Tells equal secrets from others. Keyed, because a plain hash of a weak password tells the password.
    pub(crate) fn tag(&self, source: &[u8]) -> [u8; 2] {
        let tag = hmac::sign(&self.parts.tag, source);
        [tag.as_ref()[0], tag.as_ref()[1]]
    }

    /// Hashes of the pieces of [`PIECE`] bytes that `bytes` consist of, keyed as fingerprints are: two pieces of one
    /// length have the same one with a chance of 2^-64. The last piece may be shorter.
    #[must_use]
    pub fn pieces(&self, bytes: &[u8]) -> Vec<u128> {
        bytes.chunks(PIECE).map(|piece| self.parts.printer.piece(piece)).collect()
    }

    /// The same of one piece, of [`PIECE`] bytes at most.
    #[must_use]
    pub fn piece(&self, piece: &[u8]) -> u128 {
        self.parts.printer.piece(piece)
    }

    /// A fingerprint of `bytes` among those of the same `domain`; keyed like placeholders, and so the same for the life of a
    /// tenant.
    #[must_use]
    pub fn print(&self, domain: &str, bytes: &[u8]) -> [u8; 16] {
        self.parts.printer.whole(&self.parts.tag, domain, bytes)
    }

    /// What is said about a hit.
    pub(crate) fn finding(&self, hit: Hit) -> Finding {
        let (rule, name) = match hit.what {
            What::Vault(owner) => ("vault", Some(self.parts.names[owner as usize].clone())),
            What::Rule(rule) | What::Tagged(rule, _) => (self.parts.anchors.kind(rule), None),
            What::Rest => ("rest", None),
        };
        Finding { rule: rule.to_owned(), name, start: hit.start, len: hit.end - hit.start }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine(..)")
    }
}

/// A value in UTF-16 can end inside a character of text that is none; what is left of it says nothing.
fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// Both searches over one text.
pub(crate) struct Scan {
    vault: VaultScan,
    progress: Progress,
    patterns: PatternScan,
}

impl Scan {
    pub(crate) fn new(_: &Engine) -> Self {
        Self { vault: VaultScan::default(), progress: Progress::default(), patterns: PatternScan::new() }
    }

    /// Everything in one whole text, in order and disjoint.
    pub(crate) fn whole(&mut self, engine: &Engine, text: &[u8]) -> Vec<Hit> {
        let mut found = Vec::new();
        self.vault.whole(&engine.parts.index, text, &mut found);
        self.rules(engine, text, found)
    }

    /// Vault values in one whole text, neither in order nor disjoint, and where the end of it begins that must be known to
    /// find those which go on in another text.
    pub(crate) fn vault_and_tail(&mut self, engine: &Engine, text: &[u8]) -> (Vec<Hit>, usize) {
        let mut found = Vec::new();
        let tail = self.vault.whole_and_tail(&engine.parts.index, text, &mut found);
        (found, tail)
    }

    /// Everything in one whole text, in order and disjoint, of which the vault values are `found`.
    pub(crate) fn rules(&mut self, engine: &Engine, text: &[u8], mut found: Vec<Hit>) -> Vec<Hit> {
        self.patterns.reset();
        self.patterns.push(&engine.parts.anchors, text, 0, true, &mut found);
        Events::whole(engine, text, &mut found);
        hits::merge(&mut found);
        found
    }

    /// Vault values in a text, neither in order nor disjoint. Unless it has `ended`, those that are decided: all that begin
    /// before the place which is returned, and nothing before it matters to what begins there or later.
    pub(crate) fn vault_values(&mut self, engine: &Engine, text: &[u8], ended: bool) -> (Vec<Hit>, usize) {
        let mut found = Vec::new();
        let keep = self.vault.begun(&engine.parts.index, text, ended, &mut found).keep;
        (found, keep)
    }

    /// Searches on: `text` is all that is known from offset `base` on, with what earlier calls have seen.
    pub(crate) fn push(&mut self, engine: &Engine, text: &[u8], base: usize, ended: bool, found: &mut Vec<Hit>) {
        self.progress.push(&mut self.vault, &engine.parts.index, text, base, ended, found);
        self.patterns.push(&engine.parts.anchors, text, base, ended, found);
    }

    /// The first byte that can still be part of a match to come.
    pub(crate) fn live(&self, engine: &Engine) -> usize {
        self.progress.live().min(self.patterns.live(&engine.parts.anchors))
    }

    /// The first byte that the next call of [`Scan::push`] must still know.
    pub(crate) fn keep(&self) -> usize {
        self.progress.keep()
    }
}

/// Writes text with placeholders, piece after piece.
#[derive(Default)]
pub(crate) struct Splice {
    /// Written up to here.
    done: usize,
    /// The last placeholder: a long value is found in pieces, which are one.
    last: Option<Hit>,
    pub(crate) findings: Vec<Finding>,
}

impl Splice {
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// Writes everything up to `to`. `text` begins at offset `base`; `hits` are in order, disjoint and end at `to` at most.
    pub(crate) fn write(
        &mut self,
        engine: &Engine,
        text: &[u8],
        base: usize,
        to: usize,
        hits: Vec<Hit>,
        out: &mut Vec<u8>,
    ) {
        for hit in hits {
            out.extend_from_slice(&text[self.done - base..hit.start - base]);
            self.done = hit.end;
            let goes_on = self.last.is_some_and(|last| {
                last.end == hit.start && last.what == hit.what && matches!(hit.what, What::Vault(_))
            });
            self.last = Some(hit);
            if goes_on {
                if let Some(finding) = self.findings.last_mut() {
                    finding.len += hit.end - hit.start;
                }
                continue;
            }
            out.extend_from_slice(engine.placeholder(hit.what, &text[hit.start - base..hit.end - base]).as_bytes());
            self.findings.push(engine.finding(hit));
        }
        out.extend_from_slice(&text[self.done - base..to - base]);
        self.done = to;
    }
}

#[cfg(test)]
mod tests;
