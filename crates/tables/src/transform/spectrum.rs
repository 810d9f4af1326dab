//! The directions in which columns vary: what principal components and whitening share.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::{Feature, Features, TransformError, fitted};

/// The mean of each column, and the directions of the variance of all together, from the largest variance on.
pub(super) struct Spectrum {
    pub(super) mean: Array1<f64>,
    /// `1/(n-1) Σ (u (x - mean))²` for each direction.
    pub(super) variances: Array1<f64>,
    /// A direction in each row, of length 1; the largest of its entries is positive.
    pub(super) directions: Array2<f64>,
}

/// The columns as a matrix, `[rows, columns]`, without missing values.
pub(super) fn matrix(transform: &'static str, features: &Features) -> Result<Array2<f64>, TransformError> {
    let columns = fitted::numbers(transform, features)?;
    for (feature, values) in features.columns().iter().zip(&columns) {
        if let Some(row) = values.iter().position(|value| !value.is_finite()) {
            let (column, value) = (feature.name().to_owned(), values[row].to_string());
            let remedy = "put `impute` before it, or leave the row out";
            return Err(TransformError::Value { transform, column, row, value, remedy });
        }
    }
    let rows = features.columns().first().map_or(0, Feature::len);
    Ok(Array2::from_shape_fn((rows, columns.len()), |(row, column)| columns[column][row]))
}

impl Spectrum {
    /// Of these columns, of at least two rows.
    pub(super) fn of(transform: &'static str, features: &Features) -> Result<Self, TransformError> {
        let x = matrix(transform, features)?;
        let Some(mean) = x.mean_axis(Axis(0)).filter(|_| x.nrows() > 1 && x.ncols() > 0) else {
            let column = features.columns().first().map_or(String::new(), |column| column.name().to_owned());
            return Err(TransformError::NoValues { transform, column });
        };
        let centred = x - &mean;
        let covariance = centred.t().dot(&centred) / (centred.nrows() - 1) as f64;
        let (ascending, vectors) = symmetric_eigen(transform, covariance.view())?;
        let order: Vec<usize> = (0..ascending.len()).rev().collect();
        let variances = order.iter().map(|&index| ascending[index].max(0.0)).collect();
        let mut directions = vectors.t().select(Axis(0), &order);
        for mut direction in directions.rows_mut() {
            let largest =
                direction.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
            direction *= if largest < 0.0 { -1.0 } else { 1.0 };
        }
        Ok(Self { mean, variances, directions })
    }
}

/// The eigenvalues of a symmetric matrix in ascending order, and an eigenvector in each column.
#[cfg(feature = "lapack")]
fn symmetric_eigen(
    transform: &'static str,
    matrix: ArrayView2<'_, f64>,
) -> Result<(Array1<f64>, Array2<f64>), TransformError> {
    use ndarray_linalg::{Eigh, UPLO};
    matrix.eigh(UPLO::Lower).map_err(|error| TransformError::Lapack { transform, problem: error.to_string() })
}

#[cfg(not(feature = "lapack"))]
fn symmetric_eigen(
    transform: &'static str,
    _: ArrayView2<'_, f64>,
) -> Result<(Array1<f64>, Array2<f64>), TransformError> {
    let problem = "this build has none: build with the feature `lapack`, and with a BLAS that contains it, such as `openblas`";
    Err(TransformError::Lapack { transform, problem: problem.to_owned() })
}

/// `(x - mean) Wᵀ` with the rows of `weights` for W, each of which makes a column with this name.
pub(super) fn projected(
    transform: &'static str,
    features: &Features,
    mean: &[f64],
    weights: &[Vec<f64>],
    name: &dyn Fn(usize) -> String,
) -> Result<Features, TransformError> {
    let (expected, found) = (mean.len(), features.columns().len());
    if expected != found {
        return Err(TransformError::Columns { transform, expected, found });
    }
    if weights.iter().any(|row| row.len() != expected) {
        let problem = format!("each of its rows has to have {expected} numbers");
        return Err(TransformError::Damaged { transform, problem });
    }
    let x = matrix(transform, features)? - &Array1::from(mean.to_vec());
    let column = |(index, row): (usize, &Vec<f64>)| {
        Feature::numbers(name(index), x.dot(&Array1::from(row.clone())).to_vec())
    };
    Ok(Features::new(weights.iter().enumerate().map(column).collect()))
}
