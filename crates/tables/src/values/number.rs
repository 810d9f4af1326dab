//! Numbers as people write them: with thousands separators, decimal commas, per cent and currencies.

use std::fmt;

/// How the numbers of a column are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NumberStyle {
    /// Whether the comma separates the decimals, `3,14`.
    pub decimal_comma: bool,
    /// Whether groups of three digits are separated, `1,234,567`.
    pub thousands: bool,
    /// Whether the numbers are per cent: `12.5%` is 0.125.
    pub percent: bool,
    /// Whether a sign of a currency stands with them, `$12`.
    pub currency: bool,
}

impl NumberStyle {
    /// Whether numbers are written as in Rust.
    pub fn is_plain(self) -> bool {
        self == Self::default()
    }

    /// What two numbers have between them.
    fn with(self, other: Self) -> Self {
        Self {
            decimal_comma: self.decimal_comma || other.decimal_comma,
            thousands: self.thousands || other.thousands,
            percent: self.percent || other.percent,
            currency: self.currency || other.currency,
        }
    }
}

impl fmt::Display for NumberStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (self.decimal_comma, "decimal comma"),
            (self.thousands, "thousands separators"),
            (self.percent, "per cent"),
            (self.currency, "currency"),
        ];
        let words: Vec<&str> = words.iter().filter(|(has, _)| *has).map(|&(_, word)| word).collect();
        f.write_str(&words.join(", "))
    }
}

/// The number with this text as Rust writes them; `nan` is none.
#[inline]
pub(crate) fn plain(text: &str) -> Option<f64> {
    match text.as_bytes() {
        [b'0'..=b'9' | b'.', ..]
        | [b'+' | b'-', b'0'..=b'9' | b'.' | b'i' | b'I', ..]
        | [b'i' | b'I', ..] => text.parse().ok(),
        _ => None,
    }
}

/// Whether commas may be decimal commas, points, or either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decimal {
    Point,
    Comma,
}

const CURRENCIES: [char; 5] = ['$', '€', '£', '¥', '₹'];

/// The same number as Rust writes it, and how it was written.
pub(crate) fn styled(text: &str, decimal: Decimal) -> Option<(String, NumberStyle)> {
    let mut style = NumberStyle::default();
    let mut rest = text.trim();
    let mut sign = take_sign(&mut rest);
    if let Some(without) = rest.strip_suffix('%') {
        style.percent = true;
        rest = without.trim_end();
    }
    let without = rest.strip_prefix(CURRENCIES).or_else(|| rest.strip_suffix(CURRENCIES));
    if let Some(without) = without.filter(|_| !style.percent) {
        style.currency = true;
        rest = without.trim();
        if sign.is_empty() {
            sign = take_sign(&mut rest);
        }
    }
    let point = match decimal {
        Decimal::Point => '.',
        Decimal::Comma => ',',
    };
    let (whole, fraction) = match rest.split_once(point) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (rest, None),
    };
    let (fraction, exponent) = split_exponent(fraction);
    let (whole, whole_exponent) =
        if fraction.is_none() { split_exponent(Some(whole)) } else { (Some(whole), "") };
    let exponent = if exponent.is_empty() { whole_exponent } else { exponent };
    let digits = ungrouped(whole.unwrap_or_default(), decimal, &mut style)?;
    let fraction_digits = fraction.unwrap_or_default();
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(fraction_digits) || (digits.is_empty() && fraction_digits.is_empty()) {
        return None;
    }
    if !exponent.is_empty() && (style.percent || style.thousands) {
        return None;
    }
    style.decimal_comma = decimal == Decimal::Comma && fraction.is_some();
    let exponent = if style.percent { "e-2" } else { exponent };
    let number = format!("{sign}{digits}.{fraction_digits}0{exponent}");
    // The zero is only there so that no point stands at the end; it changes no number.
    number.parse::<f64>().is_ok().then_some((number, style))
}

fn take_sign<'a>(rest: &mut &'a str) -> &'a str {
    let (sign, without) = match rest.as_bytes() {
        [b'-', ..] => ("-", &rest[1..]),
        [b'+', ..] => ("", &rest[1..]),
        _ => ("", *rest),
    };
    *rest = without.trim_start();
    sign
}

/// The digits before an exponent, and the exponent with its `e`.
fn split_exponent(digits: Option<&str>) -> (Option<&str>, &str) {
    let Some(text) = digits else { return (None, "") };
    match text.find(['e', 'E']) {
        Some(at) if at > 0 => (Some(&text[..at]), &text[at..]),
        _ => (Some(text), ""),
    }
}

