//! The operators that layers become: one row for each family, and nowhere else.

use super::writer::{Signal, Writer};
use super::{
    activations, attention, containers, convolution, dense, merge, normalization, pooling, recurrent,
    reparametrization, sequences, shape, transformer,
};
use crate::site::{Refusal, Site};

/// What a layer returns, or why it cannot be written.
pub(super) type Emitted = Result<Signal, Refusal>;

type Rule = fn(&mut Writer<'_>, &Site, &[Signal]) -> Emitted;

/// What becomes of some layers.
struct Family {
    layers: &'static [&'static str],
    form: Form,
    about: &'static str,
}

enum Form {
    Operators(&'static str, Rule),
    None,
}

use Form::Operators;

/// Shortens the table.
const fn family(layers: &'static [&'static str], operators: &'static str, rule: Rule) -> Family {
    Family { layers, form: Operators(operators, rule), about: "" }
}

/// With a remark.
const fn but(family: Family, about: &'static str) -> Family {
    Family { about, ..family }
}

const NO_LAYER: &str = "nothing: in evaluation it passes on its input";

const FAMILIES: &[Family] = &[
    family(&["sequential"], "those of its layers", containers::sequential),
    family(&["residual"], "those of its layer, Add", containers::residual),
    family(&["branches"], "those of its layers", containers::branches),
    family(
        &["graph"],
        "those of its layers, Slice and Concat where there are several inputs or outputs",
        containers::graph,
    ),
    family(&["side_by_side"], "Slice, and those of its merge", containers::side_by_side),
    family(&["frozen"], "those of its layer", containers::frozen),
    family(&["time_distributed"], "Reshape, and those of its layer", containers::time_distributed),
    Family { layers: &["lambda"], form: Form::None, about: "it is code of a program" },
    family(&["dense"], "Gemm", dense::dense),
    family(
        &["conv1d", "conv2d", "conv3d", "depthwise_conv1d", "depthwise_conv2d"],
        "Conv",
        convolution::conv,
    ),
    family(&["separable_conv1d", "separable_conv2d"], "Conv, Conv", convolution::separable),
    family(
        &["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"],
        "ConvTranspose",
        convolution::conv_transpose,
    ),
    family(
        &["unfold1d", "unfold2d", "unfold3d"],
        "Conv with a constant kernel, Reshape",
        convolution::unfold,
    ),
    family(&["fold1d", "fold2d", "fold3d"], "ConvTranspose with a constant kernel", convolution::fold),
    family(&["max_pool1d", "max_pool2d", "max_pool3d"], "MaxPool", pooling::max_pool),
    but(
        family(
            &["avg_pool1d", "avg_pool2d", "avg_pool3d"],
            "AveragePool, Mul where windows are not full",
            pooling::avg_pool,
        ),
        "not with `dilation`, which the operator has from opset 19 on",
    ),
    but(
        family(&["lp_pool1d", "lp_pool2d", "lp_pool3d"], "Abs, Pow, AveragePool", pooling::lp_pool),
        "not with `dilation`, which AveragePool has from opset 19 on",
    ),
    family(
        &["adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"],
        "Gather, ReduceMax for each axis",
        pooling::adaptive_max,
    ),
    family(
        &["adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"],
        "Gather, Mul, ReduceSum for each axis",
        pooling::adaptive_avg,
    ),
    family(&["global_max_pool"], "ReduceMax", pooling::global_max),
    family(&["global_avg_pool"], "ReduceMean", pooling::global_avg),
    family(&["max_unpool1d", "max_unpool2d", "max_unpool3d"], "MaxPool, MaxUnpool", pooling::max_unpool),
    family(&["batch_norm"], "BatchNormalization; Mul, Add over the last axis", normalization::batch_norm),
    family(&["layer_norm"], "LayerNormalization", normalization::layer_norm),
    family(&["rms_norm"], "ReduceMean, Sqrt, Div, Mul", normalization::rms_norm),
    family(&["unit_norm"], "ReduceL2, Div", normalization::unit_norm),
    family(&["group_norm"], "Reshape, InstanceNormalization, Mul, Add", normalization::group_norm),
    family(&["instance_norm"], "InstanceNormalization, Mul, Add", normalization::instance_norm),
    family(
        &["local_response_norm"],
        "LRN; MatMul, Pow and Div where its size is even",
        normalization::local_response,
    ),
    family(&["weight_norm"], "those of its layer, with the weight computed", reparametrization::weight_norm),
    family(
        &["spectral_norm"],
        "those of its layer, with the weight computed",
        reparametrization::spectral_norm,
    ),
    but(
        family(&["rnn", "lstm", "gru"], "RNN, LSTM, GRU", recurrent::one_direction),
        "not `masked`: within a sequence the operators leave out no steps; not `stateful`: a graph keeps no state; an `rnn` with \
         the activations that the operator has",
    ),
    but(
        family(&["bidirectional"], "RNN, LSTM, GRU with two directions", recurrent::bidirectional),
        "as above, and not around `conv_lstm`",
    ),
    but(
        family(&["conv_lstm"], "those of its layer for each step, Sigmoid, Tanh", recurrent::conv_lstm),
        "not `masked` or `stateful`",
    ),
    family(&["masking"], "Equal, ReduceMax, Mul", sequences::masking),
    family(&["multi_head_attention"], "MatMul, Softmax", attention::multi_head),
    family(&["dot_product_attention"], "MatMul, Softmax", attention::dot_product),
    family(&["transformer_encoder"], "those of its layers", transformer::encoder),
    family(&["transformer_decoder"], "those of its layers", transformer::decoder),
    family(&["learned_positions"], "Add", sequences::learned_positions),
    family(&["sinusoidal_positions"], "Add", sequences::sinusoidal_positions),
    family(&["class_token"], "Pad, Add", sequences::class_token),
    family(&["one_step"], "Gather", sequences::one_step),
    family(&["patches"], "Reshape, Transpose", sequences::patches),
    family(&["embedding"], "Cast, Gather", dense::embedding),
    family(&["embedding_bag"], "Cast, Gather, ReduceSum, ReduceMean or ReduceMax", dense::embedding_bag),
    family(
        &[
            "dropout",
            "spatial_dropout",
            "alpha_dropout",
            "feature_alpha_dropout",
            "drop_path",
            "gaussian_dropout",
            "gaussian_noise",
            "activity_regularization",
        ],
        NO_LAYER,
        activations::identity,
    ),
    family(&["identity"], NO_LAYER, activations::identity),
    family(&["flatten"], "Flatten", shape::flatten),
    family(&["reshape", "unflatten"], "Reshape", shape::reshape),
    family(&["permute"], "Transpose", shape::permute),
    family(&["repeat_vector"], "Tile", shape::repeat_vector),
    family(&["zero_padding1d", "zero_padding2d", "zero_padding3d"], "Pad", shape::zero_padding),
    family(
        &["constant_padding1d", "constant_padding2d", "constant_padding3d"],
        "Pad",
        shape::constant_padding,
    ),
    family(
        &["reflection_padding1d", "reflection_padding2d", "reflection_padding3d"],
        "Pad",
        shape::reflection_padding,
    ),
    family(
        &["replication_padding1d", "replication_padding2d", "replication_padding3d"],
        "Pad",
        shape::replication_padding,
    ),
    family(
        &["circular_padding1d", "circular_padding2d", "circular_padding3d"],
        "Gather",
        shape::circular_padding,
    ),
    family(&["cropping1d", "cropping2d", "cropping3d"], "Slice", shape::cropping),
    family(&["up_sampling1d", "up_sampling2d", "up_sampling3d"], "Gather", shape::up_sampling),
    family(
        &["linear_up_sampling1d", "bilinear_up_sampling2d", "trilinear_up_sampling3d"],
        "Resize",
        shape::linear_up_sampling,
    ),
    family(&["pixel_shuffle"], "DepthToSpace", shape::pixel_shuffle),
    family(&["pixel_unshuffle"], "Reshape, Transpose", shape::pixel_unshuffle),
    family(&["channel_shuffle"], "Reshape, Transpose", shape::channel_shuffle),
    family(&["add"], "Add", merge::add),
    family(&["subtract"], "Sub", merge::subtract),
    family(&["multiply"], "Mul", merge::multiply),
    family(&["average"], "Mean", merge::average),
    family(&["maximum"], "Max", merge::maximum),
    family(&["minimum"], "Min", merge::minimum),
    family(&["concat"], "Concat", merge::concat),
    family(&["dot"], "Mul, ReduceSum", merge::dot),
    family(&["bilinear"], "Einsum, Add", dense::bilinear),
    family(&["relu"], "Relu", activations::relu),
    family(&["relu6"], "Clip", activations::relu6),
    family(&["leaky_relu"], "LeakyRelu", activations::leaky_relu),
    family(&["relu_squared"], "Relu, Mul", activations::relu_squared),
    family(&["threshold"], "Greater, Where", activations::threshold),
    family(&["thresholded_relu"], "ThresholdedRelu", activations::thresholded_relu),
    family(&["elu"], "Elu", activations::elu),
    family(&["celu"], "Celu", activations::celu),
    family(&["selu"], "Selu", activations::selu),
    family(&["exponential"], "Exp", activations::exponential),
    family(&["gelu"], "Erf, Mul", activations::gelu),
    family(&["gelu_tanh"], "Sigmoid, Mul", activations::gelu_tanh),
    family(&["hard_sigmoid"], "HardSigmoid", activations::hard_sigmoid),
    family(&["hard_swish"], "HardSwish", activations::hard_swish),
    family(&["hard_tanh"], "Clip", activations::hard_tanh),
    family(&["hard_shrink"], "Shrink", activations::hard_shrink),
    family(&["soft_shrink"], "Shrink", activations::soft_shrink),
    family(&["tanh_shrink"], "Tanh, Sub", activations::tanh_shrink),
    family(&["sigmoid"], "Sigmoid", activations::sigmoid),
    family(&["tanh"], "Tanh", activations::tanh),
    family(&["softsign"], "Softsign", activations::softsign),
    family(&["silu"], "Sigmoid, Mul", activations::silu),
    family(&["mish"], "Softplus, Tanh, Mul", activations::mish),
    family(&["softplus"], "Softplus, Where", activations::softplus),
    family(&["log_sigmoid"], "Softplus, Neg", activations::log_sigmoid),
    family(&["squareplus"], "Sqrt, Add", activations::squareplus),
    family(&["sparse_plus"], "Clip, Mul, Relu", activations::sparse_plus),
    family(&["sparse_sigmoid"], "HardSigmoid", activations::sparse_sigmoid),
    family(&["prelu"], "PRelu", activations::prelu),
    family(&["rrelu"], "LeakyRelu", activations::rrelu),
    family(&["softmax"], "Softmax", activations::softmax),
    family(&["log_softmax"], "LogSoftmax", activations::log_softmax),
    family(&["softmin"], "Neg, Softmax", activations::softmin),
    family(&["softmax2d"], "Softmax", activations::softmax2d),
    family(&["sparsemax"], "TopK, CumSum, Relu", activations::sparsemax),
    family(
        &["gated", "glu", "swi_glu", "ge_glu", "re_glu"],
        "Split, those of the gate, Mul",
        activations::gated,
    ),
    family(&["maxout"], "Reshape, ReduceMax", activations::maxout),
];

