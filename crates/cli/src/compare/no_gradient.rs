//! Parameters that the loss does not depend on, whose gradient is nothing but rounding.
//!
//! A bias before a batch normalisation is one: the mean that is subtracted contains it. Its gradient is 0, and in numbers of 24 bits
//! some 10⁻⁹, another one in each library. Adam and RMSprop divide a gradient by its own size, so they take steps with it as long as
//! any other, and the parameter goes its own way in each library, without a trace in the losses.
//!
//! Such parameters are found by what they are: their gradient is another one when the rows of a batch are in another order, which changes
//! rounding alone, and the loss stays the same when they are moved. What a pass keeps of them, such as a running mean, follows them.

use std::error::Error;

use chainrule::core::{
    Backward, Forward, Grads, Layer, Mode, ParamKind, Params, Plan, Registry, SequentialCache,
};
use chainrule::losses::{CrossEntropy, Loss, MeanSquaredError};
use chainrule::prelude::*;
use ndarray::{Array2, Axis};

use super::data::{RandomSamples, Targets};

/// The number of batches whose gradients are looked at: rounding may be the same by chance.
const BATCHES: usize = 8;

/// The part of a gradient that another order of the rows changes, if it is rounding: about all of it, and 10⁻⁶ if it is not.
const CHANGED: f64 = 0.25;

/// How far parameters are moved to see what that changes.
const MOVED: f32 = 0.01;

/// What is a change, relative to the value or to 1.
const CHANGE: f64 = 1e-5;

/// The parameters of a model that its loss does not depend on.
#[derive(Default)]
pub(super) struct NoGradient {
    /// Whether each is one.
    pub(super) without: Vec<bool>,
    /// Whether each is kept by a pass, and depends on one of these.
    pub(super) following: Vec<bool>,
    /// Their largest gradient.
    pub(super) largest: f64,
}

impl NoGradient {
    /// Those of a model, by the gradients of the first batches at its weights.
    ///
    /// # Errors
    ///
    /// If its layers cannot be built.
    pub(super) fn of(
        model: &Model<f32>,
        registry: &Registry,
        (samples, targets): (&RandomSamples, &Targets),
        batch_size: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let parameters = model.parameters();
        let mut network = Network::new(model, registry)?;
        let trained = flags(model, ParamKind::is_trained);
        // Of each parameter the sizes of its gradients, and how far another order of the rows changes them.
        let mut sizes = vec![[0.0f64; 2]; parameters.len()];
        let mut largest = vec![0.0f64; parameters.len()];
        let mut first = (0.0, Vec::new());
        for batch in 0..BATCHES.min(targets.len() / batch_size) {
            let rows: Vec<usize> = (batch * batch_size..(batch + 1) * batch_size).collect();
            let reversed: Vec<usize> = rows.iter().rev().copied().collect();
            let (loss, grads) = network.gradients(parameters, samples, targets, &rows)?;
            let (_, again) = network.gradients(parameters, samples, targets, &reversed)?;
            for (index, (one, other)) in grads.iter().zip(&again).enumerate() {
                let [one, other] = [one, other].map(|grad| f64::from(*grad));
                let [size, changed] = sizes[index];
                sizes[index] = [size + (one.abs() + other.abs()) / 2.0, changed + (one - other).abs()];
                largest[index] = largest[index].max(one.abs());
            }
            if batch == 0 {
                first = (loss, grads);
            }
        }
        let is_rounding = |[size, changed]: [f64; 2]| size > 0.0 && changed > CHANGED * size;
        let without: Vec<bool> =
            sizes.iter().zip(trained).map(|(sizes, trained)| trained && is_rounding(*sizes)).collect();
        if !without.contains(&true) {
            return Ok(Self::default());
        }
        let move_by = |(value, without): (&f32, &bool)| if *without { value + MOVED } else { *value };
        let moved: Vec<f32> = parameters.iter().zip(&without).map(move_by).collect();
        let rows: Vec<usize> = (0..batch_size).collect();
        let (loss, kept) = network.gradients(&moved, samples, targets, &rows)?;
        let changes = |before: f64, after: f64| (after - before).abs() > CHANGE * before.abs().max(1.0);
        if changes(first.0, loss) {
            return Ok(Self::default());
        }
        // Of what a pass keeps, the next value is in place of a gradient.
        let buffers = flags(model, |kind| kind == ParamKind::Buffer);
        let pairs = first.1.iter().zip(&kept).zip(buffers);
        let following =
            pairs.map(|((before, after), buffer)| buffer && changes((*before).into(), (*after).into()));
        let following = following.collect();
        let of_these = largest.iter().zip(&without).filter(|(_, without)| **without);
        let largest = of_these.map(|(size, _)| *size).fold(0.0, f64::max);
        Ok(Self { without, following, largest })
    }

    /// Whether a parameter is one of them, or follows one.
    pub(super) fn has(&self, index: usize) -> bool {
        [&self.without, &self.following].iter().any(|flags| flags.get(index) == Some(&true))
    }
}

/// For each parameter whether it is of such a kind.
fn flags(model: &Model<f32>, of: impl Fn(ParamKind) -> bool) -> Vec<bool> {
    let mut flags = vec![false; model.parameters().len()];
    for entry in model.plan().entries() {
        flags[entry.range.clone()].fill(of(entry.kind));
    }
    flags
}

/// The layers of a model, for passes by hand.
struct Network {
    layers: Sequential<f32>,
    cache: SequentialCache<f32>,
    output: usize,
}

impl Network {
    fn new(model: &Model<f32>, registry: &Registry) -> Result<Self, Box<dyn Error>> {
        let layers = Sequential::from_description(&model.describe(), registry)?;
        let (output, cache) = layers.plan(model.input(), &mut Plan::new())?;
        Ok(Self { layers, cache, output: output.size() })
    }

    /// The loss of these rows and the gradients of the parameters; of what a pass keeps, its next value.
    fn gradients(
        &mut self,
        parameters: &[f32],
        samples: &RandomSamples,
        targets: &Targets,
        rows: &[usize],
    ) -> Result<(f64, Vec<f32>), Box<dyn Error>> {
        let Self { layers, cache, output } = self;
        let x: Array2<f32> = samples.rows().select(Axis(0), rows);
        let mut y = Array2::zeros((rows.len(), *output));
        let mut dy = y.clone();
        let mut grads = vec![0.0; parameters.len()];
        let params = || Params::new(parameters);
        let mode = Mode::Train { seed: Seed(0), first_row: 0 };
        layers.forward(Forward { params: params(), x: x.view(), y: y.view_mut(), cache, mode });
        let loss = match targets {
            Targets::Classes(classes) => {
                let classes: Vec<u8> = rows.iter().map(|&row| classes[row]).collect();
                CrossEntropy.reduced(y.view(), &classes, Some(dy.view_mut()))?
            }
            Targets::Values(values) => {
                let values: Vec<Vec<f32>> = rows.iter().map(|&row| values[row].clone()).collect();
                MeanSquaredError.reduced(y.view(), &values, Some(dy.view_mut()))?
            }
        };
        layers.backward(Backward {
            params: params(),
            grads: Grads::new(&mut grads),
            x: x.view(),
            y: y.view(),
            dy: dy.view(),
            dx: None,
            cache,
            share: 1.0,
        });
        Ok((loss.into(), grads))
    }
}
