//! Layers one after the other.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::{Backward, Entry, Forward, Layer, Params, Plan, ShapeError, SparseGrad, ValueError};
use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2};

/// Layers one after the other: `y = fₙ(... f₂(f₁(x)))`.
///
/// It is itself a layer, so it nests. Backward it applies the chain rule from the last layer to the first:
/// each layer's `dx` is the `dy` of the one before. Where nobody wants the gradient of the input, it ends at the
/// first layer that has parameters.
///
/// ```
/// # use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
/// # use chainrule_tensor::Shape;
/// # #[derive(Debug)] struct Twice;
/// # impl Layer<f32> for Twice {
/// #     type Cache = ();
/// #     fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> { Ok((input, ())) }
/// #     fn forward(&self, pass: Forward<'_, f32>) { ndarray::Zip::from(pass.y).and(pass.x).for_each(|y, x| *y = 2.0 * x) }
/// #     fn backward(&self, pass: Backward<'_, f32>) { ndarray::Zip::from(pass.dx.unwrap()).and(pass.dy).for_each(|y, x| *y = 2.0 * x) }
/// # }
/// use chainrule_core::Sequential;
/// let layers = Sequential::new().then(Twice).then(Twice);
/// assert_eq!(format!("{layers:?}"), "Sequential[Twice, Twice]");
/// ```
#[derive(Clone)]
pub struct Sequential<T> {
    layers: Vec<Arc<dyn Erased<T>>>,
}

impl Sequential<f32> {
    /// No layers yet, in single precision; [`Sequential::<f64>::default`](Default::default) is the same in
    /// double precision.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<T> Default for Sequential<T> {
    fn default() -> Self {
        Self { layers: Vec::new() }
    }
}

impl<T: Real> Sequential<T> {
    /// These layers, and then this one.
    #[must_use]
    pub fn then(mut self, layer: impl Layer<T>) -> Self {
        self.layers.push(Arc::new(layer));
        self
    }

    /// How many layers there are.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there is no layer.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

impl<T> fmt::Debug for Sequential<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sequential")?;
        f.debug_list().entries(&self.layers).finish()
    }
}

/// A layer whose type is forgotten.
trait Erased<T>: fmt::Debug + Send + Sync {
    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError>;
    fn identity(&self) -> bool;
    fn stage(
        self: Arc<Self>,
        index: usize,
        input: Shape,
        plan: &mut Plan,
    ) -> Result<(Shape, Stage<T>), ShapeError>;
}

impl<T: Real, L: Layer<T>> Erased<T> for L {
    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        Layer::check(self, x)
    }

    fn identity(&self) -> bool {
        self.is_identity()
    }

    fn stage(
        self: Arc<Self>,
        index: usize,
        input: Shape,
        plan: &mut Plan,
    ) -> Result<(Shape, Stage<T>), ShapeError> {
        let (entries, row) = (plan.entries().len(), plan.layers().len());
        let (output, cache, params) = plan.inner(&index.to_string(), &*self, input)?;
        let simple = !plan.layers()[row].composite;
        // The x and dy of a layer made of others are not those of its parts.
        let own = if simple { &plan.entries()[entries..] } else { &[] };
        let product = only(own, |entry| entry.product).map(DeferredGrad::Product);
        let table =
            || only(own, |entry| entry.table).map(|range| DeferredGrad::Table(range, SparseGrad::default()));
        let deferred_grad = product.or_else(table);
        let identity = self.is_identity() && params == 0;
        let replica = Box::new(Bound { layer: self, cache });
        let columns = output.size();
        Ok((output, Stage { replica, index, params, columns, deferred_grad, identity, slot: 0 }))
    }
}

/// Where the one parameter of this kind lies, if there is just one.
fn only(entries: &[Entry], kind: impl Fn(&Entry) -> bool) -> Option<Range<usize>> {
    let mut found = entries.iter().filter(|entry| kind(entry));
    found.next().filter(|_| found.next().is_none()).map(|entry| entry.range.clone())
}

