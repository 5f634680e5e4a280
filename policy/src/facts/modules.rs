//! `python -m MODULE` is the program of that name, and `mix run -e CODE` is code.

use super::Code;
use super::natures::runs_code;
use super::shell::{Around, Stdin, Walker};
use super::words::Word;

/// Modules whose program has another name.
const NAMES: &[(&str, &str)] =
    &[("awscli", "aws"), ("azure.cli", "az"), ("django", "django-admin"), ("httpie", "http"), ("ipykernel", "ipython")];
/// Modules of the language itself that have the name of somebody's program, and do not start it.
const OWN: &[&str] = &["calendar", "code", "dis", "email", "platform", "test", "this", "token", "trace"];

impl Walker<'_> {
    /// What a module that `python` starts does with its arguments.
    pub(super) fn module(&mut self, args: &[Word], stdin: &Stdin, around: &Around) {
        let Some((module, rest)) = named(args) else { return };
        if module == "timeit" {
            return self.timed(rest);
        }
        let name = NAMES.iter().find(|(of, _)| *of == module).map_or(module, |(_, name)| name);
        if !OWN.contains(&name) && ((self.context.knows)(name) || runs_code(name)) {
            let words = std::iter::once(Word::literal(name)).chain(rest.iter().cloned()).collect();
            self.run(words, stdin, &around.within("python"));
        }
    }

    /// `timeit` takes its code as words.
    fn timed(&mut self, args: &[Word]) {
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let text = word.text.as_str();
            let code = match text {
                "-n" | "-r" | "-u" | "--number" | "--repeat" | "--unit" => {
                    words.next();
                    continue;
                }
                "-s" | "--setup" => words.next().map(|word| word.text.clone()),
                _ => match text.strip_prefix("--setup=").or_else(|| text.strip_prefix("-s")) {
                    Some(code) => Some(code.to_owned()),
                    None if text.starts_with('-') => continue,
                    None => Some(text.to_owned()),
                },
            };
            self.facts.code.extend(code.map(|text| Code { language: "python", text }));
        }
    }

    /// Code in the arguments of programs that are no interpreters by their names.
    pub(super) fn evaluated(&mut self, name: &str, args: &[Word]) {
        let (orders, language): (&[&str], _) = match name.rsplit('/').next() {
            Some("mix") => (&["run", "eval", "rpc"], "other"),
            _ => return,
        };
        let mut words = args.iter().map(|word| word.text.as_str()).skip_while(|word| word.starts_with('-'));
        let Some(order) = words.next().filter(|order| orders.contains(order)) else { return };
        let mut option = "";
        for word in words {
            let (before, value) = match word.split_once('=') {
                Some((option, value)) if word.starts_with("--") => (option, value),
                _ => (std::mem::take(&mut option), word),
            };
            let code =
                matches!(before, "-e" | "--eval") || before.is_empty() && order != "run" && !word.starts_with('-');
            // A file is a script as any other.
            if code && !value.ends_with(".rb") && !value.ends_with(".exs") {
                self.facts.code.push(Code { language, text: value.to_owned() });
            }
            option = if word.starts_with('-') && !word.contains('=') { word } else { "" };
        }
    }
}

/// The module that `-m` names, also behind other letters, and the words behind it.
fn named(args: &[Word]) -> Option<(&str, &[Word])> {
    let mut at = 0;
    while let Some(word) = args.get(at) {
        at += 1;
        let text = word.text.as_str();
        let letters = text.strip_prefix('-').filter(|letters| !letters.is_empty())?;
        if letters.starts_with('-') {
            continue;
        }
        match letters.char_indices().find(|(_, c)| matches!(c, 'm' | 'c' | 'W' | 'X')) {
            Some((i, 'm')) if i + 1 < letters.len() => return Some((&letters[i + 1..], &args[at..])),
            Some((_, 'm')) => return Some((args.get(at)?.known()?, args.get(at + 1..).unwrap_or_default())),
            Some((_, 'c')) => return None,
            // `-W error`
            Some((i, _)) => at += usize::from(i + 1 == letters.len()),
            None => {}
        }
    }
    None
}
