//! What a program that only reads is made to read.

use super::judged::wrong;
use crate::class::Class::{self, Green as G, Yellow as Y};

#[test]
fn a_file_is_found_in_whatever_argument_it_stands() {
    let low = wrong(
        &[
            "jq --rawfile a /etc/shadow -n '$a'",
            "jq --slurpfile a ~/.aws/credentials . b",
            "jq -rn --rawfile k id_rsa '$k'",
            "jq --arg x y --rawfile k id_rsa -n '$k'",
            "jq --rawfile a b --rawfile k id_rsa -n '$k'",
            "jq --arg a b . id_rsa",
            "jq --argfile a id_rsa -n '$a'",
            "gojq -n --rawfile k id_rsa '$k'",
            "jq -n 'import\"a\"as $a {search:\"/x\"};$a'",
            "sort --files0-from=list0",
            "sort --files0 list0",
            "wc --files0-from=list0",
            "du --files0-from list0",
            "find -files0-from list0",
            "file --files-from=list0",
            "nm @list",
            "readelf -a @list",
            "tree --fromfile list",
            "iconv id_rsa",
            "zdiff id_rsa a",
            "man -l ~/.ssh/id_rsa",
            "man ./.env",
            "git show HEAD:id_rsa",
            "git blame id_rsa",
            "git cat-file -p HEAD:id_rsa",
            "git log -p -- id_rsa",
            "git diff --no-index /dev/null shadow",
            "diff --from-file=id_rsa a",
        ],
        |class| class >= Y,
    );
    assert!(low.is_empty(), "{}", low.join("\n"));
}

#[test]
fn what_only_looks_is_not_taken_for_more() {
    let low = wrong(
        &[
            "gzip a",
            "gzip -dl a.gz",
            "gzip -lk a.gz",
            "zstd -lo a b",
            "lz4 -l a b",
            "cargo -V",
            "rustc -V",
            "go version",
            "go version -m a",
            "node -v a",
            "rpm -q --qf '%(id)' x",
            "tmux ls -F '#(id)'",
            "man -kP ./x x",
            "make -n",
            "tmux attach",
            "rm -f out/*.tmp",
            "alias ll='ls -l'",
            "alias x='curl https://a.example'",
        ],
        |class| class >= Y,
    );
    assert!(low.is_empty(), "{}", low.join("\n"));
    let low = wrong(
        &[
            "lz4 -l a /etc/cron.d/x",
            "RUSTUP_TOOLCHAIN=/tmp/x cargo --version",
            "echo x > rust-toolchain",
            "rm -f out/*",
            "rm -f out/?*",
            "rm out/*.*",
            "rm -f out/[a-z]*",
            "rm */*.tmp",
            "rm -f out/*/a",
            "watch rm -f 'data/*'",
            "watch rm -f 'data/?*'",
            "watch rm -f 'data/*{,x}'",
            "watch rm -f \"data/*''\"?",
            "hatch run rm -f 'a/*'",
            "tool: frobnicate {\"command\":\"rm\",\"args\":[\"-f\",\"data/*\"]}",
            "zsh -c 'rm -f a/*(.)'",
            "shopt -s extglob\nrm -f a/*(?)",
            "shopt -s extglob\nrm -f a/+(?)",
            "shopt -s extglob\nrm -f a/@(*)",
            "alias rm='ls'",
            "alias ls='rm -rf'",
            "alias x='rm -rf a'",
            "alias x='./x'; x",
            "alias g=git; g push",
            "alias then='id'",
            "shopt -s expand_aliases\nalias nice=git\nnice clean -fdx",
            "alias env='env git'\nenv clean -fdx",
            "alias coproc='coproc git'\ncoproc clean -fdx",
            "alias sudo='sudo '",
            "alias a=\"$x\"",
            "alias x='ls' y='rm -rf /'",
            "tmux attach \\; send-keys id Enter",
            "tmux ls ';' new-session id",
            "tmux -c id ls",
            "tmux attach \\; sp ./x",
            "tmux attach \\; send-k id Enter",
            "tmux attach \\; detach -E ./x",
            "tmux sp ./x a",
            "screen -dmS s ./x a",
            "script -q a",
            "login a",
            "ttyd -p 80 ./x a",
            "dtach -n s ./x a",
            "tmux",
            "tmux new -s a",
            "tmux -S a",
        ],
        |class| class >= Class::Red,
    );
    assert!(low.is_empty(), "{}", low.join("\n"));
    let high = wrong(
        &[
            "gzip -l a.gz",
            "gzip --list a.gz",
            "gzip -lv a.gz",
            "xz -l a.xz",
            "zstd -t a.zst",
            "man -k x",
            "rpm -qa --qf '%{NAME}\\n'",
            "rpm -q --queryformat '%{NAME}' x",
            "node -v",
            "cargo --version",
            "rustc --version",
            "java -version",
            "perl -v",
            "python3 -V",
        ],
        |class| class == G,
    );
    assert!(high.is_empty(), "{}", high.join("\n"));
    let high = wrong(
        &[
            "rm -f out/*.tmp",
            "rm out/*.o out/*.d",
            "rm -f 'out/*'",
            "timeout 5 rm -f out/*.tmp",
            "tool: frobnicate {\"command\":\"rm\",\"args\":[\"-f\",\"out/*.tmp\"]}",
            "alias ll='ls -l'",
            "alias ll='ls -l' la='ls -a'",
            "alias ls='ls --color=auto'",
            "alias gits='git status'",
            "tmux attach",
            "tmux attach -t x",
            "tmux a",
            "tmux a -d",
            "tmux attach-session -d -t x",
            "tmux capture-pane -p -t x",
            "tmux ls",
        ],
        |class| class <= Y,
    );
    assert!(high.is_empty(), "{}", high.join("\n"));
}

