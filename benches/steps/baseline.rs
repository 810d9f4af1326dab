//! The baseline: the matrix products of a training step and nothing else, each by one BLAS call.

use std::sync::Barrier;
use std::time::Instant;

use chainrule::tensor::{Buffer, FlushDenormals, blas};
use ndarray::{ArrayView2, ArrayViewMut2, s};

/// The products that part of a network computes for a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Operation {
    /// For each of the steps, a row of `inputs` values times a matrix `[inputs, units]`.
    Dense { steps: usize, inputs: usize, units: usize },
    /// A convolution as a product (im2col): the kernels, `[filters, depth]`, times the patches of the image that they
    /// cover, `[depth, pixels]`. The depth is channels times the kernel's height times its width; the pixels are
    /// those of the output.
    Convolution { filters: usize, depth: usize, pixels: usize },
    /// At each step the state of `units` values times a matrix `[units, gates]`. The projection of the input is a
    /// dense operation of its own.
    Recurrence { steps: usize, units: usize, gates: usize },
    /// For each head, the queries of all steps times their keys, and the scores times the values.
    Attention { heads: usize, steps: usize, width: usize },
}

impl Operation {
    /// A dense layer on samples of one step.
    pub(crate) fn dense(inputs: usize, units: usize) -> Self {
        Self::Dense { steps: 1, inputs, units }
    }
}

/// How a convolution becomes products. Which form is the fastest depends on the sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum ConvolutionForm {
    /// One product per sample: `[filters, depth] x [depth, pixels]`.
    Sample,
    /// One product for all samples: `[filters, depth] x [depth, rows * pixels]`.
    Batch,
    /// One product for all samples, with a patch in each row: `[rows * pixels, depth] x [depth, filters]`.
    Patches,
}

impl ConvolutionForm {
    const ALL: [Self; 3] = [Self::Sample, Self::Batch, Self::Patches];
}

/// A matrix of a [`ThreadBaseline`], or several of one size, one below the other.
#[derive(Clone, Copy)]
struct Matrix {
    /// The index of its memory.
    memory: usize,
    /// The number of matrices: each call takes the next one.
    count: usize,
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl Matrix {
    fn t(self) -> Self {
        Self { transposed: true, ..self }
    }

    /// The matrices of all calls as one, for a product over all of them.
    fn all(self) -> Self {
        Self { count: 1, rows: self.count * self.rows, ..self }
    }

    /// Rows and columns as a product sees them.
    fn dim(self) -> (usize, usize) {
        if self.transposed { (self.columns, self.rows) } else { (self.rows, self.columns) }
    }

    fn read(self, memory: &Buffer<f32>, call: usize) -> ArrayView2<'_, f32> {
        let all = memory.matrix(self.count * self.rows, self.columns);
        let rows = call * self.rows..(call + 1) * self.rows;
        let one = if self.count == 1 { all } else { all.slice_move(s![rows, ..]) };
        if self.transposed { one.reversed_axes() } else { one }
    }

    fn write(self, memory: &mut Buffer<f32>, call: usize) -> ArrayViewMut2<'_, f32> {
        let all = memory.matrix_mut(self.count * self.rows, self.columns);
        let rows = call * self.rows..(call + 1) * self.rows;
        if self.count == 1 { all } else { all.slice_move(s![rows, ..]) }
    }
}

/// `C = A B` for each of the operands, or the sum of all if there is only one C.
#[derive(Clone, Copy)]
struct GemmCall {
    a: Matrix,
    b: Matrix,
    c: Matrix,
}

impl GemmCall {
    fn times(&self) -> usize {
        self.a.count.max(self.b.count)
    }
}

/// A product and its gradients: `C = A B`, `dA = dC Bᵀ` unless it is not needed, `dB = Aᵀ dC`.
struct Matmul {
    c: GemmCall,
    da: Option<GemmCall>,
    db: GemmCall,
}

