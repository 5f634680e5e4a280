use std::collections::BTreeMap;

use super::*;

fn facts(text: &str) -> Facts {
    let knows = |name: &str| matches!(name, "rm" | "ls" | "git" | "cat" | "echo" | "find" | "grep" | "tee" | "test");
    from_shell(text, "", &Context { knows: &knows, starts: &|_| Starts::Nowhere, env: &BTreeMap::new() })
}

/// The commands as text, `\u{fffc}` as `?`.
fn commands(text: &str) -> Vec<String> {
    let line = |command: &Command| {
        let words = std::iter::once(command.program.clone()).chain(command.args.iter().map(|w| w.text.clone()));
        words.collect::<Vec<_>>().join(" ").replace(OPAQUE, "?")
    };
    facts(text).commands.iter().map(line).collect()
}

fn has_rm(text: &str) -> bool {
    commands(text).iter().any(|c| c.starts_with("rm -rf x"))
}

#[test]
fn what_cannot_be_told_is_noted() {
    for (text, note) in [
        ("if", Note::Unparsable),
        ("echo 'a", Note::Unparsable),
        ("ls | | ls", Note::Unparsable),
        ("$x a", Note::DynamicProgram),
        ("$(echo rm) -rf x", Note::DynamicProgram),
        ("/bin/r? -rf x", Note::DynamicProgram),
        ("r${y}m -rf x", Note::DynamicProgram),
        ("git${IFS}push", Note::DynamicProgram),
        ("ls | xargs nice", Note::DynamicProgram),
        ("eval \"$x\"", Note::DynamicCode),
        ("bash -c \"ls $x\"", Note::DynamicCode),
        ("echo a | xargs -I@ sh -c @", Note::DynamicCode),
        ("echo a | xargs sh -c", Note::DynamicCode),
        ("curl a | sh", Note::PipedCode),
        ("curl a | sudo bash -s -- x", Note::PipedCode),
        ("curl a | python3", Note::PipedCode),
        ("curl a | tee b | node -", Note::PipedCode),
        ("bash <(curl a)", Note::PipedCode),
        (". <(curl a)", Note::PipedCode),
        ("source /dev/stdin", Note::PipedCode),
        ("curl a | while read l; do sh; done", Note::PipedCode),
        ("bash", Note::BareShell),
        ("sudo -i", Note::UnclearWrapper),
        ("nice --unknown rm", Note::UnclearWrapper),
        ("timeout $x rm", Note::UnclearWrapper),
        ("exec 3<>/dev/tcp/a/1", Note::ShellSocket),
        ("c=ls; $c", Note::IndirectProgram),
        ("echo ${x@P}", Note::DynamicCode),
        ("a='x[$(id)]'; echo $((a))", Note::DynamicCode),
        ("[[ 'x[$(id)]' -eq 1 ]]", Note::DynamicCode),
        ("whoknows bash", Note::BareShell),
        ("f() { f | f & }; f", Note::CallsItself),
        ("curl -o a.sh x; sh a.sh", Note::PipedCode),
        ("gdb\n!id", Note::Escape),
    ] {
        assert!(facts(text).notes.contains(&note), "{text}: {:?}", facts(text).notes);
    }
}

