//! What a model needs, declared before it runs.

use std::collections::TryReserveError;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::{Initializer, Layer, Merge, ParamKind, ParamSpec};
use chainrule_tensor::{Real, Seed, Shape};

/// The most parameters, in double precision, that memory has places for.
const MOST: usize = isize::MAX as usize / size_of::<f64>();

/// One parameter of a model: a named range of the flat vector of all parameters.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The path of the layer and the parameter's own name, such as `"2.residual.0.weight"`.
    pub name: String,
    /// Its shape; it lies in row-major order.
    pub shape: Shape,
    /// Where it lies in the flat parameters, and its gradient in the flat gradients.
    pub range: Range<usize>,
    /// How optimizers treat it.
    pub kind: ParamKind,
    /// Whether it is a matrix `[inputs, units]` whose gradient is `xᵀ dy` (see [`Plan::product`]).
    pub product: bool,
    /// Whether it is a matrix of which a pass uses few rows, and its gradient may be a list (see [`Plan::table`]).
    pub table: bool,
    spec: ParamSpec,
    init: Arc<dyn Initializer>,
}

/// One layer of a model, as a summary shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerInfo {
    /// The path of the layer, such as `"2.residual.0"`.
    pub path: String,
    /// The layer's own description, as `Debug` prints it.
    pub layer: String,
    /// The shape of its output for one sample.
    pub output: Shape,
    /// How many parameters it has, those of inner layers included.
    pub parameters: usize,
    /// Floating-point operations of its matrix products for one sample, forward.
    pub flops: u64,
    /// How many values one sample takes while it is trained on: the output, what the cache keeps, and both of
    /// inner layers.
    pub memory: u64,
    /// Whether it is made of layers that have rows of their own, which follow.
    pub composite: bool,
}

/// Collects what the layers of a model declare: parameters, in order, and a row for each layer.
#[derive(Debug, Default)]
pub struct Plan {
    path: Vec<String>,
    entries: Vec<Entry>,
    size: usize,
    flops: u64,
    memory: u64,
    stateful: bool,
    layers: Vec<LayerInfo>,
}

impl Plan {
    /// An empty plan.
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares a parameter that is trained and decayed. `fan_in` and `fan_out` are for its initialiser.
    ///
    /// # Errors
    ///
    /// Here and below: [`ShapeError`] if the parameters are more than memory has places for.
    pub fn weight(
        &mut self,
        name: &str,
        shape: impl AsRef<[usize]>,
        fans: (usize, usize),
        init: &Arc<dyn Initializer>,
    ) -> Result<(), ShapeError> {
        self.entry(name, ParamKind::Weight, shape.as_ref(), fans, Arc::clone(init))
    }

    /// Declares a weight of shape `[inputs, units]` that the layer's whole input is multiplied with, `z = x W`, so
    /// that its gradient is `xᵀ dz`. The layer leaves both products to
    /// [`Params::product`](chainrule_core::Params::product) and
    /// [`Grads::product`](chainrule_core::Grads::product), and uses `x` for nothing else.
    ///
    /// A trainer may then compute the gradient in pieces, each just before the optimizer wants it, and never
    /// hold all of it; and it may cut the product itself among threads by the rows of the weight.
    pub fn product(
        &mut self,
        name: &str,
        [inputs, units]: [usize; 2],
        fans: (usize, usize),
        init: &Arc<dyn Initializer>,
    ) -> Result<(), ShapeError> {
        self.weight(name, [inputs, units], fans, init)?;
        self.entries.iter_mut().last().expect("just declared").product = true;
        Ok(())
    }

    /// Declares a weight of shape `[rows, columns]` of which a pass uses few rows, such as the vectors of the
    /// words of a vocabulary. In `backward` the layer takes its gradient with
    /// [`Grads::table`](chainrule_core::Grads::table), and every term of it is a part of the layer's `dy`.
    ///
    /// A trainer may then keep a list of the rows that were used, and let the optimizer update these alone. So the
    /// momentum and the decay of a row stand still in the steps that do not use it.
    pub fn table(
        &mut self,
        name: &str,
        [rows, columns]: [usize; 2],
        fans: (usize, usize),
        init: &Arc<dyn Initializer>,
    ) -> Result<(), ShapeError> {
        self.weight(name, [rows, columns], fans, init)?;
        self.entries.iter_mut().last().expect("just declared").table = true;
        Ok(())
    }

    /// Declares a parameter that is trained and not decayed.
    pub fn bias(
        &mut self,
        name: &str,
        shape: impl AsRef<[usize]>,
        fans: (usize, usize),
        init: &Arc<dyn Initializer>,
    ) -> Result<(), ShapeError> {
        self.entry(name, ParamKind::Bias, shape.as_ref(), fans, Arc::clone(init))
    }

    /// Declares a running statistic that starts from `value`. In `backward` the layer adds `share` times its
    /// next value to the "gradient" of it.
    pub fn buffer(&mut self, name: &str, shape: impl AsRef<[usize]>, value: f64) -> Result<(), ShapeError> {
        self.entry(name, ParamKind::Buffer, shape.as_ref(), (1, 1), Arc::new(crate::Constant(value)))
    }

