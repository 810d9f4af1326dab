//! What a padding adds around an image.

use std::fmt::Debug;

use chainrule_core::{DescriptionError, Entry, Label, Range, Settings, Value, entry};

use crate::axes::NameOfAxes;

/// What the values beyond the border of an axis are.
pub trait Border: Clone + Copy + Debug + Send + Sync + 'static {
    /// The entry of its paddings, but for their names.
    const ENTRY: Entry;

    /// The names of its paddings of one, two and three axes.
    const NAMES: [NameOfAxes; 3];

    /// The border with these settings of a padding.
    ///
    /// # Errors
    ///
    /// [`DescriptionError`] if a value is not of the type of its setting.
    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError>;

    /// The values of its own settings.
    fn values(self) -> Vec<Value> {
        Vec::new()
    }

    /// The start of the names of its paddings.
    const PADDING: &'static str;

    /// Adds the border's settings to the label of its padding.
    fn relabel(self, padding: Label) -> Label {
        padding
    }

    /// The value where there is no input.
    fn constant(self) -> f64 {
        0.0
    }

    /// Which of the `size` inputs of an axis is at the index `at`, relative to the first input; inside it is `at` itself.
    fn source(self, at: isize, size: isize) -> Option<isize>;

    /// The maximum padding of an axis of this size.
    fn max_padding(self, size: usize) -> usize;
}

/// Zeros.
#[derive(Clone, Copy, Debug)]
pub struct ZeroBorder;

/// A constant.
#[derive(Clone, Copy, Debug)]
pub struct ConstantBorder(pub(super) f64);

/// The inputs, reflected at the first and the last, which are not repeated: `c b | a b c | b a`.
#[derive(Clone, Copy, Debug)]
pub struct ReflectedBorder;

/// The first and the last input, repeated: `a a | a b c | c c`.
#[derive(Clone, Copy, Debug)]
pub struct ReplicatedBorder;

/// The inputs from the other end: `b c | a b c | a b`.
#[derive(Clone, Copy, Debug)]
pub struct CircularBorder;

impl Border for ZeroBorder {
    const PADDING: &'static str = "ZeroPadding";
    const ENTRY: Entry = entry! {
        /// Zeros around the image.
        ZeroPadding = "zero_padding";
        settings {
            /// How much is added: one number, one for each axis, or the number before and that after each axis.
            sides ("padding"): required;
        }
    };
    const NAMES: [NameOfAxes; 3] = [
        ("ZeroPadding1d", "zero_padding1d", &["zero_pad1d"]),
        ("ZeroPadding2d", "zero_padding2d", &["zero_pad2d"]),
        ("ZeroPadding3d", "zero_padding3d", &["zero_pad3d"]),
    ];

    fn from_settings(_: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self)
    }

    fn source(self, at: isize, size: isize) -> Option<isize> {
        (0..size).contains(&at).then_some(at)
    }

    fn max_padding(self, _: usize) -> usize {
        isize::MAX as usize / 4
    }
}

impl Border for ConstantBorder {
    const PADDING: &'static str = "ConstantPadding";
    const ENTRY: Entry = entry! {
        /// A constant around the image.
        ConstantPadding = "constant_padding";
        settings {
            /// How much is added: one number, one for each axis, or the number before and that after each axis.
            sides ("padding"): required;
            /// The constant.
            value: 0.0, Range::FINITE;
        }
    };
    const NAMES: [NameOfAxes; 3] = [
        ("ConstantPadding1d", "constant_padding1d", &["constant_pad1d"]),
        ("ConstantPadding2d", "constant_padding2d", &["constant_pad2d"]),
        ("ConstantPadding3d", "constant_padding3d", &["constant_pad3d"]),
    ];

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        settings.get("value").map(Self)
    }

    fn values(self) -> Vec<Value> {
        vec![self.0.into()]
    }

    fn relabel(self, padding: Label) -> Label {
        padding.with("value", self.0)
    }

    fn constant(self) -> f64 {
        self.0
    }

    fn source(self, at: isize, size: isize) -> Option<isize> {
        (0..size).contains(&at).then_some(at)
    }

    fn max_padding(self, _: usize) -> usize {
        isize::MAX as usize / 4
    }
}

impl Border for ReflectedBorder {
    const PADDING: &'static str = "ReflectionPadding";
    const ENTRY: Entry = entry! {
        /// The image around itself, reflected at its first and last values: `c b | a b c | b a`.
        ReflectionPadding = "reflection_padding";
        settings {
            /// How much is added: one number, one for each axis, or the number before and that after each axis.
            sides ("padding"): required;
        }
    };
    const NAMES: [NameOfAxes; 3] = [
        ("ReflectionPadding1d", "reflection_padding1d", &["reflection_pad1d"]),
        ("ReflectionPadding2d", "reflection_padding2d", &["reflection_pad2d"]),
        ("ReflectionPadding3d", "reflection_padding3d", &["reflection_pad3d"]),
    ];

    fn from_settings(_: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self)
    }

    fn source(self, at: isize, size: isize) -> Option<isize> {
        let last = size - 1;
        Some(last - (last - at.abs()).abs())
    }

    fn max_padding(self, size: usize) -> usize {
        size.saturating_sub(1)
    }
}

impl Border for ReplicatedBorder {
    const PADDING: &'static str = "ReplicationPadding";
    const ENTRY: Entry = entry! {
        /// The first and last values of the image around it: `a a | a b c | c c`.
        ReplicationPadding = "replication_padding";
        settings {
            /// How much is added: one number, one for each axis, or the number before and that after each axis.
            sides ("padding"): required;
        }
    };
    const NAMES: [NameOfAxes; 3] = [
        ("ReplicationPadding1d", "replication_padding1d", &["replication_pad1d"]),
        ("ReplicationPadding2d", "replication_padding2d", &["replication_pad2d"]),
        ("ReplicationPadding3d", "replication_padding3d", &["replication_pad3d"]),
    ];

    fn from_settings(_: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self)
    }

    fn source(self, at: isize, size: isize) -> Option<isize> {
        Some(at.clamp(0, size - 1))
    }

    fn max_padding(self, size: usize) -> usize {
        if size == 0 { 0 } else { isize::MAX as usize / 4 }
    }
}

impl Border for CircularBorder {
    const PADDING: &'static str = "CircularPadding";
    const ENTRY: Entry = entry! {
        /// The image around itself, from its other end: `b c | a b c | a b`.
        CircularPadding = "circular_padding";
        settings {
            /// How much is added: one number, one for each axis, or the number before and that after each axis.
            sides ("padding"): required;
        }
    };
    const NAMES: [NameOfAxes; 3] = [
        ("CircularPadding1d", "circular_padding1d", &["circular_pad1d"]),
        ("CircularPadding2d", "circular_padding2d", &["circular_pad2d"]),
        ("CircularPadding3d", "circular_padding3d", &["circular_pad3d"]),
    ];

    fn from_settings(_: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self)
    }

    fn source(self, at: isize, size: isize) -> Option<isize> {
        Some(at.rem_euclid(size))
    }

    fn max_padding(self, size: usize) -> usize {
        size
    }
}
