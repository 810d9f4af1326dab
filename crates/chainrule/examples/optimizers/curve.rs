//! One training, with the test accuracy on the way.

use std::ops::ControlFlow;
use std::time::Instant;

use chainrule::prelude::*;

/// The number of samples of a step.
pub(crate) const BATCH: usize = 32;

/// The steps of the first epoch after which the accuracy is measured; it is measured after every epoch too.
const MEASURED: [usize; 5] = [60, 120, 250, 500, 1000];

/// How well a network does after some steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    /// The number of steps.
    pub(crate) steps: u64,
    /// The time that these took, without the measurements.
    pub(crate) seconds: f64,
    /// The share of the test samples whose class is right.
    pub(crate) accuracy: f64,
    /// The standard deviation of that over the seeds, 0 for one seed.
    pub(crate) deviation: f64,
}

/// A training, and whether it came to its end.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    /// In the order of the steps. The first is before any.
    pub(crate) points: Vec<Point>,
    /// Why the training ended early, if it did.
    pub(crate) ended: Option<String>,
}

impl Curve {
    /// The last point.
    pub(crate) fn last(&self) -> Point {
        self.points[self.points.len() - 1]
    }
}

/// The tutorial's network.
fn layers() -> Sequential<f32> {
    let hidden = || Sequential::new().then(Dense::new(64)).then(Relu);
    Sequential::new().then(Flatten).then(hidden()).then(hidden()).then(Dense::new(10))
}

/// Trains the tutorial's network for some epochs, and measures the accuracy of other samples.
pub(crate) fn train(
    optimizer: Box<dyn UpdateRule<f32>>,
    [data, measured]: [&impl Samples<f32, Target = u8>; 2],
    seed: u64,
    epochs: u64,
) -> Result<Curve, Box<dyn std::error::Error>> {
    let model = Model::new([28, 28], layers(), Seed(seed))?;
    let pause = |event: &Event<'_>| match event {
        Event::Step { epoch: 0, batch, .. } if MEASURED.contains(&(batch + 1)) => ControlFlow::Break(()),
        Event::EpochEnd(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let mut trainer = Trainer::new(model, CrossEntropy::default(), optimizer)
        .batch_size(BATCH)
        .seed(seed)
        .metric(Accuracy::default())
        .callback(pause);
    let mut points = Vec::new();
    let mut seconds = 0.0;
    let mut ended = None;
    loop {
        let scores = trainer.evaluate(measured)?;
        let accuracy = scores.metric("accuracy").unwrap_or(f64::NAN);
        let batches = data.len().div_ceil(BATCH) as u64;
        let steps = trainer.epochs_done() * batches + (trainer.samples_done() / BATCH) as u64;
        points.push(Point { steps, seconds, accuracy, deviation: 0.0 });
        if trainer.epochs_done() >= epochs || ended.is_some() {
            return Ok(Curve { points, ended });
        }
        let begin = Instant::now();
        // A step that would leave the model infinite is refused, and ends the training.
        ended = trainer.fit(data, epochs - trainer.epochs_done()).err().map(|error| error.to_string());
        seconds += begin.elapsed().as_secs_f64();
    }
}

/// The mean of trainings with several seeds, at the steps at which all were measured.
pub(crate) fn mean(curves: &[Curve]) -> Curve {
    let ended = curves.iter().find_map(|curve| curve.ended.clone());
    let Some(first) = curves.first() else { return Curve { points: Vec::new(), ended } };
    let points = first.points.iter().filter_map(|&Point { steps, .. }| {
        let at = |curve: &Curve| curve.points.iter().find(|point| point.steps == steps).copied();
        let points: Vec<Point> = curves.iter().map(at).collect::<Option<_>>()?;
        let count = points.len() as f64;
        let accuracy = points.iter().map(|point| point.accuracy).sum::<f64>() / count;
        let squares: f64 = points.iter().map(|point| (point.accuracy - accuracy).powi(2)).sum();
        let seconds = points.iter().map(|point| point.seconds).sum::<f64>() / count;
        Some(Point { steps, seconds, accuracy, deviation: (squares / (count - 1.0).max(1.0)).sqrt() })
    });
    Curve { points: points.collect(), ended }
}
