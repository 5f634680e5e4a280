//! Programs that only read, asked for something else by a second spelling: a letter behind another, a shortened word, an option
//! that nobody thought of, another machine.

use super::*;

/// None of them is Green.
#[test]
fn readers_that_write_run_or_clear() {
    at_least(
        Y,
        [
            "ss -tK dst 1.2.3.4",
            "ss -nD x",
            "date -us 12:00",
            "date -fs x",
            "date 010100002030",
            "tree -fo x",
            "tree -do /etc/x",
            "sdiff -so out a b",
            "file -bC",
            "file -zb a",
            "ptx -fG a b",
            "hostname -fF x",
            "cat a | less -No log",
            "lsof -nD b",
            "git grep -nO x",
            "git grep -Fo -Oid x",
            "git reflog --output=x",
            "dmesg --read-clear",
            "dmesg -Tc",
            "dmesg --console-off",
            "dmesg --console-level 1",
            "lastlog --clear",
            "lastlog -C",
            "lastlog -S",
            "lshw -dump /etc/x",
            "bat cache --clear",
            "bat --generate-config-file",
            "declare -xp",
            "declare -x",
            "sysctl -f x",
            "POSIXLY_CORRECT=1 uniq a -c b",
            "sed --i s/a/b/ a",
        ],
    );
}

/// What these programs are told may be shortened, and one word of looking does not make the rest of it harmless.
#[test]
fn shortened_orders_change_the_machine() {
    at_least(
        R,
        [
            "ip a a 1.2.3.4 dev eth0",
            "ip ad de 1.2.3.4 dev eth0",
            "ip l d x",
            "ip l s eth0 down",
            "ip n f all",
            "ip r f all",
            "ip -ba x",
            "ip --batch x",
            "ip net e x ./a.sh",
            "ip -s l d x",
            "nmcli c u x",
            "nmcli d d eth0",
            "nmcli c m x",
            "nmcli n of",
            "nmcli con show --show-secrets x",
            "nmcli -s c s x",
            "nmcli dev wifi show-password",
            "ifconfig eth0 1.2.3.4",
            "iwconfig eth0 essid x",
            "ethtool -E eth0 offset 1",
            "ethtool -r eth0",
            "ethtool -C eth0 rx-usecs 1",
            "ethtool -W eth0 1",
            "ethtool --flash eth0 x",
            "ethtool --reset eth0 all",
            "bridge f a x dev y",
            "brctl setfd x 1",
            "crontab -u root -l -r",
            "crontab -lr",
            "date -s 12:00",
        ],
    );
    at_least(
        C,
        [
            "sfdisk -l --delete /dev/sda",
            "parted -l /dev/sda mklabel gpt",
            "sgdisk -l x /dev/sda",
            "zpool import -l x",
            "zfs mount -l x",
            "zpool create -l x y",
            "zpool destroy list",
        ],
    );
}

#[test]
fn another_machine_is_asked() {
    at_least(
        E,
        [
            "systemctl -H evil status",
            "systemctl --host=evil list-units",
            "systemctl --ho evil",
            "docker -H tcp://evil ps",
            "docker --host ssh://evil images",
            "journalctl -H evil",
        ],
    );
}

#[test]
fn a_second_spelling_names_the_program_that_runs() {
    at_least(
        R,
        [
            "curl --unix-s /var/run/docker.sock http://x/",
            "curl --conf x https://known.example",
            "wget --use-ask=id https://known.example",
            "wget -e use-askpass=id https://known.example",
            "git difftool --extcmd=id",
            "git difftool --extc id",
            "ssh -o LocalForward=1:a:2 b",
            "ssh -oremoteforward=1:a:2 b",
            "ssh -o 'DynamicForward 1' b",
            "ssh -o ProxyJump=c b",
            "ssh -o PKCS11Provider=./x.so b",
            "scp -o SecurityKeyProvider=./x.so a b:",
            "ssh -o XAuthLocation=./x b",
        ],
    );
}

