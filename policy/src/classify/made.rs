//! What a command does with files that no table of the rules describes: archives that it packs, and whether its words say that it
//! changes what it is given or only looks at it.

use super::Judge;
use crate::facts::paths::{Access, last_part};
use crate::facts::{Command, Word};

/// What the words of a command say of the files among them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// It only looks.
    Looks,
    /// Nothing.
    Unsaid,
    /// It changes them where they lie.
    Changes,
}

/// Programs that change what they are given unless an option says that they shall only look; sorted.
const CHANGERS: &[&str] = &[
    "black", "convert", "ffmpeg", "isort", "magick", "mogrify", "objcopy", "patchelf", "rename", "rustfmt", "sd",
    "strip", "stylua",
];
/// Of these the last file alone.
const CONVERTERS: &[&str] = &["convert", "ffmpeg", "magick", "objcopy"];
/// Options, also as the beginning of longer ones, by which others do.
const CHANGING: &[&str] = &[
    "--in-place",
    "--inplace",
    "--write",
    "--fix",
    "--overwrite",
    "--apply",
    "--autocorrect",
    "--auto-correct",
    "--edit",
];
/// Letters by which some do; sorted by program.
const LETTERS: &[(&str, &str)] = &[
    ("autoflake", "-i"),
    ("autopep8", "-i"),
    ("clang-format", "-i"),
    ("codespell", "-w"),
    ("crudini", "--set"),
    ("gofmt", "-w"),
    ("gofumpt", "-w"),
    ("goimports", "-w"),
    ("jaq", "-i"),
    ("perltidy", "-b"),
    ("prettier", "-w"),
    ("rubocop", "-a"),
    ("rubocop", "-A"),
    ("shfmt", "-w"),
    ("tidy", "-m"),
    ("xmlstarlet", "-L"),
    ("yapf", "-i"),
];
/// Orders by which programs change and by which they look.
const ORDERS: &[&str] =
    &["put", "set", "edit", "delete", "insert", "replace", "update", "format", "fmt", "fix", "write", "ed", "del"];
const LOOKS: &[&str] = &[
    "audit", "cat", "check", "describe", "diff", "eval", "explain", "get", "info", "inspect", "lint", "list", "parse",
    "print", "query", "read", "scan", "select", "show", "stat", "status", "test", "validate", "verify", "view",
];
/// Parts of the names of programs that only look, and options with which all do.
const LOOKERS: &[&str] = &["lint", "check", "valid", "diff", "scan", "view", "show", "hash", "sum"];
const LOOKING: &[&str] = &[
    "--check",
    "--check-only",
    "--dry-run",
    "--diff",
    "--preview",
    "--lint",
    "--validate",
    "--list",
    "--list-different",
    "--get",
    "--version",
];

/// Programs of which [`Judge::packs`] says what they write.
const ARCHIVERS: &[&str] = &[
    "tar",
    "gtar",
    "bsdtar",
    "star",
    "jar",
    "ar",
    "gar",
    "llvm-ar",
    "cpio",
    "gcpio",
    "bsdcpio",
    "pax",
    "rar",
    "lha",
    "arj",
    "zoo",
    "mksquashfs",
];

/// What the words of a command say that it does with the files among them.
pub(super) fn doing(command: &Command) -> Doing {
    let name = last_part(&command.program);
    let mut options = command.args.iter().map(|word| word.text.as_str()).filter(|text| text.starts_with('-'));
    if ARCHIVERS.contains(&name) || options.clone().any(|option| LOOKING.contains(&option)) {
        return Doing::Looks;
    }
    let letter = |option: &str| LETTERS.iter().any(|(program, letter)| *program == name && *letter == option);
    let order = command.args.iter().map(|word| word.text.as_str()).find(|text| !text.starts_with('-')).unwrap_or("");
    let changes = CHANGERS.binary_search(&name).is_ok() || ORDERS.contains(&order);
    if changes || options.any(|option| letter(option) || CHANGING.iter().any(|start| option.starts_with(start))) {
        Doing::Changes
    } else if LOOKS.contains(&order) || LOOKERS.iter().any(|part| name.contains(part)) {
        Doing::Looks
    } else {
        Doing::Unsaid
    }
}

/// Whether that program makes the last of the files that it is given out of the others.
pub(super) fn converts(program: &str) -> bool {
    CONVERTERS.contains(&program)
}

impl Judge<'_> {
    /// The archives that a command packs, wherever in its words they stand.
    pub(super) fn packs(&mut self, command: &Command) {
        let name = last_part(&command.program);
        let files = match name {
            "tar" | "gtar" | "bsdtar" | "star" => lettered(&command.args, "fbCTXIKNHVgLFs"),
            "jar" => lettered(&command.args, "fmeC"),
            "ar" | "gar" | "llvm-ar" => library(&command.args),
            "cpio" | "gcpio" | "bsdcpio" | "pax" => copied(name, &command.args),
            "rar" | "lha" | "arj" | "zoo" => added(&command.args),
            "mksquashfs" => {
                command.args.iter().filter(|word| !word.text.starts_with('-')).skip(1).take(1).cloned().collect()
            }
            _ => return,
        };
        for file in files {
            self.path(Access::Write, &file, command.cwd.as_deref());
        }
    }
}

