//! What stored values stand for, as a column of a table.

use super::decode::Stored;
use super::footer::{Leaf, Logical, Physical};
use super::{Problem, pages};
use crate::column::{ColumnData, ColumnKind};
use crate::read::textual::TextBuilder;
use crate::read::typed::{self, ReadColumn};
use crate::values::Numbers;
use crate::values::numbers::exact_single;

/// The number of the day 1970-01-01, counted from the beginning of the Julian period.
const JULIAN_DAY: i64 = 2_440_588;

/// What the values of a column stand for.
#[derive(Clone, Copy, Debug)]
enum Meaning {
    Number,
    Unsigned,
    Boolean,
    Days,
    /// So many are a day.
    Time(i64),
    Timestamp(i64),
    /// A day of the Julian period, after the nanoseconds of the day.
    JulianDay,
    /// A whole number times ten to the power of minus this.
    Decimal(u32),
    Half,
    Text,
    Uuid,
}

impl Meaning {
    fn of(leaf: &Leaf) -> Result<Self, Problem> {
        use Physical::{Boolean, ByteArray, Double, Fixed, Float, Int32, Int64, Int96};
        if leaf.repeated {
            return Err(Problem::Unsupported("a row of it may have any number of values"));
        }
        Ok(match (leaf.physical, leaf.logical) {
            (Boolean, None) => Self::Boolean,
            (Int32 | Int64 | Float | Double, None) => Self::Number,
            (Int32 | Int64, Some(Logical::Unsigned)) => Self::Unsigned,
            (Int32, Some(Logical::Date)) => Self::Days,
            (Int32 | Int64, Some(Logical::Time { per_second })) => Self::Time(86_400 * per_second),
            (Int64, Some(Logical::Timestamp { per_second })) => Self::Timestamp(86_400 * per_second),
            (Int96, None) => Self::JulianDay,
            (Int32 | Int64 | ByteArray | Fixed(_), Some(Logical::Decimal { scale })) => Self::Decimal(scale),
            (Fixed(2), Some(Logical::Float16)) => Self::Half,
            (Fixed(16), Some(Logical::Uuid)) => Self::Uuid,
            (ByteArray | Fixed(_), None | Some(Logical::Text)) => Self::Text,
            _ => return Err(Problem::Unsupported("its values are no numbers, dates or texts")),
        })
    }

    /// Whether its values are numbers, and not what is stored as one.
    fn is_number(self) -> bool {
        matches!(self, Self::Number | Self::Unsigned | Self::Decimal(_) | Self::Half)
    }

    /// Whether its values are whole numbers or ones in single precision, whose texts are not those of numbers in double precision.
    fn is_exact_as_text(self, physical: Physical) -> bool {
        match self {
            Self::Number => physical != Physical::Double,
            Self::Unsigned | Self::Decimal(0) => true,
            _ => false,
        }
    }

    /// The value as a number, in double precision and, where that is not the same rounded, in single precision.
    fn number(self, physical: Physical, value: Stored<'_>) -> Result<Number, Problem> {
        let exact = |value: f64| Number { value, single: None };
        Ok(match (self, value) {
            (Self::Unsigned, Stored::Integer(value)) => {
                let value = unsigned(physical, value);
                Number::rounded(value as f64, value as f32)
            }
            (Self::Number, Stored::Integer(value)) => Number::rounded(value as f64, value as f32),
            (Self::Boolean | Self::Days, Stored::Integer(value)) => exact(value as f64),
            (Self::Time(day), Stored::Integer(value)) => exact(value as f64 / day as f64),
            (Self::Timestamp(day), Stored::Integer(value)) => exact(days(value, day)),
            (Self::JulianDay, Stored::Bytes(bytes)) => {
                let (nanoseconds, day) = bytes.split_first_chunk().ok_or(WIDTH)?;
                let day = u32::from_le_bytes(*day.first_chunk().ok_or(WIDTH)?);
                let fraction = u64::from_le_bytes(*nanoseconds) as f64 / 86.4e12;
                exact((i64::from(day) - JULIAN_DAY) as f64 + fraction)
            }
            (Self::Decimal(scale), value) => {
                let text = format!("{}e-{scale}", unscaled(value)?);
                let value = text.parse().unwrap_or(f64::NAN);
                Number { value, single: exact_single(&text, value) }
            }
            (Self::Half, Stored::Bytes(bytes)) => {
                exact(half(u16::from_le_bytes(*bytes.first_chunk().ok_or(WIDTH)?)))
            }
            (_, Stored::Single(value)) => exact(f64::from(value)),
            (_, Stored::Double(value)) => exact(value),
            _ => return Err(WIDTH.into()),
        })
    }
}

/// Only values that say their own size may have a wrong one: that of others comes from the file's schema.
const WIDTH: super::Damage = super::Damage("the size of a value");

/// What a number that is missing is as a text.
const NOT_A_NUMBER: &str = "NaN";

