//! Columns of a batch that are zeros are left out of products, which changes no bit of the result.
//!
//! Denormal numbers count as 0 in a training, but are no zeros to those who look for columns of zeros: so the same samples with denormal
//! numbers in place of zeros are multiplied whole.

use chainrule_core::{New, Sequential};
use chainrule_data::Rows;
use chainrule_layers::{Dense, Flatten, Relu};
use chainrule_losses::CrossEntropy;
use chainrule_optim::{ClipByGlobalNorm, UpdateRule, adam, sgd};
use chainrule_tensor::{FlushDenormals, Real, Seed};
use chainrule_train::{Model, Trainer};
use ndarray::Array2;

const INPUTS: usize = 330;

/// So many that the last batch is smaller.
const SAMPLES: usize = 3 * 48 + 5;

/// Samples in which about half of the columns are zeros in a batch, some of them in all.
fn values<T: Real>(zero: T) -> Array2<T> {
    let mut rng = Seed(1).rng();
    let mut x = Array2::from_elem((SAMPLES, INPUTS), zero);
    for ((_, column), x) in x.indexed_iter_mut() {
        let probability = if column % 60 < 25 { 0.3 } else { 0.005 };
        if rng.uniform() < probability && column % 50 > 9 {
            *x = T::of(rng.normal());
        }
    }
    x
}

fn samples<T: Real>(zero: T) -> Rows<T, u8> {
    Rows::new(values(zero), (0..SAMPLES).map(|sample| (sample % 3) as u8).collect()).unwrap()
}

fn network<T: Real>(units: usize) -> Sequential<T> {
    let first = Sequential::<T>::new().then(Flatten).then(Dense::new(units).without_bias());
    first.then(Relu).then(Dense::new(20)).then(Relu).then(Dense::new(3))
}

fn trainer<T: Real>(units: usize, optimizer: impl UpdateRule<T> + 'static) -> Trainer<T, u8> {
    let model = Model::new([INPUTS], network(units), Seed(2)).unwrap();
    Trainer::new(model, CrossEntropy::default(), optimizer).batch_size(48)
}

/// The parameters after two epochs, and the loss of an evaluation.
fn train<T: Real>(mut trainer: Trainer<T, u8>, zero: T) -> Vec<T> {
    let data = samples(zero);
    trainer.fit(&data, 2).unwrap();
    let loss = T::of(trainer.evaluate(&data).unwrap().loss);
    trainer.model().parameters().iter().copied().chain([loss]).collect()
}

/// Compares trainings with columns of zeros and with denormal numbers in them.
fn check<T: Real>(what: &str, trainer: impl Fn() -> Trainer<T, u8>) {
    let [left_out, whole] =
        [T::zero(), T::min_positive_value() / T::of(16.0)].map(|zero| train(trainer(), zero));
    assert!(left_out.iter().all(|number| number.is_finite()), "{what}");
    let differ = left_out.iter().zip(&whole).position(|(a, b)| a != b);
    assert_eq!(differ, None, "{what}: the first parameter that differs");
}

fn check_all<T: Real>() {
    // Denormal numbers are zeros on this CPU.
    let is_zero = {
        let _flush = FlushDenormals::new();
        std::hint::black_box(T::min_positive_value() / T::of(16.0)) * std::hint::black_box(T::of(8.0))
            == T::zero()
    };
    assert!(is_zero || cfg!(not(target_arch = "x86_64")));
    if !is_zero {
        return;
    }
    for portable in [false, true] {
        for shards in [1, 2, 3] {
            for threads in [1, 2] {
                let what = format!("{shards} shards on {threads} threads, portable: {portable}");
                let trainer = || trainer::<T>(64, adam(1e-2)).portable(portable);
                check(&what, || trainer().shards(shards).threads(threads));
            }
        }
        let by = |batch| trainer::<T>(64, sgd(0.1).momentum(0.9).weight_decay(0.01)).batch_size(batch);
        for batch in [1, 7, 100] {
            check(&format!("batches of {batch}, portable: {portable}"), || by(batch).portable(portable));
        }
        check("distributable", || {
            trainer::<T>(40, adam(1e-2)).shards(3).distributable(true).portable(portable)
        });
    }
    check("whole gradients", || trainer::<T>(64, (ClipByGlobalNorm(0.1), adam(1e-2))).shards(2));
    check("passes", || trainer::<T>(64, sgd(0.1)).accumulate(3));
    check("few parameters", || trainer::<T>(9, adam(1e-2)));
    check("wide rows", || trainer::<T>(300, adam(1e-2)).shards(2));
}

#[test]
fn columns_of_zeros_change_no_bit() {
    check_all::<f32>();
    check_all::<f64>();
}

#[test]
fn what_is_not_finite_is_found_beside_zeros() {
    for special in [f32::NAN, f32::INFINITY] {
        // The only value of its column.
        let mut x = values(0.0f32);
        x[[20, 100]] = special;
        let data = Rows::new(x, vec![0; SAMPLES]).unwrap();
        let error = trainer(64, adam(1e-2)).fit(&data, 1).unwrap_err();
        assert!(error.to_string().contains(&format!("sample 20 has an input of {special}")), "{error}");
        // A weight of a column that is 0 in all samples: 0 times it is NaN.
        let data = samples(0.0f32);
        let mut model = Model::new([INPUTS], network(64), Seed(2)).unwrap();
        model.parameters_mut()[100 * 64] = special;
        let mut spoiled = Trainer::new(model, CrossEntropy::default(), adam(1e-2));
        assert!(!spoiled.evaluate(&data).unwrap().loss.is_finite(), "{special}");
        assert!(spoiled.fit(&data, 1).is_err(), "{special}");
    }
}
