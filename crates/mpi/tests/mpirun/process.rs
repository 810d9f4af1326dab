//! What a process does that `mpirun` has started.

use std::env;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chainrule_core::Sequential;
use chainrule_data::{Dataset, Images, Samples, digits};
use chainrule_layers::{BatchNorm, Conv2d, Dense, Dropout, Embedding, Flatten, MaxPool2d, Relu, Reshape};
use chainrule_losses::CrossEntropy;
use chainrule_metrics::Accuracy;
use chainrule_mpi::MpiGroup;
use chainrule_optim::{ClipByGlobalNorm, adam};
use chainrule_tensor::{Seed, Shape};
use chainrule_train::callbacks::Checkpoints;
use chainrule_train::{Event, Fit, Group, Model, TrainError, Trainer};

/// What this program says before the hash of the parameters and the scores.
pub(crate) const RESULT: &str = "result:";

/// What it says when a training that is cut off is under way.
pub(crate) const BEGUN: &str = "begun";

/// Digits, of which one may have a target that cannot be.
struct Data {
    digits: Images,
    wrong: Option<usize>,
}

impl Dataset for Data {
    type Target = u8;

    fn len(&self) -> usize {
        self.digits.len()
    }

    fn shape(&self) -> Shape {
        self.digits.shape()
    }
}

impl Samples<f32> for Data {
    fn read(&self, index: usize, row: &mut [f32]) -> u8 {
        let target = Samples::<f32>::read(&self.digits, index, row);
        if self.wrong == Some(index) { 77 } else { target }
    }
}

/// How many pixels of a digit are taken for words.
const WORDS: usize = 56;

/// Some pixels of each digit, as words of a vocabulary of 256.
struct Words(Images);

impl Dataset for Words {
    type Target = u8;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn shape(&self) -> Shape {
        [WORDS].into()
    }
}

impl Samples<f32> for Words {
    fn read(&self, index: usize, row: &mut [f32]) -> u8 {
        let mut pixels = vec![0.0; self.0.shape().size()];
        let target = Samples::<f32>::read(&self.0, index, &mut pixels);
        let middle = pixels.len() / 2;
        row.iter_mut().zip(&pixels[middle..]).for_each(|(word, pixel)| *word = (255.0 * pixel).round());
        target
    }
}

/// A network with all that processes exchange: deferred products, statistics over the batch, clipping, accumulation, metrics.
pub(crate) fn trainer(seed: u64) -> Trainer<f32, u8> {
    let layers = Sequential::new().then(Reshape::new([1, 28, 28])).then(Conv2d::new(4, 5).stride(2));
    let layers = layers.then(BatchNorm::new()).then(Relu);
    let layers = layers.then(MaxPool2d::new(2)).then(Flatten).then(Dense::new(80)).then(Relu);
    let layers = layers.then(Dropout::new(0.2)).then(Dense::new(10));
    let model = Model::new([28, 28], layers, Seed(1)).expect("the shapes fit");
    Trainer::new(model, CrossEntropy, (ClipByGlobalNorm(1.0), adam(3e-3)))
        .batch_size(32)
        .accumulate(2)
        .shards(8)
        .threads(2)
        .seed(seed)
        .metric(Accuracy)
}

/// A network so large that each of up to three processes keeps the optimizer's state of its part of the parameters alone.
pub(crate) fn large(seed: u64) -> Trainer<f32, u8> {
    let layers = Sequential::new().then(Flatten).then(Dense::new(300)).then(Relu).then(Dense::new(10));
    let model = Model::new([28, 28], layers, Seed(1)).expect("the shapes fit");
    let trainer = Trainer::new(model, CrossEntropy, adam(3e-3)).batch_size(32).shards(8).threads(2);
    trainer.seed(seed).metric(Accuracy)
}

/// The case in which that is trained, and one process hangs.
pub(crate) const LARGE_HANGS: &str = "hangs in a large network";

/// A network with a table, of whose gradient each process has a list.
fn words(seed: u64) -> Trainer<f32, u8> {
    let layers = Sequential::new().then(Embedding::new(256, 6).sparse()).then(Flatten).then(Dense::new(300));
    let model = Model::new([WORDS], layers.then(Relu).then(Dense::new(10)), Seed(1)).expect("the shapes fit");
    let trainer = Trainer::new(model, CrossEntropy, adam(3e-3)).batch_size(32).accumulate(2).shards(8);
    trainer.seed(seed).metric(Accuracy)
}

/// Trains all networks, on one thread and on two, each with a trainer that `join` returns; returns the results of all.
pub(crate) fn train_all(join: impl Fn(Trainer<f32, u8>) -> Trainer<f32, u8>) -> Result<String, TrainError> {
    let pixels = |count, seed| Words(digits(count, Seed(seed)));
    let mut results = Vec::new();
    for threads in [1, 2] {
        results.push(train(join(trainer(7).threads(threads)), None)?);
        // With two shards, some processes have no rows.
        results.push(train(join(large(7).threads(threads).shards(8 / threads.pow(2))), None)?);
        results.push(train_on(join(words(7).threads(threads)), &pixels(150, 1), &pixels(70, 2))?);
    }
    Ok(results.join("; "))
}

