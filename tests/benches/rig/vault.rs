//! A vault as a business has one: tokens, passwords, keys, addresses with a password, some long ones.

use data_encoding::BASE64;

use crate::chance::Chance;

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const MARKS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789!#$%&*+-=?@_";

/// The first `count` secrets; those of a smaller count are the same.
pub fn secrets(count: usize) -> Vec<(String, String)> {
    let mut chance = Chance::new(5);
    (0..count).map(|n| (format!("secret_{n}"), value(&mut chance, n))).collect()
}

fn value(chance: &mut Chance, n: usize) -> String {
    match n % 100 {
        0 => {
            let body = BASE64.encode(&chance.bytes(144));
            let lines: Vec<&str> = (0..body.len()).step_by(64).map(|at| &body[at..body.len().min(at + 64)]).collect();
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
        }
        1..10 => format!("postgres://app:{}@db{}.internal:5432/shop", chance.letters(LETTERS, 18), chance.below(900)),
        10..30 => chance.letters(MARKS, 12 + n % 9),
        30..50 => chance.hex(if n.is_multiple_of(2) { 32 } else { 64 }),
        50..60 => BASE64.encode(&chance.bytes(32)),
        60..70 => chance.uuid(),
        70..80 => format!("sk-{}", chance.letters(LETTERS, 48)),
        _ => chance.letters(LETTERS, 20 + n % 21),
    }
}
