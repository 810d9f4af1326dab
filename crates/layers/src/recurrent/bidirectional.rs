//! Recurrent layers in both directions.

use std::fmt;
use std::sync::Arc;

use chainrule_core::{
    AnyLayer, Backward, Described, Description, DescriptionError, Entry, Forward, Kind, Layer, Place, Plan,
    SettingValue, Settings, ShapeError, Value, entry,
};
use chainrule_tensor::{Buffer, Real, Shape, map};

use super::cell::Cell;
use super::layer::{InputGradient, Recurrent, RecurrentCache, StateColumns};
use super::recurrent_projection::RecurrentProjection;

/// A recurrent layer that processes the steps from the first to the last, and another one, with its own weights, that
/// processes them from the last to the first (Schuster and Paliwal 1997, "Bidirectional recurrent neural networks").
///
/// Both results are concatenated, those of the forward direction first; [`sum`](Self::sum), [`multiply`](Self::multiply)
/// and [`average`](Self::average) merge them value by value instead, as Keras' `merge_mode`. With
/// [`sequences`](Recurrent::sequences) both are returned for the step that they belong to; without, each direction returns
/// its own last state. The parameters are those of `forward` and then those of `backward`.
#[derive(Clone, Debug)]
pub struct Bidirectional<L> {
    forward: L,
    backward: L,
    merge: MergeMode,
}

/// A recurrent layer of any type: the [`Kind`] of layers that a [`Bidirectional`] can be built around.
pub struct AnyRecurrent<T: Real> {
    layer: AnyLayer<T>,
    bidirectional: Arc<dyn Fn(MergeMode) -> AnyLayer<T> + Send + Sync>,
}

impl<T: Real> AnyRecurrent<T> {
    /// This layer.
    pub fn new<C: Cell<T>, P: RecurrentProjection<T> + Clone>(layer: Recurrent<C, P>) -> Self {
        let both = layer.clone();
        let bidirectional =
            Arc::new(move |merge| AnyLayer::new(Bidirectional { merge, ..Bidirectional::new(both.clone()) }));
        Self { layer: AnyLayer::new(layer), bidirectional }
    }

    /// The layer as any other.
    pub fn into_layer(self) -> AnyLayer<T> {
        self.layer
    }
}

impl<T: Real> fmt::Debug for AnyRecurrent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.layer, f)
    }
}

impl<T: Real> Kind for AnyRecurrent<T> {
    const KIND: &'static str = "recurrent layer";
    const KINDS: &'static str = "recurrent layers";

    fn description(&self) -> Description {
        Layer::description(&self.layer)
    }
}

impl<T: Real> SettingValue for AnyRecurrent<T> {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        place.build(value)
    }

    fn to_value(&self) -> Value {
        self.to_plain()
    }
}

/// What a [`Bidirectional`] is built from: its layer is of any type.
pub(crate) struct BidirectionalText<T: Real>(pub(crate) AnyLayer<T>);

impl<T: Real> Described for BidirectionalText<T> {
    const ENTRY: Entry = entry! {
        /// A recurrent layer in both directions.
        Bidirectional = "bidirectional";
        source "Schuster and Paliwal 1997";
        settings {
            /// The recurrent layer.
            layer: required;
            /// How the two results are merged: `concat`, `sum`, `multiply` or `average`.
            merge ("merge_mode"): concat;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let layer: AnyRecurrent<T> = settings.get("layer")?;
        Ok(Self((layer.bidirectional)(settings.get("merge")?)))
    }

    fn setting_values(&self) -> Vec<Value> {
        Self::ENTRY.values_of(&Layer::description(&self.0))
    }
}

/// How two results are merged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum MergeMode {
    Concat,
    /// The sum times a factor.
    Sum(f64),
    Multiply,
}

impl SettingValue for MergeMode {
    fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
        let Value::Text(word) = value else {
            return Err(place.wrong(value, "concat, sum, multiply or average"));
        };
        match &**word {
            "concat" => Ok(Self::Concat),
            "sum" => Ok(Self::Sum(1.0)),
            "multiply" | "mul" => Ok(Self::Multiply),
            "average" | "ave" => Ok(Self::Sum(0.5)),
            _ => Err(place.wrong(value, "concat, sum, multiply or average")),
        }
    }

    fn to_value(&self) -> Value {
        let word = match self {
            Self::Concat => "concat",
            Self::Sum(0.5) => "average",
            Self::Sum(_) => "sum",
            Self::Multiply => "multiply",
        };
        word.into()
    }
}

