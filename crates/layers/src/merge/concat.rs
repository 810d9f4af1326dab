//! Inputs one after the other.

use chainrule_core::{Merge, MergeBackward, MergeForward, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};
use ndarray::s;

/// Inputs one after the other along an axis: by default the first, which are the features of vectors and the channels of
/// images; `Concat::axis(1)` for the features of `[steps, features]`. The other axes must be the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Concat {
    axis: usize,
}

impl Concat {
    /// Along this axis of the samples, from 0.
    pub fn axis(axis: usize) -> Self {
        Self { axis }
    }
}

/// What a [`Concat`] remembers: how many blocks a sample has before the axis, and how many values of each input are in a block.
#[derive(Clone, Debug, Default)]
pub struct Blocks {
    count: usize,
    lengths: Vec<usize>,
}

impl Blocks {
    /// The columns of each block of an input, and where they are in the output.
    fn each(&self, input: usize, mut f: impl FnMut([std::ops::Range<usize>; 2])) {
        let (len, all) = (self.lengths[input], self.lengths.iter().sum::<usize>());
        let before: usize = self.lengths[..input].iter().sum();
        for block in 0..self.count {
            let start = block * all + before;
            f([block * len..(block + 1) * len, start..start + len]);
        }
    }
}

impl<T: Real> Merge<T> for Concat {
    type Cache = Blocks;

    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, Blocks), ShapeError> {
        let first = inputs.first().copied().unwrap_or(Shape::from([0]));
        let mut axes = first.to_vec();
        if inputs.is_empty() || self.axis >= axes.len() {
            let expected = format!("at least one input, with an axis {}", self.axis);
            return Err(plan.error(first, &expected, "choose an axis that they have, counted from 0"));
        }
        let too_many = |plan: &Plan| {
            plan.error(first, "inputs whose values together can be counted", "concatenate less")
        };
        axes[self.axis] = 0;
        let mut lengths = Vec::new();
        for &input in inputs {
            let same = |(axis, (a, b)): (usize, (&usize, &usize))| axis == self.axis || a == b;
            if input.len() != first.len() || !input.iter().zip(first.iter()).enumerate().all(same) {
                let expected = format!("inputs that differ from {first} in axis {} alone", self.axis);
                return Err(plan.error(input, &expected, "reshape one of them, or choose another axis"));
            }
            let together = axes[self.axis].checked_add(input[self.axis]);
            axes[self.axis] = together.ok_or_else(|| too_many(plan))?;
            lengths.push(input[self.axis..].iter().product());
        }
        let output = Shape::new(&axes).ok_or_else(|| too_many(plan))?;
        Ok((output, Blocks { count: first[..self.axis].iter().product(), lengths }))
    }

    fn forward(&self, MergeForward { xs, mut y, cache, .. }: MergeForward<'_, T, Blocks>) {
        for (index, x) in xs.iter().enumerate() {
            cache.each(index, |[from, to]| y.slice_mut(s![.., to]).assign(&x.slice(s![.., from])));
        }
    }

    fn backward(&self, MergeBackward { dy, dxs, cache, .. }: MergeBackward<'_, T, Blocks>) {
        for (index, dx) in dxs.iter_mut().enumerate() {
            let Some(dx) = dx else { continue };
            cache.each(index, |[to, from]| dx.slice_mut(s![.., to]).assign(&dy.slice(s![.., from])));
        }
    }
}
