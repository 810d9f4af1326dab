//! Macros for the functions of this module, with which a formula fits on one line.

/// The operand that a name in a formula stands for: the one of that name, or the one after a colon.
#[doc(hidden)]
#[macro_export]
macro_rules! __operand {
    ($x:ident) => {
        $x
    };
    ($x:ident $from:ident) => {
        $from
    };
}

/// `y = f(x₁, x₂, ...)` for views, number by number: [`vector::map`](crate::vector::map()) as a formula.
///
/// Inside the formula each name stands for one number of the view with that name. `w: weights` gives a view a shorter name.
///
/// ```
/// use chainrule_tensor::map;
/// use ndarray::array;
/// let (x, dy) = (array![[1.0, 2.0, 3.0]], array![[1.0, 1.0, 2.0]]);
/// let mut dx = array![[0.0, 0.0, 0.0]];
/// let (a, da, to) = (x.view(), dy.view(), dx.view_mut());
/// map!(to = |a, d: da| d * (1.0 - a * a));
/// assert_eq!(dx, array![[0.0, -3.0, -16.0]]);
/// ```
///
/// # Panics
///
/// If the views differ in shape.
#[macro_export]
macro_rules! map {
    ($y:ident = |$($x:ident $(: $from:ident)?),+| $f:expr) => {
        $crate::vector::map(
            [$($crate::__operand!($x $($from)?)),+],
            $y,
            #[inline(always)]
            move |[$($x),+]| $f,
        )
    };
}

/// `[y₁, y₂, ...] = f(x₁, x₂, ...)` for slices, number by number: [`vector::each`](crate::vector::each()) as a formula.
///
/// Inside the formula each name stands for one number of the slice with that name; an output's name stands for what it held.
/// `w: weights` gives an input a shorter name. A single output needs no brackets, and without inputs the formula stands alone.
///
/// ```
/// use chainrule_tensor::each;
/// let (x, dy) = ([1.0, 2.0], [3.0, 4.0]);
/// let (mut dx, mut dw) = ([0.0; 2], [10.0; 2]);
/// each!([dx, dw] = |x, d: dy| [d * d, dw + x * d]);
/// assert_eq!((dx, dw), ([9.0, 16.0], [13.0, 18.0]));
/// each!(dx = |x| dx - x);
/// assert_eq!(dx, [8.0, 14.0]);
/// each!(dx = 0.5 * dx);
/// assert_eq!(dx, [4.0, 7.0]);
/// ```
///
/// # Panics
///
/// If a slice is shorter than the first output.
#[macro_export]
macro_rules! each {
    ([$($y:ident),+] = |$($x:ident $(: $from:ident)?),*| $f:expr) => {
        $crate::vector::each(
            [$(&$crate::__operand!($x $($from)?)[..]),*],
            [$(&mut $y[..]),+],
            #[inline(always)]
            move |[$($x),*], [$($y),+]| {
                let _ = ($($y,)+);
                $f
            },
        )
    };
    ($y:ident = |$($x:ident $(: $from:ident)?),+| $f:expr) => {
        $crate::each!([$y] = |$($x $(: $from)?),+| [$f])
    };
    ([$($y:ident),+] = $f:expr) => {
        $crate::vector::each(
            [],
            [$(&mut $y[..]),+],
            #[inline(always)]
            move |[], [$($y),+]| $f,
        )
    };
    ($y:ident = $f:expr) => {
        $crate::each!([$y] = [$f])
    };
}

