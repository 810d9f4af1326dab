//! Words for yes and no.

/// The pairs of words, no before yes, in small letters.
const PAIRS: [[&str; 2]; 5] = [["false", "true"], ["no", "yes"], ["f", "t"], ["n", "y"], ["off", "on"]];

/// The value of each of these words, 0 or 1, if they are all of one pair.
///
/// Of `false` and `true` one is enough; of the other pairs both are needed, since `N` or `F` alone may be anything.
pub(crate) fn values<'a>(words: impl Iterator<Item = &'a str> + Clone) -> Option<Vec<f64>> {
    PAIRS.iter().find_map(|pair| {
        let index = |word: &str| pair.iter().position(|known| known.eq_ignore_ascii_case(word));
        let values: Option<Vec<f64>> =
            words.clone().map(|word| index(word).map(|index| index as f64)).collect();
        values.filter(|values| {
            !values.is_empty() && (pair[0] == "false" || values.contains(&0.0) && values.contains(&1.0))
        })
    })
}

/// The value of a word of any pair, or of 0 and 1.
pub(crate) fn value(word: &str) -> Option<f64> {
    let pairs = PAIRS.iter().chain([&["0", "1"]]);
    pairs
        .flat_map(|pair| pair.iter().zip([0.0, 1.0]))
        .find_map(|(known, value)| known.eq_ignore_ascii_case(word).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_and_what_is_none() {
        let of = |words: &[&str]| values(words.iter().copied());
        assert_eq!(of(&["TRUE", "False"]), Some(vec![1.0, 0.0]));
        assert_eq!(of(&["true"]), Some(vec![1.0]));
        assert_eq!(of(&["Yes", "No"]), Some(vec![1.0, 0.0]));
        assert_eq!(of(&["T", "F"]), Some(vec![1.0, 0.0]));
        for none in [&["F", "M"][..], &["F"], &["yes", "true"], &[], &["y", "n", "?"]] {
            assert_eq!(of(none), None, "{none:?}");
        }
        assert_eq!((value("ON"), value("0"), value("2")), (Some(1.0), Some(0.0), None));
    }
}
