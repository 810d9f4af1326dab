//! Normalisation layers in edge cases, over several steps and around other layers.

use std::sync::Arc;

use chainrule_core::runner::{GradsExt, RunExt};
use chainrule_core::{
    Backward, Constant, Forward, Grads, Layer, Mode, ParamKind, Params, Plan, Sequential, ShapeError,
    gradcheck,
};
use chainrule_layers::{
    BatchNorm, Dense, Dropout, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, RmsNorm, SpectralNorm,
    UnitNorm, WeightNorm, init,
};
use chainrule_tensor::{Real, Seed, Shape};
use ndarray::{Array2, ArrayView2, Axis, array, s};

const TRAIN: Mode = Mode::Train { seed: Seed(3), first_row: 0 };

/// A layer with its parameters and its cache.
struct Bench<T: Real, L: Layer<T>> {
    layer: L,
    plan: Plan,
    cache: L::Cache,
    params: Vec<T>,
    outputs: usize,
}

/// The results of both passes.
struct Results<T> {
    y: Array2<T>,
    dx: Array2<T>,
    grads: Vec<T>,
}

impl<T: Real, L: Layer<T>> Bench<T, L> {
    fn new(layer: L, input: impl Into<Shape>) -> Self {
        let mut plan = Plan::new();
        let Ok((output, cache)) = layer.plan(input.into(), &mut plan) else { panic!("{layer:?}") };
        let mut params = vec![T::zero(); plan.size()];
        plan.init(Seed(1), &mut params);
        Self { layer, plan, cache, params, outputs: output.size() }
    }

    fn run(&mut self, x: ArrayView2<'_, T>, dy: ArrayView2<'_, T>, mode: Mode, share: f64) -> Results<T> {
        let nan = T::nan();
        let mut y = Array2::from_elem((x.nrows(), self.outputs), nan);
        let mut dx = Array2::from_elem(x.dim(), nan);
        let mut grads = vec![nan; self.params.len()];
        let params = Params::new(&self.params);
        let cache = &mut self.cache;
        self.layer.forward(Forward { params, x, y: y.view_mut(), cache, mode });
        self.layer.backward(Backward {
            params: Params::new(&self.params),
            // As in a trainer, which computes the products of layers that allow it.
            grads: Grads::fresh(&mut grads).deferred(true),
            x,
            y: y.view(),
            dy,
            dx: Some(dx.view_mut()),
            cache: &mut self.cache,
            share: T::of(share),
        });
        Results { y, dx, grads }
    }

    /// The values of the parameter with this name.
    fn of<'a>(&self, name: &str, values: &'a [T]) -> &'a [T] {
        let entry = self.plan.entries().iter().find(|entry| entry.name == name).expect(name);
        &values[entry.range.clone()]
    }
}

/// The numbers that crates/layer-cases/tests/reference/reference.py computes too.
fn fill(seed: u64, rows: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(row, column)| {
        let mut k = ((row * columns + column) as u64 * 2_654_435_761 + seed * 40_503 + 12_345) & 0xffff_ffff;
        for factor in [0x85eb_ca6b_u64, 0xc2b2_ae35] {
            k = ((k ^ (k >> 15)) * factor) & 0xffff_ffff;
        }
        (k ^ (k >> 16)) as f64 / 2f64.powi(31) - 1.0
    })
}

fn close(found: &[f64], expected: &[f64]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9)
}

fn finite<T: Real>(Results { y, dx, grads }: &Results<T>) -> bool {
    y.iter().chain(dx).chain(grads).all(|value| value.is_finite())
}

#[test]
fn running_statistics_over_several_steps() {
    // PyTorch's statistics after each step: `python normalization.py steps`.
    let expected = [
        [-0.017229077807, -0.005858238451, 0.917489255447, 0.943160711930],
        [0.138071674419, 0.050301737119, 1.180269935469, 0.870442651493],
        [0.439500053785, 0.196030711362, 1.210997717947, 1.218294074418],
        [0.572952559907, 0.457761008274, 2.071712687732, 1.440341247612],
    ];
    let x = fill(1, 20, 2);
    let mut bench = Bench::new(BatchNorm::new(), [2]);
    for (step, expected) in expected.iter().enumerate() {
        let n = step as f64;
        let x = x.slice(s![5 * step..5 * step + 5, ..]).mapv(|x| x * (n + 1.0) + n);
        let next = bench.run(x.view(), x.view(), TRAIN, 1.0).grads;
        bench.params[4..].copy_from_slice(&next[4..]);
        assert!(close(&bench.params[4..], expected), "{step}: {:?}", &bench.params[4..]);
    }
    assert!(bench.plan.entries()[2..].iter().all(|entry| entry.kind == ParamKind::Buffer));
    assert_eq!(bench.of("running_var", &bench.params).len(), 2);

    // Outside training they are used, and unchanged.
    let Results { y, grads, .. } = bench.run(x.view(), x.view(), Mode::Eval, 1.0);
    assert!(close(&grads[4..], &bench.params[4..]));
    assert!((y[[0, 0]] - (x[[0, 0]] - bench.params[4]) / (bench.params[6] + 1e-5).sqrt()).abs() < 1e-12);
}

