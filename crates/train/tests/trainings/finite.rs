//! A step that is not finite changes nothing, and its error names the parameter or the samples.

use std::error::Error;
use std::fs;
use std::sync::Arc;

use chainrule_core::{Lambda, Sequential};
use chainrule_data::{Rows, Subset};
use chainrule_layers::{BatchNorm, Dense, Embedding, Flatten, Relu, Tanh};
use chainrule_losses::{CrossEntropy, MeanSquaredError};
use chainrule_optim::{
    ClipByGlobalNorm, ClipByValue, Optimizer, Update, UpdateRule, WeightDecay, adam, adamw, rmsprop, sgd,
};
use chainrule_tensor::{Real, Seed};
use chainrule_train::{Model, Quantity, TrainError, Trainer};
use ndarray::Array2;

const SAMPLES: usize = 30;

/// Samples of `inputs` values, and targets of two values.
fn regression<T: Real>(inputs: usize) -> (Array2<T>, Vec<[T; 2]>) {
    let mut rng = Seed(5).rng();
    let x = Array2::from_shape_simple_fn((SAMPLES, inputs), || T::of(rng.normal()));
    let targets = x.rows().into_iter().map(|x| [x[0] + x[1], x[0] - x[1]]).collect();
    (x, targets)
}

/// All that a training consists of: a checkpoint has the parameters, the optimizer's state, and the number of steps.
fn snapshot<T: Real, Y: Clone + Send + Sync>(trainer: &Trainer<T, Y>) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    trainer.save(&path).unwrap();
    fs::read(path).unwrap()
}

