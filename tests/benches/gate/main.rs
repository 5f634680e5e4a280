//! `./dev bench gate`: one decision on a shell command of 200 bytes, two parsers included.
//!
//! Floor, in the same run: the first parser alone on the same text. Design, section 9: p50 below 40 µs, p99 below 200 µs.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use wardkeep_policy::bundle::{Bundle, LlmConfig};
use wardkeep_policy::{Action, AgentPolicy, Level, Posture, decide};
use wardkeep_proto::time::Timestamp;

/// 200 bytes of what agents really run.
const COMMAND: &str = "cd src && grep -rn --include='*.md' 'Stollen' notes drafts | sort -u | head -20 && git log --oneline -5 -- \
                       notes/november.md && wc -l notes/*.md && ls -la drafts archive | awk '{print $5, $9}' ; true";
const ROUNDS: usize = 20_000;

fn main() {
    let agent: AgentPolicy = AgentPolicy {
        name: "office".parse().expect("a name"),
        level: Level::Trusted,
        version: None,
        tools: None,
        models: Vec::new(),
        grants: Vec::new(),
        workspace: "/srv/agents/office".to_owned(),
    };
    let tenant = "01a1fb89-d7a8-7b5d-9dbb-8af03cd77059".parse().expect("an id");
    let bundle = Bundle::default_for(tenant, vec![agent.clone()], LlmConfig::default(), Timestamp(0));
    let args = serde_json::json!({"command": COMMAND});
    let session = "s".parse().expect("a session");
    let action = Action::parse(agent.name.clone(), session, "shell", &args, None).expect("an action");
    println!("command: {} bytes; {ROUNDS} rounds each, alternating", COMMAND.len());

    let (mut ours, mut floor) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    for round in 0..ROUNDS + 1_000 {
        let took = time(|| drop(black_box(decide(&action, &agent, &bundle, &Posture::open(), Timestamp(1)))));
        let parsed = time(|| {
            black_box(parse(COMMAND));
        });
        // The first thousand warm caches and branch predictors.
        if round >= 1_000 {
            ours.push(took);
            floor.push(parsed);
        }
    }
    let (ours, floor) = (quantiles(ours), quantiles(floor));
    println!("decide()           p50 {:>8.1?}  p99 {:>8.1?}", ours.0, ours.1);
    println!("brush-parser alone p50 {:>8.1?}  p99 {:>8.1?}", floor.0, floor.1);
    println!("ratio p50 {:.2}", ours.0.as_secs_f64() / floor.0.as_secs_f64());
}

fn parse(text: &str) -> bool {
    brush_parser::Parser::new(text.as_bytes(), &brush_parser::ParserOptions::default()).parse_program().is_ok()
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn quantiles(mut all: Vec<Duration>) -> (Duration, Duration) {
    all.sort_unstable();
    (all[all.len() / 2], all[all.len() * 99 / 100])
}
