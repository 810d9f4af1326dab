use chainrule_core::Sequential;
use chainrule_layers::{Dense, Embedding, EmbeddingBag, Flatten};
use chainrule_tensor::Real;

use super::{Case, case};

/// Ids below 7, made of a number that may be anything.
fn id(_: usize, v: f64) -> f64 {
    (v.abs() * 1000.0).floor() % 7.0
}

/// As [`id`], and the first two of each sample are 2.
fn padded(index: usize, v: f64) -> f64 {
    if index < 2 { 2.0 } else { id(index, v) }
}

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    let words = Sequential::<T>::default().then(Embedding::new(7, 3)).then(Flatten).then(Dense::new(4));
    vec![
        case("embedding", Embedding::new(7, 3), [5]).ids(id),
        case("embedding of one id", Embedding::keras(1, 18), [1]).ids(|_, _| 0.0),
        case("embedding padded", Embedding::new(7, 2).padding_index(2), [6]).ids(padded),
        case("embedding sparse", Embedding::new(7, 17).sparse(), [2]).ids(id),
        case("embedding below others", words, [4]).ids(id),
        case("embedding bag", EmbeddingBag::new(7, 3), [5]).ids(id),
        case("embedding bag sum", EmbeddingBag::new(7, 20).sum().sparse(), [4]).ids(id),
        case("embedding bag max", EmbeddingBag::new(7, 5).max(), [4]).ids(id),
        case("embedding bag padded", EmbeddingBag::new(7, 4).padding_index(2), [6]).ids(padded),
        case("embedding bag sum padded", EmbeddingBag::new(7, 4).sum().padding_index(2), [3]).ids(padded),
        case("embedding bag max padded", EmbeddingBag::new(7, 4).max().padding_index(2), [6]).ids(padded),
        case("embedding bag of padding", EmbeddingBag::new(7, 4).padding_index(2), [2]).ids(padded),
    ]
}
