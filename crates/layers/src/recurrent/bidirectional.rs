//! Recurrent layers in both directions.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};

use super::unrolled::{Place, Recurrent, TargetView, Unrolled};
use super::{Cell, Product};

/// A recurrent layer that takes the steps from the first to the last, and another one, with weights of its own, that
/// takes them from the last to the first (Schuster and Paliwal 1997, "Bidirectional recurrent neural networks").
///
/// Both results lie side by side, those of the first layer in front; [`sum`](Self::sum), [`multiply`](Self::multiply)
/// and [`average`](Self::average) merge them value by value instead, as Keras' `merge_mode`. With
/// [`sequences`](Recurrent::sequences) both stand at the step that they belong to; without, each direction gives its
/// own last state. The parameters are those of `forward` and then those of `backward`.
#[derive(Clone, Debug)]
pub struct Bidirectional<L> {
    forward: L,
    backward: L,
    merge: MergeMode,
}

/// How two results become one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum MergeMode {
    Concat,
    /// The sum times a factor.
    Sum(f64),
    Multiply,
}

impl<C: Clone, P: Clone> Bidirectional<Recurrent<C, P>> {
    /// This layer in both directions.
    pub fn new(layer: Recurrent<C, P>) -> Self {
        Self { backward: layer.clone().turned(), forward: layer, merge: MergeMode::Concat }
    }
}

impl<L> Bidirectional<L> {
    /// The sum of both results.
    #[must_use]
    pub fn sum(self) -> Self {
        Self { merge: MergeMode::Sum(1.0), ..self }
    }

    /// The product of both results, value by value.
    #[must_use]
    pub fn multiply(self) -> Self {
        Self { merge: MergeMode::Multiply, ..self }
    }

    /// The mean of both results.
    #[must_use]
    pub fn average(self) -> Self {
        Self { merge: MergeMode::Sum(0.5), ..self }
    }
}

/// What a [`Bidirectional`] remembers: each direction's cache, and unless they lie side by side the results of both and
/// the gradient of one.
#[derive(Clone, Debug, Default)]
pub struct Both<T: Real, P> {
    caches: [Unrolled<T, P>; 2],
    results: [Buffer<T>; 2],
    gradient: Buffer<T>,
}

impl<L> Bidirectional<L> {
    /// Where the result of each direction lies: in the output, or in a matrix of its own.
    fn places(&self, units: usize) -> [Place; 2] {
        let concat = self.merge == MergeMode::Concat;
        let stride = if concat { 2 * units } else { units };
        let second = if concat { units } else { 0 };
        [0, second].map(|first| Place { first, stride, turned: true })
    }
}

impl<T: Real, C: Cell<T>, P: Product<T>> Layer<T> for Bidirectional<Recurrent<C, P>> {
    type Cache = Both<T, P::Cache>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let (one, forward, _) = plan.inner("forward", &self.forward, input)?;
        let (_, backward, _) = plan.inner("backward", &self.backward, input)?;
        let mut output = one.to_vec();
        if self.merge == MergeMode::Concat {
            // The first axis of a state.
            let axis = &mut output[usize::from(self.forward.gives_sequences())];
            *axis = axis.saturating_mul(2);
        }
        let Some(output) = Shape::new(&output) else {
            return Err(plan.error(input, "outputs that can be counted", "take fewer steps or units"));
        };
        if self.merge != MergeMode::Concat {
            plan.memory(output.size()); // the gradient; those of both results are counted as outputs
        }
        Ok((output, Both { caches: [forward, backward], ..Both::default() }))
    }

    fn forward(&self, Forward { mut params, x, mut y, cache, mode }: Forward<'_, T, Self::Cache>) {
        let Both { caches, results, .. } = cache;
        let (rows, columns) = y.dim();
        let places = self.places(caches[0].units());
        for (index, layer) in [&self.forward, &self.backward].into_iter().enumerate() {
            let (cache, place, result) = (&mut caches[index], places[index], &mut results[index]);
            let (params, mode) = (params.values(cache.parameters()), mode.inner(index));
            if self.merge == MergeMode::Concat {
                layer.run(params, x, y.view_mut(), place, cache, mode);
            } else {
                result.reserve(rows * columns);
                layer.run(params, x, result.matrix_mut(rows, columns), place, cache, mode);
            }
        }
        let result = |index: usize| results[index].matrix(rows, columns);
        match self.merge {
            MergeMode::Concat => {}
            MergeMode::Sum(factor) => {
                let factor = T::of(factor);
                vector::map2(
                    result(0),
                    result(1),
                    y,
                    #[inline(always)]
                    |a, b| factor * (a + b),
                );
            }
            MergeMode::Multiply => vector::map2(
                result(0),
                result(1),
                y,
                #[inline(always)]
                |a, b| a * b,
            ),
        }
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { mut params, mut grads, dy, mut dx, cache, share, .. } = pass;
        let Both { caches, results, gradient } = cache;
        let (rows, columns) = dy.dim();
        let places = self.places(caches[0].units());
        for (index, layer) in [&self.forward, &self.backward].into_iter().enumerate() {
            let (cache, place) = (&mut caches[index], places[index]);
            let (params, grads) = (params.values(cache.parameters()), grads.values(cache.parameters()));
            if self.merge != MergeMode::Concat {
                gradient.reserve(rows * columns);
            }
            let dy = match self.merge {
                MergeMode::Concat => dy,
                MergeMode::Sum(factor) => {
                    let factor = T::of(factor);
                    vector::map(
                        dy,
                        gradient.matrix_mut(rows, columns),
                        #[inline(always)]
                        |dy| factor * dy,
                    );
                    gradient.matrix(rows, columns)
                }
                MergeMode::Multiply => {
                    vector::map2(
                        dy,
                        results[1 - index].matrix(rows, columns),
                        gradient.matrix_mut(rows, columns),
                        #[inline(always)]
                        |dy, other| dy * other,
                    );
                    gradient.matrix(rows, columns)
                }
            };
            let dx = dx.as_mut().map(|dx| dx.view_mut());
            let dx = dx.map_or(
                TargetView::Nothing,
                if index == 0 { TargetView::Overwrite } else { TargetView::Add },
            );
            layer.run_back(params, grads, dy, place, dx, cache, share);
        }
    }
}
