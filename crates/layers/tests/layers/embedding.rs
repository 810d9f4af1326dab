//! What is particular to embeddings: ids that are refused, padding, and settings that cannot work.

use chainrule_core::{Backward, Forward, Grads, Layer, Mode, Params, Plan, Sequential};
use chainrule_layers::{Dense, Embedding, EmbeddingBag, Flatten};
use chainrule_tensor::{Real, Seed};
use ndarray::{Array2, array};

#[test]
fn numbers_that_are_no_ids_are_refused() {
    let layers = Sequential::<f32>::default().then(Flatten).then(Embedding::new(5, 2)).then(Flatten);
    assert!(layers.check(array![[0.0, 4.0], [3.0, -0.0]].view()).is_ok());
    for wrong in [5.0, -1.0, 0.5, f32::NAN, f32::INFINITY, -f32::INFINITY, 1e30] {
        let x = array![[0.0, 1.0], [2.0, wrong]];
        let error = layers.check(x.view()).unwrap_err().to_string();
        assert!(error.contains("whole numbers from 0 to 4, but row 1 of the batch"), "{error}");
        assert!(Layer::check(&EmbeddingBag::new(5, 2), x.view()).is_err());
        // Without the check, the nearest id is used.
        run(&Embedding::new(5, 2), &x, |_| 1.0);
    }
}

/// The output, and the gradient of the table for a `dy` of ones.
fn run<T: Real>(layer: &impl Layer<T>, x: &Array2<T>, param: impl Fn(usize) -> f64) -> (Array2<T>, Vec<T>) {
    let mut plan = Plan::new();
    let (output, mut cache) = layer.plan([x.ncols()].into(), &mut plan).unwrap();
    let values: Vec<T> = (0..plan.size()).map(|index| T::of(param(index))).collect();
    let mut y = Array2::from_elem((x.nrows(), output.size()), T::nan());
    let params = Params::new(&values);
    layer.forward(Forward { params, x: x.view(), y: y.view_mut(), cache: &mut cache, mode: Mode::Eval });
    let mut grads = vec![T::zero(); plan.size()];
    let mut dx = Array2::from_elem(x.dim(), T::nan());
    layer.backward(Backward {
        params: Params::new(&values),
        grads: Grads::new(&mut grads),
        x: x.view(),
        y: y.view(),
        dy: Array2::ones(y.dim()).view(),
        dx: Some(dx.view_mut()),
        cache: &mut cache,
        share: T::one(),
    });
    assert!(dx.iter().all(|dx| *dx == T::zero()), "ids have no gradient");
    (y, grads)
}

#[test]
fn padding_is_zeros_and_not_trained() {
    let x = array![[1.0f64, 3.0, 1.0], [3.0, 3.0, 3.0]];
    let (y, grads) = run(&Embedding::new(4, 1).padding_index(3), &x, |index| 1.0 + index as f64);
    assert_eq!(y, array![[2.0, 0.0, 2.0], [0.0, 0.0, 0.0]]);
    assert_eq!(grads, [0.0, 2.0, 0.0, 0.0]);
    let bag = EmbeddingBag::new(4, 1).padding_index(3);
    for (bag, first, grad) in [(bag.clone(), 2.0, 1.0), (bag.clone().sum(), 4.0, 2.0), (bag.max(), 2.0, 1.0)]
    {
        let (y, grads) = run(&bag, &x, |index| 1.0 + index as f64);
        assert_eq!((y[[0, 0]], y[[1, 0]]), (first, 0.0), "{bag:?}");
        assert_eq!(grads, [0.0, grad, 0.0, 0.0], "{bag:?}");
    }
}

#[test]
fn initial_values() {
    let start = |layer: Embedding| {
        let mut plan = Plan::new();
        Layer::<f64>::plan(&layer, [3].into(), &mut plan).unwrap();
        let mut values = vec![0.0; plan.size()];
        plan.init(Seed(1), &mut values);
        values
    };
    let variance = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
    assert!((variance(&start(Embedding::new(100, 100))) - 1.0).abs() < 0.05);
    let keras = start(Embedding::keras(100, 100));
    assert!(keras.iter().all(|v| v.abs() <= 0.05));
    assert!((variance(&keras) * 1200.0 - 1.0).abs() < 0.05);
    let padded = start(Embedding::new(100, 100).padding_index(99));
    assert!(
        padded[9900..].iter().all(|&v| v == 0.0) && padded[..9900] == start(Embedding::new(100, 100))[..9900]
    );
}

#[test]
fn invalid_settings() {
    let error = |layer: Sequential<f32>, input: &[usize]| {
        let input = chainrule_tensor::Shape::new(input).unwrap();
        layer.plan(input, &mut Plan::new()).unwrap_err().to_string()
    };
    let words = |embedding: Embedding| Sequential::default().then(embedding);
    let bag = |bag: EmbeddingBag| Sequential::default().then(bag);
    for (message, help) in [
        (error(words(Embedding::new(5, 2)), &[3, 3]), "one axis"),
        (error(words(Embedding::new(5, 2)), &[0]), "one axis"),
        (
            error(words(Embedding::new(0, 2)), &[3]),
            "Embedding(vocabulary=0, size=2), needs a vocabulary of at least 1",
        ),
        (error(words(Embedding::new(5, 0)), &[3]), "a size of at least 1"),
        (error(words(Embedding::new((1 << 24) + 1, 2)), &[3]), "f32 cannot represent larger ids"),
        (error(words(Embedding::new(5, usize::MAX / 2)), &[3]), "smaller size"),
        (error(words(Embedding::new(5, usize::MAX / 8)), &[10]), "smaller size"),
        (error(words(Embedding::new(5, 2).padding_index(5)), &[3]), "padding index below 5"),
        (error(bag(EmbeddingBag::new(5, 2).max().sparse()), &[3]), "remove `sparse`"),
        (error(bag(EmbeddingBag::new(5, 2)), &[]), "one axis"),
        (error(words(Embedding::new(5, 2)).then(Dense::new(3)), &[3]), "Flatten"),
    ] {
        assert!(message.contains(help), "{message}");
    }
}
