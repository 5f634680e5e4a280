//! Patterns of the shell's held against names of a list: `.e?v` may be `.env`.

use super::PathList;

/// Names that stand for a list: those without `*`, and the beginnings of the others.
#[derive(Default)]
pub(super) struct Names(Vec<String>);

impl Names {
    pub(super) fn new<'d>(lists: impl Iterator<Item = &'d PathList>) -> Self {
        let names = lists.flat_map(|list| list.part.iter().chain(&list.last)).flat_map(|name| name.split('/'));
        let plain = names.map(|name| name.trim_end_matches('*')).filter(|name| !name.contains(['*', '?']));
        let mut names: Vec<String> = plain.filter(|name| name.len() > 2).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        Self(names)
    }

    /// Whether one of the names fits that pattern, which is one part of a path; a hidden one only where the pattern says so.
    pub(super) fn has_fitting(&self, pattern: &str) -> bool {
        let lower = pattern.to_ascii_lowercase();
        let shown = |name: &&String| name.starts_with('.') <= lower.starts_with('.');
        self.0.iter().filter(shown).any(|name| fits(lower.as_bytes(), name.as_bytes()))
    }

    /// Whether a part of the pattern that begins with a plain sign may stand for one of the names.
    pub(super) fn may_be(&self, pattern: &str) -> bool {
        pattern.to_ascii_lowercase().split('/').any(|part| {
            let plain = part.chars().take_while(|c| !matches!(c, '*' | '?' | '[')).count();
            let telling = plain > 1 || part.starts_with('.') && plain == 1;
            telling && plain < part.chars().count() && self.0.iter().any(|name| fits(part.as_bytes(), name.as_bytes()))
        })
    }
}

/// Paths of several parts that stand for a list: `.github/workflows`, and whole ones such as `/etc/pam.d`.
#[derive(Default)]
pub(super) struct Rows {
    /// Anywhere in a path.
    within: Vec<Vec<String>>,
    /// From the root, or a home, on.
    whole: Vec<Vec<String>>,
}

impl Rows {
    pub(super) fn new<'d>(lists: impl Iterator<Item = &'d PathList> + Clone) -> Self {
        let parts = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
        let plain = |path: &&str| !path.contains(['*', '?']);
        let within = lists.clone().flat_map(|list| list.part.iter().chain(&list.last)).filter(plain);
        let whole = lists.flat_map(|list| &list.under).filter(plain);
        let (mut within, mut whole): (Vec<_>, Vec<_>) = (within.map(parts).collect(), whole.map(parts).collect());
        within.shrink_to_fit();
        whole.shrink_to_fit();
        Self { within, whole }
    }

    /// Whether the pattern may stand for a path in such a row, or for one that lies beneath it. Of a name anywhere a plain sign must
    /// stand there: `*` is no hidden file.
    pub(super) fn may_be(&self, pattern: &str) -> bool {
        let lower = pattern.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        let fit = |parts: &[&str], row: &[String]| {
            parts.len() >= row.len() && parts.iter().zip(row).all(|(part, name)| fits(part.as_bytes(), name.as_bytes()))
        };
        let hidden = |part: &str, name: &str| name.starts_with('.') <= part.starts_with('.');
        let tells = |part: &str| part.starts_with('.') || part.chars().take_while(|c| !is_sign(*c)).count() > 1;
        (0..parts.len()).any(|from| {
            let parts = &parts[from..];
            tells(parts[0]) && self.within.iter().any(|row| hidden(parts[0], &row[0]) && fit(parts, row))
        }) || self.whole.iter().any(|row| fit(&parts, row))
    }

    /// What lies beneath that folder, which itself stands for no list, of the first row that does: `workflows` beneath `a/.github`.
    pub(super) fn beneath(&self, folder: &str) -> Option<String> {
        let lower = folder.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        let behind = |row: &[String]| {
            let known = (1..row.len()).rev().find(|known| {
                parts
                    .len()
                    .checked_sub(*known)
                    .is_some_and(|from| parts[from..].iter().zip(row).all(|(part, name)| part == name))
            })?;
            Some(row[known..].join("/"))
        };
        self.within.iter().find_map(|row| behind(row))
    }
}

fn is_sign(c: char) -> bool {
    matches!(c, '*' | '?' | '[')
}

/// Whether a shell's pattern stands for that name; of a class in brackets any sign is taken to fit.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    // The last `*`, and where the name was then.
    let (mut at, mut seen, mut star) = (0, 0, None);
    while seen < name.len() {
        let class = (pattern.get(at) == Some(&b'[')).then(|| pattern[at..].iter().position(|b| *b == b']')).flatten();
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
                continue;
            }
            Some(b'[') if class.is_some() => at += class.unwrap_or_default() + 1,
            Some(b'?') => at += 1,
            Some(byte) if *byte == name[seen] => at += 1,
            _ => match star {
                Some((back, from)) => {
                    (at, seen, star) = (back + 1, from + 1, Some((back, from + 1)));
                    continue;
                }
                None => return false,
            },
        }
        seen += 1;
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_may_stand_for_a_row_of_names() {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let list = PathList {
            part: own(&[".github/workflows", ".husky"]),
            last: own(&[".envrc", "crontab", "*.pth"]),
            under: own(&["/etc", "~/bin"]),
            ..PathList::default()
        };
        let rows = Rows::new([list].iter());
        for pattern in ["*", "*/a", "src/*.rs", "a/*", ".g*/x", "c*", ".github/*.md", "/srv/*", "~/*.md", "out/[a-z]*"]
        {
            assert!(!rows.may_be(pattern), "{pattern}");
        }
        for pattern in [
            ".envr?",
            ".e*",
            "x/.github/*/a.yml",
            ".git*/work*",
            ".husk[y]/pre-push",
            "cron*",
            "/e?c/x",
            "/*/passwd",
            "~/b*/ls",
            ".GITHUB/w*",
        ] {
            assert!(rows.may_be(pattern), "{pattern}");
        }
    }

    #[test]
    fn what_lies_beneath_a_folder_is_told_by_its_last_parts() {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let list = PathList { part: own(&[".github/workflows", ".a/b/c", ".husky"]), ..PathList::default() };
        let rows = Rows::new([list].iter());
        for (folder, want) in [
            ("", None),
            (".husky", None),
            ("x.github", None),
            (".github/x", None),
            ("b", None),
            (".github", Some("workflows")),
            ("/srv/a/.GitHub", Some("workflows")),
            ("x/.a", Some("b/c")),
            ("x/.a/b", Some("c")),
        ] {
            assert_eq!(rows.beneath(folder).as_deref(), want, "{folder}");
        }
    }

    #[test]
    fn a_pattern_may_stand_for_a_name() {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let list = PathList {
            part: own(&[".ssh"]),
            last: own(&[".env", "id_rsa*", "*.pem", "logins.json"]),
            ..PathList::default()
        };
        let names = Names::new(std::iter::once(&list));
        for pattern in ["*", "*.json", "src/*.rs", ".e*c", "a?", "l", "id_rsa", "", "i*", ".[a"] {
            assert!(!names.may_be(pattern), "{pattern}");
        }
        for pattern in [".env*", ".en[v]", ".e?v", "~/.s*/x", "x/id_*", ".*", "log*.json", ".E*"] {
            assert!(names.may_be(pattern), "{pattern}");
        }
    }
}
