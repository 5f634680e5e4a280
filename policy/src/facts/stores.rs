//! Clients of databases that take statements among other arguments, and clients of stores that have a language of their own.

use super::Code;
use super::shell::{Stdin, Walker};
use super::sql::{is_sql, is_surely_sql};
use super::words::Word;

/// Programs whose arguments, or what they are fed, may be statements: wherever a word begins as one does. Sorted.
#[rustfmt::skip]
const SQL: &[&str] = &[
    "athena", "aws", "az", "bq", "bteq", "cbq", "clickhouse-local", "csvsql", "databricks", "db2", "dolt", "drill",
    "dsq", "edgedb", "exaplus", "fly", "flyctl", "gcloud", "gel", "hdbsql", "heroku", "influx", "isql-fb", "ksql",
    "neonctl", "octosql", "osqueryi", "presto-cli", "prisma", "pscale", "questdb", "rqlite", "sqlcl", "sqlite-utils",
    "sqlline", "sqlplus", "sqlplus64", "steampipe", "supabase", "surreal", "textql", "trdsql", "trino-cli", "turso",
    "wrangler",
];

/// Clients of key-value stores that speak redis's language.
const REDIS: &[&str] = &["redis-cli", "valkey-cli", "keydb-cli"];
/// Their options with a value, sorted. Source: `redis-cli --help` of 8.2.
#[rustfmt::skip]
const REDIS_VALUES: &[&str] = &[
    "--askpass", "--cacert", "--cacertdir", "--cert", "--count", "--eval", "--functions-rdb", "--intrinsic-latency",
    "--key", "--keystats-samples", "--lru-test", "--memkeys-samples", "--pass", "--pattern", "--pipe-timeout",
    "--quoted-pattern", "--rdb", "--show-pushes", "--sni", "--tls-ciphers", "--tls-ciphersuites", "--top", "--user",
    "-D", "-X", "-a", "-d", "-h", "-i", "-n", "-p", "-r", "-s", "-t", "-u",
];

impl Walker<'_> {
    /// Statements and orders among the arguments of `name`, which the rules know or not, and in what it is fed.
    pub(super) fn stores(&mut self, name: &str, known: bool, args: &[Word], stdin: &Stdin) {
        let fed = if let Stdin::Known(text) = stdin { Some(text.text.as_str()) } else { None };
        if REDIS.contains(&name) {
            let order = redis_order(args);
            let text = if order.is_empty() { fed.unwrap_or_default().to_owned() } else { order };
            if !text.is_empty() {
                self.facts.code.push(Code { language: "redis", text });
            }
            return;
        }
        let client = SQL.binary_search(&name).is_ok();
        if !client && known {
            return;
        }
        let looks = |text: &&str| if client { is_sql(text) } else { is_surely_sql(text) };
        let values = args.iter().flat_map(|word| {
            let value = word.text.split_once('=').filter(|(name, _)| name.starts_with('-')).map(|(_, value)| value);
            [Some(word.text.as_str()), value]
        });
        let mut found: Vec<String> = values
            .flatten()
            .chain(fed)
            .filter(|text| text.contains(char::is_whitespace))
            .filter(looks)
            .map(str::to_owned)
            .collect();
        if client {
            // `db2 drop table x`: all words behind the options are one statement.
            let words = args.iter().map(|word| word.text.as_str()).skip_while(|word| word.starts_with('-'));
            let whole = words.collect::<Vec<_>>().join(" ");
            found.extend(is_surely_sql(&whole).then_some(whole));
        }
        self.facts.code.extend(found.into_iter().map(|text| Code { language: "sql", text }));
    }
}

/// The words of a redis client that are no options of its own, in one line.
fn redis_order(args: &[Word]) -> String {
    let mut words = args.iter().map(|word| word.text.as_str());
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            return std::iter::once(word).chain(words).collect::<Vec<_>>().join(" ");
        }
        if REDIS_VALUES.binary_search(&word).is_ok() {
            words.next();
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        for list in [SQL, REDIS_VALUES] {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
        }
    }

    #[test]
    fn an_order_begins_behind_the_options() {
        for (line, want) in [
            ("-h a -p 1 -n 3 flushall", "flushall"),
            ("--raw --user x get flushall", "get flushall"),
            ("-x set a", "set a"),
            ("--scan --pattern flushall", ""),
        ] {
            let words: Vec<Word> = line.split(' ').map(Word::literal).collect();
            assert_eq!(redis_order(&words), want, "{line}");
        }
    }
}
