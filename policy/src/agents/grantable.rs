//! The grants that a person could give together with an approval.

use wardkeep_proto::time::Timestamp;

use super::{Grant, exact};
use crate::action::{Action, Call};
use crate::bundle::Bundle;
use crate::decide::{Decision, decide};
use crate::facts::http::Target;
use crate::posture::Posture;

/// Each of them alone would let this very call pass at `now`; without count and end. None where the policy lets nobody grant, and
/// none for what is Red or takes a passkey, since no grant covers that. The narrowest first.
#[must_use]
pub fn grantable(action: &Action, bundle: &Bundle, now: Timestamp) -> Vec<Grant> {
    let Some(agent) = bundle.agent(&action.agent).filter(|_| !bundle.granting.is_nothing()) else { return Vec::new() };
    let mut agent = agent;
    let mut with = |grants: Vec<Grant>| {
        agent.grants = grants;
        matches!(decide(action, &agent, bundle, &Posture::open(), now), Decision::Allow { .. })
    };
    if with(Vec::new()) {
        return Vec::new();
    }
    let mut fitting = candidates(action, bundle.granting.domains);
    fitting.retain(|grant| with(vec![grant.clone()]));
    fitting
}

fn candidates(action: &Action, domains: bool) -> Vec<Grant> {
    let of = |recipients, hosts, commands| Grant {
        tool: action.tool.clone(),
        recipients,
        hosts,
        commands,
        uses: None,
        expires: None,
    };
    let to_people = |to: &[String]| {
        let mut found = vec![of(sorted(to.to_vec()), Vec::new(), Vec::new())];
        let everybody = |address: &String| Some(format!("*@{}", address.rsplit_once('@')?.1.to_ascii_lowercase()));
        if domains && let Some(all) = to.iter().map(everybody).collect::<Option<Vec<_>>>() {
            found.push(of(sorted(all), Vec::new(), Vec::new()));
        }
        found
    };
    let to_host = |url: &str| {
        let host = Target::parse(url).map(|target| target.host);
        host.map_or_else(|_| Vec::new(), |host| vec![of(Vec::new(), vec![host], Vec::new())])
    };
    match &action.call {
        Call::Message { to, .. } | Call::Adapter { to: Some(to), .. } => to_people(to),
        Call::Http { url, .. } => to_host(url),
        Call::Adapter { to: None, request, .. } => to_host(&request.url),
        call @ (Call::Shell { .. } | Call::Exec { .. }) => {
            exact::words(call).map_or_else(Vec::new, |words| vec![of(Vec::new(), Vec::new(), vec![words])])
        }
        _ => Vec::new(),
    }
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort_unstable();
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::agents::AgentPolicy;
    use crate::bundle::Granting;
    use crate::class::Level;

    const TENANT: &str = "0198f000-0000-7000-8000-000000000001";

    fn bundle(level: Level, granting: Granting) -> Bundle {
        let agent = AgentPolicy {
            name: "office".parse().expect("a name"),
            level,
            version: None,
            tools: None,
            models: Vec::new(),
            grants: Vec::new(),
            subagents: crate::agents::Subagents::default(),
            workspace: "/srv/office".to_owned(),
        };
        let tenant = TENANT.parse().expect("a UUID");
        Bundle { granting, ..Bundle::default_for(tenant, vec![agent], Default::default(), Timestamp(0)) }
    }

    fn offered(bundle: &Bundle, tool: &str, args: serde_json::Value) -> Vec<Vec<String>> {
        let (agent, session) = ("office".parse().expect("a name"), "s".parse().expect("an id"));
        let action = Action::parse(agent, session, tool, &args, None).expect("a call");
        let all = |grant: Grant| [grant.recipients, grant.hosts, grant.commands.concat()].concat();
        grantable(&action, bundle, Timestamp(5)).into_iter().map(all).collect()
    }

    #[test]
    fn only_what_would_let_this_very_call_pass_is_offered() {
        let some = Granting { hours: 8, uses: 20, domains: true };
        let trusted = bundle(Level::Trusted, some);
        let shell = |command: &str| ("shell", json!({ "command": command }));
        let mail = |to: &[&str]| ("send_email", json!({"to": to, "subject": "s", "body": "b"}));
        // Never: Red, Critical Red, words that are not known before, wrappers, interpreters, redirections, addresses in disguise.
        for (tool, args) in [
            shell("rm -rf old"),
            shell("ufw disable"),
            shell("git push -f origin main"),
            shell("git push origin $BRANCH"),
            shell("git push origin main && ls"),
            shell("sudo git push origin main"),
            shell("python3 report.py"),
            shell("bash job.sh"),
            shell("git push origin main > log"),
            ("shell", json!({"command": "git push origin main", "env": {"GIT_DIR": "x"}})),
            mail(&["x <eve@evil.example>"]),
            mail(&["a@ok.example, eve@evil.example"]),
            ("frobnicate", json!({"to": "a@ok.example"})),
        ] {
            assert_eq!(offered(&trusted, tool, args.clone()), Vec::<Vec<String>>::new(), "{tool} {args}");
        }
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (tool, args, want) in [
            (shell("git push origin main").0, shell("git push origin main").1, vec!["git push origin main"]),
            (
                "send_email",
                json!({"to": ["b@shop.example", "a@Shop.example"], "subject": "s", "body": "b"}),
                vec!["a@Shop.example b@shop.example", "*@shop.example"],
            ),
            (
                "http_request",
                json!({"method": "POST", "url": "https://api.example/x", "body": "b"}),
                vec!["api.example"],
            ),
        ] {
            let want: Vec<_> = want.into_iter().map(words).collect();
            assert_eq!(offered(&trusted, tool, args.clone()), want, "{tool} {args}");
        }
    }

    #[test]
    fn the_policy_says_who_may_grant_what() {
        let mail = || json!({"to": ["a@shop.example"], "subject": "s", "body": "b"});
        let push = || json!({"command": "git push origin main"});
        let some = Granting { hours: 8, uses: 20, domains: false };
        for nothing in [Granting::default(), Granting { hours: 0, ..some }, Granting { uses: 0, ..some }] {
            let none = bundle(Level::Trusted, nothing);
            assert!(offered(&none, "send_email", mail()).is_empty() && offered(&none, "shell", push()).is_empty());
        }
        assert_eq!(offered(&bundle(Level::Trusted, some), "send_email", mail()).len(), 1, "no domains");
        // Who is asked about every change is asked about every message, whatever a grant says.
        let supervised = bundle(Level::Supervised, some);
        assert!(offered(&supervised, "send_email", mail()).is_empty());
        assert_eq!(offered(&supervised, "shell", push()).len(), 1, "exactly these words");
        for command in ["python3 report.py", "bash job.sh", "npm publish", "./job.sh"] {
            assert!(offered(&supervised, "shell", json!({ "command": command })).is_empty(), "{command}");
        }
        for (hours, uses, good) in [(168, 1000, true), (169, 1, false), (1, 1001, false), (0, 0, true)] {
            assert_eq!(Granting { hours, uses, domains: false }.check().is_ok(), good, "{hours} {uses}");
        }
    }
}
