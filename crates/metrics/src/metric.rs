//! The traits that metrics implement.

use std::any::Any;
use std::fmt::Debug;

use chainrule_core::{Description, Kind, SettingError};
use chainrule_tensor::{Outputs, Real, TargetError};
use ndarray::ArrayView2;

use crate::{Counts, MetricValue, Tally};

/// A figure for people, as it is described: a name and settings. What was counted for it is in a [`Tally`].
pub trait Metric: Debug + Send + Sync {
    /// The metric's name in a history, such as `"accuracy"`.
    fn name(&self) -> &'static str;

    /// What this is: that of its entry, if it has one (see [`describe!`](chainrule_core::describe!)).
    fn description(&self) -> Description {
        Description::of_debug(self)
    }

    /// Checks the settings before training starts.
    ///
    /// # Errors
    ///
    /// [`SettingError`], naming the setting, its value and what is allowed.
    fn validate(&self) -> Result<(), SettingError> {
        Ok(())
    }
}

/// What a metric counts, and the value that these counts have.
pub trait Statistic: Metric + Clone + 'static {
    /// What is counted.
    type Counts: Counts;

    /// The counts before the first sample.
    fn empty(&self) -> Self::Counts {
        Self::Counts::default()
    }

    /// The value over all samples that were counted. Where there is none, it is [`MetricValue::Undefined`], with the reason.
    fn value(&self, counts: &Self::Counts) -> MetricValue;

    /// A tally of this metric without samples.
    fn tally(&self) -> Tally<Self> {
        Tally::new(self.clone())
    }
}

/// How a metric counts outputs of type `T` and targets of type `Y`. Whatever does is a [`Measure`].
///
/// ```
/// use chainrule_metrics::{ArrayView2, Count, Metric, MetricValue, Real, Statistic};
///
/// /// The number of outputs that are not a number.
/// #[derive(Clone, Debug)]
/// struct Nans;
///
/// impl Metric for Nans {
///     fn name(&self) -> &'static str {
///         "nans"
///     }
/// }
///
/// impl Statistic for Nans {
///     type Counts = [f64; 1];
///
///     fn value(&self, [nans]: &[f64; 1]) -> MetricValue {
///         MetricValue::number(*nans)
///     }
/// }
///
/// impl<T: Real, Y> Count<T, Y> for Nans {
///     fn count(&self, [nans]: &mut [f64; 1], y: ArrayView2<'_, T>, _: &[Y]) {
///         *nans += y.iter().filter(|y| y.is_nan()).count() as f64;
///     }
/// }
///
/// let mut nans = Nans.tally();
/// nans.update(ndarray::array![[0.5, f32::NAN]].view(), &[1u8]);
/// assert_eq!(nans.value(), MetricValue::Number(1.0));
/// ```
pub trait Count<T: Real, Y>: Statistic {
    /// Adds a batch of outputs `y`, `[rows, columns]`, and their targets, one a row.
    fn count(&self, counts: &mut Self::Counts, y: ArrayView2<'_, T>, targets: &[Y]);

    /// Checks that the metric is defined for targets of outputs with this many columns. All targets pass by default.
    ///
    /// # Errors
    ///
    /// [`TargetError`] for the first target that does not fit.
    fn accepts(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        let _ = (columns, targets);
        Ok(())
    }

    /// What the metric takes outputs with this many columns for; `None`, the default, if that makes no difference.
    fn reads(&self, columns: usize, targets: &[Y]) -> Option<Outputs> {
        let _ = (columns, targets);
        None
    }
}

/// A metric of outputs of type `T` and targets of type `Y`, whatever it counts: what a trainer is given.
pub trait Measure<T: Real, Y>: Metric {
    /// Checks that the metric is defined for targets of outputs with this many columns. The trainer calls it for every batch,
    /// before the batch is trained on.
    ///
    /// # Errors
    ///
    /// [`TargetError`] for the first target that does not fit.
    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError>;

    /// What the metric takes outputs with this many columns for; `None` if that makes no difference. The trainer refuses a
    /// metric that contradicts the loss.
    fn outputs(&self, columns: usize, targets: &[Y]) -> Option<Outputs>;

    /// A tally of this metric without samples.
    fn start(&self) -> Box<dyn Counter<T, Y>>;
}

/// A [`Tally`], whatever its metric is.
pub trait Counter<T: Real, Y>: Debug + Send + Sync {
    /// Adds a batch of outputs `y`, `[rows, columns]`, and their targets, one a row, which the metric has checked.
    fn update(&mut self, y: ArrayView2<'_, T>, targets: &[Y]);

    /// Adds what `other` has counted, as if it had been counted here after what already is.
    ///
    /// # Panics
    ///
    /// If `other` is the tally of another metric.
    fn merge(&mut self, other: &dyn Counter<T, Y>);

    /// Forgets all samples, but keeps the memory for them.
    fn reset(&mut self);

    /// The value over all samples.
    fn value(&self) -> MetricValue;

    /// What was counted, as numbers from which [`restore`](Self::restore) goes on.
    fn numbers(&self) -> Vec<f64>;

    /// Replaces what was counted by what [`numbers`](Self::numbers) returned; `None`, and nothing is changed, if these are not
    /// the counts of such a metric.
    fn restore(&mut self, numbers: &[f64]) -> Option<()>;

    /// The counts, for [`merge`](Self::merge).
    #[doc(hidden)]
    fn counts(&self) -> &dyn Any;
}

impl<T: Real, Y, M: Statistic + Count<T, Y>> Measure<T, Y> for M {
    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        self.accepts(columns, targets)
    }

    fn outputs(&self, columns: usize, targets: &[Y]) -> Option<Outputs> {
        self.reads(columns, targets)
    }

    fn start(&self) -> Box<dyn Counter<T, Y>> {
        Box::new(self.tally())
    }
}

impl<M: Metric + ?Sized> Metric for Box<M> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn description(&self) -> Description {
        (**self).description()
    }

    fn validate(&self) -> Result<(), SettingError> {
        (**self).validate()
    }
}

impl<T: Real, Y: 'static> Kind for Box<dyn Measure<T, Y>> {
    const KIND: &'static str = "metric";
    const KINDS: &'static str = "metrics";

    fn description(&self) -> Description {
        (**self).description()
    }
}

impl<T: Real, Y> Measure<T, Y> for Box<dyn Measure<T, Y>> {
    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        (**self).check(columns, targets)
    }

    fn outputs(&self, columns: usize, targets: &[Y]) -> Option<Outputs> {
        (**self).outputs(columns, targets)
    }

    fn start(&self) -> Box<dyn Counter<T, Y>> {
        (**self).start()
    }
}
