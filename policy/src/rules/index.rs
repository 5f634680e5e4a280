//! Rules and paths arranged by what is asked of them.

use std::collections::BTreeSet;

// Not that of the standard library, whose hash takes several times as long: each path asks for half a dozen names.
use hashbrown::HashMap;

use super::above::Above;
use super::globs;
use super::matching::{Pattern, Subject, lower};
use super::sieve::{Signs, beginning, letters};
use super::{Document, PathList, Rule};
use crate::facts::paths::{Access, last_part};

/// Which rules are about anything but programs, by their subject.
#[derive(Default)]
pub(super) struct ByKind {
    read: Vec<usize>,
    write: Vec<usize>,
    delete: Vec<usize>,
    env: Vec<usize>,
    code: Vec<usize>,
    http: Vec<usize>,
    tool: Vec<usize>,
    message: Vec<usize>,
}

impl ByKind {
    pub(super) fn add(&mut self, at: usize, rule: &Rule) {
        for access in &rule.access {
            let kind = match access {
                Access::Read => &mut self.read,
                Access::Write => &mut self.write,
                Access::Delete => &mut self.delete,
            };
            kind.push(at);
        }
        let kind = if !rule.access.is_empty() {
            return;
        } else if !rule.env.is_empty() {
            &mut self.env
        } else if !rule.code.is_empty() {
            &mut self.code
        } else if !rule.method.is_empty() {
            &mut self.http
        } else if !rule.tool.is_empty() {
            &mut self.tool
        } else {
            &mut self.message
        };
        kind.push(at);
    }

    pub(super) fn about(&self, subject: &Subject<'_>) -> &[usize] {
        match subject {
            Subject::Path { access: Access::Read, .. } => &self.read,
            Subject::Path { access: Access::Write, .. } => &self.write,
            Subject::Path { access: Access::Delete, .. } => &self.delete,
            Subject::Env { .. } => &self.env,
            Subject::Code(_) => &self.code,
            Subject::Http(_) => &self.http,
            Subject::Tool(_) => &self.tool,
            Subject::Message => &self.message,
        }
    }
}

/// The path lists, so that a path is looked up part by part and not pattern by pattern.
#[derive(Default)]
pub(super) struct Paths {
    lists: Vec<Compiled>,
    /// Folders by their first part (`/etc`, `~`), those with `*` at the end apart.
    under: Names<(usize, String)>,
    under_patterns: Patterns,
    /// Parts, and several in a row by the first of them.
    rows: Names<(usize, String)>,
    /// Whole last parts.
    last: Names<usize>,
    last_patterns: Patterns,
    part_patterns: Patterns,
    /// Names that a pattern of the shell's may stand for.
    pub(super) secrets: globs::Names,
    /// Paths that others start, or that are the system's, likewise.
    pub(super) started: globs::Rows,
    /// Folders above those that hold such.
    pub(super) above: Above,
}

struct Compiled {
    name: String,
    except: Vec<Pattern<String>>,
}

/// What is said of names; one that begins as none of them does is not looked up.
struct Names<T> {
    beginnings: Signs,
    by_name: HashMap<String, Vec<T>>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { beginnings: 0, by_name: HashMap::new() }
    }
}

impl<T> Names<T> {
    fn add(&mut self, name: &str, what: T) {
        self.beginnings |= 1 << beginning(name);
        self.by_name.entry(name.to_owned()).or_default().push(what);
    }

    fn get(&self, name: &str) -> &[T] {
        let known = self.beginnings >> beginning(name) & 1 != 0;
        known.then(|| self.by_name.get(name)).flatten().map_or(&[], Vec::as_slice)
    }
}

/// Patterns and the lists that they belong to; a path that lacks a letter of a pattern is not compared with it.
#[derive(Default)]
struct Patterns(Vec<(Signs, usize, Pattern<String>)>);

impl Patterns {
    fn add(&mut self, list: usize, pattern: &str) {
        let plain = pattern.split(['*', '?']).fold(0, |all, text| all | letters(text));
        self.0.push((plain, list, Pattern::new(pattern)));
    }

    /// The lists of those that one of `texts` fits, in all of which there are no other letters than `shown`.
    fn fitting<'t, T: Iterator<Item = &'t str>>(
        &self,
        shown: Signs,
        texts: impl Fn() -> T,
    ) -> impl Iterator<Item = usize> {
        let may_fit = self.0.iter().filter(move |(plain, ..)| plain & !shown == 0);
        may_fit.filter(move |(.., pattern)| texts().any(|text| pattern.fits(text))).map(|(_, list, _)| *list)
    }
}

