//! Clients of databases: where the server is that they are told to speak to.

use super::Judge;
use crate::bundle::HostKind;
use crate::class::Class;
use crate::facts::{Command, OPAQUE};

/// Clients of databases and of stores, sorted.
#[rustfmt::skip]
const CLIENTS: &[&str] = &[
    "cassandra-stress", "clickhouse", "clickhouse-client", "clusterdb", "cockroach", "cqlsh", "createdb", "createuser", "dropdb", "dropuser",
    "etcdctl", "influx", "isql", "mariadb", "mariadb-admin", "mariadb-dump", "mariadb-import", "mongo", "mongodump", "mongoexport", "mongoimport",
    "mongorestore", "mongosh", "mongostat", "mssql-cli", "mycli", "mysql", "mysqladmin", "mysqlcheck", "mysqldump", "mysqlimport", "mysqlpump",
    "mysqlsh", "mysqlshow", "pg_basebackup", "pg_dump", "pg_dumpall", "pg_isready", "pg_restore", "pgbench", "pgcli", "presto", "psql",
    "redis-benchmark", "redis-cli", "reindexdb", "snowsql", "sqlcmd", "trino", "tsql", "usql", "vacuumdb", "valkey-cli", "ysqlsh",
];
/// Options that name the server.
const OPTIONS: &[&str] = &[
    "--addr",
    "--endpoint",
    "--endpoints",
    "--host",
    "--hostname",
    "--server",
    "--socket-host",
    "--uri",
    "--url",
    "-S",
    "-h",
    "-host",
    "-server",
    "-u",
];
/// Words of a connection string that do.
const KEYS: &[&str] = &["host", "hostaddr", "server", "Server", "Host"];
/// Variables that do, sorted.
const VARIABLES: &[&str] = &[
    "CLICKHOUSE_HOST",
    "COCKROACH_HOST",
    "CQLSH_HOST",
    "ETCDCTL_ENDPOINTS",
    "INFLUX_HOST",
    "MYSQLHOST",
    "MYSQL_HOST",
    "PGHOST",
    "PGHOSTADDR",
    "REDIS_HOST",
    "SQLCMDSERVER",
];
/// How addresses of databases begin.
const SCHEMES: &[&str] = &[
    "clickhouse",
    "cockroachdb",
    "jdbc",
    "mariadb",
    "mongodb",
    "mongodb+srv",
    "mssql",
    "mysql",
    "mysqlx",
    "postgres",
    "postgresql",
    "redis",
    "rediss",
    "sqlserver",
    "valkey",
];

/// Whether a program of that name is one.
pub(super) fn is_client(name: &str) -> bool {
    CLIENTS.binary_search(&name).is_ok()
}

impl Judge<'_> {
    /// Whether the words of a client lead it to a server that is not the customer's own.
    pub(super) fn database(&mut self, name: &str, command: &Command) {
        if !is_client(name) {
            return;
        }
        let mut before = "";
        let mut elsewhere = false;
        for (at, word) in command.args.iter().enumerate() {
            let text = word.text.as_str();
            let (option, value) = match text.split_once('=') {
                Some((option, value)) if option.starts_with("--") => (option, value),
                // `-hSERVER`.
                _ if text.starts_with("-h") && text.len() > 2 && !text.contains("://") => ("-h", &text[2..]),
                _ => (before, text),
            };
            before = if text.starts_with('-') && value == text { text } else { "" };
            let named = OPTIONS.contains(&option) && !value.starts_with('-');
            // `-u` names a user to most, and then no address stands behind it.
            let host = named && (option != "-u" || value.contains("://"));
            elsewhere |= addresses(value).chain(pairs(value)).any(|host| self.is_other_server(host));
            elsewhere |= host && !value.contains("://") && value.split(',').any(|host| self.is_other_server(host));
            let operand = option.is_empty() && !text.starts_with('-');
            elsewhere |= operand
                && match name {
                    "cqlsh" => at == 0 && self.is_other_server(value),
                    // `server/database` and `user@server`.
                    "mongosh" | "mongo" => value.split_once('/').is_some_and(|(host, _)| self.is_other_server(host)),
                    "mysqlsh" => value.rsplit_once('@').is_some_and(|(_, host)| self.is_other_server(host)),
                    _ => false,
                };
        }
        if elsewhere {
            self.speaks_elsewhere();
        }
    }

    /// Whether a variable does.
    pub(super) fn database_variable(&mut self, name: &str, value: &str) {
        let of_client = VARIABLES.binary_search(&name).is_ok();
        let found = of_client && value.split(',').any(|host| self.is_other_server(host))
            || value.contains("://") && addresses(value).any(|host| self.is_other_server(host));
        if found {
            self.speaks_elsewhere();
        }
    }

    fn speaks_elsewhere(&mut self) {
        self.built_in("data.elsewhere", "It speaks to a database on a machine of others", Class::YellowExternal);
    }

    /// Whether a server's name is neither this machine's, nor one beside it, nor one of the customer's own.
    fn is_other_server(&self, host: &str) -> bool {
        let host = host.split_once("://").map_or(host, |(_, rest)| rest);
        let host = host.rsplit('@').next().unwrap_or_default();
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            // A port, unless there are more colons than before one.
            None if host.matches(':').count() == 1 => host.split(':').next().unwrap_or_default(),
            None => host,
        };
        let host = host.split(['/', '?', '\\']).next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        let near = host.is_empty()
            || host == "::1"
            || host.starts_with("127.")
            || host == "0.0.0.0"
            // One label is a name of this machine's or of a container beside it.
            || !host.contains(['.', ':', OPAQUE]);
        !near && (self.hosts)(&host) != Some(HostKind::Own)
    }
}

