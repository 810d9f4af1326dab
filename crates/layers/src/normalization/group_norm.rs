//! Group normalisation.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, map_channels, sum_channels};

use super::scale_shift::{ScaleShift, ScaleShiftCache};
use super::scratch::{scratch, zeroed};
use super::statistics::{check_epsilon, moments};
use crate::contiguous::{contiguous, write_contiguous};

/// `y = (x - μ) / √(σ² + ε) w + b`, with the mean `μ` and the variance `σ²` of a group of neighbouring channels of a
/// sample `[channels, spatial...]`, over all positions, and a scale `w` and a shift `b` for each channel (Wu and He 2018,
/// "Group normalization"; PyTorch's `GroupNorm`, with its `ε = 10⁻⁵`; Keras has `10⁻³`).
///
/// Where all values of a group are equal, the output is the shift.
#[derive(Clone, Copy, Debug)]
pub struct GroupNorm {
    pub(super) groups: usize,
    pub(super) epsilon: f64,
    pub(super) scale_shift: ScaleShift,
}

impl GroupNorm {
    /// With this many groups, which must divide the channels.
    pub fn new(groups: usize) -> Self {
        Self { groups, epsilon: 1e-5, scale_shift: ScaleShift::Full }
    }

    /// With Keras' epsilon.
    pub fn keras(groups: usize) -> Self {
        Self::new(groups).epsilon(1e-3)
    }

    /// Another `ε`.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// Without scales and shifts.
    #[must_use]
    pub fn without_affine(self) -> Self {
        Self { scale_shift: ScaleShift::Without, ..self }
    }
}

/// What a layer that normalises groups of channels keeps between its passes.
#[derive(Clone, Debug, Default)]
pub struct GroupNormCache<T: Real> {
    pub(super) channels: usize,
    /// The number of values of a channel.
    inner: usize,
    /// For each group of each sample: `μ` and `1 / √(σ² + ε)`.
    mean: Buffer<T>,
    inverse: Buffer<T>,
    /// For each channel of each sample: `μ`, and the factor and the shift of its values.
    means: Buffer<T>,
    factors: Buffer<T>,
    shifts: [Buffer<T>; 2],
    scale_shift: ScaleShiftCache<T>,
    /// Copies of strided batches.
    copies: [Buffer<T>; 3],
}

impl<T: Real> Layer<T> for GroupNorm {
    type Cache = GroupNormCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        check_epsilon::<T>(self.epsilon, input, plan)?;
        let [channels, ref spatial @ ..] = *input else {
            return Err(plan.error(input, "[channels, spatial...]", "give it at least one channel"));
        };
        if self.groups == 0 || channels % self.groups != 0 || input.size() == 0 {
            let expected = format!("[channels, spatial...] whose channels are {} equal groups", self.groups);
            return Err(plan.error(input, &expected, "choose a number of groups that divides the channels"));
        }
        let scale_shift = self.scale_shift.plan(channels, plan)?;
        plan.memory(self.groups.saturating_mul(2).saturating_add(channels.saturating_mul(4)));
        let inner = spatial.iter().product();
        Ok((input, GroupNormCache { channels, inner, scale_shift, ..Default::default() }))
    }

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, Self::Cache>) {
        let GroupNormCache { channels, inner, mean, inverse, means, factors, shifts, .. } = cache;
        let GroupNormCache { scale_shift, copies: [x_copy, y_copy, _], .. } = cache;
        let rows = x.nrows();
        let channels = *channels;
        let inner = *inner;
        let per_group = channels / self.groups;
        let [weight, bias] =
            self.scale_shift.params(scale_shift.size, &mut params, &mut scale_shift.defaults);
        let x = contiguous(x, x_copy);
        let size = per_group * inner;
        // To these loops the groups of all samples are channels, and then the channels of all samples.
        let groups = rows * self.groups;
        let count = rows * channels;
        let mean = scratch(mean, groups);
        let inverse = scratch(inverse, groups);
        let [shifts, rest] = shifts.each_mut().map(|buffer| scratch(buffer, count));
        moments(size, x, size, mean, inverse, &mut rest[..groups]);
        let epsilon = T::of(self.epsilon);
        let root = |variance: &mut T| *variance = (*variance + epsilon).sqrt().recip();
        inverse.iter_mut().for_each(root); //                                1 / √(σ² + ε)
        let means = scratch(means, count);
        let factors = scratch(factors, count);
        let of_samples = means.chunks_exact_mut(channels).zip(factors.chunks_exact_mut(channels));
        for (row, (means, factors)) in of_samples.enumerate() {
            shifts[row * channels..][..channels].copy_from_slice(bias);
            let of_groups = means.chunks_exact_mut(per_group).zip(factors.chunks_exact_mut(per_group));
            for (group, (means, factors)) in of_groups.enumerate() {
                let index = row * self.groups + group;
                let inverse = inverse[index];
                means.fill(mean[index]);
                let weight = &weight[group * per_group..];
                factors.iter_mut().zip(weight).for_each(|(factor, &weight)| *factor = inverse * weight);
            }
        }
        write_contiguous(y, y_copy, |y| {
            // y = (x - μ) / √(σ² + ε) w + b
            map_channels!(
                inner,
                y = |[x], [mean: means, factor: factors, shift: shifts]| (x - mean) * factor + shift
            );
        });
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { mut params, mut grads, x, dy, dx, cache, .. } = pass;
        let GroupNormCache { channels, inner, inverse, means, factors, shifts, .. } = cache;
        let GroupNormCache { scale_shift, copies: [x_copy, dy_copy, dx_copy], .. } = cache;
        let channels = *channels;
        let inner = *inner;
        let count = x.nrows() * channels;
        let per_group = channels / self.groups;
        let [weight, _] = self.scale_shift.params(scale_shift.size, &mut params, &mut scale_shift.defaults);
        let [dw, db] = self.scale_shift.grads(scale_shift.size, &mut grads, &mut scale_shift.unused_grads);
        let x = contiguous(x, x_copy);
        let dy = contiguous(dy, dy_copy);
        let means = &means[..count];
        let factors = &factors[..count];
        let [sums, along] = shifts.each_mut().map(|sums| zeroed(sums, count));
        sum_channels!(inner, [sums, along] += |[x, dy], [mean: means]| [dy, dy * (x - mean)]);
        let n = T::of((per_group * inner) as f64);
        let groups = sums.chunks_exact_mut(per_group).zip(along.chunks_exact_mut(per_group));
        let firsts = (0..channels).step_by(per_group).cycle();
        for (((sums, along), &inverse), first) in groups.zip(inverse.iter()).zip(firsts) {
            let mut sum = T::zero();
            let mut product = T::zero();
            for c in 0..per_group {
                along[c] *= inverse;
                dw[first + c] += along[c]; //                                dw = Σ dy x̂
                db[first + c] += sums[c]; //                                 db = Σ dy
                sum += weight[first + c] * sums[c];
                product += weight[first + c] * along[c];
            }
            // The means of da = dy w and of da x̂ over the group, as they are subtracted below.
            sums.fill(sum / n * inverse);
            along.fill(product / n * inverse * inverse);
        }
        let Some(dx) = dx else { return };
        write_contiguous(dx, dx_copy, |dx| {
            // dx = (da - mean of da - x̂ · mean of da x̂) / √(σ² + ε)
            map_channels!(
                inner,
                dx = |[x, dy], [mean: means, factor: factors, sum: sums, along]|
                    dy * factor - sum - (x - mean) * along
            );
        });
    }
}
