use serde_json::json;

use super::*;
use crate::agents::{Grant, Subagents};
use crate::bundle::LlmConfig;

const NOW: Timestamp = Timestamp(10_000);

fn action(tool: &str, args: &serde_json::Value) -> Action {
    Action::parse("clerk".parse().unwrap(), "s".parse().unwrap(), tool, args, None).unwrap()
}

/// One call of each class.
fn of_class(class: Class) -> Action {
    match class {
        Class::Green => action("read_file", &json!({"path": "a.txt"})),
        Class::Yellow => action("write_file", &json!({"path": "a.txt", "content": "b"})),
        Class::YellowExternal => action("send_email", &json!({"to": "anna@shop.example", "body": "hi"})),
        Class::Red => action("delete_folder", &json!({"path": "drafts"})),
        Class::CriticalRed => action("shell", &json!({"command": "rm -rf /"})),
    }
}

fn agent(level: Level) -> AgentPolicy {
    let name = "clerk".parse().unwrap();
    AgentPolicy {
        name,
        level,
        version: None,
        tools: None,
        models: vec![],
        grants: vec![],
        subagents: Default::default(),
        workspace: "/srv/clerk".into(),
    }
}

fn bundle() -> Bundle {
    Bundle::default_for(Bundle::strict().tenant, vec![agent(Level::Trusted)], LlmConfig::default(), Timestamp(0))
}

fn grant() -> Grant {
    Grant { tool: "send_email".into(), recipients: vec!["*@shop.example".into()], ..Grant::default() }
}

/// `.` run, `?` ask, `!` ask with a passkey, `-` refuse.
fn letter(decision: &Decision) -> char {
    match decision {
        Decision::Allow { .. } => '.',
        Decision::NeedsApproval { factor: Factor::Person, .. } => '?',
        Decision::NeedsApproval { factor: Factor::Passkey, .. } => '!',
        Decision::Deny { .. } => '-',
    }
}

#[test]
fn calls_that_may_never_be_asked_for_are_denied() {
    let policy = agent(Level::Autonomous);
    let other = AgentPolicy { name: "other".parse().unwrap(), ..policy.clone() };
    let narrow = AgentPolicy { tools: Some(vec!["shell".into()]), ..policy.clone() };
    let nothing = AgentPolicy { tools: Some(vec![]), ..policy.clone() };
    let read = of_class(Class::Green);
    let open = Posture::open();
    for agent in [&other, &narrow, &nothing] {
        assert_eq!(letter(&decide(&read, agent, &bundle(), &open, NOW)), '-', "{agent:?}");
    }
    let misplaced = action("shell", &json!({"command": "echo SECRET_REF(k)"}));
    assert!(matches!(
        decide(&misplaced, &policy, &bundle(), &open, NOW),
        Decision::Deny { class: Some(Class::Red), .. }
    ));

    let secret = action("shell", &json!({"command": "ls", "env": {"K": "SECRET_REF(k)"}}));
    let locked = Posture::open().with(Closed::VaultLocked);
    assert_eq!(letter(&decide(&secret, &policy, &bundle(), &locked, NOW)), '-');
    assert_eq!(letter(&decide(&secret, &policy, &bundle(), &open, NOW)), '.');

    let mut unknown = read.clone();
    unknown.agent = "stranger".parse().unwrap();
    assert_eq!(letter(&decide_for(&unknown, &bundle(), &open, NOW)), '-');
    assert_eq!(letter(&decide_for(&read, &bundle(), &open, NOW)), '.');
    assert_eq!(letter(&decide_for(&unknown, &Bundle::strict(), &open, NOW)), '.');
}