#[test]
fn shards_move_the_running_statistics_by_their_rows() {
    let x = fill(1, 8, 6);
    let mut bench = Bench::new(BatchNorm::new(), [3, 2]);
    let mut next = |rows: std::ops::Range<usize>, share| {
        let x = x.slice(s![rows, ..]);
        bench.run(x, x, TRAIN, share).grads[6..].to_vec()
    };
    let (first, second) = (next(0..2, 1.0), next(2..8, 1.0));
    let (shared_first, shared_second) = (next(0..2, 0.25), next(2..8, 0.75));
    let sum: Vec<f64> = shared_first.iter().zip(&shared_second).map(|(a, b)| a + b).collect();
    let mean: Vec<f64> = first.iter().zip(&second).map(|(a, b)| 0.25 * a + 0.75 * b).collect();
    assert!(close(&sum, &mean), "{sum:?} {mean:?}");
    // The mean of the means is that of the batch: each channel's, over rows and positions.
    let of_batch = |c: usize| 0.1 * x.slice(s![.., 2 * c..2 * c + 2]).mean().unwrap();
    assert!(close(&sum[..3], &[of_batch(0), of_batch(1), of_batch(2)]));
}

#[test]
fn one_value_for_a_channel_gives_the_shift() {
    let mut bench = Bench::new(BatchNorm::new(), [3]);
    bench.params[3..6].copy_from_slice(&[0.1, 0.2, 0.3]);
    let results = bench.run(array![[5.0, -2.0, 1e6]].view(), array![[1.0, 2.0, 3.0]].view(), TRAIN, 1.0);
    assert!(close(results.y.as_slice().unwrap(), &[0.1, 0.2, 0.3]));
    assert!(close(results.dx.as_slice().unwrap(), &[0.0; 3]));
    assert!(close(&results.grads[..6], &[0.0, 0.0, 0.0, 1.0, 2.0, 3.0]));
    assert!(close(bench.of("running_mean", &results.grads), &[0.5, -0.2, 1e5]));
    assert!(close(bench.of("running_var", &results.grads), &[1.0; 3]), "one value has no variance");
    // No rows at all: an empty shard has no share.
    let none = Array2::zeros((0, 3));
    assert!(finite(&bench.run(none.view(), none.view(), TRAIN, 0.0)));
}

#[test]
fn constant_inputs_give_finite_results() {
    fn check<L: Layer<f32>>(layer: L, input: impl Into<Shape>) {
        let input = input.into();
        let mut bench = Bench::new(layer, input);
        for value in [0.0, 1.0, -1e-20, 3e4] {
            for (rows, mode) in [(1, TRAIN), (3, TRAIN), (2, Mode::Eval)] {
                let x = Array2::from_elem((rows, input.size()), value);
                let dy = Array2::from_shape_fn((rows, bench.outputs), |(i, j)| i as f32 - j as f32);
                let results = bench.run(x.view(), dy.view(), mode, 1.0);
                assert!(finite(&results), "{:?} at {value}: {:?} {:?}", bench.layer, results.y, results.dx);
            }
        }
    }
    check(BatchNorm::new(), [4]);
    check(BatchNorm::keras().without_affine(), [2, 3]);
    check(BatchNorm::new().channels_last(), [2, 3]);
    check(LayerNorm::new(), [5]);
    check(LayerNorm::new().all_axes(), [2]);
    check(RmsNorm::new(), [5]);
    check(UnitNorm::new(), [5]);
    check(GroupNorm::new(2), [4, 3]);
    check(InstanceNorm::new().affine(), [2, 2]);
    check(LocalResponseNorm::new(3), [4, 2]);
    check(WeightNorm::new(Dense::new(2)), [3]);
    check(SpectralNorm::new(Dense::new(2)), [3]);
}

