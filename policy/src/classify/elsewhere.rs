//! Programs that run what they find in a folder or a file: where that lies neither in the workspace nor where software is installed,
//! somebody else decides what runs, as with a program that is named by such a path.

use super::Judge;
use super::hosts::is_client;
use crate::class::Class;
use crate::facts::paths::{Place, resolve};
use crate::facts::{Command, Nature, Word, scripts};

/// Where software is installed, beside the folders of the system's own programs.
pub(super) const INSTALLED: &[&str] = &[
    "/usr/",
    "/opt/",
    "/bin/",
    "/sbin/",
    "/snap/",
    "/nix/",
    "/lib",
    "/home/linuxbrew/",
    "/Applications/",
    "/Library/",
    "/System/",
    "/var/lib/flatpak/",
    "~/.local/bin/",
    "~/bin/",
    "~/.cargo/bin/",
    "~/go/bin/",
    "~/.npm-global/bin/",
    "~/.nvm/",
    "~/.pyenv/",
];

/// Programs that run what the folder says in which they are, or which their arguments name; sorted.
#[rustfmt::skip]
const RUNNERS: &[&str] = &[
    "ansible", "ansible-playbook", "ant", "bazel", "bmake", "buck2", "bun", "bundle", "bundler", "cabal", "cargo",
    "cmake", "composer", "conda", "cookiecutter", "copier", "ctest", "cypress", "deno", "docker-compose", "doit",
    "dotnet", "earthly", "eslint", "fab", "flask", "foreman", "gmake", "go", "go-task", "gradle", "gradlew", "grunt",
    "gulp", "hatch", "helmfile", "honcho", "hugo", "inv", "invoke", "jake", "java", "jekyll", "jest", "just", "lein",
    "lerna", "mage", "make", "mamba", "meson", "mise", "mix", "mocha", "moon", "msbuild", "mvn", "mvnw", "ninja",
    "nox", "npm", "npx", "nx", "overmind", "packer", "pants", "pdm", "phpunit", "pip", "pip3", "pipenv", "pipx",
    "playwright", "pnpm", "pnpx", "podman-compose", "poetry", "pre-commit", "procs", "pulumi", "py.test", "pytest",
    "rake", "rebar3", "rspec", "rye", "samu", "sbt", "scons", "serverless", "skaffold", "sls", "sphinx-build",
    "stack", "swift", "task", "terraform", "terragrunt", "tilt", "tofu", "tox", "turbo", "uv", "uvx", "vagrant",
    "vite", "vitest", "waf", "webpack", "xmake", "yarn", "zig",
];

/// Of these only the files that such an option names say what runs, and only behind these words.
const ENGINES: &[&str] = &["docker", "podman", "nerdctl"];
const ENGINE_ORDERS: &[&str] = &["bake", "build", "buildx", "compose", "stack"];
const ENGINE_FILES: &[&str] = &["-f", "--file", "--project-directory"];

/// Programs that have a cluster run what a folder or a file describes, with their orders that do.
const CLUSTERS: &[&str] = &["helm", "k", "kubectl", "oc"];
const CLUSTER_ORDERS: &[&str] = &["apply", "create", "install", "replace", "template", "upgrade"];

/// Parts of the names of options whose value is written, or is data: no code lies there.
const DATA: &[&str] = &[
    "out",
    "log",
    "cache",
    "dest",
    "target",
    "report",
    "junit",
    "cover",
    "profile",
    "basetemp",
    "key",
    "cert",
    "token",
    "state",
    "var-file",
    "env-file",
    "tmp",
    "temp",
    "storage",
    "install-prefix",
    "install_prefix",
    "libdir",
    "bindir",
    "mandir",
    "datadir",
];

/// Files that start no program by being there: settings of the system that everything reads.
const SOURCED: &[&str] = &["/etc/", "~/."];

