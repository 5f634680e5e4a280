//! Whether an `update` says which rows it means.

use crate::facts::sql::tokens::{Token, closing};

/// Words behind which `update` begins no statement: `for update`, `on duplicate key update`, `on conflict do update`, `on update`.
const NO_ORDER: &[&str] = &["for", "key", "do", "on", "no"];
/// Words that end a condition.
const ENDS: &[&str] = &["group", "limit", "offset", "order", "returning", "window"];
/// Below which number a bound from below, and above which one from above, bounds nothing that anybody counts.
const LEAST: f64 = 2.0;
const MOST: f64 = 100_000.0;
/// Orders in one statement; with more of them it is not looked into.
const MOST_ORDERS: usize = 32;
/// Parentheses within each other; deeper ones are not looked into.
const DEEPEST: usize = 32;

/// Whether some `update` in the statement changes every row.
pub(super) fn changes_all(tokens: &[Token]) -> bool {
    let mut depth = 0_usize;
    let is_deep = tokens.iter().any(|token| {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEEPEST
    });
    let orders = (0..tokens.len()).filter(|at| {
        let before = at.checked_sub(1).map_or("", |before| tokens[before].word());
        let orders = tokens[*at].word() == "update" && !NO_ORDER.contains(&before);
        let field = *at > 0 && (tokens[at - 1].is('.') || tokens[at - 1].is(','))
            || tokens.get(at + 1).is_some_and(|t| t.is('='));
        orders && !field
    });
    // Each is held against all that follows it.
    is_deep || orders.enumerate().any(|(nth, at)| nth >= MOST_ORDERS || !is_bound(&tokens[at + 1..]))
}

/// Whether the rest of an order has a condition of its own that binds.
fn is_bound(tokens: &[Token]) -> bool {
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            Token::Sign('(') => at = closing(tokens, at),
            Token::Sign(')') => return false,
            Token::Word(word) if word == "where" => return binds(&tokens[at + 1..]),
            _ => {}
        }
        at += 1;
    }
    false
}

/// Whether each way to meet the condition names something.
fn binds(condition: &[Token]) -> bool {
    let ways = split(condition, &["or", "xor"], "||");
    ways.iter().all(|way| split(way, &["and"], "&&").iter().any(|part| names_rows(part)))
}

/// The parts between those words, outside of parentheses, up to the end of the condition. `between a and b` is one part.
fn split<'t>(tokens: &'t [Token], words: &[&str], signs: &str) -> Vec<&'t [Token]> {
    let (mut out, mut from, mut at, mut between) = (Vec::new(), 0, 0, false);
    let sign = signs.chars().next().unwrap_or_default();
    while at < tokens.len() {
        let word = tokens[at].word();
        if tokens[at].is(')') || ENDS.contains(&word) {
            break;
        }
        let doubled = tokens[at].is(sign) && tokens.get(at + 1).is_some_and(|next| next.is(sign));
        if word == "and" && std::mem::take(&mut between) {
            // Of the same part.
        } else if words.contains(&word) || doubled {
            out.push(&tokens[from..at]);
            at += usize::from(doubled);
            from = at + 1;
        } else if word == "between" {
            between = true;
        } else if tokens[at].is('(') {
            at = closing(tokens, at);
        }
        at += 1;
    }
    out.push(&tokens[from.min(tokens.len())..at.min(tokens.len())]);
    out
}

/// `a = 1`, `a in (1, 2)`, `a between 1 and 2`, `a like 'b%'`, `a is null`, `a < 5`: a column held against something else.
fn names_rows(part: &[Token]) -> bool {
    if let [Token::Sign('('), inner @ .., Token::Sign(')')] = part
        && closing(part, 0) == part.len() - 1
    {
        return binds(inner);
    }
    if let [Token::Word(exists), Token::Sign('('), inner @ ..] = part
        && exists == "exists"
    {
        return is_bound(inner);
    }
    let Some((column, rest)) = column(part) else { return false };
    match rest {
        [Token::Sign('='), value @ ..] => {
            let value = value.strip_prefix(&[Token::Sign('=')]).unwrap_or(value);
            !value.is_empty() && value != column
        }
        [Token::Word(is), Token::Word(null)] => is == "is" && matches!(null.as_str(), "null" | "false" | "true"),
        [Token::Word(like), Token::Literal(text), ..] => {
            matches!(like.as_str(), "like" | "ilike" | "glob" | "regexp" | "rlike")
                && text.contains(char::is_alphanumeric)
        }
        [Token::Word(word), Token::Sign('('), inner @ ..] if word == "in" => {
            if inner.first().is_some_and(|first| first.word() == "select") { is_bound(inner) } else { inner.len() > 1 }
        }
        [Token::Word(between), Token::Word(from), Token::Word(and), Token::Word(to), ..]
            if between == "between" && and == "and" =>
        {
            number(from).is_none_or(|from| from >= LEAST) || number(to).is_none_or(|to| to <= MOST)
        }
        [Token::Word(between), ..] if between == "between" => true,
        [Token::Sign('<'), Token::Sign('>'), ..] | [Token::Sign('>' | '<')] => false,
        [Token::Sign(sign @ ('<' | '>')), value @ ..] => match value.strip_prefix(&[Token::Sign('=')]).unwrap_or(value)
        {
            [Token::Word(value)] => {
                number(value).is_none_or(|value| if *sign == '<' { value <= MOST } else { value >= LEAST })
            }
            [Token::Sign('-'), ..] | [] => false,
            value => value != column,
        },
        _ => false,
    }
}

