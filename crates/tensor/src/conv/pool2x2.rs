//! Pooling of adjacent squares of two by two values, with stride 2.
//!
//! Most pooling layers halve an image. These loops take four values at a time from whole batches of planes, and are compiled for
//! this CPU as those of [`vector`](crate::vector) are.

use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

/// The size of planes that are stored one after the other. An odd last row or column is in no square.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planes {
    /// How many rows a plane has.
    pub height: usize,
    /// How many columns a plane has.
    pub width: usize,
}

impl Planes {
    /// How many squares fit into a plane.
    pub fn squares(self) -> usize {
        (self.height / 2) * (self.width / 2)
    }
}

struct Forward<'a, T, N, F> {
    planes: Planes,
    x: &'a [T],
    y: &'a mut [T],
    notes: &'a mut [N],
    f: F,
}

impl<T: Real, N: Copy, F: Fn([T; 4]) -> (T, N) + Copy> Loop for Forward<'_, T, N, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { planes: Planes { height, width }, x, y, notes, f } = self;
        let columns = width / 2;
        let squares = height / 2 * columns;
        let outputs = y.chunks_exact_mut(squares).zip(notes.chunks_exact_mut(squares));
        for (x, (y, notes)) in x.chunks_exact(height * width).zip(outputs) {
            let outputs = y.chunks_exact_mut(columns).zip(notes.chunks_exact_mut(columns));
            for (x, (y, notes)) in x.chunks_exact(2 * width).zip(outputs) {
                let (above, below) = (pairs(x, columns), pairs(&x[width..], columns));
                Row { above, below, y, notes, f }.run();
            }
        }
    }
}

/// The first values, two by two.
#[inline(always)]
fn pairs<T>(x: &[T], count: usize) -> &[[T; 2]] {
    &x.as_chunks().0[..count]
}

/// A row of squares.
struct Row<'a, T, N, F> {
    above: &'a [[T; 2]],
    below: &'a [[T; 2]],
    y: &'a mut [T],
    notes: &'a mut [N],
    f: F,
}

impl<T: Real, N: Copy, F: Fn([T; 4]) -> (T, N)> Row<'_, T, N, F> {
    /// A loop over as many squares as fill registers, and the last ones again as a whole register, which is faster than one by one.
    #[inline(always)]
    fn run(mut self) {
        let columns = self.y.len();
        match columns {
            8..16 => {
                self.some::<8>(0);
                self.some::<8>(columns - 8);
            }
            16.. => {
                self.first(columns / 8 * 8);
                if !columns.is_multiple_of(8) {
                    self.some::<8>(columns - 8);
                }
            }
            4.. => {
                self.some::<4>(0);
                self.some::<4>(columns - 4);
            }
            _ => self.first(columns),
        }
    }

    /// The first squares.
    #[inline(always)]
    fn first(&mut self, count: usize) {
        let (above, below) = (&self.above[..count], &self.below[..count]);
        let (y, notes) = (&mut self.y[..count], &mut self.notes[..count]);
        for i in 0..count {
            let ([a, b], [c, d]) = (above[i], below[i]);
            (y[i], notes[i]) = (self.f)([a, b, c, d]);
        }
    }

    /// `W` squares, from `first` on.
    #[inline(always)]
    fn some<const W: usize>(&mut self, first: usize) {
        let (above, below) = (&self.above[first..first + W], &self.below[first..first + W]);
        let (to, to_notes) = (&mut self.y[first..first + W], &mut self.notes[first..first + W]);
        let (mut y, mut notes) = ([T::zero(); W], [to_notes[0]; W]);
        for i in 0..W {
            let ([a, b], [c, d]) = (above[i], below[i]);
            (y[i], notes[i]) = (self.f)([a, b, c, d]);
        }
        to.copy_from_slice(&y);
        to_notes.copy_from_slice(&notes);
    }
}

/// `(y, note) = f([a, b, c, d])` for every square `a b / c d` of the planes of `x`. The notes are for [`backward`].
///
/// # Panics
///
/// If `y` and `notes` do not have one value for each square of the planes of `x`, or if `x` is not a whole number of planes.
pub fn forward<T: Real, N: Copy>(
    planes: Planes,
    x: &[T],
    y: &mut [T],
    notes: &mut [N],
    f: impl Fn([T; 4]) -> (T, N) + Copy,
) {
    assert_eq!(y.len(), notes.len(), "a note for each square");
    if check(planes, x.len(), y.len()) {
        run(Forward { planes, x, y, notes, f });
    }
}

struct Backward<'a, T, N, F> {
    planes: Planes,
    dy: &'a [T],
    notes: &'a [N],
    dx: &'a mut [T],
    f: F,
}

