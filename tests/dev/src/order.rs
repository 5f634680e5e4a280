//! `tenant-agent/order.txt`: the functions of the daemon that ran, as callgrind saw it, so that the build puts them together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

const LIST: &str = "tenant-agent/order.txt";
const PROGRAM: &str = "wardkeep-agent";
const HEAD: &str = "\
# The sections of functions that run from the start of the daemon to rest, in the order of the program: ./dev order writes
# it (docs/performance.md says how), tenant-agent/build.rs reads it.
";
/// Bytes of functions that did not run, of all that share a name, for which they are told apart by their hashes.
const TOLD_APART: u64 = 2048;

/// A function of the program: a section that the linker can place by itself.
struct Function {
    start: u64,
    size: u64,
    name: String,
}

/// Writes the list: words are the output of `callgrind --dump-instr=yes`, and the map that lld made of the program that ran.
///
/// The map, and not the symbols of a second build: those have other hashes where anything about the build differs.
pub(crate) fn write(words: &[&str]) -> anyhow::Result<ExitCode> {
    let [trace, map] = words else { anyhow::bail!("./dev order CALLGRIND-OUTPUT MAP") };
    let functions = functions(&std::fs::read_to_string(map).with_context(|| format!("cannot read {map}"))?);
    anyhow::ensure!(!functions.is_empty(), "{map} is no map of lld; build with WARDKEEP_LINK_MAP={map}");
    let ran = ran(&std::fs::read_to_string(trace)?, Path::new(PROGRAM), &functions);
    anyhow::ensure!(!ran.is_empty(), "nothing of {PROGRAM} ran in {trace}; was it made with --dump-instr=yes?");
    let names = order(&functions, &ran);
    std::fs::write(LIST, format!("{HEAD}{}\n", names.join("\n")))?;
    Ok(ExitCode::SUCCESS)
}

/// By place in the program. A line of the map: address, the same, size, alignment, `FILE:(SECTION)`.
fn functions(map: &str) -> Vec<Function> {
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let line = |line: &str| {
        let section = line.strip_suffix(')')?.rsplit_once(":(.text.")?.1;
        let name = section.strip_prefix("unlikely.").unwrap_or(section).to_owned();
        let mut numbers = line.split_ascii_whitespace();
        Some(Function { start: number(numbers.next()?)?, size: number(numbers.nth(1)?)?, name })
    };
    let mut functions: Vec<Function> = map.lines().filter_map(line).collect();
    functions.sort_by_key(|function| function.start);
    functions
}

/// Which of the functions hold an instruction that ran.
fn ran(trace: &str, program: &Path, functions: &[Function]) -> HashSet<usize> {
    let (mut objects, mut ours, mut last, mut ran) = (HashMap::new(), false, 0_u64, HashSet::new());
    for line in trace.lines() {
        if let Some(object) = line.strip_prefix("ob=").or_else(|| line.strip_prefix("cob=")) {
            // The name of a number is said once.
            let (id, name) = object.split_once(' ').unwrap_or((object, ""));
            let is = objects.entry(id).or_insert(Path::new(name.trim()).file_name() == program.file_name());
            ours = if line.starts_with('o') { *is } else { ours };
            continue;
        }
        let place = line.split(' ').next().unwrap_or_default();
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        let at = match place.split_at_checked(1) {
            Some(("0", rest)) => rest.strip_prefix('x').and_then(hex),
            Some(("+", by)) => by.parse().ok().map(|by: u64| last + by),
            Some(("-", by)) => by.parse().ok().map(|by: u64| last.saturating_sub(by)),
            Some(("*", "")) => Some(last),
            _ => None,
        };
        let Some(at) = at else { continue };
        last = at;
        let found = functions.partition_point(|function| function.start <= at).checked_sub(1);
        if let Some(found) = found.filter(|found| ours && at - functions[*found].start < functions[*found].size.max(1))
        {
            ran.insert(found);
        }
    }
    ran
}

