//! Orders of frameworks that evaluate code, in an argument or in what they are fed, and open a console where there is none.

use super::paths::last_part;
use super::shell::{Stdin, Walker};
use super::words::{Surroundings as _, Word};
use super::{Code, Note};

/// An order that evaluates code.
struct Console {
    /// Programs, or the scripts that are their own.
    programs: &'static [&'static str],
    orders: &'static [&'static str],
    /// Options with code; empty where an operand is the code.
    options: &'static [&'static str],
    language: &'static str,
}

const CONSOLES: &[Console] = &[
    Console { programs: &["rails"], orders: &["runner", "r"], options: &[], language: "ruby" },
    Console { programs: &["rails"], orders: &["console", "c"], options: &["-x"], language: "ruby" },
    Console { programs: &["artisan", "sail"], orders: &["tinker"], options: &["--execute"], language: "php" },
    Console { programs: &["drush"], orders: &["eval", "ev", "php:eval", "php-eval"], options: &[], language: "php" },
    Console { programs: &["drush"], orders: &["php", "php:cli", "core:cli"], options: &["-x"], language: "php" },
    Console { programs: &["wp"], orders: &["eval"], options: &[], language: "php" },
    Console { programs: &["wp"], orders: &["shell"], options: &["-x"], language: "php" },
    Console {
        programs: &["manage.py", "django-admin"],
        orders: &["shell", "shell_plus"],
        options: &["-c", "--command"],
        language: "python",
    },
    Console { programs: &["flask"], orders: &["shell"], options: &["-x"], language: "python" },
];

/// Words that may stand before the order: `sail artisan tinker`.
const BEFORE: &[&str] = &["artisan", "php"];

impl Walker<'_> {
    /// Looks for an order that evaluates code among the arguments of a program, or of the script that an interpreter runs.
    pub(super) fn console(&mut self, name: &str, args: &[Word], stdin: &Stdin) {
        let name = last_part(name);
        let mut consoles = CONSOLES.iter().filter(|console| console.programs.contains(&name)).peekable();
        if consoles.peek().is_none() {
            return;
        }
        let order = args.iter().position(|word| !word.text.starts_with(['-', '+']) && !BEFORE.contains(&&*word.text));
        let Some(order) = order else { return };
        if let Some(console) = consoles.find(|console| console.orders.contains(&&*args[order].text)) {
            self.evaluates_in(console, &args[order + 1..], stdin);
        }
    }

    /// The same where an interpreter runs the script of a framework: `php artisan tinker`.
    pub(super) fn console_of_script(&mut self, args: &[Word], stdin: &Stdin) {
        let own = |word: &Word| CONSOLES.iter().any(|console| console.programs.contains(&last_part(&word.text)));
        let script = args.iter().position(own);
        if let Some(at) = script {
            self.console(&args[at].text, &args[at + 1..], stdin);
        }
    }

    fn evaluates_in(&mut self, console: &Console, args: &[Word], stdin: &Stdin) {
        let (mut found, mut at) = (false, 0);
        let mut add = |text: &str| {
            found = true;
            // A file is a script as any other.
            let file = [".rb", ".php", ".py"].iter().any(|end| text.ends_with(end)) && !text.contains(['(', ' ']);
            (!file).then(|| Code { language: console.language, text: text.to_owned() })
        };
        let mut codes = Vec::new();
        while let Some(word) = args.get(at) {
            let text = word.text.as_str();
            at += 1;
            let (option, value) = match text.split_once('=') {
                Some((option, value)) if option.starts_with('-') => (option, Some(value)),
                _ => (text, None),
            };
            if console.options.contains(&option) {
                codes.extend(value.or_else(|| args.get(at).map(|next| &*next.text)).and_then(&mut add));
                at += usize::from(value.is_none());
            } else if let Some(code) = console.options.iter().find_map(|short| text.strip_prefix(short)) {
                codes.extend(add(code));
            } else if option.starts_with('-') && text != "-" {
                // `-e production`: what follows may be its value, or the code.
                if value.is_none() && !option.starts_with("--") && console.options.is_empty() && args.len() > at + 1 {
                    at += 1;
                }
            } else if console.options.is_empty() && text != "-" {
                codes.extend(add(text));
            }
        }
        self.facts.code.extend(codes);
        match stdin {
            _ if found => {}
            Stdin::Known(text) => {
                self.facts.code.push(Code { language: console.language, text: text.text.clone() });
            }
            Stdin::Stream | Stdin::File => self.note(Note::PipedCode),
            Stdin::Nothing => self.note(Note::BareShell),
        }
    }
}
