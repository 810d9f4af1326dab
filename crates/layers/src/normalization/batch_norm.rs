//! Batch normalisation.

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Layer, Mode, Plan, Range, Settings, ShapeError,
    Value, batch_group, described, entry,
};
use chainrule_tensor::{Buffer, Real, Shape, each, map_channels, sum_channels};

use super::scale_shift::{ScaleShift, ScaleShiftCache};
use super::scratch::{scratch, zeroed};
use super::statistics::{ChannelMoments, check_epsilon};
use crate::contiguous::{contiguous, write_contiguous};

/// `y = (x - μ) / √(σ² + ε) w + b`, with a mean `μ`, a variance `σ²`, a scale `w` and a shift `b` for each feature of
/// `[features]`, or for each channel of `[channels, spatial...]` (Ioffe and Szegedy 2015, "Batch normalization";
/// PyTorch's `BatchNorm1d`, `BatchNorm2d` and `BatchNorm3d`).
///
/// In training, `μ` and `σ²` are those of the whole batch, over all positions. A trainer that splits a batch into shards runs a
/// pass for each, and these passes add up their sums ([`batch_group`]), as PyTorch's `SyncBatchNorm` does. After each step the
/// running statistics, two buffers, move towards them: `r ← (1 - m) r + m s`. Outside training the running statistics replace
/// those of the batch.
///
/// As in PyTorch, the momentum `m`, the share of the new value, is 0.1, `ε = 10⁻⁵`, and the running variance averages
/// unbiased ones, `Σ (x - μ)² / (n - 1)`. [`keras`](Self::keras) has Keras' settings.
///
/// A channel with a single value in the batch (one row, one position) has no variance, and there is nothing to normalise. A
/// trainer refuses such batches, as PyTorch does. A pass alone then returns the shift, its gradient of the input is 0, and
/// the running variance is unchanged.
///
/// ```
/// use chainrule_core::{Sequential, gradcheck};
/// use chainrule_layers::{BatchNorm, Dense, Relu};
/// let layers = Sequential::<f64>::default().then(Dense::new(8).without_bias()).then(BatchNorm::new()).then(Relu);
/// gradcheck::gradients(&layers, [4])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm {
    momentum: f64,
    epsilon: f64,
    scale_shift: ScaleShift,
    unbiased: bool,
    last: bool,
}

impl Described for BatchNorm {
    const ENTRY: Entry = entry! {
        /// Normalises each channel over the batch.
        BatchNorm = "batch_norm";
        aliases ["batch_normalization", "batch_norm1d", "batch_norm2d", "batch_norm3d"];
        formula "y = (x - μ) / √(σ² + ε) w + b";
        source "Ioffe and Szegedy 2015";
        settings {
            /// The share of the new value in the running statistics.
            momentum: 0.1, Range::UNIT;
            /// The term that keeps the denominator above 0, ε.
            epsilon ("eps"): 1e-5, Range::POSITIVE;
            /// Whether there are scales w and shifts b.
            affine: true;
            /// Whether the running variance is that of a sample, divided by one less than the number of values.
            unbiased: true;
            /// Whether the channels are the last axis rather than the first.
            channels_last: false;
        }
        presets { keras { momentum = 0.01, epsilon = 0.001, unbiased = false } }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self {
            momentum: settings.get("momentum")?,
            epsilon: settings.get("epsilon")?,
            scale_shift: ScaleShift::of(settings.get("affine")?, true),
            unbiased: settings.get("unbiased")?,
            last: settings.get("channels_last")?,
        })
    }

    fn setting_values(&self) -> Vec<Value> {
        let &Self { momentum, epsilon, scale_shift, unbiased, last } = self;
        let [affine, _] = scale_shift.values();
        vec![momentum.into(), epsilon.into(), affine, unbiased.into(), last.into()]
    }
}

impl BatchNorm {
    /// With PyTorch's settings.
    pub fn new() -> Self {
        Self { momentum: 0.1, epsilon: 1e-5, scale_shift: ScaleShift::Full, unbiased: true, last: false }
    }

    /// With Keras' settings: 0.99 of the old value is kept, so the momentum is 0.01 here, `ε = 10⁻³`, and the running
    /// variance averages biased ones. Channels still come first; see [`channels_last`](Self::channels_last).
    pub fn keras() -> Self {
        Self { momentum: 0.01, epsilon: 1e-3, unbiased: false, ..Self::new() }
    }

    /// Another momentum: the share of the new value in a running statistic, in `[0, 1]`.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
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

    /// For samples `[spatial..., channels]`, such as `[steps, features]`.
    #[must_use]
    pub fn channels_last(self) -> Self {
        Self { last: true, ..self }
    }
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self::new()
    }
}

/// What a [`BatchNorm`] layer keeps between its passes: a value for each channel, in each buffer.
#[derive(Clone, Debug, Default)]
pub struct BatchNormCache<T: Real> {
    channels: usize,
    /// The number of consecutive values of a channel.
    inner: usize,
    training: bool,
    /// The number of values of a channel in the whole batch.
    count: f64,
    /// Sums over the batch, two for each channel, and the number of values.
    exchange: Buffer<f64>,
    /// The two parts of `μ`, and `σ²`.
    base: Buffer<T>,
    offset: Buffer<T>,
    variance: Buffer<T>,
    /// `1 / √(σ² + ε)`, and that times `w`.
    inverse: Buffer<T>,
    factor: Buffer<T>,
    /// `Σ dy` and `Σ dy x̂`.
    sums: [Buffer<T>; 2],
    scale_shift: ScaleShiftCache<T>,
    /// Copies of strided batches.
    copies: [Buffer<T>; 3],
}

