//! Forms that everybody writes: dates, addresses of this machine, media types, limits of integers, words of SQL and of HTTP.

use std::net::Ipv4Addr;

/// Whether `value` has such a form. In text it says nothing, so that masking it would hide what a reader needs.
pub(super) fn is_everyday(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    is_ours(&lower)
        || is_date(&lower)
        || is_limit(&lower)
        || is_media_type(&lower)
        || HEADERS.contains(&lower.trim_end_matches(':'))
        || is_statement(&lower)
        || is_hex_words(&lower)
        || is_address(&lower)
}

/// A word of our own grammar: placeholders would be found in each other.
fn is_ours(lower: &str) -> bool {
    ["secret_ref", "redacted", "[redacted"]
        .iter()
        .any(|own| lower.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with(['(', ':', ']'])))
}

/// `2024-11-21`, `21.11.2024`, with a time behind it or none.
fn is_date(lower: &str) -> bool {
    let (day, time) = lower.split_at(lower.find(['t', ' ']).unwrap_or(lower.len()));
    let numbers: Vec<&str> = day.split(['-', '/', '.']).collect();
    let [first, month, last] = numbers[..] else { return false };
    let number = |text: &str, len: usize| (text.len() == len).then(|| text.parse::<u16>().ok()).flatten();
    let is_day = |year: &str, day: &str| {
        number(year, 4).is_some_and(|year| (1900..2100).contains(&year))
            && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
            && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
    };
    (is_day(first, last) || is_day(last, first)) && time.bytes().all(|b| b.is_ascii_digit() || b"tz :.+-".contains(&b))
}

/// A power of two, or one more or less: the limits of integers.
fn is_limit(lower: &str) -> bool {
    let digits = lower.strip_prefix('-').unwrap_or(lower);
    let number = match digits.strip_prefix("0x") {
        Some(hex) => u128::from_str_radix(hex, 16),
        None => digits.parse::<u128>(),
    };
    number.is_ok_and(|n| {
        [n.checked_sub(1), Some(n), n.checked_add(1)].into_iter().flatten().any(u128::is_power_of_two) || n == u128::MAX
    })
}

/// `application/json`, `text/html; charset=utf-8`.
fn is_media_type(lower: &str) -> bool {
    const KINDS: [&str; 9] =
        ["application", "audio", "font", "image", "message", "model", "multipart", "text", "video"];
    let Some((kind, rest)) = lower.split_once('/') else { return false };
    let named = rest.split(';').next().unwrap_or_default();
    let sub = named.bytes().all(|b| b.is_ascii_alphanumeric() || b".+-*".contains(&b));
    KINDS.contains(&kind) && sub && few_digits(rest)
}

/// Letters with two digits at most; what has more was drawn.
fn few_digits(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).count() <= 2
}

/// Words of SQL alone.
fn is_statement(lower: &str) -> bool {
    let mut words = lower.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()).peekable();
    let signs = lower.bytes().all(|b| b.is_ascii_alphabetic() || b" *;,()=?\t\n".contains(&b));
    signs && words.peek().is_some() && words.all(|word| SQL.contains(&word))
}

/// `deadbeef`, `cafebabe0000`: words that hex digits spell.
fn is_hex_words(lower: &str) -> bool {
    let text = lower.strip_prefix("0x").unwrap_or(lower);
    if text.len() > 64 {
        return false;
    }
    // reached[n]: the first n letters divide into words.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for from in 0..text.len() {
        if reached[from] {
            for word in HEX_WORDS.iter().filter(|word| text.get(from..).is_some_and(|rest| rest.starts_with(**word))) {
                reached[from + word.len()] = true;
            }
        }
    }
    reached[text.len()]
}

/// An address without a user, a query and a path that was drawn, of a host that is reserved or that everybody knows.
fn is_address(lower: &str) -> bool {
    let (scheme, rest) = lower.split_once("://").map_or((None, lower), |(scheme, rest)| (Some(scheme), rest));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if scheme.is_some_and(|scheme| !scheme.bytes().all(|b| b.is_ascii_lowercase() || b == b'+'))
        || !path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
        || !few_digits(path)
        || path.len() > 40
    {
        return false;
    }
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    if port.len() > 5 || !port.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let of_a_network = host.parse::<Ipv4Addr>().is_ok_and(|at| {
        at.is_loopback() || at.is_private() || at.is_unspecified() || at.is_link_local() || at.is_broadcast()
    });
    let under = |names: &[&str]| {
        names.iter().any(|name| host.strip_suffix(name).is_some_and(|sub| sub.is_empty() || sub.ends_with('.')))
    };
    // What stands in a path of a known host may open it: `https://hooks.slack.com/services/…`.
    of_a_network || host == "[::1]" || under(RESERVED) || scheme.is_some() && path.len() <= 1 && under(KNOWN)
}

