//! Targets whose type of numbers does not matter, as where they are only checked.

use std::sync::Arc;

/// A target whose numbers are of either type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AnyTargetView<'a> {
    /// The index of the correct class.
    Class(usize),
    /// Values in single precision.
    Single(&'a [f32]),
    /// Values in double precision.
    Double(&'a [f64]),
}

/// A [`Target`](crate::Target) that can be looked at without saying for which type of numbers. A class is a target for both, so
/// that a check of classes would have to be told which one is meant.
///
/// ```
/// use chainrule_tensor::{AnyTarget, AnyTargetView};
/// assert_eq!(7u8.any(), AnyTargetView::Class(7));
/// assert_eq!([0.25f32, 0.75].any(), AnyTargetView::Single(&[0.25, 0.75]));
/// ```
pub trait AnyTarget {
    /// This target, as a class or as values.
    fn any(&self) -> AnyTargetView<'_>;

    /// How much the sample counts in a loss: see [`Target::weight`](crate::Target::weight).
    fn weight(&self) -> f64 {
        1.0
    }
}

impl AnyTarget for () {
    fn any(&self) -> AnyTargetView<'_> {
        AnyTargetView::Double(&[])
    }
}

macro_rules! classes {
    ($($int:ty),*) => {$(
        impl AnyTarget for $int {
            fn any(&self) -> AnyTargetView<'_> {
                AnyTargetView::Class(*self as usize)
            }
        }
    )*};
}
classes!(u8, u16, u32, usize);

macro_rules! values {
    ($($kind:ident: $real:ty),*) => {$(
        impl<const N: usize> AnyTarget for [$real; N] {
            fn any(&self) -> AnyTargetView<'_> {
                AnyTargetView::$kind(self)
            }
        }

        values!($kind: Vec<$real>; Box<[$real]>; Arc<[$real]>);
    )*};
    ($kind:ident: $($vector:ty);*) => {$(
        impl AnyTarget for $vector {
            fn any(&self) -> AnyTargetView<'_> {
                AnyTargetView::$kind(self)
            }
        }
    )*};
}
values!(Single: f32, Double: f64);
