//! Descriptions of containers that a program is fed, or finds in a file that the same text wrote.

use super::Code;
use super::paths::last_part;
use super::shell::{Stdin, Walker};
use super::words::Word;

/// Programs that make containers of a description.
const PROGRAMS: &[&str] =
    &["docker", "docker-compose", "helm", "k", "kubectl", "nerdctl", "oc", "podman", "podman-compose"];
/// The language of such texts.
pub(super) const LANGUAGE: &str = "manifest";
/// Files in which they look for one that nobody names.
const USUAL: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// Whether a program of that name makes containers of a description.
pub(crate) fn takes(program: &str) -> bool {
    PROGRAMS.binary_search(&program).is_ok()
}

/// Whether it may take that file without its being named: the usual one, or one beneath a folder that an argument names.
pub(super) fn finds(program: &str, args: &[Word], path: &str) -> bool {
    let usual = !program.starts_with('k') && USUAL.contains(&last_part(path));
    let beneath = |word: &Word| {
        let folder = word.text.split_once('=').map_or(word.text.as_str(), |(_, value)| value);
        let folder = folder.trim_start_matches("./").trim_end_matches('/');
        matches!(folder, "." | "") && word.text.starts_with('.')
            || path.strip_prefix(folder).is_some_and(|rest| !folder.is_empty() && rest.starts_with('/'))
    };
    takes(program) && (usual || args.iter().any(beneath))
}

impl Walker<'_> {
    /// What `name` is fed as a description, and what stands among its arguments.
    pub(super) fn describes(&mut self, name: &str, args: &[Word], stdin: &Stdin) {
        if !takes(name) {
            return;
        }
        if let Stdin::Known(text) = stdin
            && args.iter().any(|word| word.text.ends_with('-') || word.text.ends_with("/dev/stdin"))
        {
            self.facts.code.push(Code { language: LANGUAGE, text: text.text.clone() });
        }
        let inline = args.iter().filter(|word| word.text.contains('{') && word.text.contains(':'));
        self.facts.code.extend(inline.map(|word| Code { language: LANGUAGE, text: word.text.clone() }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(PROGRAMS.is_sorted_by(|a, b| a < b), "{PROGRAMS:?}");
    }

    #[test]
    fn a_description_is_found_by_its_name_or_its_folder() {
        for (line, path, want) in [
            ("docker compose up", "compose.yaml", true),
            ("docker-compose up", "sub/docker-compose.yml", true),
            ("kubectl apply -f sub", "sub/a.yaml", true),
            ("kubectl apply -f=./sub/", "sub/deep/a.yaml", true),
            ("kubectl apply -k .", "a.yaml", true),
            ("helm install x ./chart", "chart/templates/a.yaml", true),
            ("helm install x ./chart", "charts/a.yaml", false),
            ("kubectl apply", "compose.yaml", false),
            ("docker compose up", "a.yaml", false),
            ("cat sub", "sub/a.yaml", false),
        ] {
            let words: Vec<Word> = line.split(' ').map(Word::literal).collect();
            assert_eq!(finds(&words[0].text, &words[1..], path), want, "{line} {path}");
        }
    }
}
