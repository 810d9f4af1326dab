use super::*;
use crate::PortableProducts;
use crate::seed::Seed;
use crate::vector;
use ndarray::{Array2, s};

fn random<T: Real>(rows: usize, columns: usize, seed: u64) -> Array2<T> {
    let mut rng = Seed(seed).rng();
    Array2::from_shape_simple_fn((rows, columns), || T::of(rng.normal()))
}

/// A matrix that uses a column with this probability, in runs of columns for a negative one.
fn samples<T: Real>(rows: usize, columns: usize, probability: f64) -> Array2<T> {
    let mut x = random(rows, columns, 1);
    let mut rng = Seed(2).rng();
    let mut is_used = false;
    for mut column in x.columns_mut() {
        if probability >= 0.0 || rng.uniform() < 0.1 {
            is_used = rng.uniform() < probability.abs();
        }
        if !is_used {
            column.fill(T::zero());
        }
    }
    x
}

/// The same, with so many of their values that are not 0.
fn scattered<T: Real>(rows: usize, columns: usize, probability: f64, density: f64) -> Array2<T> {
    let mut rng = Seed(3).rng();
    samples(rows, columns, probability).mapv(|x: T| if rng.uniform() < density { x } else { T::zero() })
}

fn find<T: Real>(x: &Array2<T>) -> UsedColumns<T> {
    let mut used = UsedColumns::default();
    used.find(x.as_slice().unwrap(), x.ncols(), 64);
    used
}

fn assert_same<T: Real>(found: &Array2<T>, right: &Array2<T>, what: &str) {
    for ((index, found), right) in found.indexed_iter().zip(right) {
        let same = found.is_nan() && right.is_nan()
            || found.magnitude() == right.magnitude() && found.signum() == right.signum();
        assert!(same, "{what}: {found} for {right} at {index:?}");
    }
}

fn for_all_choices(f: impl Fn()) {
    for portable in [false, true] {
        let _portable = PortableProducts::new(portable);
        f();
    }
}

fn columns_are_found<T: Real>() {
    let mut used = UsedColumns::<T>::default();
    for columns in [1, 5, 63, 64, 65, 200] {
        for rows in [0, 1, 7, 8, 9, 20] {
            let mut x = samples::<T>(rows, columns, 0.5);
            for special in [T::zero(), -T::zero(), T::infinity(), T::nan(), T::min_positive_value()] {
                if rows > 0 {
                    x.column_mut(columns / 2).fill(T::zero());
                    x[[rows - 1, columns / 2]] = special;
                }
                let largest = used.find(x.as_slice().unwrap(), columns, 64);
                let right = vector::largest(x.as_slice().unwrap());
                assert!(largest == right || largest.is_nan() && right.is_nan(), "{largest} for {right}");
                let is_used = |&column: &usize| x.column(column).iter().any(|&x| x != T::zero());
                let right: Vec<u32> = (0..columns).filter(is_used).map(|column| column as u32).collect();
                assert_eq!(used.indices(), right, "{rows} {columns} {special}");
            }
        }
    }
}

#[test]
fn the_columns_that_are_not_zeros_are_found() {
    columns_are_found::<f32>();
    columns_are_found::<f64>();
}

#[test]
fn columns_of_several_matrices() {
    let (a, b) = (samples::<f32>(4, 90, 0.2), samples::<f32>(9, 90, -0.3));
    let mut joint = find(&a);
    joint.join([&find(&a), &find(&b)]);
    let both = ndarray::concatenate![ndarray::Axis(0), a, b];
    assert_eq!(joint.indices(), find(&both).indices());
    // More rows than are marked.
    let many = scattered::<f32>(300, 90, 0.5, 0.01);
    joint.join([&find(&many), &find(&a)]);
    let both = ndarray::concatenate![ndarray::Axis(0), many, a];
    assert_eq!(joint.indices(), find(&both).indices());
    joint.join([]);
    assert_eq!(joint.indices(), [0; 0]);
}

