//! Several trainings at once.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chainrule::core::Registry;
use chainrule::train::Event;

use crate::configuration::Configuration;
use crate::error::ConfigError;
use crate::job::{TrainedModel, TrainingJob};
use crate::load::{DataParts, LoadedData, LoadedSamples};
use crate::saved::noted;
use crate::targets::LearntTarget;

/// Whether trainings are to end before they are done.
pub type StopSignal = Arc<dyn Fn() -> bool + Send + Sync>;

/// Trains configurations that differ in all but their data, so many at a time, each on one thread: the number of threads is no part of a
/// result, so each is, to the last bit, what it would have been alone. The results are in the order of the configurations; those of
/// trainings that `stop` has kept from ending are left out. `done` is told of each as it ends, with its index. Where the system refuses
/// a thread, the others do its work.
pub fn side_by_side(
    configurations: &[Configuration],
    registry: &Registry,
    data: &LoadedData,
    workers: usize,
    stop: &StopSignal,
    done: &(dyn Fn(usize, &Result<TrainedModel, ConfigError>) + Sync),
) -> Vec<Result<TrainedModel, ConfigError>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(configuration) = configurations.get(index).filter(|_| !stop()) else { return };
            let result = train(configuration, registry, data, stop);
            if stop() {
                return;
            }
            done(index, &result);
            results.lock().unwrap_or_else(PoisonError::into_inner).insert(index, result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers.clamp(1, configurations.len().max(1)) {
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

fn train(
    configuration: &Configuration,
    registry: &Registry,
    data: &LoadedData,
    stop: &StopSignal,
) -> Result<TrainedModel, ConfigError> {
    match &data.samples {
        LoadedSamples::Classes(parts) => train_on(configuration, registry, data, parts, stop),
        LoadedSamples::Values(parts) => train_on(configuration, registry, data, parts, stop),
    }
}

fn train_on<Y: LearntTarget>(
    configuration: &Configuration,
    registry: &Registry,
    data: &LoadedData,
    parts: &DataParts<Y>,
    stop: &StopSignal,
) -> Result<TrainedModel, ConfigError> {
    let model = noted(configuration.model(registry, data.shape())?, configuration, data);
    let job = TrainingJob::new(configuration, registry, model, data.predicts.clone(), parts.clone())?;
    let stop = Arc::clone(stop);
    let stopping = move |event: &Event<'_>| match event {
        Event::Step { .. } if stop() => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let mut job = job.threads(1).try_with(|trainer| Ok::<_, ConfigError>(trainer.callback(stopping)))?;
    job.fit()?;
    job.finish()
}
