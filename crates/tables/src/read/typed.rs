//! What the texts of a column are: booleans, numbers, dates or texts.

use super::kinds;
use super::textual::{FileStyle, number_words};
use crate::column::{ColumnData, ColumnKind, Texts};
use crate::values::missing::is_missing_number;
use crate::values::number::plain;
use crate::values::numbers::exact_single;
use crate::values::{DateOrder, NumberStyle, Numbers, boolean, date};

/// How a column of texts is to be read.
pub(super) struct Reading<'a> {
    pub(super) style: &'a FileStyle,
    pub(super) order: Option<DateOrder>,
    pub(super) name: &'a str,
    /// What it was said to be.
    pub(super) kind: Option<ColumnKind>,
}

/// A column that has been read.
pub(super) struct ReadColumn {
    pub(super) data: ColumnData,
    pub(super) kind: ColumnKind,
    pub(super) style: NumberStyle,
    pub(super) is_date: bool,
    pub(super) ambiguous_dates: bool,
    pub(super) boolean_words: Option<[String; 2]>,
}

impl ReadColumn {
    /// A column that nothing more is said of.
    pub(super) fn new(data: ColumnData, kind: ColumnKind) -> Self {
        Self {
            data,
            kind,
            style: NumberStyle::default(),
            is_date: false,
            ambiguous_dates: false,
            boolean_words: None,
        }
    }
}

/// A text that is not what its column was said to hold.
pub(super) struct WrongText {
    pub(super) row: Option<usize>,
    pub(super) text: String,
    pub(super) expected: &'static str,
}

/// The column with these texts.
pub(super) fn column(texts: Texts, reading: Reading<'_>) -> Result<ReadColumn, WrongText> {
    let with = ReadColumn::new;
    let wrong = |texts: &Texts, fits: &dyn Fn(&str) -> bool, expected| {
        let code = texts.words().iter().position(|word| !is_missing_number(word) && !fits(word)).unwrap_or(0);
        let row = texts.codes().iter().position(|&other| other as usize == code);
        let text = texts.words().get(code).map(|word| word.to_string()).unwrap_or_default();
        WrongText { row, text, expected }
    };
    match reading.kind {
        None | Some(ColumnKind::Constant) => Ok(infer(texts, &reading)),
        Some(kind @ (ColumnKind::Category | ColumnKind::Text | ColumnKind::Identifier)) => {
            Ok(with(ColumnData::Texts(texts), kind))
        }
        Some(ColumnKind::Number) => match numbers(&texts, reading.style) {
            Some((numbers, style)) => {
                Ok(ReadColumn { style, ..with(ColumnData::Numbers(numbers), ColumnKind::Number) })
            }
            None => {
                let fits = |word: &str| reading.style.numbers(std::iter::once(word)).is_some();
                Err(wrong(&texts, &fits, "a number as the others of its column are written"))
            }
        },
        Some(ColumnKind::Boolean) => {
            let values = |word: &str| boolean::value(word);
            let all =
                mapped(&texts, |word| if is_missing_number(word) { Some(f64::NAN) } else { values(word) });
            let boolean_words = boolean_words(&texts, |word| values(word));
            let column = all.map(|numbers| ReadColumn {
                boolean_words,
                ..with(ColumnData::Numbers(numbers), ColumnKind::Boolean)
            });
            column.ok_or_else(|| {
                wrong(&texts, &|word| values(word).is_some(), "true or false, yes or no, or 1 or 0")
            })
        }
        Some(ColumnKind::Date) => match dates(&texts, reading.order) {
            Some((numbers, ambiguous_dates)) => Ok(ReadColumn {
                is_date: true,
                ambiguous_dates,
                ..with(ColumnData::Numbers(numbers), ColumnKind::Date)
            }),
            None => {
                let fits = |word: &str| date::all(std::iter::once(word), reading.order).is_some();
                Err(wrong(
                    &texts,
                    &fits,
                    "a date in the order of the others of its column, such as 2020-12-31",
                ))
            }
        },
    }
}

