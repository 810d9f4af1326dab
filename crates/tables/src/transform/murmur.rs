//! MurmurHash3 (Appleby 2011), the variant of 32 bits, with the seed 0.

const C1: u32 = 0xCC9E_2D51;
const C2: u32 = 0x1B87_3593;

/// The hash of these bytes.
pub(super) fn murmur3(bytes: &[u8]) -> u32 {
    let mut hash = 0u32;
    let blocks = bytes.chunks_exact(4);
    let tail = blocks.remainder();
    for block in blocks {
        let word = u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
        hash = (hash ^ mix(word)).rotate_left(13).wrapping_mul(5).wrapping_add(0xE654_6B64);
    }
    let word = tail.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
    hash ^= mix(word) ^ bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85EB_CA6B);
    hash = (hash ^ hash >> 13).wrapping_mul(0xC2B2_AE35);
    hash ^ hash >> 16
}

fn mix(word: u32) -> u32 {
    word.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2)
}

#[cfg(test)]
mod tests {
    use super::murmur3;

    #[test]
    fn known_hashes() {
        // Of the reference implementation, as the author's page of test vectors has them.
        for (text, hash) in [
            ("", 0),
            ("test", 0xBA6B_D213),
            ("Hello, world!", 0xC036_3E43),
            ("The quick brown fox jumps over the lazy dog", 0x2E4F_F723),
        ] {
            assert_eq!(murmur3(text.as_bytes()), hash, "{text}");
        }
    }
}
