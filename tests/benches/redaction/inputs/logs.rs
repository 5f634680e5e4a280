//! Logs of an ordinary server: syslog, nginx, JSON lines, a database, containers.

use std::fmt::Write as _;

use crate::chance::Chance;

const PATHS: [&str; 8] = [
    "/api/v1/orders/48213",
    "/assets/app.3f9d2c1b.js",
    "/blog/2026/11/stollen?utm_source=newsletter&page=2",
    "/healthz",
    "/login",
    "/wp-login.php",
    "/search?q=winter%20jacket&sort=price_asc",
    "/static/img/hero%402x.webp",
];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "curl/8.10.1",
    "Prometheus/2.55.0",
];
const UNITS: [&str; 5] = ["nginx", "postgresql@16-main", "docker", "ssh", "certbot"];
/// Messages of a shop, a third of them about what we look for.
pub(crate) const MESSAGES: [&str; 6] = [
    "request completed",
    "cache miss, falling back to database",
    "retrying after timeout",
    "session token refreshed",
    "job finished",
    "password reset mail queued",
];

/// What programs say: short lines of `prose`, as they are.
pub(crate) fn messages(prose: &[String]) -> Vec<String> {
    let plain = |line: &&str| {
        (20..80).contains(&line.len()) && line.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\')
    };
    prose.iter().flat_map(|paragraph| paragraph.lines()).filter(plain).map(str::to_owned).collect()
}

/// About `bytes` of lines, oldest first.
pub(crate) fn text(bytes: usize, messages: &[String]) -> String {
    let mut chance = Chance::new(3);
    let mut text = String::with_capacity(bytes + 1024);
    let mut second = 0;
    while text.len() < bytes {
        second += chance.below(3);
        line(&mut chance, messages, second, &mut text);
    }
    text
}

fn line(chance: &mut Chance, messages: &[String], second: usize, out: &mut String) {
    let (h, m, s) = (second / 3600 % 24, second / 60 % 60, second % 60);
    let ms = chance.below(1000);
    let ip = format!("{}.{}.{}.{}", chance.below(223) + 1, chance.below(256), chance.below(256), chance.below(256));
    let done = match chance.below(10) {
        0..4 => writeln!(
            out,
            "{ip} - - [20/Nov/2026:{h:02}:{m:02}:{s:02} +0000] \"GET {} HTTP/1.1\" {} {} \"https://shop.example.com/\" \"{}\"",
            chance.one(&PATHS),
            chance.one(&["200", "200", "200", "304", "404", "502"]),
            chance.below(90_000),
            chance.one(&AGENTS)
        ),
        4 => writeln!(
            out,
            "Nov 20 {h:02}:{m:02}:{s:02} web1 sshd[{}]: Failed password for invalid user admin from {ip} port {} ssh2",
            chance.below(99_999),
            chance.below(65_535)
        ),
        5 => writeln!(
            out,
            "Nov 20 {h:02}:{m:02}:{s:02} web1 systemd[1]: {}.service: Consumed {}.{ms:03}s CPU time, {}M memory peak.",
            chance.one(&UNITS),
            chance.below(60),
            chance.below(900)
        ),
        6 | 7 => writeln!(
            out,
            "{{\"time\":\"2026-11-20T{h:02}:{m:02}:{s:02}.{ms:03}Z\",\"level\":\"{}\",\"request_id\":\"{}\",\"trace\":\"{}\",\
             \"msg\":\"{}\",\"user\":{},\"ms\":{ms},\"path\":\"{}\"}}",
            chance.one(&["info", "info", "warn", "error"]),
            chance.uuid(),
            chance.hex(32),
            messages[chance.below(messages.len())],
            chance.below(100_000),
            chance.one(&PATHS)
        ),
        8 => writeln!(
            out,
            "2026-11-20 {h:02}:{m:02}:{s:02}.{ms:03} UTC [{}] shop@shop LOG:  duration: {}.{ms:03} ms  statement: SELECT id, \
             total, token_count FROM orders WHERE customer_id = {} ORDER BY created_at DESC LIMIT 20",
            chance.below(99_999),
            chance.below(900),
            chance.below(100_000)
        ),
        _ => writeln!(
            out,
            "time=\"2026-11-20T{h:02}:{m:02}:{s:02}Z\" level=info msg=\"image pulled\" container={} digest=\"sha256:{}\" \
             image=\"registry.example.com/shop/api:1.{}.{}\"",
            chance.hex(12),
            chance.hex(64),
            chance.below(40),
            chance.below(10)
        ),
    };
    // Writing to a string cannot fail.
    debug_assert!(done.is_ok());
}
