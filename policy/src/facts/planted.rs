//! Files that a text writes and then runs or hands to a program: what stands in them counts as if it stood in the text.

use super::interpret::file_name;
use super::natures::{Nature, is_shell};
use super::paths::{Access, PathUse};
use super::shell::{Stdin, Walker};
use super::words::{Surroundings as _, Word};
use super::{Code, Command, Note, described};

/// A file that the text writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    /// Its path, relative to the call's folder or absolute.
    pub path: String,
    /// What is written, as far as that is plain to see.
    pub content: Option<String>,
}

/// A file that the text writes and then names to a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fed {
    /// Which of the commands gets it.
    pub command: usize,
    /// What stands in it.
    pub content: String,
}

/// How often what was written may write and run again.
const MAX_ROUNDS: usize = 4;

impl Walker<'_> {
    /// The redirections from `from` on send `printed` into files.
    pub(super) fn plants(&mut self, from: usize, printed: &Stdin) {
        let written: Vec<PathUse> =
            self.facts.redirects[from..].iter().filter(|r| r.access == Access::Write).cloned().collect();
        written.iter().for_each(|path| self.plant(path, printed));
    }

    /// What `tee` and those who fetch write.
    pub(super) fn writes(&mut self, name: &str, args: &[Word], stdin: &Stdin) {
        let mut add = |path: &Word, content: &Stdin| {
            self.plant(&PathUse { access: Access::Write, path: path.clone(), cwd: self.cwd.clone() }, content);
        };
        match name {
            "tee" | "sponge" => {
                args.iter().filter(|a| !a.text.starts_with('-')).for_each(|path| add(path, stdin));
            }
            "curl" | "wget" | "wget2" | "aria2c" | "axel" | "http" | "xh" | "fetch" | "openssl" | "gpg" | "xxd" => {
                let names = ["-o", "-O", "-out", "--output", "--output-document"];
                for (at, word) in args.iter().enumerate() {
                    let attached = word.text.strip_prefix("--output=").or_else(|| word.text.strip_prefix("-o"));
                    if names.contains(&word.text.as_str()) {
                        args.get(at + 1).iter().for_each(|path| add(path, &Stdin::Stream));
                    } else if let Some(path) = attached.filter(|path| !path.is_empty()) {
                        add(&Word::literal(path), &Stdin::Stream);
                    }
                    // Without `-o` the last part of the address is the name.
                    if let Some((_, rest)) = word.text.split_once("://")
                        && let Some((_, last)) = rest.rsplit_once('/')
                        && !last.is_empty()
                    {
                        add(&Word::literal(last), &Stdin::Stream);
                    }
                }
            }
            _ => {}
        }
    }

    fn plant(&mut self, file: &PathUse, content: &Stdin) {
        if file.path.known().is_none() || file.path.text.starts_with("/dev/") {
            return;
        }
        let content = match content {
            Stdin::Known(text) => Some(text.text.clone()),
            Stdin::Nothing => return,
            Stdin::Stream | Stdin::File => None,
        };
        self.facts.planted.push(Planted { path: file.resolve("").text, content });
    }

    /// Looks at what was written and is run.
    pub(super) fn reap(&mut self) {
        let (mut files, mut commands) = (0, 0);
        for _ in 0..MAX_ROUNDS {
            let (to_files, to_commands) = (self.facts.planted.len(), self.facts.commands.len());
            if (to_files, to_commands) == (files, commands) || to_files == 0 {
                return;
            }
            for file in 0..to_files {
                for command in 0..to_commands {
                    if file >= files || command >= commands {
                        self.meets(file, command);
                    }
                }
            }
            (files, commands) = (to_files, to_commands);
        }
        self.note(Note::OverCap);
    }

    fn meets(&mut self, file: usize, at: usize) {
        let (Planted { path, content }, command) = (self.facts.planted[file].clone(), &self.facts.commands[at]);
        let seen = |text: &str| {
            PathUse { access: Access::Read, path: Word::literal(text), cwd: command.cwd.clone() }.resolve("").text
                == path
        };
        let name = command.program.clone();
        let runs = seen(&name) && name.contains('/');
        let script = command.args.iter().position(|arg| !arg.text.starts_with('-')).map(|at| &command.args[at]);
        let is_script = script.is_some_and(|script| seen(&script.text));
        if runs || (is_script && (is_shell(&name) || matches!(name.as_str(), "source" | "."))) {
            match content {
                Some(text) => self.script(&text, true),
                None => self.note(Note::PipedCode),
            }
        } else if let Some(language) = Nature::of(&name).language() {
            let follows = command.args.windows(2).any(|pair| pair[0].text.starts_with('-') && seen(&pair[1].text));
            match content {
                Some(text) if is_script || follows => self.facts.code.push(Code { language, text }),
                None if is_script && !matches!(language, "sql" | "mongo") => self.note(Note::PipedCode),
                _ => {}
            }
        } else if matches!(name.as_str(), "make" | "gmake") {
            let usual = ["makefile", "gnumakefile"].iter().any(|usual| path.to_lowercase().ends_with(usual));
            if let Some(text) = content.filter(|_| usual || command.args.iter().any(|arg| names(&arg.text, &seen))) {
                self.recipes(&text);
            }
        } else if name == "chmod" && command.args.iter().any(|arg| seen(&arg.text)) {
            if let Some(text) = content {
                self.script(&text, false);
            }
        } else if let Some(content) = content
            && (command.args.iter().any(|arg| names(&arg.text, &seen)) || described::finds(&name, &command.args, &path))
            && !writes_it(command)
        {
            self.facts.fed.push(Fed { command: at, content });
        }
    }

    /// Reads a script by its first line.
    fn script(&mut self, text: &str, runs: bool) {
        let Some(line) = text.strip_prefix("#!").map(|rest| rest.lines().next().unwrap_or_default()) else {
            self.code(text);
            return;
        };
        let mut words = line.split_whitespace().map(file_name).filter(|w| !w.starts_with('-') && *w != "env");
        let name = words.next().unwrap_or_default();
        if is_shell(name) {
            self.code(text);
        } else if let Some(language) = Nature::of(name).language().filter(|_| runs) {
            self.facts.code.push(Code { language, text: text.to_owned() });
        }
    }
}

/// Whether an argument names the file: alone, behind `=`, `@`, `:` or the letter of an option.
fn names(arg: &str, seen: &dyn Fn(&str) -> bool) -> bool {
    let behind = |mark: char| arg.split_once(mark).is_some_and(|(_, rest)| seen(rest));
    let attached = arg.len() > 2 && arg.starts_with('-') && arg.is_char_boundary(2) && seen(&arg[2..]);
    seen(arg) || behind('=') || behind('@') || behind(':') || attached
}

fn writes_it(command: &Command) -> bool {
    matches!(command.program.as_str(), "tee" | "touch" | "rm" | "mkdir" | "chown" | "curl" | "wget" | "cp" | "mv")
}
