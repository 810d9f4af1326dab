//! Elementwise merges of several inputs.

use chainrule_core::{Merge, MergeBackward, MergeForward, Plan, ShapeError, describe, described};
use chainrule_tensor::{Real, Shape, apply, map};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::broadcast::{BroadcastCache, Repetition, broadcast, gradient};

/// `y = x₁ + x₂ + ...` of inputs that [broadcast](crate::merge).
#[derive(Clone, Copy, Debug)]
pub struct Add;

describe! {
    /// The sum of the inputs.
    Add = "add";
    formula "y = Σ xᵢ";
}

/// `y = x₁ - x₂` of inputs that [broadcast](crate::merge).
#[derive(Clone, Copy, Debug)]
pub struct Subtract;

describe! {
    /// The first input less the second.
    Subtract = "subtract";
    formula "y = x₁ - x₂";
}

/// `y = x₁ x₂ ...`, elementwise, of inputs that [broadcast](crate::merge).
///
/// For example, an image `[channels, height, width]` times a factor for each channel, `[channels, 1, 1]`, as in
/// squeeze-and-excitation (Hu et al. 2018), which computes the factors from the means of the channels:
///
/// ```
/// use chainrule_core::{Graph, Sequential, gradcheck};
/// use chainrule_layers::{Conv2d, Dense, GlobalAvgPool, Multiply, Relu, Reshape, Sigmoid};
/// let (channels, fewer) = (4, 2);
/// let factors = Sequential::default()
///     .then(GlobalAvgPool::new()) //              [channels, height, width] to [channels]
///     .then(Dense::new(fewer))
///     .then(Relu)
///     .then(Dense::new(channels))
///     .then(Sigmoid)
///     .then(Reshape::new([channels, 1, 1]));
/// let block = Graph::default()
///     .layer("image", Conv2d::new(channels, 3), "input")
///     .layer("factors", factors, "image")
///     .merge("scaled", Multiply, ["image", "factors"])
///     .outputs(["scaled"]);
/// gradcheck::gradients(&block, [1, 6, 5])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Multiply;

describe! {
    /// The product of the inputs, value by value.
    Multiply = "multiply";
    formula "y = Π xᵢ";
}

/// `y = (x₁ + ... + xₙ) / n` of inputs that [broadcast](crate::merge).
#[derive(Clone, Copy, Debug)]
pub struct Average;

describe! {
    /// The mean of the inputs.
    Average = "average";
    formula "y = 1/n Σ xᵢ";
}

/// `y = max(x₁, x₂, ...)`, elementwise, of inputs that [broadcast](crate::merge). In case of a tie the first input gets the
/// gradient.
#[derive(Clone, Copy, Debug)]
pub struct Maximum;

describe! {
    /// The maximum of the inputs, value by value.
    Maximum = "maximum";
    formula "y = max xᵢ";
}

/// `y = min(x₁, x₂, ...)`, elementwise, of inputs that [broadcast](crate::merge). In case of a tie the first input gets the
/// gradient.
#[derive(Clone, Copy, Debug)]
pub struct Minimum;

describe! {
    /// The minimum of the inputs, value by value.
    Minimum = "minimum";
    formula "y = min xᵢ";
}

/// `y = f(x)`, elementwise.
#[inline(always)]
fn begin<T: Real>(
    y: ArrayViewMut2<'_, T>,
    x: ArrayView2<'_, T>,
    repeats: Option<&Repetition>,
    f: impl Fn(T) -> T + Copy,
) {
    match repeats {
        None => map!(y = |x| f(x)),
        Some(repeats) => repeats.map(
            [],
            x,
            y,
            #[inline(always)]
            move |[], x, _| f(x),
        ),
    }
}

/// `y = f(y, x)`, elementwise.
#[inline(always)]
fn fold<T: Real>(
    y: ArrayViewMut2<'_, T>,
    x: ArrayView2<'_, T>,
    repeats: Option<&Repetition>,
    f: impl Fn(T, T) -> T + Copy,
) {
    match repeats {
        None => apply!(y = |x| f(y, x)),
        Some(repeats) => repeats.map(
            [],
            x,
            y,
            #[inline(always)]
            move |[], x, y| f(y, x),
        ),
    }
}

/// `y = f(f(x₁, x₂), x₃) ...`, elementwise.
#[inline(always)]
fn fold_all<T: Real>(pass: MergeForward<'_, T, BroadcastCache<T>>, f: impl Fn(T, T) -> T + Copy) {
    let MergeForward { xs, mut y, cache, .. } = pass;
    for (index, (&x, repeats)) in xs.iter().zip(&cache.inputs).enumerate() {
        match index {
            0 => begin(
                y.view_mut(),
                x,
                repeats.as_ref(),
                #[inline(always)]
                |x| x,
            ),
            _ => fold(y.view_mut(), x, repeats.as_ref(), f),
        }
    }
}

