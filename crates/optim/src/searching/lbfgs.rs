use std::sync::Arc;

use chainrule_core::{Range, describe, described, setting_words};
use chainrule_tensor::each;

use super::wolfe::{self, Line, Point};
use crate::setters::setters;
use crate::{Optimizer, Real, Schedule, Update, UpdateRule, Whole, vector};

/// How [`Lbfgs`] finds out how far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineSearch {
    /// It does not: it goes as far as the learning rate says.
    Fixed,
    /// Until the loss has decreased enough and the slope is small enough.
    StrongWolfe,
}

setting_words! { LineSearch { Fixed = "none", StrongWolfe = "strong_wolfe" } }

/// L-BFGS (Liu and Nocedal 1989): Newton's method, with the inverse of the second derivatives estimated from the last steps.
///
/// ```text
/// y = g - g',  s = p - p'         of the last steps, up to their number m
/// d = -H g                        by the two loops over these, from H₀ = ⟨s, y⟩ / ⟨y, y⟩
/// p ← p + t d                     t by a search along d, or η
/// ```
///
/// It is for whole data sets as a single batch: noise in the gradient spoils its estimate. Each step takes up to `max_iter` of these
/// iterations on its batch, and evaluates it up to `max_eval` times. It has all parameters, so it is no member of a group with others.
///
/// The formulas, tolerances and limits are those of PyTorch's `LBFGS`. Two defaults differ: the search is by the strong Wolfe conditions,
/// and 10 steps are remembered, not 100, since their memory, twice the parameters for each, is allocated at the start. The preset `pytorch`
/// has PyTorch's.
#[derive(Clone, Debug)]
pub struct Lbfgs {
    rate: Arc<dyn Schedule>,
    max_iter: usize,
    max_eval: Option<usize>,
    tolerance_grad: f64,
    tolerance_change: f64,
    history: usize,
    search: LineSearch,
}

describe! {
    /// Newton's method with second derivatives estimated from the last steps; for whole data sets.
    Lbfgs = "lbfgs";
    aliases ["l_bfgs"];
    formula "p ← p - t H g";
    source "Liu and Nocedal 1989; Nocedal and Wright 2006, algorithms 3.5, 3.6 and 7.4";
    settings {
        /// The learning rate η: the first step that is tried, or the step.
        rate as "lr" ("learning_rate"): 1.0;
        /// The maximum number of iterations in a step.
        max_iter: 20, Range::AT_LEAST_ONE;
        /// The maximum number of evaluations in a step; `none` is 1.25 times that of iterations.
        max_eval: none, Range::AT_LEAST_ONE;
        /// A largest gradient up to this is 0.
        tolerance_grad: 1e-7, Range::NOT_NEGATIVE;
        /// A change of the loss, or of the parameters, below this is none.
        tolerance_change: 1e-9, Range::NOT_NEGATIVE;
        /// The number of steps that are remembered, m.
        history as "history_size" ("memory_size"): 10, Range::AT_LEAST_ONE;
        /// How the length of a step is found: `strong_wolfe`, or `"none"` for η.
        search as "line_search_fn": strong_wolfe;
    }
    presets { pytorch { history_size = 100, line_search_fn = "none" } }
}

/// L-BFGS with a search by the strong Wolfe conditions, which first tries this learning rate; 1 is best.
pub fn lbfgs(rate: impl Schedule + 'static) -> Lbfgs {
    Lbfgs {
        rate: Arc::new(rate),
        max_iter: 20,
        max_eval: None,
        tolerance_grad: 1e-7,
        tolerance_change: 1e-9,
        history: 10,
        search: LineSearch::StrongWolfe,
    }
}

setters! { Lbfgs;
    /// The maximum number of iterations in a step.
    max_iter(iterations: usize) => max_iter = iterations;
    /// The maximum number of evaluations in a step.
    max_eval(evaluations: usize) => max_eval = Some(evaluations);
    /// A largest gradient, and a change, up to which these are none.
    tolerances(gradient: f64, change: f64) => tolerance_grad = gradient, tolerance_change = change;
    /// The number of steps that are remembered.
    history(steps: usize) => history = steps;
    /// How the length of a step is found.
    line_search(search: LineSearch) => search = search;
}

/// The vectors of all parameters that the slots have, before the history.
const START: usize = 0;
const DIRECTION: usize = 1;
const LAST_GRADIENT: usize = 2;
const KEPT_GRADIENT: usize = 3;
const HISTORY: usize = 4;

/// The numbers of the state before `1 / ⟨y, s⟩` of the history.
const ITERATIONS: usize = 0;
const LENGTH: usize = 1;
const REMEMBERED: usize = 2;
const SCALE: usize = 3;
const RECIPROCALS: usize = 4;

/// A vector over all parameters.
#[derive(Clone, Copy)]
enum Over {
    Params,
    Gradient,
    Slot(usize),
}

