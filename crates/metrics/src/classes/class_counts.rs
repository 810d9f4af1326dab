//! The samples of each class, of which most metrics of classes are made.

use crate::{Counts, Decided, Task, Undefined};

/// How many samples are of each class, were taken for it, and both; of labels, how many have each. They are weights, so a sample
/// of the weight 2 counts as two.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassCounts {
    task: Task,
    /// Of each class: the samples that are of it and were found to be, those that were found to be, and those that are.
    classes: Vec<[f64; 3]>,
    /// Of all samples that have a class and for which one was found: the sum of `|i - j|` and of `(i - j)²` over true classes i
    /// and found ones j.
    distances: [f64; 2],
    /// All samples; of labels, all rows.
    total: f64,
    /// How many samples, or labels, have an output that is NaN; they are not among the classes.
    nans: f64,
}

/// The samples as one class sees them: those that are of it and those that are not, by what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OneClass {
    /// Of the class, and found to be.
    pub true_positives: f64,
    /// Not of the class, but found to be.
    pub false_positives: f64,
    /// Of the class, but not found to be.
    pub false_negatives: f64,
    /// Neither of the class nor found to be.
    pub true_negatives: f64,
}

impl ClassCounts {
    /// Prepares for outputs that decide this. The counts grow with the outputs, but never with a label.
    pub fn prepare(&mut self, task: Task) {
        let classes = match task {
            Task::Binary => 2,
            Task::Classes(classes) | Task::Labels(classes) => classes,
        };
        self.task = task;
        if classes > self.classes.len() {
            self.classes.resize(classes, [0.0; 3]);
        }
    }

    /// Counts a row, or one of its labels.
    #[inline]
    pub fn add(&mut self, Decided { label, truth, found, weight }: Decided) {
        if label == 0 {
            self.total += weight;
        }
        let Some((truth, found)) = truth.zip(found) else {
            self.nans += weight;
            return;
        };
        if let Task::Labels(_) = self.task {
            let [both, was_found, is] = &mut self.classes[label];
            *both += weight * (truth * found) as f64;
            *was_found += weight * found as f64;
            *is += weight * truth as f64;
            return;
        }
        self.classes[found][1] += weight;
        // A label that is wild has no class.
        if let Some([_, _, is]) = self.classes.get_mut(truth) {
            *is += weight;
        }
        if truth == found {
            self.classes[found][0] += weight;
        } else {
            let distance = truth.abs_diff(found) as f64;
            self.distances[0] += weight * distance;
            self.distances[1] += weight * distance * distance;
        }
    }

    /// What was decided.
    pub fn task(&self) -> Task {
        self.task
    }

    /// Why no figure of the classes is defined, if there is no sample, or an output that is NaN.
    ///
    /// # Errors
    ///
    /// [`Undefined`] with the reason.
    pub fn check(&self) -> Result<(), Undefined> {
        match (self.total, self.nans) {
            (0.0, _) => Err(Undefined::NO_SAMPLE),
            (_, 0.0) => Ok(()),
            _ => Err(Undefined::NAN),
        }
    }

    /// All samples; of labels, all rows.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// The samples as each class, or each label, sees them. Of a single output these are no, 0, and yes, 1.
    pub fn each_class(&self) -> impl Iterator<Item = OneClass> + '_ {
        self.classes.iter().map(|&[both, found, is]| OneClass {
            true_positives: both,
            false_positives: found - both,
            false_negatives: is - both,
            true_negatives: self.total - found - is + both,
        })
    }

    /// The sum of `|i - j|` and of `(i - j)²` over true classes i and found ones j.
    pub(crate) fn distances(&self) -> [f64; 2] {
        self.distances
    }
}

impl OneClass {
    /// The samples that are of the class.
    pub fn support(&self) -> f64 {
        self.true_positives + self.false_negatives
    }
}

impl std::ops::Add for OneClass {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            true_positives: self.true_positives + other.true_positives,
            false_positives: self.false_positives + other.false_positives,
            false_negatives: self.false_negatives + other.false_negatives,
            true_negatives: self.true_negatives + other.true_negatives,
        }
    }
}

impl Counts for ClassCounts {
    fn merge(&mut self, other: &Self) {
        if other.classes.len() >= self.classes.len() {
            self.prepare(other.task);
        }
        for (mine, theirs) in self.classes.iter_mut().flatten().zip(other.classes.iter().flatten()) {
            *mine += theirs;
        }
        self.distances = [0, 1].map(|power| self.distances[power] + other.distances[power]);
        self.total += other.total;
        self.nans += other.nans;
    }

    fn scale(&mut self, weight: f64) {
        self.classes.iter_mut().flatten().for_each(|count| *count *= weight);
        self.distances = self.distances.map(|sum| sum * weight);
        self.total *= weight;
        self.nans *= weight;
    }

    fn reset(&mut self) {
        self.classes.fill([0.0; 3]);
        self.distances = [0.0; 2];
        self.total = 0.0;
        self.nans = 0.0;
    }

    fn numbers(&self) -> Vec<f64> {
        let task = match self.task {
            Task::Binary => 0.0,
            Task::Classes(_) => 1.0,
            Task::Labels(_) => 2.0,
        };
        let [first, second] = self.distances;
        let sums = [task, self.total, self.nans, first, second];
        sums.into_iter().chain(self.classes.iter().flatten().copied()).collect()
    }

    fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let (&[task, total, nans, first, second], classes) = numbers.split_first_chunk()?;
        let (classes, rest) = classes.as_chunks();
        let task = match task {
            0.0 => Task::Binary,
            1.0 => Task::Classes(classes.len()),
            2.0 => Task::Labels(classes.len()),
            _ => return None,
        };
        rest.is_empty().then(|| Self {
            task,
            classes: classes.to_vec(),
            distances: [first, second],
            total,
            nans,
        })
    }
}
