//! A bilinear form of two inputs.

use std::sync::Arc;

use chainrule_core::{
    Initializer, Merge, MergeBackward, MergeForward, Plan, Range, ShapeError, describe, described,
};
use chainrule_tensor::{Buffer, Real, Shape, gemm, vector};
use ndarray::Axis;

use crate::init::FanInUniform;

/// `yₖ = x₁ᵀ Aₖ x₂ + bₖ` for `units` outputs, as PyTorch's `Bilinear`: `A` has the shape `[units, inputs₁, inputs₂]`; `A`
/// and `b` are initialised uniformly in `±1/√inputs₁`.
#[derive(Clone, Debug)]
pub struct Bilinear {
    units: usize,
    bias: bool,
    init: Arc<dyn Initializer>,
}

describe! {
    /// A bilinear form of two vectors for each output.
    Bilinear = "bilinear";
    formula "yₖ = x₁ᵀ Aₖ x₂ + bₖ";
    settings {
        /// The number of outputs.
        units ("out_features"): required, Range::AT_LEAST_ONE;
        /// Whether there are biases.
        bias: true;
        /// The first weights and biases.
        init as "weight_init": fan_in_uniform;
    }
}

impl Bilinear {
    /// A bilinear form with this number of outputs.
    pub fn new(units: usize) -> Self {
        Self { units, bias: true, init: Arc::new(FanInUniform) }
    }

    /// Without biases.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { bias: false, ..self }
    }

    /// Sets the initialiser of `A` and `b`.
    #[must_use]
    pub fn weight_init(self, init: impl Initializer + 'static) -> Self {
        Self { init: Arc::new(init), ..self }
    }
}

/// The cache of a [`Bilinear`]: scratch space for `x₁ A` or `dy x₁`, and for `dy x₂`.
#[derive(Clone, Debug, Default)]
pub struct BilinearCache<T: Real>([Buffer<T>; 2]);

impl<T: Real> Merge<T> for Bilinear {
    type Cache = BilinearCache<T>;

    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, BilinearCache<T>), ShapeError> {
        plan.at_least_one(
            self.units,
            "a number of units",
            inputs.first().copied().unwrap_or(Shape::from([0])),
        )?;
        let Some([first, second]) = vectors(inputs) else {
            let other = inputs.iter().find(|input| input.len() != 1).or(inputs.first());
            let other = other.copied().unwrap_or(Shape::from([0]));
            return Err(plan.error(other, "two vectors", "put Flatten before it"));
        };
        let fans = (first, self.units);
        plan.weight("weight", [self.units, first, second], fans, &self.init)?;
        if self.bias {
            plan.bias("bias", [self.units], fans, &self.init)?;
        }
        plan.flops(
            2u64.saturating_mul(self.units as u64)
                .saturating_mul((first as u64).saturating_add(1))
                .saturating_mul(second as u64),
        );
        plan.memory(first.saturating_add(second));
        Ok((Shape::from([self.units]), BilinearCache::default()))
    }

    described!();

    fn forward(
        &self,
        MergeForward { mut params, xs, mut y, cache, .. }: MergeForward<'_, T, BilinearCache<T>>,
    ) {
        let [first, second] = dims(xs);
        let rows = xs[0].nrows();
        let a = params.take([self.units, first, second]);
        let BilinearCache([product, _]) = cache;
        product.reserve(rows * second);
        for (a, mut y) in a.axis_iter(Axis(0)).zip(y.columns_mut()) {
            let mut product = product.matrix_mut(rows, second);
            gemm(T::one(), xs[0], a, T::zero(), product.view_mut()); //              P = X₁ Aₖ
            for ((p, x), y) in product.rows().into_iter().zip(xs[1].rows()).zip(y.iter_mut()) {
                *y = vector::sum_iter(p.iter().zip(x).map(|(&p, &x)| p * x)); //     yₖ = Σ P X₂
            }
        }
        if self.bias {
            vector::add_to_rows(params.take([self.units]), y); //                    Y += b
        }
    }

    fn backward(&self, pass: MergeBackward<'_, T, BilinearCache<T>>) {
        let MergeBackward { mut params, mut grads, xs, dy, dxs, cache, .. } = pass;
        let [first, second] = dims(xs);
        let rows = xs[0].nrows();
        let shape = [self.units, first, second];
        let a = params.take(shape);
        let mut da = grads.take(shape);
        if self.bias {
            vector::sum_rows(dy, grads.take([self.units])); //                       db = Σ rows of dY
        }
        let BilinearCache([left, right]) = cache;
        left.reserve(rows * first);
        right.reserve(rows * second);
        let [dx1, dx2] = dxs else { unreachable!("it was planned for two inputs") };
        for (unit, dy) in dy.columns().into_iter().enumerate() {
            let a = a.index_axis(Axis(0), unit);
            let da = da.index_axis_mut(Axis(0), unit);
            let mut left = left.matrix_mut(rows, first);
            let mut right = right.matrix_mut(rows, second);
            for (((mut l, mut r), &dy), (x1, x2)) in left
                .rows_mut()
                .into_iter()
                .zip(right.rows_mut())
                .zip(dy)
                .zip(xs[0].rows().into_iter().zip(xs[1].rows()))
            {
                l.zip_mut_with(&x1, |l, &x| *l = dy * x);
                r.zip_mut_with(&x2, |r, &x| *r = dy * x);
            }
            let beta = if unit == 0 { T::zero() } else { T::one() };
            gemm(T::one(), left.t(), xs[1], T::one(), da); //                        dAₖ += (dyₖ X₁)ᵀ X₂
            if let Some(dx) = dx1 {
                gemm(T::one(), right.view(), a.t(), beta, dx.view_mut()); //         dX₁ = Σ (dyₖ X₂) Aₖᵀ
            }
            if let Some(dx) = dx2 {
                gemm(T::one(), left.view(), a, beta, dx.view_mut()); //              dX₂ = Σ (dyₖ X₁) Aₖ
            }
        }
    }
}

/// The lengths of two inputs that are vectors.
fn vectors(inputs: &[Shape]) -> Option<[usize; 2]> {
    match inputs {
        [a, b] if a.len() == 1 && b.len() == 1 => Some([a[0], b[0]]),
        _ => None,
    }
}

fn dims<T>(xs: &[ndarray::ArrayView2<'_, T>]) -> [usize; 2] {
    [xs[0].ncols(), xs[1].ncols()]
}
