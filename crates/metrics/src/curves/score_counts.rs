//! Scores, and what was right.

use chainrule_tensor::{Outputs, Real, Target};
use ndarray::ArrayView2;

use super::probabilities::{push_probabilities, sigmoid};
use crate::classes::{answer, class_of};
use crate::{Counts, Decision, Task, Undefined};

/// How outputs become scores.
#[derive(Clone, Copy)]
pub(super) struct Scoring {
    pub(super) decision: Decision,
    /// The number of thresholds that scores are compared with; `None` for all scores that occur.
    pub(super) thresholds: Option<usize>,
}

/// The scores of all samples and what was right, or how many samples are above each of some thresholds.
///
/// Scores of a single output or of labels are the outputs themselves, logits or probabilities, since only their order counts; those of
/// classes are probabilities. Compared with thresholds from 0 to 1, all are probabilities.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoreCounts {
    task: Task,
    columns: usize,
    /// `[samples, columns]`.
    scores: Vec<f64>,
    /// The class of each sample, or for each of its labels whether it is right.
    truths: Vec<u32>,
    /// The weight of each sample; empty if all are 1.
    weights: Vec<f64>,
    /// For each column and each number of thresholds that a score reaches, how many samples are wrong and right.
    bins: Vec<[f64; 2]>,
    /// How many samples had a score that is NaN; they are not among the others.
    nans: f64,
}

/// A score of a sample, whether it is of the class, and how much it counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scored {
    pub(super) score: f64,
    pub(super) positive: bool,
    pub(super) weight: f64,
}

/// How many samples have at least some scores, in falling order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ranking {
    pub(super) thresholds: Vec<f64>,
    /// The samples of the class, and those that are not, with at least that score.
    pub(super) above: Vec<[f64; 2]>,
    /// All samples of the class.
    pub(super) positives: f64,
    /// All others.
    pub(super) negatives: f64,
}

impl Scoring {
    /// What outputs with this many columns are taken for: it makes no difference to their order in a column.
    pub(super) fn reads(&self, columns: usize) -> Option<Outputs> {
        let order = self.thresholds.is_none() && !matches!(self.decision.task(columns), Task::Classes(_));
        (!order).then_some(self.decision.taken_for())
    }

    /// Adds a batch.
    pub(super) fn count<T: Real, Y: Target<T>>(
        &self,
        counts: &mut ScoreCounts,
        y: ArrayView2<'_, T>,
        targets: &[Y],
    ) {
        let from_logits = self.decision.from_logits;
        let columns = y.ncols();
        counts.task = self.decision.task(columns);
        counts.columns = columns;
        let classes = matches!(counts.task, Task::Classes(_));
        for (y, target) in y.rows().into_iter().zip(targets) {
            let weight = if Y::WEIGHTED { target.weight() } else { 1.0 };
            let view = target.view();
            if weight == 0.0 || self.decision.ignores(&view) {
                continue;
            }
            // What is not kept is taken off again.
            let before = [counts.scores.len(), counts.truths.len()];
            push_probabilities(y, classes && from_logits, &mut counts.scores);
            let scores = &mut counts.scores[before[0]..];
            if classes {
                counts.truths.extend(class_of(view).map(|class| class as u32));
            } else {
                let answer = |label| answer(&view, label, columns == 1).map(|yes| yes as u32);
                counts.truths.extend((0..columns).filter_map(answer));
                if from_logits && self.thresholds.is_some() {
                    scores.iter_mut().for_each(|z| *z = sigmoid(*z));
                }
            }
            let truths = counts.truths.len() - before[1];
            let whole = truths == if classes { 1 } else { columns };
            let number = whole && !scores.iter().any(|score| score.is_nan());
            match self.thresholds {
                _ if !number => counts.nans += weight,
                Some(thresholds) => counts.count_in_bins(before, weight, thresholds),
                None => {
                    counts.keep_weight(before[0] / columns, weight);
                    continue;
                }
            }
            counts.scores.truncate(before[0]);
            counts.truths.truncate(before[1]);
        }
    }
}

