use super::*;

fn env() -> BTreeMap<String, String> {
    let pairs =
        [("T", "SECRET_REF(tok)"), ("TO", "plain"), ("U", "Bearer SECRET_REF(other)"), ("_", "x"), ("REPLY", "x")];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn in_shell(text: &str) -> Result<Vec<String>, Astray> {
    Given::of(&env()).in_shell(text)
}

/// Every way in which a shell does something with a variable that is not handing it on whole to a program.
const ASTRAY: &[&str] = &[
    // Operators: parts, lengths, replacements, cases, defaults, transformations.
    "curl \"${T:0:3}\"",
    "curl ${T:0:3}",
    "curl \"${T: -3}\"",
    "curl \"${T:2}\"",
    "curl \"${#T}\"",
    "curl \"${T/a/b}\"",
    "curl \"${T//[a-m]/x}\"",
    "curl \"${T#z}\"",
    "curl \"${T%%x*}\"",
    "curl \"${T^^}\"",
    "curl \"${T,,}\"",
    "curl \"${T@Q}\"",
    "curl \"${T@P}\"",
    "curl \"${T:-x}\"",
    "curl \"${T:+x}\"",
    "curl \"${T:?x}\"",
    "curl \"${T:=x}\"",
    "curl \"${X:-$T}\"",
    "curl \"${X:-${T:0:3}}\"",
    "curl \"${T[0]}\"",
    "curl \"${T[@]:0:1}\"",
    // Under other names.
    "curl \"${!T}\"",
    "curl \"${!X}\"",
    "curl \"${!T@}\"",
    "curl \"$_\"",
    "curl \"$T\"; curl \"${_:0:3}\"",
    "curl \"$T\"; cd \"$_\"",
    "curl \"$REPLY\"",
    "curl \"$1\"",
    "curl \"$@\"",
    "curl \"$*\"",
    "curl \"$X\"",
    "curl $TO{KEN,}",
    "curl \"$TO\\\nKEN\"",
    "curl > \"$\\\nT\"",
    "curl > \"${\\\nT}\"",
    "curl <<E\n$TO\\\nKEN\nE",
    // Split at blanks, matched with files.
    "curl $T",
    "curl ${T}",
    "curl x$T",
    "curl \"a\"$T",
    "curl /$T*",
    "curl /\"$T\"*",
    "curl [\"$T\"]",
    "curl [a-\"$T\"]*",
    "curl {\"$T\",b}",
    "curl ~\"$T\"",
    "curl <<< $T",
    // Arithmetic.
    "curl \"$((T))\"",
    "curl $((T))",
    "curl \"$[T]\"",
    "curl \"${TO:T:1}\"",
    "((T)); curl",
    "for ((i = T; i < 3; i++)); do curl; done",
    // Tests and choices.
    "[[ $T == z* ]] && curl",
    "[[ -v T ]] && curl",
    "[ \"$T\" \\> m ] && curl",
    "test \"$T\" = x; curl",
    "case $T in z*) curl;; esac",
    "case x in \"$T\") curl;; esac",
    // Assignments and loops.
    "X=$T; curl",
    "X=\"$T\" curl",
    "T+=x; curl",
    "TO=1 curl",
    "X=($T); curl",
    "export X=\"$T\"; curl",
    "declare -n X=T; curl",
    "declare -u T; curl",
    "readonly X=$T; curl",
    "local X=$T; curl",
    "for x in $T; do curl; done",
    "for x in \"$T\"; do curl; done",
    "select x in \"$T\"; do curl; done",
    "while read -n1 c; do curl; done <<< \"$T\"",
    "read x <<< \"$T\"; curl",
    "mapfile x <<< \"$T\"; curl",
    "printf -v X %s \"$T\" <<< \"${T:1}\"",
    "getopts \"$T\" x; curl",
    "let \"X=T\"; curl",
    "set -- \"$T\"; curl",
    "set -x; curl",
    "trap 'curl ${T:0:1}' EXIT",
    "eval 'curl ${T:0:3}'",
    "alias x='curl ${T:0:3}'",
    "shopt -s expand_aliases; curl",
    "hash -p ./x curl",
    ". ./x",
    "source ./x \"$T\"",
    "exec curl \"$T\"",
    "command curl \"$T\"",
    "builtin printf \"$T\"",
    "f() { curl ${T:0:3}; }; f",
    "coproc curl \"$T\"",
    // Files, folders, others' input.
    "curl 2> \"$T\"",
    "curl > \"n-$T\"",
    "curl &> \"$T\"",
    "curl >& \"$T\"",
    "curl < \"$T\"",
    "{ curl; } > \"$T\"",
    "{ curl; } <<< \"$T\"",
    "cd \"$T\"; curl",
    "cd \"x/$T\" && curl",
    "cd <<< \"$T\"; curl",
    "curl 3<<< \"$T\"",
    "curl <<E\n${T:0:3}\nE",
    "curl <<E\n$(curl)\nE",
    "curl <<E\n`curl`\nE",
    "<<< \"$T\"",
    // What is printed, put in again.
    "curl \"$(curl)\"",
    "curl \"`curl`\"",
    "curl <(curl \"$T\")",
    "curl --file=<(curl \"$T\")",
    "curl > >(curl)",
    // Around, and in the place of, a program.
    "\"$T\"",
    "\"x$T\" curl",
    "xargs -d z curl <<< \"$T\"",
    "env curl \"$T\"",
    "sudo curl \"$T\"",
    "/usr/bin/time -f %C curl \"$T\"",
    "timeout \"5$T\" curl",
    "nice -n \"1$T\" curl",
    "nice -n $TO curl \"$T\"",
    "nice -n [1]* curl \"$T\"",
    "timeout -- $HOME curl \"$T\"",
    "timeout -k $TO 5 curl \"$T\"",
    "stdbuf -o$TO curl \"$T\"",
    "timeout 5 cd \"$T\"",
    "timeout 5 bash -c 'curl ${T:0:3}'",
    "bash -c 'curl ${T:0:3}'",
    "bash -xc 'curl'",
    "sh -c \"curl $T\"",
    "curl $'\\x24T'",
    "curl $\"$T\"",
];

#[test]
fn a_shell_takes_no_value_apart_and_hands_it_nowhere_else() {
    for text in ASTRAY {
        assert!(in_shell(text).is_err(), "{text}");
    }
}

#[test]
fn whole_values_go_to_programs() {
    for (text, programs) in [
        ("curl", &["curl"][..]),
        ("printenv T", &["printenv"]),
        ("curl -sS -H \"Authorization: Bearer $T\" https://api.example.com/v1", &["curl"]),
        ("curl -H \"Authorization: $U\" -d '{\"a\": [1, \"$T\"]}' \"https://x.example/?a=$TO\"", &["curl"]),
        ("curl -sS \\\n  -H \"X-Key: ${T}\" \\\n  --max-time 5 \"https://x.example\"", &["curl"]),
        ("curl -u user:\"$T\" x.example", &["curl"]),
        ("curl --user=\"$T\" a=\"${T}\" \"cost 5$\" \"\\${T:0:3}\" '${T:0:3}'", &["curl"]),
        ("cd \"$HOME/a\" && curl \"$T\" > \"$PWD/out\" 2>&1", &["curl"]),
        ("psql \"$T\" <<'E'\nselect $1, ${x:0:3};\nE", &["psql"]),
        ("psql <<E\nset x = '$T'; select 5 $ 3;\nE", &["psql"]),
        ("psql <<< \"$T\"", &["psql"]),
        ("curl \"$T\" | jq .a; ! psql \"$U\" & wc -l *.txt", &["curl", "jq", "psql", "wc"]),
        ("if curl \"$T\"; then psql; else jq; fi; while curl; do psql; done", &["curl", "psql", "jq", "curl", "psql"]),
        ("(cd a; { curl \"$T\"; })", &["curl"]),
        ("time timeout -k 1 5 nice -n 5 /usr/bin/curl \"$T\"", &["curl"]),
        ("./curl \"$T\"", &["./curl"]),
        ("timeout 5 curl \"$T\" $TO", &["curl"]),
    ] {
        let want: Vec<String> = programs.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(in_shell(text), Ok(want), "{text}");
    }
}

#[test]
fn a_name_that_the_shell_uses_itself_holds_no_value() {
    for name in ["HOME", "CDPATH", "PS4", "IFS", "LC_ALL", "BASH_ENV", "TIMEFORMAT", "_", "TMPDIR", "OLDPWD"] {
        let env: BTreeMap<_, _> = [(name.to_owned(), "SECRET_REF(tok)".to_owned())].into();
        assert_eq!(Given::of(&env).in_shell("curl"), Err(Astray::Own(name.to_owned())));
    }
    let env: BTreeMap<_, _> =
        [("HOME", "5 bash"), ("T", "SECRET_REF(tok)")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(Given::of(&env).in_shell("curl $HOME \"$T\""), Err(Astray::Unknown("HOME".to_owned())));
    let env: BTreeMap<_, _> = [("LC_ALL", "zh_CN.GBK"), ("T", "SECRET_REF(tok)")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    assert!(Given::of(&env).in_shell("curl 'é' \"$T\"").is_err());
    assert!(Given::of(&env).in_shell("curl 'e' \"$T\"").is_ok());
}

#[test]
fn an_argument_list_is_read_by_no_shell_unless_it_names_one() {
    let in_argv = |argv: &[&str]| {
        let argv: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
        Given::of(&env()).in_argv(&argv)
    };
    for argv in [
        &["sh", "-c", "curl ${T:0:3}"][..],
        &["timeout", "5", "bash", "-c", "curl $T"],
        &["bash", "-lc", "curl"],
        &["bash", "-xc", "curl"],
        &["bash", "-x", "-c", "curl"],
        &["bash", "-ic", "curl"],
        &["bash", "--rcfile", "x", "-c", "curl"],
        &["bash", "file"],
        &["zsh", "-c", "curl"],
        &["sh"],
        &["xargs", "-d", "z", "curl"],
        &["env", "-S", "curl ${T}"],
        &["eval", "curl"],
        &["timeout", "5"],
        &[""],
        &[],
    ] {
        assert!(in_argv(argv).is_err(), "{argv:?}");
    }
    for (argv, program) in [
        (&["curl", "${T:0:3}", "$(x)"][..], "curl"),
        (&["nice", "/usr/bin/printenv", "T"], "printenv"),
        (&["sh", "-c", "curl -H \"X: $T\"", "sh", "a"], "curl"),
        (&["timeout", "5", "/bin/bash", "-euc", "curl \"$T\""], "curl"),
    ] {
        assert_eq!(in_argv(argv), Ok(vec![program.to_owned()]), "{argv:?}");
    }
}

#[test]
fn the_lists_are_sorted() {
    assert!(PASSING.is_sorted() && BUILTINS.is_sorted());
    assert!(PASSING.iter().all(|name| Nature::of(name).wrapper.is_some()));
}
