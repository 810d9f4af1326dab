//! An optimizer is a description: what it remembers is in the state, and a step allocates nothing.

use std::sync::Arc;

use chainrule_optim::{ParamKind, Real, Step, Update, UpdateRule, Whole};
use chainrule_tensor::{CountingAllocator, Seed};

use crate::cases::{Case, every_case};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

const SIZE: usize = 37;

/// Parameters and state.
#[derive(Clone)]
struct Memory<T> {
    params: Vec<T>,
    state: Vec<T>,
}

impl<T: Real> Memory<T> {
    fn new(optimizer: &dyn UpdateRule<T>) -> Self {
        let mut params: Vec<T> = (0..SIZE).map(|i| T::of(f64::from(i as u32) / 10.0 - 1.0)).collect();
        let mut state = vec![T::zero(); optimizer.slots() * SIZE];
        optimizer.start(Update::new(Step::default(), ParamKind::Weight, &mut params, &mut [], &mut state));
        Self { params, state }
    }

    fn bits(&self) -> Vec<u64> {
        self.params.iter().chain(&self.state).map(|value| value.as_f64().to_bits()).collect()
    }
}

fn gradients<T: Real>(step: u64) -> Vec<T> {
    let mut rng = Seed(2).child(step).rng();
    (0..SIZE).map(|_| T::of(rng.normal())).collect()
}

/// A step, with the parameters in this many parts of as many threads.
fn take_step<T: Real>(optimizer: &dyn UpdateRule<T>, index: u64, memory: &mut Memory<T>, threads: usize) {
    let step = Step::from(index);
    let mut grads = gradients(index);
    if optimizer.needs_all_gradients() {
        optimizer.transform_all(Whole::new(step, &mut grads));
    }
    let Memory { params, state } = memory;
    let len = SIZE.div_ceil(threads);
    let slots = optimizer.slots();
    // The state of each part, slot after slot.
    let mut parts: Vec<Vec<T>> = (0..SIZE)
        .step_by(len)
        .map(|start| {
            let end = SIZE.min(start + len);
            (0..slots).flat_map(|slot| state[slot * SIZE..][start..end].to_vec()).collect()
        })
        .collect();
    std::thread::scope(|scope| {
        for ((params, grads), state) in params.chunks_mut(len).zip(grads.chunks_mut(len)).zip(&mut parts) {
            scope.spawn(move || optimizer.update(Update::new(step, ParamKind::Weight, params, grads, state)));
        }
    });
    for (index, part) in parts.into_iter().enumerate() {
        let len_of_part = part.len() / slots.max(1);
        for slot in 0..slots {
            let values = &part[slot * len_of_part..][..len_of_part];
            state[slot * SIZE + index * len..][..len_of_part].copy_from_slice(values);
        }
    }
}

fn runs_equal<T: Real>() {
    for Case { name, make, rates } in every_case::<T>() {
        let optimizer = || make(Arc::new(rates[0]));
        let first = optimizer();
        let mut memory = Memory::new(&*first);
        let mut on_threads = memory.clone();
        for step in 0..10 {
            take_step(&*first, step, &mut memory, 1);
            take_step(&*first, step, &mut on_threads, 2);
        }
        assert_eq!(on_threads.bits(), memory.bits(), "{name} in {} on two threads", T::NAME);
        // What was saved is restored by another program: the same description, and other memory.
        let mut restored = memory.clone();
        let second = optimizer();
        for step in 10..20 {
            take_step(&*first, step, &mut memory, 1);
            take_step(&*second, step, &mut restored, 1);
        }
        assert_eq!(restored.bits(), memory.bits(), "{name} in {} after a restart", T::NAME);
    }
}

#[test]
fn threads_and_restarts_give_the_same_bits() {
    runs_equal::<f32>();
    runs_equal::<f64>();
}

#[test]
fn a_step_allocates_nothing() {
    for case in every_case::<f32>() {
        let optimizer = case.with_rate(case.rates[0]);
        let Memory { mut params, mut state } = Memory::new(&*optimizer);
        let mut grads = gradients(0);
        let mut counts = [0; 3];
        for (step, count) in (0..).map(Step::from).zip(&mut counts) {
            let before = ALLOCATOR.allocations_of_this_thread();
            optimizer.check_step(step).unwrap();
            optimizer.transform_all(Whole::new(step, &mut grads));
            optimizer.update(Update::new(step, ParamKind::Weight, &mut params, &mut grads, &mut state));
            *count = ALLOCATOR.allocations_of_this_thread() - before;
        }
        assert_eq!(counts, [0; 3], "{}", case.name);
    }
}
