//! Joints that act on the values of several inputs place by place.

use chainrule_layer::{Joint, JointBackward, JointForward, Plan, ShapeError};
use chainrule_tensor::{Real, Shape, vector};

/// The one shape that all inputs have.
fn alike(inputs: &[Shape], fewest: usize, most: usize, plan: &Plan) -> Result<Shape, ShapeError> {
    let first = inputs.first().copied().unwrap_or(Shape::from([0]));
    if !(fewest..=most).contains(&inputs.len()) {
        let count = match (fewest, most) {
            (1, _) => "at least one input".to_owned(),
            _ if fewest == most => format!("{fewest} inputs"),
            _ => format!("at least {fewest} inputs"),
        };
        return Err(plan.error(first, &count, &format!("it is given {} of them", inputs.len())));
    }
    match inputs.iter().find(|&&input| input != first) {
        None => Ok(first),
        Some(other) => Err(plan.error(
            *other,
            &format!("inputs of one shape, {first}"),
            "reshape or project one of them",
        )),
    }
}

/// `y = x₁ + x₂ + ...`
#[derive(Clone, Copy, Debug)]
pub struct Add;

/// `y = x₁ - x₂`
#[derive(Clone, Copy, Debug)]
pub struct Subtract;

/// `y = x₁ x₂ ...`, place by place.
#[derive(Clone, Copy, Debug)]
pub struct Multiply;

/// `y = (x₁ + ... + xₙ) / n`
#[derive(Clone, Copy, Debug)]
pub struct Average;

/// `y = max(x₁, x₂, ...)`, place by place. Of equal ones the first gets the gradient.
#[derive(Clone, Copy, Debug)]
pub struct Maximum;

/// `y = min(x₁, x₂, ...)`, place by place. Of equal ones the first gets the gradient.
#[derive(Clone, Copy, Debug)]
pub struct Minimum;

/// `y = Σ wᵢ xᵢ`, of which the weight of each input is known: sums and their kin.
macro_rules! weighted {
    ($($name:ident: $fewest:literal..=$most:expr, $weight:expr;)*) => {$(
        impl<T: Real> Joint<T> for $name {
            type Cache = ();

            fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
                Ok((alike(inputs, $fewest, $most, plan)?, ()))
            }

            fn forward(&self, JointForward { xs, mut y, .. }: JointForward<'_, T>) {
                let weight: fn(usize, usize) -> f64 = $weight;
                for (index, &x) in xs.iter().enumerate() {
                    let w = T::of(weight(index, xs.len()));
                    match index {
                        0 => vector::map(x, y.view_mut(), #[inline(always)] |x| w * x),
                        _ => fold(y.view_mut(), x, #[inline(always)] |y, x| y + w * x),
                    }
                }
            }

            fn backward(&self, JointBackward { dy, dxs, .. }: JointBackward<'_, T>) {
                let (weight, count): (fn(usize, usize) -> f64, _) = ($weight, dxs.len());
                for (index, dx) in dxs.iter_mut().enumerate() {
                    if let Some(dx) = dx {
                        let w = T::of(weight(index, count));
                        vector::map(dy, dx.view_mut(), #[inline(always)] |dy| w * dy);
                    }
                }
            }
        }
    )*};
}

weighted! {
    Add: 1..=usize::MAX, |_, _| 1.0;
    Subtract: 2..=2, |index, _| if index == 0 { 1.0 } else { -1.0 };
    Average: 1..=usize::MAX, |_, count| 1.0 / count as f64;
}

/// `y = f(y, x)`, place by place.
fn fold<T: Real>(
    mut y: ndarray::ArrayViewMut2<'_, T>,
    x: ndarray::ArrayView2<'_, T>,
    f: impl Fn(T, T) -> T + Copy,
) {
    for (mut y, x) in y.rows_mut().into_iter().zip(x.rows()) {
        match (y.as_slice_mut(), x.to_slice()) {
            (Some(y), Some(x)) => vector::update(
                y,
                x,
                [],
                #[inline(always)]
                |y, x, []| (f(y, x), []),
            ),
            _ => y.iter_mut().zip(x).for_each(|(y, &x)| *y = f(*y, x)),
        }
    }
}

impl<T: Real> Joint<T> for Multiply {
    type Cache = ();

    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((alike(inputs, 1, usize::MAX, plan)?, ()))
    }

    fn forward(&self, JointForward { xs, mut y, .. }: JointForward<'_, T>) {
        y.assign(&xs[0]);
        for &x in &xs[1..] {
            fold(
                y.view_mut(),
                x,
                #[inline(always)]
                |y, x| y * x,
            );
        }
    }

    fn backward(&self, JointBackward { xs, dy, dxs, .. }: JointBackward<'_, T>) {
        // Not y / xᵢ, which says nothing where xᵢ is 0.
        for (index, dx) in dxs.iter_mut().enumerate() {
            let Some(dx) = dx else { continue };
            dx.assign(&dy);
            for (_, &x) in xs.iter().enumerate().filter(|(other, _)| *other != index) {
                fold(
                    dx.view_mut(),
                    x,
                    #[inline(always)]
                    |dx, x| dx * x,
                );
            }
        }
    }
}

/// The greatest or the least of the inputs.
macro_rules! extreme {
    ($($name:ident: $better:tt;)*) => {$(
        impl<T: Real> Joint<T> for $name {
            type Cache = ();

            fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
                Ok((alike(inputs, 1, usize::MAX, plan)?, ()))
            }

            fn forward(&self, JointForward { xs, mut y, .. }: JointForward<'_, T>) {
                y.assign(&xs[0]);
                for &x in &xs[1..] {
                    // NaN stays.
                    fold(y.view_mut(), x, #[inline(always)] |y, x| if x $better y || x.is_nan() { x } else { y });
                }
            }

            fn backward(&self, JointBackward { xs, y, dy, dxs, .. }: JointBackward<'_, T>) {
                for (index, dx) in dxs.iter_mut().enumerate() {
                    let Some(dx) = dx else { continue };
                    // Where no input before it is the one.
                    vector::map3(xs[index], y, dy, dx.view_mut(), #[inline(always)] |x, y, dy| {
                        if x == y || x.is_nan() { dy } else { T::zero() }
                    });
                    for earlier in &xs[..index] {
                        for ((mut dx, x), y) in dx.rows_mut().into_iter().zip(earlier.rows()).zip(y.rows()) {
                            for ((dx, &x), &y) in dx.iter_mut().zip(x).zip(y) {
                                *dx = if x == y || x.is_nan() { T::zero() } else { *dx };
                            }
                        }
                    }
                }
            }
        }
    )*};
}

extreme! {
    Maximum: >;
    Minimum: <;
}