/// One row of `dx`, half of a row of squares, with 0 in an odd last column.
#[inline(always)]
fn half<T: Real, N: Copy>(dy: &[T], notes: &[N], dx: &mut [T], f: impl Fn(T, N) -> [T; 2]) {
    let columns = dy.len();
    let (notes, (covered, rest)) = (&notes[..columns], dx.split_at_mut(2 * columns));
    for i in 0..columns {
        let [left, right] = f(dy[i], notes[i]);
        covered[2 * i] = left;
        covered[2 * i + 1] = right;
    }
    rest.fill(T::zero());
}

impl<T: Real, N: Copy, F: Fn(T, N) -> [T; 4] + Copy> Loop for Backward<'_, T, N, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { planes: Planes { height, width }, dy, notes, dx, f } = self;
        let columns = width / 2;
        let squares = height / 2 * columns;
        let outputs = dy.chunks_exact(squares).zip(notes.chunks_exact(squares));
        for (dx, (dy, notes)) in dx.chunks_exact_mut(height * width).zip(outputs) {
            if !height.is_multiple_of(2) {
                dx[(height - 1) * width..].fill(T::zero());
            }
            let outputs = dy.chunks_exact(columns).zip(notes.chunks_exact(columns));
            for (dx, (dy, notes)) in dx.chunks_exact_mut(2 * width).zip(outputs) {
                // One row after the other: a loop that writes to both would not vectorise, since the compiler does not see that
                // they do not overlap.
                let (above, below) = dx.split_at_mut(width);
                half(
                    dy,
                    notes,
                    above,
                    #[inline(always)]
                    |dy, note| {
                        let [a, b, _, _] = f(dy, note);
                        [a, b]
                    },
                );
                half(
                    dy,
                    notes,
                    below,
                    #[inline(always)]
                    |dy, note| {
                        let [_, _, c, d] = f(dy, note);
                        [c, d]
                    },
                );
            }
        }
    }
}

/// The gradient of [`forward`]: `dx = f(dy, note)` for every square of the planes, and 0 where there is none.
///
/// # Panics
///
/// As [`forward`] does.
pub fn backward<T: Real, N: Copy>(
    planes: Planes,
    dy: &[T],
    notes: &[N],
    dx: &mut [T],
    f: impl Fn(T, N) -> [T; 4] + Copy,
) {
    assert_eq!(dy.len(), notes.len(), "a note for each square");
    if check(planes, dx.len(), dy.len()) {
        run(Backward { planes, dy, notes, dx, f });
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

    /// The sum and the first value of each square, value by value.
    fn slowly(Planes { height, width }: Planes, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let rows = |plane: usize| (0..height / 2).map(move |row| (plane * height + 2 * row) * width);
        let starts = (0..x.len() / (height * width)).flat_map(rows);
        let corners = starts.flat_map(|start| (0..width / 2).map(move |column| start + 2 * column));
        corners.map(|i| (x[i] + x[i + 1] + x[i + width] + x[i + width + 1], x[i])).unzip()
    }

    #[test]
    fn squares_of_even_and_odd_planes() {
        for (count, height, width) in
            [(3, 2, 4), (2, 3, 3), (4, 1, 5), (5, 28, 28), (3, 5, 71), (2, 6, 32), (7, 10, 10), (1, 9, 2)]
        {
            let planes = Planes { height, width };
            let mut rng = crate::seed::Seed(2).rng();
            let x: Vec<f64> = (0..count * height * width).map(|_| rng.normal()).collect();
            let (right, firsts) = slowly(planes, &x);
            let (mut y, mut notes) = (vec![f64::NAN; right.len()], vec![f64::NAN; right.len()]);
            forward(planes, &x, &mut y, &mut notes, |[a, b, c, d]| (a + b + c + d, a));
            assert_eq!((&y, &notes), (&right, &firsts), "{height} {width}");
            let mut dx = vec![f64::NAN; x.len()];
            backward(planes, &y, &notes, &mut dx, |dy, first| [first, 1.0, 2.0, dy]);
            let mut squares = y.iter().zip(&notes);
            for (row, rows) in dx.chunks_exact(height * width).flat_map(|p| p.chunks(2 * width)).enumerate() {
                let (above, below) = rows.split_at(width);
                let covered = if below.is_empty() { 0 } else { width / 2 };
                for column in 0..covered {
                    let (&sum, &first) = squares.next().unwrap();
                    let square = [2 * column, 2 * column + 1].map(|i| [above[i], below[i]]);
                    assert_eq!(square, [[first, 2.0], [1.0, sum]], "{height} {width} {row} {column}");
                }
                assert!(above[2 * covered..].iter().all(|&dx| dx == 0.0), "{height} {width} {row}");
                assert!(below.iter().skip(2 * covered).all(|&dx| dx == 0.0), "{height} {width} {row}");
            }
            assert_eq!(squares.next(), None);
        }
    }

    #[test]
    #[should_panic(expected = "for each square")]
    fn lengths_that_do_not_fit() {
        forward(Planes { height: 2, width: 2 }, &[1.0f32; 4], &mut [0.0; 2], &mut [(); 2], |[a, ..]| (a, ()));
    }
}
