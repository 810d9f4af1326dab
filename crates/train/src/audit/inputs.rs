//! Inputs that a network learns badly from: all the same, or of the wrong size.

use chainrule_core::{ParamEntry, ParamKind, Plan};

use super::column_sizes::ColumnSizes;
use super::finding::{AuditFinding, Fault};
use super::layers::{called, is_within, name};

/// The root mean square from which a column is too large.
const LARGE: f64 = 30.0;

/// The root mean square below which all columns are too small.
const SMALL: f64 = 1e-3;

/// A column whose mean is so many times its deviation is far from 0.
const FAR: f64 = 20.0;

/// The layer that multiplies the inputs first, for which their size matters: none if they are ids of a table, or normalised before.
pub(crate) fn sized_layer(plan: &Plan) -> Option<String> {
    for entry in plan.entries() {
        let path = entry.name.rsplit_once('.').map_or("", |(path, _)| path);
        let layer = name(plan, path);
        let normalizes = layer.contains("Norm") && !matches!(layer, "WeightNorm" | "SpectralNorm");
        if is_table_of_ids(entry) || normalizes || layer.contains("Embedding") {
            return None;
        }
        let multiplies = matches!(entry.kind, ParamKind::Weight | ParamKind::Frozen);
        if multiplies && !layer.contains("Position") && !layer.contains("Token") {
            return Some(path.to_owned());
        }
    }
    None
}

/// Whether a parameter is a table of which ids choose the rows, and not a product with inputs that are mostly 0.
fn is_table_of_ids(entry: &ParamEntry) -> bool {
    entry.table && !entry.product
}

/// Whether the inputs are ids, whose distance from each other says nothing: of a table that comes before all other weights.
pub(crate) fn are_ids(plan: &Plan) -> bool {
    plan.entries().first().is_some_and(|entry| {
        let path = entry.name.rsplit_once('.').map_or("", |(path, _)| path);
        is_table_of_ids(entry) || name(plan, path).contains("Embedding")
    })
}

/// What is wrong with the size of the values that this layer multiplies. Columns are features where they are those of the inputs.
pub(crate) fn unscaled(plan: &Plan, path: &str, sizes: &ColumnSizes, inputs: usize) -> Option<AuditFinding> {
    let columns = sizes.rms.len();
    let largest = (0..columns).max_by(|&a, &b| sizes.rms[a].total_cmp(&sizes.rms[b]))?;
    let kind = if columns == inputs { "feature" } else { "value" };
    let what = |column: usize| format!("{kind} {column} of {columns}");
    let remedy = "scale the inputs: subtract the mean of each feature and divide it by its standard deviation (`Standardize` for tables), divide the bytes of pictures by 255, or begin with BatchNorm";
    let finding = |text: String| Some(AuditFinding::new(Fault::UnscaledInputs, text).of_layer(path));
    let given = format!("the inputs of {}", called(plan, path));
    let rms = sizes.rms[largest];
    if rms > LARGE {
        return finding(format!(
            "{given} are not scaled: {} has values of about {rms:.3}; {remedy}",
            what(largest)
        ));
    }
    if rms > 0.0 && rms < SMALL {
        return finding(format!("{given} are not scaled: the largest values are about {rms:.1e}; {remedy}"));
    }
    let far = (0..columns).find(|&column| {
        let (mean, deviation) = (sizes.mean[column].abs(), sizes.deviation(column));
        // What varies by no more than rounding does not vary.
        mean > 1.0 && deviation > 1e-6 * mean && mean > FAR * deviation
    });
    let column = far?;
    finding(format!(
        "{given} are not centred: {} is {:.4} give or take {:.2}; {remedy}",
        what(column),
        sizes.mean[column],
        sizes.deviation(column)
    ))
}

/// The finding of samples that are all the same.
pub(crate) fn all_the_same(samples: usize) -> AuditFinding {
    AuditFinding::new(
        Fault::SameInputs,
        format!(
            "all of {samples} samples from all over the training data are the same, so there is nothing to tell them apart: look at how they are read"
        ),
    )
}

/// Whether a parameter with this name belongs to the layer with this path.
pub(crate) fn belongs(parameter: &str, path: &str) -> bool {
    is_within(parameter, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn sizes_of_columns() {
        let sizes = ColumnSizes::of(array![[1.0, 2000.0], [3.0, 2010.0]].view());
        assert_eq!(sizes.mean, [2.0, 2005.0]);
        assert_eq!(sizes.rms[0], 5f64.sqrt());
        assert!((sizes.deviation(0) - 1.0).abs() < 1e-9 && (sizes.deviation(1) - 5.0).abs() < 1e-6);
    }
}