#[test]
fn equal_values_give_the_shift_however_large() {
    fn check<L: Layer<f32>>(layer: L, input: impl Into<Shape>) {
        let mut bench = Bench::new(layer, input);
        let x = Array2::from_elem((7, 33), 12_345.678);
        let y = bench.run(x.view(), x.view(), TRAIN, 1.0).y;
        assert!(y.iter().all(|&y| y == 0.0), "{:?}: {y}", bench.layer);
    }
    check(BatchNorm::new(), [33]);
    check(BatchNorm::new(), [3, 11]);
    check(LayerNorm::new(), [33]);
    check(GroupNorm::new(1), [3, 11]);
    check(InstanceNorm::new(), [3, 11]);
}

#[test]
fn a_large_mean_costs_no_precision() {
    let x = fill(1, 16, 64).mapv(|x| x as f32);
    let moved = x.mapv(|x| x + 4096.0);
    // Without what the addition has rounded away.
    let back = moved.mapv(|x| x - 4096.0);
    let dy = fill(2, 16, 64).mapv(|x| x as f32);
    fn check<L: Layer<f32> + Clone>(layer: L, back: &Array2<f32>, moved: &Array2<f32>, dy: &Array2<f32>) {
        let near = Bench::new(layer.clone(), [8, 8]).run(back.view(), dy.view(), TRAIN, 1.0);
        let far = Bench::new(layer.clone(), [8, 8]).run(moved.view(), dy.view(), TRAIN, 1.0);
        for (near, far) in [(&near.y, &far.y), (&near.dx, &far.dx)] {
            assert!(near.iter().zip(far).all(|(a, b)| (a - b).abs() < 2e-3), "{layer:?}");
        }
    }
    check(LayerNorm::new(), &back, &moved, &dy);
    check(BatchNorm::new(), &back, &moved, &dy);
    check(GroupNorm::new(2), &back, &moved, &dy);
    check(InstanceNorm::new(), &back, &moved, &dy);
}

#[test]
fn strided_batches_give_the_same_bits() {
    fn check<L: Layer<f64> + Clone>(layer: L, input: impl Into<Shape>) {
        let input = input.into();
        let x = fill(1, 5, input.size());
        let mut bench = Bench::new(layer.clone(), input);
        let mut strided = Bench::new(layer, input);
        let dy = fill(3, 5, bench.outputs);
        let columns = |x: &Array2<f64>| x.t().as_standard_layout().into_owned().reversed_axes();
        for mode in [TRAIN, Mode::Eval] {
            let expected = bench.run(x.view(), dy.view(), mode, 1.0);
            let found = strided.run(columns(&x).view(), columns(&dy).view(), mode, 1.0);
            assert_eq!(
                (found.y, found.dx, found.grads),
                (expected.y, expected.dx, expected.grads),
                "{:?}",
                bench.layer
            );
        }
    }
    check(BatchNorm::new(), [7]);
    check(BatchNorm::new(), [3, 4]);
    check(LayerNorm::new(), [3, 5]);
    check(RmsNorm::new(), [3, 5]);
    check(UnitNorm::new(), [9]);
    check(GroupNorm::new(2), [4, 3]);
    check(InstanceNorm::new(), [4, 3]);
    check(LocalResponseNorm::new(3), [4, 3]);
}

#[test]
fn the_shortest_vectors_are_only_multiplied() {
    let x = array![[3e-14, 4e-14], [0.0, 0.0], [0.3, 0.4]];
    let Results { y, dx, .. } = Bench::new(UnitNorm::new(), [2]).run(x.view(), x.view(), TRAIN, 1.0);
    assert!(close(y.as_slice().unwrap(), &[0.03, 0.04, 0.0, 0.0, 0.6, 0.8]));
    // dy = x: multiplied like x, or along the unit vector, which the length does not change.
    assert!(close(dx.as_slice().unwrap(), &[0.03, 0.04, 0.0, 0.0, 0.0, 0.0]));
}

