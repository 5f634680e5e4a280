//! What scripts do, by the ways in which they can be given and by what may stand before the part that counts.

use super::*;

fn done(name: &str, args: &[&str]) -> Vec<&'static str> {
    let words: Vec<Word> = args.iter().map(|arg| Word::literal(*arg)).collect();
    effects(name, &words)
}

/// Ways of giving a script, `{}` being where it goes.
const SED: &[&[&str]] = &[
    &["{}", "a"],
    &["a", "-e{}"],
    &["-e{}", "a"],
    &["-e", "{}", "a"],
    &["-n", "-e{}", "a"],
    &["-ne{}", "a"],
    &["-nEe", "{}", "a"],
    &["-sze{}", "a"],
    &["--expression={}", "a"],
    &["--expression", "{}", "a"],
    &["--ex={}", "a"],
    &["--e", "{}", "a"],
    &["-e", "p", "-e{}", "a"],
    &["-e{}", "-e", "p", "a"],
    &["-l", "5", "{}", "a"],
    &["-l5", "{}", "a"],
    &["--line-length", "5", "{}"],
    &["--", "{}", "a"],
    &["-E", "--", "{}"],
    &["--posix", "--debug", "{}", "a"],
];

/// What may stand before a command and ends where it says.
const SED_BEFORE: &[&str] = &[
    "",
    " ",
    "\t",
    "1",
    "1,5",
    "1,/x/",
    "$!",
    "1!",
    "0~4",
    "2,~4 ",
    "2,+4\t",
    "/x/",
    "/x/I",
    "/a;b/",
    "/[;]/",
    "/a\\/b/",
    "/{/,/}/",
    "/e/,$ ! ",
    "\\,.,",
    "\\|a/b|",
    "\\xaxI ",
    "/[/]/",
    "/[^/]*/",
    "/[]/]/",
    "/[[:space:]/]/",
    "p;",
    "p;;\n",
    "{p;",
    "1{/x/{p;};",
    "s/a;b/c/;",
    "s/a/}/g\n",
    "s,/,;,2;",
    "s/a\\/b/\\//;",
    "s/[/]/x/;",
    "y/abc/de;/;",
    "# w x\n",
    "a\\\ntext w;e\\\nmore\n",
    "a text; w x\n",
    "i\\\n  e id\n",
    "$!N;",
    ":a;",
    ":a\n",
    "ba;",
    "/x/bend;",
    "q5;",
    "l 5;",
    "}",
    "r /dev/stdin\n",
    "w /dev/stdout\n",
];

#[test]
fn a_command_of_sed_is_found_wherever_it_stands() {
    for before in SED_BEFORE {
        for (command, want) in [
            ("e", RUNS),
            ("e id", RUNS),
            ("eid", RUNS),
            ("s/a/id/e", RUNS),
            ("s|a|id|pge", RUNS),
            ("s/a;b/id/2e", RUNS),
            ("s/[/]/id/e", RUNS),
            ("s,[,],id,ge", RUNS),
            ("w out", WRITES),
            ("wout", WRITES),
            ("W out", WRITES),
            ("w/dev/stdout2", WRITES),
            ("s/a/b/w out", WRITES),
            ("s/a;/b;/gw out", WRITES),
            ("r /etc/hosts", READS),
            ("R b", READS),
        ] {
            let script = format!("{before}{command}");
            for form in SED {
                let args: Vec<String> = form.iter().map(|arg| arg.replace("{}", &script)).collect();
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                let got = done("sed", &args);
                assert!(got.contains(&want) || got.contains(&RUNS), "{args:?}: {got:?}");
            }
        }
    }
}

