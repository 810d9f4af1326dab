//! The networks and batch sizes that are measured.

use std::error::Error;
use std::ops::Range;

use chainrule::prelude::*;

use super::floor::Stage;
use crate::models;

/// How many samples there are to draw batches from: as many as MNIST has, so that they do not stay in a cache.
pub(crate) const SAMPLES: usize = 60_000;

/// A network and a batch size that people train.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) name: String,
    pub(crate) batch: usize,
    /// How many epochs of MNIST it is compared over.
    pub(crate) epochs: u64,
    pub(crate) input: Shape,
    pub(crate) classes: usize,
    pub(crate) layers: Sequential<f32>,
    /// The products of the network, in the order of its layers.
    pub(crate) stages: Vec<Stage>,
}

/// All works, by name. A new one is a line here, a mark in `marks.rs`, and where it is a new kind of network a
/// function below.
pub(crate) fn works() -> Vec<Work> {
    vec![
        Work::dense("mlp32", &[784, 64, 64, 10], 32),
        Work::dense("mlp128", &[784, 64, 64, 10], 128),
        Work::dense("wide128", &[784, 512, 512, 10], 128),
        Work::lenet("lenet64", 64),
        Work::lstm("lstm64", 64),
        Work::transformer("transformer64", 64),
        Work::dense("tiny", &[4, 32, 16, 4], 32),
    ]
}

impl Work {
    /// Dense layers of these sizes, the first of which is that of a sample, with ReLU between them.
    pub(crate) fn dense(name: &str, sizes: &[usize], batch: usize) -> Self {
        let (inputs, classes) = (sizes[0], sizes[sizes.len() - 1]);
        let mut layers = Sequential::new().then(Flatten);
        for (index, &units) in sizes[1..].iter().enumerate() {
            layers = if index == 0 { layers } else { layers.then(Relu) }.then(Dense::new(units));
        }
        let stages = sizes.windows(2).map(|pair| Stage::dense(pair[0], pair[1])).collect();
        let digits = Self::of_digits(name, batch, layers, stages);
        if inputs == 784 { digits } else { Self { input: Shape::from([inputs]), classes, ..digits } }
    }

    /// LeNet-5.
    fn lenet(name: &str, batch: usize) -> Self {
        let stages = vec![
            Stage::Convolution { filters: 6, depth: 25, pixels: 28 * 28 },
            Stage::Convolution { filters: 16, depth: 6 * 25, pixels: 10 * 10 },
            Stage::dense(16 * 5 * 5, 120),
            Stage::dense(120, 84),
            Stage::dense(84, 10),
        ];
        Self { epochs: 2, ..Self::of_digits(name, batch, models::lenet(), stages) }
    }

    /// An LSTM of 128 units over the rows of the image.
    fn lstm(name: &str, batch: usize) -> Self {
        let (steps, units, gates) = (28, 128, 4 * 128);
        let stages = vec![
            Stage::Dense { steps, inputs: 28, units: gates },
            Stage::Recurrence { steps, units, gates },
            Stage::dense(units, 10),
        ];
        Self { epochs: 1, ..Self::of_digits(name, batch, models::lstm(), stages) }
    }

    /// A small vision transformer.
    fn transformer(name: &str, batch: usize) -> Self {
        let (patches, steps, width) = (16, 17, 64);
        let each = |inputs, units| Stage::Dense { steps, inputs, units };
        let block = [
            each(width, 3 * width),
            Stage::Attention { heads: 4, steps, width: width / 4 },
            each(width, width),
            each(width, 2 * width),
            each(2 * width, width),
        ];
        let mut stages = vec![Stage::Dense { steps: patches, inputs: 49, units: width }];
        stages.extend(block.iter().chain(&block));
        stages.push(Stage::dense(width, 10));
        Self { epochs: 1, ..Self::of_digits(name, batch, models::vit(), stages) }
    }

    fn of_digits(name: &str, batch: usize, layers: Sequential<f32>, stages: Vec<Stage>) -> Self {
        let (name, input) = (name.to_owned(), Shape::from([28, 28]));
        Self { name, batch, epochs: 5, input, classes: 10, layers, stages }
    }

    /// A trainer as the tutorial has it.
    pub(crate) fn trainer(
        &self,
        threads: usize,
        shards: Option<usize>,
    ) -> Result<Trainer<f32, u8>, Box<dyn Error>> {
        let model = Model::new(self.input, self.layers.clone(), Seed(0))?;
        let trainer = Trainer::new(model, CrossEntropy::default(), adam(1e-3).keras());
        Ok(trainer.batch_size(self.batch).shards(shards).threads(threads).metric(Accuracy::default()))
    }