/// `[y₁, y₂, ...] = f(x₁, x₂, ...)` for slices, number by number, with square roots or cube roots:
/// [`vector::each_root`](crate::vector::each_root()) as a formula.
///
/// As [`each!`](crate::each!), but the formula captures nothing: the numbers that it contains beside those of the slices are named
/// after a semicolon. It has what [`RootNumbers`](crate::vector::RootNumbers) have.
///
/// ```
/// use chainrule_tensor::each_root;
/// let (grads, rate, epsilon) = ([3.0f32, 0.0], 0.1, 1e-8);
/// let (mut p, mut s) = ([1.0; 2], [16.0, 0.0]);
/// each_root!(
///     [p, s] = |g: grads; rate, epsilon| {
///         let s = s + g * g;
///         [p - rate * (g / (s.sqrt() + epsilon)), s]
///     }
/// );
/// assert!((p[0] - 0.94f32).abs() < 1e-6 && p[1] == 1.0);
/// assert_eq!(s, [25.0, 0.0]);
/// ```
///
/// # Panics
///
/// If a slice is shorter than the first output.
#[macro_export]
macro_rules! each_root {
    ([$($y:ident),+] = |$($x:ident $(: $from:ident)?),*; $($number:ident),*| $f:expr) => {{
        struct Formula;
        impl
            $crate::vector::RootFormula<
                { <[&str]>::len(&[$(stringify!($number)),*]) },
                { <[&str]>::len(&[$(stringify!($x)),*]) },
                { <[&str]>::len(&[$(stringify!($y)),*]) },
            > for Formula
        {
            #[inline(always)]
            fn values<V: $crate::vector::RootNumbers>(
                [$($number),*]: [V; <[&str]>::len(&[$(stringify!($number)),*])],
                [$($x),*]: [V; <[&str]>::len(&[$(stringify!($x)),*])],
                [$($y),*]: [V; <[&str]>::len(&[$(stringify!($y)),*])],
            ) -> [V; <[&str]>::len(&[$(stringify!($y)),*])] {
                let _ = ($($y,)+);
                $f
            }
        }
        $crate::vector::each_root(
            Formula,
            [$($number),*],
            [$(&$crate::__operand!($x $($from)?)[..]),*],
            [$(&mut $y[..]),+],
        )
    }};
}

/// `y = f(y, x₁, x₂, ...)` for views, number by number: [`vector::apply`](crate::vector::apply()) as a formula.
///
/// As [`map!`](crate::map!), but the output's name stands for what it held. Without inputs the formula stands alone.
///
/// ```
/// use chainrule_tensor::apply;
/// use ndarray::array;
/// let x = array![[1.0, 2.0, 3.0]];
/// let mut y = array![[4.0, 4.0, 4.0]];
/// let (input, to) = (x.view(), y.view_mut());
/// apply!(to = |x: input| to - x);
/// assert_eq!(y, array![[3.0, 2.0, 1.0]]);
/// let to = y.view_mut();
/// apply!(to = to * to);
/// assert_eq!(y, array![[9.0, 4.0, 1.0]]);
/// ```
///
/// # Panics
///
/// If the views differ in shape.
#[macro_export]
macro_rules! apply {
    ($y:ident = |$($x:ident $(: $from:ident)?),+| $f:expr) => {
        $crate::vector::apply(
            [$($crate::__operand!($x $($from)?)),+],
            $y,
            #[inline(always)]
            move |$y, [$($x),+]| {
                let _ = $y;
                $f
            },
        )
    };
    ($y:ident = $f:expr) => {
        $crate::vector::apply(
            [],
            $y,
            #[inline(always)]
            move |$y, []| $f,
        )
    };
}

/// `y = f(x₁, x₂, ..., random bits)` for slices, two numbers at a time: [`vector::map_random`](crate::vector::map_random()) as a
/// formula.
///
/// `[a, b]: x` names the two numbers of a slice that share 64 random bits, and the formula returns both results.
///
/// ```
/// use chainrule_tensor::{Seed, map_random};
/// let x = [1.0, 2.0, 3.0, 4.0];
/// let mut y = [0.0; 4];
/// // Each number is kept or dropped, as one of the bits says.
/// let keep = |x: f64, bit: u64| if bit == 1 { x } else { 0.0 };
/// map_random!(Seed(7), y = |[a, b]: x, bits| [keep(a, bits & 1), keep(b, bits >> 1 & 1)]);
/// assert!(y.iter().zip(&x).all(|(y, x)| *y == *x || *y == 0.0));
/// ```
///
/// # Panics
///
/// If an input is shorter than the output.
#[macro_export]
macro_rules! map_random {
    ($seed:expr, $y:ident = |$([$a:ident, $b:ident]: $x:ident,)* $bits:ident| $f:expr) => {
        $crate::vector::map_random(
            $seed,
            [$(&$x[..]),*],
            &mut $y[..],
            #[inline(always)]
            move |[[$($a),*], [$($b),*]], $bits| $f,
        )
    };
}