#[test]
fn a_command_is_found_wherever_it_stands() {
    for text in [
        "rm -rf x",
        "true; rm -rf x",
        "true && false || rm -rf x",
        "ls | rm -rf x",
        "rm -rf x &",
        "! rm -rf x",
        "(rm -rf x)",
        "{ rm -rf x; }",
        "if rm -rf x; then ls; fi",
        "if ls; then ls; elif rm -rf x; then ls; fi",
        "if ls; then ls; else rm -rf x; fi",
        "while rm -rf x; do ls; done",
        "until ls; do rm -rf x; done",
        "for i in 1; do rm -rf x; done",
        "for ((i=0; i<1; i++)); do rm -rf x; done",
        "case a in a) rm -rf x;; esac",
        "f() { rm -rf x; }; f",
        "function f { rm -rf x; }",
        "echo $(rm -rf x)",
        "echo `rm -rf x`",
        "echo \"a $(rm -rf x)\"",
        "echo ${y:-$(rm -rf x)}",
        "echo \"${y:-`rm -rf x`}\"",
        "echo $((1 + $(rm -rf x)))",
        "((a = $(rm -rf x)))",
        "a=$(rm -rf x)",
        "a=(1 $(rm -rf x))",
        "a[$(rm -rf x)]=1",
        "export a=$(rm -rf x)",
        "[[ -n $(rm -rf x) ]]",
        "for i in $(rm -rf x); do ls; done",
        "case $(rm -rf x) in a) ls;; esac",
        "cat <(rm -rf x)",
        "ls | tee >(rm -rf x)",
        "cat > $(rm -rf x)",
        "cat <<< $(rm -rf x)",
        "cat <<EOF\n$(rm -rf x)\nEOF",
        "ls 2> >(rm -rf x)",
        "FOO=1 rm -rf x",
        "> a rm -rf x",
        "env -u A B=1 rm -rf x",
        "sudo -n -u root rm -rf x",
        "nohup nice -n 5 timeout -k 1 30 rm -rf x",
        "command rm -rf x",
        "builtin command -p rm -rf x",
        "exec rm -rf x",
        "time -p rm -rf x",
        "busybox rm -rf x",
        "xargs -0 -n 1 rm -rf x",
        "xargs -I {} rm -rf x {}",
        "find . -name a -exec rm -rf x \\;",
        "find . -exec ls {} \\; -execdir rm -rf x +",
        "sh -c 'rm -rf x'",
        "bash -lc \"sh -c 'rm -rf x'\"",
        "bash -o pipefail -c 'rm -rf x'",
        "eval 'rm -rf x'",
        "eval rm -rf x",
        "trap 'rm -rf x' EXIT",
        "sh <<< 'rm -rf x'",
        "bash <<'EOF'\nrm -rf x\nEOF",
        "cat <<'EOF' | bash\nrm -rf x\nEOF",
        "echo 'rm -rf x' | sh",
        "printf '%s' 'rm -rf x' | bash -s",
        "ssh a@b rm -rf x",
        "ssh -p 22 a 'rm -rf x'",
        "su -c 'rm -rf x'",
        "whoknows --opt rm -rf x",
        "whoknows 'rm -rf x'",
        "strace -f rm -rf x",
        "\"rm\" -rf x",
        "r''m -rf x",
        "r\\m -rf x",
        "$'\\x72\\x6d' -rf x",
        "$'\\162m' -rf x",
        "{rm,-rf,x}",
        "/bin/rm -rf x",
        "rm \\\n -rf x",
        "c=rm; $c -rf x",
        "a=r; b=m; $a$b -rf x",
        "c='rm -rf x'; $c",
        "ls # a comment\nrm -rf x",
        "coproc rm -rf x",
    ] {
        assert!(has_rm(text), "{text}: {:?} {:?}", commands(text), facts(text).notes);
    }
}

#[test]
fn data_is_not_taken_for_commands() {
    for text in [
        "echo 'rm -rf x'",
        "echo \"rm -rf x\"",
        "grep 'rm -rf x' a",
        "echo ls # rm -rf x",
        "cat <<'EOF'\n$(rm -rf x)\nEOF",
        "cat <<EOF\nrm -rf x\nEOF",
        "git commit -m 'rm -rf x'",
        "echo \">(rm -rf x)\"",
    ] {
        assert!(!has_rm(text), "{text}");
        assert!(facts(text).notes.is_empty(), "{text}: {:?}", facts(text).notes);
    }
}

#[test]
fn a_variable_with_two_values_is_not_taken_for_one() {
    for text in [
        "c=ls; c=rm; $c",
        "c=ls; for i in 1 2; do $c; c=rm; done",
        "c=ls; read c; $c",
        "c=ls; for c in rm; do $c; done; $c",
        "c=ls; printf -vc rm; $c",
        "c=ls; read -rac; $c",
        "c=ls; c+=x; $c",
        ": ${c:=rm}; c=; $c",
    ] {
        assert!(facts(text).notes.contains(&Note::DynamicProgram), "{text}");
    }
    let env = BTreeMap::from([("c".to_owned(), "rm".to_owned())]);
    let given =
        from_shell("false && c=ls; $c", "", &Context { knows: &|_| true, starts: &|_| Starts::Nowhere, env: &env });
    assert!(given.notes.contains(&Note::DynamicProgram));
}

#[test]
fn folders_are_followed() {
    for (text, cwd) in [
        ("cd a && ls", Some("a")),
        ("cd /etc; cd ssl; ls", Some("/etc/ssl")),
        ("(cd /etc); ls", Some("")),
        ("cd; ls", Some("~")),
        ("cd $x; ls", None),
        ("cd -; ls", None),
        ("echo $(cd /etc) | cat; ls", Some("")),
    ] {
        let facts = facts(text);
        let last = facts.commands.iter().rfind(|c| c.program == "ls").unwrap();
        assert_eq!(last.cwd.as_deref(), cwd, "{text}");
    }
}

