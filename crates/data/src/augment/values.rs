//! Changes of the values, wherever they are.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Rng;

use super::{Augmentation, Picture};

/// Multiplies all values by a factor between 1 - this and 1 + this; values above 1 become 1.
#[derive(Clone, Copy, Debug)]
pub struct Brightness(pub f64);

/// Moves all values away from their mean, or towards it, by a factor between 1 - this and 1 + this; values below 0 become 0 and
/// above 1 become 1.
#[derive(Clone, Copy, Debug)]
pub struct Contrast(pub f64);

/// Adds a normally distributed number with this standard deviation to each value.
#[derive(Clone, Copy, Debug)]
pub struct Noise(pub f64);

describe! {
    /// All values are multiplied by one factor; above 1 they become 1.
    Brightness = "brightness";
    formula "y = min(x f, 1)";
    settings {
        /// The factor is from 1 - this to 1 + this.
        0 as "change": required, Range::UNIT;
    }
}

impl Augmentation for Brightness {
    described!(check);

    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng) {
        let factor = rng.between(1.0 - self.0, 1.0 + self.0).max(0.0) as f32;
        picture.values.iter_mut().for_each(|value| *value = (*value * factor).min(1.0));
    }
}

describe! {
    /// All values are moved away from their mean, or towards it, and kept from 0 to 1.
    Contrast = "contrast";
    formula "y = m + (x - m) f";
    settings {
        /// The factor is from 1 - this to 1 + this.
        0 as "change": required, Range::UNIT;
    }
}

impl Augmentation for Contrast {
    described!(check);

    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng) {
        let factor = rng.between(1.0 - self.0, 1.0 + self.0).max(0.0) as f32;
        let sum: f64 = picture.values.iter().map(|&value| f64::from(value)).sum();
        let mean = (sum / picture.values.len() as f64) as f32;
        picture
            .values
            .iter_mut()
            .for_each(|value| *value = (mean + (*value - mean) * factor).clamp(0.0, 1.0));
    }
}

describe! {
    /// A normally distributed number is added to each value.
    Noise = "noise";
    aliases ["gaussian_noise"];
    formula "y = x + σ n";
    settings {
        /// The standard deviation.
        0 as "deviation" ("std", "sigma"): required, Range::NOT_NEGATIVE;
    }
}

impl Augmentation for Noise {
    described!(check);

    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng) {
        picture.values.iter_mut().for_each(|value| *value += (rng.normal() * self.0) as f32);
    }
}
