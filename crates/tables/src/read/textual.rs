//! The second walk: columns that are not plain numbers.

use std::collections::HashMap;
use std::path::Path;

use super::rows;
use crate::TableError;
use crate::column::Texts;
use crate::dialect::Dialect;
use crate::values::NumberStyle;
use crate::values::missing::{is_missing, is_missing_number};
use crate::values::number::{Decimal, all_styled};

/// The texts of a column, while they are read.
#[derive(Default)]
pub(crate) struct TextBuilder {
    codes: Vec<u32>,
    words: HashMap<Box<str>, u32>,
}

impl TextBuilder {
    /// Adds a field; `None` if there is no memory for it.
    fn push(&mut self, field: &str) -> Option<()> {
        self.try_reserve()?;
        self.push_word(Some(field).filter(|field| !is_missing(field)));
        Some(())
    }

    /// Adds a text, or a missing one.
    pub(crate) fn push_word(&mut self, word: Option<&str>) {
        let code = word.map_or(Texts::MISSING, |word| self.code(word));
        self.codes.push(code);
    }

    /// The code of a text, which has to be that of a row then.
    pub(super) fn code(&mut self, word: &str) -> u32 {
        if let Some(&code) = self.words.get(word) {
            return code;
        }
        // A file of so many words would be larger than the memory that their codes may have.
        let code = u32::try_from(self.words.len()).unwrap_or(Texts::MISSING - 1);
        self.words.insert(word.into(), code);
        code
    }

    /// Adds the text with this code.
    pub(super) fn push_code(&mut self, code: u32) {
        self.codes.push(code);
    }

    /// The memory for another text, if there is any.
    pub(super) fn try_reserve(&mut self) -> Option<()> {
        self.codes.try_reserve(1).ok()?;
        self.words.try_reserve(1).ok()
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

    /// These numbers as Rust writes them, and how they are written, if all of them are numbers.
    pub(super) fn numbers<'a>(
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
pub(super) fn number_words(texts: &Texts) -> impl Iterator<Item = &str> + Clone {
    texts.words().iter().map(|word| &**word).filter(|word| !is_missing_number(word))
}
