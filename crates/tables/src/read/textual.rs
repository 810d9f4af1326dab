//! The second walk: columns that are not plain numbers.

use std::collections::HashMap;
use std::path::Path;

use super::{kinds, rows};
use crate::TableError;
use crate::column::{ColumnData, ColumnKind, Texts};
use crate::dialect::Dialect;
use crate::values::missing::{is_missing, is_missing_number};
use crate::values::number::{Decimal, all_styled, plain};
use crate::values::numbers::exact_single;
use crate::values::{DateOrder, NumberStyle, Numbers, boolean, date};

/// The texts of a column, while they are read.
#[derive(Default)]
pub(crate) struct TextBuilder {
    codes: Vec<u32>,
    words: HashMap<Box<str>, u32>,
}

impl TextBuilder {
    /// Adds a field; `None` if there is no memory for it.
    fn push(&mut self, field: &str) -> Option<()> {
        self.codes.try_reserve(1).ok()?;
        self.words.try_reserve(1).ok()?;
        self.push_word(Some(field).filter(|field| !is_missing(field)));
        Some(())
    }

    /// Adds a text, or a missing one.
    pub(crate) fn push_word(&mut self, word: Option<&str>) {
        let code = match word {
            None => Texts::MISSING,
            Some(word) => match self.words.get(word) {
                Some(&code) => code,
                None => {
                    // A file of so many words would be larger than the memory that their codes may have.
                    let code = u32::try_from(self.words.len()).unwrap_or(Texts::MISSING - 1);
                    self.words.insert(word.into(), code);
                    code
                }
            },
        };
        self.codes.push(code);
    }

    pub(crate) fn finish(self) -> Texts {
        let mut words: Vec<(u32, Box<str>)> =
            self.words.into_iter().map(|(word, code)| (code, word)).collect();
        words.sort_unstable_by_key(|(code, _)| *code);
        Texts::new(self.codes, words.into_iter().map(|(_, word)| word).collect())
    }
}

/// The texts of the columns that are wanted.
pub(super) struct Collected {
    pub(super) columns: Vec<Option<Texts>>,
    pub(super) row_names: Option<Texts>,
}

/// Collects the texts of the wanted columns, and of the rows' names.
pub(super) fn collect(
    text: &str,
    dialect: &Dialect,
    wanted: &[bool],
    path: &Path,
) -> Result<Collected, TableError> {
    let has_names = dialect.start.row_names;
    let nothing = || Collected { columns: wanted.iter().map(|_| None).collect(), row_names: None };
    if !has_names && !wanted.contains(&true) {
        return Ok(nothing());
    }
    let mut builders: Vec<Option<TextBuilder>> =
        wanted.iter().map(|wanted| wanted.then(TextBuilder::default)).collect();
    let mut names = TextBuilder::default();
    rows::walk(text, dialect, path, |record, fields| {
        let memory = || TableError::Memory { path: path.to_owned() };
        if has_names {
            names.push(record.fields[0]).ok_or_else(memory)?;
        }
        for (column, builder) in builders.iter_mut().enumerate() {
            let Some(builder) = builder else { continue };
            builder.push(fields.get(column).copied().unwrap_or_default()).ok_or_else(memory)?;
        }
        Ok(())
    })?;
    let columns = builders.into_iter().map(|builder| builder.map(TextBuilder::finish)).collect();
    Ok(Collected { columns, row_names: has_names.then(|| names.finish()) })
}

/// Which sign separates the decimals in a file.
pub(super) struct FileStyle {
    /// The one that is tried first.
    decimals: [Decimal; 2],
    /// How many of them may be tried.
    tried: usize,
    /// Whether a column has decimal commas and can have nothing else.
    pub(super) comma_is_certain: bool,
}

