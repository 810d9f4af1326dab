//! Loops over many numbers, compiled for the CPU at hand (see [`isa`](crate::isa)).
//!
//! Each function takes the arithmetic as a closure on single numbers, and runs it on many at a time. Mark
//! the closure `#[inline(always)]`, or a long one will be called once per number:
//!
//! ```
//! use chainrule_tensor::vector;
//! use ndarray::array;
//! let x = array![[-1.0f32, 2.0], [3.0, -4.0]];
//! let mut y = x.clone();
//! vector::map(x.view(), y.view_mut(), #[inline(always)] |x| x.max(0.0));
//! assert_eq!(y, array![[0.0, 2.0], [3.0, 0.0]]);
//! ```
//!
//! Views may be strided; rows whose columns lie side by side are fast. Sums add 16 interleaved parts in a
//! fixed order, so that a result is the same on every CPU.

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Zip};

use crate::Real;
use crate::isa::{Kernel, run};

/// How many parts a sum is kept in: one AVX-512 register of `f32`.
const LANES: usize = 16;

struct Map<'a, T, const N: usize, F> {
    inputs: [&'a [T]; N],
    output: &'a mut [T],
    f: F,
}

impl<T: Real, const N: usize, F: Fn([T; N]) -> T> Kernel for Map<'_, T, N, F> {
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

/// Runs a [`Map`] over views: at once if all lie in memory alike, else row by row, else value by value.
#[inline(always)]
fn map_views<T: Real, const N: usize>(
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
                run(Map { inputs: flat.map(|row| row.expect("just looked")), output, f });
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
        |[x]| f(x),
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
        |[a, b]| f(a, b),
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
        |[a, b, c]| f(a, b, c),
    );
}

struct Apply<'a, T, F> {
    values: &'a mut [T],
    f: F,
}

impl<T: Real, F: Fn(T) -> T> Kernel for Apply<'_, T, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for value in self.values {
            *value = (self.f)(*value);
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

struct Update<'a, T, const N: usize, F> {
    params: &'a mut [T],
    grads: &'a [T],
    state: [&'a mut [T]; N],
    f: F,
}

impl<T: Real, const N: usize, F: Fn(T, T, [T; N]) -> (T, [T; N])> Kernel for Update<'_, T, N, F> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { params, grads, state, f } = self;
        let n = params.len();
        let grads = &grads[..n];
        let mut state = state.map(|slot| &mut slot[..n]);
        for i in 0..n {
            let (value, slots) = f(params[i], grads[i], state.each_ref().map(|slot| slot[i]));
            params[i] = value;
            for (slot, value) in state.iter_mut().zip(slots) {
                slot[i] = value;
            }
        }
    }
}

/// `(p, s₁, s₂, ...) = f(p, g, [s₁, s₂, ...])` for every parameter `p` with its gradient `g` and its `N`
/// slots of state, in one pass: the inner loop of an optimizer.
///
/// # Panics
///
/// If the gradients or a slot are shorter than the parameters.
#[inline]
pub fn update<T: Real, const N: usize>(
    params: &mut [T],
    grads: &[T],
    state: [&mut [T]; N],
    f: impl Fn(T, T, [T; N]) -> (T, [T; N]),
) {
    run(Update { params, grads, state, f });
}

struct Fold<'a, T, F> {
    values: &'a [T],
    f: F,
}

impl<T: Real, F: Fn(T, T) -> T> Kernel for Fold<'_, T, F> {
    type Output = [T; LANES];
    #[inline(always)]
    fn run(self) -> [T; LANES] {
        let Self { values, f } = self;
        let (chunks, rest) = values.as_chunks::<LANES>();
        // Enough values for one full set of lanes, or `fold` would not have come here.
        let Some((first, chunks)) = chunks.split_first() else { unreachable!("at least LANES values") };
        let mut parts = *first;
        for chunk in chunks {
            for (part, &value) in parts.iter_mut().zip(chunk) {
                *part = f(*part, value);
            }
        }
        for (part, &value) in parts.iter_mut().zip(rest) {
            *part = f(*part, value);
        }
        parts
    }
}

/// Folds with an associative `f`, in 16 interleaved parts; `empty` if there is nothing.
#[inline(always)]
fn fold<T: Real>(values: &[T], empty: T, f: impl Fn(T, T) -> T + Copy) -> T {
    if values.len() < LANES {
        return values.iter().copied().reduce(f).unwrap_or(empty);
    }
    let parts = run(Fold { values, f });
    parts.into_iter().reduce(f).unwrap_or(empty)
}

/// The sum of the values.
#[inline]
pub fn sum<T: Real>(values: &[T]) -> T {
    fold(
        values,
        T::zero(),
        #[inline(always)]
        |a, b| a + b,
    )
}

