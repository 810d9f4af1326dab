//! What both have in common: they keep all that they remember in the state, allocate nothing, and stay finite whatever the gradients are.

use chainrule_core::SettingError;
use chainrule_optim::{
    Graft, Optimizer, ParamKind, Parameter, Real, Step, Stepper, Update, UpdateRule, sgd, shampoo, soap,
};
use chainrule_tensor::Seed;

use crate::cases::every_case;
use crate::{ALLOCATOR, parameter};

/// A parameter with its state.
#[derive(Clone)]
struct Memory<T> {
    parameter: Parameter,
    params: Vec<T>,
    state: Vec<T>,
    extra: Vec<T>,
    scratch: Vec<T>,
}

impl<T: Real> Memory<T> {
    fn new(optimizer: &dyn UpdateRule<T>, parameter: Parameter) -> Self {
        let mut memory = Self {
            params: (0..parameter.shape.size()).map(|i| T::of((i as f64).cos())).collect(),
            state: vec![T::zero(); optimizer.slots() * parameter.shape.size()],
            extra: vec![T::zero(); optimizer.extra(&parameter)],
            scratch: vec![T::zero(); optimizer.scratch(&parameter)],
            parameter,
        };
        optimizer.start(memory.update(0, &mut []));
        memory
    }

    fn update<'a>(&'a mut self, step: u64, grads: &'a mut [T]) -> Update<'a, T> {
        let Self { parameter, params, state, extra, scratch } = self;
        let update = Update::new(Step::from(step), parameter.kind, params, grads, state);
        Update { parameter: Some(parameter), extra, scratch, ..update }
    }

    fn step(&mut self, optimizer: &dyn UpdateRule<T>, step: u64) {
        let mut rng = Seed(9).child(step).rng();
        let mut grads: Vec<T> = self.params.iter().map(|_| T::of(rng.normal())).collect();
        optimizer.update(self.update(step, &mut grads));
    }

    fn bits(&self) -> Vec<u64> {
        let all = self.params.iter().chain(&self.state).chain(&self.extra);
        all.map(|value| value.as_f64().to_bits()).collect()
    }
}

/// Shapes of all sorts, some of them without any axis that has a matrix.
fn shapes() -> Vec<Parameter> {
    let shapes: [(&str, &[usize]); 8] = [
        ("weight", &[6, 4]),
        ("bias", &[5]),
        ("kernel.weight", &[3, 2, 1, 2]),
        ("row.weight", &[1, 9]),
        ("scale", &[1]),
        ("number", &[]),
        ("nothing.weight", &[0, 3]),
        ("no columns.weight", &[4, 0]),
    ];
    shapes.map(|(name, shape)| parameter(name, shape)).into()
}

/// The cases, and those that have no reference because a basis is not unique.
fn optimizers<T: Real>() -> Vec<(&'static str, Box<dyn UpdateRule<T>>)> {
    let mut cases = every_case();
    cases.push(("soap, vectors", Box::new(soap(0.01).every(3).precondition_vectors())));
    cases.push(("soap, no axes", Box::new(soap(0.01).max_size(1))));
    cases.push(("shampoo, no axes", Box::new(shampoo(0.01).max_size(1).graft(Graft::Adagrad))));
    cases
}

fn runs_equal<T: Real>() {
    for ((name, optimizer), (_, other)) in optimizers::<T>().iter().zip(optimizers()) {
        for parameter in shapes() {
            let mut memory = Memory::new(&**optimizer, parameter);
            (0..17).for_each(|step| memory.step(&**optimizer, step));
            // What was saved is restored by another program: the same description, on another thread, with other scratch memory.
            let mut restored = memory.clone();
            restored.scratch.fill(T::nan());
            (17..40).for_each(|step| memory.step(&**optimizer, step));
            std::thread::scope(|scope| {
                scope.spawn(|| (17..40).for_each(|step| restored.step(&*other, step)));
            });
            let what = &memory.parameter.shape;
            assert_eq!(restored.bits(), memory.bits(), "{name} of {what} in {}", T::NAME);
        }
    }
}

