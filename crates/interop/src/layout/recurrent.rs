//! PyTorch's recurrent modules: transposed weights, and two biases.

use super::leaf::Leaf;
use super::{Layout, Part};

/// One direction, whose parameters begin with `own`, and PyTorch's end with `suffix`.
fn direction(leaf: &Leaf<'_>, own: &str, suffix: &str) -> Option<Vec<Layout>> {
    let own = |name: &str| format!("{own}{name}");
    let pytorch = |name: &str| format!("{name}{suffix}");
    let weight = leaf.transposed(&own("weight"), &pytorch("weight_ih"))?;
    let recurrent = leaf.transposed(&own("recurrent_weight"), &pytorch("weight_hh"))?;
    let mut layouts = vec![weight, recurrent];
    let Some(bias) = leaf.whole(&own("bias"), &pytorch("bias_ih")) else { return Some(layouts) };
    let second = leaf.whole(&own("recurrent_bias"), &pytorch("bias_hh")).unwrap_or_else(|| {
        let parts = bias.parts.iter().map(|part| Part::Added(part.view().clone())).collect();
        Layout { name: leaf.name(&pytorch("bias_hh")), shape: bias.shape.clone(), parts }
    });
    layouts.extend([bias, second]);
    Some(layouts)
}

pub(super) fn one_direction(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    direction(leaf, "", "_l0")
}

pub(super) fn both_directions(leaf: &Leaf<'_>) -> Option<Vec<Layout>> {
    let forward = direction(leaf, "forward.", "_l0")?;
    Some([forward, direction(leaf, "backward.", "_l0_reverse")?].concat())
}
