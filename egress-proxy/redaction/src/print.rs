//! Keyed fingerprints of bytes: what tells two bodies apart without keeping either.
//!
//! Pieces of [`PIECE`] bytes are hashed with NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: "UMAC", CRYPTO 1999, section 4):
//! two different pieces have the same hash with a chance of 2^-64 at most over the key, and it runs as fast as memory is read. The
//! key is drawn from the tag key of a tenant, so that a fingerprint means the same after a restart and nothing elsewhere.

use ring::hmac;
use zeroize::Zeroizing;

/// Bytes of a piece.
pub const PIECE: usize = 1024;
/// Words of the key: one for each word of a piece.
const WORDS: usize = PIECE / 8;

/// Makes fingerprints.
pub(crate) struct Printer {
    words: Zeroizing<[u64; WORDS]>,
}

impl Printer {
    pub(crate) fn new(tag: &hmac::Key) -> Self {
        let mut words = Zeroizing::new([0; WORDS]);
        for (number, four) in (0_u8..).zip(words.chunks_exact_mut(4)) {
            let drawn = hmac::sign(tag, &[b"pieces".as_slice(), &[number]].concat());
            let (drawn, _) = drawn.as_ref().as_chunks::<8>();
            four.iter_mut().zip(drawn).for_each(|(word, bytes)| *word = u64::from_le_bytes(*bytes));
        }
        Self { words }
    }

    /// The hash of up to [`PIECE`] bytes; pieces of different lengths are not told apart by it.
    pub(crate) fn piece(&self, piece: &[u8]) -> u128 {
        let (words, rest) = piece.as_chunks::<8>();
        let (pairs, odd) = words.as_chunks::<2>();
        let (keys, _) = self.words.as_chunks::<2>();
        let product =
            |[a, b]: [u64; 2], [k, l]: [u64; 2]| u128::from(a.wrapping_add(k)) * u128::from(b.wrapping_add(l));
        let word = |bytes: [u8; 8]| u64::from_le_bytes(bytes);
        let mut sum = 0_u128;
        for (pair, key) in pairs.iter().zip(keys) {
            sum = sum.wrapping_add(product([word(pair[0]), word(pair[1])], *key));
        }
        if !odd.is_empty() || !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            let last = match odd {
                [] => [word(last), 0],
                [odd, ..] => [word(*odd), word(last)],
            };
            // Pieces are no longer than the key.
            if let Some(key) = keys.get(pairs.len()) {
                sum = sum.wrapping_add(product(last, *key));
            }
        }
        sum
    }

    /// The fingerprint of `bytes` among those of the same `domain`.
    pub(crate) fn whole(&self, tag: &hmac::Key, domain: &str, bytes: &[u8]) -> [u8; 16] {
        let mut mac = hmac::Context::with_key(tag);
        mac.update(b"print\0");
        mac.update(domain.as_bytes());
        mac.update(&[0]);
        mac.update(&(bytes.len() as u64).to_le_bytes());
        bytes.chunks(PIECE).for_each(|piece| mac.update(&self.piece(piece).to_le_bytes()));
        let mut print = [0; 16];
        print.copy_from_slice(&mac.sign().as_ref()[..16]);
        print
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printer(key: u8) -> (Printer, hmac::Key) {
        let tag = hmac::Key::new(hmac::HMAC_SHA256, &[key; 32]);
        (Printer::new(&tag), tag)
    }

    #[test]
    fn every_byte_counts_and_so_does_the_key() {
        let [(printer, tag), (other, other_tag)] = [1, 2].map(printer);
        for len in [0, 1, 7, 8, 9, 15, 16, 17, 1000, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5] {
            let bytes: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
            let print = printer.whole(&tag, "a", &bytes);
            assert_eq!(print, printer.whole(&tag, "a", &bytes));
            assert_ne!(print, printer.whole(&tag, "b", &bytes));
            assert_ne!(print, other.whole(&other_tag, "a", &bytes));
            assert_ne!(print, printer.whole(&tag, "a", &[&bytes[..], &[0]].concat()), "a zero behind it counts");
            for at in (0..len).step_by(61).chain(len.checked_sub(1)) {
                let mut changed = bytes.clone();
                changed[at] ^= 0x80;
                assert_ne!(print, printer.whole(&tag, "a", &changed), "{at} of {len}");
            }
            if len > 16 {
                let mut swapped = bytes.clone();
                swapped.swap(0, 8);
                assert_ne!(print, printer.whole(&tag, "a", &swapped), "order counts");
            }
        }
    }
}