/// The texts of an error and of its sources.
fn chain(error: &dyn Error) -> String {
    let sources = std::iter::successors(error.source(), |&error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

fn optimizers<T: Real>() -> Vec<Box<dyn UpdateRule<T>>> {
    vec![
        Box::new(sgd(0.01).momentum(0.9)),
        Box::new((WeightDecay(0.01), adamw(0.01))),
        Box::new((ClipByGlobalNorm(1.0), rmsprop(0.01).centered())),
        Box::new(Unknown { rate: 0.01, from: u64::MAX }),
    ]
}

/// Gradient descent by someone who does not tell how far it goes, and from a step on not even where.
#[derive(Debug)]
struct Unknown {
    rate: f64,
    from: u64,
}

impl Optimizer for Unknown {
    fn slots(&self) -> usize {
        1
    }
}

impl<T: Real> UpdateRule<T> for Unknown {
    fn update(&self, update: Update<'_, T>) {
        let step = update.step.index;
        let (p, grads, [sum]) = update.split();
        for ((p, &g), sum) in p.iter_mut().zip(grads).zip(sum) {
            *p -= T::of(self.rate) * g;
            *sum += if step >= self.from { T::infinity() } else { g * g };
        }
    }
}

/// Small enough for gradients that are computed at once, or wide enough that the first product is split.
fn networks<T: Real>() -> [(usize, Sequential<T>); 3] {
    let start = || Sequential::<T>::default();
    [
        (3, start().then(Dense::new(4)).then(Relu).then(Dense::new(2))),
        (3, start().then(Dense::new(4)).then(BatchNorm::new()).then(Tanh).then(Dense::new(2))),
        (220, start().then(Dense::new(40)).then(Relu).then(Dense::new(2))),
    ]
}

/// Spoils a value of an input or a target of a sample.
type Spoil<T> = fn(&mut Array2<T>, &mut [[T; 2]], usize, T);

fn a_bad_sample<T: Real>(wild: &[f64]) {
    let spoil_input: Spoil<T> = |x, _, sample, value| x[[sample, 1]] = value;
    let spoil_target: Spoil<T> = |_, targets, sample, value| targets[sample][1] = value;
    for (inputs, layers) in networks::<T>() {
        let rows = |x: &Array2<T>, targets: &[[T; 2]]| Rows::new(x.clone(), targets.to_vec()).unwrap();
        let (x, targets) = regression::<T>(inputs);
        let good = rows(&x, &targets);
        for optimizer in 0..optimizers::<T>().len() {
            for shards in [1, 2] {
                let trainer = || {
                    let model = Model::new([inputs], layers.clone(), Seed(1)).unwrap();
                    let trainer = Trainer::new(model, MeanSquaredError, optimizers::<T>().remove(optimizer));
                    trainer.batch_size(3).shards(shards).threads(1).shuffle(false)
                };
                for (spoil, &value) in wild.iter().flat_map(|v| [(spoil_input, v), (spoil_target, v)]) {
                    let (mut x, mut targets) = regression::<T>(inputs);
                    spoil(&mut x, &mut targets, 21, T::of(value));
                    let mut bad = trainer();
                    let result = bad.fit(&rows(&x, &targets), 1);
                    let case = format!("{inputs} inputs, {bad:?}, {shards} shards, {value}");
                    let Err(error) = result else { panic!("no error: {case}") };
                    let error = chain(&error);
                    assert!(error.contains("sample 21") && error.contains("batch 7"), "{error}: {case}");
                    assert!(!error.contains("sample 22"), "{error}");
                    // As the seven batches before left it.
                    let mut before = trainer();
                    before.fit(&Subset::first(&good, 21), 1).unwrap();
                    assert!(bad.model().parameters() == before.model().parameters(), "{case}");
                    bad.fit(&good, 2).unwrap();
                    assert!(bad.model().parameters().iter().all(|p| p.is_finite()), "{case}");
                    // In the first step of an epoch: nothing at all is changed.
                    spoil(&mut x, &mut targets, 1, T::of(value));
                    for epochs in [0, 1] {
                        let mut trainer = trainer();
                        trainer.fit(&good, epochs).unwrap();
                        let before = snapshot(&trainer);
                        let error = chain(&trainer.fit(&rows(&x, &targets), 1).unwrap_err());
                        assert!(
                            error.contains("sample 1 ") || error.contains("sample 1,"),
                            "{error}: {case}"
                        );
                        assert!(snapshot(&trainer) == before, "{case}");
                        trainer.fit(&good, 1).unwrap();
                    }
                }
            }
        }
    }
}

#[test]
fn a_bad_sample_in_single_precision() {
    a_bad_sample::<f32>(&[f64::NAN, 1e30]);
}

#[test]
fn a_bad_sample_in_double_precision() {
    a_bad_sample::<f64>(&[f64::NEG_INFINITY, 1e200]);
}

/// A training whose loss is finite and whose gradients are not, behind these optimizers.
fn infinite_gradient(optimizer: impl UpdateRule<f32> + 'static, width: usize, slope: f32) {
    let kink = Lambda::new("kink", |z: f32| z, move |_, _| slope);
    let layers = Sequential::new().then(Dense::new(width)).then(kink).then(Dense::new(2));
    let model = Model::new([3], layers, Seed(1)).unwrap();
    let (x, targets) = regression::<f32>(3);
    let data = Rows::new(x, targets).unwrap();
    let optimizer: Arc<dyn UpdateRule<f32>> = Arc::new(optimizer);
    for shards in [1, 2] {
        let mut trainer =
            Trainer::new(model.clone(), MeanSquaredError, Arc::clone(&optimizer)).batch_size(10);
        trainer = trainer.shards(shards);
        let before = snapshot(&trainer);
        let error = trainer.fit(&data, 1).unwrap_err();
        let is_gradient = matches!(
            &error,
            TrainError::NotFinite { quantity: Quantity::Gradient, parameter, .. } if parameter == "0.weight"
        );
        assert!(is_gradient, "{error}");
        assert!(error.to_string().contains("the gradient of 0.weight"), "{error}");
        assert!(snapshot(&trainer) == before, "{trainer:?}");
    }
}

#[test]
fn an_infinite_gradient_of_a_finite_loss_names_the_parameter() {
    // Above and below the size from which gradients are left to the update.
    for width in [4, 3000] {
        for slope in [f32::INFINITY, f32::NAN] {
            infinite_gradient(sgd(0.1), width, slope);
            infinite_gradient((ClipByGlobalNorm(1.0), sgd(0.1)), width, slope);
            infinite_gradient((ClipByValue(1.0), adam(0.1)), width, slope);
            infinite_gradient(Unknown { rate: 0.1, from: u64::MAX }, width, slope);
        }
        // Finite, but no optimizer could square it.
        infinite_gradient(sgd(0.1), width, 1e30);
        infinite_gradient(adam(0.1), width, 1e30);
    }
}

#[test]
fn large_gradients_can_be_clipped() {
    let kink = Lambda::new("kink", |z: f32| z, |_, _| 1e30);
    let layers = Sequential::new().then(Dense::new(4)).then(kink).then(Dense::new(2));
    let model = Model::new([3], layers, Seed(1)).unwrap();
    let (x, targets) = regression::<f32>(3);
    let data = Rows::new(x, targets).unwrap();
    let mut trainer = Trainer::new(model, MeanSquaredError, (ClipByGlobalNorm(1.0), sgd(0.1)));
    let before = trainer.model().parameters().to_vec();
    trainer.fit(&data, 1).unwrap();
    let moved = trainer.model().parameters().iter().zip(before).map(|(p, before)| (p - before).powi(2));
    let length = moved.sum::<f32>().sqrt();
    assert!((length - 0.1).abs() < 1e-5, "{length}");
}

#[test]
fn an_update_that_overflows_is_undone() {
    let [narrow, _, wide] = networks::<f32>();
    for (inputs, layers) in [narrow, wide] {
        let (mut x, targets) = regression::<f32>(inputs);
        x.iter_mut().for_each(|x| *x *= 10.0);
        let data = Rows::new(x, targets).unwrap();
        let refused = |optimizer: Box<dyn UpdateRule<f32>>, quantity| {
            let model = Model::new([inputs], layers.clone(), Seed(1)).unwrap();
            let mut trainer = Trainer::new(model, MeanSquaredError, optimizer).batch_size(SAMPLES);
            let before = snapshot(&trainer);
            // The only step, after which no loss would tell.
            let error = trainer.fit(&data, 1).unwrap_err();
            match &error {
                TrainError::NotFinite { quantity: found, parameter, .. } => {
                    assert_eq!(*found, quantity, "{error}");
                    assert!(parameter.starts_with("0."), "{error}");
                }
                _ => panic!("{error}"),
            }
            assert!(error.to_string().contains("lower the learning rate"), "{error}");
            assert!(snapshot(&trainer) == before, "{error}");
        };
        refused(Box::new(sgd(3e38)), Quantity::Parameter);
        refused(Box::new(rmsprop(3e38)), Quantity::Parameter);
        refused(Box::new((ClipByGlobalNorm(100.0), sgd(3e38))), Quantity::Parameter);
        refused(Box::new(Unknown { rate: 3e38, from: u64::MAX }), Quantity::Parameter);
        refused(Box::new(Unknown { rate: 0.1, from: 0 }), Quantity::State);
    }
}

#[test]
fn rows_of_a_table_are_restored() {
    let words = Embedding::new(50, 3).sparse();
    let layers = Sequential::new().then(words).then(Flatten).then(Dense::new(2));
    let mut rng = Seed(2).rng();
    let ids = Array2::from_shape_simple_fn((SAMPLES, 4), || rng.below(50) as f32);
    let data = Rows::new(ids, (0..SAMPLES).map(|row| (row % 2) as u8).collect()).unwrap();
    let train = |optimizer: Box<dyn UpdateRule<f32>>, threads| {
        let model = Model::new([4], layers.clone(), Seed(1)).unwrap();
        let trainer = Trainer::new(model, CrossEntropy::default(), optimizer);
        let mut trainer = trainer.batch_size(10).shards(2).threads(threads).shuffle(false);
        let result = trainer.fit(&data, 1);
        (result, trainer)
    };
    for threads in [1, 2] {
        let (result, twice) = train(Box::new(Unknown { rate: 0.1, from: 2 }), threads);
        let error = result.unwrap_err();
        assert!(
            matches!(&error, TrainError::NotFinite { batch: 2, quantity: Quantity::State, parameter, .. }
                if parameter == "0.weight"),
            "{error}"
        );
        // Two steps of an optimizer that says how far it goes.
        let (_, whole) = train(Box::new(Unknown { rate: 0.1, from: u64::MAX }), threads);
        assert!(twice.model().parameters() != whole.model().parameters());
        let model = Model::new([4], layers.clone(), Seed(1)).unwrap();
        let mut known = Trainer::new(model, CrossEntropy::default(), sgd(0.1)).batch_size(10).shards(2);
        known = known.shuffle(false);
        known.fit(&Subset::first(&data, 20), 1).unwrap();
        assert!(twice.model().parameters() == known.model().parameters(), "{threads} threads");
    }
}

#[test]
fn careful_steps_have_the_same_bits() {
    for (inputs, layers) in networks::<f32>() {
        let (x, targets) = regression::<f32>(inputs);
        let data = Rows::new(x, targets).unwrap();
        let train = |optimizer: Box<dyn UpdateRule<f32>>| {
            let model = Model::new([inputs], layers.clone(), Seed(1)).unwrap();
            let mut trainer = Trainer::new(model, MeanSquaredError, optimizer).batch_size(7).shards(2);
            trainer.fit(&data, 3).unwrap();
            trainer.into_model().parameters_sha256()
        };
        let careful = train(Box::new(Unknown { rate: 0.01, from: u64::MAX }));
        assert_eq!(careful, train(Box::new(sgd(0.01))), "{inputs} inputs");
    }
}

#[test]
fn statistics_that_overflow_are_undone() {
    // Values whose squares are too large, and whose gradients are not.
    let layers = Sequential::new().then(BatchNorm::new().without_affine()).then(Dense::new(2));
    let model = Model::new([3], layers, Seed(1)).unwrap();
    let (mut x, targets) = regression::<f32>(3);
    x.iter_mut().for_each(|x| *x *= 1e25);
    let mut trainer = Trainer::new(model, MeanSquaredError, adam(0.01));
    let before = snapshot(&trainer);
    let error = trainer.fit(&Rows::new(x, targets).unwrap(), 1).unwrap_err();
    assert!(snapshot(&trainer) == before, "{error}");
}

#[test]
fn a_training_that_explodes_blames_the_rate() {
    let (x, targets) = regression::<f32>(3);
    let data = Rows::new(x, targets).unwrap();
    let layers = Sequential::new().then(Dense::new(4)).then(Dense::new(2));
    let model = Model::new([3], layers, Seed(1)).unwrap();
    let mut trainer = Trainer::new(model, MeanSquaredError, sgd(50.0)).batch_size(10);
    let error = trainer.fit(&data, 100).unwrap_err();
    assert!(error.to_string().contains("lower the learning rate"), "{error}");
    assert!(trainer.model().parameters().iter().all(|p| p.is_finite()), "{error}");
}
