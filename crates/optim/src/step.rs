//! Where a step is in its run.

/// A step of a training, with what is known of the run that it belongs to.
///
/// A number is a step of a run of which nothing is known: `Step::from(3)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The number of steps before this one: 0 for the first.
    pub index: u64,
    /// The run.
    pub run: Run,
}

impl Step {
    /// The number of this step, from 1: the `t` of most formulas.
    #[inline]
    pub fn number(self) -> f64 {
        self.index as f64 + 1.0
    }

    /// Whether it is the first step.
    #[inline]
    pub fn is_first(self) -> bool {
        self.index == 0
    }

    /// The number of steps of a schedule: these, or all of the run; at least 1. `None` if neither is known.
    pub fn length(self, steps: Option<u64>) -> Option<u64> {
        steps.or(self.run.steps).map(|steps| steps.max(1))
    }

    /// The part of a schedule of so many steps, or of the run, that is over: from 0 to 1, or NaN if its length is not known.
    pub fn progress(self, steps: Option<u64>) -> f64 {
        self.length(steps).map_or(f64::NAN, |steps| self.index.min(steps) as f64 / steps as f64)
    }
}

impl From<u64> for Step {
    fn from(index: u64) -> Self {
        Self { index, run: Run::default() }
    }
}

/// What is known of a run: schedules that leave out their length take it from here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The number of all its steps, those of earlier calls included; `None` if it is not known.
    pub steps: Option<u64>,
    /// The number of steps in an epoch; `None` if it is not known.
    pub steps_per_epoch: Option<u64>,
    /// How often the learning rate has been reduced because a quantity did not improve any more.
    pub reductions: u32,
}
