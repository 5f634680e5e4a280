//! Which values can be looked for everywhere: masking a word that everybody writes would destroy ordinary text.

mod everyday;

/// Shortest value that is looked for everywhere, in bytes.
pub(crate) const MIN_BYTES: usize = 8;
/// Shortest value that is looked for beside a keyword, in bytes.
pub(crate) const MIN_BESIDE: usize = 3;
/// Longest value, in bytes.
pub(crate) const MAX_BYTES: usize = 64 * 1024;
/// Different characters that a value needs.
const DISTINCT: usize = 4;
/// A value of fewer digits and nothing else is a date or a count.
const NUMBER: usize = 10;
/// Digits and signs that people hang on to a common word.
const HUNG_ON: usize = 6;

/// Why a value cannot be looked for everywhere. Never contains the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsearchable {
    /// Shorter than 8 bytes.
    #[error(
        "the value is shorter than {MIN_BYTES} bytes; choose a longer one, or name words it stands beside (--context KEYWORD)"
    )]
    TooShort,
    /// Longer than 64 KiB.
    #[error("the value is longer than {MAX_BYTES} bytes; store the key, not the file it opens")]
    TooLong,
    /// One of the commonest passwords, an everyday word, a short number, a date, an address of this machine and the like.
    #[error(
        "the value is a common word, number, date, address or the like; choose a rarer one, or name words it stands beside (--context KEYWORD)"
    )]
    TooCommon,
    /// The same few characters again and again.
    #[error(
        "the value has fewer than {DISTINCT} different characters; choose a richer one, or name words it stands beside (--context KEYWORD)"
    )]
    TooPlain,
}

/// Whether a value can be looked for everywhere. One that cannot be may still be looked for beside a keyword
/// ([`crate::Secret::beside`]), unless it is too long.
///
/// # Errors
/// [`Unsearchable`] says why not, and what to do.
pub fn searchable(value: &str) -> Result<(), Unsearchable> {
    if value.len() > MAX_BYTES {
        return Err(Unsearchable::TooLong);
    }
    if value.len() < MIN_BYTES {
        return Err(Unsearchable::TooShort);
    }
    let mut seen: Vec<char> = Vec::with_capacity(DISTINCT);
    for c in value.chars() {
        if seen.len() < DISTINCT && !seen.contains(&c) {
            seen.push(c);
        }
    }
    if seen.len() < DISTINCT {
        return Err(Unsearchable::TooPlain);
    }
    if is_common(value.trim()) { Err(Unsearchable::TooCommon) } else { Ok(()) }
}

fn is_common(value: &str) -> bool {
    if value.len() < NUMBER && value.bytes().all(|b| b.is_ascii_digit()) || everyday::is_everyday(value) {
        return true;
    }
    let word = value.trim_end_matches(|c: char| c.is_ascii_digit() || c.is_ascii_punctuation());
    let word = if value.len() - word.len() > HUNG_ON { value } else { word };
    [value, word].iter().any(|text| COMMON.iter().any(|common| text.eq_ignore_ascii_case(common)))
}

