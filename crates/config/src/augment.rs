//! The key `augment`: random changes of the samples that are trained on.

use std::sync::Arc;

use chainrule::core::Registry;
use chainrule::data::augment::{AnyAugmentation, Augmented};
use chainrule::tensor::Seed;

use crate::build::build;
use crate::configuration::Configuration;
use crate::error::ConfigError;
use crate::load::{DataParts, SharedSamples};
use crate::location::Located;
use crate::row_weighted::CountingSamples;
use crate::targets::{LearntTarget, PredictedTargets};

/// The seed of the augmentation among those of a training.
const AUGMENT: u64 = u64::from_be_bytes(*b"augment!");

impl Configuration {
    /// The samples of the training as they are trained on: drawn and changed at random, mixed, with weights, and with targets in deviations from their
    /// means.
    pub(crate) fn for_training<Y: LearntTarget>(
        &self,
        registry: &Registry,
        DataParts { train, weights, .. }: &DataParts<Y>,
        predicts: &PredictedTargets,
    ) -> Result<SharedSamples<Y>, ConfigError> {
        let seed = Seed(self.seed).child(AUGMENT);
        let (mut pictures, mut mixings) = (Vec::new(), Vec::new());
        for (index, described) in self.augment.iter().enumerate() {
            let at = described.at.clone();
            match build::<AnyAugmentation>("augment", described, registry)? {
                AnyAugmentation::Picture(augmentation) => pictures.push(Located { value: augmentation, at }),
                AnyAugmentation::Mixing(mixing) => {
                    mixings.push((Located { value: mixing, at }, seed.child(1 + index as u64)));
                }
            }
        }
        let mut samples = self.drawn(Arc::clone(train), predicts)?;
        if let Some(first) = pictures.first() {
            let failed = |at: &crate::Location| {
                let at = at.clone();
                move |error: chainrule::data::augment::AugmentError| ConfigError::Contradiction {
                    at,
                    problem: error.to_string(),
                }
            };
            let mut augmented = Augmented::new(samples, seed.child(0)).map_err(failed(&first.at))?;
            for Located { value, at } in pictures {
                augmented = augmented.with(value).map_err(failed(&at))?;
            }
            samples = Arc::new(augmented);
        }
        let samples = Y::scaled(Y::mixed(samples, self, mixings, predicts)?, &predicts.scales);
        Ok(match weights {
            Some(weights) => Arc::new(CountingSamples { samples, weights: Arc::clone(weights) }),
            None => samples,
        })
    }

    /// Whether samples are mixed.
    pub(crate) fn mixes(&self, registry: &Registry) -> bool {
        let is_mixing = |described: &Located<_>| {
            matches!(build::<AnyAugmentation>("augment", described, registry), Ok(AnyAugmentation::Mixing(_)))
        };
        self.augment.iter().any(is_mixing)
    }
}
