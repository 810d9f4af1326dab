//! Rotation, shift, scale and shear.

use chainrule_tensor::Rng;

use super::{AugmentError, Augmentation, Picture, check_setting};

/// A random affine map of the plane around the middle of the picture, as `RandomAffine` of torchvision.
///
/// `p' = R(θ) H(φ) s (p - m) + m + t`, with the rotation R, the shear H, the scale s, the shift t and the middle m. A value of the new
/// picture is interpolated between the four values around the position that it comes from; what comes from beyond the border is
/// the [fill](Self::fill). All parts are drawn evenly, and interpolated once.
#[derive(Clone, Copy, Debug)]
pub struct RandomAffine {
    degrees: f64,
    shift: [f64; 2],
    scale: [f64; 2],
    shear: f64,
    fill: f64,
}

impl Default for RandomAffine {
    fn default() -> Self {
        Self { degrees: 0.0, shift: [0.0; 2], scale: [1.0; 2], shear: 0.0, fill: 0.0 }
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
        Self { degrees, ..self }
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
    fn check(&self) -> Result<(), AugmentError> {
        let Self { degrees, shift: [down, right], scale: [low, high], shear, fill } = *self;
        let check = |setting, value: f64, is_allowed, allowed| {
            check_setting(("RandomAffine", setting), value, is_allowed, allowed)
        };
        let not_negative = |value: f64| value >= 0.0 && value.is_finite();
        let words = "a finite number of at least 0";
        check("rotate", degrees, not_negative(degrees), words)?;
        check("shift of the height", down, not_negative(down), words)?;
        check("shift of the width", right, not_negative(right), words)?;
        check("scale", low, low > 0.0 && low.is_finite(), "above 0, and finite")?;
        check("scale", high, high >= low && high.is_finite(), "finite, and at least the lower one")?;
        check("shear", shear, (0.0..90.0).contains(&shear), "from 0 to less than 90 degrees")?;
        check("fill", fill, fill.is_finite(), "a finite number")
    }

    fn apply(&self, picture: &mut Picture<'_>, rng: &mut Rng) {
        let Self { degrees, shift, scale, shear, fill } = *self;
        let [_, height, width] = picture.size;
        let mut draw = |most: f64| rng.between(-most, most);
        let (sin, cos) = draw(degrees).to_radians().sin_cos();
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
                for (column, to) in to.iter_mut().enumerate() {
                    let x = column as f64 - middle[1] - right;
                    let source = [yx * x + yy * y + middle[0], xx * x + xy * y + middle[1]];
                    *to = interpolated(from, [height, width], source, fill);
                }
            }
        });
    }
}

/// The value at a position, between the four around it.
fn interpolated(plane: &[f32], [height, width]: [usize; 2], [y, x]: [f64; 2], fill: f32) -> f32 {
    let (top, left) = (y.floor(), x.floor());
    let [down, right] = [(y - top) as f32, (x - left) as f32];
    let value = |row: f64, column: f64| {
        let inside = row >= 0.0 && column >= 0.0 && row < height as f64 && column < width as f64;
        if inside { plane[row as usize * width + column as usize] } else { fill }
    };
    let upper = value(top, left) * (1.0 - right) + value(top, left + 1.0) * right;
    let lower = value(top + 1.0, left) * (1.0 - right) + value(top + 1.0, left + 1.0) * right;
    upper * (1.0 - down) + lower * down
}
