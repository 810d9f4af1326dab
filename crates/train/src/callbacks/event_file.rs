//! The event files of TensorBoard.
//!
//! A file is a sequence of records, each the length of its data (u64, little-endian), the masked CRC of these 8 bytes, the data, and
//! the masked CRC of the data (TensorFlow's `record_writer.cc`). The data is the message `Event` in the encoding of Protocol Buffers:
//!
//! ```text
//! Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
//! Summary { repeated Value value = 1; }
//! Value   { string tag = 1; float simple_value = 2; }
//! ```
//!
//! The first record has the version of the file, `brain.Event:2`.

/// What the first record of a file says.
const VERSION: &str = "brain.Event:2";

/// The first record of a file.
pub(super) fn first_record(wall_time: f64) -> Vec<u8> {
    let mut event = Vec::new();
    fixed64(&mut event, 1, wall_time.to_le_bytes());
    bytes(&mut event, 3, VERSION.as_bytes());
    record(&event)
}

/// A record of numbers, by tag, after this many steps.
pub(super) fn scalars<'a>(
    wall_time: f64,
    steps: u64,
    values: impl IntoIterator<Item = (&'a str, f64)>,
) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in values {
        let mut message = Vec::new();
        bytes(&mut message, 1, tag.as_bytes());
        fixed32(&mut message, 2, (value as f32).to_le_bytes());
        bytes(&mut summary, 1, &message);
    }
    let mut event = Vec::new();
    fixed64(&mut event, 1, wall_time.to_le_bytes());
    key(&mut event, 2, 0);
    varint(&mut event, steps);
    bytes(&mut event, 5, &summary);
    record(&event)
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length, &masked_crc(&length).to_le_bytes()[..], data, &masked_crc(data).to_le_bytes()].concat()
}

/// The number of a field, and how its value is encoded: 0 for a varint, 1 for 8 bytes, 2 for a length and bytes, 5 for 4 bytes.
fn key(out: &mut Vec<u8>, field: u64, encoding: u64) {
    varint(out, field << 3 | encoding);
}

/// Seven bits in each byte, the lowest first; the eighth says that more follow.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(out, field, 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn fixed64(out: &mut Vec<u8>, field: u64, value: [u8; 8]) {
    key(out, field, 1);
    out.extend(value);
}

fn fixed32(out: &mut Vec<u8>, field: u64, value: [u8; 4]) {
    key(out, field, 5);
    out.extend(value);
}

/// The CRC-32C (Castagnoli), rotated and shifted, so that the CRC of data that contains CRCs is not weakened.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The CRC with the reflected polynomial 0x82f63b78 (RFC 3720, appendix B.4), bit by bit: a log has a few hundred bytes at a time.
fn crc32c(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc = (crc >> 1) ^ (0x82f6_3b78 * carry);
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_that_of_the_standard() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&ascending), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_record_byte_by_byte() {
        let record = scalars(1.5, 300, [("loss", 0.25)]);
        let value = [&[0x0a, 4][..], b"loss", &[0x15], &0.25f32.to_le_bytes()].concat();
        let summary = [&[0x0a, value.len() as u8][..], &value].concat();
        let event =
            [&[0x09][..], &1.5f64.to_le_bytes(), &[0x10, 0xac, 0x02, 0x2a, summary.len() as u8], &summary]
                .concat();
        assert_eq!(record[..8], (event.len() as u64).to_le_bytes());
        assert_eq!(record[12..12 + event.len()], event);
        assert_eq!(record.len(), 16 + event.len());
    }
}