#[test]
fn what_is_no_known_option_or_no_script_of_sed_is_unclear() {
    for args in [
        &["-f", "x", "a"][..],
        &["-fx", "a"],
        &["-nfx", "a"],
        &["--file=x", "a"],
        &["--fi", "x", "a"],
        &["-y", "p", "a"],
        &["--unknown", "p", "a"],
        &["--s", "p", "a"],
        &["-e"],
        &["-n"],
        &[],
        &["k", "a"],
        &["s/a/b", "a"],
        &["s/a/b/k", "a"],
        &["px", "a"],
        &["a\\t\\n", "a"],
        &[":a}s;e id;x;", "a"],
        &["s\u{e9}a\u{e9}b\u{e9}", "a"],
        &["-e", "\u{fffc}", "a"],
        &["-e\u{fffc}", "a"],
    ] {
        assert!(done("sed", args).contains(&RUNS), "{args:?}");
    }
}

#[test]
fn scripts_of_sed_that_only_print_are_left_alone() {
    for before in SED_BEFORE.iter().filter(|before| !before.contains('{') && **before != "}") {
        for command in ["p", "d", "s/e/w/g", "s/a/b/;s/c/d/", "s,/e,/w,2p", "{p;d}", "y/ew/we/", "a e id", "=", "{p}"] {
            let script = format!("{before}{command}");
            assert!(done("sed", &["-n", &script, "a"]).is_empty(), "{script:?}");
        }
    }
    for script in [":a;N;$!ba;s/\\n/ /g", "s/[^/]*$//", "s/[\\[\\]]//g", "/^$/d", "1~2d;n", "s/a/b/ ; s/c/d/ # e", ""] {
        assert!(done("sed", &[script, "a"]).is_empty(), "{script:?}");
    }
}

/// What may stand before a statement of awk.
const AWK_BEFORE: &[&str] = &[
    "{",
    "BEGIN{",
    "/a|b/{",
    "/\"/{",
    "/[/]/{",
    "/[\"]/{",
    "$2==\"x@y.z\"{",
    "{x=\"\\\"\";",
    "{print \"\\\"\";",
    "{x=a/b/c;",
    "{x=(a)/b;y=c/d;",
    "{x=a[1]/2;",
    "{x=a++/2;",
    "{if(x)/\"/;",
    "{if (x ~ /(/) y=1;",
    "{while(x)/\"/;",
    "{x=1/2 # \"\n",
    "# it's \"\n{",
    "{x = \"a\\\nb\";",
    "{x=1\n",
    "{print a,\nb;",
    "{print (1>2);",
    "{printf(\"%s>\", a);",
    "function f(a){return a/2}{",
    "!/\"/{",
    "/a/&&/\"/||/b/{",
    "{x=1e5/2;",
    "{gsub(/\"/,\"\");",
    "{gsub(/[\\/\"]/,\"|\");",
];

#[test]
fn a_statement_of_awk_is_found_wherever_it_stands() {
    for before in AWK_BEFORE {
        for (statement, want) in [
            ("system(\"id\")", RUNS),
            ("x=1system(\"id\")", RUNS),
            ("x=0xfsystem(\"id\")", RUNS),
            ("print|\"sh\"", RUNS),
            ("print \"a\" |& \"sh\"", RUNS),
            ("\"id\"|getline", RUNS),
            ("@x()", RUNS),
            ("getline x<\"/inet/tcp/0/a/1\"", RUNS),
            ("print>\"out\"", WRITES),
            ("print \"\\\"\" > \"out\"", WRITES),
            ("print /\"/ > \"out\"", WRITES),
            ("print (a)>\"out\"", WRITES),
            ("print (a, b) >> $1", WRITES),
            ("printf(\"%s\", a) > f", WRITES),
            ("print a[1],\nb > f", WRITES),
            ("if (x) print > f", WRITES),
            ("print > \"/dev/stderr\" x", WRITES),
            ("print > \"/dev/sda\"", WRITES),
            ("while ((getline x < \"b\") > 0) y", READS),
            ("ARGV[1]=\"b\"", READS),
            ("print ENVIRON[\"A\"]", ENVIRONMENT),
        ] {
            let script = format!("{before}{statement}}}");
            for args in [
                &[script.as_str(), "a"][..],
                &["-F", ":", &script, "a"],
                &["-F:", "-vx=1", "--", &script],
                &["-e", &script, "a"],
                &[&format!("--source={script}")],
                &["--sou", &script],
            ] {
                let got = done("awk", args);
                assert!(got.contains(&want) || got.contains(&RUNS), "{args:?}: {got:?}");
            }
        }
    }
}

