//! How rare a few letters are in ordinary text, so that a keyword is looked for by its rarest part.

const CLASSES: usize = 32;

/// Bits of surprise at a character of the class, as hexadecimal digits. Counted, as the table below, over 0.7 MB of prose,
/// code, logs, lock files and configuration.
const FIRST: &[u8; CLASSES] = b"56554666587565568554677778776368";

/// Bits of surprise at a character of the column's class after one of the row's.
const NEXT: [&[u8; CLASSES]; CLASSES] = [
    b"6545765859744394844367776978858b",
    b"4555457745847757866648775857756b",
    b"3666368458457836847468886968767a",
    b"45652688488767578668688778666369",
    b"56546669899563867334877579866368",
    b"45654578388676378475488878697379",
    b"67672765387565467456577777877469",
    b"37672878487767477674488868878489",
    b"55445559898452369643869796a9889b",
    b"4566365646664546554646566679989a",
    b"46662647467766666646676766866479",
    b"48752678378488478854578858957479",
    b"36652878478658337856688867977469",
    b"48444648587776469843668878a67378",
    b"76548569786542559355465788a7748b",
    b"3876377658638645845458885895847a",
    b"5565565556545666565526565677977a",
    b"48562758496655479644568959a67379",
    b"68583885497678457743577969a66359",
    b"49683873398778458455587859a66369",
    b"646547685884437583337877889ba59a",
    b"3666276737776656666767777778868a",
    b"3766477437756546754676567687847a",
    b"36564667567656647663667657655468",
    b"66566767677655437545776777856268",
    b"56563556456655555555566655789589",
    b"55555588888878888888888888485459",
    b"454454664766456494445667a974a88b",
    b"564565675885567585455777986a33ba",
    b"5656767759977766b655677a9b8b6188",
    b"6746566778966665a655778899679259",
    b"785665776a977666a555778aaa897266",
];

/// A letter, a digit, `_`, `-`, white space, `.:/=`, anything else.
const fn class(byte: u8) -> usize {
    match byte.to_ascii_lowercase() {
        letter @ b'a'..=b'z' => (letter - b'a') as usize,
        b'0'..=b'9' => 26,
        b'_' => 27,
        b'-' => 28,
        b' ' | b'\t' | b'\r' | b'\n' => 29,
        b'.' | b':' | b'/' | b'=' => 30,
        _ => 31,
    }
}

/// How rare `text` is: about so many bits of surprise, comparable among texts of one length.
pub(crate) fn rarity(text: &[u8]) -> u32 {
    let bits = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default();
    let next = text.windows(2).map(|pair| bits(NEXT[class(pair[0])][class(pair[1])]));
    text.first().map_or(0, |first| bits(FIRST[class(*first)])) + next.sum::<u32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_letters_are_rare() {
        assert!(rarity(b"zqxj") > rarity(b"word"));
        assert!(rarity(b"ghp_") > rarity(b"ther"));
        assert_eq!(rarity(b"KEY"), rarity(b"key"));
        assert!(NEXT.iter().chain([&FIRST]).flat_map(|row| row.iter()).all(u8::is_ascii_hexdigit));
    }
}
