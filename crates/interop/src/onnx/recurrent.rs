//! Recurrent layers: ONNX has operators for them, with the steps first and other orders of the gates.

use chainrule_core::Description;

use super::containers::one;
use super::operators::{Emitted, layer};
use super::writer::{Attribute, Signal, Writer};
use crate::site::Site;

/// What one direction is made of: the path of its parameters, and whether it takes the steps from the last to the first.
struct Direction {
    site: Site,
    reverse: bool,
}

/// The operator, and our gates in its order.
fn operator(site: &Site) -> Result<(&'static str, &'static [usize]), String> {
    Ok(match &*site.description.name {
        "rnn" => ("RNN", &[0]),
        // i, f, g, o to i, o, f, c.
        "lstm" => ("LSTM", &[0, 3, 1, 2]),
        // r, z, n to z, r, h.
        "gru" => ("GRU", &[1, 0, 2]),
        other => return Err(format!("ONNX has no operator for {other}")),
    })
}

/// The activation of an RNN.
fn activation(site: &Site) -> Result<(&'static str, Option<f64>), String> {
    let own = site.inner("", site.described("activation")?);
    Ok(match &*own.description.name {
        "tanh" => ("Tanh", None),
        "relu" => ("Relu", None),
        "sigmoid" => ("Sigmoid", None),
        "softsign" => ("Softsign", None),
        "leaky_relu" => ("LeakyRelu", Some(own.number("negative_slope")?)),
        "elu" => ("Elu", Some(own.number("alpha")?)),
        "thresholded_relu" => ("ThresholdedRelu", Some(own.number("threshold")?)),
        other => return Err(format!("the operator RNN does not have the activation {other}")),
    })
}

/// The blocks of columns of a matrix, or of a vector, each transposed, in this order.
fn blocks(values: &[f64], columns: usize, units: usize, order: &[usize]) -> Vec<f64> {
    let rows = values.len() / columns;
    let mut blocks = Vec::with_capacity(values.len());
    for gate in order {
        for unit in 0..units {
            blocks.extend((0..rows).map(|row| values[row * columns + gate * units + unit]));
        }
    }
    blocks
}

/// All states, `[directions, steps, units]`, and the last ones, `[directions, units]`, of samples.
struct States {
    all: Signal,
    last: Signal,
}

fn run(writer: &mut Writer<'_>, x: &Signal, of: &Site, directions: &[Direction]) -> Result<States, String> {
    of.without("masked", "within a sequence, the operators of ONNX cannot leave out steps")?;
    of.without("stateful", "a graph keeps no state from call to call")?;
    let (operator, order) = operator(of)?;
    let &[steps, inputs] = &*x.shape else { return Err("its samples are no [steps, features]".into()) };
    let units = of.count("units")?;
    let columns = units * order.len();
    let count = directions.len();
    let (mut weights, mut recurrent, mut biases) = (Vec::new(), Vec::new(), Vec::new());
    for Direction { site, .. } in directions {
        let values = |name: &str| writer.entry(site, name).map(|entry| writer.values(entry).to_vec());
        let required = |name: &str| values(name).ok_or(format!("its parameter {name} is not in the plan"));
        weights.extend(blocks(&required("weight")?, columns, units, order));
        recurrent.extend(blocks(&required("recurrent_weight")?, columns, units, order));
        if of.flag("bias")? {
            biases.extend(blocks(&required("bias")?, columns, units, order));
            let second = values("recurrent_bias").unwrap_or_else(|| vec![0.0; columns]);
            biases.extend(blocks(&second, columns, units, order));
        }
    }
    let weights = writer.constant("weight", &[count, columns, inputs], weights);
    let recurrent = writer.constant("recurrent_weight", &[count, columns, units], recurrent);
    // The steps come first, before the samples.
    let sequence = writer.node("Transpose", &[&x.name], vec![Attribute::Ints("perm", vec![1, 0, 2])]);
    let mut names = vec![sequence, weights, recurrent];
    if !biases.is_empty() {
        names.push(writer.constant("bias", &[count, 2 * columns], biases));
    }
    let direction = match directions {
        [Direction { reverse: false, .. }] => "forward",
        [_] => "reverse",
        _ => "bidirectional",
    };
    let mut attributes =
        vec![Attribute::Int("hidden_size", units as i64), Attribute::Text("direction", direction)];
    match operator {
        "GRU" => attributes.push(Attribute::Int("linear_before_reset", 1)),
        "RNN" => {
            let (activation, alpha) = activation(of)?;
            attributes.push(Attribute::Texts("activations", vec![activation; count]));
            if let Some(alpha) = alpha {
                attributes.push(Attribute::Floats("activation_alpha", vec![alpha; count]));
            }
        }
        _ => {}
    }
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    let outputs = writer.nodes(operator, &names, 2, attributes);
    // [steps, directions, samples, units] and [directions, samples, units]
    let all = writer.node("Transpose", &[&outputs[0]], vec![Attribute::Ints("perm", vec![2, 1, 0, 3])]);
    let last = writer.node("Transpose", &[&outputs[1]], vec![Attribute::Ints("perm", vec![1, 0, 2])]);
    Ok(States { all: Signal::new(all, [count, steps, units]), last: Signal::new(last, [count, units]) })
}

