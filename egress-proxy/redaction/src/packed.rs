//! Shipped texts, which `build.rs` packs: read once, they need not stay in memory as they were written.

use std::io::Read as _;

use flate2::read::ZlibDecoder;

/// What a text was before the build packed it.
///
/// # Panics
/// If no build packed it.
#[must_use]
pub fn unpacked(packed: &[u8]) -> String {
    let mut text = String::new();
    ZlibDecoder::new(packed).read_to_string(&mut text).expect("the build packed it");
    text
}
