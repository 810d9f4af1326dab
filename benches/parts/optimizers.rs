//! One step of each optimizer over the parameters of the tutorial's network and over 10 million, against what the memory
//! allows: a pass that reads and writes the same values, with a subtraction as its only arithmetic.

use chainrule::core::{Description, Registry};
use chainrule::optim::schedule::register_schedules;
use chainrule::optim::{ParamKind, Step, Update, register_optimizers};
use chainrule::prelude::*;
use chainrule::tensor::{Buffer, FlushDenormals, each};
use criterion::{Criterion, Throughput};

/// Beside every optimizer with its defaults.
const SETTINGS: [&str; 5] = [
    "sgd(momentum=0.9)",
    "sgd(momentum=0.9, nesterov=true)",
    "rmsprop(momentum=0.9)",
    "rmsprop(centered=true)",
    "rmsprop(centered=true, momentum=0.9)",
];

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut registry = Registry::new();
    register_schedules(&mut registry);
    register_optimizers::<f32>(&mut registry);
    let entries = registry.entries::<Box<dyn UpdateRule<f32>>>();
    // One that needs a setting is made of others.
    let names = entries.filter(|entry| entry.settings.iter().all(|setting| setting.default.is_some()));
    let names = names.map(|entry| entry.name);
    let build = |text: &str| -> Box<dyn UpdateRule<f32>> {
        registry.build(&text.parse::<Description>().unwrap()).unwrap()
    };
    let optimizers = names.chain(SETTINGS).map(|text| (text, build(text)));
    // Those that act on each value alone: a bucket is all that they see.
    let optimizers: Vec<_> = optimizers
        .filter(|(_, optimizer)| !optimizer.needs_all_gradients() && optimizer.slots() <= 4)
        .collect();
    for size in [55_050, 10_000_000] {
        for (name, optimizer) in &optimizers {
            let slots = optimizer.slots();
            let mut group = criterion.benchmark_group(format!("{name}, {size} parameters"));
            let bytes = (3 + 2 * slots) * size * size_of::<f32>();
            group.sample_size(20).throughput(Throughput::Bytes(bytes as u64));
            let (mut params, mut grads) = (Buffer::<f32>::zeros(size), Buffer::zeros(size));
            let mut state = Buffer::zeros(slots * size);
            // Memory that was never written is slow in ways of its own.
            params.fill(0.5);
            grads.fill(1e-3);
            state.fill(0.0);
            optimizer.start(Update::new(
                Step::default(),
                ParamKind::Weight,
                &mut params,
                &mut [],
                &mut state,
            ));
            group.bench_function("update", |bencher| {
                let _flush = FlushDenormals::new();
                let mut step = Step::default();
                bencher.iter(|| {
                    let (params, grads, state) = (&mut *params, &mut *grads, &mut *state);
                    optimizer.update(Update::new(step, ParamKind::Weight, params, grads, state));
                    step.index += 1;
                });
            });
            group.bench_function("reading and writing", |bencher| {
                bencher.iter(|| touch(slots, &mut params, &grads, &mut state));
            });
            group.finish();
        }
    }
}

/// Reads and writes what an optimizer with this number of slots does.
fn touch(slots: usize, p: &mut [f32], grads: &[f32], state: &mut [f32]) {
    let mut rest = state.chunks_exact_mut(p.len());
    let [a, b, c, d] = std::array::from_fn(|_| rest.next().unwrap_or_default());
    match slots {
        0 => each!(p = |g: grads| g - p),
        1 => each!([p, a] = |g: grads| [g - p, g - a]),
        2 => each!([p, a, b] = |g: grads| [g - p, g - a, g - b]),
        3 => each!([p, a, b, c] = |g: grads| [g - p, g - a, g - b, g - c]),
        _ => each!([p, a, b, c, d] = |g: grads| [g - p, g - a, g - b, g - c, g - d]),
    }
}
