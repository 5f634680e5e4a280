use super::*;
use crate::classify::judge_example;

#[test]
fn every_shipped_rule_matches_its_own_examples() {
    let rules = RuleSet::unchecked(defaults::document()).unwrap();
    let mut wrong = Vec::new();
    for rule in &rules.document().rule {
        for (examples, want) in [(&rule.matches, true), (&rule.not_match, false)] {
            for example in examples {
                let verdict = judge_example(example, &rules).unwrap();
                if verdict.fired.iter().any(|fired| fired.rule == rule.id) != want {
                    wrong.push(format!("{} on {example:?}: should be {want}", rule.id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(default_rules(), RuleSet::from_document(rules.document().clone()).unwrap());
}

const GOOD: &str = r#"
[[rule]]
id = "a.b"
class = "red"
reason = "does"
program = ["frob"]
match = ["frob"]
not_match = ["other"]
"#;

#[test]
fn rules_that_cannot_be_right_are_refused() {
    for (from, to, want) in [
        ("class = \"red\"", "class = \"purple\"", "cannot be read"),
        ("reason", "raeson", "cannot be read"),
        ("program = [\"frob\"]", "", "exactly one"),
        ("program = [\"frob\"]", "program = [\"frob\"]\nmessage = true", "exactly one"),
        ("program = [\"frob\"]", "program = [\"frob\"]\npath = [\"workspace\"]", "does not belong"),
        ("program = [\"frob\"]", "access = [\"read\"]\noption = [\"-f\"]", "does not belong"),
        ("program = [\"frob\"]", "access = [\"read\"]\npath = [\"nowhere\"]", "not there"),
        ("match = [\"frob\"]", "match = []", "no example"),
        ("match = [\"frob\"]", "match = [\"echo frob\"]", "does not"),
        ("not_match = [\"other\"]", "not_match = [\"sudo frob\"]", "and does"),
        ("match = [\"frob\"]", "match = [\"http: GET\"]", "cannot be read"),
    ] {
        let error = RuleSet::from_toml(&[&GOOD.replacen(from, to, 1)]).unwrap_err().to_string();
        assert!(error.contains(want), "{to}: {error}");
    }
    assert!(RuleSet::from_toml(&[GOOD, GOOD]).unwrap_err().to_string().contains("two rules"));
    RuleSet::from_toml(&[GOOD]).unwrap();
}

#[test]
fn rules_survive_json() {
    let rules = RuleSet::from_toml(&[GOOD]).unwrap();
    let json = serde_json::to_string(&rules).unwrap();
    assert_eq!(serde_json::from_str::<RuleSet>(&json).unwrap(), rules);
    assert!(serde_json::from_str::<RuleSet>(&json.replace("\"other\"", "\"frob\"")).is_err());
}

#[test]
fn patterns_know_a_star_at_either_end() {
    for (pattern, text, want) in [
        ("*", "", true),
        ("a*", "ab", true),
        ("*a", "ba", true),
        ("*a*", "bab", true),
        ("a", "ab", false),
        ("a*", "ba", false),
        ("*a", "ab", false),
    ] {
        assert_eq!(matching::fits(pattern, text), want, "{pattern} {text}");
    }
}

#[test]
fn a_program_finds_the_rules_about_it() {
    const OWN: &str = r#"
[[rule]]
id = "all"
class = "critical_red"
reason = "does"
program = ["*", "!frobnicate", "!frob"]
any_arguments = true
match = ["grobble"]

[[rule]]
id = "some"
class = "critical_red"
reason = "does"
program = ["frob*", "nicer"]
match = ["frob"]

[[rule]]
id = "one"
class = "red"
reason = "does"
program = ["grobble", "frob", "frobnicate"]
match = ["frob"]
"#;
    for rules in [default_rules(), RuleSet::from_toml(&[OWN]).unwrap()] {
        let written = &rules.document().rule;
        let named = written.iter().flat_map(|rule| &rule.program).map(|name| name.trim_matches(['!', '*']));
        for name in named.flat_map(|name| [name.to_owned(), format!("{name}x")]) {
            let exact: Vec<_> = written.iter().filter(|rule| rule.program.contains(&name)).collect();
            let begins = |program: &str| program.strip_suffix('*').is_some_and(|prefix| name.starts_with(prefix));
            let excepted = |rule: &Rule| rule.program.contains(&format!("!{name}"));
            let begun = written.iter().filter(|rule| rule.program.iter().any(begins) && !excepted(rule));
            let ids = |rules: Vec<&Rule>| rules.into_iter().map(|rule| rule.id.clone()).collect::<Vec<_>>();
            let want = ids(exact.iter().copied().chain(begun).collect());
            assert_eq!(ids(rules.about_program(&name).collect()), want, "{name}");
            let grave = exact.iter().any(|rule| rule.class == Class::CriticalRed);
            assert_eq!(rules.is_grave(&name), grave, "{name}");
        }
    }
}

#[test]
fn a_path_finds_the_lists_that_hold_it() {
    let rules = default_rules();
    let lists = &rules.document().paths;
    let fits = |pattern: &str, text: &str| matching::fits(pattern, text);
    let holds = |list: &PathList, path: &str| {
        let (path, framed) = (path.to_ascii_lowercase(), format!("/{}/", path.to_ascii_lowercase()));
        let last = path.rsplit('/').next().unwrap();
        let under = list.under.iter().any(|folder| {
            if folder.ends_with('*') {
                fits(folder, &path)
            } else {
                format!("{path}/").starts_with(&format!("{folder}/"))
            }
        });
        let part = list.part.iter().any(|part| {
            framed.contains(&format!("/{part}/")) || !part.contains('/') && path.split('/').any(|one| fits(part, one))
        });
        let excepted = list.except.iter().any(|pattern| fits(pattern, last) || fits(pattern, &path));
        (under || part || list.last.iter().any(|pattern| fits(pattern, last))) && !excepted
    };
    let named = lists.iter().flat_map(|list| [&list.under, &list.part, &list.last, &list.except]).flatten();
    for text in named.map(|name| name.replace(['*', '?'], "q")) {
        let around = ["", "/srv/", "~/a/", "x"].into_iter().flat_map(|before| {
            let text = &text;
            ["", "/b/C.pem", "/.SSH", "x", "/config"].map(|after| format!("{before}{text}{after}").replace("//", "/"))
        });
        for path in around {
            let want: BTreeSet<&str> =
                lists.iter().filter(|list| holds(list, &path)).map(|list| list.name.as_str()).collect();
            assert_eq!(rules.lists_of(&path), want, "{path}");
        }
    }
}

/// An option that no table has never passes for harmless, so every program that can be Green has a table; builtins and others that
/// take any arguments apart.
#[test]
fn every_program_that_can_be_green_has_a_table_of_its_options() {
    let rules = default_rules();
    let document = rules.document();
    let green = document.rule.iter().filter(|rule| rule.class == Class::Green && !rule.program.is_empty());
    let (any, others): (Vec<_>, Vec<_>) = green.partition(|rule| rule.any_arguments);
    let any: BTreeSet<&str> = any.iter().flat_map(|rule| &rule.program).collect();
    let programs: BTreeSet<&str> =
        others.iter().flat_map(|rule| &rule.program).filter(|name| !any.contains(name)).collect();
    assert!(programs.len() > 200, "{}", programs.len());
    let has = |name: &str| {
        document.syntax.iter().any(|syntax| {
            !syntax.flags.is_empty() && syntax.program.iter().any(|of| of == name || of.split(' ').next() == Some(name))
        })
    };
    let without: Vec<_> = programs.into_iter().filter(|name| name.contains('*') || !has(name)).collect();
    assert!(without.is_empty(), "{without:?}");
    // And it counts: an option that nobody has.
    for program in ["cat", "ls", "grep -r", "git log", "docker ps", "find .", "journalctl", "systemctl status", "jq .a"]
    {
        for option in ["--frobnicate", "--frobnicate=x"] {
            let line = format!("{program} {option}");
            assert_eq!(judge_example(&line, &rules).unwrap().class, Class::Yellow, "{line}");
        }
    }
}
