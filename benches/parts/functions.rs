//! Functions of 4,096 numbers, ours and the standard library's, against a copy.

use chainrule::tensor::{Real, vector};
use criterion::{Criterion, Throughput};

use crate::{copy, matrix};

pub(crate) fn benches(criterion: &mut Criterion) {
    let (x, mut y) = (matrix(64, 64), matrix(64, 64));
    let mut group = criterion.benchmark_group("4096 values");
    copy(&mut group, "copy", 2 * 4096 * size_of::<f32>());
    group.throughput(Throughput::Elements(4096));
    macro_rules! map {
        ($($name:literal: $f:expr),*) => {$(
            group.bench_function($name, |bencher| bencher.iter(|| vector::map([x.view()], y.view_mut(), |[x]| $f(x))));
        )*};
    }
    map!("exp": Real::fast_exp, "tanh": Real::fast_tanh, "sigmoid": Real::fast_sigmoid, "ln_1p": Real::fast_ln_1p);
    map!("std exp": f32::exp, "std tanh": f32::tanh, "std ln_1p": f32::ln_1p);
    group.finish();
}
