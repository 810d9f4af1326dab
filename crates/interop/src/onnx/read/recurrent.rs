//! Recurrent operators: their gates in our order, and their states as views of what the layers here return.

use chainrule_core::Description;

use super::node::{Converted, Length, Operation};
use super::view::{Frame, View};
use crate::dtype::Dtype;
use crate::tensor::Tensor;

/// A recurrent layer, and what its outputs are.
pub(super) struct Recurrent {
    pub(super) layer: Converted,
    pub(super) outputs: States,
}

/// The states of a layer as an operator returns them.
pub(super) struct States {
    steps: usize,
    directions: usize,
    units: usize,
    /// Whether the steps are taken from the last to the first.
    reverse: bool,
    /// Whether the batch is the first axis, and not that of the steps.
    batch_first: bool,
    wanted: [bool; 2],
}

/// The gates of an operator: of each of ours the index there.
fn gates(operator: &str) -> &'static [usize] {
    match operator {
        // i, f, g, o from i, o, f, c.
        "LSTM" => &[0, 2, 3, 1],
        // r, z, n from z, r, h.
        "GRU" => &[1, 0, 2],
        _ => &[0],
    }
}

/// The blocks of rows of one direction, `[gates · units, inputs]`, as `[inputs, gates · units]` in this order.
fn turned(values: &[f64], inputs: usize, units: usize, order: &[usize]) -> Tensor {
    let columns = order.len() * units;
    let of = |row: usize, column: usize| {
        let (gate, unit) = (order[column / units], column % units);
        values[(gate * units + unit) * inputs + row]
    };
    let all = (0..inputs).flat_map(|row| (0..columns).map(move |column| of(row, column)));
    Tensor::of_values(Dtype::F32, vec![inputs, columns], all)
}

/// The names of the parameters of a direction, and of both.
const NAMES: [[&str; 4]; 3] = [
    ["weight", "recurrent_weight", "bias", "recurrent_bias"],
    ["forward.weight", "forward.recurrent_weight", "forward.bias", "forward.recurrent_bias"],
    ["backward.weight", "backward.recurrent_weight", "backward.bias", "backward.recurrent_bias"],
];

fn activation(name: &str, alpha: Option<f32>) -> Result<Description, String> {
    let number = |default: f64| alpha.and_then(|alpha| alpha.to_string().parse().ok()).unwrap_or(default);
    Ok(match name {
        "tanh" | "relu" | "sigmoid" | "softsign" => Description::new(name),
        "leakyrelu" => Description::new("leaky_relu").with("negative_slope", number(0.01)),
        "elu" => Description::new("elu").with("alpha", number(1.0)),
        "thresholdedrelu" => Description::new("thresholded_relu").with("threshold", number(1.0)),
        other => return Err(format!("its activation {other} is not that of a layer here")),
    })
}

