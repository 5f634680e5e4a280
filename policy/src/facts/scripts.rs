//! What arguments do that are no plain options: scripts of `awk` and `sed` can write files and start programs, and `ps` reads its
//! letters in two ways.

mod awk;
mod mode;
mod options;
mod regex;
mod sed;
pub(super) mod settings;
#[cfg(test)]
mod tests;

use super::words::Word;
use super::{container, terminals};

/// The script starts a program; seen by rules as an option of that name.
pub const RUNS: &str = "@runs";
/// The script writes a file.
pub const WRITES: &str = "@writes";
/// The script reads files that no argument names.
pub const READS: &str = "@reads";
/// The mode lets a program run with its owner's rights, or everybody write.
pub const OPENS: &str = "@opens";
/// The program shows the environment, its own or that of others.
pub const ENVIRONMENT: &str = "@environment";
/// The program unpacks an archive.
pub const UNPACKS: &str = "@unpacks";
/// ... or only lists what is in it.
pub const LISTS: &str = "@lists";
/// ... and files in it may say themselves where they go.
pub const UNPACKS_ANYWHERE: &str = "@unpacks-anywhere";
/// A pattern stands for whatever lies in a folder, or for more than one folder.
pub const WIDE: &str = "@wide";
/// Each name that is set to stand for a command is one that no program has, and its command was judged.
pub const ALIASED: &str = "@aliased";
/// The program is named by its path.
pub const PATH: &str = "@path";
/// It runs in a container or on another machine, as far as its text says.
pub const AWAY: &str = "@away";
/// A setting is given that is not known to be harmless.
pub const SETS: &str = "@sets";
/// It is looked for without the `PATH` that the call has.
pub const BARE: &str = "@bare";

/// What `args` do besides printing what the program is for.
pub(super) fn effects(name: &str, args: &[Word]) -> Vec<&'static str> {
    match name {
        "awk" | "gawk" | "mawk" | "nawk" => awk::effects(args).into_iter().collect(),
        "sed" | "gsed" => sed::effects(args).into_iter().collect(),
        "ps" => ps(args),
        "rm" | "unlink" if wide(args) => vec![WIDE],
        "gzip" | "pigz" | "xz" | "zstd" | "bzip2" if looks_into(args) => vec![LISTS],
        "chmod" => mode::effects(args),
        "tar" | "bsdtar" | "unzip" | "zipinfo" if lists(name, args) => vec![LISTS],
        "tar" | "bsdtar" | "unzip" => archive(name, args),
        "jq" | "gojq" | "yq" => jq(args),
        "dc" => calculator(args),
        "git" | "hub" => settings::git(args),
        "ssh" | "autossh" | "scp" | "sftp" => settings::ssh(name, args),
        "rsync" => settings::rsync(args),
        "tmux" | "tmate" | "byobu" | "screen" | "zellij" | "asciinema" | "script" => terminals::effects(name, args),
        _ if container::PROGRAMS.contains(&name) => container::effects(name, args),
        _ => Vec::new(),
    }
}

/// Whether a pattern among `args` says nothing of what it may stand for.
fn wide(args: &[Word]) -> bool {
    args.iter().any(|word| word.glob && !word.has_opaque() && is_wide(&word.text))
}

/// ... where another shell may read the words once more, to which quotes of this one say nothing.
pub(super) fn wide_again(args: &[Word]) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "/._-~*?[]".contains(c);
    args.iter().any(|word| {
        let seen = word.glob && word.text.chars().all(plain);
        is_wide(&word.text) || !seen && word.text.contains("/*")
    })
}

