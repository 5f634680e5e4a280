use proptest::prelude::*;

use super::*;

#[test]
fn what_is_no_escape_stays() {
    for text in [
        "\\",
        "\\q",
        "\\u12",
        "\\u{}",
        "\\u{1234567}",
        "%",
        "%4",
        "%zz",
        "&",
        "&am",
        "&foo;",
        "&#;",
        "&#x;",
        "\\9",
        "\u{1b}[31",
        "\u{1b}[3\\q",
        "é",
        "–",
        "中",
        "100% sure & fine",
    ] {
        assert_eq!(once(text.as_bytes()), text.as_bytes(), "{text}");
    }
    assert_eq!(once(&[0xe2, 0x80]), [0xe2, 0x80]);
    assert_eq!(once(&[0xe2, b'a', 0xff]), [0xe2, b'a', 0xff]);
}

#[test]
fn every_escape_is_undone_once() {
    for (text, plain) in [
        (r#"a\"b\\c\/d\n"#, "a\"b\\c/d\n"),
        (r"\u0041\u00e4\ud83d\ude00\ud83dx\udc00", "Aä😀\u{fffd}x\u{fffd}"),
        (r"\u{41}\x41\101\U0001f600", "AAA😀"),
        (r"$'\132\161\71\55\126'\7", "$'Zq9-V'\u{7}"),
        (r"\71\8\777\400\60x", "9\\8\\777\\4000x"),
        ("%41%c3%A4%2541", "Aä%41"),
        ("&amp;&lt;&#65;&#x41;&#X41;&amp;amp;&#39;", "&<AAA&amp;'"),
        ("a\u{200b}b\u{ad}c\u{feff}d\u{e0041}\u{ff21}", "abcdAA"),
        ("раѕѕwοrd \u{1d400}\u{1d41b}\u{1d7d2} \u{24b6}", "password Ab4 A"),
        ("e\u{301}a\u{20dd}\u{3164}b\u{a0}c\u{fffb}", "eab c"),
        ("\u{1b}[01;31m\u{1b}[Kab\u{1b}[m", "ab"),
        (r"it\'s \$5 \`x\`", "it's $5 `x`"),
    ] {
        assert_eq!(String::from_utf8_lossy(&once(text.as_bytes())), plain, "{text}");
    }
}

#[test]
fn every_byte_knows_where_it_came_from() {
    let text = r"ab\u0041\u200b\u200bc%c3%a4d".as_bytes();
    let text = [text, "\u{200b}e".as_bytes()].concat();
    let mut layer = Layer::default();
    let undone = layer.undo(&text, true);
    assert!(undone.changed && undone.read == text.len());
    assert_eq!(String::from_utf8_lossy(layer.bytes()), "abA\u{200b}\u{200b}cäde");
    for (at, range) in [(0, 0..1), (1, 1..2), (2, 2..8), (3, 8..14), (5, 8..14), (8, 14..20), (9, 20..21), (10, 21..24)]
    {
        assert_eq!((layer.start(at), layer.end(at)), (range.start, range.end), "{at}");
    }
    let end = layer.bytes().len() - 1;
    assert_eq!((layer.start(end), layer.end(end)), (text.len() - 1, text.len()));
    assert_eq!([0, 1, 2, 5, 20].map(|below| layer.copy_of(below)), [Some(0), Some(1), None, None, Some(9)]);
    assert_eq!(
        [0, 1, 2, 5, 8, 20, 30].map(|below| layer.between(below)),
        [(0, 0), (1, 1), (2, 2), (2, 2), (3, 8), (9, 20), (13, 28)]
    );
}

#[test]
fn a_cut_escape_waits() {
    let mut layer = Layer::default();
    for (text, read) in [("abc\\", 3), ("\\u00", 0), ("x%4", 1), ("x&am", 1), ("xй", 3), ("plain", 5)] {
        let undone = layer.undo(text.as_bytes(), false);
        assert_eq!((undone.changed, undone.read), (false, read), "{text}");
    }
    let undone = layer.undo(b"%41b\\", false);
    assert_eq!((undone.changed, undone.read, layer.bytes()), (true, 4, &b"Ab"[..]));
}

proptest! {
    #[test]
    fn a_layer_is_undone_as_a_text_would_be(
        parts in prop::collection::vec(prop::sample::select(&[
            "\\", "\\u", "\\u00", "\\U0000", "\\x", "%", "%4", "&", "&#", "&am", "\u{1b}[", "a", "p;", "00", "41", "1m", "й", "\u{200b}",
            "%41", "%34", "%31", "%70", "%3b", "%5c", "\\\\", "&amp;", "plain text that is longer than a sequence",
        ][..]), 0..12),
        ended in any::<bool>(),
    ) {
        let text = parts.concat();
        let (mut first, mut whole, mut near) = (Layer::default(), Layer::default(), Layer::default());
        if first.undo(text.as_bytes(), ended).changed {
            let (whole_undone, near_undone) = (whole.undo(first.bytes(), ended), near.undo_again(&first, ended));
            prop_assert_eq!(
                (near_undone.changed, near_undone.read, near.bytes(), near.marks()),
                (whole_undone.changed, whole_undone.read, whole.bytes(), whole.marks())
            );
        }
    }
}
