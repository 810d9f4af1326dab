//! `chainrule compare`: the same training here and in another library, side by side.
//!
//! Both begin with the same weights and take the same batches with the same optimizer. What is compared is the loss of each step and the
//! parameters at the end, but for those that the loss does not depend on, which are named; then the time that a step takes in each.

mod data;
mod library;
mod no_gradient;
mod optimizer;
mod peer;

use std::error::Error;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chainrule::core::{Description, ParamEntry, Registry};
use chainrule::interop::Loading;
use chainrule::losses::Loss;
use chainrule::optim::UpdateRule;
use chainrule::prelude::*;
use chainrule::tensor::ClassTarget;
use chainrule_cli::machine::cores;
use chainrule_cli::{families, terminal};
use chainrule_config::LearntTarget;
use clap::{Args, ValueEnum};

use crate::weight_file::is_double;
use data::{RandomSamples, Targets};
use library::Library;
use no_gradient::NoGradient;
use peer::{Found, Peer};

/// How long the steps are measured for.
const TIMED: Duration = Duration::from_secs(1);

/// The steps whose losses are shown.
const SHOWN: [usize; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/// A loss that the other library has too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LossName {
    /// Of random classes.
    CrossEntropy,
    /// Of random values.
    MeanSquaredError,
}

impl LossName {
    fn name(self) -> &'static str {
        match self {
            Self::CrossEntropy => "cross_entropy",
            Self::MeanSquaredError => "mean_squared_error",
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The model file, or a checkpoint.
    model: PathBuf,
    /// The library to compare with.
    #[arg(long, value_name = "LIBRARY")]
    with: Library,
    /// The number of steps.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    steps: u16,
    /// The number of samples in a step.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    batch_size: u16,
    /// The loss, of random classes or of random values.
    #[arg(long, default_value = "cross-entropy")]
    loss: LossName,
    /// The optimizer: sgd, adam, adamw or rmsprop, with settings.
    #[arg(long, default_value = "sgd(lr=0.01)")]
    optimizer: String,
    /// The largest difference that is allowed, relative to the value or to 1.
    #[arg(long, default_value_t = 1e-5)]
    tolerance: f64,
    /// The seed of the samples and targets.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The maximum number of threads of both [default: one for each core].
    #[arg(long)]
    threads: Option<usize>,
    /// The Python that has the library.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let Arguments { model: path, optimizer: text, seed, python, tolerance, .. } = arguments;
    if is_double(path)? {
        return Err("the model is in double precision: compare one in single precision".into());
    }
    let registry = families::registry();
    let model = Model::<f32>::load_with(path, registry)?;
    let optimizer: Description = text.parse()?;
    let library = arguments.with;
    let translated = optimizer::translated(&optimizer, registry, library)?;
    let peer = Peer::new(library, python)?;
    let (steps, batch_size) = (usize::from(arguments.steps), usize::from(arguments.batch_size));
    let training = Training {
        batch_size,
        threads: arguments.threads.unwrap_or_else(cores).max(1),
        loss: arguments.loss,
        optimizer: &optimizer,
        registry,
    };
    let samples = steps.checked_mul(batch_size).ok_or("there are too many samples")?;
    let random = RandomSamples::new(&model, samples, Seed(*seed).child(0));
    let targets = Targets::new(arguments.loss, model.output(), samples, Seed(*seed).child(1))?;
    let ours = training.run(&model, &random, &targets)?;
    let theirs = peer.train(&model, &training, &random, &targets, &translated)?;
    let no_gradient = NoGradient::of(&model, registry, (&random, &targets), batch_size)?;
    let mut there = ours.model.clone();
    Loading::new(library.names()).load(&theirs.tensors, &mut there)?;
    report(&Comparison {
        ours,
        theirs,
        there,
        no_gradient,
        optimizer: &optimizer.name,
        tolerance: *tolerance,
    })
}

/// What is trained, and how.
struct Training<'a> {
    batch_size: usize,
    threads: usize,
    loss: LossName,
    optimizer: &'a Description,
    registry: &'a Registry,
}

/// What a training has done.
struct Trained {
    losses: Vec<f64>,
    model: Model<f32>,
    seconds: f64,
}

impl Training<'_> {
    fn run(
        &self,
        model: &Model<f32>,
        random: &RandomSamples,
        targets: &Targets,
    ) -> Result<Trained, Box<dyn Error>> {
        match targets {
            Targets::Classes(classes) => {
                let classes: Vec<ClassTarget<f32>> = classes.iter().map(|&class| class.into()).collect();
                self.run_on(model, &random.with(&classes))
            }
            Targets::Values(values) => self.run_on(model, &random.with(values)),
        }
    }

    fn run_on<Y: LearntTarget>(
        &self,
        model: &Model<f32>,
        data: &dyn Samples<f32, Target = Y>,
    ) -> Result<Trained, Box<dyn Error>> {
        let loss: Description = self.loss.name().parse()?;
        let trainer = |seed: u64| -> Result<_, Box<dyn Error>> {
            let loss: Box<dyn Loss<f32, Y>> = self.registry.build(&loss)?;
            let optimizer: Box<dyn UpdateRule<f32>> = self.registry.build(self.optimizer)?;
            let trainer = Y::trainer(model.clone(), loss, optimizer);
            Ok(trainer.batch_size(self.batch_size).shuffle(false).threads(self.threads).seed(Seed(seed)))
        };
        let losses = |seed: u64| -> Result<_, Box<dyn Error>> {
            let losses = Arc::new(Mutex::new(Vec::new()));
            let seen = losses.clone();
            let mut trainer = trainer(seed)?.callback(move |event: &Event<'_>| {
                if let Event::Step { batch_loss, .. } = event {
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push(*batch_loss);
                }
                ControlFlow::Continue(())
            });
            trainer.fit(data, 1)?;
            let losses = std::mem::take(&mut *losses.lock().unwrap_or_else(PoisonError::into_inner));
            Ok((losses, trainer.into_model()))
        };
        let (found, trained) = losses(0)?;
        // Without shuffling, a seed is that of random layers alone.
        if losses(1)?.0 != found {
            return Err("the model has layers that are random in training, such as dropout, which no other library repeats: compare one \
                        without them, or with rates of 0"
                .into());
        }
        let seconds = trainer(0)?.measure_step(data, TIMED)?.as_secs_f64();
        Ok(Trained { losses: found, model: trained, seconds })
    }
}

