//! The orders of SQL's clients, which are no statements.

use super::Judge;
use crate::class::Class;
use crate::facts::sql::{first_word, statements};

/// Orders behind `\` that only show something, or change how it is shown.
const BACKSLASH: &[&str] = &[
    "l",
    "z",
    "x",
    "t",
    "a",
    "f",
    "h",
    "q",
    "r",
    "p",
    "gx",
    "gdesc",
    "c",
    "connect",
    "timing",
    "pset",
    "conninfo",
    "echo",
    "qecho",
    "encoding",
    "errverbose",
    "help",
    "sf",
    "sv",
    "unset",
    "crosstabview",
    "if",
    "elif",
    "else",
    "endif",
    "u",
    "n",
];
/// Orders behind `.` of the same kind.
const DOT: &[&str] = &[
    "tables",
    "table",
    "schema",
    "schemas",
    "header",
    "headers",
    "mode",
    "databases",
    "database",
    "indexes",
    "indices",
    "index",
    "width",
    "nullvalue",
    "help",
    "timer",
    "quit",
    "exit",
    "dump",
    "stats",
    "limit",
    "changes",
    "echo",
    "explain",
    "eqp",
    "fullschema",
    "separator",
    "bail",
    "print",
    "show",
    "maxrows",
    "columns",
    "rows",
    "dbinfo",
    "lint",
    "version",
    "prompt",
];
/// Words with which a statement hands something to the machine, or runs a text that nobody has seen.
const STARTS: &[&str] = &[
    "system", "source", "shell", "host", "pager", "tee", "edit", "do", "load", "install", "spool", "prepare",
    "capture", "bulk", "backup", "restore", "import", "export", "unload",
];

impl Judge<'_> {
    /// Orders of a client's own in a text of SQL.
    pub(super) fn client_orders(&mut self, text: &str) {
        let statements = statements(text);
        let plain = statements.join("; ");
        let orders = statements.iter().any(|one| one.starts_with(['!', ':', '@']) || STARTS.contains(&first_word(one)));
        if orders || text.lines().chain([plain.as_str()]).any(orders_of_clients) {
            self.built_in(
                "code.sql-starts",
                "It gives a database client an order that starts programs or works on files",
                Class::Red,
            );
        }
    }
}

/// Whether a line holds an order of the client's own that does more than show something.
fn orders_of_clients(line: &str) -> bool {
    let name = |text: &str| text[..text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len())].to_owned();
    let line = line.trim_start();
    if let Some(order) = line.strip_prefix('.')
        && !DOT.contains(&name(order).to_ascii_lowercase().as_str())
    {
        return true;
    }
    line.match_indices('\\').any(|(at, _)| {
        let order = &line[at + 1..];
        let (name, rest) = (name(order), &order[name(order).len()..]);
        match name.as_str() {
            // `\g` alone sends what stands before it.
            "g" => !rest.trim().is_empty(),
            "" => order.starts_with(['!', '.', 'o']),
            name => !name.starts_with('d') && !BACKSLASH.contains(&name),
        }
    })
}
