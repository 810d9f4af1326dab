//! The modules that layers become: one row for each family, and nowhere else.

use chainrule_core::Value;

use super::writer::{Built, Writer, number, tuple};
use super::{containers, recurrent};
use crate::site::{Reason, Refusal, Site};

type Rule = fn(&mut Writer<'_>, &Site, &[usize]) -> Built;

/// What becomes of some layers.
struct Family {
    layers: &'static [&'static str],
    modules: &'static str,
    rule: Rule,
}

const fn family(layers: &'static [&'static str], modules: &'static str, rule: Rule) -> Family {
    Family { layers, modules, rule }
}

const FAMILIES: &[Family] = &[
    family(&["sequential"], "`nn.Sequential`", containers::sequential),
    family(&["residual", "branches"], "a module of the file", containers::around),
    family(&["graph"], "a module of the file, with the nodes as its modules", containers::graph),
    family(&["frozen", "time_distributed"], "the module inside", containers::through),
    family(&["dense"], "`nn.Linear`", dense),
    family(
        &["conv1d", "conv2d", "conv3d", "depthwise_conv1d", "depthwise_conv2d"],
        "`nn.Conv1d` to `3d`",
        conv,
    ),
    family(&["separable_conv1d", "separable_conv2d"], "two of `nn.Conv1d`, `2d`", separable),
    family(
        &["max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d"],
        "`nn.MaxPool1d` to `3d`, `nn.AvgPool1d` to `3d` without `dilation`",
        pool,
    ),
    family(
        &[
            "adaptive_max_pool1d",
            "adaptive_max_pool2d",
            "adaptive_max_pool3d",
            "adaptive_avg_pool1d",
            "adaptive_avg_pool2d",
            "adaptive_avg_pool3d",
            "global_max_pool",
            "global_avg_pool",
        ],
        "`nn.AdaptiveMaxPool1d` to `3d`, `nn.AdaptiveAvgPool1d` to `3d`",
        adaptive,
    ),
    family(&["batch_norm"], "`nn.BatchNorm1d` to `3d`, with the channels first", batch_norm),
    family(
        &["layer_norm", "rms_norm", "group_norm", "instance_norm"],
        "`nn.LayerNorm`, `nn.RMSNorm`, `nn.GroupNorm`, `nn.InstanceNorm1d` to `3d`",
        norm,
    ),
    family(
        &["rnn", "lstm", "gru"],
        "`nn.RNN` of tanh or ReLU, `nn.LSTM`, `nn.GRU`",
        recurrent::one_direction,
    ),
    family(
        &["bidirectional"],
        "those with `bidirectional=True`, where the states are concatenated",
        recurrent::bidirectional,
    ),
    family(&["embedding"], "`nn.Embedding`", embedding),
    family(&["transformer_encoder"], "`nn.TransformerEncoderLayer` with ReLU or GELU", encoder),
    family(
        &["learned_positions", "class_token", "patches", "one_step"],
        "a module of the file",
        of_sequences,
    ),
    family(&["flatten"], "`nn.Flatten`", plain),
    family(&["reshape", "unflatten", "permute"], "a module of the file", shape),
    family(
        &["dropout", "spatial_dropout", "alpha_dropout", "feature_alpha_dropout"],
        "`nn.Dropout`, `nn.Dropout1d` to `3d`, `nn.AlphaDropout`, `nn.FeatureAlphaDropout`",
        dropout,
    ),
    family(
        &[
            "zero_padding1d",
            "zero_padding2d",
            "zero_padding3d",
            "constant_padding1d",
            "constant_padding2d",
            "constant_padding3d",
            "reflection_padding1d",
            "reflection_padding2d",
            "reflection_padding3d",
            "replication_padding1d",
            "replication_padding2d",
            "replication_padding3d",
            "circular_padding1d",
            "circular_padding2d",
            "circular_padding3d",
        ],
        "`nn.ZeroPad1d` to `3d`, `nn.ConstantPad1d`, `nn.ReflectionPad1d`, `nn.ReplicationPad1d`, `nn.CircularPad1d` and so on",
        padding,
    ),
    family(
        &[
            "up_sampling1d",
            "up_sampling2d",
            "up_sampling3d",
            "pixel_shuffle",
            "pixel_unshuffle",
            "channel_shuffle",
        ],
        "`nn.Upsample`, `nn.PixelShuffle`, `nn.PixelUnshuffle`, `nn.ChannelShuffle`",
        moved,
    ),
    family(
        &[
            "identity",
            "relu",
            "relu6",
            "selu",
            "gelu",
            "gelu_tanh",
            "hard_sigmoid",
            "hard_swish",
            "tanh_shrink",
            "sigmoid",
            "tanh",
            "softsign",
            "silu",
            "mish",
            "log_sigmoid",
            "softmax",
            "log_softmax",
            "softmin",
            "softmax2d",
        ],
        "the activation of the same name",
        plain,
    ),
    family(
        &[
            "leaky_relu",
            "threshold",
            "elu",
            "celu",
            "hard_tanh",
            "hard_shrink",
            "soft_shrink",
            "softplus",
            "rrelu",
            "prelu",
            "gated",
            "glu",
        ],
        "the activation of the same name, with its settings",
        with_settings,
    ),
];

