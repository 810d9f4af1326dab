//! `chainrule train-mnist`: the tutorial's network, on real digits.

use std::error::Error;
use std::path::PathBuf;

use chainrule::data::Batches;
use chainrule::prelude::*;
use chainrule::tensor::blas;
use clap::Args;
use ndarray::Array2;

use crate::choices::{Activation, InitName, LossName, OptimizerName, ScheduleName};
use crate::dataset::{self, DatasetName};
use crate::models::ModelName;
use crate::peak;
use crate::progress::Progress;
use crate::report::{Blas, Epoch, Report};

/// How many test samples are predicted at a time.
const ROWS: usize = 500;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Which network.
    #[arg(long, value_enum, default_value_t = ModelName::Mlp)]
    model: ModelName,
    /// How many times to go through the training set [default: what suits the network, 5 for the tutorial's].
    #[arg(long)]
    epochs: Option<u64>,
    /// How many samples a step takes [default: what suits the network, 32 for the tutorial's].
    #[arg(long)]
    batch_size: Option<usize>,
    /// The units of the hidden layers of the network `mlp`, such as 128,64 [default: 64,64].
    #[arg(long, value_delimiter = ',')]
    hidden: Option<Vec<usize>>,
    /// The activation of its hidden layers [default: relu].
    #[arg(long, value_enum)]
    activation: Option<Activation>,
    /// How its weights start [default: glorot].
    #[arg(long, value_enum)]
    init: Option<InitName>,
    /// What is minimised.
    #[arg(long, value_enum, default_value_t = LossName::CrossEntropy)]
    loss: LossName,
    /// How it descends.
    #[arg(long, value_enum, default_value_t = OptimizerName::Adam)]
    optimizer: OptimizerName,
    /// The learning rate [default: the optimizer's].
    #[arg(long, allow_negative_numbers = true)]
    lr: Option<f64>,
    /// How the learning rate changes; the tutorial in Keras is `--schedule constant --lr 0.001`.
    #[arg(long, value_enum, default_value_t = ScheduleName::Cosine)]
    schedule: ScheduleName,
    /// The seed of the first weights and of shuffling.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many threads may work; no part of the result [default: all cores].
    #[arg(long)]
    threads: Option<usize>,
    /// Into how many parts a batch is cut: bounds the threads that can work, and is part of the result's last
    /// bits [default: 2, or 1 where a step is too short for two].
    #[arg(long)]
    shards: Option<usize>,
    /// A directory with the four MNIST files [default: CHAINRULE_DATA, else the cache, else a download].
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// The data set [default: MNIST, or the bundled digits where MNIST cannot be had].
    #[arg(long, value_enum)]
    dataset: Option<DatasetName>,
    /// Write the report as JSON to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where to save the model.
    #[arg(long, default_value = "mnist.chainrule")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let found = dataset::find(arguments.dataset, arguments.data_dir.as_deref())?;
    let (name, train, test) = (found.name, &found.train, &found.test);
    let threads = match arguments.threads {
        Some(threads) => threads,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let (epochs, batch_size) = arguments.model.defaults();
    let (epochs, batch_size) =
        (arguments.epochs.unwrap_or(epochs), arguments.batch_size.unwrap_or(batch_size));
    let model = Model::new(Dataset::<f32>::shape(train), layers(arguments)?, Seed(arguments.seed))?;
    let library = blas::Blas::current();
    eprintln!("{}\n", model.summary());
    let steps = Dataset::<f32>::len(train).div_ceil(batch_size.max(1)) as u64 * epochs;
    let optimizer = arguments.optimizer.build(arguments.lr, arguments.schedule, steps.max(1));
    let mut trainer = Trainer::new(model, arguments.loss.build(), optimizer)
        .batch_size(batch_size)
        .shards(arguments.shards)
        .threads(threads)
        .seed(Seed(arguments.seed))
        .metric(Accuracy::default())
        .callback(Progress::new());
    let shards = trainer.shard_count();
    // A shard is one thread's work.
    let working = threads.min(shards);
    eprintln!(
        "{library}, 1 thread a product, {:.0} GFLOP/s; training on {working} of {threads} threads, {shards} shards",
        peak::glimpse()
    );
    let history = trainer.fit(train, epochs)?;
    let scores = trainer.evaluate(test)?;
    let model = trainer.model();
    let matrix = confusion(model, test)?;
    let epoch = |report: &chainrule::train::EpochReport| Epoch {
        loss: report.train.loss,
        accuracy: report.train.metric("accuracy").unwrap_or(f64::NAN),
        seconds: report.seconds,
    };
    let report = Report {
        dataset: name.to_owned(),
        samples: Dataset::<f32>::len(train),
        train_seconds: history.epochs.iter().map(|report| report.seconds).sum(),
        epochs: history.epochs.iter().map(epoch).collect(),
        test_loss: scores.loss,
        test_accuracy: scores.metric("accuracy").unwrap_or(f64::NAN),
        confusion: matrix.counts().rows().into_iter().map(|row| row.to_vec()).collect(),
        parameters: model.parameters().len(),
        params_sha256: model.parameters_sha256(),
        seed: arguments.seed,
        threads,
        shards,
        blas: Blas { name: library.name.to_owned(), version: library.version, kernel: library.kernel },
        matrix,
    };
    model.save(&arguments.out)?;
    if let Some(path) = &arguments.json {
        report.write(path)?;
    }
    println!("\n{report}");
    println!("saved       {}", arguments.out.display());
    if let Some(warning) = found.warning {
        println!("\n{warning}");
    }
    Ok(())
}

/// The layers that are asked for.
fn layers(arguments: &Arguments) -> Result<Sequential<f32>, String> {
    let Arguments { model, hidden, activation, init, .. } = arguments;
    if let Some(layers) = model.layers() {
        let set =
            [("hidden", hidden.is_some()), ("activation", activation.is_some()), ("init", init.is_some())];
        return match set.into_iter().find(|(_, set)| *set) {
            None => Ok(layers),
            Some((name, _)) => {
                Err(format!("--{name} is for the network mlp: leave it out, or choose --model mlp"))
            }
        };
    }
    let (activation, init) = (activation.unwrap_or(Activation::Relu), init.unwrap_or(InitName::Glorot));
    let mut layers = Sequential::new().then(Flatten);
    for &units in hidden.as_deref().unwrap_or(&[64, 64]) {
        layers = activation.after(layers.then(init.dense(units)));
    }
    Ok(layers.then(init.dense(10)))
}

/// Counts what the model takes each test sample for.
fn confusion(model: &Model<f32>, test: &Images) -> Result<ConfusionMatrix, Box<dyn Error>> {
    let mut matrix = ConfusionMatrix::new(10);
    let mut batches = Batches::new(Dataset::<f32>::len(test), ROWS, None)?;
    batches.epoch(0);
    for batch in batches.iter() {
        let mut x = Array2::zeros((batch.len(), model.input().size()));
        let targets: Vec<u8> = x
            .rows_mut()
            .into_iter()
            .zip(batch)
            .filter_map(|(row, &index)| Some(test.read(index as usize, row.into_slice()?)))
            .collect();
        matrix.update(model.predict(x.view())?.view(), &targets);
    }
    Ok(matrix)
}
