//! Questions about 64 bytes at once.

/// One bit for each byte of which `is` holds. Written so that the compiler makes wide comparisons of it.
#[inline(always)]
pub(super) fn mask(block: &[u8; 64], is: impl Fn(u8) -> bool) -> u64 {
    let mut flags = [0; 64];
    for (flag, &byte) in flags.iter_mut().zip(block) {
        *flag = u8::from(is(byte));
    }
    // A product that puts the lowest bit of each byte beside those of the others.
    let bits = |eight: &[u8; 8]| u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    flags.as_chunks::<8>().0.iter().rev().fold(0, |mask, eight| mask << 8 | bits(eight))
}