/// `y = Σ wᵢ xᵢ` with a constant weight for each input.
macro_rules! weighted {
    ($($name:ident: $count:expr, $weight:expr;)*) => {$(
        impl<T: Real> Merge<T> for $name {
            type Cache = BroadcastCache<T>;

            fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, BroadcastCache<T>), ShapeError> {
                broadcast(inputs, $count, plan)
            }

            described!();

            fn forward(&self, MergeForward { xs, mut y, cache, .. }: MergeForward<'_, T, BroadcastCache<T>>) {
                let weight: fn(usize, usize) -> f64 = $weight;
                for (index, (&x, repeats)) in xs.iter().zip(&cache.inputs).enumerate() {
                    let w = T::of(weight(index, xs.len()));
                    match index {
                        0 => begin(y.view_mut(), x, repeats.as_ref(), #[inline(always)] |x| w * x),
                        _ => fold(y.view_mut(), x, repeats.as_ref(), #[inline(always)] |y, x| y + w * x),
                    }
                }
            }

            fn backward(&self, MergeBackward { dy, dxs, cache, .. }: MergeBackward<'_, T, BroadcastCache<T>>) {
                let weight: fn(usize, usize) -> f64 = $weight;
                let count = dxs.len();
                for (index, (dx, repeats)) in dxs.iter_mut().zip(&cache.inputs).enumerate() {
                    let Some(dx) = dx else { continue };
                    let w = T::of(weight(index, count));
                    match repeats {
                        None => {
                            let dx = dx.view_mut();
                            map!(dx = |dy| w * dy);
                        }
                        Some(repeats) => {
                            repeats.sum([dy], dx.view_mut(), &mut cache.sums, #[inline(always)] |[dy]| w * dy);
                        }
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

impl<T: Real> Merge<T> for Multiply {
    type Cache = BroadcastCache<T>;

    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, BroadcastCache<T>), ShapeError> {
        broadcast(inputs, 1..=usize::MAX, plan)
    }

    described!();

    fn forward(&self, pass: MergeForward<'_, T, BroadcastCache<T>>) {
        fold_all(
            pass,
            #[inline(always)]
            |y, x| y * x,
        );
    }

    fn backward(&self, MergeBackward { xs, dy, dxs, cache, .. }: MergeBackward<'_, T, BroadcastCache<T>>) {
        let BroadcastCache { inputs, scratch, sums } = cache;
        for (index, dx) in dxs.iter_mut().enumerate() {
            let Some(dx) = dx else { continue };
            // Two inputs, only this one repeated: dx = Σ dy x, without storing the products.
            if let ([_, _], Some(own), None) = (xs, &inputs[index], &inputs[inputs.len() - 1 - index]) {
                own.sum(
                    [dy, xs[1 - index]],
                    dx.view_mut(),
                    sums,
                    #[inline(always)]
                    |[dy, x]| dy * x,
                );
                continue;
            }
            // Not y / xᵢ, which is undefined where xᵢ is 0.
            gradient(inputs[index].as_ref(), (&mut *scratch, &mut *sums), dx.view_mut(), |rows, mut dx| {
                dx.assign(&dy.slice(s![rows.clone(), ..]));
                for (other, (x, repeats)) in xs.iter().zip(&*inputs).enumerate() {
                    if other != index {
                        fold(
                            dx.view_mut(),
                            x.slice(s![rows.clone(), ..]),
                            repeats.as_ref(),
                            #[inline(always)]
                            |dx, x| dx * x,
                        );
                    }
                }
            });
        }
    }
}

/// The maximum or the minimum of the inputs.
macro_rules! extreme {
    ($($name:ident: $better:tt;)*) => {$(
        impl<T: Real> Merge<T> for $name {
            type Cache = BroadcastCache<T>;

            fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, BroadcastCache<T>), ShapeError> {
                broadcast(inputs, 1..=usize::MAX, plan)
            }

            described!();

            fn forward(&self, pass: MergeForward<'_, T, BroadcastCache<T>>) {
                // NaN stays.
                fold_all(pass, #[inline(always)] |y, x| if x $better y || x.is_nan() { x } else { y });
            }

            fn backward(&self, pass: MergeBackward<'_, T, BroadcastCache<T>>) {
                let MergeBackward { xs, y, dy, dxs, cache, .. } = pass;
                let BroadcastCache { inputs, scratch, sums } = cache;
                for (index, dx) in dxs.iter_mut().enumerate() {
                    let Some(dx) = dx else { continue };
                    gradient(inputs[index].as_ref(), (&mut *scratch, &mut *sums), dx.view_mut(), |rows, mut dx| {
                        let of_rows = s![rows, ..];
                        let y = y.slice(of_rows.clone());
                        let dy = dy.slice(of_rows.clone());
                        let x = xs[index].slice(of_rows.clone());
                        // The gradient goes to the first input that attains the result.
                        match &inputs[index] {
                            None => {
                                let dx = dx.view_mut();
                                map!(dx = |x, y, dy| if x == y || x.is_nan() { dy } else { T::zero() });
                            }
                            Some(own) => own.map([y, dy], x, dx.view_mut(), #[inline(always)] |[y, dy], x, _| {
                                if x == y || x.is_nan() { dy } else { T::zero() }
                            }),
                        }
                        for (earlier, repeats) in xs[..index].iter().zip(&*inputs) {
                            let earlier = earlier.slice(of_rows.clone());
                            if let Some(repeats) = repeats {
                                repeats.map([y], earlier, dx.view_mut(), #[inline(always)] |[y], x, dx| {
                                    if x == y || x.is_nan() { T::zero() } else { dx }
                                });
                                continue;
                            }
                            for ((mut dx, x), y) in dx.rows_mut().into_iter().zip(earlier.rows()).zip(y.rows()) {
                                for ((dx, &x), &y) in dx.iter_mut().zip(x).zip(y) {
                                    *dx = if x == y || x.is_nan() { T::zero() } else { *dx };
                                }
                            }
                        }
                    });
                }
            }
        }
    )*};
}

extreme! {
    Maximum: >;
    Minimum: <;
}
