//! The floor: the matrix products of a training step and nothing else, each by one call of BLAS.

use std::sync::Barrier;
use std::time::Instant;

use chainrule::tensor::{Buffer, FlushDenormals, blas};

/// What a part of a network multiplies for a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stage {
    /// A row of `inputs` values by a matrix `[inputs, units]`.
    Dense { inputs: usize, units: usize },
    /// A convolution written as a product: the kernels, `[filters, depth]`, by the patches of the image that they
    /// see, `[depth, pixels]` (im2col). The depth is channels times the kernel's height times its width; the
    /// pixels are those of the output.
    Convolution { filters: usize, depth: usize, pixels: usize },
}

/// How the products of a convolution are put together. Which is the fastest depends on the sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// One for each sample: `[filters, depth] x [depth, pixels]`.
    Sample,
    /// One for all: `[filters, depth] x [depth, rows * pixels]`.
    Batch,
    /// One for all, with a patch in a row: `[rows * pixels, depth] x [depth, filters]`.
    Patches,
}

/// A matrix among those of a [`Floor`].
#[derive(Clone, Copy)]
struct Matrix {
    /// Its place, or that of the first of a row of them.
    place: usize,
    rows: usize,
    columns: usize,
    transposed: bool,
    /// Whether each call has the next one.
    each: bool,
}

impl Matrix {
    fn t(self) -> Self {
        Self { transposed: true, ..self }
    }

    fn place(self, call: usize) -> usize {
        self.place + if self.each { call } else { 0 }
    }

    /// Rows and columns as a product sees them.
    fn dim(self) -> (usize, usize) {
        if self.transposed { (self.columns, self.rows) } else { (self.rows, self.columns) }
    }
}

/// `C = A B`, or `C += A B` from the second call on, `times` times.
struct Call {
    times: usize,
    a: Matrix,
    b: Matrix,
    c: Matrix,
}

/// The products of one thread's rows of a batch, and their matrices.
pub(crate) struct Floor {
    memory: Vec<Buffer<f32>>,
    calls: Vec<Call>,
}

impl Floor {
    /// The products for so many rows, in the way that turns out to be the fastest.
    pub(crate) fn new(stages: &[Stage], rows: usize) -> Self {
        let convolves = stages.iter().any(|stage| matches!(stage, Stage::Convolution { .. }));
        let ways = if convolves { &[Way::Sample, Way::Batch, Way::Patches][..] } else { &[Way::Batch] };
        let mut floors: Vec<(f64, Self)> = ways
            .iter()
            .map(|&way| {
                let mut floor = Self::by(way, stages, rows);
                let seconds = match ways {
                    [_] => 0.0,
                    _ => (0..5).map(|_| floor.run(2)).fold(f64::INFINITY, f64::min),
                };
                (seconds, floor)
            })
            .collect();
        floors.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        floors.swap_remove(0).1
    }

    fn by(way: Way, stages: &[Stage], rows: usize) -> Self {
        let mut floor = Self { memory: Vec::new(), calls: Vec::new() };
        let mut backward = Vec::new();
        // The output of a dense layer and its gradient are the input of the next and its gradient.
        let mut below: Option<[Matrix; 2]> = None;
        for (index, &stage) in stages.iter().enumerate() {
            let first = index == 0;
            match stage {
                Stage::Dense { inputs, units } => {
                    let [x, dx] = match below {
                        Some(pair) if pair[0].columns == inputs => pair,
                        _ => [(); 2].map(|()| floor.matrix(rows, inputs)),
                    };
                    let [w, dw] = [(); 2].map(|()| floor.matrix(inputs, units));
                    let [y, dy] = [(); 2].map(|()| floor.matrix(rows, units));
                    floor.calls.push(Call { times: 1, a: x, b: w, c: y }); //         Y = X W
                    if !first {
                        backward.push(Call { times: 1, a: dy, b: w.t(), c: dx }); //  dX = dY Wᵀ
                    }
                    backward.push(Call { times: 1, a: x.t(), b: dy, c: dw }); //      dW = Xᵀ dY
                    below = Some([y, dy]);
                }
                Stage::Convolution { filters, depth, pixels } => {
                    let [w, dw] = [(); 2].map(|()| match way {
                        Way::Sample | Way::Batch => floor.matrix(filters, depth),
                        Way::Patches => floor.matrix(depth, filters),
                    });
                    // Patches P and outputs Y, and their gradients.
                    let [(p, y), (dp, dy)] = [(); 2].map(|()| match way {
                        Way::Sample => (floor.each(rows, depth, pixels), floor.each(rows, filters, pixels)),
                        Way::Batch => {
                            (floor.matrix(depth, rows * pixels), floor.matrix(filters, rows * pixels))
                        }
                        Way::Patches => {
                            (floor.matrix(rows * pixels, depth), floor.matrix(rows * pixels, filters))
                        }
                    });
                    let times = if way == Way::Sample { rows } else { 1 };
                    let [product, dp, dw] = match way {
                        Way::Sample | Way::Batch => [(w, p, y), (w.t(), dy, dp), (dy, p.t(), dw)],
                        Way::Patches => [(p, w, y), (dy, w.t(), dp), (p.t(), dy, dw)],
                    }
                    .map(|(a, b, c)| Call { times, a, b, c });
                    floor.calls.push(product);
                    if !first {
                        backward.push(dp);
                    }
                    backward.push(dw);
                    below = None;
                }
            }
        }
        floor.calls.extend(backward.into_iter().rev());
        floor
    }

