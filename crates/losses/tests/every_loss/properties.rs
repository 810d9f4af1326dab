//! What holds for each loss, whatever it is.

use chainrule_core::Registry;
use chainrule_losses::gradcheck::gradient;
use chainrule_losses::{Loss, LossPass, Scope};
use chainrule_tensor::Buffer;
use ndarray::{Array2, ArrayView2, s};

use crate::cases::{COLUMNS, Case, EVERY_LOSS, ROWS, TargetKind, registry};

/// Runs a check for vectors and for classes, as far as they are targets.
fn for_targets(check: impl Fn(&Case, &dyn AnyLoss)) {
    let registry = registry::<f64>();
    for case in EVERY_LOSS {
        if let Some(targets) = case.vectors(64) {
            check(case, &With { loss: case.build::<f64, Vec<f64>>(&registry), targets });
        }
        if let Some(targets) = case.class_targets(64) {
            check(case, &With { loss: case.build::<f64, usize>(&registry), targets });
        }
    }
}

/// A loss with targets of one type.
struct With<Y> {
    loss: Box<dyn Loss<f64, Y>>,
    targets: Vec<Y>,
}

/// What the checks need of a loss, whatever the type of its targets.
trait AnyLoss {
    fn loss(&self, y: ArrayView2<'_, f64>, dy: Option<&mut Array2<f64>>) -> f64;
    /// The losses of these rows, and their gradient.
    fn rows(&self, y: &Array2<f64>, rows: std::ops::Range<usize>) -> (Vec<f64>, Array2<f64>);
    fn gradient(&self, y: &Array2<f64>) -> Result<f64, String>;
    fn scope(&self) -> Scope;
}

impl<Y> AnyLoss for With<Y> {
    fn loss(&self, y: ArrayView2<'_, f64>, dy: Option<&mut Array2<f64>>) -> f64 {
        self.loss.loss(y, &self.targets[..y.nrows()], 0.25, dy.map(|dy| dy.view_mut()))
    }

    fn rows(&self, y: &Array2<f64>, rows: std::ops::Range<usize>) -> (Vec<f64>, Array2<f64>) {
        let y = y.slice(s![rows.clone(), ..]);
        let (mut losses, mut dy) = (vec![f64::NAN; y.nrows()], Array2::from_elem(y.dim(), f64::NAN));
        self.loss.rows(LossPass {
            y,
            targets: &self.targets[rows],
            scale: 0.25,
            dy: Some(dy.view_mut()),
            losses: &mut losses,
            scratch: &mut Buffer::default(),
        });
        (losses, dy)
    }

    fn gradient(&self, y: &Array2<f64>) -> Result<f64, String> {
        gradient(&self.loss, y.view(), &self.targets[..y.nrows()]).map_err(|error| error.to_string())
    }

    fn scope(&self) -> Scope {
        self.loss.scope()
    }
}

fn close(left: &Array2<f64>, right: &Array2<f64>) -> bool {
    left.iter().zip(right).all(|(left, right)| (left - right).abs() < 1e-12 * right.abs().max(1.0))
}

#[test]
fn gradients() {
    for_targets(|case, loss| {
        let error =
            loss.gradient(&case.outputs(ROWS)).unwrap_or_else(|error| panic!("{}: {error}", case.text));
        assert!(error < 1e-6);
    });
}

/// Each loss that can be built by name is in the list.
#[test]
fn every_loss_is_in_the_list() {
    let registry = registry::<f64>();
    for entry in registry.entries::<Box<dyn Loss<f64, Vec<f64>>>>() {
        let is_of = |case: &&Case| case.text.split(['(', '.']).next() == Some(entry.name);
        assert!(EVERY_LOSS.iter().any(|case| is_of(&case)), "{} has no case", entry.name);
        assert!(!entry.summary.is_empty(), "{} says nothing", entry.name);
    }
}

/// The description of each can be built again, and is the same loss.
#[test]
fn what_a_loss_says_of_itself_builds_it() {
    fn check<Y: 'static>(case: &Case, registry: &Registry, targets: Vec<Y>) {
        let loss = case.build::<f64, Y>(registry);
        let text = loss.description().to_string();
        let again: Box<dyn Loss<f64, Y>> = registry.build(&text.parse().unwrap()).unwrap();
        assert_eq!(again.description(), loss.description(), "{text}");
        assert_eq!(format!("{again:?}"), format!("{loss:?}"), "{text}");
        let y = case.outputs(targets.len());
        let of = |loss: &dyn Loss<f64, Y>| loss.loss(y.view(), &targets, 1.0, None);
        assert_eq!(of(&*loss).to_bits(), of(&*again).to_bits(), "{text}");
        assert_eq!(loss.validate(), Ok(()), "{text}");
    }
    let registry = registry::<f64>();
    for case in EVERY_LOSS {
        if let Some(targets) = case.vectors(ROWS) {
            check(case, &registry, targets);
        }
        if let Some(targets) = case.class_targets(ROWS) {
            check(case, &registry, targets);
        }
    }
}

