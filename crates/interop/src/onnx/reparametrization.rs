//! Weights that are computed of other parameters: here once, and the layer inside is written with the result.

use chainrule_core::{ParamEntry, ParamKind};
use chainrule_tensor::Seed;

use super::operators::{Emitted, layer};
use super::writer::{Signal, Writer};
use crate::site::Site;

/// The steps of the power iteration of a layer that was never trained, as in the layer.
const FIRST_STEPS: usize = 15;

/// The minimum length that a vector is divided by.
const MIN_LENGTH: f64 = 1e-12;

/// The weight of a layer inside: for each of its units, the indices of the values of that unit.
struct Units {
    start: usize,
    indices: Vec<Vec<usize>>,
}

impl Units {
    fn of(writer: &Writer<'_>, site: &Site, inner: &Site) -> Result<Self, String> {
        let within = format!("{}.", inner.path);
        let own = |entry: &&ParamEntry| entry.name.starts_with(&within);
        let mut entries = writer.plan.entries().iter().filter(own);
        let weight = |entry: &&ParamEntry| matches!(entry.kind, ParamKind::Weight | ParamKind::Frozen);
        let entry = entries.find(weight).ok_or("the layer inside has no weight")?;
        // Of several layers that are frozen, nothing says which parameter was a weight before.
        if entry.kind == ParamKind::Frozen
            && matches!(&*inner.description.name, "sequential" | "graph" | "branches")
        {
            return Err("it is around several layers, and frozen".into());
        }
        let shape = &entry.shape;
        let axis = if site.has("axis") { site.count("axis")? } else { usize::from(shape.len() == 2) };
        let units = *shape.get(axis).ok_or("its weight has no such axis")?;
        let inner: usize = shape[axis + 1..].iter().product();
        let mut indices = vec![Vec::new(); units];
        for index in 0..shape.size() {
            indices[index / inner % units].push(index);
        }
        Ok(Self { start: entry.range.start, indices })
    }

    fn values(&self, writer: &Writer<'_>, unit: usize) -> Vec<f64> {
        self.indices[unit].iter().map(|index| writer.parameters[self.start + index]).collect()
    }

    fn scale(&self, writer: &mut Writer<'_>, unit: usize, factor: f64) {
        self.indices[unit].iter().for_each(|index| writer.parameters[self.start + index] *= factor);
    }
}

fn length(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// `w = g v / |v|` for each unit.
pub(super) fn weight_norm(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let inner = site.of_setting("layer", "weight_norm")?;
    let units = Units::of(writer, site, &inner)?;
    let lengths = writer.values(writer.required(site, "g")?).to_vec();
    for (unit, g) in lengths.into_iter().enumerate() {
        let norm = length(&units.values(writer, unit));
        units.scale(writer, unit, if norm > 0.0 { g / norm } else { 0.0 });
    }
    layer(writer, &inner, xs)
}

/// `W / σ`, with the estimate of the largest singular value that the layer has in evaluation.
pub(super) fn spectral_norm(writer: &mut Writer<'_>, site: &Site, xs: &[Signal]) -> Emitted {
    let inner = site.of_setting("layer", "spectral_norm")?;
    let units = Units::of(writer, site, &inner)?;
    let rows: Vec<Vec<f64>> = (0..units.indices.len()).map(|unit| units.values(writer, unit)).collect();
    let mut u = writer.values(writer.required(site, "u")?).to_vec();
    let mut steps = 0;
    if u.iter().all(|u| *u == 0.0) {
        for (index, u) in u.iter_mut().enumerate() {
            *u = Seed(0).bits(index as u64) as i64 as f64 / 2f64.powi(63);
        }
        steps = FIRST_STEPS;
    }
    let normalise = |values: &mut [f64]| {
        let norm = length(values).max(MIN_LENGTH);
        values.iter_mut().for_each(|value| *value /= norm);
        norm
    };
    let transposed = |u: &[f64]| {
        let mut v = vec![0.0; rows.first().map_or(0, Vec::len)];
        for (row, u) in rows.iter().zip(u) {
            v.iter_mut().zip(row).for_each(|(v, w)| *v += u * w);
        }
        v
    };
    normalise(&mut u);
    let mut v = transposed(&u);
    let mut norm = normalise(&mut v);
    for step in 0..steps {
        if step > 0 {
            v = transposed(&u);
            normalise(&mut v);
        }
        u = rows.iter().map(|row| row.iter().zip(&v).map(|(w, v)| w * v).sum()).collect();
        norm = normalise(&mut u);
    }
    (0..rows.len()).for_each(|unit| units.scale(writer, unit, norm.recip()));
    layer(writer, &inner, xs)
}