impl ScoreCounts {
    /// Notes the weight of a sample after this many.
    fn keep_weight(&mut self, samples: usize, weight: f64) {
        if weight != 1.0 || !self.weights.is_empty() {
            self.weights.resize(samples, 1.0);
            self.weights.push(weight);
        }
    }

    /// Counts the sample whose scores and truths are stored from these indices on.
    fn count_in_bins(&mut self, [scores, truths]: [usize; 2], weight: f64, thresholds: usize) {
        let classes = matches!(self.task, Task::Classes(_));
        let (scores, truths) = (&self.scores[scores..], &self.truths[truths..]);
        self.bins.resize(scores.len() * (thresholds + 1), [0.0; 2]);
        for (column, (&score, bins)) in scores.iter().zip(self.bins.chunks_mut(thresholds + 1)).enumerate() {
            let right =
                if classes { usize::from(truths[0] == column as u32) } else { truths[column] as usize };
            bins[reached(score, thresholds)][right] += weight;
        }
    }

    /// The number of samples that are kept.
    pub fn samples(&self) -> usize {
        self.scores.len().checked_div(self.columns).unwrap_or(0)
    }

    /// What was decided.
    pub fn task(&self) -> Task {
        self.task
    }

    /// Why no figure of the scores is defined, if a score was NaN or there are none.
    pub(super) fn check(&self) -> Result<(), Undefined> {
        if self.nans > 0.0 {
            return Err(Undefined::NAN);
        }
        if self.scores.is_empty() && self.bins.is_empty() { Err(Undefined::NO_SAMPLE) } else { Ok(()) }
    }

    fn scored(&self, row: usize, column: usize) -> Scored {
        let positive = match self.task {
            Task::Classes(_) => self.truths[row] as usize == column,
            Task::Binary | Task::Labels(_) => self.truths[row * self.columns + column] == 1,
        };
        let weight = self.weights.get(row).copied().unwrap_or(1.0);
        Scored { score: self.scores[row * self.columns + column], positive, weight }
    }

    /// The ranking of each column.
    pub(super) fn rankings(&self) -> Vec<Ranking> {
        (0..self.columns).map(|column| self.ranking(&[column])).collect()
    }

    /// The ranking of the scores of all columns together.
    pub(super) fn pooled(&self) -> Ranking {
        self.ranking(&(0..self.columns).collect::<Vec<_>>())
    }

    fn ranking(&self, columns: &[usize]) -> Ranking {
        if !self.bins.is_empty() {
            let bins = self.bins.len() / self.columns;
            let mut sums = vec![[0.0; 2]; bins];
            for column in columns {
                let of_column = &self.bins[column * bins..(column + 1) * bins];
                sums.iter_mut()
                    .flatten()
                    .zip(of_column.iter().flatten())
                    .for_each(|(sum, count)| *sum += count);
            }
            return Ranking::of_bins(&sums);
        }
        let rows = 0..self.samples();
        Ranking::new(
            rows.flat_map(|row| columns.iter().map(move |&column| self.scored(row, column))).collect(),
        )
    }
}

/// The threshold with this index, of several from 0 to 1.
fn threshold(index: usize, thresholds: usize) -> f64 {
    index as f64 / (thresholds - 1) as f64
}

/// How many thresholds a score reaches.
fn reached(score: f64, thresholds: usize) -> usize {
    let mut index = (score * (thresholds - 1) as f64) as usize;
    index = index.min(thresholds - 1);
    if threshold(index, thresholds) > score {
        // Also of a score below 0, which reaches none.
        return index;
    }
    if index + 1 < thresholds && threshold(index + 1, thresholds) <= score { index + 2 } else { index + 1 }
}

