//! What hand-written kernels work on: plain descriptions of memory, and the numbers of a step.

use std::ops::Range;

/// A matrix in a slice of values, whose rows may overlap: row `r * starts.len() + t` is
/// `values[starts[t] + r * pitch..][..columns]`, for each `r` below `rows`.
///
/// This is what a convolution multiplies with. The matrix of all patches of an image ("im2col") has a row for each weight of a
/// kernel, and the rows of neighbouring weights are the same memory, read from another position on: windows of the image that
/// are nowhere copied. So one axis of the kernel takes no copies.
///
/// The products take as long as [`gemm`](crate::gemm()) takes for matrices that have been copied, with AVX2 and with AVX-512, and
/// wherever all products are those of our own kernels. [`is_fast`](Self::is_fast) tells; elsewhere they are correct, but plain loops.
///
/// ```
/// use chainrule_tensor::conv::{ImplicitWindows, Init};
/// use ndarray::array;
/// let signal = [1.0f32, 2.0, 4.0, 8.0];
/// let windows = ImplicitWindows { starts: &[0, 1], rows: 1, pitch: 4, columns: 3 }; // the rows [1, 2, 4] and [2, 4, 8]
/// let mut y = array![[0.0, 0.0, 0.0]];
/// windows.product(array![[-1.0, 1.0]].view(), &signal, Init::Rows(&[0.5]), y.view_mut());
/// assert_eq!(y, array![[1.5, 2.5, 4.5]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ImplicitWindows<'a> {
    /// Where the first rows begin: those with `r = 0`.
    pub starts: &'a [usize],
    /// How many rows there are for each of the starts.
    pub rows: usize,
    /// The distance between two rows of one start: at least `columns`.
    pub pitch: usize,
    /// How many columns the matrix has.
    pub columns: usize,
}

impl ImplicitWindows<'_> {
    /// Where each row begins.
    pub(crate) fn row_starts(&self) -> impl Iterator<Item = usize> {
        let Self { starts, pitch, .. } = *self;
        (0..self.rows).flat_map(move |row| starts.iter().map(move |start| start + row * pitch))
    }

    /// Panics if the matrices of a product `C = A B` do not have shapes that fit, or if a row is not within
    /// this number of values.
    pub(crate) fn check(&self, a: (usize, usize), c: (usize, usize), values: usize) {
        let Self { starts, rows, pitch, columns } = *self;
        assert_eq!((a.1, c), (rows * starts.len(), (a.0, columns)), "the shapes fit");
        assert!(rows <= 1 || pitch >= columns, "the rows of one start do not overlap");
        let rest = rows.saturating_sub(1).checked_mul(pitch).and_then(|last| last.checked_add(columns));
        let end = |&start: &usize| rest.and_then(|rest| rest.checked_add(start));
        let within = |start| end(start).is_some_and(|end| end <= values);
        assert!(starts.iter().all(within), "every row is within the values");
    }
}

/// When our own kernels compute a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Where they are faster than BLAS.
    Faster,
    /// Wherever they can.
    Always,
    /// Wherever they can, and only those that have the same bits on every CPU.
    Portable,
}

/// Which part of the A of a product is used: the rest of it is zeros, which a kernel may leave out.
#[derive(Clone, Copy, Debug)]
pub enum Used<'a> {
    /// All of it.
    All,
    /// These columns.
    Columns(Indices<'a>),
    /// These rows.
    Rows(Indices<'a>),
    /// These columns, in which the values that are not 0 are marked.
    MarkedColumns(Indices<'a>, ColumnMarks<'a>),
    /// These rows, in which few values are not 0: those that are marked. The rows of A are the columns of the marks.
    MarkedRows(Indices<'a>, ColumnMarks<'a>),
}

impl Used<'_> {
    /// The same without the marks.
    pub(crate) fn without_marks(self) -> Self {
        match self {
            Used::MarkedColumns(columns, _) => Used::Columns(columns),
            Used::MarkedRows(rows, _) => Used::Rows(rows),
            _ => self,
        }
    }
}

/// Which values of a matrix are not 0: for each of its columns and each block of up to 32 rows a mask, with a bit for each row.
#[derive(Clone, Copy, Debug)]
pub struct ColumnMarks<'a> {
    /// The masks of all columns, for each of the blocks.
    masks: &'a [u32],
    columns: usize,
    /// How many rows each block has.
    pub(crate) blocks: &'a [usize],
    /// The first column.
    first: usize,
}

impl<'a> ColumnMarks<'a> {
    /// Those of the columns that are a `range` of all `columns`.
    ///
    /// # Panics
    ///
    /// If a block has more than 32 rows, or there are not as many masks.
    pub(crate) fn new(masks: &'a [u32], columns: usize, blocks: &'a [usize], range: Range<usize>) -> Self {
        assert!(masks.len() == columns * blocks.len() && range.end <= columns, "a mask for each column");
        assert!(blocks.iter().all(|&rows| rows <= u32::BITS as usize), "a bit for each row");
        Self { masks, columns, blocks, first: range.start }
    }

    /// The masks of the columns of a block, from the first on.
    #[inline(always)]
    pub(crate) fn of_block(&self, block: usize) -> &'a [u32] {
        &self.masks[block * self.columns + self.first..(block + 1) * self.columns]
    }
}

