//! Commands that stand in the arguments of another program, or in what it reads.

use super::judged::class;
use crate::class::Class::{CriticalRed as C, Red as R, Yellow as Y, YellowExternal as E};

#[test]
fn a_program_that_rules_name_hides_no_command() {
    let mut low = Vec::new();
    for command in ["rm -rf /", "systemctl stop ufw", "useradd mallory", "ufw disable", "docker run --privileged x"] {
        for template in [
            "hatch run @",
            "gnome-terminal -- @",
            "lerna exec -- @",
            "nx exec -- @",
            "turbo exec @",
            "tox exec -- @",
            "sops exec-env x '@'",
            "sops exec-file x '@'",
            "cargo watch -x check -- @",
            "oc rsh p @",
            "oc exec p -- @",
            "salt '*' cmd.run '@'",
            "knife ssh x '@'",
            "rexec h @",
            "rsh -l bob h @",
            "tsh ssh h @",
            "gh codespace ssh -- @",
            "gcloud compute ssh h -- @",
            "nomad alloc exec x @",
            "railway run @",
            "lando ssh -c '@ -v'",
            "az container exec --exec-command '@ -v'",
            "aws ecs execute-command --interactive --command '@ /x'",
            "echo '@' | ssh host",
            "ssh host <<< '@'",
            "ssh -p 22 host <<E\n@\nE",
            "echo '@' | rsh host",
            "echo '@' | gcloud compute ssh h",
            "echo '@' | vagrant ssh",
            "echo '@' | fly ssh console",
            "echo '@' | multipass shell x",
            "docker run --rm alpine @",
            "docker run --newest x alpine @",
            "docker compose -f a.yaml exec -T web @",
            "docker run --entrypoint sh alpine -c '@'",
            "podman exec -it shop @",
        ] {
            let line = template.replace('@', command);
            let got = class(&line);
            if got.0 < C {
                low.push(format!("{} {line} {:?}", got.0, got.1));
            }
        }
    }
    assert!(low.is_empty(), "{}", low.join("\n"));
    for line in [
        "cat a.sh | ssh host",
        "cargo watch -s 'rm -rf /srv/shop'",
        "aws ssm send-command --parameters 'commands=[\"x\"]'",
    ] {
        let got = class(line);
        assert!(got.0 >= R, "{} {line} {:?}", got.0, got.1);
    }
}

/// Words that are names of programs only by chance, and arguments of what is built here.
#[test]
fn a_word_that_is_no_command_there_is_none() {
    for (want, line) in [
        (Y, "apt install curl git"),
        (Y, "pip install mail"),
        (Y, "cargo run -- serve --port 8080"),
        (Y, "cargo test -- --nocapture"),
        (Y, "go run ./cmd/server serve --port 1"),
        (Y, "just test -- mail x"),
        (Y, "docker compose up -d"),
        (Y, "docker run --rm alpine echo hi"),
        (Y, "docker start mail x"),
        (Y, "docker run -it --name mail -e A=b mail ls -l"),
        (Y, "nx run app:serve"),
        (Y, "nx run-many -t build"),
        (Y, "hatch run pytest tests"),
        (Y, "tox -e py311 -- tests -x"),
        (Y, "eslint -c .eslintrc src"),
        (Y, "gcc -c a.c -o a.o"),
        (E, "gh run list -L 5"),
        (E, "gh run view 123 --log"),
        (E, "gh pr create --title 'reboot fails' --body 'make it'"),
        (E, "mail -s 'reboot needed' anna@shop.example"),
        (E, "ssh -T git@github.com < /dev/null"),
        (E, "tar c a | ssh host 'tar x'"),
        (E, "salt '*' test.ping"),
    ] {
        let got = class(line);
        assert!(got.0 <= want, "{} {line} {:?}", got.0, got.1);
    }
}
