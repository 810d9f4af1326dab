//! Attention, which exporters write as products, a softmax and moves of axes.
//!
//! `softmax(Q Kᵀ s) V`, of which queries, keys and values are parts of what dense layers return, and which goes through another product, is
//! the layer `multi_head_attention`. The parts are found as views, so it does not matter how the axes of the heads came about. Of one head,
//! without such products, it is the merge `dot_product_attention`.

use chainrule_core::{Description, Value};

use super::builder::{Applied, Builder, Kind, Known, Samples};
use super::constant::{number, trimmed};
use super::node::Operation;
use super::view::{Frame, Slot, View};
use crate::dtype::Dtype;
use crate::indices::count;
use crate::onnx::attention::slopes;
use crate::tensor::Tensor;

/// What is added to a score that does not count is at most this.
const LOW: f64 = -1e4;

/// After such a mask scores are multiplied by at least this, so that it stays low.
const LEAST: f64 = 1e-2;

/// The scores `Q Kᵀ`, `[heads..., steps, keys]`, or their softmax.
#[derive(Clone)]
pub(super) struct Scores {
    /// `[..., steps, size]`
    queries: View,
    /// `[..., size, keys]`
    keys: View,
    scale: f64,
    causal: bool,
    alibi: bool,
    softmax: bool,
}

/// `softmax(Q Kᵀ s) V`, `[steps, heads..., size]`.
#[derive(Clone)]
pub(super) struct Attended {
    scores: Scores,
    values: View,
    /// What the values are multiplied by.
    factor: f64,
    heads: usize,
    groups: usize,
    size: usize,
    /// Queries, keys and values as columns of what dense layers return.
    projections: Option<[Projection; 3]>,
}

/// Columns of what a dense layer returns for each step.
#[derive(Clone)]
struct Projection {
    input: usize,
    /// `[inputs, units]`, of these columns.
    weight: Tensor,
    bias: Option<Tensor>,
    features: usize,
}

fn matrix(weight: &Tensor) -> Option<(Vec<f64>, usize, usize)> {
    let &[rows, columns] = weight.shape() else { return None };
    Some((weight.numbers().collect(), rows, columns))
}

/// The columns of a matrix, or the values of a vector, in this order, times a number.
fn picked(values: &Tensor, columns: &[usize], factor: f64) -> Option<Tensor> {
    let all: Vec<f64> = values.numbers().collect();
    let &width = values.shape().last()?;
    let rows = all.len().checked_div(width)?;
    let shape = if values.shape().len() == 1 { vec![columns.len()] } else { vec![rows, columns.len()] };
    let values = (0..rows).flat_map(|row| columns.iter().map(move |column| (row, *column)));
    let values = values.map(|(row, column)| all[row * width + column] * factor);
    Some(Tensor::of_values(Dtype::F32, shape, values))
}

fn zeros(count: usize) -> Tensor {
    Tensor::of_values(Dtype::F32, vec![count], std::iter::repeat_n(0.0, count))
}

/// Two matrices or vectors side by side.
fn beside(left: &Tensor, right: &Tensor) -> Tensor {
    let width = |tensor: &Tensor| tensor.shape().last().copied().unwrap_or(0);
    let rows = left.len().checked_div(width(left)).unwrap_or(0);
    let (a, b): (Vec<f64>, Vec<f64>) = (left.numbers().collect(), right.numbers().collect());
    let row = |row: usize| {
        let own = a[row * width(left)..(row + 1) * width(left)].iter().copied();
        own.chain(b[row * width(right)..(row + 1) * width(right)].iter().copied()).collect::<Vec<_>>()
    };
    let mut shape = left.shape().to_vec();
    if let Some(last) = shape.last_mut() {
        *last += width(right);
    }
    Tensor::of_values(Dtype::F32, shape, (0..rows).flat_map(row))
}

impl Scores {
    /// Scores times a number; nothing if what was added to them before is then no mask, or no ALiBi, any more.
    fn times(self, factor: f64) -> Option<Self> {
        let stays = factor == 1.0 || !self.alibi && (!self.causal || factor >= LEAST);
        stays.then_some(Self { scale: self.scale * factor, ..self })
    }
}

