//! What a row of the output is to become.

/// A target as a loss or a metric reads it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted<'a, T> {
    /// The index of the right class: short for the vector with a 1 there and 0 elsewhere.
    Class(usize),
    /// One value for each column of the output.
    Values(&'a [T]),
}

impl<T: crate::Real> Wanted<'_, T> {
    /// The wanted value of one column: an entry of the vector, or of the one-hot vector of the class.
    #[inline]
    pub fn at(&self, column: usize) -> T {
        match *self {
            Wanted::Class(class) => {
                if class == column {
                    T::one()
                } else {
                    T::zero()
                }
            }
            Wanted::Values(values) => values[column],
        }
    }
}

/// A target of one sample: an integer is a class, a slice of numbers a vector of values.
///
/// ```
/// use chainrule_tensor::{Target, Wanted};
/// assert_eq!(Target::<f32>::wanted(&7u8), Wanted::Class(7));
/// assert_eq!([0.25f32, 0.75].wanted(), Wanted::Values(&[0.25, 0.75]));
/// ```
pub trait Target<T> {
    /// This target as a class or as values.
    fn wanted(&self) -> Wanted<'_, T>;
}

macro_rules! classes {
    ($($int:ty),*) => {$(
        impl<T: crate::Real> Target<T> for $int {
            #[inline]
            fn wanted(&self) -> Wanted<'_, T> {
                Wanted::Class(*self as usize)
            }
        }
    )*};
}
classes!(u8, u16, u32, usize);

impl<T, const N: usize> Target<T> for [T; N] {
    #[inline]
    fn wanted(&self) -> Wanted<'_, T> {
        Wanted::Values(self)
    }
}

macro_rules! values {
    ($($vector:ty),*) => {$(
        impl<T> Target<T> for $vector {
            #[inline]
            fn wanted(&self) -> Wanted<'_, T> {
                Wanted::Values(self)
            }
        }
    )*};
}
values!(Vec<T>, Box<[T]>, std::sync::Arc<[T]>);
