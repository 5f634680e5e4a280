//! What was found out about short texts: documents have few of them, again and again.

use super::Token;

/// Bytes of the longest text.
pub(super) const MOST: usize = 15;
/// Texts that are kept.
const KEPT: usize = 64;

/// What is known of each of some texts.
pub(super) struct Short<T>(Vec<(u128, T)>);

impl<T: Copy + Default> Default for Short<T> {
    fn default() -> Self {
        Self(vec![(0, T::default()); KEPT])
    }
}

/// The text and its length, if it is short and not empty, and where it is kept.
fn key(text: &[u8]) -> Option<(u128, usize)> {
    if !(1..=MOST).contains(&text.len()) {
        return None;
    }
    let (first, behind) = sixteen(text);
    let key = u128::from(behind | (text.len() as u64) << 56) << 64 | u128::from(first);
    let hash = (key as u64 ^ (key >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Some((key, (hash >> 58) as usize % KEPT))
}

/// The first eight bytes of a text of at most 15 that is not empty, and those behind them, with zeros behind the end. Parts of
/// one size are read that may overlap: copying so many bytes as there are takes a call.
#[inline]
fn sixteen(text: &[u8]) -> (u64, u64) {
    let len = text.len();
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let behind = u64::from_le_bytes(*last).checked_shr(8 * (16 - len.min(16)) as u32).unwrap_or(0);
        return (u64::from_le_bytes(*first), behind);
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let [first, last] = [first, last].map(|four| u64::from(u32::from_le_bytes(*four)));
        return (first | last << (8 * (len - 4)), 0);
    }
    let byte = |at: usize| u64::from(text[at]) << (8 * at);
    (byte(0) | byte(len / 2) | byte(len - 1), 0)
}

impl<T: Copy> Short<T> {
    #[inline]
    pub(super) fn get(&self, text: &[u8]) -> Option<T> {
        let (key, place) = key(text)?;
        let (kept, known) = self.0.get(place)?;
        (*kept == key).then_some(*known)
    }

    /// Keeps what is known of a text in place of another, if it is short.
    pub(super) fn put(&mut self, text: &[u8], known: T) {
        if let Some((key, place)) = key(text)
            && let Some(kept) = self.0.get_mut(place)
        {
            *kept = (key, known);
        }
    }

    pub(super) fn get_or(&mut self, text: &[u8], find: impl FnOnce() -> T) -> T {
        self.get(text).unwrap_or_else(|| {
            let found = find();
            self.put(text, found);
            found
        })
    }
}

/// Texts of middle length in which nothing was found, where they stand in the document: identifiers, paths, names of formats.
pub(super) struct Seen(Vec<Token>);

/// No text is of this length.
const NONE: Token = Token { start: 0, end: 0, escaped: false };

impl Default for Seen {
    fn default() -> Self {
        Self(vec![NONE; KEPT])
    }
}

impl Seen {
    /// Bytes of the longest.
    const MOST: usize = 96;

    fn place(raw: &[u8]) -> Option<usize> {
        if !(MOST + 1..=Self::MOST).contains(&raw.len()) {
            return None;
        }
        let (first, last) = (raw.first_chunk()?, raw.last_chunk()?);
        let hash =
            (u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(5)).wrapping_add(raw.len() as u64);
        Some((hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize % KEPT)
    }

    /// Forgets all: another document comes.
    pub(super) fn clear(&mut self) {
        self.0.fill(NONE);
    }

    pub(super) fn has(&self, document: &[u8], token: Token) -> bool {
        let raw = token.raw(document);
        Self::place(raw).and_then(|place| self.0.get(place)).is_some_and(|seen| seen.raw(document) == raw)
    }

    /// Keeps a text in place of another.
    pub(super) fn put(&mut self, document: &[u8], token: Token) {
        if let Some(kept) = Self::place(token.raw(document)).and_then(|place| self.0.get_mut(place)) {
            *kept = token;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_seen_again_wherever_it_stands() {
        let document = "toolu_4fG7kLm2Qw9Z toolu_4fG7kLm2Qw9Z toolu_5fG7kLm2Qw9Z short short".repeat(3);
        let token = |start: usize, end: usize| Token { start, end, escaped: false };
        let mut seen = Seen::default();
        assert!(!seen.has(document.as_bytes(), token(0, 18)));
        seen.put(document.as_bytes(), token(0, 18));
        seen.put(document.as_bytes(), token(57, 62));
        seen.put(document.as_bytes(), token(0, 97));
        for (start, end, has) in
            [(0, 18, true), (19, 37, true), (38, 56, false), (0, 17, false), (63, 68, false), (0, 97, false)]
        {
            assert_eq!(seen.has(document.as_bytes(), token(start, end)), has, "{start}");
        }
    }

    #[test]
    fn a_text_is_known_by_all_its_bytes_and_its_length() {
        let mut short = Short::default();
        for len in 1..=MOST {
            let text = &b"abcdefghijklmno"[..len];
            let (first, behind) = sixteen(text);
            let mut bytes = [first.to_le_bytes(), behind.to_le_bytes()].concat();
            bytes.truncate(len);
            assert_eq!((&*bytes, behind >> 56), (text, 0));
        }
        let text = b"content\0\0\0\0\0\0\0\0\0";
        for len in 0..=text.len() {
            assert_eq!(short.get(&text[..len]), None, "{len}");
            short.put(&text[..len], len);
            assert_eq!(short.get(&text[..len]), (1..=MOST).contains(&len).then_some(len));
        }
        assert_eq!(short.get(b"Content"), None);
        assert_eq!(short.get_or(b"role", || 1) + short.get_or(b"role", || 2), 2);
    }
}
