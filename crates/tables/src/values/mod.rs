//! From the text of a field to its value.

pub(crate) mod boolean;
pub(crate) mod date;
pub(crate) mod missing;
pub(crate) mod number;
pub(crate) mod numbers;

pub use date::{DateOrder, date_text};
pub use number::NumberStyle;
pub use numbers::Numbers;
