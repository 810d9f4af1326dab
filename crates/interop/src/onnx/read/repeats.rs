//! Nodes that make an axis longer: upsampling, padding, a vector as a sequence, a step before the others.

use chainrule_core::{Description, Value};

use super::builder::{Applied, Builder, Known, Samples};
use super::constant::{number, trimmed};
use super::lengths::of_constant;
use super::node::{Converted, Length, Operation};
use super::view::{Slot, View};
use crate::tensor::Tensor;

/// What makes an axis longer.
enum Longer {
    /// Value `⌊i n / m⌋` of the n as value i of so many.
    UpSampled(usize),
    /// So many values of its end before it, and of its beginning after it.
    Circular([usize; 2]),
    /// So many zeros before and after it.
    Zeros([usize; 2]),
}

impl Longer {
    /// Which it is that picks these of the values of an axis; nothing if it is none.
    fn of(indices: &[usize], length: usize) -> Option<Self> {
        let outputs = indices.len();
        if length == 0 || outputs <= length {
            return None;
        }
        let each = |of: &dyn Fn(usize) -> Option<usize>| {
            indices.iter().enumerate().all(|(index, own)| of(index) == Some(*own))
        };
        if each(&|index| Some(index.checked_mul(length)? / outputs)) {
            return Some(Self::UpSampled(outputs));
        }
        let first = *indices.first()?;
        // No side is longer than the axis.
        let least = length.checked_sub(first)? % length;
        let sides = [least, least + length].into_iter().find_map(|before| {
            let after = outputs.checked_sub(before + length)?;
            (before <= length && after <= length).then_some([before, after])
        })?;
        each(&|index| Some((first + index) % length)).then_some(Self::Circular(sides))
    }

    /// The layer of an image with these axes that does it along one of them.
    fn layer(&self, image: &[usize], axis: usize) -> Description {
        let name = |name: &str| Description::new(format!("{name}{}d", image.len()));
        let along = |one: Value, other: &dyn Fn(usize) -> Value| {
            let own = |index: usize| if index == axis { one.clone() } else { other(index) };
            Value::List((0..image.len()).map(own).collect())
        };
        let none = |_: usize| Value::from([0usize, 0]);
        match *self {
            Self::UpSampled(outputs) if outputs.is_multiple_of(image[axis]) => {
                name("up_sampling").with("factors", along((outputs / image[axis]).into(), &|_| 1usize.into()))
            }
            Self::UpSampled(outputs) => {
                name("up_sampling").with("to_size", along(outputs.into(), &|index| image[index].into()))
            }
            Self::Circular(sides) => name("circular_padding").with("sides", along(sides.into(), &none)),
            Self::Zeros(sides) => name("zero_padding").with("sides", along(sides.into(), &none)),
        }
    }
}

fn list(numbers: &[usize]) -> Value {
    Value::List(numbers.iter().map(|&number| number.into()).collect())
}

/// A layer without parameters.
fn plain(description: Description, source: usize) -> Applied {
    Applied { description, is_merge: false, weights: Vec::new(), inputs: vec![source] }
}

impl Builder {
    /// What a node is that makes an axis longer; nothing if it is none.
    pub(super) fn repeated(
        &mut self,
        operation: &Operation<'_>,
        operator: &str,
        inputs: &[Option<Known>],
    ) -> Result<Option<Known>, String> {
        match (operator, inputs) {
            ("Gather", [Some(Known::Samples(samples)), Some(Known::Constant(indices))]) => {
                self.gathered(operation, samples, indices)
            }
            ("ReduceMax" | "ReduceSum" | "Mul", [Some(Known::Part(part)), rest @ ..]) => {
                let Some(windows) = &part.parts.windows else { return Ok(None) };
                let factor = match rest.first() {
                    Some(Some(Known::Constant(factor))) => Some(factor),
                    _ => None,
                };
                self.pooled(operation, operator, windows, factor)
            }
            ("Resize" | "Upsample", [Some(Known::Samples(samples)), ..]) => {
                self.resized(operation, operator, samples, inputs).map(Some)
            }
            ("Tile", [Some(Known::Samples(samples)), Some(Known::Constant(repeats))]) => {
                let own = samples.view.lengths();
                let repeats = of_constant(repeats).filter(|repeats| repeats.len() == own.len());
                let lengths = repeats.and_then(|repeats| {
                    own.iter()
                        .zip(&repeats)
                        .map(|(own, repeats)| own.times(*repeats))
                        .collect::<Option<Vec<_>>>()
                });
                self.as_sequence(samples, lengths.ok_or("its repeats are not one number for each axis")?)
            }
            ("Expand", [Some(Known::Samples(samples)), Some(Known::Lengths(lengths))]) => {
                self.as_sequence(samples, lengths.clone())
            }
            ("Pad", [Some(Known::Samples(samples)), ..]) => self.padded(operation, samples),
            ("Concat", [Some(Known::Constant(token)), Some(Known::Samples(samples))]) => {
                self.with_token(operation, samples, token)
            }
            _ => Ok(None),
        }
    }