/// What layers become in the code of PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TorchForm {
    /// The names of the layers, as in texts.
    pub layers: &'static [&'static str],
    /// The modules.
    pub modules: &'static str,
}

/// The modules of all layers that PyTorch has some for.
pub fn torch_forms() -> impl Iterator<Item = TorchForm> {
    FAMILIES.iter().map(|&Family { layers, modules, .. }| TorchForm { layers, modules })
}

/// The module of a layer, for samples of this shape.
pub(super) fn layer(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let name = &*site.description.name;
    let built = match FAMILIES.iter().find(|family| family.layers.contains(&name)) {
        Some(family) => (family.rule)(writer, site, x),
        None => Err("there is no module for it".into()),
    };
    built.map_err(|refusal: Refusal| {
        let here = || (site.path.clone(), name.to_owned());
        Refusal { layer: Some(refusal.layer.unwrap_or_else(here)), ..refusal }
    })
}

fn flag(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

fn dense(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let units = site.count("units")?;
    let inputs = x.last().ok_or("it has no features")?;
    let shape = [&x[..x.len() - 1], &[units]].concat();
    writer.module(format!("nn.Linear({inputs}, {units}, bias={})", flag(site.flag("bias")?)), shape)
}

/// The padding of a convolution: the same before and after, as PyTorch has it.
fn conv_padding(site: &Site, x: &[usize], axes: usize) -> Result<String, Reason> {
    let word = match site.description.get("padding") {
        Some(Value::Text(word)) => word.clone(),
        _ => String::new(),
    };
    let sides = match &*word {
        "valid" => vec![[0, 0]; axes],
        "same" => {
            let [kernel, stride, dilation] =
                ["kernel", "stride", "dilation"].map(|setting| site.counts(setting, axes));
            let (kernel, stride, dilation) = (kernel?, stride?, dilation?);
            if stride.iter().all(|&stride| stride == 1) {
                return Ok("\"same\"".to_owned());
            }
            let sides = |axis: usize| {
                let size = x[axis + 1];
                let covered =
                    (size - 1) / stride[axis] * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1;
                let zeros = covered.saturating_sub(size);
                [zeros / 2, zeros - zeros / 2]
            };
            (0..axes).map(sides).collect()
        }
        _ => site.sides("padding", axes)?,
    };
    if sides.iter().any(|[before, after]| before != after) {
        return Err("its padding differs before and after: put a layer zero_padding before it".into());
    }
    Ok(tuple(sides.iter().map(|[before, _]| before)))
}

/// The settings of a convolution that follow its channels.
fn window(site: &Site, x: &[usize], axes: usize) -> Result<String, Reason> {
    let [kernel, stride, dilation] =
        ["kernel", "stride", "dilation"].map(|setting| site.counts(setting, axes));
    Ok(format!(
        "{}, stride={}, padding={}, dilation={}",
        tuple(&kernel?),
        tuple(&stride?),
        conv_padding(site, x, axes)?,
        tuple(&dilation?)
    ))
}

fn conv(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let axes = site.axes();
    let channels = x[0];
    let output = writer.output(site)?;
    let groups = if site.has("groups") { site.count("groups")? } else { channels };
    let window = window(site, x, axes)?;
    let bias = flag(site.flag("bias")?);
    let text = format!("nn.Conv{axes}d({channels}, {}, {window}, groups={groups}, bias={bias})", output[0]);
    writer.module(text, output)
}

fn separable(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let axes = site.axes();
    let channels = x[0];
    let output = writer.output(site)?;
    let between = channels * site.count("multiplier")?;
    let window = window(site, x, axes)?;
    let bias = flag(site.flag("bias")?);
    let depthwise = format!("nn.Conv{axes}d({channels}, {between}, {window}, groups={channels}, bias=False)");
    let pointwise = format!("nn.Conv{axes}d({between}, {}, 1, bias={bias})", output[0]);
    let text = format!(
        "nn.Sequential(collections.OrderedDict(\n    depthwise={depthwise},\n    pointwise={pointwise},\n))"
    );
    writer.module(text, output)
}

fn pool(writer: &mut Writer<'_>, site: &Site, _: &[usize]) -> Built {
    let axes = site.axes();
    let kernel = site.counts("kernel", axes)?;
    let stride = if site.has("stride") { site.counts("stride", axes)? } else { kernel.clone() };
    let dilation = site.counts("dilation", axes)?;
    let padding = tuple(&site.counts("padding", axes)?);
    let (kernel, stride) = (tuple(&kernel), tuple(&stride));
    let ceil = flag(site.flag("ceil")?);
    let text = if site.description.name.starts_with("max") {
        let dilation = tuple(&dilation);
        format!("nn.MaxPool{axes}d({kernel}, {stride}, {padding}, {dilation}, ceil_mode={ceil})")
    } else {
        if dilation.iter().any(|&dilation| dilation != 1) {
            return Err("its windows are dilated, which nn.AvgPool does not have".into());
        }
        let counts = flag(!site.flag("exclude_padding")?);
        format!(
            "nn.AvgPool{axes}d({kernel}, {stride}, {padding}, ceil_mode={ceil}, count_include_pad={counts})"
        )
    };
    let output = writer.output(site)?;
    writer.module(text, output)
}

fn adaptive(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let name = &site.description.name;
    let kind = if name.contains("max") { "Max" } else { "Avg" };
    let output = writer.output(site)?;
    if name.starts_with("global") {
        let axes = x.len() - 1;
        if !(1..=3).contains(&axes) {
            return Err("its samples have other than one to three axes besides the channels".into());
        }
        return writer
            .module(format!("nn.Sequential(nn.Adaptive{kind}Pool{axes}d(1), nn.Flatten())"), output);
    }
    let axes = site.axes();
    writer.module(format!("nn.Adaptive{kind}Pool{axes}d({})", tuple(&output[1..])), output)
}

fn batch_norm(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    if site.flag("channels_last")? && x.len() > 1 {
        return Err("its channels come last, which nn.BatchNorm does not have".into());
    }
    let axes = (x.len() - 1).max(1);
    let [momentum, epsilon] = ["momentum", "epsilon"].map(|setting| site.number(setting));
    let text = format!(
        "nn.BatchNorm{axes}d({}, eps={}, momentum={}, affine={})",
        x[0],
        number(epsilon?),
        number(momentum?),
        flag(site.flag("affine")?)
    );
    writer.module(text, x)
}

fn norm(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let epsilon = if site.has("epsilon") { number(site.number("epsilon")?) } else { "None".to_owned() };
    let affine = flag(site.flag("affine")?);
    let last = || -> Result<String, Reason> {
        let axes = if site.text("axes") == Some("all") { x.len() } else { site.count("axes")? };
        Ok(tuple(&x[x.len().checked_sub(axes).ok_or("it has more axes than the samples")?..]))
    };
    let text = match &*site.description.name {
        "layer_norm" => {
            let bias = flag(site.flag("bias")?);
            format!("nn.LayerNorm({}, eps={epsilon}, elementwise_affine={affine}, bias={bias})", last()?)
        }
        "rms_norm" => format!("nn.RMSNorm({}, eps={epsilon}, elementwise_affine={affine})", last()?),
        "group_norm" => {
            format!("nn.GroupNorm({}, {}, eps={epsilon}, affine={affine})", site.count("groups")?, x[0])
        }
        _ => format!("nn.InstanceNorm{}d({}, eps={epsilon}, affine={affine})", x.len() - 1, x[0]),
    };
    writer.module(text, x)
}

fn embedding(writer: &mut Writer<'_>, site: &Site, _: &[usize]) -> Built {
    let padding = match site.has("padding_index") {
        true => format!(", padding_idx={}", site.count("padding_index")?),
        false => String::new(),
    };
    let text = format!("Embedding({}, {}{padding})", site.count("vocabulary")?, site.count("size")?);
    let output = writer.output(site)?;
    writer.helper("Embedding");
    writer.module(text, output)
}

fn encoder(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    site.without("causal", "write the model as ONNX")?;
    site.without("masked", "write the model as ONNX")?;
    if site.has("attention") {
        let attention = site.inner("self_attn", site.described("attention")?);
        let set = ["key_value_heads", "head_size", "rotary"].iter().any(|setting| attention.has(setting));
        let on = ["causal", "masked", "alibi"].iter().any(|setting| attention.flag(setting) != Ok(false));
        if set || on || attention.count("heads")? != site.count("heads")? || !attention.flag("bias")? {
            return Err("its attention has settings that nn.TransformerEncoderLayer does not have".into());
        }
    }
    let activation = match &*site.described("activation")?.name {
        "relu" => "relu",
        "gelu" => "gelu",
        other => return Err(format!("nn.TransformerEncoderLayer has no activation {other}").into()),
    };
    let &[_, features] = x else { return Err("its samples are no [steps, features]".into()) };
    let text = format!(
        "nn.TransformerEncoderLayer({features}, {}, {}, dropout={}, activation=\"{activation}\", batch_first=True, norm_first={})",
        site.count("heads")?,
        site.count("feedforward")?,
        number(site.number("dropout")?),
        flag(site.flag("pre_norm")?)
    );
    writer.module(text, x)
}

fn of_sequences(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let (helper, arguments) = match &*site.description.name {
        "learned_positions" => {
            site.without("masked", "write the model as ONNX")?;
            ("LearnedPositions", x.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))
        }
        "class_token" => ("ClassToken", x.last().ok_or("it has no features")?.to_string()),
        "patches" => ("Patches", site.count("size")?.to_string()),
        _ => ("OneStep", if site.text("step") == Some("first") { "0" } else { "-1" }.to_owned()),
    };
    let output = writer.output(site)?;
    writer.helper(helper);
    writer.module(format!("{helper}({arguments})"), output)
}

