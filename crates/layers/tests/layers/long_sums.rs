//! Layers whose passes are sums of very many terms: in single precision they agree with double precision to 2e-6.
//!
//! All terms of a sum are equal, which is the worst case: beside a large sum each is rounded to the same side.

use chainrule_core::{Backward, Forward, Grads, Layer, Mode, Params, Plan, SideBySide};
use chainrule_layers::{
    Add, BilinearUpSampling2d, Conv1d, Conv2d, ConvTranspose2d, Dense, DepthwiseConv2d, Embedding,
    EmbeddingBag, Gru, LearnedPositions, LinearUpSampling1d, LocalResponseNorm, Lstm, Multiply, RepeatVector,
    ReplicationPadding1d, Rnn, TimeDistributed, UpSampling1d, UpSampling2d,
};
use chainrule_tensor::{Real, Shape};
use ndarray::Array2;

/// Constant inputs, parameters and gradients of the output.
#[derive(Clone, Copy)]
struct Values {
    x: f32,
    parameter: f32,
    dy: f32,
}

const ALL: Values = Values { x: 0.1, parameter: 0.1, dy: 0.1 };

/// The output, the gradients of the parameters and that of the input.
fn run<T: Real>(layer: &impl Layer<T>, rows: usize, input: Shape, values: Values) -> [Vec<f64>; 3] {
    let [x, parameter, dy] = [values.x, values.parameter, values.dy].map(|value| T::of(f64::from(value)));
    let mut plan = Plan::new();
    let (output, mut cache) = layer.plan(input, &mut plan).unwrap();
    let params = vec![parameter; plan.size()];
    let mut grads = vec![T::zero(); plan.size()];
    let x = Array2::from_elem((rows, input.size()), x);
    let mut y = Array2::zeros((rows, output.size()));
    let mut dx = Array2::zeros(x.dim());
    layer.forward(Forward {
        params: Params::new(&params),
        x: x.view(),
        y: y.view_mut(),
        cache: &mut cache,
        mode: Mode::Eval,
    });
    layer.backward(Backward {
        params: Params::new(&params),
        grads: Grads::new(&mut grads),
        x: x.view(),
        y: y.view(),
        dy: Array2::from_elem(y.dim(), dy).view(),
        dx: Some(dx.view_mut()),
        cache: &mut cache,
        share: T::one(),
    });
    let double = |values: &[T]| values.iter().map(|value| value.as_f64()).collect();
    [double(y.as_slice().unwrap()), double(&grads), double(dx.as_slice().unwrap())]
}

#[track_caller]
fn agree<L: Layer<f32> + Layer<f64>>(layer: &L, rows: usize, input: impl Into<Shape>, values: Values) {
    let input = input.into();
    let found = run::<f32>(layer, rows, input, values);
    let right = run::<f64>(layer, rows, input, values);
    for ((name, found), right) in ["y", "gradients", "dx"].into_iter().zip(found).zip(right) {
        assert_eq!(found.len(), right.len());
        for (index, (found, right)) in found.into_iter().zip(right).enumerate() {
            let error = (found - right).abs();
            assert!(error <= 2e-6 * right.abs(), "{name}[{index}]: {found} for {right}");
        }
    }
}

#[test]
fn dense() {
    agree(&Dense::new(10), 65_536, [3], ALL);
    agree(&Dense::new(2), 3, [1 << 20], ALL);
    agree(&Dense::new(1), 1, [100_000], Values { x: 0.7, parameter: 1.9, dy: 0.3 });
    agree(&TimeDistributed(Dense::new(3)), 64, [1024, 2], ALL);
}

#[test]
fn embeddings() {
    let ids = Values { x: 1.0, ..ALL };
    agree(&Embedding::new(3, 70), 100, [1000], ids);
    agree(&Embedding::new(3, 2), 3, [33], ids);
    agree(&EmbeddingBag::new(3, 5), 1, [100_000], ids);
    agree(&EmbeddingBag::new(3, 5).sum(), 2, [100_000], ids);
    agree(&EmbeddingBag::new(3, 2).max(), 100_000, [2], ids);
}

#[test]
fn recurrent_layers() {
    // Weights of 0, so that nothing is squared away: what is added up is dy.
    let values = Values { parameter: 0.0, ..ALL };
    agree(&Rnn::new(2).sequences(), 4, [20_000, 2], values);
    agree(&Rnn::new(2), 65_536, [1, 1], values);
    agree(&Lstm::new(2).sequences(), 2, [10_000, 1], values);
    agree(&Gru::new(2).sequences(), 2, [10_000, 1], values);
}

#[test]
fn positions() {
    agree(&LearnedPositions::new(), 65_536, [2, 2], ALL);
    agree(&LearnedPositions::new().masked(), 65_536, [2, 2], ALL);
    agree(&TimeDistributed(LearnedPositions::new()), 4, [16_384, 2, 2], ALL);
}

#[test]
fn values_that_are_copied_often() {
    agree(&RepeatVector::new(100_000), 1, [2], ALL);
    agree(&UpSampling1d::new(100_000), 1, [2, 2], ALL);
    agree(&UpSampling2d::new([100, 70]), 2, [2, 2, 2], ALL);
    agree(&LinearUpSampling1d::new(20_000), 1, [2, 2], ALL);
    agree(&BilinearUpSampling2d::new([100, 70]), 2, [2, 2, 3], ALL);
    agree(&BilinearUpSampling2d::new([16, 16]).align_corners(), 2, [2, 2, 3], ALL);
    agree(&ReplicationPadding1d::new(50_000), 1, [2, 3], ALL);
}

#[test]
fn values_that_are_repeated_often() {
    // A block of the output repeats three values, and there are 4096 such blocks of each.
    let inputs = [vec![2, 1, 3, 1], vec![4096, 2, 4, 3, 2]];
    agree(
        &SideBySide::new(Multiply, inputs.clone().map(|shape| Shape::new(&shape).unwrap())),
        1,
        [196_614],
        ALL,
    );
    agree(&SideBySide::new(Add, inputs.map(|shape| Shape::new(&shape).unwrap())), 1, [196_614], ALL);
}

#[test]
fn neighbours() {
    agree(&LocalResponseNorm::new(1001).alpha(1.0), 1, [1001, 1], ALL);
    agree(&LocalResponseNorm::new(100).alpha(1.0), 2, [70, 2], ALL);
}

#[test]
fn convolutions() {
    agree(&Conv2d::new(3, 1), 2, [2, 224, 224], ALL);
    agree(&Conv2d::new(2, 3), 2000, [1, 8, 8], ALL);
    agree(&Conv1d::new(2, 3), 1, [1, 100_000], ALL);
    agree(&DepthwiseConv2d::new(3), 40, [2, 40, 40], ALL);
    agree(&ConvTranspose2d::new(2, 2), 100, [2, 20, 20], ALL);
}
