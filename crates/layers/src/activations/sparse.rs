//! Keras' sparse activations: exactly 0 below -1, linear or constant above 1. `SparseSigmoid` is
//! [`Sparsemax`](super::Sparsemax) for two classes, and `SparsePlus` is its integral.

use chainrule_core::{describe, described};
use chainrule_tensor::Real;

use super::{Activation, activation_layers, clip};

activation_layers!(SparsePlus SparseSigmoid);

/// 0 up to -1, `(z + 1)² / 4` between, and `z` from 1 on.
#[derive(Clone, Copy, Debug, Default)]
pub struct SparsePlus;

describe! {
    /// The integral of the sparse sigmoid.
    SparsePlus = "sparse_plus";
    formula "a = 0 up to -1, (z + 1)² / 4 between, z from 1 on";
    source "Keras";
}

impl<T: Real> Activation<T> for SparsePlus {
    #[inline(always)]
    fn value(self, z: T) -> T {
        let half = SparseSigmoid.value(z);
        if z >= T::one() { z } else { half * half }
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        SparseSigmoid.value(z)
    }

    described!();
}

/// 0 up to -1, `(z + 1) / 2` between, and 1 from 1 on.
#[derive(Clone, Copy, Debug, Default)]
pub struct SparseSigmoid;

describe! {
    /// Sparsemax for two classes.
    SparseSigmoid = "sparse_sigmoid";
    formula "a = min(max((z + 1) / 2, 0), 1)";
    source "Keras";
}

impl<T: Real> Activation<T> for SparseSigmoid {
    #[inline(always)]
    fn value(self, z: T) -> T {
        T::of(0.5) * (clip(z, -T::one(), T::one()) + T::one())
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        if (z > -T::one()) & (z < T::one()) { T::of(0.5) } else { T::zero() }
    }

    described!();
}
