//! `.npy`: a header that is a Python dictionary of three entries, and the elements of an array.
//!
//! The header is read by a parser of just that. The crates for it, `ndarray-npy` and `npyz`, read any literal of Python, of any
//! depth, by a recursive grammar, which a file of brackets exhausts the stack with.
//!
//! Source: NumPy, `numpy.lib.format`, versions 1 to 3.

use std::sync::Arc;

use crate::dtype::Dtype;
use crate::tensor::Tensor;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The multiple of bytes at which the elements begin.
const ALIGNMENT: usize = 64;

/// The type codes of NumPy, little-endian.
const CODES: [(&str, Dtype); 12] = [
    ("<f2", Dtype::F16),
    ("<f4", Dtype::F32),
    ("<f8", Dtype::F64),
    ("|b1", Dtype::Bool),
    ("|i1", Dtype::I8),
    ("<i2", Dtype::I16),
    ("<i4", Dtype::I32),
    ("<i8", Dtype::I64),
    ("|u1", Dtype::U8),
    ("<u2", Dtype::U16),
    ("<u4", Dtype::U32),
    ("<u8", Dtype::U64),
];

/// The header of a file, of which these are the first bytes, and the number of bytes before its elements.
pub(super) fn header(bytes: &[u8]) -> Result<(Header, usize), String> {
    let short = || "it ends within its header".to_owned();
    let rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin as a .npy file does")?;
    let (&[major, _], rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
    let (length, rest) = match major {
        1 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_le_bytes(*length)), rest)),
        2 | 3 => rest.split_first_chunk().map(|(length, rest)| (u32::from_le_bytes(*length) as usize, rest)),
        _ => return Err(format!("it has version {major} of the format, but 1 to 3 are read")),
    }
    .ok_or_else(short)?;
    let header = std::str::from_utf8(rest.get(..length).ok_or_else(short)?);
    let header = Header::parse(header.map_err(|_| "its header is no text")?)?;
    Ok((header, bytes.len() - rest.len() + length))
}

/// The tensor of a file.
pub(super) fn read(bytes: Vec<u8>) -> Result<Tensor, String> {
    let (Header { dtype, columns_first, shape }, start) = header(&bytes)?;
    let strides = if columns_first { column_major(&shape) } else { crate::indices::row_major(&shape) };
    let found = bytes.len() - start;
    let tensor =
        Tensor::strided(dtype, shape, strides, Arc::new(bytes), start).map_err(|error| error.to_string())?;
    let expected = tensor.len() * dtype.size();
    if found == expected {
        Ok(tensor)
    } else {
        Err(format!("it has {found} bytes after its header instead of {expected}"))
    }
}

/// The strides of axes of which the first one is the fastest, as in Fortran.
fn column_major(shape: &[usize]) -> Vec<usize> {
    let next = |stride: &mut usize, &length: &usize| {
        let own = *stride;
        *stride = own.saturating_mul(length);
        Some(own)
    };
    shape.iter().scan(1, next).collect()
}

/// The bytes of a file.
pub(super) fn write(tensor: &Tensor) -> Result<Vec<u8>, String> {
    let (code, _) = CODES
        .iter()
        .find(|(_, dtype)| *dtype == tensor.dtype())
        .ok_or("NumPy has no bf16; convert it to f32 or f16")?;
    let axes = tensor.shape().iter().map(|length| format!("{length},")).collect::<Vec<_>>().join(" ");
    let mut header = format!("{{'descr': '{code}', 'fortran_order': False, 'shape': ({axes}), }}");
    let unpadded = MAGIC.len() + 4 + header.len() + 1;
    header.extend(std::iter::repeat_n(' ', unpadded.next_multiple_of(ALIGNMENT) - unpadded));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(|_| "it has too many axes")?;
    Ok([MAGIC, &[1, 0][..], &length.to_le_bytes(), header.as_bytes(), &tensor.to_bytes()].concat())
}

/// What a header says.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) dtype: Dtype,
    pub(super) columns_first: bool,
    pub(super) shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, String> {
        let mut text = Text(text);
        let (mut dtype, mut columns_first, mut shape) = (None, None, None);
        text.expect("{")?;
        while !text.take("}") {
            let key = text.quoted()?;
            text.expect(":")?;
            let twice = match key {
                "descr" => dtype.replace(text.dtype()?).is_some(),
                "fortran_order" => columns_first.replace(text.truth()?).is_some(),
                "shape" => shape.replace(text.tuple()?).is_some(),
                _ => return Err(format!("its header has an entry {key:?}, which no array has")),
            };
            if twice {
                return Err(format!("its header has two entries {key:?}"));
            }
            if !text.take(",") {
                text.expect("}")?;
                break;
            }
        }
        if !text.0.trim().is_empty() {
            return Err("something follows its header".into());
        }
        let missing = || "its header does not have the entries descr, fortran_order and shape".to_owned();
        let ((dtype, columns_first), shape) = dtype.zip(columns_first).zip(shape).ok_or_else(missing)?;
        Ok(Self { dtype, columns_first, shape })
    }
}

