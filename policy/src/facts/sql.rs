//! SQL as a server reads it: comments gone, literals empty, one blank between words, statements apart.

pub mod tokens;

/// Words that begin a statement.
const VERBS: &[&str] = &[
    "select", "insert", "update", "delete", "drop", "alter", "create", "truncate", "grant", "revoke", "with",
    "replace", "merge", "copy", "call", "exec", "execute", "explain", "show", "set", "vacuum", "attach", "pragma",
    "begin", "do", "load", "rename", "use", "unload", "put", "install", "import", "export", "declare", "prepare",
    "bulk", "backup", "restore", "shutdown", "kill", "handler", "detach", "reindex", "cluster", "reassign", "purge",
];

/// The statements of a text in lower case. What stands between dollar signs is code and stays.
#[must_use]
pub fn statements(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let now = out.last_mut().expect("one to begin with");
        let blank = |now: &mut String| {
            if !now.is_empty() && !now.ends_with(' ') {
                now.push(' ');
            }
        };
        rest = if rest.starts_with("--") {
            blank(now);
            rest.find('\n').map_or("", |at| &rest[at..])
        } else if rest.starts_with("/*!") || rest.starts_with("/*+") {
            // Some servers run what stands in these.
            blank(now);
            rest[3..].trim_start_matches(|c: char| c.is_ascii_digit())
        } else if let Some(behind) = rest.strip_prefix("/*") {
            blank(now);
            behind.split_once("*/").map_or("", |(_, behind)| behind)
        } else if let Some(behind) = rest.strip_prefix("*/") {
            blank(now);
            behind
        } else if let Some(behind) = rest.strip_prefix('\'') {
            now.push_str("''");
            after_literal(behind)
        } else if c == ';' {
            out.push(String::new());
            &rest[1..]
        } else if c.is_whitespace() {
            blank(now);
            &rest[c.len_utf8()..]
        } else {
            now.push(c.to_ascii_lowercase());
            &rest[c.len_utf8()..]
        };
    }
    out.iter().map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
}

/// What stands behind a literal's closing quote; two in a row are one within.
fn after_literal(mut text: &str) -> &str {
    while let Some(at) = text.find('\'') {
        text = &text[at + 1..];
        match text.strip_prefix('\'') {
            Some(behind) => text = behind,
            None => return text,
        }
    }
    ""
}

/// Whether some statement of the text begins with a word of SQL.
#[must_use]
pub fn is_sql(text: &str) -> bool {
    statements(text).iter().any(|one| VERBS.contains(&first_word(one)))
}

/// Whether some statement of the text begins as nothing but SQL does: for texts that may well be prose.
#[must_use]
pub fn is_surely_sql(text: &str) -> bool {
    const STARTS: &[&[&str]] = &[
        &["drop", "truncate"],
        &[
            "table",
            "database",
            "schema",
            "view",
            "index",
            "keyspace",
            "user",
            "role",
            "column",
            "trigger",
            "materialized",
        ],
    ];
    statements(text).iter().any(|one| {
        let words: Vec<&str> = one.split_whitespace().take(3).collect();
        let says = |word: &str| one.split(|c: char| !c.is_alphanumeric()).any(|given| given == word);
        match words.as_slice() {
            [verb, what, ..] if STARTS[0].contains(verb) => STARTS[1].contains(what),
            ["delete", "from", ..] | ["insert" | "replace" | "merge", "into", ..] => true,
            ["alter" | "create", "table" | "database" | "schema" | "user" | "role" | "view", ..] => true,
            ["update", ..] => says("set"),
            ["select", ..] => says("from"),
            ["grant" | "revoke", ..] => says("on") || says("to") && says("role"),
            _ => false,
        }
    })
}

/// The first word of a statement.
#[must_use]
pub fn first_word(statement: &str) -> &str {
    let bare = statement.trim_start_matches(['(', ' ']);
    &bare[..bare.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(bare.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_words() {
        for (text, want) in [
            ("drop/**/table t", "drop table t"),
            ("update t set a=1 -- where id=1", "update t set a=1"),
            ("update t set a=' where '", "update t set a=''"),
            ("a 'it''s; b' c;d", "a '' c|d"),
            ("/* x */ SELECT\n 1", "select 1"),
            ("/*!50000 drop table t */", "drop table t"),
            ("'open", "''"),
            ("/* open", ""),
            ("", ""),
        ] {
            assert_eq!(statements(text).join("|"), want, "{text}");
        }
    }

    #[test]
    fn prose_is_not_surely_sql() {
        for (text, want) in [
            ("drop the table", false),
            ("update the set of files", true),
            ("update all files", false),
            ("create a table", false),
            ("select a colour", false),
            ("DROP /**/ TABLE t", true),
            ("x; delete\nfrom t", true),
            ("grant all on t to bob", true),
            ("truncate table t", true),
        ] {
            assert_eq!(is_surely_sql(text), want, "{text}");
        }
    }

    #[test]
    fn a_text_is_sql_by_its_first_word() {
        for (text, want) in [
            ("droplet list", false),
            ("the drop", false),
            ("", false),
            ("-- a\n(SELECT 1)", true),
            ("x;drop table t", true),
        ] {
            assert_eq!(is_sql(text), want, "{text}");
        }
    }
}
