use chainrule_layer::SideBySide;
use chainrule_layers::MultiHeadAttention;
use chainrule_tensor::Real;

use super::{Case, case};

/// Sequences with 4 features, of which the second step is padding, and the fifth.
fn padded(index: usize, v: f64) -> f64 {
    if matches!(index / 4, 1 | 4) { 0.0 } else { v }
}

/// All of the first three steps with 4 features are padding.
fn all_padded(index: usize, v: f64) -> f64 {
    if index < 12 { v } else { 0.0 }
}

/// Attention, by the number of its heads.
fn heads(heads: usize) -> MultiHeadAttention {
    MultiHeadAttention::new(heads)
}

/// Cross-attention from 3 steps with 4 features to 5 with 2.
fn cross<T: Real>(name: &'static str, attention: MultiHeadAttention) -> Case<T> {
    case(name, SideBySide::new(attention, [[3, 4], [5, 2]]), [22])
}

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    let cross_padded = SideBySide::new(heads(2).masked(), [[3, 4], [2, 4]]);
    vec![
        case("attention", heads(2), [5, 4]),
        case("attention of one step", heads(1), [1, 3]),
        case("attention grouped", heads(4).key_value_heads(2).head_size(3), [4, 5]),
        case("attention with one key head", heads(3).key_value_heads(1).without_bias(), [3, 6]),
        case("attention causal", heads(2).causal(), [5, 4]),
        case("attention causal in blocks", heads(1).causal().without_bias(), [70, 2]),
        case("attention masked", heads(2).masked(), [4, 4]),
        case("attention padded", heads(2).masked(), [6, 4]).ids(padded),
        case("attention causal padded", heads(1).masked().causal(), [5, 4]).ids(padded),
        case("attention of padding", heads(2).masked(), [3, 4]).ids(|_, _| 0.0),
        case("attention with dropout", heads(2).dropout(0.3), [4, 4]),
        case("attention rotary", heads(2).rotary(), [5, 4]),
        case("attention rotary grouped", heads(4).key_value_heads(2).rotary_base(50.0).causal(), [3, 8]),
        case("attention alibi", heads(3).alibi(), [4, 6]),
        case("attention alibi causal", heads(2).alibi().causal().rotary(), [6, 4]),
        case("attention with all", heads(2).alibi().causal().rotary().dropout(0.5).masked(), [6, 4])
            .ids(padded),
        cross("cross-attention", heads(2)),
        cross("cross-attention grouped", heads(4).key_value_heads(2).dropout(0.2)),
        case("cross-attention padded", cross_padded.clone(), [20]).ids(padded),
        case("cross-attention to padding", cross_padded, [20]).ids(all_padded),
    ]
}
