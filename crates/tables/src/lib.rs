//! Tables: from a person's CSV file to data for training.
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
pub use table::{Table, TableSource};
pub use values::{DateOrder, NumberStyle, Numbers, date_text};
