//! Copies of many small rectangles from an image to a matrix of patches, and their adjoint.

use crate::real::Real;
use crate::simd::dispatch::{Loop, run};
use crate::simd::operands::Rectangles;

/// Copies each rectangle from an image to a matrix of patches.
///
/// ```
/// use chainrule_tensor::conv::{Rectangle, Rectangles, im2col};
/// // Both columns of every other row of a 5 x 2 image.
/// let rectangles = [Rectangle { image: 0, patches: 0, rows: 3, columns: 2 }];
/// let (image_strides, patch_strides) = ([10, 4, 1], [6, 2]);
/// let rectangles = Rectangles { rectangles: &rectangles, repeat: 1, image_strides, patch_strides };
/// let image = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0];
/// let mut patches = [0.0; 6];
/// im2col(rectangles, &image, &mut patches);
/// assert_eq!(patches, [1.0, 2.0, 5.0, 6.0, 9.0, 10.0]);
/// ```
///
/// # Panics
///
/// If a slice is too short.
pub fn im2col<T: Real>(rectangles: Rectangles<'_>, image: &[T], patches: &mut [T]) {
    rectangles.check(image.len(), patches.len());
    if !T::im2col(rectangles, image, patches) {
        run(Im2col { rectangles, image, patches });
    }
}

/// Adds each rectangle of a matrix of patches to the image: the adjoint of [`im2col`].
///
/// # Panics
///
/// If a slice is too short.
pub fn col2im<T: Real>(rectangles: Rectangles<'_>, patches: &[T], image: &mut [T]) {
    rectangles.check(image.len(), patches.len());
    if !T::col2im(rectangles, patches, image) {
        run(Col2im { rectangles, patches, image });
    }
}

struct Im2col<'a, T> {
    rectangles: Rectangles<'a>,
    image: &'a [T],
    patches: &'a mut [T],
}

impl<T: Real> Loop for Im2col<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { rectangles, image, patches } = self;
        match rectangles.image_strides[2] {
            1 => rectangles.for_each_row(
                #[inline(always)]
                |at, to, columns| copy_row(&image[at..at + columns], &mut patches[to..to + columns]),
            ),
            step => rectangles.for_each_row(
                #[inline(always)]
                |at, to, columns| {
                    let image = image[at..].iter().step_by(step);
                    patches[to..to + columns].iter_mut().zip(image).for_each(|(p, &x)| *p = x);
                },
            ),
        }
    }
}

struct Col2im<'a, T> {
    rectangles: Rectangles<'a>,
    patches: &'a [T],
    image: &'a mut [T],
}

impl<T: Real> Loop for Col2im<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { rectangles, patches, image } = self;
        match rectangles.image_strides[2] {
            1 => rectangles.for_each_row(
                #[inline(always)]
                |to, at, columns| add_row(&patches[at..at + columns], &mut image[to..to + columns]),
            ),
            step => rectangles.for_each_row(
                #[inline(always)]
                |to, at, columns| {
                    let image = image[to..].iter_mut().step_by(step);
                    patches[at..at + columns].iter().zip(image).for_each(|(&p, x)| *x += p);
                },
            ),
        }
    }
}

