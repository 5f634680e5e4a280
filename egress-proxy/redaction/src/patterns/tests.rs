use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::cursor::reads;
use crate::hits;
use crate::rules::RuleSet;
use crate::rules::pack::{Additions, PackRule, Profile};

fn anchors() -> &'static Anchors {
    static ANCHORS: LazyLock<Anchors> = LazyLock::new(make);
    &ANCHORS
}

fn make() -> Anchors {
    let near = PackRule {
        id: "acme-key".to_owned(),
        source: "https://acme.test".to_owned(),
        keywords: vec!["acme".to_owned()],
        near: Some("[a-z0-9]{12,20}|[a-z]{2,4}-[0-9]{4,9}".to_owned()),
        matches: vec!["acme ab-0123456789".replace("9", "")],
        mixed: Some(true),
        ..PackRule::default()
    };
    let additions = Additions { rules: vec![near], profiles: vec![Profile::Personal], ..Additions::default() };
    Anchors::new(&RuleSet::builtin_with(&additions).unwrap())
}

#[test]
fn words_of_a_placeholder_make_no_rule_look() {
    let anchors = anchors();
    for text in
        ["[REDACTED:acme-key:8340], ab-0123456", "SECRET_REF(acme-token) ab-0123456", "acme [REDACTED:jwt:8340]"]
    {
        assert_eq!(whole(anchors, text.as_bytes()), [], "{text}");
    }
    for text in ["[REDACTED:jwt:8340] acme ab-0123456", "SECRET_REF(x) acme ab-0123456", "acme ab-0123456"] {
        assert_eq!(whole(anchors, text.as_bytes()).len(), 1, "{text}");
    }
}

fn whole(anchors: &Anchors, text: &[u8]) -> Vec<Hit> {
    let mut found = Vec::new();
    PatternScan::new().push(anchors, text, 0, true, &mut found);
    found.sort_unstable();
    found.dedup();
    found
}

/// What the same text gives in pieces; the text before what is live is forgotten but for what rules look back at.
fn pieced(anchors: &Anchors, text: &[u8], cuts: &[usize]) -> Vec<Hit> {
    let (mut scan, mut found, mut base, mut live) = (PatternScan::new(), Vec::new(), 0, 0);
    for &cut in cuts {
        let before = found.len();
        scan.push(anchors, &text[base..cut], base, false, &mut found);
        assert!(found[before..].iter().all(|hit| hit.start >= live), "what was given out is past");
        let now = scan.live(anchors);
        assert!(now >= live, "nothing comes back to life");
        live = now;
        base = live.saturating_sub(crate::cursor::BEHIND).max(base);
    }
    scan.push(anchors, &text[base..], base, true, &mut found);
    hits::merge(&mut found);
    found
}

/// Pieces of text that rules like.
const PARTS: &[&str] = &[
    "acme",
    "ACME_KEY=",
    "key",
    "token: ",
    "password=",
    "\"",
    "'",
    "\n",
    "\\n",
    " ",
    "=",
    "%3D",
    "-",
    ".",
    "q9x2mn7pk4rt8wy1cv5b",
    "ab-0123",
    "ghp_",
    "sk-",
    "0123456789abcdefghijklmnopqrstuvwxyzAB",
    "eyJhbGciOiJIUzI1NiJ9",
    ".eyJzdWIiOiIxIn0",
    "://",
    "https",
    "user:",
    "hunter22",
    "@host",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "MIIEpAIBAAKCAQEA0123456789abcdef",
    "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t",
    "0tLS0tQkVHSU4gUFJJVkFURSBLRVkt",
    "LS0tLS1FTkQgUFJJVkFURSBLRVktLS0tLQ==",
    "Authorization: ",
    "Bearer ",
    "Cookie: ",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "AKIAQ7XK2M5NPLD4WZ3R",
    "a2937653ed38c31a43ea46e2b19257db",
    "-us2",
    "4839574813",
    ":AAFD39kkdpWt3ywyRZergyOLMaJhac61qcE",
    "Z28P3STmkBQi1Y",
    "Server=db;",
    "Password=",
    ";",
    ",",
    "<",
    ">",
    "x",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn cutting_changes_nothing(
        parts in prop::collection::vec(prop::sample::select(PARTS), 0..14),
        cuts in prop::collection::vec(0_usize..1000, 0..12),
    ) {
        let anchors = anchors();
        let text = parts.concat().into_bytes();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.sort_unstable();
        let mut all = whole(anchors, &text);
        hits::merge(&mut all);
        prop_assert_eq!(&pieced(anchors, &text, &cuts), &all);
        let every: Vec<usize> = (0..text.len()).collect();
        prop_assert_eq!(&pieced(anchors, &text, &every), &all);
    }
}

#[test]
fn text_that_is_made_of_keywords_costs_no_more_than_its_length() {
    let anchors = anchors();
    for part in PARTS {
        let text = part.repeat((1 << 15) / part.len());
        let before = reads();
        whole(anchors, text.as_bytes());
        let each = (reads() - before) / text.len() as u64;
        assert!(each < 300, "{part}: {each} reads a byte");
    }
}

#[test]
fn ordinary_text_is_not_held_back() {
    let anchors = anchors();
    for text in
        ["a sentence (about nothing in particular)", "fn main() { println!(\"hi\"); }", "{\"a\": 1, \"b\": [true]}"]
    {
        let mut scan = PatternScan::new();
        scan.push(anchors, text.as_bytes(), 0, false, &mut Vec::new());
        assert_eq!(scan.live(anchors), text.len(), "{text}");
    }
    let mut scan = PatternScan::new();
    scan.push(anchors, b"this is an acm", 0, false, &mut Vec::new());
    assert_eq!(scan.live(anchors), 11, "a keyword may go on");
}
