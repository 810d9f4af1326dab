//! Layers one after the other.

use std::fmt;
use std::ops::Range;
use std::slice;
use std::sync::Arc;

use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::containers::any::AnyLayer;
use crate::containers::erased::{Bound, Erased, ErasedNode};
use crate::error::{ShapeError, ValueError};
use crate::label::Label;
use crate::layer::{Backward, Forward, Layer};
use crate::merge::{MergeBackward, MergeForward};
use crate::params::Params;
use crate::plan::{ParamEntry, Plan};
use crate::runner::{GradsExt, RunExt};
use crate::sparse_grad::SparseGrad;
use crate::{Described, Description, DescriptionError, Entry, Registry, Settings, Value, described, entry};

/// Layers one after the other: `y = fₙ(... f₂(f₁(x)))`.
///
/// It is itself a layer, so it nests. Backward it applies the chain rule from the last layer to the first:
/// each layer's `dx` is the `dy` of the one before. If the gradient of the input is not needed, it stops at the
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
    /// No layers yet, in single precision. `Sequential::<f64>::new()` is the same in double precision: see
    /// [`New`](crate::New).
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
        self.layers.push(AnyLayer::new(layer).0);
        self
    }

    /// These layers, one after the other.
    pub(crate) fn of(layers: Vec<AnyLayer<T>>) -> Self {
        Self { layers: layers.into_iter().map(|AnyLayer(erased)| erased).collect() }
    }

    /// The layers that are described: a `sequential`, layers with `then` between them, or a single one.
    ///
    /// ```
    /// use chainrule_core::{Layer, Registry, Sequential, register_containers};
    /// let mut registry = Registry::new();
    /// register_containers::<f32>(&mut registry);
    /// let layers = Sequential::<f32>::from_description(&"sequential([sequential([])])".parse()?, &registry)?;
    /// assert_eq!(layers.len(), 1);
    /// assert_eq!(layers.description().to_string(), "sequential(layers=[sequential(layers=[])])");
    /// # Ok::<(), chainrule_core::DescriptionError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`DescriptionError`] if the registry has no layer of a name, or one cannot have its settings.
    pub fn from_description(
        description: &Description,
        registry: &Registry,
    ) -> Result<Self, DescriptionError> {
        registry.build::<AnyLayer<T>>(description).map(Self::from)
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there is no layer.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

/// A sequence as such, any other layer as the only one of a sequence.
impl<T: Real> From<AnyLayer<T>> for Sequential<T> {
    fn from(layer: AnyLayer<T>) -> Self {
        layer.0.as_any().downcast_ref().cloned().unwrap_or_else(|| Self::of(vec![layer]))
    }
}

impl<T: Real> Described for Sequential<T> {
    const ENTRY: Entry = entry! {
        /// Layers one after the other.
        Sequential = "sequential";
        formula "y = fₙ(... f₂(f₁(x)))";
        settings {
            /// The layers, the first one first.
            layers: [];
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        settings.get("layers").map(Self::of)
    }

    fn setting_values(&self) -> Vec<Value> {
        vec![Value::List(self.layers.iter().map(|layer| layer.description().into()).collect())]
    }
}

impl<T> fmt::Debug for Sequential<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sequential")?;
        f.debug_list().entries(&self.layers).finish()
    }
}

/// The parameter of a stage whose gradient can be computed after the pass, from the stage's
/// [`operands`](SequentialCache::operands).
#[derive(Clone)]
enum DeferredGrad<T> {
    /// The range of the weight whose gradient is `xᵀ dy`.
    Product(Range<usize>),
    /// The same where most of x is 0, and the rows that the last pass used.
    SparseProduct(Range<usize>, SparseGrad<T>),
    /// The range of the table, and the rows that the last pass used.
    Table(Range<usize>, SparseGrad<T>),
}

