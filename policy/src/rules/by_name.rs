//! What is said of programs by their names: thousands of names that are looked up and never change.

use std::collections::BTreeMap;
use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};

/// For each name some numbers, in three pieces of memory: a table of lists of its own for each name would take ten times that
/// and, after it doubled its room, half of it for nothing.
#[derive(Default)]
pub(super) struct ByName {
    /// All names one behind the other.
    names: Box<str>,
    /// For each name where it ends, and where its numbers do.
    ends: Box<[(u32, u32)]>,
    numbers: Box<[u32]>,
    /// Where each name is among them, by its hash: each command asks for a dozen.
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl ByName {
    pub(super) fn new(of: &BTreeMap<&str, Vec<usize>>) -> Self {
        let mut names = String::with_capacity(of.keys().map(|name| name.len()).sum());
        let mut numbers = Vec::with_capacity(of.values().map(Vec::len).sum());
        let mut ends = Vec::with_capacity(of.len());
        for (name, of_it) in of {
            names.push_str(name);
            numbers.extend(of_it.iter().copied().map(narrow));
            ends.push((narrow(names.len()), narrow(numbers.len())));
        }
        let (places, hasher) = (HashTable::with_capacity(ends.len()), DefaultHashBuilder::default());
        let mut out = Self { names: names.into(), ends: ends.into(), numbers: numbers.into(), places, hasher };
        for at in 0..out.ends.len() {
            let hash = out.hasher.hash_one(out.name(at));
            // There is room for all of them, so none is hashed again.
            out.places.insert_unique(hash, narrow(at), |_| hash);
        }
        out
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// What is said of `name`, if anything is.
    pub(super) fn get(&self, name: &str) -> Option<impl Iterator<Item = usize> + use<'_>> {
        let at = self.find(name)?;
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before].1);
        Some(self.numbers[from as usize..self.ends[at].1 as usize].iter().map(|number| *number as usize))
    }

    fn find(&self, name: &str) -> Option<usize> {
        let found = self.places.find(self.hasher.hash_one(name), |at| self.name(*at as usize) == name);
        found.map(|at| *at as usize)
    }

    fn name(&self, at: usize) -> &str {
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before].0);
        &self.names[from as usize..self.ends[at].0 as usize]
    }
}

/// A document that holds so much does not fit in a bundle.
pub(super) fn narrow(number: usize) -> u32 {
    u32::try_from(number).expect("rules are fewer, and their names shorter, than 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whole_and_with_their_own_numbers() {
        let said: BTreeMap<&str, Vec<usize>> =
            [("a", vec![3, 1]), ("ab", vec![]), ("b", vec![7]), ("bé", vec![2, 2])].into();
        let by_name = ByName::new(&said);
        for name in ["", "A", "aa", "abc", "bb", "é", "c"] {
            assert!(by_name.get(name).is_none() && !by_name.contains(name), "{name}");
        }
        for (name, numbers) in said {
            assert_eq!(by_name.get(name).map(Vec::from_iter), Some(numbers), "{name}");
            assert!(by_name.contains(name));
        }
        assert!(ByName::default().get("").is_none());
    }
}