    fn entry(
        &mut self,
        name: &str,
        kind: ParamKind,
        axes: &[usize],
        (fan_in, fan_out): (usize, usize),
        init: Arc<dyn Initializer>,
    ) -> Result<(), ShapeError> {
        let end = |shape: Shape| self.size.checked_add(shape.size()).filter(|&end| end <= MOST);
        let Some((shape, end)) = Shape::new(axes).and_then(|shape| Some((shape, end(shape)?))) else {
            return Err(self.too_large(&format!("its {name} would be {axes:?}")));
        };
        self.entries.push(Entry {
            name: self.path.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("."),
            shape,
            range: self.size..end,
            kind,
            product: false,
            table: false,
            spec: ParamSpec { shape, fan_in, fan_out },
            init,
        });
        self.size = end;
        Ok(())
    }

    /// Asks for so many values of the layer's own, apart from what it declares. It need not count them otherwise.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if memory has no places for them.
    pub fn check_size(&self, values: usize) -> Result<usize, ShapeError> {
        Some(values)
            .filter(|&values| values <= MOST)
            .ok_or_else(|| self.too_large("it works with as many values"))
    }

    fn too_large(&self, why: &str) -> ShapeError {
        let path = self.path.join(".");
        let row = self.layers.iter().rev().find(|row| row.path == path);
        let input = row.map_or(Shape::from([0]), |row| row.output);
        let help = format!("{why}; take smaller samples, or choose fewer units");
        self.error(input, "samples whose parameters can be counted, and have places in memory,", &help)
    }

    /// Adds to the floating-point operations that the layer's matrix products take for one sample, forward.
    pub fn flops(&mut self, flops: u64) {
        self.flops = self.flops.saturating_add(flops);
    }

    /// Adds to the values that the layer's cache keeps for one sample, or needs as scratch memory in a pass; its
    /// output is counted anyway.
    pub fn memory(&mut self, values: usize) {
        self.memory = self.memory.saturating_add(values as u64);
    }

    /// Declares that the layer's cache carries a state from one pass to the next, as truncated
    /// backpropagation through time wants: row `i` of a batch goes on where row `i` of the one before ended. A
    /// cache as `plan` returns it is at the start; a trainer takes such a cache for each epoch.
    pub fn stateful(&mut self) {
        self.stateful = true;
    }

    /// Whether some layer carries a state from one pass to the next.
    pub fn is_stateful(&self) -> bool {
        self.stateful
    }

    /// Plans an inner layer under `name`, and returns its output shape, its cache and how many parameters it
    /// declared. Every layer that contains others calls this for each of them.
    ///
    /// # Errors
    ///
    /// Those of the inner layer.
    pub fn inner<T: Real, L: Layer<T>>(
        &mut self,
        name: &str,
        layer: &L,
        input: Shape,
    ) -> Result<(Shape, L::Cache, usize), ShapeError> {
        self.row(name, layer, input, |plan| layer.plan(input, plan))
    }

    /// As [`inner`](Self::inner), for a layer of several inputs.
    ///
    /// # Errors
    ///
    /// Those of the inner layer.
    pub fn inner_merge<T: Real, L: Merge<T>>(
        &mut self,
        name: &str,
        layer: &L,
        inputs: &[Shape],
    ) -> Result<(Shape, L::Cache, usize), ShapeError> {
        let input = inputs.first().copied().unwrap_or(Shape::from([0]));
        self.row(name, layer, input, |plan| layer.plan(inputs, plan))
    }

    fn row<C>(
        &mut self,
        name: &str,
        layer: &dyn fmt::Debug,
        input: Shape,
        work: impl FnOnce(&mut Self) -> Result<(Shape, C), ShapeError>,
    ) -> Result<(Shape, C, usize), ShapeError> {
        self.path.push(name.to_owned());
        let (size, flops, memory, row) = (self.size, self.flops, self.memory, self.layers.len());
        self.layers.push(LayerInfo {
            path: self.path.join("."),
            layer: format!("{layer:?}"),
            output: input,
            parameters: 0,
            flops: 0,
            memory: 0,
            composite: false,
        });
        let planned = work(self);
        self.path.pop();
        let (output, cache) = planned.map_err(|error| error.of(layer))?;
        self.memory(output.size());
        let composite = self.layers.len() > row + 1;
        let parameters = self.size - size;
        let row = &mut self.layers[row];
        (row.output, row.parameters, row.composite) = (output, parameters, composite);
        (row.flops, row.memory) = (self.flops - flops, self.memory - memory);
        Ok((output, cache, parameters))
    }

