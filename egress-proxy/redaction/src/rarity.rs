//! How common a few letters are in ordinary text, so that a keyword is looked for by its rarest part.

/// Logarithm (base 2, of pairs in a million, by character of the class) as a hexadecimal digit: row the first character's
/// class, column the second's. Counted over 0.7 MB of prose, code, logs, lock files and configuration.
const PAIRS: [&[u8; CLASSES]; CLASSES] = [
    b"abbb99b7a79cbc7b7cbca98897978b85",
    b"a999a977a96a77976888a67796877983",
    b"b999b97b96ba87c96a8b977786877985",
    b"b999c977b77887a87897976786999c86",
    b"babcaaa7877bad8a9ddc899b978aada8",
    b"a999aa76b66978b76a89a66676857b75",
    b"8787b789b66889a86a98966777677a75",
    b"b787c676a67787a7787a966686676a64",
    b"aabbaaa7778badc97acc796869567764",
    b"87669676766676867686767666523432",
    b"9776b786966667776797767676577964",
    b"b779c976c77b77b867aaa77696598b86",
    b"b889c676a76896bb7698967787587a85",
    b"b7bcb9b7a78889b967cca97887598c87",
    b"99ab7a96879bbdab6caab9a877588b74",
    b"b678b778968b78ba6baaa666a76a7a75",
    b"76677676767876667676a67676542552",
    b"b7a9d8a7b699aab869bba976a6598c86",
    b"a8a8c77bb78987ba89bca88796699ca7",
    b"c798c88cc68988ca7baaa797a76aac97",
    b"8a99a886976bab7a6bbb767866635954",
    b"a777b676a66677877766766666655753",
    b"96779669a66878966887668666565963",
    b"96778776876777786779766776678864",
    b"778787767667889a6898667667587b76",
    b"76669676866676766777766666542743",
    b"88888855555566555566655656958984",
    b"98998977967798794999877634693552",
    b"9899787796688779689987665583bb23",
    b"cbcbbcabc89bbbbb7bcdbab89697bf9a",
    b"87988886755778784888766554865c85",
    b"54656645623556552666554222435a65",
];

const CLASSES: usize = 32;

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

/// How common `text` is: comparable among texts of one length, lower is rarer.
pub(crate) fn commonness(text: &[u8]) -> u32 {
    text.windows(2).map(|pair| char::from(PAIRS[class(pair[0])][class(pair[1])]).to_digit(16).unwrap_or_default()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_pairs_are_rare() {
        assert!(commonness(b"sswo") < commonness(b"word"));
        assert!(commonness(b"ghp_") < commonness(b"ther"));
        assert_eq!(commonness(b"KEY"), commonness(b"key"));
        assert!(PAIRS.iter().flat_map(|row| row.iter()).all(u8::is_ascii_hexdigit));
    }
}
