//! Where the files of a command may lie: its words and what stands within them, what its patterns match, and what its program
//! takes by itself. More places than needed cost a look each; one too few is a script that may be exchanged.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use wardkeep_policy::action::WORKSPACE;
use wardkeep_policy::facts::{Command, OPAQUE, Word, runs_code};

use super::PLACES;

/// What sets a value apart within a word: `--file=a`, `list=@a`, `a:/b`, `type=bind,source=a`.
const SIGNS: [char; 5] = ['=', '@', ':', ',', ';'];
/// What begins a pattern within a word.
const WILD: [char; 3] = ['*', '?', '['];
/// Longest part that is looked for, bytes; the longest path of Linux.
const LONGEST: usize = 4096;

/// What a program opens that nobody names, and what it puts behind a name.
struct Habit {
    programs: &'static [&'static str],
    /// In its folder, and in each that a word names.
    files: &'static [&'static str],
    endings: &'static [&'static str],
}

const HABITS: &[Habit] = &[
    Habit { programs: &["make", "gmake"], files: &["GNUmakefile", "makefile", "Makefile"], endings: &[] },
    Habit {
        programs: &["npm", "npx", "pnpm", "pnpx", "yarn", "bun", "bunx"],
        files: &["package.json", ".npmrc", ".yarnrc.yml", ".pnpmfile.cjs", "bunfig.toml"],
        endings: &[],
    },
    Habit {
        programs: &["node", "deno", "tsx", "ts-node"],
        files: &["package.json", "index.js", "deno.json", "deno.jsonc"],
        endings: &[".js", ".cjs", ".mjs", ".ts"],
    },
    Habit { programs: &["python", "pypy"], files: &["__main__.py", "sitecustomize.py"], endings: &[".py"] },
    Habit { programs: &["pytest", "py.test"], files: &["conftest.py", "pytest.ini"], endings: &[] },
    Habit { programs: &["pip", "uv", "pipx", "poetry"], files: &["setup.py", "pyproject.toml"], endings: &[] },
    Habit { programs: &["tox", "nox"], files: &["tox.ini", "noxfile.py"], endings: &[] },
    Habit { programs: &["ruby"], files: &[], endings: &[".rb"] },
    Habit { programs: &["rake"], files: &["Rakefile", "rakefile", "Rakefile.rb", "rakefile.rb"], endings: &[] },
    Habit { programs: &["bundle", "bundler"], files: &["Gemfile"], endings: &[] },
    Habit { programs: &["perl"], files: &[], endings: &[".pm", ".pl"] },
    Habit { programs: &["php"], files: &["php.ini"], endings: &[] },
    Habit { programs: &["composer"], files: &["composer.json"], endings: &[] },
    Habit { programs: &["lua", "luajit"], files: &[], endings: &[".lua"] },
    Habit {
        programs: &["docker", "podman", "docker-compose", "podman-compose"],
        files: &[
            "compose.yaml",
            "compose.yml",
            "docker-compose.yml",
            "docker-compose.yaml",
            "compose.override.yaml",
            "compose.override.yml",
            "docker-compose.override.yml",
            "docker-compose.override.yaml",
            "Dockerfile",
            "Containerfile",
        ],
        endings: &[],
    },
    Habit { programs: &["just"], files: &["justfile", "Justfile", ".justfile"], endings: &[] },
    Habit {
        programs: &["task", "go-task"],
        files: &["Taskfile.yml", "Taskfile.yaml", "taskfile.yml", "taskfile.yaml"],
        endings: &[],
    },
    Habit { programs: &["cargo"], files: &["Cargo.toml", "build.rs", ".cargo/config.toml"], endings: &[] },
    Habit { programs: &["mvn", "mvnw"], files: &["pom.xml"], endings: &[] },
    Habit {
        programs: &["gradle", "gradlew"],
        files: &["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"],
        endings: &[],
    },
    Habit { programs: &["ant"], files: &["build.xml"], endings: &[] },
    Habit { programs: &["cmake"], files: &["CMakeLists.txt"], endings: &[] },
    Habit { programs: &["vagrant"], files: &["Vagrantfile"], endings: &[] },
    Habit { programs: &["ansible", "ansible-playbook"], files: &["ansible.cfg"], endings: &[] },
    Habit { programs: &["pre-commit"], files: &[".pre-commit-config.yaml"], endings: &[] },
];

impl Habit {
    fn of(name: &str) -> Option<&'static Self> {
        HABITS.iter().find(|habit| habit.programs.contains(&name))
    }
}

/// Whether it runs what stands in files.
pub(super) fn runs_files(command: &Command) -> bool {
    let program = program_of(command);
    runs_code(program) || matches!(program, "." | "source")
}

fn program_of(command: &Command) -> &str {
    Path::new(&command.program).file_name().and_then(|name| name.to_str()).unwrap_or(&command.program)
}

