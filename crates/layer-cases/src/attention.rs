use chainrule_core::{Sequential, SideBySide};
use chainrule_layers::{
    ClassToken, DotProductAttention, Gelu, LeakyRelu, LearnedPositions, MultiHeadAttention, OneStep, Patches,
    SinusoidalPositions, SwiGlu, Tanh, TransformerDecoder, TransformerEncoder,
};
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

/// Attention with this number of heads.
fn heads(heads: usize) -> MultiHeadAttention {
    MultiHeadAttention::new(heads)
}

/// Cross-attention from 3 steps with 4 features to 5 with 2.
fn cross<T: Real>(name: &'static str, attention: MultiHeadAttention) -> Case<T> {
    case(name, SideBySide::new(attention, [[3, 4], [5, 2]]), [22])
}

/// Queries, keys and values.
fn dot<T: Real>(name: &'static str, attention: DotProductAttention) -> Case<T> {
    case(name, SideBySide::new(attention, [[3, 2], [4, 2], [4, 5]]), [34])
}

/// An encoder without dropout.
fn encoder() -> TransformerEncoder {
    TransformerEncoder::new(2, 3).dropout(0.0)
}

fn decoder() -> TransformerDecoder {
    TransformerDecoder::new(2, 3).dropout(0.0)
}

/// A target of 3 steps and a memory of 2, both with 4 features.
fn with_memory<T: Real>(name: &'static str, decoder: TransformerDecoder) -> Case<T> {
    case(name, SideBySide::new(decoder, [[3, 4], [2, 4]]), [20])
}

fn multi_head<T: Real>() -> Vec<Case<T>> {
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

fn transformers<T: Real>() -> Vec<Case<T>> {
    let both = SideBySide::new(DotProductAttention::new().causal().dropout(0.4), [[4, 3], [2, 3]]);
    let grouped = MultiHeadAttention::new(4).key_value_heads(2).rotary().head_size(2).without_bias();
    let stack = Sequential::<T>::default().then(Patches::new(2)).then(ClassToken::new());
    let stack = stack.then(LearnedPositions::new()).then(encoder().pre_norm()).then(encoder().pre_norm());
    vec![
        dot("dot-product attention", DotProductAttention::new()),
        dot("dot-product attention causal", DotProductAttention::new().causal().scale(2.0)),
        dot("dot-product attention padded", DotProductAttention::new().masked())
            .ids(|index, v| if matches!(index, 2 | 3 | 8 | 9 | 12 | 13) { 0.0 } else { v }),
        case("dot-product attention of two", both, [18]),
        case("encoder", encoder(), [3, 4]),
        case("encoder pre-norm", encoder().pre_norm().causal().activation(Gelu), [3, 4]),
        case("encoder gated", TransformerEncoder::new(1, 6).activation(SwiGlu::default()).pre_norm(), [2, 3]),
        case("encoder padded", encoder().masked(), [3, 4]).ids(padded),
        case("encoder pre-norm padded", encoder().masked().pre_norm(), [3, 4]).ids(padded),
        case("encoder with dropout", TransformerEncoder::new(1, 5).activation(Tanh), [3, 3]),
        case(
            "encoder of another attention",
            encoder().attention(grouped).activation(LeakyRelu::default()),
            [2, 5],
        ),
        with_memory("decoder", decoder().causal()),
        with_memory("decoder pre-norm", decoder().pre_norm()),
        with_memory("decoder padded", decoder().masked().causal()).ids(padded),
        with_memory("decoder pre-norm padded", decoder().masked().pre_norm().dropout(0.5)).ids(padded),
        case("decoder of another width", SideBySide::new(decoder(), [[2, 4], [3, 5]]), [23]),
        case("sinusoidal positions", SinusoidalPositions::new(), [4, 5]),
        case("sinusoidal positions padded", SinusoidalPositions::new().masked(), [5, 4]).ids(padded),
        case("learned positions", LearnedPositions::new(), [3, 17]),
        case("learned positions padded", LearnedPositions::new().masked(), [5, 4]).ids(padded),
        case("class token", ClassToken::new(), [3, 4]),
        case("first step", OneStep::first(), [3, 4]),
        case("last step", OneStep::last(), [3, 4]),
        case("patches", Patches::new(2), [2, 4, 6]),
        case("patches of one", Patches::new(1), [3, 2, 1]),
        case("vision transformer", stack.then(OneStep::first()), [1, 4, 2]),
    ]
}

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    [multi_head(), transformers()].into_iter().flatten().collect()
}
