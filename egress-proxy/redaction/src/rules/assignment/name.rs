//! What a name promises about its value: `db_password` anything, `API_KEY` something random, `public_key` nothing.

use super::Word;
use crate::cursor::{Cursor, More};

/// What a value must be to count. In order of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Demand {
    /// A person may have chosen it: short and simple values count.
    Chosen,
    /// A machine made it: it must look random.
    Random,
    /// The word is an everyday one: it must look very random.
    Strict,
    /// The word alone, and too common for digests and identifiers to count.
    Bare,
}

/// A name that was read, and what it means.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) text: &'a [u8],
    pub(super) demand: Demand,
    /// What stands before the name, [`crate::cursor::BEHIND`] bytes at most with it.
    pub(super) before: &'a [u8],
    /// `SECRET-1f0c…`: the value is joined to the name by a hyphen and begins so many bytes before the end of the name.
    pub(super) joined: usize,
    /// The name is a verb with its object: `getPassword`.
    pub(super) asks: bool,
}

/// Bytes of a name after its keyword.
const SUFFIX: usize = 96;

pub(super) const fn in_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'.'
}

/// Bytes that can stand after a name whose value follows.
const fn can_follow(b: u8) -> bool {
    matches!(
        b,
        b'=' | b':'
            | b'"'
            | b'\''
            | b'`'
            | b' '
            | b'\t'
            | b'\n'
            | b'\r'
            | b'\\'
            | b'('
            | b')'
            | b'['
            | b']'
            | b'}'
            | b'>'
            | b'<'
            | b','
            | b'|'
            | b'*'
            | b'?'
            | b'!'
            | b'&'
            | 0xe2
            | 0xef
    )
}

/// Bytes that can stand after a keyword: the rest of its name or what follows that.
pub(super) const fn may_follow(b: u8) -> bool {
    in_name(b) || can_follow(b)
}

impl<'a> Name<'a> {
    /// Reads the name around the keyword that begins at the cursor; leaves the cursor behind it.
    pub(super) fn read(cursor: &mut Cursor<'a>, anchor: usize, keyword: Word) -> Result<Option<Self>, More> {
        let behind = cursor.behind();
        let own = behind.len() - behind.iter().rev().take_while(|b| in_name(**b)).count();
        let (before, stem) = behind.split_at(own);
        let from = cursor.at - stem.len();
        cursor.at += anchor;
        let word = cursor.since(from + stem.len());
        let upper = word.iter().all(|b| !b.is_ascii_lowercase());
        if !upper && word[1..].iter().any(u8::is_ascii_uppercase) {
            // `pAsS`: letters of something drawn.
            return Ok(None);
        }
        let mut rest = cursor.run(16, |b| if upper { b.is_ascii_uppercase() } else { b.is_ascii_lowercase() })?;
        if upper
            && let [kept @ .., _] = rest
            && cursor.peek()?.is_some_and(|b| b.is_ascii_lowercase())
        {
            // `KEYName`: the last capital begins the next word.
            rest = kept;
            cursor.at -= 1;
        }
        let noun = &cursor.since(from)[stem.len()..];
        if !is_noun(keyword, rest) || !may_be_glued(keyword, stem, noun) {
            return Ok(None);
        }
        let suffix = cursor.run(SUFFIX, in_name)?;
        if !cursor.peek()?.is_none_or(can_follow) || before.ends_with(b"[REDACTED:") {
            return Ok(None);
        }
        let joined = joined_value(suffix);
        if joined > 0 {
            let demand = qualified(keyword, stem, before).max(Some(Demand::Strict));
            return Ok(demand.map(|demand| Name { text: cursor.since(from), demand, before, joined, asks: false }));
        }
        let suffix = match suffix {
            // `password.` ends a sentence; `key-` is no name.
            [.., b'.' | b'-'] => return Ok(None),
            all => all,
        };
        if suffix.len() == SUFFIX || holds_keyword(suffix) {
            return Ok(None);
        }
        let text = cursor.since(from);
        let Some(demand) = qualified(keyword, stem, before) else { return Ok(None) };
        let Some(demand) = after(suffix, demand) else { return Ok(None) };
        Ok(Some(Name { text, demand, before, joined: 0, asks: words(stem).any(|word| is_in(ASKS, word)) }))
    }

    /// In capitals, as variables of the environment are.
    pub(super) fn is_shouted(&self) -> bool {
        !self.text.iter().any(u8::is_ascii_lowercase)
    }

