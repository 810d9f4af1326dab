//! Tests particular to attention: padding, dropout, extreme numbers, and invalid settings.

use chainrule_core::{Backward, Forward, Grads, Layer, Merge, Mode, Params, Plan, Sequential, SideBySide};
use chainrule_layers::{
    ClassToken, DotProductAttention, Embedding, LearnedPositions, MultiHeadAttention, OneStep, Patches,
    SinusoidalPositions, TransformerDecoder, TransformerEncoder,
};
use chainrule_tensor::{Seed, Shape};
use ndarray::{Array2, ArrayView2, Axis, s};

/// A pass over one batch.
struct Pass {
    y: Array2<f64>,
    dx: Array2<f64>,
    grads: Vec<f64>,
}

/// Runs a layer with random parameters; `dy` is a function of the index in the output.
fn run<L: Layer<f64>>(
    layer: &L,
    input: &[usize],
    x: ArrayView2<'_, f64>,
    mode: Mode,
    dy: fn(usize) -> f64,
) -> Pass {
    let mut plan = Plan::new();
    let (output, mut cache) = layer.plan(Shape::new(input).unwrap(), &mut plan).unwrap();
    let mut rng = Seed(5).rng();
    let params: Vec<f64> = (0..plan.size()).map(|_| 0.5 * rng.normal()).collect();
    let mut y = Array2::from_elem((x.nrows(), output.size()), f64::NAN);
    let mut grads = vec![0.0; plan.size()];
    let mut dx = Array2::from_elem(x.dim(), f64::NAN);
    layer.forward(Forward { params: Params::new(&params), x, y: y.view_mut(), cache: &mut cache, mode });
    let dy = Array2::from_shape_fn(y.dim(), |(_, column)| dy(column));
    layer.backward(Backward {
        params: Params::new(&params),
        grads: Grads::new(&mut grads),
        x,
        y: y.view(),
        dy: dy.view(),
        dx: Some(dx.view_mut()),
        cache: &mut cache,
        share: 1.0,
    });
    Pass { y, dx, grads }
}

fn random(rows: usize, columns: usize) -> Array2<f64> {
    let mut rng = Seed(6).rng();
    Array2::from_shape_simple_fn((rows, columns), || rng.normal())
}

/// The columns of the steps with 4 features that are no padding, of those that `x` starts with.
fn kept(x: ArrayView2<'_, f64>, padding: &[usize]) -> Array2<f64> {
    let steps = (0..x.ncols() / 4).filter(|step| !padding.contains(step));
    let columns: Vec<usize> = steps.flat_map(|step| 4 * step..4 * step + 4).collect();
    x.select(Axis(1), &columns)
}

fn assert_close<'a>(a: impl IntoIterator<Item = &'a f64>, b: impl IntoIterator<Item = &'a f64>, what: &str) {
    for (a, b) in a.into_iter().zip(b) {
        assert!((a - b).abs() < 1e-12 * (1.0 + b.abs()), "{what}: {a} {b}");
    }
}

/// A sequence with padding has the results of the same sequence without it, and zeros.
fn check_padding<L: Layer<f64>>(layer: &L, padding: &[usize], what: &str) {
    let mut x = random(2, 24);
    for &step in padding {
        x.slice_mut(s![.., 4 * step..4 * step + 4]).fill(0.0);
    }
    let short = kept(x.view(), padding);
    // The same for each feature of all steps, so that it is the same for the short sequence.
    let dy = |column: usize| [0.3, -1.0, 0.7, 2.0][column % 4];
    let long = run(layer, &[6, 4], x.view(), Mode::Eval, dy);
    let right = run(layer, &[6 - padding.len(), 4], short.view(), Mode::Eval, dy);
    assert_close(&kept(long.y.view(), padding), &right.y, what);
    assert_close(&kept(long.dx.view(), padding), &right.dx, what);
    assert_close(&long.grads, &right.grads, what);
    for &step in padding {
        let columns = s![.., 4 * step..4 * step + 4];
        assert!(long.y.slice(columns).iter().chain(long.dx.slice(columns)).all(|&v| v == 0.0), "{what}");
    }
}

#[test]
fn padding_changes_nothing() {
    for padding in [&[5][..], &[3, 4, 5], &[0, 2], &[]] {
        let heads = MultiHeadAttention::new(2).masked();
        check_padding(&heads, padding, "attention");
        check_padding(&heads.causal(), padding, "causal attention");
        let block = TransformerEncoder::new(2, 5).masked().dropout(0.0);
        check_padding(&block, padding, "an encoder");
        check_padding(&block.clone().pre_norm().causal(), padding, "an encoder with the norm first");
        let stack = Sequential::default().then(block.clone().pre_norm()).then(block);
        check_padding(&stack, padding, "a stack");
    }
    // At the end, where the positions of what is before do not change.
    let positions = Sequential::default().then(SinusoidalPositions::new().masked());
    check_padding(&positions, &[4, 5], "positions");
    let rotary = MultiHeadAttention::new(1).masked().rotary().alibi();
    check_padding(&rotary, &[4, 5], "rotary positions");
}