    /// Values of an axis that are picked in an order that makes it longer.
    fn gathered(
        &mut self,
        operation: &Operation<'_>,
        samples: &Samples,
        indices: &Tensor,
    ) -> Result<Option<Known>, String> {
        let view = &samples.view;
        let axis = view.axis_index(operation.int("axis", 0), view.rank())?;
        let length = view.length(axis);
        self.spend(indices.len())?;
        if let Some(windows) = Self::windows(samples, axis, indices) {
            return Ok(Some(windows));
        }
        if indices.shape().len() != 1 || indices.dtype().is_float() || view.axis(axis).contains(&Slot::Batch)
        {
            return Ok(None);
        }
        let index = |number: f64| {
            let index = if number < 0.0 { number + length as f64 } else { number };
            (index >= 0.0 && index < length as f64).then_some(index as usize)
        };
        let Some(indices) = indices.numbers().map(index).collect::<Option<Vec<_>>>() else { return Ok(None) };
        match Longer::of(&indices, length) {
            Some(longer) => self.longer(samples, axis, longer).map(Some),
            None => Ok(None),
        }
    }

    /// An axis made longer: by the layer for images if it is one of an image, else by the one for signals, whose axis it becomes.
    fn longer(&mut self, samples: &Samples, axis: usize, longer: Longer) -> Result<Known, String> {
        let view = &samples.view;
        let (shape, _) = view.sample();
        if view.is_of_samples() && axis >= 2 && (2..=4).contains(&shape.len()) {
            let (source, frame) = self.arranged(samples)?;
            let made = self.apply("longer", plain(longer.layer(&shape[1..], axis - 2), source))?;
            return self.framed(made, &frame);
        }
        let layer = longer.layer(&[view.length(axis)], 0);
        self.as_signal(samples, axis, false, Converted::new(layer))
    }