/// The whole number without a sign that is stored as this one.
fn unsigned(physical: Physical, value: i64) -> u64 {
    if physical == Physical::Int32 { u64::from(value as u32) } else { value as u64 }
}

/// The number with this text, as it is where it is stored.
fn number_as_stored(text: &str, physical: Physical) -> Option<f64> {
    match physical {
        Physical::Float => text.parse().ok().map(|value: f32| f64::from(value)),
        _ => text.parse().ok(),
    }
}

/// The text that a stored number has if it is the one with this text: that of `0.0` or `-0` is `0`.
fn as_stored(text: &str, physical: Physical) -> String {
    let whole = text.parse().ok().map(|value: i128| value.to_string());
    let real = || match physical {
        Physical::Float => text.parse().ok().map(|value: f32| (value + 0.0).to_string()),
        _ => text.parse().ok().map(|value: f64| (value + 0.0).to_string()),
    };
    whole.filter(|_| physical != Physical::Float).or_else(real).unwrap_or_else(|| text.to_owned())
}

/// The days that are so many units, as the texts of dates are read: whole days, and the fraction of one.
fn days(value: i64, day: i64) -> f64 {
    value.div_euclid(day) as f64 + value.rem_euclid(day) as f64 / day as f64
}

/// The whole number that a decimal is stored as: bytes have the highest first.
fn unscaled(value: Stored<'_>) -> Result<i128, Problem> {
    match value {
        Stored::Integer(value) => Ok(value.into()),
        Stored::Bytes(bytes) if (1..=16).contains(&bytes.len()) => {
            let sign = if bytes[0] >= 0x80 { 0xFF } else { 0 };
            let mut whole = [sign; 16];
            whole[16 - bytes.len()..].copy_from_slice(bytes);
            Ok(i128::from_be_bytes(whole))
        }
        Stored::Bytes([]) => Err(WIDTH.into()),
        _ => Err(Problem::Unsupported("its decimals have more than 38 digits")),
    }
}

/// The number of half precision with these bits.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1F), f64::from(bits & 0x3FF));
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

#[derive(Clone, Copy)]
struct Number {
    value: f64,
    single: Option<f32>,
}

impl Number {
    fn rounded(value: f64, single: f32) -> Self {
        Self { value, single: (single != value as f32).then_some(single) }
    }
}

/// An entry of a dictionary.
enum Entry {
    Number(Number),
    /// A text, with its code after its first row was read.
    Text(Box<str>, Option<u32>),
}

/// A column, while it is read.
pub(super) struct ColumnBuilder {
    physical: Physical,
    meaning: Meaning,
    /// Whether its values are texts, or are to be.
    as_texts: bool,
    /// The texts that stand for missing values.
    missing: Vec<String>,
    missing_numbers: Vec<f64>,
    dictionary: Vec<Entry>,
    numbers: Numbers,
    texts: TextBuilder,
}

impl ColumnBuilder {
    /// One for a column that was `told` to be of this kind.
    pub(super) fn new(leaf: &Leaf, missing: &[String], told: Option<ColumnKind>) -> Result<Self, Problem> {
        let (physical, meaning) = (leaf.physical, Meaning::of(leaf)?);
        let is_text = matches!(meaning, Meaning::Text | Meaning::Uuid);
        let told_text =
            matches!(told, Some(ColumnKind::Category | ColumnKind::Text | ColumnKind::Identifier));
        // Not by way of a number in double precision, which may be that of several whole numbers.
        let number_as_text = told_text && meaning.is_exact_as_text(physical);
        let missing_numbers = missing.iter().filter(|_| meaning.is_number());
        Ok(Self {
            physical,
            meaning,
            as_texts: is_text || number_as_text,
            missing: match number_as_text {
                true => missing
                    .iter()
                    .map(|text| as_stored(text, physical))
                    .chain([NOT_A_NUMBER.into()])
                    .collect(),
                false => missing.to_vec(),
            },
            missing_numbers: missing_numbers.filter_map(|text| number_as_stored(text, physical)).collect(),
            dictionary: Vec::new(),
            numbers: Numbers::default(),
            texts: TextBuilder::default(),
        })
    }

    /// The text of a value.
    fn text(&self, value: Stored<'_>) -> Result<Box<str>, Problem> {
        let bytes = match (self.meaning, value) {
            (Meaning::Text | Meaning::Uuid, Stored::Bytes(bytes)) => bytes,
            (Meaning::Decimal(_), value) => return Ok(unscaled(value)?.to_string().into()),
            (Meaning::Unsigned, Stored::Integer(value)) => {
                return Ok(unsigned(self.physical, value).to_string().into());
            }
            (_, Stored::Integer(value)) => return Ok(value.to_string().into()),
            // That of -0 is 0.
            (_, Stored::Single(value)) => return Ok((value + 0.0).to_string().into()),
            _ => return Err(WIDTH.into()),
        };
        if let Meaning::Uuid = self.meaning {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
            let parts: Vec<&str> = parts.iter().filter_map(|&(start, end)| hex.get(start..end)).collect();
            return Ok(parts.join("-").into());
        }
        let text = std::str::from_utf8(bytes);
        text.map(Into::into).map_err(|_| Problem::Unsupported("it has bytes that are no text in UTF-8"))
    }

