//! Programs that open a terminal with a shell in it, or do as they are told in one: what only looks at terminals is told from that by
//! its order, and by no other word of the line.

use super::words::Word;

/// The order, or the option that stands for it, only looks at terminals or ends one; seen by rules as an option of that name.
pub(super) const LOOKS: &str = "@looks";

/// How a program is asked to look.
struct Terminal {
    programs: &'static [&'static str],
    /// Letters of options before the order that take a value.
    values: &'static str,
    orders: &'static [&'static str],
    /// Options that are an order where they stand first.
    options: &'static [&'static str],
}

const TERMINALS: &[Terminal] = &[
    Terminal {
        programs: &["tmux", "tmate", "byobu"],
        values: "cfLST",
        orders: &[
            "a",
            "at",
            "attach",
            "attach-session",
            "capture-pane",
            "display",
            "display-message",
            "has",
            "has-session",
            "info",
            "kill-pane",
            "kill-server",
            "kill-session",
            "kill-window",
            "killp",
            "killw",
            "list-clients",
            "list-commands",
            "list-keys",
            "list-panes",
            "list-sessions",
            "list-windows",
            "ls",
            "lsc",
            "lscm",
            "lsk",
            "lsp",
            "lsw",
            "show",
            "show-options",
            "start-server",
        ],
        options: &["-V"],
    },
    Terminal {
        programs: &["screen"],
        values: "",
        orders: &[],
        options: &["-ls", "-list", "--list", "-v", "--version"],
    },
    Terminal {
        programs: &["zellij"],
        values: "",
        orders: &["ls", "list-sessions", "kill-session"],
        options: &["-V", "--version"],
    },
    Terminal { programs: &["asciinema"], values: "", orders: &["play", "cat"], options: &["--version"] },
];
/// Options with which any other only says which it is.
const VERSION: &[&str] = &["-V", "--version"];

/// Whether such a program does no more than to look.
pub(super) fn effects(name: &str, args: &[Word]) -> Vec<&'static str> {
    let looks = TERMINALS.iter().find(|terminal| terminal.programs.contains(&name)).map_or_else(
        || matches!(args, [only] if VERSION.contains(&only.text.as_str())),
        |terminal| terminal.looks(args),
    );
    if looks { vec![LOOKS] } else { Vec::new() }
}

impl Terminal {
    fn looks(&self, args: &[Word]) -> bool {
        let mut words = args.iter().map(|word| word.text.as_str());
        if words.clone().next().is_some_and(|first| self.options.contains(&first)) {
            return true;
        }
        while let Some(word) = words.next() {
            let Some(letters) = word.strip_prefix('-') else { return self.orders.contains(&word) };
            // The value stands behind its letter, or is the next word.
            if letters.find(|c| self.values.contains(c)).is_some_and(|at| at + 1 == letters.len()) {
                words.next();
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_looks_and_no_other_word_does() {
        for (line, want) in [
            ("tmux", false),
            ("tmux new ls", false),
            ("tmux sp ./x ls", false),
            ("tmux -L ls new", false),
            ("tmux -L", false),
            ("tmux -2Ls new ls", false),
            ("tmux -2L new ls", true),
            ("tmux -L a ls", true),
            ("tmux -La ls", true),
            ("tmux a", true),
            ("screen ./x -ls", false),
            ("screen -S ls ./x", false),
            ("screen -ls", true),
            ("zellij run ls", false),
            ("zellij ls", true),
            ("script ls", false),
            ("script -c ./x --version", false),
            ("script --version", true),
        ] {
            let words: Vec<Word> = line.split(' ').skip(1).map(Word::literal).collect();
            let name = line.split(' ').next().unwrap_or_default();
            assert_eq!(effects(name, &words) == [LOOKS], want, "{line}");
        }
    }
}