impl Judge<'_> {
    /// Whether what that command runs lies where others decide what it is.
    ///
    /// `reads`: the rules found it Green, so that `git` starts no hook.
    pub(super) fn elsewhere(&mut self, name: &str, nature: Nature, command: &Command, reads: bool) {
        // Paths in a container, or on another machine, are that one's.
        if command.script.contains(&scripts::AWAY) {
            return;
        }
        let found = if RUNNERS.binary_search(&name).is_ok() {
            self.is_elsewhere(command, &Word::literal("."), &[]).or_else(|| self.named_elsewhere(command))
        } else if ENGINES.contains(&name) {
            self.described_elsewhere(command)
        } else if CLUSTERS.binary_search(&name).is_ok() {
            self.described_for_cluster(command)
        } else if name == "git" && !reads {
            self.is_elsewhere(command, &Word::literal("."), &[])
                .filter(|_| !moves(&command.args).any(|_| true))
                .or_else(|| moves(&command.args).find_map(|folder| self.is_elsewhere(command, &folder, &[])))
        } else if matches!(name, "source" | ".") {
            command.args.iter().find_map(|file| self.is_elsewhere(command, file, SOURCED))
        } else if is_client(name) {
            orders(&command.args).and_then(|file| self.is_elsewhere(command, file, &[]))
        } else if nature.runs_code() {
            script(&command.args).and_then(|file| self.is_elsewhere(command, file, &["/etc/"]))
        } else {
            None
        };
        if let Some(place) = found {
            let reason =
                format!("It runs what lies in {place}, neither in the workspace nor where software is installed");
            self.built_in("program.elsewhere", &reason, Class::Red);
        }
    }

    /// The path, if it is known and lies elsewhere.
    fn is_elsewhere(&self, command: &Command, file: &Word, but: &[&str]) -> Option<String> {
        let resolved = resolve(&file.text, command.cwd.as_deref(), self.workspace);
        let folder = format!("{}/", resolved.text.trim_end_matches('/'));
        let theirs = |list: &[&str]| list.iter().any(|place| folder.starts_with(place));
        let elsewhere = resolved.place == Place::Outside && !theirs(INSTALLED) && !theirs(but);
        (elsewhere && !self.rules.lists_of(&resolved.text).contains("null")).then_some(resolved.text)
    }

    /// A word of a runner that names a place elsewhere, unless it says where something is written.
    fn named_elsewhere(&self, command: &Command) -> Option<String> {
        let mut before = "";
        for word in &command.args {
            let text = word.text.as_str();
            let (option, value) = match text.split_once('=') {
                Some((option, value)) if text.starts_with('-') => (option, value),
                // What a build is told, such as DESTDIR.
                Some((name, _)) if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => continue,
                _ if text.starts_with("--") => (text, ""),
                _ if text.starts_with('-') => {
                    // `-C/etc`, and `-kC /etc` by its last letter.
                    match text.find(['/', '~']).or_else(|| text.find("..")) {
                        Some(at) => (&text[..at], &text[at..]),
                        None => (text, ""),
                    }
                }
                _ => (before, text),
            };
            before = if text.starts_with('-') && value.is_empty() { text } else { "" };
            // `//a:b` is a label.
            if value.is_empty() || value.starts_with("//") || value.contains("://") || is_data(option) {
                continue;
            }
            let path = value.strip_prefix("file:").unwrap_or(value);
            if path.starts_with(['/', '~', '.'])
                && let Some(place) = self.is_elsewhere(command, &Word::literal(path), &["/etc/ansible/"])
            {
                return Some(place);
            }
        }
        None
    }

    /// A chart or a description that a cluster is to run: elsewhere on this machine, or at an address that the words name.
    fn described_for_cluster(&self, command: &Command) -> Option<String> {
        let order = command.args.iter().find(|word| !word.text.starts_with('-'));
        let acts = command.args.iter().any(|word| CLUSTER_ORDERS.contains(&word.text.as_str()));
        order.filter(|_| acts)?;
        command.args.iter().find_map(|word| {
            let text = word.text.as_str();
            let value = match text.split_once('=') {
                Some((option, value)) if option.starts_with('-') => value,
                _ => text.strip_prefix("-f").or_else(|| text.strip_prefix("-k")).unwrap_or(text),
            };
            if ["http://", "https://", "oci://", "git::", "git@", "github.com/"]
                .iter()
                .any(|start| value.starts_with(start))
            {
                return Some(value.to_owned());
            }
            let path = value.starts_with(['/', '~', '.']).then(|| word.with(value))?;
            self.is_elsewhere(command, &path, &[])
        })
    }

    /// A file or folder with the description of a container that is built or run.
    fn described_elsewhere(&self, command: &Command) -> Option<String> {
        let args = &command.args;
        let order = args.iter().position(|word| ENGINE_ORDERS.contains(&word.text.as_str()))?;
        let values = args.iter().enumerate().filter_map(|(at, word)| {
            let text = word.text.as_str();
            match text.split_once('=') {
                Some((option, value)) if ENGINE_FILES.contains(&option) => Some(Word::literal(value)),
                _ if ENGINE_FILES.contains(&text) => args.get(at + 1).cloned(),
                _ => text.strip_prefix("-f").filter(|path| path.contains('/')).map(Word::literal),
            }
        });
        // The folder that is built is the last word.
        let built = args.last().filter(|_| args[order].text.starts_with("buil")).cloned();
        values
            .chain(built)
            .filter(|word| !word.text.contains("://"))
            .find_map(|file| self.is_elsewhere(command, &file, &[]))
    }
}

