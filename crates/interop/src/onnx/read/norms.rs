//! Normalisation, which exporters write as means, squares and a root where the operator set has no operator for it.

use chainrule_core::{Description, Value};

use super::builder::{Applied, Builder, Kind, Known, Samples};
use super::constant::{number, trimmed};
use super::node::Operation;
use super::products::of_channels;
use super::view::View;
use crate::tensor::Tensor;

/// What a length is at least, so that zeros can be divided by it.
const SMALL: f64 = 1e-6;

/// A value on the way from `x` to `(x - μ) / √(σ² + ε) w + b`, or to `x / √(mean x² + ε) w`.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    x: View,
    /// How many of the last axes the means are over, where that is known.
    axes: usize,
    /// Whether the mean was subtracted.
    centred: bool,
    epsilon: f64,
    weight: Option<Tensor>,
    bias: Option<Tensor>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// `μ`
    Mean,
    /// `-μ`
    MinusMean,
    /// `x - μ`
    Centred,
    /// `(x - μ)²`, or `x²`
    Square,
    /// The mean of that.
    Variance,
    /// With `ε`.
    Shifted,
    Root,
    /// `1 / √(σ² + ε)`, perhaps times the weight.
    Inverse,
    /// `x` times that.
    Scaled,
    /// `-μ` times that, perhaps with the bias.
    Shift,
    /// `|x|`
    Norm,
    /// `max(|x|, ε)`, where ε is so small that it matters to zeros alone.
    Length,
}

impl Known {
    fn moments(&self) -> Option<&Moments> {
        match self {
            Self::Samples(samples) => samples.parts.moments.as_deref(),
            Self::Part(part) => part.parts.moments.as_deref(),
            _ => None,
        }
    }

    /// What it is a view of, if it is that and nothing else.
    fn plain(&self) -> Option<&View> {
        match self {
            Self::Samples(samples) if samples.factor == 1.0 => Some(&samples.view),
            _ => None,
        }
    }
}

impl Moments {
    fn of(x: &View, axes: usize, stage: Stage) -> Self {
        Self { x: x.clone(), axes, centred: false, epsilon: 0.0, weight: None, bias: None, stage }
    }

    fn at(&self, stage: Stage) -> Self {
        Self { stage, ..self.clone() }
    }

    /// A constant along the axes of the means.
    fn along(&self, constant: &Tensor) -> Option<Tensor> {
        let first = self.x.rank().checked_sub(self.axes)?;
        let lengths: Vec<usize> = (first..self.x.rank()).map(|axis| self.x.length(axis)).collect();
        let given = trimmed(constant.shape());
        let own = trimmed(&lengths);
        (given == own).then(|| constant.reshaped(&lengths)).flatten()
    }

    /// The means over the last axes of a value that is on the way; nothing if they are over others.
    fn mean(operation: &Operation<'_>, operator: &str, x: &View) -> Option<usize> {
        if operator == "GlobalAveragePool" {
            return x.rank().checked_sub(2).filter(|axes| *axes > 0);
        }
        let mut axes: Vec<usize> = operation
            .axes(1)
            .ok()??
            .into_iter()
            .map(|axis| x.axis_index(axis, x.rank()).ok())
            .collect::<Option<_>>()?;
        axes.sort_unstable();
        let first = x.rank().checked_sub(axes.len())?;
        (first > 0 && operation.int("keepdims", 1) != 0 && axes.into_iter().eq(first..x.rank()))
            .then_some(x.rank() - first)
    }
}

