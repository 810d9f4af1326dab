//! Weights that a training can go back to.

use chainrule_tensor::{Buffer, Real};

use crate::numbers;

/// A copy of a model's weights in the middle of a training. Where the optimizer keeps a mean of the weights, which is evaluated in
/// place of them, it contains that too.
#[derive(Clone, Debug)]
pub struct Snapshot<T: Real> {
    /// Empty before the first copy.
    pub(super) parameters: Buffer<T>,
    /// The optimizer's state, if its mean is in it.
    pub(super) state: Buffer<T>,
    /// The optimizer's numbers, if its mean is in its state.
    pub(super) numbers: Vec<f64>,
}

impl<T: Real> Default for Snapshot<T> {
    fn default() -> Self {
        Self { parameters: Buffer::default(), state: Buffer::default(), numbers: Vec::new() }
    }
}

impl<T: Real> Snapshot<T> {
    /// The weights, in the order of the model's parameters; empty before the first copy.
    pub fn parameters(&self) -> &[T] {
        &self.parameters
    }

    /// All of it in bytes: the lengths of the three parts, and the parts.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Self { parameters, state, numbers } = self;
        let parts = [numbers::bytes(parameters), numbers::bytes(state), numbers::bytes(numbers)];
        let lengths = parts.iter().flat_map(|part| (part.len() as u64).to_le_bytes()).collect::<Vec<u8>>();
        [lengths, parts.concat()].concat()
    }

    /// What [`to_bytes`](Self::to_bytes) has made bytes of.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (lengths, mut rest) = bytes.split_at_checked(3 * size_of::<u64>())?;
        let mut parts = [&rest[..0]; 3];
        let (lengths, _) = lengths.as_chunks::<8>();
        for (part, length) in parts.iter_mut().zip(lengths) {
            let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
            (*part, rest) = rest.split_at_checked(length)?;
        }
        let [parameters, state, numbers] = parts;
        let values = |bytes: &[u8]| {
            let mut values = Buffer::try_zeros(bytes.len() / size_of::<T>())?;
            numbers::numbers(bytes, &mut values)?;
            Some(values)
        };
        let mut own = vec![0.0f64; numbers.len() / size_of::<f64>()];
        numbers::numbers(numbers, &mut own)?;
        rest.is_empty().then_some(Self {
            parameters: values(parameters)?,
            state: values(state)?,
            numbers: own,
        })
    }

    /// The weights, to be changed before a training goes on with them.
    pub fn parameters_mut(&mut self) -> &mut [T] {
        &mut self.parameters
    }
}
