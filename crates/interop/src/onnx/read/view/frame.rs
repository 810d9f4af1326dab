//! How the axes of a sample and the batch are the axes of a value of a graph.

/// How the axes of a sample and the batch are the axes of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::onnx::read) struct Frame(Vec<Vec<Option<usize>>>);

impl Frame {
    pub(in crate::onnx::read) fn of(axes: Vec<Vec<Option<usize>>>) -> Self {
        Self(axes)
    }

    /// That of samples behind the axis of the batch.
    pub(in crate::onnx::read) fn plain(rank: usize) -> Self {
        Self([None].into_iter().chain((0..rank).map(Some)).map(|slot| vec![slot]).collect())
    }

    /// Whether the axis of the batch is the first, and no other has to do with it.
    pub(in crate::onnx::read) fn is_plain(&self) -> bool {
        *self == Self::plain(self.0.len().saturating_sub(1))
    }

    /// What each axis of the value is made of: axes of a sample, or the batch.
    pub(in crate::onnx::read) fn axes(&self) -> &[Vec<Option<usize>>] {
        &self.0
    }

    /// The number of axes of a sample.
    pub(in crate::onnx::read) fn samples(&self) -> usize {
        self.0.iter().flatten().flatten().count()
    }

    /// The number of axes of the value.
    pub(in crate::onnx::read) fn rank(&self) -> usize {
        self.0.len()
    }

    /// The axis of the value that is that of the batch, if it is that alone.
    pub(in crate::onnx::read) fn batch_axis(&self) -> Option<usize> {
        self.0.iter().position(|slots| slots[..] == [None])
    }

    /// The axis of a sample that an axis of the value is.
    pub(in crate::onnx::read) fn sample_axis(&self, axis: i64) -> Result<usize, String> {
        let axis = if axis < 0 { axis.saturating_add(self.rank() as i64) } else { axis };
        match usize::try_from(axis).ok().and_then(|axis| self.0.get(axis)).map(|slots| &slots[..]) {
            Some([Some(axis)]) => Ok(*axis),
            _ => Err("it acts on the axis of the batch, or on one that is not there".into()),
        }
    }

    /// Whether a constant of this shape, whose axes are the last ones of the value, has the axes of a sample, and one value for all samples.
    pub(in crate::onnx::read) fn fits(&self, constant: &[usize], sample: &[usize]) -> bool {
        let missing = self.rank().saturating_sub(constant.len());
        let length = |axis: usize| if axis < missing { 1 } else { constant[axis - missing] };
        constant.len() <= self.rank()
            && self.0.iter().enumerate().all(|(axis, slots)| match slots[..] {
                [None] => length(axis) == 1,
                [Some(own)] => sample.get(own) == Some(&length(axis)),
                _ => false,
            })
    }
}