impl Paths {
    pub(super) fn new(document: &Document) -> Self {
        let mut out = Self::default();
        for (at, list) in document.paths.iter().enumerate() {
            out.add(at, list);
        }
        out.secrets = globs::Names::new(document.paths.iter().filter(|list| list.name == "secret"));
        let started = document.paths.iter().filter(|list| matches!(&*list.name, "started" | "startup" | "system"));
        out.started = globs::Rows::new(started);
        out.above = Above::new(document.paths.iter().filter(|list| matches!(&*list.name, "secret" | "private")));
        out
    }

    fn add(&mut self, at: usize, list: &PathList) {
        for folder in &list.under {
            if folder.ends_with('*') {
                self.under_patterns.add(at, folder);
            } else {
                self.under.add(first_part(folder), (at, folder.to_owned()));
            }
        }
        let (part, rows): (Vec<_>, Vec<_>) = list.part.iter().partition(|part| is_pattern(part) && !part.contains('/'));
        for row in rows {
            self.rows.add(row.split('/').next().unwrap_or_default(), (at, row.to_owned()));
        }
        let (last, whole): (Vec<_>, Vec<_>) = list.last.iter().partition(|last| is_pattern(last));
        whole.iter().for_each(|last| self.last.add(last, at));
        last.iter().for_each(|last| self.last_patterns.add(at, last));
        part.iter().for_each(|part| self.part_patterns.add(at, part));
        let except = list.except.iter().map(Pattern::new).collect();
        self.lists.push(Compiled { name: list.name.clone(), except });
    }

    /// The names of every list that holds the normalised path.
    pub(super) fn of(&self, path: &str) -> BTreeSet<&str> {
        let path = &*lower(path);
        let (last, shown) = (last_part(path), letters(path));
        let mut found: Vec<usize> = Vec::new();
        let folders = self.under.get(first_part(path)).iter();
        found.extend(folders.filter(|(_, folder)| is_below(path, folder)).map(|(at, _)| *at));
        found.extend(self.under_patterns.fitting(shown, || std::iter::once(path)));
        let mut from = 0;
        for part in path.as_bytes().split(|byte| *byte == b'/') {
            let (part, tail) = (&path[from..from + part.len()], &path[from..]);
            from += part.len() + 1;
            found.extend(self.rows.get(part).iter().filter(|(_, row)| is_below(tail, row)).map(|(at, _)| *at));
        }
        found.extend(self.last.get(last));
        found.extend(self.last_patterns.fitting(shown, || std::iter::once(last)));
        found.extend(self.part_patterns.fitting(shown, || path.split('/')));
        let excepted = |list: &Compiled| list.except.iter().any(|pattern| pattern.fits(last) || pattern.fits(path));
        let lists = found.into_iter().map(|at| &self.lists[at]);
        lists.filter(|list| !excepted(list)).map(|list| list.name.as_str()).collect()
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether `path` is `folder` or lies in it.
fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `/etc` of `/etc/ssh`, `~` of `~/a`.
fn first_part(path: &str) -> &str {
    let end = path.bytes().skip(1).position(|byte| byte == b'/').map_or(path.len(), |at| at + 1);
    &path[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_in_the_lists_that_hold_it() {
        let list = |name: &str, under: &[&str], part: &[&str], last: &[&str], except: &[&str]| {
            let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            PathList { name: name.into(), under: own(under), part: own(part), last: own(last), except: own(except) }
        };
        let document = Document {
            paths: vec![
                list("system", &["/etc", "/dev/sd*"], &[], &[], &["/etc/motd"]),
                list("secret", &["~/vault"], &[".ssh", ".git/hooks", "cron.*"], &["*.pem", ".env"], &["*.pub"]),
            ],
            ..Document::default()
        };
        let paths = Paths::new(&document);
        for (path, want) in [
            ("etc/hosts", ""),
            ("/etcetera", ""),
            ("/etc/motd", ""),
            ("a/.ssh/id.pub", ""),
            ("a/xgit/hooks/b", ""),
            ("a.git/hooks/b", ""),
            (".git/hooksx", ""),
            ("~/vaults", ""),
            ("", ""),
            ("/", ""),
            ("/etc", "system"),
            ("/ETC/hosts", "system"),
            ("/dev/sda1", "system"),
            ("~/vault/a", "secret"),
            ("a/.ssh/id", "secret"),
            (".git/hooks", "secret"),
            ("a/.git/hooks/b", "secret"),
            ("a/cron.d/b", "secret"),
            ("a/x.pem", "secret"),
            (".env", "secret"),
            ("/etc/ssl/x.pem", "secret system"),
        ] {
            assert_eq!(paths.of(path).into_iter().collect::<Vec<_>>().join(" "), want, "{path}");
        }
    }
}