/// Trains; returns the hash of the parameters and the scores.
pub(crate) fn train(trainer: Trainer<f32, u8>, wrong: Option<usize>) -> Result<String, TrainError> {
    let data = |count, seed, wrong| Data { digits: digits(count, Seed(seed)), wrong };
    train_on(trainer, &data(150, 1, wrong), &data(70, 2, None))
}

fn train_on<D: Samples<f32, Target = u8>>(
    mut trainer: Trainer<f32, u8>,
    train: &D,
    test: &D,
) -> Result<String, TrainError> {
    let history = trainer.fit(train, Fit::epochs(2).validation(test))?;
    let scores = trainer.evaluate(test)?;
    let losses: Vec<u64> = history.epochs.iter().map(|report| report.train.loss.to_bits()).collect();
    Ok(format!("{} {losses:x?} {:x} {scores}", trainer.model().parameters_sha256(), scores.loss.to_bits()))
}

/// The variable with the directory of a training that is killed.
pub(crate) const DIRECTORY: &str = "CHAINRULE_KILLED";

/// The checkpoint of a training that is killed.
pub(crate) const CHECKPOINT: &str = "run.training";

/// Trains from the last checkpoint of a directory, if there is one, and returns the hash of the parameters and the losses of all epochs.
/// The `first` process writes checkpoints.
pub(crate) fn go_on(
    mut trainer: Trainer<f32, u8>,
    directory: &Path,
    first: bool,
) -> Result<String, TrainError> {
    let path = directory.join(CHECKPOINT);
    if first {
        trainer = trainer.callback(Checkpoints::new(&path).every_steps(2).keep(2));
    }
    let [train, test] = [(300, 1), (70, 2)].map(|(count, seed)| digits(count, Seed(seed)));
    let mut trainer = trainer.resume_or_start(path)?;
    trainer.fit(&train, Fit::until(5).validation(&test))?;
    let losses: Vec<u64> = trainer.history().iter().map(|report| report.train.loss.to_bits()).collect();
    Ok(format!("{} {losses:x?}", trainer.model().parameters_sha256()))
}

/// How Open MPI and MPICH say how many processes there are on a machine.
const LOCAL: [&str; 2] = ["OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"];

/// Processes of one machine have memory in common.
fn check_memory(group: &MpiGroup) {
    let memory = group.share(4096).expect("all processes do the same");
    let local = LOCAL.iter().find_map(|name| std::env::var(name).ok()?.parse::<usize>().ok());
    let local = local.unwrap_or(group.size());
    assert_eq!(
        memory.is_some(),
        cfg!(target_os = "linux") && local > 1,
        "{local} processes are on this machine"
    );
}

/// How long a process of this case waits for another one.
fn patience(case: &str) -> Duration {
    Duration::from_secs(match case {
        "hangs" | "the first hangs" | LARGE_HANGS => 2,
        "is cut off" => 10,
        _ => 120,
    })
}

/// Runs as the case of this name says, in the process of this rank.
pub(crate) fn run(rank: &str, case: &str) -> ExitCode {
    let directory = env::var_os(DIRECTORY).map(PathBuf::from);
    if let Some(directory) = &directory {
        // Whole or not at all, for whoever reads it to kill this process.
        let path = directory.join("processes").join(rank);
        let written = fs::write(path.with_extension("new"), std::process::id().to_string());
        written.and_then(|()| fs::rename(path.with_extension("new"), path)).expect("the directory is there");
    }
    let group = match MpiGroup::start() {
        Ok(group) => Arc::new(group.patience(patience(case))),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let is_odd_one = group.rank() == if case == "the first hangs" { 0 } else { 1 };
    let seed = if case == "differs" && is_odd_one { 8 } else { 7 };
    let wrong = (case == "fails").then_some(100);
    let mut trainer = if case == LARGE_HANGS { large(seed) } else { trainer(seed) }.group(group.clone());
    if is_odd_one && ["dies", "hangs", "the first hangs", LARGE_HANGS, "panics"].contains(&case) {
        let case = case.to_owned();
        trainer = trainer.callback(move |event: &Event<'_>| {
            if let Event::Step { batch: 2, .. } = event {
                match &*case {
                    "dies" => std::process::abort(),
                    "hangs" | "the first hangs" | LARGE_HANGS => thread::sleep(Duration::from_secs(600)),
                    _ => panic!("as intended"),
                }
            }
            ControlFlow::Continue(())
        });
    }
    let trained = match (case, directory) {
        ("goes on", Some(directory)) => go_on(trainer, &directory, group.rank() == 0),
        ("is cut off", _) => {
            let data = digits(300, Seed(1));
            trainer.fit(&data, 1).and_then(|_| {
                println!("{BEGUN}");
                trainer.fit(&data, 1_000_000).map(|_| String::new())
            })
        }
        ("trains", _) => {
            check_memory(&group);
            train_all(|trainer| trainer.group(group.clone()))
        }
        _ => train(trainer, wrong),
    };
    match trained {
        Ok(result) if group.rank() == 0 => println!("{RESULT} {result}"),
        Ok(_) => {}
        Err(error) => group.abort_with(&error, || eprintln!("error: {error}")),
    }
    ExitCode::SUCCESS
}
