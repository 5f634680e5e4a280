//! The zip that 1Password exports: one file of it, bounded before and while it is unpacked.

use std::io::{Cursor, Read as _};

use zeroize::Zeroizing;

use super::{Format, IMPORT_BYTES, ImportError};

const DATA: &str = "export.data";

/// The bytes of `export.data`.
pub(super) fn export_data(archive: &[u8]) -> Result<Zeroizing<Vec<u8>>, ImportError> {
    let broken = || ImportError::Broken { format: Format::OnePassword, line: 0 };
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).map_err(|_| broken())?;
    let file = archive.by_name(DATA).map_err(|_| broken())?;
    // The archive's word about the size is not trusted: it is only a reason to stop early, and room to begin with.
    let size = usize::try_from(file.size()).ok().filter(|size| *size <= IMPORT_BYTES).ok_or(ImportError::TooLarge)?;
    // Never grown, so that no copy is left behind: what is announced too small is refused.
    let mut out = Zeroizing::new(Vec::with_capacity(size));
    let read = file.take(size as u64 + 1).read_to_end(&mut out).map_err(|_| broken())?;
    if read > size { Err(broken()) } else { Ok(out) }
}
