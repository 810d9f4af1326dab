//! Texts by words.

use std::collections::HashMap;

use chainrule_tensor::{Real, SparseMatrix};

use super::PADDING;

/// The number of a word that is not in the vocabulary.
const UNKNOWN: u32 = 1;

/// The first number of a word.
const FIRST: u32 = 2;

/// The words of some texts, numbered from the most frequent on.
///
/// A word is a run of letters, digits and apostrophes, in lower case; what is between words is left out. The number 0 is left for
/// padding, and 1 is a word that is not in the vocabulary, so that the words begin with 2.
///
/// ```
/// use chainrule_data::text::WordVocabulary;
/// let vocabulary = WordVocabulary::learn(["The cat.", "the dog, the bird"], 4);
/// assert_eq!(vocabulary.words(), ["the", "bird"]); // of equally frequent ones those first in the alphabet
/// assert_eq!(vocabulary.encode("The cat's bird!"), [2, 1, 3]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordVocabulary {
    words: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl WordVocabulary {
    /// The most frequent words of these texts, so many that there are at most `size` numbers, those of padding and of unknown words
    /// included.
    pub fn learn<S: AsRef<str>>(texts: impl IntoIterator<Item = S>, size: usize) -> Self {
        let mut counts: HashMap<String, u64> = HashMap::new();
        for text in texts {
            for_each_word(text.as_ref(), |word| *counts.entry(word).or_default() += 1);
        }
        let mut counts: Vec<(String, u64)> = counts.into_iter().collect();
        counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts.truncate(size.saturating_sub(FIRST as usize));
        Self::of(counts.into_iter().map(|(word, _)| word))
    }

    /// These words, in this order.
    pub fn of<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        let words: Vec<String> = words.into_iter().map(Into::into).collect();
        let numbers = words.iter().cloned().zip(FIRST..).collect();
        Self { words, numbers }
    }

    /// The words; the number of each is its index and 2.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The number of numbers that there may be, those of padding and of unknown words included.
    pub fn size(&self) -> usize {
        self.words.len() + FIRST as usize
    }

    /// The numbers of the words of a text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut numbers = Vec::new();
        for_each_word(text, |word| numbers.push(self.numbers.get(&word).copied().unwrap_or(UNKNOWN)));
        numbers
    }

    /// How often each number occurs in each text, `[texts, size]`: bags of words, for a network that begins with a dense layer (see
    /// [`SparseRows`](crate::SparseRows)).
    ///
    /// ```
    /// use chainrule_data::text::WordVocabulary;
    /// let vocabulary = WordVocabulary::of(["cat", "dog"]);
    /// let bags = vocabulary.bags::<f32, _>(["Cat and cat", ""]);
    /// assert_eq!(bags.to_dense(), ndarray::array![[0.0, 1.0, 2.0, 0.0], [0.0; 4]]);
    /// ```
    pub fn bags<T: Real, S: AsRef<str>>(&self, texts: impl IntoIterator<Item = S>) -> SparseMatrix<T> {
        let mut bags = SparseMatrix::new(self.size());
        let (mut columns, mut counts) = (Vec::new(), Vec::new());
        for text in texts {
            let mut numbers = self.encode(text.as_ref());
            numbers.sort_unstable();
            columns.clear();
            counts.clear();
            for same in numbers.chunk_by(|a, b| a == b) {
                columns.push(same[0]);
                counts.push(T::of(same.len() as f64));
            }
            bags.push(&columns, &counts).expect("numbers below the size, sorted, each once");
        }
        bags
    }

    /// The words of these numbers, without padding; `?` for one that is none.
    pub fn decode(&self, numbers: &[u32]) -> String {
        let word = |&number: &u32| {
            let index = number.checked_sub(FIRST).map(|index| index as usize);
            index.and_then(|index| self.words.get(index)).map_or("?", String::as_str)
        };
        let words: Vec<&str> = numbers.iter().filter(|&&number| number != PADDING).map(word).collect();
        words.join(" ")
    }
}

/// Calls `each` with each word of a text.
fn for_each_word(text: &str, mut each: impl FnMut(String)) {
    let is_part = |c: char| c.is_alphanumeric() || c == '\'' || c == '\u{2019}';
    for word in text.split(|c| !is_part(c)) {
        let word = word.trim_matches(['\'', '\u{2019}']);
        if !word.is_empty() {
            each(word.to_lowercase());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_text() {
        let vocabulary = WordVocabulary::learn(["It's 'late', ÄRGER: 3.5 — 東京!", "it's ärger"], 100);
        assert_eq!(vocabulary.words(), ["it's", "ärger", "3", "5", "late", "東京"]);
        assert_eq!(vocabulary.encode("Ärger?! IT'S 5... new"), [3, 2, 5, 1]);
        assert_eq!(vocabulary.decode(&[3, 0, 1, 900, u32::MAX]), "ärger ? ? ?");
        assert_eq!((vocabulary.size(), vocabulary.encode("  ...'' ")), (8, vec![]));
        assert_eq!(WordVocabulary::learn([""; 0], 0).size(), 2);
        assert_eq!(WordVocabulary::learn(["b a c"], 4).words(), ["a", "b"]);
    }
}
