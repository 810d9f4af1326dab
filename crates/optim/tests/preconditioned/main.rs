//! Shampoo and SOAP: their values beside those of other programs, which `reference.py` wrote, and what they make of gradients that say
//! little.

mod cases;
mod convergence;
mod properties;
mod values;

use chainrule_core::ParamKind;
use chainrule_optim::Parameter;
use chainrule_tensor::{CountingAllocator, Shape};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

fn parameter(name: &str, shape: &[usize]) -> Parameter {
    let kind = if name.ends_with("weight") { ParamKind::Weight } else { ParamKind::Bias };
    Parameter { name: name.to_owned(), shape: Shape::new(shape).unwrap(), kind, product: false }
}

/// Those of `reference.py`.
fn parameters() -> Vec<Parameter> {
    vec![
        parameter("0.weight", &[5, 5]),
        parameter("0.bias", &[4]),
        parameter("1.weight", &[3, 2, 2, 2]),
        parameter("2.scale", &[4]),
    ]
}