impl Projection {
    /// Those that a view has on these axes, of the steps on another.
    fn of(
        builder: &Builder,
        view: &View,
        lead: usize,
        axis: usize,
        steps: usize,
        factor: f64,
    ) -> Option<Self> {
        let source = builder.source(view.source);
        let Kind::Layer(Applied { description, is_merge: false, weights, inputs }) = &source.kind else {
            return None;
        };
        let inner = description.get("layer").and_then(Value::to_description);
        if description.name != "time_distributed" || inner.is_none_or(|inner| inner.name != "dense") {
            return None;
        }
        let mut slots: Vec<Slot> = (0..lead).flat_map(|axis| view.axis(axis).iter().copied()).collect();
        slots.retain(|slot| *slot != Slot::Batch);
        slots.extend(view.axis(axis));
        let columns = view.columns(&slots, view.axis(steps), source.shape[1])?;
        let parameter = |name: &str| weights.iter().find(|(own, _)| *own == name).map(|(_, tensor)| tensor);
        let weight = parameter("step.weight")?;
        let bias = match parameter("step.bias") {
            Some(bias) => Some(picked(bias, &columns, factor)?),
            None => None,
        };
        let features = *weight.shape().first()?;
        Some(Self { input: *inputs.first()?, weight: picked(weight, &columns, factor)?, bias, features })
    }

    fn bias(&self) -> Tensor {
        self.bias.clone().unwrap_or_else(|| zeros(self.weight.shape()[1]))
    }
}

/// How the axes before the last two of a product are those of heads: how many there are in the first factor and in the second, which may have one of length 1.
fn heads(a: &View, b: &View) -> Option<(usize, usize, Vec<usize>)> {
    let lead = a.rank().checked_sub(2).filter(|lead| *lead > 0 && b.rank() == lead + 2)?;
    let has_batch = |view: &View, axis: usize| view.axis(axis).contains(&Slot::Batch);
    let (mut all, mut shared, mut lengths) = (1, 1, Vec::new());
    let mut batches = 0;
    for axis in 0..lead {
        let (own, other) = (a.length(axis), b.length(axis));
        if has_batch(a, axis) != has_batch(b, axis) {
            return None;
        }
        batches += usize::from(has_batch(a, axis));
        // Heads that share keys are behind those that do not.
        if own == other && (own == 1 || shared == all) {
            shared *= other;
        } else if other != 1 {
            return None;
        }
        all *= own;
        lengths.push(own);
    }
    (batches == 1 && !(lead..lead + 2).any(|axis| has_batch(a, axis) || has_batch(b, axis)))
        .then_some((all, shared, lengths))
}

/// The axes of heads, with the batch among them, whose lengths are axes of a source from `first` on.
fn lead_frame(view: &View, count: usize, first: usize) -> Option<Vec<Vec<Option<usize>>>> {
    let axis = |axis: usize| {
        let slots = view.axis(axis);
        let batch = slots.iter().position(|slot| *slot == Slot::Batch);
        match batch {
            None => Some(vec![Some(first + axis)]),
            Some(0) => Some(vec![None, Some(first + axis)]),
            Some(at) if at + 1 == slots.len() => Some(vec![Some(first + axis), None]),
            Some(_) => None,
        }
    };
    (0..count).map(axis).collect()
}

impl Builder {
    /// What a node is that is part of an attention; nothing if it is none.
    pub(super) fn of_attention(
        &mut self,
        operation: &Operation<'_>,
        operator: &str,
        inputs: &[Option<Known>],
    ) -> Result<Option<Known>, String> {
        match (operator, inputs) {
            ("MatMul", [Some(Known::Samples(a)), Some(Known::Samples(b))]) => {
                if matches!(self.source(a.view.source).kind, Kind::Scores(_)) {
                    self.weighted(a, b).map(Some)
                } else {
                    self.scores(a, b).map(Some)
                }
            }
            ("Softmax", [Some(Known::Samples(samples))]) => self.softmax(operation, samples),
            (
                "Add",
                [Some(Known::Samples(samples)), Some(Known::Constant(mask))]
                | [Some(Known::Constant(mask)), Some(Known::Samples(samples))],
            ) => self.masked(samples, |steps, keys, heads| added(mask, steps, keys, heads)),
            (
                "Where",
                [Some(Known::Constant(truth)), Some(Known::Constant(low)), Some(Known::Samples(samples))],
            ) => self.masked(samples, |steps, keys, _| chosen(truth, low, steps, keys, false)),
            (
                "Where",
                [Some(Known::Constant(truth)), Some(Known::Samples(samples)), Some(Known::Constant(low))],
            ) => self.masked(samples, |steps, keys, _| chosen(truth, low, steps, keys, true)),
            _ => Ok(None),
        }
    }