fn shape(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let output = writer.output(site)?;
    let list = |values: &[usize]| values.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    if site.description.name == "permute" {
        writer.helper("Permute");
        return writer.module(format!("Permute({})", list(&site.counts("axes", x.len())?)), output);
    }
    writer.helper("Reshape");
    writer.module(format!("Reshape({})", list(&output)), output)
}

fn dropout(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let p = number(site.number("p")?);
    let text = match &*site.description.name {
        "dropout" => format!("nn.Dropout({p})"),
        "alpha_dropout" => format!("nn.AlphaDropout({p})"),
        "feature_alpha_dropout" => format!("nn.FeatureAlphaDropout({p})"),
        _ => match x.len() {
            axes @ 2..=4 => format!("nn.Dropout{}d({p})", axes - 1),
            _ => return Err("its samples have other than one to three axes besides the channels".into()),
        },
    };
    writer.module(text, x)
}

fn padding(writer: &mut Writer<'_>, site: &Site, _: &[usize]) -> Built {
    let axes = site.axes();
    // PyTorch begins with the last axis.
    let sides = tuple(site.sides("sides", axes)?.iter().rev().flatten());
    let (kind, _) = site.description.name.split_once('_').ok_or("its name is not known")?;
    let text = match kind {
        "zero" => format!("nn.ZeroPad{axes}d({sides})"),
        "constant" => format!("nn.ConstantPad{axes}d({sides}, {})", number(site.number("value")?)),
        "reflection" => format!("nn.ReflectionPad{axes}d({sides})"),
        "replication" => format!("nn.ReplicationPad{axes}d({sides})"),
        _ => format!("nn.CircularPad{axes}d({sides})"),
    };
    let output = writer.output(site)?;
    writer.module(text, output)
}