/// Of the values of a target, those of a class: one for it, and what the loss takes for no.
fn one_hot(case: &Case, class: usize) -> Vec<f64> {
    let no = if matches!(case.wanted, TargetKind::Signs | TargetKind::OneSign) { -1.0 } else { 0.0 };
    match case.wanted {
        TargetKind::OneSign | TargetKind::OneChance => vec![if class == 1 { 1.0 } else { no }],
        _ => (0..COLUMNS).map(|column| if column == class { 1.0 } else { no }).collect(),
    }
}

#[test]
fn a_class_is_its_one_hot_vector() {
    let registry = registry::<f64>();
    for case in EVERY_LOSS {
        let (Some(classes), Some(_)) = (case.class_targets(ROWS), case.vectors(ROWS)) else { continue };
        let y = case.outputs(ROWS);
        let (mut left, mut right) = (y.clone(), y.clone());
        let vectors: Vec<Vec<f64>> = classes.iter().map(|&class| one_hot(case, class)).collect();
        let of_classes = case.build::<f64, usize>(&registry);
        let of_vectors = case.build::<f64, Vec<f64>>(&registry);
        let class = of_classes.loss(y.view(), &classes, 0.25, Some(left.view_mut()));
        let vector = of_vectors.loss(y.view(), &vectors, 0.25, Some(right.view_mut()));
        assert!(
            (class - vector).abs() < 1e-12 * vector.abs().max(1.0),
            "{}: {class} and {vector}",
            case.text
        );
        assert!(close(&left, &right), "{}", case.text);
    }
}

#[test]
fn views_may_be_strided() {
    for_targets(|case, loss| {
        let y = case.outputs(ROWS);
        let mut plain = Array2::from_elem(y.dim(), f64::NAN);
        let right = loss.loss(y.view(), Some(&mut plain));
        let wide = Array2::from_shape_fn((ROWS, 2 * y.ncols()), |(i, j)| y[[i, j / 2]]);
        let strided = wide.slice(s![.., ..;2]);
        let mut found_slopes = Array2::from_elem(y.dim(), f64::NAN);
        let found = loss.loss(strided, Some(&mut found_slopes));
        assert!((found - right).abs() < 1e-12 * right.abs().max(1.0), "{}", case.text);
        assert!(close(&found_slopes, &plain), "{}", case.text);
        // Column by column in memory.
        let mut turned = Array2::from_elem((y.ncols(), ROWS), f64::NAN).reversed_axes();
        loss.loss(strided, Some(&mut turned));
        assert!(close(&turned, &plain), "{}", case.text);
        let alone = loss.loss(strided, None);
        assert!((alone - right).abs() < 1e-12 * right.abs().max(1.0), "{}", case.text);
    });
}

#[test]
fn a_single_nan_does_not_vanish() {
    for_targets(|case, loss| {
        let y = case.outputs(ROWS);
        // Rows without labels, or with nothing else, say nothing of the outputs.
        let rows: Vec<usize> = (0..ROWS).filter(|&row| says_something(case, row)).collect();
        for (row, column) in rows.iter().flat_map(|&row| (0..y.ncols()).map(move |column| (row, column))) {
            let mut broken = y.clone();
            broken[[row, column]] = f64::NAN;
            let mut dy = y.clone();
            let with = loss.loss(broken.view(), Some(&mut dy));
            let without = loss.loss(broken.view(), None);
            let place = format!("{} at {row}, {column}: {with}, {without}", case.text);
            assert!(with.is_nan() && without.is_nan(), "{place}");
        }
    });
}

