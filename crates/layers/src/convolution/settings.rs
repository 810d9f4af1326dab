//! What the convolutions have in common: their settings, and how they run.

use std::sync::Arc;

use chainrule_core::{Backward, Constant, Forward, Initializer, Plan, ShapeError};
use chainrule_tensor::{Buffer, MAX_RANK, Real, Shape, vector};
use ndarray::ArrayView2;

use super::correlation::{Correlation, Map, read};
use super::window::Window;
use crate::init::{FanInUniform, GlorotUniform};

/// The window, and how kernel and biases start.
#[derive(Clone, Debug)]
pub(super) struct Settings<const N: usize> {
    pub(super) window: Window<N>,
    pub(super) weight: Arc<dyn Initializer>,
    pub(super) bias: Option<Arc<dyn Initializer>>,
}

impl<const N: usize> Settings<N> {
    pub(super) fn new(kernel: [usize; N]) -> Self {
        let (weight, bias) = (Arc::new(FanInUniform), Some(Arc::new(FanInUniform) as _));
        Self { window: Window::new(kernel), weight, bias }
    }

    pub(super) fn keras(kernel: [usize; N]) -> Self {
        let (weight, bias) = (Arc::new(GlorotUniform), Some(Arc::new(Constant(0.0)) as _));
        Self { window: Window::new(kernel), weight, bias }
    }
}

/// How the kernel and the biases of a convolution start, as methods of the layer.
macro_rules! settings {
    ($layer:ident) => {
        super::window::window!($layer, settings.window);

        impl<const N: usize> $layer<N> {
            /// Another rule for the first weights.
            #[must_use]
            pub fn weight_init(mut self, init: impl chainrule_core::Initializer + 'static) -> Self {
                self.settings.weight = std::sync::Arc::new(init);
                self
            }

            /// Another rule for the first biases.
            #[must_use]
            pub fn bias_init(mut self, init: impl chainrule_core::Initializer + 'static) -> Self {
                self.settings.bias = Some(std::sync::Arc::new(init));
                self
            }

            /// Without biases.
            #[must_use]
            pub fn without_bias(mut self) -> Self {
                self.settings.bias = None;
                self
            }
        }
    };
}
pub(super) use settings;

/// What a convolution remembers: nothing from pass to pass, but the memory that a pass needs.
#[derive(Clone, Debug, Default)]
pub struct Work<T: Real, const N: usize> {
    planned: Option<Planned<T, N>>,
}

/// A convolution of one shape.
#[derive(Clone, Debug)]
struct Planned<T: Real, const N: usize> {
    map: Correlation<T, N>,
    weights: usize,
    /// How many biases there are.
    biases: usize,
    copy: Buffer<T>,
}

/// What a convolution declares.
pub(super) struct Declared<const N: usize> {
    pub(super) map: Map<N>,
    /// The first two axes of the weights; the others are the kernel's.
    pub(super) weight: [usize; 2],
    /// How many channels of the input an output sums over, and of the output an input takes part in.
    pub(super) fans: [usize; 2],
    /// The channels of the output, and the size of one.
    pub(super) outputs: usize,
    pub(super) size: [usize; N],
}

impl<T: Real, const N: usize> Work<T, N> {
    /// Declares the parameters, and returns the shape of the output with what the passes need.
    pub(super) fn plan(
        settings: &Settings<N>,
        declared: Declared<N>,
        input: Shape,
        plan: &mut Plan,
    ) -> Result<(Shape, Self), ShapeError> {
        let Declared { map, weight, fans, outputs, size } = declared;
        let Some(output) = shape([outputs], size) else {
            let expected = "samples of which outputs can be counted";
            return Err(plan.error(input, expected, "choose fewer channels, or less padding"));
        };
        let axes = [&weight[..], &map.geometry.kernel].concat();
        let [into, out] =
            fans.map(|fan| map.geometry.kernel.iter().fold(fan, |fan, &n| fan.saturating_mul(n)));
        let fans = (into, out);
        plan.weight("weight", &axes, fans, &settings.weight)?;
        let ([_, positions, _], weights) = (map.sizes(), axes.iter().product());
        if let Some(bias) = &settings.bias {
            plan.bias("bias", [outputs], fans, bias)?;
        }
        // Those that are beyond counting leave room for others.
        plan.flops((weights as u64).saturating_mul(positions as u64).min(1 << 60) * 2);
        let biases = if settings.bias.is_some() { outputs } else { 0 };
        let (map, copy) = (Correlation::new(map), Buffer::default());
        Ok((output, Self { planned: Some(Planned { map, weights, biases, copy }) }))
    }

    fn planned(&mut self) -> &mut Planned<T, N> {
        self.planned.as_mut().expect("the cache is one that plan returned")
    }

    /// `Y = W P(X) + b`
    pub(super) fn correlate(Forward { mut params, x, y, cache, .. }: Forward<'_, T, Self>) {
        let Planned { map, weights, biases, .. } = cache.planned();
        let (w, b) = (params.values(*weights), params.values(*biases));
        map.features(x, w, (*biases > 0).then_some(b), y);
    }

    pub(super) fn correlate_back(pass: Backward<'_, T, Self>) {
        let Backward { mut params, mut grads, x, dy, dx, cache, .. } = pass;
        let Planned { map, weights, biases, copy } = cache.planned();
        let w = params.values(*weights);
        map.kernel(x, dy, grads.values(*weights)); //        dW = dY P(X)ᵀ
        sum_channels(dy, grads.values(*biases), copy); //    db = Σ positions of dY
        if let Some(dx) = dx {
            map.image(dy, w, None, dx); //                   dP(X) = Wᵀ dY
        }
    }

    /// The adjoint of [`correlate`](Self::correlate), and a bias: `P(Y) = Wᵀ X`.
    pub(super) fn spread(Forward { mut params, x, y, cache, .. }: Forward<'_, T, Self>) {
        let Planned { map, weights, biases, .. } = cache.planned();
        let (w, b) = (params.values(*weights), params.values(*biases));
        map.image(x, w, (*biases > 0).then_some(b), y);
    }

    pub(super) fn spread_back(pass: Backward<'_, T, Self>) {
        let Backward { mut params, mut grads, x, dy, dx, cache, .. } = pass;
        let Planned { map, weights, biases, copy } = cache.planned();
        let w = params.values(*weights);
        map.kernel(dy, x, grads.values(*weights)); //        dW = X P(dY)ᵀ
        sum_channels(dy, grads.values(*biases), copy); //    db = Σ positions of dY
        if let Some(dx) = dx {
            map.features(dy, w, None, dx); //                dX = W P(dY)
        }
    }
}

/// Channels, or channels and the like, and a size for each of `N` axes, as a shape, unless it is beyond counting.
pub(super) fn shape<const M: usize, const N: usize>(first: [usize; M], size: [usize; N]) -> Option<Shape> {
    let mut axes = [0; MAX_RANK];
    axes.get_mut(..M)?.copy_from_slice(&first);
    axes.get_mut(M..M + N)?.copy_from_slice(&size);
    Shape::new(&axes[..M + N])
}

/// Adds the sum of each channel of all samples to `sums`.
fn sum_channels<T: Real>(dy: ArrayView2<'_, T>, sums: &mut [T], copy: &mut Buffer<T>) {
    if !sums.is_empty() {
        dy.rows().into_iter().for_each(|dy| vector::sum_chunks(read(dy, copy), sums));
    }
}
