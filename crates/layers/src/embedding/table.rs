//! The table of vectors, and the ids of its rows.

use std::fmt;
use std::sync::Arc;

use chainrule_core::{
    DescriptionError, Initializer, ParamSpec, Plan, SettingValue, Settings, ShapeError, Value, ValueError,
};
use chainrule_tensor::{Real, Seed, Shape};
use ndarray::ArrayView2;

use crate::init::{Normal, Uniform};

/// A table of vectors, `[vocabulary, size]`, one row for each id.
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

    /// The table of the settings of a layer.
    pub(super) fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self {
            vocabulary: settings.get("vocabulary")?,
            size: settings.get("size")?,
            weight: settings.get("weight_init")?,
            padding: settings.get("padding_index")?,
            sparse: settings.get("sparse")?,
        })
    }

    /// The values of these settings, in this order.
    pub(super) fn values(&self) -> Vec<Value> {
        let Self { vocabulary, size, weight, padding, sparse } = self;
        vec![vocabulary.to_value(), size.to_value(), weight.to_value(), padding.to_value(), sparse.to_value()]
    }

    pub(super) fn keras(vocabulary: usize, size: usize) -> Self {
        Self { weight: Arc::new(Uniform::keras()), ..Self::new(vocabulary, size) }
    }

    /// Declares the table for samples of ids; returns the number of ids per sample.
    pub(super) fn plan<T: Real>(&self, input: Shape, plan: &mut Plan) -> Result<usize, ShapeError> {
        let Self { vocabulary, size, .. } = *self;
        let Some(ids) = input.first().copied().filter(|&ids| input.len() == 1 && ids > 0) else {
            return Err(plan.error(input, "a vector of ids, [ids]", "give it samples with one axis"));
        };
        // T represents all integers up to 2/ε exactly.
        let exact = (1.0 / T::epsilon().as_f64()) * 2.0;
        let max = exact.min(f64::from(u32::MAX)) as usize;
        plan.at_least_one(vocabulary, "a vocabulary", input)?;
        plan.at_least_one(size, "a size", input)?;
        if vocabulary > max {
            let help = format!("choose a smaller one, since {} cannot represent larger ids", T::NAME);
            return Err(plan.setting_error(input, &format!("a vocabulary of at most {max}"), &help));
        }
        if Shape::new(&[ids, size]).is_none() {
            let expected = "[ids] for vectors that fit in memory";
            return Err(plan.error(input, expected, "choose a smaller size"));
        }
        let weight = match self.padding {
            Some(row) if row >= vocabulary => {
                let needed = format!("a padding index below {vocabulary}");
                return Err(plan.setting_error(input, &needed, "choose an id of the vocabulary"));
            }
            Some(row) => Arc::new(WithoutRow(Arc::clone(&self.weight), row)) as _,
            None => Arc::clone(&self.weight),
        };
        let shape = [vocabulary, size];
        let fans = (vocabulary, size);
        if self.sparse {
            plan.table("weight", shape, fans, &weight)?;
        } else {
            plan.weight("weight", shape, fans, &weight)?;
        }
        Ok(ids)
    }

    /// Checks that all numbers are ids.
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

    /// The row of an id, or the nearest row if the ids were not checked; `None` for padding.
    #[inline]
    pub(super) fn row<T: Real>(&self, x: T) -> Option<usize> {
        let row = (x.as_f64() as usize).min(self.vocabulary - 1);
        (self.padding != Some(row)).then_some(row)
    }
}

/// Another initialiser, with one row set to zeros.
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

/// The methods that set up a layer with a table.
macro_rules! settings {
    () => {
        /// Sets the initialiser of the vectors.
        #[must_use]
        pub fn weight_init(mut self, init: impl ::chainrule_core::Initializer + 'static) -> Self {
            self.table.weight = ::std::sync::Arc::new(init);
            self
        }

        /// Makes this id padding: its vector counts as zeros and is not trained.
        #[must_use]
        pub fn padding_index(mut self, id: usize) -> Self {
            self.table.padding = Some(id);
            self
        }

        /// Makes the gradient a list of the vectors that a batch uses, and lets the optimizer update only these: a step takes as
        /// long for a million ids as for a thousand.
        ///
        /// For plain gradient descent the result is identical to the last bit. The momentum and the decay of a vector pause in
        /// steps that do not use it, as in PyTorch's `SparseAdam`. An optimizer that needs all gradients at once
        /// (`ClipByGlobalNorm`), and a layer inside another layer, still compute the dense gradient.
        #[must_use]
        pub fn sparse(mut self) -> Self {
            self.table.sparse = true;
            self
        }
    };
}
pub(super) use settings;
