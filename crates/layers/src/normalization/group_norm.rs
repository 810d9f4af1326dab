//! Group normalisation.

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Layer, Plan, Range, Settings, ShapeError, Value,
    described, entry,
};
use chainrule_tensor::{Buffer, Real, Shape, map_channels, sum_channels};

use super::row_blocks::RowBlocks;
use super::scale_shift::{ScaleShift, ScaleShiftCache};
use super::scratch::{scratch, zeroed};
use super::statistics::{ChannelMoments, blocks_of, check_count, check_epsilon};
use crate::contiguous::{contiguous, write_contiguous};

/// `y = (x - μ) / √(σ² + ε) w + b`, with the mean `μ` and the variance `σ²` of a group of neighbouring channels of a
/// sample `[channels, spatial...]`, over all positions, and a scale `w` and a shift `b` for each channel (Wu and He 2018,
/// "Group normalization"; PyTorch's `GroupNorm`, with its `ε = 10⁻⁵`; Keras has `10⁻³`).
///
/// Where all values of a group are equal, the output is the shift. Groups of a single value are refused in `plan`.
#[derive(Clone, Copy, Debug)]
pub struct GroupNorm {
    pub(super) groups: usize,
    pub(super) epsilon: f64,
    pub(super) scale_shift: ScaleShift,
}

impl Described for GroupNorm {
    const ENTRY: Entry = entry! {
        /// Normalises each group of channels of a sample.
        GroupNorm = "group_norm";
        aliases ["group_normalization"];
        formula "y = (x - μ) / √(σ² + ε) w + b";
        source "Wu and He 2018";
        settings {
            /// The number of groups.
            groups ("num_groups"): required, Range::AT_LEAST_ONE;
            /// The term that keeps the denominator above 0, ε.
            epsilon ("eps"): 1e-5, Range::POSITIVE;
            /// Whether there are scales w and shifts b.
            affine: true;
        }
        presets { keras { groups = 32, epsilon = 0.001 } }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let scale_shift = ScaleShift::of(settings.get("affine")?, true);
        Ok(Self { groups: settings.get("groups")?, epsilon: settings.get("epsilon")?, scale_shift })
    }