/// The folders that git's own options name.
fn moves(args: &[Word]) -> impl Iterator<Item = Word> + '_ {
    const OPTIONS: &[&str] = &["-C", "--git-dir", "--work-tree"];
    args.iter().enumerate().filter_map(|(at, word)| match word.text.split_once('=') {
        Some((option, folder)) if OPTIONS.contains(&option) => Some(Word::literal(folder)),
        _ if OPTIONS.contains(&word.text.as_str()) => args.get(at + 1).cloned(),
        _ => None,
    })
}

/// Whether an option's value is no code.
fn is_data(option: &str) -> bool {
    let option = option.to_ascii_lowercase();
    option == "-o" || option.starts_with("--prefix=") || DATA.iter().any(|part| option.contains(part))
}

/// The file from which a client of a database takes its orders.
fn orders(args: &[Word]) -> Option<&Word> {
    let at = args.iter().position(|word| matches!(word.text.as_str(), "-f" | "--file"))?;
    args.get(at + 1)
}

/// The file that an interpreter runs: the first operand, unless an option brings code or names a module.
fn script(args: &[Word]) -> Option<&Word> {
    let mut args = args.iter();
    loop {
        let word = args.next()?;
        match word.text.strip_prefix('-') {
            None => return Some(word),
            Some("f" | "-file") => return args.next(),
            // A letter that may bring the code or take the next word.
            Some(letters) if letters.contains(['c', 'm', 'e', 'E', 'r', 'p', 'n', 'I', 'W', 'X', 'd', 'M']) => {
                return None;
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::judged::class;
    use super::*;
    use crate::class::Class::{Red as R, Yellow as Y, YellowExternal as E};
    use crate::facts::runs_code;

    #[test]
    fn the_list_is_sorted() {
        let unsorted = RUNNERS.windows(2).find(|pair| pair[0] >= pair[1]);
        assert!(unsorted.is_none(), "{unsorted:?}");
    }

    #[test]
    fn what_lies_elsewhere_is_not_run_unasked() {
        let mut low = Vec::new();
        for folder in ["/etc", "/srv/other", "/tmp/x", "~/other", "/home/bob/shop", "../other", "../../var/www"] {
            for line in [
                "make -C F",
                "make -kC F all",
                "make -CF",
                "make --directory=F",
                "make --dir F",
                "make -f F/Makefile",
                "make -fF/x.mk",
                "cd F && make",
                "cd F; npm test",
                "env -C F make",
                "(cd F && cargo build)",
                "npm --prefix F run build",
                "npm --prefix=F test",
                "npm install F",
                "yarn --cwd F build",
                "pnpm -C F build",
                "cargo build --manifest-path F/Cargo.toml",
                "cargo --manifest-path=F/Cargo.toml test",
                "cargo install --path F",
                "go -C F build",
                "go run F/main.go",
                "mvn -f F/pom.xml install",
                "gradle -p F build",
                "just -f F/justfile",
                "task -d F build",
                "rake -f F/Rakefile",
                "ninja -C F",
                "cmake --build F",
                "cmake -P F/x.cmake",
                "pytest F",
                "pytest -c F/pytest.ini",
                "pip install -e F",
                "pip install F",
                "uv --directory F run x",
                "docker compose -f F/compose.yaml up",
                "docker compose --project-directory F up",
                "docker build F",
                "docker build -f F/Dockerfile .",
                "docker-compose -fF/compose.yaml up",
                "ansible-playbook F/site.yml",
                "ansible-playbook -i F/inventory site.yml",
                "terraform -chdir=F apply",
                "java -jar F/x.jar",
                "python3 F/x.py",
                "python3 -u F/x.py a",
                "bash F/x.sh",
                "bash -x F/x.sh",
                "node F/x.js",
                "perl F/x.pl",
                "deno run F/x.ts",
                "git -C F commit -m a",
                "git --git-dir=F/.git commit -m a",
                "cd F && git pull",
            ] {
                // What root alone writes is a script like any installed one.
                if folder == "/etc" && runs_code(line.split(' ').next().unwrap()) {
                    continue;
                }
                let line = line.replace('F', folder);
                let got = class(&line);
                if got.0 < R {
                    low.push(format!("{} {line} {:?}", got.0, got.1));
                }
            }
        }
        assert!(low.is_empty(), "{}", low.join("\n"));
    }

    #[test]
    fn what_lies_here_or_is_installed_is() {
        for line in [
            "make -C sub",
            "make -f sub/x.mk",
            "cd sub && make",
            "cd sub && npm test",
            "cd /srv/workspace/sub && make",
            "make -C /srv/workspace/sub",
            "make DESTDIR=/tmp/x install",
            "make CC=/opt/x/bin/cc",
            "cmake -S . -B build -DCMAKE_INSTALL_PREFIX=/tmp/x",
            "cargo build --target-dir /tmp/t",
            "go build -o /tmp/x ./...",
            "pytest --junitxml=/tmp/x.xml tests",
            "bazel build //a:b",
            "npm ci --cache /tmp/npm",
            "python3 a.py /srv/other",
            "python3 /usr/lib/x.py",
            "bash /usr/local/bin/x.sh",
            "source /etc/os-release",
            "git -C sub commit -m a",
            "git -C /srv/other log -p",
            "cd /srv/other && git status",
            "git commit -C HEAD",
            "source ~/.cargo/env",
            "source .venv/bin/activate",
            "docker build -t a .",
            "docker run -v ./x:/y a make -C /y",
            "docker exec shop npm --prefix /app test",
            "kubectl exec pod -- python3 /app/x.py",
        ] {
            let got = class(line);
            assert!(got.0 <= E && (got.0 <= Y || line.starts_with("kube")), "{} {line} {:?}", got.0, got.1);
        }
        assert_eq!(class("ssh a 'cd /var/www/shop && npm ci'").0, E);
        // What stands beside it is still of this machine.
        for line in ["docker ps; make -C /etc", "ssh a ls && python3 /tmp/x.py", "docker exec a ls; cd /tmp/x && make"]
        {
            assert_eq!(class(line).0, R, "{line}");
        }
    }
}
