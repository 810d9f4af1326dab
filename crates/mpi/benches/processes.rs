//! How fast two processes of one thread are beside one process of two threads:
//! `cargo bench -p chainrule-mpi --features mpi --bench processes -- 15`, for fifteen rounds.
//!
//! This program is both: it runs each training in turn, alone and under `mpirun`, several times. Of the steps of each it takes the first
//! quartile, since whatever else runs on the machine makes steps longer and none shorter, and prints the medians of the rounds.

use std::env;
use std::ops::ControlFlow;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chainrule_core::Sequential;
use chainrule_data::digits;
use chainrule_layers::{Conv2d, Dense, Flatten, MaxPool2d, Relu, Reshape};
use chainrule_losses::CrossEntropy;
use chainrule_metrics::Accuracy;
use chainrule_mpi::MpiGroup;
use chainrule_optim::adam;
use chainrule_tensor::Seed;
use chainrule_train::{Event, Group, Model, Trainer};

/// The variable that says what a process that was started is to train, and how.
const CASE: &str = "CHAINRULE_BENCH";

const WORKLOADS: [&str; 2] = ["wide128", "lenet64"];

/// How many batches an epoch has.
const BATCHES: usize = 100;

/// How many epochs are measured after the first one.
const EPOCHS: u64 = 6;

/// The ways to train a workload on two cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// One process of two threads.
    Plain,
    /// The same, with the bits of several processes.
    Distributable,
    /// Two processes of one thread.
    Processes,
}

impl Way {
    const ALL: [Self; 3] = [Self::Plain, Self::Distributable, Self::Processes];
}

fn main() -> ExitCode {
    if let Ok(case) = env::var(CASE) {
        return match train(&case) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let rounds = env::args().find_map(|word| word.parse().ok()).unwrap_or(9);
    for workload in WORKLOADS {
        let mut times = Way::ALL.map(|_| Vec::new());
        for _ in 0..rounds {
            for (way, times) in Way::ALL.into_iter().zip(&mut times) {
                match step(workload, way) {
                    Some(time) => times.push(time),
                    None => {
                        eprintln!("error: {workload} was not measured");
                        return ExitCode::FAILURE;
                    }
                }
            }
        }
        let [plain, distributable, processes] = times.map(|mut times: Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        });
        println!(
            "{workload}: {plain:.0} µs a step on two threads, {distributable:.0} with the bits of several processes, \
             {processes:.0} in two processes: {:.2} of the speed",
            plain / processes
        );
    }
    ExitCode::SUCCESS
}

/// Starts a training; returns the microseconds of a step.
fn step(workload: &str, way: Way) -> Option<f64> {
    let program = env::current_exe().ok()?;
    let mut command = match way {
        Way::Plain | Way::Distributable => Command::new(program),
        Way::Processes => {
            let mut mpirun = Command::new("mpirun");
            mpirun.args([
                "-n",
                "2",
                "--bind-to",
                "core",
                "--map-by",
                "core",
                "--mca",
                "mpi_yield_when_idle",
                "0",
            ]);
            mpirun.arg(program);
            mpirun
        }
    };
    command.env(CASE, format!("{workload} {way:?}"));
    // In a container it may be run by root, which Open MPI allows only where it is asked to.
    command.envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")]);
    let output = command.output().ok()?;
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// Trains as a case says, and prints the microseconds of a step.
fn train(case: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (workload, way) = case.split_once(' ').ok_or("a case is a workload and a way")?;
    let way = Way::ALL.into_iter().find(|known| format!("{known:?}") == way).ok_or("there is no such way")?;
    let (batch, layers) = network(workload);
    let model = Model::new([28, 28], layers, Seed(0))?;
    let threads = if way == Way::Processes { 1 } else { 2 };
    let trainer = Trainer::new(model, CrossEntropy, adam(1e-3).keras()).batch_size(batch).metric(Accuracy);
    let mut trainer = trainer.threads(threads).distributable(way == Way::Distributable);
    let mut group = None;
    if way == Way::Processes {
        let joined = Arc::new(MpiGroup::start()?);
        trainer = trainer.group(joined.clone());
        group = Some(joined);
    }
    let data = digits(BATCHES * batch, Seed(1));
    let times = Arc::new(Mutex::new(Vec::with_capacity(EPOCHS as usize * BATCHES)));
    let noted = Arc::clone(&times);
    let mut before = None;
    // From the end of each step to that of the next one, within an epoch.
    let mut trainer = trainer.on_event(move |event, _| {
        match event {
            Event::Step { epoch, .. } => {
                let now = Instant::now();
                if let Some(before) = before.replace(now).filter(|_| *epoch > 0) {
                    let step: Duration = now - before;
                    noted.lock().unwrap_or_else(PoisonError::into_inner).push(1e6 * step.as_secs_f64());
                }
            }
            Event::Epoch { .. } => before = None,
            _ => {}
        }
        ControlFlow::Continue(())
    });
    trainer.fit(&data, 1 + EPOCHS)?;
    if group.is_none_or(|group| group.rank() == 0) {
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        times.sort_by(f64::total_cmp);
        println!("{}", times.get(times.len() / 4).ok_or("no step was measured")?);
    }
    Ok(())
}

/// The batch size and the layers of a workload.
fn network(workload: &str) -> (usize, Sequential<f32>) {
    let layers = Sequential::new();
    if workload == "wide128" {
        let layers = layers.then(Flatten).then(Dense::new(512)).then(Relu).then(Dense::new(512)).then(Relu);
        return (128, layers.then(Dense::new(10)));
    }
    let layers = layers.then(Reshape::new([1, 28, 28])).then(Conv2d::new(6, 5).padding(2)).then(Relu);
    let layers = layers.then(MaxPool2d::new(2)).then(Conv2d::new(16, 5)).then(Relu).then(MaxPool2d::new(2));
    let layers = layers.then(Flatten).then(Dense::new(120)).then(Relu).then(Dense::new(84)).then(Relu);
    (64, layers.then(Dense::new(10)))
}
