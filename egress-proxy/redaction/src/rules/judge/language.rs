//! How letters follow each other in words and in nothing: the measure that tells a chosen word from a drawn one.

/// Bits by which each pair of letters is more likely inside words than in letters drawn at random, plus 6, cut at 0 and 9.
/// Row: first letter; column: second. Counted over 20,000 different words of English prose and program identifiers.
const PAIRS: [&[u8; 26]; 26] = [
    b"37884573725978271889664563",
    b"74546432742743640664620140",
    b"85658558707754953768643240",
    b"75569544832654652775645340",
    b"85897764624879575999576752",
    b"64557742702744741665503240",
    b"53438446602546542764522220",
    b"73457222703453730645524042",
    b"76887772314779972788372507",
    b"40105000301000410031300000",
    b"53347322600333331364322020",
    b"84569542815844860466643171",
    b"85458432703464772475622220",
    b"84888794725546752589653242",
    b"56874663535779670877767431",
    b"84658546704744771877644340",
    b"11122100100311020221601000",
    b"84669552805676863777654261",
    b"74759457805555773589745365",
    b"84659547903665862887744573",
    b"66656651601778460777101301",
    b"62438332701343540344101200",
    b"63446314601445541554100101",
    b"42535423500332351236211120",
    b"33424211401445460354102001",
    b"40227210400011320131220012",
];

/// Bits of evidence that `letters`, in any case, are a word; below zero they look drawn. Anything else counts as no word.
pub(super) fn odds(letters: &[u8]) -> i32 {
    let index = |b: u8| usize::from(b.to_ascii_lowercase().wrapping_sub(b'a'));
    letters
        .windows(2)
        .map(|pair| match PAIRS.get(index(pair[0])).and_then(|row| row.get(index(pair[1]))) {
            Some(bits) => i32::from(bits - b'0') - 6,
            None => -6,
        })
        .sum()
}

/// Whether so many letters in this order are more likely a word than not. Three words in a hundred fail, nine random runs in
/// ten of eight letters.
pub(crate) fn is_word(letters: &[u8]) -> bool {
    odds(letters) >= -2
}

/// The runs of letters of one word each: divided by anything else and where the case says that a word begins.
pub(super) fn runs(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let from = at + text[at..].iter().position(u8::is_ascii_alphabetic)?;
        at = from + run(&text[from..]);
        Some(&text[from..at])
    })
}

/// Length of the run that `text` begins with.
fn run(text: &[u8]) -> usize {
    let count = |from: usize, upper: bool| {
        text[from..].iter().take_while(|b| if upper { b.is_ascii_uppercase() } else { b.is_ascii_lowercase() }).count()
    };
    let upper = count(0, true);
    let lower = count(upper, false);
    match (upper, lower) {
        (0 | 1, _) => upper + lower,
        (_, 0) => upper,
        // `HTTPServer`: the last capital begins the next word.
        _ => upper - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_words_and_drawn_letters_are_not() {
        for word in ["password", "swordfish", "reallyverysafe", "Identifier", "sunshine", "configuration", "docker"] {
            assert!(is_word(word.as_bytes()), "{word}: {}", odds(word.as_bytes()));
        }
        for drawn in ["qzkfwtpx", "jvhmqwrtk", "xkcdqpzv", "WQZJXKVB", "pqmzufhwsnvl", "ytqwcvbn"] {
            assert!(!is_word(drawn.as_bytes()), "{drawn}: {}", odds(drawn.as_bytes()));
        }
    }

    #[test]
    fn case_divides_runs() {
        let split = |text: &str| {
            runs(text.as_bytes()).map(|r| String::from_utf8_lossy(r).into_owned()).collect::<Vec<_>>().join(" ")
        };
        for (text, words) in [
            ("myHTTPServer_v2-rc", "my HTTP Server v rc"),
            ("MAX_TOKENS", "MAX TOKENS"),
            ("ABc", "A Bc"),
            ("aB", "a B"),
            ("12 34", ""),
            ("élan", "lan"),
        ] {
            assert_eq!(split(text), words, "{text}");
        }
    }
}