/// The column that these texts are: booleans, numbers, dates, or texts.
fn infer(texts: Texts, reading: &Reading<'_>) -> ReadColumn {
    let as_numbers = |numbers: Numbers, kind| of_numbers(reading.name, numbers, kind);
    let words = texts.words().iter().map(|word| &**word);
    if let Some(values) = boolean::values(words) {
        let boolean_words = boolean_words(&texts, boolean::value);
        return ReadColumn {
            boolean_words,
            ..as_numbers(mapped_values(&texts, &values), ColumnKind::Boolean)
        };
    }
    if let Some((numbers, style)) = numbers(&texts, reading.style) {
        return ReadColumn { style, ..as_numbers(numbers, ColumnKind::Number) };
    }
    if let Some((numbers, ambiguous_dates)) = dates(&texts, reading.order) {
        return ReadColumn { is_date: true, ambiguous_dates, ..as_numbers(numbers, ColumnKind::Date) };
    }
    of_texts(texts)
}

/// A column of numbers, booleans or dates, unless it is constant or an identifier.
pub(super) fn of_numbers(name: &str, numbers: Numbers, kind: ColumnKind) -> ReadColumn {
    let kind = match kinds::of_numbers(name, &numbers) {
        ColumnKind::Constant => ColumnKind::Constant,
        ColumnKind::Identifier if kind == ColumnKind::Number => ColumnKind::Identifier,
        _ => kind,
    };
    ReadColumn::new(ColumnData::Numbers(numbers), kind)
}

/// A column of texts, whatever they say.
pub(super) fn of_texts(texts: Texts) -> ReadColumn {
    let kind = kinds::of_texts(&texts);
    ReadColumn::new(ColumnData::Texts(texts), kind)
}

/// The words for no and yes, if both occur.
fn boolean_words(texts: &Texts, value: impl Fn(&str) -> Option<f64>) -> Option<[String; 2]> {
    let word = |wanted: f64| texts.words().iter().find(|word| value(word) == Some(wanted));
    Some([word(0.0)?.to_string(), word(1.0)?.to_string()])
}

/// The numbers that these texts are, if they all are, and how they are written.
fn numbers(texts: &Texts, style: &FileStyle) -> Option<(Numbers, NumberStyle)> {
    let words = number_words(texts);
    if words.clone().next().is_none() {
        let all_missing = texts.words().is_empty().then(|| Numbers::new(vec![f64::NAN; texts.len()]));
        return all_missing.map(|numbers| (numbers, NumberStyle::default()));
    }
    let (written, style) = style.numbers(words)?;
    let mut written = written.iter();
    let values: Vec<(f64, Option<f32>)> = texts
        .words()
        .iter()
        .map(|word| {
            let number = if is_missing_number(word) { None } else { written.next() };
            let value = number.and_then(|number| plain(number).or_else(|| number.parse().ok()));
            let value = value.unwrap_or(f64::NAN);
            (value, number.and_then(|number| exact_single(number, value)))
        })
        .collect();
    let mut numbers = Numbers::default();
    for &code in texts.codes() {
        let (value, single) = values.get(code as usize).copied().unwrap_or((f64::NAN, None));
        numbers.push_with_single(value, single);
    }
    Some((numbers, style))
}

/// The dates that these texts are, if they all are.
fn dates(texts: &Texts, order: Option<DateOrder>) -> Option<(Numbers, bool)> {
    let (found, ambiguous) = date::all(number_words(texts), order)?;
    let mut found = found.into_iter();
    let values: Vec<f64> = texts
        .words()
        .iter()
        .map(|word| if is_missing_number(word) { f64::NAN } else { found.next().unwrap_or(f64::NAN) })
        .collect();
    Some((mapped_values(texts, &values), ambiguous))
}

fn mapped(texts: &Texts, value: impl Fn(&str) -> Option<f64>) -> Option<Numbers> {
    let values: Option<Vec<f64>> = texts.words().iter().map(|word| value(word)).collect();
    values.map(|values| mapped_values(texts, &values))
}

/// For each row the value of its word.
fn mapped_values(texts: &Texts, values: &[f64]) -> Numbers {
    let value = |&code: &u32| values.get(code as usize).copied().unwrap_or(f64::NAN);
    Numbers::new(texts.codes().iter().map(value).collect())
}
