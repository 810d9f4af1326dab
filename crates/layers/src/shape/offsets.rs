//! Where the values of a rearranged sample come from.

use chainrule_tensor::vector::CHAIN;
use chainrule_tensor::{Buffer, Real, Shape, vector};

/// Where the values of an output come from: the index of an input is the sum of an offset for each axis of the output, which
/// depends on the index along that axis alone; the rest is constant.
///
/// So there is a table for each axis, and not one for all values. The loops over the last axis are those of its table: copies of
/// contiguous runs where there are some, and transpositions where the values of another axis are contiguous in the input.
#[derive(Clone, Debug)]
pub(super) struct Offsets {
    /// All axes but the last, from the outermost on.
    outer: Vec<Axis>,
    inner: Inner,
    /// The value of outputs that no input is copied to, if there are any.
    constant: Option<f64>,
    /// Whether each input is copied exactly once.
    is_permutation: bool,
    /// Whether the gradients of an input's copies are too many for one chain of additions.
    has_long_sums: bool,
}

/// The offset of an index without an input.
const NONE: usize = usize::MAX;

/// One axis of an output.
#[derive(Clone, Debug)]
struct Axis {
    /// How far its outputs are apart.
    stride: usize,
    offsets: Vec<usize>,
}

/// The last axis.
#[derive(Clone, Debug)]
enum Inner {
    /// Contiguous in the output and in the input.
    Runs(Vec<Run>),
    /// The first value this often, then the second, ...
    Repeated { times: usize, count: usize },
    /// Any.
    Listed(Vec<usize>),
    /// Rows of a matrix in the input, whose columns are contiguous in the output.
    Transposed { rows: usize, columns: usize, input_stride: usize, output_stride: usize },
}

#[derive(Clone, Copy, Debug)]
struct Run {
    output: usize,
    input: usize,
    len: usize,
}

/// The step from each offset to the next, if it is always the same.
fn step(offsets: &[usize]) -> Option<usize> {
    let &[first, second, ..] = offsets else { return None };
    let step = second.checked_sub(first)?;
    let even = offsets.windows(2).all(|pair| pair[1] != NONE && pair[1].checked_sub(pair[0]) == Some(step));
    (even && first != NONE).then_some(step)
}

impl Offsets {
    /// The offsets of an output whose value at an index is that of the input at the sum of `offset(axis, index along it)`, or
    /// `constant` where one of them is none.
    pub(super) fn new(output: Shape, constant: f64, offset: impl Fn(usize, usize) -> Option<usize>) -> Self {
        let mut axes = Vec::new();
        let mut stride = 1;
        for axis in (0..output.len()).rev() {
            let offsets: Vec<usize> = (0..output[axis]).map(|at| offset(axis, at).unwrap_or(NONE)).collect();
            axes.push(Axis { stride, offsets });
            stride *= output[axis];
        }
        axes.reverse();
        let has_constants = axes.iter().any(|axis| axis.offsets.contains(&NONE));
        let copies = axes.iter().map(|axis| most_copies(&axis.offsets)).fold(1, usize::saturating_mul);
        let has_long_sums = copies > 2 * CHAIN;
        let mut outer = merged(axes);
        let inner = outer.pop().map_or(Inner::Listed(vec![0]), |axis| Inner::of(axis.offsets));
        let constant = has_constants.then_some(constant);
        Self { outer, inner, constant, is_permutation: false, has_long_sums }
    }

    /// The offsets of an output whose index along each axis of the input, if it has one, depends on the same axis alone.
    pub(super) fn by_axis(
        input: Shape,
        output: Shape,
        constant: f64,
        source: impl Fn(usize, usize) -> Option<usize>,
    ) -> Self {
        let strides = strides(input);
        Self::new(output, constant, |axis, at| source(axis, at).map(|at| at * strides[axis]))
    }

