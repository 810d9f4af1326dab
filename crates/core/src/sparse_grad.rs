//! The gradient of a table of which a pass uses a few rows.

use ndarray::{ArrayView2, ArrayViewMut2, Axis};

use chainrule_tensor::{Real, vector};

/// Where a layer puts the gradient of a table that it reads rows of: see
/// [`Grads::table`](crate::Grads::table).
#[derive(Debug)]
pub enum TableGrad<'a, T> {
    /// The gradient of the whole table, to be added to.
    Dense(ArrayViewMut2<'a, T>),
    /// A list of what is to be added to which row.
    Sparse(&'a mut SparseGrad<T>),
}

impl<T: Real> TableGrad<'_, T> {
    /// Adds to the gradient of row `id` of the table: `factor` times the values of `dy` in `row` from `column` on,
    /// as many as the table has columns. `dy` is the gradient of the layer's output, as `backward` was given it.
    ///
    /// # Panics
    ///
    /// If the table or `dy` has no such row, or `dy` no such columns.
    #[inline]
    pub fn add(&mut self, id: usize, factor: T, dy: ArrayView2<'_, T>, [row, column]: [usize; 2]) {
        match self {
            Self::Dense(table) => {
                let sum = table.row_mut(id).into_slice().expect("the gradients are one flat slice");
                add_part(factor, dy, [row, column], sum);
            }
            Self::Sparse(list) => list.push(id, factor, [row, column]),
        }
    }
}

/// `sum += factor dy[row, column..]`.
#[inline]
fn add_part<T: Real>(factor: T, dy: ArrayView2<'_, T>, [row, column]: [usize; 2], sum: &mut [T]) {
    let row = dy.index_axis_move(Axis(0), row);
    match row.to_slice() {
        Some(values) => vector::update(
            sum,
            &values[column..],
            [],
            #[inline(always)]
            |sum, value, []| (sum + factor * value, []),
        ),
        None => sum.iter_mut().zip(row.iter().skip(column)).for_each(|(sum, &value)| *sum += factor * value),
    }
}

/// The gradient of a table as a list of terms: each a row's id and a part of the `dy` that the layer was given.
///
/// It takes memory for the rows that a pass uses, not for the table.
#[derive(Clone, Debug)]
pub struct SparseGrad<T> {
    terms: Vec<Term<T>>,
    /// `id 2³² + index of the term`, sorted: so by ids, and for one id in the order in which terms were added.
    order: Vec<u64>,
}

/// `factor` times the values of `dy` in this row from this column on.
#[derive(Clone, Copy, Debug)]
struct Term<T> {
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
    /// Forgets all terms, and makes room for `most`.
    pub fn clear(&mut self, most: usize) {
        self.terms.clear();
        self.order.clear();
        self.terms.reserve(most);
        self.order.reserve(most);
    }

    /// # Panics
    ///
    /// If a number is above 2³².
    #[inline]
    fn push(&mut self, id: usize, factor: T, [row, column]: [usize; 2]) {
        let narrow = |number: usize| u32::try_from(number).expect("ids, rows and columns below 2^32");
        self.order.push(u64::from(narrow(id)) << 32 | u64::from(narrow(self.terms.len())));
        self.terms.push(Term { row: narrow(row), column: narrow(column), factor });
    }

    /// Puts the terms in order, after the last of them.
    pub fn sort(&mut self) {
        self.order.sort_unstable();
    }

    /// How many terms there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The id of the term at this place in the order of ids; `None` behind the last.
    #[inline]
    pub fn id(&self, place: usize) -> Option<usize> {
        self.order.get(place).map(|key| (key >> 32) as usize)
    }

    /// The place of the first term of this id or a greater one.
    #[inline]
    pub fn place(&self, id: usize) -> usize {
        self.order.partition_point(|key| ((key >> 32) as usize) < id)
    }

    /// Adds all terms of the id at `place` to `sum`, in the order in which the pass added them; returns the place
    /// behind them.
    ///
    /// # Panics
    ///
    /// If there is no term at `place`, or `dy` is not that of the pass.
    #[inline]
    pub fn add(&self, place: usize, dy: ArrayView2<'_, T>, sum: &mut [T]) -> usize {
        let id = self.order[place] >> 32;
        let mut after = place;
        while let Some(key) = self.order.get(after).filter(|&&key| key >> 32 == id) {
            let Term { row, column, factor } = self.terms[(key & u64::from(u32::MAX)) as usize];
            add_part(factor, dy, [row as usize, column as usize], sum);
            after += 1;
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn a_list_adds_up_to_the_whole() {
        let dy = array![[1.0f64, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]];
        let (mut dense, mut list) = (Array2::zeros((5, 2)), SparseGrad::default());
        for (id, factor, at) in [(3, 1.0, [0, 0]), (0, 2.0, [0, 2]), (3, -1.0, [1, 1]), (3, 0.5, [1, 2])] {
            TableGrad::Dense(dense.view_mut()).add(id, factor, dy.view(), at);
            TableGrad::Sparse(&mut list).add(id, factor, dy.view(), at);
        }
        list.sort();
        assert_eq!((list.len(), list.place(0), list.place(1), list.place(4)), (4, 0, 1, 4));
        let (mut sum, mut place) = (Array2::zeros((5, 2)), 0);
        while let Some(id) = list.id(place) {
            place = list.add(place, dy.view(), sum.row_mut(id).into_slice().unwrap());
        }
        assert_eq!(sum, dense);
        assert_eq!(sum.row(3), array![1.0 - 6.0 + 3.5, 2.0 - 7.0 + 4.0]);
        // Column by column in memory it is the same.
        let strided = dy.t().as_standard_layout().into_owned().reversed_axes();
        let mut row = [0.0; 2];
        assert_eq!(list.add(1, strided.view(), &mut row), 4);
        assert_eq!(row, [-1.5, -1.0]);
        list.clear(3);
        assert!(list.is_empty());
    }
}