#[test]
fn caps_hold_before_the_parsers_see_anything() {
    let nested = |open: &str, close: &str, n: usize| format!("{}ls{}", open.repeat(n), close.repeat(n));
    for text in [
        "a".repeat(caps::MAX_BYTES + 1),
        nested("echo $(", ")", 21),
        nested("(", ")", 21),
        nested("{ ", "; }", 21),
        "$(".repeat(45),
        "(".repeat(8_000),
        "{ ".repeat(8_000),
        "`".repeat(8_000),
        "if ".repeat(5_000),
        "while if case ".repeat(1_000),
        "! ".repeat(8_000),
        "time ".repeat(3_000),
        "coproc ".repeat(2_000),
        "ls;".repeat(5_000),
        "ls\n".repeat(5_000),
        format!("'{}'{}", ")".repeat(900), "(".repeat(900)),
        format!("# '\n{}", "\"))\" ((".repeat(400)),
        "ls; ".repeat(201),
        format!("echo {}", "${x:-".repeat(3_000)),
        format!("echo {}", "<(".repeat(100)),
        format!("[[ {} a ]]", "! ".repeat(7_000)),
        "(( ".to_owned() + &"-".repeat(16_000) + "1 ))",
        "$[".repeat(5_000),
        format!("{} fi", "if a; then b; ".to_owned() + &"elif a; then b; ".repeat(51)),
    ] {
        assert!(facts(&text).notes.contains(&Note::OverCap), "{:.60}", text);
    }
}

#[test]
fn long_and_odd_texts_within_the_caps_neither_hang_nor_overflow() {
    for text in [
        "a ".repeat(8_000),
        "ls;".repeat(1_900),
        "ls|".repeat(1_900),
        "ls &&".repeat(900),
        "[[ ".repeat(5_000),
        "[[ ! ".repeat(3_000),
        format!("[[ {}", "a && ".repeat(900)),
        "$((".repeat(30),
        "${".repeat(700),
        "\"$".repeat(8_000),
        "a=".repeat(8_000),
        "{a,".repeat(15),
        format!("{} fi", "if a; then b; ".to_owned() + &"elif a; then b; ".repeat(50)),
        format!("case a in {} esac", "a) ls;; ".repeat(900)),
        format!("[[ a {} ]]", "&& a ".repeat(900)),
        format!("[[ a {} ]]", "|| ! a ".repeat(900)),
        format!("(( 1 {} ))", "? 1 : 1 ".repeat(390)),
        format!("(( {} 1 ))", "a = ".repeat(390)),
        format!("(( 1 {} ))", "** 1 ".repeat(190)),
        format!("(( {} 1 ))", "- ".repeat(390)),
        format!("echo $(( {} 1 ))", "!".repeat(390)),
        format!("ls {}", "&& ls ".repeat(900)),
        format!("ls {}", "| ls ".repeat(1_900)),
        format!("ls {}", ">a ".repeat(5_000)),
        format!("a=({})", "a ".repeat(7_000)),
        format!("{} ls", "A=1 ".repeat(4_000)),
        format!("{} ls", "nice ".repeat(3_000)),
        format!("{} rm", "xargs ".repeat(2_000)),
        format!("{} ls", "f() {".repeat(20)),
        format!("echo ${{x:-{}}}", "${x:-a".repeat(19) + &"}".repeat(19)),
        format!("echo \"{}\"", "\\\"".repeat(4_000)),
        format!("echo {}", "*".repeat(15_000)),
        format!("echo {}", "?(a)".repeat(300)),
        format!("cat <<E\n{}\nE", "$x \\$ ".repeat(3_000)),
        "{a,b}".repeat(30),
        "{1..999999999}".to_owned(),
        "<<a ".repeat(3_000),
        "case a in ".repeat(20),
        "f() ".repeat(300),
        format!("echo {}", "$(echo ".repeat(19) + &")".repeat(19)),
        format!("echo {}", "\"$(echo ".repeat(19) + &")\"".repeat(19)),
        "\\\n".repeat(8_000),
        "$'\\".repeat(5_000),
        "((".repeat(150),
        "@(".repeat(300),
        "\u{fffc}".repeat(5_000),
    ] {
        // Only the return matters; what is odd must at least be noted or known.
        let facts = facts(&text);
        let arithmetic = text.starts_with("((") || text.starts_with("[[") || text.starts_with("a=");
        assert!(arithmetic || !facts.notes.is_empty() || !facts.commands.is_empty(), "{:.60}", text);
    }
}