#[test]
fn weight_norm_computes_the_weight_from_lengths_and_directions() {
    let mut bench = Bench::new(WeightNorm::new(Dense::new(2)), [2]);
    let names: Vec<_> = bench.plan.entries().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["weight_norm.weight", "weight_norm.bias", "g"]);
    // Directions (3, 4) and (0, -2), biases 10 and 20, lengths 5 and 1.
    bench.params = vec![3.0, 0.0, 4.0, -2.0, 10.0, 20.0, 5.0, 1.0];
    let x = array![[1.0, 1.0]];
    let dy = array![[1.0, 1.0]];
    let Results { y, dx, grads } = bench.run(x.view(), dy.view(), TRAIN, 1.0);
    assert!(close(y.as_slice().unwrap(), &[17.0, 19.0]) && close(dx.as_slice().unwrap(), &[3.0, 3.0]));
    // dw = 1: dg = dw · v / |v|, dv = g / |v| (dw - that v / |v|).
    let expected = [1.0 - 1.4 * 0.6, 0.5, 1.0 - 1.4 * 0.8, 0.0, 1.0, 1.0, 1.4, -1.0];
    assert!(close(&grads, &expected), "{grads:?}");

    bench.params[..4].fill(0.0);
    assert!(finite(&bench.run(x.view(), dy.view(), TRAIN, 1.0)), "a direction of 0");
}

#[test]
fn weight_norm_is_initialised_as_the_weight_would_be() {
    let lengths = |bench: &Bench<f64, WeightNorm<Dense>>| {
        let squares = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
        let v = bench.of("weight_norm.weight", &bench.params);
        let g = bench.of("g", &bench.params);
        (squares(v), squares(g))
    };
    let (v, g) = lengths(&Bench::new(WeightNorm::new(Dense::new(50)), [200]));
    assert!((v / g - 1.0).abs() < 0.05, "{v} {g}");
}

#[test]
fn one_step_of_spectral_norm() {
    // PyTorch's `nn.utils.spectral_norm`: `python normalization.py steps`.
    let mut bench = Bench::new(SpectralNorm::new(Dense::new(2).without_bias()), [3]);
    bench.params[..6].copy_from_slice(fill(2, 1, 6).mapv(|v| 0.5 * v).as_slice().unwrap());
    bench.params[6..].copy_from_slice(&[0.6, 0.8]);
    let Results { y, dx, grads } = bench.run(fill(1, 2, 3).view(), fill(3, 2, 2).view(), TRAIN, 1.0);
    let expected = [-0.065097069349, 0.211211423572, -0.129807043246, 0.018808001133];
    assert!(close(y.as_slice().unwrap(), &expected), "{y}");
    let expected =
        [-0.240528884634, -0.124667028931, -0.262110568661, 0.136199846405, 0.1313662557, 0.010933701778];
    assert!(close(dx.as_slice().unwrap(), &expected), "{dx}");
    let expected = [
        [-0.766049390166, -0.555640578403, 0.755107763461, 0.256813895723].as_slice(),
        &[0.595357025504, 0.776167357938, -0.529685002229, 0.848194434321],
    ];
    assert!(close(&grads, &expected.concat()), "{grads:?}");
    // Outside training u is unchanged.
    let grads = bench.run(fill(1, 2, 3).view(), fill(3, 2, 2).view(), Mode::Eval, 0.5).grads;
    assert!(close(bench.of("u", &grads), &[0.3, 0.4]));
}

#[test]
fn spectral_norm_finds_the_norm() {
    // A dense layer with a diagonal matrix, and the same weight with units along the other axis.
    for axis in [0, 1] {
        let layer = SpectralNorm::new(Dense::new(3).without_bias()).axis(axis);
        let mut bench = Bench::new(layer, [3]);
        bench.params[..9].copy_from_slice(&[0.5, 0.0, 0.0, 0.0, -4.0, 0.0, 0.0, 0.0, 2.0]);
        let x = Array2::<f64>::eye(3);
        for mode in [Mode::Eval, TRAIN, Mode::Eval] {
            let Results { y, grads, .. } = bench.run(x.view(), x.view(), mode, 1.0);
            assert!(
                y.iter()
                    .zip([0.125, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.5])
                    .all(|(y, expected)| (y - expected).abs() < 1e-6),
                "{y}"
            );
            bench.params[9..].copy_from_slice(&grads[9..]);
        }
        let u = bench.of("u", &bench.params);
        assert!((u[1].abs() - 1.0).abs() < 1e-6, "{u:?}");
    }
}

/// Multiplies each value by its own weight; the weight has three axes, like that of a convolution.
#[derive(Clone, Debug)]
struct Scaled;

