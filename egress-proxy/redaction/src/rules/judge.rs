//! Whether a text looks like a secret or like something that only stands where one could.

/// Shannon entropy in bits per byte.
pub(super) fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    text.iter().for_each(|&b| counts[usize::from(b)] += 1);
    let len = text.len() as f64;
    counts.iter().filter(|&&n| n > 0).map(|&n| f64::from(n) / len).map(|p| -p * p.log2()).sum()
}

/// `xxxx`, `****`, `0000`: the place of a secret in documentation.
pub(super) fn is_filler(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut different = [false; 256];
    lower.iter().for_each(|&b| different[usize::from(b)] = true);
    different.iter().filter(|&&d| d).count() <= 2
        || [&b"xxxx"[..], b"****", b"....", b"____", b"----"].iter().any(|f| lower.windows(4).any(|w| w == *f))
}

/// A place where a value will be put, or a word that says there is none.
pub(super) fn is_reference(text: &[u8]) -> bool {
    const STARTS: [&[u8]; 25] = [
        b"$",
        b"%(",
        b"%{",
        b"%s",
        b"{",
        b"<",
        b"#{",
        b"@{",
        b"[",
        b"(",
        b"*",
        b"...",
        b"./",
        b"../",
        b"~/",
        b"&",
        b"!",
        b"=",
        b"SECRET_REF",
        b"process.",
        b"os.",
        b"env",
        b"vault:",
        b"secret://",
        b"op://",
    ];
    const PARTS: [&[u8]; 18] = [
        b"${",
        b"{{",
        b"}}",
        b"$(",
        b"%>",
        b"<%",
        b"example",
        b"placeholder",
        b"redacted",
        b"your_",
        b"your-",
        b"yourpass",
        b"yoursecret",
        b"my_secret",
        b"insert",
        b"replace",
        b"_here",
        b"[redacted:",
    ];
    let lower = text.to_ascii_lowercase();
    STARTS.iter().any(|s| lower.starts_with(&s.to_ascii_lowercase()))
        || PARTS.iter().any(|part| lower.windows(part.len()).any(|w| w == *part))
        || is_filler(text)
        || is_word_for_nothing(&lower)
}

fn is_word_for_nothing(lower: &[u8]) -> bool {
    const WORDS: [&[u8]; 52] = [
        b"null",
        b"none",
        b"nil",
        b"true",
        b"false",
        b"undefined",
        b"string",
        b"str",
        b"int",
        b"bool",
        b"object",
        b"optional",
        b"required",
        b"input",
        b"text",
        b"hidden",
        b"type",
        b"value",
        b"void",
        b"self",
        b"this",
        b"char",
        b"const",
        b"data",
        b"default",
        b"empty",
        b"password",
        b"passwd",
        b"passphrase",
        b"secret",
        b"token",
        b"username",
        b"email",
        b"function",
        b"return",
        b"unknown",
        b"number",
        b"invalid",
        b"missing",
        b"auto",
        b"plain",
        b"prompt",
        b"disabled",
        b"enabled",
        b"basic",
        b"bearer",
        b"oauth",
        b"boolean",
        b"credentials",
        b"confidential",
        b"private",
        b"public",
    ];
    WORDS.contains(&lower)
}

/// Letters and digits mixed as a generator does.
pub(super) fn is_random(text: &[u8]) -> bool {
    if text.len() < 8 || text.contains(&b' ') {
        return false;
    }
    let digits = text.iter().filter(|b| b.is_ascii_digit()).count();
    let upper = text.iter().filter(|b| b.is_ascii_uppercase()).count();
    let lower = text.iter().filter(|b| b.is_ascii_lowercase()).count();
    let letters = upper + lower;
    let wanted = if text.len() < 16 { 2.5 } else { 3.0 };
    if entropy(text) < wanted {
        return false;
    }
    match (digits, letters) {
        (_, 0) => false,
        // Without digits only a changing case tells it from words.
        (0, _) => text.len() >= 20 && upper >= 4 && lower >= 4 && case_changes(text) * 4 >= text.len(),
        (1, _) => text.len() < 16 || (upper >= 3 && lower >= 3),
        _ => true,
    }
}

fn case_changes(text: &[u8]) -> usize {
    text.windows(2).filter(|w| w[0].is_ascii_uppercase() != w[1].is_ascii_uppercase()).count()
}

/// A path, a version, a date, a digest with its name: random to count, but public.
pub(super) fn is_public_shape(text: &[u8]) -> bool {
    let starts = |p: &[u8]| text.len() >= p.len() && text[..p.len()].eq_ignore_ascii_case(p);
    if [
        &b"sha256"[..],
        b"sha512",
        b"sha384",
        b"sha1-",
        b"md5:",
        b"h1:",
        b"http://",
        b"https://",
        b"/",
        b"ssh-rsa",
        b"arn:",
        b"urn:",
        b"data:",
        b"0x",
    ]
    .iter()
    .any(|p| starts(p))
    {
        return true;
    }
    // Words joined by dots, slashes or hyphens, a digit at most at the end of one: names and paths.
    let parts: Vec<&[u8]> = text.split(|b| b"./:_-".contains(b)).collect();
    parts.len() > 1 && parts.iter().all(|p| is_wordlike(p))
}

fn is_wordlike(part: &[u8]) -> bool {
    let letters = part.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    let (word, rest) = part.split_at(letters);
    rest.len() <= 2
        && rest.iter().all(u8::is_ascii_digit)
        && (word.iter().skip(1).all(u8::is_ascii_lowercase) || word.iter().all(u8::is_ascii_uppercase))
}