impl<T: Real> Layer<T> for BatchNorm {
    type Cache = BatchNormCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        check_epsilon::<T>(self.epsilon, input, plan)?;
        if !(0.0..=1.0).contains(&self.momentum) {
            let help = "the momentum is the share of the new value; choose one from 0 to 1";
            return Err(plan.setting_error(input, "a momentum from 0 to 1", help));
        }
        let (channels, inner) = match (&*input, self.last) {
            (&[.., channels], true) => (channels, 1),
            (&[channels, ref spatial @ ..], false) => (channels, spatial.iter().product()),
            _ => (0, 0),
        };
        if input.size() == 0 || channels == 0 {
            let help = "give it at least one channel with at least one value";
            return Err(plan.error(input, "[features] or [channels, spatial...]", help));
        }
        let scale_shift = self.scale_shift.plan(channels, plan)?;
        plan.buffer("running_mean", [channels], 0.0)?;
        plan.buffer("running_var", [channels], 1.0)?;
        plan.sums_over_batch(input.size() / channels);
        Ok((input, BatchNormCache { channels, inner, scale_shift, ..Default::default() }))
    }

    described!();

    fn forward(&self, Forward { mut params, x, y, cache, mode }: Forward<'_, T, Self::Cache>) {
        let BatchNormCache { channels, inner, training, base, offset, variance, .. } = cache;
        let BatchNormCache { inverse, factor, scale_shift, copies: [x_copy, y_copy, _], .. } = cache;
        let BatchNormCache { count, exchange, .. } = cache;
        let channels = *channels;
        let inner = *inner;
        let [weight, bias] =
            self.scale_shift.params(scale_shift.size, &mut params, &mut scale_shift.defaults);
        let running_mean = params.values(channels);
        let running_variance = params.values(channels);
        let x = contiguous(x, x_copy);
        let [base, offset, variance, inverse, factor] =
            [base, offset, variance, inverse, factor].map(|buffer| scratch(buffer, channels));
        *training = mode != Mode::Eval;
        if *training {
            let moments = ChannelMoments { base, offset, variance };
            *count = moments.overwrite_over_batch(inner, x, x.len() / channels, exchange);
        } else {
            base.copy_from_slice(running_mean);
            offset.fill(T::zero());
            variance.copy_from_slice(running_variance);
        }
        let epsilon = T::of(self.epsilon);
        each!(
            [inverse, factor] = |variance, weight| {
                let inverse = (variance + epsilon).sqrt().recip();
                [inverse, inverse * weight]
            }
        );
        write_contiguous(y, y_copy, |y| {
            // y = (x - μ) / √(σ² + ε) w + b
            map_channels!(inner, y = |[x], [base, offset, factor, bias]| (x - base - offset) * factor + bias);
        });
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { mut params, mut grads, x, dy, dx, cache, share, .. } = pass;
        let BatchNormCache { channels, inner, training, base, offset, variance, .. } = cache;
        let BatchNormCache { inverse, factor, sums, scale_shift, copies, count, exchange, .. } = cache;
        let [x_copy, dy_copy, dx_copy] = copies;
        let channels = *channels;
        let inner = *inner;
        self.scale_shift.params(scale_shift.size, &mut params, &mut scale_shift.defaults);
        let running_mean = params.values(channels);
        let running_variance = params.values(channels);
        let [dw, db] = self.scale_shift.grads(scale_shift.size, &mut grads, &mut scale_shift.unused_grads);
        let next_mean = grads.values(channels);
        let next_variance = grads.values(channels);
        let x = contiguous(x, x_copy);
        let dy = contiguous(dy, dy_copy);
        let [sum, along] = sums.each_mut().map(|sums| zeroed(sums, channels));
        sum_channels!(
            inner,
            [sum, along] += |[x, dy], [base, offset, inverse]| [dy, dy * ((x - base - offset) * inverse)]
        );
        each!([dw, db] = |along, sum| [dw + along, db + sum]); //                dw = Σ dy x̂, db = Σ dy

        let n = *count;
        let momentum = T::of(if *training { self.momentum } else { 0.0 });
        let kept = T::one() - momentum;
        // A single value says nothing about the variance of its channel.
        let without_new = self.unbiased && n < 2.0;
        let unbiased = T::of(if self.unbiased { n / (n.max(2.0) - 1.0) } else { 1.0 });
        each!(
            [next_mean, next_variance] =
                |mean: running_mean, spread: running_variance, base, offset, variance| {
                    let new = if without_new { spread } else { variance * unbiased };
                    [
                        next_mean + share * (kept * mean + momentum * (base + offset)),
                        next_variance + share * (kept * spread + momentum * new),
                    ]
                }
        );

        let Some(dx) = dx else { return };
        // The mean and the variance of the batch depend on x; the running ones do not.
        if *training {
            if !batch_group::is_alone() {
                let sums = &mut exchange[..2 * channels];
                sums.iter_mut().zip(sum.iter().chain(&*along)).for_each(|(to, from)| *to = from.as_f64());
                batch_group::sum(sums);
                sum.iter_mut().chain(&mut *along).zip(sums).for_each(|(to, from)| *to = T::of(*from));
            }
            let mean = T::of(n.recip());
            each!([sum, along] = |inverse| [sum * mean, along * mean * inverse]);
        } else {
            sum.fill(T::zero());
            along.fill(T::zero());
        }
        write_contiguous(dx, dx_copy, |dx| {
            // dx = w / √(σ² + ε) (dy - mean of dy - x̂ · mean of dy x̂)
            map_channels!(
                inner,
                dx = |[x, dy], [base, offset, factor, sum, along]| (dy - sum - (x - base - offset) * along)
                    * factor
            );
        });
    }
}
