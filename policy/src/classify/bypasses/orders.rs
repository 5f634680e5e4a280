//! Words before the order of a program, or within it, that belong to an option.

use super::super::judged::wrong;
use super::*;

/// How programs are given an order beside an option with a value, `@` standing for that: alone, and each with the class that it has
/// where the value is plain.
const VALUES: &[(Class, &str)] = &[
    (E, "gh -R @ pr list"),
    (E, "gh --repo @ issue list"),
    (C, "gh -R @ secret set A"),
    (E, "glab -R @ mr list"),
    (Y, "yarn --cwd @ test"),
    (E, "yarn --cwd @ npm publish"),
    (Y, "npm --prefix @ test"),
    (C, "npm --cache @ token create"),
    (Y, "pnpm -C @ test"),
    (Y, "pnpm --filter @ run build"),
    (E, "pnpm --filter @ publish"),
    (Y, "bun --cwd @ test"),
    (Y, "mvn -f @ test"),
    (Y, "mvn -q -pl @ -am verify"),
    (Y, "gradle -p @ test"),
    (Y, "composer -d @ install"),
    (Y, "poetry -C @ install"),
    (Y, "uv --directory @ run pytest"),
    (Y, "make -C @ test"),
    (Y, "go -C @ test ./..."),
    (Y, "kubectl --kubeconfig @ get pods"),
    (R, "kubectl --context @ delete pod x"),
    (E, "kubectl --context @ exec p -- ls"),
    (Y, "helm --kube-context @ list"),
    (R, "helm --kube-context @ uninstall x"),
    (E, "helm --burst-limit @ upgrade a b"),
    (E, "argocd --server @ app list"),
    (E, "docker --context @ ps"),
    (G, "docker --log-level @ ps"),
    (Y, "docker compose --profile @ up -d"),
    (R, "docker compose --profile @ rm -f"),
    (R, "docker compose --env-file @ down -v"),
    (G, "git -C @ status"),
    (R, "git -C @ clean -fdx"),
    (E, "terraform -chdir=@ plan"),
    (E, "aws --profile @ s3 ls"),
    (R, "aws s3 --region @ rb s3://x"),
    (E, "gcloud --project @ compute instances list"),
    (C, "gcloud iam --project @ service-accounts keys create"),
    (E, "az --subscription @ vm list"),
    (E, "doctl --context @ compute droplet list"),
    (E, "flyctl -a @ status"),
    (E, "heroku -a @ logs"),
    (E, "vercel --cwd @ ls"),
    (E, "firebase --project @ projects:list"),
    (C, "doppler --project @ secrets set A=b"),
    (G, "apt -t @ list"),
    (R, "apt-get -t @ remove x"),
    (Y, "dnf --repo @ install x"),
    (Y, "migrate -path @ up"),
    (R, "migrate -database @ -path m drop"),
    (Y, "borg --repo @ list"),
    (E, "ssh -i @ host.example ls"),
    (Y, "redis-cli -n @ get x"),
];

#[test]
fn the_value_of_an_option_is_no_order_whatever_it_is() {
    for value in ["a", "./a", "push", "\"$x\"", "\"${x:-a}\""] {
        for (class, line) in VALUES {
            let line = line.replace('@', value);
            let got = verdict(&line);
            // What only reads may be Yellow where a value that is not known decides which it reads.
            let may = if value.contains('$') && *class == G { Y } else { *class };
            assert!(
                got.class >= *class && got.class <= may,
                "{line}: {} and not {class}: {:?}",
                got.class,
                rules(&got)
            );
        }
    }
}

/// Nobody knows of them whether the next word is theirs, so that it is the order or the next one is.
#[test]
fn an_option_that_nobody_described_hides_no_order() {
    at_least(
        C,
        [
            "gh --frobnicate x secret set A",
            "gh secret --frobnicate x set A",
            "npm --frob a -g token create",
            "az --frobnicate s role --debug assignment create",
            "vault -frobnicate x policy write a",
            "cargo +nightly owner --add x",
            "cargo +nightly --frob a owner --add x",
        ],
    );
    at_least(
        R,
        [
            "git --attr-source HEAD push --force",
            "git --attr-source HEAD clean -fdx",
            "git --super-prefix a/ stash drop",
            "docker compose --frobnicate 3 down",
            "docker buildx --frob b prune",
            "terraform state -frob false rm y",
            "python3 -W ignore manage.py flush",
            "dnf --frobnicate x remove y",
        ],
    );
    at_least(
        E,
        [
            "git --attr-source HEAD push",
            "helm --frobnicate 3 push a b",
            "terraform -frob x apply",
            "yarn workspace a publish",
            "yarn workspace a npm publish",
            "npm token --frob 3 create",
        ],
    );
    at_most(
        Y,
        [
            "npm -s run publisher",
            "npm --frobnicate install x",
            "docker compose exec -T db rm a",
            "docker run --rm -it alpine ls",
            "cargo +nightly build",
            "cargo \"+$toolchain\" test",
            "apt-get -qq -y install push",
            "pip -v install rm",
            "systemctl --no-pager status x",
        ],
    );
}

/// What the value itself decides, and what may be several words.
#[test]
fn a_value_that_is_not_known_may_be_the_order_or_name_what_runs() {
    at_least(
        R,
        [
            "gh \"$x\" pr list",
            "gh -R $r pr list",
            "yarn --cwd $d test",
            "yarn --frobnicate \"$d\" test",
            "docker compose --profile \"$p\" \"$x\"",
            "docker compose --profile $p ps",
            "git \"re$x\" --hard",
            "cargo \"$x\" test",
            "cargo --config \"$c\" build",
            "npm --userconfig \"$c\" test",
            "mvn -s \"$s\" test",
            "gradle --init-script \"$x\" test",
            "docker --config \"$c\" ps",
            "rclone --config \"$c\" ls x:",
            "apt-get -o \"$x\" update",
            "git -c \"$x\" status",
            "ssh -F \"$f\" host.example ls",
            "ssh -o \"$o\" host.example ls",
        ],
    );
    assert!(wrong(&["docker compose --profile \"$p\" \"x$y\" -d"], |class| class < R).is_empty());
}
