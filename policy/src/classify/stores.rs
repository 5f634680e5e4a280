//! Orders to stores that have a language of their own: those are listed that read, or change one thing; any other is Red.

use super::Judge;
use crate::class::Class;
use crate::facts::{OPAQUE, transfer};

/// Orders of redis, in lower case and sorted; a first word with `*` behind it has orders of its own that are all harmless. Source:
/// the commands of Redis 8.2.
#[rustfmt::skip]
const REDIS: &[&str] = &[
    "acl cat", "acl dryrun", "acl genpass", "acl getuser", "acl help", "acl list", "acl users", "acl whoami",
    "append", "asking", "auth", "bitcount", "bitfield_ro", "bitpos", "blpop", "brpop", "client getname",
    "client help", "client id", "client info", "client list", "client setinfo", "client setname",
    "cluster countkeysinslot", "cluster help", "cluster info", "cluster keyslot", "cluster links", "cluster myid",
    "cluster nodes", "cluster shards", "cluster slots", "command*", "config get", "config help", "copy", "dbsize",
    "decr", "decrby", "discard", "dump", "echo", "exec", "exists", "expiretime", "function help", "function list",
    "function stats", "geoadd", "geodist", "geohash", "geopos", "geosearch", "get", "getbit", "getex", "getrange",
    "hello", "hexists", "hget", "hgetall", "hincrby", "hincrbyfloat", "hkeys", "hlen", "hmget", "hmset", "hrandfield",
    "hscan", "hset", "hsetnx", "hstrlen", "httl", "hvals", "incr", "incrby", "incrbyfloat", "info", "json.arrlen",
    "json.get", "json.mget", "json.objkeys", "json.set", "json.type", "keys", "lastsave", "latency doctor",
    "latency graph", "latency help", "latency histogram", "latency history", "latency latest", "lcs", "lindex",
    "linsert", "llen", "lmove", "lolwut", "lpop", "lpos", "lpush", "lpushx", "lrange", "lset", "memory doctor",
    "memory help", "memory malloc-stats", "memory stats", "memory usage", "mget", "module list", "mset", "msetnx",
    "multi", "object*", "persist", "pexpiretime", "pfadd", "pfcount", "ping", "psetex", "pttl", "publish", "pubsub*",
    "quit", "randomkey", "readonly", "readwrite", "role", "rpop", "rpoplpush", "rpush", "rpushx", "sadd", "scan",
    "scard", "script exists", "script help", "sdiff", "select", "set", "setbit", "setex", "setnx", "sinter",
    "sintercard", "sismember", "slowlog get", "slowlog help", "slowlog len", "smembers", "smismember", "sort_ro",
    "spop", "srandmember", "sscan", "strlen", "substr", "sunion", "time", "touch", "ttl", "type", "unwatch", "wait",
    "watch", "xack", "xadd", "xinfo*", "xlen", "xpending", "xrange", "xread", "xrevrange", "zadd", "zcard", "zcount",
    "zdiff", "zincrby", "zinter", "zintercard", "zlexcount", "zmscore", "zrandmember", "zrange", "zrangebylex",
    "zrangebyscore", "zrank", "zrevrange", "zrevrangebyscore", "zrevrank", "zscan", "zscore", "zunion",
];

/// What the code for a document store may call, in lower case and sorted. Source: the methods of mongosh 2.5.
#[rustfmt::skip]
const MONGO: &[&str] = &[
    "abs", "addfields", "aggregate", "all", "allowdiskuse", "array", "arrayfilters", "batchsize", "collation",
    "comment", "concat", "connectionstatus", "count", "countdocuments", "createindex", "currentop", "datasize",
    "date", "db", "dbstats", "decimal128", "distinct", "elemmatch", "entries", "estimateddocumentcount", "every",
    "exists", "explain", "filter", "find", "findone", "findoneandupdate", "flat", "foreach", "getcollection",
    "getcollectioninfos", "getcollectionnames", "getdb", "getdbnames", "getindexes", "getindices", "getlogcomponents",
    "getmongo", "getname", "getprofilingstatus", "getrole", "getroles", "getsiblingdb", "getuser", "getusers",
    "group", "hasnext", "hello", "hint", "hostinfo", "includes", "indexof", "insert", "insertmany", "insertone",
    "int32", "isarray", "iscapped", "ismaster", "isodate", "itcount", "join", "keys", "latencystats", "length",
    "limit", "listcommands", "log", "long", "lookup", "map", "match", "max", "maxtimems", "min", "next", "number",
    "numberdecimal", "numberint", "numberlong", "objectid", "objsleftinbatch", "parse", "parseint", "pretty", "print",
    "printjson", "printshardingstatus", "project", "push", "reduce", "regexp", "replace", "reverse", "round",
    "serverbuildinfo", "serverstatus", "set", "size", "skip", "slice", "some", "sort", "split", "startswith", "stats",
    "status", "storagesize", "string", "stringify", "substring", "toarray", "tojson", "tolowercase", "tostring",
    "totalindexsize", "totalsize", "touppercase", "trim", "unwind", "updateone", "uuid", "validate", "values",
    "version",
];

/// Parts of such code that run something, change all or take another's place.
const MONGO_NEVER: &[&str] = &[
    "\\u",
    "\\x",
    "](",
    "] (",
    ")(",
    ") (",
    "`",
    "$where",
    "$function",
    "$accumulator",
    "$out",
    "$merge",
    "__proto__",
    "constructor",
    "=>{",
    "process",
    "global",
    "import",
    "require",
    "eval",
    "multi:",
];

