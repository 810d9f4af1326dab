//! The minimum of (a - 3)² + (b + 1)², with slices of one's own.

use chainrule_optim::{SettingError, Stepper, adam};

/// Where Adam arrives after `steps` steps from the origin.
///
/// # Errors
///
/// None: the settings are Adam's own.
pub fn minimum(steps: u64) -> Result<[f64; 2], SettingError> {
    let mut params = [0.0, 0.0];
    let mut stepper = Stepper::new(adam(0.1), &params)?;
    for _ in 0..steps {
        let mut grads = [2.0 * (params[0] - 3.0), 2.0 * (params[1] + 1.0)];
        stepper.step(&mut params, &mut grads);
    }
    Ok(params)
}

#[test]
fn it_arrives() {
    let [a, b] = minimum(500).unwrap();
    assert!((a - 3.0).abs() < 1e-3 && (b + 1.0).abs() < 1e-3, "{a} {b}");
}