const SHAPES: [[usize; 3]; 9] = [
    [1, 64, 300],
    [3, 10, 40],
    [16, 64, 96],
    [32, 64, 400],
    [21, 70, 97],
    [40, 257, 30],
    [140, 24, 100],
    [44, 128, 300],
    [270, 16, 280],
];

/// The probability that a column is used, as above, and how many of its values are not 0.
const ZEROS: [[f64; 2]; 5] = [[0.0, 1.0], [0.1, 1.0], [0.5, 0.3], [-0.6, 0.3], [0.97, 0.2]];

/// More weights than the kernels for few rows take, and a weight that is stored by columns.
fn large_and_transposed_weights_are_the_same<T: Real>() {
    for [rows, units, columns] in [[64, 128, 6400], [136, 16, 300], [64, 2, 4096], [8, 128, 8192]] {
        let x = samples::<T>(rows, columns, 0.5);
        let used = find(&x);
        for w in [random::<T>(columns, units, 3), random(units, columns, 3).reversed_axes()] {
            let (mut found, mut right) = (random(rows, units, 4), random(rows, units, 5));
            used.product(x.view(), w.view(), found.view_mut());
            gemm(T::one(), x.view(), w.view(), T::zero(), right.view_mut());
            assert_same(&found, &right, &format!("{rows} {units} {columns}"));
        }
    }
}

fn products_are_the_same<T: Real>() {
    for [rows, units, columns] in SHAPES {
        for [probability, density] in ZEROS {
            let mut x = scattered::<T>(rows, columns, probability, density);
            let w = random::<T>(columns, units, 3);
            for special in [T::one(), T::infinity(), T::nan()] {
                x[[rows / 2, columns / 3]] = special;
                let used = find(&x);
                let (mut found, mut right) = (random(rows, units, 4), random(rows, units, 5));
                used.product(x.view(), w.view(), found.view_mut());
                gemm(T::one(), x.view(), w.view(), T::zero(), right.view_mut());
                let what = format!("{rows} {units} {columns} {probability} {density} {special}");
                assert_same(&found, &right, &what);
            }
        }
    }
}

#[test]
fn a_product_has_the_bits_of_one_with_all_columns() {
    for_all_choices(products_are_the_same::<f32>);
    for_all_choices(products_are_the_same::<f64>);
    for_all_choices(large_and_transposed_weights_are_the_same::<f32>);
}

#[test]
fn lists_have_room_for_all_columns_at_once() {
    let mut used = UsedColumns::<f32>::default();
    used.find(&[0.0; 24 * 100], 100, 64);
    let room = |used: &UsedColumns<f32>| [used.joint.capacity(), used.indices.capacity()];
    let before = room(&used);
    used.find(&[1.0; 24 * 100], 100, 64);
    assert_eq!(room(&used), before, "nothing is allocated for samples without zeros");
}

