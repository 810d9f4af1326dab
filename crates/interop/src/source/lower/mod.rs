//! A model's layers as calls of functions: one row for each family, and nowhere else.

mod activations;
mod containers;
mod fold;
mod merge;
mod normalization;
mod products;
mod recurrent;
mod shape;
mod windows;

use chainrule_core::{Description, ParamEntry, Plan};

use super::kernels::window::Window;
use super::program::{Argument, Array, Program, Step};
use crate::site::{Reason, Refusal, Site};

/// A value, and the shape of a sample of it.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    pub(super) slot: usize,
    pub(super) shape: Vec<usize>,
}

impl Signal {
    fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// The same values in another shape.
    fn shaped(&self, shape: impl Into<Vec<usize>>) -> Self {
        Self { slot: self.slot, shape: shape.into() }
    }
}

/// What a layer returns, or why it cannot be written.
type Lowered = Result<Signal, Refusal>;

type Rule = fn(&mut Lowering<'_>, &Site, &[Signal]) -> Lowered;

/// What becomes of some layers.
struct Family {
    layers: &'static [&'static str],
    rule: Option<Rule>,
    about: &'static str,
}

const fn family(layers: &'static [&'static str], rule: Rule) -> Family {
    Family { layers, rule: Some(rule), about: "" }
}

/// With a remark.
const fn but(layers: &'static [&'static str], rule: Rule, about: &'static str) -> Family {
    Family { layers, rule: Some(rule), about }
}

/// Those that cannot be written.
const fn none(layers: &'static [&'static str], about: &'static str) -> Family {
    Family { layers, rule: None, about }
}

const FAMILIES: &[Family] = &[
    family(&["sequential", "residual", "branches", "frozen"], containers::container),
    family(&["graph"], containers::graph),
    family(&["side_by_side"], containers::side_by_side),
    but(
        &["time_distributed"],
        containers::time_distributed,
        "around layers of rows: dense layers, activations of each value, softmax, layer_norm, rms_norm, dropout, and sequences of them",
    ),
    family(&["dense"], products::dense),
    family(&["conv1d", "conv2d", "depthwise_conv1d", "depthwise_conv2d"], products::conv),
    family(&["separable_conv1d", "separable_conv2d"], products::separable),
    family(&["embedding"], products::embedding),
    family(&["max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d"], windows::pool),
    family(&["global_max_pool", "global_avg_pool"], windows::global),
    but(
        &["batch_norm"],
        normalization::batch_norm,
        "part of the layer with weights before it, where there is one",
    ),
    family(&["layer_norm", "rms_norm", "group_norm", "instance_norm"], normalization::normalized),
    but(&["rnn", "lstm", "gru"], recurrent::one_direction, "not `masked`, not `stateful`"),
    but(&["bidirectional"], recurrent::bidirectional, "as above"),
    family(&["one_step"], recurrent::one_step),
    but(
        &[
            "dropout",
            "spatial_dropout",
            "alpha_dropout",
            "feature_alpha_dropout",
            "drop_path",
            "gaussian_dropout",
            "gaussian_noise",
            "activity_regularization",
            "identity",
        ],
        shape::nothing,
        "nothing: in evaluation it passes on its input",
    ),
    but(&["flatten", "reshape", "unflatten"], shape::reshape, "nothing: values stay where they are"),
    but(&["permute"], shape::permute, "where two neighbouring blocks of axes change places"),
    family(&["zero_padding1d", "zero_padding2d", "constant_padding1d", "constant_padding2d"], windows::pad),
    family(&["cropping1d", "cropping2d"], windows::crop),
    family(&["up_sampling1d", "up_sampling2d"], windows::enlarge),
    but(
        &["add", "subtract", "multiply", "average", "maximum", "minimum"],
        merge::value_by_value,
        "of inputs of one shape",
    ),
    family(&["concat"], merge::concat),
    family(
        &[
            "relu",
            "relu6",
            "leaky_relu",
            "relu_squared",
            "threshold",
            "thresholded_relu",
            "elu",
            "celu",
            "selu",
            "exponential",
            "gelu",
            "gelu_tanh",
            "hard_sigmoid",
            "hard_swish",
            "hard_tanh",
            "hard_shrink",
            "soft_shrink",
            "tanh_shrink",
            "sigmoid",
            "tanh",
            "softsign",
            "silu",
            "mish",
            "softplus",
            "log_sigmoid",
            "squareplus",
            "sparse_plus",
            "sparse_sigmoid",
            "rrelu",
        ],
        activations::of_each_value,
    ),
    family(&["prelu"], activations::prelu),
    family(&["softmax", "softmin", "softmax2d", "log_softmax"], activations::softmax),
    family(&["gated", "glu", "swi_glu", "ge_glu", "re_glu"], activations::gated),
    family(&["maxout"], activations::maxout),
    none(&["lambda"], "it is code of a program"),
    none(
        &[
            "conv3d",
            "max_pool3d",
            "avg_pool3d",
            "zero_padding3d",
            "constant_padding3d",
            "cropping3d",
            "up_sampling3d",
        ],
        "its samples have three axes besides the channels, and there are functions for one and two",
    ),
    none(
        &[
            "conv_transpose1d",
            "conv_transpose2d",
            "conv_transpose3d",
            "unfold1d",
            "unfold2d",
            "unfold3d",
            "fold1d",
            "fold2d",
            "fold3d",
            "lp_pool1d",
            "lp_pool2d",
            "lp_pool3d",
            "adaptive_max_pool1d",
            "adaptive_max_pool2d",
            "adaptive_max_pool3d",
            "adaptive_avg_pool1d",
            "adaptive_avg_pool2d",
            "adaptive_avg_pool3d",
            "max_unpool1d",
            "max_unpool2d",
            "max_unpool3d",
            "unit_norm",
            "local_response_norm",
            "weight_norm",
            "spectral_norm",
            "conv_lstm",
            "masking",
            "multi_head_attention",
            "dot_product_attention",
            "transformer_encoder",
            "transformer_decoder",
            "learned_positions",
            "sinusoidal_positions",
            "class_token",
            "patches",
            "embedding_bag",
            "repeat_vector",
            "reflection_padding1d",
            "reflection_padding2d",
            "reflection_padding3d",
            "replication_padding1d",
            "replication_padding2d",
            "replication_padding3d",
            "circular_padding1d",
            "circular_padding2d",
            "circular_padding3d",
            "linear_up_sampling1d",
            "bilinear_up_sampling2d",
            "trilinear_up_sampling3d",
            "pixel_shuffle",
            "pixel_unshuffle",
            "channel_shuffle",
            "dot",
            "bilinear",
            "sparsemax",
        ],
        "there is no function for it",
    ),
];