/// The greatest value, -∞ if there is none. NaN is passed over.
#[inline]
pub fn max<T: Real>(values: &[T]) -> T {
    fold(
        values,
        T::neg_infinity(),
        #[inline(always)]
        |a, b| if b > a { b } else { a },
    )
}

struct SumSquares<'a, T>(&'a [T]);

impl<T: Real> Kernel for SumSquares<'_, T> {
    type Output = f64;
    #[inline(always)]
    fn run(self) -> f64 {
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        let mut parts = [0.0f64; LANES];
        for chunk in chunks {
            for (part, value) in parts.iter_mut().zip(chunk) {
                let value = value.as_f64();
                *part += value * value;
            }
        }
        for (part, value) in parts.iter_mut().zip(rest) {
            let value = value.as_f64();
            *part += value * value;
        }
        parts.iter().sum()
    }
}

/// The sum of the squares, in double precision (no overflow, and no loss over millions of values).
#[inline]
pub fn sum_squares<T: Real>(values: &[T]) -> f64 {
    run(SumSquares(values))
}

/// Adds `x` to each row of `rows`, as many as there are.
struct AddToRows<'a, T> {
    x: &'a [T],
    rows: &'a mut [T],
}

impl<T: Real> Kernel for AddToRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { x, rows } = self;
        for row in rows.chunks_exact_mut(x.len()) {
            for i in 0..x.len() {
                row[i] += x[i];
            }
        }
    }
}

/// `y += x` for a vector `x` and every row of `y`.
///
/// # Panics
///
/// If `x` has not one value for each column of `y`.
#[inline]
pub fn add_to_rows<T: Real>(x: ArrayView1<'_, T>, mut y: ArrayViewMut2<'_, T>) {
    assert_eq!(x.len(), y.ncols(), "one value for each column");
    match (x.as_slice(), y.as_slice_mut()) {
        (Some(x), Some(rows)) if !x.is_empty() => run(AddToRows { x, rows }),
        _ => y.rows_mut().into_iter().for_each(|row| add(x, row)),
    }
}

/// Adds the rows up, onto `sum`.
struct SumRows<'a, T> {
    rows: &'a [T],
    sum: &'a mut [T],
}

impl<T: Real> Kernel for SumRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { rows, sum } = self;
        // A block of columns stays in a register while the rows go by.
        let columns = sum.len();
        let (blocks, rest) = sum.as_chunks_mut::<LANES>();
        let first_of_rest = LANES * blocks.len();
        for (block, sum) in blocks.iter_mut().enumerate() {
            for row in rows.chunks_exact(columns) {
                let row = &row[LANES * block..LANES * (block + 1)];
                for i in 0..LANES {
                    sum[i] += row[i];
                }
            }
        }
        if !rest.is_empty() {
            for row in rows.chunks_exact(columns) {
                let row = &row[first_of_rest..];
                for i in 0..rest.len() {
                    rest[i] += row[i];
                }
            }
        }
    }
}

/// `sum += row` for every row of `x`: the gradient of [`add_to_rows`].
///
/// # Panics
///
/// If `sum` has not one value for each column of `x`.
#[inline]
pub fn sum_rows<T: Real>(x: ArrayView2<'_, T>, mut sum: ArrayViewMut1<'_, T>) {
    assert_eq!(sum.len(), x.ncols(), "one value for each column");
    match (x.as_slice(), sum.as_slice_mut()) {
        (Some(rows), Some(sum)) if !sum.is_empty() => run(SumRows { rows, sum }),
        _ => x.rows().into_iter().for_each(|row| add(row, sum.view_mut())),
    }
}

/// Adds the sum of each chunk of `values` to one of `sums`.
struct SumChunks<'a, T> {
    values: &'a [T],
    sums: &'a mut [T],
}

impl<T: Real> Kernel for SumChunks<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { values, sums } = self;
        let size = values.len() / sums.len();
        for (values, sum) in values.chunks_exact(size).zip(sums) {
            let (chunks, rest) = values.as_chunks::<LANES>();
            let mut parts = [T::zero(); LANES];
            for chunk in chunks {
                for i in 0..LANES {
                    parts[i] += chunk[i];
                }
            }
            for i in 0..rest.len() {
                parts[i] += rest[i];
            }
            let mut half = LANES / 2;
            while half > 0 {
                for i in 0..half {
                    parts[i] += parts[i + half];
                }
                half /= 2;
            }
            *sum += parts[0];
        }
    }
}

/// `sums[i] +=` the sum of the i-th of as many equal chunks of `values` as there are sums: the gradient of a bias for
/// each channel of a sample.
///
/// # Panics
///
/// If the values cannot be cut into so many equal chunks.
#[inline]
pub fn sum_chunks<T: Real>(values: &[T], sums: &mut [T]) {
    let fits = if sums.is_empty() { values.is_empty() } else { values.len().is_multiple_of(sums.len()) };
    assert!(fits, "equal chunks, one for each sum");
    if !values.is_empty() {
        run(SumChunks { values, sums });
    }
}

