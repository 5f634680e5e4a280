//! Settings by the ways in which they can be given; refusals first.

use super::*;

fn words(line: &str) -> Vec<Word> {
    line.split_whitespace().map(|word| Word::literal(word.replace('_', " "))).collect()
}

#[test]
fn the_lists_are_sorted() {
    for list in [GIT, GIT_REMOTES, GIT_LOOKS, SSH] {
        assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
    }
}

#[test]
fn a_setting_of_git_that_nobody_listed_counts() {
    for line in [
        "-c core.pager=x log",
        "-ccore.pager=x log",
        "-c CORE.Pager=x log",
        "-C a -c x.y=z status",
        "-c color.ui=always -c pager.log=x log",
        "--config-env=core.pager=X log",
        "--config-env core.pager=X log",
        "-c color",
        "clone -c core.hooksPath=x a",
        "clone --conf core.hooksPath=x a",
        "clone --config=core.hooksPath=x a",
        "config core.hooksPath x",
        "config --global core.hooksPath x",
        "config set --global core.hooksPath x",
        "config --add safe.directory",
        "config -f a core.hooksPath x",
        "config gpg.ssh.defaultKeyCommand x",
        "config lfs.customtransfer.x.path x",
        "config diff.colour.command x",
        "config remote.origin.uploadpack x",
        "-c remote.origin.url=x fetch",
        "config gc.recentObjectsHook x",
        "clone -c gc.recentObjectsHook=x a",
        "clone -qc gc.recentObjectsHook=x a",
        "clone --conf=gc.recentObjectsHook=x a",
        "clone -b main -vcgc.repackFilterTo=x a",
        "config gc.repackFilterTo x",
        "config gc.pruneExpire now",
        "config gc.refs/heads/x.reflogExpire now",
        "config rebase.instructionFormat x",
        "config diff.tool ../../x",
        "config merge.tool x",
        "-c clean.requireForce=false clean",
        "config remote.origin.push x",
        "config pack.someHook x",
        "config index.some x",
    ] {
        assert_eq!(git(&words(line)), [SETS], "{line}");
    }
    for line in [
        "status",
        "commit -c HEAD",
        "log -c",
        "switch -c core.pager",
        "-c color.ui=always status",
        "-c Color.UI=always -C a log",
        "-c user.name=x -c user.email=y commit -m a",
        "clone -c core.autocrlf=input a",
        "clone -qc gc.auto=0 a",
        "clone -b core.pager a",
        "config gc.auto 0",
        "config pack.threads 4",
        "config rebase.autoStash true",
        "config status.showUntrackedFiles no",
        "config diff.colorMoved zebra",
        "config color.diff.meta yellow",
        "config user.name",
        "config --get core.pager",
        "config get core.pager",
        "config --unset core.pager",
        "config --list",
        "config set --global user.name x",
        "config remote.origin.url x",
        "config branch.a.b.remote x",
    ] {
        assert_eq!(git(&words(line)), Vec::<&str>::new(), "{line}");
    }
}

#[test]
fn a_setting_of_ssh_that_nobody_listed_counts() {
    for (name, line, want) in [
        ("ssh", "-o ProxyCommand=x a", SETS),
        ("ssh", "-oProxyCommand=x a", SETS),
        ("ssh", "-o proxycommand_x a", SETS),
        ("ssh", "-vo Tunnel=yes a", SETS),
        ("ssh", "a -o LocalCommand=x", SETS),
        ("ssh", "-p 22 -i k a -oInclude=x id", SETS),
        ("ssh", "-o BatchMode=yes -o KnownHostsCommand=x a", SETS),
        ("ssh", "-o", SETS),
        ("ssh", "-vA a", SETS),
        ("ssh", "-X a", SETS),
        ("scp", "-o ProxyCommand=x a b:", SETS),
        ("scp", "-S x a b:", RUNS),
        ("scp", "-rSx a b:", RUNS),
        ("sftp", "-D x", RUNS),
        ("sftp", "-S ./ssh a", RUNS),
    ] {
        assert_eq!(ssh(name, &words(line)), [want], "{name} {line}");
    }
    for (name, line) in [
        ("ssh", "a"),
        ("ssh", "-o BatchMode=yes -oPort=22 a id"),
        ("ssh", "a psql -o out"),
        ("ssh", "a ls -A"),
        ("ssh", "-iA a"),
        ("ssh", "-S socket a"),
        ("scp", "-P 22 -o StrictHostKeyChecking=no a b:"),
        ("scp", "-S ssh a b:"),
    ] {
        assert_eq!(ssh(name, &words(line)), Vec::<&str>::new(), "{name} {line}");
    }
}

#[test]
fn rsync_connects_by_ssh_alone() {
    for line in [
        "-e x a b:c",
        "-ex a b:c",
        "-e=x a b:c",
        "-ave x_-p a b:c",
        "--rsh=x a b:c",
        "--rsh nc_x a b:c",
        "--rsync-path=id;rsync a b:c",
        "--rsync-pa ./x a b:c",
        "-e ssh -e x a b:c",
        "-e",
    ] {
        assert_eq!(rsync(&words(line)), [RUNS], "{line}");
    }
    for line in [
        "-a a b",
        "-e ssh a b:c",
        "-azessh a b:c",
        "--rsh=ssh_-p_22 a b:c",
        "--rsync-path=sudo_rsync a b:c",
        "-f -e a b",
    ] {
        assert_eq!(rsync(&words(line)), Vec::<&str>::new(), "{line}");
    }
}
