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
        self.check(from.len(), to.len());
        if !T::copy_blocks(self, from, to) {
            run(Copy { blocks: self, from, to });
        }
    }

    /// The adjoint of [`copy`](Self::copy): adds each rectangle of `to` to its place in `from`.
    pub fn add_back<T: Real>(self, to: &[T], from: &mut [T]) {
        self.check(from.len(), to.len());
        if !T::add_blocks_back(self, to, from) {
            run(AddBack { blocks: self, to, from });
        }
    }

    /// That all rectangles are within slices of these lengths.
    fn check(&self, from: usize, to: usize) {
        let end = |first: usize, counts: [usize; 3], steps: [usize; 3]| {
            let mut last = first;
            for (count, step) in counts.into_iter().zip(steps) {
                last = last.checked_add(count.checked_sub(1)?.checked_mul(step)?)?;
            }
            Some(last)
        };
        for block in self.blocks {
            let counts = [self.repeat, block.rows, block.columns];
            if counts.contains(&0) {
                continue;
            }
            let (last_from, last_to) =
                (end(block.from, counts, self.from), end(block.to, counts, [self.to[0], self.to[1], 1]));
            let within = last_from.is_some_and(|last| last < from) && last_to.is_some_and(|last| last < to);
            assert!(within, "every rectangle is within both slices");
        }
    }

    /// For each row of each rectangle: where it begins in both slices, and how many columns it has.
    #[inline(always)]
    fn rows(self, mut f: impl FnMut(usize, usize, usize)) {
        for repetition in 0..self.repeat {
            let (first_from, first_to) = (repetition * self.from[0], repetition * self.to[0]);
            for &Block { from, to, rows, columns } in self.blocks {
                for row in 0..rows {
                    f(first_from + from + row * self.from[1], first_to + to + row * self.to[1], columns);
                }
            }
        }
    }
}

/// The same in single precision for CPUs with AVX-512, where plain loops leave something to be gained.
#[cfg(target_arch = "x86_64")]
pub(crate) mod masked {
    use std::arch::x86_64::*;

    use super::{Block, Blocks};
    use crate::direct::{LANES, mask};
    use crate::isa::{Level, level};

    /// How many rectangles are added at once.
    const MOST: usize = 8;

    /// [`Blocks::copy`] within the slices for every other value of rows, if the CPU suits; else `false`.
    pub(crate) fn copy(blocks: Blocks<'_>, from: &[f32], to: &mut [f32]) -> bool {
        let suits = level() >= Level::Avx512 && blocks.from[2] == 2;
        if suits {
            // SAFETY: the CPU has AVX-512, all rectangles are within the slices, and `to` is borrowed mutably.
            unsafe { copy_every_other(blocks, from.as_ptr(), to.as_mut_ptr()) }
        }
        suits
    }

    /// [`Blocks::add_back`] within the slices for every value of rows or every other, if the CPU suits; else `false`.
    pub(crate) fn add_back(blocks: Blocks<'_>, to: &[f32], from: &mut [f32]) -> bool {
        let [_, row, step] = blocks.from;
        // Rows of a rectangle may overlap in general; these do not.
        let apart = blocks.blocks.iter().all(|block| block.rows <= 1 || block.columns <= row);
        if level() < Level::Avx512 || step > 2 || step == 1 && !apart {
            return false;
        }
        // SAFETY: the CPU has AVX-512, all rectangles are within the slices, and `from` is borrowed mutably.
        unsafe {
            match blocks.from[2] {
                1 => add(blocks, to.as_ptr(), from.as_mut_ptr()),
                _ => add_every_other(blocks, to.as_ptr(), from.as_mut_ptr()),
            }
        }
        true
    }

