//! Settings on the command lines of `git` and `ssh`: hundreds of them exist, many start programs, and each release brings more. So
//! those are listed that do no harm, and any other counts as one that may.

use super::super::words::Word;
use super::{RUNS, SETS};

/// Settings of git that start nothing, throw nothing away, change no file but its own and lead nowhere else, sorted. `*` at the end
/// stands for all that begin so: for advice and colours only, since any other section has or gets names that do more, as
/// `gc.recentObjectsHook` (a program), `rebase.instructionFormat` (lines of the list that git works off), `gc.pruneExpire` (what is thrown
/// away) and `merge.tool` (the path of a script) show. Source: git-config(1) of git 2.51.
#[rustfmt::skip]
const GIT: &[&str] = &[
    "advice.*", "am.keepcr", "am.threeway", "apply.ignorewhitespace", "apply.whitespace", "blame.blankboundary",
    "blame.coloring", "blame.date", "blame.showemail", "blame.showroot", "branch.autosetupmerge",
    "branch.autosetuprebase", "branch.sort", "checkout.guess", "checkout.workers", "color.*", "column.branch",
    "column.clean", "column.status", "column.tag", "column.ui", "commit.cleanup", "commit.gpgsign", "commit.status",
    "commit.verbose", "core.abbrev", "core.autocrlf", "core.bigfilethreshold", "core.checkstat", "core.commentchar",
    "core.compression", "core.deltabasecachelimit", "core.eol", "core.excludesfile", "core.filemode", "core.fscache",
    "core.ignorecase", "core.logallrefupdates", "core.longpaths", "core.loosecompression", "core.multipackindex",
    "core.optionallocks", "core.packedgitlimit", "core.packedgitwindowsize", "core.precomposeunicode",
    "core.preloadindex", "core.quotepath", "core.safecrlf", "core.splitindex", "core.trustctime",
    "core.untrackedcache", "core.warnambiguousrefs", "core.whitespace", "diff.algorithm", "diff.autorefreshindex",
    "diff.colormoved", "diff.colormovedws", "diff.context", "diff.dirstat", "diff.ignoresubmodules",
    "diff.indentheuristic", "diff.interhunkcontext", "diff.mnemonicprefix", "diff.noprefix", "diff.relative",
    "diff.renamelimit", "diff.renames", "diff.statgraphwidth", "diff.statnamewidth", "diff.submodule",
    "diff.wordregex", "diff.wserrorhighlight", "feature.experimental", "feature.manyfiles", "fetch.fsckobjects",
    "fetch.output", "fetch.parallel", "fetch.prune", "fetch.prunetags", "fetch.showforcedupdates",
    "fetch.writecommitgraph", "format.pretty", "gc.aggressivedepth", "gc.aggressivewindow", "gc.auto", "gc.autodetach",
    "gc.autopacklimit", "gc.bigpackthreshold", "gc.cruftpacks", "gc.logexpiry", "gc.maxcruftsize", "gc.packrefs",
    "gc.rerereresolved", "gc.rerereunresolved", "gc.writecommitgraph", "gpg.format", "grep.column",
    "grep.extendedregexp", "grep.fullname", "grep.linenumber", "grep.patterntype", "grep.threads",
    "http.lowspeedlimit", "http.lowspeedtime", "http.maxrequests", "http.postbuffer", "http.version",
    "i18n.commitencoding", "i18n.logoutputencoding", "index.recordendofindexentries", "index.recordoffsettable",
    "index.skiphash", "index.sparse", "index.threads", "index.version", "init.defaultbranch", "interactive.singlekey",
    "log.abbrevcommit", "log.date", "log.decorate", "log.excludedecoration", "log.follow", "log.graphcolors",
    "log.mailmap", "log.showroot", "merge.autostash", "merge.conflictstyle", "merge.directoryrenames", "merge.ff",
    "merge.log", "merge.renamelimit", "merge.renames", "merge.stat", "merge.verbosity", "mergetool.keepbackup",
    "mergetool.prompt", "mergetool.writetotemp", "pack.allowpackreuse", "pack.compression", "pack.deltacachelimit",
    "pack.deltacachesize", "pack.depth", "pack.indexversion", "pack.island", "pack.islandcore", "pack.packsizelimit",
    "pack.preferbitmaptips", "pack.readreverseindex", "pack.threads", "pack.usebitmapboundarytraversal",
    "pack.usebitmaps", "pack.usepathwalk", "pack.usesparse", "pack.window", "pack.windowmemory",
    "pack.writebitmaphashcache", "pack.writebitmaplookuptable", "pack.writebitmaps", "pack.writereverseindex",
    "protocol.version", "pull.ff", "pull.rebase", "push.autosetupremote", "push.default", "push.followtags",
    "push.gpgsign", "push.usebitmaps", "rebase.abbreviatecommands", "rebase.autosquash", "rebase.autostash",
    "rebase.backend", "rebase.forkpoint", "rebase.maxlabellength", "rebase.missingcommitscheck", "rebase.rebasemerges",
    "rebase.reschedulefailedexec", "rebase.stat", "rebase.updaterefs", "rerere.autoupdate", "rerere.enabled",
    "stash.showincludeuntracked", "stash.showpatch", "stash.showstat", "status.aheadbehind", "status.branch",
    "status.displaycommentprefix", "status.relativepaths", "status.renamelimit", "status.renames", "status.short",
    "status.showstash", "status.showuntrackedfiles", "status.submodulesummary", "submodule.fetchjobs",
    "submodule.recurse", "tag.gpgsign", "tag.sort", "transfer.fsckobjects", "user.email", "user.name",
    "user.signingkey", "user.useconfigonly", "versionsort.prereleasesuffix", "versionsort.suffix",
];

