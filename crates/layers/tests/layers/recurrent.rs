//! What recurrent layers do beyond what every layer does: padding, states kept between passes, counts and errors.

use chainrule_core::{
    Backward, Forward, Grads, Layer, Mode, Params, Plan, Sequential, ShapeError, gradcheck,
};
use chainrule_layers::{
    Bidirectional, ConvLstm, Dense, Flatten, Gru, Lstm, Masking, Rnn, TimeDistributed, recurrent,
};
use chainrule_tensor::{Real, Seed, Shape};
use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

/// A layer with random parameters, and its cache.
struct Net<L: Layer<f64>> {
    layer: L,
    params: Vec<f64>,
    cache: L::Cache,
    outputs: usize,
}

impl<L: Layer<f64>> Net<L> {
    fn new(layer: L, input: impl Into<Shape>) -> Self {
        let mut plan = Plan::new();
        let (output, cache) = layer.plan(input.into(), &mut plan).unwrap();
        let mut rng = Seed(7).rng();
        let params = (0..plan.size()).map(|_| 0.5 * rng.normal()).collect();
        Self { layer, params, cache, outputs: output.size() }
    }

    fn forward(&mut self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut y = Array2::from_elem((x.nrows(), self.outputs), f64::NAN);
        let params = Params::new(&self.params);
        let cache = &mut self.cache;
        self.layer.forward(Forward { params, x, y: y.view_mut(), cache, mode: Mode::Eval });
        y
    }

    /// The gradients of the parameters and of the input, for this `dy`.
    fn backward(&mut self, x: ArrayView2<'_, f64>, dy: ArrayView2<'_, f64>) -> (Vec<f64>, Array2<f64>) {
        let mut grads = vec![0.0; self.params.len()];
        let mut dx = Array2::from_elem(x.dim(), f64::NAN);
        self.layer.backward(Backward {
            params: Params::new(&self.params),
            grads: Grads::new(&mut grads),
            x,
            y: dy,
            dy,
            dx: Some(dx.view_mut()),
            cache: &mut self.cache,
            share: 1.0,
        });
        (grads, dx)
    }
}

fn random(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut rng = Seed(seed).rng();
    Array2::from_shape_simple_fn((rows, columns), || rng.normal())
}

fn close<'a>(a: impl IntoIterator<Item = &'a f64>, b: impl IntoIterator<Item = &'a f64>) -> bool {
    a.into_iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12)
}

/// Which of six steps of four rows are padding: at the end, at the front, between others, and all of them.
const PADDING: [&[usize]; 4] = [&[4, 5], &[0], &[1, 3, 5], &[0, 1, 2, 3, 4, 5]];

/// Compares a batch of padded rows with each row alone, without its padding.
fn ragged<L: Layer<f64>>(layer: impl Fn() -> L, sequences: bool) {
    const STEPS: usize = 6;
    const FEATURES: usize = 2;
    let columns = |step: usize, width: usize| step * width..(step + 1) * width;
    let mut x = random(PADDING.len(), STEPS * FEATURES, 1);
    for (row, steps) in PADDING.iter().enumerate() {
        steps.iter().for_each(|&step| x.slice_mut(s![row, columns(step, FEATURES)]).fill(0.0));
    }
    let mut batch = Net::new(layer(), [STEPS, FEATURES]);
    let units = if sequences { batch.outputs / STEPS } else { batch.outputs };
    let y = batch.forward(x.view());
    // Gradients at padding must not matter.
    let dy = random(PADDING.len(), batch.outputs, 2);
    let (grads, dx) = batch.backward(x.view(), dy.view());
    let mut sum = vec![0.0; grads.len()];
    for (row, padding) in PADDING.iter().enumerate() {
        let live: Vec<usize> = (0..STEPS).filter(|step| !padding.contains(step)).collect();
        let select = |values: &Array2<f64>, steps: &[usize], width| {
            let steps: Vec<usize> = steps.iter().flat_map(|&step| columns(step, width)).collect();
            values.slice(s![row..row + 1, ..]).select(Axis(1), &steps)
        };
        let pick = |values: &Array2<f64>| {
            if sequences {
                select(values, &live, units)
            } else {
                values.slice(s![row..row + 1, ..]).to_owned()
            }
        };
        if sequences {
            assert!(select(&y, padding, units).iter().all(|&y| y == 0.0), "padding gives zeros");
        }
        assert!(select(&dx, padding, FEATURES).iter().all(|&dx| dx == 0.0), "and has no gradient");
        if live.is_empty() {
            assert!(y.row(row).iter().all(|&y| y == 0.0), "the initial state");
            continue;
        }
        let mut alone = Net::new(layer(), [live.len(), FEATURES]);
        let x = select(&x, &live, FEATURES);
        assert!(close(&alone.forward(x.view()), &pick(&y)), "row {row}");
        let (grads, alone_dx) = alone.backward(x.view(), pick(&dy).view());
        assert!(close(&alone_dx, &select(&dx, &live, FEATURES)), "row {row}");
        sum.iter_mut().zip(grads).for_each(|(sum, grad)| *sum += grad);
    }
    assert!(close(&sum, &grads));
}

