//! A model as a list of calls: which functions a prediction runs, on which values, with which constants.

use super::kernels::window::Window;

/// A constant array of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Array {
    Floats(Vec<f32>),
    Bytes(Vec<i8>),
}

impl Array {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Bytes(values) => values.len(),
        }
    }

    /// The number of bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Floats(values) => 4 * values.len(),
            Self::Bytes(values) => values.len(),
        }
    }

    /// Its numbers, if they are not rounded to bytes.
    pub(super) fn floats(&self) -> Option<&[f32]> {
        match self {
            Self::Floats(values) => Some(values),
            Self::Bytes(_) => None,
        }
    }
}

/// A constant with the name that it has in a file.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    pub(super) name: String,
    pub(super) array: Array,
}

/// What a function is given besides values.
#[derive(Clone, Copy, Debug)]
pub(super) enum Argument {
    /// A constant, by its index.
    Constant(usize),
    Count(usize),
    Flag(bool),
    Number(f32),
    /// An activation and its settings.
    Unit(&'static str, [f32; 2]),
    Pair([f32; 2]),
    Pairs([[f32; 2]; 2]),
    Window(Window),
    /// Room for so many numbers of 16 bits.
    Rounded(usize),
}

/// A value of a prediction: so many numbers, and room behind them for the function that computes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) count: usize,
    pub(super) room: usize,
}

/// A call of a function.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The layer that it belongs to.
    pub(super) layer: String,
    /// The name of the function.
    pub(super) function: &'static str,
    /// The values that it reads. That which it changes, if it changes one, comes first.
    pub(super) inputs: Vec<usize>,
    pub(super) arguments: Vec<Argument>,
    /// The value that it writes.
    pub(super) output: usize,
    /// Whether the first input is changed to the output.
    pub(super) in_place: bool,
}

impl Step {
    /// The values that it reads and does not change.
    pub(super) fn read(&self) -> &[usize] {
        &self.inputs[usize::from(self.in_place)..]
    }
}

/// A model. Its first value is the sample.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) slots: Vec<Slot>,
    pub(super) constants: Vec<Constant>,
    pub(super) steps: Vec<Step>,
    /// The value that is returned.
    pub(super) output: usize,
}

impl Program {
    pub(super) fn new(inputs: usize) -> Self {
        let input = Slot { count: inputs, room: 0 };
        Self { slots: vec![input], constants: Vec::new(), steps: Vec::new(), output: 0 }
    }

    /// Adds a value.
    pub(super) fn slot(&mut self, count: usize, room: usize) -> usize {
        self.slots.push(Slot { count, room });
        self.slots.len() - 1
    }

    /// Adds a constant, or finds an equal one.
    pub(super) fn constant(&mut self, name: &str, array: Array) -> usize {
        if let Some(index) = self.constants.iter().position(|constant| constant.array == array) {
            return index;
        }
        let taken = |name: &str| self.constants.iter().any(|constant| constant.name == name);
        let name = match taken(name) {
            true => (2..).map(|number| format!("{name}_{number}")).find(|name| !taken(name)),
            false => None,
        }
        .unwrap_or_else(|| name.to_owned());
        self.constants.push(Constant { name, array });
        self.constants.len() - 1
    }

    /// The step that computes a value.
    pub(super) fn producer(&self, slot: usize) -> Option<usize> {
        self.steps.iter().position(|step| step.output == slot)
    }

    /// How often a value is read.
    pub(super) fn uses(&self, slot: usize) -> usize {
        let read = self.steps.iter().flat_map(|step| &step.inputs).filter(|&&input| input == slot).count();
        read + usize::from(self.output == slot)
    }

    /// Removes the constants that no step uses.
    pub(super) fn without_unused(mut self) -> Self {
        let mut places = vec![None; self.constants.len()];
        let mut kept = Vec::new();
        for argument in self.steps.iter_mut().flat_map(|step| &mut step.arguments) {
            let Argument::Constant(index) = argument else { continue };
            let place = *places[*index].get_or_insert_with(|| {
                kept.push(self.constants[*index].clone());
                kept.len() - 1
            });
            *index = place;
        }
        Self { constants: kept, ..self }
    }

    /// How many numbers of 16 bits the steps need room for.
    pub(super) fn rounded(&self) -> usize {
        let arguments = self.steps.iter().flat_map(|step| &step.arguments);
        let rooms = arguments.map(|argument| match argument {
            Argument::Rounded(count) => *count,
            _ => 0,
        });
        rooms.max().unwrap_or(0)
    }
}
