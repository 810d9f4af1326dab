use chainrule_core::{
    Backward, Constant, Forward, Layer, Plan, Range, Sequential, ShapeError, describe, described,
};
use chainrule_layers::{
    Bidirectional, Conv1d, Conv2d, ConvLstm, Dense, Dropout, Flatten, Gru, LeakyRelu, Lstm, Masking, Padding,
    Relu, Rnn, Tanh, TimeDistributed,
};
use chainrule_tensor::{Real, Shape};
use ndarray::s;

use super::{Case, case};

/// A convolution whose window is one pixel, `[channels, ...]` to `[units, ...]`, for a layer to be put around.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pixelwise(usize);

describe! {
    /// A convolution whose window is one pixel.
    Pixelwise = "pixelwise";
    settings {
        /// The number of channels of the output.
        0 as "units": required, Range::AT_LEAST_ONE;
    }
}

impl<T: Real> Layer<T> for Pixelwise {
    type Cache = ();

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        let mut output = input.to_vec();
        output[0] = self.0;
        plan.weight("weight", [input[0], self.0], (1, 1), &(std::sync::Arc::new(Constant(0.3)) as _))?;
        Ok((Shape::new(&output).unwrap(), ()))
    }

    described!();

    fn forward(&self, Forward { mut params, x, mut y, .. }: Forward<'_, T>) {
        let pixels = y.ncols() / self.0;
        let w = params.take([x.ncols() / pixels, self.0]);
        y.fill(T::zero());
        for ((channel, unit), &w) in w.indexed_iter() {
            let x = x.slice(s![.., channel * pixels..(channel + 1) * pixels]);
            y.slice_mut(s![.., unit * pixels..(unit + 1) * pixels]).scaled_add(w, &x);
        }
    }

    fn backward(&self, Backward { mut params, mut grads, x, dy, mut dx, .. }: Backward<'_, T>) {
        let pixels = dy.ncols() / self.0;
        let shape = [x.ncols() / pixels, self.0];
        let (w, mut dw) = (params.take(shape), grads.take(shape));
        dx.iter_mut().for_each(|dx| dx.fill(T::zero()));
        for ((channel, unit), &w) in w.indexed_iter() {
            let columns = s![.., channel * pixels..(channel + 1) * pixels];
            let dy = dy.slice(s![.., unit * pixels..(unit + 1) * pixels]);
            dw[[channel, unit]] += x.slice(columns).iter().zip(&dy).map(|(&x, &dy)| x * dy).sum();
            if let Some(dx) = &mut dx {
                dx.slice_mut(columns).scaled_add(w, &dy);
            }
        }
    }
}

/// Makes padding of the steps that a mask tells: a ReLU behind which they are 0, so that they stay padding when a
/// gradient check moves their values a little.
fn padded<T: Real>(layer: impl Layer<T>) -> Sequential<T> {
    Sequential::default().then(Relu).then(layer)
}

/// Five steps of two features: the second and the last are padding, the others positive.
fn holes(index: usize, value: f64) -> f64 {
    let positive = 0.1 + value.abs();
    if matches!(index / 2, 1 | 4) { -positive } else { positive }
}

/// Five steps of two features, of which the last two are padding.
fn tail(index: usize, value: f64) -> f64 {
    let positive = 0.1 + value.abs();
    if index >= 6 { -positive } else { positive }
}

/// Four steps of three features; all of those of the third are 7.
fn sevens(index: usize, value: f64) -> f64 {
    if index / 3 == 2 { 7.0 } else { value }
}

