//! The known name that a misspelt one is nearest to.

/// The name in `known` that is the fewest single-character edits away from `word`: the first of equals, and an
/// empty one if `known` is empty.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> &'a str {
    known.iter().min_by_key(|name| distance(word, name)).copied().unwrap_or_default()
}

/// The Levenshtein distance, d(i, j) = min(d(i-1, j) + 1, d(i, j-1) + 1, d(i-1, j-1) + [a_i != b_j]), a row
/// of the table at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_of_the_textbook() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }

    #[test]
    fn a_slip_finds_its_name() {
        assert_eq!(nearest("tets", &["setup", "test", "bench"]), "test");
        assert_eq!(nearest("trainmnist", &crate::COMMANDS), "train-mnist");
    }
}
