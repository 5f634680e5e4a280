//! What stands in the journal's file when it is opened, also where the disk has damaged it.
//!
//! The head says nothing that frames do not say, too: their checksums cover number and place, so a number can be tried. And
//! within a turn each frame was on disk before the next was written. So one that can be read behind one that cannot means
//! damage; half a frame at the end is what a crash leaves, and frames of other numbers are what earlier turns left.

use super::{Entry, FRAME, HEAD, MAGIC, checksum, head_of};

/// Numbers above the one that the tables know, tried where no head says which it is. It is the next one, unless the tables are
/// older than their journal.
const TRIED: u64 = 64;

/// What the file holds.
pub(super) enum Found {
    /// Nothing that counts: it is new, or in the tables.
    Nothing,
    /// The same, behind a damaged head.
    Over,
    /// What the tables lack.
    Turn(Turn),
    /// Something of which nothing can be read.
    Lost,
}

/// What was written under one number.
pub(super) struct Turn {
    pub(super) number: u64,
    pub(super) entries: Vec<Entry<'static>>,
    damage: Damage,
}

/// What is wrong with it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Damage {
    /// The number was found by the frames.
    head: bool,
    /// Where the first frame that cannot be read begins, though one behind it can.
    from: Option<usize>,
    /// Bytes of such frames.
    unread: usize,
    /// Frames that were read behind the first of them.
    behind: usize,
    /// Lines of whole frames that say nothing to this build.
    unknown: usize,
}

impl Turn {
    fn read(bytes: &[u8], number: u64) -> Self {
        let mut turn = Self { number, entries: Vec::new(), damage: Damage::default() };
        let mut at = HEAD;
        while let Some((place, lines)) = next(bytes, number, at) {
            turn.damage.skip(at, place);
            at = place + FRAME + lines.len();
            for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                match serde_json::from_slice(line) {
                    Ok(entry) => turn.entries.push(entry),
                    Err(_) => turn.damage.unknown += 1,
                }
            }
        }
        turn
    }

    /// Tells the operator what is not as it was written.
    pub(super) fn warn(&self) {
        let Self { number, entries, damage: Damage { head, from, unread, behind, unknown } } = self;
        if *head {
            tracing::warn!(
                number,
                entries = entries.len(),
                "the head of the usage journal is damaged; its frames say which they are, and are counted"
            );
        }
        if let Some(from) = from {
            tracing::warn!(
                from,
                unread,
                behind,
                "the usage journal is damaged in the middle: what lies behind is counted; of requests in the bytes that cannot be \
                 read, those whose end is missing become estimates, those whose beginning is missing are not counted; look \
                 after the disk"
            );
        }
        if *unknown > 0 {
            tracing::warn!(
                lines = unknown,
                "the usage journal has lines that this build does not know; they are not counted"
            );
        }
    }
}

impl Damage {
    /// Nothing between these places could be read.
    fn skip(&mut self, from: usize, to: usize) {
        if to > from {
            self.from.get_or_insert(from);
            self.unread += to - from;
        }
        self.behind += usize::from(self.from.is_some());
    }
}

/// What the tables, which know the journal up to `folded`, lack of it.
pub(super) fn find(bytes: &[u8], folded: u64) -> Found {
    match head(bytes) {
        Some(number) if number > folded => Found::Turn(Turn::read(bytes, number)),
        Some(_) => Found::Nothing,
        // What a crash leaves of the first write to a new file.
        None if bytes.iter().all(|&byte| byte == 0) || head_of(folded + 1).starts_with(bytes) => Found::Nothing,
        None => headless(bytes, folded),
    }
}

fn headless(bytes: &[u8], folded: u64) -> Found {
    let said = said(bytes);
    // The highest is the newest: frames of lower ones were left behind by it.
    let mut numbers: Vec<u64> = (folded..=folded.saturating_add(TRIED)).skip(1).chain(said).collect();
    numbers.retain(|&number| number > folded);
    numbers.sort_unstable();
    if let Some(number) = numbers.into_iter().rev().find(|&number| next(bytes, number, HEAD).is_some()) {
        let mut turn = Turn::read(bytes, number);
        turn.damage.head = true;
        return Found::Turn(turn);
    }
    // Where the first frame is one that the tables know, no later turn has written over it.
    let is_over =
        said.into_iter().chain([folded]).any(|number| number <= folded && frame(bytes, number, HEAD).is_some());
    if is_over { Found::Over } else { Found::Lost }
}

/// The number of a whole head.
fn head(bytes: &[u8]) -> Option<u64> {
    said(bytes).filter(|&number| bytes.starts_with(&head_of(number)))
}

/// What stands where a head has its number.
fn said(bytes: &[u8]) -> Option<u64> {
    let number = bytes.get(MAGIC.len()..)?.first_chunk()?;
    Some(u64::from_le_bytes(*number))
}

/// The first whole frame of this number at `from` or behind it, and its place.
fn next(bytes: &[u8], number: u64, from: usize) -> Option<(usize, &[u8])> {
    (from..bytes.len().saturating_sub(FRAME)).find_map(|at| Some((at, frame(bytes, number, at)?)))
}

