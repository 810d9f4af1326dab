//! What a model file holds: the fields of its payload, in their order.

use bincode::{Decode, Encode};

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct Contents {
    /// The type of the parameters, `"f32"` or `"f64"`.
    pub number: String,
    /// The shape of a sample.
    pub input: Vec<usize>,
    /// The layers, outermost first: the path, what errors call it (before version 5, what `Debug` prints), and the shape of the
    /// output.
    pub layers: Vec<(String, String, Vec<usize>)>,
    /// The name and the shape of each parameter.
    pub entries: Vec<(String, Vec<usize>)>,
    /// The parameters, each in the bytes of its type.
    pub parameters: Vec<u8>,
    /// In a checkpoint, what else a training needs to resume with the same bits.
    pub training: Option<Training>,
    /// In a checkpoint of a training that stopped in the middle of an epoch, how far it is in it.
    pub position: Option<EpochPosition>,
    /// With a position, how much the samples that were trained on count: the sum of their weights.
    pub epoch_weight: Option<f64>,
    /// What the layers are, in the text form of [`Description`](chainrule_core::Description); nothing before version 5.
    pub description: Option<String>,
    /// In a checkpoint, what else its run has; nothing before version 6.
    pub record: Option<RunRecord>,
    /// What the program has noted of the model, by name; nothing before version 7.
    pub notes: Option<Vec<(String, String)>>,
}

/// What a checkpoint holds of its run, besides the state of the training.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct RunRecord {
    /// The number of steps that were left out since they would not have been finite.
    pub skipped: u64,
    /// How many of them came one after the other, up to now.
    pub skipped_in_a_row: u64,
    /// The epochs completed.
    pub epochs: Vec<EpochRecord>,
    /// The name of each callback that has a state, and the state.
    pub callbacks: Vec<(String, Vec<u8>)>,
    /// In the middle of an epoch, for each shard, the states that its layers carry from batch to batch, one after the other, each
    /// value in the bytes of its type.
    pub carried: Vec<Vec<u8>>,
    /// What the program has noted, by name.
    pub notes: Vec<(String, String)>,
}

/// What a checkpoint holds of an epoch.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct EpochRecord {
    /// The epoch, from 0.
    pub epoch: u64,
    /// The number of its samples.
    pub samples: u64,
    /// How long its training took.
    pub seconds: f64,
    /// Over the training samples.
    pub train: ScoreRecord,
    /// Over the validation samples.
    pub validation: Option<ScoreRecord>,
}

/// What a checkpoint holds of the scores of an epoch.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct ScoreRecord {
    /// The mean loss.
    pub loss: f64,
    /// The name of each metric, and its value if that is a number.
    pub metrics: Vec<(String, Option<f64>)>,
}

/// How far a training is in an epoch.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct EpochPosition {
    /// The number of samples that were trained on, the first in the order of the epoch; 0 between epochs.
    pub samples: u64,
    /// The number of batches that they made.
    pub batches: u64,
    /// The number of samples of the epoch.
    pub of: u64,
    /// The sum of the losses of the samples that were trained on, times their weights.
    pub loss: f64,
    /// How long their training took.
    pub seconds: f64,
    /// The name of each metric, and what it has counted; nothing if it cannot tell.
    pub metrics: Vec<(String, Vec<f64>)>,
}

/// The state of a training.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Training {
    /// The number of epochs completed.
    pub epoch: u64,
    /// The number of steps completed.
    pub step: u64,
    /// The trainer's seed.
    pub seed: u64,
    /// The number of samples in a batch.
    pub batch_size: u64,
    /// The number of shards of a batch.
    pub shards: u64,
    /// Whether the samples are shuffled for each epoch.
    pub shuffle: bool,
    /// The loss and the optimizer, as `Debug` prints them.
    pub setup: String,
    /// The optimizer's state, slot by slot, each value in the bytes of its type; then its numbers of the whole training, and those of
    /// a rate that is reduced when a quantity stops improving, in double precision.
    pub state: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::encoding::{DecodeError, decode, encode};

    fn contents() -> Contents {
        Contents {
            number: "f32".into(),
            input: vec![28, 28],
            layers: vec![("0".into(), "Dense".into(), vec![1]), ("1".into(), "é".into(), vec![])],
            entries: vec![("0.weight".into(), vec![784, 1])],
            parameters: vec![1, 2, 3],
            training: Some(Training {
                epoch: 1,
                step: 2,
                seed: u64::MAX,
                batch_size: 32,
                shards: 2,
                shuffle: true,
                setup: "sgd".into(),
                state: vec![9; 5],
            }),
            position: Some(EpochPosition {
                samples: 64,
                batches: 2,
                of: 100,
                loss: 0.5,
                seconds: f64::MIN_POSITIVE,
                metrics: vec![("accuracy".into(), vec![3.0, 64.0]), ("mine".into(), vec![])],
            }),
            description: Some("dense(units=1) then relu".into()),
            epoch_weight: Some(62.5),
            record: Some(RunRecord {
                skipped: 3,
                skipped_in_a_row: 1,
                epochs: vec![EpochRecord {
                    epoch: 0,
                    samples: 100,
                    seconds: 0.25,
                    train: ScoreRecord { loss: 0.5, metrics: vec![("accuracy".into(), Some(0.75))] },
                    validation: Some(ScoreRecord { loss: 0.75, metrics: vec![("auroc".into(), None)] }),
                }],
                callbacks: vec![("early_stopping".into(), vec![7; 3])],
                carried: vec![vec![1, 2], vec![]],
                notes: vec![("arguments".into(), "--seed 3".into())],
            }),
            notes: Some(vec![("classes".into(), "oak, elm".into()), (String::new(), String::new())]),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let plain = Contents {
            training: None,
            position: None,
            epoch_weight: None,
            description: None,
            record: None,
            notes: None,
            ..contents()
        };
        for contents in [plain, contents()] {
            let bytes = encode(&contents);
            assert_eq!(decode(&bytes), Ok(contents));
            for length in 0..bytes.len() {
                assert!(decode::<Contents>(&bytes[..length]).is_err(), "{length} bytes");
            }
            assert_eq!(decode::<Contents>(&[&bytes[..], &[0]].concat()), Err(DecodeError::Invalid));
        }
    }
}
