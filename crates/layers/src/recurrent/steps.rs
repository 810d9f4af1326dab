//! The steps of a sample, and the plan of work that is done for each.

use chainrule_core::{Plan, ShapeError};
use chainrule_tensor::Shape;

/// The number of steps of a sample, and the shape of one step.
pub(super) fn split_steps(input: Shape, plan: &Plan) -> Result<(usize, Shape), ShapeError> {
    match input.split_first() {
        Some((&steps @ 1.., step)) => Ok((steps, Shape::new(step).expect("fewer axes than the input"))),
        _ => Err(plan.error(input, "sequences of at least one step, [steps, ...]", "reshape the samples")),
    }
}

/// Plans work that is done for each of the `steps` of a sample of shape `input`.
pub(super) fn plan_each_step<R>(
    plan: &mut Plan,
    input: Shape,
    steps: usize,
    work: impl FnOnce(&mut Plan) -> Result<R, ShapeError>,
) -> Result<R, ShapeError> {
    let before = [plan.total_flops(), plan.total_memory()];
    let planned = work(plan)?;
    let after = [plan.total_flops(), plan.total_memory()];
    // The first step is already counted.
    let more = |k: usize| {
        let more = (after[k] - before[k]).checked_mul(steps.saturating_sub(1) as u64)?;
        after[k].checked_add(more).and(Some(more))
    };
    let flops = more(0);
    let memory = more(1).and_then(|more| usize::try_from(more).ok());
    let (Some(flops), Some(memory)) = (flops, memory) else {
        return Err(plan.error(
            input,
            "sequences with fewer than 2⁶⁴ operations and values",
            "use fewer steps",
        ));
    };
    plan.flops(flops);
    plan.memory(memory);
    Ok(planned)
}
