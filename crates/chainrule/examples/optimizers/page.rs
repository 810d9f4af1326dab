//! The page docs/optimizers.md.

use std::fmt::Write;

use chainrule::core::same_name;

use crate::curve::{Curve, Point};
use crate::plot::Line;

/// The optimizers that use the curvature, and are to need fewer steps than Adam.
const SECOND_ORDER: [&str; 5] = ["shampoo", "soap", "kfac", "muon", "lbfgs"];

/// The optimizers whose curves are always named in the plot; the best of the others follow.
const NAMED: [&str; 4] = ["sgd", "sgd.nesterov", "adam", "lbfgs"];

/// How many curves are named.
const COUNT: usize = 10;

/// What was trained.
pub(crate) struct Setup {
    pub(crate) dataset: &'static str,
    pub(crate) samples: usize,
    pub(crate) seeds: usize,
    pub(crate) epochs: u64,
}

/// An optimizer at its customary rate, and at the best of those that were tried.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) rates: [Option<f64>; 2],
    pub(crate) curves: [Curve; 2],
}

impl Row {
    /// For whoever waits.
    pub(crate) fn summary(&self) -> String {
        let [customary, best] = self.curves.each_ref().map(|curve| score(curve.last()));
        let [rate, best_rate] = self.rates.map(number);
        format!("{:24} rate {rate}: {customary}; best rate {best_rate}: {best}", self.name)
    }
}

/// The page.
pub(crate) fn text(rows: &mut [Row], setup: &Setup) -> String {
    rows.sort_by(|a, b| b.curves[1].last().accuracy.total_cmp(&a.curves[1].last().accuracy));
    let Setup { dataset, samples, seeds, epochs } = setup;
    let mut page = format!(
        "# Optimizers compared\n\n\
         Every optimizer of chainrule trains the network of the tutorial, 784-64-64-10 with ReLU, on {dataset}: {samples} samples in \
         batches of 32, {epochs} epochs, at a constant rate, {seeds} seeds. The table gives the mean accuracy on the test set and its \
         standard deviation over the seeds. This page and the plot are written by\n\n\
         ```sh\ncargo run --release -p chainrule --features registry --example optimizers -- docs {epochs} {samples}\n```\n\n\
         - The *customary rate* is the default of the optimizer, which is PyTorch's where PyTorch has it; for SGD, whose default there \
         is 0.001, it is 0.1.\n\
         - The *best rate* is the best of those within a factor of 3⁶, in steps of 3, by the accuracy after one epoch on 1/12 of the \
         training set, which is not trained on.\n\
         - *Steps to Adam's* are those until the mean accuracy is what Adam's is at its end, each at its best rate.\n\
         - *Seconds* are those of an epoch on the machine of this run: compare them with each other.\n\n\
         ![Test accuracy against steps and seconds](optimizers.svg)\n\n\
         | optimizer | customary rate | accuracy, % | best rate | accuracy, % | steps to Adam's | seconds |\n\
         |---|---|---|---|---|---|---|\n"
    );
    let adam = rows.iter().find(|row| same_name(&row.name, "adam")).map(|row| row.curves[1].last());
    for Row { name, rates, curves } in &*rows {
        let [rate, best_rate] = rates.map(number);
        let [customary, best] = curves.each_ref().map(result);
        let steps = adam
            .and_then(|adam| steps_to(&curves[1], adam))
            .map_or("–".to_owned(), |steps| steps.to_string());
        let seconds = curves[1].last().seconds / (*epochs as f64).max(1.0);
        let _ = writeln!(
            page,
            "| {name} | {rate} | {customary} | {best_rate} | {best} | {steps} | {seconds:.2} |"
        );
    }
    if let Some(adam) = adam {
        let _ = write!(page, "\n{}", second_order(rows, adam));
    }
    page
}

/// What the page says of the optimizers that use the curvature.
fn second_order(rows: &[Row], adam: Point) -> String {
    let mut text = format!(
        "## Do second-order optimizers need fewer steps?\n\nAdam ends at {:.2} %, after {} steps.\n\n",
        100.0 * adam.accuracy,
        adam.steps
    );
    for row in rows.iter().filter(|row| SECOND_ORDER.iter().any(|name| same_name(name, &row.name))) {
        let Row { name, curves: [_, best], .. } = row;
        let _ = match steps_to(best, adam) {
            Some(steps) if steps < adam.steps => {
                writeln!(text, "- **{name}**: yes, it is there after {steps} steps at most.")
            }
            _ => {
                let end = 100.0 * best.last().accuracy;
                writeln!(text, "- **{name}**: no, not on this network. It ends at {end:.2} %.")
            }
        };
    }
    text
}

/// The steps after which a curve is as high as another at its end, if it ever is.
fn steps_to(curve: &Curve, goal: Point) -> Option<u64> {
    curve.points.iter().find(|point| point.accuracy >= goal.accuracy).map(|point| point.steps)
}

/// The curves of the plot: all at their best rates, with names for a few.
pub(crate) fn lines(rows: &[Row]) -> Vec<Line> {
    let always = |row: &&Row| NAMED.iter().any(|name| same_name(name, &row.name));
    let others = rows.iter().filter(|row| !always(row)).map(|row| &row.name);
    let named: Vec<&String> =
        rows.iter().filter(always).map(|row| &row.name).chain(others).take(COUNT).collect();
    let line = |row: &Row| Line {
        name: row.name.clone(),
        points: row.curves[1].points.clone(),
        named: named.contains(&&row.name),
    };
    rows.iter().map(line).collect()
}

/// A learning rate.
fn number(rate: Option<f64>) -> String {
    rate.map_or("–".to_owned(), |rate| {
        // Two digits: the others come from the factor.
        let digits = (1.0 - rate.abs().log10().floor()).max(0.0) as usize;
        let text = format!("{rate:.digits$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    })
}

/// An accuracy in percent.
fn score(Point { accuracy, deviation, .. }: Point) -> String {
    format!("{:.2} ± {:.2}", 100.0 * accuracy, 100.0 * deviation)
}

/// That at the end of a curve, and whether the training was refused before.
fn result(curve: &Curve) -> String {
    let refused = if curve.ended.is_some() { ", then not finite" } else { "" };
    format!("{}{refused}", score(curve.last()))
}
