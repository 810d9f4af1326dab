//! Products of every size of block and every layout, bit for bit.

use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use num_traits::{Float, One, Zero};

use super::operands::DEPTH;
use super::{Compute, add_implicit_product_transposed, implicit_product, product};
use crate::real::Real;
use crate::simd::blocking::even_parts;
use crate::simd::lanes::{Lanes, Plain};
use crate::simd::operands::{Choice, ImplicitWindows, Init, Used};

type Products<'a, T, const N: usize> = [(ArrayView2<'a, T>, ArrayView2<'a, T>); N];

fn random<T: Real>(rows: usize, columns: usize, seed: u64) -> Array2<T> {
    let mut rng = crate::seed::Seed(seed).rng();
    Array2::from_shape_simple_fn((rows, columns), || T::of(rng.normal()))
}

fn compute<L: Lanes>() -> Compute<L::Number> {
    // SAFETY: the tests check for the instructions.
    unsafe { Compute::with::<L>() }
}

fn always<T: Real>(
    products: &[(ArrayView2<'_, T>, ArrayView2<'_, T>)],
    beta: T,
    c: &mut ArrayViewMut2<'_, T>,
    compute: Compute<T>,
) -> bool {
    product(Choice::Always, T::one(), products, Used::All, beta, c, compute)
}

/// The definition: the terms of each part of K in their order, each with one rounding, the sums of the parts in theirs, then C.
fn defined<T: Real, const N: usize>(products: Products<'_, T, N>, beta: T, c: &mut ArrayViewMut2<'_, T>) {
    for ((i, j), c) in c.indexed_iter_mut() {
        let terms: Vec<_> =
            products.iter().flat_map(|(a, b)| a.row(i).into_iter().zip(b.column(j))).collect();
        let sum = in_order(&terms);
        *c = if beta == T::zero() { sum } else { *c + sum };
    }
}

fn in_order<T: Real>(terms: &[(&T, &T)]) -> T {
    let parts = even_parts(terms.len(), DEPTH).map(|(from, depth)| {
        terms[from..from + depth].iter().fold(T::zero(), |sum, (a, b)| a.mul_add(**b, sum))
    });
    parts.reduce(|sum, part| sum + part).unwrap()
}

/// Checks a product in a part of a larger C, whose other values must stay as they are.
fn check<L: Lanes, const N: usize>(products: Products<'_, L::Number, N>) {
    let (m, n) = (products[0].0.nrows(), products[0].1.ncols());
    for beta in [L::Number::zero(), L::Number::one()] {
        let before = random::<L::Number>(m + 2, n + 20, 6);
        let (mut found, mut right) = (before.clone(), before);
        let part = s![1..=m, 3..n + 3];
        defined(products, beta, &mut right.slice_mut(part));
        assert!(always(&products, beta, &mut found.slice_mut(part), compute::<L>()));
        let k: Vec<usize> = products.iter().map(|(a, _)| a.ncols()).collect();
        let name = L::Number::NAME;
        assert_eq!(found, right, "{name} {m} {n} {k:?} {beta}");
    }
}

/// All layouts that there are kernels for.
fn layouts<L: Lanes>(m: usize, n: usize, k: usize) {
    let (a, at, b, bt) = (random(m, k, 1), random(k, m, 2), random(k, n, 3), random(n, k, 4));
    let (wide_a, wide_b) = (random(2 * m, 3 * k, 5), random(3 * k, n + 5, 6));
    let a_layouts = [a.view(), at.t(), wide_a.slice(s![..;2, k..2 * k]), wide_a.slice(s![m..;-1, ..;3])];
    let b_layouts = [b.view(), bt.t(), wide_b.slice(s![..;3, 5..]), wide_b.slice(s![..k;-1, ..n])];
    for (i, &a) in a_layouts.iter().enumerate() {
        check::<L, 1>([(a, b_layouts[i])]);
        check::<L, 1>([(a, b_layouts[(i + 1) % 4])]);
    }
}

fn every_size<L: Lanes>() {
    for m in 1..=14 {
        layouts::<L>(m, 5 + 3 * m, 1 + m / 2);
    }
    for n in 1..=40 {
        layouts::<L>(1 + n % 8, n, 1 + n % 11);
    }
    for k in 1..=20 {
        layouts::<L>(1 + k % 5, 17, k);
    }
    // More rows, columns and terms than are computed at a time.
    for (m, n, k) in [
        (150, 9, 3),
        (20, 100, 5),
        (3, 20, 600),
        (20, 70, 90),
        (5, 33, 257),
        (2, 130, 260),
        // Few terms, along the rows of C.
        (20, 300, 4),
        (7, 1500, 24),
        // A is packed.
        (140, 270, 100),
        (29, 300, 20),
    ] {
        let (a, at, b, bt) = (random(m, k, 1), random(k, m, 2), random(k, n, 3), random(n, k, 4));
        check::<L, 1>([(a.view(), b.view())]);
        check::<L, 1>([(at.t(), bt.t())]);
    }
}

