//! What a model needs, declared before it runs.

use std::collections::TryReserveError;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chainrule_tensor::{Buffer, Real, Seed, Shape, memory_limit};

use crate::error::{Problem, ShapeError};
use crate::initializer::{Constant, Initializer, ParamSpec};
use crate::label::Label;
use crate::param_kind::ParamKind;

/// The maximum number of values in double precision that memory can address.
const MAX_VALUES: usize = isize::MAX as usize / size_of::<f64>();

/// The number of bytes from which memory is checked before it is needed.
const LARGE: u64 = 1 << 26;

/// One parameter of a model: a named range of the flat vector of all parameters.
#[derive(Clone, Debug)]
pub struct ParamEntry {
    /// The path of the layer followed by the parameter's own name, such as `"2.residual.0.weight"`.
    pub name: String,
    /// Its shape; its values are stored in row-major order.
    pub shape: Shape,
    /// Its range in the flat parameters, and that of its gradient in the flat gradients.
    pub range: Range<usize>,
    /// How optimizers treat it.
    pub kind: ParamKind,
    /// Whether it is a matrix `[inputs, units]` whose gradient is `xᵀ dy` (see [`Plan::product`]).
    pub product: bool,
    /// Whether it is a matrix of which a pass uses few rows, so that its gradient may be a list (see [`Plan::table`] and, if it
    /// is a product too, [`Plan::sparse_product`]).
    pub table: bool,
    spec: ParamSpec,
    init: Arc<dyn Initializer>,
}

/// One layer of a model, as a summary shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerInfo {
    /// The path of the layer, such as `"2.residual.0"`.
    pub path: String,
    /// The layer, as `Debug` prints it.
    pub layer: String,
    /// The layer, as errors name it: `Dense(units=64)`.
    pub label: String,
    /// The shape of its output for one sample.
    pub output: Shape,
    /// The number of its parameters, those of inner layers included.
    pub parameters: usize,
    /// Floating-point operations of its matrix products for one sample, forward.
    pub flops: u64,
    /// The number of values that training keeps for one sample: the output and what the cache holds, those of inner
    /// layers included.
    pub memory: u64,
    /// Whether it contains layers with infos of their own, which follow.
    pub composite: bool,
}

/// Collects what the layers of a model declare: parameters, in order, and a [`LayerInfo`] for each layer.
///
/// A layer declares its parameters in [`Layer::plan`](crate::Layer::plan) and takes them in the same order in its passes.
#[derive(Debug, Default)]
pub struct Plan {
    path: Vec<String>,
    entries: Vec<ParamEntry>,
    size: usize,
    flops: u64,
    memory: u64,
    /// The number of layers that carry a state.
    stateful: usize,
    sums_over_batch: bool,
    /// The layer that needs several samples in a batch, if one does.
    needs_several: Option<String>,
    layers: Vec<LayerInfo>,
    /// How many more layers may be planned, here and in plans that were begun from this one; `None` if there is no limit.
    limit: Option<Arc<AtomicUsize>>,
}

/// What a plan was when the plan of an inner layer began.
struct Begun {
    /// That of the inner layer's [`LayerInfo`].
    index: usize,
    size: usize,
    flops: u64,
    memory: u64,
}

impl Plan {
    /// An empty plan.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty plan for at most this number of layers, those inside of others included: for layers from a source that is not
    /// trusted, since a short description can stand for very many.
    pub fn limited(layers: usize) -> Self {
        Self { limit: Some(Arc::new(AtomicUsize::new(layers))), ..Self::default() }
    }

    /// Declares a parameter that is trained and decayed. `fans` are `fan_in` and `fan_out` for its initialiser.
    ///
    /// # Errors
    ///
    /// Here and below: [`ShapeError`] if the parameters do not fit in memory.
    pub fn weight(
        &mut self,
        name: &str,
        shape: impl AsRef<[usize]>,
        fans: (usize, usize),
        init: &Arc<dyn Initializer>,
    ) -> Result<(), ShapeError> {
        self.entry(name, ParamKind::Weight, shape.as_ref(), fans, Arc::clone(init))
    }

    /// Declares a weight of shape `[inputs, units]` that multiplies the layer's whole input, `z = x W`, so that its
    /// gradient is `xᵀ dz`. The layer leaves both products to [`Params::product`](crate::Params::product) and
    /// [`Grads::product`](crate::Grads::product), and uses `x` for nothing else.
    ///
    /// A trainer may then compute the gradient in buckets, each just before the optimizer needs it, and never
    /// hold all of it; and it may split the product itself among threads by the rows of the weight.
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

