//! Both reach in 200 steps what Adam does not.

use std::sync::Arc;

use chainrule_optim::{Graft, Real, Schedule, Stepper, UpdateRule, adam, shampoo, soap};

use crate::parameter;

const ROWS: usize = 8;
const COLUMNS: usize = 6;
const STEPS: u64 = 200;

/// `½ ⟨A P B, P⟩` of a matrix P, whose gradient is `A P B`. A and B have eigenvalues from 1 to 1/300 along axes that are not those of P: so
/// the curvatures are from 1 to 1/90000.
struct Quadratic {
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Quadratic {
    fn new() -> Self {
        // Its eigenvectors are those of the cosine transform.
        fn curved(size: usize) -> Vec<f64> {
            let vector = |k: usize, at: usize| {
                let angle = std::f64::consts::PI * k as f64 * (at as f64 + 0.5) / size as f64;
                angle.cos() * (if k == 0 { 1.0 } else { 2.0 } / size as f64).sqrt()
            };
            let value = |k: usize| 300f64.powf(-(k as f64) / (size as f64 - 1.0));
            let term = |k: usize, at: usize| value(k) * vector(k, at / size) * vector(k, at % size);
            (0..size * size).map(|at| (0..size).map(|k| term(k, at)).sum()).collect()
        }
        Self { a: curved(ROWS), b: curved(COLUMNS) }
    }

    fn evaluate<T: Real>(&self, p: &[T], grads: &mut [T]) -> f64 {
        let mut product = [[0.0; COLUMNS]; ROWS];
        for (row, a) in product.iter_mut().zip(self.a.chunks_exact(ROWS)) {
            for (a, p) in a.iter().zip(p.chunks_exact(COLUMNS)) {
                row.iter_mut().zip(p).for_each(|(to, p)| *to += a * p.as_f64());
            }
        }
        let mut loss = 0.0;
        for (at, (g, p)) in grads.iter_mut().zip(p).enumerate() {
            let b = &self.b[at % COLUMNS * COLUMNS..][..COLUMNS];
            let value: f64 = product[at / COLUMNS].iter().zip(b).map(|(x, b)| x * b).sum();
            *g = T::of(value);
            loss += 0.5 * value * p.as_f64();
        }
        loss
    }
}

/// The loss after the steps with a rate that falls to 0, at the best of the rates from 1/81 to 27.
fn best<T: Real, O: UpdateRule<T>>(make: impl Fn(Arc<dyn Schedule>) -> O) -> f64 {
    let quadratic = Quadratic::new();
    let loss = |rate: f64| {
        let mut params: Vec<T> = (0..ROWS * COLUMNS).map(|i| T::of((i as f64 * 1.7).sin())).collect();
        let falling = move |step: u64| rate * (1.0 - step as f64 / STEPS as f64);
        let matrix = vec![parameter("weight", &[ROWS, COLUMNS])];
        let mut stepper = Stepper::with_parameters(make(Arc::new(falling)), matrix, &params).unwrap();
        for _ in 0..STEPS {
            stepper.minimize(&mut params, |params, grads| quadratic.evaluate(params, grads));
        }
        quadratic.evaluate(&params, &mut [T::zero(); ROWS * COLUMNS])
    };
    (-4..4).map(|power| loss(3f64.powi(power))).fold(f64::INFINITY, f64::min)
}

fn check<T: Real>() {
    let of_adam = best::<T, _>(adam);
    let losses = [
        ("shampoo", best::<T, _>(shampoo)),
        ("shampoo, momentum", best::<T, _>(|rate| shampoo(rate).momentum(0.9))),
        (
            "shampoo, grafted means",
            best::<T, _>(|rate| shampoo(rate).beta(0.9).every(1).graft(Graft::Adagrad)),
        ),
        ("shampoo, one side", best::<T, _>(|rate| shampoo(rate).max_size(COLUMNS))),
        ("soap", best::<T, _>(|rate| soap(rate).weight_decay(0.0))),
        ("soap, one side", best::<T, _>(|rate| soap(rate).weight_decay(0.0).max_size(COLUMNS))),
    ];
    for (name, loss) in losses {
        let factor = if name == "shampoo, one side" { 0.5 } else { 0.01 };
        assert!(loss < factor * of_adam, "{name} in {}: {loss:e}, Adam {of_adam:e}", T::NAME);
    }
}

#[test]
fn what_is_ill_conditioned_takes_fewer_steps_than_with_adam() {
    check::<f32>();
    check::<f64>();
}
