//! The operations of `vectors.rs` in plain integers, eight bytes at a time.

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;

/// Returns a mask in which bit `i` is set if byte `i` is LF or CR.
#[inline(always)]
pub(super) fn line_end_mask(bytes: [u8; 16]) -> u16 {
    let both = u128::from_le_bytes(bytes);
    mask_of_word(both as u64) | mask_of_word((both >> 64) as u64) << 8
}

#[inline(always)]
fn mask_of_word(word: u64) -> u16 {
    let ends = zeros(word ^ (LOW * u64::from(b'\n'))) | zeros(word ^ (LOW * u64::from(b'\r')));
    // The highest bits of eight bytes, moved to the eight highest bits of the product.
    ((ends >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u16
}

/// Returns a word in which the highest bit of each zero byte is set. The addition does not carry
/// into the next byte, so no other bit is set.
#[inline(always)]
fn zeros(word: u64) -> u64 {
    !(((word & !HIGH) + !HIGH) | word) & HIGH
}

/// Returns `bytes` as text if they are well formed.
#[inline(always)]
pub(super) fn valid(bytes: &[u8]) -> Option<&str> {
    core::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_in_each_place_is_told_from_its_neighbours() {
        for place in 0..16 {
            for byte in 0..=u8::MAX {
                for around in [0x00, 0x0a, 0x0b, 0x0d, 0x0e, 0x8a, 0xff] {
                    let mut bytes = [around; 16];
                    bytes[place] = byte;
                    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
                    let ends = bytes.iter().enumerate().filter(|(_, byte)| is_end(byte));
                    let wanted = ends.fold(0, |mask, (place, _)| mask | 1 << place);
                    assert_eq!(line_end_mask(bytes), wanted, "{bytes:x?}");
                }
            }
        }
    }
}
