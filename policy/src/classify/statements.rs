//! SQL, statement by statement: by its verb, the functions that it calls, and the words that may stand within.
//!
//! A statement of a listed verb that calls listed functions only is judged by its words alone; in any other what stands in literals may
//! be run, so all of its text counts.

mod binding;

use super::Judge;
use crate::class::Class;
use crate::facts::paths::Access;
use crate::facts::sql::tokens::{Token, readings};
use crate::facts::{Code, OPAQUE, Word};
use crate::rules::Subject;

/// Verbs of statements that read or change rows, sorted; what else they may do stands in other words or in functions.
#[rustfmt::skip]
const CALM: &[&str] = &[
    "abort", "begin", "commit", "desc", "describe", "end", "explain", "from", "help", "insert", "list", "ls",
    "release", "rollback", "savepoint", "select", "show", "start", "summarize", "table", "update", "use", "values",
    "with",
];
/// Verbs of statements that change how data is kept, or only this session, and can be undone; sorted.
#[rustfmt::skip]
const KEEPING: &[&str] = &[
    "analyse", "analyze", "check", "checkpoint", "checksum", "close", "comment", "consistency", "create", "deallocate",
    "declare", "exists", "expand", "fetch", "go", "info", "listen", "lock", "notify", "optimize", "paging", "print",
    "refresh", "reindex", "tracing", "unlisten", "unlock",
];
/// Verbs that rules speak of, whatever else the statement says; sorted.
#[rustfmt::skip]
const SPOKEN_OF: &[&str] = &[
    "pragma", "set", "vacuum",
];
/// Functions that compute from what they are given or tell something of rows, session and time, and words that may stand before a
/// parenthesis; sorted.
#[rustfmt::skip]
const FUNCTIONS: &[&str] = &[
    "abs", "age", "all", "analyze", "and", "any", "array", "array_agg", "array_length", "as", "avg", "between",
    "bigint", "bool_and", "bool_or", "by", "case", "cast", "ceil", "ceiling", "char", "char_length", "coalesce",
    "concat", "concat_ws", "count", "cume_dist", "curdate", "current_database", "current_date", "current_timestamp",
    "current_user", "curtime", "date", "date_add", "date_format", "date_part", "date_sub", "date_trunc", "dateadd",
    "datediff", "datetime", "day", "dayname", "decimal", "dense_rank", "distinct", "else", "except", "exists", "exp",
    "explain", "extract", "filter", "first_value", "floor", "from", "from_unixtime", "gen_random_uuid",
    "generate_series", "greatest", "group", "group_concat", "having", "hour", "if", "ifnull", "iif", "in", "initcap",
    "instr", "intersect", "interval", "isnull", "join", "json_agg", "json_array", "json_array_length",
    "json_build_object", "json_each", "json_extract", "json_group_array", "json_object", "jsonb_array_length",
    "jsonb_build_object", "jsonb_pretty", "julianday", "lag", "last_value", "lateral", "lcase", "lead", "least",
    "left", "len", "length", "like", "limit", "ln", "localtime", "log", "lower", "lpad", "ltrim", "max", "md5",
    "median", "min", "minute", "mod", "month", "not", "now", "nth_value", "ntile", "nullif", "numeric", "nvl",
    "octet_length", "on", "or", "order", "over", "partition", "percent_rank", "percentile_cont", "pg_database_size",
    "pg_relation_size", "pg_size_pretty", "pg_total_relation_size", "position", "power", "printf", "quarter", "rand",
    "random", "rank", "regexp_matches", "regexp_replace", "replace", "returning", "reverse", "right", "round", "row",
    "row_number", "row_to_json", "rpad", "rtrim", "second", "select", "set", "sign", "some", "split_part", "sqrt",
    "stddev", "str_to_date", "strftime", "string_agg", "strpos", "substr", "substring", "sum", "sysdate", "then",
    "time", "timediff", "timestamp", "timestampdiff", "to_char", "to_date", "to_json", "to_jsonb", "to_number",
    "to_timestamp", "total", "translate", "trim", "trunc", "typeof", "ucase", "union", "unix_timestamp", "unixepoch",
    "unnest", "upper", "user", "using", "uuid", "values", "varchar", "variance", "version", "week", "when", "where",
    "within", "year",
];
/// What a session may set for itself, sorted. Anything else may be the server's own.
#[rustfmt::skip]
const SESSION: &[&str] = &[
    "application_name", "autocommit", "character", "client_encoding", "client_min_messages", "datestyle",
    "foreign_key_checks", "idle_in_transaction_session_timeout", "lock_timeout", "max_execution_time", "names",
    "nocount", "schema", "search_path", "statement_timeout", "time", "time_zone", "timezone", "transaction",
    "work_mem",
];
/// What `pragma` may name, sorted: it tells something, or changes how this connection works. Source: sqlite.org/pragma.html.
#[rustfmt::skip]
const PRAGMAS: &[&str] = &[
    "analysis_limit", "application_id", "automatic_index", "busy_timeout", "cache_size", "cache_spill",
    "cell_size_check", "collation_list", "compile_options", "data_version", "database_list", "defer_foreign_keys",
    "encoding", "foreign_key_check", "foreign_key_list", "foreign_keys", "freelist_count", "full_column_names",
    "function_list", "index_info", "index_list", "index_xinfo", "integrity_check", "journal_mode",
    "journal_size_limit", "max_page_count", "mmap_size", "module_list", "optimize", "page_count", "page_size",
    "pragma_list", "query_only", "quick_check", "read_uncommitted", "recursive_triggers", "secure_delete",
    "shrink_memory", "stats", "synchronous", "table_info", "table_list", "table_xinfo", "temp_store", "threads",
    "user_version", "version", "wal_autocheckpoint", "wal_checkpoint",
];