/// A layer bound to its cache: the types of both are forgotten together, so that no cast is needed.
trait Replica<T>: Send + Sync {
    fn forward(&mut self, pass: Forward<'_, T>);
    fn backward(&mut self, pass: Backward<'_, T>);
    fn duplicate(&self) -> Box<dyn Replica<T>>;
}

struct Bound<L, C> {
    layer: Arc<L>,
    cache: C,
}

impl<T: Real, L: Layer<T>> Replica<T> for Bound<L, L::Cache> {
    fn forward(&mut self, Forward { params, x, y, mode, .. }: Forward<'_, T>) {
        self.layer.forward(Forward { params, x, y, cache: &mut self.cache, mode });
    }

    fn backward(&mut self, Backward { params, grads, x, y, dy, dx, share, .. }: Backward<'_, T>) {
        self.layer.backward(Backward { params, grads, x, y, dy, dx, cache: &mut self.cache, share });
    }

    fn duplicate(&self) -> Box<dyn Replica<T>> {
        Box::new(Self { layer: Arc::clone(&self.layer), cache: self.cache.clone() })
    }
}

/// The parameter of a stage whose gradient can be made after the pass, from the stage's [`operands`](SequentialCache::operands).
#[derive(Clone)]
enum DeferredGrad<T> {
    /// Where the weight lies whose gradient is `xᵀ dy`.
    Product(Range<usize>),
    /// Where the table lies, and the rows that the last pass used.
    Table(Range<usize>, SparseGrad<T>),
}

/// One layer of the chain.
struct Stage<T> {
    replica: Box<dyn Replica<T>>,
    /// Its place in the model; identities have no stage.
    index: usize,
    /// How many parameters it takes.
    params: usize,
    /// How many values its output has for a sample.
    columns: usize,
    deferred_grad: Option<DeferredGrad<T>>,
    identity: bool,
    /// Which of the chain's gradients holds its `dy`.
    slot: usize,
}

impl<T: Real> Clone for Stage<T> {
    fn clone(&self) -> Self {
        Self { replica: self.replica.duplicate(), deferred_grad: self.deferred_grad.clone(), ..*self }
    }
}

/// What a [`Sequential`] remembers: each layer's cache and output, and gradients to work in.
#[derive(Clone)]
pub struct SequentialCache<T: Real> {
    stages: Vec<Stage<T>>,
    /// What each stage but the last has computed; the last writes to the caller's `y`.
    outputs: Vec<Buffer<T>>,
    /// The gradients of outputs. One is shared by all stages that need it only for a moment; a second one
    /// too, so that a stage reads its `dy` from the one and writes `dx` to the other. Links with a product or a table
    /// keep theirs until somebody asks for the [`operands`](Self::operands).
    gradients: Vec<Gradient<T>>,
}

/// Gradients of an output of up to `columns` values a sample.
#[derive(Clone)]
struct Gradient<T: Real> {
    columns: usize,
    values: Buffer<T>,
}

impl<T: Real> SequentialCache<T> {
    /// The stages whose weight's gradient is `xᵀ dy`, each with the place of the weight in the parameters.
    pub fn products(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        self.stages.iter().enumerate().filter_map(|(index, stage)| match &stage.deferred_grad {
            Some(DeferredGrad::Product(range)) => Some((index, range.clone())),
            _ => None,
        })
    }

    /// The stages with a table whose gradient can be a list, each with the place of the table in the parameters.
    pub fn tables(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        self.stages.iter().enumerate().filter_map(|(index, stage)| match &stage.deferred_grad {
            Some(DeferredGrad::Table(range, _)) => Some((index, range.clone())),
            _ => None,
        })
    }

    /// The gradient of such a table from the last backward pass with [`Grads::sparse`], sorted; its terms are parts
    /// of the `dy` in [`operands`](Self::operands).
    ///
    /// # Panics
    ///
    /// If the stage has no table.
    ///
    /// [`Grads::sparse`]: chainrule_core::Grads::sparse
    pub fn sparse_grad(&self, stage: usize) -> &SparseGrad<T> {
        match &self.stages[stage].deferred_grad {
            Some(DeferredGrad::Table(_, list)) => list,
            _ => panic!("stage {stage} has no table"),
        }
    }

    /// The `x` and the `dy` of such a stage in the last backward pass, given those of the whole chain.
    ///
    /// # Panics
    ///
    /// If there was no backward pass over as many rows, or no such stage.
    pub fn operands<'a>(
        &'a self,
        stage: usize,
        x: ArrayView2<'a, T>,
        dy: ArrayView2<'a, T>,
    ) -> (ArrayView2<'a, T>, ArrayView2<'a, T>) {
        let rows = x.nrows();
        let Stage { columns, slot, .. } = &self.stages[stage];
        let dy = match stage + 1 == self.stages.len() {
            true => dy,
            false => self.gradients[*slot].values.matrix(rows, *columns),
        };
        (self.input(stage, x), dy)
    }

    /// Where the weight lies with which the first stage multiplies the chain's own `x`, if it does. Whoever runs the
    /// chain may compute that product before, write it to the [`lead_output`](Self::lead_output) and hand over
    /// parameters that are [`deferred`](Params::deferred).
    pub fn lead(&self) -> Option<Range<usize>> {
        self.products().next().filter(|(stage, _)| *stage == 0).map(|(_, range)| range)
    }

    /// Where the first stage's output for so many rows lies; `None` if that is the output of the chain.
    pub fn lead_output(&mut self, rows: usize) -> Option<ArrayViewMut2<'_, T>> {
        let (stage, output) = (self.stages.first()?, self.outputs.first_mut()?);
        output.reserve(rows * stage.columns);
        Some(output.matrix_mut(rows, stage.columns))
    }

