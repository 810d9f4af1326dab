//! Arithmetic on views, number by number: `y = f(x)` and `y = f(y, x)`.

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis, Zip};

use super::each::each;
use super::operands::{at, part};
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

/// The maximum number of values that are copied at once where columns are not contiguous.
const COPIED: usize = 32;

struct Apply<'a, T, const N: usize, F> {
    inputs: [&'a [T]; N],
    output: &'a mut [T],
    f: F,
}

impl<T: Real, const N: usize, F: Fn(T, [T; N]) -> T> Loop for Apply<'_, T, N, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { inputs, output, f } = self;
        let inputs = part(inputs, 0..output.len());
        for (i, y) in output.iter_mut().enumerate() {
            *y = f(*y, at(&inputs, i));
        }
    }
}

/// `y = f(y, [x₁, x₂, ...])`, number by number. See [`apply!`](crate::apply!).
///
/// It is one loop if all views are contiguous, otherwise a loop for each row with contiguous columns.
///
/// # Panics
///
/// If the views differ in shape.
#[inline(always)]
pub fn apply<T: Real, const N: usize>(
    inputs: [ArrayView2<'_, T>; N],
    output: ArrayViewMut2<'_, T>,
    f: impl Fn(T, [T; N]) -> T + Copy,
) {
    let mut loop_over = |inputs: [&[T]; N], output: &mut [T]| run(Apply { inputs, output, f });
    for_each_run(&inputs, output, &mut loop_over);
}

/// A loop over a slice of each input and one of the output.
type Run<'a, T, const N: usize> = dyn FnMut([&[T]; N], &mut [T]) + 'a;

/// Calls `f` for slices that together hold all numbers: all at once, row by row, or a few copied numbers of a row, where its columns
/// are not contiguous. It knows no formula, so it is compiled once and not for each.
fn for_each_run<T: Real, const N: usize>(
    inputs: &[ArrayView2<'_, T>; N],
    mut output: ArrayViewMut2<'_, T>,
    f: &mut Run<'_, T, N>,
) {
    same_shape(inputs, output.dim());
    if let (Some(inputs), Some(output)) = (slices(inputs), output.as_slice_mut()) {
        return f(inputs, output);
    }
    let (rows, columns) = output.dim();
    for row in 0..rows {
        if let (Some(inputs), Some(output)) = (row_slices(inputs, row), output.row_mut(row).as_slice_mut()) {
            f(inputs, output);
            continue;
        }
        for start in (0..columns).step_by(COPIED) {
            let count = COPIED.min(columns - start);
            let copied = inputs.map(|input| copy(input, [row, start], count));
            let mut results = copy(output.view(), [row, start], count);
            f(copied.each_ref().map(|numbers| &numbers[..count]), &mut results[..count]);
            for (i, &number) in results[..count].iter().enumerate() {
                output[[row, start + i]] = number;
            }
        }
    }
}

/// `count` numbers of a row, from an index on.
fn copy<T: Real>(view: ArrayView2<'_, T>, [row, start]: [usize; 2], count: usize) -> [T; COPIED] {
    let mut numbers = [T::zero(); COPIED];
    for (i, number) in numbers[..count].iter_mut().enumerate() {
        *number = view[[row, start + i]];
    }
    numbers
}

fn same_shape<T>(inputs: &[ArrayView2<'_, T>], shape: (usize, usize)) {
    for input in inputs {
        assert_eq!(input.dim(), shape, "the views have one shape");
    }
}

/// The numbers of all inputs, if those of each follow each other in memory.
fn slices<'a, T, const N: usize>(inputs: &'a [ArrayView2<'_, T>; N]) -> Option<[&'a [T]; N]> {
    let mut slices = [&[][..]; N];
    for (slice, input) in slices.iter_mut().zip(inputs) {
        *slice = input.as_slice()?;
    }
    Some(slices)
}

/// Those of a row.
fn row_slices<'a, T, const N: usize>(inputs: &'a [ArrayView2<'_, T>; N], row: usize) -> Option<[&'a [T]; N]> {
    let mut slices = [&[][..]; N];
    for (slice, input) in slices.iter_mut().zip(inputs) {
        *slice = input.index_axis(Axis(0), row).to_slice()?;
    }
    Some(slices)
}

/// `y = f([x₁, x₂, ...])`, number by number: [`apply()`] without what `y` held. See [`map!`](crate::map!).
///
/// # Panics
///
/// If the views differ in shape.
#[inline(always)]
pub fn map<T: Real, const N: usize>(
    inputs: [ArrayView2<'_, T>; N],
    output: ArrayViewMut2<'_, T>,
    f: impl Fn([T; N]) -> T + Copy,
) {
    apply(
        inputs,
        output,
        #[inline(always)]
        move |_, inputs| f(inputs),
    );
}

/// `y += x`, number by number.
///
/// # Panics
///
/// If the views differ in shape.
#[inline]
pub fn accumulate<T: Real>(x: ArrayView2<'_, T>, y: ArrayViewMut2<'_, T>) {
    apply(
        [x],
        y,
        #[inline(always)]
        |y, [x]| y + x,
    );
}

/// `y += x`, for vectors.
///
/// # Panics
///
/// If the vectors differ in length.
#[inline]
pub fn add<T: Real>(x: ArrayView1<'_, T>, mut y: ArrayViewMut1<'_, T>) {
    assert_eq!(x.len(), y.len(), "the vectors have one length");
    match (x.as_slice(), y.as_slice_mut()) {
        (Some(x), Some(y)) => each(
            [x],
            [y],
            #[inline(always)]
            |[x], [y]| [y + x],
        ),
        _ => Zip::from(&mut y).and(&x).for_each(|y, &x| *y += x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::random_matrix::random_matrix as matrix;
    use ndarray::{Array2, s};

    #[test]
    fn strided_views_give_the_results_of_packed_ones() {
        let x = matrix(9, 40);
        let right = x.mapv(|x| x * 2.0 + 1.0);
        for (rows, columns, step) in [(9, 40, 1), (4, 33, 1), (9, 7, 3)] {
            let part = s![..rows, ..columns * step;step];
            let mut y = Array2::zeros((rows, columns));
            map([x.slice(part)], y.view_mut(), |[x]| x * 2.0 + 1.0);
            assert_eq!(y, right.slice(part));
            let mut wide = Array2::zeros(x.dim());
            map([x.slice(part)], wide.slice_mut(part), |[x]| x * 2.0 + 1.0);
            assert_eq!(wide.slice(part), right.slice(part));
        }
        let mut y = Array2::zeros((40, 9));
        map([x.t(), right.t()], y.view_mut(), |[a, b]| a - b);
        assert_eq!(y, (&x - &right).t());
        map([x.t(), x.t(), x.t()], y.view_mut(), |[a, b, c]| a + b + c);
        assert_eq!(y, x.t().mapv(|x| x + x + x));
        for part in [s![.., ..], s![..4, ..5], s![..;2, ..;3]] {
            let mut z = x.clone();
            apply([right.slice(part)], z.slice_mut(part), |z, [r]| r - z);
            assert_eq!(z.slice(part), (&right - &x).slice(part));
            z.assign(&x);
            apply([], z.slice_mut(part), |x, []| x * 2.0 + 1.0);
            assert_eq!(z.slice(part), right.slice(part));
        }
    }
}
