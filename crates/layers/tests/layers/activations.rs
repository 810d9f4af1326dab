//! Tests particular to activations: extreme inputs, settings and shapes, ties, random slopes, and views of any kind.

use chainrule_core::{Backward, Forward, Grads, Layer, Mode, ParamKind, Params, Plan, Sequential};
use chainrule_layers::*;
use chainrule_tensor::{Buffer, Real, Seed, Shape};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, array, s};

const INF: f64 = f64::INFINITY;

/// Whether `f` has these values and derivatives at -∞, -10⁴, 10⁴ and ∞: PyTorch's in single precision, and the limits where PyTorch
/// returns NaN. Numbers of nearly the largest size must agree with both.
fn extremes<T: Real>(f: impl Activation<T>, values: [f64; 4], derivatives: [f64; 4]) {
    for (i, z) in [-INF, -1e4, 1e4, INF].into_iter().enumerate() {
        let a = f.value(T::of(z));
        let derivative = f.derivative(T::of(z), a);
        for (what, found, right) in [("value", a, values[i]), ("derivative", derivative, derivatives[i])] {
            let found = found.as_f64();
            let close = found == right || (found - right).abs() <= 1e-6 * right.abs().max(1e-3);
            assert!(close, "{f:?}: {what} {found} for {right} at {z} in {}", T::NAME);
        }
    }
    let huge = T::max_value().as_f64() / 8.0;
    for (z, far, limit, derivative_limit) in
        [(-huge, values[1], values[0], derivatives[0]), (huge, values[2], values[3], derivatives[3])]
    {
        if derivative_limit.is_infinite() {
            continue;
        }
        let a = f.value(T::of(z)).as_f64();
        let right = if limit.is_infinite() { far * 1e-4 * huge } else { limit };
        assert!(
            (a - right).abs() <= 2e-4 * right.abs() + 1e-30,
            "{f:?}: {a} for {right} at {z} in {}",
            T::NAME
        );
        let derivative = f.derivative(T::of(z), T::of(a)).as_f64();
        assert!((derivative - derivative_limit).abs() < 1e-6, "{f:?}: {derivative} at {z} in {}", T::NAME);
    }
    for z in [0.0, -0.0, T::min_positive_value().as_f64(), -1e-30] {
        let a = f.value(T::of(z));
        let derivative = f.derivative(T::of(z), a);
        assert!(a.is_finite() && derivative.is_finite(), "{f:?}: {a} and {derivative} at {z}");
    }
    let nan = f.value(T::nan());
    assert!(nan.is_nan(), "{f:?} makes {nan} of NaN");
}

fn all_extremes<T: Real>() {
    let linear = [0.0, 0.0, 1e4, INF];
    let one = [0.0, 0.0, 1.0, 1.0];
    let saturated = [-1.0, -1.0, 1e4, INF];
    let flat = [0.0; 4];
    let selu = Selu::LAMBDA * Selu::ALPHA;
    extremes::<T>(Celu::default(), saturated, one);
    extremes::<T>(Celu::new(0.5), [-0.5, -0.5, 1e4, INF], one);
    extremes::<T>(Elu::default(), saturated, one);
    extremes::<T>(Selu, [-selu, -selu, Selu::LAMBDA * 1e4, INF], [0.0, 0.0, Selu::LAMBDA, Selu::LAMBDA]);
    extremes::<T>(Exponential, [0.0, 0.0, INF, INF], [0.0, 0.0, INF, INF]);
    extremes::<T>(Gelu, linear, one);
    extremes::<T>(GeluTanh, linear, one);
    extremes::<T>(HardSigmoid, [0.0, 0.0, 1.0, 1.0], flat);
    extremes::<T>(HardSwish, linear, one);
    extremes::<T>(HardTanh::default(), [-1.0, -1.0, 1.0, 1.0], flat);
    extremes::<T>(HardShrink::default(), [-INF, -1e4, 1e4, INF], [1.0; 4]);
    extremes::<T>(SoftShrink::default(), [-INF, -9999.5, 9999.5, INF], [1.0; 4]);
    extremes::<T>(TanhShrink, [-INF, -9999.0, 9999.0, INF], [1.0; 4]);
    extremes::<T>(Identity, [-INF, -1e4, 1e4, INF], [1.0; 4]);
    extremes::<T>(LeakyRelu::default(), [-INF, -100.0, 1e4, INF], [0.01, 0.01, 1.0, 1.0]);
    extremes::<T>(Relu, linear, one);
    extremes::<T>(Relu6, [0.0, 0.0, 6.0, 6.0], flat);
    extremes::<T>(ReluSquared, [0.0, 0.0, 1e8, INF], [0.0, 0.0, 2e4, INF]);
    extremes::<T>(Threshold::new(1.0, 0.0), linear, one);
    extremes::<T>(ThresholdedRelu::default(), linear, one);
    extremes::<T>(LogSigmoid, [-INF, -1e4, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]);
    extremes::<T>(Softplus::default(), linear, one);
    extremes::<T>(Softplus::new(3.0).threshold(INF), linear, one);
    extremes::<T>(Squareplus::new(1e-30), linear, one);
    extremes::<T>(Squareplus::default(), [0.0, 1e-4, 1e4, INF], [0.0, 1e-8, 1.0, 1.0]);
    extremes::<T>(Mish, linear, one);
    extremes::<T>(Silu, linear, one);
    extremes::<T>(Sigmoid, [0.0, 0.0, 1.0, 1.0], flat);
    extremes::<T>(Softsign, [-1.0, -0.9999, 0.9999, 1.0], [0.0, 1e-8, 1e-8, 0.0]);
    extremes::<T>(Tanh, [-1.0, -1.0, 1.0, 1.0], flat);
    extremes::<T>(SparsePlus, linear, one);
    extremes::<T>(SparseSigmoid, [0.0, 0.0, 1.0, 1.0], flat);
}