/// `[Σ f₁, Σ f₂, ...]` over the numbers of slices, in one pass: [`vector::sums`](crate::vector::sums()) as a formula.
///
/// ```
/// use chainrule_tensor::sums;
/// let (x, dy) = ([1.0, 2.0], [3.0, 4.0]);
/// let [squares, products] = sums!(|x, d: dy| [x * x, x * d]);
/// assert_eq!((squares, products), (5.0, 11.0));
/// ```
///
/// # Panics
///
/// If a slice is shorter than the first.
#[macro_export]
macro_rules! sums {
    (|$($x:ident $(: $from:ident)?),+| $f:expr) => {
        $crate::vector::sums(
            [$(&$crate::__operand!($x $($from)?)[..]),+],
            #[inline(always)]
            move |[$($x),+]| $f,
        )
    };
}

/// `y = f([x₁, ...], [v₁, ...])` for slices of shape `[outer, channels, inner]` and vectors `[channels]`, number by number:
/// [`vector::map_channels`](crate::vector::map_channels()) as a formula. The output's name stands for what it held.
///
/// ```
/// use chainrule_tensor::map_channels;
/// let (x, mean, mut y) = ([1.0, 2.0, 3.0, 4.0], [1.0, 3.0], [0.0; 4]);
/// map_channels!(2, y = |[x], [m: mean]| x - m);
/// assert_eq!(y, [0.0, 1.0, 0.0, 1.0]);
/// ```
///
/// # Panics
///
/// As the function does.
#[macro_export]
macro_rules! map_channels {
    ($inner:expr, $y:ident = |[$($x:ident $(: $from:ident)?),*], [$($v:ident $(: $vector:ident)?),+]| $f:expr) => {
        $crate::vector::map_channels(
            $inner,
            [$(&$crate::__operand!($x $($from)?)[..]),*],
            [$(&$crate::__operand!($v $($vector)?)[..]),+],
            &mut $y[..],
            #[inline(always)]
            move |[$($x),*], [$($v),+], $y| {
                let _ = $y;
                $f
            },
        )
    };
}

/// Adds to each channel's sums what a formula gives for its numbers:
/// [`vector::sum_channels`](crate::vector::sum_channels()) as a formula.
///
/// ```
/// use chainrule_tensor::sum_channels;
/// let (x, mean, mut sum, mut spread) = ([1.0, 2.0, 3.0, 4.0], [1.0, 3.0], [0.0; 2], [0.0; 2]);
/// sum_channels!(2, [sum, spread] += |[x], [m: mean]| [x, x - m]);
/// assert_eq!((sum, spread), ([3.0, 7.0], [1.0, 1.0]));
/// ```
///
/// # Panics
///
/// As the function does.
#[macro_export]
macro_rules! sum_channels {
    ($inner:expr, [$($sum:ident),+] += |[$($x:ident $(: $from:ident)?),+], [$($v:ident $(: $vector:ident)?),*]| $f:expr) => {
        $crate::vector::sum_channels(
            $inner,
            [$(&$crate::__operand!($x $($from)?)[..]),+],
            [$(&$crate::__operand!($v $($vector)?)[..]),*],
            [$(&mut $sum[..]),+],
            #[inline(always)]
            move |[$($x),+], [$($v),*]| $f,
        )
    };
}

/// The gates, inputs and states of each unit in one pass: [`vector::gates`](crate::vector::gates()) as a formula, which gives the
/// next gates and the next states. A state's name stands for what it held.
///
/// ```
/// use chainrule_tensor::gates;
/// // Two gates of two units, and a state that one gate mixes with the other: h = a + f (h₀ - a).
/// let (mut z, h0, mut h) = ([0.5, 0.25, 1.0, 2.0], [3.0, 6.0], [0.0; 2]);
/// gates!(2, z, [h] = |[f, a], [h0]| ([f, a], [a + f * (h0 - a)]));
/// assert_eq!(h, [2.0, 3.0]);
/// ```
///
/// # Panics
///
/// As the function does.
#[macro_export]
macro_rules! gates {
    ($units:expr, $z:ident, [$($s:ident),*] = |[$($gate:ident),+], [$($x:ident $(: $from:ident)?),*]| $f:expr) => {
        $crate::vector::gates(
            $units,
            &mut $z[..],
            [$(&$crate::__operand!($x $($from)?)[..]),*],
            [$(&mut $s[..]),*],
            #[inline(always)]
            move |[$($gate),+], [$($x),*], [$($s),*]| {
                let _ = ($($s,)*);
                $f
            },
        )
    };
}