pub(super) fn one_direction(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let reverse = site.flag("backwards")?;
    let States { all, last } = run(writer, &x, site, &[Direction { site: site.clone(), reverse }])?;
    if !site.flag("sequences")? {
        let units = last.shape[1];
        return Ok(writer.reshape(&last, [units]));
    }
    let [_, steps, units] = all.shape[..] else { return Err("its states have other axes".into()) };
    let y = writer.reshape(&all, [steps, units]);
    // Backwards, the states are returned in the order in which they were computed; ONNX has them in that of the steps.
    Ok(if reverse { writer.gather(&y, 0, (0..steps).rev()) } else { y })
}

pub(super) fn bidirectional(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    let inner = site.of_setting("layer", "forward")?;
    let reversed = inner.flag("backwards")?;
    let backward = site.inner("backward", inner.description.clone());
    let directions =
        [Direction { site: inner.clone(), reverse: false }, Direction { site: backward, reverse: true }];
    let mut directions = Vec::from(directions);
    // The first one of ONNX goes from the first step to the last.
    if reversed {
        directions.reverse();
    }
    let States { all, last } = run(writer, &x, &inner, &directions)?;
    let states = if inner.flag("sequences")? { all } else { last };
    let states = if reversed { writer.gather(&states, 0, [1, 0]) } else { states };
    let shape = states.shape[1..].to_vec();
    let over = || vec![Attribute::Ints("axes", vec![1]), Attribute::Int("keepdims", 0)];
    let name = match site.text("merge") {
        Some("concat") => {
            // [directions, ..., units] to [..., directions · units]
            let order: Vec<usize> = (1..shape.len()).chain([0, shape.len()]).collect();
            let moved = writer.transpose(&states, &order);
            let mut joined = shape.clone();
            if let Some(units) = joined.last_mut() {
                *units *= 2;
            }
            return Ok(writer.reshape(&moved, joined));
        }
        Some("sum") => {
            let axis = writer.list("axis", vec![1]);
            writer.node("ReduceSum", &[&states.name, &axis], vec![Attribute::Int("keepdims", 0)])
        }
        Some("multiply") => writer.node("ReduceProd", &[&states.name], over()),
        Some("average") => writer.node("ReduceMean", &[&states.name], over()),
        _ => return Err("how it merges is not known".into()),
    };
    Ok(Signal::new(name, shape))
}

/// An LSTM of any layer of input and state, step by step.
pub(super) fn conv_lstm(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let x = one(xs)?;
    site.without("masked", "steps cannot be left out")?;
    site.without("stateful", "a graph keeps no state from call to call")?;
    let hidden = site.count("hidden")?;
    let (&steps, step) = x.shape.split_first().ok_or("it has no steps")?;
    let description: Description = site.described("layer")?;
    let inner = site.inner("layer", description);
    let state_shape = [&[hidden], &step[1..]].concat();
    let mut order: Vec<usize> = (0..steps).collect();
    if site.flag("backwards")? {
        order.reverse();
    }
    let mut states: Option<[Signal; 2]> = None;
    let mut all = Vec::new();
    for index in order {
        writer.path.clone_from(&site.path);
        let now = writer.slice(&x, 0, index..index + 1);
        let now = writer.reshape(&now, step);
        let h = match &states {
            Some([h, _]) => h.clone(),
            None => zeros(writer, &now, &state_shape),
        };
        let mut both = step.to_vec();
        both[0] += hidden;
        let joined = writer.node("Concat", &[&now.name, &h.name], vec![Attribute::Int("axis", 1)]);
        let z = layer(writer, &inner, &[Signal::new(joined, both)])?;
        writer.path.clone_from(&site.path);
        let [i, f, g, o] = [0, 1, 2, 3].map(|gate| writer.slice(&z, 0, gate * hidden..(gate + 1) * hidden));
        let [i, f, o] = [i, f, o].map(|gate| writer.like(&gate, "Sigmoid", &[&gate.name], vec![]));
        let g = writer.like(&g, "Tanh", &[&g.name], vec![]);
        let new = writer.like(&i, "Mul", &[&i.name, &g.name], vec![]);
        let c = match &states {
            Some([_, c]) => {
                let kept = writer.like(&f, "Mul", &[&f.name, &c.name], vec![]);
                writer.like(&new, "Add", &[&kept.name, &new.name], vec![])
            }
            None => new,
        };
        let tanh = writer.like(&c, "Tanh", &[&c.name], vec![]);
        let h = writer.like(&o, "Mul", &[&o.name, &tanh.name], vec![]);
        if site.flag("sequences")? {
            all.push(writer.reshape(&h, [&[1], &h.shape[..]].concat()));
        }
        states = Some([h, c]);
    }
    let Some([last, _]) = states else { return Err("it has no steps".into()) };
    if all.is_empty() {
        return Ok(last);
    }
    let names: Vec<&str> = all.iter().map(|state| &*state.name).collect();
    let name = writer.node("Concat", &names, vec![Attribute::Int("axis", 1)]);
    Ok(Signal::new(name, [&[steps], &last.shape[..]].concat()))
}

/// Zeros for as many samples as `like` has.
fn zeros(writer: &mut Writer<'_>, like: &Signal, shape: &[usize]) -> Signal {
    let whole = writer.batched_shape(like, shape);
    let zero = writer.constant("zero", &[1], [0.0]);
    Signal::new(writer.node("Expand", &[&zero, &whole], vec![]), shape)
}