#[test]
fn extreme_inputs_give_numbers() {
    all_extremes::<f32>();
    all_extremes::<f64>();
}

/// A layer that runs on views.
struct Runner<L: Layer<f64>> {
    layer: L,
    cache: L::Cache,
    params: Vec<f64>,
    outputs: usize,
}

impl<L: Layer<f64>> Runner<L> {
    fn new(layer: L, input: impl Into<Shape>) -> Self {
        let mut plan = Plan::new();
        let (output, cache) = layer.plan(input.into(), &mut plan).unwrap();
        let mut params = vec![0.0; plan.size()];
        plan.init(Seed(1), &mut params);
        Self { layer, cache, params, outputs: output.size() }
    }

    fn forward_into(&mut self, x: ArrayView2<'_, f64>, y: ArrayViewMut2<'_, f64>, mode: Mode) {
        let params = Params::new(&self.params);
        let cache = &mut self.cache;
        self.layer.forward(Forward { params, x, y, cache, mode });
    }

    fn forward(&mut self, x: &Array2<f64>) -> Array2<f64> {
        let mut y = Array2::from_elem((x.nrows(), self.outputs), f64::NAN);
        self.forward_into(x.view(), y.view_mut(), Mode::Eval);
        y
    }

    fn backward_into(
        &mut self,
        x: ArrayView2<'_, f64>,
        y: ArrayView2<'_, f64>,
        dy: ArrayView2<'_, f64>,
        dx: ArrayViewMut2<'_, f64>,
    ) {
        let mut grads = vec![0.0; self.params.len()];
        let params = Params::new(&self.params);
        let grads = Grads::new(&mut grads);
        let cache = &mut self.cache;
        self.layer.backward(Backward { params, grads, x, y, dy, dx: Some(dx), cache, share: 1.0 });
    }

    fn backward(&mut self, x: &Array2<f64>, y: &Array2<f64>, dy: &Array2<f64>) -> Array2<f64> {
        let mut dx = Array2::from_elem(x.dim(), f64::NAN);
        self.backward_into(x.view(), y.view(), dy.view(), dx.view_mut());
        dx
    }
}

fn random(rows: usize, columns: usize) -> Array2<f64> {
    let mut rng = Seed(12).rng();
    Array2::from_shape_simple_fn((rows, columns), || rng.normal())
}

