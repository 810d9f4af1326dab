//! Averages of figures of rankings.

use super::score_counts::{Ranking, ScoreCounts};
use crate::{Average, MetricValue, Task, Undefined};

/// The average over the classes of a figure of their rankings. Of a single output, it is the figure itself.
pub(super) fn average(
    average: Average,
    counts: &ScoreCounts,
    figure: impl Fn(&Ranking) -> Result<f64, Undefined>,
) -> MetricValue {
    if counts.task() == Task::Binary || average == Average::Micro {
        return figure(&counts.pooled()).into();
    }
    let of_class = |ranking: &Ranking| (figure(ranking), ranking.positives);
    average.of_figures(counts.rankings().iter().map(of_class).collect())
}

/// The samples of the class and the others with at least each score, after none of them.
pub(super) fn from_none(ranking: &Ranking) -> impl Iterator<Item = ([f64; 2], [f64; 2])> + '_ {
    let before = std::iter::once([0.0; 2]).chain(ranking.above.iter().copied());
    before.zip(ranking.above.iter().copied())
}
