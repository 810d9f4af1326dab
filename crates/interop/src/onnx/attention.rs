//! Attention by products and a softmax.

use super::operators::Emitted;
use super::writer::{Attribute, Signal, Writer};
use crate::site::Site;

/// What is added to a score that does not count. After the softmax its weight is 0 in single precision.
const LOW: f64 = -1e30;

/// The sizes of an attention, and what changes its scores.
struct Scores {
    heads: usize,
    /// The heads of keys and values, each shared by as many others.
    groups: usize,
    scale: f64,
    causal: bool,
    alibi: bool,
}

/// 1 for each step that is no padding, `[steps, 1]`, and 0 for others: those whose features are all 0.
pub(super) fn not_padding(writer: &mut Writer<'_>, x: &Signal) -> Signal {
    let positive = writer.node("Abs", &[&x.name], vec![]);
    let largest = writer.node("ReduceMax", &[&positive], vec![Attribute::Ints("axes", vec![-1])]);
    let zero = writer.scalar("zero", 0.0);
    let own = writer.node("Greater", &[&largest, &zero], vec![]);
    let own = writer.node("Cast", &[&own], vec![Attribute::Int("to", 1)]);
    let mut shape = x.shape.clone();
    if let Some(features) = shape.last_mut() {
        *features = 1;
    }
    Signal::new(own, shape)
}

/// The output, with zeros for the steps of the input that are padding.
pub(super) fn without_padding(writer: &mut Writer<'_>, x: &Signal, y: &Signal) -> Signal {
    let own = not_padding(writer, x);
    writer.like(y, "Mul", &[&y.name, &own.name], vec![])
}

/// The slopes of ALiBi for so many heads, as in the code of the paper.
pub(super) fn slopes(heads: usize) -> Vec<f64> {
    let power = |heads: usize| (1..=heads).map(move |head| 2f64.powf(-8.0 * head as f64 / heads as f64));
    if heads.is_power_of_two() {
        return power(heads).collect();
    }
    let below = heads.next_power_of_two() / 2;
    power(below).chain(power(2 * below).step_by(2)).take(heads).collect()
}

impl Scores {
    /// The axes of the heads: one, or two where heads share keys.
    fn head_axes(&self) -> Vec<usize> {
        if self.groups == self.heads { vec![self.heads] } else { vec![self.groups, self.heads / self.groups] }
    }

    /// `[steps, heads · size]` as `[heads..., steps, size]`.
    fn split_queries(&self, writer: &mut Writer<'_>, x: &Signal, size: usize) -> Signal {
        let steps = x.shape[0];
        let heads = self.head_axes();
        let split = writer.reshape(x, [&[steps], &heads[..], &[size]].concat());
        let order: Vec<usize> = (1..=heads.len()).chain([0, heads.len() + 1]).collect();
        writer.transpose(&split, &order)
    }

    /// `[keys, groups · size]` as `[groups, keys, size]`, with an axis of length 1 where heads share them, or the last two swapped.
    fn split_keys(&self, writer: &mut Writer<'_>, x: &Signal, size: usize, swapped: bool) -> Signal {
        let keys = x.shape[0];
        let split = writer.reshape(x, [keys, self.groups, size]);
        let moved = writer.transpose(&split, if swapped { &[1, 2, 0] } else { &[1, 0, 2] });
        let shared = vec![1; self.head_axes().len() - 1];
        let shape = [&[self.groups], &shared[..], &moved.shape[1..]].concat();
        writer.reshape(&moved, shape)
    }

    /// `softmax(Q Kᵀ scale) V`, `[steps, heads · value size]`; `padding` are the keys, of which steps of zeros do not count.
    fn attend(&self, writer: &mut Writer<'_>, [q, k, v]: [&Signal; 3], padding: Option<&Signal>) -> Signal {
        let (steps, keys) = (q.shape[0], k.shape[0]);
        let (size, value_size) = (q.shape[1] / self.heads, v.shape[1] / self.groups);
        let heads = self.head_axes();
        let scale = writer.scalar("scale", self.scale);
        let q = self.split_queries(writer, q, size);
        let q = writer.like(&q, "Mul", &[&q.name, &scale], vec![]);
        let k = self.split_keys(writer, k, size, true);
        let v = self.split_keys(writer, v, value_size, false);
        let shape = [&heads[..], &[steps, keys]].concat();
        let mut scores = Signal::new(writer.node("MatMul", &[&q.name, &k.name], vec![]), shape);
        if self.alibi {
            let distance = |index: usize| (index / keys).abs_diff(index % keys) as f64;
            let bias = slopes(self.heads)
                .into_iter()
                .flat_map(|slope| (0..steps * keys).map(move |i| -slope * distance(i)));
            let bias = writer.constant("alibi", &scores.shape.clone(), bias);
            scores = writer.like(&scores, "Add", &[&scores.name, &bias], vec![]);
        }
        let low = writer.scalar("low", LOW);
        if self.causal {
            let later =
                writer.truths("later", &[steps, keys], (0..steps * keys).map(|i| i % keys > i / keys));
            scores = writer.like(&scores, "Where", &[&later, &low, &scores.name], vec![]);
        }
        // 1 for keys that count, [1..., keys].
        let counted = padding.map(|memory| {
            let own = not_padding(writer, memory);
            writer.reshape(&own, [&vec![1; heads.len() + 1][..], &[keys]].concat())
        });
        if let Some(counted) = &counted {
            let truth = writer.node("Cast", &[&counted.name], vec![Attribute::Int("to", 9)]);
            scores = writer.like(&scores, "Where", &[&truth, &scores.name, &low], vec![]);
        }
        let mut weights = writer.like(&scores, "Softmax", &[&scores.name], vec![Attribute::Int("axis", -1)]);
        if let Some(counted) = &counted {
            // Where no key counts, the output is 0.
            weights = writer.like(&weights, "Mul", &[&weights.name, &counted.name], vec![]);
        }
        let shape = [&heads[..], &[steps, value_size]].concat();
        let y = Signal::new(writer.node("MatMul", &[&weights.name, &v.name], vec![]), shape);
        let order: Vec<usize> =
            [heads.len()].into_iter().chain(0..heads.len()).chain([heads.len() + 1]).collect();
        let moved = writer.transpose(&y, &order);
        writer.reshape(&moved, [steps, self.heads * value_size])
    }
}

