//! Windows of a series, and what comes after them.

use std::ops::Range;
use std::sync::Arc;

use chainrule_tensor::{Real, Shape, prefetch};
use ndarray::Array2;

use crate::{Dataset, Samples};

/// How a series is cut into samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSize {
    /// The number of steps that are looked at.
    pub steps: usize,
    /// The number of steps after them that are to be predicted.
    pub horizon: usize,
    /// From how many steps to how many steps later a window begins.
    pub stride: usize,
}

/// A series over time as samples: some steps of it, `[steps, features]`, with the values of the steps after them as targets, step by
/// step, `horizon · values` of them.
///
/// ```text
/// x_i = s[a .. a + steps]        t_i = v[a + steps .. a + steps + horizon]        a = first + i · stride
/// ```
///
/// Parts for training and test come of [`split`](Self::split): no value that is to be predicted in one is to be predicted in another,
/// and none of a later part is seen by an earlier one. What comes before a part is known when it is predicted, so that windows of a
/// test may begin in the steps of the training.
///
/// ```
/// use chainrule_data::{Dataset, Samples, WindowSize, Windows};
/// use ndarray::Array2;
/// let series = Array2::from_shape_fn((10, 1), |(step, _)| step as f32);
/// let all = Windows::of(series, WindowSize { steps: 3, horizon: 2, stride: 1 })?;
/// let mut row = [0.0; 3];
/// assert_eq!((all.len(), all.read(1, &mut row), row), (6, vec![4.0, 5.0], [1.0, 2.0, 3.0]));
/// let (train, test) = all.split(0.3)?;
/// assert_eq!((train.len(), test.len()), (3, 2)); // 7 and 8, 8 and 9 are predicted in the test
/// # Ok::<(), chainrule_data::WindowsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Windows<T> {
    /// `[steps, features]`.
    features: Arc<Array2<T>>,
    /// `[steps, values]`.
    values: Arc<Array2<T>>,
    size: WindowSize,
    /// The first step of the first window.
    first: usize,
    count: usize,
}

impl<T: Real> Windows<T> {
    /// The windows of a series, `[steps, features]`, all of whose features are predicted.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn of(series: Array2<T>, size: WindowSize) -> Result<Self, WindowsError> {
        let series = Arc::new(contiguous(series));
        Self::of_both(Arc::clone(&series), series, size)
    }

    /// The windows of features, `[steps, features]`, after which values are to be predicted, `[steps, values]`.
    ///
    /// # Errors
    ///
    /// [`WindowsError`] if there are not as many values as features, a size is 0, or the series is too short for a window.
    pub fn new(features: Array2<T>, values: Array2<T>, size: WindowSize) -> Result<Self, WindowsError> {
        Self::of_both(Arc::new(contiguous(features)), Arc::new(contiguous(values)), size)
    }

    fn of_both(
        features: Arc<Array2<T>>,
        values: Arc<Array2<T>>,
        size: WindowSize,
    ) -> Result<Self, WindowsError> {
        let steps = features.nrows();
        if values.nrows() != steps {
            return Err(WindowsError::Counts { features: steps, values: values.nrows() });
        }
        let WindowSize { steps: window, horizon, stride } = size;
        if window == 0 || horizon == 0 || stride == 0 || features.ncols() == 0 || values.ncols() == 0 {
            return Err(WindowsError::Size);
        }
        let all = Self { features, values, size, first: 0, count: 0 };
        all.predicting(0..steps)
    }

    /// The windows after which steps of this range are to be predicted, and no others; they may begin before it.
    ///
    /// # Errors
    ///
    /// [`WindowsError::Short`] if there is none.
    pub fn predicting(&self, range: Range<usize>) -> Result<Self, WindowsError> {
        let WindowSize { steps, horizon, stride } = self.size;
        let end = range.end.min(self.features.nrows());
        let first = range.start.saturating_sub(steps);
        // What is predicted ends with the range.
        let last = end.checked_sub(steps.saturating_add(horizon)).filter(|&last| last >= first);
        let short =
            WindowsError::Short { found: end.saturating_sub(first), needed: steps.saturating_add(horizon) };
        let count = 1 + (last.ok_or(short)? - first) / stride;
        let (features, values) = (Arc::clone(&self.features), Arc::clone(&self.values));
        Ok(Self { features, values, size: self.size, first, count })
    }

    /// Two parts, the second of which predicts the last share of the steps, rounded to a whole number.
    ///
    /// # Errors
    ///
    /// [`WindowsError::Share`] if the share is not between 0 and 1, [`WindowsError::Short`] if a part has no window.
    pub fn split(&self, share: f64) -> Result<(Self, Self), WindowsError> {
        if !(share > 0.0 && share < 1.0) {
            return Err(WindowsError::Share(share));
        }
        let steps = self.features.nrows();
        let cut = steps - (share * steps as f64).round() as usize;
        Ok((self.predicting(0..cut)?, self.predicting(cut..steps)?))
    }

    /// How the series is cut.
    pub fn size(&self) -> WindowSize {
        self.size
    }

    /// The steps of the window of a sample.
    pub fn steps_of(&self, index: usize) -> Range<usize> {
        let start = self.first + index * self.size.stride;
        start..start + self.size.steps
    }

    /// The values of the window, a contiguous part of the series.
    fn window(&self, index: usize) -> &[T] {
        let columns = self.features.ncols();
        let Range { start, end } = self.steps_of(index);
        self.features.as_slice().map_or(&[], |all| &all[start * columns..end * columns])
    }

    fn target(&self, index: usize) -> Vec<T> {
        let columns = self.values.ncols();
        let start = self.steps_of(index).end;
        let end = start + self.size.horizon;
        self.values.as_slice().map_or(Vec::new(), |all| all[start * columns..end * columns].to_vec())
    }
}

