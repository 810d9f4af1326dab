//! What a model file holds: the fields of its payload, in their order.

use std::io::{self, Write};

use chainrule_tensor::Real;

use super::encoding::{DecodeError, Encode, Source, decode_part, decode_small, encoded};
use crate::numbers;

/// What a file holds. `P` is what has the parameters: their bytes, or something else that is written as these are.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents<P = Vec<u8>> {
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
    pub parameters: P,
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

impl<P> Contents<P> {
    /// Reads what a file holds. `parameters` reads the parameters, of the type with this name.
    pub(crate) fn decode<S: Source, E: From<DecodeError>>(
        source: &mut S,
        parameters: impl Fn(&str, &mut S) -> Result<P, E>,
    ) -> Result<Self, E> {
        let (number, input, layers, entries): (String, _, _, _) = decode_small(source)?;
        let parameters = parameters(&number, source)?;
        let (training, position, epoch_weight, description, record, notes) = decode_part(source)?;
        Ok(Self {
            number,
            input,
            layers,
            entries,
            parameters,
            training,
            position,
            epoch_weight,
            description,
            record,
            notes,
        })
    }
}

impl<P: Encode> Encode for Contents<P> {
    fn encode(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { number, input, layers, entries, parameters, .. } = self;
        let Self { training, position, epoch_weight, description, record, notes, .. } = self;
        (number, input, layers, entries).encode(out)?;
        parameters.encode(out)?;
        (training, position, epoch_weight, description, record, notes).encode(out)
    }
}

/// The most parameters whose bytes are in memory at once.
pub(super) const CHUNK: usize = 1 << 15;

/// The parameters of a model, written as their bytes without a second copy of them.
pub(crate) struct Parameters<'a, T>(pub(crate) &'a [T]);

impl<T: Real> Encode for Parameters<'_, T> {
    fn encode(&self, out: &mut dyn Write) -> io::Result<()> {
        size_of_val(self.0).encode(out)?;
        let mut bytes = Vec::new();
        self.0.chunks(CHUNK).try_for_each(|values| {
            bytes.clear();
            numbers::append(values, &mut bytes);
            out.write_all(&bytes)
        })
    }
}

encoded! {
    /// What a checkpoint holds of its run, besides the state of the training.
    #[derive(Clone, Debug, Default, PartialEq)]
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
    #[derive(Clone, Debug, Default, PartialEq)]
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
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct ScoreRecord {
        /// The mean loss.
        pub loss: f64,
        /// The name of each metric, and its value if that is a number.
        pub metrics: Vec<(String, Option<f64>)>,
    }

    /// How far a training is in an epoch.
    #[derive(Clone, Debug, Default, PartialEq)]
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
    #[derive(Clone, Debug, PartialEq, Eq)]
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::encoding::encode;

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
        let decode = |mut bytes: &[u8]| {
            let contents = Contents::decode(&mut bytes, |number, source| {
                assert_eq!(number, "f32");
                decode_part(source)
            });
            contents.map(|contents: Contents| (contents, bytes.len()))
        };
        for contents in [plain, contents()] {
            let bytes = encode(&contents);
            for length in 0..bytes.len() {
                assert_eq!(decode(&bytes[..length]), Err(DecodeError::Invalid), "{length} bytes");
            }
            assert_eq!(decode(&[&bytes[..], &[0]].concat()), Ok((contents.clone(), 1)));
            assert_eq!(decode(&bytes), Ok((contents, 0)));
        }
    }

    #[test]
    fn parameters_are_written_as_their_bytes() {
        for len in [0, 1, CHUNK, 2 * CHUNK + 3] {
            let values: Vec<f32> = (0..len).map(|index| index as f32 - 0.5).collect();
            assert_eq!(encode(&Parameters(&values)), encode(&numbers::bytes(&values)), "{len}");
        }
        assert_eq!(encode(&Parameters(&[1.5f64])), encode(&1.5f64.to_le_bytes().to_vec()));
    }
}
