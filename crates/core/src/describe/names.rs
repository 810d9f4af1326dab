//! Names, as users type them.

/// The letters and digits of a name that count.
fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase)
}

/// Whether these are one name, without regard to case, `_`, `-` and spaces.
pub fn same_name(a: &str, b: &str) -> bool {
    letters(a).eq(letters(b))
}

/// The name that is the most similar to this one: which it takes the fewest insertions, deletions and replacements of letters to
/// get to (Levenshtein 1966); the first of several. `None` if there are no names.
pub fn nearest_name<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = letters(name).take(64).collect();
    known.into_iter().min_by_key(|known| edits(&name, known))
}

fn edits(name: &[char], known: &str) -> usize {
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (index, letter) in letters(known).enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, &other) in name.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[name.len()]
}

/// The name of a kind with its article: `an optimizer`.
pub(crate) fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        assert!(same_name("CrossEntropy", "cross_entropy") && same_name("AdamW", "adam-w"));
        assert!(!same_name("adam", "adamw"));
        let known = ["sgd", "adam", "adamw", "rms_prop"];
        for (typed, nearest) in
            [("adma", "adam"), ("AdanW", "adamw"), ("rmspop", "rms_prop"), ("", "sgd"), ("momentum", "adam")]
        {
            assert_eq!(nearest_name(typed, known), Some(nearest), "{typed}");
        }
        assert_eq!(nearest_name("adam", []), None);
    }
}
