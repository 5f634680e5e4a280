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

    /// Whether a part of the pattern that begins with a plain sign may stand for one of the names.
    pub(super) fn may_be(&self, pattern: &str) -> bool {
        pattern.to_ascii_lowercase().split('/').any(|part| {
            let plain = part.chars().take_while(|c| !matches!(c, '*' | '?' | '[')).count();
            let telling = plain > 1 || part.starts_with('.') && plain == 1;
            telling && plain < part.chars().count() && self.0.iter().any(|name| fits(part.as_bytes(), name.as_bytes()))
        })
    }
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