impl<T> DeferredGrad<T> {
    /// That of a layer with these parameters; a layer with several products or tables defers none.
    fn of(entries: &[ParamEntry]) -> Option<Self> {
        let only = |kind: fn(&ParamEntry) -> bool| {
            let mut found = entries.iter().filter(|entry| kind(entry));
            let entry = found.next()?;
            found.next().is_none().then(|| entry.range.clone())
        };
        let product = only(|entry| entry.product);
        let table = only(|entry| entry.table);
        match (product, table) {
            (Some(product), Some(table)) if product == table => {
                Some(Self::SparseProduct(product, SparseGrad::default()))
            }
            (Some(product), _) => Some(Self::Product(product)),
            (None, Some(table)) => Some(Self::Table(table, SparseGrad::default())),
            (None, None) => None,
        }
    }

    /// The range of the weight, if its gradient is `xᵀ dy`.
    fn product(&self) -> Option<&Range<usize>> {
        match self {
            Self::Product(range) | Self::SparseProduct(range, _) => Some(range),
            Self::Table(..) => None,
        }
    }

    /// The range of the table, if the gradient can be a list, and this.
    fn list(&self) -> Option<(&Range<usize>, &SparseGrad<T>)> {
        match self {
            Self::Table(range, list) | Self::SparseProduct(range, list) => Some((range, list)),
            Self::Product(_) => None,
        }
    }

    /// The list, if the gradient can be one.
    fn list_mut(&mut self) -> Option<&mut SparseGrad<T>> {
        match self {
            Self::Table(_, list) | Self::SparseProduct(_, list) => Some(list),
            Self::Product(_) => None,
        }
    }
}

/// A layer that was planned. Identities have no stage.
struct Stage<T> {
    node: Box<dyn ErasedNode<T>>,
    /// Its index among the layers.
    index: usize,
    /// The number of its parameters.
    parameters: usize,
    /// The number of values in an output sample.
    columns: usize,
    deferred_grad: Option<DeferredGrad<T>>,
    /// The index of the buffer that holds its `dy`, in [`SequentialCache::gradients`].
    gradient: usize,
}

impl<T: Real> Clone for Stage<T> {
    fn clone(&self) -> Self {
        Self { node: self.node.duplicate(), deferred_grad: self.deferred_grad.clone(), ..*self }
    }
}

/// What a [`Sequential`] remembers: each layer's cache and output, and buffers for gradients.
#[derive(Clone)]
pub struct SequentialCache<T: Real> {
    stages: Vec<Stage<T>>,
    /// What each stage but the last has computed; the last writes to the caller's `y`.
    outputs: Vec<Buffer<T>>,
    /// The gradients of outputs. The first two are shared by all stages that need theirs only for a moment: a stage
    /// reads its `dy` from one and writes `dx` to the other. Stages with a product or a table keep theirs until
    /// the trainer has used the [`operands`](Self::operands).
    gradients: Vec<Gradient<T>>,
}

/// Gradients of an output of up to `columns` values a sample.
#[derive(Clone)]
struct Gradient<T: Real> {
    columns: usize,
    values: Buffer<T>,
}

impl<T: Real> SequentialCache<T> {
    /// The stages with a weight whose gradient is `xᵀ dy`, each with the range of the weight in the parameters.
    pub fn products(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let stages = self.stages.iter().enumerate();
        stages.filter_map(|(index, stage)| Some((index, stage.deferred_grad.as_ref()?.product()?.clone())))
    }

    /// The stages with a table whose gradient can be a list, each with the range of the table in the parameters.
    pub fn tables(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let stages = self.stages.iter().enumerate();
        stages.filter_map(|(index, stage)| Some((index, stage.deferred_grad.as_ref()?.list()?.0.clone())))
    }

    /// The gradient of such a table from the last backward pass with [`GradsExt::sparse`], sorted; its terms are parts
    /// of the `dy` in [`operands`](Self::operands).
    ///
    /// # Panics
    ///
    /// If the stage has no table.
    pub fn sparse_grad(&self, stage: usize) -> &SparseGrad<T> {
        match self.stages[stage].deferred_grad.as_ref().and_then(DeferredGrad::list) {
            Some((_, list)) => list,
            None => panic!("stage {stage} has no table"),
        }
    }