/// Places at which files of `command` may lie, with `patterns` also what its patterns match; `at` leads from a word to its place.
/// Most do not exist. More than [`PLACES`] are not looked into any further.
pub(super) fn places(command: &Command, patterns: bool, at: impl Fn(&str) -> PathBuf) -> Vec<PathBuf> {
    let program = program_of(command);
    let name = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let mut out = vec![at(&command.program)];
    let known = || command.args.iter().filter_map(Word::known);
    out.extend(known().flat_map(parts).take(PLACES + 1).map(&at));
    if out.len() > PLACES {
        return out;
    }
    if patterns {
        let patterns = command.args.iter().filter(|word| word.glob && !word.has_opaque());
        out.extend(patterns.flat_map(|word| matching(&at, &word.text)));
    }
    if let Some(habit) = Habit::of(program).or_else(|| Habit::of(name)) {
        let mut modules: BTreeSet<String> = BTreeSet::new();
        if !habit.endings.is_empty() {
            modules = known().flat_map(parts).flat_map(|word| [word.to_owned(), word.replace('.', "/")]).collect();
        }
        let folders: BTreeSet<PathBuf> = out.iter().cloned().chain(modules.iter().map(|name| at(name))).collect();
        let folders = folders.into_iter().filter(|path| path.is_dir()).chain([at("")]);
        let files: Vec<PathBuf> =
            folders.flat_map(|folder| habit.files.iter().map(move |file| folder.join(file))).collect();
        out.extend(files);
        let named = modules.iter().flat_map(|name| habit.endings.iter().map(move |ending| format!("{name}{ending}")));
        out.extend(named.map(|path| at(&path)));
    }
    out
}

/// Places of the programs for which the first word may stand: what its pattern matches, where a part that is only known at run time
/// counts as `*`. One without a folder is looked for where programs are, and not here.
pub(super) fn programs(command: &Command, at: impl Fn(&str) -> PathBuf) -> Vec<PathBuf> {
    let Some(first) = command.args.first().filter(|word| word.text.contains('/')) else { return Vec::new() };
    let mut out = matching(&at, &first.text.replace(OPAQUE, "*"));
    // What is not known may be this very folder, or nothing.
    if let Some(rest) = first.text.strip_prefix(OPAQUE) {
        out.extend(matching(&at, rest.trim_start_matches('/').replace(OPAQUE, "*").as_str()));
    }
    out
}

/// Places that the value of a variable names, in one word or in several.
pub(super) fn within(value: &str, at: impl Fn(&str) -> PathBuf) -> Vec<PathBuf> {
    let names = |word: &&str| word.len() <= LONGEST && word.contains(['/', '.']);
    value.split_whitespace().chain([value]).filter(names).flat_map(parts).take(PLACES + 1).map(at).collect()
}

/// A word, what stands behind each sign within it, and behind the letters of options that are given together.
fn parts(word: &str) -> Vec<&str> {
    let mut out = vec![word];
    for rest in word.match_indices(SIGNS).map(|(at, _)| &word[at + 1..]) {
        out.extend([rest, rest.split(SIGNS).next().unwrap_or_default()]);
    }
    out.extend(word.split(SIGNS).next());
    if let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')) {
        let letter = |&(_, c): &(usize, char)| c.is_ascii_alphanumeric();
        out.extend(letters.char_indices().take_while(letter).map(|(at, _)| &letters[at + 1..]));
    }
    out.retain(|part| (1..=LONGEST).contains(&part.len()));
    out
}

/// What a shell may put in the place of a pattern; of each part only what stands around its wildcards is looked at.
pub(super) fn matching(at: impl Fn(&str) -> PathBuf, pattern: &str) -> Vec<PathBuf> {
    let wild = pattern.find(WILD).unwrap_or_default();
    let (start, rest) = pattern.split_at(pattern[..wild].rfind('/').map_or(0, |slash| slash + 1));
    let mut found = vec![at(start)];
    for part in rest.split('/') {
        found = match (part.find(WILD), part.rfind(['*', '?', ']'])) {
            (Some(from), Some(to)) if from <= to => {
                let (head, tail) = (&part[..from], &part[to + 1..]);
                let long = head.len() + tail.len();
                // By bytes: a shell's wildcards stand for such as are no UTF-8, too.
                let (head, tail) = (head.as_bytes(), tail.as_bytes());
                let fits = |name: &[u8]| name.len() >= long && name.starts_with(head) && name.ends_with(tail);
                let entries = found.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
                let named = entries.map(|entry| entry.path());
                // What a container's root holds is not seen from here, but for the one folder that counts.
                let named = named.chain(found.iter().map(|folder| folder.join(WORKSPACE.trim_start_matches('/'))));
                let named = named.filter(|path| path.file_name().is_some_and(|name| fits(name.as_encoded_bytes())));
                named.map(|path| path.to_str().map_or_else(|| path.clone(), &at)).take(PLACES + 1).collect()
            }
            _ => found.iter().map(|folder| folder.join(part)).collect(),
        };
        // None is left out: for so many the call is refused.
        if found.len() > PLACES {
            break;
        }
    }
    found
}