    fn scores(&mut self, a: &Samples, b: &Samples) -> Result<Known, String> {
        let (_, _, mut shape) = heads(&a.view, &b.view)
            .ok_or("it multiplies samples with samples, and not as an attention does")?;
        let lead = shape.len();
        if a.view.length(lead + 1) != b.view.length(lead) {
            return Err("its factors do not fit".into());
        }
        let mut frame = lead_frame(&a.view, lead, 0).ok_or("the batch is amid its heads")?;
        frame.extend([vec![Some(lead)], vec![Some(lead + 1)]]);
        shape.extend([a.view.length(lead), b.view.length(lead + 1)]);
        let scores = Scores {
            queries: a.view.clone(),
            keys: b.view.clone(),
            scale: a.factor * b.factor,
            causal: false,
            alibi: false,
            softmax: false,
        };
        let view = View::framed(0, &shape, &Frame::of(frame));
        self.virtual_source("scores", shape, Kind::Scores(scores), view)
    }

    /// What an attention is in between, which no layer returns.
    fn virtual_source(
        &mut self,
        name: &str,
        shape: Vec<usize>,
        kind: Kind,
        view: View,
    ) -> Result<Known, String> {
        count(&shape).filter(|count| isize::try_from(*count).is_ok()).ok_or("its scores are too large")?;
        let source = self.add(name, shape, kind);
        Ok(Known::Samples(Samples::of(view.of_source(source))))
    }

    /// These scores, if they are some, and whether the last two axes of the view are those of the steps and of the keys.
    fn scores_of(&self, samples: &Samples) -> Option<(Scores, bool)> {
        let source = self.source(samples.view.source);
        let Kind::Scores(scores) = &source.kind else { return None };
        let own = View::of(samples.view.source, &source.shape);
        let rank = samples.view.rank();
        let last_two = rank >= 2
            && own.has_atoms_of(&samples.view)
            && (1..=2).all(|from_end| samples.view.axis(rank - from_end) == own.axis(own.rank() - from_end));
        Some((scores.clone(), last_two))
    }

    fn softmax(&mut self, operation: &Operation<'_>, samples: &Samples) -> Result<Option<Known>, String> {
        let Some((scores, in_order)) = self.scores_of(samples) else { return Ok(None) };
        let default = if operation.opset < 13 { 1 } else { -1 };
        let axis = samples.view.axis_index(operation.int("axis", default), samples.view.rank())?;
        if !in_order || axis + 1 != samples.view.rank() || scores.softmax {
            return Err("it is over another axis than the keys of an attention".into());
        }
        let scaled = scores.times(samples.factor).ok_or("its scores are multiplied after their mask")?;
        let scores = Scores { softmax: true, ..scaled };
        let shape = self.source(samples.view.source).shape.clone();
        self.virtual_source("weights", shape, Kind::Scores(scores), samples.view.clone()).map(Some)
    }

    fn masked(
        &mut self,
        samples: &Samples,
        mask: impl FnOnce(usize, usize, usize) -> Option<[bool; 2]>,
    ) -> Result<Option<Known>, String> {
        let Some((scores, in_order)) = self.scores_of(samples) else { return Ok(None) };
        let shape = self.source(samples.view.source).shape.clone();
        let [all @ .., steps, keys] = &shape[..] else { return Ok(None) };
        let mask = mask(*steps, *keys, all.iter().product()).filter(|_| in_order && !scores.softmax);
        let [causal, alibi] =
            mask.ok_or("what it does to the scores of an attention is neither a causal mask nor ALiBi")?;
        let scores = scores.times(samples.factor).ok_or("its scores are multiplied after their mask")?;
        if scores.alibi && alibi {
            return Err("it adds ALiBi twice".into());
        }
        let scores = Scores { causal: scores.causal || causal, alibi: scores.alibi || alibi, ..scores };
        self.virtual_source("scores", shape, Kind::Scores(scores), samples.view.clone()).map(Some)
    }

