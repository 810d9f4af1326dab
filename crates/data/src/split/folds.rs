//! Folds for cross-validation: each sample is tested on once.

use std::hash::Hash;

use chainrule_tensor::Seed;

use super::{Labels, TrainTest};
use crate::SplitError;

/// Folds of equal size, but for one sample, as scikit-learn's `KFold`: in order, or shuffled with a seed.
///
/// # Errors
///
/// [`SplitError::Folds`] if there are fewer than two folds, or fewer samples than folds.
pub fn k_fold(samples: usize, folds: usize, shuffle: Option<Seed>) -> Result<Vec<TrainTest>, SplitError> {
    check(folds, samples)?;
    let mut order: Vec<usize> = (0..samples).collect();
    if let Some(seed) = shuffle {
        seed.rng().shuffle(&mut order);
    }
    let mut fold_of = vec![0; samples];
    let mut start = 0;
    for fold in 0..folds {
        let size = samples / folds + usize::from(fold < samples % folds);
        order[start..start + size].iter().for_each(|&sample| fold_of[sample] = fold);
        start += size;
    }
    Ok(parts(&fold_of, folds))
}

/// Folds with the classes in the same shares, as scikit-learn's `StratifiedKFold`: in order, or shuffled with a seed.
///
/// # Errors
///
/// [`SplitError`] if there are fewer than two folds, or a class has fewer samples than there are folds.
pub fn stratified_k_fold<L: Eq + Hash>(
    classes: &[L],
    folds: usize,
    shuffle: Option<Seed>,
) -> Result<Vec<TrainTest>, SplitError> {
    check(folds, classes.len())?;
    let labels = Labels::new(classes);
    labels.check(folds)?;
    // The samples sorted by class are dealt out to the folds in turn: so many of each class go to each fold.
    let mut position = 0;
    let mut fold_of = vec![0; classes.len()];
    for (label, samples) in labels.samples().into_iter().enumerate() {
        let end = position + samples.len();
        let mut of_class: Vec<usize> = (position..end).map(|position| position % folds).collect();
        of_class.sort_unstable();
        if let Some(seed) = shuffle {
            seed.child(label as u64).rng().shuffle(&mut of_class);
        }
        samples.into_iter().zip(of_class).for_each(|(sample, fold)| fold_of[sample] = fold);
        position = end;
    }
    Ok(parts(&fold_of, folds))
}

/// Folds such that no group is in two of them, as scikit-learn's `GroupKFold`: the largest group first, each goes to the fold that
/// has the fewest samples so far.
///
/// # Errors
///
/// [`SplitError`] if there are fewer than two folds, or fewer groups than folds.
pub fn group_k_fold<L: Ord>(groups: &[L], folds: usize) -> Result<Vec<TrainTest>, SplitError> {
    check(folds, groups.len())?;
    let mut sorted: Vec<usize> = (0..groups.len()).collect();
    sorted.sort_by(|&a, &b| groups[a].cmp(&groups[b]));
    let mut members: Vec<Vec<usize>> = Vec::new();
    for sample in sorted {
        match members.last_mut() {
            Some(group) if groups[group[0]] == groups[sample] => group.push(sample),
            _ => members.push(vec![sample]),
        }
    }
    if members.len() < folds {
        return Err(SplitError::Groups { groups: members.len(), needed: folds });
    }
    // Of equal ones the last first, as scikit-learn does.
    members.sort_by_key(Vec::len);
    let mut sizes = vec![0; folds];
    let mut fold_of = vec![0; groups.len()];
    for group in members.iter().rev() {
        let lightest = (0..folds).min_by_key(|&fold| sizes[fold]).unwrap_or_default();
        sizes[lightest] += group.len();
        group.iter().for_each(|&sample| fold_of[sample] = lightest);
    }
    Ok(parts(&fold_of, folds))
}

fn check(folds: usize, samples: usize) -> Result<(), SplitError> {
    if folds < 2 || samples < folds { Err(SplitError::Folds { folds, samples }) } else { Ok(()) }
}

/// For each fold the samples that are in it and those that are not, in order.
fn parts(fold_of: &[usize], folds: usize) -> Vec<TrainTest> {
    (0..folds).map(|fold| TrainTest::of(|sample| fold_of[sample] == fold, fold_of.len())).collect()
}
