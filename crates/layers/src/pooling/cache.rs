//! The cache of every pooling, with its passes.

use chainrule_core::{Backward, Forward, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape};

use super::pool_windows::PoolWindows;
use super::rule::{MaxIndices, PoolRule, PoolValues};
use crate::contiguous::{contiguous, write_contiguous};

/// The cache of a pooling: its windows, and for a maximum which input each output was taken from.
#[derive(Clone, Debug, Default)]
pub struct PoolCache<T: Real> {
    pub(super) windows: PoolWindows,
    indices: MaxIndices,
    copies: [Buffer<T>; 4],
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
        let Self { windows, indices, copies: [x_copy, y_copy, ..] } = cache;
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
        let Self { windows, indices, copies: [x_copy, y_copy, dy_copy, dx_copy] } = cache;
        let values =
            PoolValues { x: contiguous(x, x_copy), y: contiguous(y, y_copy), dy: contiguous(dy, dy_copy) };
        write_contiguous(dx, dx_copy, |dx| rule.backward(windows, values, indices, dx));
    }
}
