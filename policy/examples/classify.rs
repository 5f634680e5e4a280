//! Classifies JSON lines from standard input by the shipped rules: `{"id","tool","command"|"args"}` in, `{"id","class","rules"}` out.
//!
//! `cargo run --release -p wardkeep-policy --example classify < cases.jsonl`

use std::io::{BufRead as _, Write as _};

fn main() -> std::io::Result<()> {
    let bundle = wardkeep_policy::Bundle::strict();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let answer = wardkeep_policy::jsonl::classify_line(&line?, &bundle).map_err(std::io::Error::other)?;
        serde_json::to_writer(&mut out, &answer)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
