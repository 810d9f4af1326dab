//! Inputs that are repeated along the axes in which others are longer.

use std::ops::Range;

use chainrule_core::{Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut2, s};

/// What a merge that acts place by place remembers: how each of its inputs lies in the output.
#[derive(Clone, Debug, Default)]
pub struct Broadcast<T: Real> {
    /// `None` for an input that has as many values as the output.
    pub(super) inputs: Vec<Option<Repeats>>,
    /// The gradient of one sample, before the places of an input's value are added up; the same for a batch of any size.
    pub(super) room: Buffer<T>,
}

/// The shape of the output of a merge that acts place by place, and how its inputs lie in it.
///
/// Axes are compared from the last to the first, as in numpy: they are equal, or one of them is 1 or not there.
pub(super) fn broadcast<T: Real>(
    inputs: &[Shape],
    fewest: usize,
    most: usize,
    plan: &Plan,
) -> Result<(Shape, Broadcast<T>), ShapeError> {
    let first = inputs.first().copied().unwrap_or(Shape::from([0]));
    if !(fewest..=most).contains(&inputs.len()) {
        let count = match (fewest, most) {
            (1, _) => "at least one input".to_owned(),
            _ if fewest == most => format!("{fewest} inputs"),
            _ => format!("at least {fewest} inputs"),
        };
        return Err(plan.error(first, &count, &format!("it is given {} of them", inputs.len())));
    }
    for (index, &input) in inputs.iter().enumerate() {
        let apart = |&&before: &&Shape| pairs(before, input).any(|(a, b)| a != b && a != 1 && b != 1);
        if let Some(&before) = inputs[..index].iter().find(apart) {
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
    let output = Shape::new(&axes).ok_or_else(|| {
        plan.error(first, "inputs that give an output whose values can be counted", "repeat shorter axes")
    })?;
    let repeats = |&input: &Shape| (input.size() != output.size()).then(|| Repeats::new(input, output));
    Ok((output, Broadcast { inputs: inputs.iter().map(repeats).collect(), room: Buffer::default() }))
}

/// The lengths of the axes that two shapes both have, from the last to the first.
fn pairs(a: Shape, b: Shape) -> impl Iterator<Item = (usize, usize)> {
    (1..=a.len().min(b.len())).map(move |back| (a[a.len() - back], b[b.len() - back]))
}

fn like(shape: Shape) -> String {
    format!("inputs whose axes, from the last to the first, are as long as those of {shape} or 1,")
}

/// What to do where two shapes do not go together.
fn help(a: Shape, b: Shape) -> String {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    if short.len() < long.len() && long.starts_with(&short) {
        let mut axes = short.to_vec();
        axes.resize(long.len(), 1);
        return format!("Reshape the input of shape {short} to {axes:?}, and it is repeated for {long}");
    }
    "reshape or project one of them".to_owned()
}

/// How an input lies in a sample of the output, most of whose values are in several places.
///
/// Neighbouring axes that are both repeated, or both not, are one. The last three, `[outer, channels, inner]`, are a block,
/// which is a loop over slices: its `channels` values of the input are repeated outside and inside of them.
#[derive(Clone, Debug)]
pub(super) struct Repeats {
    /// The axes before a block, the first outermost: how long they are, and how far the input moves along them, which is
    /// 0 where it is repeated.
    loops: Vec<[usize; 2]>,
    channels: usize,
    inner: usize,
    /// The values of a block.
    block: usize,
    /// The values of a sample of the output.
    pub(super) size: usize,
}

impl Repeats {
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

    /// Where a block of the output has its values in the input.
    fn values(&self, mut block: usize) -> Range<usize> {
        let mut start = 0;
        for &[length, step] in self.loops.iter().rev() {
            start += block % length * step;
            block /= length;
        }
        start..start + self.channels
    }

    /// Where each block has its values in the input, and its places in the output.
    fn blocks(&self) -> impl Iterator<Item = [Range<usize>; 2]> {
        let count = self.size.checked_div(self.block).unwrap_or(0);
        (0..count).map(|block| [self.values(block), block * self.block..(block + 1) * self.block])
    }

    /// Where a place of the output has its value in the input.
    fn value(&self, place: usize) -> usize {
        self.values(place / self.block).start + place / self.inner % self.channels
    }

    /// `y = f([a₁, a₂, ...], x, y)` in each place, for an input `x` that is repeated, and others that are not.
    #[inline(always)]
    pub(super) fn map<T: Real, const N: usize>(
        &self,
        others: [ArrayView2<'_, T>; N],
        x: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
        f: impl Fn([T; N], T, T) -> T + Copy,
    ) {
        for (row, mut y) in y.rows_mut().into_iter().enumerate() {
            let (others, x) = (others.each_ref().map(|other| other.row(row)), x.row(row));
            let flat = others.each_ref().map(ArrayView1::to_slice);
            match (x.to_slice(), y.as_slice_mut()) {
                (Some(x), Some(y)) if flat.iter().all(Option::is_some) => {
                    let others = flat.map(|other| other.expect("just looked"));
                    for [values, places] in self.blocks() {
                        vector::map_channels(
                            self.inner,
                            others.map(|other| &other[places.clone()]),
                            [&x[values]],
                            &mut y[places.clone()],
                            #[inline(always)]
                            move |others, [x], y| f(others, x, y),
                        );
                    }
                }
                _ => {
                    for (place, y) in y.iter_mut().enumerate() {
                        *y = f(others.each_ref().map(|other| other[place]), x[self.value(place)], *y);
                    }
                }
            }
        }
    }

    /// `dx = Σ f([a₁, a₂, ...])` over the places that each value of an input has.
    #[inline(always)]
    pub(super) fn sum<T: Real, const N: usize>(
        &self,
        terms: [ArrayView2<'_, T>; N],
        mut dx: ArrayViewMut2<'_, T>,
        f: impl Fn([T; N]) -> T + Copy,
    ) {
        dx.fill(T::zero());
        for (row, mut dx) in dx.rows_mut().into_iter().enumerate() {
            let terms = terms.each_ref().map(|term| term.row(row));
            let flat = terms.each_ref().map(ArrayView1::to_slice);
            match dx.as_slice_mut() {
                Some(dx) if flat.iter().all(Option::is_some) => {
                    let terms = flat.map(|term| term.expect("just looked"));
                    for [values, places] in self.blocks() {
                        vector::sum_channels(
                            self.inner,
                            terms.map(|term| &term[places.clone()]),
                            [],
                            [&mut dx[values]],
                            #[inline(always)]
                            move |terms, []| [f(terms)],
                        );
                    }
                }
                _ => {
                    for place in 0..self.size {
                        dx[self.value(place)] += f(terms.each_ref().map(|term| term[place]));
                    }
                }
            }
        }
    }
}

/// The gradient of an input. `places` overwrites it for the places that its values have, in these rows.
#[inline(always)]
pub(super) fn gradient<T: Real>(
    repeats: Option<&Repeats>,
    room: &mut Buffer<T>,
    mut dx: ArrayViewMut2<'_, T>,
    places: impl Fn(Range<usize>, ArrayViewMut2<'_, T>),
) {
    let Some(repeats) = repeats else { return places(0..dx.nrows(), dx) };
    room.reserve(repeats.size);
    for row in 0..dx.nrows() {
        let mut gradient = room.matrix_mut(1, repeats.size);
        places(row..row + 1, gradient.view_mut());
        repeats.sum(
            [gradient.view()],
            dx.slice_mut(s![row..row + 1, ..]),
            #[inline(always)]
            |[gradient]| gradient,
        );
    }
}
