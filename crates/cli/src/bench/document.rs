//! Figures in documents, put there by the run that measured them.

use std::fs;
use std::path::Path;

/// Replaces what a document has between the lines `<!-- mark -->` and `<!-- end of mark -->`.
pub(crate) fn fill(document: &Path, mark: &str, text: &str) -> Result<(), String> {
    let at = document.display();
    let old = fs::read_to_string(document).map_err(|error| format!("cannot read {at}: {error}"))?;
    let new = filled(&old, mark, text)
        .ok_or_else(|| format!("{at} has no lines `<!-- {mark} -->` and `<!-- end of {mark} -->`"))?;
    fs::write(document, new).map_err(|error| format!("cannot write {at}: {error}"))
}

fn filled(old: &str, mark: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- end of {mark} -->"));
    let (before, rest) = old.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let old = "a\n<!-- bench -->\nold\n<!-- end of bench -->\nb\n";
        let new = filled(old, "bench", "| new |\n").unwrap();
        assert_eq!(new, "a\n<!-- bench -->\n\n| new |\n\n<!-- end of bench -->\nb\n");
        assert_eq!(filled(&new, "bench", "| new |"), Some(new.clone()), "again it changes nothing");
        assert_eq!(filled(old, "growth", "x"), None);
    }
}