    fn setting_values(&self) -> Vec<Value> {
        let [affine, _] = self.scale_shift.values();
        vec![self.groups.into(), self.epsilon.into(), affine]
    }
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
    /// For each group of each sample: the two parts of `μ`, and `1 / √(σ² + ε)`.
    mean: [Buffer<T>; 2],
    inverse: Buffer<T>,
    /// For each channel of each sample: the two parts of `μ`, and the factor of its values.
    bases: Buffer<T>,
    offsets: Buffer<T>,
    factors: Buffer<T>,
    /// For each channel of each sample: the shift of its values; backward, `Σ dy` and `Σ dy x̂`.
    shifts: [Buffer<T>; 2],
    blocks: RowBlocks<T>,
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
        plan.at_least_one(self.groups, "a number of groups", input)?;
        if channels % self.groups != 0 || input.size() == 0 {
            let expected = format!("[channels, spatial...] whose channels are {} equal groups", self.groups);
            return Err(plan.error(input, &expected, "choose a number of groups that divides the channels"));
        }
        let inner: usize = spatial.iter().product();
        check_count(channels / self.groups * inner, input, plan)?;
        let scale_shift = self.scale_shift.plan(channels, plan)?;
        plan.memory(self.groups.saturating_mul(3).saturating_add(channels.saturating_mul(5)));
        Ok((input, GroupNormCache { channels, inner, scale_shift, ..Default::default() }))
    }

    described!();

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, Self::Cache>) {
        let GroupNormCache { channels, inner, mean, inverse, bases, offsets, factors, .. } = cache;
        let GroupNormCache { shifts: [shifts, _], scale_shift, copies: [x_copy, y_copy, _], .. } = cache;
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
        let inverse = scratch(inverse, groups);
        let [base, offset] = mean.each_mut().map(|buffer| scratch(buffer, groups));
        let [bases, offsets, factors, shifts] =
            [bases, offsets, factors, shifts].map(|buffer| scratch(buffer, count));
        write_contiguous(y, y_copy, |y| {
            for block in blocks_of(0..groups, size) {
                let of_block = block.start * per_group..block.end * per_group;
                let values = block.start * size..block.end * size;
                let x = &x[values.clone()];
                let moments = ChannelMoments {
                    base: &mut base[block.clone()],
                    offset: &mut offset[block.clone()],
                    variance: &mut inverse[block.clone()],
                };
                moments.overwrite_for_rows(size, x, T::of(self.epsilon)); //     1 / √(σ² + ε) in place of σ²
                for index in block {
                    let first = index % self.groups * per_group;
                    let of_group = index * per_group..(index + 1) * per_group;
                    bases[of_group.clone()].fill(base[index]);
                    offsets[of_group.clone()].fill(offset[index]);
                    shifts[of_group.clone()].copy_from_slice(&bias[first..][..per_group]);
                    let weights = weight[first..].iter();
                    factors[of_group].iter_mut().zip(weights).for_each(|(to, &w)| *to = inverse[index] * w);
                }
                let [bases, offsets, factors, shifts] =
                    [&*bases, offsets, factors, shifts].map(|of_channels| &of_channels[of_block.clone()]);
                let y = &mut y[values];
                // y = (x - μ) / √(σ² + ε) w + b
                map_channels!(
                    inner,
                    y = |[x], [base: bases, offset: offsets, factor: factors, shift: shifts]|
                        (x - base - offset) * factor + shift
                );
            }
        });
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { mut params, mut grads, x, dy, dx, cache, .. } = pass;
        let GroupNormCache { channels, inner, inverse, bases, offsets, factors, shifts, .. } = cache;
        let GroupNormCache { scale_shift, blocks, copies: [x_copy, dy_copy, dx_copy], .. } = cache;
        let channels = *channels;
        let inner = *inner;
        let rows = x.nrows();
        let count = rows * channels;
        let per_group = channels / self.groups;
        let [weight, _] = self.scale_shift.params(scale_shift.size, &mut params, &mut scale_shift.defaults);
        let [dw, db] = self.scale_shift.grads(scale_shift.size, &mut grads, &mut scale_shift.unused_grads);
        let x = contiguous(x, x_copy);
        let dy = contiguous(dy, dy_copy);
        let bases = &bases[..count];
        let offsets = &offsets[..count];
        let factors = &factors[..count];
        let [sums, along] = shifts.each_mut().map(|sums| zeroed(sums, count));
        let size = per_group * inner;
        let mut pass = |mut dx: Option<&mut [T]>| {
            blocks.add(rows, [dw, db], |rows, [dw, db]| {
                for block in blocks_of(rows.start * self.groups..rows.end * self.groups, size) {
                    let of_block = block.start * per_group..block.end * per_group;
                    let values = block.start * size..block.end * size;
                    let (x, dy) = (&x[values.clone()], &dy[values.clone()]);
                    let [bases, offsets, factors] =
                        [bases, offsets, factors].map(|of_channels| &of_channels[of_block.clone()]);
                    let (sums, along) = (&mut sums[of_block.clone()], &mut along[of_block]);
                    sum_channels!(
                        inner,
                        [sums, along] += |[x, dy], [base: bases, offset: offsets]| [dy, dy * (x - base - offset)]
                    );
                    let of_groups = sums.chunks_exact_mut(per_group).zip(along.chunks_exact_mut(per_group));
                    for (index, (sums, along)) in block.zip(of_groups) {
                        let first = index % self.groups * per_group;
                        let inverse = inverse[index];
                        let mut sum = 0.0;
                        let mut product = 0.0;
                        for c in 0..per_group {
                            along[c] *= inverse;
                            dw[first + c] += along[c]; //                    dw = Σ dy x̂
                            db[first + c] += sums[c]; //                     db = Σ dy
                            sum += weight[first + c].as_f64() * sums[c].as_f64();
                            product += weight[first + c].as_f64() * along[c].as_f64();
                        }
                        // The means of da = dy w and of da x̂ over the group, as they are subtracted below.
                        sums.fill(T::of(sum / size as f64) * inverse);
                        along.fill(T::of(product / size as f64) * inverse * inverse);
                    }
                    let Some(dx) = &mut dx else { continue };
                    let dx = &mut dx[values];
                    // dx = (da - mean of da - x̂ · mean of da x̂) / √(σ² + ε)
                    map_channels!(
                        inner,
                        dx = |[x, dy], [base: bases, offset: offsets, factor: factors, sum: sums, along]|
                            dy * factor - sum - (x - base - offset) * along
                    );
                }
            });
        };
        match dx {
            Some(dx) => write_contiguous(dx, dx_copy, |dx| pass(Some(dx))),
            None => pass(None),
        }
    }
}