impl Matmul {
    fn new([a, da]: [Matrix; 2], [b, db]: [Matrix; 2], [c, dc]: [Matrix; 2]) -> Self {
        Self {
            c: GemmCall { a, b, c },
            da: Some(GemmCall { a: dc, b: b.t(), c: da }),
            db: GemmCall { a: a.t(), b: dc, c: db },
        }
    }
}

/// A product `C = A B`, for programs that measure it in other libraries: rows, columns and terms, whether A and B are transposed (0 or 1),
/// and how many matrices of A, B and C its calls take in turn.
pub(crate) type Product = [usize; 8];

/// The products for one thread's rows of a batch, and their matrices.
pub(crate) struct ThreadBaseline {
    memory: Vec<Buffer<f32>>,
    calls: Vec<GemmCall>,
}

impl ThreadBaseline {
    /// The products for a number of rows, with convolutions in the form that turns out to be the fastest.
    pub(crate) fn new(operations: &[Operation], rows: usize) -> Self {
        let convolves = operations.iter().any(|operation| matches!(operation, Operation::Convolution { .. }));
        let forms = if convolves { &ConvolutionForm::ALL[..] } else { &[ConvolutionForm::Batch] };
        let mut baselines: Vec<(f64, Self)> = forms
            .iter()
            .map(|&form| {
                let mut baseline = Self::with_form(form, operations, rows);
                let seconds = match forms {
                    [_] => 0.0,
                    _ => (0..5).map(|_| baseline.run(2)).fold(f64::INFINITY, f64::min),
                };
                (seconds, baseline)
            })
            .collect();
        baselines.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        baselines.swap_remove(0).1
    }

    fn with_form(form: ConvolutionForm, operations: &[Operation], rows: usize) -> Self {
        let mut baseline = Self { memory: Vec::new(), calls: Vec::new() };
        let mut products: Vec<Matmul> = Vec::new();
        // The output of a dense layer and its gradient are the input of the next and its gradient.
        let mut below: Option<[Matrix; 2]> = None;
        for &operation in operations {
            let y = match operation {
                Operation::Dense { steps, inputs, units } => {
                    let rows = rows * steps;
                    let x = below.filter(|[x, _]| (x.rows, x.columns) == (rows, inputs));
                    let x = x.unwrap_or_else(|| baseline.pair(1, rows, inputs));
                    let w = baseline.pair(1, inputs, units);
                    let y = baseline.pair(1, rows, units);
                    products.push(Matmul::new(x, w, y)); //              Y = X W
                    Some(y)
                }
                Operation::Convolution { filters, depth, pixels } => {
                    let (count, columns) =
                        if form == ConvolutionForm::Sample { (rows, pixels) } else { (1, rows * pixels) };
                    products.push(match form {
                        ConvolutionForm::Sample | ConvolutionForm::Batch => {
                            let w = baseline.pair(1, filters, depth);
                            let p = baseline.pair(count, depth, columns);
                            let y = baseline.pair(count, filters, columns);
                            let Matmul { c, da, db } = Matmul::new(w, p, y); // Y = W P
                            // The weights come first here; the gradient that may be left out is that of the patches.
                            Matmul { c, da: Some(db), db: da.expect("just made") }
                        }
                        ConvolutionForm::Patches => {
                            let p = baseline.pair(1, columns, depth);
                            let w = baseline.pair(1, depth, filters);
                            let y = baseline.pair(1, columns, filters);
                            Matmul::new(p, w, y) // Y = P W
                        }
                    });
                    None
                }
                Operation::Recurrence { steps, units, gates } => {
                    let h = baseline.pair(steps, rows, units);
                    let w = baseline.pair(1, units, gates);
                    let z = baseline.pair(steps, rows, gates);
                    let product = Matmul::new(h, w, z); //               Z = H W at each step
                    let db = GemmCall { a: h[0].all().t(), b: z[1].all(), c: w[1] };
                    products.push(Matmul { db, ..product });
                    None
                }
                Operation::Attention { heads, steps, width } => {
                    let [q, k, v, y] = [(); 4].map(|()| baseline.pair(rows * heads, steps, width));
                    let scores = baseline.pair(rows * heads, steps, steps);
                    let product = Matmul::new(q, k, scores);
                    products.push(Matmul {
                        c: GemmCall { b: k[0].t(), ..product.c }, //          S = Q Kᵀ
                        da: Some(GemmCall { a: scores[1], b: k[0], c: q[1] }),
                        db: GemmCall { a: scores[1].t(), b: q[0], c: k[1] },
                    });
                    products.push(Matmul::new(scores, v, y)); //         Y = S V
                    None
                }
            };
            below = y;
        }
        baseline.calls.extend(products.iter().map(|product| product.c));
        for (index, Matmul { da, db, .. }) in products.iter().enumerate().rev() {
            baseline.calls.push(*db);
            // The gradient of the samples is not needed.
            if index > 0 {
                baseline.calls.extend(*da);
            }
        }
        baseline
    }

