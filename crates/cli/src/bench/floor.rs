//! The floor: the matrix products of a training step and nothing else, each by one call of BLAS.

use std::sync::Barrier;
use std::time::Instant;

use chainrule::tensor::{Buffer, FlushDenormals, blas};
use ndarray::{ArrayView2, ArrayViewMut2, s};

/// What a part of a network multiplies for a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stage {
    /// For each of so many steps, a row of `inputs` values by a matrix `[inputs, units]`.
    Dense { steps: usize, inputs: usize, units: usize },
    /// A convolution written as a product: the kernels, `[filters, depth]`, by the patches of the image that they
    /// see, `[depth, pixels]` (im2col). The depth is channels times the kernel's height times its width; the
    /// pixels are those of the output.
    Convolution { filters: usize, depth: usize, pixels: usize },
    /// At each step the states, `units` of them, by a matrix `[units, gates]`. What a step gets as its input is a
    /// dense stage of its own.
    Recurrence { steps: usize, units: usize, gates: usize },
    /// For each head, the queries of all steps by their keys, and the scores by the values.
    Attention { heads: usize, steps: usize, width: usize },
}

impl Stage {
    /// A dense layer over samples of one step.
    pub(crate) fn dense(inputs: usize, units: usize) -> Self {
        Self::Dense { steps: 1, inputs, units }
    }
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

/// A matrix among those of a [`Floor`], or one below the other.
#[derive(Clone, Copy)]
struct Matrix {
    /// Which memory it is in.
    place: usize,
    /// How many there are: each call has the next one.
    count: usize,
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl Matrix {
    fn t(self) -> Self {
        Self { transposed: true, ..self }
    }

    /// Those of all calls as one, for a product over all of them.
    fn all(self) -> Self {
        Self { count: 1, rows: self.count * self.rows, ..self }
    }

    /// Rows and columns as a product sees them.
    fn dim(self) -> (usize, usize) {
        if self.transposed { (self.columns, self.rows) } else { (self.rows, self.columns) }
    }

    fn read(self, memory: &Buffer<f32>, call: usize) -> ArrayView2<'_, f32> {
        let all = memory.matrix(self.count * self.rows, self.columns);
        let one = match self.count {
            1 => all,
            _ => all.slice_move(s![call * self.rows..(call + 1) * self.rows, ..]),
        };
        if self.transposed { one.reversed_axes() } else { one }
    }

    fn write(self, memory: &mut Buffer<f32>, call: usize) -> ArrayViewMut2<'_, f32> {
        let all = memory.matrix_mut(self.count * self.rows, self.columns);
        if self.count == 1 { all } else { all.slice_move(s![call * self.rows..(call + 1) * self.rows, ..]) }
    }
}

/// `C = A B` as often as there are different operands, or added up where there is one C for all.
#[derive(Clone, Copy)]
struct Call {
    a: Matrix,
    b: Matrix,
    c: Matrix,
}

impl Call {
    fn times(&self) -> usize {
        self.a.count.max(self.b.count)
    }
}

/// A product and its gradients: `C = A B`, `dA = dC Bᵀ` unless nobody wants it, `dB = Aᵀ dC`.
struct Product {
    c: Call,
    da: Option<Call>,
    db: Call,
}

