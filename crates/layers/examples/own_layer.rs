//! A layer of one's own: the parabola `a = z²`, checked and put into a network.

use chainrule_core::{Backward, Forward, Layer, Plan, Sequential, ShapeError, gradcheck};
use chainrule_layers::Dense;
use chainrule_tensor::{Real, Shape, map};

#[derive(Debug)]
struct Square;

impl<T: Real> Layer<T> for Square {
    type Cache = ();

    fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((input, ()))
    }

    fn forward(&self, Forward { x, y, .. }: Forward<'_, T>) {
        map!(y = |x| x * x);
    }

    fn backward(&self, Backward { x, dy, dx, .. }: Backward<'_, T>) {
        let Some(dx) = dx else { return };
        map!(dx = |x, dy| dy * (x + x));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("Square: {:?}", gradcheck::gradients(&Square, [8])?);
    let network = Sequential::<f64>::default().then(Dense::new(16)).then(Square).then(Dense::new(2));
    println!("network: {:?}", gradcheck::gradients(&network, [8])?);
    let mut plan = Plan::new();
    network.plan(Shape::from([8]), &mut plan)?;
    for entry in plan.entries() {
        println!("{:12} {:8} {:?}", entry.name, entry.shape.to_string(), entry.kind);
    }
    Ok(())
}
