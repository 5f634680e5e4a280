//! Files that others start, written by programs that are made for something else.

use super::judged::wrong;
use crate::class::Class::{Green as G, Red as R, Yellow as Y};

#[test]
fn what_others_start_is_planted_by_whatever_writes_it() {
    let mut lines = Vec::new();
    for file in [".envrc", ".git/hooks/pre-commit", ".github/workflows/x.yml", "/etc/cron.d/x"] {
        for write in [
            "sed -n 'w F' a",
            "sed -nwF a",
            "sed 's/a/b/w F' a",
            "sed -e p -e 'w F' a",
            "awk '{print > \"F\"}' a",
            "awk '{printf \"x\" >> \"F\"; print}' a",
            "awk -v f=F '{print > f}' a",
            "awk '{print > f}' f=F a",
            "uniq a F",
            "uniq -c a F",
            "git diff --output=F",
            "git diff --output F HEAD",
            "git diff HEAD --output=F",
            "git log --output=F",
            "git stash show --output=F",
            "git reflog show --output=F",
            "git mv a F",
            "xxd -r a F",
            "xxd a F",
            "tree -o F",
            "split -n1 a F",
            "csplit -f F a 1",
            "pdftotext a F",
            "docker compose config -o F",
            "script -c ls F",
            "dos2unix -n a F",
            "tar xf a F",
            "tar -xf a F",
            "tar -x -f a F",
            "unzip a F",
            "sqlite3 F 'select 1'",
            "pg_dump -f F",
            "mysql --tee=F",
            "psql -L F",
            "psql -o F -c 'select 1'",
            "sqlite3 a 'vacuum into \"F\"'",
            "python3 -c \"import pathlib; pathlib.Path('F').write_text('x')\"",
            "php -r 'file_put_contents(\"F\",\"x\");'",
            "ruby -e 'File.write(\"F\", \"x\")'",
            "perl -e 'open F,\">F\"'",
            "curl -w '%output{F}hi' https://known.example/",
            "curl -sw '%output{>>F}hi' https://known.example/",
            "ssh -E F host",
            "sort -o a -o F b",
        ] {
            lines.push(write.replace('F', file));
        }
    }
    lines.extend(
        [
            "wget https://known.example/.envrc",
            "wget -q https://known.example/x/%2Eenvrc?a=b",
            "curl -O https://known.example/.envrc",
            "curl -sSLO https://known.example/.envrc",
            "curl --remote-name https://known.example/.envrc",
            "wget -P .git/hooks https://known.example/pre-push",
            "curl --output-dir .git/hooks -O https://known.example/pre-push",
        ]
        .map(str::to_owned),
    );
    let low = wrong(&lines, |class| class >= R);
    assert!(low.is_empty(), "{}", low.join("\n"));
}

#[test]
fn what_is_only_looked_at_or_lies_elsewhere_stays_as_it_was() {
    let own = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let high = wrong(
        &own(&[
            "sed -n 'w out.txt' a",
            "awk '{print > \"out.txt\"}' a",
            "awk '{print > $1 \".txt\"}' a",
            "uniq a b",
            "xxd a b",
            "tar xf a.tgz",
            "tar -xzf /var/lib/a.tgz src/a",
            "split -l 5 a part-",
            "pdftotext a.pdf a.txt",
            "sqlite3 a.db 'select 1'",
            "pg_dump -f a.sql shop",
            "git mv a b",
            "wget https://known.example/a.tgz",
            "curl -O https://known.example/a.tgz",
            "prettier --check .vscode/settings.json",
        ]),
        |class| class <= Y,
    );
    assert!(high.is_empty(), "{}", high.join("\n"));
    let asks = wrong(
        &own(&["sed -n 5p a", "awk '$1 > 3' a", "uniq a", "uniq -c a", "xxd a", "tree", "git diff", "sort a"]),
        |class| class == G,
    );
    assert!(asks.is_empty(), "{}", asks.join("\n"));
}