#[test]
fn rows_with_padding_are_shorter_rows() {
    ragged(|| Rnn::new(3).masked(), false);
    ragged(|| Lstm::new(3).masked(), false);
    ragged(|| Lstm::new(3).masked().sequences(), true);
    ragged(|| Gru::new(3).masked().backwards(), false);
    ragged(|| Gru::new(3).masked().sequences(), true);
    ragged(|| Bidirectional::new(Lstm::new(3).masked()), false);
    ragged(|| Bidirectional::new(Gru::new(2).masked().sequences()), true);
    ragged(|| Bidirectional::new(Lstm::new(2).masked().sequences()).sum(), true);
    ragged(|| ConvLstm::new(3, Dense::new(12).without_bias()).masked().sequences(), true);
    let stack = || {
        let layers = Sequential::default().then(Bidirectional::new(Lstm::new(3).masked().sequences()));
        layers.then(Gru::new(2).masked())
    };
    ragged(stack, false);
}

#[test]
fn masking_makes_padding() {
    let mut x = random(2, 8, 1);
    let mut zeros = x.clone();
    for (row, step) in [(0, 3), (1, 1)] {
        let step = s![row, 2 * step..2 * step + 2];
        x.slice_mut(step).fill(-1.0);
        zeros.slice_mut(step).fill(0.0);
    }
    x[[0, 0]] = -1.0; // one value of a step is not the step
    zeros[[0, 0]] = -1.0;
    let mut masking = Net::new(Masking::new(-1.0), [4, 2]);
    assert_eq!(masking.forward(x.view()), zeros);
    let dy = Array2::ones(x.dim());
    let expected = zeros.mapv(|v| f64::from(v != 0.0));
    assert_eq!(masking.backward(x.view(), dy.view()).1, expected);
    // NaN equals nothing, so it is not padding and shows.
    let mut nan = Net::new(Masking::new(f64::NAN), [4, 2]);
    assert_eq!(nan.forward(x.view()), x);
}