/// All of `y`, `dy` and `dx` as columns of wider matrices, and column by column in memory.
fn any_view(layer: impl Layer<f64>, input: impl Into<Shape>) {
    let input = input.into();
    let name = format!("{layer:?}");
    let mut run = Runner::new(layer, input);
    let n = run.outputs;
    let x = random(3, input.size());
    let y = run.forward(&x);
    let dy = random(3, n);
    let dx = run.backward(&x, &y, &dy);
    let close = |a: ArrayView2<'_, f64>, b: &Array2<f64>| {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{name}: {a} for {b}");
    };

    let part = s![.., 2..2 + n];
    let mut wide = Array2::from_elem((3, n + 5), f64::NAN);
    let mut wide_dy = Array2::zeros((3, n + 5));
    let mut wide_dx = Array2::from_elem((3, x.ncols() + 1), f64::NAN);
    wide_dy.slice_mut(part).assign(&dy);
    run.forward_into(x.view(), wide.slice_mut(part), Mode::Eval);
    close(wide.slice(part), &y);
    run.backward_into(x.view(), wide.slice(part), wide_dy.slice(part), wide_dx.slice_mut(s![.., 1..]));
    close(wide_dx.slice(s![.., 1..]), &dx);

    let mut columns = Array2::from_elem((n, 3), f64::NAN);
    let mut columns_dx = Array2::from_elem((x.ncols(), 3), f64::NAN);
    let columns_dy = dy.t().as_standard_layout().into_owned();
    run.forward_into(x.view(), columns.view_mut().reversed_axes(), Mode::Eval);
    close(columns.t(), &y);
    run.backward_into(x.view(), columns.t(), columns_dy.t(), columns_dx.view_mut().reversed_axes());
    close(columns_dx.t(), &dx);
}

#[test]
fn views_of_any_kind_give_the_same() {
    any_view(Softmax, [2, 5]);
    any_view(LogSoftmax, [5]);
    any_view(Softmin, [2, 3]);
    any_view(Sparsemax, [2, 4]);
    any_view(Softmax2d, [3, 2, 2]);
    any_view(SwiGlu::default(), [3, 4]);
    any_view(Glu::default().axis(0), [4, 3]);
    any_view(Maxout::new(2), [3, 4]);
    any_view(Prelu::new().per_channel(0), [3, 2]);
    any_view(Rrelu::default(), [5]);
    any_view(Gelu, [7]);
}

#[test]
fn what_is_impossible_is_named() {
    fn error(layer: impl Layer<f32>, input: &[usize]) -> String {
        let layers = Sequential::new().then(layer);
        layers.plan(Shape::new(input).unwrap(), &mut Plan::new()).unwrap_err().to_string()
    }
    assert_eq!(
        error(Celu::new(0.0), &[3]),
        "layer 0, Celu(alpha=0), needs a positive alpha: choose other settings"
    );
    for (message, what) in [
        (error(Elu::new(f64::NAN), &[3]), "finite alpha"),
        // Numbers in double precision that are infinite or 0 in that of the model, or whose inverse is.
        (error(Elu::new(1e60), &[3]), "finite alpha"),
        (error(Celu::new(1e-60), &[3]), "positive alpha"),
        (error(Celu::new(1e60), &[3]), "positive alpha"),
        (error(Softplus::new(1e-60), &[3]), "positive beta"),
        (error(Softplus::new(1e60), &[3]), "positive beta"),
        (error(Squareplus::new(1e-60), &[3]), "positive b"),
        (error(LeakyRelu::new(1e60), &[3]), "finite negative slope"),
        (error(Threshold::new(0.0, -1e60), &[3]), "finite threshold and value"),
        (error(Rrelu::new(0.0, 1e60), &[3]), "lower slope"),
        (error(HardShrink::new(-0.1), &[3]), "at least 0"),
        (error(SoftShrink::new(f64::NAN), &[3]), "at least 0"),
        (error(HardTanh::new(1.0, 1.0), &[3]), "low limit below the high limit"),
        (error(LeakyRelu::new(f64::INFINITY), &[3]), "finite negative slope"),
        (error(Threshold::new(f64::NAN, 0.0), &[3]), "finite threshold"),
        (error(ThresholdedRelu::new(f64::INFINITY), &[3]), "finite threshold"),
        (error(Softplus::new(-1.0), &[3]), "positive beta"),
        (error(Softplus::new(1.0).threshold(f64::NAN), &[3]), "a threshold"),
        (error(Squareplus::new(0.0), &[3]), "positive b"),
        (error(Rrelu::new(0.3, 0.1), &[3]), "lower slope"),
        (error(Rrelu::new(0.0, f64::NAN), &[3]), "lower slope"),
        (error(Gated::new(Elu::new(f64::NAN)), &[4]), "finite alpha"),
        (error(Glu::default(), &[3]), "even number"),
        (error(Glu::default(), &[]), "even number"),
        (error(Glu::default().axis(1), &[4]), "even number"),
        (error(Glu::default().axis(0), &[2, 0]), "even number"),
        (error(Maxout::new(0), &[4]), "a group of at least 1"),
        (error(Maxout::new(3), &[4]), "multiple of 3"),
        (error(Maxout::new(2).axis(usize::MAX), &[4]), "multiple of 2"),
        (error(Prelu::new().per_channel(2), &[4, 2]), "axis 2"),
        (error(Prelu::new(), &[4, 0]), "with values"),
        (error(Softmax, &[]), "at least one class"),
        (error(LogSoftmax, &[3, 0]), "at least one class"),
        (error(Softmax2d, &[3]), "images"),
        (error(Softmax2d, &[3, 0]), "images"),
    ] {
        assert!(message.contains(what), "{message}");
    }
}