    /// The product of the weights of an attention and the values.
    fn weighted(&mut self, weights: &Samples, values: &Samples) -> Result<Known, String> {
        let other = || "its factors are not the weights and the values of an attention".to_owned();
        let (scores, in_order) = self.scores_of(weights).ok_or_else(other)?;
        let (all, shared, lengths) = heads(&weights.view, &values.view).ok_or_else(other)?;
        let (heads, groups, _) = heads(&scores.queries, &scores.keys).ok_or_else(other)?;
        let lead = lengths.len();
        let steps = weights.view.length(lead);
        if !in_order || !scores.softmax || weights.factor != 1.0 || (all, shared) != (heads, groups) {
            return Err(other());
        }
        // The heads are in the order in which the queries have them.
        let own = View::of(weights.view.source, &self.source(weights.view.source).shape);
        let order = |view: &View, axes: std::ops::Range<usize>| -> Vec<Slot> {
            axes.flat_map(|axis| view.axis(axis).iter().copied())
                .filter(|slot| *slot != Slot::Batch)
                .collect()
        };
        if order(&weights.view, 0..lead) != order(&own, 1..own.rank() - 2)
            || weights.view.length(lead + 1) != values.view.length(lead)
        {
            return Err(other());
        }
        let size = values.view.length(lead + 1);
        let last = scores.queries.rank() - 1;
        let query_size = scores.queries.length(last);
        // Whatever the scale is, the layer has 1/√size.
        let factor = scores.scale * (query_size as f64).sqrt();
        let queries = Projection::of(self, &scores.queries, last - 1, last, last - 1, factor);
        let keys = Projection::of(self, &scores.keys, last - 1, last - 1, last, 1.0);
        let of_values = Projection::of(self, &values.view, lead, lead + 1, lead, values.factor);
        let projections = match (queries, keys, of_values) {
            (Some(queries), Some(keys), Some(values)) if query_size == size && keys.input == values.input => {
                Some([queries, keys, values])
            }
            _ => None,
        };
        if values.factor != 1.0 && projections.is_none() {
            return Err(other());
        }
        let mut frame = lead_frame(&weights.view, lead, 1).ok_or_else(other)?;
        frame.extend([vec![Some(0)], vec![Some(lead + 1)]]);
        let shape = [&[steps], &lengths[..], &[size]].concat();
        let copied = |projection: &Projection| projection.weight.size();
        self.spend(projections.iter().flatten().map(copied).sum())?;
        let (factor, values) = (values.factor, values.view.clone());
        let attended = Attended { scores, values, factor, heads, groups, size, projections };
        let view = View::framed(0, &shape, &Frame::of(frame));
        self.virtual_source("attended", shape, Kind::Attended(Box::new(attended)), view)
    }

    /// The merge that an attention of one head is, if it is taken as it is; nothing if it is of several.
    pub(super) fn attended_by_one(&mut self, source: usize) -> Result<Option<usize>, String> {
        if let Some(&merged) = self.merged.get(&source) {
            return Ok(Some(merged));
        }
        let Kind::Attended(attended) = &self.source(source).kind else { return Ok(None) };
        if attended.heads != 1 || attended.scores.alibi || attended.factor != 1.0 {
            return Ok(None);
        }
        let attended = attended.clone();
        let Scores { queries, keys, scale, causal, .. } = &attended.scores;
        let last = queries.rank() - 1;
        let value_last = attended.values.rank() - 1;
        let sides = [
            queries.only(&[last - 1, last]),
            keys.only(&[last, last - 1]),
            attended.values.only(&[value_last - 1, value_last]),
        ];
        let mut inputs = Vec::new();
        for view in sides {
            inputs.push(self.arranged(&Samples::of(view))?.0);
        }
        let description =
            Description::new("dot_product_attention").with("causal", *causal).with("scale", *scale);
        let merge = Applied { description, is_merge: true, weights: Vec::new(), inputs };
        let merged = self.apply("attention", merge)?;
        self.merged.insert(source, merged);
        Ok(Some(merged))
    }
}

