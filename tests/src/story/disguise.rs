//! Ways to write a value so that it does not look like itself. Each can be undone by whoever receives it.

use data_encoding::{BASE32, BASE64, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// One way to write a value.
#[derive(Clone, Copy)]
pub struct Disguise {
    /// Its name.
    pub name: &'static str,
    /// The value in it; may have something before and behind.
    pub apply: fn(&str) -> String,
}

/// Every way that the design, section 6, promises to see through, and those that people meet beside them.
pub const ALL: &[Disguise] = &[
    Disguise { name: "plain", apply: str::to_owned },
    Disguise { name: "in the middle of a word", apply: |v| format!("abc{v}xyz") },
    Disguise { name: "JSON \\u of every character", apply: |v| unicode(v, |u| format!("\\u{u:04x}")) },
    Disguise { name: "JSON \\U in capitals", apply: |v| unicode(v, |u| format!("\\u{u:04X}")) },
    Disguise { name: "JSON string", apply: |v| serde_json::Value::from(v).to_string() },
    Disguise { name: "JSON string with \\/", apply: |v| serde_json::Value::from(v).to_string().replace('/', "\\/") },
    Disguise {
        name: "JSON in JSON",
        apply: |v| serde_json::Value::from(serde_json::json!({"a": v}).to_string()).to_string(),
    },
    Disguise { name: "percent", apply: |v| percent(v, |b| !b.is_ascii_alphanumeric(), true) },
    Disguise { name: "percent in lower case", apply: |v| percent(v, |b| !b.is_ascii_alphanumeric(), false) },
    Disguise { name: "percent of every byte", apply: |v| percent(v, |_| true, true) },
    Disguise {
        name: "form, + for a space",
        apply: |v| percent(v, |b| !b.is_ascii_alphanumeric() && b != b' ', true).replace(' ', "+"),
    },
    Disguise {
        name: "percent twice",
        apply: |v| percent(&percent(v, |b| !b.is_ascii_alphanumeric(), true), |b| !b.is_ascii_alphanumeric(), true),
    },
    Disguise { name: "base64", apply: |v| BASE64.encode(v.as_bytes()) },
    Disguise { name: "base64 after one byte", apply: |v| BASE64.encode(format!("u:{v}:p").as_bytes()[1..].as_ref()) },
    Disguise { name: "base64 after two bytes", apply: |v| BASE64.encode(format!("u:{v}").as_bytes()) },
    Disguise { name: "base64 without padding", apply: |v| BASE64_NOPAD.encode(v.as_bytes()) },
    Disguise { name: "base64url", apply: |v| BASE64URL_NOPAD.encode(format!("{{{v}}}").as_bytes()) },
    Disguise { name: "base64, lines of 76", apply: |v| wrap(&BASE64.encode(around(v).as_bytes()), 76, "\n") },
    Disguise {
        name: "base64, lines of 64, indented",
        apply: |v| wrap(&BASE64.encode(around(v).as_bytes()), 64, "\n    "),
    },
    Disguise { name: "base64 with \\n of JSON", apply: |v| wrap(&BASE64.encode(around(v).as_bytes()), 60, "\\n") },
    Disguise { name: "base64 of UTF-16 (PowerShell)", apply: |v| BASE64.encode(&utf16(v, u16::to_le_bytes)) },
    Disguise { name: "hex", apply: |v| HEXLOWER.encode(v.as_bytes()) },
    Disguise { name: "HEX", apply: |v| HEXUPPER.encode(v.as_bytes()) },
    Disguise { name: "hEx, cases mixed", apply: |v| mixed(&HEXLOWER.encode(v.as_bytes())) },
    Disguise { name: "hex with spaces", apply: |v| pairs(v, "", " ") },
    Disguise { name: "hex with colons", apply: |v| pairs(v, "", ":") },
    Disguise { name: "hex with \\x", apply: |v| pairs(v, "\\x", "") },
    Disguise { name: "hex as a C array", apply: |v| pairs(v, "0x", ", ") },
    Disguise { name: "hexdump -C", apply: |v| hexdump(v.as_bytes()) },
    Disguise { name: "xxd", apply: |v| xxd(v.as_bytes()) },
    Disguise { name: "od -An -tx1", apply: |v| wrap(&format!(" {}", pairs(v, "", " ")), 48, "\n") },
    Disguise { name: "entities, decimal", apply: |v| v.chars().map(|c| format!("&#{};", u32::from(c))).collect() },
    Disguise { name: "entities, hex", apply: |v| v.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect() },
    Disguise { name: "entities where needed", apply: named_entities },
    Disguise { name: "'shell'", apply: |v| format!("'{}'", v.replace('\'', "'\\''")) },
    Disguise { name: "\"shell\"", apply: double_quoted },
    Disguise { name: "shell, every sign escaped", apply: backslashed },
    Disguise { name: "$'shell'", apply: |v| format!("$'{}'", pairs(v, "\\x", "")) },
    Disguise { name: "UTF-16 as zero characters", apply: |v| v.chars().flat_map(|c| [c, '\0']).collect() },
    Disguise { name: "zero-width spaces between", apply: |v| between(v, "\u{200B}") },
    Disguise { name: "word joiners between", apply: |v| between(v, "\u{2060}") },
    Disguise { name: "soft hyphens between", apply: |v| between(v, "\u{AD}") },
    Disguise { name: "byte order mark inside", apply: |v| inside(v, "\u{FEFF}") },
];

/// Forms that the design does not list. What is found of them is more than was promised.
pub const BEYOND: &[Disguise] = &[
    Disguise { name: "base64 twice", apply: |v| BASE64.encode(BASE64.encode(v.as_bytes()).as_bytes()) },
    Disguise { name: "base64 of hex", apply: |v| BASE64.encode(HEXLOWER.encode(v.as_bytes()).as_bytes()) },
    Disguise { name: "hex of base64", apply: |v| HEXLOWER.encode(BASE64.encode(v.as_bytes()).as_bytes()) },
    Disguise {
        name: "percent of base64",
        apply: |v| percent(&BASE64.encode(v.as_bytes()), |b| !b.is_ascii_alphanumeric(), true),
    },
    Disguise { name: "base64 of percent", apply: |v| BASE64.encode(percent(v, |_| true, true).as_bytes()) },
    Disguise { name: "base64 of JSON", apply: |v| BASE64.encode(serde_json::json!({"k": v}).to_string().as_bytes()) },
    Disguise { name: "base64 of \\x", apply: |v| BASE64.encode(pairs(v, "\\x", "").as_bytes()) },
    Disguise { name: "base64 of a dump", apply: |v| BASE64.encode(hexdump(v.as_bytes()).as_bytes()) },
    Disguise {
        name: "a dump whose text reads as an escape",
        apply: |v| format!("\n{}", hexdump(format!("\\n{v}").as_bytes())),
    },
    Disguise { name: "a dump in the middle of a line", apply: |v| format!("here: {}", hexdump(v.as_bytes())) },
    Disguise {
        name: "server-sent events",
        apply: |v| {
            let letters: Vec<char> = v.chars().collect();
            let delta = |piece: &[char]| {
                format!(
                    "data: {}\n\n",
                    serde_json::json!({"choices": [{"delta": {"content": piece.iter().collect::<String>()}}]})
                )
            };
            std::iter::once("\n".to_owned()).chain(letters.chunks(letters.len().div_ceil(3)).map(delta)).collect()
        },
    },
    Disguise { name: "three quarters", apply: |v| v.chars().take(v.chars().count() * 3 / 4 + 1).collect() },
    Disguise { name: "the last three quarters", apply: |v| v.chars().skip(v.chars().count() / 4).collect() },
    Disguise { name: "capitals", apply: |v| v.to_ascii_uppercase() },
    Disguise { name: "backwards", apply: |v| v.chars().rev().collect() },
    Disguise { name: "a space between", apply: |v| between(v, " ") },
    Disguise { name: "a line each", apply: |v| between(v, "\n") },
    Disguise { name: "lines of ten", apply: |v| wrap(v, 10, "\n") },
    Disguise { name: "'quo''ted'", apply: |v| format!("'{}'", inside(v, "''")) },
    Disguise { name: "base32", apply: |v| BASE32.encode(v.as_bytes()) },
    Disguise { name: "quoted-printable", apply: quoted_printable },
    Disguise { name: "octal escapes", apply: |v| v.bytes().map(|b| format!("\\{b:03o}")).collect() },
    Disguise { name: "a list of numbers", apply: |v| format!("{:?}", v.as_bytes()) },
    Disguise { name: "od -b", apply: |v| v.bytes().map(|b| format!(" {b:03o}")).collect() },
    Disguise { name: "hexdump of 16 bit words", apply: |v| words(v.as_bytes()) },
];

fn around(value: &str) -> String {
    format!("-- a line of text before the value --{value}-- and a line of text after it --")
}

fn unicode(value: &str, each: fn(u16) -> String) -> String {
    value.encode_utf16().map(each).collect()
}

fn percent(text: &str, escape: fn(u8) -> bool, capitals: bool) -> String {
    let one = |b: u8| if capitals { format!("%{b:02X}") } else { format!("%{b:02x}") };
    text.bytes().map(|b| if escape(b) || !b.is_ascii() { one(b) } else { char::from(b).to_string() }).collect()
}

fn pairs(value: &str, before: &str, between: &str) -> String {
    value.bytes().map(|b| format!("{before}{b:02x}")).collect::<Vec<_>>().join(between)
}

fn mixed(hex: &str) -> String {
    hex.char_indices().map(|(at, c)| if at % 3 == 0 { c.to_ascii_uppercase() } else { c }).collect()
}

/// Lines of `width` characters.
pub(crate) fn wrap(text: &str, width: usize, end: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(width).map(|line| line.iter().collect::<String>()).collect::<Vec<_>>().join(end)
}

fn utf16(value: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    value.encode_utf16().flat_map(order).collect()
}

fn shown(bytes: &[u8]) -> String {
    bytes.iter().map(|b| if (0x20..0x7F).contains(b) { char::from(*b) } else { '.' }).collect()
}

fn hexdump(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (number, line) in bytes.chunks(16).enumerate() {
        let half = |part: &[u8]| part.iter().map(|b| format!("{b:02x} ")).collect::<String>();
        let (left, right) = line.split_at(line.len().min(8));
        out += &format!("{:08x}  {:<24} {:<24} |{}|\n", number * 16, half(left), half(right), shown(line));
    }
    out
}

fn xxd(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (number, line) in bytes.chunks(16).enumerate() {
        let words: String = line.chunks(2).map(|two| format!("{} ", HEXLOWER.encode(two))).collect();
        out += &format!("{:08x}: {words:<40} {}\n", number * 16, shown(line));
    }
    out
}

/// As `hexdump` without options and `od -x` on a machine with the low byte first.
fn words(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (number, line) in bytes.chunks(16).enumerate() {
        let words: String =
            line.chunks(2).map(|two| format!(" {:02x}{:02x}", two.get(1).copied().unwrap_or(0), two[0])).collect();
        out += &format!("{:07x}{words}\n", number * 16);
    }
    out
}

fn named_entities(value: &str) -> String {
    let named = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        other => other.to_string(),
    };
    value.chars().map(named).collect()
}