    /// Declares a weight as [`product`](Self::product) does, for an input most of whose values are 0. The layer leaves both products to
    /// [`Params::sparse_product`](crate::Params::sparse_product) and [`Grads::sparse_product`](crate::Grads::sparse_product).
    ///
    /// The gradient of a row of the weight is 0 where no sample has that input. A trainer may keep a list of the other rows, and let the
    /// optimizer update only these, as those of a [`table`](Self::table); and it may read samples that are stored without their zeros.
    pub fn sparse_product(
        &mut self,
        name: &str,
        [inputs, units]: [usize; 2],
        fans: (usize, usize),
        init: &Arc<dyn Initializer>,
    ) -> Result<(), ShapeError> {
        self.product(name, [inputs, units], fans, init)?;
        self.entries.iter_mut().last().expect("just declared").table = true;
        Ok(())
    }

    /// Declares a weight of shape `[rows, columns]` of which a pass uses few rows, such as the vectors of the
    /// words of a vocabulary. In `backward` the layer takes its gradient with
    /// [`Grads::table`](crate::Grads::table), and every term of it is a part of the layer's `dy`.
    ///
    /// A trainer may then keep a list of the rows that were used, and let the optimizer update only these. The
    /// momentum and the decay of a row then do not change in steps that do not use it.
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

    /// Declares a running statistic with this first `value`. In `backward` the layer adds `share` times its
    /// next value to its "gradient".
    pub fn buffer(&mut self, name: &str, shape: impl AsRef<[usize]>, value: f64) -> Result<(), ShapeError> {
        self.entry(name, ParamKind::Buffer, shape.as_ref(), (1, 1), Arc::new(Constant(value)))
    }

