//! A branch around which its input is carried.

use chainrule_tensor::{Buffer, Real, Shape, vector};
use ndarray::ArrayView2;

use crate::{Backward, Forward, Layer, Plan, ShapeError, ValueError};

/// `y = x + f(x)` for an inner layer `f` that keeps the shape (He et al. 2015, "Deep residual learning").
///
/// By the chain rule `dx = dy + f'(dy)`: the gradient reaches the input by both ways.
///
/// A block that changes the shape needs a projection beside `f` instead of the input itself, `y = p(x) + f(x)`: that is
/// [`Branches`](crate::Branches) with `Add` as the merge, `Branches::new(Add).branch(f).branch(p)`.
#[derive(Clone, Debug)]
pub struct Residual<L>(pub L);

/// What a [`Residual`] remembers: the branch's cache, and the branch's own output, which its backward needs.
#[derive(Clone, Debug, Default)]
pub struct Branch<T: Real, C> {
    cache: C,
    y: Buffer<T>,
}

impl<T: Real, L: Layer<T>> Layer<T> for Residual<L> {
    type Cache = Branch<T, L::Cache>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let (output, cache, _) = plan.inner("residual", &self.0, input)?;
        if output != input {
            let expected = "samples that its branch returns in the same shape";
            let help = format!("the branch returns {output}; end it with a layer that returns {input}");
            return Err(plan.error(input, expected, &help));
        }
        plan.memory(output.size());
        Ok((output, Branch { cache, y: Buffer::default() }))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.0.check(x)
    }

    fn forward(&self, Forward { params, x, y, cache, mode }: Forward<'_, T, Self::Cache>) {
        let (rows, columns) = x.dim();
        let Branch { cache, y: branch } = cache;
        branch.reserve(rows * columns);
        self.0.forward(Forward {
            params,
            x,
            y: branch.matrix_mut(rows, columns),
            cache,
            mode: mode.inner(0),
        });
        vector::map2(
            x,
            branch.matrix(rows, columns),
            y,
            #[inline(always)]
            |x, f| x + f,
        );
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { params, grads, x, dy, mut dx, cache, share, .. } = pass;
        let (rows, columns) = x.dim();
        let Branch { cache, y: branch } = cache;
        let y = branch.matrix(rows, columns);
        let inner = dx.as_mut().map(|dx| dx.view_mut());
        self.0.backward(Backward { params, grads, x, y, dy, dx: inner, cache, share });
        if let Some(mut dx) = dx {
            dx += &dy;
        }
    }
}
