//! Recurrent layers.

use super::{Argument, Lowered, Lowering, Signal, activations, merge, one, transposed};
use crate::site::{Reason, Site};

/// How the steps are taken, and which states are returned.
struct Course {
    backwards: bool,
    /// As the functions have it: the last one, all as they are computed, or all as the steps are.
    keep: usize,
}

fn run(
    lowering: &mut Lowering<'_>,
    (of, parameters): (&Site, &Site),
    x: &Signal,
    Course { backwards, keep }: Course,
) -> Result<Signal, Reason> {
    of.without("masked", "there is no function that leaves out steps")?;
    of.without("stateful", "a prediction keeps no state for the next one")?;
    let &[steps, inputs] = &*x.shape else { return Err("its samples are no [steps, features]".into()) };
    let units = of.count("units")?;
    let (weight, shape) = lowering.required(parameters, "weight")?;
    let columns = shape.last().copied().unwrap_or(0);
    let (recurrent, _) = lowering.required(parameters, "recurrent_weight")?;
    let bias = lowering.values(parameters, "bias").unwrap_or_else(|| vec![0.0; columns]);
    let mut arguments = vec![
        lowering.floats("weight", transposed(&weight, columns)),
        lowering.floats("recurrent", transposed(&recurrent, columns)),
        lowering.floats("bias", bias),
    ];
    let (function, room) = match &*of.description.name {
        "lstm" => ("lstm", 6),
        "gru" => {
            let bias = lowering.values(parameters, "recurrent_bias").unwrap_or_else(|| vec![0.0; columns]);
            arguments.push(lowering.floats("recurrent_bias", bias));
            ("gru", 7)
        }
        "rnn" => {
            arguments.push(activations::unit(&of.inner("", of.described("activation")?))?);
            ("rnn", 2)
        }
        other => return Err(format!("there is no function for {other}")),
    };
    arguments.extend([inputs, steps, keep].map(Argument::Count));
    arguments.push(Argument::Flag(backwards));
    let shape = if keep == 0 { vec![units] } else { vec![steps, units] };
    Ok(lowering.call_with_room(function, &[x], arguments, (shape, room * units)))
}

pub(super) fn one_direction(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let keep = usize::from(site.flag("sequences")?);
    let backwards = site.flag("backwards")?;
    Ok(run(lowering, (site, site), &one(xs)?, Course { backwards, keep })?)
}

pub(super) fn bidirectional(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let forward = site.of_setting("layer", "forward")?;
    let backward = site.inner("backward", forward.description.clone());
    let turned = forward.flag("backwards")?;
    let keep = if forward.flag("sequences")? { 2 } else { 0 };
    let a = run(lowering, (&forward, &forward), &x, Course { backwards: turned, keep })?;
    let b = run(lowering, (&forward, &backward), &x, Course { backwards: !turned, keep })?;
    Ok(match site.text("merge") {
        Some("concat") => {
            let last = a.shape.len() - 1;
            merge::joined(lowering, &[a, b], last)?
        }
        Some("sum") => lowering.change("add", (&a, &[&b]), vec![]),
        Some("multiply") => lowering.change("multiply", (&a, &[&b]), vec![]),
        Some("average") => {
            let sum = lowering.change("add", (&a, &[&b]), vec![]);
            lowering.change("scale", (&sum, &[]), vec![Argument::Number(0.5)])
        }
        _ => return Err("how it merges is not known".into()),
    })
}

pub(super) fn one_step(lowering: &mut Lowering<'_>, site: &Site, xs: &[Signal]) -> Lowered {
    let x = one(xs)?;
    let &[steps, features] = &*x.shape else { return Err("its samples are no [steps, features]".into()) };
    let step = if site.text("step") == Some("first") { 0 } else { steps - 1 };
    Ok(lowering.call("slice", &[&x], vec![Argument::Count(step * features)], [features]))
}
