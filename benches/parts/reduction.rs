//! The sum of the gradients of several shards, against a copy of each of them to the sum.

use chainrule::tensor::vector;
use criterion::{Criterion, Throughput};

use crate::matrix;

pub(crate) fn benches(criterion: &mut Criterion) {
    // The parameters of mlp32 and of wide128.
    for size in [55_050, 669_706] {
        for shards in [2, 4, 8] {
            let grads = vec![matrix(1, size); shards];
            let mut sum = matrix(1, size);
            let mut group = criterion.benchmark_group(format!("{shards} shards of {size} gradients"));
            group.sample_size(50).throughput(Throughput::Elements((shards * size) as u64));
            group.bench_function("sum", |bencher| {
                bencher.iter(|| {
                    sum.assign(&grads[0]);
                    grads[1..].iter().for_each(|grads| vector::add(grads.row(0), sum.row_mut(0)));
                });
            });
            group.bench_function("copies", |bencher| {
                bencher.iter(|| grads.iter().for_each(|grads| std::hint::black_box(&mut sum).assign(grads)));
            });
            group.finish();
        }
    }
}