fn moved(writer: &mut Writer<'_>, site: &Site, _: &[usize]) -> Built {
    let output = writer.output(site)?;
    let text = match &*site.description.name {
        "pixel_shuffle" => format!("nn.PixelShuffle({})", site.count("factor")?),
        "pixel_unshuffle" => format!("nn.PixelUnshuffle({})", site.count("factor")?),
        "channel_shuffle" => format!("nn.ChannelShuffle({})", site.count("groups")?),
        _ => format!("nn.Upsample({})", tuple(&output[1..])),
    };
    writer.module(text, output)
}

fn plain(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let text = match &*site.description.name {
        "flatten" => return writer.module("nn.Flatten()".to_owned(), [x.iter().product::<usize>()]),
        "identity" => "nn.Identity()",
        "relu" => "nn.ReLU()",
        "relu6" => "nn.ReLU6()",
        "selu" => "nn.SELU()",
        "gelu" => "nn.GELU()",
        "gelu_tanh" => "nn.GELU(\"tanh\")",
        "hard_sigmoid" => "nn.Hardsigmoid()",
        "hard_swish" => "nn.Hardswish()",
        "tanh_shrink" => "nn.Tanhshrink()",
        "sigmoid" => "nn.Sigmoid()",
        "tanh" => "nn.Tanh()",
        "softsign" => "nn.Softsign()",
        "silu" => "nn.SiLU()",
        "mish" => "nn.Mish()",
        "log_sigmoid" => "nn.LogSigmoid()",
        "softmax" => "nn.Softmax(-1)",
        "log_softmax" => "nn.LogSoftmax(-1)",
        "softmin" => "nn.Softmin(-1)",
        _ => "nn.Softmax(1)",
    };
    writer.module(text.to_owned(), x)
}

