//! Repositories that somebody hostile wrote, and the programs that only look.

use super::*;

/// Not a test of its own: what a leaf's script starts. Alone it finds no words.
#[test]
#[ignore = "started by the tests that run something"]
fn entry_of_a_leaf() {
    let words: Vec<_> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let _ = leaf(&words);
    std::process::exit(126);
}

/// A repository `r` with one commit, of a file `a` that has changed since.
const REPOSITORY: &str = "
    git init -q r; cd r
    git config user.name x; git config user.email x@shop.example
    printf 'one\\n' > a; git add a; git commit -qm one
    printf 'two\\n' > a
";

/// Each way by which looking at a repository runs what somebody wrote into it: its name, how it is laid out in the
/// repository with `$EVIL` for the command line to be run, and the look.
const WAYS: &[(&str, &str, &str)] = &[
    ("core.fsmonitor", "git config core.fsmonitor \"$EVIL\"", "status"),
    ("include.path", "git config -f .git/more core.fsmonitor \"$EVIL\"; git config include.path more", "status"),
    (
        "includeIf",
        "git config -f .git/more core.fsmonitor \"$EVIL\"; git config 'includeIf.gitdir:r/.path' more",
        "status",
    ),
    (
        "config.worktree",
        "git config extensions.worktreeConfig true; git config --worktree core.fsmonitor \"$EVIL\"",
        "status",
    ),
    (
        "a repository within",
        "git init -q --bare in; git -C in config core.bare false; git -C in config core.worktree ..
         git -C in config core.fsmonitor \"$EVIL\"",
        "-C in status",
    ),
    ("diff.external", "git config diff.external \"$EVIL\"", "diff"),
    ("diff.*.command", "echo '* diff=x' > .gitattributes; git config diff.x.command \"$EVIL\"", "diff"),
    ("diff.*.command, log", "echo '* diff=x' > .gitattributes; git config diff.x.command \"$EVIL\"", "log -p --ext-diff"),
    ("textconv, diff", "echo '* diff=x' > .gitattributes; git config diff.x.textconv \"$EVIL\"", "diff"),
    ("textconv, log", "echo '* diff=x' > .gitattributes; git config diff.x.textconv \"$EVIL\"", "log -p"),
    ("textconv, show", "echo '* diff=x' > .gitattributes; git config diff.x.textconv \"$EVIL\"", "show"),
    ("textconv, blame", "echo '* diff=x' > .gitattributes; git config diff.x.textconv \"$EVIL\"", "blame HEAD -- a"),
    ("textconv, asked for", "echo '* diff=x' > .gitattributes; git config diff.x.textconv \"$EVIL\"", "diff --textconv"),
    ("info/attributes", "echo '* diff=x' > .git/info/attributes; git config diff.x.textconv \"$EVIL\"", "diff"),
    (
        "core.attributesFile",
        "echo '* diff=x' > .git/at; git config core.attributesFile .git/at; git config diff.x.textconv \"$EVIL\"",
        "diff",
    ),
    ("filter.*.clean", "echo '* filter=x' > .gitattributes; git config filter.x.clean \"$EVIL\"", "diff"),
    ("filter.*.clean, status", "echo '* filter=x' > .gitattributes; git config filter.x.clean \"$EVIL\"", "status"),
    ("filter.*.process", "echo '* filter=x' > .gitattributes; git config filter.x.process \"$EVIL\"", "diff"),
    (
        "a filter whose name is no word",
        "echo '* filter=x.y' > .gitattributes; git config 'filter.x.y.clean' \"$EVIL\"",
        "diff",
    ),
    (
        "core.hooksPath",
        "mkdir h; printf '#!/bin/sh\\nexec %s' \"$EVIL\" > h/post-index-change; chmod +x h/post-index-change
         git config core.hooksPath \"$PWD/h\"; git checkout -q a; touch -d yesterday a",
        "status",
    ),
    (
        "gpg.program",
        "git config gpg.program \"$W/evil\"; git config log.showSignature true
         (git cat-file commit HEAD | sed '/^committer/a gpgsig -----BEGIN PGP SIGNATURE-----\\n  x\\n -----END PGP SIGNATURE-----') \
            | git hash-object -t commit -w --stdin > c; git update-ref HEAD $(cat c)",
        "log",
    ),
    ("alias.*", "git config alias.x \"!$EVIL\"", "x"),
    ("core.sshCommand", "git config core.sshCommand \"$EVIL\"; git remote add o ssh://x@localhost/x", "remote show o"),
    (
        "a remote helper",
        "git config protocol.ext.allow always; git remote add o \"ext::$EVIL\"",
        "remote show o",
    ),
    ("remote.*.uploadpack", "git remote add o \"$PWD\"; git config remote.o.uploadpack \"$EVIL\"", "remote show o"),
    (
        "objects that are fetched when they are missed",
        "git remote add o \"$PWD\"; git config remote.o.uploadpack \"$EVIL\"; git config remote.o.promisor true
         git config core.repositoryformatversion 1; git config extensions.partialClone o
         rm .git/objects/$(git rev-parse HEAD:a | sed 's/../&\\//')",
        "show HEAD:a",
    ),
    (
        "a repository that belongs to it",
        "git init -q s; (cd s; git config user.name x; git config user.email x@shop.example
            git commit -q --allow-empty -m s; git config core.fsmonitor \"$EVIL\")
         git -c protocol.file.allow=always submodule --quiet add ./s s; git config -f .gitmodules submodule.s.ignore none",
        "status",
    ),
    (
        "the manual's viewer",
        "git config man.viewer x; git config man.x.cmd \"$EVIL;:\"",
        "help -m status",
    ),
    ("the manual's viewer, asked for otherwise", "git config help.format man; git config man.viewer x; git config man.x.cmd \"$EVIL;:\"", "status --help"),
];