/// Every class, level, gate and posture; the table is written out again here by hand.
#[test]
fn the_whole_table() {
    let closed: Vec<Posture> = (0..1_u32 << Closed::ALL.len())
        .map(|bits| Closed::ALL.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, c)| *c).collect())
        .collect();
    for posture in &closed {
        let away_only = posture.iter().all(|c| c == Closed::HubAway);
        for (level, open) in Level::ALL.into_iter().flat_map(|level| [(level, false), (level, true)]) {
            // Green, Yellow, Yellow+External, Red, Critical Red.
            let want = match (away_only, posture.is_open(), level, open) {
                _ if posture.has(Closed::VaultUnread) || posture.has(Closed::Stopped) => "-----",
                (false, ..) => ".----",
                (true, false, ..) => ".???!",
                (true, true, Level::Supervised, _) => ".???!",
                (true, true, Level::Trusted, false) => "..??!",
                (true, true, Level::Trusted, true) => "...?!",
                (true, true, Level::Autonomous, false) => "..?.!",
                (true, true, Level::Autonomous, true) => "....!",
            };
            let mut policy = agent(level);
            if open {
                policy.grants.push(grant());
            }
            let got: String = Class::ALL
                .into_iter()
                .map(|class| {
                    let decision = decide(&of_class(class), &policy, &bundle(), posture, NOW);
                    match &decision {
                        Decision::Allow { class: got, .. } | Decision::NeedsApproval { class: got, .. } => {
                            assert_eq!(*got, class)
                        }
                        Decision::Deny { class: got, reasons } => {
                            assert_eq!(*got, Some(class));
                            assert!(!reasons.is_empty());
                        }
                    }
                    letter(&decision)
                })
                .collect();
            assert_eq!(got, want, "{posture:?} {level} grant {open}");
        }
    }
}

/// A sub-agent is judged by the lower of two levels, in every class; nothing in its call says which that is.
#[test]
fn a_subagent_has_the_lower_level() {
    for level in Level::ALL {
        for below in Level::ALL.into_iter().filter(|below| *below <= level) {
            let subagents = Subagents { level: Some(below), ..Subagents::default() };
            let policy = AgentPolicy { subagents, grants: vec![grant()], ..agent(level) };
            let plain = AgentPolicy { grants: vec![grant()], ..agent(below) };
            for class in Class::ALL {
                let own = of_class(class);
                let child = Action { session: "agent:main:subagent:7c9e6679".parse().unwrap(), ..own.clone() };
                let of = |action: &Action, policy: &AgentPolicy| {
                    letter(&decide(action, policy, &bundle(), &Posture::open(), NOW))
                };
                assert_eq!(of(&child, &policy), of(&own, &plain), "{level} {below} {class}");
                assert_eq!(of(&own, &policy), of(&own, &AgentPolicy { grants: vec![grant()], ..agent(level) }));
            }
        }
    }
    let spawn = Action { session: "a:subagent:b".parse().unwrap(), ..action("sessions_spawn", &json!({"task": "x"})) };
    assert_eq!(letter(&decide(&spawn, &agent(Level::Autonomous), &bundle(), &Posture::open(), NOW)), '-');
}

#[test]
fn a_grant_opens_for_its_tool_its_recipients_and_its_time_only() {
    let mail = |to: serde_json::Value| action("send_email", &json!({"to": to, "body": "hi"}));
    let post = |url: &str| action("http", &json!({"method": "POST", "url": url, "body": "x"}));
    let web = Grant { tool: "http".into(), hosts: vec!["api.shop.example".into()], ..Grant::default() };
    for (action, grant, want) in [
        (mail(json!("anna@elsewhere.example")), grant(), '?'),
        (mail(json!(["anna@shop.example", "b@elsewhere.example"])), grant(), '?'),
        (mail(json!([])), grant(), '?'),
        (mail(json!("anna@shop.example")), Grant { tool: "shell".into(), ..grant() }, '?'),
        (mail(json!("anna@shop.example")), Grant { expires: Some(NOW), ..grant() }, '?'),
        (mail(json!("anna@shop.example")), Grant { expires: Some(Timestamp(10_001)), ..grant() }, '.'),
        (post("https://api.shop.example.evil.net/"), web.clone(), '?'),
        (post("https://api.shop.example@evil.net/"), web.clone(), '?'),
        (post("https://api.shop.example/x"), web.clone(), '.'),
        (action("http", &json!({"method": "DELETE", "url": "https://api.shop.example/x"})), web, '?'),
    ] {
        let policy = AgentPolicy { grants: vec![grant], ..agent(Level::Trusted) };
        assert_eq!(letter(&decide(&action, &policy, &bundle(), &Posture::open(), NOW)), want, "{action:?}");
    }
}

#[test]
fn an_expired_bundle_allows_reading_only() {
    let bundle = bundle();
    for (now, want) in [(Timestamp(bundle.expires.millis() - 1), '.'), (bundle.expires, '-')] {
        let decision = decide(&of_class(Class::Yellow), &agent(Level::Autonomous), &bundle, &Posture::open(), now);
        assert_eq!(letter(&decision), want);
    }
}

