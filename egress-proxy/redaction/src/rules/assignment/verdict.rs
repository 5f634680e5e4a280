//! Whether a value that was read is what its name promises.

use super::judge::{self, Traits};
use super::meaning::{self, Demand};
use super::name::Name;
use super::sign::Sign;
use super::value::{Form, PLAIN, Value};

/// Whether it is worth asking: most words of sentences end here.
pub(super) fn may_be(sign: Sign, value: &Value<'_>) -> bool {
    let bare = sign == Sign::Beside && value.form == Form::Bare;
    value.text.len() >= if bare { 6 } else { 4 }
        && (!bare || value.text.len() >= PLAIN || value.text.iter().any(u8::is_ascii_digit))
}

/// `PASS: name of a test`, as logs of tests have it line by line.
pub(super) fn is_of_a_test(name: &Name<'_>, sign: Sign, value: &Value<'_>) -> bool {
    const OUTCOMES: [&[u8]; 9] =
        [b"PASS:", b"FAIL:", b"XFAIL:", b"XPASS:", b"SKIP:", b"ERROR:", b"UNTESTED:", b"UNSUPPORTED:", b"Running "];
    let [before @ .., b'\n'] = name.before else { return false };
    let line = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    let more_follows = value.next == Some(b' ');
    name.text == b"PASS"
        && sign == Sign::Colon
        && value.form == Form::Bare
        && (more_follows || OUTCOMES.iter().any(|outcome| line.starts_with(outcome)))
}

/// Whether `value`, given to `name` by `sign`, is what is demanded.
pub(super) fn accepts(name: &Name<'_>, demand: Demand, sign: Sign, value: &Value<'_>) -> bool {
    let text = value.text;
    let spoken = matches!(sign, Sign::Beside | Sign::Said);
    let asked = sign == Sign::Call && meaning::asks(name.stem);
    if text.len() < 4 || spoken && !name.is_whole() || asked || judge::is_reference(text) {
        return false;
    }
    match value.form {
        Form::Bytes => return demand <= Demand::Strict && is_drawn_bytes(text),
        Form::Bare if is_code(text, sign, value.next) => return false,
        // `#define NAME OTHER_NAME`
        Form::Bare if sign == Sign::Defined => return false,
        _ => {}
    }
    let demand = match (demand, sign) {
        // A blank tells less than a sign does.
        (Demand::Random, Sign::Beside) if value.form == Form::Bare => Demand::Strict,
        (Demand::Bare, Sign::Beside) if meaning::is_owned(name) => Demand::Strict,
        (_, Sign::Pairing) => Demand::Chosen,
        (demand, _) => demand,
    };
    match demand {
        Demand::Chosen => is_chosen(name, sign, value),
        Demand::Random => is_random(text),
        Demand::Strict => is_strict(text) && !(sign == Sign::Beside && name.text.len() <= 4 && is_fingerprint(text)),
        Demand::Bare => is_strict(text) && !is_digest(text) && !is_uuid(text) && !spoken && value.form != Form::Wrapped,
    }
}

/// Random as what a machine makes.
fn is_random(text: &[u8]) -> bool {
    if !judge::is_random(text) || judge::is_public_shape(text) {
        return judge::is_drawn_number(text);
    }
    let traits = Traits::of(text);
    if judge::is_permutation(text) {
        return false;
    }
    if judge::calls_itself_fake(text) || judge::is_example(text) && traits.is_worded(34) {
        return false;
    }
    text.len() >= 10 && (text.len() >= 16 || traits.sequence * 20 < text.len() * 9)
}

/// Random beyond what everyday words come with.
fn is_strict(text: &[u8]) -> bool {
    if text.len() < 14 || !text.iter().all(|b| b.is_ascii_alphanumeric() || b"+/=_-.~:%".contains(b)) {
        return false;
    }
    let traits = Traits::of(text);
    let mixed = text.len() >= 14 && traits.digits >= 2 && traits.letters() >= 2;
    let cased = text.len() >= 20 && traits.upper >= 3 && traits.lower >= 3;
    is_random(text) && !judge::is_alphabet(text) && (mixed || cased) && !traits.is_worded(if mixed { 40 } else { 25 })
}

