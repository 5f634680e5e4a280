//! Commands in the arguments of programs that a rule names without saying what their arguments are: not every word that is a program's
//! name is one there (`apt install curl git`), but behind `--`, behind an order such as `exec` and behind an option such as `--command`
//! it is what they start.

use super::Starts;
use super::shell::{Around, Stdin, Walker};
use super::words::Word;

/// Orders behind which a command stands; sorted.
const ORDERS: &[&str] = &[
    "cmd",
    "command",
    "console",
    "dlx",
    "exec",
    "execute",
    "invoke",
    "rsh",
    "run",
    "run-command",
    "run-script",
    "shell",
    "spawn",
    "ssh",
    "with",
];
/// Those that open a shell where no command stands behind them; sorted.
const SHELLS: &[&str] = &["console", "enter", "login", "rsh", "shell", "ssh"];
/// Programs whose `run` and `test` start what they build: behind that stand its own arguments. Sorted.
const BUILDERS: &[&str] = &[
    "bazel", "cabal", "cargo", "crystal", "dart", "deno", "dotnet", "dune", "flutter", "gmake", "go", "gradle", "just",
    "make", "mix", "mvn", "nim", "sbt", "swift", "task", "zig",
];
const BUILT: &[&str] = &["run", "test", "bench", "r", "t", "exec"];
/// Parts of long options whose value is a command line.
const LINES: &[&str] = &["exec", "command", "cmd", "run", "shell", "script", "eval", "wrap"];
/// Letters of such options; `-s` is one for some, and a subject for others.
const LETTERS: &[&str] = &["-c", "-C", "-e", "-E", "-x", "-s"];
/// Names of programs that are everyday words of others' orders; sorted.
const EVERYDAY: &[&str] = &[
    "boot", "cancel", "code", "convert", "edit", "enable", "global", "import", "kind", "link", "links", "login",
    "next", "now", "open", "patch", "platform", "port", "render", "reset", "restore", "security", "serve", "shell",
    "start", "sync", "transfer", "trust", "up", "upload", "view", "watch", "write",
];
/// How many words may stand before an order.
const BEFORE: usize = 6;

impl Walker<'_> {
    /// Looks at what `name`, which some rule knows, is told to start.
    pub(super) fn handed(&mut self, name: &str, args: &[Word], stdin: &Stdin, around: &Around) {
        match (self.context.starts)(name) {
            Starts::Nowhere => return,
            Starts::Anywhere => self.known_suffix(name, args, stdin, around),
            Starts::Announced => self.announced(name, args, stdin, around),
        }
        self.reads_shell(args, stdin);
    }

    /// What a program reads that was told to open a shell and not what to run in it.
    pub(super) fn reads_shell(&mut self, args: &[Word], stdin: &Stdin) {
        let opens = |word: &Word| SHELLS.binary_search(&word.text.as_str()).is_ok();
        if let Stdin::Known(text) = stdin
            && args.iter().take(BEFORE).any(opens)
        {
            self.text(text);
        }
    }

    fn announced(&mut self, name: &str, args: &[Word], stdin: &Stdin, around: &Around) {
        let order = args.iter().take(BEFORE).position(|word| is_order(&word.text));
        let dashes = args.iter().position(|word| word.text == "--");
        let first = args.iter().map(|word| word.text.as_str()).find(|text| !text.starts_with(['-', '+']));
        let built = BUILDERS.binary_search(&name).is_ok() && first.is_some_and(|order| BUILT.contains(&order));
        let from = dashes.into_iter().chain(order).min().filter(|_| !built);
        if let Some(from) = from {
            self.known_suffix_but(EVERYDAY, name, &args[from + 1..], stdin, around);
        }
        let ahead = &args[..from.unwrap_or(args.len())];
        let lines: Vec<Word> = lines(ahead).filter(|line| is_line(line)).map(Word::literal).collect();
        if !lines.is_empty() {
            self.known_suffix_but(EVERYDAY, name, &lines, stdin, around);
        }
    }
}

fn is_order(word: &str) -> bool {
    ORDERS.binary_search(&word).is_ok() || word.starts_with("exec-") || word.starts_with("cmd.")
}

/// The values of options that may be a command line.
fn lines(args: &[Word]) -> impl Iterator<Item = &str> {
    args.iter().enumerate().filter_map(|(at, word)| {
        let text = word.text.as_str();
        let (option, value) = match text.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, Some(value)),
            _ if text.starts_with("--") || text.len() <= 2 => (text, args.get(at + 1).map(|next| next.text.as_str())),
            _ => (text.get(..2)?, text.get(2..)),
        };
        let takes =
            LETTERS.contains(&option) || option.starts_with("--") && LINES.iter().any(|part| option.contains(part));
        value.filter(|_| takes)
    })
}

/// Whether a text is a command line rather than a sentence: several words, one of which none has in a sentence.
fn is_line(text: &str) -> bool {
    let signs = |word: &str| word.starts_with('-') || word.contains(['/', '$', '|', ';', '&', '<', '>', '*', '~']);
    text.contains(char::is_whitespace) && text.split_whitespace().any(signs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        for list in [ORDERS, SHELLS, BUILDERS, EVERYDAY] {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
        }
    }
}
