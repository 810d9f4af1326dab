//! More values around an image, or fewer.

use std::fmt::Debug;

use chainrule_core::{Plan, ShapeError};
use chainrule_tensor::Shape;

use super::moves::{Moves, Runs, moves, shape};

/// How many values are added or cut at both ends of each of `N` spatial axes: one number for all, `[n; N]` for both ends of
/// each axis, or `[[before, after]; N]`.
pub trait Sides<const N: usize> {
    /// The numbers before and after, first axis first.
    fn sides(self) -> [[usize; 2]; N];
}

impl<const N: usize> Sides<N> for usize {
    fn sides(self) -> [[usize; 2]; N] {
        [[self; 2]; N]
    }
}

impl<const N: usize> Sides<N> for [usize; N] {
    fn sides(self) -> [[usize; 2]; N] {
        self.map(|n| [n; 2])
    }
}

impl<const N: usize> Sides<N> for [[usize; 2]; N] {
    fn sides(self) -> [[usize; 2]; N] {
        self
    }
}

/// What stands beyond the border of an axis.
pub trait Border: Clone + Copy + Debug + Send + Sync + 'static {
    /// The value where no input is taken.
    fn constant(self) -> f64 {
        0.0
    }

    /// Which of the `size` inputs of an axis stands at place `at`, counted from the first input; inside it is the place itself.
    fn source(self, at: isize, size: isize) -> Option<isize>;

    /// How far the padding may reach over an axis of this size.
    fn most(self, size: usize) -> usize;
}

/// Zeros.
#[derive(Clone, Copy, Debug)]
pub struct Zeros;

/// The same number everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Filled(f64);

/// The inputs again, mirrored at the first and the last, which stand once: `c b | a b c | b a`.
#[derive(Clone, Copy, Debug)]
pub struct Mirrored;

/// The first and the last input again and again: `a a | a b c | c c`.
#[derive(Clone, Copy, Debug)]
pub struct Repeated;

/// The inputs from the other end: `b c | a b c | a b`.
#[derive(Clone, Copy, Debug)]
pub struct Around;

impl Border for Zeros {
    fn source(self, at: isize, size: isize) -> Option<isize> {
        (0..size).contains(&at).then_some(at)
    }

    fn most(self, _: usize) -> usize {
        isize::MAX as usize / 4
    }
}

impl Border for Filled {
    fn constant(self) -> f64 {
        self.0
    }

    fn source(self, at: isize, size: isize) -> Option<isize> {
        (0..size).contains(&at).then_some(at)
    }

    fn most(self, _: usize) -> usize {
        isize::MAX as usize / 4
    }
}

impl Border for Mirrored {
    fn source(self, at: isize, size: isize) -> Option<isize> {
        let last = size - 1;
        Some(last - (last - at.abs()).abs())
    }

    fn most(self, size: usize) -> usize {
        size.saturating_sub(1)
    }
}

impl Border for Repeated {
    fn source(self, at: isize, size: isize) -> Option<isize> {
        Some(at.clamp(0, size - 1))
    }

    fn most(self, size: usize) -> usize {
        if size == 0 { 0 } else { isize::MAX as usize / 4 }
    }
}

impl Border for Around {
    fn source(self, at: isize, size: isize) -> Option<isize> {
        Some(at.rem_euclid(size))
    }

    fn most(self, size: usize) -> usize {
        size
    }
}

/// Values around samples `[channels, axes...]` with `N` spatial axes.
#[derive(Clone, Copy, Debug)]
pub struct Pad<B, const N: usize> {
    border: B,
    sides: [[usize; 2]; N],
}