/// As long as a digest in hex.
fn is_digest(text: &[u8]) -> bool {
    matches!(text.len(), 32 | 40 | 48 | 56 | 64 | 96 | 128) && text.iter().all(u8::is_ascii_hexdigit)
}

/// As long as the identifiers of public keys: `using RSA key 4AEE…`.
fn is_fingerprint(text: &[u8]) -> bool {
    matches!(text.len(), 16 | 40) && text.iter().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(b))
}

fn is_uuid(text: &[u8]) -> bool {
    let hyphen = |n: usize| matches!(n, 8 | 13 | 18 | 23);
    text.len() == 36 && text.iter().enumerate().all(|(n, b)| if hyphen(n) { *b == b'-' } else { b.is_ascii_hexdigit() })
}

/// Numbers of bytes that no table or counter has.
fn is_drawn_bytes(text: &[u8]) -> bool {
    let mut numbers: Vec<&[u8]> = text.split(|b| *b == b',').map(<[u8]>::trim_ascii).collect();
    let all = numbers.len();
    let rising = numbers.windows(2).filter(|pair| (pair[0].len(), pair[0]) < (pair[1].len(), pair[1])).count();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len() * 2 > all && rising * 4 < all * 3
}

/// A bare value that names a variable, a member, a type or a number, as source code does.
fn is_code(text: &[u8], sign: Sign, next: Option<u8>) -> bool {
    let argument = next.is_some_and(|b| b == b',' || b == b')');
    if !(matches!(sign, Sign::Spaced | Sign::Colon | Sign::Otherwise) || argument) {
        return false;
    }
    let digits = text.iter().filter(|b| b.is_ascii_digit()).count();
    // `*mut`, `@token`, `!Ref`
    let text = match text {
        [b'*' | b'@' | b'&' | b'!', rest @ ..] if digits == 0 => return rest.iter().all(|b| in_identifier(*b)),
        [b'@' | b'$', rest @ ..] => rest,
        all => all,
    };
    // `&p256::PRIVATE_KEY_OPS`, `std::env`
    let path = text.strip_prefix(b"&").unwrap_or(text);
    let scoped = path.windows(2).any(|w| w == b"::") && path[0].is_ascii_alphabetic();
    if scoped && path.iter().all(|b| in_identifier(*b) || *b == b':') {
        return true;
    }
    let member = |b: &u8| in_identifier(*b) || b".:->?!*@$".contains(b);
    if text.iter().all(member) && (text.contains(&b'.') && digits <= 1 || digits == 0 && argument) {
        return true;
    }
    // `1324u32`, `10ms`
    let number = text.iter().take_while(|b| b.is_ascii_digit() || **b == b'_').count();
    if number > 0 && text.len() - number <= 4 && text[number..].iter().all(|b| b"uizefsmnLUl0123468".contains(b)) {
        return text.len() > number;
    }
    // `self._lib.NID_aes_256_cbc`
    let first = text.split(|b| *b == b'.').next().unwrap_or_default();
    if first.len() < text.len() && first.len() >= 3 && first.iter().all(u8::is_ascii_lowercase) && judge::is_word(first)
    {
        return text.iter().all(|b| in_identifier(*b) || *b == b'.');
    }
    if !text.iter().all(|b| in_identifier(*b)) || text[0].is_ascii_digit() {
        return false;
    }
    // `WIN32_ERROR`, `Curve25519SeedBin<'_>`, `__u32,`
    let constant = text.contains(&b'_') && !text.iter().any(u8::is_ascii_lowercase);
    let ended = next.is_some_and(|b| b",;)<".contains(&b));
    let words = Traits::of(text).is_worded(34);
    constant && words || ended && (words && judge::runs(text) >= 3 || text.starts_with(b"__"))
}

