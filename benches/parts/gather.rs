//! Reading a batch of random images from 60,000 that are stored as bytes, against copies of these bytes and of the same
//! number of floating-point values.

use std::hint::black_box;

use chainrule::prelude::*;
use chainrule::tensor::Buffer;
use criterion::{Criterion, Throughput};

const SIZE: usize = 784;

pub(crate) fn benches(criterion: &mut Criterion) {
    let images = digits(60_000, Seed(1));
    let mut order: Vec<usize> = (0..images.count()).collect();
    Seed(2).rng().shuffle(&mut order);
    for rows in [32, 128] {
        let mut group = criterion.benchmark_group(format!("a batch of {rows} images"));
        group.throughput(Throughput::Elements((rows * SIZE) as u64));
        let mut numbers = Buffer::<f32>::zeros(rows * SIZE);
        let mut bytes = vec![0; rows * SIZE];
        for prefetch in [false, true] {
            let name = if prefetch { "gather, prefetched a step ahead" } else { "gather" };
            group.bench_function(name, |bencher| {
                let mut batches = order.chunks_exact(rows).cycle().peekable();
                bencher.iter(|| {
                    let indices = batches.next().unwrap_or_default();
                    for (row, &index) in numbers.chunks_exact_mut(SIZE).zip(indices) {
                        black_box(images.read(index, row));
                    }
                    if prefetch {
                        let next = batches.peek().copied().unwrap_or_default();
                        next.iter().for_each(|&index| images.prefetch(index, 0..SIZE));
                    }
                });
            });
        }
        group.bench_function("copy of the bytes", |bencher| {
            let mut batches = order.chunks_exact(rows).cycle();
            bencher.iter(|| {
                let indices = batches.next().unwrap_or_default();
                for (row, &index) in bytes.chunks_exact_mut(SIZE).zip(indices) {
                    row.copy_from_slice(images.pixels(index));
                }
            });
        });
        let from = numbers.clone();
        group.bench_function("copy of the numbers", |bencher| {
            bencher.iter(|| black_box(&mut numbers).copy_from_slice(black_box(&from)));
        });
        group.finish();
    }
}
