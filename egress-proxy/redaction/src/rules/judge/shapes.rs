//! What a value can be instead of a secret: a reference to one, a path, an address, a version, a digest, an identifier.

use super::{is_filler, language, words};

/// A place where a value will be put, or words that say there is none.
pub(crate) fn is_reference(text: &[u8]) -> bool {
    // `"'$NAME'"`
    let inner = match text {
        [open @ (b'\'' | b'"' | b'`'), inner @ .., close] if open == close => inner,
        all => all,
    };
    is_template(inner) || is_filler(text) || words::says_nothing(text) || names_a_place(text)
}

/// `${…}`, `{{…}}`, `$NAME`, `%NAME%`, `<…>`, `[…]`, `((…))`, `$(…)`, `%s`, `#{…}`, `@{…}`: filled in by a program.
fn is_template(text: &[u8]) -> bool {
    const INSIDE: &[&str] = &[
        "${",
        "{{",
        "}}",
        "$(",
        "#{",
        "@{",
        "%{",
        "%(",
        "<%",
        "%>",
        "((",
        "{}",
        "%s",
        "[redacted:",
        "$$cap_",
        // Expressions that describe a value.
        "[a-z",
        "[0-9",
        "0-9]",
        "a-z]",
        "a-f]",
    ];
    // Most values have none of the signs of a template.
    if !text.iter().any(|b| b"$%{}<[](#@&.`".contains(b) || *b >= 0x80) {
        return false;
    }
    let name = |t: &[u8]| !t.is_empty() && t.iter().all(|b| b.is_ascii_alphanumeric() || b"_.-:>".contains(b));
    let whole = match text {
        [b'$', b'{' | b'(', ..] => true,
        // `$name`, `$user:$password`
        [b'$', first, rest @ ..] => {
            (first.is_ascii_alphabetic() || *first == b'_')
                && rest.split(|b| *b == b'$').all(|part| part.is_empty() || name(part))
        }
        [b'%', rest @ .., b'%'] => name(rest),
        [b'%', kind] => kind.is_ascii_alphabetic(),
        // `{CRYPT}$argon2id$…`: a digest with the name of its scheme.
        [b'{', rest @ ..]
            if rest.split(|b| *b == b'}').next().is_some_and(|scheme| scheme.len() < rest.len() && name(scheme)) =>
        {
            true
        }
        // `` `pwd` ``, `&[u8]`
        [b'`', .., b'`'] | [b'&', b'[', .., b']'] => true,
        [b'<', .., b'>'] | [b'{', .., b'}'] | [b'[', .., b']'] | [b'(', .., b')'] => true,
        [b'<' | b'{' | b'[', rest @ ..] => name(rest),
        _ => false,
    };
    // `user:<password>`
    let open = text.iter().position(|b| *b == b'<');
    let filled = open.is_some_and(|open| text[open..].contains(&b'>'));
    // `&lt;password&gt;`, `h4sk2n…`
    let shown = text.starts_with(b"&lt;")
        || text.starts_with(b"&#")
        || text.ends_with(b"...")
        || text.ends_with("\u{2026}".as_bytes());
    whole || filled || shown || words::contains_any(text, INSIDE)
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
    let text = text.strip_prefix(b"@").unwrap_or(text);
    STARTS.iter().any(|start| begins(text, start))
}

fn begins(text: &[u8], with: &[u8]) -> bool {
    text.len() >= with.len() && text[..with.len()].eq_ignore_ascii_case(with)
}

/// A path, an address, a version, a digest with its name, an identifier: random to count, but public.
pub(crate) fn is_public_shape(text: &[u8]) -> bool {
    const STARTS: [&[u8]; 26] = [
        b"pk_live_",
        b"pk_test_",
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
        || is_colon_hex(text)
        || are_words(text)
}

/// As [`is_public_shape`], but words joined by hyphens and underscores may be a password that a person chose.
pub(crate) fn is_place(text: &[u8]) -> bool {
    is_public_shape(text) && (!are_words(text) || text.iter().any(|b| b"./:".contains(b)) || is_file(text))
}

/// `51:C4:0C:…`: a fingerprint of MD5 or SHA-1, as tools show certificates and keys.
fn is_colon_hex(text: &[u8]) -> bool {
    let mut bytes = text.split(|b| *b == b':');
    matches!(text.len(), 47 | 59) && bytes.all(|byte| byte.len() == 2 && byte.iter().all(u8::is_ascii_hexdigit))
}

/// `name@host.domain`
fn is_mail(text: &[u8]) -> bool {
    let Some(at) = text.iter().position(|b| *b == b'@') else { return false };
    let host = &text[at + 1..];
    are_words(host)
        && host.contains(&b'.')
        && text[..at].iter().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(b))
}

/// Words joined by dots, slashes, hyphens or the like, with two digits at most at the end of one: names and paths.
fn are_words(text: &[u8]) -> bool {
    let parts = text.split(|b| b"./:_-".contains(b));
    let slashes = text.iter().filter(|b| **b == b'/').count();
    let word = |part: &[u8]| {
        let letters = part.iter().take_while(|b| b.is_ascii_alphabetic()).count();
        let (word, rest) = part.split_at(letters);
        rest.len() <= 2
            && rest.iter().all(u8::is_ascii_digit)
            && language::runs(word).all(|run| run.len() < 4 || language::is_word(run))
    };
    let short = |part: &[u8]| slashes > 1 && part.len() <= 3;
    parts.clone().count() > 1
        && parts.clone().any(|part| part.len() > 2)
        && parts.clone().all(|part| word(part) || short(part))
}

/// `2026-11-21…`
fn is_date(text: &[u8]) -> bool {
    matches!(text, [a, b, c, d, b'-' | b'/' | b'.', e, f, b'-' | b'/' | b'.', g, h, ..]
        if [a, b, c, d, e, f, g, h].iter().all(|b| b.is_ascii_digit()))
}

/// Ends as the name of a file does.
fn is_file(text: &[u8]) -> bool {
    const ENDS: [&str; 37] = [
        "asm", "bin", "cer", "cfg", "conf", "cpp", "crt", "der", "env", "go", "gz", "h", "html", "ini", "java", "jks",
        "jpg", "js", "json", "key", "md", "p12", "p8", "pdf", "pem", "pfx", "php", "png", "pub", "py", "rb", "rs",
        "sh", "toml", "ts", "txt", "yaml",
    ];
    let Some(dot) = text.iter().rposition(|b| *b == b'.') else { return false };
    let end = &text[dot + 1..];
    let worded = super::Traits::of(&text[..dot]).is_worded(25) && text[..dot].contains(&b'/');
    dot > 0 && (ENDS.iter().any(|known| end.eq_ignore_ascii_case(known.as_bytes())) || worded && end.len() <= 4)
}