#[test]
fn softmax_takes_large_and_infinite_values() {
    let x = array![[1e300, 1e300, -1e300], [-INF, 0.0, -INF]];
    let half = 0.5f64;
    assert_eq!(Runner::new(Softmax, [3]).forward(&x), array![[half, half, 0.0], [0.0, 1.0, 0.0]]);
    assert_eq!(Runner::new(Softmin, [3]).forward(&-&x), array![[half, half, 0.0], [0.0, 1.0, 0.0]]);
    let logs = Runner::new(LogSoftmax, [3]).forward(&x);
    assert_eq!(logs, array![[1e300 - 1e300 + half.ln(), half.ln(), -2e300], [-INF, 0.0, -INF]]);
    let channels = Runner::new(Softmax2d, [3, 1]).forward(&x);
    assert_eq!(channels, array![[half, half, 0.0], [0.0, 1.0, 0.0]]);
}

#[test]
fn sparsemax_is_a_distribution_with_zeros() {
    let mut run = Runner::new(Sparsemax, [9]);
    let y = run.forward(&random(50, 9));
    for row in y.rows() {
        assert!((row.sum() - 1.0).abs() < 1e-12 && row.iter().all(|&a| a >= 0.0));
        assert!(row.iter().any(|&a| a == 0.0));
    }
    let mut run = Runner::new(Sparsemax, [3]);
    let y = run.forward(&array![[1e15, 1e15, 0.0], [-INF, 2.0, 2.0], [0.1, 0.1, 0.1]]);
    let third = 1.0 / 3.0;
    let right = array![[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [third, third, third]];
    assert!((&y - &right).iter().all(|d| d.abs() < 1e-15), "{y}");
    // NaN, but the iteration ends.
    let y = run.forward(&array![[-INF, -INF, -INF], [f64::NAN, 1.0, 0.0], [INF, 0.0, 0.0]]);
    assert!(y.rows().into_iter().all(|row| row.iter().any(|a| a.is_nan())));
}

#[test]
fn the_first_half_is_let_through_by_the_second() {
    let x = array![[2.0, 3.0, 0.0, -1.0]];
    let sigmoid = 1.0 / (1.0 + 1f64.exp());
    let y = Runner::new(Glu::default(), [4]).forward(&x);
    assert!((y[[0, 0]] - 1.0).abs() < 1e-15 && (y[[0, 1]] - 3.0 * sigmoid).abs() < 1e-15, "{y}");
    assert_eq!(Runner::new(ReGlu::default(), [2, 2]).forward(&x), array![[6.0, 0.0]]);
    assert_eq!(Runner::new(Gated::new(Identity).axis(0), [2, 2]).forward(&x), array![[0.0, -3.0]]);
}

#[test]
fn the_first_of_equal_values_wins_in_maxout() {
    let mut run = Runner::new(Maxout::new(3), [6]);
    let x = array![[2.0, 2.0, 1.0, -INF, -INF, -INF], [0.0, 5.0, 5.0, 1.0, f64::NAN, 2.0]];
    let y = run.forward(&x);
    assert_eq!((y[[0, 0]], y[[0, 1]], y[[1, 0]]), (2.0, -INF, 5.0));
    assert!(y[[1, 1]].is_nan());
    let dx = run.backward(&x, &y, &array![[1.0, 2.0], [3.0, 4.0]]);
    assert_eq!(dx, array![[1.0, 0.0, 0.0, 2.0, 0.0, 0.0], [0.0, 3.0, 0.0, 0.0, 4.0, 0.0]]);
}

#[test]
fn rrelu_draws_in_training_and_takes_the_mean_otherwise() {
    let x = Array2::from_elem((4, 1000), -1.0);
    let mut run = Runner::new(Rrelu::new(0.2, 0.6), [1000]);
    assert!(run.forward(&x).iter().all(|y| (y + 0.4).abs() < 1e-15));
    let mut y = Array2::zeros(x.dim());
    let mode = Mode::Train { seed: Seed(3), first_row: 0 };
    run.forward_into(x.view(), y.view_mut(), mode);
    assert!(y.iter().all(|y| (-0.6..-0.2).contains(y)));
    assert!((y.mean().unwrap() + 0.4).abs() < 0.01);
    assert_ne!(y.row(0), y.row(1));
    // The slopes of the forward pass are those of the backward pass.
    assert_eq!(run.backward(&x, &y, &Array2::ones(x.dim())), -&y);
    // A row is the same row wherever the batch begins.
    let mut last = Array2::zeros((1, 1000));
    let mode = Mode::Train { seed: Seed(3), first_row: 3 };
    run.forward_into(x.slice(s![3.., ..]), last.view_mut(), mode);
    assert_eq!(last.row(0), y.row(3));
}

#[test]
fn prelu_declares_its_slopes() {
    let cases = [
        (Prelu::default(), vec![1], 0.25),
        (Prelu::new().per_channel(0), vec![3], 0.25),
        (Prelu::new().per_channel(1).weight_init(init::Ones), vec![2], 1.0),
        (Prelu::keras(), vec![3, 2], 0.0),
    ];
    for (layer, shape, start) in cases {
        let mut plan = Plan::new();
        Layer::<f32>::plan(&layer, Shape::from([3, 2]), &mut plan).unwrap();
        let entry = &plan.entries()[0];
        assert_eq!((&*entry.shape, entry.kind, &*entry.name), (&*shape, ParamKind::Bias, "weight"));
        let mut slopes = Buffer::<f32>::zeros(plan.size());
        plan.init(Seed(1), &mut slopes);
        assert!(slopes.iter().all(|&s| s == start));
    }
}

#[test]
fn swish_is_silu_and_the_identity_is_left_out() {
    assert_eq!(format!("{Swish:?}"), "Silu");
    assert!(Layer::<f32>::is_identity(&Identity));
    let x = random(2, 3);
    assert_eq!(Runner::new(Identity, [3]).forward(&x), x);
    assert_eq!(Runner::new(Identity, [3]).backward(&x, &x, &x), x);
}

#[test]
fn many_classes_are_added_up_right() {
    // Both passes in single precision, against double precision.
    fn passes<T: Real>(
        layer: impl Layer<T>,
        input: &[usize],
        x: &Array2<f32>,
        dy: &Array2<f32>,
    ) -> [Array2<f64>; 2] {
        let (_, mut cache) = layer.plan(Shape::new(input).unwrap(), &mut Plan::new()).unwrap();
        let x = x.mapv(|x| T::of(f64::from(x)));
        let dy = dy.mapv(|dy| T::of(f64::from(dy)));
        let mut y = Array2::zeros(x.dim());
        let mut dx = Array2::zeros(x.dim());
        let cache = &mut cache;
        let params = Params::new(&[]);
        layer.forward(Forward { params, x: x.view(), y: y.view_mut(), cache, mode: Mode::Eval });
        layer.backward(Backward {
            params: Params::new(&[]),
            grads: Grads::new(&mut []),
            x: x.view(),
            y: y.view(),
            dy: dy.view(),
            dx: Some(dx.view_mut()),
            cache,
            share: T::one(),
        });
        [y.mapv(T::as_f64), dx.mapv(T::as_f64)]
    }
    fn check<L: Layer<f32> + Layer<f64> + Copy>(
        layer: L,
        input: &[usize],
        x: &Array2<f32>,
        dy: &Array2<f32>,
    ) {
        let single = passes::<f32>(layer, input, x, dy);
        let double = passes::<f64>(layer, input, x, dy);
        for (single, double) in single.iter().zip(&double) {
            let scale = double.iter().fold(0.0, |scale: f64, value| scale.max(value.abs()));
            let error = (single - double).iter().fold(0.0, |error: f64, value| error.max(value.abs()));
            assert!(error < 2e-6 * scale, "{layer:?}: {error} of {scale}");
        }
    }
    let classes = 1 << 17;
    let x = Array2::from_shape_fn((1, classes), |(_, i)| 0.1 + (i % 7) as f32 * 0.01);
    let dy = Array2::from_shape_fn((1, classes), |(_, i)| 0.1 * ((i % 5) as f32 - 1.5));
    check(Softmax, &[classes], &x, &dy);
    check(LogSoftmax, &[classes], &x, &dy);
    check(Softmin, &[classes], &x, &dy);
    check(Softmax2d, &[classes / 4, 4], &x, &dy);
    check(Sparsemax, &[classes], &x.mapv(|x| 1e-4 * x), &dy);
}