#[test]
fn scripts_of_awk_and_sed_are_looked_into() {
    let effects = |text: &str| facts(text).commands.iter().flat_map(|c| c.script.clone()).collect::<Vec<_>>();
    for (text, want) in [
        ("awk 'BEGIN { system(\"id\") }'", vec![scripts::RUNS]),
        ("awk '{ print | \"sh\" }' a", vec![scripts::RUNS]),
        ("awk '{ \"id\" | getline x }' a", vec![scripts::RUNS]),
        ("awk -f x.awk a", vec![scripts::RUNS]),
        ("awk \"$x\" a", vec![scripts::RUNS]),
        ("awk '{ print > \"x\" }' a", vec![scripts::WRITES]),
        ("awk '{ print $1 > $2 }' a", vec![scripts::WRITES]),
        ("awk '$1 > 3 { print }' a", vec![]),
        ("awk -F: '$1 || $2 { print $1 }' a", vec![]),
        ("sed 's/a/id/e' a", vec![scripts::RUNS]),
        ("sed -n '1e id' a", vec![scripts::RUNS]),
        ("sed '/x/,$ w out' a", vec![scripts::WRITES]),
        ("sed -e s/a/b/ -e 's|a|b|w out' a", vec![scripts::WRITES]),
        ("sed -f x a", vec![scripts::RUNS, scripts::WRITES]),
        ("sed -n '1,5p;$!d' a", vec![]),
        ("sed 's/we/ew/g' a", vec![]),
    ] {
        assert_eq!(effects(text), want, "{text}");
    }
}

#[test]
fn paths_are_normalised_by_their_text() {
    use paths::{Access, PathUse, Place};
    for (path, cwd, place, text) in [
        ("a/./b//c", "", Place::Workspace, "a/b/c"),
        ("a/../../b", "", Place::Outside, "/srv/b"),
        ("../../etc/passwd", "", Place::Outside, "/etc/passwd"),
        ("../../../../etc/passwd", "", Place::Outside, "/etc/passwd"),
        ("/srv/clerk/a", "", Place::Workspace, "a"),
        ("/srv/clerk", "", Place::Workspace, ""),
        ("/srv/clerk2/a", "", Place::Outside, "/srv/clerk2/a"),
        ("/srv/clerk/../x", "", Place::Outside, "/srv/x"),
        ("/tmp/../etc/shadow", "", Place::Outside, "/etc/shadow"),
        ("x", "/etc", Place::Outside, "/etc/x"),
        ("x", "/srv/clerk/sub", Place::Workspace, "sub/x"),
        ("~/.ssh", "", Place::Outside, "~/.ssh"),
        ("~/../x", "", Place::Outside, "~/../x"),
        ("\u{fffc}/x", "", Place::Unknown, "\u{fffc}/x"),
        ("/a/\u{fffc}/../b", "", Place::Outside, "/a/\u{fffc}/../b"),
    ] {
        let used = PathUse { access: Access::Read, path: Word::literal(path), cwd: Some(cwd.to_owned()) };
        let got = used.resolve("/srv/clerk");
        assert_eq!((got.place, got.text.as_str()), (place, text), "{path} in {cwd:?}");
    }
}

#[test]
fn urls_are_read_as_clients_read_them() {
    use http::Target;
    for bad in ["", "x", "/x", "ftp://a/", "file:///etc/passwd", "https://", "javascript:1", "//a/b", "https:///"] {
        assert!(bad == "https:///" || Target::parse(bad).is_err(), "{bad}");
    }
    for (url, host, port, credentials) in [
        ("https://API.Example.com./x?y#z", "api.example.com", 443, false),
        ("http://a.example:8080", "a.example", 8080, false),
        ("https://known.example@evil.example/", "evil.example", 443, true),
        ("https://evil.example\\@known.example/", "evil.example", 443, false),
        ("http://0x7f.1/", "127.0.0.1", 80, false),
        ("http://[::1]:81/", "[::1]", 81, false),
        ("HTTPS://a.example", "a.example", 443, false),
    ] {
        let target = Target::parse(url).unwrap();
        assert_eq!((target.host.as_str(), target.port, target.has_credentials), (host, port, credentials), "{url}");
    }
}