macro_rules! paddings {
    ($($(#[$doc:meta])* $one:ident $two:ident $three:ident = $border:ty;)*) => {$(
        $(#[$doc])*
        /// For samples `[channels, length]`.
        pub type $one = Pad<$border, 1>;
        $(#[$doc])*
        /// For samples `[channels, height, width]`.
        pub type $two = Pad<$border, 2>;
        $(#[$doc])*
        /// For samples `[channels, depth, height, width]`.
        pub type $three = Pad<$border, 3>;
    )*};
}

paddings! {
    /// Padding with zeros.
    ZeroPadding1d ZeroPadding2d ZeroPadding3d = Zeros;
    /// Padding with a number, PyTorch's `ConstantPad`.
    ConstantPadding1d ConstantPadding2d ConstantPadding3d = Filled;
    /// Padding with the sample mirrored at its border, by less than its size.
    ReflectionPadding1d ReflectionPadding2d ReflectionPadding3d = Mirrored;
    /// Padding with the values at the border.
    ReplicationPadding1d ReplicationPadding2d ReplicationPadding3d = Repeated;
    /// Padding with the values of the other end, by at most the sample's size.
    CircularPadding1d CircularPadding2d CircularPadding3d = Around;
}

impl<const N: usize> Pad<Filled, N> {
    /// By so many values, which are all this number.
    pub fn new(sides: impl Sides<N>, value: f64) -> Self {
        Self { border: Filled(value), sides: sides.sides() }
    }
}

macro_rules! new {
    ($($border:ident)*) => {$(
        impl<const N: usize> Pad<$border, N> {
            /// By so many values.
            pub fn new(sides: impl Sides<N>) -> Self {
                Self { border: $border, sides: sides.sides() }
            }
        }
    )*};
}
new!(Zeros Mirrored Repeated Around);

/// Checks that samples have channels and `N` more axes.
fn spatial<const N: usize>(input: Shape, plan: &Plan) -> Result<(), ShapeError> {
    if input.len() == N + 1 {
        return Ok(());
    }
    let axes = ["length", "height, width", "depth, height, width"].get(N.wrapping_sub(1)).unwrap_or(&"...");
    Err(plan.error(input, &format!("[channels, {axes}]"), "put Reshape before it"))
}

impl<B: Border, const N: usize> Moves for Pad<B, N> {
    fn output(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        spatial::<N>(input, plan)?;
        let mut axes = input.to_vec();
        for (axis, &[before, after]) in axes[1..].iter_mut().zip(&self.sides) {
            let most = self.border.most(*axis);
            if before > most || after > most {
                let help = format!("pad this axis of {axis} by at most {most}");
                return Err(plan.error(input, "samples that are large enough for such a padding", &help));
            }
            *axis = axis.checked_add(before).and_then(|axis| axis.checked_add(after)).ok_or_else(|| {
                plan.error(input, "samples whose padded axes can be counted", "choose a smaller padding")
            })?;
        }
        shape(&axes, input, plan)
    }

    fn runs(&self, input: Shape, output: Shape) -> Runs {
        Runs::by_axis(input, output, self.border.constant(), |axis, at| match axis.checked_sub(1) {
            None => Some(at),
            Some(side) => {
                let at = at as isize - self.sides[side][0] as isize;
                self.border.source(at, input[axis] as isize).map(|at| at as usize)
            }
        })
    }
}

/// Samples `[channels, axes...]` without so many values at both ends of each of `N` spatial axes.
#[derive(Clone, Copy, Debug)]
pub struct Cropping<const N: usize> {
    sides: [[usize; 2]; N],
}

/// Cropping of `[channels, length]`.
pub type Cropping1d = Cropping<1>;
/// Cropping of `[channels, height, width]`.
pub type Cropping2d = Cropping<2>;
/// Cropping of `[channels, depth, height, width]`.
pub type Cropping3d = Cropping<3>;

impl<const N: usize> Cropping<N> {
    /// By so many values.
    pub fn new(sides: impl Sides<N>) -> Self {
        Self { sides: sides.sides() }
    }
}

impl<const N: usize> Moves for Cropping<N> {
    fn output(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        spatial::<N>(input, plan)?;
        let mut axes = input.to_vec();
        for (axis, &[before, after]) in axes[1..].iter_mut().zip(&self.sides) {
            let left =
                axis.checked_sub(before).and_then(|axis| axis.checked_sub(after)).filter(|&left| left > 0);
            *axis =
                left.ok_or_else(|| plan.error(input, "samples larger than what is cut off", "cut off less"))?;
        }
        shape(&axes, input, plan)
    }

    fn runs(&self, input: Shape, output: Shape) -> Runs {
        Runs::by_axis(input, output, 0.0, |axis, at| {
            Some(axis.checked_sub(1).map_or(at, |side| at + self.sides[side][0]))
        })
    }
}

moves! {
    [B: Border, const N: usize] Pad<B, N>;
    [const N: usize] Cropping<N>;
}