/// Whether a pattern says nothing of the names that it may stand for: `*`, `a/?*`, `a/*.*`, or of the folders: `*/a`.
fn is_wide(text: &str) -> bool {
    let is_sign = |c: char| matches!(c, '*' | '?' | '[');
    let path = text.trim_end_matches('/');
    let (folder, last) = path.rsplit_once('/').unwrap_or(("", path));
    let mut plain = last.to_owned();
    while let Some(open) = plain.find('[') {
        let close = plain[open..].find(']').map_or(plain.len(), |at| open + at + 1);
        plain.replace_range(open..close, "");
    }
    // What stands in a group is no part of the names: zsh reads kinds of files in it, bash parts that may be missing.
    folder.contains(is_sign)
        || ["*(", "?(", "](", "+(", "@(", "!("].iter().any(|group| path.contains(group))
        || last.contains(is_sign) && !plain.contains(|c: char| !is_sign(c) && c != '.')
}

/// Whether a packer is told to list or to test what is packed, and nothing else.
fn looks_into(args: &[Word]) -> bool {
    let mut asked = false;
    for word in args {
        let text = word.text.as_str();
        if word.may_be_option() {
            return false;
        }
        if text.starts_with("--") {
            asked |= matches!(text, "--list" | "--test");
            if !matches!(text, "--list" | "--test" | "--verbose" | "--quiet" | "--") {
                return false;
            }
        } else if let Some(letters) = text.strip_prefix('-') {
            asked |= letters.contains(['l', 't']);
            if letters.is_empty() || !letters.chars().all(|letter| "ltvq".contains(letter)) {
                return false;
            }
        }
    }
    asked
}

/// The files that scripts among `args` may write.
pub(super) fn written(name: &str, args: &[Word]) -> Vec<String> {
    match name {
        "awk" | "gawk" | "mawk" | "nawk" => awk::written(args),
        "sed" | "gsed" => sed::written(args),
        _ => Vec::new(),
    }
}

/// `e` among letters without a dash shows each program's environment. Letters behind a dash are read the same way when they make
/// no sense otherwise: no option is called `-x`, and `-u` wants a user.
fn ps(args: &[Word]) -> Vec<&'static str> {
    let mut value = false;
    for word in args {
        let text = word.text.as_str();
        if text.contains("environ") {
            return vec![ENVIRONMENT];
        }
        if std::mem::take(&mut value) || text.starts_with("--") {
            continue;
        }
        let (dashed, letters) = text.strip_prefix('-').map_or((false, text), |letters| (true, letters));
        // From a letter with a value on, the rest is that value.
        let valued = letters.find(if dashed { &DASHED[..] } else { &PLAIN[..] });
        let plain = valued.map_or(letters, |at| &letters[..at]);
        let doubtful = dashed && letters.len() > 1 && letters.contains(['x', 'u', 'U']);
        let shows = if dashed { doubtful && letters.contains('e') } else { plain.contains('e') };
        if shows || word.has_opaque() {
            return vec![ENVIRONMENT];
        }
        value = valued.is_some_and(|at| at + 1 == letters.len());
    }
    Vec::new()
}

/// Letters of `ps` that take a value, behind a dash and without.
const DASHED: [char; 10] = ['C', 'G', 'O', 'U', 'g', 'o', 'p', 'q', 's', 't'];
const PLAIN: [char; 8] = ['O', 'U', 'k', 'o', 'p', 'q', 't', 'N'];

/// Whether an archive is unpacked. `tar` takes its letters without a dash, too, in the first word.
fn archive(name: &str, args: &[Word]) -> Vec<&'static str> {
    let letters = |word: &Word, letters: &[char]| {
        let cluster = word.text.strip_prefix('-').unwrap_or(&word.text);
        !word.text.starts_with("--") && cluster.contains(letters)
    };
    let options =
        args.iter().enumerate().filter(|(at, word)| word.text.starts_with('-') || *at == 0 && name != "unzip");
    let options: Vec<&Word> = options.map(|(_, word)| word).collect();
    let long = |names: &[&str]| options.iter().any(|word| names.contains(&word.text.as_str()));
    if name == "unzip" {
        let looks = options.iter().any(|word| letters(word, &['l', 't', 'v', 'Z', 'p', 'c', 'z']));
        return if looks || args.is_empty() { Vec::new() } else { vec![UNPACKS] };
    }
    // A letter with a value ends a cluster behind a dash.
    let unpacks = options.iter().any(|word| {
        let cluster =
            word.text.split(['f', 'C', 'T', 'X', 'I', 'b', 'K', 'N', 'H', 'V', 'g', 'L']).next().unwrap_or_default();
        let all = if word.text.starts_with('-') { cluster } else { &word.text };
        letters(&Word::literal(all), &['x'])
    });
    if !unpacks && !long(&["--extract", "--get"]) {
        return Vec::new();
    }
    let anywhere = options.iter().any(|word| letters(word, &['P'])) || long(&["--absolute-names", "--absolute-paths"]);
    if anywhere { vec![UNPACKS, UNPACKS_ANYWHERE] } else { vec![UNPACKS] }
}

