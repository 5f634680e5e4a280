//! One day of an agent that tries to tell what it must not, each way numbered: every byte that leaves is searched.

mod proxied;
mod scenes;
mod ways;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::json;
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::capture::{Capture, Channel};
use wardkeep_tests::story::disguise::{self, Disguise};

use self::ways::{By, Scene, WAYS, Way};
use super::chance::DUMPS;
use super::gate::{ATTACKS, send};
use super::model::{MESSAGES, Reach, user};
use super::siege::{HARMLESS, Siege, heard};
use super::tools::{PROGRAMS, is_there, plant};
use super::wire::{HEADS, RAWS};
use crate::force;

/// The least number of ways that the promise speaks of.
const AT_LEAST: usize = 50;
/// Values that every way is tried with: a token, one of signs that each form escapes, and letters beyond ASCII.
const TRIED: [&str; 3] = ["shown_token", "signs", "foreign"];

/// One line of the table in the end.
struct Line {
    way: &'static Way,
    /// How many bytes went where the way leads while it was tried.
    bytes: usize,
    /// A harmless text that the hub must have been told.
    told: Option<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_tries_for_a_day_and_nothing_leaves() {
    let names: BTreeSet<&str> = WAYS.iter().map(|way| way.name).collect();
    assert!(WAYS.len() >= AT_LEAST && names.len() == WAYS.len(), "{} ways, {} names", WAYS.len(), names.len());
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let mut files = siege.secrets();
    files.insert(0, ("harmless", HARMLESS.to_owned()));
    plant(&siege.stage.tenant.workspace(), &files);
    // Every form is somewhere, and no two ways that follow each other have the same one.
    let mut forms = disguise::ALL.iter().cycle();
    assert!(WAYS.iter().filter(|way| way.disguised).count() >= disguise::ALL.len(), "some form is never tried");
    proxied::open(&siege, "").await;
    let mut lines = Vec::new();
    for (number, way) in WAYS.iter().enumerate() {
        let form = if way.disguised { forms.next() } else { None };
        lines.push(try_one(&mut siege, number, way, form).await);
    }
    siege.wait_for_the_hub().await;
    for line in &mut lines {
        line.bytes += line.told.as_ref().map_or(0, |text| siege.told(text));
    }
    let mut table = String::new();
    for (number, Line { way, bytes, .. }) in lines.iter().enumerate() {
        writeln!(table, "{:3}  {:9}  {bytes:8}  {}", number + 1, format!("{:?}", way.over), way.name).expect("memory");
    }
    print!("{table}");
    let silent: Vec<&str> = lines.iter().filter(|line| line.bytes == 0).map(|line| line.way.name).collect();
    assert_eq!(silent, [""; 0], "these were not tried\n{table}");
    siege.lift().await;
}

/// Every way is tried with a harmless text, with some values as they are, and with one value in a form of its own.
async fn try_one(siege: &mut Siege, number: usize, way: &'static Way, form: Option<&Disguise>) -> Line {
    let harmless = format!("velvet-lantern-{number:03}-in-the-quiet-orchard");
    let mut tries = vec![("harmless".to_owned(), harmless.clone())];
    let secrets = siege.secrets();
    let value = |name: &str| secrets.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone());
    tries.extend(TRIED.iter().map(|name| ((*name).to_owned(), value(name).expect("kept"))));
    if let Some(form) = form {
        let hidden = (form.apply)(&value("shown_token").expect("kept"));
        // A dump begins with a line of its own.
        let hidden = if DUMPS.contains(&form.name) { format!("\n{hidden}\n") } else { hidden };
        tries.push((form.name.to_owned(), hidden));
    }
    let mut line = Line { way, bytes: 0, told: None };
    if let By::Scene(scene) = way.by {
        line.bytes = play(siege, number, scene).await;
        siege.listen(way.name);
        return line;
    }
    for (turn, (what, text)) in tries.iter().enumerate() {
        let attack = format!("{}. {}, {what}", number + 1, way.name);
        let id = format!("w{number}-{turn}");
        if let By::Tool(name) = way.by {
            line.bytes += proxied::try_one(siege, name, &attack, text, turn == 0).await;
            continue;
        }
        let shows = speak(siege, way.by, &id, text).await;
        let news = siege.listen(&attack);
        line.bytes += way.over.channel().map_or(0, |channel| went(&news, channel));
        if turn > 0 {
            continue;
        }
        match shows {
            Some(Channel::Link) => {
                siege.must_reach_the_hub(way.name, text);
                line.told = Some(text.clone());
            }
            Some(channel) => {
                let text = if matches!(way.by, By::Program(_)) { HARMLESS } else { text };
                assert!(heard(&news, text).contains(&channel), "{attack}: nothing got through");
            }
            None => {}
        }
    }
    line
}

async fn play(siege: &mut Siege, number: usize, scene: Scene) -> usize {
    scene(siege, format!("scene{number}")).await
}

/// Says `text` in one way; answers where it must have been heard when it is harmless.
async fn speak(siege: &mut Siege, by: By, id: &str, text: &str) -> Option<Channel> {
    match by {
        By::Place(name) => {
            let place = MESSAGES.iter().find(|place| place.name == name).expect("a place");
            let body = (place.fill)(text).to_string().into_bytes();
            siege.hooks.ask_llm("/v1/messages", &[], body).await.expect("the gateway answers");
            (place.reach == Reach::Provider).then_some(Channel::Provider)
        }
        By::Head(name) => {
            let head = HEADS.iter().find(|head| head.name == name).expect("a head");
            let target = format!("/v1/messages{}", (head.query)(text));
            let body = user(json!("hello")).to_string().into_bytes();
            siege.hooks.ask_llm(&target, &(head.headers)(text), body).await.expect("the gateway answers");
            head.passes.then_some(Channel::Provider)
        }
        By::Raw(name) => {
            let (_, raw) = RAWS.iter().find(|(other, _)| *other == name).expect("a request");
            let (head, body) = raw(text);
            siege.hooks.raw_llm(&head, &body).await.expect("a connection");
            None
        }
        By::Hook(name) => {
            let attack = ATTACKS.iter().find(|attack| attack.name == name).expect("an attack");
            send(siege, (attack.how)(id, text)).await;
            attack.shows
        }
        By::Program(command) => {
            let program = PROGRAMS.iter().find(|program| program.command == command).expect("a program");
            assert!(is_there(program.needs), "{} is on every machine", program.needs);
            // Of each try the file that holds it; what the disguised one says is in a form of the program's own.
            let turn: usize = id.rsplit('-').next().and_then(|turn| turn.parse().ok()).expect("a number");
            let file = if turn == 0 { "harmless" } else { TRIED[(turn - 1) % TRIED.len()] };
            let command = command.replace("{f}", &format!("treasure/{file}")).replace("{n}", file);
            force(&siege.stage, &siege.hooks, id, "shell", json!({ "command": command })).await;
            program.shows.then_some(Channel::Agent)
        }
        By::Scene(_) | By::Tool(_) => unreachable!("they speak for themselves"),
    }
}

/// How many bytes went one way.
fn went(news: &[Capture], channel: Channel) -> usize {
    news.iter().filter(|capture| capture.channel == channel).map(|capture| capture.bytes.len()).sum()
}
