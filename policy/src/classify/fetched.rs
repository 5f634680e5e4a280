//! Programs that start what they fetch: a package by its name is a dependency as any other, one by an address is code of whoever is there.

use super::Judge;
use crate::class::Class;
use crate::facts::Command;

/// How such a program names what it starts.
struct Runner {
    programs: &'static [&'static str],
    /// The words of its order, each way of it; one that is empty is none.
    orders: &'static [&'static str],
    /// Options whose value is the package, or one that is put beside it.
    options: &'static [&'static str],
    /// Options whose value is something else.
    values: &'static [&'static str],
    /// Options behind which a command stands with words of its own.
    ends: &'static [&'static str],
}

const RUNNERS: &[Runner] = &[
    Runner {
        programs: &["npx", "pnpx", "bunx"],
        orders: &[""],
        options: &["-p", "--package"],
        values: &["--prefix", "--cache", "--registry", "-w", "--workspace"],
        ends: &[],
    },
    Runner {
        programs: &["npm", "pnpm", "yarn", "bun"],
        orders: &["exec", "x", "dlx"],
        options: &["-p", "--package"],
        values: &["--prefix", "--cache", "--registry", "-w", "--workspace", "-C", "--dir", "--cwd"],
        ends: &[],
    },
    Runner {
        programs: &["uvx"],
        orders: &[""],
        options: &["--from", "--with", "--with-editable", "-f", "--find-links"],
        values: &["-p", "--python", "--directory", "--project"],
        ends: &[],
    },
    Runner {
        programs: &["uv"],
        orders: &["run", "tool run"],
        options: &["--from", "--with", "--with-editable", "-f", "--find-links", "--with-requirements"],
        values: &["-p", "--python", "--directory", "--project", "--group", "--extra", "--env-file", "--package"],
        ends: &["-m", "--module"],
    },
    Runner {
        programs: &["pipx"],
        orders: &["run"],
        options: &["--spec", "--pip-args", "--with"],
        values: &["--python", "--index-url", "-i"],
        ends: &[],
    },
    Runner {
        programs: &["nix"],
        orders: &["run", "shell", "develop"],
        options: &[],
        values: &[],
        ends: &["-c", "--command"],
    },
    Runner {
        programs: &["task", "go-task"],
        orders: &[""],
        options: &["-t", "--taskfile"],
        values: &["-d", "--dir"],
        ends: &[],
    },
    Runner { programs: &["go"], orders: &["run"], options: &[], values: &[], ends: &[] },
];

/// How an address begins.
const ADDRESSES: &[&str] = &[
    "http://",
    "https://",
    "git+",
    "git://",
    "git@",
    "ssh://",
    "github:",
    "gitlab:",
    "bitbucket:",
    "gist:",
    "sourcehut:",
    "tarball+",
];

impl Judge<'_> {
    /// Whether that command starts what lies at an address.
    pub(super) fn fetched(&mut self, name: &str, command: &Command) {
        let Some(runner) = RUNNERS.iter().find(|runner| runner.programs.contains(&name)) else { return };
        if runner.address(command).is_some() {
            let reason = format!("It has {name} start what lies at an address, which nobody has looked at");
            self.built_in("program.fetched", &reason, Class::Red);
        }
    }
}

impl Runner {
    /// The address of what is started, if there is one.
    fn address<'c>(&self, command: &'c Command) -> Option<&'c str> {
        let mut words = command.args.iter().map(|word| word.text.as_str());
        let (mut operands, mut found) = (Vec::new(), None);
        while let Some(word) = words.next() {
            let (option, value) = match word.split_once('=') {
                Some((option, value)) if option.starts_with('-') => (option, Some(value)),
                _ => (word, None),
            };
            if self.ends.contains(&option) {
                break;
            } else if self.options.contains(&option) {
                found = found.or(value.or_else(|| words.next()).filter(|value| is_address(value)));
            } else if self.values.contains(&option) {
                value.or_else(|| words.next());
            } else if !word.starts_with('-') {
                operands.push(word);
                if let Some(package) = self.package(&operands) {
                    // What stands behind it is its own.
                    return found.or(Some(package).filter(|package| is_address(package)));
                }
            }
        }
        let given = |order: &&str| {
            let words = order.split_whitespace().count();
            order.split_whitespace().eq(operands.iter().copied().take(words))
        };
        found.filter(|_| self.orders.iter().any(given))
    }

    /// The word behind the order.
    fn package<'c>(&self, operands: &[&'c str]) -> Option<&'c str> {
        self.orders.iter().find_map(|order| {
            let mut rest = operands.iter();
            order.split_whitespace().all(|word| rest.next() == Some(&word)).then(|| rest.next().copied())?
        })
    }
}

fn is_address(text: &str) -> bool {
    ADDRESSES.iter().any(|start| text.starts_with(start)) || text.contains("@git+") || text.contains(" @ http")
}

#[cfg(test)]
mod tests {
    use super::super::judged::{at_least, at_most};
    use crate::class::Class::{Red as R, Yellow as Y};

    #[test]
    fn what_lies_at_an_address_is_not_run_unasked() {
        at_least(
            R,
            &[
                "npx https://known.example/a.tgz",
                "npx -y github:a/b",
                "npx --yes --package=git+https://known.example/a b",
                "npx -p https://known.example/a.tgz b",
                "npx -p a -p github:a/b c",
                "npm exec -- github:a/b",
                "pnpm dlx https://known.example/a.tgz",
                "yarn dlx -p git@known.example:a/b c",
                "bunx github:a/b",
                "bun x github:a/b",
                "uvx --from git+https://known.example/a b",
                "uvx git+https://known.example/a",
                "uv run https://known.example/a.py",
                "uv run --with git+https://known.example/a b.py",
                "uv tool run --from git+https://known.example/a b",
                "pipx run https://known.example/a.py",
                "pipx run --spec git+https://known.example/a b",
                "nix run github:a/b",
                "nix run github:a/b -- c",
                "nix shell github:a/b -c d",
                "task -t https://known.example/Taskfile.yml",
            ],
        );
        at_most(
            Y,
            &[
                "npx cowsay",
                "npx wait-on http://localhost:3000",
                "npx -y lighthouse https://known.example",
                "pnpm dlx create-vite site",
                "bunx prettier --check .",
                "uvx ruff check",
                "uvx --from httpie http --version",
                "uv run pytest",
                "uv run app.py https://known.example",
                "uv run -m app --url https://known.example",
                "uv tool run ruff",
                "pipx run cowsay",
                "nix run nixpkgs#hello",
                "npm run start -- https://known.example",
                "go run . https://known.example",
                "uv pip install -f https://known.example/wheels a",
                "npm view a --registry https://known.example",
            ],
        );
    }
}