fn double_quoted(value: &str) -> String {
    let escape = |c: char| if "\"\\$`".contains(c) { format!("\\{c}") } else { c.to_string() };
    format!("\"{}\"", value.chars().map(escape).collect::<String>())
}

fn backslashed(value: &str) -> String {
    value
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || !c.is_ascii() || c == '\n' { c.to_string() } else { format!("\\{c}") })
        .collect()
}

fn between(value: &str, sign: &str) -> String {
    value.chars().map(|c| c.to_string()).collect::<Vec<_>>().join(sign)
}

fn inside(value: &str, sign: &str) -> String {
    let middle = value.char_indices().nth(value.chars().count() / 2).map_or(0, |(at, _)| at);
    format!("{}{sign}{}", &value[..middle], &value[middle..])
}

/// RFC 2045, section 6.7, with soft line ends.
fn quoted_printable(value: &str) -> String {
    let escaped: String = value
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("={b:02X}") })
        .collect();
    let mut out = String::new();
    let mut line = 0;
    let mut rest = escaped.as_str();
    while !rest.is_empty() {
        let piece = if rest.starts_with('=') { &rest[..3] } else { &rest[..1] };
        if line + piece.len() > 19 {
            out.push_str("=\r\n");
            line = 0;
        }
        out.push_str(piece);
        line += piece.len();
        rest = &rest[piece.len()..];
    }
    out
}