/// What layers become in ONNX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnnxForm {
    /// The names of the layers, as in texts.
    pub layers: &'static [&'static str],
    /// The operators; `None` if there are none for it.
    pub operators: Option<&'static str>,
    /// Which settings cannot be expressed, and why; empty if all can.
    pub about: &'static str,
}

/// What every layer becomes in ONNX, or why it cannot be expressed.
pub fn onnx_forms() -> impl Iterator<Item = OnnxForm> {
    FAMILIES.iter().map(|family| {
        let operators = match family.form {
            Operators(operators, _) => Some(operators),
            Form::None => None,
        };
        OnnxForm { layers: family.layers, operators, about: family.about }
    })
}

/// Writes a layer.
pub(super) fn layer(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let name = &*site.description.name;
    let known = FAMILIES.iter().find(|family| family.layers.contains(&name));
    let emitted = match known {
        Some(Family { form: Operators(_, rule), .. }) => {
            writer.path.clone_from(&site.path);
            rule(writer, site, xs)
        }
        Some(Family { about, .. }) => Err((*about).to_owned().into()),
        None => Err("it is not a layer of chainrule".into()),
    };
    let emitted = emitted.and_then(|signal| match writer.planned_output(site) {
        Some(planned) if planned != signal.shape => {
            Err(format!("its output would have the shape {:?} instead of {planned:?}", signal.shape).into())
        }
        _ => Ok(signal),
    });
    emitted.map_err(|refusal| {
        let here = || (site.path.clone(), name.to_owned());
        Refusal { layer: Some(refusal.layer.unwrap_or_else(here)), ..refusal }
    })
}
