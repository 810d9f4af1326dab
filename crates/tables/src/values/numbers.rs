//! Numbers, each rounded once to the precision that is asked for.

use chainrule_tensor::Real;

/// Numbers of a column; what is missing is NaN.
///
/// They are stored in double precision. A decimal that is rounded to double precision and then to single precision may end on the
/// wrong side of the middle between two numbers. It is rare, and for those the number in single precision is stored as well.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    values: Vec<f64>,
    /// Row and number where that in single precision is not the rounded double, in order of the rows.
    singles: Vec<(usize, f32)>,
}

impl Numbers {
    /// These numbers.
    pub fn new(values: Vec<f64>) -> Self {
        Self { values, singles: Vec::new() }
    }

    /// Adds the number with this text, in the form of Rust's literals, which in double precision is `value`.
    pub(crate) fn push(&mut self, text: &str, value: f64) {
        if let Some(single) = exact_single(text, value) {
            self.singles.push((self.values.len(), single));
        }
        self.values.push(value);
    }

    /// Adds a number that is exact.
    pub(crate) fn push_exact(&mut self, value: f64) {
        self.values.push(value);
    }

    /// Adds those of another, with what [`exact_single`] found of them.
    pub(crate) fn push_with_single(&mut self, value: f64, single: Option<f32>) {
        if let Some(single) = single {
            self.singles.push((self.values.len(), single));
        }
        self.values.push(value);
    }

    /// Adds those of another after these.
    pub(crate) fn append(&mut self, next: Self) {
        let start = self.values.len();
        self.singles.extend(next.singles.into_iter().map(|(row, single)| (start + row, single)));
        self.values.extend(next.values);
    }

    /// The numbers in double precision; what is missing is NaN.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// How many there are, with those that are missing.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The number of a row, below [`len`](Self::len), rounded once to the precision of `T`.
    pub fn get<T: Real>(&self, row: usize) -> T {
        let value = self.values[row];
        if T::NAME != "f32" || self.singles.is_empty() {
            return T::of(value);
        }
        match self.singles.binary_search_by_key(&row, |&(row, _)| row) {
            Ok(found) => T::of(f64::from(self.singles[found].1)),
            Err(_) => T::of(value),
        }
    }

    /// Those of these rows, in this order.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let mut selected = Self::default();
        for &row in rows {
            let single = self
                .singles
                .binary_search_by_key(&row, |&(row, _)| row)
                .ok()
                .map(|found| self.singles[found].1);
            selected.push_with_single(self.values[row], single);
        }
        selected
    }

    /// These with `value` for each that is missing.
    pub(crate) fn filled(&self, value: f64) -> Self {
        let values = self.values.iter().map(|&known| if known.is_nan() { value } else { known }).collect();
        Self { values, singles: self.singles.clone() }
    }

    /// The memory for another number, if there is any.
    pub(crate) fn try_reserve(&mut self) -> Option<()> {
        self.values.try_reserve(1).ok()
    }
}

/// The number in single precision, where it is not what rounding the double gives.
///
/// That can only be where the double is in the middle of two numbers of single precision, or beyond the range of normal ones.
pub(crate) fn exact_single(text: &str, value: f64) -> Option<f32> {
    let rest = value.to_bits() & 0x1FFF_FFFF;
    let normal = value.abs() >= f64::from(f32::MIN_POSITIVE) || value == 0.0;
    if (rest != 0x1000_0000 && normal) || !value.is_finite() {
        return None;
    }
    let single: f32 = text.parse().ok()?;
    (single != value as f32).then_some(single)
}
