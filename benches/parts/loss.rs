//! The cross-entropy of a softmax with its gradient, against a copy of the logits.

use chainrule::prelude::*;
use criterion::{Criterion, Throughput};

use crate::{copy, matrix};

pub(crate) fn benches(criterion: &mut Criterion) {
    let loss = CrossEntropy;
    for (rows, classes) in [(32, 10), (128, 10), (128, 1000)] {
        let logits = matrix(rows, classes);
        let mut gradient = matrix(rows, classes);
        let targets: Vec<u8> = (0..rows).map(|row| (row % classes.min(256)) as u8).collect();
        let mut group = criterion.benchmark_group(format!("cross-entropy, {rows} rows of {classes}"));
        let bytes = 2 * rows * classes * size_of::<f32>();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function("loss and gradient", |bencher| {
            let scale = 1.0 / rows as f32;
            bencher.iter(|| loss.loss(logits.view(), &targets, scale, Some(gradient.view_mut())));
        });
        copy(&mut group, "copy", bytes);
        group.finish();
    }
}
