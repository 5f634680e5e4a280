//! Databases and clouds: what a statement or an order does counts, however it is spelt.

use super::judged::{at_least, at_most};
use crate::class::Class::{CriticalRed as C, Red as R, Yellow as Y, YellowExternal as E};

#[test]
fn orders_of_clients_are_no_statements() {
    at_least(
        R,
        &[
            "sqlite3 a.db \".once '|id'\"",
            "sqlite3 a.db '.sh id'",
            "sqlite3 a.db .load",
            "sqlite3 a.db 'select 1' '.sh id'",
            "sqlite3 a.db \"select writefile('a','b')\"",
            "duckdb a.db -c '.sh id'",
            "psql -c '\\o |id'",
            "psql -c 'select 1 \\g |id'",
            "psql -c 'select 1 \\gexec'",
            "psql -c '\\i a.sql'",
            "psql -c \"DO \\$\\$ begin execute 'dr'||'op table x'; end \\$\\$\"",
            "mysql -e 'pager id'",
            "mysql -e 'tee a'",
            "mysql -e '\\P id'",
            "mysql -e 'select 1 into/**/outfile \"a\"'",
            "mysql -e 'load/**/data local infile \"a\" into table t'",
            "cqlsh -e 'drop keyspace x'",
            "snowsql -q 'drop table x'",
            "sqlcmd -Q 'drop table x'",
            "trino --execute 'delete from x'",
            "cockroach sql -e 'drop table x'",
            "snowsql -q '!system id'",
            "redis-cli config set dir /x",
            "redis-cli -h a -p 1 config set dir /x",
            "redis-cli slaveof a 1",
            "redis-cli module load ./x.so",
            "tool: execute_sql {\"sql\":\"update t set a=1 -- where id=1\"}",
            "tool: execute_sql {\"sql\":\"update t set a=' where '\"}",
            "tool: execute_sql {\"sql\":\"drop/**/table t\"}",
            "tool: execute_sql {\"sql\":\"select $a$'$a$; drop table t; --'\"}",
            "tool: execute_sql {\"sql\":\"select 1 as [']; drop table t --'\"}",
            "tool: execute_sql {\"sql\":\"select 1 /* /* */ ' */; drop table t --'\"}",
        ],
    );
    at_least(
        C,
        &[
            "tool: execute_sql {\"sql\":\"copy/**/t to/**/program 'id'\"}",
            "psql -c 'grant/**/all on t to bob'",
            "psql -c 'drop/*a*/database x'",
        ],
    );
    at_most(
        Y,
        &[
            "psql -c '\\dt'",
            "psql -c '\\d+ users'",
            "psql -c '\\x' -c 'select 1'",
            "sqlite3 a.db .tables",
            "sqlite3 a.db '.schema users'",
            "psql -c 'update t set a=1 where id=1'",
            "cqlsh -e 'select 1'",
            "redis-cli config get dir",
            "redis-cli -h a get b",
        ],
    );
}

/// A statement counts wherever a client takes it, and whatever the client is called.
#[test]
fn statements_are_found_among_other_arguments() {
    at_least(
        R,
        &[
            "bq query 'DROP TABLE x.y'",
            "bq query --use_legacy_sql=false \"delete from x.y where true\"",
            "osqueryi --json 'drop table x'",
            "db2 drop table x",
            "db2 -x 'drop table x'",
            "echo 'drop table x;' | sqlplus -S a/b",
            "rqlite -H a 'truncate table x'",
            "influx -execute 'drop measurement x'",
            "wrangler d1 execute db --command='drop table x'",
            "frobnicatedb --run 'DROP/**/TABLE x'",
            "frobnicatedb <<< 'delete from x'",
            "mongosh --eval 'db[\"dr\"+\"op\"]()'",
            "mongosh --eval 'db.a.updateMany({}, {$set: {a: 1}})'",
            "echo 'db.a.drop()' | mongosh",
            "echo flushall | redis-cli",
            "redis-cli -h a --user b rename x y",
            "redis-cli $x",
        ],
    );
    at_most(
        Y,
        &[
            "osqueryi 'select * from users'",
            "db2 'select * from x'",
            "mongosh --eval 'db.a.find({a: 1}).limit(5)'",
            "redis-cli -n 2 hgetall a",
            "redis-cli info | grep mem",
            "frobnicate 'update the readme'",
            "frobnicate 'drop the ball'",
        ],
    );
}