#[test]
fn a_restart_changes_no_bit() {
    runs_equal::<f32>();
    runs_equal::<f64>();
}

/// The value of a gradient in a step, at a place.
type Gradient = fn(u64, usize) -> f64;

fn gradients_that_say_little() -> [(&'static str, Gradient); 8] {
    [
        ("zeros", |_, _| 0.0),
        ("zeros at first", |step, at| if step < 15 { 0.0 } else { (step as f64 * at as f64).sin() }),
        ("zeros at last", |step, at| if step < 5 { (1.0 + at as f64).sin() } else { 0.0 }),
        ("equal", |_, _| 1.0),
        ("one value", |_, at| f64::from(u8::from(at == 1))),
        ("of rank 1", |step, at| (1 + at / 4) as f64 * (step as f64 + (at % 4) as f64).sin()),
        ("tiny", |step, at| 1e-25 * (step as f64 + at as f64).sin()),
        ("huge", |step, at| 1e15 * (step as f64 + at as f64).sin()),
    ]
}

fn stays_finite<T: Real>() {
    for (name, optimizer) in optimizers::<T>() {
        for parameter in shapes() {
            for (of, gradient) in gradients_that_say_little() {
                let mut memory = Memory::new(&*optimizer, parameter.clone());
                for step in 0..35 {
                    let before = memory.params.clone();
                    let mut grads: Vec<T> = (0..before.len()).map(|at| T::of(gradient(step, at))).collect();
                    optimizer.update(memory.update(step, &mut grads));
                    let what = format!("{name} of {} with {of} in {}, step {step}", parameter.shape, T::NAME);
                    let all = memory.params.iter().chain(&memory.state).chain(&memory.extra);
                    assert!(all.into_iter().all(|value| value.is_finite()), "{what}");
                    if of == "zeros" && parameter.kind == ParamKind::Bias {
                        assert_eq!(memory.params, before, "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn gradients_that_say_little_do_no_harm() {
    stays_finite::<f32>();
    stays_finite::<f64>();
}

/// Gradients that overflow leave a sum that has no root: the last one stays, and nothing panics.
#[test]
fn sums_that_are_not_finite_have_no_root() {
    for optimizer in [Box::new(shampoo(0.1).every(1)) as Box<dyn UpdateRule<f32>>, Box::new(soap(0.1))] {
        let mut memory = Memory::new(&*optimizer, parameter("weight", &[3, 3]));
        for step in 0..12 {
            optimizer.update(memory.update(step, &mut [1e30; 9]));
        }
    }
}

/// Without a BLAS, each product of matrices allocates once; nothing else does.
#[test]
fn a_step_allocates_nothing_but_for_products() {
    let matrix = || parameter("weight", &[7, 5]);
    let cases: [(Box<dyn UpdateRule<f32>>, u64); 3] = [
        // The sums, the roots, the gradient.
        (Box::new(shampoo(0.1).every(1).momentum(0.9).graft(Graft::Adagrad)), 6),
        (Box::new(soap(0.1).every(100)), 6),
        // The gradient into the basis and back, the sums, the momentum out of the basis, the bases, and back.
        (Box::new(soap(0.1).every(1)), 12),
    ];
    for (optimizer, products) in cases {
        let mut memory = Memory::new(&*optimizer, matrix());
        let mut grads = [0.0; 35];
        let mut counts = [0; 5];
        for (step, count) in (0..).zip(&mut counts) {
            grads.iter_mut().enumerate().for_each(|(at, g)| *g = ((step + 1) as f32 * at as f32).sin());
            let before = ALLOCATOR.allocations_of_this_thread();
            optimizer.update(memory.update(step, &mut grads));
            *count = ALLOCATOR.allocations_of_this_thread() - before;
        }
        assert!(counts.iter().all(|&count| count <= products), "{optimizer:?}: {counts:?}");
    }
}

#[test]
fn an_axis_above_the_maximum_has_no_matrix() {
    let [wide, larger] = [[3, 2000], [1025, 2000]].map(|shape| parameter("weight", &shape));
    let vector = parameter("bias", &[9]);
    assert_eq!([&wide, &larger, &vector].map(|parameter| shampoo(0.1).extra(parameter)), [18, 0, 162]);
    assert_eq!(
        [&wide, &larger, &vector].map(|parameter| soap(0.1).max_size(1024).extra(parameter)),
        [18, 0, 0]
    );
    assert_eq!(soap(0.1).precondition_vectors().extra(&vector), 162);
    // Without any, Shampoo is SGD.
    let parameter = parameter("weight", &[3, 2]);
    let start = [0.5f64, -1.0, 2.0, 0.0, 3.0, 0.1];
    let mut found = [start; 2];
    let mut plain =
        Stepper::with_parameters(sgd(0.1).momentum(0.9), vec![parameter.clone()], &start).unwrap();
    let without = shampoo(0.1).momentum(0.9).max_size(1);
    let mut without = Stepper::with_parameters(without, vec![parameter], &start).unwrap();
    for step in 0..5 {
        let mut grads = start.map(|p| (p + f64::from(step)).sin());
        plain.step(&mut found[0], &mut grads.clone());
        without.step(&mut found[1], &mut grads);
    }
    assert!(found[0].iter().zip(found[1]).all(|(a, b)| (a - b).abs() < 1e-14), "{found:?}");
}

/// With a gradient `U S Vᵀ` alone, the sums are `U S² Uᵀ` and `V S² Vᵀ`: so the first step is `U Vᵀ`.
#[test]
fn the_first_step_of_shampoo_is_orthogonal() {
    let mut params = vec![0.0f64; 24];
    let optimizer = shampoo(1.0).epsilon(1e-13);
    let mut stepper =
        Stepper::with_parameters(optimizer, vec![parameter("weight", &[6, 4])], &params).unwrap();
    let mut grads: Vec<f64> = (0..24).map(|i| f64::from(i * i % 11) - 4.0).collect();
    stepper.step(&mut params, &mut grads);
    for i in 0..4 {
        for j in 0..4 {
            let product: f64 = (0..6).map(|row| params[4 * row + i] * params[4 * row + j]).sum();
            let right = if i == j { 1.0 } else { 0.0 };
            assert!((product - right).abs() < 1e-10, "{i} {j}: {product}");
        }
    }
}

#[test]
fn settings_that_cannot_work() {
    let wrong: Vec<Box<dyn UpdateRule<f32>>> = vec![
        Box::new(shampoo(f64::NAN)),
        Box::new(shampoo(-0.1)),
        Box::new(shampoo(0.1).momentum(1.0)),
        Box::new(shampoo(0.1).nesterov()),
        Box::new(shampoo(0.1).weight_decay(-1.0)),
        Box::new(shampoo(0.1).beta(1.1)),
        Box::new(shampoo(0.1).beta(f64::NAN)),
        Box::new(shampoo(0.1).epsilon(0.0)),
        Box::new(shampoo(0.1).epsilon(1e-60)), // 0 in f32
        Box::new(shampoo(0.1).every(0)),
        Box::new(shampoo(0.1).max_size(0)),
        Box::new(soap(f64::INFINITY)),
        Box::new(soap(0.1).betas(1.0, 0.9)),
        Box::new(soap(0.1).betas(0.9, -0.1)),
        Box::new(soap(0.1).shampoo_beta(1.0)),
        Box::new(soap(0.1).epsilon(0.0)),
        Box::new(soap(0.1).epsilon(1e-60)),
        Box::new(soap(0.1).weight_decay(f64::NAN)),
        Box::new(soap(0.1).every(0)),
        Box::new(soap(0.1).max_size(0)),
    ];
    for optimizer in wrong {
        let error = optimizer.validate().unwrap_err();
        assert!(matches!(error, SettingError::Range { .. } | SettingError::Conflict { .. }), "{error}");
    }
}
