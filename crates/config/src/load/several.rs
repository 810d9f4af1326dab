//! Tables with several outputs.

use std::sync::Arc;

use chainrule::data::Rows;
use chainrule::tables::{ColumnKind, Preparation, Table};

use super::SharedSamples;
use super::table::{column, numbers_of};
use crate::configuration::Configuration;
use crate::error::ConfigError;
use crate::targets::PredictedOutput;

/// Of each output, whether it is a class.
pub(super) fn are_classes(table: &Table, configuration: &Configuration) -> Result<Vec<bool>, ConfigError> {
    let mut are_classes = Vec::new();
    for output in &configuration.outputs {
        let column = column(table, &output.name)?;
        let is_text = column.texts().is_some();
        if is_text && output.classes == Some(false) {
            let name = &output.name.value;
            let problem = format!("{name:?} is a {}, not a number: leave out `target_kind`", column.kind());
            return Err(ConfigError::Contradiction { at: output.name.at.clone(), problem });
        }
        are_classes.push(output.classes.unwrap_or(is_text || column.kind() == ColumnKind::Boolean));
    }
    Ok(are_classes)
}

/// What each output predicts.
pub(super) fn predicted(preparation: &Preparation, are_classes: &[bool]) -> Vec<PredictedOutput> {
    let outputs = preparation.targets().iter().zip(are_classes);
    outputs
        .map(|(target, is_class)| PredictedOutput {
            name: target.column().to_owned(),
            classes: target.classes().filter(|_| *is_class).map(<[String]>::to_vec),
        })
        .collect()
}

/// The targets of all rows, which have them: a number for each output, a class by its index.
pub(super) fn targets(
    table: &Table,
    preparation: &Preparation,
    outputs: &[PredictedOutput],
) -> Result<Vec<Vec<f32>>, ConfigError> {
    let mut targets = vec![Vec::with_capacity(outputs.len()); table.rows()];
    for (output, target) in outputs.iter().zip(preparation.targets()) {
        if output.classes.is_some() {
            let classes = preparation.classes_of(table, target)?;
            targets.iter_mut().zip(classes).for_each(|(target, class)| target.push(class as f32));
        } else {
            let numbers = numbers_of(table, std::slice::from_ref(&output.name))?;
            targets.iter_mut().zip(numbers).for_each(|(target, number)| target.extend(number));
        }
    }
    Ok(targets)
}

/// Rows with their targets: a number for each output, a class by its index.
pub(crate) fn outputs_of(
    table: &Table,
    preparation: &Preparation,
    outputs: &[PredictedOutput],
) -> Result<SharedSamples<Vec<f32>>, ConfigError> {
    let targets = targets(table, preparation, outputs)?;
    let rows = Rows::new(preparation.features::<f32>(table)?, targets);
    Ok(Arc::new(rows.expect("there are targets for each row")))
}
