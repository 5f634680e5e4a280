//! The paths among a command's arguments.

use crate::facts::Word;
use crate::facts::args::Parsed;
use crate::facts::paths::Access;
use crate::rules::{Operands, Syntax};

/// Tells every path, and what is done with it.
pub(super) fn path_uses(syntax: &Syntax, parsed: &Parsed<'_>, mut add: impl FnMut(Access, &Word)) {
    for (options, access) in [(&syntax.writes, Access::Write), (&syntax.reads, Access::Read)] {
        options.iter().flat_map(|option| parsed.values(option)).for_each(|path| add(access, path));
    }
    let skip = if syntax.no_skip.iter().any(|option| parsed.has(option)) { 0 } else { syntax.skip };
    let operands = parsed.operands.get(skip..).unwrap_or_default();
    if syntax.operands == Operands::Read && syntax.skip == 0 && !syntax.single_dash {
        // One program's option with a value is another's without: it may be a file.
        parsed.options.iter().filter_map(|(_, value)| value.as_deref()).for_each(|path| add(Access::Read, path));
    }
    let all = |add: &mut dyn FnMut(Access, &Word), access| operands.iter().for_each(|path| add(access, path));
    match syntax.operands {
        Operands::Text => {}
        Operands::Read => {
            all(&mut add, Access::Read);
            if syntax.in_place.iter().any(|option| parsed.has(option)) {
                all(&mut add, Access::Write);
            }
        }
        Operands::Write => all(&mut add, Access::Write),
        Operands::Filter => {
            operands.iter().take(1).for_each(|path| add(Access::Read, path));
            operands.iter().skip(1).for_each(|path| add(Access::Write, path));
        }
        Operands::First => operands.iter().take(1).for_each(|path| add(Access::Write, path)),
        Operands::Delete => all(&mut add, Access::Delete),
        Operands::Copy | Operands::Move => {
            let from = if syntax.operands == Operands::Copy { Access::Read } else { Access::Delete };
            if let Some((last, rest)) = operands.split_last() {
                rest.iter().for_each(|path| add(from, path));
                if from == Access::Delete {
                    // A secret that is moved can be read at its new place.
                    rest.iter().for_each(|path| add(Access::Read, path));
                }
                add(Access::Write, last);
            }
        }
        Operands::Keys => {
            for operand in operands {
                if let Some(path) = operand.text.strip_prefix("if=") {
                    add(Access::Read, &Word::literal(path));
                } else if let Some(path) = operand.text.strip_prefix("of=") {
                    add(Access::Write, &Word::literal(path));
                }
            }
        }
    }
}
