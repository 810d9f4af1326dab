//! Tables: from a person's CSV or Parquet file to data for training.
//!
//! The decision here: **what a file is, it says itself.** [`Table::read`] finds out how it is written and what its columns are, and
//! shows what it found; [`TableReader`] can be told instead. What is learnt from a table to make matrices of it (means, categories,
//! the order of classes) is a [`Preparation`], a value with a text form, which is saved with the model and applied to the tables that
//! the model is to predict for.
//!
//! - [`Table`] has columns of numbers or texts, each of a [`ColumnKind`]; [`Table::summary`] and [`Table::warnings`] say what is in it.
//! - [`ColumnRoles`] says which columns are targets and which transforms the others have, and is fitted to a table.
//! - [`transform`] has the transforms, and the trait for your own.
//!
//! Numbers are parsed once. A date is a number of days since 1970-01-01, in UTC where the file names a zone, with the time of the day
//! as its fraction, a month or a quarter its first day, a time alone a fraction of a day; a boolean is 1 or 0. A missing value is NaN in
//! [`Numbers`] and [`Texts::MISSING`] in [`Texts`].
//!
//! ```
//! use chainrule_data::split;
//! use chainrule_tables::{ColumnRoles, Preparation, Table};
//! use chainrule_tensor::Seed;
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("plants.csv");
//! # let rows: String = (0..40).map(|row| format!("{};{};{}\n", row % 7, ["clay", "sand"][row % 2], ["oak", "elm"][row / 20])).collect();
//! # std::fs::write(&path, format!("height;soil;species\n{rows}"))?;
//! let table = Table::read(&path)?;
//! let parts = split::stratified(&table.column("species")?.labels(), 0.2, Seed(1))?;
//! let (train, test) = (table.select(&parts.train), table.select(&parts.test));
//!
//! let preparation = ColumnRoles::new().target("species").fit(&train)?;
//! let train = preparation.classification::<f32>(&train)?; // a Dataset
//! let test = preparation.classification::<f32>(&test)?;
//!
//! let text = preparation.to_string(); // saved with the model, and another day:
//! let preparation = Preparation::from_text(&text)?;
//! # std::fs::write(&path, "soil,height\nsand,3\n")?;
//! let new = preparation.reader(&path).read()?;
//! let features = preparation.features::<f32>(&new)?; // for the model to predict from
//! # assert_eq!((train.samples().nrows(), test.samples().nrows(), features.dim()), (32, 8, (1, 3)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is read
//!
//! | | without being told | [`TableReader`] |
//! |---|---|---|
//! | encoding | UTF-8, UTF-16, else Latin-1 (Windows-1252); gzip | [`encoding`](TableReader::encoding) |
//! | delimiter | `,` `;` tab `\|` or any number of blanks: the one that makes the most regular rows of the most values | [`delimiter`](TableReader::delimiter) |
//! | quotes | `"`, or `'` if the first line begins with it; doubled within, or after a backslash | [`without_quotes`](TableReader::without_quotes) |
//! | lines before the table | titles, comments (`#`, `%`), counts and class names as in scikit-learn's files, counts of rows and columns as in GeoDa's, the declarations of ARFF files, which name the columns | [`skip_lines`](TableReader::skip_lines), [`comment`](TableReader::comment) |
//! | header | a line that has words where the others have values | [`header`](TableReader::header), [`header_line`](TableReader::header_line) |
//! | names of rows | a header one field shorter than the rows, as R writes it: [`Table::row_names`] | |
//! | missing | empty, `NA`, `NaN`, `null` and the others of pandas; `?`, `.`, `-` and `*` among numbers | [`missing`](TableReader::missing) |
//! | numbers | `1e3`, `1,234.5`, `1.234,5`, `1 234`, `12%` (0.12), `$12` | [`decimal_comma`](TableReader::decimal_comma) |
//! | dates | `2020-12-31`, with `T12:30:00Z` and the like; `31.12.2020`, `12/31/20`, `Dec 31 2020`, `31-Dec-20`, `2020Q4`, `2020-12` | [`date_order`](TableReader::date_order) |
//! | booleans | true and false, yes and no, T and F, Y and N, on and off | |
//! | kinds | by the values, and for identifiers by the name | [`kind`](TableReader::kind) |
//!
//! Rows that are too short are filled with missing values, and counted; a row that is too long is an error.
//!
//! Of a Parquet file, which is known by its first four bytes, all of that is in the file. Numbers are those of the file, decimals are rounded
//! once, dates and times are days as above (a clock's time is a fraction of a day), a missing value is missing and an empty text is a text.
//! [`kind`](TableReader::kind) and [`missing`](TableReader::missing) have the same meaning as for a text; the others have none. A column
//! within a group is named `group.column`; one with a list in each row is an error, as is what is compressed with Brotli, LZ4 or LZO.
//! A file may hold 250 values for each of its bytes.
#![doc(html_root_url = "https://docs.rs/chainrule-tables/latest")]

mod column;
mod dialect;
mod error;
mod preparation;
mod read;
mod select;
mod source;
mod summary;
mod table;
pub mod transform;
mod values;

pub use column::{ColumnData, ColumnKind, TableColumn, Texts};
pub use dialect::Delimiter;
pub use error::TableError;
pub use preparation::{ColumnGroup, ColumnRoles, Preparation, PreparationError, TargetColumn};
pub use read::TableReader;
pub use source::Encoding;
pub use summary::{ColumnSummary, TableWarning};
pub use table::{Table, TableFormat, TableSource};
pub use values::{DateOrder, NumberStyle, Numbers, date_text};

// The program of the README is tested as documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
