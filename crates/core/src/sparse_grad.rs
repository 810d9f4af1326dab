//! The gradient of a table of which a pass uses a few rows.

use chainrule_tensor::vector::{CHAIN, add_block, larger_or_nan};
use chainrule_tensor::{Real, SparseMatrix, each};
use ndarray::{ArrayView2, ArrayViewMut2, Axis};

/// Where a layer writes the gradient of a table of which it reads rows: see [`Grads::table`](crate::Grads::table).
#[derive(Debug)]
#[must_use = "nothing is added before `finish`"]
pub struct TableGrad<'a, T> {
    /// The gradient of the whole table, unless the list is all that is wanted.
    pub(crate) dense: Option<ArrayViewMut2<'a, T>>,
    /// What is added to which row.
    pub(crate) list: &'a mut SparseGrad<T>,
}

impl<T: Real> TableGrad<'_, T> {
    /// Adds to the gradient of row `id` of the table: `factor` times the values of `dy` in `row` from `column` on, one for
    /// each column of the table. `dy` is the gradient of the layer's output that `backward` received.
    ///
    /// # Panics
    ///
    /// If a number is 2³² or more.
    #[inline]
    pub fn add(&mut self, id: usize, factor: T, [row, column]: [usize; 2]) {
        self.list.push(id, factor, [row, column]);
    }

    /// Adds what the layer has listed to the gradient of the table; to be called after the last of it.
    ///
    /// # Panics
    ///
    /// If the table or `dy` does not have a row that was listed, or `dy` not its columns.
    pub fn finish(self, dy: ArrayView2<'_, T>) {
        let Some(mut table) = self.dense else { return };
        self.list.sort();
        let mut position = 0;
        while let Some(id) = self.list.id(position) {
            let sum = table.row_mut(id).into_slice().expect("the gradients are one flat slice");
            position = self.list.add(position, dy, sum);
        }
    }
}

/// `sum += factor dy[row, column..]`.
#[inline]
fn add_part<T: Real>(factor: T, dy: ArrayView2<'_, T>, [row, column]: [usize; 2], sum: &mut [T]) {
    let row = dy.index_axis_move(Axis(0), row);
    match row.to_slice() {
        Some(values) => {
            let values = &values[column..];
            each!(sum = |value: values| sum + factor * value);
        }
        None => sum.iter_mut().zip(row.iter().skip(column)).for_each(|(sum, &value)| *sum += factor * value),
    }
}

/// The gradient of a table as a list of terms: each is the id of a row and a part of the layer's `dy`.
///
/// Its memory grows with the number of rows that a pass uses, not with the table.
#[derive(Clone, Debug)]
pub struct SparseGrad<T> {
    terms: Vec<GradTerm<T>>,
    /// `id 2³² + index of the term`, sorted: by id, and for one id in the order in which terms were added.
    order: Vec<u64>,
}

/// `factor` times the values of `dy` in this row from this column on.
#[derive(Clone, Copy, Debug)]
struct GradTerm<T> {
    row: u32,
    column: u32,
    factor: T,
}

impl<T> Default for SparseGrad<T> {
    fn default() -> Self {
        Self { terms: Vec::new(), order: Vec::new() }
    }
}

impl<T: Real> SparseGrad<T> {
    /// Removes all terms and reserves memory for `max_terms`.
    pub fn clear(&mut self, max_terms: usize) {
        self.terms.clear();
        self.order.clear();
        self.terms.reserve(max_terms);
        self.order.reserve(max_terms);
    }

    /// # Panics
    ///
    /// If a number is 2³² or more.
    #[inline]
    fn push(&mut self, id: usize, factor: T, [row, column]: [usize; 2]) {
        let narrow = |number: usize| u32::try_from(number).expect("ids, rows and columns below 2^32");
        self.order.push(u64::from(narrow(id)) << 32 | u64::from(narrow(self.terms.len())));
        self.terms.push(GradTerm { row: narrow(row), column: narrow(column), factor });
    }

    /// Replaces all terms by those of `xᵀ dy`: each value that is stored in a row of x times that row of dy. They are sorted.
    ///
    /// # Panics
    ///
    /// If x has 2³² rows or values, or more.
    pub fn set_product(&mut self, x: &SparseMatrix<T>) {
        self.clear(x.values().len());
        for row in 0..x.rows() {
            let (columns, values) = x.row(row);
            columns
                .iter()
                .zip(values)
                .for_each(|(&column, &value)| self.push(column as usize, value, [row, 0]));
        }
        self.sort();
    }

    /// Sorts the terms; to be called after the last of them was added.
    pub fn sort(&mut self) {
        self.order.sort_unstable();
    }

    /// The number of terms.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// The number of terms that there is memory for.
    pub fn capacity(&self) -> usize {
        self.terms.capacity()
    }

    /// Whether there is no term.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// An upper bound of the absolute values of the gradient, where `dy` is that of the layer's `dy`; NaN if a factor is.
    pub fn bound(&self, dy: f64) -> f64 {
        let factor = self.terms.iter().map(|term| term.factor.as_f64().abs()).fold(0.0, larger_or_nan);
        if self.is_empty() { 0.0 } else { self.len() as f64 * factor * dy }
    }

