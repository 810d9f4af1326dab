//! How PyTorch names and lays out the parameters of each family of layers: one row a family, and nowhere else.

use super::leaf::{Leaf, one};
use super::{Layout, Names, View, attention, keras, recurrent, transformer};

/// How PyTorch and Keras have the parameters of some layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightForm {
    /// The names of the layers, as in texts.
    pub layers: &'static [&'static str],
    /// The modules of PyTorch, or why there is none.
    pub module: &'static str,
    /// What becomes of the parameters.
    pub about: &'static str,
    /// The layers of Keras, and what becomes of the parameters.
    pub keras: &'static str,
}

/// How PyTorch and Keras have the parameters of every layer that has some, as [`Names::PyTorch`](crate::Names::PyTorch) and
/// [`Names::Keras`](crate::Names::Keras) write and read them.
pub fn weight_forms() -> impl Iterator<Item = WeightForm> {
    FAMILIES.iter().map(|&Family { layers, module, about, keras, .. }| WeightForm {
        layers,
        module,
        about,
        keras,
    })
}

/// The layers of one layout.
struct Family {
    /// The names of their entries.
    layers: &'static [&'static str],
    /// The modules of PyTorch, or why there is none.
    module: &'static str,
    /// What becomes of the parameters.
    about: &'static str,
    /// The tensors of a layer; `None` for settings that PyTorch has no layout for, where they stay as they are.
    layouts: Rule,
    /// The layers of Keras.
    keras: &'static str,
    /// The tensors of a layer in Keras; `None` as above.
    keras_layouts: Rule,
}

