//! Products with a matrix whose rows overlap in memory.

use ndarray::{ArrayView2, ArrayViewMut2, Zip, aview1};

use crate::Real;

/// How a matrix lies in a slice of values, where its rows may overlap: row `r * taps + t` is
/// `values[starts[t] + r * pitch..][..columns]`, for each of the `starts`, the taps, and each `r` below `rows`.
///
/// This is what a convolution multiplies with. The matrix of all patches of an image ("im2col") has a row for each
/// weight of a kernel, and the rows of neighbouring weights are the same memory, read from another place on. So
/// one axis of the kernel takes no copies.
///
/// The products here are for AVX-512 in single precision, where they are as fast as [`gemm`](crate::gemm()) is for matrices
/// that have been copied. [`fast`](Self::fast) tells; elsewhere they are right, but plain loops.
///
/// ```
/// use chainrule_tensor::{Onto, Taps};
/// use ndarray::array;
/// let signal = [1.0f32, 2.0, 4.0, 8.0];
/// let taps = Taps { starts: &[0, 1], rows: 1, pitch: 4, columns: 3 }; // the rows [1, 2, 4] and [2, 4, 8]
/// let mut y = array![[0.0, 0.0, 0.0]];
/// taps.product(array![[-1.0, 1.0]].view(), &signal, Onto::Rows(&[0.5]), y.view_mut());
/// assert_eq!(y, array![[1.5, 2.5, 4.5]]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Taps<'a> {
    /// Where the first row of each tap begins.
    pub starts: &'a [usize],
    /// How many rows each tap has.
    pub rows: usize,
    /// From one row of a tap to the next: at least `columns`.
    pub pitch: usize,
    /// How many columns the matrix has.
    pub columns: usize,
}

/// What a product is added to.
#[derive(Clone, Copy, Debug)]
pub enum Onto<'a, T> {
    /// What is there.
    This,
    /// Nothing: what is there is overwritten.
    Zeros,
    /// A value for each row: what is there is overwritten.
    Rows(&'a [T]),
}

impl Taps<'_> {
    /// Whether there are kernels for this type of number on this CPU.
    pub fn fast<T: Real>() -> bool {
        T::fast_taps()
    }

    /// `C = A B`, for `A` of shape `[m, rows * taps]`, `B` this matrix and `C` of `[m, columns]`, added to `onto`.
    ///
    /// # Panics
    ///
    /// Here and below: if the shapes do not fit, the values are too few, or `pitch` is less than `columns`.
    pub fn product<T: Real>(
        self,
        a: ArrayView2<'_, T>,
        values: &[T],
        onto: Onto<'_, T>,
        mut c: ArrayViewMut2<'_, T>,
    ) {
        self.check(a.dim(), c.dim(), values.len());
        if let Onto::Rows(rows) = onto {
            assert_eq!(rows.len(), c.nrows(), "a value for each row");
        }
        if !T::taps_product(self, &a, values, onto, &mut c) {
            match onto {
                Onto::This => {}
                Onto::Zeros => c.fill(T::zero()),
                Onto::Rows(rows) => c.rows_mut().into_iter().zip(rows).for_each(|(mut c, &row)| c.fill(row)),
            }
            for (place, a) in self.places().zip(a.columns()) {
                let row = aview1(&values[place..place + self.columns]);
                for (c, &a) in c.rows_mut().into_iter().zip(a) {
                    Zip::from(c).and(&row).for_each(|c, &b| *c += a * b);
                }
            }
        }
    }

    /// `C += A Bᵀ`, for `A` of shape `[m, columns]` and `C` of `[m, rows * taps]`. Where `m` is large, it is faster if the
    /// columns of `C` are contiguous.
    pub fn product_transposed<T: Real>(
        self,
        a: ArrayView2<'_, T>,
        values: &[T],
        mut c: ArrayViewMut2<'_, T>,
    ) {
        self.check(c.dim(), a.dim(), values.len());
        if !T::taps_product_transposed(self, &a, values, &mut c) {
            for (place, c) in self.places().zip(c.columns_mut()) {
                let row = aview1(&values[place..place + self.columns]);
                c.into_iter().zip(a.rows()).for_each(|(c, a)| *c += a.dot(&row));
            }
        }
    }

    /// Where each row begins.
    fn places(&self) -> impl Iterator<Item = usize> {
        let Self { starts, pitch, .. } = *self;
        (0..self.rows).flat_map(move |row| starts.iter().map(move |start| start + row * pitch))
    }

    fn check(&self, a: (usize, usize), c: (usize, usize), values: usize) {
        let Self { starts, rows, pitch, columns } = *self;
        assert_eq!((a.1, c), (rows * starts.len(), (a.0, columns)), "the shapes fit");
        assert!(rows <= 1 || pitch >= columns, "the rows of a tap do not overlap");
        let rest = rows.saturating_sub(1).checked_mul(pitch).and_then(|last| last.checked_add(columns));
        let end = |&start: &usize| rest.and_then(|rest| rest.checked_add(start));
        let within = |start| end(start).is_some_and(|end| end <= values);
        assert!(starts.iter().all(within), "every row is within the values");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, s};

    fn random(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
        let mut rng = crate::Seed(seed).rng();
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
        let taps = Taps { starts, rows, pitch, columns };
        let values = random(1, starts.iter().max().unwrap() + rows * pitch, 1);
        let (a, c, row) = (random(m, k, 2), random(m, columns, 3), random(1, m, 4));
        let flat = single(&values);
        let flat = flat.as_slice().unwrap();
        let rows = (single(&row), row);
        for (onto, right_onto) in [
            (Onto::This, Onto::This),
            (Onto::Zeros, Onto::Zeros),
            (Onto::Rows(rows.0.as_slice().unwrap()), Onto::Rows(rows.1.as_slice().unwrap())),
        ] {
            let (mut found, mut right) = (single(&c), c.clone());
            taps.product(single(&a).view(), flat, onto, found.view_mut());
            taps.product(a.view(), values.as_slice().unwrap(), right_onto, right.view_mut());
            close(found.view(), right.view(), &name);
        }
        // Rows of C, then columns of C side by side in memory, within something wider.
        for transposed in [false, true] {
            let wide = random(m + 1, k + 2, 5);
            let mut found = single(&wide);
            if transposed {
                found = found.t().as_standard_layout().into_owned().reversed_axes();
            }
            let mut right = wide.clone();
            let part = s![..m, 1..=k];
            taps.product_transposed(single(&c).view(), flat, found.slice_mut(part));
            taps.product_transposed(c.view(), values.as_slice().unwrap(), right.slice_mut(part));
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
        // Many sums at once, and rows that are longer than what is turned at a time.
        check(50, 13, &[0, 7], 70);
        check(17, 9, &[4], 1100);
        check(3, 1, &[0, 1, 2, 3, 4, 5, 6, 7, 8], 40);
    }

    #[test]
    #[should_panic(expected = "within the values")]
    fn rows_beyond_the_values() {
        let taps = Taps { starts: &[0, 2], rows: 1, pitch: 2, columns: 2 };
        taps.product(random(1, 2, 1).view(), &[0.0; 3], Onto::Zeros, random(1, 2, 2).view_mut());
    }

    #[test]
    #[should_panic(expected = "within the values")]
    fn more_rows_than_can_be_counted() {
        let taps = Taps { starts: &[0], rows: 3, pitch: usize::MAX / 2 + 1, columns: 1 };
        taps.product(random(1, 3, 1).view(), &[0.0; 3], Onto::Zeros, random(1, 1, 2).view_mut());
    }
}
