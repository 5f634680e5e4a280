//! What a value can be instead of a secret: a reference to one, a path, an address, a version, a digest, an identifier.

use super::{is_filler, words};

/// A place where a value will be put, or words that say there is none.
pub(crate) fn is_reference(text: &[u8]) -> bool {
    is_template(text) || is_filler(text) || words::says_nothing(text) || names_a_place(text)
}

/// `${…}`, `{{…}}`, `$NAME`, `%NAME%`, `<…>`, `[…]`, `((…))`, `$(…)`, `%s`, `#{…}`, `@{…}`: filled in by a program.
fn is_template(text: &[u8]) -> bool {
    const INSIDE: &[&str] = &["${", "{{", "}}", "$(", "#{", "@{", "%{", "%(", "<%", "%>", "((", "[redacted:", "$$cap_"];
    let name = |t: &[u8]| !t.is_empty() && t.iter().all(|b| b.is_ascii_alphanumeric() || b"_.-:>".contains(b));
    let whole = match text {
        [b'$', b'{' | b'(', ..] => true,
        [b'$', first, rest @ ..] => (first.is_ascii_alphabetic() || *first == b'_') && (rest.is_empty() || name(rest)),
        [b'%', rest @ .., b'%'] => name(rest),
        [b'%', kind] => kind.is_ascii_alphabetic(),
        // `{CRYPT}$argon2id$…`: a digest with the name of its scheme.
        [b'{', rest @ ..]
            if rest.split(|b| *b == b'}').next().is_some_and(|scheme| scheme.len() < rest.len() && name(scheme)) =>
        {
            true
        }
        [b'<', .., b'>'] | [b'{', .., b'}'] | [b'[', .., b']'] | [b'(', .., b')'] => true,
        [b'<' | b'{' | b'[', rest @ ..] => name(rest),
        _ => false,
    };
    whole || words::contains_any(text, INSIDE)
}

/// Where the value comes from, as programs and configurations write it.
fn names_a_place(text: &[u8]) -> bool {
    const STARTS: [&[u8]; 22] = [
        b"SECRET_REF",
        b"process.",
        b"os.environ",
        b"os.getenv",
        b"getenv",
        b"env.",
        b"env:",
        b"env(",
        b"ENV[",
        b"vault:",
        b"secret://",
        b"op://",
        b"file://",
        b"ref+",
        b"arn:",
        b"projects/",
        b"system.getenv",
        b"config.",
        b"secrets.",
        b"var.",
        b"local.",
        b"data.",
    ];
    STARTS.iter().any(|start| begins(text, start))
}

fn begins(text: &[u8], with: &[u8]) -> bool {
    text.len() >= with.len() && text[..with.len()].eq_ignore_ascii_case(with)
}

/// A path, an address, a version, a digest with its name, an identifier: random to count, but public.
pub(crate) fn is_public_shape(text: &[u8]) -> bool {
    const STARTS: [&[u8]; 24] = [
        b"sha1-",
        b"sha256",
        b"sha384",
        b"sha512",
        b"md5:",
        b"h1:",
        b"/",
        b"./",
        b"../",
        b"~/",
        b"ssh-rsa",
        b"ssh-ed25519",
        b"ecdsa-",
        b"urn:",
        b"data:",
        b"0x",
        b"spki",
        b"-----",
        b"chatcmpl-",
        b"toolu_",
        b"msg_",
        b"resp_",
        b"call_",
        b"c:\\",
    ];
    STARTS.iter().any(|start| begins(text, start))
        || text.windows(3).any(|w| w == b"://")
        || is_date(text)
        || is_file(text)
        || is_mail(text)
        || are_words(text, b"./:_-")
}

/// As [`is_public_shape`], but words joined by hyphens and underscores may be a password that a person chose.
pub(crate) fn is_place(text: &[u8]) -> bool {
    is_public_shape(text) && (!are_words(text, b"./:_-") || are_words(text, b"./:"))
}

/// `name@host.domain`
fn is_mail(text: &[u8]) -> bool {
    let Some(at) = text.iter().position(|b| *b == b'@') else { return false };
    let host = &text[at + 1..];
    are_words(host, b".-")
        && host.contains(&b'.')
        && text[..at].iter().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(b))
}

/// Words joined by dots, slashes, hyphens or the like, with two digits at most at the end of one: names and paths.
fn are_words(text: &[u8], joints: &[u8]) -> bool {
    let parts = text.split(|b| joints.contains(b));
    parts.clone().count() > 1
        && parts.clone().any(|part| part.len() > 2)
        && parts.clone().all(|part| {
            let letters = part.iter().take_while(|b| b.is_ascii_alphabetic()).count();
            let (word, rest) = part.split_at(letters);
            rest.len() <= 2
                && rest.iter().all(u8::is_ascii_digit)
                && (word.len() < 4
                    || super::language::runs(word).all(|run| run.len() < 4 || super::language::is_word(run)))
        })
}

/// `2026-11-21…`
fn is_date(text: &[u8]) -> bool {
    matches!(text, [a, b, c, d, b'-' | b'/' | b'.', e, f, b'-' | b'/' | b'.', g, h, ..]
        if [a, b, c, d, e, f, g, h].iter().all(|b| b.is_ascii_digit()))
}

/// Ends as the name of a file does.
fn is_file(text: &[u8]) -> bool {
    const ENDS: [&[u8]; 30] = [
        b".pem", b".key", b".crt", b".cer", b".der", b".p12", b".pfx", b".jks", b".json", b".yaml", b".yml", b".toml",
        b".xml", b".txt", b".env", b".ini", b".conf", b".cfg", b".py", b".js", b".ts", b".go", b".rs", b".rb", b".php",
        b".html", b".png", b".svg", b".md", b".sh",
    ];
    ENDS.iter().any(|end| text.len() > end.len() && text[text.len() - end.len()..].eq_ignore_ascii_case(end))
}
