//! Arithmetic on single numbers, in views: `y = f(x)`, `y = f(y)` and their kin.

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Zip};

use super::update::update;
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

struct Map<'a, T, const N: usize, F> {
    inputs: [&'a [T]; N],
    output: &'a mut [T],
    f: F,
}

impl<T: Real, const N: usize, F: Fn([T; N]) -> T> Loop for Map<'_, T, N, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { inputs, output, f } = self;
        let n = output.len();
        let inputs = inputs.map(|input| &input[..n]);
        for i in 0..n {
            output[i] = f(inputs.map(|input| input[i]));
        }
    }
}

/// `y = f([x₁, x₂, ...])`, number by number: in one loop if all views are contiguous, otherwise row by row, otherwise value
/// by value.
///
/// # Panics
///
/// If the views differ in shape.
#[inline(always)]
pub fn map_views<T: Real, const N: usize>(
    inputs: [ArrayView2<'_, T>; N],
    mut output: ArrayViewMut2<'_, T>,
    f: impl Fn([T; N]) -> T + Copy,
) {
    for input in &inputs {
        assert_eq!(input.dim(), output.dim(), "the views have one shape");
    }
    if output.is_standard_layout() && inputs.iter().all(|input| input.is_standard_layout()) {
        let inputs = inputs.each_ref().map(|input| input.as_slice().expect("it is in standard layout"));
        run(Map { inputs, output: output.as_slice_mut().expect("it is in standard layout"), f });
        return;
    }
    for (row, mut out) in output.rows_mut().into_iter().enumerate() {
        let rows = inputs.each_ref().map(|input| input.row(row));
        let flat = rows.each_ref().map(ArrayView1::to_slice);
        match out.as_slice_mut() {
            Some(output) if flat.iter().all(Option::is_some) => {
                run(Map { inputs: flat.map(|row| row.expect("checked above")), output, f });
            }
            _ => out.indexed_iter_mut().for_each(|(i, y)| *y = f(rows.each_ref().map(|row| row[i]))),
        }
    }
}

/// `y = f(x)`, number by number.
///
/// # Panics
///
/// Here and below: if the views differ in shape.
#[inline]
pub fn map<T: Real>(x: ArrayView2<'_, T>, y: ArrayViewMut2<'_, T>, f: impl Fn(T) -> T + Copy) {
    map_views(
        [x],
        y,
        #[inline(always)]
        move |[x]| f(x),
    );
}

/// `y = f(a, b)`, number by number.
#[inline]
pub fn map2<T: Real>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    y: ArrayViewMut2<'_, T>,
    f: impl Fn(T, T) -> T + Copy,
) {
    map_views(
        [a, b],
        y,
        #[inline(always)]
        move |[a, b]| f(a, b),
    );
}

/// `y = f(a, b, c)`, number by number.
#[inline]
pub fn map3<T: Real>(
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    c: ArrayView2<'_, T>,
    y: ArrayViewMut2<'_, T>,
    f: impl Fn(T, T, T) -> T + Copy,
) {
    map_views(
        [a, b, c],
        y,
        #[inline(always)]
        move |[a, b, c]| f(a, b, c),
    );
}

struct Apply<'a, T, F> {
    values: &'a mut [T],
    f: F,
}

impl<T: Real, F: Fn(T) -> T> Loop for Apply<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for value in self.values {
            *value = (self.f)(*value);
        }
    }
}

struct ApplyViews<'a, T, const N: usize, F> {
    inputs: [&'a [T]; N],
    output: &'a mut [T],
    f: F,
}

impl<T: Real, const N: usize, F: Fn(T, [T; N]) -> T> Loop for ApplyViews<'_, T, N, F> {
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

