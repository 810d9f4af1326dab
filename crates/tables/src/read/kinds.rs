//! What a column is, from its values.

use std::collections::HashSet;

use crate::column::{ColumnKind, Texts};
use crate::values::Numbers;

/// The fewest rows from which on numbers in a row are taken for those of the rows, whatever the column's name.
const NUMBERED_ROWS: usize = 10;

/// What a column of numbers is: constant, an identifier, or numbers.
pub(super) fn of_numbers(name: &str, numbers: &Numbers) -> ColumnKind {
    let values = numbers.values();
    let mut present = values.iter().copied().filter(|value| !value.is_nan());
    let Some(first) = present.next() else { return ColumnKind::Constant };
    if values.len() > 1 && values.iter().all(|&value| value == first) {
        return ColumnKind::Constant;
    }
    let numbered = matches!(first, 0.0 | 1.0) && values.windows(2).all(|pair| pair[1] == pair[0] + 1.0);
    let unnamed = matches!(name, "column 1" | "Unnamed: 0");
    if numbered && (values.len() >= NUMBERED_ROWS || unnamed || is_name_of_identifiers(name)) {
        return ColumnKind::Identifier;
    }
    let whole = |value: &f64| value.fract() == 0.0;
    if is_name_of_identifiers(name) && values.iter().all(whole) && values.len() > 1 {
        let mut seen = HashSet::with_capacity(values.len());
        if values.iter().all(|value| seen.insert(value.to_bits())) {
            return ColumnKind::Identifier;
        }
    }
    ColumnKind::Number
}

/// What a column of texts is: constant, categories, an identifier, or texts.
pub(super) fn of_texts(texts: &Texts) -> ColumnKind {
    let words = texts.words();
    let present = texts.codes().iter().filter(|&&code| code != Texts::MISSING).count();
    if words.is_empty() || (words.len() == 1 && present == texts.len() && present > 1) {
        return ColumnKind::Constant;
    }
    let blanks: usize = words.iter().map(|word| word.matches(' ').count()).sum();
    let letters: usize = words.iter().map(|word| word.len()).sum();
    let is_prose = blanks > 4 * words.len() || letters > 60 * words.len();
    match (is_prose, words.len()) {
        (true, distinct) if distinct > 2 && distinct * 2 > present => ColumnKind::Text,
        (_, distinct) if distinct == present && present >= NUMBERED_ROWS => ColumnKind::Identifier,
        (_, distinct) if distinct * 2 > present && distinct > 20 => ColumnKind::Text,
        _ => ColumnKind::Category,
    }
}

/// Whether a column of this name tells rows apart.
fn is_name_of_identifiers(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let word = name.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let whole = [
        "id", "index", "idx", "row", "no", "nr", "obs", "case", "key", "uid", "uuid", "guid", "rownum",
        "rownames",
    ];
    whole.contains(&word)
        || word.ends_with("_id")
        || word.ends_with(" id")
        || word.ends_with("-id")
        || word.ends_with("_no")
}
