//! What is said on a run's line, between the runner outside and the launcher inside: a length of four bytes and so many
//! bytes, one message after another.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Raw;
use super::used::Used;

/// Longest message that is no output, bytes.
const HEAD_BYTES: usize = 64 * 1024;
/// What is said here; both ends must mean the same.
pub(super) const VERSION: u32 = 2;

/// The launcher's first word: it is in its place and nothing has been done.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) launcher: u32,
}

/// What stands before a message of output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Head {
    /// A piece of it, as it comes.
    Piece,
    /// All of it, with the launcher's last word.
    Report(Report),
}

/// What the launcher says after its first word.
pub(super) enum Said {
    Piece(Zeroizing<Vec<u8>>),
    Report(Raw, Used),
}

/// The launcher's last word; the output follows as a message of its own.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    ok: bool,
    exit_code: Option<i32>,
    signal: Option<i32>,
    cut: bool,
    used: Used,
}

/// Writes one message.
pub(super) fn put(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_be_bytes())?;
    to.write_all(bytes)?;
    to.flush()
}

pub(super) fn put_json(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    put(to, &Zeroizing::new(serde_json::to_vec(message)?))
}

/// Reads one message of at most `longest` bytes.
pub(super) fn take(from: &mut impl Read, longest: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > longest {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes")));
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn take_json<T: DeserializeOwned>(from: &mut impl Read, longest: usize) -> io::Result<T> {
    Ok(serde_json::from_slice(&take(from, longest)?)?)
}

pub(super) fn take_hello(from: &mut impl Read) -> io::Result<Hello> {
    take_json(from, HEAD_BYTES)
}

/// What a run gave and what it used.
pub(super) fn put_report(to: &mut impl Write, raw: &Raw, used: Used) -> io::Result<()> {
    let Raw { ok, exit_code, signal, cut, output, http_status: _, left_out: _, most: _ } = raw;
    put_json(to, &Head::Report(Report { ok: *ok, exit_code: *exit_code, signal: *signal, cut: *cut, used }))?;
    put(to, output)
}

/// A piece of what it prints.
pub(super) fn put_piece(to: &mut impl Write, piece: &[u8]) -> io::Result<()> {
    put_json(to, &Head::Piece)?;
    put(to, piece)
}

/// The same, with at most `most` bytes of output. Whoever wrote it shares a user with the program: nothing but the shape is
/// believed.
pub(super) fn take_said(from: &mut impl Read, most: usize) -> io::Result<Said> {
    let head = take_json(from, HEAD_BYTES)?;
    let output = take(from, most)?;
    Ok(match head {
        Head::Piece => Said::Piece(output),
        Head::Report(Report { ok, exit_code, signal, cut, used }) => {
            Said::Report(Raw { ok, exit_code, signal, cut, output, ..Raw::default() }, used)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_or_cut_short_is_no_message() {
        let mut wire = Vec::new();
        put_report(&mut wire, &Raw { exit_code: Some(3), ..Raw::ok("output") }, Used::default()).unwrap();
        let take_report = |from: &mut &[u8], most| match take_said(from, most) {
            Ok(Said::Report(raw, used)) => Ok((raw, used)),
            Ok(Said::Piece(_)) => Err(io::Error::other("a piece")),
            Err(error) => Err(error),
        };
        let (raw, used) = take_report(&mut &wire[..], 6).unwrap();
        assert_eq!((raw.ok, raw.exit_code, &**raw.output, used), (true, Some(3), &b"output"[..], Used::default()));
        assert!(take_report(&mut &wire[..], 5).is_err());
        for end in 0..wire.len() {
            assert!(take_report(&mut &wire[..end], 6).is_err(), "{end}");
        }
        let huge = [&u32::MAX.to_be_bytes()[..], b"{}"].concat();
        assert!(take_hello(&mut &huge[..]).is_err());
        assert!(take_report(&mut &[0, 0, 0, 2, b'{', b'}'][..], 6).is_err());
    }
}
