use chainrule_core::{
    Described, DescriptionError, Entry, Range, SettingValue, Settings, Value, described, entry,
};
use chainrule_tensor::each;

use super::sum_of;
use crate::{
    Before, Optimizer, Parameter, Real, Schedule, SettingError, Step, Update, UpdateRule, Whole, vector,
};

/// How many learners of the scale there are, with the decay rates `1 - 0.1^i`.
const LEARNERS: usize = 6;

/// The numbers of the state: for each learner r, m, v and s, then the sums of s before and after the step.
const NUMBERS: usize = 4 * LEARNERS + 2;

/// Mechanic (Cutkosky, Defazio and Mehta 2023): learns by how much the steps of another optimizer are to be scaled.
///
/// ```text
/// Δ = (p₀ - p) / (Σ s + ε)               u: the step of the optimizer
/// h = ⟨g + λ Σ s ‖g‖ / (‖p‖ + ε) p, Δ⟩
/// for each of six learners, with β = 0.9, 0.99, ...:
///     h' = clip(h, -m, m);   m ← max(β m, |h| + ε);   v ← β² v + h²;   r ← β r + h' s
///     s ← (s₀ / 6 m + max(0, r)) / (√v + ε)
/// p ← p₀ - Σ s (Δ - u)
/// ```
///
/// `mechanic(adam(1e-3))`. Defaults are optax': λ 0.01, ε 1e-8, s₀ 1e-6. The sums are over all parameters.
#[derive(Debug)]
pub struct Mechanic<T: Real> {
    optimizer: Box<dyn UpdateRule<T>>,
    decay: f64,
    epsilon: f64,
    start: f64,
}

/// This optimizer, with its steps scaled by what Mechanic learns.
pub fn mechanic<T: Real>(optimizer: impl UpdateRule<T> + 'static) -> Mechanic<T> {
    Mechanic { optimizer: Box::new(optimizer), decay: 1e-2, epsilon: 1e-8, start: 1e-6 }
}

impl<T: Real> Mechanic<T> {
    /// The weight decay λ.
    #[must_use]
    pub fn weight_decay(self, decay: f64) -> Self {
        Self { decay, ..self }
    }

    /// The term ε of the denominators.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// The first scale, s₀.
    #[must_use]
    pub fn first_scale(self, scale: f64) -> Self {
        Self { start: scale, ..self }
    }

    /// What this has of the state before that of the optimizer.
    const BEFORE: Before<'static> = Before { slots: 2, numbers: NUMBERS, extra: &|_| 0 };

    /// Calls `work` with what the optimizer sees of an update.
    fn inner(&self, pass: Update<'_, T>, work: impl FnOnce(&dyn UpdateRule<T>, Update<'_, T>)) {
        let Update { params, state, numbers, .. } = pass;
        let state = &mut state[2 * params.len()..];
        let numbers = numbers.get(NUMBERS..).unwrap_or_default();
        work(&*self.optimizer, Update { params, state, numbers, ..pass });
    }
}

impl<T: Real> Optimizer for Mechanic<T> {
    described!(check_settings);

    fn slots(&self) -> usize {
        2 + self.optimizer.slots()
    }

    fn extra(&self, parameter: &Parameter) -> usize {
        self.optimizer.extra(parameter)
    }

    fn numbers(&self) -> usize {
        NUMBERS + self.optimizer.numbers()
    }

    fn scratch(&self, parameter: &Parameter) -> usize {
        self.optimizer.scratch(parameter)
    }

    fn needs_factors(&self) -> bool {
        self.optimizer.needs_factors()
    }

    fn factor_scratch(&self, parameter: &Parameter) -> usize {
        self.optimizer.factor_scratch(parameter)
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn evaluates_again(&self) -> bool {
        self.optimizer.evaluates_again()
    }

    fn averages(&self) -> bool {
        self.optimizer.averages()
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        self.optimizer.schedules(visit);
    }

    fn check_parameters(&self, parameters: &[Parameter]) -> Result<(), SettingError> {
        self.optimizer.check_parameters(parameters)
    }
}

impl<T: Real> UpdateRule<T> for Mechanic<T> {
    fn start(&self, mut pass: Update<'_, T>) {
        self.inner(pass.reborrow(), |optimizer, pass| optimizer.start(pass));
        let (p, _, [start, _]) = pass.split();
        start.copy_from_slice(p);
    }