impl Attended {
    /// The layer that it is with this product after it; nothing if it is not of heads with products before them.
    pub(super) fn projected(
        &self,
        samples: &Samples,
        weight: &Tensor,
        bias: Option<&Tensor>,
    ) -> Result<Option<Applied>, String> {
        let Some([queries, keys, values]) = &self.projections else { return Ok(None) };
        let (all, rows, features) = matrix(weight).ok_or("its weight is no matrix")?;
        let Some(last) = samples.view.rank().checked_sub(1) else { return Ok(None) };
        let steps: Vec<Slot> = (0..last).flat_map(|axis| samples.view.axis(axis).iter().copied()).collect();
        let units = self.heads * self.size;
        let columns = samples.view.columns(samples.view.axis(last), &steps, units);
        let Some(columns) = columns.filter(|columns| columns.len() == units && rows == units) else {
            return Ok(None);
        };
        if features != queries.features {
            return Err(format!("it makes {features} features of an attention of {}", queries.features));
        }
        let mut out = vec![0.0; all.len()];
        for (row, &column) in columns.iter().enumerate() {
            let from = &all[row * features..(row + 1) * features];
            out.iter_mut()
                .skip(column * features)
                .zip(from)
                .for_each(|(out, value)| *out = value * samples.factor);
        }
        let has_bias =
            bias.is_some() || [queries, keys, values].iter().any(|projection| projection.bias.is_some());
        let mut description = Description::new("multi_head_attention").with("heads", self.heads);
        if self.groups != self.heads {
            description = description.with("key_value_heads", self.groups);
        }
        if units != queries.features {
            description = description.with("head_size", self.size);
        }
        let Scores { causal, alibi, .. } = self.scores;
        let description = description.with("bias", has_bias).with("causal", causal).with("alibi", alibi);
        let mut weights = vec![
            ("query_weight", queries.weight.clone()),
            ("key_value_weight", beside(&keys.weight, &values.weight)),
            ("out_weight", Tensor::of_values(Dtype::F32, vec![units, features], out.into_iter())),
        ];
        if has_bias {
            weights.push(("query_bias", queries.bias()));
            weights.push(("key_value_bias", beside(&keys.bias(), &values.bias())));
            weights.push(("out_bias", bias.cloned().unwrap_or_else(|| zeros(features))));
        }
        let is_merge = keys.input != queries.input;
        let inputs = if is_merge { vec![queries.input, keys.input] } else { vec![queries.input] };
        Ok(Some(Applied { description, is_merge, weights, inputs }))
    }
}

/// An attention with this bias after its last product, if it has none there yet.
pub(super) fn with_out_bias(
    applied: &Applied,
    bias: &Tensor,
) -> Option<(Description, Vec<(&'static str, Tensor)>)> {
    let mut weights = applied.weights.clone();
    let own = weights.iter_mut().find(|(name, _)| *name == "out_bias");
    let mut description = applied.description.clone();
    match own {
        Some((_, own)) if own.numbers().all(|value| value == 0.0) => *own = bias.clone(),
        Some(_) => return None,
        None => {
            let units = |name: &str| Some(*weights.iter().find(|(own, _)| *own == name)?.1.shape().last()?);
            let (query, both) = (units("query_weight")?, units("key_value_weight")?);
            weights.extend([
                ("query_bias", zeros(query)),
                ("key_value_bias", zeros(both)),
                ("out_bias", bias.clone()),
            ]);
            for (name, value) in &mut description.settings {
                if name == "bias" {
                    *value = true.into();
                }
            }
        }
    }
    Some((description, weights))
}

/// What a constant that is added to scores does: whether it hides later steps, and whether it is ALiBi's.
fn added(mask: &Tensor, steps: usize, keys: usize, heads: usize) -> Option<[bool; 2]> {
    if mask.len() > steps.checked_mul(keys)?.checked_mul(heads)? {
        return None;
    }
    let values: Vec<f64> = mask.values()?.collect();
    if values.iter().all(|value| *value == 0.0) {
        return Some([false, false]);
    }
    let shape = trimmed(mask.shape());
    let later = |index: usize| index % keys > index / keys;
    if shape == [steps, keys]
        && values
            .iter()
            .enumerate()
            .all(|(index, value)| if later(index) { *value <= LOW } else { *value == 0.0 })
    {
        return Some([true, false]);
    }
    if values.len() != heads * steps * keys || steps != keys {
        return None;
    }
    let slopes = slopes(heads);
    let alibi = |index: usize| {
        let (head, index) = (index / (steps * keys), index % (steps * keys));
        -slopes[head] * (index / keys).abs_diff(index % keys) as f64
    };
    let close = |(index, value): (usize, &f64)| (value - alibi(index)).abs() <= 1e-6 * (1.0 + value.abs());
    values.iter().enumerate().all(close).then_some([false, true])
}

/// What a choice between scores and a low number does; `own` says which of the two is chosen where the constant is true.
fn chosen(truth: &Tensor, low: &Tensor, steps: usize, keys: usize, own: bool) -> Option<[bool; 2]> {
    number(low).filter(|low| *low <= LOW && trimmed(truth.shape()) == [steps, keys])?;
    let later = |index: usize| index % keys > index / keys;
    let fits = truth.numbers().enumerate().all(|(index, truth)| (truth != 0.0) == (later(index) != own));
    fits.then_some([true, false])
}