/// Settings of git that say where commits go and come from, as `git remote` does, whose rules are theirs; sorted.
const GIT_REMOTES: &[&str] = &[
    "branch.*.merge",
    "branch.*.pushremote",
    "branch.*.rebase",
    "branch.*.remote",
    "remote.*.fetch",
    "remote.*.prune",
    "remote.*.pushurl",
    "remote.*.tagopt",
    "remote.*.url",
    "remote.pushdefault",
];

/// Orders of `git config` that set nothing, sorted.
const GIT_LOOKS: &[&str] = &["edit", "get", "list", "remove-section", "rename-section", "unset"];

/// Settings of ssh that start nothing, forward nothing and take in no other settings, sorted. Source: ssh_config(5) of OpenSSH 10.
#[rustfmt::skip]
const SSH: &[&str] = &[
    "addressfamily", "batchmode", "bindaddress", "bindinterface", "casignaturealgorithms", "checkhostip", "ciphers",
    "clearallforwardings", "compression", "connectionattempts", "connecttimeout", "exitonforwardfailure",
    "fingerprinthash", "globalknownhostsfile", "gssapiauthentication", "hashknownhosts", "hostbasedauthentication",
    "hostkeyalgorithms", "hostkeyalias", "hostname", "identitiesonly", "identityfile", "ipqos",
    "kbdinteractiveauthentication", "kexalgorithms", "loglevel", "macs", "nohostauthenticationforlocalhost",
    "numberofpasswordprompts", "passwordauthentication", "port", "preferredauthentications",
    "pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes", "pubkeyauthentication", "rekeylimit", "requesttty",
    "requiredrsasize", "serveralivecountmax", "serveraliveinterval", "sessiontype", "stdinnull",
    "stricthostkeychecking", "tcpkeepalive", "updatehostkeys", "user", "userknownhostsfile", "verifyhostkeydns",
    "visualhostkey",
];

/// Short options of `git clone` with a value.
const CLONE_VALUES: &str = "bcjou";
/// Short options of ssh with a value, and of its relatives.
const SSH_VALUES: &str = "BbcDEeFIiJLlmOopPQRSWw";
const COPY_VALUES: &str = "cDFiJloPSXBbRs";

/// What the settings among git's arguments are.
pub(super) fn git(args: &[Word]) -> Vec<&'static str> {
    let mut keys = Vec::new();
    let mut words = args.iter().map(|word| word.text.as_str());
    let sub = loop {
        let Some(word) = words.next() else { break "" };
        match word {
            "-c" | "--config-env" => keys.extend(words.next()),
            "-C" | "--git-dir" | "--work-tree" | "--namespace" | "--exec-path" | "--super-prefix" | "--attr-source" => {
                words.next();
            }
            _ => match word.strip_prefix("--config-env=").or_else(|| word.strip_prefix("-c")) {
                Some(attached) => keys.push(attached),
                None if word.starts_with('-') => {}
                None => break word,
            },
        }
    };
    match sub {
        "clone" => keys.extend(cloned(words)),
        "config" => keys.extend(kept(words)),
        _ => {}
    }
    let harmless = |key: &&str| {
        let key = key.split('=').next().unwrap_or_default().to_ascii_lowercase();
        is_listed(GIT, &key) || sub == "config" && is_listed(GIT_REMOTES, &key)
    };
    if keys.iter().all(harmless) { Vec::new() } else { vec![SETS] }
}

/// The settings that `git clone` is given: `-c a.b=c`, `-qc a.b=c`, `--config=a.b=c`, shortened as git allows.
fn cloned<'w>(mut words: impl Iterator<Item = &'w str>) -> Vec<&'w str> {
    let mut keys = Vec::new();
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            if name.len() > 2 && "config".starts_with(name) {
                keys.extend(value.or_else(|| words.next()));
            }
        } else if let Some(cluster) = word.strip_prefix('-')
            && let Some((at, letter)) = cluster.char_indices().find(|(_, c)| CLONE_VALUES.contains(*c))
        {
            let attached = &cluster[at + letter.len_utf8()..];
            let value = if attached.is_empty() { words.next() } else { Some(attached) };
            keys.extend(value.filter(|_| letter == 'c'));
        }
    }
    keys
}