    fn matrix(&mut self, rows: usize, columns: usize) -> Matrix {
        let place = self.memory.len();
        let mut values = Buffer::zeros(rows * columns);
        values.fill(0.01);
        self.memory.push(values);
        Matrix { place, rows, columns, transposed: false, each: false }
    }

    /// One matrix for each of so many calls.
    fn each(&mut self, calls: usize, rows: usize, columns: usize) -> Matrix {
        let place = self.memory.len();
        (0..calls).for_each(|_| _ = self.matrix(rows, columns));
        Matrix { place, rows, columns, transposed: false, each: true }
    }

    /// Floating-point operations of one step.
    pub(crate) fn flops(&self) -> f64 {
        let flops = |Call { times, a, b, .. }: &Call| {
            let ((m, k), (_, n)) = (a.dim(), b.dim());
            2.0 * (times * m * n * k) as f64
        };
        self.calls.iter().map(flops).sum()
    }

    /// Seconds that so many steps take.
    pub(crate) fn run(&mut self, steps: usize) -> f64 {
        let _flush = FlushDenormals::new();
        let Self { memory, calls } = self;
        let begin = Instant::now();
        for _ in 0..steps {
            for Call { times, a, b, c } in &*calls {
                for call in 0..*times {
                    let places = [a, b, c].map(|matrix| matrix.place(call));
                    let [left, right, out] = memory.get_disjoint_mut(places).expect("three matrices");
                    let left: &Buffer<f32> = left;
                    let (mut x, mut y) = (left.matrix(a.rows, a.columns), right.matrix(b.rows, b.columns));
                    if a.transposed {
                        x.swap_axes(0, 1);
                    }
                    if b.transposed {
                        y.swap_axes(0, 1);
                    }
                    let beta = if call > 0 && !c.each { 1.0 } else { 0.0 };
                    blas::gemm(1.0, x, y, beta, out.matrix_mut(c.rows, c.columns));
                }
            }
        }
        begin.elapsed().as_secs_f64()
    }
}

/// The floor of a batch on several threads: each has its rows, and none waits for another.
pub(crate) struct Floors(Vec<Floor>);

impl Floors {
    pub(crate) fn new(stages: &[Stage], batch: usize, threads: usize) -> Self {
        let threads = threads.clamp(1, batch.max(1));
        let rows = |thread: usize| batch * (thread + 1) / threads - batch * thread / threads;
        Self((0..threads).map(|thread| Floor::new(stages, rows(thread))).collect())
    }

    /// Floating-point operations of one step.
    pub(crate) fn flops(&self) -> f64 {
        self.0.iter().map(Floor::flops).sum()
    }

    /// Seconds that so many steps take the slowest thread.
    pub(crate) fn run(&mut self, steps: usize) -> f64 {
        if let [one] = &mut self.0[..] {
            return one.run(steps);
        }
        let barrier = Barrier::new(self.0.len());
        let run = |floor: &mut Floor| {
            // Its matrices may have gone from this core's cache.
            floor.run(1);
            barrier.wait();
            floor.run(steps)
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = self.0.iter_mut().map(|floor| scope.spawn(|| run(floor))).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).fold(0.0, f64::max)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENET: [Stage; 5] = [
        Stage::Convolution { filters: 6, depth: 25, pixels: 784 },
        Stage::Convolution { filters: 16, depth: 150, pixels: 100 },
        Stage::Dense { inputs: 400, units: 120 },
        Stage::Dense { inputs: 120, units: 84 },
        Stage::Dense { inputs: 84, units: 10 },
    ];

    #[test]
    fn the_products_are_those_of_a_step() {
        let dense = [Stage::Dense { inputs: 7, units: 5 }, Stage::Dense { inputs: 5, units: 3 }];
        let floor = Floor::new(&dense, 4);
        // Forward and the weights' gradients for both, the inputs' gradient for the second.
        assert_eq!(floor.flops(), 2.0 * 4.0 * (2.0 * 35.0 + 3.0 * 15.0));
        let forms: Vec<_> =
            floor.calls.iter().map(|call| (call.a.dim(), call.b.dim(), call.c.dim())).collect();
        let right = [
            ((4, 7), (7, 5), (4, 5)),
            ((4, 5), (5, 3), (4, 3)),
            ((5, 4), (4, 3), (5, 3)),
            ((4, 3), (3, 5), (4, 5)),
            ((7, 4), (4, 5), (7, 5)),
        ];
        assert_eq!(forms, right);
        let halves = Floors::new(&dense, 5, 2);
        assert_eq!(halves.0.iter().map(Floor::flops).collect::<Vec<_>>(), [460.0, 690.0]);
        assert_eq!(Floors::new(&dense, 2, 8).0.len(), 2, "no thread without rows");
    }

    #[test]
    fn convolutions_take_the_same_operations_in_every_way() {
        let convolutions = 2.0 * 6.0 * 25.0 * 784.0 * 2.0 + 2.0 * 16.0 * 150.0 * 100.0 * 3.0;
        let dense = 2.0 * 3.0 * (400.0 * 120.0 + 120.0 * 84.0 + 84.0 * 10.0);
        for way in [Way::Sample, Way::Batch, Way::Patches] {
            let mut floor = Floor::by(way, &LENET, 3);
            assert_eq!(floor.flops(), 3.0 * (convolutions + dense), "{way:?}");
            // The product panics if shapes do not fit.
            assert!(floor.run(2) > 0.0);
            assert!(floor.memory.iter().all(|values| values.iter().all(|value| value.is_finite())));
        }
        assert!(Floors::new(&LENET, 4, 2).run(1) > 0.0);
    }
}
