//! Jobs and recipes that a program reads from its standard input, and runs.

use super::shell::{Stdin, Walker};
use super::words::{Surroundings as _, Word};
use super::{Code, Note, described};

/// How a program takes what it runs from there.
struct Runner {
    programs: &'static [&'static str],
    /// A word that must be among the arguments.
    order: Option<&'static str>,
    /// Whether it does so where no operand names a file, too.
    unnamed: bool,
    reads: Reads,
}

/// What it reads.
#[derive(Clone, Copy)]
enum Reads {
    /// The description of a job, which names what runs.
    Description,
    /// Lines for a shell behind a tab or blanks.
    Recipes,
    /// A script.
    Script,
    /// Code of another language.
    Code(&'static str),
}

const RUNNERS: &[Runner] = &[
    Runner { programs: &["nomad"], order: Some("run"), unnamed: false, reads: Reads::Description },
    Runner { programs: &["uv", "pipx"], order: Some("run"), unnamed: false, reads: Reads::Code("python") },
    Runner { programs: &["make", "gmake", "bmake", "just"], order: None, unnamed: false, reads: Reads::Recipes },
    Runner { programs: &["sbatch", "qsub", "bsub"], order: None, unnamed: true, reads: Reads::Script },
];

impl Walker<'_> {
    /// Looks at a job that `name` is fed.
    pub(super) fn fed_job(&mut self, name: &str, args: &[Word], stdin: &Stdin) {
        let Some(runner) = RUNNERS.iter().find(|runner| runner.programs.contains(&name)) else { return };
        let dash = args.iter().any(|word| matches!(word.text.as_str(), "-" | "-f-" | "/dev/stdin" | "--file=-"));
        let fed = runner.unnamed && *stdin != Stdin::Nothing && args.iter().all(|word| word.text.starts_with('-'));
        let asked = runner.order.is_none_or(|order| args.iter().any(|word| word.text == order));
        if !(asked && (dash || fed)) {
            return;
        }
        match (stdin, runner.reads) {
            // A file is looked at where it is named as any other.
            (Stdin::File, _) => {}
            (Stdin::Stream | Stdin::Nothing, _) => self.note(Note::PipedCode),
            (Stdin::Known(text), Reads::Description) => {
                self.facts.code.push(Code { language: described::LANGUAGE, text: text.text.clone() });
            }
            (Stdin::Known(text), Reads::Recipes) => self.recipes(&text.text),
            (Stdin::Known(text), Reads::Code(language)) => {
                self.facts.code.push(Code { language, text: text.text.clone() });
            }
            (Stdin::Known(text), Reads::Script) => self.text(text),
        }
    }
}