#[test]
fn what_is_no_known_option_or_no_script_of_awk_is_unclear() {
    for args in [
        &["-f", "x"][..],
        &["-fx"],
        &["--file=x"],
        &["--exec", "x"],
        &["-Ex"],
        &["-i", "inplace", "{print}", "a"],
        &["-iinplace", "{print}", "a"],
        &["--include=x", "1"],
        &["-l", "readdir", "1"],
        &["-W", "exec=x"],
        &["-Wexec", "x"],
        &["-y", "1"],
        &["-D", "1"],
        &["-F"],
        &[],
        &["{x = \"a}", "a"],
        &["/a", "a"],
        &["{x = length /\"/ 2}", "a"],
        &["@load \"x\"; {print}", "a"],
        &["@include \"x\"", "a"],
        &["\u{fffc}", "a"],
        &["{`}", "a"],
        &["{print a)}", "a"],
    ] {
        assert!(done("awk", args).contains(&RUNS), "{args:?}");
    }
    for args in [&["-d", "1"][..], &["-oout", "1"], &["--profile=x", "1"], &["--dump-variables", "1"]] {
        assert!(done("gawk", args).contains(&WRITES), "{args:?}");
    }
}

#[test]
fn scripts_of_awk_that_only_print_are_left_alone() {
    for before in AWK_BEFORE {
        for statement in [
            "print",
            "print $1 \"|\" $2",
            "print \"a > b\", \"system(1)\"",
            "print (a > b)",
            "print a[b > c]",
            "print a\nif (b > c) d",
            "x = a > b ? c : d",
            "print > \"/dev/stderr\"",
            "print \"a\" >> \"/dev/stdout\" ; x",
            "printf \"%d|%s\\n\", NR, $0",
            "if ($1 ~ /a>b|c@d/) print",
            "OFS=\"|\"; $1=$1; print",
            "n = split($0, a, \"|\"); print a[n] / 2",
            "mysystem = 1",
            "getline; print",
        ] {
            let script = format!("{before}{statement}}}");
            assert!(done("awk", &["-F|", &script, "a"]).is_empty(), "{script:?}: {:?}", done("awk", &[&script]));
        }
    }
    assert!(done("awk", &["-V"]).is_empty() && done("gawk", &["--version"]).is_empty());
}

#[test]
fn modes_are_read_sign_by_sign() {
    for mode in [
        "u=rwxs",
        "g+ws",
        "a=rwx",
        "u+x,o+w",
        "00777",
        "777",
        "4755",
        "2755",
        "06000",
        "+s",
        "o=u",
        "a=u",
        "ugo+w",
        "u-x+s",
        "o-x+w",
        "=777",
        "-x+s",
        "+6000",
        "u+x,g-w,o=rw",
        "99999999999",
    ] {
        for args in [&[mode, "a"][..], &["-v", mode, "a"], &["--", mode, "a"], &["-R", "--changes", mode, "a"]] {
            assert_eq!(done("chmod", args), [OPENS], "{args:?}");
        }
    }
    for mode in [
        "644",
        "0755",
        "00755",
        "1755",
        "+x",
        "u+rwx",
        "go-w",
        "a+rX",
        "-s",
        "o-w",
        "u=rw,go=r",
        "u+x,o-w",
        "g=u",
        "=755",
    ] {
        assert!(done("chmod", &[mode, "777"]).is_empty(), "{mode}");
    }
}