/// So that steps follow each other.
fn contiguous<T: Real>(values: Array2<T>) -> Array2<T> {
    if values.is_standard_layout() { values } else { values.as_standard_layout().into_owned() }
}

impl<T: Real> Dataset for Windows<T> {
    type Target = Vec<T>;

    fn len(&self) -> usize {
        self.count
    }

    fn shape(&self) -> Shape {
        [self.size.steps, self.features.ncols()].into()
    }

    fn prefetch(&self, index: usize, columns: Range<usize>) {
        prefetch(&self.window(index)[columns]);
    }
}

impl<T: Real> Samples<T> for Windows<T> {
    fn read(&self, index: usize, row: &mut [T]) -> Vec<T> {
        row.copy_from_slice(self.window(index));
        self.target(index)
    }

    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [T], _: &mut [T]) -> Vec<T> {
        part.copy_from_slice(&self.window(index)[columns]);
        self.target(index)
    }
}

/// A series that cannot be cut into windows.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowsError {
    /// Features and values have different numbers of steps.
    #[error("there are {features} steps of features, but {values} of values: give both for each step")]
    Counts {
        /// The number of steps of features.
        features: usize,
        /// The number of steps of values.
        values: usize,
    },
    /// A size is 0.
    #[error("a window needs at least 1 step, a horizon and a stride of at least 1, a feature and a value")]
    Size,
    /// There are too few steps.
    #[error(
        "{found} steps are too few for a window, whose steps and horizon are {needed}: use a longer series, larger shares or smaller windows"
    )]
    Short {
        /// The number of steps.
        found: usize,
        /// The number of steps that a window and its horizon take.
        needed: usize,
    },
    /// The share is not between 0 and 1.
    #[error("the share {0} of the second part is not between 0 and 1: choose one such as 0.2")]
    Share(f64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn series(steps: usize, size: WindowSize) -> Result<Windows<f64>, WindowsError> {
        let features = Array2::from_shape_fn((steps, 2), |(step, column)| (10 * step + column) as f64);
        let values = Array2::from_shape_fn((steps, 1), |(step, _)| step as f64);
        Windows::new(features, values, size)
    }

    #[test]
    fn a_window_is_followed_by_its_target() {
        let windows = series(11, WindowSize { steps: 3, horizon: 2, stride: 2 }).unwrap();
        assert_eq!((windows.len(), windows.shape()), (4, Shape::from([3, 2])));
        let mut row = [0.0; 6];
        assert_eq!(windows.read(3, &mut row), [9.0, 10.0]);
        assert_eq!(row, [60.0, 61.0, 70.0, 71.0, 80.0, 81.0]);
        let mut part = [0.0; 2];
        assert_eq!(windows.read_part(3, 3..5, &mut part, &mut []), [9.0, 10.0]);
        assert_eq!(part, row[3..5]);
        let transposed = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]].reversed_axes();
        let size = WindowSize { steps: 1, horizon: 1, stride: 1 };
        assert_eq!(Windows::of(transposed, size).unwrap().read(1, &mut [0.0; 2]), [3.0, 6.0]);
    }

    /// For many sizes: nothing that is predicted in a test is seen or predicted in the training.
    #[test]
    fn nothing_leaks() {
        let mut splits = 0;
        for steps in 1..6 {
            for horizon in 1..4 {
                for stride in 1..4 {
                    let size = WindowSize { steps, horizon, stride };
                    let windows = series(40, size).unwrap();
                    for share in [0.1, 0.25, 0.5] {
                        let cut = 40 - (share * 40.0_f64).round() as usize;
                        let Ok((train, test)) = windows.split(share) else {
                            assert!(horizon > 40 - cut, "{size:?}");
                            continue;
                        };
                        let mut row = vec![0.0; 2 * steps];
                        for index in 0..train.len() {
                            let target = train.read(index, &mut row);
                            assert!(target.iter().chain(&row.map_steps()).all(|&step| step < cut as f64));
                        }
                        for index in 0..test.len() {
                            let target = test.read(index, &mut row);
                            assert!(target.iter().all(|&step| step >= cut as f64), "{size:?}");
                            assert!(row.map_steps().iter().all(|&step| step < target[0]));
                        }
                        let last = |part: &Windows<f64>| {
                            part.read(part.len() - 1, &mut vec![0.0; 2 * steps])[horizon - 1]
                        };
                        // No window that would fit is left out.
                        assert!(
                            last(&train) > (cut - 1 - stride) as f64 && last(&test) > (39 - stride) as f64
                        );
                        splits += 1;
                    }
                }
            }
        }
        assert!(splits > 100, "{splits}");
    }

    trait Steps {
        fn map_steps(&self) -> Vec<f64>;
    }

    impl Steps for Vec<f64> {
        fn map_steps(&self) -> Vec<f64> {
            self.iter().map(|value| (value / 10.0).floor()).collect()
        }
    }

    #[test]
    fn what_cannot_be_cut() {
        let size = |steps, horizon, stride| WindowSize { steps, horizon, stride };
        assert_eq!(series(4, size(3, 2, 1)).unwrap_err(), WindowsError::Short { found: 4, needed: 5 });
        assert!(series(4, size(usize::MAX, 2, 1)).is_err() && series(0, size(1, 1, 1)).is_err());
        for wrong in [size(0, 1, 1), size(1, 0, 1), size(1, 1, 0)] {
            assert_eq!(series(9, wrong).unwrap_err(), WindowsError::Size);
        }
        let windows = series(9, size(2, 1, usize::MAX)).unwrap();
        assert_eq!(windows.len(), 1);
        assert!(matches!(windows.split(1.0), Err(WindowsError::Share(_))));
        assert!(matches!(windows.split(0.01), Err(WindowsError::Short { .. })));
        let counts = Windows::new(Array2::<f32>::zeros((3, 1)), Array2::zeros((4, 1)), size(1, 1, 1));
        assert!(matches!(counts, Err(WindowsError::Counts { features: 3, values: 4 })));
    }
}
