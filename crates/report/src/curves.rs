//! Curves of what a model says of classes: receiver operating characteristic, precision and recall, calibration.

use crate::report::CurveSeries;

/// The most points of a curve.
const POINTS: usize = 200;

/// The most classes that have curves of their own.
const CLASSES: usize = 20;

/// The number of ranges of a calibration.
const RANGES: usize = 10;

/// The probabilities that a model gives the classes, for some samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScoredSamples {
    /// The number of classes.
    pub classes: usize,
    /// The probability of each class for each sample, sample by sample.
    pub probabilities: Vec<f32>,
    /// The class of each sample.
    pub targets: Vec<u32>,
}

impl ScoredSamples {
    /// The classes that have curves: the second of two, and each of a few. None if there are more, or the numbers do not fit together.
    pub(crate) fn drawn(&self) -> Vec<usize> {
        let fits = self.probabilities.len() == self.classes.saturating_mul(self.targets.len());
        match self.classes {
            _ if !fits || self.targets.is_empty() => Vec::new(),
            2 => vec![1],
            classes if classes <= CLASSES => (0..classes).collect(),
            _ => Vec::new(),
        }
    }

    /// The samples as `(probability of the class, whether they are of it)`, the most probable first.
    fn ranked(&self, class: usize) -> Vec<(f32, bool)> {
        let rows = self.probabilities.chunks_exact(self.classes.max(1)).zip(&self.targets);
        let mut ranked: Vec<_> = rows.map(|(row, &target)| (row[class], target as usize == class)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked
    }

    /// How many samples of the class, and of others, have at least each of the probabilities.
    fn counts(&self, class: usize) -> Vec<(f64, f64)> {
        let mut counts = vec![(0.0, 0.0)];
        let (mut own, mut others) = (0.0, 0.0);
        for tied in self.ranked(class).chunk_by(|a, b| a.0 == b.0) {
            let of_class = tied.iter().filter(|(_, is)| *is).count() as f64;
            own += of_class;
            others += tied.len() as f64 - of_class;
            counts.push((own, others));
        }
        counts
    }

    /// The receiver operating characteristic of a class, with the area under it in the name.
    pub(crate) fn roc(&self, class: usize, name: &str) -> CurveSeries {
        let counts = self.counts(class);
        let &(all_own, all_others) = counts.last().unwrap_or(&(0.0, 0.0));
        let point = |&(own, others): &(f64, f64)| (others / all_others.max(1.0), own / all_own.max(1.0));
        let points: Vec<_> = counts.iter().map(point).collect();
        let area: f64 =
            points.windows(2).map(|pair| (pair[1].0 - pair[0].0) * (pair[1].1 + pair[0].1) / 2.0).sum();
        CurveSeries::new("roc", format!("{name} ({area:.4})"), with_fewer_points(points))
    }

    /// Precision over recall of a class, with the average precision in the name.
    pub(crate) fn precision(&self, class: usize, name: &str) -> CurveSeries {
        let counts = self.counts(class);
        let all_own = counts.last().map_or(1.0, |(own, _)| own.max(1.0));
        let point = |&(own, others): &(f64, f64)| (own / all_own, own / (own + others).max(1.0));
        let mut points: Vec<_> = counts.iter().skip(1).map(point).collect();
        let first = points.first().map_or(1.0, |point| point.1);
        points.insert(0, (0.0, first));
        let average: f64 = points.windows(2).map(|pair| (pair[1].0 - pair[0].0) * pair[1].1).sum();
        CurveSeries::new("precision", format!("{name} ({average:.4})"), with_fewer_points(points))
    }

    /// How often the most probable class is right, over its probability; with the expected calibration error in the name.
    pub(crate) fn calibration(&self) -> CurveSeries {
        let mut ranges = vec![(0.0f64, 0.0f64, 0.0f64); RANGES];
        for (row, &target) in self.probabilities.chunks_exact(self.classes.max(1)).zip(&self.targets) {
            let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
            let probability = f64::from(row[best]).clamp(0.0, 1.0);
            let range = ((probability * RANGES as f64) as usize).min(RANGES - 1);
            let (count, sum, right) = &mut ranges[range];
            *count += 1.0;
            *sum += probability;
            *right += f64::from(u8::from(best == target as usize));
        }
        let samples = self.targets.len().max(1) as f64;
        let filled = ranges.into_iter().filter(|(count, ..)| *count > 0.0);
        let points: Vec<(f64, f64, f64)> =
            filled.map(|(count, sum, right)| (sum / count, right / count, count)).collect();
        let error: f64 = points.iter().map(|(said, is, count)| count * (said - is).abs() / samples).sum();
        let points = points.into_iter().map(|(said, is, _)| (said, is));
        CurveSeries::new("calibration", format!("model (expected error {error:.4})"), points)
    }
}

/// A curve with at most [`POINTS`] of its points and the last.
fn with_fewer_points(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let step = points.len().div_ceil(POINTS).max(1);
    let last = points.last().copied();
    let mut kept: Vec<_> = points.iter().copied().step_by(step).collect();
    if kept.last().copied() != last {
        kept.extend(last);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> ScoredSamples {
        let yes = [0.1, 0.4, 0.35, 0.8];
        let probabilities = yes.iter().flat_map(|yes| [1.0 - yes, *yes]).collect();
        ScoredSamples { classes: 2, probabilities, targets: vec![0, 0, 1, 1] }
    }

    /// The example of scikit-learn's documentation: an area of 0.75, an average precision of 0.83.
    #[test]
    fn areas_are_those_of_scikit_learn() {
        let roc = samples().roc(1, "yes");
        assert_eq!(roc.name, "yes (0.7500)");
        assert_eq!(roc.points, [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]);
        assert_eq!(samples().precision(1, "yes").name, "yes (0.8333)");
        assert_eq!(samples().drawn(), [1]);
    }

    #[test]
    fn calibration_and_numbers_that_do_not_fit() {
        let calibration = samples().calibration();
        assert_eq!(calibration.points.len(), 2);
        assert!(
            calibration
                .points
                .iter()
                .all(|(said, is)| (0.6..=0.9).contains(said) && (0.0..=1.0).contains(is))
        );
        let wrong = ScoredSamples { classes: 3, ..samples() };
        assert!(wrong.drawn().is_empty());
        assert!(ScoredSamples::default().drawn().is_empty());
    }

    #[test]
    fn long_curves_keep_their_ends() {
        let long: Vec<_> = (0..10_000).map(|x| (f64::from(x), 0.0)).collect();
        let kept = with_fewer_points(long);
        assert!(kept.len() <= POINTS + 1);
        assert_eq!((kept[0].0, kept[kept.len() - 1].0), (0.0, 9999.0));
    }
}