fn with_settings(writer: &mut Writer<'_>, site: &Site, x: &[usize]) -> Built {
    let value = |setting: &str| site.number(setting).map(number);
    let text = match &*site.description.name {
        "leaky_relu" => format!("nn.LeakyReLU({})", value("negative_slope")?),
        "threshold" => format!("nn.Threshold({}, {})", value("threshold")?, value("value")?),
        "elu" => format!("nn.ELU({})", value("alpha")?),
        "celu" => format!("nn.CELU({})", value("alpha")?),
        "hard_tanh" => format!("nn.Hardtanh({}, {})", value("low")?, value("high")?),
        "hard_shrink" => format!("nn.Hardshrink({})", value("lambda")?),
        "soft_shrink" => format!("nn.Softshrink({})", value("lambda")?),
        "softplus" => format!("nn.Softplus({}, {})", value("beta")?, value("threshold")?),
        "rrelu" => format!("nn.RReLU({}, {})", value("lower")?, value("upper")?),
        "gated" | "glu" => {
            if site.has("gate") && site.described("gate")?.name != "sigmoid" {
                return Err("nn.GLU has a sigmoid as its gate".into());
            }
            let axis = if site.has("axis") { site.count("axis")? } else { x.len() - 1 };
            let output = writer.output(site)?;
            return writer.module(format!("nn.GLU({})", axis + 1), output);
        }
        _ => match site.text("shared") {
            Some("all") => "nn.PReLU()".to_owned(),
            None if site.has("shared") && site.count("shared")? == 0 => format!("nn.PReLU({})", x[0]),
            _ => return Err("nn.PReLU has one slope, or one for each channel".into()),
        },
    };
    writer.module(text, x)
}
