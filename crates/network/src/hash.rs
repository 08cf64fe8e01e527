//! A hash that stays the same across releases and machines (FNV-1a, 64 bit).

/// Of all parts, with their borders.
pub(crate) fn stable(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