/// The archive of `tar` and its like, which take their letters without a dash, too. `valued`: letters with a value.
fn lettered(args: &[Word], valued: &str) -> Vec<Word> {
    const LONG: &[&str] = &["--create", "--append", "--update", "--catenate", "--concatenate", "--delete"];
    const NOTES: &[&str] = &["--listed-incremental", "--index-file", "--volno-file"];
    let (mut packs, mut files, mut notes, mut at) = (false, Vec::new(), Vec::new(), 0);
    while let Some(word) = args.get(at) {
        let text = word.text.as_str();
        at += 1;
        if text.starts_with("--") {
            let (option, value) = text.split_once('=').map_or((text, None), |(option, value)| (option, Some(value)));
            let is = |whole: &&str| option.len() > 3 && whole.starts_with(option);
            packs |= LONG.iter().any(is);
            let file = is(&"--file");
            if file || NOTES.iter().any(is) {
                let named = value.map(|value| part(word, value)).or_else(|| args.get(at).cloned());
                at += usize::from(value.is_none());
                if file { &mut files } else { &mut notes }.extend(named);
            }
            continue;
        }
        let dashed = text.starts_with('-') && text.len() > 1;
        if !dashed && at > 1 {
            continue;
        }
        for (place, letter) in text.char_indices().skip(usize::from(dashed)) {
            packs |= matches!(letter, 'c' | 'r' | 'u' | 'A');
            if !valued.contains(letter) {
                continue;
            }
            // Behind a dash the rest of the word is the value; without one the values follow in the order of the letters.
            let rest = &text[place + letter.len_utf8()..];
            let attached = (dashed && !rest.is_empty()).then(|| part(word, rest));
            let value = attached.clone().or_else(|| args.get(at).cloned());
            at += usize::from(attached.is_none());
            match letter {
                'f' => files.extend(value),
                'g' => notes.extend(value),
                _ => {}
            }
            if dashed {
                break;
            }
        }
    }
    if packs {
        notes.extend(files);
    }
    notes
}

/// The library that `ar` makes or changes: behind its letters, and behind the names that some of them take.
fn library(args: &[Word]) -> Vec<Word> {
    let mut words = args.iter();
    let Some(letters) = words.find(|word| !word.text.starts_with("--")) else { return Vec::new() };
    let letters = letters.text.trim_start_matches('-');
    if !letters.contains(['d', 'm', 'q', 'r', 's']) || letters.starts_with(['t', 'p', 'x']) {
        return Vec::new();
    }
    let before = usize::from(letters.contains(['a', 'b', 'i'])) + usize::from(letters.contains('N'));
    words.filter(|word| !word.text.starts_with("--")).skip(before).take(1).cloned().collect()
}

/// What `cpio` and `pax` write: the archive where they pack, what they are told to take out, and the folder that they copy to.
fn copied(name: &str, args: &[Word]) -> Vec<Word> {
    let cpio = name != "pax";
    let letters = |letter: char| {
        args.iter().any(|word| {
            let cluster = word.text.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
            cluster.is_some_and(|cluster| cluster.split(['F', 'O', 'f']).next().unwrap_or_default().contains(letter))
        })
    };
    let long = |option: &str| args.iter().any(|word| word.text == option);
    let packs = letters(if cpio { 'o' } else { 'w' }) || long("--create");
    let lists = letters('t') || long("--list");
    let takes =
        if cpio { letters('i') || letters('p') || long("--extract") || long("--pass-through") } else { letters('r') };
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(word) = args.get(at) {
        let text = word.text.as_str();
        at += 1;
        let long = text.split_once('=').filter(|(option, _)| option.starts_with("--"));
        let file = match (long, text.strip_prefix('-')) {
            (Some((option, value)), _) => ["--file", "--ofile"].contains(&option).then(|| part(word, value)),
            (None, Some(cluster)) => {
                let place =
                    cluster.find(if cpio { &['F', 'O'][..] } else { &['f'] }).filter(|_| !text.starts_with("--"));
                let place = place.map(|place| &cluster[place + 1..]);
                let follows = place == Some("") || matches!(text, "--file" | "--ofile");
                at += usize::from(follows);
                if follows { args.get(at - 1).cloned() } else { place.map(|rest| part(word, rest)) }
            }
            (None, None) if takes && !lists => {
                out.push(word.clone());
                None
            }
            (None, None) => None,
        };
        out.extend(file.filter(|_| packs));
    }
    out
}

/// A part of a word, which the shell holds against names as it does the whole.
fn part(word: &Word, text: &str) -> Word {
    word.with(text)
}

