use std::sync::Arc;

use chainrule_core::Description;

use super::{Features, Transform, TransformError};

/// Transforms one after the other: `impute(median) then standardise`. Each is fitted to what the one before it gives.
#[derive(Clone, Debug)]
pub struct TransformChain {
    parts: Vec<Arc<dyn Transform>>,
}

impl TransformChain {
    /// These, in this order.
    pub fn new(parts: Vec<Arc<dyn Transform>>) -> Self {
        Self { parts }
    }
}

impl Transform for TransformChain {
    fn description(&self) -> Description {
        Description::chain(self.parts.iter().flat_map(|part| part.description().parts()))
    }

    fn fit(&self, features: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        let mut features = features.clone();
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let fitted = part.fit(&features)?;
            features = fitted.apply(&features)?;
            parts.push(fitted);
        }
        Ok(Arc::new(Self { parts }))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        let (first, rest) = match &*self.parts {
            [] => return Ok(features.clone()),
            [first, rest @ ..] => (first, rest),
        };
        rest.iter().try_fold(first.apply(features)?, |features, part| part.apply(&features))
    }
}
