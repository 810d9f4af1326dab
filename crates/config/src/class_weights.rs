//! The key `class_weights`: how much samples count.

use chainrule::core::nearest_name;
use chainrule::data::split::balanced_class_weights;
use chainrule::tensor::ClassTarget;

use crate::error::ConfigError;
use crate::load::SharedSamples;
use crate::location::{Located, Location};
use crate::node::{ConfigNode, ConfigValue};
use crate::section::as_number;

/// How much samples count in the loss of a training, by their class.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClassWeights {
    /// So that all classes count equally: a class of `n_c` of `n` samples has the weight `n / (classes n_c)`.
    Balanced,
    /// The weights of these classes; that of others is 1.
    Given(Vec<(Located<String>, f64)>),
}

impl ClassWeights {
    pub(crate) fn of_node(node: &ConfigNode) -> Result<Located<Self>, ConfigError> {
        let allowed =
            "\"balanced\", or a table with the weights of classes, such as { rare = 5, frequent = 0.5 }";
        let value = match &node.value {
            ConfigValue::Text(text) if text == "balanced" => Self::Balanced,
            ConfigValue::Table(entries) => {
                let mut weights = Vec::new();
                for entry in entries {
                    let weight = as_number(&entry.node).filter(|weight| *weight >= 0.0 && weight.is_finite());
                    let key = format!("class_weights.{}", entry.key);
                    let weight =
                        weight.ok_or_else(|| entry.node.wrong(&key, "a finite number of at least 0"))?;
                    weights.push((Located { value: entry.key.clone(), at: entry.at.clone() }, weight));
                }
                Self::Given(weights)
            }
            _ => return Err(node.wrong("class_weights", allowed)),
        };
        Ok(Located { value, at: node.at.clone() })
    }

    /// The weight of each of these classes.
    pub(crate) fn of(
        &self,
        classes: &[String],
        samples: &SharedSamples<ClassTarget<f32>>,
        at: &Location,
    ) -> Result<Vec<f32>, ConfigError> {
        let given = match self {
            Self::Balanced => {
                let mut row = vec![0.0; samples.shape().size()];
                let label =
                    |index| samples.read(index, &mut row).class().map_or(u32::MAX, |class| class as u32);
                let labels: Vec<u32> = (0..samples.len()).map(label).collect();
                let weights = balanced_class_weights(&labels, classes.len());
                let weights = weights.map_err(|source| ConfigError::Split { at: at.clone(), source })?;
                return Ok(weights.into_iter().map(|weight| weight as f32).collect());
            }
            Self::Given(given) => given,
        };
        let mut weights = vec![1.0; classes.len()];
        for (name, weight) in given {
            let class = classes.iter().position(|class| *class == name.value);
            let class = class.ok_or_else(|| {
                let nearest =
                    nearest_name(&name.value, classes.iter().map(String::as_str)).unwrap_or_default();
                let problem = format!("there is no class {:?}; the nearest is {nearest:?}", name.value);
                ConfigError::Contradiction { at: name.at.clone(), problem }
            })?;
            weights[class] = *weight as f32;
        }
        Ok(weights)
    }
}