    /// `--password`, `-Password`.
    pub(super) fn is_flag(&self) -> bool {
        self.text.starts_with(b"-") && self.before.last().is_none_or(|b| b" \t\n\"'`([,|=".contains(b))
    }
}

/// The keyword with the letters that go on from it.
fn is_noun(keyword: Word, rest: &[u8]) -> bool {
    let any = |of: &[&str]| of.iter().any(|word| rest.eq_ignore_ascii_case(word.as_bytes()));
    match keyword {
        Word::Pass => {
            any(&["", "word", "words", "wd", "wds", "phrase", "phrases", "code", "codes", "wort", "e", "wrd", "w"])
        }
        Word::Pw => any(&["", "d", "ds"]),
        Word::Foreign => true,
        Word::Secret | Word::Token | Word::Key => any(&["", "s"]),
        Word::Auth | Word::Access | Word::Private => rest.is_empty(),
        Word::Cred => any(&["", "s", "ential", "entials"]),
        Word::IdentifiedBy | Word::UserFlag | Word::PasswordFlag => false,
    }
}

/// A later keyword decides about the name.
fn holds_keyword(suffix: &[u8]) -> bool {
    const KEYWORDS: [&[u8]; 7] = [b"pass", b"pw", b"secret", b"token", b"key", b"cred", b"auth"];
    KEYWORDS.iter().any(|keyword| suffix.windows(keyword.len()).any(|w| w.eq_ignore_ascii_case(keyword)))
}

/// Length of the value in `-1f0c…`: long and mixed, or a UUID.
fn joined_value(suffix: &[u8]) -> usize {
    let [b'-' | b'_' | b'.', value @ ..] = suffix else { return 0 };
    let run = value.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    let digits = value[..run].iter().filter(|b| b.is_ascii_digit()).count();
    let letters = run - digits;
    let uuid = value.len() >= 32 && value.iter().filter(|b| **b == b'-').count() == 4 && (8..=12).contains(&run);
    if suffix[0] == b'-' && (run >= 20 && digits >= 4 && letters >= 4 || uuid && digits > 0) { value.len() } else { 0 }
}

/// Words before a key that make it a credential.
const CREDENTIAL_KEYS: &[&str] = &[
    "access",
    "account",
    "activation",
    "admin",
    "aes",
    "api",
    "app",
    "appl",
    "application",
    "auth",
    "cipher",
    "client",
    "consumer",
    "crypt",
    "crypto",
    "decryption",
    "deploy",
    "encryption",
    "enc",
    "hmac",
    "integration",
    "jwt",
    "licence",
    "license",
    "master",
    "oauth",
    "personal",
    "private",
    "priv",
    "prod",
    "production",
    "project",
    "rest",
    "root",
    "sas",
    "secret",
    "secure",
    "security",
    "server",
    "service",
    "session",
    "shared",
    "sign",
    "signing",
    "storage",
    "subscription",
    "user",
    "webhook",
    "write",
];

/// Words anywhere before that make a key, a token or the like public or no credential at all.
const NO_CREDENTIALS: &[&str] = &[
    "anti",
    "antiforgery",
    "arrow",
    "authenticity",
    "authorized",
    "begin",
    "cache",
    "cached",
    "cold",
    "column",
    "completion",
    "composite",
    "continuation",
    "csrf",
    "cursor",
    "dedup",
    "dict",
    "don",
    "end",
    "eos",
    "bos",
    "pad",
    "unk",
    "eof",
    "fingerprint",
    "foreign",
    "forgery",
    "group",
    "hoc",
    "hos",
    "host",
    "hot",
    "idempotency",
    "idempotent",
    "index",
    "input",
    "joc",
    "jwks",
    "kms",
    "known",
    "label",
    "lac",
    "limit",
    "lookup",
    "map",
    "max",
    "min",
    "mon",
    "name",
    "next",
    "num",
    "number",
    "object",
    "order",
    "output",
    "page",
    "pagination",
    "partition",
    "per",
    "prev",
    "previous",
    "primary",
    "prompt",
    "pub",
    "public",
    "range",
    "reasoning",
    "registry",
    "row",
    "s3",
    "shortcut",
    "site",
    "sort",
    "sorting",
    "special",
    "stop",
    "sync",
    "tab",
    "tag",
    "total",
    "translation",
    "trusted",
    "tur",
    "unique",
    "used",
    "verify",
    "verifying",
    "verification",
    "whis",
    "xsrf",
];

