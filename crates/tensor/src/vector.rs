//! Loops over many numbers, compiled for the CPU at hand (see [`isa`](crate::isa)).
//!
//! Each function takes the arithmetic as a closure on single numbers, and runs it on many at a time. Mark
//! the closure `#[inline(always)]`, or a long one will be called once per number; and let it `move` what it
//! takes from around it, or that will be read from memory once per number:
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
//! Views may be strided; rows whose columns lie side by side are fast. Sums add 16 or 32 interleaved parts in a
//! fixed order, so that a result is the same on every CPU.

mod softmax;

pub use softmax::{exponentials, log_softmax, log_softmax_gradient, softmax, softmax_gradient};

use std::array::from_fn;

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Zip};

use crate::isa::{Kernel, run};
use crate::{Real, Seed};

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

struct Gates<'a, T, const G: usize, const N: usize, const S: usize, F> {
    units: usize,
    gates: &'a mut [T],
    inputs: [&'a [T]; N],
    state: [&'a mut [T]; S],
    f: F,
}

impl<T: Real, const G: usize, const N: usize, const S: usize, F> Gates<'_, T, G, N, S, F>
where
    F: Fn([T; G], [T; N], [T; S]) -> ([T; G], [T; S]),
{
    /// Some units of a row, from `start` on, up to as many as there are lanes.
    #[inline(always)]
    fn block(&mut self, row: usize, start: usize, count: usize) {
        let Self { units, gates, inputs, state, f } = self;
        let at = row * *units + start;
        let gate = |k: usize| G * row * *units + k * *units + start;
        // Local arrays overlap nothing, which the compiler could not know of so many slices.
        let (mut g, mut n, mut s) =
            ([[T::zero(); LANES]; G], [[T::zero(); LANES]; N], [[T::zero(); LANES]; S]);
        for k in 0..G {
            g[k][..count].copy_from_slice(&gates[gate(k)..][..count]);
        }
        for k in 0..N {
            n[k][..count].copy_from_slice(&inputs[k][at..][..count]);
        }
        for k in 0..S {
            s[k][..count].copy_from_slice(&state[k][at..][..count]);
        }
        for i in 0..LANES {
            let (gate, slot) = f(from_fn(|k| g[k][i]), from_fn(|k| n[k][i]), from_fn(|k| s[k][i]));
            for k in 0..G {
                g[k][i] = gate[k];
            }
            for k in 0..S {
                s[k][i] = slot[k];
            }
        }
        for k in 0..G {
            gates[gate(k)..][..count].copy_from_slice(&g[k][..count]);
        }
        for k in 0..S {
            state[k][at..][..count].copy_from_slice(&s[k][..count]);
        }
    }
}

impl<T: Real, const G: usize, const N: usize, const S: usize, F> Kernel for Gates<'_, T, G, N, S, F>
where
    F: Fn([T; G], [T; N], [T; S]) -> ([T; G], [T; S]),
{
    type Output = ();
    #[inline(always)]
    fn run(mut self) {
        let (units, rest) = (self.units, self.units % LANES);
        for row in 0..self.gates.len() / (G * units) {
            for start in (0..units - rest).step_by(LANES) {
                self.block(row, start, LANES);
            }
            if rest > 0 {
                self.block(row, units - rest, rest);
            }
        }
    }
}

/// `(g, s) = f(g, n, s)` for `G` gates, `N` inputs and `S` states of each unit, in one pass: the inner loop of
/// a recurrent layer.
///
/// A row of `gates` has the first gate of all units, then the second and so on, `[rows, G * units]`; each input
/// and each state is `[rows, units]`.
///
/// # Panics
///
/// If `units` is 0, or an input or a state has fewer rows than `gates`.
#[inline]
pub fn gates<T: Real, const G: usize, const N: usize, const S: usize>(
    units: usize,
    gates: &mut [T],
    inputs: [&[T]; N],
    state: [&mut [T]; S],
    f: impl Fn([T; G], [T; N], [T; S]) -> ([T; G], [T; S]),
) {
    run(Gates { units, gates, inputs, state, f });
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
pub fn add<T: Real>(x: ArrayView1<'_, T>, y: ArrayViewMut1<'_, T>) {
    assert_eq!(x.len(), y.len(), "the vectors have one length");
    apply2_row(
        x,
        y,
        #[inline(always)]
        |y, x| y + x,
    );
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

struct Each<'a, T, const N: usize, const M: usize, F> {
    inputs: [&'a [T]; N],
    outputs: [&'a mut [T]; M],
    f: F,
}

impl<T, const N: usize, const M: usize, F> Kernel for Each<'_, T, N, M, F>
where
    T: Real,
    F: Fn([T; N], [T; M]) -> [T; M],
{
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { inputs, outputs, f } = self;
        let n = outputs[0].len();
        let inputs = inputs.map(|input| &input[..n]);
        let mut outputs = outputs.map(|output| &mut output[..n]);
        for i in 0..n {
            let values = f(inputs.map(|input| input[i]), outputs.each_ref().map(|output| output[i]));
            for (output, value) in outputs.iter_mut().zip(values) {
                output[i] = value;
            }
        }
    }
}

/// `[y₁, y₂, ...] = f([x₁, x₂, ...], [y₁, y₂, ...])`, number by number: several outputs in one pass, each made of
/// the inputs and of what the outputs held.
///
/// # Panics
///
/// If a slice is shorter than the first output.
#[inline]
pub fn each<T: Real, const N: usize, const M: usize>(
    inputs: [&[T]; N],
    outputs: [&mut [T]; M],
    f: impl Fn([T; N], [T; M]) -> [T; M],
) {
    const { assert!(M > 0, "there is an output") };
    run(Each { inputs, outputs, f });
}

struct Sums<'a, T, const N: usize, F> {
    inputs: [&'a [T]; N],
    f: F,
}

impl<'a, T, const N: usize, F> Sums<'a, T, N, F> {
    #[inline(always)]
    fn new(inputs: [&'a [T]; N], f: F) -> Self {
        Self { inputs, f }
    }
}

impl<T, const N: usize, const K: usize, F> Kernel for Sums<'_, T, N, F>
where
    T: Real,
    F: Fn([T; N]) -> [T; K],
{
    type Output = [T; K];
    #[inline(always)]
    fn run(self) -> [T; K] {
        let Self { inputs, f } = self;
        let n = inputs[0].len();
        let chunks = inputs.map(|input| input[..n].as_chunks::<LANES>());
        // Two sets of parts, since one would wait for the addition before.
        let (mut even, mut odd) = ([[T::zero(); LANES]; K], [[T::zero(); LANES]; K]);
        let pairs = n / (2 * LANES);
        for j in 0..pairs {
            let left = terms(chunks.map(|(chunks, _)| &chunks[2 * j]), &f);
            let right = terms(chunks.map(|(chunks, _)| &chunks[2 * j + 1]), &f);
            for k in 0..K {
                for i in 0..LANES {
                    even[k][i] += left[k][i];
                    odd[k][i] += right[k][i];
                }
            }
        }
        if 2 * pairs < n / LANES {
            let left = terms(chunks.map(|(chunks, _)| &chunks[2 * pairs]), &f);
            for k in 0..K {
                for i in 0..LANES {
                    even[k][i] += left[k][i];
                }
            }
        }
        let mut parts = [[T::zero(); LANES]; K];
        for k in 0..K {
            for i in 0..LANES {
                parts[k][i] = even[k][i] + odd[k][i];
            }
        }
        let rest = chunks.map(|(_, rest)| rest);
        for i in 0..n % LANES {
            let terms = f(rest.map(|rest| rest[i]));
            for k in 0..K {
                parts[k][i] += terms[k];
            }
        }
        parts.map(total)
    }
}

/// `f` of each number of a chunk.
#[inline(always)]
fn terms<T: Real, const N: usize, const K: usize>(
    chunk: [&[T; LANES]; N],
    f: &impl Fn([T; N]) -> [T; K],
) -> [[T; LANES]; K] {
    let mut terms = [[T::zero(); LANES]; K];
    for i in 0..LANES {
        let values = f(chunk.map(|chunk| chunk[i]));
        for k in 0..K {
            terms[k][i] = values[k];
        }
    }
    terms
}

/// The sum of the parts. Not inlined: the compiler would arrange the loop before it for its sake.
#[inline(never)]
fn total<T: Real>(mut parts: [T; LANES]) -> T {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            parts[i] += parts[i + half];
        }
    }
    parts[0]
}

/// The sums of `f([x₁, x₂, ...])` over the numbers of the inputs: several sums in one pass.
///
/// # Panics
///
/// If an input is shorter than the first.
#[inline]
pub fn sums<T: Real, const N: usize, const K: usize>(
    inputs: [&[T]; N],
    f: impl Fn([T; N]) -> [T; K],
) -> [T; K] {
    const { assert!(N > 0, "there is an input") };
    run(Sums::new(inputs, f))
}

struct MapChannels<'a, T, const N: usize, const V: usize, F> {
    inner: usize,
    inputs: [&'a [T]; N],
    vectors: [&'a [T]; V],
    output: &'a mut [T],
    f: F,
}

impl<T, const N: usize, const V: usize, F> Kernel for MapChannels<'_, T, N, V, F>
where
    T: Real,
    F: Fn([T; N], [T; V], T) -> T,
{
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { inner, inputs, vectors, output, f } = self;
        let channels = vectors[0].len();
        let vectors = vectors.map(|vector| &vector[..channels]);
        if inner == 1 {
            for start in (0..output.len()).step_by(channels.max(1)) {
                let rows = inputs.map(|input| &input[start..start + channels]);
                let output = &mut output[start..start + channels];
                for c in 0..channels {
                    output[c] = f(rows.map(|row| row[c]), vectors.map(|vector| vector[c]), output[c]);
                }
            }
            return;
        }
        for sample in (0..output.len()).step_by(channels.saturating_mul(inner).max(1)) {
            for c in 0..channels {
                let start = sample + c * inner;
                let constants = vectors.map(|vector| vector[c]);
                let runs = inputs.map(|input| &input[start..start + inner]);
                let output = &mut output[start..start + inner];
                for i in 0..inner {
                    output[i] = f(runs.map(|run| run[i]), constants, output[i]);
                }
            }
        }
    }
}

/// `y = f([x₁, x₂, ...], [v₁, v₂, ...], y)`, number by number, for inputs and an output of shape
/// `[outer, channels, inner]` and vectors `[channels]`, whose values hold for all of their channel.
///
/// # Panics
///
/// If the output is not so many whole `[channels, inner]`, or if a slice is shorter than it should be.
#[inline]
pub fn map_channels<T: Real, const N: usize, const V: usize>(
    inner: usize,
    inputs: [&[T]; N],
    vectors: [&[T]; V],
    output: &mut [T],
    f: impl Fn([T; N], [T; V], T) -> T,
) {
    const { assert!(V > 0, "there is a vector") };
    whole_channels(output.len(), vectors[0].len(), inner);
    run(MapChannels { inner, inputs, vectors, output, f });
}

struct SumChannels<'a, T, const N: usize, const V: usize, const K: usize, F> {
    inner: usize,
    inputs: [&'a [T]; N],
    vectors: [&'a [T]; V],
    sums: [&'a mut [T]; K],
    f: F,
}

impl<T, const N: usize, const V: usize, const K: usize, F> Kernel for SumChannels<'_, T, N, V, K, F>
where
    T: Real,
    F: Fn([T; N], [T; V]) -> [T; K],
{
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { inner, inputs, vectors, sums, f } = self;
        let (size, channels) = (inputs[0].len(), sums[0].len());
        let vectors = vectors.map(|vector| &vector[..channels]);
        let mut sums = sums.map(|sum| &mut sum[..channels]);
        if inner == 1 {
            for start in (0..size).step_by(channels.max(1)) {
                let rows = inputs.map(|input| &input[start..start + channels]);
                for c in 0..channels {
                    let terms = f(rows.map(|row| row[c]), vectors.map(|vector| vector[c]));
                    for (sum, term) in sums.iter_mut().zip(terms) {
                        sum[c] += term;
                    }
                }
            }
            return;
        }
        for sample in (0..size).step_by(channels.saturating_mul(inner).max(1)) {
            for c in 0..channels {
                let start = sample + c * inner;
                let constants = vectors.map(|vector| vector[c]);
                let run = Sums::new(
                    inputs.map(|input| &input[start..start + inner]),
                    #[inline(always)]
                    |x| f(x, constants),
                );
                for (sum, term) in sums.iter_mut().zip(run.run()) {
                    sum[c] += term;
                }
            }
        }
    }
}

/// Adds to each channel's sums what `f([x₁, x₂, ...], [v₁, v₂, ...])` gives for its numbers, for inputs of shape
/// `[outer, channels, inner]`, and vectors and sums `[channels]`.
///
/// # Panics
///
/// If the first input is not so many whole `[channels, inner]`, or if a slice is shorter than it should be.
#[inline]
pub fn sum_channels<T: Real, const N: usize, const V: usize, const K: usize>(
    inner: usize,
    inputs: [&[T]; N],
    vectors: [&[T]; V],
    sums: [&mut [T]; K],
    f: impl Fn([T; N], [T; V]) -> [T; K],
) {
    const { assert!(N > 0 && K > 0, "there is an input and a sum") };
    whole_channels(inputs[0].len(), sums[0].len(), inner);
    run(SumChannels { inner, inputs, vectors, sums, f });
}

fn whole_channels(size: usize, channels: usize, inner: usize) {
    let sample = channels.saturating_mul(inner);
    assert!(
        size == 0 || size.checked_rem(sample) == Some(0),
        "{size} values are not so many times [{channels}, {inner}]"
    );
}

struct MapRandom<'a, T, const N: usize, F> {
    seed: Seed,
    inputs: [&'a [T]; N],
    output: &'a mut [T],
    f: F,
}

impl<T, const N: usize, F> Kernel for MapRandom<'_, T, N, F>
where
    T: Real,
    F: Fn([[T; N]; 2], u64) -> [T; 2],
{
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { seed, inputs, output, f } = self;
        let (n, half) = (output.len(), output.len().div_ceil(2));
        let (lows, highs) = output.split_at_mut(half);
        let pairs = highs.len();
        let (low, high) = (inputs.map(|input| &input[..half]), inputs.map(|input| &input[half..n]));
        for i in 0..pairs {
            [lows[i], highs[i]] = f([low.map(|x| x[i]), high.map(|x| x[i])], seed.bits(i as u64));
        }
        if half > pairs {
            let middle = low.map(|x| x[pairs]);
            [lows[pairs], _] = f([middle, middle], seed.bits(pairs as u64));
        }
    }
}

/// `y = f([x₁, x₂, ...], random bits)`, number by number. Two numbers share 64 bits of `seed`: the i-th of the first
/// half and the i-th of the second have its [`bits(i)`](Seed::bits). `f` takes both, and gives both.
///
/// # Panics
///
/// If an input is shorter than the output.
#[inline]
pub fn map_random<T: Real, const N: usize>(
    seed: Seed,
    inputs: [&[T]; N],
    output: &mut [T],
    f: impl Fn([[T; N]; 2], u64) -> [T; 2],
) {
    run(MapRandom { seed, inputs, output, f });
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
            apply2(right.slice(part), z.slice_mut(part), |z, r| r - z);
            assert_eq!(z.slice(part), (&right - &x).slice(part));
            z.assign(&x);
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
    fn several_outputs_and_sums_in_one_pass() {
        for n in [0, 1, 15, 16, 31, 32, 33, 48, 100] {
            let x: Vec<f64> = (0..n).map(f64::from).collect();
            let (mut y, mut z) = (vec![f64::NAN; x.len()], vec![1.0; x.len()]);
            each([&x, &x], [&mut y, &mut z], |[a, b], [_, z]| [a * b, z + a]);
            assert!((0..x.len()).all(|i| y[i] == x[i] * x[i] && z[i] == 1.0 + x[i]));
            let n = f64::from(n);
            let right = [n * (n - 1.0) / 2.0, n * (n - 1.0) * (2.0 * n - 1.0) / 6.0];
            assert_eq!(sums([&x, &x], |[a, b]| [a, a * b]), right);
        }
    }

    #[test]
    fn channels() {
        for (outer, channels, inner) in [(1, 1, 1), (3, 5, 1), (2, 33, 1), (2, 3, 7), (3, 2, 40), (0, 2, 3)] {
            let size = outer * channels * inner;
            let x = matrix(1, size).into_raw_vec_and_offset().0;
            let v = matrix(1, channels).into_raw_vec_and_offset().0;
            let channel = |i: usize| i / inner % channels;
            let mut y = vec![1.0; size];
            map_channels(inner, [&x], [&v], &mut y, |[x], [v], y| x * v + y);
            assert!((0..size).all(|i| y[i] == x[i] * v[channel(i)] + 1.0));
            let (mut sum, mut product) = (vec![1.0; channels], vec![0.0; channels]);
            sum_channels(inner, [&x, &y], [&v], [&mut sum, &mut product], |[x, y], [v]| [v, x * y]);
            for c in 0..channels {
                let of_channel = (0..size).filter(|&i| channel(i) == c);
                let right = of_channel.fold([1.0, 0.0], |[a, b], i| [a + v[c], b + x[i] * y[i]]);
                assert!((sum[c] - right[0]).abs() < 1e-9 && (product[c] - right[1]).abs() < 1e-9);
            }
        }
    }

    #[test]
    #[should_panic(expected = "5 values are not so many times [2, 2]")]
    fn broken_channels() {
        map_channels(2, [&[0.0; 5]], [&[0.0; 2]], &mut [0.0; 5], |[x], [v], _| x * v);
    }

    #[test]
    fn random_bits_by_position() {
        for n in [0usize, 1, 2, 7, 64] {
            let (seed, x, mut y) = (Seed(7), vec![1.0; n], vec![f64::NAN; n]);
            map_random(seed, [&x], &mut y, |[[a], [b]], bits| {
                [a * f64::from(bits as u32), b * (bits >> 32) as f64]
            });
            for (i, &y) in y.iter().enumerate() {
                let half = n.div_ceil(2);
                let bits = seed.bits((i % half) as u64);
                assert_eq!(y, if i < half { f64::from(bits as u32) } else { (bits >> 32) as f64 });
            }
        }
    }

    #[test]
    fn gates_of_every_unit() {
        for units in [1, 5, 16, 37] {
            let (rows, mut rng) = (3, crate::Seed(2).rng());
            let mut random = |n: usize| -> Vec<f64> { (0..n * rows * units).map(|_| rng.normal()).collect() };
            let (before, input, start) = (random(2), random(1), random(1));
            let (mut g, mut s, mut t) = (before.clone(), start.clone(), vec![f64::NAN; rows * units]);
            gates(units, &mut g, [&input], [&mut s, &mut t], |[a, b], [x], [s, _]| ([b, a + x], [s * x, a]));
            for (at, &x) in input.iter().enumerate() {
                let first = at + at / units * units;
                let (a, b) = (before[first], before[first + units]);
                assert_eq!((g[first], g[first + units]), (b, a + x));
                assert_eq!((s[at], t[at]), (start[at] * x, a));
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
