//! Files of models and of tables, against the same bytes that are written and synced, or read, and nothing more.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::path::Path;

use chainrule::data::csv::Csv;
use chainrule::prelude::*;
use criterion::{Criterion, Throughput};

/// The bytes of a file are written, and synced as files of models are.
fn write(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).expect("the directory exists");
    file.write_all(bytes).and_then(|()| file.sync_all()).expect("the disk has space");
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("there is a directory for temporary files");
    let path = |name: &str| directory.path().join(name);
    models(criterion, &path("model"), &path("bytes"));
    tables(criterion, &path("table.csv"));
}

/// 37 million parameters.
fn models(criterion: &mut Criterion, path: &Path, bare: &Path) {
    let layers =
        || Sequential::new().then(Dense::new(5000)).then(Relu).then(Dense::new(4500)).then(Dense::new(10));
    let model = Model::<f32>::new([2900], layers(), Seed(0)).expect("the layers fit each other");
    model.save(path).expect("the disk has space");
    let bytes = fs::read(path).expect("it was written");
    let mut group = criterion.benchmark_group("a model of 37 million parameters");
    group.throughput(Throughput::Bytes(bytes.len() as u64)).sample_size(10);
    group.bench_function("save", |bencher| bencher.iter(|| model.save(path).expect("it was saved before")));
    group.bench_function("write its bytes", |bencher| bencher.iter(|| write(bare, &bytes)));
    group.bench_function("load", |bencher| bencher.iter(|| Model::<f32>::load(path).expect("it was saved")));
    group.bench_function("read its bytes", |bencher| {
        bencher.iter(|| black_box(fs::read(path).expect("it was saved")));
    });
    group.finish();
}

/// 300,000 rows of 29 numbers.
fn tables(criterion: &mut Criterion, path: &Path) {
    let mut random = Seed(1).rng();
    let row = |_| (0..29).map(|_| format!("{:.6}", random.normal())).collect::<Vec<_>>().join(",") + "\n";
    let rows: Vec<String> = (0..3000).map(row).collect();
    let names = (0..29).map(|column| format!("column{column}")).collect::<Vec<_>>().join(",");
    let text = names + "\n" + &rows.concat().repeat(100);
    write(path, text.as_bytes());
    let mut group = criterion.benchmark_group("a CSV of 300,000 rows of 29 numbers");
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(10);
    group.bench_function("read", |bencher| {
        bencher.iter(|| Csv::new(path).numbers::<f32>().expect("it has numbers alone"));
    });
    group.bench_function("read its bytes", |bencher| {
        bencher.iter(|| black_box(fs::read(path).expect("it was written")));
    });
    group.finish();
}
