//! From a model of scaled targets to one of targets as they are in the data.

use chainrule::core::{Description, Registry, Value};
use chainrule::tensor::Seed;
use chainrule::train::Model;

use crate::configuration::Configuration;
use crate::error::ConfigError;
use crate::several_outputs;
use crate::targets::PredictedTargets;

/// The same model followed by `y = mean + deviation z` for each target, as a dense layer that is not trained: so whoever uses the
/// model, in whatever form it is exported, gets numbers in the units of the data.
pub(crate) fn in_units(
    configuration: &Configuration,
    registry: &Registry,
    model: Model<f32>,
    predicts: &PredictedTargets,
) -> Result<Model<f32>, ConfigError> {
    if predicts.scales.is_empty() {
        return Ok(model);
    }
    let scales = if predicts.outputs.is_empty() {
        predicts.scales.clone()
    } else {
        several_outputs::scales_of_columns(configuration, registry, model.input(), predicts)?
    };
    let dense = Description::new("dense").with("units", scales.len());
    let frozen = Description::new("frozen").with("layer", Value::from(dense));
    let layers = configuration.sequential(registry, Some(frozen))?;
    let failed = |source| ConfigError::Model {
        at: configuration.layers[0].at.clone(),
        input: model.input().to_string(),
        source: Box::new(source),
    };
    let mut whole = Model::new(model.input(), layers, Seed(0)).map_err(failed)?;
    let entries = whole.plan().entries().to_vec();
    let (own, added) = entries.split_at(model.plan().entries().len());
    let parameters = whole.parameters_mut();
    for entry in own {
        if let Some(values) = model.parameter(&entry.name) {
            parameters[entry.range.clone()].copy_from_slice(values);
        }
    }
    for entry in added {
        let count = scales.len();
        for (index, value) in parameters[entry.range.clone()].iter_mut().enumerate() {
            // The bias has a value for each target, the weight a row and a column for each.
            *value = match entry.shape.len() {
                1 => scales[index][0] as f32,
                _ if index / count == index % count => scales[index / count][1] as f32,
                _ => 0.0,
            };
        }
    }
    Ok(model.notes().iter().fold(whole, |whole, (name, text)| whole.note(name, text)))
}