/// Words before a spaced key that say nothing of it.
const ARTICLES: &[&str] = &[
    "a", "an", "and", "as", "by", "each", "for", "in", "is", "its", "new", "of", "old", "or", "our", "same", "that",
    "the", "their", "this", "to", "using", "with", "your",
];

/// Words before a password that speak of it and do not give it.
const NO_PASSWORDS: &[&str] = &[
    "allow",
    "allowed",
    "bad",
    "by",
    "com",
    "change",
    "disable",
    "disabled",
    "empty",
    "enable",
    "enabled",
    "en",
    "forgot",
    "forgotten",
    "has",
    "hide",
    "incorrect",
    "invalid",
    "is",
    "max",
    "min",
    "missing",
    "need",
    "needs",
    "no",
    "over",
    "pre",
    "require",
    "required",
    "requires",
    "show",
    "strong",
    "sur",
    "toggle",
    "tres",
    "under",
    "use",
    "uses",
    "weak",
    "with",
    "without",
    "wrong",
];

/// Verbs: what follows is the object of an act.
const ASKS: &[&str] = &[
    "ask", "check", "decode", "decrypt", "delete", "describe", "enter", "fetch", "find", "gen", "generate", "get",
    "getter", "hash", "hashed", "list", "load", "lookup", "parse", "prompt", "read", "remove", "request", "reset",
    "resolve", "revoke", "type", "validate", "verify",
];

/// What may be written together with `pass` and `pwd`.
const STEMS: &[&str] = &[
    "admin", "app", "auth", "bind", "cert", "client", "db", "dba", "email", "ftp", "gmail", "http", "imap", "key",
    "ldap", "login", "mail", "mongo", "my", "mysql", "new", "o", "old", "ora", "pg", "pgsql", "pop", "postgres",
    "proxy", "redis", "root", "rpc", "sa", "server", "sftp", "sip", "smtp", "sql", "ssh", "store", "su", "sudo", "sys",
    "sysdba", "test", "text", "trust", "u", "user", "usr", "vnc", "vpn", "web", "wifi", "wp",
];

/// What the words before the keyword make of it; `None` if it then names no secret.
fn qualified(keyword: Word, stem: &[u8], before: &[u8]) -> Option<Demand> {
    let last = words(stem).last().unwrap_or_default();
    // `public key`: one word before, by a space.
    let spaced: &[u8] = match before {
        [kept @ .., b' '] if stem.is_empty() => {
            &kept[kept.len() - kept.iter().rev().take_while(|b| b.is_ascii_alphanumeric()).count()..]
        }
        _ => &[],
    };
    let mut all = words(stem).chain(std::iter::once(spaced));
    match keyword {
        Word::Pass | Word::Pw | Word::Foreign => {
            (!words(stem).any(|word| is_in(NO_PASSWORDS, word))).then_some(Demand::Chosen)
        }
        Word::Secret | Word::Token | Word::Cred => {
            (!all.any(|word| is_in(NO_CREDENTIALS, word))).then_some(Demand::Random)
        }
        Word::Key => {
            if all.any(|word| is_in(NO_CREDENTIALS, word)) {
                return None;
            }
            let credential = |word: &[u8]| is_in(CREDENTIAL_KEYS, word);
            Some(
                if credential(last)
                    || credential(spaced)
                    || CREDENTIAL_KEYS.iter().any(|k| k.len() > 2 && ends(last, k))
                {
                    Demand::Random
                } else if last.is_empty() && (spaced.is_empty() || is_in(ARTICLES, spaced)) {
                    Demand::Bare
                } else {
                    Demand::Strict
                },
            )
        }
        Word::Auth | Word::Access | Word::Private => Some(Demand::Strict),
        Word::IdentifiedBy | Word::UserFlag | Word::PasswordFlag => None,
    }
}

fn ends(word: &[u8], with: &str) -> bool {
    word.len() >= with.len() && word[word.len() - with.len()..].eq_ignore_ascii_case(with.as_bytes())
}

/// Whether the keyword may follow what stands before it; short ones also end other words: `bypass`.
fn may_be_glued(keyword: Word, stem: &[u8], noun: &[u8]) -> bool {
    let short =
        matches!(keyword, Word::Pass | Word::Pw) && noun.len() <= 4 || matches!(keyword, Word::Auth | Word::Cred);
    let divided =
        stem.last().is_none_or(|b| !b.is_ascii_alphabetic() || b.is_ascii_uppercase() != noun[0].is_ascii_uppercase());
    !short || divided || words(stem).last().is_some_and(|word| is_in(STEMS, word))
}

