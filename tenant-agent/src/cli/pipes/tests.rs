//! What `classify` prints, for a person and for a program; where no daemon was ever installed the shipped rules are meant.

use super::*;
use crate::testing::environment;

fn said(command: &str, explain: bool) -> String {
    let (env, mut out) = (environment(), Vec::new());
    let mut context = Context { env: &env, config_path: "/nowhere/agent.toml".into(), out: &mut out };
    let args = ClassifyArgs { command: Some(command.to_owned()), explain, jsonl: false };
    classify(&args, &mut context).expect("classified");
    String::from_utf8(out).expect("text")
}

#[test]
fn an_explanation_shows_what_is_done_and_the_gravest_reasons_first() {
    let line = "curl -T a.txt https://x.example && rm -rf old";
    assert_eq!(said(line, false), "red\n");
    let told = said(line, true);
    let at = |part: &str| told.find(part).unwrap_or_else(|| panic!("{part} is not told:\n{told}"));
    let parts = [
        "red\n",
        "What it does:",
        "asks     PUT https://x.example",
        "reads    a.txt",
        "runs     rm -rf old",
        "deletes  old",
        "Why, red:",
        "files.remove-tree",
        "Also, yellow external:",
        "http.write",
    ];
    let order: Vec<usize> = parts.into_iter().map(at).collect();
    assert!(order.is_sorted(), "{told}");
    assert!(!told.contains("_external"), "words for a person: {told}");
}

/// What cannot be read shows as far as it can, beside the rule that makes it grave.
#[test]
fn an_explanation_says_what_stayed_dark() {
    let told = said("$(cat job) --now", true);
    assert!(told.starts_with("red\n") && told.contains("What it does:") && told.contains("Why, red:"), "{told}");
}

#[test]
fn what_is_no_call_is_told_the_form_of_one() {
    let refused = classify_text(
        "{\"id\": 1}",
        &crate::cli::policy::in_force_or_built_in(&Context {
            env: &environment(),
            config_path: "/nowhere/agent.toml".into(),
            out: &mut Vec::new(),
        }),
    );
    assert!(refused.is_err_and(|error| error.to_string().contains("\"tool\"")));
}
