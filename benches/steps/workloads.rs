//! The networks and batch sizes that are measured.

use std::error::Error;

use chainrule::prelude::*;
use chainrule_cli::models::ModelName;
use clap::Args;

use super::baseline::Operation;
use super::samples::{SampleSet, Source};

/// The number of samples that batches are drawn from: that of MNIST, so that they do not stay in a cache.
pub(crate) const SAMPLES: usize = 60_000;

/// A network and a batch size that people train.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) batch: usize,
    /// The epochs of MNIST that it is compared with other frameworks over.
    pub(crate) epochs: u64,
    pub(crate) input: Shape,
    pub(crate) classes: usize,
    pub(crate) layers: Sequential<f32>,
    /// The products of the network, in the order of its layers.
    pub(crate) operations: Vec<Operation>,
}

/// All workloads. A new one takes a line here, a target in `targets.rs`, and for a new kind of network a function below.
pub(crate) fn workloads() -> Vec<Workload> {
    vec![
        Workload::dense("mlp32", &[784, 64, 64, 10], 32),
        Workload::dense("mlp128", &[784, 64, 64, 10], 128),
        Workload::dense("wide128", &[784, 512, 512, 10], 128),
        Workload::lenet("lenet64", 64),
        Workload::lstm("lstm64", 64),
        Workload::transformer("transformer64", 64),
        Workload::resnet("resnet64", 64),
        Workload::dense("tiny", &[4, 32, 16, 4], 32),
    ]
}

/// What is chosen for the trainers of all workloads.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Choices {
    /// The number of shards that a batch is split into [default: the trainer's].
    #[arg(long)]
    pub(crate) shards: Option<usize>,
    /// Measure trainings whose result is the same on every CPU.
    #[arg(long)]
    pub(crate) portable: bool,
}

impl Workload {
    /// Dense layers with ReLU between them; the first of the sizes is that of a sample.
    pub(crate) fn dense(name: &str, sizes: &[usize], batch: usize) -> Self {
        let inputs = sizes[0];
        let classes = sizes[sizes.len() - 1];
        let mut layers = Sequential::new().then(Flatten);
        for (index, &units) in sizes[1..].iter().enumerate() {
            layers = if index == 0 { layers } else { layers.then(Relu) }.then(Dense::new(units));
        }
        let operations = sizes.windows(2).map(|pair| Operation::dense(pair[0], pair[1])).collect();
        let digits = Self::of_digits(name, batch, layers, operations);
        if inputs == 784 { digits } else { Self { input: Shape::from([inputs]), classes, ..digits } }
    }

    /// LeNet-5.
    fn lenet(name: &str, batch: usize) -> Self {
        let operations = vec![
            Operation::Convolution { filters: 6, depth: 25, pixels: 28 * 28 },
            Operation::Convolution { filters: 16, depth: 6 * 25, pixels: 10 * 10 },
            Operation::dense(16 * 5 * 5, 120),
            Operation::dense(120, 84),
            Operation::dense(84, 10),
        ];
        Self { epochs: 2, ..Self::of_digits(name, batch, named(ModelName::Lenet), operations) }
    }

    /// An LSTM of 128 units over the rows of the image.
    fn lstm(name: &str, batch: usize) -> Self {
        let (steps, units, gates) = (28, 128, 4 * 128);
        let operations = vec![
            Operation::Dense { steps, inputs: 28, units: gates },
            Operation::Recurrence { steps, units, gates },
            Operation::dense(units, 10),
        ];
        Self { epochs: 2, ..Self::of_digits(name, batch, named(ModelName::Lstm), operations) }
    }

    /// A small vision transformer.
    fn transformer(name: &str, batch: usize) -> Self {
        let (patches, steps, width) = (16, 17, 64);
        let each = |inputs, units| Operation::Dense { steps, inputs, units };
        let block = [
            each(width, 3 * width),
            Operation::Attention { heads: 4, steps, width: width / 4 },
            each(width, width),
            each(width, 2 * width),
            each(2 * width, width),
        ];
        let mut operations = vec![Operation::Dense { steps: patches, inputs: 49, units: width }];
        operations.extend(block.iter().chain(&block));
        operations.push(Operation::dense(width, 10));
        Self { epochs: 2, ..Self::of_digits(name, batch, named(ModelName::Vit), operations) }
    }