    /// An image of another size.
    fn resized(
        &mut self,
        operation: &Operation<'_>,
        operator: &str,
        samples: &Samples,
        inputs: &[Option<Known>],
    ) -> Result<Known, String> {
        let view = &samples.view;
        let (shape, _) = view.sample();
        if !view.is_of_samples() || !(2..=4).contains(&shape.len()) || view.rank() != shape.len() + 1 {
            return Err("its samples are not [channels] and one to three more axes".into());
        }
        if operation.ints("axes").is_some() || operation.int("antialias", 0) != 0 {
            return Err("it names its axes, or is smoothed before it is made smaller".into());
        }
        if operation.text("keep_aspect_ratio_policy").unwrap_or("stretch") != "stretch" {
            return Err("it keeps the ratio of its sides, which no layer here does".into());
        }
        let old = operator == "Upsample" || operation.opset == 10;
        let (scales, sizes) = if old { (1, None) } else { (2, inputs.get(3).and_then(Option::as_ref)) };
        let own = view.lengths();
        let target = match sizes {
            Some(Known::Lengths(lengths)) => lengths.clone(),
            Some(Known::Constant(lengths)) => {
                of_constant(lengths).ok_or("its sizes are not whole numbers")?
            }
            Some(_) => return Err("its sizes are computed from the samples".into()),
            None => {
                let given: Vec<f64> = match operation.weight_if(scales)? {
                    Some(scales) => scales.numbers().collect(),
                    None => operation.floats("scales").iter().map(|&scale| f64::from(scale)).collect(),
                };
                if given.len() != own.len() || given[0] != 1.0 {
                    return Err("its scales are not one for each axis, and 1 for the batch".into());
                }
                let scaled = |(own, scale): (&Length, &f64)| match own {
                    Length::Known(length) => {
                        let length = *length as f64 * scale;
                        let is_one = (1.0..=1e9).contains(&length) && length.fract() == 0.0;
                        is_one.then_some(Length::Known(length as i64))
                    }
                    batch => Some(*batch),
                };
                let lengths = own.iter().zip(&given).map(scaled).collect::<Option<Vec<_>>>();
                lengths.ok_or("its scales do not make axes of whole lengths")?
            }
        };
        if target.first() != own.first() && target.first() != Some(&Length::Known(1)) {
            return Err("it makes a batch of another size".into());
        }
        let lengths = target.iter().skip(1).map(|length| match length {
            Length::Known(length) => usize::try_from(*length).ok().filter(|length| *length > 0),
            Length::Batch(_) => None,
        });
        let lengths = lengths.collect::<Option<Vec<usize>>>().ok_or("its sizes depend on the batch")?;
        let (Some((&channels, image)), [own_channels, before @ ..]) = (lengths.split_first(), &shape[..])
        else {
            return Err("its sizes are not one for each axis".into());
        };
        if channels != *own_channels || image.len() != before.len() {
            return Err("its sizes are not one for each axis, or it resizes the channels".into());
        }
        let whole = image.iter().zip(before).all(|(after, before)| after.is_multiple_of(*before));
        let transform = operation.text("coordinate_transformation_mode");
        let transform = if old { "asymmetric" } else { transform.unwrap_or("half_pixel") };
        let rounding = operation.text("nearest_mode");
        let rounding = if old { "floor" } else { rounding.unwrap_or("round_prefer_floor") };
        let half = matches!(transform, "half_pixel" | "pytorch_half_pixel");
        let other = |what: &str| format!("its values are those between {what}, which no layer here computes");
        let axes = image.len();
        let description = match operation.text("mode").unwrap_or("nearest") {
            "nearest"
                if (transform, rounding) == ("asymmetric", "floor")
                    || whole && half && rounding.starts_with("round_prefer") =>
            {
                Description::new(format!("up_sampling{axes}d"))
            }
            "linear" if half || transform == "align_corners" => {
                let name =
                    ["linear_up_sampling1d", "bilinear_up_sampling2d", "trilinear_up_sampling3d"][axes - 1];
                Description::new(name).with("align_corners", !half)
            }
            "nearest" => return Err(other(&format!("others by {transform} and {rounding}"))),
            "linear" => return Err(other(&format!("others by {transform}"))),
            mode => return Err(other(&format!("others by the mode {}", super::folding::short(mode)))),
        };
        if transform == "pytorch_half_pixel" && image.contains(&1) {
            return Err("it makes an axis of one value, for which PyTorch takes the first".into());
        }
        let description = if whole {
            let factors: Vec<usize> =
                image.iter().zip(before).map(|(after, before)| after / before).collect();
            description.with("factors", list(&factors))
        } else {
            description.with("to_size", list(image))
        };
        let (source, frame) = self.arranged(samples)?;
        let made = self.apply("resize", plain(description, source))?;
        self.framed(made, &frame)
    }

    /// A vector that becomes each step of a sequence, `[1, features]` as `[steps, features]`.
    fn as_sequence(&mut self, samples: &Samples, lengths: Vec<Length>) -> Result<Option<Known>, String> {
        let own = samples.view.lengths();
        let ([batch, Length::Known(1), features], [other, Length::Known(steps), same]) =
            (&own[..], &lengths[..])
        else {
            return Ok(None);
        };
        // An axis of length 1 is as long as it was.
        let same = same == features || *same == Length::Known(1);
        let batch = batch == other || *other == Length::Known(1);
        let Some(steps) = usize::try_from(*steps).ok().filter(|steps| *steps > 1 && same && batch) else {
            return Ok(None);
        };
        let vector = Samples { view: samples.view.squeezed(Some(&[1]))?, ..samples.clone() };
        let (source, frame) = self.arranged(&vector)?;
        if !frame.is_plain() {
            return Ok(None);
        }
        let made =
            self.apply("sequence", plain(Description::new("repeat_vector").with("times", steps), source))?;
        Ok(Some(Known::Samples(Samples::of(View::of(made, &self.source(made).shape)))))
    }

    /// Zeros along one axis that is none of an image.
    fn padded(&mut self, operation: &Operation<'_>, samples: &Samples) -> Result<Option<Known>, String> {
        let rank = samples.view.rank();
        let value = match operation.constant(2) {
            Some(value) => number(value),
            None => Some(operation.float("value", 0.0)),
        };
        let zeros = operation.text("mode").unwrap_or("constant") == "constant" && value == Some(0.0);
        let Some(counts) = operation.integers("pads", 1)?.filter(|_| zeros) else { return Ok(None) };
        let counts = counts.iter().map(|&count| usize::try_from(count).ok()).collect::<Option<Vec<_>>>();
        let Some(counts) = counts.filter(|counts| counts.len() == 2 * rank) else { return Ok(None) };
        let sides: Vec<[usize; 2]> = (0..rank).map(|axis| [counts[axis], counts[rank + axis]]).collect();
        let mut padded = (0..rank).filter(|&axis| sides[axis] != [0, 0]);
        match (padded.next(), padded.next()) {
            (Some(1), None) if rank == 3 && operation.inputs.get(3).is_none_or(Option::is_none) => {
                let known = self.longer(samples, 1, Longer::Zeros(sides[1]))?;
                if let Known::Samples(made) = &known
                    && sides[1] == [1, 0]
                {
                    self.padded.insert(made.view.source, (made.view.clone(), samples.clone()));
                }
                Ok(Some(known))
            }
            _ => Ok(None),
        }
    }

