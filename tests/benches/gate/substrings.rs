//! What many guards are: a list of dangerous texts, a list of harmless beginnings.

use wardkeep_policy::Class;

const RED: &[&str] = &[
    "rm -rf",
    "rm -r",
    "rm -fr",
    "mkfs",
    "dd if=",
    "git push --force",
    "git push -f",
    "git reset --hard",
    "git clean",
    "drop table",
    "truncate table",
    "| sh",
    "| bash",
    "|sh",
    "|bash",
    "chmod -r 777",
    "chmod 777",
    "shutdown",
    "reboot",
    "kill -9 -1",
    "> /dev/sd",
    ":(){",
    "iptables -f",
    "userdel",
    "crontab -r",
    "docker system prune",
    "kubectl delete",
    "terraform destroy",
    "nc -e",
    "/etc/passwd",
    "/etc/shadow",
    "authorized_keys",
    "base64 -d",
    "shred",
];
const EXTERNAL: &[&str] =
    &["curl ", "wget ", "scp ", "rsync ", "git push", "ssh ", "ftp ", "mail ", "npm publish", "docker push"];
const READS: &[&str] = &[
    "ls",
    "cat",
    "grep",
    "head",
    "tail",
    "wc",
    "find",
    "echo",
    "pwd",
    "git status",
    "git log",
    "git diff",
    "ps",
    "df",
    "du",
    "stat",
    "file",
    "which",
    "date",
    "sort",
    "uniq",
    "cut",
    "tree",
    "whoami",
    "uname",
    "awk",
    "diff",
];

/// The first list that holds a part of the text.
pub(crate) fn class(command: &str) -> Class {
    let text = command.to_ascii_lowercase();
    if RED.iter().any(|part| text.contains(part)) {
        Class::Red
    } else if EXTERNAL.iter().any(|part| text.contains(part)) {
        Class::YellowExternal
    } else if READS.iter().any(|start| text.starts_with(start)) {
        Class::Green
    } else {
        Class::Yellow
    }
}
