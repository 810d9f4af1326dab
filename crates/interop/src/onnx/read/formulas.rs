//! Activations that exporters write as formulas of several nodes.
//!
//! A formula of one value is known by what it makes of some numbers: each node computes with these, and where it returns what an activation
//! does, it is the end of that activation, in whatever order an exporter multiplies and adds.

use std::sync::LazyLock;

use chainrule_core::{AnyLayer, Description, Forward, Layer, Mode, Params, Plan};
use chainrule_tensor::Shape;
use ndarray::Array2;

use super::builder::{Applied, Builder, Kind, Known, Parts, REGISTRY, Samples};
use super::constant::one_number;
use super::node::Operation;
use super::view::View;

/// How many numbers a formula is computed with.
const COUNT: usize = 64;

/// The most constants of a formula.
const MOST: usize = 8;

/// The most constants that are tried as settings, each with each.
const TRIED: usize = 4;

/// What a node with constants counts for in the work that a file may make: its activations are built and run.
const WORK: usize = 4096;

/// The difference that rounding makes in single precision, for numbers of about 1.
const ROUNDING: f64 = 1e-6;

/// The numbers: from -29 to 29, most of them near 0, and none of them round.
static POINTS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let point = |index: usize| {
        let t = (index as f64 - 31.4) / 32.0;
        f64::from((29.0 * t.powi(3) + 1.5 * t) as f32)
    };
    (0..COUNT).map(point).collect()
});

/// Activations without settings, or with the usual ones, and what they make of the numbers.
static PLAIN: LazyLock<Vec<(Description, Vec<f64>)>> = LazyLock::new(|| {
    let names = [
        "relu",
        "relu6",
        "relu_squared",
        "elu",
        "selu",
        "gelu",
        "gelu_tanh",
        "silu",
        "mish",
        "hard_swish",
        "sigmoid",
        "hard_sigmoid",
        "log_sigmoid",
        "sparse_sigmoid",
        "tanh",
        "tanh_shrink",
        "softsign",
        "softplus",
        "sparse_plus",
        "squareplus",
    ];
    names
        .into_iter()
        .map(Description::new)
        .filter_map(|name| Some((name.clone(), values_of(&name)?)))
        .collect()
});

/// What an activation makes of the numbers.
fn values_of(activation: &Description) -> Option<Vec<f64>> {
    let layer: AnyLayer<f32> = REGISTRY.build(activation).ok()?;
    let (_, mut cache) = layer.plan(Shape::from([COUNT]), &mut Plan::new()).ok()?;
    let x = Array2::from_shape_fn((1, COUNT), |(_, index)| POINTS[index] as f32);
    let mut y = Array2::zeros((1, COUNT));
    let params = Params::new(&[]);
    layer.forward(Forward { params, x: x.view(), y: y.view_mut(), cache: &mut cache, mode: Mode::Eval });
    Some(y.into_iter().map(f64::from).collect())
}

/// A value that is computed of each value of a view alone.
#[derive(Clone, Debug)]
pub(super) struct Formula {
    x: View,
    /// What it makes of the numbers.
    values: Vec<f64>,
    /// The constants in it, which may be the settings of an activation.
    constants: Vec<f64>,
}

impl Known {
    fn formula(&self) -> Option<Formula> {
        match self {
            Self::Samples(samples) => Some(match &samples.parts.formula {
                Some(formula) => (**formula).clone(),
                None => {
                    let values = POINTS.iter().map(|point| point * samples.factor).collect();
                    let factor = Some(samples.factor).filter(|factor| *factor != 1.0);
                    Formula { x: samples.view.clone(), values, constants: factor.into_iter().collect() }
                }
            }),
            Self::Part(part) => part.parts.formula.as_deref().cloned(),
            _ => None,
        }
    }
}

impl Formula {
    /// Whether it is of the output of this source.
    pub(super) fn is_of(&self, source: usize) -> bool {
        self.x.source == source
    }

    fn is(&self, values: &[f64]) -> bool {
        let close = |index: usize| {
            (self.values[index] - values[index]).abs() <= ROUNDING * (1.0 + POINTS[index].abs())
        };
        (0..COUNT).all(close)
    }

