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
    fn link(
        self: Arc<Self>,
        index: usize,
        input: Shape,
        plan: &mut Plan,
    ) -> Result<(Shape, Link<T>), ShapeError>;
}

impl<T: Real, L: Layer<T>> Erased<T> for L {
    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        Layer::check(self, x)
    }

    fn identity(&self) -> bool {
        self.is_identity()
    }

    fn link(
        self: Arc<Self>,
        index: usize,
        input: Shape,
        plan: &mut Plan,
    ) -> Result<(Shape, Link<T>), ShapeError> {
        let (entries, row) = (plan.entries().len(), plan.rows().len());
        let (output, cache, params) = plan.inner(&index.to_string(), &*self, input)?;
        let simple = !plan.rows()[row].composite;
        // The x and dy of a layer made of others are not those of its parts.
        let own = if simple { &plan.entries()[entries..] } else { &[] };
        let product = only(own, |entry| entry.product).map(Later::Product);
        let table = || only(own, |entry| entry.table).map(|range| Later::Table(range, SparseGrad::default()));
        let later = product.or_else(table);
        let identity = self.is_identity() && params == 0;
        let replica = Box::new(Bound { layer: self, cache });
        let columns = output.size();
        Ok((output, Link { replica, index, params, columns, later, identity, slot: 0 }))
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

/// The parameter of a link whose gradient can be made after the pass, from the link's [`operands`](Chain::operands).
#[derive(Clone)]
enum Later<T> {
    /// Where the weight lies whose gradient is `xᵀ dy`.
    Product(Range<usize>),
    /// Where the table lies, and the rows that the last pass used.
    Table(Range<usize>, SparseGrad<T>),
}

/// One layer of the chain.
struct Link<T> {
    replica: Box<dyn Replica<T>>,
    /// Its place in the model; identities have no link.
    index: usize,
    /// How many parameters it takes.
    params: usize,
    /// How many values its output has for a sample.
    columns: usize,
    later: Option<Later<T>>,
    identity: bool,
    /// Which of the chain's gradients holds its `dy`.
    slot: usize,
}

impl<T: Real> Clone for Link<T> {
    fn clone(&self) -> Self {
        Self { replica: self.replica.duplicate(), later: self.later.clone(), ..*self }
    }
}

/// What a [`Sequential`] remembers: each layer's cache and output, and gradients to work in.
#[derive(Clone)]
pub struct Chain<T: Real> {
    links: Vec<Link<T>>,
    /// What each link but the last has computed; the last writes to the caller's `y`.
    outputs: Vec<Buffer<T>>,
    /// The gradients of outputs. One is shared by all links that need it only for a moment; a second one
    /// too, so that a link reads its `dy` from the one and writes `dx` to the other. Links with a product or a table
    /// keep theirs until somebody asks for the [`operands`](Self::operands).
    gradients: Vec<Gradient<T>>,
}

/// Gradients of an output of up to `columns` values a sample.
#[derive(Clone)]
struct Gradient<T: Real> {
    columns: usize,
    values: Buffer<T>,
}

impl<T: Real> Chain<T> {
    /// The links whose weight's gradient is `xᵀ dy`, each with the place of the weight in the parameters.
    pub fn products(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        self.links.iter().enumerate().filter_map(|(index, link)| match &link.later {
            Some(Later::Product(range)) => Some((index, range.clone())),
            _ => None,
        })
    }

    /// The links with a table whose gradient can be a list, each with the place of the table in the parameters.
    pub fn tables(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        self.links.iter().enumerate().filter_map(|(index, link)| match &link.later {
            Some(Later::Table(range, _)) => Some((index, range.clone())),
            _ => None,
        })
    }

    /// The gradient of such a table from the last backward pass with [`Grads::sparse`], sorted; its terms are parts
    /// of the `dy` in [`operands`](Self::operands).
    ///
    /// # Panics
    ///
    /// If the link has no table.
    ///
    /// [`Grads::sparse`]: chainrule_core::Grads::sparse
    pub fn sparse_grad(&self, link: usize) -> &SparseGrad<T> {
        match &self.links[link].later {
            Some(Later::Table(_, list)) => list,
            _ => panic!("link {link} has no table"),
        }
    }

    /// The `x` and the `dy` of such a link in the last backward pass, given those of the whole chain.
    ///
    /// # Panics
    ///
    /// If there was no backward pass over as many rows, or no such link.
    pub fn operands<'a>(
        &'a self,
        link: usize,
        x: ArrayView2<'a, T>,
        dy: ArrayView2<'a, T>,
    ) -> (ArrayView2<'a, T>, ArrayView2<'a, T>) {
        let rows = x.nrows();
        let Link { columns, slot, .. } = &self.links[link];
        let dy = match link + 1 == self.links.len() {
            true => dy,
            false => self.gradients[*slot].values.matrix(rows, *columns),
        };
        (self.input(link, x), dy)
    }

    /// Where the weight lies with which the first link multiplies the chain's own `x`, if it does. Whoever runs the
    /// chain may compute that product before, write it to the [`lead_output`](Self::lead_output) and hand over
    /// parameters that are [`deferred`](Params::deferred).
    pub fn lead(&self) -> Option<Range<usize>> {
        self.products().next().filter(|(link, _)| *link == 0).map(|(_, range)| range)
    }

    /// Where the first link's output for so many rows lies; `None` if that is the output of the chain.
    pub fn lead_output(&mut self, rows: usize) -> Option<ArrayViewMut2<'_, T>> {
        let (link, output) = (self.links.first()?, self.outputs.first_mut()?);
        output.reserve(rows * link.columns);
        Some(output.matrix_mut(rows, link.columns))
    }

    /// What a link was given in the last forward pass.
    fn input<'a>(&'a self, link: usize, x: ArrayView2<'a, T>) -> ArrayView2<'a, T> {
        input(&self.links, &self.outputs, link, x)
    }

    /// Chooses the gradients that the links work in, from the last to the first.
    fn assign(&mut self) {
        self.gradients = vec![Gradient { columns: 0, values: Buffer::default() }; 2];
        let mut above = 0;
        for link in self.links.iter_mut().rev().skip(1) {
            link.slot = match &link.later {
                Some(_) => {
                    self.gradients.push(Gradient { columns: 0, values: Buffer::default() });
                    self.gradients.len() - 1
                }
                None => usize::from(above == 0),
            };
            above = link.slot;
            let gradient = &mut self.gradients[above];
            gradient.columns = gradient.columns.max(link.columns);
        }
    }
}

