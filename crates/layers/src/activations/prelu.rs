//! The parametric rectified linear unit.

use std::sync::Arc;

use chainrule_core::{
    Backward, Constant, DescriptionError, Forward, Initializer, Layer, Place, Plan, SettingValue, ShapeError,
    Value, describe, described,
};
use chainrule_tensor::{Buffer, Real, Shape, map_channels, sum_channels};

use crate::contiguous::{contiguous, write_contiguous};

/// `z` where it is positive, else `s z` with trained slopes `s` (He et al. 2015, "Delving deep into rectifiers").
///
/// All values share one slope, or each channel or each value of a sample has its own. The slopes, the parameter `weight`, are
/// initialised with 0.25, as in PyTorch, and not decayed, as the paper advises. Backward, `dz = dy` or `s dy`, and `ds = Σ dy z`
/// over the values that are not positive.
#[derive(Clone, Debug)]
pub struct Prelu {
    shared: Shared,
    weight: Arc<dyn Initializer>,
}

impl SettingValue for Shared {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        match value {
            Value::None => Ok(Self::None),
            Value::Text(word) if word == "all" => Ok(Self::All),
            axis => usize::from_value(axis, place)
                .map(Self::Along)
                .map_err(|_| place.wrong(axis, "all, none, or the number of an axis")),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::All => "all".into(),
            Self::Along(axis) => axis.to_value(),
            Self::None => Value::None,
        }
    }
}

describe! {
    /// A rectified linear unit whose slope below 0 is trained.
    Prelu = "prelu";
    formula "a = max(z, 0) + w min(z, 0)";
    source "He et al. 2015";
    settings {
        /// Which values share a slope: `all`, those at one index of an axis, by its number, or `none`.
        shared: all;
        /// The first slopes.
        weight as "weight_init" ("init", "alpha_initializer"): constant(0.25);
    }
    presets { keras { shared = none, weight_init = constant(0.0) } }
}

/// Which values share a slope.
#[derive(Clone, Copy, Debug)]
enum Shared {
    All,
    /// Those with the same index along this axis.
    Along(usize),
    None,
}

impl Prelu {
    /// One slope for all values.
    pub fn new() -> Self {
        Self { shared: Shared::All, weight: Arc::new(Constant(0.25)) }
    }

    /// One slope for each value of a sample, initialised with 0: Keras' `PReLU`.
    pub fn keras() -> Self {
        Self { shared: Shared::None, weight: Arc::new(Constant(0.0)) }
    }

    /// One slope for each index along this axis of a sample: 0 for images, `[channels, height, width]`, and vectors, 1 for
    /// sequences, `[steps, features]`.
    #[must_use]
    pub fn per_channel(self, axis: usize) -> Self {
        Self { shared: Shared::Along(axis), ..self }
    }

    /// Sets the initialiser of the slopes.
    #[must_use]
    pub fn weight_init(self, init: impl Initializer + 'static) -> Self {
        Self { weight: Arc::new(init), ..self }
    }
}

impl Default for Prelu {
    fn default() -> Self {
        Self::new()
    }
}

/// The cache of a [`Prelu`]: a sample is `[outer, channels, inner]`, and each channel has a slope.
#[derive(Clone, Debug, Default)]
pub struct PreluCache<T: Real> {
    channels: usize,
    inner: usize,
    /// Copies of strided batches.
    x: Buffer<T>,
    dy: Buffer<T>,
    y: Buffer<T>,
}

impl<T: Real> Layer<T> for Prelu {
    type Cache = PreluCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, PreluCache<T>), ShapeError> {
        let (shape, inner) = match self.shared {
            Shared::All => (Shape::from([1]), input.size()),
            Shared::None => (input, 1),
            Shared::Along(axis) => match input.get(axis) {
                Some(&channels) => (Shape::from([channels]), input[axis + 1..].iter().product()),
                None => {
                    let expected = format!("samples with an axis {axis}");
                    return Err(plan.error(input, &expected, "choose an axis of the sample, counted from 0"));
                }
            },
        };
        if input.size() == 0 {
            return Err(plan.error(input, "samples with values", "look for an axis of length 0"));
        }
        plan.bias("weight", shape, (1, 1), &self.weight)?;
        Ok((input, PreluCache { channels: shape.size(), inner, ..PreluCache::default() }))
    }

    described!();

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, PreluCache<T>>) {
        let s = params.values(cache.channels);
        let x = contiguous(x, &mut cache.x);
        write_contiguous(y, &mut cache.y, |y| {
            map_channels!(cache.inner, y = |[z: x], [s]| if z > T::zero() { z } else { s * z });
        });
    }

    fn backward(
        &self,
        Backward { mut params, mut grads, x, dy, dx, cache, .. }: Backward<'_, T, PreluCache<T>>,
    ) {
        let s = params.values(cache.channels);
        let ds = grads.values(cache.channels);
        let x = contiguous(x, &mut cache.x);
        let dy = contiguous(dy, &mut cache.dy);
        sum_channels!(cache.inner, [ds] += |[z: x, dy], []| [if z > T::zero() { T::zero() } else { z * dy }]);
        let Some(dx) = dx else { return };
        write_contiguous(dx, &mut cache.y, |dx| {
            map_channels!(cache.inner, dx = |[z: x, dy], [s]| if z > T::zero() { dy } else { s * dy });
        });
    }
}