/// As [`check_padding`], for three steps of a target, of which the last is padding, and three of a memory, of which the
/// first is.
fn check_both<J: Merge<f64> + Clone>(merge: J, what: &str) {
    let pass = |steps: usize, keys: usize, x: ArrayView2<'_, f64>| {
        let layer = SideBySide::new(merge.clone(), [[steps, 4], [keys, 4]]);
        run(&layer, &[x.ncols()], x, Mode::Eval, |column| [1.0, -0.5, 2.0, 0.2][column % 4])
    };
    let mut x = random(2, 24);
    x.slice_mut(s![.., 8..16]).fill(0.0);
    let long = pass(3, 3, x.view());
    let right = pass(2, 2, kept(x.view(), &[2, 3]).view());
    assert_close(long.y.slice(s![.., ..8]), &right.y, what);
    assert_close(&kept(long.dx.view(), &[2, 3]), &right.dx, what);
    assert_close(&long.grads, &right.grads, what);
    assert!(
        long.y.slice(s![.., 8..]).iter().chain(long.dx.slice(s![.., 8..16])).all(|&v| v == 0.0),
        "{what}"
    );
}

#[test]
fn padding_of_both_inputs() {
    check_both(MultiHeadAttention::new(2).masked(), "cross-attention");
    check_both(DotProductAttention::new().masked(), "dot-product attention");
    let decoder = TransformerDecoder::new(2, 3).masked().dropout(0.0);
    check_both(decoder.clone(), "a decoder");
    check_both(decoder.pre_norm().causal(), "a decoder with the norm first");
}

#[test]
fn a_mask_travels_from_the_embedding() {
    let layers = Sequential::<f64>::default()
        .then(Embedding::new(10, 4).padding_index(0))
        .then(LearnedPositions::new().masked())
        .then(TransformerEncoder::new(2, 8).masked())
        .then(TransformerEncoder::new(2, 8).masked().pre_norm());
    let x = ndarray::array![[3.0, 1.0, 0.0, 0.0], [4.0, 5.0, 9.0, 1.0]];
    let Pass { y, grads, .. } = run(&layers, &[4], x.view(), Mode::Eval, |_| 1.0);
    assert!(y.slice(s![0, 8..]).iter().all(|&y| y == 0.0));
    assert!(y.slice(s![0, ..8]).iter().chain(y.slice(s![1, ..])).all(|&y| y != 0.0));
    assert!(grads[..4].iter().all(|&g| g == 0.0) && grads[4..8].iter().all(|&g| g != 0.0));
}

#[test]
fn extreme_inputs_stay_finite() {
    for layer in [MultiHeadAttention::new(1), MultiHeadAttention::new(1).causal().masked().alibi().rotary()] {
        let mut plan = Plan::new();
        let (_, mut cache) = Layer::<f32>::plan(&layer, [3, 2].into(), &mut plan).unwrap();
        let params: Vec<f32> = (0..plan.size()).map(|index| [1.0, -0.5, 2.0][index % 3]).collect();
        let x = ndarray::array![[1e15f32, -1e15, 0.0, 0.0, -3e15, 1e-30]];
        let mut y = Array2::from_elem((1, 6), f32::NAN);
        let params = Params::new(&params);
        let mode = Mode::Eval;
        Layer::forward(&layer, Forward { params, x: x.view(), y: y.view_mut(), cache: &mut cache, mode });
        assert!(y.iter().all(|y| y.is_finite()), "{layer:?}: {y}");
    }
}

#[test]
fn dropout_drops_its_share() {
    // Without a scale to speak of, all weights of 50 keys are 1/50, and a value of 1 makes the output their sum.
    let attention = DotProductAttention::new().scale(1e-9).dropout(0.2);
    let layer = SideBySide::new(attention, [[40, 1], [50, 1], [50, 1]]);
    let mut x = random(3, 140);
    x.slice_mut(s![.., 90..]).fill(1.0);
    let train = |first_row| Mode::Train { seed: Seed(3), first_row };
    let y = run(&layer, &[140], x.view(), train(0), |_| 1.0).y;
    let mean = y.sum() / y.len() as f64;
    assert!((mean - 1.0).abs() < 0.02, "{mean}");
    assert!(y.iter().all(|&y| (y / 0.025 - (y / 0.025).round()).abs() < 1e-6));
    assert!(y.row(0) != y.row(1) && y[[0, 0]] != y[[0, 1]]);
    let part = run(&layer, &[140], x.slice(s![1.., ..]), train(1), |_| 1.0).y;
    assert_eq!(part, y.slice(s![1.., ..]));
    let y = run(&layer, &[140], x.view(), Mode::Eval, |_| 1.0).y;
    assert!(y.iter().all(|&y| (y - 1.0).abs() < 1e-12));
}

