//! A whole small network against PyTorch: the loss, every gradient, and ten steps of each optimizer.

use chainrule_core::{Backward, Forward, Grads, Layer, Mode, Params, Plan, Sequential};
use chainrule_data::Rows;
use chainrule_layers::{Dense, Relu, Sigmoid, Tanh};
use chainrule_losses::{CrossEntropy, Loss};
use chainrule_optim::{UpdateRule, adam, rmsprop, sgd};
use chainrule_tensor::{Real, Seed, Shape};
use chainrule_train::{Model, Trainer};
use ndarray::Array2;
use serde_json::Value;

const ROWS: usize = 9;

fn layers<T: Real>() -> Sequential<T> {
    let layers = Sequential::default().then(Dense::new(8)).then(Tanh).then(Dense::new(7)).then(Relu);
    layers.then(Dense::new(5)).then(Sigmoid).then(Dense::new(4))
}

struct Reference {
    values: Value,
    tolerance: f64,
}

impl Reference {
    /// The values made by `pytorch/reference.py`, whose header says how, and which PyTorch made them.
    fn of<T: Real>() -> Self {
        let all: Value = serde_json::from_str(include_str!("pytorch/reference.json")).unwrap();
        Self { values: all[T::NAME].clone(), tolerance: if T::NAME == "f32" { 1e-5 } else { 1e-10 } }
    }

    fn list<T: Real>(&self, name: &str) -> Vec<T> {
        self.values[name].as_array().unwrap().iter().map(|v| T::of(v.as_f64().unwrap())).collect()
    }

    fn x<T: Real>(&self) -> Array2<T> {
        Array2::from_shape_vec((ROWS, 6), self.list("x")).unwrap()
    }

    fn targets(&self) -> Vec<u32> {
        self.values["targets"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect()
    }

    /// Relative to each value, or to the greatest where a value is near 0.
    fn compare<T: Real>(&self, name: &str, found: &[T]) {
        let right: Vec<f64> = self.list(name);
        assert_eq!(found.len(), right.len(), "{name}");
        let scale = right.iter().fold(0.0f64, |max, v| max.max(v.abs()));
        for (index, (found, right)) in found.iter().zip(&right).enumerate() {
            let error = (found.as_f64() - right).abs() / right.abs().max(0.1 * scale);
            assert!(error < self.tolerance, "{name}[{index}] of {}: {found} for {right}", T::NAME);
        }
    }
}

fn gradients<T: Real>() {
    let reference = Reference::of::<T>();
    let (layers, mut plan) = (layers::<T>(), Plan::new());
    let (_, mut cache) = layers.plan(Shape::from([6]), &mut plan).unwrap();
    let (params, x) = (reference.list::<T>("parameters"), reference.x::<T>());
    let (mut y, mut dy) = (Array2::zeros((ROWS, 4)), Array2::zeros((ROWS, 4)));
    let mode = Mode::Train { seed: Seed(0), first_row: 0 };
    layers.forward(Forward {
        params: Params::new(&params),
        x: x.view(),
        y: y.view_mut(),
        cache: &mut cache,
        mode,
    });
    reference.compare("logits", y.as_slice().unwrap());
    let scale = T::one() / T::of(ROWS as f64);
    let loss = CrossEntropy::default().loss(y.view(), &reference.targets(), scale, Some(dy.view_mut()));
    let right = reference.values["loss"].as_f64().unwrap();
    assert!((loss.as_f64() - right).abs() < reference.tolerance * right, "{loss} for {right}");
    let mut grads = vec![T::zero(); params.len()];
    layers.backward(Backward {
        params: Params::new(&params),
        grads: Grads::new(&mut grads),
        x: x.view(),
        y: y.view(),
        dy: dy.view(),
        dx: None,
        cache: &mut cache,
        share: T::one(),
    });
    reference.compare("gradients", &grads);
}

fn training<T: Real>() {
    let reference = Reference::of::<T>();
    let optimizers: [(&str, Box<dyn UpdateRule<T>>); 4] = [
        ("sgd_momentum", Box::new(sgd(0.1).momentum(0.9))),
        ("sgd_nesterov", Box::new(sgd(0.1).momentum(0.9).nesterov())),
        ("adam", Box::new(adam(1e-2))),
        ("rmsprop", Box::new(rmsprop(1e-2))),
    ];
    for (name, optimizer) in optimizers {
        let mut model = Model::new([6], layers::<T>(), Seed(0)).unwrap();
        model.parameters_mut().copy_from_slice(&reference.list::<T>("parameters"));
        // One batch holds all rows, so ten epochs are ten steps.
        let mut trainer = Trainer::new(model, CrossEntropy::default(), optimizer).batch_size(ROWS);
        trainer.fit(&Rows::new(reference.x::<T>(), reference.targets()).unwrap(), 10).unwrap();
        reference.compare(name, trainer.model().parameters());
    }
}

#[test]
fn gradients_in_single_precision() {
    gradients::<f32>();
}

#[test]
fn gradients_in_double_precision() {
    gradients::<f64>();
}

#[test]
fn ten_steps_in_single_precision() {
    training::<f32>();
}

#[test]
fn ten_steps_in_double_precision() {
    training::<f64>();
}
