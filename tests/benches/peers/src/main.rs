//! `wardkeep-bench-peers ROUNDS FOLDER…`: cerberust redacts the texts of each folder ROUNDS times and says how much processor time it took.

use cerberust::scanners::SecretScanner;
use cerberust::{ScanCtx, Scanner as _};
use rustix::time::{ClockId, clock_gettime};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let rounds: usize = arguments.next().ok_or("rounds")?.parse()?;
    let scanner = SecretScanner::new();
    for folder in arguments {
        let mut paths = std::fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<_>>>()?;
        paths.sort_unstable();
        let texts = paths.iter().map(std::fs::read_to_string).collect::<Result<Vec<String>, _>>()?;
        let (mut seconds, mut hits) = (Vec::new(), 0);
        for round in 0..=rounds {
            let start = now();
            hits = 0;
            for text in &texts {
                let mut context = ScanCtx::new();
                let verdict = scanner.scan(text, &mut context).map_err(|e| format!("{e:?}"))?;
                hits += context.vault.len();
                std::hint::black_box(&verdict.text);
            }
            if round > 0 {
                seconds.push(now() - start);
            }
        }
        println!("{}", serde_json::json!({"seconds": seconds, "hits": hits}));
    }
    Ok(())
}

fn now() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