fn sums_are_the_same<T: Real>() {
    for [rows, units, columns] in SHAPES {
        for [probability, density] in ZEROS {
            let mut x = scattered::<T>(rows, columns, probability, density);
            x[[rows / 2, columns / 3]] = T::infinity();
            let dz = random::<T>(rows, units, 3);
            let used = find(&x);
            for cut in [rows, rows / 3] {
                let part = |rows: Range<usize>, range: Range<usize>| {
                    let x = x.slice(s![rows.clone(), range]).reversed_axes();
                    (x, dz.slice(s![rows, ..]))
                };
                for range in [0..columns, columns / 3..columns - 1] {
                    let both = [part(0..cut, range.clone()), part(cut..rows, range.clone())];
                    let products = if cut == rows { &both[..1] } else { &both[..] };
                    for beta in [T::zero(), T::one()] {
                        let mut found = random(range.len(), units, 4);
                        let mut right = found.clone();
                        used.sum_of_products(products, range.clone(), beta, found.view_mut());
                        gemm_sum(products, beta, right.view_mut());
                        let what = format!("{rows} {units} {range:?} {probability} {density} {cut} {beta}");
                        assert_same(&found, &right, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn a_sum_of_products_has_the_bits_of_one_with_all_rows() {
    for_all_choices(sums_are_the_same::<f32>);
    for_all_choices(sums_are_the_same::<f64>);
}

fn zeros_are_left_out<T: Real>() {
    let _portable = PortableProducts::new(true);
    let mut x = samples::<T>(32, 300, 0.5);
    x.column_mut(7).fill(T::zero());
    let used = find(&x);
    let (mut w, dz) = (random::<T>(300, 64, 3), random::<T>(32, 64, 4));
    // Not what is promised, but it shows whether a row is read.
    w.row_mut(7).fill(T::nan());
    let mut z = random(32, 64, 5);
    used.product(x.view(), w.view(), z.view_mut());
    assert!(z.iter().all(|z| z.is_finite()), "a row of W is not read");
    x.column_mut(7).fill(T::nan());
    let mut dw = random(300, 64, 6);
    used.sum_of_products(&[(x.t(), dz.view())], 0..300, T::zero(), dw.view_mut());
    assert!(dw.iter().all(|dw| dw.is_finite()), "a column of X is not read");
    assert!(dw.row(7).iter().all(|&dw| dw == T::zero()), "its gradient is 0");
}

/// Terms that are left out of a sum, where few rows of X use their column.
#[test]
#[cfg(target_arch = "x86_64")]
fn terms_of_few_rows_are_left_out() {
    use crate::simd::level::{Level, level};
    if level() < Level::Avx512 {
        return;
    }
    let mut x = scattered::<f32>(32, 300, 0.5, 0.2);
    x.slice_mut(s![8..12, ..]).fill(0.0);
    x.slice_mut(s![12.., 7]).fill(1.0);
    let used = find(&x);
    assert!(used.are_fewer() && x[[12, 7]] == 1.0);
    // Not what is promised, but it shows what is read: a value of X that is not marked, and a row of W or dZ that only such values are
    // multiplied with.
    let (mut w, mut dz) = (random(300, 64, 3), random(32, 64, 4));
    x[[8, 7]] = f32::NAN;
    let mut z = random(32, 64, 5);
    used.product(x.view(), w.view(), z.view_mut());
    assert!(z.slice(s![8..12, ..]).iter().all(|&z| z == 0.0), "no row of W is read for rows of zeros");
    w.row_mut(7).fill(f32::NAN);
    used.product(x.view(), w.view(), z.view_mut());
    assert!(z.row(12).iter().all(|z| z.is_nan()) && z.row(8).iter().all(|&z| z == 0.0));
    dz.row_mut(8).fill(f32::NAN);
    let mut dw = random(300, 64, 6);
    used.sum_of_products(&[(x.t(), dz.view())], 0..300, 0.0, dw.view_mut());
    assert!(dw.iter().all(|dw| dw.is_finite()), "a row of dZ is not read");
}

#[test]
fn columns_of_zeros_are_left_out() {
    zeros_are_left_out::<f32>();
    zeros_are_left_out::<f64>();
    #[cfg(target_arch = "x86_64")]
    {
        use crate::simd::level::{Level, level};
        if level() < Level::Avx512 {
            return;
        }
        // The older kernels.
        let mut x = samples::<f32>(32, 400, 0.5);
        x.column_mut(7).fill(0.0);
        let used = find(&x);
        let mut w = random(400, 64, 3);
        w.row_mut(7).fill(f32::NAN);
        let mut z = random(32, 64, 5);
        used.product(x.view(), w.view(), z.view_mut());
        assert!(z.iter().all(|z| z.is_finite()), "a row of W is not read");
    }
}

#[test]
#[should_panic(expected = "the columns of X were looked at")]
fn another_matrix() {
    let (x, w) = (random::<f32>(2, 3, 1), random(4, 2, 2));
    find(&x).product(random(2, 4, 3).view(), w.view(), random(2, 2, 4).view_mut());
}

#[test]
#[should_panic(expected = "5 values in 2 columns")]
fn an_incomplete_row() {
    UsedColumns::default().find(&[1.0f32; 5], 2, 1);
}
