//! Keras' layers: kernels with the axes of the window first, gates in another order, heads on an axis of their own.

use std::ops::Range;

use chainrule_core::{ParamEntry, Value};

use super::leaf::{Leaf, one, whole};
use super::{Layout, Part, View};
use crate::indices::row_major;

/// These parameters, as they are, under these names.
fn renamed(leaf: &Leaf<'_>, names: &[(&str, &str)]) -> Vec<Layout> {
    names.iter().filter_map(|(own, keras)| leaf.whole(own, keras)).collect()
}

pub(super) fn dense(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    Some(renamed(leaf, &[("weight", "kernel"), ("bias", "bias")]))
}

pub(super) fn embedding(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    Some(renamed(leaf, &[("weight", "embeddings")]))
}

pub(super) fn batch_norm(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    let statistics = [("running_mean", "moving_mean"), ("running_var", "moving_variance")];
    Some(renamed(leaf, &[[("weight", "gamma"), ("bias", "beta")], statistics].concat()))
}

/// The scale of an RMS norm has another name.
pub(super) fn norm(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    let scale = if leaf.description.name == "rms_norm" { "scale" } else { "gamma" };
    Some(renamed(leaf, &[("weight", scale), ("bias", "beta")]))
}

/// A slope for each value of a sample; those that are shared have other axes.
pub(super) fn prelu(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    let shared = leaf.description.get("shared");
    matches!(shared, Some(Value::None)).then(|| renamed(leaf, &[("weight", "alpha")]))
}

/// `[a, b, window...]` as `[window..., b, a]`.
fn window_first(name: String, entry: &ParamEntry) -> Layout {
    let (shape, strides) = (entry.shape.to_vec(), row_major(&entry.shape));
    let order: Vec<usize> = (2..shape.len()).chain([1, 0]).collect();
    let of = |values: &[usize]| order.iter().map(|&axis| values[axis]).collect();
    one(name, View { offset: entry.range.start, shape: of(&shape), strides: of(&strides) })
}

/// `[channels · multiplier, 1, window...]` as `[window..., channels, multiplier]`.
fn depthwise(name: String, entry: &ParamEntry, multiplier: usize) -> Option<Layout> {
    let (shape, strides) = (entry.shape.to_vec(), row_major(&entry.shape));
    let channels = shape.first()?.checked_div(multiplier)?;
    let shape = shape[2..].iter().copied().chain([channels, multiplier]).collect();
    let of_channels = [strides[0] * multiplier, strides[0]];
    let strides = strides[2..].iter().copied().chain(of_channels).collect();
    Some(one(name, View { offset: entry.range.start, shape, strides }))
}

pub(super) fn conv(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    let multiplier = || leaf.description.get("multiplier")?.as_f64().map(|multiplier| multiplier as usize);
    let name = &*leaf.description.name;
    let (mut layouts, bias) = if name.starts_with("separable") {
        let spread =
            depthwise(leaf.name("depthwise_kernel"), leaf.entry("depthwise.weight")?, multiplier()?)?;
        let mixed = window_first(leaf.name("pointwise_kernel"), leaf.entry("pointwise.weight")?);
        (vec![spread, mixed], "pointwise.bias")
    } else if name.starts_with("depthwise") {
        (vec![depthwise(leaf.name("kernel"), leaf.entry("weight")?, multiplier()?)?], "bias")
    } else if name.starts_with("conv_transpose") && leaf.description.get("groups")?.as_f64()? != 1.0 {
        return None; // Keras has none with groups.
    } else {
        (vec![window_first(leaf.name("kernel"), leaf.entry("weight")?)], "bias")
    };
    layouts.extend(leaf.whole(bias, "bias"));
    Some(layouts)
}

/// Our gates in the order of Keras.
fn gates(layer: &str) -> &'static [usize] {
    match layer {
        "rnn" => &[0],
        "lstm" => &[0, 1, 2, 3],
        // r, z, n to z, r, h.
        _ => &[1, 0, 2],
    }
}

/// Rows of blocks of columns, the blocks in this order.
fn reordered(name: String, entries: &[&ParamEntry], order: &[usize]) -> Option<Layout> {
    let columns = *entries.first()?.shape.last()?;
    let units = columns / order.len();
    let mut parts = Vec::new();
    let mut rows = 0;
    for entry in entries {
        for row in 0..entry.shape.size() / columns {
            rows += 1;
            let start = entry.range.start + row * columns;
            let block = |&gate: &usize| Part::Values(View::contiguous(start + gate * units, vec![units]));
            parts.extend(order.iter().map(block));
        }
    }
    let one_row = entries.len() == 1 && entries[0].shape.len() == 1;
    let shape = if one_row { vec![columns] } else { vec![rows, columns] };
    Some(Layout { name, shape, parts })
}

/// One direction, whose parameters begin with `own` here and with `keras` there.
fn direction(leaf: &Leaf<'_>, layer: &str, own: &str, keras: &str) -> Option<Vec<Layout>> {
    let order = gates(layer);
    let entry = |name: &str| leaf.entry(&format!("{own}{name}"));
    let name = |name: &str| leaf.name(&format!("{keras}{name}"));
    let mut layouts = vec![
        reordered(name("kernel"), &[entry("weight")?], order)?,
        reordered(name("recurrent_kernel"), &[entry("recurrent_weight")?], order)?,
    ];
    match (entry("bias"), entry("recurrent_bias")) {
        (Some(bias), Some(recurrent)) => layouts.push(reordered(name("bias"), &[bias, recurrent], order)?),
        (Some(bias), None) => layouts.push(reordered(name("bias"), &[bias], order)?),
        _ => {}
    }
    Some(layouts)
}

