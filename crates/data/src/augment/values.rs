//! Changes of the values, wherever they are.

use chainrule_tensor::Rng;

use super::{AugmentError, Augmentation, Picture, check_setting};

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

impl Augmentation for Brightness {
    fn check(&self) -> Result<(), AugmentError> {
        let allowed = (0.0..=1.0).contains(&self.0);
        check_setting(("Brightness", "change"), self.0, allowed, "from 0 to 1")
    }

    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng) {
        let factor = rng.between(1.0 - self.0, 1.0 + self.0).max(0.0) as f32;
        picture.values.iter_mut().for_each(|value| *value = (*value * factor).min(1.0));
    }
}

impl Augmentation for Contrast {
    fn check(&self) -> Result<(), AugmentError> {
        let allowed = (0.0..=1.0).contains(&self.0);
        check_setting(("Contrast", "change"), self.0, allowed, "from 0 to 1")
    }

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

impl Augmentation for Noise {
    fn check(&self) -> Result<(), AugmentError> {
        let allowed = self.0 >= 0.0 && self.0.is_finite();
        check_setting(("Noise", "standard deviation"), self.0, allowed, "a finite number of at least 0")
    }

    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng) {
        picture.values.iter_mut().for_each(|value| *value += (rng.normal() * self.0) as f32);
    }
}
