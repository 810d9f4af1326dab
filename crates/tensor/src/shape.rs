//! The shape of one sample, as a small value that is cheap to copy.

use std::fmt;
use std::ops::Deref;

/// The maximum number of axes of a [`Shape`].
pub const MAX_RANK: usize = 6;

/// The shape of one sample (never of a batch), such as `[28, 28]` or `[channels, height, width]`.
///
/// It dereferences to a slice of its axes. A single number has a shape without axes.
///
/// ```
/// use chainrule_tensor::Shape;
/// let image = Shape::from([1, 28, 28]);
/// assert_eq!(image.size(), 784);
/// assert_eq!(image.to_string(), "[1, 28, 28]");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    axes: [usize; MAX_RANK],
    rank: u8,
}

impl Shape {
    /// The shape with these axes, or `None` if there are more than [`MAX_RANK`], or if the product of those that are not 0
    /// overflows. So the product of any of the axes of a shape does not overflow.
    pub fn new(axes: &[usize]) -> Option<Self> {
        axes.iter().try_fold(1usize, |n, &axis| n.checked_mul(axis.max(1)))?;
        let mut shape = Self { axes: [0; MAX_RANK], rank: u8::try_from(axes.len()).ok()? };
        shape.axes.get_mut(..axes.len())?.copy_from_slice(axes);
        Some(shape)
    }

    /// The number of values in a sample of this shape: the product of the axes.
    pub fn size(&self) -> usize {
        self.iter().product()
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    /// More than [`MAX_RANK`] axes do not compile.
    ///
    /// # Panics
    ///
    /// Where [`Shape::new`] returns `None`.
    fn from(axes: [usize; N]) -> Self {
        const { assert!(N <= MAX_RANK, "a Shape has at most six axes") };
        Self::new(&axes).expect("the product of the axes fits in usize")
    }
}

impl From<usize> for Shape {
    fn from(size: usize) -> Self {
        Self::from([size])
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.axes[..usize::from(self.rank)]
    }
}

impl AsRef<[usize]> for Shape {
    fn as_ref(&self) -> &[usize] {
        self
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_sizes_that_overflow() {
        assert_eq!(Shape::new(&[1; MAX_RANK + 1]), None);
        assert_eq!(Shape::new(&[usize::MAX, 2]), None);
        assert_eq!(Shape::new(&[0, usize::MAX, 2]), None);
        assert_eq!(Shape::new(&[]).map(|s| s.size()), Some(1));
        assert_eq!(Shape::from([3, 0]).size(), 0);
    }
}
