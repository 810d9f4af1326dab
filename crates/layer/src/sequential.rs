//! Layers one after the other.

use std::fmt;
use std::sync::Arc;

use chainrule_tensor::{Buffer, Grads, Params, Real, Shape};

use crate::{Backward, Forward, Layer, Plan, ShapeError};

/// Layers one after the other: `y = fₙ(... f₂(f₁(x)))`.
///
/// It is itself a layer, so it nests. Backward it applies the chain rule from the last layer to the first:
/// each layer's `dx` is the `dy` of the one before. Where nobody wants the gradient of the input, it ends at the
/// first layer that has parameters.
///
/// ```
/// # use chainrule_layer::{Backward, Forward, Layer, Plan, ShapeError};
/// # use chainrule_tensor::Shape;
/// # #[derive(Debug)] struct Twice;
/// # impl Layer<f32> for Twice {
/// #     type Cache = ();
/// #     fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> { Ok((input, ())) }
/// #     fn forward(&self, pass: Forward<'_, f32>) { ndarray::Zip::from(pass.y).and(pass.x).for_each(|y, x| *y = 2.0 * x) }
/// #     fn backward(&self, pass: Backward<'_, f32>) { ndarray::Zip::from(pass.dx.unwrap()).and(pass.dy).for_each(|y, x| *y = 2.0 * x) }
/// # }
/// use chainrule_layer::Sequential;
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
    fn replica(self: Arc<Self>, name: &str, input: Shape, plan: &mut Plan) -> Result<Link<T>, ShapeError>;
}

impl<T: Real, L: Layer<T>> Erased<T> for L {
    fn replica(self: Arc<Self>, name: &str, input: Shape, plan: &mut Plan) -> Result<Link<T>, ShapeError> {
        let (output, cache, params) = plan.inner(name, &*self, input)?;
        let replica = Box::new(Bound { layer: self, cache });
        Ok(Link { replica, params, output })
    }
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

/// One layer of the chain: its replica, how many parameters it takes, and the shape of its output.
struct Link<T> {
    replica: Box<dyn Replica<T>>,
    params: usize,
    output: Shape,
}

impl<T: Real> Clone for Link<T> {
    fn clone(&self) -> Self {
        Self { replica: self.replica.duplicate(), params: self.params, output: self.output }
    }
}

/// What a [`Sequential`] remembers: each layer's cache and output, and two gradients to work in.
#[derive(Clone)]
pub struct Chain<T: Real> {
    links: Vec<Link<T>>,
    /// What each layer but the last has computed; the last writes to the caller's `y`.
    outputs: Vec<Buffer<T>>,
    /// The gradients of the current layer's output and input; they change places at each layer.
    dy: Buffer<T>,
    dx: Buffer<T>,
}

impl<T: Real> Default for Chain<T> {
    fn default() -> Self {
        Self { links: Vec::new(), outputs: Vec::new(), dy: Buffer::default(), dx: Buffer::default() }
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
            let link = Arc::clone(layer).replica(&index.to_string(), shape, plan)?;
            shape = link.output;
            chain.links.push(link);
            chain.outputs.push(Buffer::default());
        }
        chain.outputs.pop();
        Ok((shape, chain))
    }

    fn forward(&self, Forward { mut params, x, mut y, cache, mode }: Forward<'_, T, Chain<T>>) {
        let Some((last, links)) = cache.links.split_last_mut() else {
            return y.assign(&x);
        };
        let (rows, mut x) = (x.nrows(), x);
        for (index, (link, output)) in links.iter_mut().zip(&mut cache.outputs).enumerate() {
            let columns = link.output.size();
            output.reserve(rows * columns);
            let params = Params::new(params.values(link.params));
            let y = output.matrix_mut(rows, columns);
            link.replica.forward(Forward { params, x, y, cache: &mut (), mode: mode.inner(index) });
            x = (*output).matrix(rows, columns);
        }
        let params = Params::new(params.values(last.params));
        last.replica.forward(Forward { params, x, y, cache: &mut (), mode: mode.inner(links.len()) });
    }

    fn backward(&self, pass: Backward<'_, T, Chain<T>>) {
        let Backward { mut params, mut grads, x, y, dy, mut dx, cache, share } = pass;
        let Chain { links, outputs, dy: current, dx: previous } = cache;
        if links.is_empty() {
            return dx.iter_mut().for_each(|dx| dx.assign(&dy));
        }
        let rows = x.nrows();
        let widest = links.iter().map(|link| link.output.size()).max().unwrap_or(0);
        current.reserve(rows * widest);
        previous.reserve(rows * widest);
        // From the last layer to the first: parameters and gradients are cut off from their ends.
        let total = links.iter().map(|link| link.params).sum();
        let (mut params, mut grads) = (params.values(total), grads.values(total));
        // Nobody wants the gradients of a layer before which nothing is trained.
        let trained = links.iter().position(|link| link.params > 0).unwrap_or(links.len());
        let first = if dx.is_some() { 0 } else { trained };
        for index in (first..links.len()).rev() {
            let before = index.checked_sub(1).map(|before| (before, links[before].output.size()));
            let link = &mut links[index];
            let (params_before, own) = params.split_at(params.len() - link.params);
            let (grads_before, own_grads) = std::mem::take(&mut grads).split_at_mut(params_before.len());
            (params, grads) = (params_before, grads_before);
            let (x, dx) = match before {
                None => (x, dx.take()),
                Some((before, columns)) => {
                    let wanted = index > first || dx.is_some();
                    let dx = wanted.then(|| previous.matrix_mut(rows, columns));
                    (outputs[before].matrix(rows, columns), dx)
                }
            };
            let (y, dy) = match outputs.get(index) {
                None => (y, dy),
                Some(output) => {
                    let columns = link.output.size();
                    (output.matrix(rows, columns), current.matrix(rows, columns))
                }
            };
            let (params, grads) = (Params::new(own), Grads::new(own_grads));
            link.replica.backward(Backward { params, grads, x, y, dy, dx, cache: &mut (), share });
            std::mem::swap(current, previous);
        }
    }
}