impl Recurrent {
    /// That of a node with samples of these axes; `wanted` says whether all states are used, and whether the last ones are.
    pub(super) fn of(
        operation: &Operation<'_>,
        samples: &[usize],
        frame: &Frame,
        wanted: [bool; 2],
    ) -> Result<Self, String> {
        let operator = operation.operator();
        let batch_first = operation.int("layout", 0) == 1;
        let steps_first = Frame::of(vec![vec![Some(0)], vec![None], vec![Some(1)]]);
        let fits = if batch_first { *frame == Frame::plain(2) } else { *frame == steps_first };
        let &[steps, inputs] = samples else { return Err("its samples are no [steps, features]".into()) };
        if !fits {
            return Err("its steps are the axis of the batch: export the model with the batch first".into());
        }
        let (weight, recurrent) = (operation.weight(1)?, operation.weight(2)?);
        let order = gates(operator);
        let &[directions, rows, columns] = weight.shape() else {
            return Err("its weight has other than three axes".into());
        };
        let units = rows / order.len();
        let both = match operation.text("direction").unwrap_or("forward") {
            "forward" => [false, false],
            "reverse" => [false, true],
            "bidirectional" => [true, false],
            other => return Err(format!("its direction {other} is not known")),
        };
        let [bidirectional, reverse] = both;
        let fits = units * order.len() == rows
            && units > 0
            && columns == inputs
            && directions == 1 + usize::from(bidirectional);
        if !fits || recurrent.shape() != [directions, rows, units] {
            return Err(format!(
                "its weights, {:?} and {:?}, do not fit its samples",
                weight.shape(),
                recurrent.shape()
            ));
        }
        let bias = operation.weight_if(3)?;
        if bias.as_ref().is_some_and(|bias| bias.shape() != [directions, 2 * rows]) {
            return Err("its bias is not of the shape [directions, 2 gates units]".into());
        }
        if operation.inputs.get(7).is_some_and(Option::is_some) {
            return Err("it has peepholes, which no layer here has".into());
        }
        let plain = operation.int("input_forget", 0) == 0 && operation.float("clip", 0.0) == 0.0;
        let mut description = Description::new(operator.to_lowercase()).with("units", units);
        let given = operation.texts("activations");
        let usual: &[&str] = match operator {
            "LSTM" => &["sigmoid", "tanh", "tanh"],
            "GRU" => &["sigmoid", "tanh"],
            _ => &[],
        };
        if !plain
            || (!usual.is_empty()
                && !given.iter().map(|name| &**name).eq(usual.iter().copied().cycle().take(given.len())))
        {
            return Err("it has other gates or activations than the layer here".into());
        }
        if operator == "GRU" && operation.int("linear_before_reset", 0) == 0 {
            return Err("its linear_before_reset is 0: the layer here resets after the product, as PyTorch's and Keras' do".into());
        }
        if operator == "RNN" {
            let name = given.first().map_or("tanh", |name| name);
            if given.iter().any(|other| other != name) {
                return Err("its directions have different activations".into());
            }
            let alphas = operation.floats("activation_alpha");
            let alpha = alphas.first().copied();
            let one_each = alphas.is_empty()
                || alphas.len() == directions
                || matches!(name, "tanh" | "relu" | "sigmoid" | "softsign");
            if alphas.iter().any(|other| Some(*other) != alpha) || !one_each {
                return Err("its directions have different activation_alpha".into());
            }
            description = description.with("activation", activation(name, alpha)?);
        }
        let description =
            description.with("sequences", wanted[0]).with("bias", bias.is_some()).with("backwards", reverse);
        let description = if bidirectional {
            Description::new("bidirectional").with("layer", description)
        } else {
            description
        };
        let mut layer = Converted::new(description);
        let (weight, recurrent): (Vec<f64>, Vec<f64>) =
            (weight.numbers().collect(), recurrent.numbers().collect());
        let bias: Option<Vec<f64>> = bias.map(|bias| bias.numbers().collect());
        for direction in 0..directions {
            let names = NAMES[if bidirectional { direction + 1 } else { 0 }];
            let part =
                |values: &[f64], size: usize, index: usize| values[index * size..(index + 1) * size].to_vec();
            layer = layer
                .weight(names[0], turned(&part(&weight, rows * inputs, direction), inputs, units, order));
            layer = layer
                .weight(names[1], turned(&part(&recurrent, rows * units, direction), units, units, order));
            let Some(bias) = &bias else { continue };
            let [own, second] = [0, 1].map(|which| part(bias, rows, 2 * direction + which));
            let vector = |values: &[f64]| {
                turned(values, 1, units, order).reshaped(&[rows]).ok_or("its bias is no vector")
            };
            if operator == "GRU" {
                layer = layer.weight(names[2], vector(&own)?).weight(names[3], vector(&second)?);
            } else {
                let sum: Vec<f64> = own.iter().zip(&second).map(|(a, b)| a + b).collect();
                layer = layer.weight(names[2], vector(&sum)?);
            }
        }
        let outputs = States { steps, directions, units, reverse, batch_first, wanted };
        Ok(Self { layer, outputs })
    }
}

impl States {
    /// All states and the last ones, of which one that is not wanted is missing.
    pub(super) fn views(&self, source: usize, shape: &[usize]) -> Result<[Option<View>; 2], String> {
        let &Self { steps, directions, units, reverse, batch_first, wanted } = self;
        let known = |lengths: &[usize]| -> Vec<Length> {
            let lengths = lengths.iter().map(|&length| Length::Known(length as i64));
            [Length::Batch(1)].into_iter().chain(lengths).collect()
        };
        let view = View::of(source, shape);
        let last_first = |view: View| if batch_first { Ok(view) } else { view.transposed(&[1, 0, 2]) };
        if !wanted[0] {
            let last = view.reshaped(&known(&[directions, units]), true, None)?;
            return Ok([None, Some(last_first(last)?)]);
        }
        let computed = view.reshaped(&known(&[steps, directions, units]), true, None)?;
        let last = match (wanted[1], directions) {
            (false, _) => None,
            // In the order in which they are computed.
            (true, 1) => Some(last_first(computed.picked(1, steps - 1, 1, true)?)?),
            (true, _) => return Err("its states and its last states are used, of both directions".into()),
        };
        // From the last step to the first, the layer returns them in that order, and the operator in that of the steps.
        let all = if reverse { computed.reversed(1)? } else { computed };
        let all = if batch_first { all } else { all.transposed(&[1, 2, 0, 3])? };
        Ok([Some(all), last])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_turned_and_reordered() {
        // Two gates of one unit, with two inputs.
        let tensor = turned(&[1.0, 2.0, 3.0, 4.0], 2, 1, &[1, 0]);
        assert_eq!(tensor.shape(), [2, 2]);
        assert_eq!(tensor.numbers().collect::<Vec<_>>(), [3.0, 1.0, 4.0, 2.0]);
    }
}