/// What is left of a header.
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// Whether this comes next, after spaces; then it is skipped.
    fn take(&mut self, expected: &str) -> bool {
        let rest = self.0.trim_start().strip_prefix(expected);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, expected: &str) -> Result<(), String> {
        if self.take(expected) {
            Ok(())
        } else {
            Err(format!("its header has no {expected:?} where one belongs"))
        }
    }

    fn quoted(&mut self) -> Result<&'a str, String> {
        let quote = if self.take("'") { '\'' } else { self.expect("\"").map(|()| '"')? };
        let (text, rest) = self.0.split_once(quote).ok_or("its header has a text without an end")?;
        self.0 = rest;
        Ok(text)
    }

    fn dtype(&mut self) -> Result<Dtype, String> {
        if self.0.trim_start().starts_with('[') {
            return Err("its elements have several fields; save each as an array".into());
        }
        let code = self.quoted()?;
        let found =
            CODES.iter().find(|(own, _)| *own == code || code.strip_prefix(['=', '<']) == Some(&own[1..]));
        let objects =
            if code.contains('O') { ": objects would be unpickled, which could run code" } else { "" };
        let unknown = || {
            format!(
                "its elements have the type {code:?}, which is not read{objects}; little-endian numbers are"
            )
        };
        found.map(|(_, dtype)| *dtype).ok_or_else(unknown)
    }

    fn truth(&mut self) -> Result<bool, String> {
        if self.take("True") { Ok(true) } else { self.expect("False").map(|()| false) }
    }

    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        let mut values = Vec::new();
        self.expect("(")?;
        while !self.take(")") {
            let text = self.0.trim_start();
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            values.push(text[..end].parse().map_err(|_| "its shape is not made of whole numbers")?);
            // Python 2 wrote a long integer so.
            self.0 = text[end..].strip_prefix('L').unwrap_or(&text[end..]);
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with this header and these elements.
    fn file(header: &str, elements: &[u8]) -> Vec<u8> {
        [&MAGIC[..], &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), elements].concat()
    }

    #[test]
    fn headers_of_numpy_are_read() {
        let tensor =
            read(file("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }  \n", &[0, 1, 2, 3, 4, 5]));
        assert_eq!(tensor.unwrap().to_bytes(), [0, 2, 4, 1, 3, 5]);
        let scalar = read(file("{\"shape\":(),'fortran_order':False,'descr':'<f4'}", &[0; 4])).unwrap();
        assert_eq!((scalar.shape(), scalar.len()), (&[][..], 1));
    }

    #[test]
    fn what_is_written_is_read_and_aligned() {
        for shape in [&[][..], &[0], &[3], &[2, 1, 3]] {
            let count: usize = shape.iter().product();
            let tensor = Tensor::new(Dtype::I16, shape, (0..2 * count as u8).collect()).unwrap();
            let bytes = write(&tensor).unwrap();
            assert_eq!((bytes.len() - 2 * count) % ALIGNMENT, 0);
            assert_eq!(read(bytes).unwrap(), tensor);
        }
        for (dtype, bytes, number) in [
            (Dtype::Bool, vec![2], 1.0),
            (Dtype::I8, vec![255], -1.0),
            (Dtype::U8, vec![255], 255.0),
            (Dtype::I64, vec![254, 255, 255, 255, 255, 255, 255, 255], -2.0),
            (Dtype::U16, vec![1, 2], 513.0),
            (Dtype::F32, vec![0, 0, 192, 63], 1.5),
        ] {
            let tensor = Tensor::new(dtype, [1], bytes).unwrap();
            assert_eq!(tensor.numbers().collect::<Vec<_>>(), [number], "{dtype}");
        }
        assert!(write(&Tensor::new(Dtype::Bf16, [1], vec![0; 2]).unwrap()).is_err());
    }

    #[test]
    fn hostile_headers_are_refused() {
        let entry = |shape: &str| format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}");
        for (header, part) in [
            (entry("(1000000000000000,)"), "bytes"),
            (entry("(4294967296, 4294967296, 4294967296)"), "bytes"),
            (entry("(99999999999999999999,)"), "whole numbers"),
            (entry("(-1,)"), "whole numbers"),
            (entry(&"(".repeat(60_000)), "whole numbers"),
            (entry("()").replace("<f8", "|O"), "run code"),
            (entry("()").replace("<f8", ">f8"), "not read"),
            (entry("()").replace("'<f8'", "[('a', '<f8')]"), "fields"),
            (entry("()").replace("'descr': '<f8'", "'shape': ()"), "two entries"),
            (entry("()").replace("descr", "other"), "no array has"),
            (entry("()") + "x", "follows"),
            ("{}".into(), "does not have"),
            ("{'descr'".into(), "no \":\""),
        ] {
            let error = read(file(&header, &[0; 8])).unwrap_err();
            assert!(error.contains(part), "{header:.80}: {error}");
        }
        assert!(read(b"\x93NUMPY\x09\x00".to_vec()).unwrap_err().contains("version 9"));
        assert!(read(b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec()).unwrap_err().contains("ends within"));
        assert!(read(file(&entry("(2,)"), &[0; 24])).unwrap_err().contains("24 bytes"));
    }
}
