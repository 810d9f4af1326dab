use std::sync::Arc;

use chainrule_core::{describe, described};

use super::{Features, Transform, TransformError};

/// Leaves numbers as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep;

describe! {
    /// Keep: leaves numbers as they are.
    Keep = "keep";
    aliases ["passthrough", "identity"];
    formula "y = x";
    source "scikit-learn's passthrough";
}

impl Transform for Keep {
    described!();

    fn fit(&self, _: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        Ok(Arc::new(*self))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        Ok(features.clone())
    }
}