/// `y = f(y, [x₁, x₂, ...])`, number by number: in one loop if all views are contiguous, otherwise row by row, otherwise value by
/// value.
///
/// # Panics
///
/// If the views differ in shape.
#[inline(always)]
pub fn apply_views<T: Real, const N: usize>(
    inputs: [ArrayView2<'_, T>; N],
    mut output: ArrayViewMut2<'_, T>,
    f: impl Fn(T, [T; N]) -> T + Copy,
) {
    for input in &inputs {
        assert_eq!(input.dim(), output.dim(), "the views have one shape");
    }
    if output.is_standard_layout() && inputs.iter().all(|input| input.is_standard_layout()) {
        let inputs = inputs.each_ref().map(|input| input.as_slice().expect("it is in standard layout"));
        run(ApplyViews { inputs, output: output.as_slice_mut().expect("it is in standard layout"), f });
        return;
    }
    for (row, mut out) in output.rows_mut().into_iter().enumerate() {
        let rows = inputs.each_ref().map(|input| input.row(row));
        let flat = rows.each_ref().map(ArrayView1::to_slice);
        match out.as_slice_mut() {
            Some(output) if flat.iter().all(Option::is_some) => {
                run(ApplyViews { inputs: flat.map(|row| row.expect("checked above")), output, f });
            }
            _ => out.indexed_iter_mut().for_each(|(i, y)| *y = f(*y, rows.each_ref().map(|row| row[i]))),
        }
    }
}

/// `y = f(y)`, number by number.
#[inline]
pub fn apply<T: Real>(mut y: ArrayViewMut2<'_, T>, f: impl Fn(T) -> T + Copy) {
    if let Some(values) = y.as_slice_mut() {
        return run(Apply { values, f });
    }
    for mut row in y.rows_mut() {
        match row.as_slice_mut() {
            Some(values) => run(Apply { values, f }),
            None => row.mapv_inplace(f),
        }
    }
}

/// `y = f(y, x)`, number by number.
#[inline]
pub fn apply2<T: Real>(x: ArrayView2<'_, T>, mut y: ArrayViewMut2<'_, T>, f: impl Fn(T, T) -> T + Copy) {
    assert_eq!(x.dim(), y.dim(), "the views have one shape");
    x.rows().into_iter().zip(y.rows_mut()).for_each(|(x, y)| apply2_row(x, y, f));
}

#[inline(always)]
fn apply2_row<T: Real>(x: ArrayView1<'_, T>, mut y: ArrayViewMut1<'_, T>, f: impl Fn(T, T) -> T + Copy) {
    match (x.as_slice(), y.as_slice_mut()) {
        (Some(x), Some(y)) => update(
            y,
            x,
            [],
            #[inline(always)]
            move |y, x, []| (f(y, x), []),
        ),
        _ => Zip::from(&mut y).and(&x).for_each(|y, &x| *y = f(*y, x)),
    }
}

/// `y += x`, number by number.
#[inline]
pub fn accumulate<T: Real>(x: ArrayView2<'_, T>, y: ArrayViewMut2<'_, T>) {
    apply2(
        x,
        y,
        #[inline(always)]
        |y, x| y + x,
    );
}

/// `v = f(v)`, for each of the values.
#[inline]
pub fn apply_slice<T: Real>(values: &mut [T], f: impl Fn(T) -> T + Copy) {
    run(Apply { values, f });
}

/// `y += x`.
///
/// # Panics
///
/// If the vectors differ in length.
#[inline]
pub fn add<T: Real>(x: ArrayView1<'_, T>, y: ArrayViewMut1<'_, T>) {
    assert_eq!(x.len(), y.len(), "the vectors have one length");
    apply2_row(
        x,
        y,
        #[inline(always)]
        |y, x| y + x,
    );
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
            map(x.slice(part), y.view_mut(), |x| x * 2.0 + 1.0);
            assert_eq!(y, right.slice(part));
            let mut wide = Array2::zeros(x.dim());
            map(x.slice(part), wide.slice_mut(part), |x| x * 2.0 + 1.0);
            assert_eq!(wide.slice(part), right.slice(part));
        }
        let mut y = Array2::zeros((40, 9));
        map2(x.t(), right.t(), y.view_mut(), |a, b| a - b);
        assert_eq!(y, (&x - &right).t());
        map3(x.t(), x.t(), x.t(), y.view_mut(), |a, b, c| a + b + c);
        assert_eq!(y, x.t().mapv(|x| x + x + x));
        for part in [s![.., ..], s![..4, ..5], s![..;2, ..;3]] {
            let mut z = x.clone();
            apply2(right.slice(part), z.slice_mut(part), |z, r| r - z);
            assert_eq!(z.slice(part), (&right - &x).slice(part));
            z.assign(&x);
            apply(z.slice_mut(part), |x| x * 2.0 + 1.0);
            assert_eq!(z.slice(part), right.slice(part));
        }
    }
}