    /// The `x` and the `dy` of such a stage in the last backward pass, given those of the whole container.
    ///
    /// # Panics
    ///
    /// If there was no backward pass over this number of rows, or there is no such stage.
    pub fn operands<'a>(
        &'a self,
        stage: usize,
        x: ArrayView2<'a, T>,
        dy: ArrayView2<'a, T>,
    ) -> (ArrayView2<'a, T>, ArrayView2<'a, T>) {
        let x_of_stage = input(&self.stages, &self.outputs, stage, x);
        if stage + 1 == self.stages.len() {
            return (x_of_stage, dy);
        }
        let Stage { columns, gradient, .. } = self.stages[stage];
        (x_of_stage, self.gradients[gradient].values.matrix(x.nrows(), columns))
    }

    /// The range of the weight that multiplies the container's own `x`, if the first stage has one. A trainer
    /// may compute that product beforehand, write it to the [`lead_output`](Self::lead_output) and pass parameters
    /// that are [`deferred`](RunExt::deferred).
    pub fn lead(&self) -> Option<Range<usize>> {
        self.stages.first()?.deferred_grad.as_ref()?.product().cloned()
    }

    /// The buffer for the first stage's output of this number of rows; `None` if that is the output of the container.
    pub fn lead_output(&mut self, rows: usize) -> Option<ArrayViewMut2<'_, T>> {
        let stage = self.stages.first()?;
        let output = self.outputs.first_mut()?;
        output.reserve(rows * stage.columns);
        Some(output.matrix_mut(rows, stage.columns))
    }

    /// Assigns buffers for gradients to the stages, from the last to the first.
    fn assign_gradients(&mut self) {
        self.gradients = vec![Gradient { columns: 0, values: Buffer::default() }; 2];
        let mut next = 0;
        for stage in self.stages.iter_mut().rev().skip(1) {
            stage.gradient = match &stage.deferred_grad {
                Some(_) => {
                    self.gradients.push(Gradient { columns: 0, values: Buffer::default() });
                    self.gradients.len() - 1
                }
                None => usize::from(next == 0),
            };
            next = stage.gradient;
            let gradient = &mut self.gradients[next];
            gradient.columns = gradient.columns.max(stage.columns);
        }
    }
}