/// Compares one pass over six steps with two passes over three.
fn stateful<L: Layer<f64>>(layer: impl Fn() -> L, sequences: bool) {
    let x = random(3, 12, 3);
    let (first, second) = (x.slice(s![.., ..6]), x.slice(s![.., 6..]));
    let mut whole = Net::new(layer(), [6, 2]);
    let mut halves = Net::new(layer(), [3, 2]);
    let fresh = halves.cache.clone();
    let expected = whole.forward(x.view());
    let found = [halves.forward(first), halves.forward(second)];
    let found = if sequences { concatenate![Axis(1), found[0], found[1]] } else { found[1].clone() };
    assert!(close(&found, &expected));
    // The gradients of the second half are those of its steps in the whole, as if the state before were constant.
    let dy = random(3, halves.outputs, 4);
    let (grads, dx) = halves.backward(second, dy.view());
    let mut whole_dy = Array2::zeros((3, whole.outputs));
    whole_dy.slice_mut(s![.., whole.outputs - halves.outputs..]).assign(&dy);
    let (whole_grads, whole_dx) = whole.backward(x.view(), whole_dy.view());
    assert!(close(&dx, whole_dx.slice(s![.., 6..])));
    assert!(!close(&grads, &whole_grads), "the first half has its part in the gradients of the whole");
    // Another number of rows starts from zeros, and so does a new cache.
    halves.forward(first.slice(s![..2, ..]));
    let again = halves.forward(first);
    halves.cache = fresh;
    assert_eq!(halves.forward(first), again);
    assert!(!close(&halves.forward(first), &again));
}

#[test]
fn a_stateful_layer_continues_where_it_stopped() {
    stateful(|| Rnn::new(4).stateful(), false);
    stateful(|| Lstm::new(4).stateful(), false);
    stateful(|| Lstm::new(4).stateful().sequences(), true);
    stateful(|| Gru::new(4).stateful().sequences(), true);
    stateful(|| ConvLstm::new(2, Dense::new(8)).stateful(), false);
    let stack = || {
        let layers = Sequential::default().then(Gru::new(3).stateful().sequences());
        layers.then(TimeDistributed(Dense::new(2))).then(Lstm::new(2).stateful())
    };
    stateful(stack, false);
    let mut plan = Plan::new();
    Layer::<f64>::plan(&stack(), Shape::from([3, 2]), &mut plan).unwrap();
    assert!(plan.is_stateful());
    gradcheck::gradients(&stack(), [3, 2]).unwrap();
}

#[test]
fn the_gradient_after_a_kept_state_is_a_derivative() {
    // Of the parameters of the second pass only: the state that it starts from is a constant.
    let x = random(2, 8, 5);
    let (first, second) = (x.slice(s![.., ..4]), x.slice(s![.., 4..]));
    let mut net = Net::new(Gru::new(3).stateful(), [2, 2]);
    net.forward(first);
    let start = net.cache.clone();
    let dy = random(2, 3, 6);
    net.forward(second);
    let (grads, _) = net.backward(second, dy.view());
    for (index, grad) in grads.into_iter().enumerate() {
        let mut loss = |change: f64| {
            let value = net.params[index];
            (net.params[index], net.cache) = (value + change, start.clone());
            let loss = (net.forward(second) * &dy).sum();
            net.params[index] = value;
            loss
        };
        let numeric = (loss(1e-5) - loss(-1e-5)) / 2e-5;
        assert!((numeric - grad).abs() < 1e-8, "{index}: {numeric} {grad}");
    }
}

#[test]
fn around_a_dense_layer_it_is_an_lstm() {
    let x = random(3, 8, 1);
    let mut plain = Net::new(Lstm::new(3).sequences(), [4, 2]);
    let mut joined = Net::new(ConvLstm::new(3, Dense::new(12)).sequences(), [4, 2]);
    // The weights of input and state, one above the other, and the bias.
    assert_eq!(plain.params, joined.params);
    let y = plain.forward(x.view());
    assert!(close(&joined.forward(x.view()), &y));
    let (grads, dx) = plain.backward(x.view(), y.view());
    let (joined_grads, joined_dx) = joined.backward(x.view(), y.view());
    assert!(close(&grads, &joined_grads) && close(&dx, &joined_dx));
}

/// Passes its input, and keeps the statistic 1.
#[derive(Clone, Debug)]
struct One;

impl<T: Real> Layer<T> for One {
    type Cache = ();

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        plan.buffer("one", [1], 1.0)?;
        Ok((input, ()))
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, T>) {
        y.assign(&x);
    }

    fn backward(&self, Backward { mut grads, dy, dx, share, .. }: Backward<'_, T>) {
        grads.take([1])[0] += share;
        dx.unwrap().assign(&dy);
    }
}

