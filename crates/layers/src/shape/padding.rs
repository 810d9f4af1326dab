//! Padding and cropping.

use chainrule_core::{
    Described, DescriptionError, Entry, Label, Plan, SettingValue, Settings, ShapeError, Value, entry,
};
use chainrule_tensor::Shape;

use super::border::{Border, CircularBorder, ConstantBorder, ReflectedBorder, ReplicatedBorder, ZeroBorder};
use super::offsets::Offsets;
use super::rearrangement::{Rearrangement, checked_shape, rearrangement_layer};
use crate::axes::entry_of_axes;

/// How many values are added or removed at both ends of each of `N` spatial axes: one number for all, `[n; N]` for both ends of
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

/// Pads each of the `N` spatial axes of `[channels, axes...]`.
#[derive(Clone, Copy, Debug)]
pub struct Pad<B, const N: usize> {
    border: B,
    sides: [[usize; 2]; N],
}

impl<B: Border, const N: usize> Described for Pad<B, N> {
    const ENTRY: Entry = entry_of_axes::<N>(B::ENTRY, &B::NAMES);

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self { border: B::from_settings(settings)?, sides: settings.get("sides")? })
    }

    fn setting_values(&self) -> Vec<Value> {
        [vec![self.sides.to_value()], self.border.values()].concat()
    }
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
    ZeroPadding1d ZeroPadding2d ZeroPadding3d = ZeroBorder;
    /// Padding with a number, PyTorch's `ConstantPad`.
    ConstantPadding1d ConstantPadding2d ConstantPadding3d = ConstantBorder;
    /// Padding with the reflection of the sample at its border, by less than its size.
    ReflectionPadding1d ReflectionPadding2d ReflectionPadding3d = ReflectedBorder;
    /// Padding with the values at the border.
    ReplicationPadding1d ReplicationPadding2d ReplicationPadding3d = ReplicatedBorder;
    /// Padding with the values of the other end, by at most the size of the sample.
    CircularPadding1d CircularPadding2d CircularPadding3d = CircularBorder;
}

impl<const N: usize> Pad<ConstantBorder, N> {
    /// By this many values, all equal to `value`.
    pub fn new(sides: impl Sides<N>, value: f64) -> Self {
        Self { border: ConstantBorder(value), sides: sides.sides() }
    }
}

macro_rules! new {
    ($($border:ident)*) => {$(
        impl<const N: usize> Pad<$border, N> {
            /// By this many values.
            pub fn new(sides: impl Sides<N>) -> Self {
                Self { border: $border, sides: sides.sides() }
            }
        }
    )*};
}
new!(ZeroBorder ReflectedBorder ReplicatedBorder CircularBorder);

/// Checks that samples have channels and `N` spatial axes.
fn spatial<const N: usize>(input: Shape, plan: &Plan) -> Result<(), ShapeError> {
    if input.len() == N + 1 {
        return Ok(());
    }
    let axes = ["length", "height, width", "depth, height, width"].get(N.wrapping_sub(1)).unwrap_or(&"...");
    Err(plan.error(input, &format!("[channels, {axes}]"), "put Reshape before it"))
}

impl<B: Border, const N: usize> Rearrangement for Pad<B, N> {
    fn label(&self) -> Label {
        let name = format!("{}{N}d", B::PADDING);
        self.border.relabel(Label::of(self).named(name).without("border"))
    }

    fn output_shape(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        spatial::<N>(input, plan)?;
        if self.border.constant().is_nan() {
            let help = "NaN would make everything after it NaN; choose a number";
            return Err(plan.setting_error(input, "a value to pad with", help));
        }
        let mut axes = input.to_vec();
        for (axis, &[before, after]) in axes[1..].iter_mut().zip(&self.sides) {
            let max = self.border.max_padding(*axis);
            if before > max || after > max {
                let help = format!("pad this axis of {axis} by at most {max}");
                return Err(plan.error(input, "samples that are large enough for this padding", &help));
            }
            *axis = axis.checked_add(before).and_then(|axis| axis.checked_add(after)).ok_or_else(|| {
                plan.error(input, "samples whose padded size fits in memory", "choose a smaller padding")
            })?;
        }
        checked_shape(&axes, input, plan)
    }

    fn offsets(&self, input: Shape, output: Shape) -> Offsets {
        Offsets::by_axis(input, output, self.border.constant(), |axis, at| match axis.checked_sub(1) {
            None => Some(at),
            Some(side) => {
                let at = at as isize - self.sides[side][0] as isize;
                self.border.source(at, input[axis] as isize).map(|at| at as usize)
            }
        })
    }
}

rearrangement_layer!([B: Border, const N: usize] Pad<B, N>);

/// Removes values at both ends of each of the `N` spatial axes of `[channels, axes...]`.
#[derive(Clone, Copy, Debug)]
pub struct Cropping<const N: usize> {
    sides: [[usize; 2]; N],
}

impl<const N: usize> Described for Cropping<N> {
    const ENTRY: Entry = entry_of_axes::<N>(
        entry! {
            /// The image without its border.
            Cropping = "cropping";
            settings {
                /// How much is removed: one number, one for each axis, or the number before and that after each axis.
                sides ("cropping"): required;
            }
        },
        &[
            ("Cropping1d", "cropping1d", &[]),
            ("Cropping2d", "cropping2d", &[]),
            ("Cropping3d", "cropping3d", &[]),
        ],
    );

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        settings.get("sides").map(|sides| Self { sides })
    }

    fn setting_values(&self) -> Vec<Value> {
        vec![self.sides.to_value()]
    }
}

/// Cropping of `[channels, length]`.
pub type Cropping1d = Cropping<1>;
/// Cropping of `[channels, height, width]`.
pub type Cropping2d = Cropping<2>;
/// Cropping of `[channels, depth, height, width]`.
pub type Cropping3d = Cropping<3>;

impl<const N: usize> Cropping<N> {
    /// By this many values.
    pub fn new(sides: impl Sides<N>) -> Self {
        Self { sides: sides.sides() }
    }
}

impl<const N: usize> Rearrangement for Cropping<N> {
    fn label(&self) -> Label {
        Label::of(self).named(format!("Cropping{N}d"))
    }

    fn output_shape(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        spatial::<N>(input, plan)?;
        let mut axes = input.to_vec();
        for (axis, &[before, after]) in axes[1..].iter_mut().zip(&self.sides) {
            let rest = axis.checked_sub(before).and_then(|axis| axis.checked_sub(after));
            *axis = rest
                .filter(|&rest| rest > 0)
                .ok_or_else(|| plan.error(input, "samples larger than the cropping", "crop less"))?;
        }
        checked_shape(&axes, input, plan)
    }

    fn offsets(&self, input: Shape, output: Shape) -> Offsets {
        Offsets::by_axis(input, output, 0.0, |axis, at| {
            Some(axis.checked_sub(1).map_or(at, |side| at + self.sides[side][0]))
        })
    }
}

rearrangement_layer!([const N: usize] Cropping<N>);