fn says_something(case: &Case, row: usize) -> bool {
    if case.wanted != TargetKind::Labels {
        return true;
    }
    let labels: f64 = case.vectors(ROWS).map_or(1.0, |vectors| vectors[row].iter().sum());
    labels > 0.0 && labels < COLUMNS as f64
}

#[test]
fn single_precision_is_near_double() {
    let (double, single) = (registry::<f64>(), registry::<f32>());
    for case in EVERY_LOSS {
        let y = case.outputs(ROWS).mapv(|y| y as f32);
        let exact = y.mapv(f64::from);
        if let Some(targets) = case.vectors(ROWS) {
            let rounded: Vec<Vec<f32>> =
                targets.iter().map(|target| target.iter().map(|&t| t as f32).collect()).collect();
            let targets: Vec<Vec<f64>> =
                rounded.iter().map(|target| target.iter().map(|&t| f64::from(t)).collect()).collect();
            let right = case.build::<f64, Vec<f64>>(&double).loss(exact.view(), &targets, 0.25, None);
            let found = case.build::<f32, Vec<f32>>(&single).loss(y.view(), &rounded, 0.25, None);
            assert!(
                (f64::from(found) - right).abs() <= 1e-6 * right.abs(),
                "{}: {found} for {right}",
                case.text
            );
        }
        if let Some(targets) = case.class_targets(ROWS) {
            let right = case.build::<f64, usize>(&double).loss(exact.view(), &targets, 0.25, None);
            let found = case.build::<f32, usize>(&single).loss(y.view(), &targets, 0.25, None);
            assert!(
                (f64::from(found) - right).abs() <= 1e-6 * right.abs(),
                "{}: {found} for {right}",
                case.text
            );
        }
    }
}

/// The rows' losses and gradients have the same bits however a batch is cut, so that shards are no part of a mean: unless it is the
/// batch that the loss is of.
#[test]
fn rows_know_nothing_of_each_other() {
    for_targets(|case, loss| {
        if loss.scope() == Scope::Batch {
            return;
        }
        let count = 64;
        let y = case.outputs(count);
        let (losses, dy) = loss.rows(&y, 0..count);
        let mut after = 0;
        for end in [1, 30, 63, 64] {
            let (of_part, dy_of_part) = loss.rows(&y, after..end);
            assert_eq!(of_part, losses[after..end], "{}", case.text);
            assert_eq!(dy_of_part, dy.slice(s![after..end, ..]), "{}", case.text);
            after = end;
        }
        let mean = 0.25 * chainrule_losses::total(losses);
        let found = loss.loss(y.view(), None);
        assert!((mean - found).abs() <= 1e-14 * mean.abs(), "{}: {mean} and {found}", case.text);
    });
}

/// No finite output gives a loss that is not finite, unless it grows as an exponential does.
#[test]
fn nothing_overflows() {
    for_targets(|case, loss| {
        if case.text.starts_with("poisson")
            || case.outputs(1).iter().all(|&y| y >= 0.0) && case.text.contains("keras")
        {
            return;
        }
        let plain = case.outputs(ROWS);
        for size in [1e4, -1e4] {
            let y = match case.given {
                crate::cases::OutputKind::Values => plain.mapv(|y| size * y.signum()),
                _ => continue,
            };
            let mut dy = y.clone();
            let found = loss.loss(y.view(), Some(&mut dy));
            assert!(found.is_finite(), "{} at {size}: {found}", case.text);
            assert!(dy.iter().all(|dy| dy.is_finite()), "{} at {size}: {dy}", case.text);
        }
    });
}

/// A batch without rows has the loss 0.
#[test]
fn no_rows() {
    for_targets(|case, loss| {
        let y = case.outputs(ROWS);
        assert_eq!(loss.loss(y.slice(s![..0, ..]), None), 0.0, "{}", case.text);
    });
}
