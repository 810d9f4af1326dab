//! Group normalisation.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};

use super::{Affine, Scales, epsilon, moments, room, zeroed};
use crate::packed::{fill_packed, packed};

/// `y = (x - μ) / √(σ² + ε) w + b`, with the mean `μ` and the variance `σ²` of a group of neighbouring channels of a
/// sample `[channels, spatial...]`, over all positions, and a scale `w` and a shift `b` for each channel (Wu and He 2018,
/// "Group normalization"; PyTorch's `GroupNorm`, with its `ε = 10⁻⁵`; Keras has `10⁻³`).
///
/// Where all values of a group are the same, the output is the shift.
#[derive(Clone, Copy, Debug)]
pub struct GroupNorm {
    pub(super) groups: usize,
    pub(super) epsilon: f64,
    pub(super) affine: Affine,
}

impl GroupNorm {
    /// In so many groups, which must divide the channels.
    pub fn new(groups: usize) -> Self {
        Self { groups, epsilon: 1e-5, affine: Affine::Full }
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
        Self { affine: Affine::Without, ..self }
    }
}

/// What a layer remembers that normalises groups of channels.
#[derive(Clone, Debug, Default)]
pub struct GroupStatistics<T: Real> {
    pub(super) channels: usize,
    /// How many values a channel has.
    inner: usize,
    /// Of each group of each sample: `μ` and `1 / √(σ² + ε)`.
    mean: Buffer<T>,
    inverse: Buffer<T>,
    /// Of each channel of each sample: `μ`, and what the values are multiplied with and moved by.
    means: Buffer<T>,
    factors: Buffer<T>,
    shifts: [Buffer<T>; 2],
    scales: Scales<T>,
    /// Copies of batches that are strided.
    copies: [Buffer<T>; 3],
}

impl<T: Real> Layer<T> for GroupNorm {
    type Cache = GroupStatistics<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        epsilon::<T>(self.epsilon, input, plan)?;
        let [channels, ref spatial @ ..] = *input else {
            return Err(plan.error(input, "[channels, spatial...]", "give it at least one channel"));
        };
        if self.groups == 0 || channels % self.groups != 0 || input.size() == 0 {
            let expected = format!("[channels, spatial...] whose channels are {} equal groups", self.groups);
            return Err(plan.error(input, &expected, "choose a number of groups that divides the channels"));
        }
        let scales = self.affine.plan(channels, plan)?;
        plan.memory(self.groups.saturating_mul(2).saturating_add(channels.saturating_mul(4)));
        let inner = spatial.iter().product();
        Ok((input, GroupStatistics { channels, inner, scales, ..Default::default() }))
    }

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, Self::Cache>) {
        let GroupStatistics { channels, inner, mean, inverse, means, factors, shifts, scales, copies } =
            cache;
        let (rows, channels, inner) = (x.nrows(), *channels, *inner);
        let per_group = channels / self.groups;
        let [weight, bias] = self.affine.take(scales.size, &mut params, &mut scales.fixed);
        let [x_copy, y_copy, _] = copies;
        let x = packed(x, x_copy);
        let size = per_group * inner;
        // To these loops the groups of all samples are channels, and then the channels of all samples.
        let (groups, count) = (rows * self.groups, rows * channels);
        let (mean, inverse) = (room(mean, groups), room(inverse, groups));
        let [shifts, spare] = shifts.each_mut().map(|buffer| room(buffer, count));
        moments(size, x, size, mean, inverse, &mut spare[..groups]);
        let epsilon = T::of(self.epsilon);
        let root = |variance: &mut T| *variance = (*variance + epsilon).sqrt().recip();
        inverse.iter_mut().for_each(root); //                                1 / √(σ² + ε)
        let (means, factors) = (room(means, count), room(factors, count));
        let of_samples = means.chunks_exact_mut(channels).zip(factors.chunks_exact_mut(channels));
        for (row, (means, factors)) in of_samples.enumerate() {
            shifts[row * channels..][..channels].copy_from_slice(bias);
            let of_groups = means.chunks_exact_mut(per_group).zip(factors.chunks_exact_mut(per_group));
            for (group, (means, factors)) in of_groups.enumerate() {
                let (index, weight) = (row * self.groups + group, &weight[group * per_group..]);
                means.fill(mean[index]);
                factors
                    .iter_mut()
                    .zip(weight)
                    .for_each(|(factor, &weight)| *factor = inverse[index] * weight);
            }
        }
        fill_packed(y, y_copy, |y| {
            vector::map_channels(
                inner,
                [x],
                [means, factors, shifts],
                y,
                #[inline(always)]
                |[x], [mean, factor, shift], _| (x - mean) * factor + shift, // y = (x - μ) / √(σ² + ε) w + b
            );
        });
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { mut params, mut grads, x, dy, dx, cache, .. } = pass;
        let GroupStatistics { channels, inner, inverse, means, factors, shifts, scales, copies, .. } = cache;
        let (count, channels, inner) = (x.nrows() * *channels, *channels, *inner);
        let per_group = channels / self.groups;
        let [weight, _] = self.affine.take(scales.size, &mut params, &mut scales.fixed);
        let [dw, db] = self.affine.grads(scales.size, &mut grads, &mut scales.spare);
        let [x_copy, dy_copy, dx_copy] = copies;
        let (x, dy) = (packed(x, x_copy), packed(dy, dy_copy));
        let (means, factors) = (&means[..count], &factors[..count]);
        let [sums, along] = shifts.each_mut().map(|sums| zeroed(sums, count));
        vector::sum_channels(
            inner,
            [x, dy],
            [means],
            [sums, along],
            #[inline(always)]
            |[x, dy], [mean]| [dy, dy * (x - mean)],
        );
        let n = T::of((per_group * inner) as f64);
        let groups = sums.chunks_exact_mut(per_group).zip(along.chunks_exact_mut(per_group));
        let firsts = (0..channels).step_by(per_group).cycle();
        for (((sums, along), &inverse), first) in groups.zip(inverse.iter()).zip(firsts) {
            let (mut sum, mut product) = (T::zero(), T::zero());
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
        fill_packed(dx, dx_copy, |dx| {
            vector::map_channels(
                inner,
                [x, dy],
                [means, factors, sums, along],
                dx,
                #[inline(always)]
                |[x, dy], [mean, factor, sum, along], _| {
                    // dx = (da - mean of da - x̂ · mean of da x̂) / √(σ² + ε)
                    dy * factor - sum - (x - mean) * along
                },
            );
        });
    }
}