/// A letter that takes no value swallows none behind it: what is graver alone is no milder in a cluster.
#[test]
fn a_letter_is_no_milder_behind_another() {
    for (program, harmless, grave) in [
        ("ss", "tunaplemsiorw46", "KD"),
        ("tree", "adfpugshDFqNQCrtX", "oR"),
        ("sdiff", "ibWBalstd", "o"),
        ("file", "bchikLNnrsv0", "Cz"),
        ("ptx", "ArRfTOtC", "G"),
        ("hostname", "aAdfiIsy", "Fb"),
        ("dmesg", "TxkurtedPS", "CcDEn"),
        ("date", "uR", "s"),
        ("lastlog", "R", "CS"),
        ("crontab", "l", "re"),
    ] {
        for first in harmless.chars() {
            for then in grave.chars() {
                let (alone, behind) = (format!("{program} -{then} a"), format!("{program} -{first}{then} a"));
                assert!(verdict(&alone).class > G, "{alone}");
                assert!(verdict(&behind).class > G, "{behind}");
            }
        }
    }
}

/// A look is Green by the options that it has, not by the word with which it begins.
#[test]
fn a_look_with_another_option_or_order_is_no_look() {
    at_least(
        Y,
        [
            "apt list -o Apt::X=./x",
            "apt install list",
            "apt-get install show",
            "apt-mark hold list",
            "dpkg -l -i x.deb",
            "dpkg -s --root=/x y",
            "rpm -q --pipe=id -a",
            "rpm -q --define 'a %(id)'",
            "rpm -i list",
            "pip list --outdated",
            "pip install list",
            "pip show -i https://known.example x",
            "npm run ls",
            "npm install ls",
            "npm ls --registry=https://known.example --frobnicate",
            "npm --prefix ../x ls",
            "git config --get x --unset y",
            "git config -f .env -l",
            "git branch list",
            "git branch -l new",
            "git branch --list -D x",
            "git tag -l -d x",
            "git tag list",
            "git remote show origin",
            "timedatectl -H evil status",
            "loginctl terminate-user list",
            "ssh-keygen -l -D ./x.so",
            "ssh-keygen -l -s k x",
            "journalctl --frobnicate",
            "find . -exec ls {} + -frobnicate",
            "find . -frobnicate -exec ls {} ;",
            "tar tf a.tar -F ./x",
            "docker image ls rm --frobnicate",
            "snap list --frobnicate",
        ],
    );
    at_least(
        R,
        [
            "npm exec rm -rf /srv/x",
            "pip list --log /etc/x",
            "git log --frobnicate=/etc/x",
            "git -C /srv/other log --frobnicate",
            "docker exec web init 0",
            "ip netns exec x rm -rf /srv/x",
            "ip link set eth0 down",
            "dc -e '!id'",
            "dc -e 2 -f a",
            "ssh-keygen -R host",
        ],
    );
    at_most(
        G,
        [
            "apt list --installed",
            "apt policy x",
            "dpkg -l",
            "dpkg -S /bin/ls",
            "rpm -qa",
            "rpm -qf /bin/ls",
            "pip list",
            "pip freeze",
            "npm ls --depth=0",
            "git config --get user.name",
            "git tag -l 'v*'",
            "git branch --list 'a*'",
            "git remote get-url origin",
            "git worktree list",
            "timedatectl",
            "hostnamectl status",
            "localectl list-locales",
            "loginctl show-session 1",
            "resolvectl status",
            "ip link show",
            "ip -s link show eth0",
            "docker system df",
            "docker image ls --filter dangling=true",
            "dc -e '2 2 + p'",
            "ssh-keygen -lf a.pub",
            "jq .env a.json",
            "jq -r '.a.env[0]' a.json",
            "find . -name x -exec grep -l x {} +",
            "blkid -o value -s UUID /dev/sda1",
        ],
    );
    at_most(Y, ["npm init x", "npm init -y", "ip tunnel show"]);
}

#[test]
fn what_only_looks_is_green_all_the_same() {
    at_most(
        G,
        [
            "ss -tlnp",
            "date",
            "date -u +%F",
            "date -d tomorrow +%s",
            "tree -aL 2",
            "file -b --mime-type a",
            "less -N a",
            "less -S a",
            "hostname -f",
            "dmesg -T --level err",
            "lshw -short",
            "git grep -n x",
            "bat -p a",
            "ip a",
            "ip -br link",
            "ip -4 addr show dev eth0",
            "ip r get 1.2.3.4",
            "ip -s -d addr show eth0",
            "ip route show",
            "nmcli dev status",
            "nmcli -t -f NAME con show --active",
            "ifconfig -a",
            "ethtool -i eth0",
            "bridge fdb show",
            "fdisk -l /dev/sda",
            "zpool list",
            "zfs list -t snapshot",
            "crontab -u me -l",
            "systemctl status x",
            "docker ps -a",
        ],
    );
    at_most(E, ["wget -e robots=off https://known.example", "docker exec x curl -H a"]);
}