    fn entry(
        &mut self,
        name: &str,
        kind: ParamKind,
        axes: &[usize],
        (fan_in, fan_out): (usize, usize),
        init: Arc<dyn Initializer>,
    ) -> Result<(), ShapeError> {
        let end = |shape: Shape| self.size.checked_add(shape.size()).filter(|&end| end <= MAX_VALUES);
        let Some((shape, end)) = Shape::new(axes).and_then(|shape| Some((shape, end(shape)?))) else {
            return Err(self.too_large(&format!("its {name} would have the shape {axes:?}")));
        };
        self.entries.push(ParamEntry {
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

    /// Checks that memory can hold this number of values that the layer allocates for itself, and returns the number.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if it cannot.
    pub fn check_size(&self, values: usize) -> Result<usize, ShapeError> {
        if values > MAX_VALUES {
            return Err(self.too_large(&format!("its buffers would hold {values} values")));
        }
        Ok(values)
    }

    fn too_large(&self, why: &str) -> ShapeError {
        let path = self.path.join(".");
        let info = self.layers.iter().rev().find(|info| info.path == path);
        let input = info.map_or(Shape::from([0]), |info| info.output);
        let help = format!("{why}; use smaller samples or fewer units");
        self.error(input, "samples for which its parameters and buffers fit in memory", &help)
    }

    /// Adds to the floating-point operations of the layer's matrix products for one sample, forward.
    pub fn flops(&mut self, flops: u64) {
        self.flops = self.flops.saturating_add(flops);
    }

    /// Adds to the number of values that the layer's cache keeps for one sample, or needs as scratch memory in a pass;
    /// its output is counted anyway.
    pub fn memory(&mut self, values: usize) {
        self.memory = self.memory.saturating_add(values as u64);
    }

    /// Like [`memory`](Self::memory), for many values at once, such as the weights of an attention, which are the square of the steps;
    /// checks that the system has the memory for them, for one sample and together with what was declared before.
    ///
    /// `what` names the values, and `help` says how to have fewer.
    ///
    /// # Errors
    ///
    /// [`ShapeError`], which names the bytes, if the system does not have that memory, or refuses it.
    pub fn large_memory<T: Real>(
        &mut self,
        values: usize,
        input: Shape,
        what: &str,
        help: &str,
    ) -> Result<(), ShapeError> {
        self.memory(values);
        let bytes = |values: u64| values.saturating_mul(size_of::<T>() as u64);
        let own = bytes(values as u64);
        if own < LARGE {
            return Ok(());
        }
        let all = bytes(self.memory);
        let limit = memory_limit();
        // The memory is promised and given back at once; nothing writes to it.
        if limit.is_none_or(|limit| all <= limit) && Buffer::<T>::try_zeros(values).is_some() {
            return Ok(());
        }
        let layers = if all > own { format!(", all layers up to this one {all}") } else { String::new() };
        let system = limit.map_or(String::new(), |limit| format!(", and the system has {limit}"));
        let expected = format!("samples for which {what} fit in memory");
        let help = format!("for one sample they take {own} bytes{layers}{system}; {help}");
        Err(self.error(input, &expected, &help))
    }

    /// Declares that the layer's cache carries a state from one pass to the next, as truncated backpropagation
    /// through time does: row `i` of a batch continues row `i` of the batch before. A cache returned by `plan` is in
    /// the initial state; a trainer uses such a cache for each epoch. The layer calls [`carried::begin`](crate::carried::begin) in its
    /// forward pass, so that a training can be saved in the middle of one.
    pub fn stateful(&mut self) {
        self.stateful += 1;
    }

    /// Whether a layer carries a state from one pass to the next.
    pub fn is_stateful(&self) -> bool {
        self.stateful > 0
    }

    /// The number of layers that carry a state from one pass to the next.
    pub fn stateful_layers(&self) -> usize {
        self.stateful
    }

    /// Declares that the layer sums over the whole batch in the middle of its passes of training, with
    /// [`batch_group::sum`](crate::batch_group::sum), and that a sample has `values` values of what it takes the statistics of. With
    /// a single one, a batch of one sample has nothing to normalise, and a trainer refuses it.
    pub fn sums_over_batch(&mut self, values: usize) {
        self.sums_over_batch = true;
        if values < 2 && self.needs_several.is_none() {
            self.needs_several = Some(self.path.join("."));
        }
    }

    /// Whether a layer sums over the whole batch in the middle of its passes.
    pub fn has_sums_over_batch(&self) -> bool {
        self.sums_over_batch
    }

    /// The path of a layer that has nothing to normalise in a training batch of one sample.
    pub fn needs_several_samples(&self) -> Option<&str> {
        self.needs_several.as_deref()
    }

    /// Runs `work`, the plan of an inner layer that a pass applies to `times` rows for each sample.
    pub fn repeated<R>(&mut self, times: usize, work: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.needs_several.clone();
        let result = work(self);
        if times > 1 {
            self.needs_several = before;
        }
        result
    }

    /// Runs `work`, the plan of an inner layer, under its name, and collects its [`LayerInfo`].
    pub(crate) fn nested<C>(
        &mut self,
        name: &str,
        (layer, label): (&dyn fmt::Debug, &Label),
        input: Shape,
        work: impl FnOnce(&mut Self) -> Result<(Shape, C), ShapeError>,
    ) -> Result<(Shape, C, usize), ShapeError> {
        let begun = self.begin(name, layer, label, input)?;
        match work(self) {
            Ok((output, cache)) => Ok((output, cache, self.end(begun, output))),
            Err(error) => {
                self.path.pop();
                Err(error.with_layer(label))
            }
        }
    }

    /// Begins the plan of an inner layer.
    fn begin(
        &mut self,
        name: &str,
        layer: &dyn fmt::Debug,
        label: &Label,
        input: Shape,
    ) -> Result<Begun, ShapeError> {
        self.path.push(name.to_owned());
        if let Some(limit) = &self.limit {
            let less = |left: usize| left.checked_sub(1);
            if limit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err() {
                let help = "it stands for more than its source says";
                return Err(self.setting_error(input, "fewer layers", help));
            }
        }
        let index = self.layers.len();
        let begun = Begun { index, size: self.size, flops: self.flops, memory: self.memory };
        self.layers.push(LayerInfo {
            path: self.path.join("."),
            layer: format!("{layer:?}"),
            label: label.to_string(),
            output: input,
            parameters: 0,
            flops: 0,
            memory: 0,
            composite: false,
        });
        Ok(begun)
    }

    /// Ends the plan of an inner layer; returns the number of parameters that it declared.
    fn end(&mut self, Begun { index, size, flops, memory }: Begun, output: Shape) -> usize {
        self.path.pop();
        self.memory(output.size());
        let composite = self.layers.len() > index + 1;
        let parameters = self.size - size;
        let info = &mut self.layers[index];
        info.output = output;
        info.parameters = parameters;
        info.composite = composite;
        info.flops = self.flops - flops;
        info.memory = self.memory - memory;
        parameters
    }

    /// Plans something whose parameters are not trained. They are declared as what they are, since a wrapper may look
    /// for a weight, and frozen afterwards.
    pub(crate) fn frozen<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        let first = self.entries.len();
        let sums_over_batch = self.sums_over_batch;
        let needs_several = self.needs_several.clone();
        let result = work(self);
        // What is frozen is in evaluation.
        self.sums_over_batch = sums_over_batch;
        self.needs_several = needs_several;
        self.entries[first..].iter_mut().for_each(|entry| entry.kind = ParamKind::Frozen);
        result
    }

    /// An empty plan at the same path, to plan again what has been planned before.
    #[must_use]
    pub fn replan(&self) -> Self {
        Self { path: self.path.clone(), limit: self.limit.clone(), ..Self::default() }
    }

    /// Adds what a second use of the parameters in `range` needs besides them, if `other` declares the same parameters;
    /// returns whether it does.
    pub(crate) fn merge_shared(&mut self, other: Self, range: Range<usize>) -> bool {
        let within = |entry: &&ParamEntry| range.start <= entry.range.start && entry.range.end <= range.end;
        let with_values = |entry: &&ParamEntry| !entry.range.is_empty();
        let declaration = |entry: &ParamEntry| (entry.shape, entry.kind);
        let ours = self.entries.iter().filter(within).filter(with_values).map(declaration);
        let theirs = other.entries.iter().filter(with_values).map(declaration);
        let same = ours.eq(theirs);
        if same {
            self.flops = self.flops.saturating_add(other.flops);
            self.memory = self.memory.saturating_add(other.memory);
            self.stateful += other.stateful;
            self.sums_over_batch |= other.sums_over_batch;
            self.needs_several = self.needs_several.take().or(other.needs_several);
            self.layers.extend(other.layers.into_iter().map(|layer| LayerInfo { parameters: 0, ..layer }));
        }
        same
    }

    /// The error of a layer that cannot take samples of shape `input`: it reads "layer ... expects `expected` but got
    /// `input`: `help`", where `help` says what to do.
    pub fn error(&self, input: Shape, expected: &str, help: &str) -> ShapeError {
        ShapeError::new(self.path.join("."), input, Problem::Samples { expected: expected.to_owned() }, help)
    }

    /// The error of a layer with a setting that cannot work, whatever the samples: it reads "layer ... needs `needed`: `help`", where
    /// `help` says what to do. `input` is the shape of the samples all the same, for [`ShapeError::found`].
    pub fn setting_error(&self, input: Shape, needed: &str, help: &str) -> ShapeError {
        ShapeError::new(self.path.join("."), input, Problem::Setting { needed: needed.to_owned() }, help)
    }

    /// Checks a setting that counts something, such as units: `what` is "a number of units".
    ///
    /// # Errors
    ///
    /// [`setting_error`](Self::setting_error) if the count is 0.
    pub fn at_least_one(&self, count: usize, what: &str, input: Shape) -> Result<(), ShapeError> {
        if count > 0 {
            return Ok(());
        }
        Err(self.setting_error(
            input,
            &format!("{what} of at least 1"),
            "with 0 nothing would be left; choose another",
        ))
    }

    /// The number of values of all parameters together.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The parameters in the order in which they are stored in the flat vector.
    pub fn entries(&self) -> &[ParamEntry] {
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

    /// The number of values that training keeps for one sample: all outputs and what the caches hold.
    pub fn total_memory(&self) -> u64 {
        self.memory
    }

    /// Fills the flat parameters with their first values. Each parameter depends only on `seed` and its index
    /// in the plan.
    ///
    /// # Panics
    ///
    /// If `params` does not have [`size`](Self::size) values, or [`try_init`](Self::try_init) fails.
    pub fn init<T: Real>(&self, seed: Seed, params: &mut [T]) {
        self.try_init(seed, params).expect("memory for the largest parameter");
    }

    /// Like [`init`](Self::init).
    ///
    /// # Errors
    ///
    /// If there is no memory for the largest parameter in double precision, in which values are drawn.
    ///
    /// # Panics
    ///
    /// If `params` does not have [`size`](Self::size) values.
    pub fn try_init<T: Real>(&self, seed: Seed, params: &mut [T]) -> Result<(), TryReserveError> {
        assert_eq!(params.len(), self.size, "params has a value for each parameter of the plan");
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
