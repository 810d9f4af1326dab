//! Concatenation.

use chainrule_core::{Merge, MergeBackward, MergeForward, Plan, ShapeError, describe, described};
use chainrule_tensor::{Real, Shape};
use ndarray::s;

/// Concatenates the inputs along an axis: by default the first, the features of vectors and the channels of images;
/// `Concat::axis(1)` for the features of `[steps, features]`. The lengths of the other axes must agree.
#[derive(Clone, Copy, Debug, Default)]
pub struct Concat {
    axis: usize,
}

describe! {
    /// The inputs one after the other along an axis.
    Concat = "concat";
    aliases ["concatenate"];
    settings {
        /// The axis of a sample, counted from 0.
        axis ("dim"): 0;
    }
}

impl Concat {
    /// Concatenates along this axis of the samples, counted from 0.
    pub fn axis(axis: usize) -> Self {
        Self { axis }
    }
}

/// The cache of a [`Concat`]: the number of blocks of a sample, one for each index of the axes before the axis, and the number of
/// values of each input in a block.
#[derive(Clone, Debug, Default)]
pub struct ConcatCache {
    count: usize,
    lengths: Vec<usize>,
}

impl ConcatCache {
    /// The columns of each block of an input, and their columns in the output.
    fn each(&self, input: usize, mut f: impl FnMut([std::ops::Range<usize>; 2])) {
        let len = self.lengths[input];
        let all: usize = self.lengths.iter().sum();
        let before: usize = self.lengths[..input].iter().sum();
        for block in 0..self.count {
            let start = block * all + before;
            f([block * len..(block + 1) * len, start..start + len]);
        }
    }
}

impl<T: Real> Merge<T> for Concat {
    type Cache = ConcatCache;

    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, ConcatCache), ShapeError> {
        let first = inputs.first().copied().unwrap_or(Shape::from([0]));
        let mut axes = first.to_vec();
        if inputs.is_empty() || self.axis >= axes.len() {
            let expected = format!("at least one input, with an axis {}", self.axis);
            return Err(plan.error(first, &expected, "choose an axis that all inputs have, counted from 0"));
        }
        let too_many = |plan: &Plan| {
            plan.error(
                first,
                "inputs whose concatenation fits in memory",
                "concatenate fewer or smaller inputs",
            )
        };
        axes[self.axis] = 0;
        let mut lengths = Vec::new();
        for &input in inputs {
            let same = |(axis, (a, b)): (usize, (&usize, &usize))| axis == self.axis || a == b;
            if input.len() != first.len() || !input.iter().zip(first.iter()).enumerate().all(same) {
                let expected = format!("inputs that differ from {first} only in axis {}", self.axis);
                return Err(plan.error(input, &expected, "reshape one of them, or choose another axis"));
            }
            let together = axes[self.axis].checked_add(input[self.axis]);
            axes[self.axis] = together.ok_or_else(|| too_many(plan))?;
            lengths.push(input[self.axis..].iter().product());
        }
        let output = Shape::new(&axes).ok_or_else(|| too_many(plan))?;
        Ok((output, ConcatCache { count: first[..self.axis].iter().product(), lengths }))
    }

    described!();

    fn forward(&self, MergeForward { xs, mut y, cache, .. }: MergeForward<'_, T, ConcatCache>) {
        for (index, x) in xs.iter().enumerate() {
            cache.each(index, |[from, to]| y.slice_mut(s![.., to]).assign(&x.slice(s![.., from])));
        }
    }

    fn backward(&self, MergeBackward { dy, dxs, cache, .. }: MergeBackward<'_, T, ConcatCache>) {
        for (index, dx) in dxs.iter_mut().enumerate() {
            let Some(dx) = dx else { continue };
            cache.each(index, |[to, from]| dx.slice_mut(s![.., to]).assign(&dy.slice(s![.., from])));
        }
    }
}