impl Ranking {
    pub(super) fn new(mut scores: Vec<Scored>) -> Self {
        scores.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
        let mut ranking = Self::default();
        let mut sums = [0.0, 0.0];
        for (index, Scored { score, positive, weight }) in scores.iter().enumerate() {
            sums[usize::from(!positive)] += weight;
            // Equal scores are taken together; 0 and -0 are equal.
            if scores.get(index + 1).is_none_or(|next| next.score != *score) {
                ranking.thresholds.push(*score);
                ranking.above.push(sums);
            }
        }
        [ranking.positives, ranking.negatives] = sums;
        ranking
    }

    /// From how many samples reach each number of thresholds.
    fn of_bins(bins: &[[f64; 2]]) -> Self {
        let mut ranking = Self::default();
        let mut sums = [0.0, 0.0];
        for (reached, [wrong, right]) in bins.iter().enumerate().rev() {
            sums = [sums[0] + right, sums[1] + wrong];
            if reached > 0 {
                ranking.thresholds.push(threshold(reached - 1, bins.len() - 1));
                ranking.above.push(sums);
            }
        }
        [ranking.positives, ranking.negatives] = sums;
        ranking
    }
}

impl Counts for ScoreCounts {
    fn merge(&mut self, other: &Self) {
        self.nans += other.nans;
        if other.columns > 0 {
            self.task = other.task;
            self.columns = other.columns;
        }
        if !self.weights.is_empty() || !other.weights.is_empty() {
            self.weights.resize(self.samples(), 1.0);
            self.weights.extend(&other.weights);
            self.weights.resize(self.samples() + other.samples(), 1.0);
        }
        self.scores.extend(&other.scores);
        self.truths.extend(&other.truths);
        self.bins.resize(self.bins.len().max(other.bins.len()), [0.0; 2]);
        for (mine, theirs) in self.bins.iter_mut().flatten().zip(other.bins.iter().flatten()) {
            *mine += theirs;
        }
    }

    fn scale(&mut self, weight: f64) {
        self.weights.resize(self.samples(), 1.0);
        self.weights.iter_mut().for_each(|own| *own *= weight);
        self.bins.iter_mut().flatten().for_each(|count| *count *= weight);
        self.nans *= weight;
    }

    fn reset(&mut self) {
        self.scores.clear();
        self.truths.clear();
        self.weights.clear();
        self.bins.clear();
        self.nans = 0.0;
    }

    fn numbers(&self) -> Vec<f64> {
        let task = match self.task {
            Task::Binary => 0.0,
            Task::Classes(_) => 1.0,
            Task::Labels(_) => 2.0,
        };
        let len = |len: usize| len as f64;
        let mut numbers =
            vec![task, len(self.columns), self.nans, len(self.scores.len()), len(self.weights.len())];
        numbers.extend(&self.scores);
        numbers.extend(self.truths.iter().map(|&truth| f64::from(truth)));
        numbers.extend(&self.weights);
        numbers.extend(self.bins.iter().flatten());
        numbers
    }

    fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let (&[task, columns, nans, scores, weights], rest) = numbers.split_first_chunk()?;
        let columns = columns as usize;
        let task = match task {
            0.0 => Task::Binary,
            1.0 => Task::Classes(columns),
            2.0 => Task::Labels(columns),
            _ => return None,
        };
        let (scores, rest) = rest.split_at_checked(scores as usize)?;
        let rows = scores.len().checked_div(columns).unwrap_or(0);
        let truths = if matches!(task, Task::Classes(_)) { rows } else { scores.len() };
        let (truths, rest) = rest.split_at_checked(truths)?;
        let (weights, rest) = rest.split_at_checked(weights as usize)?;
        let (bins, rest) = rest.as_chunks();
        let whole = scores.len() == rows * columns && rest.is_empty();
        let weighted = weights.is_empty() || weights.len() == rows;
        (whole && weighted).then(|| Self {
            task,
            columns,
            scores: scores.to_vec(),
            truths: truths.iter().map(|&truth| truth as u32).collect(),
            weights: weights.to_vec(),
            bins: bins.to_vec(),
            nans,
        })
    }
}