/// Copies a row in a few wide moves; for most rows a call of `memcpy` takes longer.
#[inline(always)]
fn copy_row<T: Real>(from: &[T], to: &mut [T]) {
    /// The last `N` values, of which some may have been copied already.
    #[inline(always)]
    fn last<T: Real, const N: usize>(from: &[T], to: &mut [T]) -> bool {
        match (from.last_chunk::<N>(), to.last_chunk_mut::<N>()) {
            (Some(from), Some(to)) => *to = *from,
            _ => return false,
        }
        true
    }
    /// Half of the rest from the front, and the other half from the back.
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

/// Adds a row, 16 values at a time as long as there are 16 left, then 8, and so on.
#[inline(always)]
fn add_row<T: Real>(mut x: &[T], mut y: &mut [T]) {
    #[inline(always)]
    fn part<'x, 'y, T: Real, const N: usize>(x: &'x [T], y: &'y mut [T]) -> (&'x [T], &'y mut [T]) {
        let (x, rest) = x.as_chunks::<N>();
        let (y, rest_of_y) = y.as_chunks_mut::<N>();
        for (x, y) in x.iter().zip(y) {
            // All are read before any is written, so that the compiler need not care whether they overlap.
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
    use crate::simd::operands::Rectangle;

    /// Checks both against a loop value by value.
    fn check<T: Real>(rectangles: Rectangles<'_>, image: usize, patches: usize) {
        let mut rng = crate::seed::Seed(3).rng();
        let mut random = |n: usize| -> Vec<T> { (0..n).map(|_| T::of(rng.normal())).collect() };
        let (x, p) = (random(image), random(patches));
        let (mut copied, mut right_copied) = (p.clone(), p.clone());
        let (mut added, mut right_added) = (x.clone(), x.clone());
        let [image_repeat, image_row, step] = rectangles.image_strides;
        let [patch_repeat, patch_row] = rectangles.patch_strides;
        for repetition in 0..rectangles.repeat {
            for rectangle in rectangles.rectangles {
                for row in 0..rectangle.rows {
                    for column in 0..rectangle.columns {
                        let at =
                            rectangle.image + repetition * image_repeat + row * image_row + column * step;
                        let to = rectangle.patches + repetition * patch_repeat + row * patch_row + column;
                        right_copied[to] = x[at];
                        right_added[at] += p[to];
                    }
                }
            }
        }
        im2col(rectangles, &x, &mut copied);
        col2im(rectangles, &p, &mut added);
        let name = format!("{} {rectangles:?}", T::NAME);
        assert_eq!(copied, right_copied, "{name}");
        for (found, right) in added.iter().zip(&right_added) {
            assert!((*found - *right).abs() <= T::of(1e-5) * (T::one() + right.abs()), "{name}");
        }
    }

    #[test]
    fn every_width_and_step() {
        for columns in 1..40 {
            for step in 1..4 {
                // As the neighbouring weights of a kernel have them: the first and the last are shorter, one has fewer rows.
                let row = 42 * step;
                let rectangle =
                    |i: usize, rows, columns| Rectangle { image: i * step, patches: 200 * i, rows, columns };
                let rectangles = [
                    rectangle(0, 4, columns),
                    rectangle(1, 4, columns),
                    rectangle(2, 4, columns.max(3) - 2),
                    rectangle(1, 3, columns),
                    rectangle(2, 1, 1),
                ];
                let (image_strides, patch_strides) = ([4 * row, row, step], [900, 40]);
                let rectangles =
                    Rectangles { rectangles: &rectangles, repeat: 2, image_strides, patch_strides };
                check::<f32>(rectangles, 8 * row, 1800);
                check::<f64>(rectangles, 8 * row, 1800);
            }
        }
    }

    #[test]
    fn rows_that_overlap_or_are_empty() {
        for (rows, columns, row) in [(5, 20, 3), (3, 17, 16), (1, 20, 0), (0, 4, 4), (4, 0, 4), (6, 16, 16)] {
            let rectangle = Rectangle { image: 1, patches: 0, rows, columns };
            let rectangles = [rectangle, Rectangle { patches: 200, ..rectangle }];
            let (image_strides, patch_strides) = ([0, row, 1], [0, 25]);
            let rectangles = Rectangles { rectangles: &rectangles, repeat: 1, image_strides, patch_strides };
            check::<f32>(rectangles, 150, 400);
            check::<f64>(rectangles, 150, 400);
        }
    }

    #[test]
    #[should_panic(expected = "within both slices")]
    fn beyond_the_slices() {
        let rectangles = [Rectangle { image: 0, patches: 0, rows: 2, columns: 3 }];
        let (image_strides, patch_strides) = ([0, 2, 1], [0, 3]);
        let rectangles = Rectangles { rectangles: &rectangles, repeat: 1, image_strides, patch_strides };
        im2col(rectangles, &[0.0f32; 4], &mut [0.0; 6]);
    }
}
