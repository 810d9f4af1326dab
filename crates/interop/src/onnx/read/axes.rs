//! Layers of one axis of a value, whichever it is: the others become the other axis of a signal.

use chainrule_core::Description;

use super::builder::{Applied, Builder, Known, Samples};
use super::node::{Converted, Length};
use super::view::{Slot, View};
use crate::dtype::Dtype;
use crate::tensor::Tensor;

impl Builder {
    /// A layer of signals, `[channels, length]`, with this axis as that of the channels or as the other.
    pub(super) fn as_signal(
        &mut self,
        samples: &Samples,
        axis: usize,
        is_channels: bool,
        layer: Converted,
    ) -> Result<Known, String> {
        let view = &samples.view;
        if !view.is_of_samples() {
            return Err("the first axis of its input is not that of the batch".into());
        }
        let mut order: Vec<usize> = (0..view.rank()).filter(|own| *own != axis).collect();
        order.insert(if is_channels { 1 } else { order.len() }, axis);
        let moved = view.transposed(&order)?;
        let mut lengths = moved.lengths();
        let known = |length: usize| Length::Known(length as i64);
        let others = (1..view.rank()).filter(|own| *own != axis).map(|own| view.length(own)).product();
        let [channels, length] = [view.length(axis), others];
        let [channels, length] = if is_channels { [channels, length] } else { [length, channels] };
        let signal = moved.reshaped(&[lengths[0], known(channels), known(length)], true, None)?;
        let (source, _) = self.arranged(&Samples { view: signal, ..samples.clone() })?;
        let Converted { description, weights } = layer;
        let name = description.name.clone();
        let applied = Applied { description, is_merge: false, weights, inputs: vec![source] };
        let made = self.apply(&name, applied)?;
        let shape = self.source(made).shape.clone();
        let own = if is_channels { 1 } else { order.len() - 1 };
        lengths[own] = known(if is_channels { shape[0] } else { shape[1] });
        let back: Vec<usize> =
            (0..order.len()).map(|axis| order.iter().position(|&own| own == axis).unwrap_or(0)).collect();
        let view = View::of(made, &shape).reshaped(&lengths, true, None)?.transposed(&back)?;
        Ok(Known::Samples(Samples::of(view)))
    }

    /// A sum, or a product, with a number for each index of one axis: a convolution of each channel with a kernel of one value; nothing if it
    /// is none.
    pub(super) fn along_axis(
        &mut self,
        operator: &str,
        inputs: &[Option<Known>],
    ) -> Result<Option<Known>, String> {
        let (samples, constant) = match (operator, inputs) {
            (
                "Add" | "Mul" | "Sub" | "Div",
                [Some(Known::Samples(samples)), Some(Known::Constant(constant))],
            )
            | ("Add" | "Mul", [Some(Known::Constant(constant)), Some(Known::Samples(samples))]) => {
                (samples, constant)
            }
            _ => return Ok(None),
        };
        let (view, shape) = (&samples.view, constant.shape());
        let Some(missing) = view.rank().checked_sub(shape.len()) else { return Ok(None) };
        let mut long = (0..shape.len()).filter(|&axis| shape[axis] != 1);
        let (Some(axis), None) = (long.next(), long.next()) else { return Ok(None) };
        let (axis, length) = (missing + axis, shape[axis]);
        let fits =
            view.is_of_samples() && constant.dtype().is_float() && axis > 0 && view.length(axis) == length;
        if !fits || view.axis(axis).contains(&Slot::Batch) {
            return Ok(None);
        }
        let values = constant.numbers().map(|value| match operator {
            "Sub" => -value,
            "Div" => 1.0 / value,
            _ => value,
        });
        let is_sum = matches!(operator, "Add" | "Sub");
        let description =
            Description::new("depthwise_conv1d").with("kernel", vec![1usize]).with("bias", is_sum);
        let (weight, bias): (Vec<f64>, Vec<f64>) =
            if is_sum { (vec![1.0; length], values.collect()) } else { (values.collect(), Vec::new()) };
        let weight = Tensor::of_values(Dtype::F32, vec![length, 1, 1], weight.into_iter());
        let bias = is_sum.then(|| Tensor::of_values(Dtype::F32, vec![length], bias.into_iter()));
        let layer = Converted::new(description).weight("weight", weight).weight_if("bias", bias);
        self.as_signal(samples, axis, true, layer).map(Some)
    }
}