    /// The offsets of a permutation of the input: as [`new`](Self::new), if each input is copied exactly once.
    pub(super) fn permutation(output: Shape, offset: impl Fn(usize, usize) -> usize) -> Self {
        let mut offsets = Self::new(output, 0.0, |axis, at| Some(offset(axis, at)));
        (offsets.is_permutation, offsets.has_long_sums) = (true, false);
        let Self { outer, inner, .. } = &mut offsets;
        let Inner::Listed(rows) = &*inner else { return offsets };
        let contiguous = outer.iter().position(|axis| step(&axis.offsets) == Some(1));
        if let (Some(input_stride), Some(contiguous)) = (step(rows), contiguous) {
            let columns = outer.remove(contiguous);
            // What the first of all offsets is, the outer axes get.
            outer.push(Axis { stride: 0, offsets: vec![rows[0] + columns.offsets[0]] });
            *inner = Inner::Transposed {
                rows: rows.len(),
                columns: columns.offsets.len(),
                input_stride,
                output_stride: columns.stride,
            };
        }
        offsets
    }

    /// Copies the values of a sample.
    pub(super) fn copy<T: Real>(&self, x: &[T], y: &mut [T]) {
        if let Some(constant) = self.constant {
            y.fill(T::of(constant));
        }
        each_row(&self.outer, 0, 0, &mut |from, to| match &self.inner {
            Inner::Runs(runs) => {
                for &Run { output, input, len } in runs {
                    match len {
                        1 => y[to + output] = x[from + input],
                        _ => y[to + output..][..len].copy_from_slice(&x[from + input..][..len]),
                    }
                }
            }
            &Inner::Repeated { times, count } => {
                repeat(&x[from..][..count], times, &mut y[to..][..count * times])
            }
            Inner::Listed(offsets) => {
                for (y, &offset) in y[to..].iter_mut().zip(offsets) {
                    if offset != NONE {
                        *y = x[from + offset];
                    }
                }
            }
            &Inner::Transposed { rows, columns, input_stride, output_stride } => {
                vector::transpose([rows, columns], (&x[from..], input_stride), (&mut y[to..], output_stride));
            }
        });
    }

    /// Overwrites the gradient of a sample: an input that is copied several times gets the sum of the gradients, which is made in
    /// `sums` where it is long.
    pub(super) fn gather_gradient<T: Real>(&self, dy: &[T], dx: &mut [T], sums: &mut Buffer<f64>) {
        if self.has_long_sums {
            sums.reserve(dx.len());
            let sums = &mut sums[..dx.len()];
            sums.fill(0.0);
            self.add_gradient(dy, sums);
            return dx.iter_mut().zip(sums).for_each(|(dx, sum)| *dx = T::of(*sum));
        }
        if !self.is_permutation {
            dx.fill(T::zero());
        }
        each_row(&self.outer, 0, 0, &mut |from, to| match &self.inner {
            Inner::Runs(runs) => {
                for &Run { output, input, len } in runs {
                    let (dy, dx) = (&dy[to + output..][..len], &mut dx[from + input..][..len]);
                    match self.is_permutation {
                        true => dx.copy_from_slice(dy),
                        false if len > 64 => vector::add(dy.into(), dx.into()),
                        // To choose the CPU's instructions would take longer.
                        false => dx.iter_mut().zip(dy).for_each(|(dx, &dy)| *dx += dy),
                    }
                }
            }
            &Inner::Repeated { times, count } => {
                add_repeated(&dy[to..][..count * times], times, &mut dx[from..][..count]);
            }
            Inner::Listed(offsets) if self.is_permutation => {
                for (&dy, &offset) in dy[to..].iter().zip(offsets) {
                    dx[from + offset] = dy;
                }
            }
            Inner::Listed(offsets) => {
                for (&dy, &offset) in dy[to..].iter().zip(offsets) {
                    if offset != NONE {
                        dx[from + offset] += dy;
                    }
                }
            }
            &Inner::Transposed { rows, columns, input_stride, output_stride } => {
                vector::transpose(
                    [columns, rows],
                    (&dy[to..], output_stride),
                    (&mut dx[from..], input_stride),
                );
            }
        });
    }
}