/// The servers in an address of a database: `scheme://user@a,b:1/x?host=c`.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let found = text.split_once("://").filter(|(scheme, _)| {
        let scheme = scheme.strip_prefix("jdbc:").unwrap_or(scheme);
        SCHEMES.contains(&scheme) || scheme.starts_with("http")
    });
    let (servers, query) = found.map_or(("", ""), |(_, rest)| {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        (rest[..end].rsplit('@').next().unwrap_or_default(), &rest[end..])
    });
    let queried = query.split(['?', '&']).filter_map(|pair| pair.split_once('=')).filter(|(key, _)| KEYS.contains(key));
    servers.split(',').chain(queried.flat_map(|(_, value)| value.split(',')))
}

/// The servers in a connection string: `host=a,b dbname=x`, `Server=a;Database=x`.
fn pairs(text: &str) -> impl Iterator<Item = &str> {
    let pairs = text.split([' ', ';', '\t', '\n']).filter_map(|pair| pair.split_once('='));
    pairs.filter(|(key, _)| KEYS.contains(key)).flat_map(|(_, value)| value.trim_matches('\'').split(','))
}

#[cfg(test)]
mod tests {
    use super::super::judged::{at_least, at_most};
    use super::*;
    use crate::class::Class::{Red, Yellow as Y, YellowExternal as E};

    #[test]
    fn the_lists_are_sorted() {
        for list in [CLIENTS, VARIABLES] {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
        }
    }

    #[test]
    fn a_database_of_others_is_reached_outside() {
        for host in ["db.other.example", "known.example", "10.1.2.3", "DB.Other.Example.", "fd00::1"] {
            let mut lines: Vec<String> = [
                "psql -h THERE -c 'select 1'",
                "psql -hTHERE -c 'select 1'",
                "psql --host=THERE -c 'select 1'",
                "psql --host THERE -l",
                "psql 'host=THERE dbname=x' -c 'select 1'",
                "psql -d 'dbname=x hostaddr=THERE' -c 'select 1'",
                "PGHOST=THERE psql -c 'select 1'",
                "export PGHOST=THERE; psql -c 'select 1'",
                "env PGHOSTADDR=THERE psql -c 'select 1'",
                "mysql -h THERE -e 'select 1'",
                "mysql -hTHERE shop -e 'select 1'",
                "mysql --host=THERE shop",
                "mysql -u bob -p -h THERE",
                "mysqldump -h THERE shop",
                "pg_dump -h THERE shop",
                "mongosh --host THERE --eval 'db.a.find()'",
                "mongosh THERE/shop --eval 'db.a.find()'",
                "redis-cli -h THERE get a",
                "clickhouse-client --host THERE -q 'select 1'",
                "sqlcmd -S THERE -Q 'select 1'",
                "cqlsh THERE -e 'select 1'",
                "mysqlsh root@THERE",
                "docker exec db psql -h THERE -c 'select 1'",
            ]
            .map(str::to_owned)
            .into();
            if !host.contains(':') {
                lines.extend(
                    [
                        "psql postgresql://bob@THERE/x -c 'select 1'",
                        "psql -d postgres://bob:a@THERE:5432/x -c 'select 1'",
                        "psql 'postgres:///x?host=THERE' -c 'select 1'",
                        "psql postgresql://db,THERE/x -c 'select 1'",
                        "redis-cli -u redis://THERE:6379 get a",
                        "mongosh mongodb+srv://bob@THERE/x --eval 'db.a.find()'",
                        "DATABASE_URL=postgres://bob@THERE/x rails db:migrate",
                        "mysqldump -h THERE:3306 shop",
                    ]
                    .map(str::to_owned),
                );
            }
            let lines: Vec<String> = lines.iter().map(|line| line.replace("THERE", host)).collect();
            at_least(E, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
        at_least(
            Red,
            &[
                "psql -Sc 'drop table a'",
                "mysql -Ue 'drop table a'",
                "psql -qc 'drop table a'",
                "mysql -hdb -e 'drop table a'",
            ],
        );
        at_least(E, &["psql -h \"$x\" -c 'select 1'", "psql postgres://$x/y -c 'select 1'"]);
        for host in ["own.example", "localhost", "127.0.0.1", "db", "::1"] {
            let lines: Vec<String> = [
                "psql -h THERE -c 'select 1'",
                "psql -hTHERE -c 'select 1'",
                "PGHOST=THERE psql -c 'select 1'",
                "mysql -hTHERE shop -e 'select 1'",
                "redis-cli -h THERE get a",
                "mongosh --host THERE --eval 'db.a.find()'",
            ]
            .map(|line| line.replace("THERE", host))
            .into();
            at_most(Y, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        }
        at_most(
            Y,
            &[
                "psql -h /var/run/postgresql -c 'select 1'",
                "psql postgres://bob@localhost/x -c 'select 1'",
                "psql postgres:///x -c 'select 1'",
                "psql shop -c \"select 'https://a.example'\"",
                "mysql -u bob shop -e 'select 1'",
                "redis-cli get a.b",
                "sqlite3 a.db 'select 1'",
                "psql -f a.sql",
                "mysqldump shop a.b",
            ],
        );
    }
}
