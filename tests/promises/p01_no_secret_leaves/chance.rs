//! Attacks that nobody thought of: places, disguises and cuts put together by chance.

use serde_json::Value;
use wardkeep_proto::chance::Chance;
use wardkeep_tests::story::agent::Dialect;
use wardkeep_tests::story::disguise;
use wardkeep_tests::story::seeded::{Seeded, named};

use super::model::{Carrier, MESSAGES};
use super::siege::Siege;

/// How many requests one run sends.
const REQUESTS: usize = 300;
/// The first one of every run; `WARDKEEP_SEED` begins elsewhere.
const SEED: u64 = 20_261_121;

fn below(chance: &Seeded, end: usize) -> usize {
    let mut bytes = [0; 8];
    chance.fill(&mut bytes);
    usize::try_from(u64::from_le_bytes(bytes) % end as u64).expect("smaller than a length")
}

/// Places that encode, and dumps, which stand in columns.
const ENCODING: &[&str] = &["image", "document as base64", "JSON in JSON"];
pub(super) const DUMPS: &[&str] = &["hexdump -C", "xxd", "od -An -tx1"];

type Layout = fn(&str) -> String;

/// How a value is laid out inside the place.
const LAYOUTS: &[(&str, Layout)] = &[
    ("alone", str::to_owned),
    ("in a sentence", |v| format!("Please use {v} for this.")),
    ("as an assignment", |v| format!("export SHOP_KEY={v}\n")),
    ("as JSON", |v| serde_json::json!({"key": v}).to_string()),
    ("as YAML", |v| format!("shop:\n  key: {v}\n")),
    ("in a URL", |v| format!("https://shop.example/?key={v}&x=1")),
    ("after much text", |v| format!("{}{v}", "lorem ipsum dolor ".repeat(60))),
    ("before much text", |v| format!("{v}{}", " sit amet consectetur".repeat(60))),
    ("twice", |v| format!("{v} {v}")),
    ("next to a placeholder", |v| format!("SECRET_REF(shown_token){v}SECRET_REF(pem)")),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_chance_finds_a_way() {
    let first = named("WARDKEEP_SEED").unwrap_or(SEED);
    let mut siege = Siege::lay(Dialect::Anthropic).await;
    let secrets = siege.secrets();
    for number in 0..REQUESTS {
        let seed = first.wrapping_add(number as u64);
        let chance = Seeded::new(seed);
        let (name, value) = &secrets[below(&chance, secrets.len())];
        let Carrier { name: place, fill, .. } = &MESSAGES[below(&chance, MESSAGES.len())];
        let form = &disguise::ALL[below(&chance, disguise::ALL.len())];
        let (layout, lay) = LAYOUTS[below(&chance, LAYOUTS.len())];
        // A place that encodes what it carries gets it plain; an encoding of an encoding is more than was promised.
        let form = if ENCODING.contains(place) { &disguise::ALL[0] } else { form };
        // A dump begins with a line of its own.
        let hidden =
            if DUMPS.contains(&form.name) { format!("\n{}\n", (form.apply)(value)) } else { (form.apply)(value) };
        let body: Value = fill(&lay(&hidden));
        let attack = format!("WARDKEEP_SEED={seed}: {name}, {}, {layout}, {place}", form.name);
        siege.must_see(name, &attack, body.to_string().as_bytes());
        siege.ask(&attack, &[], body.to_string().into_bytes()).await;
    }
    siege.lift().await;
}