    /// Eight convolutions of 3 by 3 in three residual blocks, and two of 1 by 1 beside them.
    fn resnet(name: &str, batch: usize) -> Self {
        let convolution = |channels: usize, kernel: usize, filters, rows: usize| Operation::Convolution {
            filters,
            depth: channels * kernel * kernel,
            pixels: rows * rows,
        };
        let mut operations = vec![convolution(1, 3, 16, 14)];
        operations.extend([convolution(16, 3, 16, 14); 2]);
        for (channels, filters, rows) in [(16, 32, 7), (32, 64, 4)] {
            operations.extend([
                convolution(channels, 1, filters, rows),
                convolution(channels, 3, filters, rows),
                convolution(filters, 3, filters, rows),
            ]);
        }
        operations.push(Operation::dense(64, 10));
        Self { epochs: 2, ..Self::of_digits(name, batch, named(ModelName::Resnet), operations) }
    }

    fn of_digits(name: &str, batch: usize, layers: Sequential<f32>, operations: Vec<Operation>) -> Self {
        let name = name.to_owned();
        let input = Shape::from([28, 28]);
        Self { name, batch, epochs: 5, input, classes: 10, layers, operations }
    }

    /// The operations of a step that are multiplications with columns of zeros, in a batch that uses this share of its columns: they
    /// are left out where the network begins with a dense layer.
    pub(crate) fn left_out(&self, used_columns: f64) -> f64 {
        match self.operations.first() {
            Some(&Operation::Dense { steps: 1, inputs, units }) => {
                // Forward, and the gradient of the weights.
                2.0 * 2.0 * (self.batch * inputs * units) as f64 * (1.0 - used_columns)
            }
            _ => 0.0,
        }
    }

    /// A trainer with the settings of the tutorial.
    pub(crate) fn trainer(
        &self,
        threads: usize,
        Choices { shards, portable }: Choices,
    ) -> Result<Trainer<f32, u8>, Box<dyn Error>> {
        let model = Model::new(self.input, self.layers.clone(), Seed(0))?;
        let trainer = Trainer::new(model, CrossEntropy, adam(1e-3).keras());
        Ok(trainer.batch_size(self.batch).shards(shards).threads(threads).portable(portable).metric(Accuracy))
    }

    /// Samples of its shape, as bytes: MNIST or the bundled digits, or random bytes if it takes no images.
    pub(crate) fn samples(&self, source: &Source) -> Result<SampleSet, Box<dyn Error>> {
        if self.input == Shape::from([28, 28]) {
            let images = source.images.clone().unwrap_or_else(|| digits(SAMPLES, Seed(1)));
            if !source.dense {
                return Ok(SampleSet::new(images));
            }
            let pixels = (0..images.count()).flat_map(|index| images.pixels(index));
            let pixels = pixels.map(|&pixel| pixel.max(1)).collect();
            let labels = images.labels().to_vec();
            return Ok(SampleSet::new(Images::new(self.input, pixels, labels, images.classes())?));
        }
        let mut rng = Seed(2).rng();
        let pixels = (0..SAMPLES * self.input.size()).map(|_| (256.0 * rng.uniform()) as u8).collect();
        let labels = (0..SAMPLES).map(|index| (index % self.classes) as u8).collect();
        Ok(SampleSet::new(Images::new(self.input, pixels, labels, self.classes)?))
    }
}

/// The layers of a network that `train-mnist` knows.
fn named(model: ModelName) -> Sequential<f32> {
    model.layers().expect("it has a description")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_can_be_planned_and_has_the_products_of_its_layers() {
        for workload in workloads() {
            let trainer = workload.trainer(1, Choices::default()).unwrap();
            let forward = |operation: &Operation| match *operation {
                Operation::Dense { steps, inputs, units } => 2 * steps * inputs * units,
                Operation::Convolution { filters, depth, pixels } => 2 * filters * depth * pixels,
                Operation::Recurrence { steps, units, gates } => 2 * steps * units * gates,
                Operation::Attention { heads, steps, width } => 4 * heads * steps * steps * width,
            };
            let flops: usize = workload.operations.iter().map(forward).sum();
            assert_eq!(trainer.model().plan().total_flops(), flops as u64, "{}", workload.name);
            assert_eq!(trainer.model().output().size(), workload.classes, "{}", workload.name);
        }
    }
}