/// Commands that a server may be given by name.
#[rustfmt::skip]
const MONGO_COMMANDS: &[&str] = &[
    "buildinfo", "collstats", "connectionstatus", "count", "currentop", "dbstats", "distinct", "explain", "find",
    "getparameter", "hello", "hostinfo", "ismaster", "listcollections", "listdatabases", "listindexes", "ping",
    "replsetgetstatus", "serverstatus", "top", "usersinfo",
];

impl Judge<'_> {
    /// Orders to a key-value store, one in each line.
    pub(super) fn redis(&mut self, text: &str) {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        if text.contains(OPAQUE) || !lines.all(is_harmless_order) {
            self.built_in(
                "data.store-order",
                "It gives a store an order that deletes, changes how it runs, or is not known",
                Class::Red,
            );
        }
    }

    /// Orders to a program that copies files to and from other machines.
    pub(super) fn transfer(&mut self, text: &str) {
        if !transfer::is_harmless(text) {
            self.built_in(
                "net.copy-order",
                "It has an order that deletes or changes files on another machine, or is not known",
                Class::Red,
            );
        }
    }

    /// Code for a document store.
    pub(super) fn mongo(&mut self, text: &str) {
        if !is_harmless_code(text) {
            self.built_in(
                "data.store-code",
                "It has code for a database that deletes, changes all, or calls what is not known",
                Class::Red,
            );
        }
    }
}

fn is_harmless_order(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let mut words = line.split_whitespace().map(|word| word.trim_matches(['"', '\'']));
    let first = words.next().unwrap_or_default();
    // A number before an order repeats it.
    let first = if first.bytes().all(|b| b.is_ascii_digit()) { words.next().unwrap_or_default() } else { first };
    let listed = |order: &str| REDIS.binary_search(&order).is_ok();
    listed(first) || listed(&format!("{first}*")) || listed(&format!("{first} {}", words.next().unwrap_or_default()))
}

fn is_harmless_code(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let close: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if text.contains(OPAQUE) || MONGO_NEVER.iter().any(|never| text.contains(never)) {
        return false;
    }
    // With nothing to choose them by all are meant.
    if close.contains("updateone()") || close.contains("updatemany") {
        return false;
    }
    close.match_indices('(').all(|(at, _)| {
        let before = &close[..at];
        let from = before.rfind(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '$')).map_or(0, |i| i + 1);
        let name = before[from..]
            .strip_prefix("new")
            .filter(|rest| MONGO.binary_search(rest).is_ok())
            .unwrap_or(&before[from..]);
        match name {
            "runcommand" | "admincommand" => {
                let command = close[at + 1..].trim_start_matches(['{', '"', '\'']);
                let end = command.find(|c: char| !c.is_alphanumeric()).unwrap_or(command.len());
                MONGO_COMMANDS.binary_search(&&command[..end]).is_ok()
            }
            "" => true,
            name => MONGO.binary_search(&name).is_ok(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        for list in [REDIS, MONGO_COMMANDS] {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
        }
        let unsorted = MONGO.windows(2).find(|pair| pair[0] >= pair[1]);
        assert!(unsorted.is_none(), "{unsorted:?}");
    }

    #[test]
    fn orders_that_are_not_listed_are_not_harmless() {
        for line in [
            "flushall",
            "FlushDB",
            "del a",
            "unlink a",
            "config set a b",
            "CONFIG REWRITE",
            "debug sleep 1",
            "shutdown",
            "swapdb 0 1",
            "rename a b",
            "client kill x",
            "eval x 0",
            "script flush",
            "bgrewriteaof",
            "save",
            "acl setuser x",
            "module load x",
            "3 flushall",
            "\"flushall\"",
            "migrate a",
            "expire a 1",
            "getdel a",
            "monitor",
            "xtrim a",
            "slaveof a 1",
            "frobnicate",
        ] {
            assert!(!is_harmless_order(line), "{line}");
        }
        for line in
            ["get a", "GET flushall", "set a b", "config get dir", "client list", "info", "object encoding a", "5 ping"]
        {
            assert!(is_harmless_order(line), "{line}");
        }
    }

    #[test]
    fn code_that_calls_what_is_not_listed_is_not_harmless() {
        for code in [
            "db.a.drop()",
            "db.dropDatabase()",
            "db['dr'+'op']()",
            "db.a['drop'] ()",
            "db.a.deleteMany({})",
            "db.a.remove({})",
            "db.a.updateMany({}, {$set:{a:1}})",
            "db.a.aggregate([{$out:'b'}])",
            "db.a.find({$where:'sleep(1)'})",
            "db.adminCommand({shutdown:1})",
            "db.runCommand({ 'dropDatabase': 1 })",
            "db.createUser({user:'a'})",
            "db.\\u0064rop()",
            "Function('x')()",
            "eval('x')",
            "fs.readFileSync('a')",
        ] {
            assert!(!is_harmless_code(code), "{code}");
        }
        for code in [
            "db.a.find()",
            "db.a.find({a:1}).sort({b:-1}).limit(5).toArray()",
            "db.getCollection('a').countDocuments({})",
            "db.runCommand({ping:1})",
            "db.adminCommand( { listDatabases: 1 } )",
            "printjson(db.stats())",
            "db.a.insertOne({at: new Date()})",
            "db.a.updateOne({_id:1}, {$set:{a:1}})",
            "show dbs",
        ] {
            assert!(is_harmless_code(code), "{code}");
        }
    }
}
