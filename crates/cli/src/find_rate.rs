//! `--find-lr`: which learning rate to choose.

use std::error::Error;
use std::path::Path;

use chainrule::core::Registry;
use chainrule::data::output;
use chainrule::prelude::*;
use chainrule::tensor::ClassTarget;
use chainrule::train::{RateCurve, RateFinder};
use chainrule_cli::terminal;
use chainrule_config::{LearntTarget, Rate, scheduled_optimizer};

use crate::curve::short;
use crate::output_files::cannot_write;
use crate::rate_chart;
use crate::train_mnist::{Arguments, RATE_OPTIONS};

impl Arguments {
    /// Tries growing learning rates, and says and draws what they did to the loss.
    pub(crate) fn find_rate(
        &self,
        registry: &Registry,
        model: Model<f32>,
        loss: Box<dyn Loss<f32, ClassTarget<f32>>>,
        train: &dyn Samples<f32, Target = ClassTarget<f32>>,
        path: &Path,
    ) -> Result<(), Box<dyn Error>> {
        output::check(path).map_err(|error| cannot_write(path, &error))?;
        let finder = RateFinder::default();
        let schedule = Schedule::description(&finder.schedule());
        let rate = Rate { rate: None, schedule: Some(&schedule), default: "constant", names: RATE_OPTIONS };
        let optimizer = scheduled_optimizer(registry, &self.optimizer, rate)?;
        let (_, default_batch_size) = self.model.defaults();
        let trainer = ClassTarget::trainer(model, loss, optimizer)
            .batch_size(self.batch_size.unwrap_or(default_batch_size))
            .shards(self.shards)
            .portable(self.portable)
            .seed(Seed(self.seed));
        let trainer = match self.threads {
            Some(threads) => trainer.threads(threads),
            None => trainer,
        };
        let curve = finder.run(trainer, train)?;
        show_rates(&curve, &self.optimizer.name, "--lr ", path)
    }
}

/// Says which rate to choose for this optimizer, with what gives it in the program, and draws the losses to a file.
pub(crate) fn show_rates(
    curve: &RateCurve,
    optimizer: &str,
    option: &str,
    path: &Path,
) -> Result<(), Box<dyn Error>> {
    let title = format!("loss over the learning rate of {optimizer}");
    let svg = rate_chart::text(curve, &title)?;
    output::write(path, |file| file.write_all(svg.as_bytes())).map_err(|error| cannot_write(path, &error))?;
    match curve.suggestion() {
        Some(rate) => terminal::print(format_args!(
            "try {option}{}, a tenth of the rate with the lowest loss\nwritten to {}",
            format!("{rate:.1e}").parse().map_or_else(|_| short(rate), short),
            path.display()
        ))?,
        None => terminal::print(format_args!(
            "the loss has not fallen at any rate: check the data and the network\nwritten to {}",
            path.display()
        ))?,
    }
    Ok(())
}
