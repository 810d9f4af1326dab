//! The columns of a table.

use std::fmt;

use crate::values::{NumberStyle, Numbers};

/// What a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ColumnKind {
    /// Numbers.
    Number,
    /// One of a few texts.
    Category,
    /// Yes or no, stored as 1 and 0.
    Boolean,
    /// Dates and times, stored as days since 1970-01-01, with the time as the fraction of a day.
    Date,
    /// Texts of any number of words.
    Text,
    /// What names a row and says nothing else: its number, or a text that no other row has.
    Identifier,
    /// One value, or none, in all rows.
    Constant,
}

impl ColumnKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Number,
        Self::Category,
        Self::Boolean,
        Self::Date,
        Self::Text,
        Self::Identifier,
        Self::Constant,
    ];

    /// Its name in small letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Category => "category",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Text => "text",
            Self::Identifier => "identifier",
            Self::Constant => "constant",
        }
    }
}

impl fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

chainrule_core::setting_words! { ColumnKind {
    Number = "number",
    Category = "category",
    Boolean = "boolean",
    Date = "date",
    Text = "text",
    Identifier = "identifier",
    Constant = "constant",
} }

/// A column of a [`Table`](crate::Table).
#[derive(Clone, Debug)]
pub struct TableColumn {
    pub(crate) name: String,
    pub(crate) kind: ColumnKind,
    pub(crate) data: ColumnData,
    pub(crate) style: NumberStyle,
    /// Whether its numbers are days since 1970-01-01.
    pub(crate) is_date: bool,
    /// Whether its dates could have day and month the other way round.
    pub(crate) ambiguous_dates: bool,
    /// The words for no and yes, if it has both.
    pub(crate) boolean_words: Option<[String; 2]>,
}

/// The values of a column.
#[derive(Clone, Debug)]
pub enum ColumnData {
    /// Numbers, dates and booleans.
    Numbers(Numbers),
    /// Texts.
    Texts(Texts),
}

impl TableColumn {
    /// The name in the header, or `column 3`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    pub fn kind(&self) -> ColumnKind {
        self.kind
    }

    /// Its values.
    pub fn data(&self) -> &ColumnData {
        &self.data
    }

    /// How its numbers were written.
    pub fn style(&self) -> NumberStyle {
        self.style
    }

    /// Its values, if they are stored as numbers.
    pub fn numbers(&self) -> Option<&Numbers> {
        match &self.data {
            ColumnData::Numbers(numbers) => Some(numbers),
            ColumnData::Texts(_) => None,
        }
    }

    /// Its values, if they are stored as texts.
    pub fn texts(&self) -> Option<&Texts> {
        match &self.data {
            ColumnData::Numbers(_) => None,
            ColumnData::Texts(texts) => Some(texts),
        }
    }

    /// For each row a number that equals that of another row where the values are equal: for splits by class and by group.
    pub fn labels(&self) -> Vec<u64> {
        (0..self.len()).map(|row| self.label(row)).collect()
    }

    /// The number of a row in [`labels`](Self::labels).
    pub(crate) fn label(&self, row: usize) -> u64 {
        match &self.data {
            // So that 0 and -0 are one value.
            ColumnData::Numbers(numbers) => (numbers.values()[row] + 0.0).to_bits(),
            ColumnData::Texts(texts) => u64::from(texts.codes()[row]),
        }
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        match &self.data {
            ColumnData::Numbers(numbers) => numbers.len(),
            ColumnData::Texts(texts) => texts.len(),
        }
    }

    /// In how many rows it has no value.
    pub fn missing(&self) -> usize {
        match &self.data {
            ColumnData::Numbers(numbers) => numbers.values().iter().filter(|value| value.is_nan()).count(),
            ColumnData::Texts(texts) => texts.codes().iter().filter(|&&code| code == Texts::MISSING).count(),
        }
    }
}

/// Texts, of which each distinct one is stored once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts {
    codes: Vec<u32>,
    words: Vec<Box<str>>,
}

impl Texts {
    /// The code of a missing value.
    pub const MISSING: u32 = u32::MAX;

    /// The texts of these codes, which are indices of `words` or [`MISSING`](Self::MISSING).
    pub(crate) fn new(codes: Vec<u32>, words: Vec<Box<str>>) -> Self {
        Self { codes, words }
    }

    /// These texts, in order.
    pub fn of<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut builder = crate::read::TextBuilder::default();
        for text in texts {
            builder.push_word(text);
        }
        builder.finish()
    }

    /// Those of these rows, in this order, with the words that occur in them.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        Self::of(rows.iter().map(|&row| self.get(row)))
    }

    /// For each row the index of its word, or [`MISSING`](Self::MISSING).
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The distinct texts, in the order in which they first occur.
    pub fn words(&self) -> &[Box<str>] {
        &self.words
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The text of a row below [`len`](Self::len), if it has one.
    pub fn get(&self, row: usize) -> Option<&str> {
        self.words.get(self.codes[row] as usize).map(|word| &**word)
    }
}
