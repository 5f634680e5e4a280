//! Orders to programs that copy files to and from other machines: in what they are fed, and in an option.

use super::paths::{Access, PathUse, join, last_part};
use super::shell::{Stdin, Walker};
use super::words::{OPAQUE, Surroundings as _, Word};
use super::{Code, Note};

/// Programs that read such orders, sorted, and their options with some.
const PROGRAMS: &[&str] = &["cftp", "ftp", "lftp", "ncftp", "pftp", "psftp", "sftp", "smbclient", "tnftp", "yafc"];
const OPTIONS: &[&str] = &["-c", "-e", "--command"];
/// The language of such orders.
pub(crate) const LANGUAGE: &str = "transfer";

/// Orders that look, that go elsewhere or that copy; any other deletes, renames, changes rights or is not known. Sorted.
#[rustfmt::skip]
const ORDERS: &[&str] = &[
    "!", "?", "append", "ascii", "bell", "bin", "binary", "bye", "case", "cat", "cd", "cdup", "close", "debug", "df", "dir", "disconnect",
    "du", "epsv", "epsv4", "exit", "find", "get", "glob", "hash", "help", "idle", "image", "ipv4", "ipv6", "lcd", "lls", "lpage", "lpwd",
    "ls", "mdir", "mget", "mkdir", "mls", "mlsd", "mlst", "modtime", "more", "mput", "newer", "nlist", "nmap", "open", "page", "pass",
    "passive", "pget", "progress", "prompt", "put", "pwd", "queue", "quit", "recurse", "recv", "reget", "remotehelp", "reput", "restart",
    "rstatus", "runique", "send", "sendport", "set", "showconnect", "size", "stat", "status", "struct", "sunique", "system", "tick",
    "trace", "type", "user", "verbose", "version", "wait", "xferbuf", "zcat",
];
const FETCH: &[&str] = &["get", "mget", "pget", "recv", "reget"];
const SEND: &[&str] = &["append", "mput", "put", "reput", "send"];

/// Whether a program of that name takes such orders.
pub(crate) fn takes(program: &str) -> bool {
    PROGRAMS.binary_search(&program).is_ok()
}

/// Whether each line is an order that is listed.
pub(crate) fn is_harmless(text: &str) -> bool {
    !text.contains(OPAQUE)
        && orders(text).all(|order| {
            let mut words = order.split_whitespace();
            let first = words.next().unwrap_or_default();
            // What starts with a bar goes to a program, and `set` can name one.
            let piped = words.clone().any(|word| word.starts_with('|')) || order.contains('|');
            let sets = first == "set"
                && words.any(|word| word.contains("program") || word.contains("command") || word.contains("cmd"));
            !piped && !sets && (first.starts_with('!') || ORDERS.binary_search(&first).is_ok())
        })
}

/// The orders in a text, without the signs that let the next one run all the same or keep one quiet.
fn orders(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.split(['\n', ';']).flat_map(|line| line.split("&&")).flat_map(|line| line.split("||"));
    lines.map(plain).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn plain(line: &str) -> &str {
    line.trim().trim_start_matches(['-', '@']).trim()
}

impl Walker<'_> {
    /// Orders among the arguments of `name`, and in what it is fed.
    pub(super) fn transfers(&mut self, name: &str, args: &[Word], stdin: &Stdin) {
        if !takes(name) {
            return;
        }
        // `ftp -n`: other letters mean other things there.
        let options = if matches!(name, "lftp" | "smbclient") { OPTIONS } else { &[] };
        let given = args.windows(2).filter(|pair| options.contains(&&*pair[0].text)).map(|pair| pair[1].text.clone());
        let attached = args.iter().filter_map(|word| {
            let (option, value) = word.text.split_once('=').filter(|(option, _)| option.starts_with("--"))?;
            options.contains(&option).then(|| value.to_owned())
        });
        let texts: Vec<String> = given.chain(attached).collect();
        let told = !texts.is_empty()
            || args.iter().any(|word| matches!(&*word.text, "-b" | "-f") || word.text.starts_with("-b"));
        for text in texts {
            self.orders_of_transfer(&text);
        }
        let from_input = !told || args.windows(2).any(|pair| pair[0].text == "-b" && pair[1].text == "-");
        match stdin {
            Stdin::Known(text) if from_input => self.orders_of_transfer(&text.text.clone()),
            Stdin::Stream if from_input => self.note(Note::PipedCode),
            _ => {}
        }
    }

    fn orders_of_transfer(&mut self, text: &str) {
        self.facts.code.push(Code { language: LANGUAGE, text: text.to_owned() });
        let mut folder = String::new();
        for order in orders(text) {
            if let Some(code) = order.strip_prefix('!') {
                self.text(&Word::literal(code.trim()));
                continue;
            }
            let words: Vec<&str> = order.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
            let Some((first, rest)) = words.split_first() else { continue };
            let files: Vec<&str> = rest.iter().filter(|word| !word.starts_with('-')).copied().collect();
            let (path, access) = match (*first, files.as_slice()) {
                ("lcd", [to, ..]) => {
                    folder = join(&folder, to);
                    continue;
                }
                ("mget", files) => {
                    for file in files {
                        self.copied(&folder, last_part(file), Access::Write);
                    }
                    continue;
                }
                (order, [_, to, ..]) if FETCH.contains(&order) => (*to, Access::Write),
                (order, [from]) if FETCH.contains(&order) => (last_part(from), Access::Write),
                (order, [from, ..]) if SEND.contains(&order) => (*from, Access::Read),
                _ => continue,
            };
            self.copied(&folder, path, access);
        }
    }

    fn copied(&mut self, folder: &str, path: &str, access: Access) {
        let path = if folder.is_empty() { path.to_owned() } else { join(folder, path) };
        let glob = path.contains(['*', '?', '[']);
        self.facts.redirects.push(PathUse {
            access,
            path: Word { text: path, glob, many: false },
            cwd: self.cwd.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        for list in [PROGRAMS, ORDERS] {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
        }
    }

    #[test]
    fn an_order_that_is_not_listed_is_not_harmless() {
        for text in [
            "rm a",
            "-rm a",
            "@rm a",
            "ls\nrm a",
            "ls; rm a",
            "ls && rm a",
            "rmdir a",
            "rename a b",
            "delete a",
            "mdelete *",
            "chmod 777 a",
            "site exec id",
            "quote x",
            "mirror -R a b",
            "get a |sh",
            "put a | id",
            "frobnicate",
            "set cmd:x y",
            "\u{fffc}",
        ] {
            assert!(!is_harmless(text), "{text}");
        }
        for text in ["", "ls", "cd a\nget b\nbye", "-mkdir a\nput b", "# x\nls", "open h; ls; bye", "user a b"] {
            assert!(is_harmless(text), "{text}");
        }
    }
}