/// `X W + b` for each step.
fn projection(
    writer: &mut Writer<'_>,
    site: &Site,
    x: &Signal,
    name: &str,
    bias: bool,
) -> Result<Signal, String> {
    let units = writer.required(site, &format!("{name}_weight"))?.shape[1];
    let weight = writer.parameter(site, &format!("{name}_weight"))?;
    let y = Signal::new(writer.node("MatMul", &[&x.name, &weight], vec![]), [x.shape[0], units]);
    if !bias {
        return Ok(y);
    }
    let bias = writer.parameter(site, &format!("{name}_bias"))?;
    Ok(writer.like(&y, "Add", &[&y.name, &bias], vec![]))
}

/// Rotates pairs of neighbouring features by angles that grow with the step.
fn rotary(writer: &mut Writer<'_>, x: &Signal, size: usize, base: f64) -> Signal {
    let (steps, features) = (x.shape[0], x.shape[1]);
    let angle = |index: usize| {
        let (step, feature) = (index / features, index % features % size);
        step as f64 * base.powf(-2.0 * (feature / 2) as f64 / size as f64)
    };
    let cosines = writer.constant("cosines", &x.shape, (0..steps * features).map(|index| angle(index).cos()));
    let sign = |index: usize| if index.is_multiple_of(2) { -1.0 } else { 1.0 };
    let sines = writer.constant(
        "sines",
        &x.shape,
        (0..steps * features).map(|index| sign(index) * angle(index).sin()),
    );
    // The other one of each pair.
    let other = writer.gather(x, 1, (0..features).map(|feature| feature ^ 1));
    let a = writer.like(x, "Mul", &[&x.name, &cosines], vec![]);
    let b = writer.like(x, "Mul", &[&other.name, &sines], vec![]);
    writer.like(x, "Add", &[&a.name, &b.name], vec![])
}

/// Attention of the steps of the first input to those of the last, which may be the same.
pub(super) fn multi_head(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let (x, memory) = match xs {
        [x] => (x, x),
        [x, memory] => (x, memory),
        _ => return Err("it has other than one or two inputs".into()),
    };
    let heads = site.count("heads")?;
    let groups = if site.has("key_value_heads") { site.count("key_value_heads")? } else { heads };
    let bias = site.flag("bias")?;
    let mut q = projection(writer, site, x, "query", bias)?;
    let both = projection(writer, site, memory, "key_value", bias)?;
    let size = q.shape[1] / heads;
    let mut k = writer.slice(&both, 1, 0..groups * size);
    let v = writer.slice(&both, 1, groups * size..2 * groups * size);
    if site.has("rotary") {
        let base = site.number("rotary")?;
        q = rotary(writer, &q, size, base);
        k = rotary(writer, &k, size, base);
    }
    let [causal, alibi] = [site.flag("causal")?, site.flag("alibi")?];
    let scores = Scores { heads, groups, scale: 1.0 / (size as f64).sqrt(), causal, alibi };
    let masked = site.flag("masked")?;
    let o = scores.attend(writer, [&q, &k, &v], masked.then_some(memory));
    let y = projection(writer, site, &o, "out", bias)?;
    Ok(if masked { without_padding(writer, x, &y) } else { y })
}

/// Attention of queries to keys and values, which are inputs.
pub(super) fn dot_product(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let (q, k, v) = match xs {
        [q, both] => (q, both, both),
        [q, k, v] => (q, k, v),
        _ => return Err("it has other than two or three inputs".into()),
    };
    let scale = if site.has("scale") { site.number("scale")? } else { 1.0 / (q.shape[1] as f64).sqrt() };
    let scores = Scores { heads: 1, groups: 1, scale, causal: site.flag("causal")?, alibi: false };
    let masked = site.flag("masked")?;
    let y = scores.attend(writer, [q, k, v], masked.then_some(k));
    Ok(if masked { without_padding(writer, q, &y) } else { y })
}
