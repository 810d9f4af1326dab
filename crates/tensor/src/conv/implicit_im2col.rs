//! Products with a matrix of patches whose rows overlap in memory.

use ndarray::{ArrayView2, ArrayViewMut2, Zip, aview1};

use crate::matmul::choice;
use crate::real::Real;
use crate::simd::operands::{ImplicitWindows, Init};

impl ImplicitWindows<'_> {
    /// Whether there are kernels for this type of number on this CPU.
    pub fn is_fast<T: Real>() -> bool {
        T::has_implicit_products(choice())
    }

    /// Whether those kernels mask what does not fill a vector, so that they are fast for short rows too.
    pub fn is_masked<T: Real>() -> bool {
        T::has_masked_products(choice())
    }

    /// `C = init + A B`, for `A` of shape `[m, rows * starts]`, `B` this matrix and `C` of `[m, columns]`.
    ///
    /// # Panics
    ///
    /// Here and below: if the shapes do not fit, if the values are too few, or if `pitch` is less than `columns`.
    pub fn product<T: Real>(
        self,
        a: ArrayView2<'_, T>,
        values: &[T],
        init: Init<'_, T>,
        mut c: ArrayViewMut2<'_, T>,
    ) {
        self.check(a.dim(), c.dim(), values.len());
        if let Init::Rows(rows) = init {
            assert_eq!(rows.len(), c.nrows(), "a value for each row");
        }
        if !T::implicit_product(choice(), self, &a, values, init, &mut c) {
            match init {
                Init::Accumulate => {}
                Init::Zeros => c.fill(T::zero()),
                Init::Rows(rows) => c.rows_mut().into_iter().zip(rows).for_each(|(mut c, &row)| c.fill(row)),
            }
            for (start, a) in self.row_starts().zip(a.columns()) {
                let row = aview1(&values[start..start + self.columns]);
                for (c, &a) in c.rows_mut().into_iter().zip(a) {
                    Zip::from(c).and(&row).for_each(|c, &b| *c += a * b);
                }
            }
        }
    }

    /// `C += A Bᵀ`, for `A` of shape `[m, columns]`, `B` this matrix and `C` of `[m, rows * starts]`. If `m` is large, it is
    /// faster with contiguous columns of `C`.
    pub fn add_product_transposed<T: Real>(
        self,
        a: ArrayView2<'_, T>,
        values: &[T],
        mut c: ArrayViewMut2<'_, T>,
    ) {
        self.check(c.dim(), a.dim(), values.len());
        if !T::add_implicit_product_transposed(choice(), self, &a, values, &mut c) {
            for (start, c) in self.row_starts().zip(c.columns_mut()) {
                let row = aview1(&values[start..start + self.columns]);
                c.into_iter().zip(a.rows()).for_each(|(c, a)| *c += a.dot(&row));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, s};

    fn random(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
        let mut rng = crate::seed::Seed(seed).rng();
        Array2::from_shape_simple_fn((rows, columns), || rng.normal())
    }

    fn single(x: &Array2<f64>) -> Array2<f32> {
        x.mapv(|x| x as f32)
    }

    fn close(found: ArrayView2<'_, f32>, right: ArrayView2<'_, f64>, name: &str) {
        for (&found, &right) in found.iter().zip(right) {
            assert!((f64::from(found) - right).abs() < 1e-4 * (1.0 + right.abs()), "{name}: {found} {right}");
        }
    }

    /// Single precision, which may have kernels, against the plain loops of double precision.
    fn check(m: usize, rows: usize, starts: &[usize], columns: usize) {
        let name = format!("{m} of {rows} x {starts:?} x {columns}");
        let (pitch, k) = (columns + 5, rows * starts.len());
        let windows = ImplicitWindows { starts, rows, pitch, columns };
        let values = random(1, starts.iter().max().unwrap() + rows * pitch, 1);
        let (a, c, row) = (random(m, k, 2), random(m, columns, 3), random(1, m, 4));
        let flat = single(&values);
        let flat = flat.as_slice().unwrap();
        let rows = (single(&row), row);
        for (init, right_init) in [
            (Init::Accumulate, Init::Accumulate),
            (Init::Zeros, Init::Zeros),
            (Init::Rows(rows.0.as_slice().unwrap()), Init::Rows(rows.1.as_slice().unwrap())),
        ] {
            let (mut found, mut right) = (single(&c), c.clone());
            windows.product(single(&a).view(), flat, init, found.view_mut());
            windows.product(a.view(), values.as_slice().unwrap(), right_init, right.view_mut());
            close(found.view(), right.view(), &name);
        }
        // With contiguous rows of C, then with contiguous columns, within a wider matrix.
        for transposed in [false, true] {
            let wide = random(m + 1, k + 2, 5);
            let mut found = single(&wide);
            if transposed {
                found = found.t().as_standard_layout().into_owned().reversed_axes();
            }
            let mut right = wide.clone();
            let part = s![..m, 1..=k];
            windows.add_product_transposed(single(&c).view(), flat, found.slice_mut(part));
            windows.add_product_transposed(c.view(), values.as_slice().unwrap(), right.slice_mut(part));
            close(found.view(), right.view(), &name);
        }
    }

    #[test]
    fn every_size_of_block() {
        for m in 1..=20 {
            for columns in [1, 16, 35, 100] {
                check(m, 2, &[0, 3, 1], columns);
            }
        }
        for columns in [15, 17, 33, 48, 49, 64, 65, 97, 130, 300] {
            for m in [1, 2, 5, 8] {
                check(m, 1, &[2, 0], columns);
            }
        }
        // Many sums at once, and rows that are longer than what is transposed at a time.
        check(50, 13, &[0, 7], 70);
        check(17, 9, &[4], 1100);
        check(3, 1, &[0, 1, 2, 3, 4, 5, 6, 7, 8], 40);
    }

    #[test]
    #[should_panic(expected = "within the values")]
    fn rows_beyond_the_values() {
        let windows = ImplicitWindows { starts: &[0, 2], rows: 1, pitch: 2, columns: 2 };
        windows.product(random(1, 2, 1).view(), &[0.0; 3], Init::Zeros, random(1, 2, 2).view_mut());
    }

    #[test]
    #[should_panic(expected = "within the values")]
    fn more_rows_than_can_be_counted() {
        let windows = ImplicitWindows { starts: &[0], rows: 3, pitch: usize::MAX / 2 + 1, columns: 1 };
        windows.product(random(1, 3, 1).view(), &[0.0; 3], Init::Zeros, random(1, 1, 2).view_mut());
    }
}
