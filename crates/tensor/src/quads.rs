//! Images taken by squares of two by two values.
//!
//! Most pooling layers halve an image. These loops see four values at a time where they lie, in whole batches of
//! planes, and are compiled for the CPU at hand as those of [`vector`](crate::vector) are.

use crate::Real;
use crate::isa::{Kernel, run};

/// The sizes of planes that lie one after the other. An odd last row or column is in no square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planes {
    /// How many rows a plane has.
    pub height: usize,
    /// How many columns.
    pub width: usize,
}

impl Planes {
    /// How many squares fit into a plane.
    pub fn squares(self) -> usize {
        (self.height / 2) * (self.width / 2)
    }
}

struct Fold<'a, T, F> {
    planes: Planes,
    x: &'a [T],
    y: &'a mut [T],
    f: F,
}

impl<T: Real, F: Fn([T; 4]) -> T + Copy> Kernel for Fold<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { planes: Planes { height, width }, x, y, f } = self;
        let columns = width / 2;
        let planes = x.chunks_exact(height * width).zip(y.chunks_exact_mut(height / 2 * columns));
        for (x, y) in planes {
            for (x, y) in x.chunks_exact(2 * width).zip(y.chunks_exact_mut(columns)) {
                let (top, bottom) = (&x[..2 * columns], &x[width..width + 2 * columns]);
                for i in 0..columns {
                    y[i] = f([top[2 * i], top[2 * i + 1], bottom[2 * i], bottom[2 * i + 1]]);
                }
            }
        }
    }
}

/// `y = f([a, b, c, d])` for every square `a b / c d` of the planes of `x`.
///
/// # Panics
///
/// If `y` has not one value for each square of the planes of `x`, or `x` is no whole number of planes.
pub fn fold<T: Real>(planes: Planes, x: &[T], y: &mut [T], f: impl Fn([T; 4]) -> T + Copy) {
    if check(planes, x.len(), y.len()) {
        run(Fold { planes, x, y, f });
    }
}

struct Spread<'a, T, F> {
    planes: Planes,
    x: &'a [T],
    y: [&'a [T]; 2],
    dx: &'a mut [T],
    f: F,
}

impl<T: Real, F: Fn([T; 4], [T; 2]) -> [T; 4] + Copy> Kernel for Spread<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { planes: Planes { height, width }, x, y: [y, dy], dx, f } = self;
        let (columns, size) = (width / 2, height * width);
        let squares = height / 2 * columns;
        let planes = x.chunks_exact(size).zip(dx.chunks_exact_mut(size));
        let outputs = y.chunks_exact(squares).zip(dy.chunks_exact(squares));
        for ((x, dx), (y, dy)) in planes.zip(outputs) {
            if !height.is_multiple_of(2) {
                dx[size - width..].fill(T::zero());
            }
            let rows = x.chunks_exact(2 * width).zip(dx.chunks_exact_mut(2 * width));
            for ((x, dx), (y, dy)) in rows.zip(y.chunks_exact(columns).zip(dy.chunks_exact(columns))) {
                let (top, bottom) = (&x[..2 * columns], &x[width..width + 2 * columns]);
                let (above, below) = dx.split_at_mut(width);
                if !width.is_multiple_of(2) {
                    (above[width - 1], below[width - 1]) = (T::zero(), T::zero());
                }
                let (above, below) = (&mut above[..2 * columns], &mut below[..2 * columns]);
                for i in 0..columns {
                    let square = [top[2 * i], top[2 * i + 1], bottom[2 * i], bottom[2 * i + 1]];
                    let [a, b, c, d] = f(square, [y[i], dy[i]]);
                    (above[2 * i], above[2 * i + 1]) = (a, b);
                    (below[2 * i], below[2 * i + 1]) = (c, d);
                }
            }
        }
    }
}

/// The gradient of [`fold`]: `dx = f([a, b, c, d], [y, dy])` for every square of `x`, and 0 where there is none.
///
/// # Panics
///
/// If `dx` has not as many values as `x`, `dy` not as many as `y`, or as [`fold`] does.
pub fn spread<T: Real>(
    planes: Planes,
    x: &[T],
    y: [&[T]; 2],
    dx: &mut [T],
    f: impl Fn([T; 4], [T; 2]) -> [T; 4] + Copy,
) {
    assert!(dx.len() == x.len() && y[0].len() == y[1].len(), "gradients are as long as their values");
    if check(planes, x.len(), y[0].len()) {
        run(Spread { planes, x, y, dx, f });
    } else {
        dx.fill(T::zero());
    }
}

/// Whether there is any square.
fn check(planes: Planes, inputs: usize, outputs: usize) -> bool {
    let (size, squares) = (planes.height * planes.width, planes.squares());
    let count = inputs.checked_div(size).unwrap_or(0);
    assert!(count * size == inputs && count * squares == outputs, "a value for each square of the planes");
    outputs > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_of_even_and_odd_planes() {
        for (height, width, right) in [
            (2, 4, vec![1.0 + 2.0 + 5.0 + 6.0, 3.0 + 4.0 + 7.0 + 8.0]),
            (3, 3, vec![1.0 + 2.0 + 4.0 + 5.0]),
            (1, 5, vec![]),
        ] {
            let planes = Planes { height, width };
            let plane: Vec<f64> = (1..=height * width).map(|v| v as f64).collect();
            let x = [plane.clone(), plane].concat();
            let mut y = vec![f64::NAN; 2 * right.len()];
            fold(planes, &x, &mut y, |[a, b, c, d]| a + b + c + d);
            assert_eq!(y, [right.clone(), right].concat());
            let mut dx = vec![f64::NAN; x.len()];
            spread(planes, &x, [&y, &y], &mut dx, |[a, b, c, d], [y, dy]| [a, b, c, d + y - dy]);
            let covered = |i: usize| i / width % height < height / 2 * 2 && i % width < width / 2 * 2;
            for (i, (dx, x)) in dx.iter().zip(&x).enumerate() {
                assert_eq!(*dx, if covered(i) { *x } else { 0.0 }, "{height} {width} {i}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "for each square")]
    fn lengths_that_do_not_fit() {
        fold(Planes { height: 2, width: 2 }, &[1.0f32; 4], &mut [0.0; 2], |[a, ..]| a);
    }
}
