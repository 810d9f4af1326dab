//! How many samples each part of a split has.

use chainrule_data::{Dataset, Rows, SplitError, Subset};
use chainrule_tensor::Seed;
use ndarray::Array2;

fn rows(count: usize) -> Rows<f32, u8> {
    Rows::new(Array2::zeros((count, 1)), vec![0; count]).unwrap()
}

/// The number of samples of both parts; together they are all samples, each once.
fn parts(count: usize, share: f64) -> Result<(usize, usize), SplitError> {
    let data = rows(count);
    let (train, held_out) = Subset::split(&data, share, Seed(1))?;
    let mut both = [train.indices(), held_out.indices()].concat();
    both.sort_unstable();
    assert_eq!(both, (0..count).collect::<Vec<_>>());
    Ok((train.len(), held_out.len()))
}

#[test]
fn each_part_has_a_sample() {
    for (count, share, expected) in [
        (4, 0.1, (3, 1)),
        (3, 0.15, (2, 1)),
        (49, 0.01, (48, 1)),
        (3, 0.85, (1, 2)),
        (10, 0.99, (1, 9)),
        (10, 0.25, (7, 3)),
        (10, 0.5, (5, 5)),
        (2, 1e-300, (1, 1)),
        (2, 1.0 - f64::EPSILON, (1, 1)),
        (1000, f64::MIN_POSITIVE, (999, 1)),
        (100, 0.2, (80, 20)),
    ] {
        assert_eq!(parts(count, share), Ok(expected), "{share} of {count}");
    }
}

#[test]
fn what_cannot_be_split() {
    for share in [0.0, -0.0, 1.0, 20.0, -0.2, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(parts(10, share), Err(SplitError::Share(share)));
    }
    assert!(matches!(parts(10, f64::NAN), Err(SplitError::Share(_))));
    for count in [0, 1] {
        let error = parts(count, 0.5).unwrap_err();
        assert_eq!(error, SplitError::TooFew(count));
        assert!(error.to_string().contains(&count.to_string()), "{error}");
    }
    let error = parts(10, 20.0).unwrap_err().to_string();
    assert!(error.contains("20") && error.contains("between 0 and 1"), "{error}");
}