    /// What adds a constant to a sequence with zeros before it: a step of its own, if it adds nothing to the others.
    pub(super) fn added_token(&mut self, samples: &Samples, added: &Tensor) -> Result<Option<Known>, String> {
        let Some((view, before)) = self.padded.get(&samples.view.source).cloned() else { return Ok(None) };
        let &[_, steps, features] = &*samples.view.lengths() else { return Ok(None) };
        let known = |length: usize| Length::Known(length as i64);
        let shape = trimmed(added.shape());
        let fits = samples.sole
            && samples.factor == 1.0
            && samples.view == view
            && view.is_of_samples()
            && matches!(shape[..], [own, width] if known(own) == steps && known(width) == features);
        let width = shape.last().copied().unwrap_or(0);
        if !fits || added.numbers().skip(width).any(|value| value != 0.0) {
            return Ok(None);
        }
        let token = added.reshaped(&shape).and_then(|added| added.rows(0, 1)?.reshaped(&[width]));
        self.token(&before, token.ok_or("its constant has other axes")?).map(Some)
    }

    /// One constant step before the others.
    fn with_token(
        &mut self,
        operation: &Operation<'_>,
        samples: &Samples,
        token: &Tensor,
    ) -> Result<Option<Known>, String> {
        let view = &samples.view;
        let axis = view.axis_index(operation.int("axis", 0), view.rank())?;
        if axis != 1 || view.rank() != 3 || !view.is_of_samples() || token.shape() != [1, 1, view.length(2)] {
            return Ok(None);
        }
        let token = token.reshaped(&[view.length(2)]).ok_or("its constant has other axes")?;
        self.token(samples, token).map(Some)
    }

    fn token(&mut self, samples: &Samples, token: Tensor) -> Result<Known, String> {
        let (source, frame) = self.arranged(samples)?;
        let layer = Converted::new(Description::new("class_token")).weight("token", token);
        self.chain("token", vec![layer], source, &frame)
    }

    /// A constant that is made as long as the batch is the same for each sample.
    pub(super) fn expanded(value: &Tensor, lengths: &Known) -> Option<Known> {
        let lengths = match lengths {
            Known::Lengths(lengths) => lengths.clone(),
            Known::Constant(lengths) => of_constant(lengths)?,
            _ => return None,
        };
        let (Length::Batch(1), rest) = lengths.split_first()? else { return None };
        let (1, own) = value.shape().split_first()? else { return None };
        let same = |(own, length): (&usize, &Length)| matches!(length, Length::Known(length) if *length == 1 || *length == *own as i64);
        (own.len() == rest.len() && own.iter().zip(rest).all(same)).then(|| Known::Constant(value.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_say_what_they_repeat() {
        let kind = |indices: &[usize], length: usize| match Longer::of(indices, length) {
            Some(Longer::UpSampled(outputs)) => format!("up {outputs}"),
            Some(Longer::Circular(sides)) => format!("circular {sides:?}"),
            Some(Longer::Zeros(_)) | None => "none".to_owned(),
        };
        assert_eq!(kind(&[0, 0, 1, 1], 2), "up 4");
        assert_eq!(kind(&[0, 0, 1, 2, 2], 3), "none");
        assert_eq!(kind(&[0, 0, 1, 1, 2], 3), "up 5");
        assert_eq!(kind(&[2, 0, 1, 2, 0], 3), "circular [1, 1]");
        assert_eq!(kind(&[0, 1, 2, 0], 3), "circular [0, 1]");
        assert_eq!(kind(&[0, 1, 0], 2), "circular [0, 1]");
        assert_eq!(kind(&[0, 1, 2, 0, 1, 2, 0], 3), "circular [3, 1]");
        assert_eq!(kind(&[1, 0], 2), "none");
        assert_eq!(kind(&[], 0), "none");
    }
}