impl FileStyle {
    /// From the columns that are not plain numbers: a column that can only be read in one way decides.
    pub(super) fn find<'a>(
        columns: impl Iterator<Item = &'a Texts>,
        given: Option<Decimal>,
        semicolons: bool,
        point_seen: impl Fn() -> bool,
    ) -> Self {
        if let Some(decimal) = given {
            return Self { decimals: [decimal; 2], tried: 1, comma_is_certain: decimal == Decimal::Comma };
        }
        let (mut only_comma, mut only_point, mut both) = (0, 0, 0);
        for texts in columns {
            let words = || number_words(texts);
            let comma = all_styled(words(), Decimal::Comma)
                .is_some_and(|(_, style)| style.decimal_comma || style.thousands);
            let point = all_styled(words(), Decimal::Point).is_some();
            match (comma, point) {
                (true, false) => only_comma += 1,
                (false, true) => only_point += 1,
                (true, true) => both += 1,
                (false, false) => {}
            }
        }
        let comma_is_certain = only_comma > 0 && only_point == 0;
        let comma_first = comma_is_certain || (both > 0 && semicolons && only_point == 0 && !point_seen());
        let decimals = [Decimal::Point, Decimal::Comma];
        let decimals = if comma_first { [decimals[1], decimals[0]] } else { decimals };
        Self { decimals, tried: 2, comma_is_certain }
    }

    fn numbers<'a>(
        &self,
        words: impl Iterator<Item = &'a str> + Clone,
    ) -> Option<(Vec<String>, NumberStyle)> {
        self.decimals[..self.tried].iter().find_map(|&decimal| all_styled(words.clone(), decimal))
    }
}

/// Whether these plain numbers have points, all of which could separate thousands.
pub(super) fn has_grouping_points(texts: &Texts) -> bool {
    let words = number_words(texts);
    all_styled(words, Decimal::Comma).is_some_and(|(_, style)| style.thousands)
}

/// The words of a column without those that are missing where the others are numbers.
fn number_words(texts: &Texts) -> impl Iterator<Item = &str> + Clone {
    texts.words().iter().map(|word| &**word).filter(|word| !is_missing_number(word))
}

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
}

/// A text that is not what its column was said to hold.
pub(super) struct WrongText {
    pub(super) row: Option<usize>,
    pub(super) text: String,
    pub(super) expected: &'static str,
}

/// The column with these texts.
pub(super) fn column(texts: Texts, reading: Reading<'_>) -> Result<ReadColumn, WrongText> {
    let with = |data, kind| ReadColumn {
        data,
        kind,
        style: NumberStyle::default(),
        is_date: false,
        ambiguous_dates: false,
    };
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
            let column = all.map(|numbers| with(ColumnData::Numbers(numbers), ColumnKind::Boolean));
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
    let as_numbers = |numbers: Numbers, kind| {
        let kind = match kinds::of_numbers(reading.name, &numbers) {
            ColumnKind::Constant => ColumnKind::Constant,
            ColumnKind::Identifier if kind == ColumnKind::Number => ColumnKind::Identifier,
            _ => kind,
        };
        let data = ColumnData::Numbers(numbers);
        ReadColumn { data, kind, style: NumberStyle::default(), is_date: false, ambiguous_dates: false }
    };
    let words = texts.words().iter().map(|word| &**word);
    if let Some(values) = boolean::values(words) {
        return as_numbers(mapped_values(&texts, &values), ColumnKind::Boolean);
    }
    if let Some((numbers, style)) = numbers(&texts, reading.style) {
        return ReadColumn { style, ..as_numbers(numbers, ColumnKind::Number) };
    }
    if let Some((numbers, ambiguous_dates)) = dates(&texts, reading.order) {
        return ReadColumn { is_date: true, ambiguous_dates, ..as_numbers(numbers, ColumnKind::Date) };
    }
    let kind = kinds::of_texts(&texts);
    let style = NumberStyle::default();
    ReadColumn { data: ColumnData::Texts(texts), kind, style, is_date: false, ambiguous_dates: false }
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