/// The key that `git config` sets, if it sets one.
fn kept<'w>(words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    const VALUED: &[&str] = &["-f", "--file", "--blob", "--type", "--default", "--comment", "--value", "--url"];
    const CHANGES: &[&str] = &["--add", "--replace-all"];
    let (mut operands, mut changes, mut value) = (Vec::new(), false, false);
    for word in words {
        if std::mem::take(&mut value) {
            continue;
        }
        value = VALUED.contains(&word);
        changes |= CHANGES.contains(&word);
        if word.starts_with("--get") || word.starts_with("--unset") || word.ends_with("-section") {
            return None;
        }
        if !word.starts_with('-') {
            operands.push(word);
        }
    }
    match *operands.first()? {
        "set" => operands.get(1).copied(),
        look if GIT_LOOKS.binary_search(&look).is_ok() => None,
        key => (changes || operands.len() > 1).then_some(key),
    }
}

/// `section.name`, or `section.anything.name`.
fn is_listed(list: &[&str], key: &str) -> bool {
    let within = match (key.split_once('.'), key.rsplit_once('.')) {
        (Some((section, _)), Some((_, name))) if key.matches('.').count() > 1 => format!("{section}.*.{name}"),
        _ => key.to_owned(),
    };
    list.binary_search(&within.as_str()).is_ok()
        || list.iter().any(|known| {
            known.strip_suffix('*').is_some_and(|start| !start.ends_with(".*.") && within.starts_with(start))
        })
}

/// What the settings among the arguments of `ssh`, `scp` and `sftp` are, and whether another program is to connect.
pub(super) fn ssh(name: &str, args: &[Word]) -> Vec<&'static str> {
    let connects = matches!(name, "ssh" | "autossh");
    let mut out = Vec::new();
    let valued = if connects { SSH_VALUES } else { COPY_VALUES };
    let (mut hosts, mut at) = (0, 0);
    while let Some(word) = args.get(at) {
        at += 1;
        let Some(cluster) = word.text.strip_prefix('-').filter(|cluster| !cluster.is_empty()) else {
            hosts += 1;
            // What follows the host and its options is the other machine's.
            if connects && hosts > 1 {
                break;
            }
            continue;
        };
        let valued = cluster.char_indices().find(|(_, c)| valued.contains(*c));
        // Keys and the screen of this machine, lent to the other one.
        let plain = &cluster[..valued.map_or(cluster.len(), |(i, _)| i)];
        if plain.contains('A') || connects && plain.contains(['X', 'Y']) {
            out.push(SETS);
        }
        let Some((i, letter)) = valued else { continue };
        let attached = &cluster[i + letter.len_utf8()..];
        let value = if attached.is_empty() {
            at += 1;
            args.get(at - 1).map_or("", |word| word.text.as_str())
        } else {
            attached
        };
        match letter {
            'o' => {
                let key = value.trim_start().split(['=', ' ', '\t']).next().unwrap_or_default().to_ascii_lowercase();
                if SSH.binary_search(&key.as_str()).is_err() {
                    out.push(SETS);
                }
            }
            'S' | 'D' if !connects && !is_ssh(value) => out.push(RUNS),
            _ => {}
        }
    }
    out
}

/// Whether `rsync` is told to connect, or to answer, by anything but ssh and itself.
pub(super) fn rsync(args: &[Word]) -> Vec<&'static str> {
    let other = |(there, value): &(bool, &str)| {
        let first = value.split_whitespace().next().unwrap_or_default();
        if *there { !matches!(*value, "rsync" | "/usr/bin/rsync" | "sudo rsync") } else { !is_ssh(first) }
    };
    if rsync_programs(args).iter().any(other) { vec![RUNS] } else { Vec::new() }
}

/// The programs that options of `rsync` name, and whether they are the other machine's.
pub(in crate::facts) fn rsync_programs(args: &[Word]) -> Vec<(bool, &str)> {
    const VALUES: &str = "fTBM";
    let mut out = Vec::new();
    let mut words = args.iter().map(|word| word.text.as_str());
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            // Shortened no further than it stays clear.
            let there = name.len() > 4 && "rsync-path".starts_with(name);
            if there || name == "rsh" {
                out.push((there, value.or_else(|| words.next()).unwrap_or_default()));
            }
        } else if let Some(cluster) = word.strip_prefix('-')
            && let Some((at, letter)) = cluster.char_indices().find(|(_, c)| *c == 'e' || VALUES.contains(*c))
        {
            let attached = &cluster[at + letter.len_utf8()..];
            let value = if attached.is_empty() { words.next().unwrap_or_default() } else { attached };
            if letter == 'e' {
                out.push((false, value.strip_prefix('=').unwrap_or(value)));
            }
        }
    }
    out
}

fn is_ssh(program: &str) -> bool {
    matches!(program, "ssh" | "/usr/bin/ssh" | "/bin/ssh")
}

#[cfg(test)]
mod tests;