/// Which layers can be written as source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceForm {
    /// The names of the layers, as in texts.
    pub layers: &'static [&'static str],
    /// Whether they can be written.
    pub written: bool,
    /// Which of their settings can be, or why they cannot; empty if all can.
    pub about: &'static str,
}

/// What every layer becomes in source, or why it cannot be written.
pub fn source_forms() -> impl Iterator<Item = SourceForm> {
    FAMILIES.iter().map(|Family { layers, rule, about }| SourceForm {
        layers,
        written: rule.is_some(),
        about,
    })
}

/// The program of these layers, for samples of shape `input`.
pub(super) fn program(
    (description, plan): (&Description, &Plan),
    input: &[usize],
    parameters: Vec<f64>,
) -> Result<Program, Refusal> {
    let program = Program::new(input.iter().product());
    let mut lowering = Lowering { plan, parameters, program, layer: String::new(), path: String::new() };
    let site = Site { path: String::new(), description: description.clone() };
    let y = layer(&mut lowering, &site, &[Signal { slot: 0, shape: input.to_vec() }])?;
    let mut program = lowering.program;
    program.output = y.slot;
    fold::scales(&mut program);
    Ok(program.without_unused())
}

/// Adds the steps of a layer.
fn layer(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let name = &*site.description.name;
    let known = FAMILIES.iter().find(|family| family.layers.contains(&name));
    let lowered = match known {
        Some(Family { rule: Some(rule), .. }) => {
            lowering.enter(site);
            rule(lowering, site, xs)
        }
        Some(Family { about, .. }) => Err((*about).into()),
        None => Err("it is not a layer of chainrule".into()),
    };
    let lowered = lowered.and_then(|signal| match lowering.planned_output(site) {
        _ if signal.size() == 0 => Err("its output has no values".into()),
        Some(planned) if planned.iter().product::<usize>() != signal.size() => {
            Err(format!("its output would have the shape {:?} instead of {planned:?}", signal.shape).into())
        }
        _ => Ok(signal),
    });
    lowered.map_err(|refusal: Refusal| {
        let here = || (site.path.clone(), name.to_owned());
        Refusal { layer: Some(refusal.layer.unwrap_or_else(here)), ..refusal }
    })
}