    fn push_number(&mut self, number: Number) -> Result<(), Problem> {
        self.numbers.try_reserve().ok_or(Problem::Memory)?;
        if self.missing_numbers.contains(&number.value) {
            self.numbers.push_exact(f64::NAN);
        } else {
            self.numbers.push_with_single(number.value, number.single);
        }
        Ok(())
    }

    /// The column with this name.
    pub(super) fn finish(self, name: &str) -> ReadColumn {
        let of_numbers = |numbers, kind| typed::of_numbers(name, numbers, kind);
        match self.meaning {
            _ if self.as_texts => typed::of_texts(self.texts.finish()),
            Meaning::Boolean => {
                let has = |wanted| self.numbers.values().contains(&wanted);
                let words = (has(0.0) && has(1.0)).then(|| ["false".to_owned(), "true".to_owned()]);
                ReadColumn { boolean_words: words, ..of_numbers(self.numbers, ColumnKind::Boolean) }
            }
            Meaning::Days | Meaning::Time(_) | Meaning::Timestamp(_) | Meaning::JulianDay => {
                ReadColumn { is_date: true, ..of_numbers(self.numbers, ColumnKind::Date) }
            }
            _ => of_numbers(self.numbers, ColumnKind::Number),
        }
    }
}

impl pages::Column for ColumnBuilder {
    fn entry(&mut self, value: Stored<'_>) -> Result<(), Problem> {
        let entry = if self.as_texts {
            Entry::Text(self.text(value)?, None)
        } else {
            Entry::Number(self.meaning.number(self.physical, value)?)
        };
        self.dictionary.try_reserve(1).map_err(|_| Problem::Memory)?;
        self.dictionary.push(entry);
        Ok(())
    }

    fn clear(&mut self) {
        self.dictionary.clear();
    }

    fn value(&mut self, value: Stored<'_>) -> Result<(), Problem> {
        if !self.as_texts {
            return self.push_number(self.meaning.number(self.physical, value)?);
        }
        let text = self.text(value)?;
        let is_missing = self.missing.iter().any(|missing| **missing == *text);
        self.texts.try_reserve().ok_or(Problem::Memory)?;
        self.texts.push_word(Some(&*text).filter(|_| !is_missing));
        Ok(())
    }

    fn indexed(&mut self, index: u32) -> Result<(), Problem> {
        let entry = usize::try_from(index).ok().and_then(|index| self.dictionary.get_mut(index));
        match entry.ok_or(super::Damage("an index of a dictionary"))? {
            &mut Entry::Number(number) => self.push_number(number),
            Entry::Text(text, code) => {
                self.texts.try_reserve().ok_or(Problem::Memory)?;
                if self.missing.iter().any(|missing| **missing == **text) {
                    self.texts.push_word(None);
                } else {
                    let code = *code.get_or_insert_with(|| self.texts.code(text));
                    self.texts.push_code(code);
                }
                Ok(())
            }
        }
    }

    fn missing(&mut self) -> Result<(), Problem> {
        if self.as_texts {
            self.texts.try_reserve().ok_or(Problem::Memory)?;
            self.texts.push_word(None);
            return Ok(());
        }
        self.numbers.try_reserve().ok_or(Problem::Memory)?;
        self.numbers.push_exact(f64::NAN);
        Ok(())
    }
}

/// The values of a column as texts, for one that is to be read as something else than it is.
pub(super) fn texts_of(column: &ReadColumn) -> crate::Texts {
    let numbers = match &column.data {
        ColumnData::Texts(texts) => return texts.clone(),
        ColumnData::Numbers(numbers) => numbers.values(),
    };
    let text = |value: f64| {
        if column.is_date {
            crate::date_text(value)
        } else if column.kind == ColumnKind::Boolean {
            (value == 1.0).to_string()
        } else {
            (value + 0.0).to_string()
        }
    };
    let words: Vec<Option<String>> =
        numbers.iter().map(|&value| (!value.is_nan()).then(|| text(value))).collect();
    crate::Texts::of(words.iter().map(Option::as_deref))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_bytes_and_no_more_than_are_read() {
        assert_eq!(unscaled(Stored::Bytes(&[0xFF, 0xFE])).unwrap(), -2);
        assert!(matches!(unscaled(Stored::Bytes(&[])), Err(Problem::Damage(_))));
        assert!(matches!(unscaled(Stored::Bytes(&[0; 17])), Err(Problem::Unsupported(_))));
    }
}