/// The digits without the separators of thousands, which are of one kind and stand before groups of three.
fn ungrouped(text: &str, decimal: Decimal, style: &mut NumberStyle) -> Option<String> {
    let Some(separator) = text.chars().find(|letter| !letter.is_ascii_digit()) else {
        return Some(text.to_owned());
    };
    let allowed = match separator {
        ',' => decimal == Decimal::Point,
        '.' => decimal == Decimal::Comma,
        '\'' | '’' | ' ' | '\u{A0}' | '\u{202F}' => true,
        _ => false,
    };
    let mut groups = text.split(separator);
    let first = groups.next()?;
    let is_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let fits = |group: &str| group.len() == 3 && is_digits(group);
    if !allowed || !(1..=3).contains(&first.len()) || !is_digits(first) || !groups.all(fits) {
        return None;
    }
    style.thousands = true;
    Some(text.split(separator).collect())
}

/// All numbers of a column as Rust writes them, and how they are written, if all are numbers.
pub(crate) fn all_styled<'a>(
    words: impl Iterator<Item = &'a str>,
    decimal: Decimal,
) -> Option<(Vec<String>, NumberStyle)> {
    let mut style = NumberStyle::default();
    let mut numbers = Vec::new();
    for word in words {
        // What is infinite has no digits.
        let (number, this) = match plain(word) {
            Some(value) if decimal == Decimal::Point || !word.contains('.') || value.is_infinite() => {
                (word.to_owned(), NumberStyle::default())
            }
            _ => styled(word, decimal)?,
        };
        // Per cent beside plain numbers may be either.
        if !numbers.is_empty() && this.percent != style.percent {
            return None;
        }
        style = style.with(this);
        numbers.push(number);
    }
    (!numbers.is_empty()).then_some((numbers, style))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, decimal: Decimal) -> Option<f64> {
        styled(text, decimal).map(|(number, _)| number.parse().unwrap())
    }

    #[test]
    fn numbers_as_people_write_them() {
        for (text, point, comma) in [
            ("1,234,567.5", Some(1_234_567.5), None),
            ("1.234.567,5", None, Some(1_234_567.5)),
            ("1,234", Some(1234.0), Some(1.234)),
            ("3,25", None, Some(3.25)),
            ("-0,5", None, Some(-0.5)),
            ("1 234", Some(1234.0), Some(1234.0)),
            ("1'234.5", Some(1234.5), None),
            ("12.5%", Some(0.125), None),
            ("12,5 %", None, Some(0.125)),
            ("$1,200.50", Some(1200.5), None),
            ("-$3", Some(-3.0), Some(-3.0)),
            ("15 €", Some(15.0), Some(15.0)),
            ("1e3", Some(1000.0), Some(1000.0)),
            ("1,5e3", None, Some(1500.0)),
            ("12,34,567", None, None),
            ("1,2345", None, Some(1.2345)),
            ("", None, None),
            (".", None, None),
            ("%", None, None),
            ("$", None, None),
            ("1-2", None, None),
            ("e5", None, None),
            ("1e5%", None, None),
            ("192.168.0.1", None, None),
        ] {
            assert_eq!(value(text, Decimal::Point), point, "{text}");
            assert_eq!(value(text, Decimal::Comma), comma, "{text}");
        }
    }

    #[test]
    fn a_column_has_one_style() {
        let style = |words: &[&str], decimal| {
            all_styled(words.iter().copied(), decimal).map(|(_, style)| style.to_string())
        };
        assert_eq!(style(&["1,234", "12"], Decimal::Point).unwrap(), "thousands separators");
        assert_eq!(style(&["1,2", "12"], Decimal::Comma).unwrap(), "decimal comma");
        assert_eq!(style(&["1%", "2 %"], Decimal::Point).unwrap(), "per cent");
        assert_eq!(style(&["1%", "2"], Decimal::Point), None);
        assert_eq!(style(&["1.5", "2,5"], Decimal::Comma), None);
        assert_eq!(style(&["inf", "1,5"], Decimal::Comma).unwrap(), "decimal comma");
        assert_eq!(plain("nan"), None);
        assert_eq!(plain("-inf"), Some(f64::NEG_INFINITY));
        assert_eq!(plain("info"), None);
    }
}