/// What stands in the list. A name without its hash lives on when the compiler or a dependency changes. Where many functions
/// share one, those that ran are named with their hashes, and the others come last: should the hashes be outdated, all of
/// them are at least near.
fn order(functions: &[Function], ran: &HashSet<usize>) -> Vec<String> {
    let mut same: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (number, function) in functions.iter().enumerate() {
        same.entry(lasting(&function.name)).or_default().push(number);
    }
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for (name, numbers) in same {
        let (hot, cold): (Vec<usize>, Vec<usize>) = numbers.iter().partition(|number| ran.contains(number));
        let Some(place) = hot.first() else { continue };
        if cold.iter().map(|number| functions[*number].size).sum::<u64>() <= TOLD_APART {
            first.push((*place, name));
        } else {
            first.extend(hot.iter().map(|number| (*number, told_apart(&functions[*number].name))));
            last.push(name);
        }
    }
    first.sort();
    first.into_iter().map(|(_, name)| name).chain(last).collect()
}

/// A name with its hash, whether or not link-time optimisation adds to it.
fn told_apart(name: &str) -> String {
    name.split_once(".llvm.").map_or_else(|| name.to_owned(), |(name, _)| format!("{name}*"))
}

/// A name as a pattern: hashes of crates and functions may be any.
fn lasting(name: &str) -> String {
    // What link-time optimisation made of a name for itself.
    let (name, own) = name.split_once(".llvm.").map_or((name, ""), |(name, _)| (name, ".llvm.*"));
    if let Some((path, hash)) = name.rsplit_once("17h").filter(|_| name.starts_with("_ZN"))
        && hash.len() >= 17
    {
        return format!("{path}17h*");
    }
    let Some(rest) = name.strip_prefix("_R") else { return format!("{name}{own}") };
    let (mut out, mut pieces) = ("_R".to_owned(), rest.split("Cs"));
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        // A crate's own number ends with an underscore.
        match piece.split_once('_').filter(|(number, _)| number.bytes().all(|b| b.is_ascii_alphanumeric())) {
            Some((_, rest)) => out.push_str(&format!("Cs*_{rest}")),
            None => out.push_str(&format!("Cs{piece}")),
        }
    }
    out + own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_live_on_without_their_hashes() {
        for (name, lasts) in [
            ("_ZN5tokio7runtime4park17h0123456789abcdefE", "_ZN5tokio7runtime4park17h*"),
            ("_ZN5tokio7runtime4park17h0123456789abcdefE.llvm.123", "_ZN5tokio7runtime4park17h*"),
            ("_RNvNtCsjrHSEGnQ3l9_3std2rt19lang_start_internal", "_RNvNtCs*_3std2rt19lang_start_internal"),
            ("_RNvNtCsjrHSEGnQ3l9_3std2fs.llvm.9", "_RNvNtCs*_3std2fs.llvm.*"),
            ("sqlite3VdbeExec", "sqlite3VdbeExec"),
        ] {
            assert_eq!(lasting(name), lasts);
        }
    }

    #[test]
    fn what_ran_comes_first_and_others_of_its_name_last() {
        let map = "     VMA      LMA     Size Align Out     In      Symbol\n\
                      1000     1000     2030    16 .text\n\
                      1000     1000       10    16         /a b/x.o:(.text._ZN1a17h0000000000000001E)\n\
                      1000     1000       10     1                 _ZN1a17h0000000000000001E\n\
                      1010     1010     1000    16         x.o:(.text._ZN1g17h0000000000000002E.llvm.7)\n\
                      2010     2010     1000    16         x.o:(.text._ZN1g17h0000000000000003E)\n\
                      3010     3010       10    16         y.a(z.o):(.text.unlikely.late)\n\
                      3020     3020       10    16         y.a(z.o):(.text)\n\
                      3030     3030       10    16         x.o:(.rodata.cst16)\n";
        let functions = functions(map);
        let trace = "ob=(1) /bin/wardkeep-agent\nfn=(1) a\n0x3014 1 1\ncob=(2) /lib/other\ncalls=1 0x99 0\n-1 1 5\n\
                     ob=(2)\n0x1000 1 1\nob=(1)\n0x1014 3 1\n+4 * 1\n* * 1\n";
        let ran = ran(trace, Path::new(PROGRAM), &functions);
        assert_eq!(functions.len(), 4);
        assert_eq!(order(&functions, &ran), ["_ZN1g17h0000000000000002E*", "late", "_ZN1g17h*"]);
    }
}