/// Words after the keyword that leave its meaning as it is.
const SAME: &[&str] = &[
    "a",
    "admin",
    "app",
    "backup",
    "b",
    "base",
    "bytes",
    "conf",
    "const",
    "current",
    "d",
    "data",
    "db",
    "default",
    "dev",
    "encoded",
    "env",
    "global",
    "hex",
    "live",
    "local",
    "main",
    "master",
    "my",
    "new",
    "old",
    "one",
    "override",
    "own",
    "plain",
    "plaintext",
    "prev",
    "previous",
    "primary",
    "private",
    "prod",
    "production",
    "raw",
    "read",
    "root",
    "sandbox",
    "secondary",
    "sid",
    "slave",
    "stage",
    "staging",
    "str",
    "string",
    "test",
    "text",
    "txt",
    "two",
    "user",
    "v",
    "val",
    "value",
    "write",
];

/// Words after the keyword that make the name one of something else.
const OTHERS: &[&str] = &[
    "action",
    "age",
    "alert",
    "alg",
    "algo",
    "algorithm",
    "alias",
    "arn",
    "at",
    "attempt",
    "attempts",
    "audience",
    "balance",
    "body",
    "bucket",
    "budget",
    "callback",
    "change",
    "changed",
    "character",
    "characters",
    "check",
    "checker",
    "class",
    "code",
    "column",
    "complexity",
    "config",
    "configuration",
    "cost",
    "count",
    "created",
    "date",
    "description",
    "digest",
    "dir",
    "directory",
    "enabled",
    "endpoint",
    "entropy",
    "env_var",
    "error",
    "event",
    "expiration",
    "expire",
    "expired",
    "expires",
    "expiry",
    "factory",
    "field",
    "file",
    "filename",
    "fingerprint",
    "flow",
    "form",
    "format",
    "func",
    "function",
    "grant",
    "group",
    "handler",
    "hash",
    "header",
    "help",
    "hint",
    "host",
    "icon",
    "id",
    "identifier",
    "ids",
    "index",
    "info",
    "input",
    "interface",
    "invalid",
    "issuer",
    "kind",
    "label",
    "last",
    "len",
    "length",
    "level",
    "limit",
    "link",
    "list",
    "location",
    "manager",
    "map",
    "match",
    "max",
    "md",
    "message",
    "method",
    "min",
    "mode",
    "model",
    "module",
    "name",
    "names",
    "nonce",
    "number",
    "option",
    "options",
    "param",
    "parameter",
    "params",
    "parser",
    "path",
    "pattern",
    "per",
    "permission",
    "placeholder",
    "plugin",
    "policy",
    "position",
    "prefix",
    "price",
    "prompt",
    "provider",
    "public",
    "question",
    "rate",
    "ratelimit",
    "reader",
    "ref",
    "reference",
    "regex",
    "regexp",
    "reminder",
    "request",
    "required",
    "requirements",
    "reset",
    "resolver",
    "response",
    "result",
    "role",
    "rotation",
    "rules",
    "salt",
    "schema",
    "scheme",
    "scope",
    "scopes",
    "selector",
    "service",
    "set",
    "settings",
    "sha",
    "size",
    "source",
    "space",
    "spec",
    "state",
    "status",
    "storage",
    "store",
    "strategy",
    "strength",
    "style",
    "suffix",
    "text_field",
    "time",
    "timeout",
    "timestamp",
    "title",
    "ttl",
    "type",
    "types",
    "uid",
    "updated",
    "uri",
    "url",
    "urls",
    "usage",
    "valid",
    "validation",
    "validator",
    "version",
    "visible",
    "with",
];

/// What the words after the keyword make of its demand.
fn after(suffix: &[u8], demand: Demand) -> Option<Demand> {
    let mut demand = demand;
    for word in words(suffix) {
        if is_in(OTHERS, word) {
            return None;
        }
        if word.len() > 1 && !is_in(SAME, word) {
            demand = demand.max(Demand::Random);
        }
    }
    Some(demand)
}

/// Words of a name: letters only, divided by case and by anything else.
fn words(name: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    name.chunk_by(|a, b| {
        a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
    })
    .filter(|word| word[0].is_ascii_alphabetic())
}

fn is_in(table: &[&str], word: &[u8]) -> bool {
    table.iter().any(|entry| word.eq_ignore_ascii_case(entry.as_bytes()))
}