fn frame(bytes: &[u8], number: u64, at: usize) -> Option<&[u8]> {
    let front = bytes.get(at..at + FRAME)?;
    let length = usize::try_from(u32::from_le_bytes(*front.first_chunk()?)).ok()?;
    let lines = bytes.get(at + FRAME..)?.get(..length)?;
    // Cheaper than a checksum, and enough nearly anywhere else than at the beginning of a frame.
    let may_be = lines.first() == Some(&b'{') && lines.last() == Some(&b'\n');
    (may_be && front[4..] == checksum(number, at as u64, lines)).then_some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voids(rows: &[i64]) -> Vec<Entry<'static>> {
        rows.iter().map(|&row| Entry::Void { row }).collect()
    }

    /// The file of a turn with a frame for each of `rows`, and where they begin and the last one ends.
    fn file(number: u64, rows: &[i64]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut places) = (head_of(number).to_vec(), vec![HEAD]);
        for row in voids(rows) {
            let mut lines = serde_json::to_vec(&row).unwrap();
            lines.push(b'\n');
            let sum = checksum(number, bytes.len() as u64, &lines);
            bytes.extend_from_slice(&u32::try_from(lines.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(&sum);
            bytes.extend_from_slice(&lines);
            places.push(bytes.len());
        }
        (bytes, places)
    }

    #[track_caller]
    fn turn(bytes: &[u8], folded: u64) -> Turn {
        match find(bytes, folded) {
            Found::Turn(turn) => turn,
            Found::Nothing => panic!("nothing"),
            Found::Over => panic!("over"),
            Found::Lost => panic!("lost"),
        }
    }

    #[test]
    fn a_crash_at_any_byte_is_no_damage() {
        let (bytes, places) = file(4, &[1, 2, 3]);
        for cut in 0..HEAD {
            assert!(matches!(find(&bytes[..cut], 3), Found::Nothing), "cut at {cut}");
        }
        for cut in HEAD..=bytes.len() {
            let turn = turn(&bytes[..cut], 3);
            let whole = places.iter().filter(|&&place| place <= cut).count() - 1;
            assert_eq!((turn.entries, turn.damage), (voids(&[1, 2, 3][..whole]), Damage::default()), "cut at {cut}");
        }
        assert!(matches!(find(&[0; 4096], 3), Found::Nothing));
    }

    #[test]
    fn a_changed_bit_costs_one_frame_at_most_and_is_told() {
        let (bytes, places) = file(4, &[1, 2, 3]);
        for bit in 0..bytes.len() * 8 {
            let at = bit / 8;
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (bit % 8);
            let turn = turn(&damaged, 3);
            let hit = places.iter().filter(|&&place| place <= at).count();
            let (rows, damage): (&[i64], _) = match hit {
                0 => (&[1, 2, 3], Damage { head: true, ..Damage::default() }),
                1 => (&[2, 3], Damage { behind: 2, ..gap(&places, 0) }),
                2 => (&[1, 3], Damage { behind: 1, ..gap(&places, 1) }),
                // Nothing tells it from half a frame.
                _ => (&[1, 2], Damage::default()),
            };
            assert_eq!((turn.number, turn.entries, turn.damage), (4, voids(rows), damage), "bit {bit}");
        }
    }

    fn gap(places: &[usize], frame: usize) -> Damage {
        Damage { from: Some(places[frame]), unread: places[frame + 1] - places[frame], ..Damage::default() }
    }

    #[test]
    fn what_earlier_turns_left_behind_is_neither_read_nor_told() {
        let (old, _) = file(4, &[1, 2, 3, 4]);
        let (mut bytes, places) = file(5, &[7, 8]);
        bytes.extend_from_slice(&old[bytes.len()..]);
        // Also with half a frame between the two.
        for at in [None, Some(places[1] + 6)] {
            if let Some(at) = at {
                bytes[at] ^= 1;
            }
            let turn = turn(&bytes, 4);
            let rows: &[i64] = if at.is_none() { &[7, 8] } else { &[7] };
            assert_eq!((turn.number, turn.entries, turn.damage), (5, voids(rows), Damage::default()));
        }
    }

    #[test]
    fn without_a_head_the_newest_number_counts() {
        // The tables are of an earlier day: frames of two turns that they do not know.
        let (old, _) = file(8, &[1, 2, 3, 4]);
        let (mut bytes, places) = file(9, &[7, 8]);
        bytes.extend_from_slice(&old[bytes.len()..]);
        bytes[8] ^= 1;
        let turn = turn(&bytes, 3);
        assert_eq!((turn.number, turn.entries), (9, voids(&[7, 8])));
        // Head and first frame in one: what is behind them is found.
        bytes[places[0] + 5] ^= 1;
        let turn = self::turn(&bytes, 3);
        let want = Damage { head: true, behind: 1, ..gap(&places, 0) };
        assert_eq!((turn.number, turn.entries, turn.damage), (9, voids(&[8]), want));
    }

    #[test]
    fn a_damaged_head_before_what_is_counted_loses_nothing() {
        let (mut bytes, places) = file(4, &[1, 2]);
        bytes[10] ^= 1;
        assert!(matches!(find(&bytes, 4), Found::Over));
        // A later turn may have begun in this place.
        bytes[places[0] + 5] ^= 1;
        assert!(matches!(find(&bytes, 4), Found::Lost));
    }

    #[test]
    fn what_no_number_fits_is_lost() {
        let (bytes, _) = file(4 + TRIED, &[1, 2]);
        let mut damaged = bytes.clone();
        damaged[8] ^= 1;
        assert!(matches!(find(&damaged, 3), Found::Lost), "farther off than is tried");
        let mut damaged = bytes;
        damaged[0] ^= 1;
        assert_eq!(turn(&damaged, 3).entries, voids(&[1, 2]), "the number itself is whole");
        assert!(matches!(find(b"something else", 3), Found::Lost));
        assert!(matches!(find(&[b'x'; 4096], 3), Found::Lost));
    }
}