impl Ground {
    /// A folder with a program that leaves a mark at home, and a repository that would run it.
    fn hostile(&self, lay_out: &str) {
        let evil = self.ws().join("evil");
        std::fs::write(&evil, "#!/bin/sh\ntouch \"$HOME/fired\"\n").unwrap();
        std::fs::set_permissions(&evil, std::fs::Permissions::from_mode(0o755)).unwrap();
        let done = self.plain("bash", &["-ec", &format!("{REPOSITORY}\n{lay_out}")], &self.ws());
        assert!(done.status.success(), "{lay_out}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Without Wardkeep, with a home of its own.
    fn plain(&self, program: &str, args: &[&str], cwd: &Path) -> std::process::Output {
        let (home, ws) = (self.root.path().join("home"), self.ws());
        std::fs::create_dir_all(&home).unwrap();
        Command::new(program)
            .args(args)
            .current_dir(cwd)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &home)
            .env("EVIL", format!("sh {}/evil", ws.display()))
            .env("W", ws)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn fired(&self) -> bool {
        let home = self.root.path().join("home/fired");
        let there = home.exists();
        let _ = std::fs::remove_file(home);
        there
    }

    /// What a run that only reads gives, and whether the mark was left.
    fn look(&self, work: Work) -> (CallResult, bool) {
        let mut spec = self.spec(work);
        spec.reach = Reach::Reads;
        let result = self.run(spec);
        let permit = format!("00000000-0000-7000-8000-0000000000{:02x}", self.permits.get());
        (result, self.root.path().join("runs").join(permit).join("tmp/fired").exists())
    }
}

#[test]
fn looking_at_a_hostile_repository_runs_nothing_of_it() {
    for (way, lay_out, look) in WAYS {
        let ground = Ground::new();
        ground.hostile(lay_out);
        let repository = ground.ws().join("r");
        // In a shell, as arguments, and behind a wrapper.
        for (how, work) in [
            ("a shell", shell(&format!("cd r && git {look}"))),
            ("arguments", program(&["git", "-C", "r"].into_iter().chain(look.split(' ')).collect::<Vec<_>>())),
            ("a wrapper", shell(&format!("cd r && find a -exec timeout 9 git {look} ';'"))),
        ] {
            let (result, fired) = ground.look(work);
            assert!(!fired, "{way}, by {how}: {}", result.output);
        }
        // Last, since it may change the repository: the way is one.
        ground.fired();
        let plain = ground.plain("git", &look.split(' ').collect::<Vec<_>>(), &repository);
        assert!(ground.fired(), "{way} is no way for plain git: {}", String::from_utf8_lossy(&plain.stderr));
    }
}

#[test]
fn an_honest_repository_is_shown_as_git_shows_it() {
    let ground = Ground::new();
    // Settings that many repositories have are no hindrance.
    ground.hostile(
        "git config filter.lfs.clean 'git-lfs clean -- %f'; git config filter.lfs.process 'git-lfs filter-process'
         git config filter.lfs.required true; git config diff.pdf.textconv pdftotext; git config core.hooksPath .hooks
         git tag v1; git stash -q; git stash apply -q
         printf '*.bin filter=lfs\\n*.pdf diff=pdf\\n' > .gitattributes; echo x > x.bin
         git init -q s; git -C s -c user.name=x -c user.email=x commit -q --allow-empty -m s
         git -c protocol.file.allow=always submodule --quiet add ./s s; git config -f .gitmodules submodule.s.ignore none",
    );
    let repository = ground.ws().join("r");
    for look in [
        "status --short",
        "log --oneline",
        "log -p --stat",
        "diff",
        "show HEAD",
        "blame a",
        "stash list",
        "stash show -p",
        "branch -a",
        "describe --tags",
        "ls-files -s",
        "grep one HEAD",
        "rev-parse HEAD",
        "config --list --local",
    ] {
        let words: Vec<&str> = look.split(' ').collect();
        let plain = ground.plain("git", &words, &repository);
        let wanted = String::from_utf8_lossy(&plain.stdout).into_owned();
        let (result, _) = ground.look(shell(&format!("cd r; git {look}")));
        assert!(result.status == RunStatus::Ok && result.output.ends_with(&wanted), "{look}: {result:?}, {wanted}");
    }
}

#[test]
fn other_programs_that_look_start_none_either() {
    let ground = Ground::new();
    ground.hostile("seq 3000 > ../many");
    let evil = format!("sh {}/evil", ground.ws().display());
    for (what, text) in [
        ("sort", format!("sort -S 1k --compress-program={}/evil many", ground.ws().display())),
        ("sed", format!("sed '1e {evil}' evil")),
        ("awk", format!("awk 'BEGIN {{ system(\"{evil}\") }}'")),
    ] {
        let (result, fired) = ground.look(shell(&text));
        assert!(!fired, "{what}: {}", result.output);
        ground.plain("bash", &["-c", &text], &ground.ws());
        assert!(ground.fired(), "{what} starts nothing anyway");
    }
    // What was written into the workspace is no program to a run that only reads.
    for text in ["./evil", "PATH=$PWD:$PATH; evil", "cp evil $TMPDIR/x; $TMPDIR/x", "find . -name evil -exec {} ';'"] {
        let (result, fired) = ground.look(shell(text));
        assert!(!fired && result.output.contains("ermission denied"), "{text}: {}", result.output);
    }
}

#[test]
fn a_leaf_is_one_of_few_and_keeps_its_threads() {
    let ground = Ground::new();
    ground.hostile("seq 300000 | shuf > ../many");
    let (sorted, _) =
        ground.look(shell("sort -n --parallel=4 many | tail -n 299999 | sha256sum; seq 2 300000 | sha256sum"));
    let sums: Vec<&str> = sorted.output.lines().filter(|line| line.ends_with("  -")).collect();
    assert!(sums.len() == 2 && sums[0] == sums[1], "{}", sorted.output);
    // The folder with them is not the run's to change.
    let (changed, _) = ground.look(shell("rm -f ${PATH%%:*}/git; echo x > ${PATH%%:*}/git; git --version"));
    assert!(changed.output.contains("git version"), "{}", changed.output);
    assert_eq!(changed.output.matches("denied").count(), 2, "{}", changed.output);
    assert_eq!(leaf(&["sh".into(), "-c".into(), "exit 0".into()]), ExitCode::from(126));
    assert_eq!(leaf(&[]), ExitCode::from(126));
}