pub(crate) fn cases<T: Real>() -> Vec<Case<T>> {
    let stack = || Sequential::<T>::default();
    let image = stack().then(Pixelwise(12)).then(Tanh);
    vec![
        case("rnn", Rnn::new(4), [5, 3]),
        case("rnn sequences", Rnn::keras(5).sequences(), [3, 2]),
        case("rnn relu", Rnn::new(3).relu().sequences(), [4, 2]),
        case("rnn leaky relu", Rnn::new(3).activation(LeakyRelu::default()), [4, 2]),
        case("rnn one step", Rnn::new(3), [1, 4]),
        case("rnn one unit", Rnn::new(1).without_bias(), [4, 1]),
        case("rnn backwards", Rnn::new(3).backwards(), [4, 2]),
        case("rnn masked", padded(Rnn::new(3).masked()), [5, 2]).values(holes),
        case("lstm", Lstm::new(4), [5, 3]),
        case("lstm sequences", Lstm::new(3).sequences(), [4, 2]),
        case("lstm wide", Lstm::new(19).sequences(), [2, 7]),
        case("lstm keras", Lstm::keras(3), [3, 2]),
        case(
            "lstm without bias",
            Lstm::new(2).without_bias().bias_init(Constant(0.2)).without_bias(),
            [3, 2],
        ),
        case("lstm one step", Lstm::new(4), [1, 3]),
        case("lstm one unit", Lstm::new(1).sequences(), [5, 1]),
        case("lstm backwards", Lstm::new(3).backwards(), [4, 2]),
        case("lstm backwards sequences", Lstm::new(3).backwards().sequences(), [4, 2]),
        case("lstm masked", padded(Lstm::new(3).masked()), [5, 2]).values(tail),
        case("lstm masked sequences", padded(Lstm::new(3).masked().sequences()), [5, 2]).values(holes),
        case("lstm masked backwards", padded(Lstm::new(3).masked().backwards()), [5, 2]).values(tail),
        case("gru", Gru::new(4), [5, 3]),
        case("gru sequences", Gru::keras(3).sequences(), [4, 2]),
        case("gru wide", Gru::new(18), [3, 5]),
        case("gru without bias", Gru::new(3).without_bias(), [3, 2]),
        case("gru one step", Gru::new(2), [1, 3]),
        case("gru one unit", Gru::new(1), [3, 1]),
        case("gru backwards sequences", Gru::new(3).backwards().sequences(), [4, 2]),
        case("gru masked", padded(Gru::new(3).masked()), [5, 2]).values(holes),
        case("gru masked sequences", padded(Gru::new(3).masked().sequences()), [5, 2]).values(tail),
        case("bidirectional rnn", Bidirectional::new(Rnn::new(3)), [4, 2]),
        case("bidirectional lstm", Bidirectional::new(Lstm::new(3)), [4, 2]),
        case("bidirectional lstm sequences", Bidirectional::new(Lstm::new(3).sequences()), [4, 2]),
        case("bidirectional gru sequences", Bidirectional::new(Gru::new(2).sequences()), [3, 3]),
        case("bidirectional sum", Bidirectional::new(Gru::new(3).sequences()).sum(), [3, 2]),
        case("bidirectional multiply", Bidirectional::new(Lstm::new(3)).multiply(), [3, 2]),
        case("bidirectional average", Bidirectional::new(Rnn::new(3).sequences()).average(), [3, 2]),
        case("bidirectional backwards", Bidirectional::new(Gru::new(2).backwards()), [3, 2]),
        case("bidirectional masked", padded(Bidirectional::new(Lstm::new(3).masked())), [5, 2]).values(tail),
        case(
            "bidirectional masked sequences",
            padded(Bidirectional::new(Gru::new(2).masked().sequences())),
            [5, 2],
        )
        .values(holes),
        case(
            "recurrent stack",
            stack()
                .then(Bidirectional::new(Lstm::new(3).sequences()))
                .then(Dropout::new(0.3))
                .then(Gru::new(2).sequences())
                .then(Rnn::new(3))
                .then(Dense::new(2)),
            [3, 2],
        ),
        case(
            "masked stack",
            padded(stack().then(Lstm::new(3).masked().sequences()).then(Gru::new(2).masked())),
            [5, 2],
        )
        .values(tail),
        case("masking", Masking::new(7.0), [4, 3]).ids(sevens),
        case("masking rnn", stack().then(Masking::new(7.0)).then(Rnn::new(3).masked()), [4, 3]).ids(sevens),
        case("conv lstm dense", ConvLstm::new(3, Dense::new(12)), [3, 2]),
        case("conv lstm", ConvLstm::new(2, Pixelwise(8)), [3, 2, 2, 3]),
        case("conv lstm 3x3", ConvLstm::new(2, Conv2d::new(8, 3).padding(Padding::Same)), [3, 2, 4, 3]),
        case(
            "conv lstm 1d",
            ConvLstm::new(2, Conv1d::new(8, 3).padding(Padding::Same)).sequences(),
            [3, 1, 4],
        ),
        case(
            "conv lstm backwards",
            ConvLstm::new(1, Conv2d::new(4, [3, 1]).padding(Padding::Same)).backwards(),
            [2, 1, 3, 2],
        ),
        case("conv lstm sequences", ConvLstm::new(3, image.clone()).sequences(), [3, 1, 4]),
        case(
            "conv lstm dropout",
            ConvLstm::new(1, stack().then(Dropout::new(0.3)).then(Pixelwise(4))).backwards(),
            [2, 2, 3],
        ),
        case("bidirectional conv lstm", Bidirectional::new(ConvLstm::new(3, image).sequences()), [2, 2, 2]),
        case("time distributed", TimeDistributed(Dense::new(4)), [5, 3]),
        case(
            "time distributed stack",
            TimeDistributed(
                stack()
                    .then(Flatten)
                    .then(Dense::new(3))
                    .then(Tanh)
                    .then(Dropout::new(0.3))
                    .then(Dense::new(2)),
            ),
            [3, 2, 2],
        ),
        case("time distributed flatten", stack().then(TimeDistributed(Flatten)).then(Gru::new(2)), [2, 2, 2]),
    ]
}
