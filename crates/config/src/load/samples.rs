//! Data sets as the trainer takes them.

use std::sync::Arc;

use chainrule::data::{ClassTargets, Samples, Subset};
use chainrule::tensor::{ClassTarget, Target};

use super::SharedSamples;

/// Some samples of a data set of `count` classes, which others share.
pub(crate) fn selected<D>(data: &Arc<D>, indices: Vec<usize>, count: usize) -> SharedSamples<ClassTarget<f32>>
where
    D: Samples<f32, Target: Target<f32>> + Send + 'static,
{
    let subset = Subset::new(Arc::clone(data), indices).expect("the indices are of these samples");
    Arc::new(ClassTargets::with_classes(subset, count))
}