    /// The activation whose last node is this operator; nothing if there is none.
    fn activation(&self, operator: &str) -> Option<Description> {
        let ends = ["Add", "Sub", "Mul", "Div", "Neg", "Log", "Pow", "Reciprocal", "Max", "Min", "Where"];
        // What a larger constant does is not seen in the numbers: it may be a limit that none of them reaches.
        let most = POINTS.iter().fold(0.0, |most: f64, point| most.max(-point));
        if !ends.contains(&operator) || self.constants.iter().any(|constant| constant.abs() > most) {
            return None;
        }
        if let Some((activation, _)) = PLAIN.iter().find(|(_, values)| self.is(values)) {
            return Some(activation.clone());
        }
        if self.constants.len() > TRIED {
            return None;
        }
        // The decimal numbers that were meant.
        let decimal = |constant: &f64| (*constant as f32).to_string().parse().unwrap_or(*constant);
        let constants: Vec<f64> = self.constants.iter().map(decimal).collect();
        let pairs = || constants.iter().flat_map(|&a| constants.iter().map(move |&b| (a, b)));
        let is = |activation: &Description| values_of(activation).is_some_and(|values| self.is(&values));
        let one = |name: &str, setting: &str| {
            constants.iter().map(|&value| Description::new(name).with(setting, value)).find(is)
        };
        let two = |name: &str, first: &str, second: &str| {
            pairs().map(|(a, b)| Description::new(name).with(first, a).with(second, b)).find(is)
        };
        match operator {
            "Mul" | "Div" => one("squareplus", "b").or_else(|| two("softplus", "beta", "threshold")),
            "Max" => one("leaky_relu", "negative_slope").or_else(|| two("hard_tanh", "low", "high")),
            "Min" => two("hard_tanh", "low", "high"),
            "Where" => two("softplus", "beta", "threshold")
                .or_else(|| two("threshold", "threshold", "value"))
                .or_else(|| one("leaky_relu", "negative_slope")),
            _ => None,
        }
    }
}

/// `erf(x)` to 1.5·10⁻⁷ (Abramowitz and Stegun 1964, 7.1.26).
fn erf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let factors = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let sum = factors.into_iter().fold(0.0, |sum, factor| sum * t + factor);
    (1.0 - sum * t * (-x * x).exp()).copysign(x)
}

/// What an operator makes of numbers; `None` for one that is no formula of each value alone.
fn computed(operation: &Operation<'_>, operator: &str, inputs: &[Option<&[f64]>]) -> Option<Vec<f64>> {
    let one = |a: &[f64], of: &dyn Fn(f64) -> f64| Some(a.iter().map(|&a| of(a)).collect());
    let two = |a: &[f64], b: &[f64], of: &dyn Fn(f64, f64) -> f64| {
        Some(a.iter().zip(b).map(|(&a, &b)| of(a, b)).collect())
    };
    let truth = |truth: bool| if truth { 1.0 } else { 0.0 };
    let setting = |name: &str, default: f64| operation.float(name, default);
    match (operator, inputs) {
        ("Erf", [Some(a)]) => one(a, &erf),
        ("Exp", [Some(a)]) => one(a, &f64::exp),
        ("Log", [Some(a)]) => one(a, &f64::ln),
        ("Sqrt", [Some(a)]) => one(a, &f64::sqrt),
        ("Abs", [Some(a)]) => one(a, &f64::abs),
        ("Neg", [Some(a)]) => one(a, &|a| -a),
        ("Reciprocal", [Some(a)]) => one(a, &f64::recip),
        ("Relu", [Some(a)]) => one(a, &|a| a.max(0.0)),
        ("Tanh", [Some(a)]) => one(a, &f64::tanh),
        ("Sigmoid", [Some(a)]) => one(a, &|a| 1.0 / (1.0 + (-a).exp())),
        ("Softplus", [Some(a)]) => one(a, &|a| a.max(0.0) + (-a.abs()).exp().ln_1p()),
        ("Softsign", [Some(a)]) => one(a, &|a| a / (1.0 + a.abs())),
        ("HardSigmoid", [Some(a)]) => {
            let (alpha, beta) = (setting("alpha", 0.2), setting("beta", 0.5));
            one(a, &|a| (alpha * a + beta).clamp(0.0, 1.0))
        }
        ("Clip", [Some(a), limits @ ..]) => {
            let limit = |index: usize, name: &str, default: f64| match limits.get(index) {
                Some(Some(limit)) => limit[0],
                _ => setting(name, default),
            };
            let (low, high) = (limit(0, "min", f64::NEG_INFINITY), limit(1, "max", f64::INFINITY));
            one(a, &|a| a.max(low).min(high))
        }
        ("Add", [Some(a), Some(b)]) => two(a, b, &|a, b| a + b),
        ("Sub", [Some(a), Some(b)]) => two(a, b, &|a, b| a - b),
        ("Mul", [Some(a), Some(b)]) => two(a, b, &|a, b| a * b),
        ("Div", [Some(a), Some(b)]) => two(a, b, &|a, b| a / b),
        ("Pow", [Some(a), Some(b)]) => two(a, b, &f64::powf),
        ("Max", [Some(a), Some(b)]) => two(a, b, &f64::max),
        ("Min", [Some(a), Some(b)]) => two(a, b, &f64::min),
        ("Greater", [Some(a), Some(b)]) => two(a, b, &|a, b| truth(a > b)),
        ("GreaterOrEqual", [Some(a), Some(b)]) => two(a, b, &|a, b| truth(a >= b)),
        ("Less", [Some(a), Some(b)]) => two(a, b, &|a, b| truth(a < b)),
        ("LessOrEqual", [Some(a), Some(b)]) => two(a, b, &|a, b| truth(a <= b)),
        ("Where", [Some(choice), Some(a), Some(b)]) => {
            let chosen = |((choice, a), b): ((&f64, &f64), &f64)| if *choice != 0.0 { *a } else { *b };
            Some(choice.iter().zip(*a).zip(*b).map(chosen).collect())
        }
        _ => None,
    }
}

