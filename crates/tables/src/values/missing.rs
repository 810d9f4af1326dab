//! Texts that stand for a missing value.

/// Those of pandas, and the empty text.
const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// Those that stand for one where the rest of the column is numbers or dates.
const MISSING_NUMBERS: [&str; 8] = ["?", ".", "..", "...", "-", "--", "*", "#"];

/// Whether a text stands for a missing value.
pub(crate) fn is_missing(text: &str) -> bool {
    match text.as_bytes() {
        [] => true,
        [b'#' | b'-' | b'1' | b'<' | b'N' | b'n', ..] if text.len() <= 9 => MISSING.contains(&text),
        _ => false,
    }
}

/// Whether a text stands for a missing value where the rest of the column is numbers or dates.
pub(crate) fn is_missing_number(text: &str) -> bool {
    is_missing(text) || MISSING_NUMBERS.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_found() {
        assert!(MISSING.iter().all(|text| is_missing(text)));
        for text in ["?", ".", "na", "x", "0", "-", "missing", "-1", "1"] {
            assert!(!is_missing(text), "{text}");
        }
        assert!(is_missing_number("?") && is_missing_number(".") && !is_missing_number("0"));
    }
}