    /// The id of the term at this position in the order of ids; `None` after the last.
    #[inline]
    pub fn id(&self, position: usize) -> Option<usize> {
        self.order.get(position).map(|key| (key >> 32) as usize)
    }

    /// The position of the first term of this id or a larger one.
    #[inline]
    pub fn position(&self, id: usize) -> usize {
        self.order.partition_point(|key| ((key >> 32) as usize) < id)
    }

    /// Adds all terms of the id at `position` to `sum`, in the order in which the pass added them, in blocks if there are many;
    /// returns the position after them.
    ///
    /// # Panics
    ///
    /// If there is no term at `position`, or `dy` is not that of the pass.
    #[inline]
    pub fn add(&self, position: usize, dy: ArrayView2<'_, T>, sum: &mut [T]) -> usize {
        let id = self.order[position] >> 32;
        let count = self.order[position..].iter().take_while(|&key| key >> 32 == id).count();
        let order = &self.order[position..position + count];
        if count <= CHAIN {
            self.add_terms(order, dy, 0, sum);
        } else {
            self.add_blocks(order, dy, sum);
        }
        position + count
    }

    /// Adds these terms one after the other, from a column of theirs on.
    #[inline]
    fn add_terms(&self, order: &[u64], dy: ArrayView2<'_, T>, first: usize, sum: &mut [T]) {
        for key in order {
            let GradTerm { row, column, factor } = self.terms[(key & u64::from(u32::MAX)) as usize];
            add_part(factor, dy, [row as usize, column as usize + first], sum);
        }
    }

    /// Adds these terms block by block, so that the error does not grow with their number.
    fn add_blocks(&self, order: &[u64], dy: ArrayView2<'_, T>, sum: &mut [T]) {
        const COLUMNS: usize = 64;
        for (index, sum) in sum.chunks_mut(COLUMNS).enumerate() {
            let [mut part, mut total, mut excess] = [[T::zero(); COLUMNS]; 3];
            let total = &mut total[..sum.len()];
            for block in order.chunks(CHAIN) {
                let part = &mut part[..sum.len()];
                part.fill(T::zero());
                self.add_terms(block, dy, index * COLUMNS, part);
                add_block(part, total, &mut excess);
            }
            each!(sum = |total| sum + total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn a_list_adds_up_to_the_dense_gradient() {
        let dy = array![[1.0f64, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]];
        let mut dense = Array2::zeros((5, 2));
        let [mut list, mut own] = [SparseGrad::default(), SparseGrad::default()];
        let terms = [(3, 1.0, [0, 0]), (0, 2.0, [0, 2]), (3, -1.0, [1, 1]), (3, 0.5, [1, 2])];
        for mut grad in [
            TableGrad { dense: Some(dense.view_mut()), list: &mut own },
            TableGrad { dense: None, list: &mut list },
        ] {
            terms.iter().for_each(|&(id, factor, at)| grad.add(id, factor, at));
            grad.finish(dy.view());
        }
        list.sort();
        assert_eq!((list.len(), list.position(0), list.position(1), list.position(4)), (4, 0, 1, 4));
        let mut sum = Array2::zeros((5, 2));
        let mut position = 0;
        while let Some(id) = list.id(position) {
            position = list.add(position, dy.view(), sum.row_mut(id).into_slice().unwrap());
        }
        assert_eq!(sum, dense);
        assert_eq!(list.bound(8.0), 4.0 * 2.0 * 8.0);
        assert!(list.bound(f64::NAN).is_nan());
        assert_eq!(SparseGrad::<f64>::default().bound(f64::INFINITY), 0.0);
        assert_eq!(sum.row(3), array![1.0 - 6.0 + 3.5, 2.0 - 7.0 + 4.0]);
        // The memory order of dy does not matter.
        let strided = dy.t().as_standard_layout().into_owned().reversed_axes();
        let mut row = [0.0; 2];
        assert_eq!(list.add(1, strided.view(), &mut row), 4);
        assert_eq!(row, [-1.5, -1.0]);
        list.clear(3);
        assert!(list.is_empty());
    }

    #[test]
    fn a_product_is_a_list_of_its_values() {
        let (x, dy) = (array![[0.0, 2.0, 0.0], [3.0, 4.0, 0.0]], array![[1.0f64, 10.0], [100.0, 1000.0]]);
        let mut list = SparseGrad::default();
        list.set_product(&SparseMatrix::from_dense(x.view()));
        let mut dw = Array2::zeros((3, 2));
        TableGrad { dense: Some(dw.view_mut()), list: &mut list }.finish(dy.view());
        assert_eq!((dw, list.len()), (x.t().dot(&dy), 3));
    }

    #[test]
    fn many_terms_of_one_row() {
        let dy = Array2::from_elem((100_000, 70), 0.1f32);
        let mut dense = Array2::ones((2, 70));
        let mut list = SparseGrad::default();
        let mut grad = TableGrad { dense: Some(dense.view_mut()), list: &mut list };
        (0..100_000).for_each(|row| grad.add(1, 0.5, [row, 0]));
        grad.finish(dy.view());
        let right = 1.0 + 50_000.0 * f64::from(0.1f32);
        for &found in dense.row(1) {
            assert!((f64::from(found) / right - 1.0).abs() < 1e-6, "{found} for {right}");
        }
        assert!(dense.row(0).iter().all(|&untouched| untouched == 1.0));
    }
}