/// The difference relative to the value or to 1.
fn difference(ours: f64, theirs: f64) -> f64 {
    let difference = (ours - theirs).abs() / theirs.abs().max(1.0);
    if difference.is_nan() { f64::INFINITY } else { difference }
}

/// Both trainings.
struct Comparison<'a> {
    ours: Trained,
    theirs: Found,
    /// The model with the weights of the other library.
    there: Model<f32>,
    no_gradient: NoGradient,
    /// The name of the optimizer.
    optimizer: &'a str,
    tolerance: f64,
}

impl Comparison<'_> {
    /// The difference of the parameters with these indices, at most.
    fn parameters(&self, of: impl Fn(usize) -> bool) -> f64 {
        let both = self.ours.model.parameters().iter().zip(self.there.parameters()).enumerate();
        let chosen = both.filter(|(index, _)| of(*index));
        chosen.map(|(_, (here, there))| difference((*here).into(), (*there).into())).fold(0.0, f64::max)
    }

    /// The parameters of these flags by name, with how many values of each if not all, and how far they differ at most.
    fn named(&self, flags: &[bool]) -> String {
        let entries = self.ours.model.plan().entries().iter();
        let name = |entry: &ParamEntry| {
            let count = flags.get(entry.range.clone())?.iter().filter(|flag| **flag).count();
            match count {
                0 => None,
                all if all == entry.range.len() => Some(entry.name.clone()),
                some => Some(format!("{} ({some} of {} values)", entry.name, entry.range.len())),
            }
        };
        let names: Vec<String> = entries.filter_map(name).collect();
        let difference = self.parameters(|index| flags[index]);
        format!("{} by at most {difference:.1e}", names.join(", "))
    }
}

/// Prints both side by side, and whether they are the same.
fn report(comparison: &Comparison<'_>) -> Result<ExitCode, Box<dyn Error>> {
    let Comparison { ours, theirs, no_gradient, optimizer, tolerance, .. } = comparison;
    let Found { name, losses, seconds, .. } = theirs;
    if losses.len() != ours.losses.len() {
        let (found, expected) = (losses.len(), ours.losses.len());
        return Err(format!("{name} has taken {found} steps instead of {expected}").into());
    }
    terminal::print(format_args!(
        "{:>6}  {:>14}  {:>14}  {:>10}",
        "step", "loss here", "loss there", "difference"
    ))?;
    let last = ours.losses.len();
    let pairs: Vec<(f64, f64)> = ours.losses.iter().copied().zip(losses.iter().copied()).collect();
    for step in SHOWN.into_iter().filter(|step| *step < last).chain([last]) {
        let (here, there) = pairs[step - 1];
        terminal::print(format_args!(
            "{step:>6}  {here:>14.7}  {there:>14.7}  {:>10.1e}",
            difference(here, there)
        ))?;
    }
    let loss = pairs.iter().map(|(here, there)| difference(*here, *there)).fold(0.0, f64::max);
    let parameter = comparison.parameters(|index| !no_gradient.has(index));
    terminal::print(format_args!("\nlosses      differ by at most {loss:.1e}"))?;
    terminal::print(format_args!("parameters  differ by at most {parameter:.1e} after {last} steps"))?;
    if !no_gradient.without.is_empty() {
        let NoGradient { without, following, largest } = no_gradient;
        terminal::print(format_args!("but for     {}", comparison.named(without)))?;
        if following.contains(&true) {
            terminal::print(format_args!("and         {}, which follow them", comparison.named(following)))?;
        }
        terminal::print(format_args!(
            "            The loss does not depend on these: their gradient, at most {largest:.0e}, is rounding, which is another one in each \
             library{}.",
            if *optimizer == "sgd" { "" } else { " and is divided by its own size" }
        ))?;
    }
    let here = ours.seconds;
    terminal::print(format_args!(
        "a step      {:.1} us here, {:.1} us in {name}: {:.2} times as long",
        here * 1e6,
        seconds * 1e6,
        seconds / here
    ))?;
    if loss.max(parameter) <= *tolerance {
        terminal::print(format_args!("the same within {tolerance:.0e}"))?;
        return Ok(ExitCode::SUCCESS);
    }
    terminal::print(format_args!("NOT the same within {tolerance:.0e}"))?;
    Ok(ExitCode::FAILURE)
}