/// C may have contiguous columns instead of rows, or a single column.
fn by_columns<L: Lanes>() {
    for (m, n, k) in [(9, 20, 7), (30, 1, 40), (1, 1, 5), (70, 3, 300)] {
        let (a, at, b, bt) = (random(m, k, 1), random(k, m, 2), random(k, n, 3), random(n, k, 4));
        for products in
            [[(a.view(), b.view())], [(at.t(), b.view())], [(a.view(), bt.t())], [(at.t(), bt.t())]]
        {
            for beta in [L::Number::zero(), L::Number::one()] {
                let mut found = random::<L::Number>(n, m, 6);
                let mut right = found.t().to_owned();
                defined(products, beta, &mut right.view_mut());
                assert!(always(&products, beta, &mut found.view_mut().reversed_axes(), compute::<L>()));
                assert_eq!(found.t(), right, "{} {m} {n} {k} {beta}", L::Number::NAME);
            }
        }
    }
}

fn several<L: Lanes>() {
    for (m, n, k) in [(9, 20, 7), (40, 50, 21), (13, 66, 200), (3, 33, 300)] {
        let (x, dy) = (random(k, m, 1), random(k, n, 2));
        let cut = k / 3;
        let [first, second] = [0..cut, cut..k]
            .map(|rows| (x.slice(s![rows.clone(), ..]).reversed_axes(), dy.slice(s![rows, ..])));
        check::<L, 2>([first, second]);
        let other = random(5, n, 3);
        let a = random(5, m, 4);
        check::<L, 2>([first, (a.t(), other.view())]);
    }
}

/// Numbers that are not finite come out where they go in, and nowhere else: not from columns that only fill a vector.
fn not_finite<L: Lanes>() {
    for value in [L::Number::nan(), L::Number::infinity(), L::Number::neg_infinity()] {
        for (m, n, k) in [(7, 11, 5), (33, 100, 40), (2, 30, 9), (20, 17, 300)] {
            for transposed in [false, true] {
                let (mut a, mut b) = (random(m, k, 1), random(n, k, 2));
                a[[m / 2, k / 2]] = value;
                b[[n / 3, k / 3]] = value;
                let columns = b.t().as_standard_layout().into_owned();
                let b = if transposed { b.t() } else { columns.view() };
                let mut c = Array2::from_elem((m, n), L::Number::nan());
                assert!(always(&[(a.view(), b)], L::Number::zero(), &mut c.view_mut(), compute::<L>()));
                for ((i, j), c) in c.indexed_iter() {
                    assert_eq!(c.is_finite(), i != m / 2 && j != n / 3, "{m} {n} {k} {i} {j}");
                }
            }
        }
    }
}

fn refused<L: Lanes>() {
    let (a, b, empty) = (random(8, 8, 1), random(8, 8, 2), random(8, 0, 3));
    let refused = |products: Products<'_, L::Number, 2>, beta: f64, c: &mut ArrayViewMut2<'_, L::Number>| {
        let before = c.to_owned();
        let one = L::Number::one();
        assert!(!product(Choice::Faster, one, &products, Used::All, L::Number::of(beta), c, compute::<L>()));
        assert_eq!(before, c.view(), "nothing is done");
    };
    let (mut c, pair) = (random(8, 16, 4), (a.view(), b.view()));
    refused([pair, pair], 0.5, &mut c.slice_mut(s![.., ..8]));
    refused([pair, pair], 1.0, &mut c.slice_mut(s![.., ..;2]));
    refused([pair, (a.t(), b.view())], 1.0, &mut c.slice_mut(s![.., ..8]));
    refused([pair, (empty.view(), empty.t())], 1.0, &mut c.slice_mut(s![.., ..8]));
    let wide = random(16, 16, 5);
    let pair = (a.view(), wide.slice(s![..;2, ..;2]));
    refused([pair, pair], 1.0, &mut c.slice_mut(s![.., ..8]));
}

