//! Broadcasting: inputs that are repeated along the axes in which others are longer.

use std::ops::{Range, RangeInclusive};

use chainrule_core::{Plan, ShapeError};
use chainrule_tensor::vector::CHAIN;
use chainrule_tensor::{Buffer, Real, Shape, vector};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, s};

/// The cache of an elementwise merge: how its inputs are repeated in the output.
#[derive(Clone, Debug, Default)]
pub struct BroadcastCache<T: Real> {
    /// `None` for an input of the size of the output.
    pub(super) inputs: Vec<Option<Repetition>>,
    /// The gradient of one sample, before the sum over the repetitions of an input's values.
    pub(super) scratch: Buffer<T>,
    /// For gradients of values that are repeated very often.
    pub(super) sums: Buffer<f64>,
}

/// The shape of the output of an elementwise merge, and how its inputs are repeated in it.
///
/// Axes are compared from the last to the first, as in NumPy: their lengths are equal, or one of them is 1 or missing.
pub(super) fn broadcast<T: Real>(
    inputs: &[Shape],
    count: RangeInclusive<usize>,
    plan: &Plan,
) -> Result<(Shape, BroadcastCache<T>), ShapeError> {
    let first = inputs.first().copied().unwrap_or(Shape::from([0]));
    if !count.contains(&inputs.len()) {
        let (min, max) = count.into_inner();
        let expected = match min {
            1 => "at least one input".to_owned(),
            _ if min == max => format!("{min} inputs"),
            _ => format!("at least {min} inputs"),
        };
        return Err(plan.error(first, &expected, &format!("the number of inputs is {}", inputs.len())));
    }
    for (index, &input) in inputs.iter().enumerate() {
        let incompatible = |&&before: &&Shape| pairs(before, input).any(|(a, b)| a != b && a != 1 && b != 1);
        if let Some(&before) = inputs[..index].iter().find(incompatible) {
            return Err(plan.error(input, &like(before), &help(before, input)));
        }
    }
    // The lengths that are not 1 agree, and 0 is one of them.
    let rank = inputs.iter().map(|input| input.len()).max().unwrap_or(0);
    let mut axes = vec![1; rank];
    for input in inputs {
        for (axis, &length) in axes.iter_mut().rev().zip(input.iter().rev()) {
            *axis = if length == 1 { *axis } else { length };
        }
    }
    let output = Shape::new(&axes)
        .ok_or_else(|| plan.error(first, "inputs whose output fits in memory", "choose shorter axes"))?;
    let repeats = |&input: &Shape| (input.size() != output.size()).then(|| Repetition::new(input, output));
    Ok((output, BroadcastCache { inputs: inputs.iter().map(repeats).collect(), ..BroadcastCache::default() }))
}

/// The lengths of the axes that two shapes both have, from the last to the first.
fn pairs(a: Shape, b: Shape) -> impl Iterator<Item = (usize, usize)> {
    (1..=a.len().min(b.len())).map(move |back| (a[a.len() - back], b[b.len() - back]))
}

fn like(shape: Shape) -> String {
    format!("inputs whose axes, from the last to the first, have the lengths of {shape} or 1,")
}

/// What to do about two shapes that do not broadcast.
fn help(a: Shape, b: Shape) -> String {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    if short.len() < long.len() && long.starts_with(&short) {
        let mut axes = short.to_vec();
        axes.resize(long.len(), 1);
        return format!("Reshape the input of shape {short} to {axes:?} to broadcast it to {long}");
    }
    "reshape or project one of them".to_owned()
}

/// How the values of an input are repeated in a sample of the output.
///
/// Neighbouring axes that are both repeated, or both not, are merged. The last three, `[outer, channels, inner]`, are a block, which
/// is a loop over slices: it repeats `channels` values of the input, each `inner` times, and all of them `outer` times.
#[derive(Clone, Debug)]
pub(super) struct Repetition {
    /// The length of each axis before a block, the first outermost, and the stride of the input along it, 0 where it is repeated.
    loops: Vec<[usize; 2]>,
    channels: usize,
    inner: usize,
    /// The values of a block.
    block: usize,
    /// The values of a sample of the output.
    pub(super) size: usize,
}

impl Repetition {
    /// Of an input that [`broadcast`] to the output.
    fn new(input: Shape, output: Shape) -> Self {
        let missing = output.len() - input.len();
        let mut axes: Vec<(usize, bool)> = Vec::new();
        for (axis, &length) in output.iter().enumerate().filter(|(_, length)| **length != 1) {
            let repeated = axis < missing || input[axis - missing] == 1;
            match axes.last_mut() {
                Some((together, same)) if *same == repeated => *together *= length,
                _ => axes.push((length, repeated)),
            }
        }
        let mut last = |repeated| axes.pop_if(|axis| axis.1 == repeated).map_or(1, |(length, _)| length);
        let [inner, channels, outer] = [last(true), last(false), last(true)];
        let mut step = channels;
        let mut loops: Vec<_> = axes
            .into_iter()
            .rev()
            .map(|(length, repeated)| {
                let own = if repeated { 0 } else { step };
                step *= if repeated { 1 } else { length };
                [length, own]
            })
            .collect();
        loops.reverse();
        Self { loops, channels, inner, block: outer * channels * inner, size: output.size() }
    }

