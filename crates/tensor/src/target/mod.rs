//! Targets: what the output for a sample should be.

mod any;
mod class_target;
mod error;
mod output_target;
mod outputs;
mod weighted;

pub use any::{AnyTarget, AnyTargetView};
pub use class_target::ClassTarget;
pub use error::TargetError;
pub use output_target::OutputTarget;
pub use outputs::Outputs;
pub use weighted::Weighted;

/// A target, as a loss or a metric reads it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TargetView<'a, T> {
    /// The index of the correct class: short for the vector with a 1 at that index and 0 elsewhere.
    Class(usize),
    /// One value for each column of the output.
    Values(&'a [T]),
}

impl<T: crate::real::Real> TargetView<'_, T> {
    /// The target value of one column: an entry of the vector, or of the one-hot vector of the class.
    #[inline]
    pub fn at(&self, column: usize) -> T {
        match *self {
            TargetView::Class(class) => {
                if class == column {
                    T::one()
                } else {
                    T::zero()
                }
            }
            TargetView::Values(values) => values[column],
        }
    }
}

/// The target of one sample: an integer is a class, a slice of numbers is a vector of values, and `()` is a vector of none, for
/// losses that compare outputs with each other. [`Weighted`] adds a weight.
///
/// ```
/// use chainrule_tensor::{Target, TargetView};
/// assert_eq!(Target::<f32>::view(&7u8), TargetView::Class(7));
/// assert_eq!([0.25f32, 0.75].view(), TargetView::Values(&[0.25, 0.75]));
/// ```
pub trait Target<T> {
    /// Whether targets of this type have weights.
    const WEIGHTED: bool = false;

    /// This target, as a class or as values.
    fn view(&self) -> TargetView<'_, T>;

    /// How much the sample counts in a loss.
    #[inline]
    fn weight(&self) -> f64 {
        1.0
    }
}

impl<T> Target<T> for () {
    #[inline]
    fn view(&self) -> TargetView<'_, T> {
        TargetView::Values(&[])
    }
}

macro_rules! classes {
    ($($int:ty),*) => {$(
        impl<T: crate::real::Real> Target<T> for $int {
            #[inline]
            fn view(&self) -> TargetView<'_, T> {
                TargetView::Class(*self as usize)
            }
        }
    )*};
}
classes!(u8, u16, u32, usize);

impl<T, const N: usize> Target<T> for [T; N] {
    #[inline]
    fn view(&self) -> TargetView<'_, T> {
        TargetView::Values(self)
    }
}

macro_rules! values {
    ($($vector:ty),*) => {$(
        impl<T> Target<T> for $vector {
            #[inline]
            fn view(&self) -> TargetView<'_, T> {
                TargetView::Values(self)
            }
        }
    )*};
}
values!(Vec<T>, Box<[T]>, std::sync::Arc<[T]>);

/// The targets of one sample whose output is a sequence: one for each of its steps.
///
/// Vectors, arrays and shared slices implement it; [`SequenceSlice`] is a part of a long sequence that many samples share.
pub trait Steps {
    /// The target of one step.
    type Target;

    /// Whether sequences of this type have weights, apart from those of their steps.
    const WEIGHTED: bool = false;

    /// The targets, in the order of the steps.
    fn steps(&self) -> &[Self::Target];

    /// How much the sequence counts in a loss.
    #[inline]
    fn weight(&self) -> f64 {
        1.0
    }
}

macro_rules! steps {
    ($($vector:ty),*) => {$(
        impl<Y> Steps for $vector {
            type Target = Y;
            #[inline]
            fn steps(&self) -> &[Y] {
                self
            }
        }
    )*};
}
steps!(Vec<Y>, Box<[Y]>, std::sync::Arc<[Y]>);

impl<Y, const N: usize> Steps for [Y; N] {
    type Target = Y;
    #[inline]
    fn steps(&self) -> &[Y] {
        self
    }
}

/// A part of a shared sequence: cloning it does not copy the sequence.
///
/// ```
/// use chainrule_tensor::{SequenceSlice, Steps};
/// let text: std::sync::Arc<[u16]> = vec![5, 6, 7, 8].into();
/// let slice = SequenceSlice::new(text, 1..3).unwrap();
/// assert_eq!(slice.steps(), [6, 7]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceSlice<Y> {
    all: std::sync::Arc<[Y]>,
    /// Within `all`.
    range: std::ops::Range<usize>,
}

impl<Y> SequenceSlice<Y> {
    /// The part of a sequence at these indices; `None` if it does not have them.
    pub fn new(all: std::sync::Arc<[Y]>, range: std::ops::Range<usize>) -> Option<Self> {
        all.get(range.clone())?;
        Some(Self { all, range })
    }
}

impl<Y> Steps for SequenceSlice<Y> {
    type Target = Y;
    #[inline]
    fn steps(&self) -> &[Y] {
        &self.all[self.range.clone()]
    }
}
