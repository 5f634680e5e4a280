//! What a program prints, readable while it runs: redacted as it comes, into a file of the run folder.
//!
//! A piece goes there only when nothing that may follow can make it part of a value. The file is for who looks on; what
//! counts is the result.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use wardkeep_redaction::{Engine, Stream};

const FILE: &str = "output";

/// Who is told of each piece as it comes.
pub(super) type Tell = Box<dyn FnMut(&[u8]) + Send>;

/// Tells nobody.
pub(super) fn nobody() -> Tell {
    Box::new(|_| ())
}

/// Writes at most `most` bytes of what it is told into the file; without one nobody looks on.
pub(super) fn into_folder(folder: &Path, engine: &Engine, most: usize) -> Tell {
    let mut options = OpenOptions::new();
    let Ok(mut file) = options.write(true).create_new(true).mode(0o600).open(folder.join(FILE)) else {
        return nobody();
    };
    let (mut stream, mut left): (Stream, usize) = (engine.stream(), most);
    Box::new(move |piece| {
        let mut clean = stream.push(piece);
        clean.truncate(left);
        left -= clean.len();
        // A full disk costs who looks on, and not the run.
        if file.write_all(&clean).is_err() {
            left = 0;
        }
    })
}

/// In the daemon: what stands there so far.
pub(crate) fn so_far(folder: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(folder.join(FILE))?.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
