//! Copies of many small rectangles from one slice to another: what im2col and col2im are made of.

use crate::Real;
use crate::isa::{Kernel, run};

/// A rectangle of values that lies in two slices: where it begins in each, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The place of its first value in the one slice.
    pub from: usize,
    /// The place of its first value in the other slice.
    pub to: usize,
    /// How many rows it has.
    pub rows: usize,
    /// How many columns it has.
    pub columns: usize,
}

/// Rectangles with the distances between their values, in values, in both slices. In the slice `to` the columns
/// of a row lie side by side.
///
/// All of it is repeated, as for the channels of an image.
///
/// ```
/// use chainrule_tensor::{Block, Blocks};
/// // Both columns of every other row of a 5 x 2 image.
/// let blocks = [Block { from: 0, to: 0, rows: 3, columns: 2 }];
/// let blocks = Blocks { blocks: &blocks, repeat: 1, from: [10, 4, 1], to: [6, 2] };
/// let (image, mut y) = ([1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0], [0.0; 6]);
/// blocks.copy(&image, &mut y);
/// assert_eq!(y, [1.0, 2.0, 5.0, 6.0, 9.0, 10.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a> {
    /// The rectangles.
    pub blocks: &'a [Block],
    /// How many times all of them are there.
    pub repeat: usize,
    /// From one repetition, one row and one column to the next in the slice `from`.
    pub from: [usize; 3],
    /// From one repetition and one row to the next in the slice `to`.
    pub to: [usize; 2],
}

impl Blocks<'_> {
    /// Copies each rectangle.
    ///
    /// # Panics
    ///
    /// Here and below: if a slice is too short.
    pub fn copy<T: Real>(self, from: &[T], to: &mut [T]) {
        run(Copy { blocks: self, from, to });
    }

    /// The adjoint of [`copy`](Self::copy): adds each rectangle of `to` to its place in `from`.
    pub fn add_back<T: Real>(self, to: &[T], from: &mut [T]) {
        run(AddBack { blocks: self, to, from });
    }

    /// For each row of each rectangle: where it begins in both slices, and how many columns it has.
    #[inline(always)]
    fn rows(self, mut f: impl FnMut(usize, usize, usize)) {
        for repetition in 0..self.repeat {
            let (first_from, first_to) = (repetition * self.from[0], repetition * self.to[0]);
            for &Block { from, to, rows, columns } in self.blocks {
                let (mut from, mut to) = (first_from + from, first_to + to);
                for _ in 0..rows {
                    f(from, to, columns);
                    from += self.from[1];
                    to += self.to[1];
                }
            }
        }
    }
}

struct Copy<'a, T> {
    blocks: Blocks<'a>,
    from: &'a [T],
    to: &'a mut [T],
}

impl<T: Real> Kernel for Copy<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { blocks, from, to } = self;
        match blocks.from[2] {
            1 => blocks.rows(
                #[inline(always)]
                |at, place, columns| copy_row(&from[at..at + columns], &mut to[place..place + columns]),
            ),
            step => blocks.rows(
                #[inline(always)]
                |at, place, columns| {
                    let from = from[at..].iter().step_by(step);
                    to[place..place + columns].iter_mut().zip(from).for_each(|(to, &from)| *to = from);
                },
            ),
        }
    }
}

struct AddBack<'a, T> {
    blocks: Blocks<'a>,
    to: &'a [T],
    from: &'a mut [T],
}

impl<T: Real> Kernel for AddBack<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { blocks, to, from } = self;
        match blocks.from[2] {
            1 => blocks.rows(
                #[inline(always)]
                |at, place, columns| add_row(&to[place..place + columns], &mut from[at..at + columns]),
            ),
            step => blocks.rows(
                #[inline(always)]
                |at, place, columns| {
                    let from = from[at..].iter_mut().step_by(step);
                    to[place..place + columns].iter().zip(from).for_each(|(&to, from)| *from += to);
                },
            ),
        }
    }
}

/// Copies a row in a few wide moves; a call of `memcpy` takes longer than most rows are.
#[inline(always)]
fn copy_row<T: Real>(from: &[T], to: &mut [T]) {
    /// The last `N` values, of which some may have been copied before.
    #[inline(always)]
    fn last<T: Real, const N: usize>(from: &[T], to: &mut [T]) -> bool {
        match (from.last_chunk::<N>(), to.last_chunk_mut::<N>()) {
            (Some(from), Some(to)) => *to = *from,
            _ => return false,
        }
        true
    }
    /// Half of what is left from the front, and as many from the back.
    #[inline(always)]
    fn both<T: Real, const N: usize>(from: &[T], to: &mut [T]) -> bool {
        if let (Some(from), Some(to)) = (from.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
            *to = *from;
        }
        last::<T, N>(from, to)
    }
    for (from, to) in from.as_chunks::<16>().0.iter().zip(to.as_chunks_mut::<16>().0) {
        *to = *from;
    }
    let _ = last::<T, 16>(from, to)
        || both::<T, 8>(from, to)
        || both::<T, 4>(from, to)
        || both::<T, 2>(from, to)
        || both::<T, 1>(from, to);
}

/// Adds a row, 16 values at a time as long as there are as many, then 8, and so on.
#[inline(always)]
fn add_row<T: Real>(mut x: &[T], mut y: &mut [T]) {
    #[inline(always)]
    fn part<'x, 'y, T: Real, const N: usize>(x: &'x [T], y: &'y mut [T]) -> (&'x [T], &'y mut [T]) {
        let (x, rest) = x.as_chunks::<N>();
        let (y, rest_of_y) = y.as_chunks_mut::<N>();
        for (x, y) in x.iter().zip(y) {
            // All are read before one is written, so that it does not matter whether they overlap.
            let sums: [T; N] = std::array::from_fn(|i| y[i] + x[i]);
            *y = sums;
        }
        (rest, rest_of_y)
    }
    (x, y) = part::<T, 16>(x, y);
    (x, y) = part::<T, 8>(x, y);
    (x, y) = part::<T, 4>(x, y);
    (x, y) = part::<T, 2>(x, y);
    part::<T, 1>(x, y);
}