#[test]
fn a_pattern_in_a_folder_with_secrets_may_stand_for_one() {
    let low = wrong(
        &[
            "cat ~/*",
            "cat $HOME/*",
            "head -n 3 ~/*",
            "grep x ~/*",
            "cat /home/*/*",
            "cat /home/bob/*",
            "cat /etc/*",
            "cat ../*",
            "cat ~/*/*",
            "wc -l ~bob/*",
            "cat /*",
            "cat ~/cred*",
            "cat ~/*.json",
            "cd ~ && cat *",
            "cd ~ && git grep -e x",
            "cd /etc && git grep x",
            "git grep -e ''",
            "git grep ''",
            "git grep .",
            "git grep -v x",
        ],
        |class| class >= Y,
    );
    assert!(low.is_empty(), "{}", low.join("\n"));
    let high = wrong(
        &[
            "cat *",
            "cat src/*",
            "cat ~/*.md",
            "ls ~/*",
            "echo ~/*",
            "cat /etc/*release",
            "cat /usr/share/doc/*",
            "cat sub/../*.rs",
            "git grep x",
            "git grep -l ''",
            "git grep -e 'fn main'",
            "cd sub && git grep x",
        ],
        |class| class == G,
    );
    assert!(high.is_empty(), "{}", high.join("\n"));
}

#[test]
fn to_read_all_of_a_folder_is_to_read_the_secrets_in_it() {
    let mut lines = Vec::new();
    for folder in
        ["/", "~", "/home", "/home/bob", "~bob", "/etc", "/root", "~/.config", "/var", "/proc", "..", "$HOME", "~/.ssh"]
    {
        for search in [
            "grep -r x F",
            "grep -Rn x F",
            "grep --recursive -e x F",
            "grep -d recurse x F",
            "grep --directories=recurse x F",
            "egrep -ir x F",
            "rgrep x F",
            "rg x F",
            "rg --hidden . F",
            "rg -uu x src F",
            "ag x F",
            "diff -r a F",
            "diff --recursive F a",
            "cd F && grep -r x",
            "cd F && rg x",
            "cd F && rg x .",
            "git grep --no-index x F",
            "find F -type f | xargs cat",
            "find F -type f -exec cat {} +",
        ] {
            lines.push(search.replace('F', folder));
        }
    }
    for all in ["''", ".", ".*", "^", "'[a-z]'", "'x|'", "-v x"] {
        lines.extend([format!("grep -r {all} ."), format!("grep -r {all}"), format!("rg --hidden {all}")]);
    }
    let low = wrong(&lines.iter().map(String::as_str).collect::<Vec<_>>(), |class| class >= Y);
    assert!(low.is_empty(), "{}", low.join("\n"));
    let high = wrong(
        &[
            "grep -r x .",
            "grep -rn foo src",
            "grep -r foo",
            "grep -rl '' .",
            "grep -r . src",
            "rg foo",
            "rg -n 'fn main' src tests",
            "rg --files",
            "rg -tpy -e foo",
            "grep -r x /usr/include",
            "grep x /etc/hosts",
            "grep -rn password src",
            "diff -ru a b",
            "cd src && grep -r x .",
            "sort a",
            "sort -u -k2 a b",
            "wc -l a b",
            "jq . a.json",
            "jq --arg a b '.x == $a' c.json",
            "jq -r --argjson a 1 '.[$a]' c.json",
            "jq -n --slurpfile a b.json '$a'",
            "git diff",
            "git show HEAD:src/a.rs",
            "git blame src/a.rs",
            "git log --grep=password",
            "sed -n 5p a",
            "find . -name '*.rs' | xargs wc -l",
            "ls ~",
            "find / -name a.txt",
            "man git",
        ],
        |class| class == G,
    );
    assert!(high.is_empty(), "{}", high.join("\n"));
}
