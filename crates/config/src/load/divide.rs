//! Dividing samples into those for training, validation and test.

use chainrule::data::SplitError;
use chainrule::data::split::{self, TrainTest};
use chainrule::tensor::Seed;

use crate::error::ConfigError;
use crate::location::Located;
use crate::split_section::{HeldOut, SplitMethod, SplitSection};

/// The indices of the samples of each part; validation and test are empty where they are nothing, or files of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Divided {
    pub(super) train: Vec<usize>,
    pub(super) validation: Vec<usize>,
    pub(super) test: Vec<usize>,
}

/// What samples are divided by.
pub(super) enum SplitKeys {
    /// Nothing.
    Nothing,
    /// The class of each sample, or the group.
    Labels(Vec<u64>),
    /// The time of each.
    Times(Vec<f64>),
}

/// Divides so many samples. The part that is tested on comes first, so that it is the same whatever is validated on.
pub(super) fn divide(samples: usize, keys: &SplitKeys, split: &SplitSection) -> Result<Divided, ConfigError> {
    let share = |part: &HeldOut| match part {
        HeldOut::Share(share) => *share,
        HeldOut::Nothing | HeldOut::Files(_) => 0.0,
    };
    let Located { value: method, at } = &split.method;
    let failed = |source| ConfigError::Split { at: at.clone(), source };
    let [validation, test] = [share(&split.validation), share(&split.test)];
    let all: Vec<usize> = (0..samples).collect();
    let (rest, tested) = part(&all, keys, test, method, Seed(split.seed).child(0)).map_err(failed)?;
    let left = validation / (1.0 - test);
    let (trained, validated) = part(&rest, keys, left, method, Seed(split.seed).child(1)).map_err(failed)?;
    Ok(Divided { train: trained, validation: validated, test: tested })
}

/// These samples without a share of them, and that share.
fn part(
    samples: &[usize],
    keys: &SplitKeys,
    share: f64,
    method: &SplitMethod,
    seed: Seed,
) -> Result<(Vec<usize>, Vec<usize>), SplitError> {
    if share == 0.0 {
        return Ok((samples.to_vec(), Vec::new()));
    }
    let TrainTest { train, test } = match (method, keys) {
        (SplitMethod::Stratified, SplitKeys::Labels(labels)) => {
            let labels: Vec<u64> = samples.iter().map(|&sample| labels[sample]).collect();
            split::stratified(&labels, share, seed)?
        }
        (SplitMethod::Grouped(_), SplitKeys::Labels(labels)) => {
            let labels: Vec<u64> = samples.iter().map(|&sample| labels[sample]).collect();
            split::grouped(&labels, share, seed)?
        }
        (_, SplitKeys::Times(times)) => {
            let times: Vec<f64> = samples.iter().map(|&sample| times[sample]).collect();
            split::by_time(&times, share)?
        }
        _ => split::random(samples.len(), share, seed)?,
    };
    let of = |indices: Vec<usize>| indices.into_iter().map(|index| samples[index]).collect();
    Ok((of(train), of(test)))
}