    /// A matrix for each of `count` calls, and its gradient.
    fn pair(&mut self, count: usize, rows: usize, columns: usize) -> [Matrix; 2] {
        [(); 2].map(|()| {
            let mut values = Buffer::zeros(count * rows * columns);
            values.fill(0.01);
            self.memory.push(values);
            Matrix { memory: self.memory.len() - 1, count, rows, columns, transposed: false }
        })
    }

    /// Floating-point operations of one step.
    pub(crate) fn flops(&self) -> f64 {
        let flops = |call: &GemmCall| {
            let ((m, k), (_, n)) = (call.a.dim(), call.b.dim());
            2.0 * (call.times() * m * n * k) as f64
        };
        self.calls.iter().map(flops).sum()
    }

    /// What each call multiplies: see [`Product`].
    fn products(&self) -> Vec<Product> {
        let product = |GemmCall { a, b, c }: &GemmCall| {
            let ((m, k), (_, n)) = (a.dim(), b.dim());
            [m, n, k, a.transposed.into(), b.transposed.into(), a.count, b.count, c.count]
        };
        self.calls.iter().map(product).collect()
    }

    /// Runs this number of steps and returns the seconds they take.
    pub(crate) fn run(&mut self, steps: usize) -> f64 {
        let _flush = FlushDenormals::new();
        let Self { memory, calls } = self;
        let begin = Instant::now();
        for _ in 0..steps {
            for each in &*calls {
                let &GemmCall { a, b, c } = each;
                let indices = [a, b, c].map(|matrix| matrix.memory);
                let [left, right, out] = memory.get_disjoint_mut(indices).expect("three matrices");
                for call in 0..each.times() {
                    let beta = if call > 0 && c.count == 1 { 1.0 } else { 0.0 };
                    blas::gemm(1.0, a.read(left, call), b.read(right, call), beta, c.write(out, call));
                }
            }
        }
        begin.elapsed().as_secs_f64()
    }
}

/// The baseline of a batch on several threads: each multiplies its rows, and none waits for another.
pub(crate) struct Baseline(Vec<ThreadBaseline>);

impl Baseline {
    pub(crate) fn new(operations: &[Operation], batch: usize, threads: usize) -> Self {
        let threads = threads.clamp(1, batch.max(1));
        let rows = |thread: usize| batch * (thread + 1) / threads - batch * thread / threads;
        Self((0..threads).map(|thread| ThreadBaseline::new(operations, rows(thread))).collect())
    }

    /// Floating-point operations of one step.
    pub(crate) fn flops(&self) -> f64 {
        self.0.iter().map(ThreadBaseline::flops).sum()
    }

    /// The products of the first thread.
    pub(crate) fn products(&self) -> Vec<Product> {
        self.0[0].products()
    }