/// The program so far.
struct Lowering<'a> {
    plan: &'a Plan,
    parameters: Vec<f64>,
    program: Program,
    /// The layer whose steps are added, as a comment names it.
    layer: String,
    path: String,
}

impl Lowering<'_> {
    /// The steps that follow are those of this layer.
    fn enter(&mut self, site: &Site) {
        let label = self.plan.layers().iter().find(|info| info.path == site.path).map(|info| &*info.label);
        let label = label.unwrap_or(&site.description.name);
        // A comment of C must not end early.
        self.layer = format!("{} {label}", site.path).trim().replace("*/", "* /").replace(['\n', '\r'], " ");
        self.path.clone_from(&site.path);
    }

    /// Adds a call that computes a new value.
    fn call(
        &mut self,
        function: &'static str,
        inputs: &[&Signal],
        arguments: Vec<Argument>,
        shape: impl Into<Vec<usize>>,
    ) -> Signal {
        self.call_with_room(function, inputs, arguments, (shape.into(), 0))
    }

    /// Adds a call that needs room for so many numbers behind its result.
    fn call_with_room(
        &mut self,
        function: &'static str,
        inputs: &[&Signal],
        arguments: Vec<Argument>,
        (shape, room): (Vec<usize>, usize),
    ) -> Signal {
        let output = self.program.slot(shape.iter().product(), room);
        self.push(function, inputs, arguments, output, false);
        Signal { slot: output, shape }
    }

    /// Adds a call that changes the first of these values.
    fn change(
        &mut self,
        function: &'static str,
        (x, others): (&Signal, &[&Signal]),
        arguments: Vec<Argument>,
    ) -> Signal {
        let output = self.program.slot(x.size(), 0);
        self.push(function, &[&[x], others].concat(), arguments, output, true);
        Signal { slot: output, shape: x.shape.clone() }
    }

    fn push(
        &mut self,
        function: &'static str,
        inputs: &[&Signal],
        arguments: Vec<Argument>,
        output: usize,
        in_place: bool,
    ) {
        let inputs = inputs.iter().map(|signal| signal.slot).collect();
        let layer = self.layer.clone();
        self.program.steps.push(Step { layer, function, inputs, arguments, output, in_place });
    }

    /// Adds a constant of the layer.
    fn floats(&mut self, name: &str, values: impl IntoIterator<Item = f64>) -> Argument {
        let path: String =
            self.path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let name = format!("{name}_{path}").trim_end_matches('_').to_owned();
        let values = values.into_iter().map(|value| value as f32).collect();
        Argument::Constant(self.program.constant(&name, Array::Floats(values)))
    }

    /// A parameter of a layer, if it has one of this name.
    fn entry(&self, site: &Site, name: &str) -> Option<&ParamEntry> {
        let name = if site.path.is_empty() { name.to_owned() } else { format!("{}.{name}", site.path) };
        self.plan.entries().iter().find(|entry| entry.name == name)
    }

    /// The values of a parameter, if the layer has it.
    fn values(&self, site: &Site, name: &str) -> Option<Vec<f64>> {
        self.entry(site, name).map(|entry| self.parameters[entry.range.clone()].to_vec())
    }

    /// The values of a parameter and its shape.
    fn required(&self, site: &Site, name: &str) -> Result<(Vec<f64>, Vec<usize>), Reason> {
        let entry =
            self.entry(site, name).ok_or_else(|| format!("its parameter {name} is not in the plan"))?;
        Ok((self.parameters[entry.range.clone()].to_vec(), entry.shape.to_vec()))
    }

    /// The shape that a layer returns, by the plan.
    fn planned_output(&self, site: &Site) -> Option<Vec<usize>> {
        self.plan.layers().iter().find(|info| info.path == site.path).map(|info| info.output.to_vec())
    }
}

/// The only input.
fn one(xs: &[Signal]) -> Result<Signal, Reason> {
    match xs {
        [x] => Ok(x.clone()),
        _ => Err(format!("it has {} inputs instead of one", xs.len())),
    }
}

/// A matrix `[rows, columns]` with its axes exchanged.
fn transposed(values: &[f64], columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|column| values[column..].iter().step_by(columns).copied()).collect()
}

/// A window of one position at each value, for `size` after the channels.
fn pointwise(channels: usize, size: [usize; 2]) -> Window {
    Window { channels, size, kernel: [1; 2], stride: [1; 2], dilation: [1; 2], before: [0; 2], outputs: size }
}