#[test]
fn rotary_scores_depend_on_distances() {
    // With equal steps, queries differ only in the number of steps before them.
    let layer = MultiHeadAttention::new(1).rotary();
    let one = random(1, 4);
    let x = Array2::from_shape_fn((1, 20), |(_, column)| one[[0, column % 4]]);
    let Pass { y, .. } = run(&layer, &[5, 4], x.view(), Mode::Eval, |_| 1.0);
    for step in y.row(0).exact_chunks(4) {
        assert_close(step, y.slice(s![0, ..4]), "equal values have an equal mean");
    }
}

#[test]
fn operations_and_memory_are_declared() {
    let mut plan = Plan::new();
    let layer = MultiHeadAttention::new(4).key_value_heads(2);
    Layer::<f32>::plan(&layer, [10, 8].into(), &mut plan).unwrap();
    let projections = 2 * 10 * 8 * (8 + 8 + 8);
    let scores = 2 * 4 * 10 * 10 * (2 + 2);
    assert_eq!(plan.total_flops(), projections + scores);
    assert!(plan.total_memory() >= 4 * 10 * 10 + 3 * 80);
    assert_eq!(plan.size(), 8 * 8 + 8 + 8 * 8 + 8 + 8 * 8 + 8);
    let names: Vec<&str> = plan.entries().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names[..3], ["query_weight", "query_bias", "key_value_weight"]);
}

#[test]
fn invalid_settings() {
    fn error(layer: impl Layer<f32>, input: &[usize]) -> String {
        let layers = Sequential::default().then(layer);
        layers.plan(Shape::new(input).unwrap(), &mut Plan::new()).unwrap_err().to_string()
    }
    fn merge(layer: impl Merge<f32>, inputs: &[[usize; 2]]) -> String {
        let size = inputs.iter().map(|[a, b]| a * b).sum();
        error(SideBySide::new(layer, inputs.iter().copied()), &[size])
    }
    let heads = MultiHeadAttention::new;
    let huge = usize::MAX / 8;
    for (message, help) in [
        (error(heads(2), &[4]), "put Reshape"),
        (error(heads(2), &[0, 4]), "put Reshape"),
        (error(heads(2), &[3, 5]), "set `head_size`"),
        (error(heads(0), &[3, 5]), "a number of heads of at least 1"),
        (error(heads(4).key_value_heads(3), &[3, 8]), "multiple"),
        (error(heads(4).key_value_heads(0), &[3, 8]), "heads of at least 1"),
        (error(heads(4).head_size(0), &[3, 8]), "another `head_size`"),
        (error(heads(4).head_size(huge), &[3, 8]), "smaller sizes"),
        (error(heads(1), &[huge, 8]), "smaller sizes"),
        (error(heads(2).dropout(1.0), &[3, 8]), "below 1"),
        (error(heads(2).dropout(f64::NAN), &[3, 8]), "below 1"),
        (error(heads(2).rotary(), &[3, 6]), "even `head_size`"),
        (error(heads(2).rotary_base(0.0), &[3, 8]), "a base above 0"),
        (merge(heads(2), &[[3, 4]]), "give it two inputs"),
        (merge(heads(2).causal(), &[[3, 4], [3, 4]]), "remove the settings causal"),
        (merge(heads(2).rotary(), &[[3, 4], [3, 4]]), "remove the settings causal"),
        (merge(DotProductAttention::new(), &[[3, 4], [3, 5]]), "give it [steps, size]"),
        (merge(DotProductAttention::new(), &[[3, 4], [2, 4], [3, 4]]), "give it [steps, size]"),
        (merge(DotProductAttention::new().scale(0.0), &[[3, 4], [3, 4]]), "scale above 0"),
        (merge(DotProductAttention::new(), &[[3, 4]]), "or three"),
        (error(TransformerEncoder::new(3, 8), &[3, 4]), "set `head_size`"),
        (error(TransformerEncoder::new(2, 0), &[3, 4]), "a number of units of at least 1"),
        (error(TransformerEncoder::new(2, 4 * huge), &[3, 4]), "another size"),
        (error(TransformerEncoder::new(2, 4).dropout(f64::NAN), &[3, 4]), "below 1"),
        (merge(TransformerDecoder::new(2, 4), &[[3, 4]]), "give it two inputs"),
        (
            merge(TransformerDecoder::new(2, 4).cross_attention(heads(3)), &[[3, 4], [3, 4]]),
            "set `head_size`",
        ),
        (error(SinusoidalPositions::new(), &[4]), "put Reshape"),
        (error(LearnedPositions::new(), &[4, 0]), "put Reshape"),
        (error(ClassToken::new(), &[4]), "put Reshape"),
        (error(OneStep::last(), &[4, 2, 2]), "put Reshape"),
        (error(Patches::new(2), &[1, 4, 5]), "pad the image"),
        (error(Patches::new(0), &[1, 4, 4]), "a size of at least 1"),
        (error(Patches::new(2), &[4, 4]), "pad the image"),
    ] {
        assert!(message.contains(help), "{message}");
    }
}