impl Builder {
    /// What a node is on the way to a normalisation; nothing if it is none.
    pub(super) fn moments(
        &self,
        operation: &Operation<'_>,
        operator: &str,
        inputs: &[Option<Known>],
    ) -> Option<Moments> {
        let constant = |known: &Known| match known {
            Known::Constant(tensor) => Some(tensor.clone()),
            _ => None,
        };
        let all: Vec<&Known> = inputs.iter().flatten().collect();
        let first = *all.first()?;
        let one = first.moments();
        match (operator, &all[..]) {
            ("ReduceMean" | "GlobalAveragePool", [_, ..]) => match one {
                Some(moments) if moments.stage == Stage::Square => {
                    let axes = Moments::mean(operation, operator, &moments.x)?;
                    (!moments.centred || axes == moments.axes)
                        .then(|| Moments { axes, ..moments.at(Stage::Variance) })
                }
                _ => {
                    let x = first.plain()?;
                    Some(Moments::of(x, Moments::mean(operation, operator, x)?, Stage::Mean))
                }
            },
            ("ReduceL2", [_, ..]) => {
                let x = first.plain()?;
                Some(Moments::of(x, Moments::mean(operation, operator, x)?, Stage::Norm))
            }
            ("Max" | "Clip", [norm, Known::Constant(low)]) => {
                let norm = norm.moments().filter(|norm| norm.stage == Stage::Norm)?;
                number(low).filter(|low| (0.0..=SMALL).contains(low)).map(|_| norm.at(Stage::Length))
            }
            ("Expand", [length, _]) => {
                Some(length.moments().filter(|own| own.stage == Stage::Length)?.clone())
            }
            ("Neg", [_]) if one?.stage == Stage::Mean => Some(one?.at(Stage::MinusMean)),
            ("Sub", [x, mean]) => {
                let mean = mean.moments().filter(|mean| mean.stage == Stage::Mean)?;
                (x.plain()? == &mean.x).then(|| Moments { centred: true, ..mean.at(Stage::Centred) })
            }
            ("Pow", [x, Known::Constant(two)]) if number(two) == Some(2.0) => self.squared(x),
            ("Mul", [a, b])
                if matches!((a, b), (Known::Samples(a), Known::Samples(b))
                    if a.view == b.view && a.factor == 1.0 && b.factor == 1.0)
                    || self.are_centred(a, b) =>
            {
                self.squared(a)
            }
            ("Add", [a, b]) if constant(a).or(constant(b)).is_some() => {
                let (moments, by) = if constant(b).is_some() {
                    (a.moments()?, constant(b)?)
                } else {
                    (b.moments()?, constant(a)?)
                };
                match moments.stage {
                    Stage::Variance => number(&by).filter(|epsilon| *epsilon >= 0.0).map(|epsilon| {
                        // The decimal number that was meant.
                        let epsilon = (epsilon as f32).to_string().parse().unwrap_or(epsilon);
                        Moments { epsilon, ..moments.at(Stage::Shifted) }
                    }),
                    Stage::Shift if moments.bias.is_none() => {
                        Some(Moments { bias: Some(moments.along(&by)?), ..moments.clone() })
                    }
                    _ => None,
                }
            }
            ("Sqrt", [_]) if one?.stage == Stage::Shifted => Some(one?.at(Stage::Root)),
            ("Reciprocal", [_]) if one?.stage == Stage::Root => Some(one?.at(Stage::Inverse)),
            ("Div", [Known::Constant(numerator), root]) if number(numerator) == Some(1.0) => {
                let root = root.moments().filter(|root| root.stage == Stage::Root)?;
                Some(root.at(Stage::Inverse))
            }
            ("Mul", [a, b]) => {
                let (inverse, other) = match (a.moments(), b.moments()) {
                    (Some(a), _) if a.stage == Stage::Inverse => (a, b),
                    (_, Some(b)) if b.stage == Stage::Inverse => (b, a),
                    _ => return None,
                };
                if let Some(weight) = constant(other) {
                    let weight = inverse.along(&weight).filter(|_| inverse.weight.is_none())?;
                    return Some(Moments { weight: Some(weight), ..inverse.clone() });
                }
                let same = |mean: &&Moments| mean.x == inverse.x && mean.axes == inverse.axes;
                if let Some(mean) = other.moments().filter(|mean| mean.stage == Stage::MinusMean).filter(same)
                {
                    debug_assert!(mean.bias.is_none());
                    return inverse.centred.then(|| inverse.at(Stage::Shift));
                }
                // Without a mean, x times the inverse is the end.
                (inverse.centred && other.plain()? == &inverse.x).then(|| inverse.at(Stage::Scaled))
            }
            _ => None,
        }
    }

    fn are_centred(&self, a: &Known, b: &Known) -> bool {
        let both = a.moments().zip(b.moments());
        both.is_some_and(|(a, b)| {
            a.stage == Stage::Centred && b.stage == Stage::Centred && a.x == b.x && a.axes == b.axes
        })
    }