#[test]
fn a_running_statistic_is_counted_once() {
    let x = random(2, 6, 1);
    let mut each = Net::new(TimeDistributed(One), [3, 2]);
    each.forward(x.view());
    assert_eq!(each.backward(x.view(), x.view()).0, [1.0]);
    let mut cell = Net::new(ConvLstm::new(1, Sequential::default().then(One).then(Dense::new(4))), [3, 2]);
    let y = cell.forward(x.view());
    assert!((cell.backward(x.view(), y.view()).0[0] - 1.0).abs() < 1e-15);
}

fn plan(layer: &impl Layer<f64>, input: &[usize]) -> Result<(Shape, Plan), ShapeError> {
    let mut plan = Plan::new();
    let (output, _) = layer.plan(Shape::new(input).unwrap(), &mut plan)?;
    Ok((output, plan))
}

#[test]
fn parameters_shapes_and_counts() {
    let (output, lstm) = plan(&Lstm::new(5), &[7, 3]).unwrap();
    assert_eq!(*output, [5]);
    let names: Vec<_> =
        lstm.entries().iter().map(|entry| (entry.name.as_str(), entry.shape.to_vec())).collect();
    let expected = [("weight", vec![3, 20]), ("recurrent_weight", vec![5, 20]), ("bias", vec![20])];
    assert_eq!(names, expected);
    assert_eq!(lstm.total_flops(), 2 * 7 * (3 + 5) * 20);
    assert!(!lstm.is_stateful());
    let (output, gru) = plan(&Bidirectional::new(Gru::new(4).sequences()), &[7, 3]).unwrap();
    assert_eq!(*output, [7, 8]);
    assert_eq!(gru.size(), 2 * 12 * (3 + 4 + 2));
    assert_eq!(gru.entries()[7].name, "backward.recurrent_bias");
    assert_eq!(*plan(&Bidirectional::new(Gru::new(4)).average(), &[7, 3]).unwrap().0, [4]);
    let (output, dense) = plan(&TimeDistributed(Dense::new(4)), &[5, 3]).unwrap();
    assert_eq!((&*output, dense.total_flops(), dense.total_memory()), (&[5, 4][..], 5 * 2 * 3 * 4, 5 * 4));
    let image = ConvLstm::new(2, Sequential::default().then(Flatten).then(Dense::new(8)));
    assert_eq!(plan(&image.clone().sequences(), &[9, 3]).unwrap().1.total_flops(), 9 * 2 * 5 * 8);
    assert_eq!(*plan(&Bidirectional::new(image.sequences()), &[9, 3]).unwrap().0, [9, 4]);
    assert!(format!("{:?}", Rnn::new(2).relu()).starts_with("Rnn(Relu) { projection: GateProjection"));
}

#[test]
fn first_values() {
    let start = |layer: &dyn Fn(&mut Plan)| {
        let mut plan = Plan::new();
        layer(&mut plan);
        let mut params = vec![f64::NAN; plan.size()];
        plan.init(Seed(1), &mut params);
        let values = |name: &str| {
            let entry = plan.entries().iter().find(|entry| entry.name == name).unwrap();
            params[entry.range.clone()].to_vec()
        };
        ["weight", "recurrent_weight", "bias"].map(values)
    };
    let maximum = |values: &[f64]| values.iter().fold(0.0f64, |max, v| max.max(v.abs()));
    let input = || Shape::from([2, 30]);
    for values in start(&|plan| drop(Layer::<f64>::plan(&Lstm::new(16), input(), plan))) {
        assert!((0.23..0.25).contains(&maximum(&values)), "uniform in ±1/√16");
    }
    let [weight, recurrent, bias] = start(&|plan| drop(Layer::<f64>::plan(&Lstm::keras(16), input(), plan)));
    let limit = (6.0f64 / (30.0 + 64.0)).sqrt();
    assert!((0.95 * limit..limit).contains(&maximum(&weight)));
    assert!(bias.iter().enumerate().all(|(index, &b)| b == f64::from((16..32).contains(&index))));
    let rows = ArrayView2::from_shape((16, 64), &recurrent).unwrap();
    let product = rows.dot(&rows.t());
    assert!(product.indexed_iter().all(|((i, j), v)| (v - f64::from(i == j)).abs() < 1e-12));
    let [_, _, bias] = start(&|plan| drop(Layer::<f64>::plan(&Gru::keras(4), input(), plan)));
    assert_eq!(bias, [0.0; 12]);
}

