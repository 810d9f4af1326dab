//! Every layer in the forms of other libraries.

mod onnx;
mod state_dict;

use chainrule_core::{Layer, ParamKind, Plan};
use chainrule_layer_cases::Case;
use chainrule_tensor::Seed;

/// The plan of a case, and parameters that look trained: variances are about 1.
fn planned(case: &Case<f32>) -> (Plan, Vec<f32>) {
    let mut plan = Plan::new();
    case.layers.plan(case.input, &mut plan).unwrap();
    let mut rng = Seed(5).rng();
    let mut parameters = vec![0.0; plan.size()];
    for entry in plan.entries() {
        for index in entry.range.clone() {
            let value = rng.between(-0.5, 0.5) as f32;
            parameters[index] = if entry.kind == ParamKind::Buffer { 1.0 + value } else { value };
        }
    }
    (plan, parameters)
}
