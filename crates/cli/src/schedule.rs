//! `chainrule schedule`: draws the learning rate over a run.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use chainrule::core::{Description, Kind, Value};
use chainrule::data::output;
use chainrule::optim::schedule::check_rate;
use chainrule::optim::{Run, Schedule, Step};
use chainrule_cli::{families, terminal};
use clap::Args;

use crate::curve::Curve;
use crate::{svg_chart, text_chart};

/// How many steps are drawn at most.
const MOST: u64 = 100_000_000;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The schedule, such as "warmup:500 then cosine"; `chainrule list schedules` shows what there is.
    schedule: String,
    /// The number of steps of the run.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=MOST))]
    steps: u64,
    /// The learning rate of the optimizer, for a schedule that leaves out its own.
    #[arg(long, default_value_t = 0.001, allow_negative_numbers = true)]
    lr: f64,
    /// The number of steps in an epoch, for schedules that count epochs.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    steps_per_epoch: u64,
    /// Also draw it to this file, as SVG.
    #[arg(long)]
    svg: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { schedule, steps, lr, steps_per_epoch, svg } = arguments;
    let description: Description = schedule.parse()?;
    let schedule: Arc<dyn Schedule> = families::registry().build(&description)?;
    let schedule = schedule.completed_by(&Value::Number(*lr));
    schedule.validate()?;
    let run = Run { steps: Some(*steps), steps_per_epoch: Some(*steps_per_epoch), reductions: 0 };
    let at = |index| Step { index, run };
    (0..*steps).try_for_each(|index| check_rate::<f32>(&*schedule, at(index)))?;
    let curve = Curve::of(*steps, |index| schedule.rate(at(index)));
    terminal::print(text_chart::text(&curve))?;
    terminal::print(format_args!("\n{}", curve.figures()))?;
    if schedule.plateau().is_some() {
        terminal::note("the rate is drawn as if it were never reduced: when it is depends on the training");
    }
    if let Some(path) = svg {
        let text = svg_chart::text(&curve, &description.to_string())?;
        let written = output::write(path, |file| file.write_all(text.as_bytes()));
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        terminal::print(format_args!("drawn to    {}", path.display()))?;
    }
    Ok(())
}
