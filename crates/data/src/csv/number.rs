//! Decimal numbers, rounded once.

use chainrule_tensor::Real;

/// The powers of ten that `f64` has exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// The integers up to this one are exact in `f64`.
const EXACT: u64 = 1 << 53;

/// The finite number that a field begins with, blanks around it left out, and what follows; `None` if it is none. The field ends
/// with a delimiter or the line.
#[inline]
pub(super) fn number<T: Real>(text: &[u8], delimiter: u8) -> Option<(T, &[u8])> {
    if let Some((value, rest)) = short(text)
        && let Some(value) = rounded(value)
        && rest.first().is_none_or(|&byte| byte == delimiter || matches!(byte, b'\n' | b'\r'))
    {
        return Some((value, rest));
    }
    let is_end = |byte: u8| byte == delimiter || matches!(byte, b'\n' | b'\r');
    let length = text.iter().position(|&byte| is_end(byte)).unwrap_or(text.len());
    let (field, rest) = text.split_at(length);
    Some((parse(std::str::from_utf8(field).ok()?.trim())?, rest))
}

/// The finite number that a text is.
pub(crate) fn parse<T: Real>(text: &str) -> Option<T> {
    // Rounded once: a decimal that is rounded to f64 first may then be rounded to the wrong side in f32.
    let number = match T::NAME {
        "f32" => text.parse::<f32>().map(|number| T::of(number.into())),
        _ => text.parse::<f64>().map(T::of),
    };
    // A number may be finite in f64 and infinite in f32.
    number.ok().filter(|number| number.is_finite())
}

/// A number of few digits without an exponent, rounded to `f64`, and what follows. An integer below 2^53 and a power of ten up to
/// 10^22 are exact, so their quotient is rounded once (Clinger, *How to read floating point numbers accurately*, 1990).
#[inline]
fn short(text: &[u8]) -> Option<(f64, &[u8])> {
    let (negative, mut rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (mut digits, mut count, mut decimals) = (0u64, 0, 0);
    let mut take = |rest: &mut &[u8]| {
        let before = rest.len();
        while let [byte @ b'0'..=b'9', after @ ..] = *rest {
            digits = digits.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            *rest = after;
        }
        count += before - rest.len();
        before - rest.len()
    };
    take(&mut rest);
    if let [b'.', after @ ..] = rest {
        rest = after;
        decimals = take(&mut rest);
    }
    // With more digits the sum may have wrapped.
    if count == 0
        || count > 19
        || digits > EXACT
        || decimals >= POWERS.len()
        || matches!(rest, [b'e' | b'E', ..])
    {
        return None;
    }
    let value = digits as f64 / POWERS[decimals];
    Some((if negative { -value } else { value }, rest))
}

/// The number in `T` that is nearest to the one that was rounded to `value`, if `value` tells it.
///
/// A number between two neighbours in `f32` is on the same side of the middle between them before and after it is rounded to `f64`,
/// which has the middle exactly; unless it is rounded to the middle itself.
#[inline]
fn rounded<T: Real>(value: f64) -> Option<T> {
    const BELOW: u64 = (1 << 29) - 1;
    const MIDDLE: u64 = 1 << 28;
    let is_normal = value == 0.0 || value.abs() >= f64::from(f32::MIN_POSITIVE);
    let tells = T::NAME != "f32" || is_normal && value.to_bits() & BELOW != MIDDLE;
    Some(T::of(value)).filter(|number| tells && number.is_finite())
}

#[cfg(test)]
mod tests {
    use chainrule_tensor::Seed;

    use super::*;

    fn same<T: Real>(text: &str) {
        let expected = parse::<T>(text.trim());
        let found = number::<T>(text.as_bytes(), b',');
        let bits = |value: Option<T>| value.map(|value| value.as_f64().to_bits());
        assert_eq!(bits(found.map(|(value, _)| value)), bits(expected), "{text} as {}", T::NAME);
        assert!(found.is_none_or(|(_, rest)| rest.is_empty()), "{text}");
    }

    #[test]
    fn they_are_those_of_the_standard_library() {
        let mut random = Seed(3).rng();
        for text in [
            "0",
            "-0",
            "-0.0",
            ".5",
            "5.",
            "-.25",
            "1e5",
            "1.5E-3",
            "+3",
            " 4 ",
            "9007199254740992",
            "9007199254740993",
            "16777217",
            "33554435.0",
            "0.1",
            "3.4028235e38",
            "340282350000000000000000000000000000000",
            "1e39",
            "0.000000000000000000000000000000000000011754943",
            "0.00000000000000000000001",
            "123456789012345678901234567890",
            "",
            "-",
            ".",
            "1.2.3",
            "--1",
            "nan",
            "inf",
            "0x10",
            "1 2",
            "1_000",
            "é",
        ] {
            same::<f32>(text);
            same::<f64>(text);
        }
        // Near the middle between two numbers of single precision, where rounding twice goes wrong.
        for _ in 0..20_000 {
            let bits = (random.bits() >> 40) as u32 | 0x3f00_0000;
            let (low, high) = (f32::from_bits(bits), f32::from_bits(bits + 1));
            let middle = (f64::from(low) + f64::from(high)) / 2.0;
            for digits in [7, 9, 15, 16, 20, 25] {
                same::<f32>(&format!("{middle:.digits$}"));
                same::<f64>(&format!("{middle:.digits$}"));
            }
        }
        for _ in 0..20_000 {
            let value = (random.bits() as i64 >> (random.bits() % 50)) as f64;
            let decimals = (random.bits() % 12) as usize;
            let text = format!("{:.decimals$}", value / POWERS[decimals]);
            same::<f32>(&text);
            same::<f64>(&text);
        }
    }

    #[test]
    fn a_number_ends_with_its_field() {
        assert_eq!(number::<f32>(b"1.5;2", b';'), Some((1.5, &b";2"[..])));
        assert_eq!(number::<f32>(b" 1.5 \r\n2", b';'), Some((1.5, &b"\r\n2"[..])));
        assert_eq!(number::<f32>(b"1,5;2", b';'), None);
    }
}