/// The archive of those whose first word is an order: `rar a FILE …`.
fn added(args: &[Word]) -> Vec<Word> {
    let mut words = args.iter().filter(|word| !word.text.starts_with('-'));
    let packs = words.next().is_some_and(|order| order.text.starts_with(['a', 'u', 'f', 'm', 'd', 'c', 'k', 'r']));
    words.take(usize::from(packs)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::super::judged::{at_least, at_most};
    use super::*;
    use crate::class::Class::{Red as R, Yellow as Y};

    #[test]
    fn the_list_is_sorted() {
        assert!(CHANGERS.is_sorted_by(|a, b| a < b), "{CHANGERS:?}");
    }

    /// What others start, however it is written.
    #[test]
    fn a_file_that_others_start_is_planted_by_whatever_makes_or_changes_it() {
        for file in
            [".envrc", ".github/workflows/x.yml", "~/.bashrc", "/etc/motd", "site/.husky/pre-commit", ".gith*/workf*/x"]
        {
            let lines: Vec<String> = [
                "tar cf @F a",
                "tar -cf @F a",
                "tar -c -f @F a",
                "tar -czvf@F a",
                "tar cbf 20 @F a",
                "tar --create --file @F a",
                "tar --crea --fil=@F a",
                "tar rf @F a",
                "tar -uf @F a",
                "tar -A -f @F a",
                "tar -c -g @F -f a.tar b",
                "tar c --listed-incremental=@F -f a.tar b",
                "bsdtar -cf @F a",
                "jar cf @F a",
                "jar cmf m @F a",
                "zip @F a",
                "7z a @F a",
                "7zz a @F a",
                "rar a @F a",
                "ar r @F a.o",
                "ar rcs @F a.o",
                "ar -rcs @F a.o",
                "ar rb b.o @F a.o",
                "ar --plugin=x qc @F a.o",
                "ls | cpio -o -O @F",
                "ls | cpio -oO@F",
                "ls | cpio -o --file=@F",
                "ls | cpio -o -F @F",
                "ls | cpio -o > @F",
                "cpio -id @F < a",
                "pax -w -f @F a",
                "mksquashfs a @F",
                "yq -i .a=1 @F",
                "yq e -i .a=1 @F",
                "yq --inplace .a=1 @F",
                "yq -yi .a=1 @F",
                "sed -i s/a/b/ @F",
                "sed -ni.bak s/a/b/p @F",
                "sed --in-place=x s/a/b/ @F",
                "perl -pi -e s/a/b/ @F",
                "perl -i.bak -pe s/a/b/ @F",
                "echo x | sponge @F",
                "echo x | tee -a @F",
                "install -m 644 a @F",
                "ln -sf a @F",
                "sd a b @F",
                "crudini --set @F a b c",
                "dasel put -f @F -v 1 a",
                "dasel put -v 1 a @F",
                "jaq -i . @F",
                "xmlstarlet ed -L -u a -v b @F",
                "prettier --write @F",
                "npx prettier -w @F",
                "eslint --fix @F",
                "gofmt -w @F",
                "black @F",
                "rustfmt @F",
                "rename a b @F",
                "convert a @F",
                "ffmpeg -i a @F",
                "objcopy a @F",
                "frobnicate @F",
                "frobnicate --inplace @F",
            ]
            .iter()
            .map(|line| line.replace("@F", file))
            .collect();
            at_least(R, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
        at_least(
            R,
            &[
                "install -t .github/workflows a",
                "install --target-directory=.husky a",
                "cp -t .github/workflows a",
                "echo x > .env{rc,}",
                "echo x > {.envrc,}",
                "echo x &> .envr{c,d}",
                "echo x >> .github/{workflows,x}/a.yml",
                "echo x > /etc/{passwd,x}",
                "echo x > .envr?",
                "cp a .github/work*/",
            ],
        );
    }

    #[test]
    fn what_is_packed_or_looked_at_is_not_planted() {
        at_most(
            Y,
            &[
                "tar cf a.tar .envrc",
                "tar czf a.tgz .github/workflows",
                "tar -C .github/workflows -cf a.tar .",
                "tar tf .envrc",
                "tar cbf 20 a.tar .envrc",
                "ar t .envrc",
                "ar x .envrc",
                "jar tf .envrc",
                "ls .github/workflows | cpio -o > a",
                "cpio -t -F .envrc",
                "rar l .envrc",
                "yq .a .github/workflows/x.yml",
                "yamllint .github/workflows/x.yml",
                "actionlint .github/workflows/x.yml",
                "prettier --check .github/workflows/x.yml",
                "black --check .envrc",
                "dasel get -f .github/workflows/x.yml a",
                "frobnicate validate .gitlab-ci.yml",
                "convert .envrc a",
                "echo x > a{b,c}",
                "tee app*.log",
                "git add .envrc",
                "sha256sum .envrc",
            ],
        );
    }
}
