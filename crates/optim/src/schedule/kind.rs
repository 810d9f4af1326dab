//! Schedules by name.

use std::sync::Arc;

use chainrule_core::{Description, DescriptionError, Registry, SharedKind, Value, register};

use super::*;

impl SharedKind for dyn Schedule {
    const KIND: &'static str = "schedule";
    const KINDS: &'static str = "schedules";

    fn description(&self) -> Description {
        Schedule::description(self)
    }

    fn from_plain(value: &Value) -> Option<Arc<Self>> {
        value.as_f64().map(|rate| Arc::new(rate) as _)
    }

    fn to_plain(&self) -> Value {
        self.value()
    }

    fn chain(parts: &[Description], registry: &Registry) -> Result<Arc<Self>, DescriptionError> {
        let parts = parts.iter().map(|part| registry.build(part)).collect::<Result<_, _>>()?;
        Ok(one_after_the_other(parts)?)
    }

    fn completed_by(this: Arc<Self>, default: &Value) -> Arc<Self> {
        default.as_f64().and_then(|rate| this.with_rate(rate)).unwrap_or(this)
    }
}

/// Registers the schedules of this crate.
pub fn register_schedules(registry: &mut Registry) {
    register!(
        *registry, Arc<dyn Schedule>, Arc::new;
        ConstantRate,
        StepDecay,
        MultiStepDecay,
        LinearDecay,
        ExponentialDecay,
        InverseTimeDecay,
        PiecewiseConstant,
        PolynomialDecay,
        Cosine,
        CosineRestarts,
        Cyclic,
        OneCycle,
        WarmUp,
        Noam,
        SequentialSchedule,
        ChainedSchedule,
        ByEpoch,
        ReduceOnPlateau,
        SwaAnnealing,
    );
}