impl Layer<f64> for Scaled {
    type Cache = ();

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        plan.bias("bias", [24], (1, 1), &(Arc::new(Constant(0.0)) as _))?;
        plan.weight("weight", [2, 3, 4], (1, 1), &(Arc::new(init::LecunNormal) as _))?;
        Ok((input, ()))
    }

    fn forward(&self, Forward { mut params, x, mut y, .. }: Forward<'_, f64>) {
        let b = params.take([24]);
        y.assign(&(&x * &params.take([24]) + b));
    }

    fn backward(&self, Backward { mut params, mut grads, x, dy, dx, .. }: Backward<'_, f64>) {
        params.take([24]);
        let mut db = grads.take([24]);
        let mut dw = grads.take([24]);
        db += &dy.sum_axis(Axis(0));
        dw += &(&dy * &x).sum_axis(Axis(0));
        if let Some(mut dx) = dx {
            dx.assign(&(&dy * &params.take([24])));
        }
    }
}

/// The weight that a wrapper of [`Scaled`] computes: a matrix with a row for each unit.
fn computed_weight<L: Layer<f64>>(bench: &mut Bench<f64, L>, axis: usize) -> Array2<f64> {
    bench.params[..24].fill(0.0);
    let ones = Array2::ones((1, 24));
    let w = bench.run(ones.view(), ones.view(), Mode::Eval, 1.0).y.into_shape_with_order((2, 3, 4)).unwrap();
    let units: Vec<_> =
        w.axis_iter(Axis(axis)).map(|unit| unit.iter().copied().collect::<Vec<_>>()).collect();
    Array2::from_shape_fn((units.len(), units[0].len()), |(i, j)| units[i][j])
}

#[test]
fn units_can_be_any_axis() {
    for axis in [0, 1, 2] {
        let layer = WeightNorm::new(Scaled).axis(axis);
        gradcheck::gradients(&layer, [24]).unwrap();
        let mut bench = Bench::new(layer, [24]);
        let lengths: Vec<_> =
            computed_weight(&mut bench, axis).rows().into_iter().map(|row| row.dot(&row).sqrt()).collect();
        assert!(close(&lengths, bench.of("g", &bench.params)), "{axis}: {lengths:?}");

        let layer = SpectralNorm::new(Scaled).axis(axis).iterations(500);
        gradcheck::gradients(&layer, [24]).unwrap();
        let mut bench = Bench::new(layer, [24]);
        let ones = Array2::ones((1, 24));
        let next = bench.run(ones.view(), ones.view(), TRAIN, 1.0).grads;
        bench.params[48..].copy_from_slice(&next[48..]);
        let w = computed_weight(&mut bench, axis);
        // The largest eigenvalue of W Wᵀ, by squaring.
        let mut square = w.dot(&w.t());
        for _ in 0..12 {
            square = &square / square.diag().sum();
            square = square.dot(&square);
        }
        let u = square.column(0).to_owned();
        let sigma = u.dot(&w.dot(&w.t()).dot(&u)) / u.dot(&u);
        assert!((sigma - 1.0).abs() < 1e-9, "{axis}: {sigma}");
    }
    // The default is the first axis.
    let names = |plan: &Plan| plan.entries().last().map(|entry| (entry.name.clone(), entry.shape));
    let plan = Bench::new(WeightNorm::new(Scaled), [24]).plan;
    assert_eq!(names(&plan), Some(("g".to_owned(), Shape::from([2]))));
}

#[test]
fn wrappers_compute_the_products_of_the_layers_inside() {
    // In a `Sequential` whose products the trainer computes, these are excluded: see `Bench::run`.
    let chain = Sequential::<f64>::default()
        .then(Dense::new(4))
        .then(WeightNorm::new(Dense::new(3)))
        .then(SpectralNorm::new(Dense::new(2)));
    let mut plan = Plan::new();
    let (_, cache) = chain.plan(Shape::from([3]), &mut plan).unwrap();
    assert_eq!(cache.products().map(|(_, range)| range).collect::<Vec<_>>(), vec![0..12]);
    let mut bench = Bench::new(chain, [3]);
    let Results { grads, .. } = bench.run(fill(1, 5, 3).view(), fill(3, 5, 2).view(), TRAIN, 1.0);
    for entry in bench.plan.entries() {
        let zero = grads[entry.range.clone()].iter().all(|&grad| grad == 0.0 || grad.is_nan());
        assert_eq!(zero, entry.name == "0.weight", "{}", entry.name);
    }
}

