//! Activations that exporters write as formulas.

use std::f64::consts::FRAC_1_SQRT_2;

use chainrule_core::Description;

use super::builder::{Applied, Builder, Known, Samples};
use super::constant::number;
use super::view::View;

/// `erf(x / √2)`, or with `one` 1 more, times a number: what is left of a GELU is the product with `x`.
#[derive(Clone, Debug)]
pub(super) struct Erf {
    x: View,
    one: bool,
    factor: f64,
}

/// Numbers of single precision that are meant to be the same.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * b.abs()
}

impl Builder {
    /// What a node is that is part of `z/2 (1 + erf(z / √2))`; nothing if it is none.
    pub(super) fn of_gelu(
        &mut self,
        operator: &str,
        inputs: &[Option<Known>],
    ) -> Result<Option<Known>, String> {
        Ok(match (operator, inputs) {
            ("Erf", [Some(Known::Samples(samples))]) if close(samples.factor, FRAC_1_SQRT_2) => {
                Some(Known::Erf(Erf { x: samples.view.clone(), one: false, factor: 1.0 }))
            }
            (
                "Add",
                [Some(Known::Erf(erf)), Some(Known::Constant(one))]
                | [Some(Known::Constant(one)), Some(Known::Erf(erf))],
            ) if !erf.one && number(one) == Some(1.0) && erf.factor == 1.0 => {
                Some(Known::Erf(Erf { one: true, ..erf.clone() }))
            }
            (
                "Mul",
                [Some(Known::Erf(erf)), Some(Known::Constant(by))]
                | [Some(Known::Constant(by)), Some(Known::Erf(erf))],
            ) if erf.one => number(by).map(|by| Known::Erf(Erf { factor: erf.factor * by, ..erf.clone() })),
            (
                "Mul",
                [Some(Known::Erf(erf)), Some(Known::Samples(x))]
                | [Some(Known::Samples(x)), Some(Known::Erf(erf))],
            ) if erf.one && erf.x == x.view => {
                let (source, frame) = self.arranged(&Samples::of(x.view.clone()))?;
                let description = Description::new("gelu");
                let gelu = self.apply(
                    "gelu",
                    Applied { description, is_merge: false, weights: Vec::new(), inputs: vec![source] },
                )?;
                let factor = 2.0 * erf.factor * x.factor;
                match self.framed(gelu, &frame)? {
                    Known::Samples(samples) => {
                        let factor = if close(factor, 1.0) { 1.0 } else { factor };
                        Some(Known::Samples(Samples { factor, ..samples }))
                    }
                    other => Some(other),
                }
            }
            _ => None,
        })
    }
}