/// The column at the start, with its table: a bare or quoted name, no number and no truth.
fn column(part: &[Token]) -> Option<(&[Token], &[Token])> {
    let is_name = |token: &Token| match token {
        Token::Name(_) => true,
        Token::Word(word) => {
            word.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && !matches!(word.as_str(), "true" | "false" | "null" | "not" | "exists" | "case")
        }
        _ => false,
    };
    let mut at = 0;
    while is_name(part.get(at)?) {
        at += 1;
        if !part.get(at).is_some_and(|token| token.is('.')) {
            return Some(part.split_at(at));
        }
        at += 1;
    }
    None
}

fn number(word: &str) -> Option<f64> {
    word.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sql::tokens::readings;

    #[test]
    fn a_condition_that_every_row_meets_is_none() {
        for end in [
            "",
            "where true",
            "where 1",
            "where 1=1",
            "where 'a'='a'",
            "where id=id",
            "where t.id = t.id",
            "where not false",
            "where id is not null",
            "where id > 0",
            "where id>=1",
            "where id <> -1",
            "where id != 0",
            "where id < 99999999",
            "where id = 1 or true",
            "where id=1 or 1=1",
            "where (id=1) or (2>1)",
            "where id like '%'",
            "where length(id) > 0",
            "where id between 0 and 999999999",
            "where exists (select 1)",
            "where id in (select id from t)",
            "where (true)",
            "limit 5",
            "where id = 1 || 1",
            "where id > -5",
            "from (select 1 where 2=b) c",
        ] {
            let text = format!("update t set a = 1 {end}");
            assert!(changes_all(&readings(&text)[0][0]), "{text}");
        }
        for end in [
            "where id=1",
            "where id = $1",
            "where id = ?",
            "where t.id = :id",
            "where \"id\" = 'x'",
            "where id in (1, 2)",
            "where true and id = 7",
            "where (id = 1 or id = 2)",
            "where id between 5 and 9",
            "where name like 'a%'",
            "where a is null",
            "where at < now() - 1",
            "where id in (select id from u where b = 2)",
            "where state = 'open' and at > '2024'",
            "from u where t.id = u.id",
            "where id=1 returning *",
            "where attempts >= 3",
            "where a = b",
        ] {
            let text = format!("update t set a = 1 {end}");
            assert!(!changes_all(&readings(&text)[0][0]), "{text}");
        }
        for text in [
            "select a from t for update",
            "insert into t values (1) on conflict (a) do update set b = 2",
            "insert into t values (1) on duplicate key update b = 2",
            "select update, b from t where update = 1",
        ] {
            assert!(!changes_all(&readings(text)[0][0]), "{text}");
        }
        assert!(changes_all(&readings("with x as (select 1 where a=2) update t set a=1")[0][0]));
        assert!(changes_all(&readings("with x as (update t set a=1 returning a) select a from x where a=1")[0][0]));
    }

    /// What takes a moment for one order takes hours for as many as a text of the longest kind may hold.
    #[test]
    fn a_statement_with_very_many_orders_is_not_looked_into() {
        let many = |count: usize| "update t set a = 1 ".repeat(count) + "where id = 1";
        assert!(changes_all(&readings(&many(MOST_ORDERS + 1))[0][0]));
        assert!(!changes_all(&readings(&many(MOST_ORDERS))[0][0]));
        let from = std::time::Instant::now();
        assert!(changes_all(&readings(&many(55_000))[0][0]));
        assert!(from.elapsed() < std::time::Duration::from_secs(60), "{:?}", from.elapsed());
    }
}