    /// Runs this number of steps and returns the seconds that the slowest thread takes.
    pub(crate) fn run(&mut self, steps: usize) -> f64 {
        if let [one] = &mut self.0[..] {
            return one.run(steps);
        }
        let barrier = Barrier::new(self.0.len());
        let run = |baseline: &mut ThreadBaseline| {
            // Brings its matrices back into this core's cache.
            baseline.run(1);
            barrier.wait();
            baseline.run(steps)
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = self.0.iter_mut().map(|baseline| scope.spawn(|| run(baseline))).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).fold(0.0, f64::max)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENET: [Operation; 5] = [
        Operation::Convolution { filters: 6, depth: 25, pixels: 784 },
        Operation::Convolution { filters: 16, depth: 150, pixels: 100 },
        Operation::Dense { steps: 1, inputs: 400, units: 120 },
        Operation::Dense { steps: 1, inputs: 120, units: 84 },
        Operation::Dense { steps: 1, inputs: 84, units: 10 },
    ];

    #[test]
    fn the_products_are_those_of_a_step() {
        let dense = [Operation::dense(7, 5), Operation::dense(5, 3)];
        let baseline = ThreadBaseline::new(&dense, 4);
        // Forward and the weights' gradients for both, the inputs' gradient for the second.
        assert_eq!(baseline.flops(), 2.0 * 4.0 * (2.0 * 35.0 + 3.0 * 15.0));
        let forms: Vec<_> =
            baseline.calls.iter().map(|call| (call.a.dim(), call.b.dim(), call.c.dim())).collect();
        let right = [
            ((4, 7), (7, 5), (4, 5)),
            ((4, 5), (5, 3), (4, 3)),
            ((5, 4), (4, 3), (5, 3)),
            ((4, 3), (3, 5), (4, 5)),
            ((7, 4), (4, 5), (7, 5)),
        ];
        assert_eq!(forms, right);
        assert_eq!(baseline.products()[2], [5, 3, 4, 1, 0, 1, 1, 1]);
        let halves = Baseline::new(&dense, 5, 2);
        assert_eq!(halves.0.iter().map(ThreadBaseline::flops).collect::<Vec<_>>(), [460.0, 690.0]);
        assert_eq!(Baseline::new(&dense, 2, 8).0.len(), 2, "no thread without rows");
    }

    #[test]
    fn convolutions_take_the_same_operations_in_every_form() {
        let convolutions = 2.0 * 6.0 * 25.0 * 784.0 * 2.0 + 2.0 * 16.0 * 150.0 * 100.0 * 3.0;
        let dense = 2.0 * 3.0 * (400.0 * 120.0 + 120.0 * 84.0 + 84.0 * 10.0);
        for form in ConvolutionForm::ALL {
            let mut baseline = ThreadBaseline::with_form(form, &LENET, 3);
            assert_eq!(baseline.flops(), 3.0 * (convolutions + dense), "{form:?}");
            // The product panics if shapes do not fit.
            assert!(baseline.run(2) > 0.0);
            assert!(baseline.memory.iter().all(|values| values.iter().all(|value| value.is_finite())));
        }
        assert!(Baseline::new(&LENET, 4, 2).run(1) > 0.0);
    }

    #[test]
    fn steps_and_heads() {
        let operations = [
            Operation::Dense { steps: 6, inputs: 5, units: 12 },
            Operation::Recurrence { steps: 6, units: 3, gates: 12 },
            Operation::Attention { heads: 2, steps: 6, width: 4 },
        ];
        let mut baseline = ThreadBaseline::new(&operations, 3);
        let [dense, recurrence, attention] = [6 * 5 * 12, 6 * 3 * 12, 2 * 2 * 6 * 6 * 4].map(f64::from);
        assert_eq!(baseline.flops(), 2.0 * 3.0 * (2.0 * dense + 3.0 * (recurrence + attention)));
        assert!(baseline.run(2) > 0.0);
        // Forward one for each of 6 steps and 6 samples with their heads; the gradient of W in one.
        let times: Vec<_> = baseline.calls.iter().map(GemmCall::times).collect();
        assert_eq!(times, [1, 6, 6, 6, 6, 6, 6, 6, 1, 6, 1]);
        assert!(baseline.memory.iter().all(|values| values.iter().all(|value| value.is_finite())));
    }
}
