//! How tables of vectors start.

use std::sync::Arc;

use chainrule_layer::{Blank, Initializer};
use chainrule_tensor::Seed;

/// Normal with mean 0 and this standard deviation, whatever the fans are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Normal(pub(crate) f64);

impl Initializer for Normal {
    fn fill(&self, _: Blank, seed: Seed, values: &mut [f64]) {
        let mut rng = seed.rng();
        values.fill_with(|| self.0 * rng.normal());
    }
}

/// Uniform in plus or minus this, whatever the fans are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uniform(pub(crate) f64);

impl Initializer for Uniform {
    fn fill(&self, _: Blank, seed: Seed, values: &mut [f64]) {
        let mut rng = seed.rng();
        values.fill_with(|| rng.between(-self.0, self.0));
    }
}

/// As another rule, with one row of zeros.
#[derive(Clone, Debug)]
pub(crate) struct WithoutRow(pub(crate) Arc<dyn Initializer>, pub(crate) usize);

impl Initializer for WithoutRow {
    fn fill(&self, blank: Blank, seed: Seed, values: &mut [f64]) {
        let Self(others, row) = self;
        others.fill(blank, seed, values);
        let columns = values.len() / blank.shape.first().map_or(1, |&rows| rows.max(1));
        values[row * columns..(row + 1) * columns].fill(0.0);
    }
}