    /// What a stage was given in the last forward pass.
    fn input<'a>(&'a self, stage: usize, x: ArrayView2<'a, T>) -> ArrayView2<'a, T> {
        input(&self.stages, &self.outputs, stage, x)
    }

    /// Chooses the gradients that the stages work in, from the last to the first.
    fn assign(&mut self) {
        self.gradients = vec![Gradient { columns: 0, values: Buffer::default() }; 2];
        let mut above = 0;
        for stage in self.stages.iter_mut().rev().skip(1) {
            stage.slot = match &stage.deferred_grad {
                Some(_) => {
                    self.gradients.push(Gradient { columns: 0, values: Buffer::default() });
                    self.gradients.len() - 1
                }
                None => usize::from(above == 0),
            };
            above = stage.slot;
            let gradient = &mut self.gradients[above];
            gradient.columns = gradient.columns.max(stage.columns);
        }
    }
}

fn input<'a, T: Real>(
    stages: &[Stage<T>],
    outputs: &'a [Buffer<T>],
    stage: usize,
    x: ArrayView2<'a, T>,
) -> ArrayView2<'a, T> {
    match stage.checked_sub(1) {
        None => x,
        Some(below) => outputs[below].matrix(x.nrows(), stages[below].columns),
    }
}

impl<T: Real> Default for SequentialCache<T> {
    fn default() -> Self {
        Self { stages: Vec::new(), outputs: Vec::new(), gradients: Vec::new() }
    }
}

impl<T: Real> fmt::Debug for SequentialCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SequentialCache").field("layers", &self.stages.len()).finish_non_exhaustive()
    }
}