impl Builder {
    /// The formula whose last node this is, if it computes with each value of one view alone.
    pub(super) fn formula(
        &self,
        operation: &Operation<'_>,
        operator: &str,
        inputs: &[Option<Known>],
    ) -> Option<Formula> {
        let mut x: Option<View> = None;
        let mut constants: Vec<f64> = Vec::new();
        let mut values = Vec::new();
        let mut axes = 0;
        for known in inputs {
            let own = match known {
                None => None,
                Some(Known::Constant(tensor)) => {
                    let number = one_number(tensor)?;
                    axes = axes.max(tensor.shape().len());
                    constants.push(number);
                    Some(vec![number; COUNT])
                }
                Some(known) => {
                    let formula = known.formula()?;
                    if x.get_or_insert_with(|| formula.x.clone()) != &formula.x {
                        return None;
                    }
                    constants.extend(formula.constants);
                    Some(formula.values)
                }
            };
            values.push(own);
        }
        if operator == "Clip" {
            // Older graphs have the limits in the node.
            let limits = ["min", "max"].map(|name| operation.float(name, f64::NAN));
            constants.extend(limits.into_iter().filter(|limit| !limit.is_nan()));
        }
        let mut kept: Vec<f64> = Vec::new();
        for constant in constants {
            if !kept.contains(&constant) {
                kept.push(constant);
            }
        }
        // A constant of more axes adds some.
        let x = x.filter(|x| kept.len() <= MOST && axes <= x.rank())?;
        let values: Vec<Option<&[f64]>> = values.iter().map(|values| values.as_deref()).collect();
        let values = computed(operation, operator, &values)?;
        Some(Formula { x, values, constants: kept })
    }

    /// The activation that a formula is, applied; nothing if it is none.
    pub(super) fn activation(&mut self, operator: &str, formula: &Formula) -> Result<Option<Known>, String> {
        let is_layer = matches!(self.source(formula.x.source).kind, Kind::Input | Kind::Layer(_));
        if !formula.constants.is_empty() {
            self.spend(WORK)?;
        }
        let Some(description) = formula.activation(operator).filter(|_| is_layer) else { return Ok(None) };
        let (source, frame) = self.arranged(&Samples::of(formula.x.clone()))?;
        let name = description.name.clone();
        let applied = Applied { description, is_merge: false, weights: Vec::new(), inputs: vec![source] };
        let made = self.apply(&name, applied)?;
        let parts = Parts { formula: Some(Box::new(formula.clone())), ..Parts::default() };
        Ok(match self.framed(made, &frame)? {
            Known::Samples(samples) => Some(Known::Samples(Samples { parts, ..samples })),
            known => Some(known),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_activations_are_taken_for_one() {
        for (name, values) in PLAIN.iter() {
            let formula = Formula { x: View::of(0, &[1]), values: values.clone(), constants: Vec::new() };
            assert_eq!(formula.activation("Mul").as_ref(), Some(name));
        }
        assert_eq!(PLAIN.len(), 20);
    }

    #[test]
    fn the_error_function_is_that_of_tables() {
        for (x, expected) in
            [(0.0, 0.0), (0.5, 0.520_499_88), (1.0, 0.842_700_79), (-2.0, -0.995_322_27), (9.0, 1.0)]
        {
            assert!((erf(x) - expected).abs() < 2e-7, "{x}");
        }
    }
}
