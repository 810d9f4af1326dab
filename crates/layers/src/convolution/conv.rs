//! The convolution.

use std::sync::Arc;

use chainrule_layer::{Backward, Constant, Forward, Initializer, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};

use super::correlation::{Correlation, Map};
use super::window::{Padding, PerAxis, Window};
use crate::init::{FanInUniform, GlorotUniform};

/// A convolution over `N` axes.
#[derive(Clone, Debug)]
pub struct Conv<const N: usize> {
    channels: usize,
    window: Window<N>,
    groups: usize,
    weight: Arc<dyn Initializer>,
    bias: Option<Arc<dyn Initializer>>,
}

/// A convolution of signals, `[channels, length]`.
pub type Conv1d = Conv<1>;
/// A convolution of images, `[channels, height, width]`.
pub type Conv2d = Conv<2>;
/// A convolution of volumes, `[channels, depth, height, width]`.
pub type Conv3d = Conv<3>;

impl<const N: usize> Conv<N> {
    /// To this many channels, with a kernel of this size: `5`, or `[3, 5]` for each axis.
    pub fn new(channels: usize, kernel: impl Into<PerAxis<N>>) -> Self {
        Self {
            channels,
            window: Window::new(kernel.into()),
            groups: 1,
            weight: Arc::new(FanInUniform),
            bias: Some(Arc::new(FanInUniform)),
        }
    }

    /// A layer that starts as Keras' does.
    pub fn keras(channels: usize, kernel: impl Into<PerAxis<N>>) -> Self {
        Self {
            weight: Arc::new(GlorotUniform),
            bias: Some(Arc::new(Constant(0.0))),
            ..Self::new(channels, kernel)
        }
    }

    /// Padding
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding<N>>) -> Self {
        self.window.padding = padding.into();
        self
    }

    /// Stride
    #[must_use]
    pub fn stride(mut self, stride: impl Into<PerAxis<N>>) -> Self {
        self.window.stride = stride.into();
        self
    }

    /// Dilation
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<PerAxis<N>>) -> Self {
        self.window.dilation = dilation.into();
        self
    }

    /// Without biases.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { bias: None, ..self }
    }

    /// Groups
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }
}

/// What a convolution remembers: nothing between the passes, but the memory that they need.
#[derive(Clone, Debug)]
pub struct Work<T: Real, const N: usize>(Option<Correlation<T, N>>);

impl<T: Real, const N: usize> Default for Work<T, N> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Real, const N: usize> Layer<T> for Conv<N> {
    type Cache = Work<T, N>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Work<T, N>), ShapeError> {
        let (inputs, size) = self.window.sample(input, plan)?;
        let geometry = self.window.over(size, input, plan)?;
        let map = Map {
            geometry,
            groups: self.groups,
            channels: [inputs / self.groups, self.channels / self.groups],
        };
        let [_, positions, taps] = map.sizes();
        let mut shape = vec![self.channels, inputs / self.groups];
        shape.extend(geometry.kernel);
        let fans = (inputs / self.groups * taps, self.channels * taps);
        plan.weight("weight", Shape::new(&shape).unwrap(), fans, &self.weight);
        if let Some(bias) = &self.bias {
            plan.bias("bias", [self.channels], fans, bias);
        }
        plan.flops(2 * (self.channels * fans.0 * positions) as u64);
        let mut shape = vec![self.channels];
        shape.extend(geometry.features);
        Ok((Shape::new(&shape).unwrap(), Work(Some(Correlation::new(map)))))
    }

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, Work<T, N>>) {
        let Some(map) = &mut cache.0 else { return };
        let w = params.values(map.map().weights());
        let b = self.bias.as_ref().map(|_| params.values(self.channels));
        map.features(x, w, b, y);
    }

    fn backward(&self, pass: Backward<'_, T, Work<T, N>>) {
        let Backward { mut params, mut grads, x, dy, dx, cache, .. } = pass;
        let Some(map) = &mut cache.0 else { return };
        let size = map.map().weights();
        let w = params.values(size);
        map.kernel(x, dy, grads.values(size));
        if self.bias.is_some() {
            let db = grads.values(self.channels);
            for dy in dy.rows() {
                let dy = dy.to_slice().unwrap();
                for (db, dy) in db.iter_mut().zip(dy.chunks_exact(dy.len() / self.channels)) {
                    *db += chainrule_tensor::vector::sum(dy);
                }
            }
        }
        if let Some(dx) = dx {
            map.image(dy, w, None, dx);
        }
    }
}