type Rule = fn(&Leaf<'_>) -> Option<Vec<Layout>>;

/// All families whose layers have parameters.
const FAMILIES: &[Family] = &[
    Family {
        layers: &["dense"],
        module: "`nn.Linear`",
        about: "`weight` is transposed",
        layouts: dense,
        keras: "`Dense`",
        keras_layouts: keras::dense,
    },
    Family {
        layers: &["conv1d", "conv2d", "conv3d", "depthwise_conv1d", "depthwise_conv2d"],
        module: "`nn.Conv1d`, `nn.Conv2d`, `nn.Conv3d`; depthwise with `groups` equal to the channels",
        about: "as they are",
        layouts: as_they_are,
        keras: "`Conv1D` to `Conv3D`, `DepthwiseConv1D` and `2D`: the axes of the kernel first",
        keras_layouts: keras::conv,
    },
    Family {
        layers: &["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"],
        module: "`nn.ConvTranspose1d`, `nn.ConvTranspose2d`, `nn.ConvTranspose3d`",
        about: "as they are",
        layouts: as_they_are,
        keras: "`Conv1DTranspose` to `Conv3DTranspose`: the axes of the kernel first",
        keras_layouts: keras::conv,
    },
    Family {
        layers: &["separable_conv1d", "separable_conv2d"],
        module: "two convolutions, `depthwise` and `pointwise`",
        about: "as they are",
        layouts: as_they_are,
        keras: "`SeparableConv1D` and `2D`: the axes of the kernels first",
        keras_layouts: keras::conv,
    },
    Family {
        layers: &["batch_norm"],
        module: "`nn.BatchNorm1d`, `nn.BatchNorm2d`, `nn.BatchNorm3d`",
        about: "as they are, with `running_mean` and `running_var`; `num_batches_tracked` is not written and ignored",
        layouts: as_they_are,
        keras: "`BatchNormalization`",
        keras_layouts: keras::batch_norm,
    },
    Family {
        layers: &["layer_norm", "rms_norm", "group_norm", "instance_norm"],
        module: "`nn.LayerNorm`, `nn.RMSNorm`, `nn.GroupNorm`, `nn.InstanceNorm1d` to `3d`",
        about: "as they are",
        layouts: as_they_are,
        keras: "`LayerNormalization`, `RMSNormalization`, `GroupNormalization`",
        keras_layouts: keras::norm,
    },
    Family {
        layers: &["prelu", "bilinear"],
        module: "`nn.PReLU`, `nn.Bilinear`",
        about: "as they are",
        layouts: as_they_are,
        keras: "`PReLU` with a slope for each value",
        keras_layouts: keras::prelu,
    },
    Family {
        layers: &["embedding", "embedding_bag"],
        module: "`nn.Embedding`, `nn.EmbeddingBag`",
        about: "as they are",
        layouts: as_they_are,
        keras: "`Embedding`",
        keras_layouts: keras::embedding,
    },
    Family {
        layers: &["rnn", "lstm", "gru"],
        module: "`nn.RNN`, `nn.LSTM`, `nn.GRU` of one layer",
        about: "the weights are transposed to `weight_ih_l0` and `weight_hh_l0`, gates in the same order; of two biases that \
                PyTorch adds up (not in a GRU), `bias_hh_l0` is written as zeros and added when it is read",
        layouts: recurrent::one_direction,
        keras: "`SimpleRNN`, `LSTM`, `GRU`, whose gates are reordered",
        keras_layouts: keras::one_direction,
    },
    Family {
        layers: &["bidirectional"],
        module: "`nn.RNN`, `nn.LSTM`, `nn.GRU` with `bidirectional=True`",
        about: "as above, those of the second direction with `_reverse` at the end",
        layouts: recurrent::both_directions,
        keras: "`Bidirectional`",
        keras_layouts: keras::both_directions,
    },
    Family {
        layers: &["multi_head_attention"],
        module: "`nn.MultiheadAttention`",
        about: "`in_proj_weight` holds the transposed weights of queries, keys and values, or `q_proj_weight`, `k_proj_weight` and \
                `v_proj_weight` where the memory has another width; with shared heads or another size of a head, as they are",
        layouts: attention::attention,
        keras: "`MultiHeadAttention`, `GroupedQueryAttention`: an axis for the heads",
        keras_layouts: keras::attention,
    },
    Family {
        layers: &["transformer_encoder"],
        module: "`nn.TransformerEncoderLayer`",
        about: "`self_attn`, `linear1`, `linear2`, `norm1`, `norm2`; as they are where the attention has no such form",
        layouts: transformer::encoder,
        keras: "as they are",
        keras_layouts: as_they_are,
    },
    Family {
        layers: &["transformer_decoder"],
        module: "`nn.TransformerDecoderLayer`",
        about: "`self_attn`, `multihead_attn`, `linear1`, `linear2`, `norm1` to `norm3`; as they are where an attention has no \
                such form",
        layouts: transformer::decoder,
        keras: "as they are",
        keras_layouts: as_they_are,
    },
    Family {
        layers: &["weight_norm"],
        module: "`parametrizations.weight_norm` of a layer",
        about: "`parametrizations.weight.original0` is `g` and `original1` the weight of the layer; around several layers, as they \
                are",
        layouts: weight_norm,
        keras: "as they are",
        keras_layouts: as_they_are,
    },
    Family {
        layers: &["spectral_norm"],
        module: "none: PyTorch keeps a second vector, which is computed here",
        about: "as they are",
        layouts: as_they_are,
        keras: "as they are",
        keras_layouts: as_they_are,
    },
    Family {
        layers: &["conv_lstm"],
        module: "none",
        about: "as they are",
        layouts: as_they_are,
        keras: "as they are",
        keras_layouts: as_they_are,
    },
    Family {
        layers: &["learned_positions", "class_token"],
        module: "none: a parameter of a module of your own",
        about: "as they are",
        layouts: as_they_are,
        keras: "as they are",
        keras_layouts: as_they_are,
    },
];

/// The tensors of a layer under these names, if there are some for it.
pub(super) fn layouts(leaf: &Leaf<'_>, names: Names) -> Option<Vec<Layout>> {
    let family = FAMILIES.iter().find(|family| family.layers.contains(&&*leaf.description.name))?;
    match names {
        Names::Chainrule => None,
        Names::PyTorch => (family.layouts)(leaf),
        Names::Keras | Names::KerasFile => (family.keras_layouts)(leaf),
    }
}

fn as_they_are(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    Some(leaf.own())
}

fn dense(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    let weight = leaf.transposed("weight", "weight")?;
    Some([weight].into_iter().chain(leaf.whole("bias", "bias")).collect())
}

/// Around one layer whose parameters are its weight and perhaps its bias.
fn weight_norm(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    let inner = leaf.description.get("layer")?.to_description()?;
    if !matches!(&*inner.name, "dense" | "conv1d" | "conv2d" | "conv3d") {
        return None;
    }
    let weight = leaf.entry("weight_norm.weight")?;
    let original = match &*inner.name {
        "dense" => leaf.transposed("weight_norm.weight", "parametrizations.weight.original1")?,
        _ => leaf.whole("weight_norm.weight", "parametrizations.weight.original1")?,
    };
    // PyTorch keeps the axis of the units, the others have the length 1.
    let axis = match (leaf.description.get("axis").and_then(|axis| axis.as_f64()), &*inner.name) {
        (None, _) => 0,
        (Some(axis), "dense") => 1 - (axis as usize).min(1),
        (Some(axis), _) => axis as usize,
    };
    let lengths = leaf.entry("g")?;
    let mut shape = vec![1; weight.shape.len()];
    *shape.get_mut(axis)? = lengths.shape.size();
    let lengths =
        one(leaf.name("parametrizations.weight.original0"), View::contiguous(lengths.range.start, shape));
    Some(leaf.whole("weight_norm.bias", "bias").into_iter().chain([lengths, original]).collect())
}