    /// Plans something whose parameters are not trained. It sees them as they were declared, since a wrapper may look
    /// for a weight; they are frozen behind it.
    pub(crate) fn frozen<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        let first = self.entries.len();
        let result = work(self);
        self.entries[first..].iter_mut().for_each(|entry| entry.kind = ParamKind::Frozen);
        result
    }

    /// An empty plan at the same path, for planning something that has been planned before.
    pub(crate) fn replan(&self) -> Self {
        Self { path: self.path.clone(), ..Self::default() }
    }

    /// Adds what a second use of the parameters in `range` needs besides them, if it declares the same; else `false`.
    pub(crate) fn merge_shared(&mut self, other: Self, range: Range<usize>) -> bool {
        let own = self.entries.iter().filter(|entry| {
            entry.range.start >= range.start && entry.range.end <= range.end && !entry.range.is_empty()
        });
        let theirs = other.entries.iter().filter(|entry| !entry.range.is_empty());
        let same =
            own.map(|entry| (entry.shape, entry.kind)).eq(theirs.map(|entry| (entry.shape, entry.kind)));
        if same {
            self.flops = self.flops.saturating_add(other.flops);
            self.memory = self.memory.saturating_add(other.memory);
            self.stateful |= other.stateful;
            self.layers.extend(other.layers.into_iter().map(|layer| LayerInfo { parameters: 0, ..layer }));
        }
        same
    }

    /// The error of a layer that cannot take `input`: what it `expected` and, in `help`, what to do.
    pub fn error(&self, input: Shape, expected: &str, help: &str) -> ShapeError {
        ShapeError(Box::new(Mismatch {
            path: self.path.join("."),
            layer: String::new(),
            expected: expected.to_owned(),
            found: input,
            help: help.to_owned(),
        }))
    }

    /// How many values all parameters have together.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The parameters in the order in which they lie in the flat vector.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The layers, outermost first.
    pub fn layers(&self) -> &[LayerInfo] {
        &self.layers
    }

    /// Floating-point operations of all matrix products for one sample, forward.
    pub fn total_flops(&self) -> u64 {
        self.flops
    }

    /// How many values one sample takes while it is trained on: all outputs, and what the caches keep.
    pub fn total_memory(&self) -> u64 {
        self.memory
    }

    /// Fills the flat parameters with their first values. Each parameter depends on `seed` and its position
    /// in the plan alone.
    ///
    /// # Panics
    ///
    /// If `params` has not [`size`](Self::size) values, or [`try_init`](Self::try_init) fails.
    pub fn init<T: Real>(&self, seed: Seed, params: &mut [T]) {
        self.try_init(seed, params).expect("memory for the largest parameter");
    }

    /// As [`init`](Self::init).
    ///
    /// # Errors
    ///
    /// If there is no memory for the largest parameter in double precision, in which it is drawn.
    ///
    /// # Panics
    ///
    /// If `params` has not [`size`](Self::size) values.
    pub fn try_init<T: Real>(&self, seed: Seed, params: &mut [T]) -> Result<(), TryReserveError> {
        assert_eq!(params.len(), self.size, "one value for each parameter of the plan");
        let mut values = Vec::new();
        values.try_reserve_exact(self.entries.iter().map(|entry| entry.range.len()).max().unwrap_or(0))?;
        for (index, entry) in self.entries.iter().enumerate() {
            values.clear();
            values.resize(entry.range.len(), 0.0);
            entry.init.fill(entry.spec, seed.child(index as u64), &mut values);
            for (param, &value) in params[entry.range.clone()].iter_mut().zip(&values) {
                *param = T::of(value);
            }
        }
        Ok(())
    }
}

/// A layer was given samples of a shape that it cannot take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError(Box<Mismatch>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mismatch {
    path: String,
    layer: String,
    expected: String,
    found: Shape,
    help: String,
}

impl ShapeError {
    /// The path of the layer, such as `"2.residual.0"`; empty for a layer that is the whole model.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The shape of the sample that it was given.
    pub fn found(&self) -> Shape {
        self.0.found
    }

    /// Names the layer, if an inner layer has not named itself.
    fn of(mut self, layer: &dyn fmt::Debug) -> Self {
        if self.0.layer.is_empty() {
            self.0.layer = format!("{layer:?}");
        }
        self
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mismatch { path, layer, expected, found, help } = &*self.0;
        let path = if path.is_empty() { "the model" } else { path };
        write!(f, "layer {path}, {layer}, takes {expected} but is given {found}: {help}")
    }
}

impl std::error::Error for ShapeError {}

/// A layer was given samples with a value that it cannot take: see [`Layer::check`].
#[derive(Clone, Debug, PartialEq)]
pub struct ValueError {
    layer: String,
    expected: String,
    found: f64,
    row: usize,
}

impl ValueError {
    /// The error of `layer`, which `expected` something else than the value `found` in this row of the batch.
    pub fn new(layer: &dyn fmt::Debug, expected: impl Into<String>, found: f64, row: usize) -> Self {
        Self { layer: format!("{layer:?}"), expected: expected.into(), found, row }
    }

    /// Which row of the batch has the value.
    pub fn row(&self) -> usize {
        self.row
    }

    /// The same error in a batch that has so many rows before those that were looked at.
    #[must_use]
    pub fn after(self, rows: usize) -> Self {
        Self { row: rows + self.row, ..self }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, expected, found, row } = self;
        write!(f, "{layer} takes {expected}, but row {row} of the batch has {found}: look for it in the data")
    }
}

impl std::error::Error for ValueError {}