impl<C: Clone, P: Clone> Bidirectional<Recurrent<C, P>> {
    /// This layer in both directions.
    pub fn new(layer: Recurrent<C, P>) -> Self {
        Self { backward: layer.clone().reversed(), forward: layer, merge: MergeMode::Concat }
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

/// What a [`Bidirectional`] layer keeps between its passes: the cache of each direction, and unless the results are
/// concatenated, both results and the gradient of one.
#[derive(Clone, Debug, Default)]
pub struct BidirectionalCache<T: Real, P> {
    caches: [RecurrentCache<T, P>; 2],
    results: [Buffer<T>; 2],
    gradient: Buffer<T>,
}

impl<L> Bidirectional<L> {
    /// The columns of each direction's result: in the output, or in a matrix of its own.
    fn columns(&self, units: usize) -> [StateColumns; 2] {
        let concat = self.merge == MergeMode::Concat;
        let stride = if concat { 2 * units } else { units };
        let second = if concat { units } else { 0 };
        [0, second].map(|first| StateColumns { first, stride, input_order: true })
    }
}

impl<T: Real, C: Cell<T>, P: RecurrentProjection<T>> Layer<T> for Bidirectional<Recurrent<C, P>> {
    type Cache = BidirectionalCache<T, P::Cache>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let (one, forward, _) = plan.inner("forward", &self.forward, input)?;
        let (_, backward, _) = plan.inner("backward", &self.backward, input)?;
        let mut output = one.to_vec();
        if self.merge == MergeMode::Concat {
            // The first axis of a state.
            let axis = &mut output[usize::from(self.forward.returns_sequences())];
            *axis = axis.saturating_mul(2);
        }
        let Some(output) = Shape::new(&output) else {
            return Err(plan.error(
                input,
                "sequences whose outputs fit in memory",
                "use fewer steps or units",
            ));
        };
        if self.merge != MergeMode::Concat {
            plan.memory(output.size()); // the gradient; both results are counted as outputs
        }
        Ok((output, BidirectionalCache { caches: [forward, backward], ..BidirectionalCache::default() }))
    }

    fn description(&self) -> Description {
        let layer = Layer::<T>::description(&self.forward);
        BidirectionalText::<T>::ENTRY.description([layer.into(), self.merge.to_value()])
    }

    fn forward(&self, Forward { mut params, x, mut y, cache, mode }: Forward<'_, T, Self::Cache>) {
        let BidirectionalCache { caches, results, .. } = cache;
        let (rows, width) = y.dim();
        let columns = self.columns(caches[0].units());
        for (index, layer) in [&self.forward, &self.backward].into_iter().enumerate() {
            let cache = &mut caches[index];
            let columns = columns[index];
            let params = params.values(cache.parameters());
            let mode = mode.inner(index);
            if self.merge == MergeMode::Concat {
                layer.forward_into(params, x, y.view_mut(), columns, cache, mode);
            } else {
                let result = &mut results[index];
                result.reserve(rows * width);
                layer.forward_into(params, x, result.matrix_mut(rows, width), columns, cache, mode);
            }
        }
        let [a, b] = results;
        match self.merge {
            MergeMode::Concat => {}
            MergeMode::Sum(factor) => {
                let factor = T::of(factor);
                let a = a.matrix(rows, width);
                let b = b.matrix(rows, width);
                map!(y = |a, b| factor * (a + b));
            }
            MergeMode::Multiply => {
                let a = a.matrix(rows, width);
                let b = b.matrix(rows, width);
                map!(y = |a, b| a * b);
            }
        }
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { mut params, mut grads, dy, mut dx, cache, share, .. } = pass;
        let BidirectionalCache { caches, results, gradient } = cache;
        let (rows, width) = dy.dim();
        let columns = self.columns(caches[0].units());
        for (index, layer) in [&self.forward, &self.backward].into_iter().enumerate() {
            let cache = &mut caches[index];
            let columns = columns[index];
            let params = params.values(cache.parameters());
            let grads = grads.values(cache.parameters());
            if self.merge != MergeMode::Concat {
                gradient.reserve(rows * width);
            }
            let dy = match self.merge {
                MergeMode::Concat => dy,
                MergeMode::Sum(factor) => {
                    let factor = T::of(factor);
                    let scaled = gradient.matrix_mut(rows, width);
                    map!(scaled = |dy| factor * dy);
                    gradient.matrix(rows, width)
                }
                MergeMode::Multiply => {
                    let other = results[1 - index].matrix(rows, width);
                    let scaled = gradient.matrix_mut(rows, width);
                    map!(scaled = |dy, other| dy * other);
                    gradient.matrix(rows, width)
                }
            };
            let write = if index == 0 { InputGradient::Overwrite } else { InputGradient::Add };
            let dx = dx.as_mut().map_or(InputGradient::Skip, |dx| write(dx.view_mut()));
            layer.backward_from(params, grads, dy, columns, dx, cache, share);
        }
    }
}