/// What a stage was given in the last forward pass.
fn input<'a, T: Real>(
    stages: &[Stage<T>],
    outputs: &'a [Buffer<T>],
    stage: usize,
    x: ArrayView2<'a, T>,
) -> ArrayView2<'a, T> {
    match stage.checked_sub(1) {
        None => x,
        Some(before) => outputs[before].matrix(x.nrows(), stages[before].columns),
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
        let mut shape = input;
        let mut cache = SequentialCache::default();
        for (index, layer) in self.layers.iter().enumerate() {
            let entries = plan.entries().len();
            let info = plan.layers().len();
            let bound = Arc::clone(layer).bind(&index.to_string(), &[shape], plan)?;
            let Bound { node, output, parameters } = bound;
            shape = output;
            if layer.is_identity() && parameters == 0 {
                continue;
            }
            // The x and dy of a composite layer are not those of its inner layers.
            let own = if plan.layers()[info].composite { &[] } else { &plan.entries()[entries..] };
            let deferred_grad = DeferredGrad::of(own);
            let columns = output.size();
            cache.stages.push(Stage { node, index, parameters, columns, deferred_grad, gradient: 0 });
        }
        cache.outputs.resize(cache.stages.len().saturating_sub(1), Buffer::default());
        cache.assign_gradients();
        cache.gradients.iter().for_each(|gradient| plan.memory(gradient.columns));
        Ok((shape, cache))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.layers.iter().find(|layer| !layer.is_identity()).map_or(Ok(()), |layer| layer.check(x))
    }

    fn label(&self) -> Label {
        Label::of_text(&format!("Sequential of {} layers", self.layers.len()))
    }

    described!();

    fn forward(&self, Forward { mut params, x, mut y, cache, mode }: Forward<'_, T, SequentialCache<T>>) {
        let Some((last, stages)) = cache.stages.split_last_mut() else {
            return y.assign(&x);
        };
        let rows = x.nrows();
        let mut x = x;
        let mut deferred = params.is_deferred();
        for (stage, output) in stages.iter_mut().zip(&mut cache.outputs) {
            let columns = stage.columns;
            output.reserve(rows * columns);
            let params = Params::new(params.values(stage.parameters)).deferred(deferred);
            deferred = false;
            let y = output.matrix_mut(rows, columns);
            let mode = mode.inner(stage.index);
            stage.node.forward(MergeForward { params, xs: slice::from_ref(&x), y, cache: &mut (), mode });
            x = (*output).matrix(rows, columns);
        }
        let params = Params::new(params.values(last.parameters)).deferred(deferred);
        let mode = mode.inner(last.index);
        last.node.forward(MergeForward { params, xs: slice::from_ref(&x), y, cache: &mut (), mode });
    }

    fn backward(&self, pass: Backward<'_, T, SequentialCache<T>>) {
        let Backward { mut params, mut grads, x, y, dy, mut dx, cache, share } = pass;
        let SequentialCache { stages, outputs, gradients } = cache;
        let Some(last) = stages.len().checked_sub(1) else {
            return dx.iter_mut().for_each(|dx| dx.assign(&dy));
        };
        let rows = x.nrows();
        let deferred = grads.is_deferred();
        let sparse = grads.is_sparse();
        gradients.iter_mut().for_each(|gradient| gradient.values.reserve(rows * gradient.columns));
        // From the last layer to the first: parameters and gradients are split off from the end.
        let total = stages.iter().map(|stage| stage.parameters).sum();
        let mut params = params.values(total);
        let mut grads = grads.inner(total);
        // A layer before which nothing is trained need not compute the gradient of its input.
        let trained = stages.iter().position(|stage| stage.parameters > 0).unwrap_or(stages.len());
        let first = if dx.is_some() { 0 } else { trained };
        for index in (first..stages.len()).rev() {
            let x = input(stages, outputs, index, x);
            let y = if index == last { y } else { outputs[index].matrix(rows, stages[index].columns) };
            let before = index.checked_sub(1).map(|before| &stages[before]);
            let before = before.map(|stage| (stage.gradient, stage.columns));
            let stage = &mut stages[index];
            let (dy, dx) = match (index == last, before) {
                (true, None) => (dy, dx.take()),
                (true, Some((of_dx, columns))) => {
                    (dy, Some(gradients[of_dx].values.matrix_mut(rows, columns)))
                }
                (false, None) => (gradients[stage.gradient].values.matrix(rows, stage.columns), dx.take()),
                (false, Some((of_dx, columns))) => {
                    let two = gradients.get_disjoint_mut([stage.gradient, of_dx]);
                    let [dy, dx] = two.expect("neighbours have different buffers");
                    let dy: &Gradient<T> = dy;
                    (dy.values.matrix(rows, stage.columns), Some(dx.values.matrix_mut(rows, columns)))
                }
            };
            let mut dx = if index > first || first == 0 { dx } else { None };
            let (params_before, own) = params.split_at(params.len() - stage.parameters);
            params = params_before;
            let grads = grads.inner_last(stage.parameters);
            let grads = match &mut stage.deferred_grad {
                Some(DeferredGrad::Product(_)) => grads.deferred(deferred),
                Some(DeferredGrad::SparseProduct(_, list)) => {
                    grads.deferred(deferred).with_list(sparse.then_some(list))
                }
                Some(DeferredGrad::Table(_, list)) => grads.with_list(sparse.then_some(list)),
                None => grads,
            };
            stage.node.backward(MergeBackward {
                params: Params::new(own),
                grads,
                xs: slice::from_ref(&x),
                y,
                dy,
                dxs: slice::from_mut(&mut dx),
                cache: &mut (),
                share,
            });
            if let Some(list) = stage.deferred_grad.as_mut().and_then(DeferredGrad::list_mut) {
                list.sort();
            }
        }
    }
}
