use std::sync::Arc;

use chainrule_core::{Described, Range, describe, described};
use chainrule_data::text::BytePairs;

use super::token_numbers::{each_of, padded, texts_of};
use super::{Features, Transform, TransformError};

const NAME: &str = "byte_pairs";

/// Texts as the numbers of byte pairs, for an embedding: frequent words are one number, rare ones a few, and none is unknown.
///
/// The numbers are those of [`BytePairs`]: 0 is padding after the end of a text, and a text has so many as there are `steps`, of which
/// those beyond are left out.
#[derive(Clone, Debug)]
pub struct BytePairNumbers {
    steps: usize,
    size: usize,
    pairs: Option<Vec<[u32; 2]>>,
}

describe! {
    /// Byte pairs: the numbers of the parts of a text that are often together, and 0 after its end, for an embedding.
    BytePairNumbers = "byte_pairs";
    aliases ["bpe", "byte_pair_encoding"];
    source "Gage 1994; Sennrich et al. 2016, \"Neural machine translation of rare words with subword units\"";
    settings {
        /// The number of parts that are looked at, from the first on.
        steps ("length"): required, Range::between(1.0, 65_536.0, "from 1 to 65536");
        /// The most numbers, of padding, the 256 bytes and pairs: the vocabulary of the embedding.
        size ("vocabulary"): 2000, Range::between(257.0, 1_000_000.0, "from 257 to 1 million");
        /// The pairs, learnt.
        pairs: none;
    }
}

impl BytePairNumbers {
    /// The first `steps` parts of each text, in at most `size` numbers.
    pub fn new(steps: usize, size: usize) -> Self {
        Self { steps, size, pairs: None }
    }
}

impl Transform for BytePairNumbers {
    described!();

    fn fit(&self, features: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        self.check_ranges()?;
        if self.pairs.is_some() {
            return Ok(Arc::new(self.clone()));
        }
        let texts = texts_of(features);
        let pairs = BytePairs::learn(each_of(&texts), self.size).pairs().to_vec();
        Ok(Arc::new(Self { pairs: Some(pairs), ..self.clone() }))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        self.check_ranges()?;
        let pairs = self.pairs.as_ref().ok_or(TransformError::NotFitted { transform: NAME })?;
        let pairs = BytePairs::of(pairs)
            .map_err(|error| TransformError::Damaged { transform: NAME, problem: error.to_string() })?;
        padded(NAME, features, self.steps, &|text| pairs.encode(text))
    }
}
