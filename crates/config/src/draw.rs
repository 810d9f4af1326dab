//! The key `draw`: which samples an epoch has.

use std::sync::Arc;

use chainrule::data::Drawn;
use chainrule::tensor::{Seed, TargetView};

use crate::configuration::Configuration;
use crate::error::ConfigError;
use crate::load::SharedSamples;
use crate::location::Located;
use crate::node::{ConfigNode, ConfigValue};
use crate::targets::{LearntTarget, PredictedTargets};

/// The seed of what is drawn among those of a training.
const DRAW: u64 = u64::from_be_bytes(*b"drawing!");

pub(crate) fn of_node(node: &ConfigNode) -> Result<Located<()>, ConfigError> {
    match &node.value {
        ConfigValue::Text(text) if text == "balanced" => Ok(Located { value: (), at: node.at.clone() }),
        _ => Err(node.wrong("draw", "\"balanced\"; leave it out to train on each sample once an epoch")),
    }
}

impl Configuration {
    /// The samples of an epoch: drawn so that each class has the same chance, if that is said.
    pub(crate) fn drawn<Y: LearntTarget>(
        &self,
        samples: SharedSamples<Y>,
        predicts: &PredictedTargets,
    ) -> Result<SharedSamples<Y>, ConfigError> {
        let Some(Located { at, .. }) = &self.draw_balanced else { return Ok(samples) };
        let contradiction = |problem| ConfigError::Contradiction { at: at.clone(), problem };
        if predicts.classes.is_none() {
            let problem = format!("the data have no classes, but {}: leave out `draw`", predicts.words());
            return Err(contradiction(problem));
        }
        let also = [
            (self.class_weights.is_some(), "class_weights"),
            (self.data.weights().is_some(), "data.weights"),
        ];
        if let Some((_, key)) = also.iter().find(|(is_given, _)| *is_given) {
            let problem = format!("samples that are drawn count all alike: leave out `draw`, or `{key}`");
            return Err(contradiction(problem));
        }
        let mut row = vec![0.0; samples.shape().size()];
        let mut label = |index| match samples.read(index, &mut row).view() {
            TargetView::Class(class) => Some(class),
            TargetView::Values(_) => None,
        };
        let labels: Vec<Option<usize>> = (0..samples.len()).map(&mut label).collect();
        let drawn = Drawn::balanced(samples, &labels, Seed(self.seed).child(DRAW));
        Ok(Arc::new(drawn.map_err(|error| contradiction(error.to_string()))?))
    }
}
