//! Poolings to a size, which are written as the values of each window, picked, and their maximum or their weighted sum.

use std::sync::Arc;

use chainrule_core::Description;

use super::builder::{Applied, Builder, Kind, Known, Part, Parts, Samples};
use super::node::Operation;
use super::view::View;
use crate::onnx::pooling::parts;
use crate::tensor::Tensor;

/// The values of the windows of an axis, which is two axes then: the windows, and the values of each.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    of: Samples,
    axis: usize,
    outputs: usize,
    /// Whether they are multiplied by their weights in a mean.
    weighted: bool,
}

impl Builder {
    /// The values of windows, if these indices are theirs.
    pub(super) fn windows(samples: &Samples, axis: usize, indices: &Tensor) -> Option<Known> {
        let &[outputs, longest] = indices.shape() else { return None };
        let view = &samples.view;
        let length = view.length(axis);
        let fits = axis >= 2 && (3..=5).contains(&view.rank()) && view.is_of_samples() && outputs >= 1;
        // What they would be is as long as what they are.
        if !fits || longest != length.div_ceil(outputs) && longest != length.div_ceil(outputs) + 1 {
            return None;
        }
        let (own, expected, _) = parts(length, outputs);
        if own != longest || !indices.numbers().eq(expected.into_iter().map(|index| index as f64)) {
            return None;
        }
        let windows = Windows { of: samples.clone(), axis, outputs, weighted: false };
        Some(Self::of_windows(windows))
    }

    fn of_windows(windows: Windows) -> Known {
        let reason: Arc<str> = "it takes the windows of a pooling for something else".into();
        let parts = Parts { windows: Some(Box::new(windows)), ..Parts::default() };
        Known::Part(Box::new(Part { parts, reason }))
    }

    /// What a node makes of the values of windows: their maximum or mean, which is a pooling; nothing if it is none.
    pub(super) fn pooled(
        &mut self,
        operation: &Operation<'_>,
        operator: &str,
        windows: &Windows,
        factor: Option<&Tensor>,
    ) -> Result<Option<Known>, String> {
        let Windows { of, axis, outputs, weighted } = windows;
        let view = &of.view;
        if let ("Mul", Some(factor), false) = (operator, factor, weighted) {
            self.spend(factor.len())?;
            let (longest, _, weights) = parts(view.length(*axis), *outputs);
            let after = vec![1; view.rank() - axis - 1];
            let fits = factor.shape() == [&[*outputs, longest], &after[..]].concat()
                && factor.numbers().zip(weights).all(|(own, weight)| (own - weight).abs() <= 1e-6);
            return Ok(fits.then(|| Self::of_windows(Windows { weighted: true, ..windows.clone() })));
        }
        let name = match (operator, weighted) {
            ("ReduceMax", false) => "adaptive_max_pool",
            ("ReduceSum", true) => "adaptive_avg_pool",
            _ => return Ok(None),
        };
        let rank = view.rank() as i64 + 1;
        let over = operation.axes(1)?.unwrap_or_default();
        let over: Vec<i64> =
            over.iter().map(|&axis| if axis < 0 { axis.saturating_add(rank) } else { axis }).collect();
        if over != [*axis as i64 + 1] || operation.int("keepdims", 1) != 0 {
            return Ok(None);
        }
        let (source, frame) = self.arranged(of)?;
        let (axes, own) = (view.rank() - 2, self.source(source));
        let name = format!("{name}{axes}d");
        let mut output = own.shape[1..].to_vec();
        output[axis - 2] = *outputs;
        // One axis after the other is one pooling.
        let before = match &own.kind {
            Kind::Layer(Applied { description, inputs, .. })
                if description.name == name
                    && of.sole
                    && of.view == View::of(source, &own.shape)
                    // It has not pooled this axis yet.
                    && self.source(inputs[0]).shape.get(axis - 1) == own.shape.get(axis - 1) =>
            {
                inputs[0]
            }
            _ => source,
        };
        let description = Description::new(name).with("output", output);
        let pool = Applied { description, is_merge: false, weights: Vec::new(), inputs: vec![before] };
        let made = self.apply("pool", pool)?;
        self.framed(made, &frame).map(Some)
    }
}