    fn squared(&self, x: &Known) -> Option<Moments> {
        match x.moments() {
            Some(moments) if moments.stage == Stage::Centred => Some(moments.at(Stage::Square)),
            _ => Some(Moments::of(x.plain()?, 0, Stage::Square)),
        }
    }

    /// An instance normalisation of parts of samples, all to mean 0 and variance 1, which is one of groups of channels; nothing if it is none.
    pub(super) fn grouped(
        &mut self,
        operation: &Operation<'_>,
        operator: &str,
        inputs: &[Option<Known>],
    ) -> Result<Option<Known>, String> {
        let (
            "InstanceNormalization",
            [Some(Known::Samples(samples)), Some(Known::Constant(scale)), Some(Known::Constant(shift))],
        ) = (operator, inputs)
        else {
            return Ok(None);
        };
        let (view, groups) = (&samples.view, scale.len());
        let source = self.source(view.source);
        let is_plain = matches!(source.kind, Kind::Input | Kind::Layer(_))
            && (view.is_plain() && view.is_of_samples() && samples.factor == 1.0)
            && (scale.numbers().all(|value| value == 1.0) && shift.numbers().all(|value| value == 0.0));
        let &[channels, ref image @ ..] = &source.shape[..] else { return Ok(None) };
        if !is_plain || view.rank() < 3 || view.length(1) != groups || !channels.is_multiple_of(groups.max(1))
        {
            return Ok(None);
        }
        let description = if groups < channels {
            Description::new("group_norm").with("groups", groups)
        } else if image.is_empty() {
            return Ok(None);
        } else {
            Description::new("instance_norm")
        };
        let description = description.with("epsilon", operation.float("epsilon", 1e-5)).with("affine", false);
        let applied =
            Applied { description, is_merge: false, weights: Vec::new(), inputs: vec![view.source] };
        let made = self.apply("norm", applied)?;
        Ok(Some(Known::Samples(Samples::of(view.clone().of_source(made)))))
    }

    /// The normalisation that a node is the end of; nothing if it is none.
    pub(super) fn of_norm(
        &mut self,
        operator: &str,
        inputs: &[Option<Known>],
    ) -> Result<Option<Known>, String> {
        let all: Vec<&Known> = inputs.iter().flatten().collect();
        let [a, b] = all[..] else { return Ok(None) };
        let at = |known: &'_ Known, stage: Stage| {
            known.moments().filter(|moments| moments.stage == stage).cloned()
        };
        let centred_or_x = |known: &Known, moments: &Moments| {
            let centred = at(known, Stage::Centred);
            if moments.centred {
                centred.is_some_and(|centred| centred.x == moments.x && centred.axes == moments.axes)
            } else {
                known.plain() == Some(&moments.x)
            }
        };
        let norm = match operator {
            "Div" => {
                let root = at(b, Stage::Root).filter(|root| centred_or_x(a, root));
                root.or_else(|| at(b, Stage::Length).filter(|length| a.plain() == Some(&length.x)))
            }
            "Mul" => [(a, b), (b, a)].into_iter().find_map(|(x, inverse)| {
                at(inverse, Stage::Inverse).filter(|inverse| centred_or_x(x, inverse))
            }),
            "Add" => [(a, b), (b, a)].into_iter().find_map(|(scaled, shift)| {
                let (scaled, shift) = at(scaled, Stage::Scaled).zip(at(shift, Stage::Shift))?;
                let same = |a: &Option<Tensor>, b: &Option<Tensor>| a == b;
                (scaled.x == shift.x
                    && scaled.axes == shift.axes
                    && scaled.epsilon == shift.epsilon
                    && same(&scaled.weight, &shift.weight))
                .then_some(shift)
            }),
            _ => None,
        };
        let Some(Moments { x, axes, centred, epsilon, weight, bias, stage }) = norm else { return Ok(None) };
        // The means are over the last axes of the samples as well.
        let (source, frame) = self.arranged(&Samples::of(x))?;
        let samples = self.source(source).shape.len();
        let own = (frame.rank() - axes..frame.rank()).map(|axis| frame.sample_axis(axis as i64));
        if axes > samples || !own.collect::<Result<Vec<_>, _>>()?.into_iter().eq(samples - axes..samples) {
            return Err("it normalises over other axes than the last of a sample".into());
        }
        if stage == Stage::Length {
            let description = Description::new("unit_norm").with("axes", axes);
            let applied = Applied { description, is_merge: false, weights: Vec::new(), inputs: vec![source] };
            let norm = self.apply("norm", applied)?;
            return self.framed(norm, &frame).map(Some);
        }
        let name = if centred { "layer_norm" } else { "rms_norm" };
        let mut description = Description::new(name).with("axes", axes).with("epsilon", epsilon);
        // A bias needs a weight here.
        let weight = weight.or_else(|| {
            bias.as_ref().map(|bias| {
                Tensor::of_values(bias.dtype(), bias.shape().to_vec(), std::iter::repeat_n(1.0, bias.len()))
            })
        });
        description = description.with("affine", weight.is_some());
        if centred {
            description = description.with("bias", bias.is_some());
        }
        let weights = [("weight", weight), ("bias", bias)];
        let weights = weights.into_iter().filter_map(|(name, tensor)| Some((name, tensor?))).collect();
        let applied = Applied { description, is_merge: false, weights, inputs: vec![source] };
        let norm = self.apply("norm", applied)?;
        self.framed(norm, &frame).map(Some)
    }
}