    fn advance(&self, step: Step, numbers: &mut [f64]) {
        let (own, others) = numbers.split_at_mut(NUMBERS);
        if step.is_first() {
            own[3 * LEARNERS..4 * LEARNERS].fill(self.start);
        }
        self.optimizer.advance(step, others);
    }

    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let [mut params, mut grads] = [0.0; 2];
        whole.for_each(|Update { params: p, grads: g, .. }| {
            params += vector::sum_squares(p);
            grads += vector::sum_squares(g);
        });
        let before: f64 = whole.numbers[3 * LEARNERS..4 * LEARNERS].iter().sum();
        let decay = self.decay * before * grads.sqrt() / (params.sqrt() + self.epsilon);
        let mut h = 0.0;
        whole.for_each(|pass| {
            let (p, grads, [start, _]) = pass.split::<2>();
            let way = sum_of(start, p, |start, p| (start - p) * p);
            let along = start.iter().zip(&*p).zip(grads);
            h += along.map(|((start, p), g)| g.as_f64() * (start.as_f64() - p.as_f64())).sum::<f64>();
            h += decay * way;
        });
        let h = h / (before + self.epsilon);
        let (learners, sums) = whole.numbers[..NUMBERS].split_at_mut(4 * LEARNERS);
        let mut after = 0.0;
        for index in 0..LEARNERS {
            let beta = 1.0 - 0.1f64.powi(index as i32 + 1);
            let [mut r, mut m, mut v, mut s] = [0, 1, 2, 3].map(|row| learners[row * LEARNERS + index]);
            let clipped = h.clamp(-m, m);
            m = (beta * m).max(h.abs() + self.epsilon);
            v = beta * beta * v + h * h;
            r = beta * r + clipped * s;
            s = (self.start / LEARNERS as f64 * m + r.max(0.0)) / (v.sqrt() + self.epsilon);
            [r, m, v, s]
                .into_iter()
                .enumerate()
                .for_each(|(row, new)| learners[row * LEARNERS + index] = new);
            after += s;
        }
        sums.copy_from_slice(&[before, after]);
        if self.optimizer.needs_all_gradients() {
            whole.stage(&self.optimizer, Self::BEFORE, |whole| self.optimizer.transform_all(whole));
        }
    }

    fn update(&self, mut pass: Update<'_, T>) {
        let &[before, after] = &pass.numbers[4 * LEARNERS..NUMBERS] else { return };
        let [before, after] = [before + self.epsilon, after].map(T::of);
        {
            let (p, _, [start, delta]) = pass.reborrow().split::<2>();
            let [p, start] = [&*p, &*start];
            each!(delta = |p, start| (start - p) / before + p);
        }
        self.inner(pass.reborrow(), |optimizer, pass| optimizer.update(pass));
        let (p, _, [start, delta]) = pass.split();
        let [start, delta] = [&*start, &*delta];
        each!(p = |start, delta| start - after * (delta - p));
    }

    fn average(&self, pass: Update<'_, T>) {
        self.inner(pass, |optimizer, pass| optimizer.average(pass));
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        self.optimizer.validate()
    }
}

impl<T: Real> Described for Mechanic<T> {
    const ENTRY: Entry = entry! {
        /// Learns by how much the steps of another optimizer are to be scaled.
        Mechanic = "mechanic";
        aliases ["mechanize"];
        formula "p ← p₀ - Σ s (Δ - u), Δ = (p₀ - p) / Σ s, with the optimizer's step u";
        source "Cutkosky, Defazio and Mehta 2023, algorithm 1";
        settings {
            /// The optimizer.
            optimizer: required;
            /// The weight decay λ.
            decay as "weight_decay": 0.01, Range::NOT_NEGATIVE;
            /// The term ε of the denominators.
            epsilon as "eps": 1e-8, Range::POSITIVE;
            /// The first scale, s₀.
            start as "s_init": 1e-6, Range::POSITIVE;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self {
            optimizer: settings.get("optimizer")?,
            decay: settings.get("weight_decay")?,
            epsilon: settings.get("eps")?,
            start: settings.get("s_init")?,
        })
    }

    fn setting_values(&self) -> Vec<Value> {
        let &Self { decay, epsilon, start, .. } = self;
        vec![self.optimizer.to_value(), decay.to_value(), epsilon.to_value(), start.to_value()]
    }
}