pub(super) fn one_direction(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    direction(leaf, &leaf.description.name, "", "")
}

pub(super) fn both_directions(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    let layer = leaf.description.get("layer")?.to_description()?.name;
    if !matches!(&*layer, "rnn" | "lstm" | "gru") {
        return None;
    }
    let forward = direction(leaf, &layer, "forward.", "forward.")?;
    Some([forward, direction(leaf, &layer, "backward.", "backward.")?].concat())
}

/// Columns of a matrix, or values of a vector, with an axis for the heads.
fn heads(entry: &ParamEntry, columns: Range<usize>, heads: usize) -> Option<View> {
    let size = columns.len().checked_div(heads)?;
    let offset = entry.range.start + columns.start;
    match &*entry.shape {
        [_] => Some(View::contiguous(offset, vec![heads, size])),
        &[rows, all] => Some(View { offset, shape: vec![rows, heads, size], strides: vec![all, size, 1] }),
        _ => None,
    }
}

pub(super) fn attention(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    let count = |setting: &str| leaf.description.get(setting)?.as_f64().map(|count| count as usize);
    let queries = count("heads")?;
    let groups = count("key_value_heads").unwrap_or(queries);
    let out = leaf.entry("out_weight")?;
    let &[units, features] = &*out.shape else { return None };
    let both = *leaf.entry("key_value_weight")?.shape.last()?;
    let mut layouts = Vec::new();
    for (of, own, columns, count) in [
        ("query", "query", 0..units, queries),
        ("key", "key_value", 0..both / 2, groups),
        ("value", "key_value", both / 2..both, groups),
    ] {
        let kernel = heads(leaf.entry(&format!("{own}_weight"))?, columns.clone(), count)?;
        layouts.push(one(leaf.name(&format!("{of}.kernel")), kernel));
        if let Some(bias) = leaf.entry(&format!("{own}_bias")) {
            layouts.push(one(leaf.name(&format!("{of}.bias")), heads(bias, columns, count)?));
        }
    }
    let kernel = View::contiguous(out.range.start, vec![queries, units / queries, features]);
    layouts.push(one(leaf.name("attention_output.kernel"), kernel));
    layouts.extend(leaf.entry("out_bias").map(|bias| whole(bias, leaf.name("attention_output.bias"))));
    Some(layouts)
}

/// The name of a layer's class in a file: the class in small letters, as Keras' `to_snake_case` writes it.
pub(super) fn class(leaf: &Leaf<'_>) -> Option<&'static str> {
    let shared_heads = || {
        let count = |setting: &str| leaf.description.get(setting)?.as_f64();
        count("key_value_heads").is_some_and(|groups| count("heads") != Some(groups))
    };
    Some(match &*leaf.description.name {
        "dense" => "dense",
        "conv1d" => "conv1d",
        "conv2d" => "conv2d",
        "conv3d" => "conv3d",
        "depthwise_conv1d" => "depthwise_conv1d",
        "depthwise_conv2d" => "depthwise_conv2d",
        "separable_conv1d" => "separable_conv1d",
        "separable_conv2d" => "separable_conv2d",
        "conv_transpose1d" => "conv1d_transpose",
        "conv_transpose2d" => "conv2d_transpose",
        "conv_transpose3d" => "conv3d_transpose",
        "batch_norm" => "batch_normalization",
        "layer_norm" => "layer_normalization",
        "rms_norm" => "rms_normalization",
        "group_norm" | "instance_norm" => "group_normalization",
        "prelu" => "p_re_lu",
        "embedding" => "embedding",
        "rnn" => "simple_rnn",
        "lstm" => "lstm",
        "gru" => "gru",
        "bidirectional" => "bidirectional",
        "multi_head_attention" if shared_heads() => "grouped_query_attention",
        "multi_head_attention" => "multi_head_attention",
        _ => return None,
    })
}

/// The tensors of a layer under the names that they have in the group of a file: the number of the variable in the part of the layer that
/// has it.
pub(super) fn in_file(leaf: &Leaf<'_>, mut layouts: Vec<Layout>, group: &str) -> Vec<Layout> {
    let cell = matches!(&*leaf.description.name, "rnn" | "lstm" | "gru");
    let mut last: (String, usize) = Default::default();
    for layout in &mut layouts {
        let part = match layout.name.rsplit_once('.').map(|(part, _)| part) {
            None if cell => "cell/vars",
            None => "vars",
            Some("forward") => "forward_layer/cell/vars",
            Some("backward") => "backward_layer/cell/vars",
            Some("query") => "query_dense/vars",
            Some("key") => "key_dense/vars",
            Some("value") => "value_dense/vars",
            Some(_) => "output_dense/vars",
        };
        last = if last.0 == part { (last.0, last.1 + 1) } else { (part.to_owned(), 0) };
        layout.name = format!("{group}/{part}/{}", last.1);
    }
    layouts
}