/// Whether an archive of this machine is listed and nothing else is asked for.
fn lists(name: &str, args: &[Word]) -> bool {
    const LONG: &[&str] = &[
        "--list",
        "--verbose",
        "--gzip",
        "--bzip2",
        "--xz",
        "--zstd",
        "--auto-compress",
        "--numeric-owner",
        "--full-time",
        "--utc",
    ];
    let tar = !matches!(name, "unzip" | "zipinfo");
    let mut asked = name == "zipinfo";
    for (at, word) in args.iter().enumerate() {
        let text = word.text.as_str();
        if word.may_be_option() {
            return false;
        }
        if text.starts_with("--") {
            asked |= text == "--list";
            if !(tar && (LONG.contains(&text) || text.starts_with("--file=")) && !text.contains(':')) {
                return false;
            }
        } else if let Some(letters) = text.strip_prefix('-').or_else(|| (tar && at == 0).then_some(text)) {
            // What a letter has behind it, such as a name behind `f`, may be anything that is no option.
            let known = if tar { "tvzjJaf" } else { "lvtZq12mshTzM" };
            asked |= letters.contains(if tar { &['t'][..] } else { &['l', 'v', 't', 'Z'] });
            if letters.is_empty() || !letters.chars().all(|letter| known.contains(letter)) {
                return false;
            }
        } else if tar && text.contains(':') {
            return false;
        }
    }
    asked
}

/// `env` and `$ENV` are the environment; a member of that name is not.
fn jq(args: &[Word]) -> Vec<&'static str> {
    let of_word = |c: char| c.is_alphanumeric() || c == '_';
    let asks = |text: &str| {
        text.contains("$ENV")
            || text.contains("strenv(")
            || text.match_indices("env").any(|(at, _)| {
                let (before, behind) = (text[..at].trim_end(), &text[at + 3..]);
                !text[..at].ends_with(of_word)
                    && !before.ends_with(['.', '$'])
                    && !text[..at].ends_with('"')
                    && !behind.starts_with(of_word)
                    && !behind.trim_start().starts_with(':')
            })
    };
    let mut words = args.iter();
    while let Some(word) = words.next() {
        if matches!(word.text.as_str(), "--arg" | "--argjson" | "--slurpfile" | "--rawfile") {
            words.nth(1);
        } else if asks(&word.text) || word.has_opaque() && word.text.contains("env") {
            return vec![ENVIRONMENT];
        }
    }
    Vec::new()
}

/// `!` starts a program, `?` and whatever is no expression on the command line brings more that nobody has seen.
fn calculator(args: &[Word]) -> Vec<&'static str> {
    let (mut words, mut given) = (args.iter().map(|word| word.text.as_str()), false);
    while let Some(word) = words.next() {
        let expression = match word.strip_prefix("--expression=") {
            Some(expression) => expression,
            None if matches!(word, "-e" | "--expression") => words.next().unwrap_or("!"),
            None => return vec![RUNS],
        };
        given = true;
        if expression.contains(['!', '?']) || Word::literal(expression).has_opaque() {
            return vec![RUNS];
        }
    }
    if given { Vec::new() } else { vec![RUNS] }
}
