//! Arithmetic on views, number by number: `y = f(x)` and `y = f(y, x)`.

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Zip};

use super::each::each;
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

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
        let n = output.len();
        let inputs = inputs.map(|input| &input[..n]);
        for i in 0..n {
            output[i] = f(output[i], inputs.map(|input| input[i]));
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
    mut output: ArrayViewMut2<'_, T>,
    f: impl Fn(T, [T; N]) -> T + Copy,
) {
    for input in &inputs {
        assert_eq!(input.dim(), output.dim(), "the views have one shape");
    }
    if output.is_standard_layout() && inputs.iter().all(|input| input.is_standard_layout()) {
        let inputs = inputs.each_ref().map(|input| input.as_slice().expect("it is in standard layout"));
        run(Apply { inputs, output: output.as_slice_mut().expect("it is in standard layout"), f });
        return;
    }
    for (row, mut out) in output.rows_mut().into_iter().enumerate() {
        let rows = inputs.each_ref().map(|input| input.row(row));
        let flat = rows.each_ref().map(ArrayView1::to_slice);
        match out.as_slice_mut() {
            Some(output) if flat.iter().all(Option::is_some) => {
                run(Apply { inputs: flat.map(|row| row.expect("checked above")), output, f });
            }
            _ => out.indexed_iter_mut().for_each(|(i, y)| *y = f(*y, rows.each_ref().map(|row| row[i]))),
        }
    }
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