impl Offsets {
    /// Adds the gradient of a sample in double precision, where inputs are copied very often.
    fn add_gradient<T: Real>(&self, dy: &[T], sums: &mut [f64]) {
        let add =
            |sums: &mut [f64], dy: &[T]| sums.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += dy.as_f64());
        each_row(&self.outer, 0, 0, &mut |from, to| match &self.inner {
            Inner::Runs(runs) => {
                for &Run { output, input, len } in runs {
                    add(&mut sums[from + input..][..len], &dy[to + output..][..len]);
                }
            }
            &Inner::Repeated { times, count } => {
                for (sum, dy) in sums[from..][..count].iter_mut().zip(dy[to..].chunks_exact(times)) {
                    *sum += dy.iter().map(|dy| dy.as_f64()).sum::<f64>();
                }
            }
            Inner::Listed(offsets) => {
                for (dy, &offset) in dy[to..].iter().zip(offsets).filter(|(_, offset)| **offset != NONE) {
                    sums[from + offset] += dy.as_f64();
                }
            }
            // Of a permutation, which copies nothing twice.
            Inner::Transposed { .. } => {}
        });
    }
}

/// How often the offset is there that is there most often.
fn most_copies(offsets: &[usize]) -> usize {
    let mut sorted: Vec<usize> = offsets.iter().copied().filter(|&offset| offset != NONE).collect();
    sorted.sort_unstable();
    sorted.chunk_by(|a, b| a == b).map(<[usize]>::len).max().unwrap_or(1)
}

impl Inner {
    fn of(offsets: Vec<usize>) -> Self {
        /// A copy of so many values takes less time than a look at each.
        const LONG: usize = 4;

        let times = offsets.iter().take_while(|&&offset| offset == 0).count();
        let is_repeated = || offsets.iter().enumerate().all(|(index, &offset)| offset == index / times);
        if times > 1 && offsets.len().is_multiple_of(times) && is_repeated() {
            return Self::Repeated { times, count: offsets.len() / times };
        }
        let mut runs: Vec<Run> = Vec::new();
        let mut copied = 0;
        for (output, &input) in offsets.iter().enumerate().filter(|&(_, &offset)| offset != NONE) {
            copied += 1;
            match runs.last_mut() {
                Some(last) if last.output + last.len == output && last.input + last.len == input => {
                    last.len += 1
                }
                _ => runs.push(Run { output, input, len: 1 }),
            }
        }
        if runs.len() * LONG <= copied.max(LONG) { Self::Runs(runs) } else { Self::Listed(offsets) }
    }
}

/// How far the values along each axis are apart.
pub(super) fn strides(shape: Shape) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The same axes with neighbours made one where that makes the inner loops longer: where both have even steps that fit
/// together, and where the inner one is a short run.
fn merged(axes: Vec<Axis>) -> Vec<Axis> {
    /// Tables of merged axes are no longer, unless their steps are even.
    const MAX_LEN: usize = 4096;

    let mut merged: Vec<Axis> = Vec::new();
    // From the last axis on, which is the first of `merged`.
    for outer in axes.into_iter().rev() {
        let Some(inner) = merged.first_mut() else {
            merged.insert(0, outer);
            continue;
        };
        let (outer_len, inner_len) = (outer.offsets.len(), inner.offsets.len());
        let fit = match (step(&outer.offsets), step(&inner.offsets)) {
            (Some(outer), Some(inner)) => outer == inner * inner_len,
            _ => false,
        };
        let is_short_run = merged.len() == 1 && step(&merged[0].offsets) == Some(1) && inner_len < 32;
        let inner = &mut merged[0];
        if outer_len == 1 || inner_len == 1 || fit || is_short_run && outer_len * inner_len <= MAX_LEN {
            let both = |outer: &usize| {
                let outer = *outer;
                inner
                    .offsets
                    .iter()
                    .map(move |&inner| if outer == NONE || inner == NONE { NONE } else { outer + inner })
            };
            let offsets = outer.offsets.iter().flat_map(both).collect();
            inner.offsets = offsets;
        } else {
            merged.insert(0, outer);
        }
    }
    merged
}

/// Calls `f` with the offset of the input and the index of the output where each row along the last axis begins.
fn each_row(outer: &[Axis], from: usize, to: usize, f: &mut impl FnMut(usize, usize)) {
    let Some((axis, rest)) = outer.split_first() else { return f(from, to) };
    for (index, &offset) in axis.offsets.iter().enumerate().filter(|&(_, &offset)| offset != NONE) {
        each_row(rest, from + offset, to + index * axis.stride, f);
    }
}

