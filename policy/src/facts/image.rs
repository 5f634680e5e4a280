//! Where the command stands in the arguments of a container engine: orders, containers and images have names of programs (`up`,
//! `alpine`), and are none.

use super::words::Word;

/// Orders behind which no command stands; sorted.
const WITHOUT: &[&str] = &[
    "build", "commit", "cp", "diff", "down", "events", "export", "history", "images", "import", "info", "inspect",
    "kill", "load", "login", "logout", "logs", "ls", "pause", "port", "ps", "pull", "push", "rename", "restart", "rm",
    "rmi", "save", "search", "start", "stats", "stop", "tag", "top", "unpause", "up", "update", "version", "wait",
];
/// Orders that have orders of their own.
const GROUPS: &[&str] = &["compose", "container", "image", "volume", "network", "system", "context"];
/// Orders with a container or an image, and the command behind it.
const WITH: &[&str] = &["run", "create", "exec"];
/// Options without a value, and with one, of all of them; sorted.
const FLAGS: &[&str] = &[
    "--build",
    "--detach",
    "--init",
    "--interactive",
    "--no-TTY",
    "--no-deps",
    "--quiet",
    "--read-only",
    "--remove-orphans",
    "--rm",
    "--service-ports",
    "--tty",
];
const VALUES: &[&str] = &[
    "--add-host",
    "--cpus",
    "--dns",
    "--env",
    "--env-file",
    "--expose",
    "--file",
    "--health-cmd",
    "--hostname",
    "--label",
    "--log-driver",
    "--memory",
    "--mount",
    "--name",
    "--net",
    "--network",
    "--network-alias",
    "--platform",
    "--profile",
    "--project-directory",
    "--project-name",
    "--publish",
    "--pull",
    "--restart",
    "--shm-size",
    "--tmpfs",
    "--ulimit",
    "--user",
    "--volume",
    "--workdir",
    "-e",
    "-f",
    "-h",
    "-l",
    "-m",
    "-p",
    "-u",
    "-v",
    "-w",
];
const LETTERS: [char; 5] = ['d', 'i', 't', 'q', 'T'];

/// How many words stand before what may be a command; `None` where an option is not known, which might take the next word.
pub(super) fn before_command(args: &[Word]) -> Option<usize> {
    let order = operand(args, 0)?;
    let (mut at, mut name) = (order, args[order].text.as_str());
    if GROUPS.contains(&name) {
        at = operand(args, at + 1)?;
        name = args[at].text.as_str();
    }
    if WITHOUT.binary_search(&name).is_ok() {
        return Some(args.len());
    }
    if !WITH.contains(&name) {
        return None;
    }
    Some(operand(args, at + 1)? + 1)
}

/// The first operand from there on.
fn operand(args: &[Word], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let word = args.get(at)?.known()?;
        if !word.starts_with('-') {
            return Some(at);
        }
        let name = word.split_once('=').map_or(word, |(name, _)| name);
        let letters = word.trim_start_matches('-');
        at += if VALUES.binary_search(&name).is_ok() {
            if word.contains('=') && word.starts_with("--") { 1 } else { 2 }
        } else if FLAGS.binary_search(&name).is_ok()
            || !word.starts_with("--") && letters.chars().all(|c| LETTERS.contains(&c))
        {
            1
        } else {
            return None;
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        for list in [WITHOUT, FLAGS, VALUES] {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
        }
    }

    #[test]
    fn the_command_stands_behind_image_or_container() {
        for (line, want) in [
            ("run --rm alpine echo hi", Some(3)),
            ("run -it --name mail -v a:/b alpine rm -rf /", Some(7)),
            ("exec -u root shop rm a", Some(4)),
            ("compose -f a.yaml up -d", Some(5)),
            ("compose run web make x", Some(3)),
            ("container exec shop ls", Some(3)),
            ("start mail", Some(2)),
            ("run --entrypoint sh alpine -c id", None),
            ("run --unknown alpine rm", None),
            ("run -v/a:/b alpine rm", None),
            ("buildx x", None),
            ("run", None),
        ] {
            let words: Vec<Word> = line.split(' ').map(Word::literal).collect();
            assert_eq!(before_command(&words), want, "{line}");
        }
    }
}