#[test]
fn what_cannot_be_planned() {
    let message = |error: Result<(Shape, Plan), ShapeError>| error.unwrap_err().to_string();
    let contains = |error: Result<(Shape, Plan), ShapeError>, part: &str| {
        let message = message(error);
        assert!(message.contains(part), "{message}");
    };
    contains(plan(&Lstm::new(3), &[4]), "[steps, features] but got [4]");
    contains(plan(&Gru::new(3), &[4, 2, 2]), "TimeDistributed");
    contains(plan(&Rnn::new(3), &[]), "at least one step");
    contains(plan(&Rnn::new(3), &[0, 2]), "at least one step");
    contains(plan(&Rnn::new(3), &[2, 0]), "at least one feature");
    contains(plan(&Rnn::new(0), &[2, 2]), "needs a number of units of at least 1");
    for units in [usize::MAX / 2, 1 << 40, 1 << 31] {
        contains(plan(&Lstm::new(units), &[usize::MAX / 8, 8]), "fit in memory");
    }
    contains(plan(&Rnn::new(1 << 20), &[1 << 40, 1]), "fit in memory");
    contains(plan(&Bidirectional::new(Lstm::new(0)), &[2, 2]), "layer forward, Lstm");

    contains(plan(&ConvLstm::new(3, Dense::new(7)), &[4, 2]), "returns [12] for [5]");
    contains(plan(&ConvLstm::new(0, Dense::new(7)), &[4, 2]), "a number of hidden channels of at least 1");
    contains(plan(&ConvLstm::new(3, Dense::new(12)), &[4]), "[steps, channels, ...]");
    contains(plan(&ConvLstm::new(3, Dense::new(12)), &[4, 2, 5]), "layer layer, Dense");
    contains(plan(&ConvLstm::new(3, Dense::new(12)), &[4, 0]), "can be 0");
    contains(plan(&ConvLstm::new(usize::MAX / 2, Dense::new(12)), &[4, 2]), "fit in memory");
    let gru = recurrent::Recurrent::new_with(
        recurrent::GruCell,
        recurrent::ConcatProjection::new(2, Dense::new(6)),
    );
    contains(plan(&gru, &[4, 2]), "another cell");

    contains(plan(&TimeDistributed(Dense::new(2)), &[]), "at least one step");
    contains(plan(&TimeDistributed(Dense::new(2)), &[0, 3]), "at least one step");
    contains(plan(&TimeDistributed(Dense::new(2)), &[4]), "layer step, Dense");
    contains(plan(&TimeDistributed(Dense::new(usize::MAX / 4)), &[4, 1]), "fit in memory");
    contains(plan(&TimeDistributed(Wide), &[4, 1]), "samples of at most five axes");
    contains(plan(&Masking::new(0.0), &[]), "[steps, ...]");
    contains(plan(&Masking::new(0.0), &[3, 0]), "no axis can be 0");
}

/// Returns samples with the maximum number of axes.
#[derive(Clone, Debug)]
struct Wide;

impl Layer<f64> for Wide {
    type Cache = ();

    fn plan(&self, _: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((Shape::from([1; 6]), ()))
    }

    fn forward(&self, _: Forward<'_, f64>) {}

    fn backward(&self, _: Backward<'_, f64>) {}
}
