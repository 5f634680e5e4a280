//! Characters that show as nothing, or as another one: invisible ones are dropped, copies and look-alikes become ASCII.

use super::decode::Step;

/// Cyrillic and Greek letters, each with the ASCII letter that looks the same.
const LOOK_ALIKES: &[(char, u8)] = &[
    ('а', b'a'),
    ('е', b'e'),
    ('о', b'o'),
    ('р', b'p'),
    ('с', b'c'),
    ('у', b'y'),
    ('х', b'x'),
    ('ѕ', b's'),
    ('і', b'i'),
    ('ј', b'j'),
    ('һ', b'h'),
    ('ԁ', b'd'),
    ('ԛ', b'q'),
    ('ԝ', b'w'),
    ('А', b'A'),
    ('В', b'B'),
    ('С', b'C'),
    ('Е', b'E'),
    ('Н', b'H'),
    ('І', b'I'),
    ('Ј', b'J'),
    ('К', b'K'),
    ('М', b'M'),
    ('О', b'O'),
    ('Р', b'P'),
    ('Ѕ', b'S'),
    ('Т', b'T'),
    ('У', b'Y'),
    ('Х', b'X'),
    ('ο', b'o'),
    ('ν', b'v'),
    ('α', b'a'),
    ('γ', b'y'),
    ('ι', b'i'),
    ('ρ', b'p'),
    ('υ', b'u'),
    ('χ', b'x'),
    ('Α', b'A'),
    ('Β', b'B'),
    ('Ε', b'E'),
    ('Ζ', b'Z'),
    ('Η', b'H'),
    ('Ι', b'I'),
    ('Κ', b'K'),
    ('Μ', b'M'),
    ('Ν', b'N'),
    ('Ο', b'O'),
    ('Ρ', b'P'),
    ('Τ', b'T'),
    ('Υ', b'Y'),
    ('Χ', b'X'),
];

/// First bytes of the two-byte sequences in [`LOOK_ALIKES`].
const LEAD: u8 = 0xce;
const ROWS: usize = 7;

const TWO_BYTES: [u8; ROWS * 64] = {
    let mut table = [0; ROWS * 64];
    let mut n = 0;
    while n < LOOK_ALIKES.len() {
        let (letter, ascii) = LOOK_ALIKES[n];
        let code = letter as usize;
        table[code - ((LEAD & 0x1f) as usize) * 64] = ascii;
        n += 1;
    }
    table
};

pub(super) fn decode(seen: &[u8]) -> Step {
    let len = match seen[0] {
        ..0xe0 => 2,
        0xf0.. => 4,
        _ => 3,
    };
    let Some(whole) = seen.get(..len) else {
        return if seen[1..].iter().all(|b| b & 0xc0 == 0x80) { Step::More } else { Step::Literal };
    };
    if let [lead @ LEAD..0xd5, next @ 0x80..0xc0] = *whole {
        return match TWO_BYTES[usize::from(lead - LEAD) * 64 + usize::from(next & 0x3f)] {
            0 => Step::Literal,
            ascii => Step::Byte(2, ascii),
        };
    }
    let Some(c) = character(whole) else { return Step::Literal };
    if is_invisible(c) {
        return Step::Dropped(len);
    }
    match c {
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Step::Byte(len, b' '),
        // Tag characters repeat ASCII, unseen; full-width forms repeat it, wide.
        '\u{e0020}'..='\u{e007e}' => Step::Byte(len, (u32::from(c) & 0x7f) as u8),
        '\u{ff01}'..='\u{ff5e}' => Step::Byte(len, (u32::from(c) - 0xfee0) as u8),
        '\u{24b6}'..='\u{24cf}' => Step::Byte(len, b'A' + (u32::from(c) - 0x24b6) as u8),
        '\u{24d0}'..='\u{24e9}' => Step::Byte(len, b'a' + (u32::from(c) - 0x24d0) as u8),
        // Mathematical alphabets: capitals and small letters in turn, then digits.
        '\u{1d400}'..='\u{1d6a3}' => match (u32::from(c) - 0x1d400) % 52 {
            n @ 0..26 => Step::Byte(len, b'A' + n as u8),
            n => Step::Byte(len, b'a' + (n - 26) as u8),
        },
        '\u{1d7ce}'..='\u{1d7ff}' => Step::Byte(len, b'0' + ((u32::from(c) - 0x1d7ce) % 10) as u8),
        _ => Step::Literal,
    }
}

/// The character of a whole sequence, if it is one.
fn character(whole: &[u8]) -> Option<char> {
    // A lead byte has one bit less for each byte of the sequence.
    let lead = u32::from(whole[0]) & (0xff >> (whole.len() + 1));
    let code =
        whole[1..].iter().try_fold(lead, |code, b| (b & 0xc0 == 0x80).then(|| code << 6 | u32::from(b & 0x3f)))?;
    char::from_u32(code).filter(|c| c.len_utf8() == whole.len())
}

/// Format characters, fillers, variation selectors, marks that are drawn over the letter before.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}'
        | '\u{300}'..='\u{36f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe20}'..='\u{fe2f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e001f}'
        | '\u{e007f}'
        | '\u{e0100}'..='\u{e01ef}')
}
