//! A part to train on and a part to test on.

use std::hash::Hash;

use chainrule_tensor::Seed;

use super::{Labels, TrainTest};
use crate::SplitError;

/// How many of `total` are in a part of this share: rounded, but neither none nor all.
fn part(share: f64, total: usize) -> Result<usize, SplitError> {
    if !(share > 0.0 && share < 1.0) {
        return Err(SplitError::Share(share));
    }
    match total.checked_sub(1) {
        Some(most @ 1..) => Ok(((share * total as f64).round() as usize).clamp(1, most)),
        _ => Err(SplitError::TooFew(total)),
    }
}

/// A random part of this share of the samples, rounded to a whole number, is tested on.
///
/// # Errors
///
/// [`SplitError`] if the share is not between 0 and 1, or there are fewer than two samples.
pub fn random(samples: usize, share: f64, seed: Seed) -> Result<TrainTest, SplitError> {
    let count = part(share, samples)?;
    let mut train: Vec<usize> = (0..samples).collect();
    seed.rng().shuffle(&mut train);
    let test = train.split_off(samples - count);
    Ok(TrainTest { train, test })
}

/// A random part of each class is tested on, so that both parts have the classes in the same shares, as in scikit-learn's
/// `train_test_split` with `stratify`.
///
/// The parts of the classes are rounded so that their sum is that of the whole (largest remainders), but each class has a sample in
/// each part.
///
/// # Errors
///
/// [`SplitError`] if the share is not between 0 and 1, or a class has fewer than two samples.
pub fn stratified<L: Eq + Hash>(classes: &[L], share: f64, seed: Seed) -> Result<TrainTest, SplitError> {
    let total = part(share, classes.len())?;
    let labels = Labels::new(classes);
    labels.check(2)?;
    let exact: Vec<f64> = labels.counts.iter().map(|&count| share * count as f64).collect();
    let mut counts: Vec<usize> = exact.iter().map(|exact| exact.floor() as usize).collect();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    let remainder = |label: usize| exact[label] - exact[label].floor();
    order.sort_by(|&a, &b| remainder(b).total_cmp(&remainder(a)));
    let rest = total.saturating_sub(counts.iter().sum());
    order.iter().take(rest).for_each(|&label| counts[label] += 1);
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (label, mut samples) in labels.samples().into_iter().enumerate() {
        seed.child(label as u64).rng().shuffle(&mut samples);
        let count = counts[label].clamp(1, samples.len() - 1);
        test.extend(samples.split_off(samples.len() - count));
        train.extend(samples);
    }
    // In no order of the classes.
    seed.child(u64::MAX).rng().shuffle(&mut train);
    seed.child(u64::MAX - 1).rng().shuffle(&mut test);
    Ok(TrainTest { train, test })
}

/// A random part of this share of the groups is tested on, and no group is in both parts, as in scikit-learn's
/// `GroupShuffleSplit`: for several samples of one patient, or of one place.
///
/// # Errors
///
/// [`SplitError`] if the share is not between 0 and 1, or there are fewer than two groups.
pub fn grouped<L: Eq + Hash>(groups: &[L], share: f64, seed: Seed) -> Result<TrainTest, SplitError> {
    let labels = Labels::new(groups);
    let found = labels.counts.len();
    if found < 2 {
        return Err(SplitError::Groups { groups: found, needed: 2 });
    }
    let groups = random(found, share, seed)?;
    let mut is_test = vec![false; found];
    groups.test.iter().for_each(|&group| is_test[group] = true);
    Ok(TrainTest::of(|sample| is_test[labels.of_samples[sample]], labels.of_samples.len()))
}

/// The last part of this share in time is tested on, so that a model is tested on what comes after all that it has seen. Both parts
/// are in order of time, and samples of one time are in one part.
///
/// # Errors
///
/// [`SplitError`] if the share is not between 0 and 1, a time is NaN, or there are fewer than two different times.
pub fn by_time(times: &[f64], share: f64) -> Result<TrainTest, SplitError> {
    let count = part(share, times.len())?;
    if let Some(sample) = times.iter().position(|time| time.is_nan()) {
        return Err(SplitError::Time { sample });
    }
    let mut train: Vec<usize> = (0..times.len()).collect();
    train.sort_by(|&a, &b| times[a].total_cmp(&times[b]));
    let time = |index: usize| times[train[index]];
    let boundary = times.len() - count;
    // The nearest boundary between two times.
    let differ = |&index: &usize| time(index - 1) != time(index);
    let before = (1..=boundary).rev().find(differ);
    let after = (boundary + 1..times.len()).find(differ);
    let boundary = match (before, after) {
        (Some(before), Some(after)) if after - boundary < boundary - before => after,
        (Some(before), _) => before,
        (None, Some(after)) => after,
        (None, None) => return Err(SplitError::OneTime),
    };
    let test = train.split_off(boundary);
    Ok(TrainTest { train, test })
}