impl Judge<'_> {
    /// Statements and orders in a text that a database client reads.
    pub(super) fn sql(&mut self, text: &str) {
        self.client_orders(text);
        let readings = readings(text);
        let statements = || readings.iter().flatten();
        if text.contains(OPAQUE) || !statements().all(|one| is_plain(one)) {
            self.others(&Subject::Code(&Code { language: "sql", text: text.to_owned() }));
        }
        for statement in statements().filter(|one| !is_plain(one)) {
            self.others(&Subject::Code(&Code { language: "sql", text: close(statement) }));
        }
        for statement in statements() {
            self.others(&Subject::Code(&Code { language: "statement", text: words_of(statement) }));
            self.statement(statement);
        }
    }

    fn statement(&mut self, tokens: &[Token]) {
        let verb = verb(tokens);
        let known = [CALM, KEEPING, SPOKEN_OF].iter().any(|list| list.binary_search(&verb).is_ok());
        let order = match verb {
            "set" => !sets_session(tokens),
            "pragma" => !is_listed_pragma(tokens),
            // Orders of clients are judged by themselves.
            "" => false,
            _ => !known,
        };
        if order {
            self.built_in("code.sql-order", "It has a statement that is not known to be harmless", Class::Red);
        }
        if verb == "vacuum"
            && let Some(into) = tokens.iter().position(|token| token.word() == "into")
        {
            match &tokens[into + 1..] {
                [Token::Literal(path) | Token::Name(path)] => {
                    self.path(Access::Write, &Word::literal(path.as_str()), None);
                    self.path(Access::Write, &Word::literal(path.as_str()), Some(""));
                }
                _ => self.built_in("code.sql-order", "It has a statement that is not known to be harmless", Class::Red),
            }
        }
        if binding::changes_all(tokens) {
            self.built_in("code.sql-changes-all", "It changes every row of a table", Class::Red);
        }
    }
}

/// The first word, behind parentheses.
fn verb(tokens: &[Token]) -> &str {
    tokens.iter().find(|token| !token.is('(')).map_or("", Token::word)
}

/// Whether a statement can do no more than its words say.
fn is_plain(tokens: &[Token]) -> bool {
    let verb = verb(tokens);
    let calls = |at: usize| tokens.get(at + 1).is_some_and(|next| next.is('('));
    let harmless = |at: usize| match &tokens[at] {
        // What stands in quotes of these kinds is not told apart here.
        Token::Sign('$' | '[') => false,
        Token::Word(word) if word.starts_with('$') && !word[1..].bytes().all(|b| b.is_ascii_digit()) => false,
        Token::Word(word) => !calls(at) || FUNCTIONS.binary_search(&word.as_str()).is_ok() || is_target(tokens, at),
        Token::Name(_) => !calls(at) || is_target(tokens, at),
        Token::Literal(_) | Token::Sign(_) => true,
    };
    let known = CALM.binary_search(&verb).is_ok() || SPOKEN_OF.binary_search(&verb).is_ok();
    known && (verb == "pragma" || (0..tokens.len()).all(harmless))
}

/// The table of `insert into a.b (…)`.
fn is_target(tokens: &[Token], at: usize) -> bool {
    let mut from = at;
    while from >= 2 && tokens[from - 1].is('.') {
        from -= 2;
    }
    from > 0 && tokens[from - 1].word() == "into"
}

/// The words of a statement, each between blanks, its literals and quoted names empty.
fn words_of(tokens: &[Token]) -> String {
    let mut out = String::from(" ");
    for token in tokens {
        match token {
            Token::Word(word) => out.push_str(word),
            Token::Name(_) => out.push_str("\"\""),
            Token::Literal(_) => out.push_str("''"),
            Token::Sign(sign) => out.push(*sign),
        }
        out.push(' ');
    }
    out
}

/// A statement without comments, with blanks between its words alone, and all that stands in quotes.
fn close(tokens: &[Token]) -> String {
    let mut out = String::new();
    for token in tokens {
        match token {
            Token::Word(text) | Token::Name(text) | Token::Literal(text) => {
                if !out.is_empty() && !out.ends_with(['(', '.', ' ']) {
                    out.push(' ');
                }
                out.push_str(text);
            }
            Token::Sign(sign) => out.push(*sign),
        }
    }
    out
}

fn sets_session(tokens: &[Token]) -> bool {
    let mut words = tokens.iter().skip(1).map(Token::word).skip_while(|word| matches!(*word, "session" | "local"));
    let first = words.next().unwrap_or_default();
    SESSION.binary_search(&first).is_ok() || first.starts_with('@') && !first.starts_with("@@")
}

/// `pragma a`, `pragma main.a = 1`, `pragma a(b)`.
fn is_listed_pragma(tokens: &[Token]) -> bool {
    let name = if tokens.get(2).is_some_and(|token| token.is('.')) { 3 } else { 1 };
    tokens.get(name).is_some_and(|name| PRAGMAS.binary_search(&name.word()).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        for list in [CALM, KEEPING, SPOKEN_OF, FUNCTIONS, SESSION, PRAGMAS] {
            let unsorted = list.windows(2).find(|pair| pair[0] >= pair[1]);
            assert!(unsorted.is_none(), "{unsorted:?}");
        }
    }
}