/// A normalisation that has no weight, with this one after it; nothing if it can have none.
pub(super) fn with_weight(
    applied: &Applied,
    output: &[usize],
    view: &View,
    weight: &Tensor,
) -> Option<(Description, Vec<(&'static str, Tensor)>)> {
    let description = &applied.description;
    if matches!(&*description.name, "group_norm" | "instance_norm") {
        let weight = of_channels(output, view, weight)?;
        let affine = description.get("affine") == Some(&Value::Bool(false));
        let zeros = Tensor::of_values(
            weight.dtype(),
            weight.shape().to_vec(),
            std::iter::repeat_n(0.0, weight.len()),
        );
        return affine
            .then(|| (switched_on(description, "affine"), vec![("weight", weight), ("bias", zeros)]));
    }
    let axes = description.get("axes")?.as_f64()? as usize;
    if !matches!(&*description.name, "layer_norm" | "rms_norm")
        || description.get("affine") != Some(&Value::Bool(false))
        || !view.is_plain()
    {
        return None;
    }
    let weight = of_last_axes(output, axes, view, weight)?;
    Some((switched_on(description, "affine"), vec![("weight", weight)]))
}

/// A constant with a number for each value of so many of the last axes, in their shape.
fn of_last_axes(output: &[usize], axes: usize, view: &View, constant: &Tensor) -> Option<Tensor> {
    let wanted = output.get(output.len().checked_sub(axes)?..)?;
    let fits = trimmed(constant.shape()) == trimmed(wanted) && view.rank() == output.len() + 1;
    constant.reshaped(wanted).filter(|_| fits)
}

/// A description with this setting on.
pub(super) fn switched_on(description: &Description, setting: &str) -> Description {
    let mut with = description.clone();
    for (name, value) in &mut with.settings {
        if name == setting {
            *value = true.into();
        }
    }
    with
}

/// A normalisation that has no bias, or one of zeros, with this one.
pub(super) fn with_norm_bias(
    applied: &Applied,
    output: &[usize],
    view: &View,
    bias: &Tensor,
) -> Option<(Description, Vec<(&'static str, Tensor)>)> {
    let description = &applied.description;
    if matches!(&*description.name, "group_norm" | "instance_norm") {
        let bias = of_channels(output, view, bias)?;
        let mut weights = applied.weights.clone();
        let own = weights.iter_mut().find(|(name, _)| *name == "bias").map(|(_, own)| own)?;
        if own.numbers().any(|value| value != 0.0) {
            return None;
        }
        *own = bias;
        return Some((description.clone(), weights));
    }
    let axes = description.get("axes")?.as_f64()? as usize;
    let has = |setting: &str| description.get(setting) == Some(&Value::Bool(true));
    if description.name != "layer_norm" || !has("affine") || has("bias") || !view.is_plain() {
        return None;
    }
    let bias = of_last_axes(output, axes, view, bias)?;
    let mut weights = applied.weights.clone();
    weights.push(("bias", bias));
    Some((switched_on(description, "bias"), weights))
}