impl Product {
    fn new([a, da]: [Matrix; 2], [b, db]: [Matrix; 2], [c, dc]: [Matrix; 2]) -> Self {
        Self {
            c: Call { a, b, c },
            da: Some(Call { a: dc, b: b.t(), c: da }),
            db: Call { a: a.t(), b: dc, c: db },
        }
    }
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
        let mut products: Vec<Product> = Vec::new();
        // The output of a dense layer and its gradient are the input of the next and its gradient.
        let mut below: Option<[Matrix; 2]> = None;
        for &stage in stages {
            let y = match stage {
                Stage::Dense { steps, inputs, units } => {
                    let rows = rows * steps;
                    let x = below.filter(|[x, _]| (x.rows, x.columns) == (rows, inputs));
                    let x = x.unwrap_or_else(|| floor.pair(1, rows, inputs));
                    let (w, y) = (floor.pair(1, inputs, units), floor.pair(1, rows, units));
                    products.push(Product::new(x, w, y)); //              Y = X W
                    Some(y)
                }
                Stage::Convolution { filters, depth, pixels } => {
                    let (count, columns) =
                        if way == Way::Sample { (rows, pixels) } else { (1, rows * pixels) };
                    products.push(match way {
                        Way::Sample | Way::Batch => {
                            let w = floor.pair(1, filters, depth);
                            let (p, y) =
                                (floor.pair(count, depth, columns), floor.pair(count, filters, columns));
                            let Product { c, da, db } = Product::new(w, p, y); // Y = W P
                            // Here the weights come first; the gradient that may be left out is that of the patches.
                            Product { c, da: Some(db), db: da.expect("just made") }
                        }
                        Way::Patches => {
                            let (p, w) = (floor.pair(1, columns, depth), floor.pair(1, depth, filters));
                            Product::new(p, w, floor.pair(1, columns, filters)) // Y = P W
                        }
                    });
                    None
                }
                Stage::Recurrence { steps, units, gates } => {
                    let (h, w) = (floor.pair(steps, rows, units), floor.pair(1, units, gates));
                    let z = floor.pair(steps, rows, gates);
                    let product = Product::new(h, w, z); //               Z = H W at each step
                    let db = Call { a: h[0].all().t(), b: z[1].all(), c: w[1] };
                    products.push(Product { db, ..product });
                    None
                }
                Stage::Attention { heads, steps, width } => {
                    let [q, k, v, y] = [(); 4].map(|()| floor.pair(rows * heads, steps, width));
                    let scores = floor.pair(rows * heads, steps, steps);
                    let product = Product::new(q, k, scores);
                    products.push(Product {
                        c: Call { b: k[0].t(), ..product.c }, //          S = Q Kᵀ
                        da: Some(Call { a: scores[1], b: k[0], c: q[1] }),
                        db: Call { a: scores[1].t(), b: q[0], c: k[1] },
                    });
                    products.push(Product::new(scores, v, y)); //         Y = S V
                    None
                }
            };
            below = y;
        }
        floor.calls.extend(products.iter().map(|product| product.c));
        for (index, Product { da, db, .. }) in products.iter().enumerate().rev() {
            floor.calls.push(*db);
            // Nobody wants the gradient of the samples.
            floor.calls.extend(da.filter(|_| index > 0));
        }
        floor
    }

    /// A matrix for each of so many calls, and its gradient.
    fn pair(&mut self, count: usize, rows: usize, columns: usize) -> [Matrix; 2] {
        [(); 2].map(|()| {
            let mut values = Buffer::zeros(count * rows * columns);
            values.fill(0.01);
            self.memory.push(values);
            Matrix { place: self.memory.len() - 1, count, rows, columns, transposed: false }
        })
    }

    /// Floating-point operations of one step.
    pub(crate) fn flops(&self) -> f64 {
        let flops = |call: &Call| {
            let ((m, k), (_, n)) = (call.a.dim(), call.b.dim());
            2.0 * (call.times() * m * n * k) as f64
        };
        self.calls.iter().map(flops).sum()
    }

    /// Seconds that so many steps take.
    pub(crate) fn run(&mut self, steps: usize) -> f64 {
        let _flush = FlushDenormals::new();
        let Self { memory, calls } = self;
        let begin = Instant::now();
        for _ in 0..steps {
            for each in &*calls {
                let &Call { a, b, c } = each;
                let places = [a, b, c].map(|matrix| matrix.place);
                let [left, right, out] = memory.get_disjoint_mut(places).expect("three matrices");
                for call in 0..each.times() {
                    let beta = if call > 0 && c.count == 1 { 1.0 } else { 0.0 };
                    blas::gemm(1.0, a.read(left, call), b.read(right, call), beta, c.write(out, call));
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
        Stage::Dense { steps: 1, inputs: 400, units: 120 },
        Stage::Dense { steps: 1, inputs: 120, units: 84 },
        Stage::Dense { steps: 1, inputs: 84, units: 10 },
    ];

    #[test]
    fn the_products_are_those_of_a_step() {
        let dense = [Stage::dense(7, 5), Stage::dense(5, 3)];
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

    #[test]
    fn steps_and_heads() {
        let stages = [
            Stage::Dense { steps: 6, inputs: 5, units: 12 },
            Stage::Recurrence { steps: 6, units: 3, gates: 12 },
            Stage::Attention { heads: 2, steps: 6, width: 4 },
        ];
        let mut floor = Floor::new(&stages, 3);
        let [dense, recurrence, attention] = [6 * 5 * 12, 6 * 3 * 12, 2 * 2 * 6 * 6 * 4].map(f64::from);
        assert_eq!(floor.flops(), 2.0 * 3.0 * (2.0 * dense + 3.0 * (recurrence + attention)));
        assert!(floor.run(2) > 0.0);
        // Forward one for each of 6 steps and 6 samples with their heads; the gradient of W in one.
        let times: Vec<_> = floor.calls.iter().map(Call::times).collect();
        assert_eq!(times, [1, 6, 6, 6, 6, 6, 6, 6, 1, 6, 1]);
        assert!(floor.memory.iter().all(|values| values.iter().all(|value| value.is_finite())));
    }
}
