//! The table, and the numbers that name its rows.

use std::fmt;
use std::sync::Arc;

use chainrule_core::{Initializer, ParamSpec, Plan, ShapeError, ValueError};
use chainrule_tensor::{Real, Seed, Shape};
use ndarray::ArrayView2;

use crate::init::{Normal, Uniform};

/// A table of vectors, `[vocabulary, size]`, whose rows are named by ids.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) vocabulary: usize,
    pub(super) size: usize,
    pub(super) weight: Arc<dyn Initializer>,
    pub(super) padding: Option<usize>,
    pub(super) sparse: bool,
}

impl Table {
    pub(super) fn new(vocabulary: usize, size: usize) -> Self {
        Self { vocabulary, size, weight: Arc::new(Normal::default()), padding: None, sparse: false }
    }

    pub(super) fn keras(vocabulary: usize, size: usize) -> Self {
        Self { weight: Arc::new(Uniform::keras()), ..Self::new(vocabulary, size) }
    }

    /// Declares the table for samples of ids; returns how many of them a sample has.
    pub(super) fn plan<T: Real>(&self, input: Shape, plan: &mut Plan) -> Result<usize, ShapeError> {
        let Self { vocabulary, size, .. } = *self;
        let Some(ids) = input.first().copied().filter(|&ids| input.len() == 1 && ids > 0) else {
            return Err(plan.error(input, "a vector of ids, [ids]", "give it samples with one axis"));
        };
        // The integers up to the reciprocal of the rounding error are numbers of T.
        let most = (1.0 / T::epsilon().as_f64()) * 2.0;
        let most = most.min(f64::from(u32::MAX)) as usize;
        if vocabulary == 0 || vocabulary > most || size == 0 {
            let expected = format!("[ids] for 1 to {most} vectors of at least one value");
            let help = format!("choose another vocabulary or size; {} counts no further", T::NAME);
            return Err(plan.error(input, &expected, &help));
        }
        if Shape::new(&[ids, size]).is_none() {
            return Err(plan.error(
                input,
                "[ids] of which the vectors can be counted",
                "choose a smaller size",
            ));
        }
        let weight = match self.padding {
            Some(row) if row >= vocabulary => {
                let expected = format!("[ids] with a padding index below {vocabulary}");
                return Err(plan.error(input, &expected, "choose one of the vocabulary"));
            }
            Some(row) => Arc::new(WithoutRow(Arc::clone(&self.weight), row)) as _,
            None => Arc::clone(&self.weight),
        };
        let (shape, fans) = ([vocabulary, size], (vocabulary, size));
        match self.sparse {
            true => plan.table("weight", shape, fans, &weight),
            false => plan.weight("weight", shape, fans, &weight),
        }?;
        Ok(ids)
    }

    /// Whether all numbers are ids.
    pub(super) fn check<T: Real>(
        &self,
        layer: &dyn fmt::Debug,
        x: ArrayView2<'_, T>,
    ) -> Result<(), ValueError> {
        let vocabulary = T::of(self.vocabulary as f64);
        let is_id = |x: T| x >= T::zero() && x < vocabulary && x.fract() == T::zero();
        let wrong = x.indexed_iter().find(|&(_, &x)| !is_id(x));
        wrong.map_or(Ok(()), |((row, _), x)| {
            let expected = format!("ids, whole numbers from 0 to {}", self.vocabulary - 1);
            Err(ValueError::new(layer, expected, x.as_f64(), row))
        })
    }

    /// The row that a number names, the nearest one if nobody checked the numbers; `None` for padding.
    #[inline]
    pub(super) fn row<T: Real>(&self, x: T) -> Option<usize> {
        let row = (x.as_f64() as usize).min(self.vocabulary - 1);
        (self.padding != Some(row)).then_some(row)
    }
}

/// As another rule, with one row of zeros.
#[derive(Clone, Debug)]
struct WithoutRow(Arc<dyn Initializer>, usize);

impl Initializer for WithoutRow {
    fn fill(&self, spec: ParamSpec, seed: Seed, values: &mut [f64]) {
        let Self(others, row) = self;
        others.fill(spec, seed, values);
        let columns = spec.shape[1];
        values[row * columns..(row + 1) * columns].fill(0.0);
    }
}

/// The settings of a layer that has a table.
macro_rules! settings {
    () => {
        /// Another rule for the first vectors.
        #[must_use]
        pub fn weight_init(mut self, init: impl ::chainrule_core::Initializer + 'static) -> Self {
            self.table.weight = ::std::sync::Arc::new(init);
            self
        }

        /// This id is padding: it counts as a vector of zeros, and is not trained.
        #[must_use]
        pub fn padding_index(mut self, id: usize) -> Self {
            self.table.padding = Some(id);
            self
        }

        /// The gradient is a list of the vectors that a batch uses, and an optimizer updates these alone: a step takes
        /// as long for a million ids as for a thousand.
        ///
        /// For plain gradient descent that is the same to the last bit. The momentum of a vector, and its decay,
        /// stand still in the steps that do not use it, as with PyTorch's `SparseAdam`. An optimizer that looks at all
        /// gradients at once (`ClipByGlobalNorm`), and a layer that is inside another, still make the
        /// whole gradient.
        #[must_use]
        pub fn sparse(mut self) -> Self {
            self.table.sparse = true;
            self
        }
    };
}
pub(super) use settings;
