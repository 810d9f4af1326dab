//! The minimum of (a - 3)² + (b + 1)², with slices of one's own.

use chainrule_optim::{Optimizer, ParamKind, Update, UpdateRule, adam};

/// Where Adam arrives after `steps` steps from the origin.
pub fn minimum(steps: u64) -> [f64; 2] {
    let optimizer = adam(0.1);
    let (mut params, mut state) = ([0.0, 0.0], vec![0.0; 2 * optimizer.slots()]);
    for step in 0..steps {
        let grads = &mut [2.0 * (params[0] - 3.0), 2.0 * (params[1] + 1.0)];
        optimizer.update(Update { step, kind: ParamKind::Weight, params: &mut params, grads, state: &mut state });
    }
    params
}

#[test]
fn it_arrives() {
    let [a, b] = minimum(500);
    assert!((a - 3.0).abs() < 1e-3 && (b + 1.0).abs() < 1e-3, "{a} {b}");
}
