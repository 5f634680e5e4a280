//! Commands that others chose and labelled: `tests/data/actions.jsonl`, whose origins stand beside it.

use std::collections::BTreeMap;

use super::*;

#[derive(Deserialize)]
struct Case {
    source: String,
    command: String,
    min: Option<Class>,
    max: Option<Class>,
}

#[derive(Default)]
struct Count {
    least: usize,
    under: usize,
    most: usize,
    over: usize,
}

/// The least is exact for Red and nearly so for all, the most may be missed now and then.
#[test]
fn commands_of_others_are_judged_as_their_sources_say() {
    let text = include_str!("../../../tests/data/actions.jsonl");
    let rules = crate::rules::default_rules();
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let (mut red_missed, mut wrong) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        let got = judge_example(&case.command, &rules).unwrap().class;
        let count = counts.entry(case.source).or_default();
        if let Some(min) = case.min {
            count.least += 1;
            if got < min {
                count.under += 1;
                if min >= Class::Red {
                    red_missed.push(case.command.clone());
                }
                wrong.push(format!("{got}, at least {min}: {}", case.command));
            }
        }
        if let Some(max) = case.max {
            count.most += 1;
            if got > max {
                count.over += 1;
                wrong.push(format!("{got}, at most {max}: {}", case.command));
            }
        }
    }
    let sum = |of: fn(&Count) -> usize| counts.values().map(of).sum::<usize>();
    let (least, under, most, over) = (sum(|c| c.least), sum(|c| c.under), sum(|c| c.most), sum(|c| c.over));
    assert!(least > 500 && most > 500, "{least} {most}");
    assert!(red_missed.is_empty(), "{}", red_missed.join("\n"));
    // Half a percent, and ten of a hundred.
    assert!(under * 200 <= least && over * 10 <= most, "{under} of {least}, {over} of {most}:\n{}", wrong.join("\n"));
}