    /// # Safety
    ///
    /// Here and below: the rectangles are within the slices, and the CPU has AVX-512.
    #[target_feature(enable = "avx512f")]
    unsafe fn copy_every_other(blocks: Blocks<'_>, from: *const f32, to: *mut f32) {
        let even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
        blocks.rows(
            #[inline(always)]
            |at, place, columns| {
                for column in (0..columns).step_by(LANES) {
                    let (left, masks) = (mask(columns - column), masks_of_every_other(columns - column));
                    // SAFETY: the masks leave out what is not in this row.
                    unsafe {
                        let from = from.add(at + 2 * column);
                        let values = _mm512_maskz_loadu_ps(masks[0], from);
                        let more = _mm512_maskz_loadu_ps(masks[1], from.wrapping_add(LANES));
                        let values = _mm512_permutex2var_ps(values, even, more);
                        _mm512_mask_storeu_ps(to.add(place + column), left, values);
                    }
                }
            },
        );
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn add_every_other(blocks: Blocks<'_>, to: *const f32, from: *mut f32) {
        blocks.rows(
            #[inline(always)]
            |at, place, columns| {
                for column in (0..columns).step_by(LANES) {
                    let (left, masks) = (mask(columns - column), masks_of_every_other(columns - column));
                    // SAFETY: the masks leave out what is not in this row.
                    unsafe {
                        let x = _mm512_maskz_loadu_ps(left, to.add(place + column));
                        // Each half of the lanes goes to every other lane of a register.
                        let halves = [x, _mm512_shuffle_f32x4::<0b11_10_11_10>(x, x)];
                        for (i, half) in halves.into_iter().enumerate() {
                            let from = from.wrapping_add(at + 2 * column + i * LANES);
                            let half = _mm512_maskz_expand_ps(0x5555, half);
                            let sum = _mm512_add_ps(_mm512_maskz_loadu_ps(masks[i], from), half);
                            _mm512_mask_storeu_ps(from, masks[i], sum);
                        }
                    }
                }
            },
        );
    }

    /// The lanes of two registers of which every other is one of up to 16 values that are left.
    #[inline(always)]
    fn masks_of_every_other(left: usize) -> [__mmask16; 2] {
        let values = 2 * left.min(LANES) - 1;
        [mask(values) & 0x5555, mask(values.saturating_sub(LANES)) & 0x5555]
    }

    /// Rectangles that go to about the same place, as those of neighbouring weights of a kernel do, are added in
    /// registers, so that each value of `from` is read and written once.
    #[target_feature(enable = "avx512f")]
    unsafe fn add(blocks: Blocks<'_>, to: *const f32, from: *mut f32) {
        for repetition in 0..blocks.repeat {
            let mut rest = blocks.blocks;
            while let [first, others @ ..] = rest {
                // A rectangle without values may lie anywhere.
                if first.rows == 0 || first.columns == 0 {
                    rest = others;
                    continue;
                }
                let (mut begin, mut end) = (first.from, first.from + first.columns);
                // Together, too, no row reaches into the next.
                let near = |block: &&Block| {
                    begin = begin.min(block.from);
                    end = end.max(block.from + block.columns);
                    block.rows == first.rows && block.columns > 0 && end - begin <= blocks.from[1]
                };
                let count = rest.iter().take(MOST).take_while(near).count().max(1);
                let (group, others) = rest.split_at(count);
                rest = others;
                let (at, place) = (repetition * blocks.from[0], repetition * blocks.to[0]);
                // SAFETY: these rectangles are some of those within the slices.
                unsafe { add_group(blocks, group, to.add(place), from.add(at)) }
            }
        }
    }

    /// As many rectangles as `MOST` at most, of the same number of rows, which do not overlap in `from`.
    #[target_feature(enable = "avx512f")]
    unsafe fn add_group(blocks: Blocks<'_>, group: &[Block], to: *const f32, from: *mut f32) {
        let begin = group.iter().map(|block| block.from).min().unwrap_or(0);
        let end = group.iter().map(|block| block.from + block.columns).max().unwrap_or(0);
        for first in (begin..end).step_by(LANES) {
            // Of each rectangle, the lanes that it has here, and where the first lane would be.
            let mut parts = [(0, to); MOST];
            let mut all = 0;
            for (part, block) in parts.iter_mut().zip(group) {
                let lanes = |place: usize| mask_below(place.saturating_sub(first));
                let mask = lanes(block.from + block.columns) & !lanes(block.from);
                *part = (mask, to.wrapping_add(block.to).wrapping_add(first).wrapping_sub(block.from));
                all |= mask;
            }
            // SAFETY: the masks leave out what is in no rectangle, and in which ones it is not.
            let load = |row| unsafe { _mm512_maskz_loadu_ps(all, from.add(first + row * blocks.from[1])) };
            // A row is read before the one above is written: a CPU that sees both registers overlap would wait,
            // though their lanes do not.
            let (rows, mut next) = (group[0].rows, load(0));
            for row in 0..rows {
                let mut sum = next;
                if row + 1 < rows {
                    next = load(row + 1);
                }
                // SAFETY: as above.
                unsafe {
                    for &(mask, to) in &parts[..group.len()] {
                        let to = to.wrapping_add(row * blocks.to[1]);
                        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, to));
                    }
                    _mm512_mask_storeu_ps(from.add(first + row * blocks.from[1]), all, sum);
                }
            }
        }
    }

    /// The lowest `lanes` lanes, or all: none too.
    #[inline(always)]
    fn mask_below(lanes: usize) -> __mmask16 {
        if lanes == 0 { 0 } else { mask(lanes) }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Copies and adds value by value.
    fn check<T: Real>(blocks: Blocks<'_>, from: usize, to: usize) {
        let mut rng = crate::Seed(3).rng();
        let mut random = |n: usize| -> Vec<T> { (0..n).map(|_| T::of(rng.normal())).collect() };
        let (x, y) = (random(from), random(to));
        let (mut copied, mut right_copied) = (y.clone(), y.clone());
        let (mut added, mut right_added) = (x.clone(), x.clone());
        for repetition in 0..blocks.repeat {
            for block in blocks.blocks {
                for row in 0..block.rows {
                    for column in 0..block.columns {
                        let [of_repetition, of_row, step] = blocks.from;
                        let at = block.from + repetition * of_repetition + row * of_row + column * step;
                        let place = block.to + repetition * blocks.to[0] + row * blocks.to[1] + column;
                        right_copied[place] = x[at];
                        right_added[at] += y[place];
                    }
                }
            }
        }
        blocks.copy(&x, &mut copied);
        blocks.add_back(&y, &mut added);
        assert_eq!(copied, right_copied, "{} {blocks:?}", T::NAME);
        for (found, right) in added.iter().zip(&right_added) {
            assert!(
                (*found - *right).abs() <= T::of(1e-5) * (T::one() + right.abs()),
                "{} {blocks:?}",
                T::NAME
            );
        }
    }

    #[test]
    fn every_width_and_step() {
        for columns in 1..40 {
            for step in 1..4 {
                // A kernel's neighbouring places: the first and the last are shorter, and one has fewer rows.
                let row = 42 * step;
                let block = |i: usize, rows, columns| Block { from: i * step, to: 200 * i, rows, columns };
                let blocks = [
                    block(0, 4, columns),
                    block(1, 4, columns),
                    block(2, 4, columns.max(3) - 2),
                    block(1, 3, columns),
                    block(2, 1, 1),
                ];
                let blocks = Blocks { blocks: &blocks, repeat: 2, from: [4 * row, row, step], to: [900, 40] };
                check::<f32>(blocks, 8 * row, 1800);
                check::<f64>(blocks, 8 * row, 1800);
            }
        }
    }

    #[test]
    fn rows_that_overlap_or_are_not_there() {
        for (rows, columns, row) in [(5, 20, 3), (3, 17, 16), (1, 20, 0), (0, 4, 4), (4, 0, 4), (6, 16, 16)] {
            let block = Block { from: 1, to: 0, rows, columns };
            let blocks = [block, Block { to: 200, ..block }];
            let blocks = Blocks { blocks: &blocks, repeat: 1, from: [0, row, 1], to: [0, 25] };
            check::<f32>(blocks, 150, 400);
            check::<f64>(blocks, 150, 400);
        }
    }

    #[test]
    #[should_panic(expected = "within both slices")]
    fn beyond_the_slices() {
        let blocks = [Block { from: 0, to: 0, rows: 2, columns: 3 }];
        Blocks { blocks: &blocks, repeat: 1, from: [0, 2, 1], to: [0, 3] }.copy(&[0.0f32; 4], &mut [0.0; 6]);
    }
}
