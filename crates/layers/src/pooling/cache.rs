//! The cache of every pooling, with its passes.

use chainrule_core::{Backward, Forward, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape};

use super::pool_windows::PoolWindows;
use super::rule::{MaxIndices, PoolRule, PoolValues};
use crate::contiguous::{contiguous, write_contiguous};

/// The number of windows that an input may be in for its gradient to be added up in the model's precision; above it, it is added up
/// in double precision, so that the error does not grow with the size of the windows.
const OVERLAP: usize = 32;

/// The cache of a pooling: its windows, and for a maximum which input each output was taken from.
#[derive(Clone, Debug, Default)]
pub struct PoolCache<T: Real> {
    pub(super) windows: PoolWindows,
    indices: MaxIndices,
    copies: [Buffer<T>; 4],
    /// The gradient of one sample, if many windows overlap.
    wide: Buffer<f64>,
}

impl<T: Real> PoolCache<T> {
    /// The shape of the output, with `axes` axes besides the channels, and the cache.
    pub(super) fn plan<R: PoolRule>(
        rule: R,
        windows: PoolWindows,
        axes: usize,
        (input, plan): (Shape, &mut Plan),
    ) -> Result<(Shape, Self), ShapeError> {
        if let Some((needed, help)) = rule.invalid_setting() {
            return Err(plan.setting_error(input, needed, help));
        }
        let output = windows.output(axes).filter(|_| u32::try_from(input.size()).is_ok());
        let output = output.ok_or_else(|| {
            plan.error(input, "samples and outputs of less than 2³² values", "use other windows")
        })?;
        if R::INDEXED {
            plan.memory(output.size());
        }
        Ok((output, Self { windows, ..Self::default() }))
    }

    pub(super) fn forward<R: PoolRule>(rule: R, Forward { x, y, cache, .. }: Forward<'_, T, Self>) {
        let Self { windows, indices, copies: [x_copy, y_copy, ..], .. } = cache;
        let x = contiguous(x, x_copy);
        write_contiguous(y, y_copy, |y| {
            if R::INDEXED {
                indices.reserve(windows, y.len());
            }
            rule.forward(windows, x, y, indices);
        });
    }

    pub(super) fn backward<R: PoolRule>(rule: R, pass: Backward<'_, T, Self>) {
        let Backward { x, y, dy, dx: Some(dx), cache, .. } = pass else { return };
        let Self { windows, indices, copies: [x_copy, y_copy, dy_copy, dx_copy], wide } = cache;
        let values =
            PoolValues { x: contiguous(x, x_copy), y: contiguous(y, y_copy), dy: contiguous(dy, dy_copy) };
        write_contiguous(dx, dx_copy, |dx| {
            if windows.overlap() <= OVERLAP {
                return rule.backward(windows, values, indices, dx);
            }
            let inputs = windows.inputs();
            let outputs = windows.outputs();
            wide.reserve(inputs);
            for (row, dx) in dx.chunks_exact_mut(inputs).enumerate() {
                let of_sample = if R::INDEXED { &indices.in_sample[row * outputs..][..outputs] } else { &[] };
                wide.fill(0.0);
                rule.add_gradient(windows, values.sample(inputs, outputs, row), of_sample, wide);
                dx.iter_mut().zip(wide.iter()).for_each(|(dx, &sum)| *dx = T::of(sum));
            }
        });
    }
}
