//! A search along a line for a point that meets the strong Wolfe conditions (Nocedal and Wright 2006, algorithms 3.5 and 3.6),
//! with the interpolations of Torch.

/// A point of the line: how far it is, the loss, and the slope.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) t: f64,
    pub(super) loss: f64,
    pub(super) slope: f64,
}

/// How much the loss must decrease, relative to the slope at the start.
const DECREASE: f64 = 1e-4;

/// How small the slope must become, relative to that at the start.
const CURVATURE: f64 = 0.9;

/// What the search does to the memory of gradients.
pub(super) trait Line {
    /// Evaluates the point at `t`. Its gradient is the latest.
    fn evaluate(&mut self, t: f64) -> Point;

    /// Keeps the latest gradient: it belongs to the best point so far.
    fn keep(&mut self);

    /// The best point so far is the start.
    fn keep_start(&mut self);
}

/// Where a cubic through two points, with their slopes, has its minimum, between `low` and `high`.
fn cubic_minimum(a: Point, b: Point, low: f64, high: f64) -> f64 {
    let (first, second) = if a.t <= b.t { (a, b) } else { (b, a) };
    let d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.t - b.t);
    let square = d1 * d1 - a.slope * b.slope;
    let middle = 0.5 * (low + high);
    if square < 0.0 || !square.is_finite() {
        return middle;
    }
    let d2 = square.sqrt();
    let way = second.t - first.t;
    let minimum = second.t - way * ((second.slope + d2 - d1) / (second.slope - first.slope + 2.0 * d2));
    if minimum.is_nan() { middle } else { minimum.max(low).min(high) }
}

/// Searches from `start`, first at `t`, with at most `tries` evaluations after the first. Returns the best point, whose gradient is
/// kept, and the number of evaluations. `length` is the largest value of the direction.
pub(super) fn search(
    line: &mut impl Line,
    start: Point,
    t: f64,
    [length, tolerance]: [f64; 2],
    tries: usize,
) -> (Point, usize) {
    let enough = |point: Point| point.loss <= start.loss + DECREASE * point.t * start.slope;
    let flat = |point: Point| point.slope.abs() <= -CURVATURE * start.slope;
    let mut before = start;
    line.keep_start();
    let mut point = line.evaluate(t);
    let mut evaluations = 1;
    let mut tried = 0;
    // A bracket of a point that meets the conditions: the lower end, whose gradient is kept, and the higher one.
    let mut bracket = None;
    while tried < tries {
        if !point.loss.is_finite() || !point.slope.is_finite() {
            // Too far. Halfway back, there may be a loss.
            point = line.evaluate(0.5 * (before.t + point.t));
            evaluations += 1;
            tried += 1;
            continue;
        }
        if !enough(point) || (tried > 1 && point.loss >= before.loss) {
            bracket = Some(before);
            break;
        }
        if flat(point) {
            line.keep();
            return (point, evaluations);
        }
        if point.slope >= 0.0 {
            bracket = Some(before);
            break;
        }
        let next = cubic_minimum(before, point, point.t + 0.01 * (point.t - before.t), 10.0 * point.t);
        line.keep();
        before = point;
        point = line.evaluate(next);
        evaluations += 1;
        tried += 1;
    }
    let other = match bracket {
        Some(before) => before,
        None => {
            line.keep_start();
            start
        }
    };
    let is_lower = |a: Point, b: Point| a.loss <= b.loss || !b.loss.is_finite();
    let (mut low, mut high) = if is_lower(other, point) {
        (other, point)
    } else {
        line.keep();
        (point, other)
    };
    let mut slow = false;
    while tried < tries {
        if (high.t - low.t).abs() * length < tolerance {
            break;
        }
        let [first, last] = [low.t.min(high.t), low.t.max(high.t)];
        let mut t = cubic_minimum(low, high, first, last);
        // Close to an end, twice in a row, is no progress.
        let margin = 0.1 * (last - first);
        if (last - t).min(t - first) < margin {
            if slow || t >= last || t <= first {
                t = if (t - last).abs() < (t - first).abs() { last - margin } else { first + margin };
                slow = false;
            } else {
                slow = true;
            }
        } else {
            slow = false;
        }
        let new = line.evaluate(t);
        evaluations += 1;
        tried += 1;
        let lower = new.loss < low.loss;
        if !lower || !enough(new) {
            if lower {
                line.keep();
                (low, high) = (new, low);
            } else {
                high = new;
            }
            continue;
        }
        let done = flat(new);
        if !done && new.slope * (high.t - low.t) >= 0.0 {
            high = low;
        }
        line.keep();
        low = new;
        if done {
            break;
        }
    }
    (low, evaluations)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Curve {
        f: fn(f64) -> f64,
        latest: f64,
        kept: f64,
    }

    impl Line for Curve {
        fn evaluate(&mut self, t: f64) -> Point {
            self.latest = t;
            let slope = ((self.f)(t + 1e-6) - (self.f)(t - 1e-6)) / 2e-6;
            Point { t, loss: (self.f)(t), slope }
        }

        fn keep(&mut self) {
            self.kept = self.latest;
        }

        fn keep_start(&mut self) {
            self.kept = 0.0;
        }
    }

    #[test]
    fn the_conditions_are_met_and_the_gradient_is_that_of_the_point() {
        let curves: [fn(f64) -> f64; 4] = [
            |t| (t - 3.0).powi(2),
            |t| (t - 3.0).powi(4) - t,
            |t| -(-(t - 2.0).powi(2)).exp() + 0.01 * t,
            // Infinite from 4 on.
            |t| if t < 4.0 { -t + 1.0 / (4.0 - t) } else { f64::INFINITY },
        ];
        for (index, f) in curves.into_iter().enumerate() {
            for first in [1e-3, 0.1, 1.0, 5.0, 100.0] {
                let mut curve = Curve { f, latest: 0.0, kept: f64::NAN };
                let start = curve.evaluate(0.0);
                let (point, evaluations) = search(&mut curve, start, first, [1.0, 1e-9], 40);
                assert_eq!(curve.kept, point.t, "curve {index} from {first}");
                assert!(evaluations <= 41);
                assert!(
                    point.loss <= start.loss + DECREASE * point.t * start.slope,
                    "curve {index} from {first}"
                );
                assert!(
                    point.slope.abs() <= -CURVATURE * start.slope + 1e-6,
                    "curve {index} from {first}: {point:?}"
                );
            }
        }
    }
}