/// Each value `times` times. Pairs have a loop of their own, whose length is known while compiling.
fn repeat<T: Real>(x: &[T], times: usize, y: &mut [T]) {
    match times {
        2 => y.chunks_exact_mut(2).zip(x).for_each(|(y, &x)| y.fill(x)),
        _ => y.chunks_exact_mut(times).zip(x).for_each(|(y, &x)| y.fill(x)),
    }
}

/// Adds the gradients of values that were repeated, one after the other.
fn add_repeated<T: Real>(dy: &[T], times: usize, dx: &mut [T]) {
    match times {
        2 => dx.iter_mut().zip(dy.chunks_exact(2)).for_each(|(dx, dy)| *dx = *dx + dy[0] + dy[1]),
        _ => {
            dx.iter_mut().zip(dy.chunks_exact(times)).for_each(|(dx, dy)| dy.iter().for_each(|&dy| *dx += dy))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The index along each axis of each output.
    fn indices(shape: Shape) -> impl Iterator<Item = Vec<usize>> {
        let strides = strides(shape);
        (0..shape.size())
            .map(move |at| strides.iter().zip(shape.iter()).map(|(stride, len)| at / stride % len).collect())
    }

    /// Checks both passes against the offsets of each value.
    fn check(
        offsets: &Offsets,
        [input, output]: [Shape; 2],
        offset: impl Fn(usize, usize) -> Option<usize>,
        what: &str,
    ) {
        let from: Vec<Option<usize>> = indices(output)
            .map(|index| {
                index.iter().enumerate().try_fold(0, |sum, (axis, &at)| Some(sum + offset(axis, at)?))
            })
            .collect();
        let x: Vec<f64> = (0..input.size()).map(|i| i as f64 + 1.0).collect();
        let mut y = vec![f64::NAN; output.size()];
        offsets.copy(&x, &mut y);
        let right: Vec<f64> = from.iter().map(|from| from.map_or(0.5, |from| x[from])).collect();
        assert_eq!(y, right, "{what}: {offsets:?}");
        let mut dx = vec![f64::NAN; input.size()];
        offsets.gather_gradient(&y, &mut dx, &mut Buffer::default());
        let mut right = vec![0.0; input.size()];
        for (from, y) in from.iter().zip(&y) {
            from.iter().for_each(|&from| right[from] += y);
        }
        assert_eq!(dx, right, "{what}: {offsets:?}");
    }

    #[test]
    fn every_order_of_the_axes() {
        for shape in [[3, 9, 8, 10], [1, 17, 1, 33], [2, 2, 2, 2], [40, 1, 5, 1], [8, 0, 3, 2]] {
            for order in 0..256 {
                let axes = [order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6];
                let mut sorted = axes;
                sorted.sort_unstable();
                if sorted != [0, 1, 2, 3] {
                    continue;
                }
                let (input, output) = (Shape::from(shape), Shape::from(axes.map(|axis| shape[axis])));
                let strides = strides(input);
                let offset = |axis: usize, at: usize| at * strides[axes[axis]];
                let offsets = Offsets::permutation(output, offset);
                check(&offsets, [input, output], |axis, at| Some(offset(axis, at)), &format!("{axes:?}"));
            }
        }
    }

    #[test]
    fn repeated_and_missing_indices() {
        let input = Shape::from([2, 5, 6]);
        let sources: [fn(usize, usize) -> Option<usize>; 6] = [
            |at, _| Some(at / 2),
            |at, _| Some(at / 3),
            |at, len| at.checked_sub(1).filter(|&at| at < len),
            |at, len| Some(at % len),
            |at, len| Some(len - 1 - at % len),
            |at, len| (at % 2 == 0 && at / 2 < len).then_some(at / 2),
        ];
        for (number, all) in (0..216).map(|n| (n, [n % 6, n / 6 % 6, n / 36])) {
            // As many outputs as each source has inputs for.
            let lens: Vec<usize> =
                all.iter().zip(input.iter()).map(|(kind, len)| [2, 3, 1, 2, 1, 2][*kind] * len).collect();
            let output = Shape::new(&lens).unwrap();
            let source = |axis: usize, at: usize| sources[all[axis]](at, input[axis]);
            let strides = strides(input);
            let offset = |axis: usize, at: usize| source(axis, at).map(|at| at * strides[axis]);
            check(
                &Offsets::by_axis(input, output, 0.5, source),
                [input, output],
                offset,
                &format!("{number}"),
            );
        }
    }
}
