//! Figures in documents, written there by the run that measured them.

use std::fs;
use std::path::Path;

use chainrule::data::output;

/// Replaces the text of a document between the lines `<!-- marker -->` and `<!-- end of marker -->`.
pub(crate) fn fill(document: &Path, marker: &str, text: &str) -> Result<(), String> {
    let at = document.display();
    let old = fs::read_to_string(document).map_err(|error| format!("cannot read {at}: {error}"))?;
    let new = filled(&old, marker, text)
        .ok_or_else(|| format!("{at} has no lines `<!-- {marker} -->` and `<!-- end of {marker} -->`"))?;
    output::write(document, |file| file.write_all(new.as_bytes()))
        .map_err(|error| format!("cannot write {at}: {error}"))
}

fn filled(old: &str, marker: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {marker} -->\n"), format!("<!-- end of {marker} -->"));
    let (before, rest) = old.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_between_the_markers_is_replaced() {
        let old = "a\n<!-- bench -->\nold\n<!-- end of bench -->\nb\n";
        let new = filled(old, "bench", "| new |\n").unwrap();
        assert_eq!(new, "a\n<!-- bench -->\n\n| new |\n\n<!-- end of bench -->\nb\n");
        assert_eq!(filled(&new, "bench", "| new |"), Some(new.clone()), "a second time changes nothing");
        assert_eq!(filled(old, "growth", "x"), None);
    }
}