fn in_identifier(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// What a person may choose.
fn is_chosen(name: &Name<'_>, sign: Sign, value: &Value<'_>) -> bool {
    let text = value.text;
    let traits = Traits::of(text);
    if traits.space > 0 {
        return is_phrase(text) && value.form == Form::Quoted && !is_loose(name, sign, value) && name.text.len() > 4;
    }
    if text.len() > 128 || judge::is_place(text) || judge::is_example(text) || judge::names_a_secret(text) {
        return false;
    }
    // `pass` and `pw` are also what one does and what one has.
    let short = name.text.len() <= 4;
    if sign == Sign::Beside && (short || !is_mixed(text, &traits)) {
        return false;
    }
    // `password= other=`: the next name.
    if value.form == Form::Wrapped && text.len() < 6
        || text.ends_with(b"=") && traits.marks == 1 && traits.digits == 0 && judge::is_word(&text[..text.len() - 1])
    {
        return false;
    }
    let loose = is_loose(name, sign, value);
    let line_ends = value.next.is_none_or(|b| matches!(b, b'\n' | b'\r' | b'\\'));
    if traits.letters() == 0 {
        // Digits alone are a port, a count or a time as often as a password.
        return traits.digits == text.len()
            && text.len() >= 5
            && !short
            && (!loose || text.len() >= 6 && line_ends && sign == Sign::Colon);
    }
    if traits.digits > 0 || traits.marks > 0 {
        let told =
            traits.digits > 0 && (value.form != Form::Bare || traits.digits > 1 || traits.marks > 0 || line_ends);
        return !loose || !traits.is_worded(75) || told;
    }
    let common = judge::is_common(text);
    if loose {
        return text.len() >= 6 && judge::is_drawn(text) || common && line_ends && value.form == Form::Bare;
    }
    let capitalised = text[0].is_ascii_uppercase() && text[1..].iter().all(u8::is_ascii_lowercase);
    common || judge::is_drawn(text) || text.len() >= 6 && !capitalised
}

/// Words of a password in quotes: `correct horse 9 battery`. Who writes a sentence uses words that no password needs, and
/// digits by themselves only with such a word.
fn is_phrase(text: &[u8]) -> bool {
    let words = || text.split(|b| *b == b' ').map(<[u8]>::trim_ascii);
    let traits = Traits::of(text);
    // Dashes and line ends are those of sentences and programs.
    let blanks = text.iter().filter(|b| **b == b' ').count();
    let bounded = (8..=64).contains(&text.len()) && (2..=7).contains(&words().count()) && blanks == traits.space;
    let signs =
        !text.iter().any(|b| b"<>{}()[]|\\/,;:\"`".contains(b)) && !text.windows(2).any(|w| w == b"${" || w == b"%s");
    let ends = text.last().is_some_and(|b| b.is_ascii_alphanumeric() || *b >= 0x80 || b"!#$*+@".contains(b));
    let told = |word: &[u8]| judge::words::PROSE.has(word.trim_ascii()) || word.is_empty();
    bounded
        && signs
        && ends
        && traits.digits > 0
        && traits.letters() >= 3
        && !words().any(told)
        && !judge::is_example(text)
}

/// Digits and letters of a password, nothing of a path, a type or a range.
fn is_mixed(text: &[u8], traits: &Traits) -> bool {
    text.len() >= 6 && traits.digits > 0 && traits.letters() > 1 && !text.iter().any(|b| b"/[]{}()<>*".contains(b))
}

/// Whether the value may also be a word of a program or of a sentence.
fn is_loose(name: &Name<'_>, sign: Sign, value: &Value<'_>) -> bool {
    match value.form {
        Form::Bare => {
            // `openssl … -passin pass:…`
            let given = name.before.trim_ascii_end();
            let openssl = [&b"-passin"[..], b"-passout", b"-password"].iter().any(|flag| given.ends_with(flag));
            let argument = value.next.is_some_and(|b| b == b',' || b == b')');
            let assigned = sign == Sign::Tight && (name.is_shouted() || name.is_flag() || !argument);
            let given = sign == Sign::Given && (name.is_flag() || name.is_shouted());
            !(openssl || assigned || given || sign == Sign::Pair)
        }
        Form::Wrapped => true,
        Form::Quoted => match sign {
            Sign::Beside | Sign::Said | Sign::Compared | Sign::Call | Sign::Pairing | Sign::Otherwise => true,
            Sign::Comma => !name.is_shouted(),
            _ => false,
        },
        Form::Content | Form::Bytes => false,
    }
}
