//! Weights that make rare classes count as much as frequent ones.

use super::Labels;
use crate::SplitError;

/// The weight of each of `classes` classes that makes all of them count equally, as scikit-learn's `balanced`.
///
/// ```text
/// w_c = n / (classes · n_c)        n samples, n_c of the class c
/// ```
///
/// # Errors
///
/// [`SplitError`] if a class has no sample, or a sample has none of the classes.
pub fn balanced_class_weights(labels: &[u32], classes: usize) -> Result<Vec<f64>, SplitError> {
    let mut counts = vec![0usize; classes];
    for (sample, &label) in labels.iter().enumerate() {
        *counts.get_mut(label as usize).ok_or(SplitError::Class { sample, label, classes })? += 1;
    }
    if let Some(class) = counts.iter().position(|&count| count == 0) {
        return Err(SplitError::AbsentClass { class, classes });
    }
    Ok(counts.iter().map(|&count| labels.len() as f64 / (classes as f64 * count as f64)).collect())
}

/// The weight of each sample that makes all classes count equally, for [`WithWeights`](crate::WithWeights); of the classes that
/// occur.
pub fn balanced_weights<L: Eq + std::hash::Hash>(labels: &[L]) -> Vec<f32> {
    let labels = Labels::new(labels);
    let classes = labels.counts.len() as f64;
    let total = labels.of_samples.len() as f64;
    labels.of_samples.iter().map(|&label| (total / (classes * labels.counts[label] as f64)) as f32).collect()
}
