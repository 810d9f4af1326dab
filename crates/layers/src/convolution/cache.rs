//! The cache of every convolution, with its passes.

use chainrule_core::{Backward, Forward, Plan, ShapeError};
use chainrule_tensor::vector::{CHAIN, LongSum};
use chainrule_tensor::{Buffer, MAX_RANK, Real, Shape, vector};
use ndarray::ArrayView2;

use super::algorithm::Algorithm;
use super::channels::contiguous_row;
use super::conv_shape::ConvShape;
use super::settings::ConvSettings;

/// The cache of a convolution: the buffers of a pass, whose values do not outlive it.
#[derive(Clone, Debug, Default)]
pub struct ConvCache<T: Real, const N: usize> {
    planned: Option<PlannedConv<T, N>>,
}

/// A convolution of one shape.
#[derive(Clone, Debug)]
struct PlannedConv<T: Real, const N: usize> {
    algorithm: Algorithm<T, N>,
    /// The number of weights and of biases.
    weights: usize,
    biases: usize,
    copy: Buffer<T>,
    bias_sum: LongSum<T>,
}

/// What a layer declares for its convolution.
pub(super) struct ConvSpec<const N: usize> {
    pub(super) shape: ConvShape<N>,
    /// The first two axes of the weights; the others are the kernel's.
    pub(super) weight: [usize; 2],
    /// The number of channels of the input that an output sums over, and of the output that depend on an input.
    pub(super) fans: [usize; 2],
    /// The number of channels of the output, and the size of one.
    pub(super) outputs: usize,
    pub(super) size: [usize; N],
}

impl<T: Real, const N: usize> ConvCache<T, N> {
    /// Declares the parameters, and returns the shape of the output and the cache.
    pub(super) fn plan(
        settings: &ConvSettings<N>,
        spec: ConvSpec<N>,
        input: Shape,
        plan: &mut Plan,
    ) -> Result<(Shape, Self), ShapeError> {
        let ConvSpec { shape, weight, fans, outputs, size } = spec;
        let Some(output) = try_shape([outputs], size) else {
            let expected = "samples for which the size of the output does not overflow";
            return Err(plan.error(input, expected, "choose fewer channels, or less padding"));
        };
        let axes = [&weight[..], &shape.geometry.kernel].concat();
        let [into, out] =
            fans.map(|fan| shape.geometry.kernel.iter().fold(fan, |fan, &n| fan.saturating_mul(n)));
        let fans = (into, out);
        plan.weight("weight", &axes, fans, &settings.weight)?;
        let [_, positions, _] = shape.sizes();
        let weights: usize = axes.iter().product();
        if let Some(bias) = &settings.bias {
            plan.bias("bias", [outputs], fans, bias)?;
        }
        // Capped, so that the sum over all layers does not overflow.
        plan.flops((weights as u64).saturating_mul(positions as u64).min(1 << 60) * 2);
        let biases = if settings.bias.is_some() { outputs } else { 0 };
        let algorithm = Algorithm::new(shape);
        let (copy, bias_sum) = (Buffer::default(), LongSum::default());
        Ok((output, Self { planned: Some(PlannedConv { algorithm, weights, biases, copy, bias_sum }) }))
    }

    fn planned(&mut self) -> &mut PlannedConv<T, N> {
        self.planned.as_mut().expect("the cache was returned by plan")
    }

    /// `Y = W P(X) + b`
    pub(super) fn forward(Forward { mut params, x, y, cache, .. }: Forward<'_, T, Self>) {
        let PlannedConv { algorithm, weights, biases, .. } = cache.planned();
        let (w, b) = (params.values(*weights), params.values(*biases));
        algorithm.forward(x, w, (*biases > 0).then_some(b), y);
    }

    /// `dW = dY P(X)ᵀ`, `db = Σ dY` and `dP(X) = Wᵀ dY`
    pub(super) fn backward(pass: Backward<'_, T, Self>) {
        let Backward { mut params, mut grads, x, dy, dx, cache, .. } = pass;
        let PlannedConv { algorithm, weights, biases, copy, bias_sum } = cache.planned();
        let w = params.values(*weights);
        algorithm.backward_weights(x, dy, grads.values(*weights)); //   dW = dY P(X)ᵀ
        sum_channels(dy, grads.values(*biases), copy, bias_sum); //     db = Σ positions of dY
        if let Some(dx) = dx {
            algorithm.backward_data(dy, w, None, dx); //                dP(X) = Wᵀ dY
        }
    }

    /// The adjoint of [`forward`](Self::forward), and a bias: `P(Y) = Wᵀ X`.
    pub(super) fn forward_transposed(Forward { mut params, x, y, cache, .. }: Forward<'_, T, Self>) {
        let PlannedConv { algorithm, weights, biases, .. } = cache.planned();
        let (w, b) = (params.values(*weights), params.values(*biases));
        algorithm.backward_data(x, w, (*biases > 0).then_some(b), y);
    }

    /// `dW = X P(dY)ᵀ`, `db = Σ dY` and `dX = W P(dY)`
    pub(super) fn backward_transposed(pass: Backward<'_, T, Self>) {
        let Backward { mut params, mut grads, x, dy, dx, cache, .. } = pass;
        let PlannedConv { algorithm, weights, biases, copy, bias_sum } = cache.planned();
        let w = params.values(*weights);
        algorithm.backward_weights(dy, x, grads.values(*weights)); //   dW = X P(dY)ᵀ
        sum_channels(dy, grads.values(*biases), copy, bias_sum); //     db = Σ positions of dY
        if let Some(dx) = dx {
            algorithm.forward(dy, w, None, dx); //                      dX = W P(dY)
        }
    }
}

/// The shape with the axes `first` and `size`, if its size does not overflow.
pub(super) fn try_shape<const M: usize, const N: usize>(
    first: [usize; M],
    size: [usize; N],
) -> Option<Shape> {
    let mut axes = [0; MAX_RANK];
    axes.get_mut(..M)?.copy_from_slice(&first);
    axes.get_mut(M..M + N)?.copy_from_slice(&size);
    Shape::new(&axes[..M + N])
}

/// Adds the sum of each channel of all samples to `sums`.
fn sum_channels<T: Real>(dy: ArrayView2<'_, T>, sums: &mut [T], copy: &mut Buffer<T>, long: &mut LongSum<T>) {
    if sums.is_empty() {
        return;
    }
    if dy.nrows() <= CHAIN {
        return dy.rows().into_iter().for_each(|dy| vector::sum_chunks(contiguous_row(dy, copy), sums));
    }
    long.start(sums.len());
    dy.rows().into_iter().for_each(|dy| vector::sum_chunks(contiguous_row(dy, copy), long.part()));
    long.add_to(sums);
}