/// Indices of some rows or columns of a matrix: increasing, and less than their number.
#[derive(Clone, Copy, Debug)]
pub struct Indices<'a> {
    /// Each is larger by `first`.
    indices: &'a [u32],
    first: usize,
}

impl<'a> Indices<'a> {
    /// Those of the rows or columns that are a `range` of all. The indices are increasing, and in the range.
    ///
    /// # Panics
    ///
    /// If they are not.
    pub(crate) fn new(indices: &'a [u32], range: Range<usize>) -> Self {
        let first = range.start;
        let within = |&index: &u32| range.contains(&(index as usize));
        assert!(indices.first().is_none_or(within) && indices.last().is_none_or(within), "in the range");
        debug_assert!(indices.is_sorted_by(|a, b| a < b), "increasing");
        Self { indices, first }
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.indices.len()
    }

    /// The indices within the matrix.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator {
        let first = self.first;
        self.indices.iter().map(move |&index| index as usize - first)
    }

    /// Those of a range.
    pub(crate) fn within(&self, range: Range<usize>) -> Self {
        let from = |at: usize| self.indices.partition_point(|&index| (index as usize) < self.first + at);
        Self { indices: &self.indices[from(range.start)..from(range.end)], first: self.first }
    }

    /// An index within the matrix.
    ///
    /// # Safety
    ///
    /// There are more than `position`.
    #[inline(always)]
    pub(crate) unsafe fn get(&self, position: usize) -> usize {
        // SAFETY: the caller's.
        unsafe { *self.indices.get_unchecked(position) as usize - self.first }
    }
}

/// What a product is added to.
#[derive(Clone, Copy, Debug)]
pub enum Init<'a, T> {
    /// What the output holds.
    Accumulate,
    /// Nothing: the output is overwritten.
    Zeros,
    /// A value for each row: the output is overwritten.
    Rows(&'a [T]),
}

/// A rectangle of values that is stored in two slices, an image and a matrix of patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rectangle {
    /// The index of its first value in the image.
    pub image: usize,
    /// The index of its first value in the patches.
    pub patches: usize,
    /// How many rows it has.
    pub rows: usize,
    /// How many columns it has.
    pub columns: usize,
}

/// Rectangles, with the distances between their values in both slices. In the patches the columns of a row are contiguous.
///
/// All of them are repeated, as for the channels of an image.
#[derive(Clone, Copy, Debug)]
pub struct Rectangles<'a> {
    /// The rectangles.
    pub rectangles: &'a [Rectangle],
    /// How many times all of them are there.
    pub repeat: usize,
    /// From one repetition, one row and one column to the next in the image.
    pub image_strides: [usize; 3],
    /// From one repetition and one row to the next in the patches.
    pub patch_strides: [usize; 2],
}

impl Rectangles<'_> {
    /// Panics if a rectangle is not within slices of these lengths.
    pub(crate) fn check(&self, image: usize, patches: usize) {
        let last = |first: usize, counts: [usize; 3], strides: [usize; 3]| {
            let mut last = first;
            for (count, stride) in counts.into_iter().zip(strides) {
                last = last.checked_add(count.checked_sub(1)?.checked_mul(stride)?)?;
            }
            Some(last)
        };
        let [patch_repeat, patch_row] = self.patch_strides;
        for rectangle in self.rectangles {
            let counts = [self.repeat, rectangle.rows, rectangle.columns];
            if counts.contains(&0) {
                continue;
            }
            let last_in_image = last(rectangle.image, counts, self.image_strides);
            let last_in_patches = last(rectangle.patches, counts, [patch_repeat, patch_row, 1]);
            let within = last_in_image.is_some_and(|last| last < image)
                && last_in_patches.is_some_and(|last| last < patches);
            assert!(within, "every rectangle is within both slices");
        }
    }

    /// Calls `f` for each row of each rectangle: with where it begins in the image and in the patches, and how many columns it
    /// has.
    #[inline(always)]
    pub(crate) fn for_each_row(self, mut f: impl FnMut(usize, usize, usize)) {
        let [image_repeat, image_row, _] = self.image_strides;
        let [patch_repeat, patch_row] = self.patch_strides;
        for repetition in 0..self.repeat {
            let (image_base, patch_base) = (repetition * image_repeat, repetition * patch_repeat);
            for &Rectangle { image, patches, rows, columns } in self.rectangles {
                for row in 0..rows {
                    f(image_base + image + row * image_row, patch_base + patches + row * patch_row, columns);
                }
            }
        }
    }
}

/// The numbers of one step of Adam, the same for all parameters.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep<T> {
    /// The share of the new gradient, and of its square, in the running means: `1 - β₁` and `1 - β₂`.
    pub one_minus_betas: [T; 2],
    /// The learning rate, with the bias corrections of both means.
    pub rate: T,
    /// The smallest denominator, with the bias correction of the second mean.
    pub epsilon: T,
    /// What the parameters are multiplied by first: 1 without weight decay.
    pub shrink: T,
}

/// A matrix and where its transpose goes, both within their slices.
#[doc(hidden)]
#[derive(Debug)]
pub struct Transpose<'a, T> {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) from: &'a [T],
    pub(crate) from_stride: usize,
    pub(crate) to: &'a mut [T],
    pub(crate) to_stride: usize,
}
