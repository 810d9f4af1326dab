use std::sync::Arc;

use chainrule_core::{Described, Range, describe, described};

use super::murmur::murmur3;
use super::{Feature, Features, Transform, TransformError, fitted};

const NAME: &str = "hashing";

/// The hash of the category says in which column it is 1 or -1, for categories that are too many or not known beforehand
/// (Weinberger et al. 2009).
///
/// ```text
/// h = MurmurHash3("column=category")        y_(|h| mod n) += sign(h)
/// ```
///
/// As scikit-learn's `FeatureHasher` of dictionaries: all columns share the `n` features, and missing values are in none.
#[derive(Clone, Copy, Debug)]
pub struct Hashing {
    features: usize,
    signed: bool,
}

describe! {
    /// Hashing: the hash of the category says which of a fixed number of features is 1 or -1.
    Hashing = "hashing";
    aliases ["feature_hasher", "hashing_trick"];
    formula "y_(|h| mod n) += sign(h), h = MurmurHash3(\"column=x\")";
    source "Weinberger et al. 2009; scikit-learn's FeatureHasher";
    settings {
        /// The number of features.
        features ("n_features"): required, Range::between(1.0, 65_536.0, "from 1 to 65536");
        /// Whether the sign of the hash is that of the feature, so that categories that share one cancel out in the mean.
        signed ("alternate_sign"): true;
    }
}

impl Hashing {
    /// To so many features.
    pub fn new(features: usize) -> Self {
        Self { features, signed: true }
    }

    /// Each category adds 1.
    #[must_use]
    pub fn unsigned(self) -> Self {
        Self { signed: false, ..self }
    }
}

impl Transform for Hashing {
    described!();

    fn fit(&self, _: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        self.check_ranges()?;
        Ok(Arc::new(*self))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        self.check_ranges()?;
        let Some(first) = features.columns().first() else { return Ok(Features::default()) };
        let remedy = "use fewer features";
        let mut sums =
            (0..self.features).map(|_| fitted::zeros(NAME, first, remedy)).collect::<Result<Vec<_>, _>>()?;
        for feature in features.columns() {
            let texts = feature.to_texts();
            let place = |word: &str| {
                let hash = murmur3(format!("{}={word}", feature.name()).as_bytes()).cast_signed();
                let index = hash.unsigned_abs() as usize % self.features;
                (index, if self.signed && hash < 0 { -1.0 } else { 1.0 })
            };
            let places: Vec<(usize, f64)> = texts.words().iter().map(|word| place(word)).collect();
            for (row, &code) in texts.codes().iter().enumerate() {
                if let Some(&(index, sign)) = places.get(code as usize) {
                    sums[index][row] += sign;
                }
            }
        }
        let name = |index: usize| format!("hash {index}");
        let columns =
            sums.into_iter().enumerate().map(|(index, values)| Feature::numbers(name(index), values));
        Ok(Features::new(columns.collect()))
    }
}
