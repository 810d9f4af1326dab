use std::sync::Arc;

use chainrule_core::{Described, DescriptionError, Place, Range, SettingValue, Value, describe, described};

use super::{ReduceOnPlateau, Schedule, check_given};
use crate::{SettingError, Step};

/// Several schedules at once: the rate times the factors that they give (PyTorch's `ChainedScheduler`).
///
/// A factor is a schedule that leaves out its rate, which is then 1. It agrees with PyTorch for schedules that multiply the rate; those
/// of PyTorch that move it towards a floor do so in another way when they are chained.
///
/// ```
/// use chainrule_optim::schedule::{ChainedSchedule, ExponentialDecay, WarmUp};
/// ChainedSchedule::new(0.1).and(WarmUp::new(100)).and(ExponentialDecay::new(None, 0.999));
/// ```
#[derive(Clone, Debug)]
pub struct ChainedSchedule {
    schedules: Factors,
    rate: Option<f64>,
}

describe! {
    /// Several schedules at once: the rate times the factors that they give.
    ChainedSchedule = "chained";
    aliases ["ChainedScheduler"];
    formula "η(s) = η f₁(s) f₂(s) ...";
    source "PyTorch's ChainedScheduler";
    settings {
        /// The schedules, of which a rate that is left out is 1.
        schedules ("schedulers"): required;
        /// The rate η; that of the optimizer if it is left out.
        rate ("lr", "learning_rate", "base_lr"): none, Range::NOT_NEGATIVE;
    }
}

impl ChainedSchedule {
    /// This rate, or the optimizer's for `None`.
    pub fn new(rate: impl Into<Option<f64>>) -> Self {
        Self { schedules: Factors(Vec::new()), rate: rate.into() }
    }

    /// Also multiplied by this schedule.
    #[must_use]
    pub fn and(mut self, factor: impl Schedule + 'static) -> Self {
        self.schedules.0.push(Factors::one(Arc::new(factor)));
        self
    }
}

/// Schedules as factors: a rate that one leaves out is 1.
#[derive(Clone, Debug)]
struct Factors(Vec<Arc<dyn Schedule>>);

impl Factors {
    fn one(schedule: Arc<dyn Schedule>) -> Arc<dyn Schedule> {
        schedule.with_rate(1.0).unwrap_or(schedule)
    }
}

impl SettingValue for Factors {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        let schedules: Vec<Arc<dyn Schedule>> = Vec::from_value(value, place)?;
        Ok(Self(schedules.into_iter().map(Self::one).collect()))
    }

    fn to_value(&self) -> Value {
        self.0.to_value()
    }
}

impl Schedule for ChainedSchedule {
    fn rate(&self, step: Step) -> f64 {
        let rate = self.rate.unwrap_or(f64::NAN);
        self.schedules.0.iter().fold(rate, |rate, schedule| rate * schedule.rate(step))
    }

    fn with_rate(&self, rate: f64) -> Option<Arc<dyn Schedule>> {
        let filled = || Arc::new(Self { rate: Some(rate), ..self.clone() }) as _;
        self.rate.is_none().then(filled)
    }

    fn plateau(&self) -> Option<&ReduceOnPlateau> {
        self.schedules.0.iter().find_map(|schedule| schedule.plateau())
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.check_ranges()?;
        check_given("ChainedSchedule", self.rate)?;
        self.schedules.0.iter().try_for_each(|schedule| schedule.validate())
    }

    described!();
}
