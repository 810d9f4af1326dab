//! Averages over the columns of outputs.

use chainrule_core::setting_words;

use crate::{MetricValue, Undefined};

/// What is made of the means of several columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColumnAverage {
    /// One mean, over the values of all columns.
    #[default]
    Pooled,
    /// The mean of the figures of the columns.
    Uniform,
    /// The figure of each column, as a vector.
    PerColumn,
}

setting_words! {
    ColumnAverage { Pooled = "pooled", Uniform = "uniform_average", PerColumn = "raw_values" }
}

/// What is made of the correlations of several columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MomentAverage {
    /// The mean of the figures of the columns.
    #[default]
    Uniform,
    /// The mean, each column counting by the variance of its targets.
    VarianceWeighted,
    /// The figure of each column, as a vector.
    PerColumn,
}

setting_words! {
    MomentAverage {
        Uniform = "uniform_average",
        VarianceWeighted = "variance_weighted",
        PerColumn = "raw_values"
    }
}

impl MomentAverage {
    /// The average of figures, each with the variance of its targets. It is undefined if one of them is, unless its variance is 0
    /// and that is what counts.
    pub(super) fn of(self, figures: Vec<(Result<f64, Undefined>, f64)>) -> MetricValue {
        if figures.iter().all(|(figure, _)| *figure == Err(Undefined::NO_SAMPLE)) {
            return MetricValue::Undefined(Undefined::NO_SAMPLE);
        }
        if self == Self::PerColumn {
            return MetricValue::Vector(figures.into_iter().map(|(figure, _)| figure).collect());
        }
        let by_variance =
            self == Self::VarianceWeighted && figures.iter().any(|(_, variance)| *variance > 0.0);
        let mut sums = [0.0, 0.0];
        for (figure, variance) in figures {
            let weight = if by_variance { variance } else { 1.0 };
            match figure {
                Ok(figure) => sums = [sums[0] + weight * figure, sums[1] + weight],
                Err(_) if weight == 0.0 => {}
                Err(undefined) => return MetricValue::Undefined(undefined),
            }
        }
        MetricValue::number(sums[0] / sums[1])
    }
}
