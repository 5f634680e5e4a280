//! The ways in which Unicode lets one text be written: `ö` is one character or two, `ﬁ` one or two letters (Unicode Standard
//! Annex 15). Who types a value, and who copies it, need not agree.

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use zeroize::Zeroizing;

/// `value` in the four normalization forms, each that differs from it once.
pub(crate) fn others(value: &str) -> Vec<Zeroizing<String>> {
    let mut others: Vec<Zeroizing<String>> = Vec::new();
    if value.is_ascii() {
        return others;
    }
    const COMPOSED: [ComposingNormalizerBorrowed<'static>; 2] =
        [ComposingNormalizerBorrowed::new_nfc(), ComposingNormalizerBorrowed::new_nfkc()];
    const DECOMPOSED: [DecomposingNormalizerBorrowed<'static>; 2] =
        [DecomposingNormalizerBorrowed::new_nfd(), DecomposingNormalizerBorrowed::new_nfkd()];
    let mut take = |written: &mut dyn Iterator<Item = char>| {
        // Room for all of it at once: what a text that grows leaves behind is not wiped.
        let mut other = Zeroizing::new(String::with_capacity(value.len() * LONGER));
        other.extend(written);
        if *other != value && !others.contains(&other) {
            others.push(other);
        }
    };
    COMPOSED.iter().for_each(|form| take(&mut form.normalize_iter(value.chars())));
    DECOMPOSED.iter().for_each(|form| take(&mut form.normalize_iter(value.chars())));
    others
}

/// No normalization form has more bytes for each byte of UTF-8 (U+FDFA in NFKD: 33 for 3;
/// <https://unicode.org/faq/normalization.html#12>).
const LONGER: usize = 11;

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(value: &str) -> Vec<String> {
        others(value).iter().map(|other| (**other).clone()).collect()
    }

    #[test]
    fn plain_letters_are_written_one_way() {
        assert!(others("pa\"ss/word").is_empty());
        assert!(others("日本").is_empty());
    }

    #[test]
    fn a_letter_with_its_mark_is_one_or_two_characters() {
        assert_eq!(spelled("w\u{f6}rd"), ["wo\u{308}rd"]);
        assert_eq!(spelled("wo\u{308}rd"), ["w\u{f6}rd"]);
        assert_eq!(spelled("o\u{308}\u{f6}"), ["\u{f6}\u{f6}", "o\u{308}o\u{308}"], "written both ways in one value");
    }

    #[test]
    fn what_looks_like_other_letters_is_taken_for_them_too() {
        assert_eq!(spelled("ﬁ\u{f6}"), ["fi\u{f6}", "ﬁo\u{308}", "fio\u{308}"]);
    }

    #[test]
    fn the_longest_form_has_room() {
        let value = "\u{fdfa}".repeat(3);
        assert!(others(&value).iter().all(|other| other.len() <= value.len() * LONGER));
        assert!(others(&value).iter().any(|other| other.len() == value.len() * LONGER), "the bound is reached");
    }
}