/// Everyday words of configuration, and the passwords that head every published list of leaked ones.
const COMMON: &[&str] = &[
    "11223344",
    "123123123",
    "1234567890",
    "12345678910",
    "123456789a",
    "1234qwer",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1qaz2wsx",
    "abc12345",
    "abcd1234",
    "abcdefgh",
    "abcdefghij",
    "access",
    "account",
    "admin",
    "adminadmin",
    "administrator",
    "alertmanager",
    "amsterdam",
    "anonymous",
    "anything",
    "application",
    "asdf1234",
    "asdfasdf",
    "asdfghjk",
    "asdfghjkl",
    "authenticated",
    "authentication",
    "authorization",
    "available",
    "backend",
    "backup",
    "baseball",
    "basketball",
    "batman",
    "bitnami",
    "bootstrap",
    "butterfly",
    "changeit",
    "changeme",
    "changethis",
    "chocolate",
    "classroom",
    "client",
    "cluster",
    "commercial",
    "company",
    "computer",
    "config",
    "configuration",
    "connection",
    "container",
    "controller",
    "cookie",
    "credential",
    "credentials",
    "customer",
    "database",
    "database-password",
    "db-password",
    "default",
    "defaultpassword",
    "demo",
    "deploy",
    "deployer",
    "deployment",
    "developer",
    "development",
    "disabled",
    "docker",
    "document",
    "documentation",
    "domain",
    "dragon",
    "elasticsearch",
    "email",
    "enabled",
    "encrypted",
    "enterprise",
    "environment",
    "everyone",
    "example",
    "example.com",
    "example.org",
    "examplepassword",
    "external",
    "facebook",
    "firewall",
    "football",
    "forever",
    "frontend",
    "gateway",
    "github",
    "gitlab",
    "google",
    "grafana",
    "guest",
    "hello",
    "helloworld",
    "hostname",
    "hunter2",
    "iloveyou",
    "information",
    "internal",
    "internet",
    "jenkins",
    "jordan23",
    "keycloak",
    "kubernetes",
    "letmein",
    "letmein1",
    "liverpool",
    "localdev",
    "localdomain",
    "localhost",
    "logging",
    "login",
    "mailhog",
    "manager",
    "mariadb",
    "master",
    "master-key",
    "memcached",
    "microsoft",
    "minecraft",
    "minio",
    "minioadmin",
    "minioadmin123",
    "mongodb",
    "monitor",
    "monitoring",
    "monkey",
    "mustang",
    "mypassword",
    "mysecret",
    "mysql",
    "mysqlroot",
    "namespace",
    "netscape",
    "network",
    "newpassword",
    "nextcloud",
    "nginx",
    "nobody",
    "none",
    "nopassword",
    "not-a-secret",
    "notapplicable",
    "notasecret",
    "null",
    "openclaw",
    "operator",
    "oracle",
    "organization",
    "p@ssw0rd",
    "p@ssword",
    "pa$$word",
    "pa55word",
    "passphrase",
    "passw0rd",
    "password",
    "password-here",
    "passwordpassword",
    "passwort",
    "personal",
    "photoshop",
    "placeholder",
    "platform",
    "pokemon",
    "portainer",
    "postgres",
    "postgresql",
    "postgresuser",
    "princess",
    "private",
    "production",
    "prometheus",
    "provider",
    "public",
    "qazwsxedc",
    "qweasdzxc",
    "qwer1234",
    "qwert12345",
    "qwerty",
    "qwerty123",
    "qwertyui",
    "qwertyuiop",
    "rabbitmq",
    "readonly",
    "readwrite",
    "redis",
    "registry",
    "remember",
    "replication",
    "repository",
    "resource",
    "root",
    "rootpassword",
    "rootroot",
    "sample",
    "samsung",
    "sandbox",
    "sandbox-token",
    "secret",
    "secret-key",
    "secret-password",
    "secretkey",
    "secretpassword",
    "secrets",
    "secure",
    "security",
    "server",
    "service",
    "session",
    "settings",
    "shadow",
    "somepassword",
    "something",
    "sqlserver",
    "staging",
    "standard",
    "starwars",
    "statistics",
    "storage",
    "strongpassword",
    "sunshine",
    "superman",
    "supersecret",
    "superuser",
    "support",
    "sysadmin",
    "system",
    "template",
    "temporary",
    "temppass",
    "test",
    "testing",
    "testpass",
    "testpassword",
    "testtest",
    "testuser",
    "token",
    "toor",
    "topsecret",
    "traefik",
    "truncate",
    "trustno1",
    "trustnoone",
    "undefined",
    "unknown",
    "update",
    "upgrade",
    "user",
    "username",
    "userpass",
    "vagrant",
    "validation",
    "variable",
    "vaultwarden",
    "webmaster",
    "website",
    "welcome",
    "whatever",
    "wordpress",
    "workspace",
    "your-password",
    "your-secret",
    "your_password",
    "your_secret",
    "yourpassword",
    "yoursecret",
    "zaq12wsx",
    "zxcvbnm",
    "zxcvbnm123",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_writes_is_refused() {
        use Unsearchable::{TooCommon, TooLong, TooPlain, TooShort};
        for (value, why) in [
            ("", TooShort),
            ("1234", TooShort),
            ("hunter2", TooShort),
            ("password", TooCommon),
            ("PostgreSQL", TooCommon),
            ("Welcome1!", TooCommon),
            ("changeme2026", TooCommon),
            (" production\n", TooCommon),
            ("20261121", TooCommon),
            ("application/json", TooCommon),
            (" https://example.com\n", TooCommon),
            ("aaaaaaaaaaaa", TooPlain),
            ("0101010101010102", TooPlain),
            ("********************", TooPlain),
        ] {
            assert_eq!(searchable(value), Err(why), "{value}");
        }
        assert_eq!(searchable(&"x1y2z3".repeat(20_000)), Err(TooLong));
    }

    #[test]
    fn rarer_values_are_not() {
        for value in ["hunter22x", "tr0ub4dor", "correct horse", "4929123412341234", "changeme-8347562948", "пароль-9"]
        {
            assert_eq!(searchable(value), Ok(()), "{value}");
        }
    }

    #[test]
    fn a_reason_says_what_to_do() {
        for why in [Unsearchable::TooShort, Unsearchable::TooCommon, Unsearchable::TooPlain] {
            assert!(why.to_string().contains("--context KEYWORD"));
        }
        assert!(Unsearchable::TooLong.to_string().contains("store the key"));
    }
}