/// The values of a vector in a part.
fn values<'a, T>(pass: &'a Update<'_, T>, over: Over) -> &'a [T] {
    let len = pass.params.len();
    match over {
        Over::Params => pass.params,
        Over::Gradient => pass.grads,
        Over::Slot(slot) => &pass.state[slot * len..(slot + 1) * len],
    }
}

/// The inner product of two vectors, in double precision.
fn dot<T: Real>(whole: &mut Whole<'_, T>, a: Over, b: Over) -> f64 {
    let mut sum = 0.0;
    whole.for_each(|pass| {
        let mut lanes = [0.0f64; 8];
        let (a, b) = (values(&pass, a).chunks(8), values(&pass, b).chunks(8));
        for (a, b) in a.zip(b) {
            let terms = a.iter().zip(b).map(|(a, b)| a.as_f64() * b.as_f64());
            lanes.iter_mut().zip(terms).for_each(|(lane, term)| *lane += term);
        }
        sum += lanes.iter().sum::<f64>();
    });
    sum
}

/// The largest absolute value of a vector.
fn largest<T: Real>(whole: &mut Whole<'_, T>, of: Over) -> f64 {
    let mut largest = 0.0;
    whole.for_each(|pass| {
        largest = vector::larger_or_nan(largest, vector::largest(values(&pass, of)).as_f64())
    });
    largest
}

/// The sum of the absolute values of the gradient.
fn size_of_gradient<T: Real>(whole: &mut Whole<'_, T>) -> f64 {
    let mut sum = 0.0;
    whole.for_each(|pass| sum += pass.grads.iter().map(|g| g.as_f64().abs()).sum::<f64>());
    sum
}

/// `slot ← a slot + b x`; with a = 0, what was in the slot does not matter.
fn combine<T: Real>(whole: &mut Whole<'_, T>, slot: usize, [a, b]: [f64; 2], x: Over) {
    let [keep, add] = [a, b].map(T::of);
    whole.for_each(|Update { params, grads, state, .. }| {
        let len = params.len();
        let at = |slot: usize| slot * len..(slot + 1) * len;
        if let Over::Slot(other) = x
            && other == slot
        {
            let y = &mut state[at(slot)];
            let factor = keep + add;
            return each!(y = factor * y);
        }
        let (y, x): (&mut [T], &[T]) = match x {
            Over::Params => (&mut state[at(slot)], &*params),
            Over::Gradient => (&mut state[at(slot)], &*grads),
            Over::Slot(other) if other < slot => {
                let (first, second) = state.split_at_mut(slot * len);
                (&mut second[..len], &first[at(other)])
            }
            Over::Slot(other) => {
                let (first, second) = state.split_at_mut(other * len);
                (&mut first[at(slot)], &second[..len])
            }
        };
        if a == 0.0 {
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = add * x);
        } else {
            each!(y = |x| keep * y + add * x);
        }
    });
}

/// The line from the start along the direction.
struct Search<'w, 'a, T: Real>(&'w mut Whole<'a, T>);

impl<T: Real> Search<'_, '_, T> {
    /// Moves the parameters to a point of the line.
    fn go(&mut self, t: f64) {
        let t = T::of(t);
        self.0.for_each(|pass| {
            let (p, _, [start, d]) = pass.split();
            let [start, d] = [&*start, &*d];
            each!(p = |start, d| start + t * d);
        });
    }
}

impl<T: Real> Line for Search<'_, '_, T> {
    fn evaluate(&mut self, t: f64) -> Point {
        self.go(t);
        let loss = self.0.evaluate();
        Point { t, loss, slope: dot(self.0, Over::Gradient, Over::Slot(DIRECTION)) }
    }

    fn keep(&mut self) {
        combine(self.0, KEPT_GRADIENT, [0.0, 1.0], Over::Gradient);
    }

    fn keep_start(&mut self) {
        combine(self.0, KEPT_GRADIENT, [0.0, 1.0], Over::Slot(LAST_GRADIENT));
    }
}

impl Lbfgs {
    /// Where the y and the s of a step are.
    fn slots_of(&self, step: usize) -> [usize; 2] {
        let first = HISTORY + 2 * (step % self.history);
        [first, first + 1]
    }

    /// Remembers the last step, if the loss is curved upward along it.
    fn remember<T: Real>(&self, whole: &mut Whole<'_, T>) {
        let count = whole.numbers[REMEMBERED] as usize;
        let [y, s] = self.slots_of(count);
        let length = whole.numbers[LENGTH];
        // Where nothing is remembered, what was in the slots would be the oldest step: so the products come first.
        let along = |whole: &mut Whole<'_, T>, x| dot(whole, x, Over::Slot(DIRECTION));
        let curved = length * (along(whole, Over::Gradient) - along(whole, Over::Slot(LAST_GRADIENT)));
        if curved <= 1e-10 {
            return;
        }
        combine(whole, y, [0.0, 1.0], Over::Gradient);
        combine(whole, y, [1.0, -1.0], Over::Slot(LAST_GRADIENT));
        combine(whole, s, [0.0, length], Over::Slot(DIRECTION));
        let curved = dot(whole, Over::Slot(y), Over::Slot(s));
        let square = dot(whole, Over::Slot(y), Over::Slot(y));
        whole.numbers[RECIPROCALS + count % self.history] = 1.0 / curved;
        whole.numbers[SCALE] = curved / square;
        whole.numbers[REMEMBERED] += 1.0;
    }