fn input<'a, T: Real>(
    links: &[Link<T>],
    outputs: &'a [Buffer<T>],
    link: usize,
    x: ArrayView2<'a, T>,
) -> ArrayView2<'a, T> {
    match link.checked_sub(1) {
        None => x,
        Some(below) => outputs[below].matrix(x.nrows(), links[below].columns),
    }
}

impl<T: Real> Default for Chain<T> {
    fn default() -> Self {
        Self { links: Vec::new(), outputs: Vec::new(), gradients: Vec::new() }
    }
}

impl<T: Real> fmt::Debug for Chain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain").field("layers", &self.links.len()).finish_non_exhaustive()
    }
}

impl<T: Real> Layer<T> for Sequential<T> {
    type Cache = Chain<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Chain<T>), ShapeError> {
        let (mut shape, mut chain) = (input, Chain::default());
        for (index, layer) in self.layers.iter().enumerate() {
            let (output, link) = Arc::clone(layer).link(index, shape, plan)?;
            shape = output;
            if !link.identity {
                chain.links.push(link);
            }
        }
        chain.outputs.resize(chain.links.len().saturating_sub(1), Buffer::default());
        chain.assign();
        chain.gradients.iter().for_each(|gradient| plan.memory(gradient.columns));
        Ok((shape, chain))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.layers.iter().find(|layer| !layer.identity()).map_or(Ok(()), |layer| layer.check(x))
    }

    fn forward(&self, Forward { mut params, x, mut y, cache, mode }: Forward<'_, T, Chain<T>>) {
        let Some((last, links)) = cache.links.split_last_mut() else {
            return y.assign(&x);
        };
        let (rows, mut x, mut deferred) = (x.nrows(), x, params.is_deferred());
        for (link, output) in links.iter_mut().zip(&mut cache.outputs) {
            let columns = link.columns;
            output.reserve(rows * columns);
            let params = Params::new(params.values(link.params)).deferred(deferred);
            deferred = false;
            let (y, mode) = (output.matrix_mut(rows, columns), mode.inner(link.index));
            link.replica.forward(Forward { params, x, y, cache: &mut (), mode });
            x = (*output).matrix(rows, columns);
        }
        let params = Params::new(params.values(last.params)).deferred(deferred);
        let mode = mode.inner(last.index);
        last.replica.forward(Forward { params, x, y, cache: &mut (), mode });
    }

    fn backward(&self, pass: Backward<'_, T, Chain<T>>) {
        let Backward { mut params, mut grads, x, y, dy, mut dx, cache, share } = pass;
        let Chain { links, outputs, gradients } = cache;
        let Some(last) = links.len().checked_sub(1) else {
            return dx.iter_mut().for_each(|dx| dx.assign(&dy));
        };
        let (rows, deferred, sparse) = (x.nrows(), grads.is_deferred(), grads.is_sparse());
        gradients.iter_mut().for_each(|gradient| gradient.values.reserve(rows * gradient.columns));
        // From the last layer to the first: parameters and gradients are cut off from their ends.
        let total = links.iter().map(|link| link.params).sum();
        let (mut params, mut grads) = (params.values(total), grads.inner(total));
        // Nobody wants the gradients of a layer before which nothing is trained.
        let trained = links.iter().position(|link| link.params > 0).unwrap_or(links.len());
        let first = if dx.is_some() { 0 } else { trained };
        for index in (first..links.len()).rev() {
            let x = input(links, outputs, index, x);
            let y = if index == last { y } else { outputs[index].matrix(rows, links[index].columns) };
            let below = index.checked_sub(1).map(|below| (links[below].slot, links[below].columns));
            let link = &mut links[index];
            let (dy, dx) = match (index == last, below) {
                (true, None) => (dy, dx.take()),
                (true, Some((slot, columns))) => (dy, Some(gradients[slot].values.matrix_mut(rows, columns))),
                (false, None) => (gradients[link.slot].values.matrix(rows, link.columns), dx.take()),
                (false, Some((slot, columns))) => {
                    let two = gradients.get_disjoint_mut([link.slot, slot]);
                    let [dy, dx] = two.expect("neighbours have different slots");
                    let dy: &Gradient<T> = dy;
                    (dy.values.matrix(rows, link.columns), Some(dx.values.matrix_mut(rows, columns)))
                }
            };
            let dx = dx.filter(|_| index > first || first == 0);
            let (params_below, own) = params.split_at(params.len() - link.params);
            params = params_below;
            let params = Params::new(own);
            let grads = grads.inner_last(link.params);
            let grads = match &mut link.later {
                Some(Later::Product(_)) => grads.deferred(deferred),
                Some(Later::Table(_, list)) => grads.listed(sparse.then_some(list)),
                None => grads,
            };
            link.replica.backward(Backward { params, grads, x, y, dy, dx, cache: &mut (), share });
            if let Some(Later::Table(_, list)) = &mut link.later {
                list.sort();
            }
        }
    }
}
