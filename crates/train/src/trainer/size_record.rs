//! What is recorded of the sizes of weights and gradients, and of the time of layers.

use std::time::Duration;

use chainrule_core::watch::LayerPass;

/// At how many steps of a training, and which weights.
#[derive(Clone, Debug, Default)]
pub(super) struct SizeRecord {
    /// At about so many steps.
    pub(super) points: u64,
    pub(super) sizes: Vec<WeightSizes>,
    pub(super) times: Vec<LayerTime>,
}

/// How long the passes of a layer take for a sample, with what is in the layer: the shortest times that were measured.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerTime {
    /// The path of the layer, as in [`LayerInfo`](chainrule_core::LayerInfo).
    pub path: String,
    /// The forward pass.
    pub forward: Duration,
    /// The backward pass, with the gradients of its parameters, if there was one.
    pub backward: Option<Duration>,
}

impl SizeRecord {
    /// Adds how long a pass took for so many samples.
    pub(super) fn add_time<T>(times: &mut Vec<LayerTime>, pass: &LayerPass<'_, T>, samples: u32) {
        let known = |path: &str, times: &[LayerTime]| times.iter().position(|time| time.path == path);
        match pass {
            LayerPass::Forward { path, time, .. } => {
                let forward = *time / samples;
                match known(path, times) {
                    Some(index) => times[index].forward = times[index].forward.min(forward),
                    None => times.push(LayerTime { path: (*path).to_owned(), forward, backward: None }),
                }
            }
            LayerPass::Backward { path, time, .. } => {
                // Its forward pass was seen before.
                let Some(index) = known(path, times) else { return };
                let before = times[index].backward.unwrap_or(Duration::MAX);
                times[index].backward = Some(before.min(*time / samples));
            }
        }
    }
}

/// The size of a weight and of its gradient, each the root of the mean square, at some steps of a training.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WeightSizes {
    /// The name of the weight.
    pub name: String,
    /// The steps that were taken, with the size of the weight after them.
    pub weight: Vec<(u64, f64)>,
    /// The same with the size of the gradient, for some samples of the training data.
    pub gradient: Vec<(u64, f64)>,
}
