//! The matrix as it is shown.

use std::fmt;

use serde_json::{Value, json};

/// How one case went with one client.
pub enum Cell {
    /// It holds.
    Good,
    /// It is not served, and the client is told so in its own words.
    Refused,
    /// Why it does not.
    Failed(String),
}

/// All clients of one thing, in the order of play.
pub struct Table {
    name: &'static str,
    place: fn(&str) -> usize,
    cells: Vec<Row>,
}

struct Row {
    client: &'static str,
    case: &'static str,
    seconds: f32,
    cell: Cell,
}

impl Cell {
    /// How a case went that says itself what came of it.
    pub fn of(result: anyhow::Result<Self>) -> Self {
        match result {
            Ok(cell) => cell,
            Err(error) => Self::Failed(format!("{error:#}").replace('\n', " ")),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("ok"),
            Self::Refused => f.write_str("refused"),
            Self::Failed(why) => write!(f, "FAILED: {why}"),
        }
    }
}

impl Table {
    /// An empty one of the thing `name`; `place` orders its cases, and those in one place stay as they were played.
    #[must_use]
    pub const fn of(name: &'static str, place: fn(&str) -> usize) -> Self {
        Self { name, place, cells: Vec::new() }
    }

    pub(super) fn add(&mut self, client: &'static str, case: &'static str, seconds: f32, cell: Cell) {
        self.cells.push(Row { client, case, seconds, cell });
    }

    /// Whether nothing was played.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// How many do not hold.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.cells.iter().filter(|row| matches!(row.cell, Cell::Failed(_))).count()
    }

    /// Each name once, in order of appearance.
    fn names(&self, of: impl Fn(&Row) -> &'static str) -> Vec<&'static str> {
        let mut names = Vec::new();
        for name in self.cells.iter().map(of) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// All of them as one document.
pub(super) fn json(tables: &[Table]) -> Value {
    let all = tables.iter().flat_map(|table| table.cells.iter().map(|row| (table.name, row)));
    let rows: Vec<Value> = all
        .map(|(to, Row { client, case, seconds, cell })| {
            let ok = !matches!(cell, Cell::Failed(_));
            let mut row = json!({"to": to, "client": client, "case": case, "ok": ok, "seconds": seconds});
            match cell {
                Cell::Good => {}
                Cell::Refused => row["refused"] = json!(true),
                Cell::Failed(why) => row["reason"] = json!(why),
            }
            row
        })
        .collect();
    let failed: usize = tables.iter().map(Table::failed).sum();
    json!({"ok": rows.len() - failed, "failed": failed, "cells": rows})
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cells.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{}:\n", self.name)?;
        let (clients, mut cases) = (self.names(|row| row.client), self.names(|row| row.case));
        cases.sort_by_key(|case| (self.place)(case));
        let widest = cases.iter().map(|case| case.len()).max().unwrap_or_default();
        let words = |client: &str, line: usize| client.split(' ').nth(line).unwrap_or_default().to_owned();
        let width = |client: &str| client.split(' ').map(str::len).max().unwrap_or_default().max(7);
        let lines = clients.iter().map(|client| client.split(' ').count()).max().unwrap_or_default();
        for line in 0..lines {
            let names = clients.iter().map(|client| format!("  {:<1$}", words(client, line), width(client)));
            writeln!(f, "{}", format!("{:widest$}{}", "", names.collect::<String>()).trim_end())?;
        }
        for case in &cases {
            let mut row = format!("{case:widest$}");
            for client in &clients {
                let cell = self.cells.iter().find(|row| row.client == *client && row.case == *case);
                let mark = match cell.map(|row| &row.cell) {
                    Some(Cell::Good) => "ok",
                    Some(Cell::Refused) => "refused",
                    Some(Cell::Failed(_)) => "FAIL",
                    None => "-",
                };
                row += &format!("  {mark:<0$}", width(client));
            }
            writeln!(f, "{}", row.trim_end())?;
        }
        for Row { client, case, cell, .. } in &self.cells {
            if let Cell::Failed(why) = cell {
                writeln!(f, "\n{client}, {case}: {why}")?;
            }
        }
        writeln!(f, "\n{} of {} hold", self.cells.len() - self.failed(), self.cells.len())
    }
}
