//! What a program of cases is asked for, how each went, and how that is told: `./dev e2e sdk`, `mcp`, `openclaw`, `claude`.

mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
pub use table::{Cell, Table};

/// What it is asked for.
#[derive(Debug, Parser)]
#[command(name = "./dev e2e …")]
pub struct Arguments {
    /// Print the result as one JSON document.
    #[arg(long)]
    json: bool,
    /// Only cases whose name holds this.
    #[arg(long)]
    case: Option<String>,
    /// Keep all logs in this empty folder.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Only what holds one of these words in the name of its client or, where there is one client, of the case.
    words: Vec<String>,
}

impl Arguments {
    /// Whether one of the words stands in `name`.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()))
    }

    /// Whether a case is asked for.
    #[must_use]
    pub fn case(&self, name: &str) -> bool {
        self.case.as_ref().is_none_or(|part| name.contains(part.as_str()))
    }

    /// Puts how one went into `table`, and says so.
    #[expect(clippy::print_stdout, reason = "for people at a terminal")]
    pub fn tell(&self, table: &mut Table, client: &'static str, case: &'static str, begin: Instant, cell: Cell) {
        let seconds = begin.elapsed().as_secs_f32();
        if !self.json {
            println!("{client:<24} {case:<34} {seconds:>5.1} s  {cell}");
        }
        table.add(client, case, seconds, cell);
    }
}

/// Plays it in a folder of its own, and tells what came of it. `note` is the last line for people.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "for people at a terminal")]
pub async fn play(
    what: &str,
    note: &str,
    run: impl AsyncFnOnce(&Arguments, &Path) -> anyhow::Result<Vec<Table>>,
) -> ExitCode {
    let arguments = Arguments::parse();
    let played = async {
        let temporary = tempfile::tempdir()?;
        let folder = arguments.folder.clone().unwrap_or_else(|| temporary.path().to_path_buf());
        std::fs::create_dir_all(&folder)?;
        let tables = run(&arguments, &folder).await?;
        anyhow::ensure!(tables.iter().any(|table| !table.is_empty()), "no such client or case");
        anyhow::Ok(tables)
    };
    match played.await {
        Ok(tables) => {
            if arguments.json {
                println!("{}", table::json(&tables));
            } else {
                println!("{}{note}", tables.iter().map(Table::to_string).collect::<String>());
            }
            if tables.iter().all(|table| table.failed() == 0) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("e2e {what}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
