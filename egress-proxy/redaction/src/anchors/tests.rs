use proptest::prelude::*;

use super::windows::Common;
use super::*;
use crate::rules::pack::{Additions, PackRule};
use crate::views::block::levels;

/// Rules that only have keywords.
fn anchors(keywords: &[String]) -> Anchors {
    let rule = |keyword: &String| PackRule {
        keywords: vec![keyword.clone()],
        token: Some("(?i)[a-e_]{2,12}".to_owned()),
        ..PackRule::default()
    };
    Anchors::new(&RuleSet::unverified(&Additions {
        rules: keywords.iter().map(rule).collect(),
        ..Additions::default()
    }))
}

/// Keywords by their lower-case text.
fn found(anchors: &Anchors, text: &[u8], from: usize, ended: bool) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    anchors.search(text, from, ended, |start, keyword| {
        let text = String::from_utf8(anchors.keywords[keyword as usize].text.to_vec()).unwrap();
        all.push((start, text));
    });
    all.sort();
    all
}

proptest! {
    #[test]
    fn every_keyword_is_found_in_any_case_at_any_place(
        keywords in prop::collection::btree_set("[a-c_]{2,7}", 1..12),
        text in "[a-dA-D_]{0,60}",
        before in 0..200_usize,
    ) {
        let keywords: Vec<String> = keywords.into_iter().collect();
        let anchors = anchors(&keywords);
        // Text goes on, so that windows behind short keywords are whole.
        let padded = format!("{text}aaaa");
        let lower = padded.to_lowercase();
        let mut naive: Vec<(usize, String)> = keywords
            .iter()
            .flat_map(|k| lower.match_indices_all(k).map(move |at| (at, k.clone())))
            .filter(|(at, k)| at + k.len() <= text.len())
            .collect();
        naive.sort();
        let mut quick = found(&anchors, padded.as_bytes(), 0, false);
        quick.retain(|(at, k)| at + k.len() <= text.len());
        prop_assert_eq!(&quick, &naive);

        // In a long text every second place is looked at.
        let long = format!("{}{padded}{}", " ".repeat(before), " ".repeat(600));
        let mut anywhere = found(&anchors, long.as_bytes(), 0, true);
        anywhere.retain(|(at, k)| at + k.len() <= before + text.len());
        let moved: Vec<(usize, String)> = naive.iter().map(|(at, k)| (before + at, k.clone())).collect();
        prop_assert_eq!(&anywhere, &moved);

        // At the end of the text nothing need follow but behind two bytes, which say too little.
        let end = found(&anchors, text.as_bytes(), 0, true);
        for (at, keyword) in naive.iter().filter(|(_, keyword)| keyword.len() > 2) {
            prop_assert!(end.contains(&(*at, keyword.clone())), "{} at {} of {}", keyword, at, text);
        }

        // Cut anywhere: what was not told of before the cut begins no earlier than `begun` says.
        for cut in 0..=text.len() {
            let begun = anchors.begun(&text.as_bytes()[..cut]);
            let told = found(&anchors, &text.as_bytes()[..cut], 0, false);
            for (at, keyword) in &naive {
                prop_assert!(
                    *at >= begun || told.contains(&(*at, keyword.clone())),
                    "{} at {} of {}, cut at {}", keyword, at, text, cut
                );
            }
        }
    }
}

trait Overlapping {
    fn match_indices_all<'a>(&'a self, part: &'a str) -> impl Iterator<Item = usize> + 'a;
}

impl Overlapping for String {
    fn match_indices_all<'a>(&'a self, part: &'a str) -> impl Iterator<Item = usize> + 'a {
        (0..self.len()).filter(move |&at| self[at..].starts_with(part))
    }
}

#[test]
fn the_rarest_part_is_looked_for() {
    let rarest = |keyword| Common::new().rarest(keyword, |_| 0);
    assert_eq!(rarest(b"password"), Some((1, &b"assw"[..])));
    assert_eq!(rarest(b"auth"), Some((0, &b"auth"[..])));
    assert_eq!(rarest(b"key"), None);
    let others = |window: &[u8]| 9 * u32::from(window == b"assw");
    assert_eq!(Common::new().rarest(b"password", others), Some((2, &b"sswo"[..])));
}

#[test]
fn keywords_that_need_no_run_are_found_where_a_zone_ends() {
    const RUN: &[u8] = b"ABCDEFGHabcdefgh0123456789XYZW";
    let set = RuleSet::builtin();
    let anchors = Anchors::new(&set);
    let words = "so, an a we it; ".repeat(50);
    // Shorter ones are found only as they are spelled, with what may follow them.
    let everywhere = |keyword: &&Keyword| keyword.text.len() > WINDOW && !keyword.needs_run(0, &set);
    let mut count = 0;
    for keyword in anchors.keywords.iter().filter(everywhere) {
        count += 1;
        let text = String::from_utf8(keyword.text.to_vec()).unwrap();
        // Across the border of two blocks, of which a run behind or before them makes only one near.
        for at in 320 - text.len()..=322 {
            for run in [448, 192] {
                let mut around = words.clone().into_bytes();
                around[run..run + RUN.len()].copy_from_slice(RUN);
                around[at..at + text.len()].copy_from_slice(text.as_bytes());
                assert!(
                    found(&anchors, &around, 0, true).contains(&(at, text.clone())),
                    "{text} at {at}, run at {run}"
                );
            }
        }
    }
    assert!(count > 200, "{count}");
}

#[test]
fn every_processor_gathers_the_same_places() {
    let anchors = Anchors::new(&RuleSet::builtin());
    let text = [SAMPLE, "api_key = SECRET ghp_ AKIA sk-ant-; \u{e9} ".repeat(30).as_bytes()].concat();
    let mut some = [0, 0];
    for block in text.windows(BLOCK + BEHIND).filter_map(<[u8]>::first_chunk::<{ BLOCK + BEHIND }>) {
        let gathered = |level| {
            let (mut all, mut odd) = (Places::<PLACES>::new(), Places::<PLACES>::new());
            dispatch!(level, simd => {
                for first in [0, BLOCK, 3 * BLOCK] {
                    anchors.all.gather(simd, block, first, &mut all);
                    anchors.always.gather_odd(simd, block, first, &mut odd);
                }
            });
            [all, odd].map(|mut places| places.take().to_vec())
        };
        let [best, others @ ..] = &levels()[..] else { panic!("no processor") };
        let best = gathered(*best);
        for other in others {
            assert_eq!(best, gathered(*other), "{other:?}");
        }
        some = [some[0] + best[0].len(), some[1] + best[1].len()];
    }
    assert!(some.iter().all(|count| *count > 1000), "{some:?}");
}