    /// `d = -H g` by the two loops.
    fn direction<T: Real>(&self, whole: &mut Whole<'_, T>) {
        combine(whole, DIRECTION, [0.0, -1.0], Over::Gradient);
        let end = whole.numbers[REMEMBERED] as usize;
        let steps = end.saturating_sub(self.history)..end;
        let reciprocal = |whole: &Whole<'_, T>, step: usize| whole.numbers[RECIPROCALS + step % self.history];
        for step in steps.clone().rev() {
            let [y, s] = self.slots_of(step);
            let alpha = reciprocal(whole, step) * dot(whole, Over::Slot(s), Over::Slot(DIRECTION));
            whole.numbers[RECIPROCALS + self.history + step % self.history] = alpha;
            combine(whole, DIRECTION, [1.0, -alpha], Over::Slot(y));
        }
        let scale = whole.numbers[SCALE];
        combine(whole, DIRECTION, [0.0, scale], Over::Slot(DIRECTION));
        for step in steps {
            let [y, s] = self.slots_of(step);
            let beta = reciprocal(whole, step) * dot(whole, Over::Slot(y), Over::Slot(DIRECTION));
            let alpha = whole.numbers[RECIPROCALS + self.history + step % self.history];
            combine(whole, DIRECTION, [1.0, alpha - beta], Over::Slot(s));
        }
    }
}

impl Optimizer for Lbfgs {
    described!(check_settings);

    fn slots(&self) -> usize {
        HISTORY + 2 * self.history
    }

    fn numbers(&self) -> usize {
        RECIPROCALS + 2 * self.history
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn evaluates_again(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Lbfgs {
    fn advance(&self, step: crate::Step, numbers: &mut [f64]) {
        if step.is_first() {
            numbers[SCALE] = 1.0;
        }
    }

    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let whole = &mut whole;
        let rate = self.rate.rate(whole.step);
        let max_eval = self.max_eval.unwrap_or(self.max_iter * 5 / 4);
        let mut loss = whole.loss;
        let mut evaluations = 1;
        let is_flat = |whole: &mut Whole<'_, T>| largest(whole, Over::Gradient) <= self.tolerance_grad;
        if is_flat(whole) {
            return;
        }
        for iteration in 1..=self.max_iter {
            whole.numbers[ITERATIONS] += 1.0;
            let is_first = whole.numbers[ITERATIONS] == 1.0;
            if is_first {
                combine(whole, DIRECTION, [0.0, -1.0], Over::Gradient);
            } else {
                self.remember(whole);
                self.direction(whole);
            }
            combine(whole, LAST_GRADIENT, [0.0, 1.0], Over::Gradient);
            let before = loss;
            let mut t = rate;
            if is_first {
                t *= (1.0 / size_of_gradient(whole)).min(1.0);
            }
            let slope = dot(whole, Over::Gradient, Over::Slot(DIRECTION));
            whole.numbers[LENGTH] = t;
            if slope > -self.tolerance_change {
                break;
            }
            combine(whole, START, [0.0, 1.0], Over::Params);
            let length = largest(whole, Over::Slot(DIRECTION));
            match self.search {
                LineSearch::StrongWolfe => {
                    let start = Point { t: 0.0, loss, slope };
                    let tries = max_eval.saturating_sub(evaluations);
                    let limits = [length, self.tolerance_change];
                    let (point, more) = wolfe::search(&mut Search(whole), start, t, limits, tries);
                    evaluations += more;
                    Search(whole).go(point.t);
                    whole.for_each(|pass| {
                        let len = pass.params.len();
                        pass.grads
                            .copy_from_slice(&pass.state[KEPT_GRADIENT * len..(KEPT_GRADIENT + 1) * len]);
                    });
                    t = point.t;
                    loss = point.loss;
                }
                LineSearch::Fixed => {
                    Search(whole).go(t);
                    if iteration < self.max_iter {
                        // After the last iteration there is no use for it.
                        loss = whole.evaluate();
                        evaluations += 1;
                    }
                }
            }
            whole.numbers[LENGTH] = t;
            let no_progress = length * t.abs() <= self.tolerance_change
                || (loss - before).abs() < self.tolerance_change
                || !loss.is_finite();
            if evaluations >= max_eval || no_progress || is_flat(whole) {
                break;
            }
        }
    }

    fn update(&self, _: Update<'_, T>) {}
}
