//! Finds the minimum of Rosenbrock's function with several optimizers, on two plain numbers.
//!
//! `cargo run -p chainrule-optim --example rosenbrock`

use chainrule_optim::schedule::{Cosine, WarmUp};
use chainrule_optim::{ClipByGlobalNorm, SettingError, Stepper, UpdateRule, adam, adamw, rmsprop, sgd};

/// `f(x, y) = (1 - x)² + 100 (y - x²)²`, a narrow bent valley whose lowest point is (1, 1).
fn rosenbrock([x, y]: [f64; 2]) -> f64 {
    (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2)
}

fn gradient([x, y]: [f64; 2]) -> [f64; 2] {
    let across = y - x * x;
    [-2.0 * (1.0 - x) - 400.0 * x * across, 200.0 * across]
}

fn main() -> Result<(), SettingError> {
    let steps = 20_000;
    let decay = |rate| WarmUp::new(100).then(Cosine::new(rate).steps(steps));
    let optimizers: [Box<dyn UpdateRule<f64>>; 5] = [
        Box::new(sgd(1e-3)),
        Box::new((ClipByGlobalNorm(10.0), sgd(1e-3).momentum(0.9).nesterov())),
        Box::new(adam(decay(1e-2))),
        Box::new(adamw(decay(1e-2)).weight_decay(1e-4)),
        Box::new(rmsprop(decay(1e-2))),
    ];
    for optimizer in &optimizers {
        let mut params = [-1.2, 1.0];
        let mut stepper = Stepper::new(optimizer, &params)?;
        for _ in 0..steps {
            let mut grads = gradient(params);
            stepper.step(&mut params, &mut grads);
        }
        let [x, y] = params;
        println!("f({x:.6}, {y:.6}) = {:.2e} by {optimizer:?}", rosenbrock(params));
    }
    Ok(())
}