/// Both products with windows, of as many rows and columns as there are blocks and panels.
fn windows<L: Lanes>() {
    let zero = L::Number::zero();
    let sizes = [(1, 1), (6, 30), (16, 100), (33, 17), (5, 8), (20, 260)];
    for (m, columns) in sizes {
        for (rows, starts) in [(1, &[0][..]), (2, &[0, 3, 1]), (13, &[0, 7]), (40, &[2, 0, 1, 5, 9])] {
            let (pitch, k) = (columns + 5, rows * starts.len());
            let of = ImplicitWindows { starts, rows, pitch, columns };
            let values = random::<L::Number>(1, starts.iter().max().unwrap() + rows * pitch, 1);
            let values = values.as_slice().unwrap();
            let matrix = Array2::from_shape_fn((k, columns), |(row, column)| {
                values[starts[row % starts.len()] + row / starts.len() * pitch + column]
            });
            let (a, c, of_row) = (random(m, k, 2), random(m, columns, 3), random::<L::Number>(1, m, 4));
            let of_row = of_row.as_slice().unwrap();
            for init in [Init::Accumulate, Init::Zeros, Init::Rows(of_row)] {
                let (mut found, mut right) = (c.clone(), c.clone());
                assert!(implicit_product(of, &a.view(), values, init, &mut found.view_mut(), compute::<L>()));
                let accumulates = matches!(init, Init::Accumulate);
                let beta = if accumulates { L::Number::one() } else { zero };
                defined([(a.view(), matrix.view())], beta, &mut right.view_mut());
                if let Init::Rows(of_row) = init {
                    right.indexed_iter_mut().for_each(|((row, _), value)| *value = of_row[row] + *value);
                }
                assert_eq!(found, right, "{m} {columns} {rows} {starts:?} {init:?}");
                // The same with contiguous columns of A, and with contiguous values nowhere.
                let (by_columns, wide) = (a.t().as_standard_layout().into_owned(), a.clone());
                let mut spread = random(2 * m, 3 * k, 7);
                spread.slice_mut(s![..;2, ..;3]).assign(&wide);
                for a in [by_columns.t(), spread.slice(s![..;2, ..;3])] {
                    let mut found = c.clone();
                    let done = implicit_product(of, &a, values, init, &mut found.view_mut(), compute::<L>());
                    assert!(done && found == right, "{m} {columns} {rows} {starts:?} {init:?}");
                }
            }
            let mut found = random::<L::Number>(k, m, 5);
            let mut right = found.clone();
            let transposed = &mut found.view_mut().reversed_axes();
            assert!(add_implicit_product_transposed(of, &c.view(), values, transposed, compute::<L>()));
            defined([(matrix.view(), c.t())], L::Number::one(), &mut right.view_mut());
            assert_eq!(found, right, "{m} {columns} {rows} {starts:?}");
        }
    }
}

/// The same terms in any number of products have the same sum.
fn cut_anywhere<L: Lanes>() {
    for (m, n, k) in [(20, 70, 250), (100, 300, 130), (7, 9, 97), (15, 1100, 20)] {
        let (x, dy) = (random::<L::Number>(k, m, 1), random(k, n, 2));
        let mut right = Array2::zeros((m, n));
        let whole = [(x.t(), dy.view())];
        assert!(always(&whole, L::Number::zero(), &mut right.view_mut(), compute::<L>()));
        for cut in [1, 40, k / 2, 96].map(|cut| cut.min(k - 1)) {
            let parts = [0..cut, cut..k]
                .map(|rows| (x.slice(s![rows.clone(), ..]).reversed_axes(), dy.slice(s![rows, ..])));
            let mut found = Array2::zeros((m, n));
            assert!(always(&parts, L::Number::zero(), &mut found.view_mut(), compute::<L>()));
            assert_eq!(found, right, "{m} {n} {k} {cut}");
        }
    }
}

fn all<L: Lanes>() {
    windows::<L>();
    cut_anywhere::<L>();
    every_size::<L>();
    by_columns::<L>();
    several::<L>();
    not_finite::<L>();
    refused::<L>();
}

#[test]
fn plain_lanes_add_the_terms_in_their_order() {
    all::<Plain<f32>>();
    all::<Plain<f64>>();
}

#[cfg(target_arch = "x86_64")]
#[test]
fn avx2_has_the_same_bits() {
    use crate::simd::lanes::{Avx2, Avx2Double};
    use crate::simd::level::{Level, best_level};
    if best_level() >= Level::Avx2 {
        all::<Avx2>();
        all::<Avx2Double>();
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn avx512_has_the_same_bits() {
    use crate::simd::lanes::{Avx512, Avx512Double};
    use crate::simd::level::{Level, best_level};
    if best_level() >= Level::Avx512 {
        all::<Avx512>();
        all::<Avx512Double>();
    }
}

#[cfg(target_arch = "aarch64")]
#[test]
fn neon_has_the_same_bits() {
    use crate::simd::lanes::{Neon, NeonDouble};
    all::<Neon>();
    all::<NeonDouble>();
}
