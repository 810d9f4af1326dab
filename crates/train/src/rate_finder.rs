//! Which learning rate to choose.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use chainrule_data::Samples;
use chainrule_optim::schedule::{ExponentialDecay, SequentialSchedule};
use chainrule_tensor::Real;

use crate::trainer::{Event, TrainError, Trainer};

/// The part of the smoothed loss that is kept in each step.
const SMOOTHING: f64 = 0.95;

/// It stops where the smoothed loss is so many times the lowest one.
const DIVERGED: f64 = 4.0;

/// The suggested rate is this part of the one with the lowest loss.
const SUGGESTED: f64 = 0.1;

/// Trains for some steps while the learning rate grows exponentially from a small one to a large one, and notes the losses (Smith 2017,
/// the learning-rate range test).
///
/// ```
/// use chainrule_core::Sequential;
/// use chainrule_data::digits;
/// use chainrule_layers::{Dense, Flatten, Relu};
/// use chainrule_losses::CrossEntropy;
/// use chainrule_optim::adam;
/// use chainrule_tensor::Seed;
/// use chainrule_train::{Model, RateFinder, Trainer};
///
/// let finder = RateFinder::default().steps(60);
/// let layers = Sequential::new().then(Flatten).then(Dense::new(16)).then(Relu).then(Dense::new(10));
/// let model = Model::new([28, 28], layers, Seed(0))?;
/// let trainer = Trainer::new(model, CrossEntropy, adam(finder.schedule()));
/// let curve = finder.run(trainer, &digits(500, Seed(1)))?;
/// let rate = curve.suggestion().expect("the loss has fallen");
/// assert!((1e-4..0.3).contains(&rate), "{rate}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateFinder {
    from: f64,
    to: f64,
    steps: u64,
}

/// From 1e-6 to 1, in 200 steps.
impl Default for RateFinder {
    fn default() -> Self {
        Self { from: 1e-6, to: 1.0, steps: 200 }
    }
}

impl RateFinder {
    /// The first and the last rate, both above 0; 1e-6 and 1 by default.
    #[must_use]
    pub fn rates(self, from: f64, to: f64) -> Self {
        Self { from, to, ..self }
    }

    /// The number of steps, at least 2; 200 by default.
    #[must_use]
    pub fn steps(self, steps: u64) -> Self {
        Self { steps: steps.max(2), ..self }
    }

    /// The schedule that the optimizer of the trainer has to have.
    pub fn schedule(self) -> SequentialSchedule {
        let Self { from, to, steps } = self;
        let growing = ExponentialDecay::new(from, to / from).every(steps - 1);
        // The steps after it are planned, but not taken.
        SequentialSchedule::new(growing).then_at(steps, to)
    }

    /// Trains, and returns the losses. It ends after all steps, or where the loss has grown to several times the lowest.
    ///
    /// The trainer is one that was not trained, and has the [`schedule`](Self::schedule). It is used up, since its weights are of no use
    /// afterwards.
    ///
    /// # Errors
    ///
    /// [`TrainError`] as [`Trainer::fit`], but for a loss that is not finite, which ends it.
    pub fn run<T, Y>(
        self,
        trainer: Trainer<T, Y>,
        data: &dyn Samples<T, Target = Y>,
    ) -> Result<RateCurve, TrainError>
    where
        T: Real,
        Y: Clone + Send + Sync,
    {
        let Self { steps, .. } = self;
        let points = Arc::new(Mutex::new(Vec::<RatePoint>::new()));
        let noted = Arc::clone(&points);
        let mut rate = None;
        let mut mean = 0.0;
        let mut trainer = trainer.on_event(move |event, training| {
            match event {
                Event::Batch { .. } => rate = training.learning_rate(),
                Event::Step { batch_loss, .. } => {
                    let Some(rate) = rate else { return ControlFlow::Break(()) };
                    let mut points = noted.lock().unwrap_or_else(PoisonError::into_inner);
                    mean = SMOOTHING * mean + (1.0 - SMOOTHING) * batch_loss;
                    let smoothed = mean / (1.0 - SMOOTHING.powf(points.len() as f64 + 1.0));
                    points.push(RatePoint { rate, loss: *batch_loss, smoothed });
                    let lowest = points.iter().map(|point| point.smoothed).fold(f64::INFINITY, f64::min);
                    // The first steps say little, and a loss may be negative.
                    let diverged = points.len() > 10 && lowest > 0.0 && smoothed > DIVERGED * lowest;
                    if diverged || points.len() as u64 >= steps {
                        return ControlFlow::Break(());
                    }
                }
                _ => {}
            }
            ControlFlow::Continue(())
        });
        match trainer.fit(data, steps) {
            Ok(_) | Err(TrainError::Diverged { .. } | TrainError::NotFinite { .. }) => {}
            Err(error) => return Err(error),
        }
        drop(trainer);
        let points = std::mem::take(&mut *points.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(RateCurve { points })
    }
}

/// The losses at growing learning rates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RateCurve {
    /// One for each step.
    pub points: Vec<RatePoint>,
}

/// The loss at a learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatePoint {
    /// The rate of the step.
    pub rate: f64,
    /// The loss of its batch before it.
    pub loss: f64,
    /// The exponential mean of the losses up to it, without bias.
    pub smoothed: f64,
}

impl RateCurve {
    /// A rate that is likely to do well: a tenth of the one at which the smoothed loss was lowest. `None` if it has not fallen.
    pub fn suggestion(&self) -> Option<f64> {
        let first = self.points.first()?;
        let lowest = self.points.iter().min_by(|one, other| one.smoothed.total_cmp(&other.smoothed))?;
        (lowest.smoothed < first.smoothed).then_some(SUGGESTED * lowest.rate)
    }
}
