use std::sync::Arc;

use chainrule_core::{Described, Range, describe, described};
use chainrule_data::text::WordVocabulary;

use super::token_numbers::{each_of, padded, texts_of};
use super::{Features, Transform, TransformError};

const NAME: &str = "words";

/// Texts as the numbers of their words, for an embedding.
///
/// The words are those of [`WordVocabulary`]: 0 is padding after the end of a text, 1 a word that was not among the most frequent ones of
/// the training, and a text has so many numbers as there are `steps`, of which those beyond are left out. As Keras'
/// `TextVectorization`, but for the words that are equally frequent, which are in the order of the alphabet.
#[derive(Clone, Debug)]
pub struct Words {
    steps: usize,
    size: usize,
    words: Option<Vec<String>>,
}

describe! {
    /// Words: the numbers of the words of a text, 0 after its end and 1 for an unknown word, for an embedding.
    Words = "words";
    aliases ["text_vectorization"];
    source "Keras' TextVectorization";
    settings {
        /// The number of words that are looked at, from the first on.
        steps ("length", "output_sequence_length"): required, Range::between(1.0, 65_536.0, "from 1 to 65536");
        /// The most numbers, of padding, unknown words and the most frequent ones: the vocabulary of the embedding.
        size ("vocabulary", "max_tokens"): 10_000, Range::between(3.0, 10_000_000.0, "from 3 to 10 million");
        /// The words, from the most frequent on, learnt.
        words: none;
    }
}

impl Words {
    /// The first `steps` words of each text, in at most `size` numbers.
    pub fn new(steps: usize, size: usize) -> Self {
        Self { steps, size, words: None }
    }
}

impl Transform for Words {
    described!();

    fn fit(&self, features: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        self.check_ranges()?;
        if self.words.is_some() {
            return Ok(Arc::new(self.clone()));
        }
        let texts = texts_of(features);
        let words = WordVocabulary::learn(each_of(&texts), self.size).words().to_vec();
        if words.is_empty() {
            let column = features.columns().first().map_or(String::new(), |column| column.name().to_owned());
            return Err(TransformError::NoValues { transform: NAME, column });
        }
        Ok(Arc::new(Self { words: Some(words), ..self.clone() }))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        self.check_ranges()?;
        let words = self.words.as_ref().ok_or(TransformError::NotFitted { transform: NAME })?;
        let vocabulary = WordVocabulary::of(words.iter().cloned());
        padded(NAME, features, self.steps, &|text| vocabulary.encode(text))
    }
}