impl<T: Real> Layer<T> for Sequential<T> {
    type Cache = SequentialCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, SequentialCache<T>), ShapeError> {
        let (mut shape, mut chain) = (input, SequentialCache::default());
        for (index, layer) in self.layers.iter().enumerate() {
            let (output, stage) = Arc::clone(layer).stage(index, shape, plan)?;
            shape = output;
            if !stage.identity {
                chain.stages.push(stage);
            }
        }
        chain.outputs.resize(chain.stages.len().saturating_sub(1), Buffer::default());
        chain.assign();
        chain.gradients.iter().for_each(|gradient| plan.memory(gradient.columns));
        Ok((shape, chain))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.layers.iter().find(|layer| !layer.identity()).map_or(Ok(()), |layer| layer.check(x))
    }

    fn forward(&self, Forward { mut params, x, mut y, cache, mode }: Forward<'_, T, SequentialCache<T>>) {
        let Some((last, stages)) = cache.stages.split_last_mut() else {
            return y.assign(&x);
        };
        let (rows, mut x, mut deferred) = (x.nrows(), x, params.is_deferred());
        for (stage, output) in stages.iter_mut().zip(&mut cache.outputs) {
            let columns = stage.columns;
            output.reserve(rows * columns);
            let params = Params::new(params.values(stage.params)).deferred(deferred);
            deferred = false;
            let (y, mode) = (output.matrix_mut(rows, columns), mode.inner(stage.index));
            stage.replica.forward(Forward { params, x, y, cache: &mut (), mode });
            x = (*output).matrix(rows, columns);
        }
        let params = Params::new(params.values(last.params)).deferred(deferred);
        let mode = mode.inner(last.index);
        last.replica.forward(Forward { params, x, y, cache: &mut (), mode });
    }

    fn backward(&self, pass: Backward<'_, T, SequentialCache<T>>) {
        let Backward { mut params, mut grads, x, y, dy, mut dx, cache, share } = pass;
        let SequentialCache { stages, outputs, gradients } = cache;
        let Some(last) = stages.len().checked_sub(1) else {
            return dx.iter_mut().for_each(|dx| dx.assign(&dy));
        };
        let (rows, deferred, sparse) = (x.nrows(), grads.is_deferred(), grads.is_sparse());
        gradients.iter_mut().for_each(|gradient| gradient.values.reserve(rows * gradient.columns));
        // From the last layer to the first: parameters and gradients are cut off from their ends.
        let total = stages.iter().map(|stage| stage.params).sum();
        let (mut params, mut grads) = (params.values(total), grads.inner(total));
        // Nobody wants the gradients of a layer before which nothing is trained.
        let trained = stages.iter().position(|stage| stage.params > 0).unwrap_or(stages.len());
        let first = if dx.is_some() { 0 } else { trained };
        for index in (first..stages.len()).rev() {
            let x = input(stages, outputs, index, x);
            let y = if index == last { y } else { outputs[index].matrix(rows, stages[index].columns) };
            let below = index.checked_sub(1).map(|below| (stages[below].slot, stages[below].columns));
            let stage = &mut stages[index];
            let (dy, dx) = match (index == last, below) {
                (true, None) => (dy, dx.take()),
                (true, Some((slot, columns))) => (dy, Some(gradients[slot].values.matrix_mut(rows, columns))),
                (false, None) => (gradients[stage.slot].values.matrix(rows, stage.columns), dx.take()),
                (false, Some((slot, columns))) => {
                    let two = gradients.get_disjoint_mut([stage.slot, slot]);
                    let [dy, dx] = two.expect("neighbours have different slots");
                    let dy: &Gradient<T> = dy;
                    (dy.values.matrix(rows, stage.columns), Some(dx.values.matrix_mut(rows, columns)))
                }
            };
            let dx = dx.filter(|_| index > first || first == 0);
            let (params_below, own) = params.split_at(params.len() - stage.params);
            params = params_below;
            let params = Params::new(own);
            let grads = grads.inner_last(stage.params);
            let grads = match &mut stage.deferred_grad {
                Some(DeferredGrad::Product(_)) => grads.deferred(deferred),
                Some(DeferredGrad::Table(_, list)) => grads.listed(sparse.then_some(list)),
                None => grads,
            };
            stage.replica.backward(Backward { params, grads, x, y, dy, dx, cache: &mut (), share });
            if let Some(DeferredGrad::Table(_, list)) = &mut stage.deferred_grad {
                list.sort();
            }
        }
    }
}
