//! Rotation, shift, scale and shear.

use chainrule_core::{Described, Range, SettingError, describe, described};
use chainrule_tensor::Rng;

use super::interpolated::{between_four, columns_inside, interpolated};
use super::{Augmentation, Picture};

/// A random affine map of the plane around the middle of the picture, as `RandomAffine` of torchvision.
///
/// `p' = R(θ) H(φ) s (p - m) + m + t`, with the rotation R, the shear H, the scale s, the shift t and the middle m. A value of the new
/// picture is interpolated between the four values around the position that it comes from; what comes from beyond the border is
/// the [fill](Self::fill). All parts are drawn evenly, and interpolated once.
#[derive(Clone, Copy, Debug)]
pub struct RandomAffine {
    rotate: f64,
    shift: [f64; 2],
    scale: [f64; 2],
    shear: f64,
    fill: f64,
}

describe! {
    /// A picture that is turned, shifted, scaled and sheared at random, around its middle.
    RandomAffine = "random_affine";
    aliases ["affine"];
    formula "p' = R(θ) H(φ) s (p - m) + m + t";
    source "RandomAffine of torchvision";
    settings {
        /// It is turned by up to this many degrees in either direction.
        rotate ("degrees", "rotation"): 0, Range::NOT_NEGATIVE;
        /// It is shifted by up to these shares of its height and width, one number for both.
        shift ("translate"): 0, Range::NOT_NEGATIVE;
        /// It is scaled by a factor between these.
        scale ("zoom"): 1, Range::POSITIVE;
        /// It is sheared along its width by up to this many degrees, less than 90.
        shear: 0, Range::between(0.0, 90.0, "from 0 to less than 90 degrees").without_high();
        /// What is beyond its border.
        fill: 0, Range::FINITE;
    }
}

impl Default for RandomAffine {
    fn default() -> Self {
        Self { rotate: 0.0, shift: [0.0; 2], scale: [1.0; 2], shear: 0.0, fill: 0.0 }
    }
}

impl RandomAffine {
    /// The map that changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Turns by up to this many degrees in either direction.
    #[must_use]
    pub fn rotate(self, degrees: f64) -> Self {
        Self { rotate: degrees, ..self }
    }

    /// Shifts by up to this share of the height and of the width in either direction.
    #[must_use]
    pub fn shift(self, share: f64) -> Self {
        Self { shift: [share; 2], ..self }
    }

    /// Shifts by up to these shares of the height and of the width.
    #[must_use]
    pub fn shift_by(self, height: f64, width: f64) -> Self {
        Self { shift: [height, width], ..self }
    }

    /// Scales by a factor between these; above 1 the picture gets larger.
    #[must_use]
    pub fn scale(self, low: f64, high: f64) -> Self {
        Self { scale: [low, high], ..self }
    }

    /// Shears along the width by up to this many degrees in either direction, less than 90.
    #[must_use]
    pub fn shear(self, degrees: f64) -> Self {
        Self { shear: degrees, ..self }
    }

    /// What is beyond the border of the picture; 0 by default.
    #[must_use]
    pub fn fill(self, value: f64) -> Self {
        Self { fill: value, ..self }
    }
}

impl Augmentation for RandomAffine {
    described!();

    fn check(&self) -> Result<(), SettingError> {
        self.check_ranges()?;
        let [low, high] = self.scale;
        let conflict = "the first of the two factors of scale is the smaller one: swap them";
        if low <= high { Ok(()) } else { Err(SettingError::Conflict { owner: "RandomAffine", conflict }) }
    }

    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng) {
        let Self { rotate, shift, scale, shear, fill } = *self;
        let [_, height, width] = picture.size;
        let mut draw = |most: f64| rng.between(-most, most);
        let (sin, cos) = draw(rotate).to_radians().sin_cos();
        let slope = draw(shear).to_radians().tan();
        let [down, right] = [draw(shift[0]) * height as f64, draw(shift[1]) * width as f64];
        let s = rng.between(scale[0], scale[1]);
        // The inverse of the map: H⁻¹ R⁻¹ / s, for columns x and rows y.
        let [xx, xy] = [(cos + slope * sin) / s, (sin - slope * cos) / s];
        let [yx, yy] = [-sin / s, cos / s];
        let middle = [(height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0];
        let fill = fill as f32;
        picture.rewrite(|from, to| {
            for (row, to) in to.chunks_exact_mut(width).enumerate() {
                let y = row as f64 - middle[0] - down;
                let [of_y, of_x] = [yy * y, xy * y];
                let source = |column: usize| {
                    let x = column as f64 - middle[1] - right;
                    [yx * x + of_y + middle[0], xx * x + of_x + middle[1]]
                };
                let inside = columns_inside([height, width], source);
                let beyond = (0..inside.start).chain(inside.end..width);
                beyond.for_each(|column| {
                    to[column] = interpolated(from, [height, width], source(column), fill)
                });
                let positions = inside.clone().map(source);
                to[inside].iter_mut().zip(positions).for_each(|(to, position)| {
                    *to = between_four(from, width, position);
                });
            }
        });
    }
}
