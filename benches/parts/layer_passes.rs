//! The passes of a single layer.

use chainrule::core::runner::GradsExt;
use chainrule::core::{Backward, Forward, Grads, Layer, Mode, Params, Plan};
use chainrule::tensor::{Buffer, Seed, Shape};
use criterion::{BenchmarkGroup, measurement::WallTime};
use ndarray::Array2;

use crate::matrix;

/// A layer with its parameters, and a batch.
pub(crate) struct LayerPasses<L: Layer<f32>> {
    layer: L,
    cache: L::Cache,
    params: Buffer<f32>,
    grads: Buffer<f32>,
    x: Array2<f32>,
    y: Array2<f32>,
    dy: Array2<f32>,
    /// None if the gradient of the input is not needed.
    dx: Option<Array2<f32>>,
}

impl<L: Layer<f32>> LayerPasses<L> {
    /// For a layer that takes such samples.
    pub(crate) fn new(layer: L, input: impl Into<Shape>, samples: usize, is_first: bool) -> Self {
        let input = input.into();
        let mut plan = Plan::new();
        let (output, cache) = layer.plan(input, &mut plan).expect("the layer takes the samples");
        let (mut params, grads) = (Buffer::zeros(plan.size()), Buffer::zeros(plan.size()));
        plan.init(Seed(1), &mut params);
        let (x, y) = (matrix(samples, input.size()), matrix(samples, output.size()));
        let (dy, dx) = (y.clone(), (!is_first).then(|| x.clone()));
        Self { layer, cache, params, grads, x, y, dy, dx }
    }

    pub(crate) fn forward(&mut self) {
        self.layer.forward(Forward {
            params: Params::new(&self.params),
            x: self.x.view(),
            y: self.y.view_mut(),
            cache: &mut self.cache,
            mode: Mode::Train { seed: Seed(1), first_row: 0 },
        });
    }

    /// To be called after a forward pass.
    pub(crate) fn backward(&mut self) {
        self.layer.backward(Backward {
            params: Params::new(&self.params),
            grads: Grads::fresh(&mut self.grads),
            x: self.x.view(),
            y: self.y.view(),
            dy: self.dy.view(),
            dx: self.dx.as_mut().map(|dx| dx.view_mut()),
            cache: &mut self.cache,
            share: 1.0,
        });
    }

    /// One of the two passes under this name.
    pub(crate) fn bench(&mut self, group: &mut BenchmarkGroup<'_, WallTime>, name: &str, backward: bool) {
        self.forward();
        group.bench_function(name, |bencher| {
            bencher.iter(|| if backward { self.backward() } else { self.forward() });
        });
    }
}