#[test]
fn impossible_settings_and_shapes_are_named() {
    fn error<L: Layer<f32>>(layer: L, input: &[usize]) -> String {
        let error = layer.plan(Shape::new(input).unwrap(), &mut Plan::new()).err();
        error.unwrap_or_else(|| panic!("{layer:?} takes {input:?}")).to_string()
    }
    for epsilon in [0.0, -1.0, 1e-60, f64::NAN, f64::INFINITY] {
        assert!(error(BatchNorm::new().epsilon(epsilon), &[3]).contains("epsilon"));
        assert!(error(LayerNorm::new().epsilon(epsilon), &[3]).contains("epsilon"));
        assert!(error(RmsNorm::new().epsilon(epsilon), &[3]).contains("epsilon"));
        assert!(error(GroupNorm::new(1).epsilon(epsilon), &[3]).contains("epsilon"));
        assert!(error(InstanceNorm::new().epsilon(epsilon), &[3, 2]).contains("epsilon"));
    }
    for momentum in [-0.1, 1.1, f64::NAN] {
        assert!(error(BatchNorm::new().momentum(momentum), &[3]).contains("from 0 to 1"));
    }
    for empty in [&[] as &[usize], &[0], &[3, 0]] {
        assert!(error(BatchNorm::new(), empty).contains("at least one"));
        assert!(error(BatchNorm::new().channels_last(), empty).contains("at least one"));
        assert!(error(LayerNorm::new(), empty).contains("at least one axis"));
        assert!(error(UnitNorm::new().all_axes(), empty).contains("at least one axis"));
        assert!(error(LocalResponseNorm::new(3), empty).contains("at least one"));
        error(GroupNorm::new(1), empty);
    }
    assert!(error(LayerNorm::new().axes(3), &[4, 5]).contains("at least 3 axes"));
    assert!(error(LayerNorm::new().axes(0), &[4, 5]).contains("at least one axis"));
    assert!(error(RmsNorm::new().axes(usize::MAX), &[4, 5]).contains("axes"));
    for groups in [3, usize::MAX] {
        assert!(error(GroupNorm::new(groups), &[4, 5]).contains("divides the channels"));
    }
    assert!(error(GroupNorm::new(0), &[4, 5]).contains("a number of groups of at least 1"));
    assert!(error(InstanceNorm::new(), &[4]).contains("[channels, spatial...]"));
    for single in [
        error(InstanceNorm::new(), &[2, 1]),
        error(InstanceNorm::new().affine(), &[3, 1, 1]),
        error(GroupNorm::new(2), &[2]),
        error(GroupNorm::keras(3), &[3, 1, 1]),
        error(LayerNorm::new(), &[1]),
        error(LayerNorm::new(), &[5, 1]),
        error(LayerNorm::new().axes(2), &[5, 1, 1]),
        error(LayerNorm::new().all_axes(), &[1, 1]),
    ] {
        assert!(single.contains("nothing to normalise"), "{single}");
    }
    assert!(error(LocalResponseNorm::new(0), &[4, 2]).contains("at least 1"));
    assert!(error(LocalResponseNorm::new(3).k(0.0), &[4, 2]).contains("k above 0"));
    assert!(error(LocalResponseNorm::new(3).alpha(-1.0), &[4, 2]).contains("alpha of at least 0"));
    assert!(error(LocalResponseNorm::new(3).beta(f64::NAN), &[4, 2]).contains("any beta"));
    assert!(error(WeightNorm::new(Dropout::new(0.5)), &[4]).contains("put a layer with a weight into it"));
    assert!(error(WeightNorm::new(Dense::new(2)).axis(2), &[4]).contains("shape [4, 2]"));
    assert!(error(SpectralNorm::new(Dense::new(2)).iterations(0), &[4]).contains("at least one iteration"));
    // The inner layer's own error, with its path.
    let message = error(WeightNorm::new(Dense::new(2)), &[4, 4]);
    assert!(message.starts_with("layer weight_norm, Dense"), "{message}");
    // Enormous windows are limited to the number of channels.
    assert!(finite(&Bench::new(LocalResponseNorm::new(usize::MAX), [2, 2]).run(
        Array2::<f32>::ones((1, 4)).view(),
        Array2::ones((1, 4)).view(),
        TRAIN,
        1.0
    )));
}