    /// The values in the input of a block of the output.
    fn values(&self, mut block: usize) -> Range<usize> {
        let mut start = 0;
        for &[length, step] in self.loops.iter().rev() {
            start += block % length * step;
            block /= length;
        }
        start..start + self.channels
    }

    /// The values in the input of each block, and its range in the output.
    fn blocks(&self) -> impl Iterator<Item = [Range<usize>; 2]> {
        let count = self.size.checked_div(self.block).unwrap_or(0);
        (0..count).map(|block| [self.values(block), block * self.block..(block + 1) * self.block])
    }

    /// The index in the input of the value at an index of the output.
    fn value(&self, index: usize) -> usize {
        self.values(index / self.block).start + index / self.inner % self.channels
    }

    /// `y = f([a₁, a₂, ...], x, y)`, elementwise, for an input `x` that is repeated, and others that are not.
    #[inline(always)]
    pub(super) fn map<T: Real, const N: usize>(
        &self,
        others: [ArrayView2<'_, T>; N],
        x: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
        f: impl Fn([T; N], T, T) -> T + Copy,
    ) {
        for (row, mut y) in y.rows_mut().into_iter().enumerate() {
            let others = others.each_ref().map(|other| other.row(row));
            let x = x.row(row);
            let flat = others.each_ref().map(ArrayView1::to_slice);
            match (x.to_slice(), y.as_slice_mut()) {
                (Some(x), Some(y)) if flat.iter().all(Option::is_some) => {
                    let others = flat.map(|other| other.expect("all are slices"));
                    for [values, outputs] in self.blocks() {
                        vector::map_channels(
                            self.inner,
                            others.map(|other| &other[outputs.clone()]),
                            [&x[values]],
                            &mut y[outputs.clone()],
                            #[inline(always)]
                            move |others, [x], y| f(others, x, y),
                        );
                    }
                }
                _ => {
                    for (index, y) in y.iter_mut().enumerate() {
                        *y = f(others.each_ref().map(|other| other[index]), x[self.value(index)], *y);
                    }
                }
            }
        }
    }

    /// Whether the blocks that repeat a value are too many for one chain of additions.
    fn has_long_sums(&self) -> bool {
        let repeated = self.loops.iter().filter(|[_, step]| *step == 0);
        repeated.fold(1usize, |blocks, [length, _]| blocks.saturating_mul(*length)) > CHAIN
    }

    /// `dx = Σ f([a₁, a₂, ...])` over the repetitions of each value of an input, which is made in `sums` where it is long.
    #[inline(always)]
    pub(super) fn sum<T: Real, const N: usize>(
        &self,
        terms: [ArrayView2<'_, T>; N],
        mut dx: ArrayViewMut2<'_, T>,
        sums: &mut Buffer<f64>,
        f: impl Fn([T; N]) -> T + Copy,
    ) {
        let has_long_sums = self.has_long_sums();
        dx.fill(T::zero());
        for (row, mut dx) in dx.rows_mut().into_iter().enumerate() {
            let terms = terms.each_ref().map(|term| term.row(row));
            let flat = terms.each_ref().map(ArrayView1::to_slice);
            match dx.as_slice_mut() {
                Some(dx) if flat.iter().all(Option::is_some) && !has_long_sums => {
                    let terms = flat.map(|term| term.expect("all are slices"));
                    for [values, outputs] in self.blocks() {
                        vector::sum_channels(
                            self.inner,
                            terms.map(|term| &term[outputs.clone()]),
                            [],
                            [&mut dx[values]],
                            #[inline(always)]
                            move |terms, []| [f(terms)],
                        );
                    }
                }
                _ => {
                    sums.reserve(dx.len());
                    self.sum_in_double_precision(terms, dx, sums, f);
                }
            }
        }
    }

    /// [`sum`](Self::sum) for a row, value by value.
    #[inline(never)]
    fn sum_in_double_precision<T: Real, const N: usize>(
        &self,
        terms: [ArrayView1<'_, T>; N],
        dx: ArrayViewMut1<'_, T>,
        sums: &mut [f64],
        f: impl Fn([T; N]) -> T + Copy,
    ) {
        let sums = &mut sums[..dx.len()];
        sums.fill(0.0);
        for index in 0..self.size {
            sums[self.value(index)] += f(terms.each_ref().map(|term| term[index])).as_f64();
        }
        dx.into_iter().zip(sums).for_each(|(dx, sum)| *dx = T::of(*sum));
    }
}

/// The gradient of an input. `repeated` computes it before the sum over the repetitions, for a range of rows.
#[inline(always)]
pub(super) fn gradient<T: Real>(
    repeats: Option<&Repetition>,
    (scratch, sums): (&mut Buffer<T>, &mut Buffer<f64>),
    mut dx: ArrayViewMut2<'_, T>,
    repeated: impl Fn(Range<usize>, ArrayViewMut2<'_, T>),
) {
    let Some(repeats) = repeats else { return repeated(0..dx.nrows(), dx) };
    scratch.reserve(repeats.size);
    for row in 0..dx.nrows() {
        let mut gradient = scratch.matrix_mut(1, repeats.size);
        repeated(row..row + 1, gradient.view_mut());
        repeats.sum(
            [gradient.view()],
            dx.slice_mut(s![row..row + 1, ..]),
            sums,
            #[inline(always)]
            |[gradient]| gradient,
        );
    }
}