/// An order of GraphQL's is one in whatever letters, at whatever address.
#[test]
fn mutations_hide_neither_in_escapes_nor_behind_addresses() {
    at_least(
        R,
        &[
            r#"http: POST https://known.example/graphql {"query":"\u006dutation { x }"}"#,
            r#"http: POST https://known.example/api {"query":"mutation { x }"}"#,
            r#"http: POST https://known.example/api {"query":"query a { b } mutation c { d }"}"#,
            r#"http: POST https://known.example/api [{"\u0071uery":"\n mutation{x}"}]"#,
            r#"http: POST https://known.example/api {"query":"mut\u0061tion M($a: Int) {x}"}"#,
            "http: POST https://known.example/api query=%6dutation+%7B+x+%7D",
            "http: POST https://known.example/api mutation { x }",
            r#"http: POST https://known.example/x {"a":"\u005fmethod=DELETE"}"#,
            r#"http: POST https://known.example/x {"method":"\u0044ELETE"}"#,
            "http: POST https://known.example/x a=1&%5Fmethod=delete",
        ],
    );
    at_most(
        E,
        &[
            r#"http: POST https://known.example/graphql {"query":"{ me }"}"#,
            r#"http: POST https://known.example/genes {"text":"a mutation was found"}"#,
            r#"http: POST https://known.example/x {"a":"caf\u00e9"}"#,
        ],
    );
}

#[test]
fn the_orders_of_clouds_are_judged_as_tools_of_the_same_words() {
    at_least(
        C,
        &[
            "aws iam create-access-key",
            "gh secret set A",
            "gh repo edit --visibility public",
            "gh repo edit --visibility=public",
            "kubectl create clusterrolebinding x --clusterrole=cluster-admin --user=y",
            "npm owner add bob",
            "npm token create",
            "stripe refunds create",
            "aws --profile p iam create-access-key",
            "gcloud projects add-iam-policy-binding x",
        ],
    );
    at_least(R, &["terraform apply -auto-approve", "aws ec2 run-instances", "hcloud server create --name x"]);
    at_most(
        E,
        &[
            "aws s3 ls",
            "gh issue list",
            "kubectl get pods",
            "npm ci",
            "terraform plan",
            "stripe refunds list",
            "aws iam list-users",
        ],
    );
}

/// Literals, comments and names are no orders; an order is one wherever it stands.
#[test]
fn statements_are_judged_by_their_verbs() {
    let quoted = |text: &str| format!("tool: execute_sql {}", serde_json::json!({ "sql": text }));
    let red: Vec<String> = [
        "UPDATE x SET a=1 WHERE true",
        "UPDATE x SET a=1 WHERE id=id",
        "UPDATE x SET a=1 WHERE 1",
        "UPDATE x SET a=1 WHERE id IS NOT NULL OR id = 3",
        "with y as (select 1) update x set a=1",
        "SET GLOBAL general_log_file='/var/www/x.php'",
        "SET PERSIST a=1",
        "SET @@GLOBAL.general_log=1",
        "set session authorization bob",
        "VACUUM INTO '/etc/x'",
        "vacuum main into '.envrc'",
        "vacuum into 'a' || 'b'",
        "PRAGMA writable_schema=1",
        "PRAGMA main.writable_schema = on",
        "pragma writable_schema(1)",
        "pragma trusted_schema=1",
        "select query_to_xml('drop table x', true, true, '')",
        "select \"pg_read_file\"('/etc/passwd')",
        "with x as (delete from t returning *) select * from x",
        "explain analyze delete from t",
        "reset master",
        "rename table a to b",
        "flush privileges",
        "kill 5",
        "reassign owned by a to b",
        "'a\\'; drop table t; --'",
        "select 'a\\' ; drop table t; -- '",
        "select 5--1; drop table t",
        "update t set a=1 # where id=1",
    ]
    .iter()
    .map(|text| quoted(text))
    .collect();
    at_least(R, &red.iter().map(String::as_str).collect::<Vec<_>>());
    let fine: Vec<String> = [
        "SELECT deleted_at FROM t",
        "SELECT * FROM t WHERE deleted = 0",
        "SELECT * FROM t WHERE a LIKE '%drop table%'",
        "SELECT 1 -- drop",
        "SELECT 1 /* drop table t */",
        "INSERT INTO t VALUES ('truncate the log')",
        "INSERT INTO s.t (a, b) VALUES (1, 'x; drop table t')",
        "SELECT count(*), lower(name) FROM t GROUP BY 2 HAVING count(*) > 1",
        "SELECT \"drop\" FROM t",
        "UPDATE x SET state='deleted' WHERE id = 5",
        "VACUUM",
        "vacuum into 'backup.db'",
        "PRAGMA table_info(t)",
        "PRAGMA journal_mode=wal",
        "set search_path to a",
        "SET NAMES utf8",
        "begin; update x set a=1 where id=2; commit",
        "explain select 1",
        "show tables",
        "create table t (a int)",
        "create index i on t (a)",
    ]
    .iter()
    .map(|text| quoted(text))
    .collect();
    at_most(Y, &fine.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn parentheses_without_an_end_are_told_and_not_followed() {
    let deep = "(".repeat(200_000) + "b=1" + &")".repeat(200_000);
    at_least(R, &[&format!("tool: execute_sql {{\"sql\":\"update t set a=1 where {deep}\"}}")]);
}