/// `y += x`.
///
/// # Panics
///
/// If the vectors differ in length.
#[inline]
pub fn add<T: Real>(x: ArrayView1<'_, T>, mut y: ArrayViewMut1<'_, T>) {
    match (x.as_slice(), y.as_slice_mut()) {
        (Some(x), Some(y)) => {
            assert_eq!(x.len(), y.len(), "the vectors have one length");
            update(
                y,
                x,
                [],
                #[inline(always)]
                |y, x, []| (y + x, []),
            );
        }
        _ => Zip::from(&mut y).and(&x).for_each(|y, &x| *y += x),
    }
}

struct FromU8<'a, T> {
    bytes: &'a [u8],
    values: &'a mut [T],
    scale: T,
}

impl<T: Real> Kernel for FromU8<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { bytes, values, scale } = self;
        for (value, &byte) in values.iter_mut().zip(bytes) {
            // Every byte is a number of `T`, so this never falls back.
            *value = T::from(byte).unwrap_or_else(T::nan) * scale;
        }
    }
}

/// `values = bytes * scale`: pixels to numbers.
///
/// # Panics
///
/// If the slices differ in length.
#[inline]
pub fn from_u8<T: Real>(bytes: &[u8], values: &mut [T], scale: T) {
    assert_eq!(bytes.len(), values.len(), "one byte for each value");
    run(FromU8 { bytes, values, scale });
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, s};

    fn matrix(rows: usize, columns: usize) -> Array2<f64> {
        let mut rng = crate::Seed(5).rng();
        Array2::from_shape_simple_fn((rows, columns), || rng.normal())
    }

    #[test]
    fn strided_views_give_what_packed_ones_do() {
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
            apply(z.slice_mut(part), |x| x * 2.0 + 1.0);
            assert_eq!(z.slice(part), right.slice(part));
        }
    }

    #[test]
    fn sums_of_any_length() {
        for n in [0, 1, 15, 16, 17, 100] {
            let x: Vec<f64> = (1..=n).map(f64::from).collect();
            let n = f64::from(n);
            assert_eq!(sum(&x), n * (n + 1.0) / 2.0);
            assert_eq!(sum_squares(&x), n * (n + 1.0) * (2.0 * n + 1.0) / 6.0);
            assert_eq!(max(&x), if n > 0.0 { n } else { f64::NEG_INFINITY });
        }
    }

    #[test]
    fn bias_and_its_gradient() {
        let (x, mut y) = (matrix(1, 21), matrix(5, 42));
        let before = y.clone();
        add_to_rows(x.row(0), y.slice_mut(s![.., ..;2]));
        assert_eq!(y.slice(s![.., ..;2]), &before.slice(s![.., ..;2]) + &x);
        let mut total = ndarray::Array1::<f64>::ones(42);
        sum_rows(y.view(), total.view_mut());
        for (total, column) in total.iter().zip(y.columns()) {
            assert!((total - 1.0 - column.sum()).abs() < 1e-12);
        }
    }

    #[test]
    fn sums_of_chunks() {
        for (chunks, size) in [(1, 1), (3, 7), (2, 16), (5, 45), (4, 0), (0, 0)] {
            let x: Vec<f64> = (0..chunks * size).map(|i| i as f64).collect();
            let mut sums = vec![0.5; chunks];
            sum_chunks(&x, &mut sums);
            let right = x.chunks_exact(size.max(1)).map(|chunk| 0.5 + chunk.iter().sum::<f64>());
            let right: Vec<_> = right.chain(std::iter::repeat(0.5)).take(chunks).collect();
            assert_eq!(sums, right, "{chunks} of {size}");
        }
    }

    #[test]
    fn updates_every_value_once() {
        for n in [0, 3, 16, 37] {
            let g: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let (mut p, mut s, mut t) = (vec![1.0f32; n], vec![2.0f32; n], vec![3.0f32; n]);
            update(&mut p, &g, [&mut s, &mut t], |p, g, [s, t]| (p + g, [s * g, t - g]));
            for i in 0..n {
                assert_eq!((p[i], s[i], t[i]), (1.0 + g[i], 2.0 * g[i], 3.0 - g[i]));
            }
        }
    }

    #[test]
    fn bytes() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut values = vec![0.0f32; 256];
        from_u8(&bytes, &mut values, 1.0 / 255.0);
        assert_eq!(values[0], 0.0);
        assert_eq!(values[255], 1.0);
        assert_eq!(values[51], 51.0 * (1.0 / 255.0));
    }
}