    /// Samples of its shape, in bytes: the bundled digits, or bytes at random where it takes no images.
    pub(crate) fn samples(&self) -> Result<Samples, Box<dyn Error>> {
        if self.input == Shape::from([28, 28]) {
            return Ok(Samples::new(digits(SAMPLES, Seed(1))));
        }
        let mut rng = Seed(2).rng();
        let pixels = (0..SAMPLES * self.input.size()).map(|_| (256.0 * rng.uniform()) as u8).collect();
        let labels = (0..SAMPLES).map(|index| (index % self.classes) as u8).collect();
        Ok(Samples::new(Images::new(self.input, pixels, labels, self.classes)?))
    }
}

/// Samples to draw batches from.
pub(crate) struct Samples {
    images: Images,
    /// The indices of all twice over, far apart from one to the next: windows are cut from them.
    scattered: Vec<u32>,
}

/// A prime that does not divide the number of samples.
const STRIDE: usize = 7_919;

impl Samples {
    fn new(images: Images) -> Self {
        let count = images.count();
        let scattered = (0..2 * count).map(|index| (index * STRIDE % count) as u32).collect();
        Self { images, scattered }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.images.count()
    }

    fn shape(&self) -> Shape {
        self.images.image_shape()
    }

    /// Those at these places of a list in which all stand twice.
    pub(crate) fn window(&self, places: Range<usize>) -> Window<'_> {
        Window { images: &self.images, samples: &self.scattered[places] }
    }
}

/// The samples for some works: those of one shape share theirs.
pub(crate) struct Data(Vec<Samples>);

impl Data {
    pub(crate) fn of_all(works: &[Work]) -> Result<Self, Box<dyn Error>> {
        let mut all: Vec<Samples> = Vec::new();
        for work in works {
            if all.iter().all(|samples| samples.shape() != work.input) {
                all.push(work.samples()?);
            }
        }
        Ok(Self(all))
    }

    /// Those for one of the works.
    pub(crate) fn of(&self, work: &Work) -> &Samples {
        self.0.iter().find(|samples| samples.shape() == work.input).expect("made for all works")
    }
}

/// Some of the samples, from all over the memory that holds them, so that an epoch of a few thousand finds them in as
/// few caches as an epoch of all.
pub(crate) struct Window<'a> {
    images: &'a Images,
    /// Which.
    samples: &'a [u32],
}

impl Window<'_> {
    #[inline]
    fn index(&self, index: usize) -> usize {
        self.samples[index] as usize
    }
}

impl Dataset<f32> for Window<'_> {
    type Target = u8;

    fn len(&self) -> usize {
        self.samples.len()
    }

    fn shape(&self) -> Shape {
        self.images.image_shape()
    }

    fn read(&self, index: usize, row: &mut [f32]) -> u8 {
        self.images.read(self.index(index), row)
    }

    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [f32], row: &mut [f32]) -> u8 {
        self.images.read_part(self.index(index), columns, part, row)
    }

    fn prefetch(&self, index: usize, columns: Range<usize>) {
        Dataset::<f32>::prefetch(self.images, self.index(index), columns);
    }

    fn classes(&self) -> Option<usize> {
        Some(self.images.classes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_takes_each_sample_once() {
        let work = Work::dense("tiny", &[4, 3], 32);
        let samples = work.samples().unwrap();
        let window = samples.window(12_345..12_345 + SAMPLES);
        let mut seen = vec![false; SAMPLES];
        (0..SAMPLES).for_each(|index| seen[window.index(index)] = true);
        assert!(seen.into_iter().all(|seen| seen));
    }

    #[test]
    fn every_work_can_be_planned_and_its_products_are_the_layers_own() {
        for work in works() {
            let trainer = work.trainer(1, None).unwrap();
            let forward = |stage: &Stage| match *stage {
                Stage::Dense { steps, inputs, units } => 2 * steps * inputs * units,
                Stage::Convolution { filters, depth, pixels } => 2 * filters * depth * pixels,
                Stage::Recurrence { steps, units, gates } => 2 * steps * units * gates,
                Stage::Attention { heads, steps, width } => 4 * heads * steps * steps * width,
            };
            let flops: usize = work.stages.iter().map(forward).sum();
            assert_eq!(trainer.model().plan().total_flops(), flops as u64, "{}", work.name);
            assert_eq!(trainer.model().output().size(), work.classes, "{}", work.name);
        }
    }
}
