//! What a convolution takes beside the bare matrix products that it is made of, in microseconds a sample: the two
//! of LeNet-5, forward and backward, 32 samples at a time. The bare products are BLAS's, one a sample, over a matrix of
//! patches that has been made before. With any argument, the convolutions of other networks follow.

use std::time::Instant;

use chainrule_core::runner::GradsExt;
use chainrule_core::{Backward, Forward, Grads, Layer, Mode, Params, Plan};
use chainrule_layers::{Conv2d, Padding};
use chainrule_tensor::{Buffer, FlushDenormals, Seed, Shape, blas};
use ndarray::{Array2, ArrayView2, linalg::general_mat_mul};

const ROWS: usize = 32;

fn random(rows: usize, columns: usize) -> Array2<f32> {
    let mut rng = Seed(7).rng();
    Array2::from_shape_simple_fn((rows, columns), || rng.normal() as f32)
}

/// The least of many measurements, in microseconds a sample.
fn time(mut f: impl FnMut()) -> f64 {
    let mut once = || {
        let begin = Instant::now();
        (0..4).for_each(|_| f());
        begin.elapsed().as_secs_f64() / 4.0
    };
    let first = once();
    let least = (0..(0.1 / first) as usize).fold(first, |least, _| least.min(once()));
    1e6 * least / ROWS as f64
}

/// The three products of one sample: `W P`, `dY Pᵀ` and `Wᵀ dY`.
fn bare(outputs: usize, depth: usize, positions: usize) -> [f64; 3] {
    let (w, p, y) = (random(outputs, depth), random(depth, positions), random(outputs, positions));
    let (mut f, mut dw, mut dp) = (y.clone(), w.clone(), p.clone());
    let time = |a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, beta, c: &mut Array2<f32>| {
        time(|| (0..ROWS).for_each(|_| general_mat_mul(1.0, &a, &b, beta, c)))
    };
    [
        time(w.view(), p.view(), 0.0, &mut f),
        time(y.view(), p.t(), 1.0, &mut dw),
        time(w.t(), y.view(), 0.0, &mut dp),
    ]
}

fn measure(name: &str, conv: &Conv2d, input: [usize; 3]) {
    let mut plan = Plan::new();
    let (output, mut cache) =
        Layer::<f32>::plan(conv, input.into(), &mut plan).expect("it takes such samples");
    let mut params = Buffer::zeros(plan.size());
    plan.init(Seed(1), &mut params);
    let (x, mut y) = (random(ROWS, Shape::from(input).size()), random(ROWS, output.size()));
    let (dy, mut dx, mut grads) = (y.clone(), x.clone(), params.clone());
    let forward = time(|| {
        let (params, y, cache) = (Params::new(&params), y.view_mut(), &mut cache);
        conv.forward(Forward { params, x: x.view(), y, cache, mode: Mode::Eval });
    });
    let [without_dx, backward] = [false, true].map(|wanted| {
        time(|| {
            conv.backward(Backward {
                params: Params::new(&params),
                grads: Grads::fresh(&mut grads),
                x: x.view(),
                y: y.view(),
                dy: dy.view(),
                dx: wanted.then(|| dx.view_mut()),
                cache: &mut cache,
                share: 1.0,
            });
        })
    });
    let (outputs, positions) = (output[0], output[1..].iter().product::<usize>());
    let depth = plan.entries()[0].range.len() / outputs;
    let [f, dw, dp] = bare(outputs, depth, positions);
    let gflop = 2e-9 * (outputs * depth * positions) as f64;
    println!(
        "{name:22} forward {forward:8.2} (bare {f:8.2})  dW {without_dx:8.2} ({dw:8.2})  dW and dx {backward:8.2} ({:8.2})   \
         {:4.0} {:4.0} GFLOP/s",
        dw + dp,
        1e6 * gflop / forward,
        2e6 * gflop / backward,
    );
}

fn main() {
    blas::set_threads(1);
    let _flush = FlushDenormals::new();
    println!("{}, microseconds a sample of {ROWS}", blas::Blas::current());
    measure("LeNet 6 of 5x5", &Conv2d::new(6, 5).padding(2), [1, 28, 28]);
    measure("LeNet 16 of 5x5", &Conv2d::new(16, 5), [6, 14, 14]);
    if std::env::args().len() < 2 {
        return;
    }
    let same = |channels, kernel| Conv2d::new(channels, kernel).padding(Padding::Same);
    measure("32 of 3x3", &Conv2d::new(32, 3), [1, 28, 28]);
    measure("64 of 3x3", &Conv2d::new(64, 3), [32, 26, 26]);
    measure("CIFAR 16 of 3x3", &same(16, 3), [16, 32, 32]);
    measure("CIFAR 32 of 3x3, half", &same(32, 3).stride(2), [16, 32, 32]);
    measure("CIFAR 64 of 3x3", &same(64, 3), [64, 8, 8]);
    measure("VGG 512 of 3x3", &same(512, 3), [512, 4, 4]);
    measure("VGG 512 of 3x3", &same(512, 3), [512, 2, 2]);
    measure("ResNet 64 of 7x7, half", &same(64, 7).stride(2), [3, 112, 112]);
    measure("ResNet 64 of 3x3", &same(64, 3), [64, 56, 56]);
    measure("ResNet 256 of 1x1", &same(256, 1), [64, 28, 28]);
    measure("ResNet 512 of 3x3", &same(512, 3), [512, 7, 7]);
    measure("128 of 3x3", &same(128, 3), [128, 7, 7]);
    measure("256 of 3x3", &same(256, 3), [256, 10, 10]);
    measure("depthwise 3x3", &same(64, 3).groups(64), [64, 28, 28]);
}