#[test]
fn a_refusal_says_what_is_wrong_and_what_to_do() {
    let posture = Posture::open().with(Closed::DiskFull).with(Closed::HubAway);
    let decision = decide(&of_class(Class::Red), &agent(Level::Autonomous), &bundle(), &posture, NOW);
    let Decision::Deny { reasons, .. } = decision else { panic!("{decision:?}") };
    assert_eq!(reasons, ["the disk is full (disk-full): free space in the state folder"]);
}

/// Class by class and level by level, for a command that a grant names word by word; Red is asked all the same.
#[test]
fn a_command_that_a_grant_names_runs_unless_it_is_red() {
    const TEXTS: [&str; 5] = ["ls drafts", "mkdir new", "git push origin main", "git push -f origin main", "rm -rf /"];
    let split = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let named =
        Grant { tool: "shell".into(), commands: TEXTS.iter().map(|text| split(text)).collect(), ..Grant::default() };
    for (posture, wants) in [
        (Posture::open(), ["...?!", "...?!", "....!"]),
        (Posture::open().with(Closed::HubAway), [".???!"; 3]),
        (Posture::open().with(Closed::DiskFull), [".----"; 3]),
        (Posture::open().with(Closed::Paused), [".----"; 3]),
        (Posture::open().with(Closed::Stopped), ["-----"; 3]),
    ] {
        for (level, want) in Level::ALL.into_iter().zip(wants) {
            let policy = AgentPolicy { grants: vec![named.clone()], ..agent(level) };
            let calls = TEXTS.iter().zip(Class::ALL).map(|(text, class)| {
                let shell = action("shell", &json!({"command": text}));
                assert_eq!(classify(&shell, &bundle()).class, class, "{text}");
                let decision = decide(&shell, &policy, &bundle(), &posture, NOW);
                let argv = action("shell", &json!({"command": split(text)}));
                assert_eq!(letter(&decide(&argv, &policy, &bundle(), &posture, NOW)), letter(&decision), "{text}");
                letter(&decision)
            });
            assert_eq!(calls.collect::<String>(), want, "{posture:?} {level}");
        }
    }
}

#[test]
fn a_grant_of_a_command_covers_no_other_spelling_place_or_setting() {
    let words = ["git", "push", "origin", "main"].map(str::to_owned).to_vec();
    let named = Grant { tool: "shell".into(), commands: vec![words], ..Grant::default() };
    let policy = AgentPolicy { grants: vec![named.clone()], ..agent(Level::Trusted) };
    let letter_of = |policy: &AgentPolicy, args: serde_json::Value| {
        letter(&decide(&action("shell", &args), policy, &bundle(), &Posture::open(), NOW))
    };
    for args in [
        json!({"command": "git push origin main; ls"}),
        json!({"command": "git push origin main && git push"}),
        json!({"command": "git push origin main | cat"}),
        json!({"command": "git push origin main > log"}),
        json!({"command": "git push origin $B"}),
        json!({"command": "git push origin {main,dev}"}),
        json!({"command": "git push origin main dev"}),
        json!({"command": "git push origin"}),
        json!({"command": "git push main origin"}),
        json!({"command": "/usr/bin/git push origin main"}),
        json!({"command": "A=1 git push origin main"}),
        json!({"command": "env git push origin main"}),
        json!({"command": "git push origin main", "cwd": "elsewhere"}),
        json!({"command": "git push origin main", "env": {"HOME": "/tmp"}}),
        json!({"command": ["git", "push", "origin main"]}),
        json!({"command": "cd x; git push origin main"}),
    ] {
        assert_ne!(letter_of(&policy, args.clone()), '.', "{args}");
    }
    for args in [
        json!({"command": "git push origin main"}),
        json!({"command": "git 'push' \"origin\" main # again"}),
        json!({"command": "git push origin main", "cwd": "/srv/clerk"}),
    ] {
        assert_eq!(letter_of(&policy, args.clone()), '.', "{args}");
    }
    for spent in [
        Grant { uses: Some(0), ..named.clone() },
        Grant { expires: Some(NOW), ..named.clone() },
        Grant { tool: "exec".into(), ..named },
    ] {
        let policy = AgentPolicy { grants: vec![spent], ..agent(Level::Trusted) };
        assert_eq!(letter_of(&policy, json!({"command": "git push origin main"})), '?');
    }
    let wrapper = serde_json::from_value::<Grant>(json!({"tool": "shell", "commands": [["sh", "-c", "ls"]]}));
    assert!(wrapper.unwrap_err().to_string().contains("never a path, a wrapper, a shell"));
}