/// RFC 2606, RFC 6761, RFC 6762.
const RESERVED: &[&str] = &[
    "localhost",
    "example",
    "example.com",
    "example.net",
    "example.org",
    "invalid",
    "test",
    "local",
    "host.docker.internal",
];

const KNOWN: &[&str] = &[
    "amazonaws.com",
    "anthropic.com",
    "apple.com",
    "cloudflare.com",
    "debian.org",
    "docker.com",
    "docker.io",
    "github.com",
    "githubusercontent.com",
    "gitlab.com",
    "google.com",
    "googleapis.com",
    "microsoft.com",
    "mozilla.org",
    "npmjs.org",
    "openai.com",
    "pypi.org",
    "python.org",
    "rust-lang.org",
    "schema.org",
    "slack.com",
    "stripe.com",
    "ubuntu.com",
    "w3.org",
    "wikipedia.org",
];

const HEX_WORDS: &[&str] = &[
    "00000000", "0000", "abad", "babe", "bad", "badc0de", "baad", "bead", "beef", "c0de", "c0ffee", "cafe", "coffee",
    "d00d", "dead", "deaf", "deed", "f00d", "face", "fade", "feed", "ffffffff", "ffff", "1bad", "8bad", "b105",
];

/// Names of HTTP fields, RFC 9110 and the usual ones beside it.
const HEADERS: &[&str] = &[
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "anthropic-version",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "forwarded",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "keep-alive",
    "last-modified",
    "location",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "referrer-policy",
    "retry-after",
    "sec-fetch-mode",
    "sec-websocket-key",
    "set-cookie",
    "strict-transport-security",
    "traceparent",
    "transfer-encoding",
    "user-agent",
    "www-authenticate",
    "x-api-key",
    "x-content-type-options",
    "x-csrf-token",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-frame-options",
    "x-real-ip",
    "x-request-id",
    "x-requested-with",
];

const SQL: &[&str] = &[
    "alter", "and", "as", "asc", "begin", "between", "by", "commit", "count", "create", "database", "delete", "desc",
    "distinct", "drop", "exists", "from", "group", "having", "if", "in", "index", "inner", "insert", "into", "is",
    "join", "key", "left", "like", "limit", "not", "null", "offset", "on", "or", "order", "outer", "primary", "right",
    "rollback", "select", "set", "table", "union", "update", "values", "where",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_everybody_writes() {
        for value in [
            "application/json",
            "text/html; charset=utf-8",
            "Content-Type",
            "X-Forwarded-For:",
            "http://localhost:8080",
            "https://example.com",
            "https://api.example.com/v1/users",
            "postgres://db.test:5432/shop",
            "localhost:5432",
            "192.168.178.1",
            "https://api.openai.com/",
            "2024-11-21",
            "21.11.2024",
            "2024-11-21T10:20:30.000Z",
            "2147483647",
            "4294967296",
            "-9223372036854775808",
            "18446744073709551615",
            "0xffffffff",
            "SELECT * FROM",
            "insert into",
            "deadbeef",
            "0xDEADBEEFCAFEBABE",
            "SECRET_REF",
            "SECRET_REF(api_key)",
            "[REDACTED:token:1f3a]",
            "redacted",
        ] {
            assert!(is_everyday(value), "{value}");
        }
    }

    #[test]
    fn values_that_only_resemble_them() {
        for value in [
            "application/9xQ2mN7pK4",
            "2024-13-21",
            "2024-11-2187",
            "2147483650",
            "8347562948",
            "http://user:pw9xQ2@localhost:8080",
            "https://example.com/?key=9xQ2mN7pK4",
            "https://hooks.slack.com/services/T0/B0/x9",
            "https://intranet.shop.de",
            "example.community",
            "dead7beef",
            "deadbeef9x",
            "select the horse",
            "x-shop-secret",
            "SECRET_REFUGE",
            "correct horse",
        ] {
            assert!(!is_everyday(value), "{value}");
        }
    }
}
