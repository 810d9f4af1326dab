//! A reader of pickles that runs no code.
//!
//! A pickle is a program for a stack. Each instruction reads at least a byte and adds at most one object. What an object copies of
//! others, to which a pickle can refer as often as it likes, is counted, so that memory is bounded by the length. What it names is looked
//! up in [`Global::of`], and what it calls does what stands here.

mod call;
mod stack;

use std::collections::BTreeMap;

use super::object::{Heap, Id, Object};
use stack::long;

/// How many items of others all objects may copy, for each byte of a pickle. Those that PyTorch writes copy fewer than there are bytes.
const COPIES: usize = 4;

/// The highest version of the format.
const PROTOCOL: u8 = 5;

/// Runs the pickle that begins at `position`, which is moved behind it; returns the objects and the one that it makes.
pub(super) fn load(bytes: &[u8], position: &mut usize) -> Result<(Heap, Id), String> {
    let mut machine = Machine {
        bytes,
        position: *position,
        heap: Heap::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
        left: (bytes.len() - *position).saturating_mul(COPIES),
    };
    while machine.step()? {}
    let result = machine.pop()?;
    *position = machine.position;
    Ok((machine.heap, result))
}

struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    heap: Heap,
    stack: Vec<Id>,
    /// The lengths of the stack where marks were set.
    marks: Vec<usize>,
    memo: BTreeMap<u64, Id>,
    /// How many more items may be copied.
    left: usize,
}

impl<'a> Machine<'a> {
    /// Runs an instruction; returns whether there are more.
    fn step(&mut self) -> Result<bool, String> {
        let [code] = self.array()?;
        match code {
            b'.' => return Ok(false),
            0x80 => {
                let [version] = self.array()?;
                if version > PROTOCOL {
                    return Err(format!(
                        "it has version {version} of the pickle format, but at most {PROTOCOL} is read"
                    ));
                }
            }
            0x95 => drop(self.array::<8>()?), // a frame
            b'N' => self.push(Object::None),
            0x88 => self.push(Object::Bool(true)),
            0x89 => self.push(Object::Bool(false)),
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Object::Int(value.into()));
            }
            b'K' => {
                let [value] = self.array()?;
                self.push(Object::Int(value.into()));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Object::Int(value.into()));
            }
            0x8a => {
                let [length] = self.array()?;
                let value = long(self.take(length.into())?)?;
                self.push(Object::Int(value));
            }
            b'G' => {
                self.array::<8>()?;
                self.push(Object::Other);
            }
            b'X' => self.text::<4>()?,
            0x8c => self.text::<1>()?,
            0x8d => self.text::<8>()?,
            b'C' => self.binary::<1>()?,
            b'B' => self.binary::<4>()?,
            0x8e => self.binary::<8>()?,
            b'(' => self.marks.push(self.stack.len()),
            b')' | b']' => self.push(Object::List(Vec::new())),
            b'}' => self.push(Object::Dict(Vec::new())),
            0x8f => self.push(Object::Other), // an empty set
            0x90 => drop(self.since_mark()?), // its elements
            b't' | b'l' => {
                let items = self.since_mark()?;
                self.push(Object::List(items));
            }
            0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let start = self.stack.len().checked_sub(count).filter(|start| *start >= self.bottom());
                let items = self.stack.split_off(start.ok_or("it takes what is not on its stack")?);
                self.push(Object::List(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.append(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set(&items)?;
            }
            b'q' => {
                let [index] = self.array()?;
                self.remember(index.into())?;
            }
            b'r' => {
                let index = u32::from_le_bytes(self.array()?);
                self.remember(index.into())?;
            }
            0x94 => self.remember(self.memo.len() as u64)?,
            b'h' => {
                let [index] = self.array()?;
                self.recall(index.into())?;
            }
            b'j' => {
                let index = u32::from_le_bytes(self.array()?);
                self.recall(index.into())?;
            }
            b'0' => drop(self.pop()?),
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.global(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let both = self.heap.text(module).zip(self.heap.text(name));
                let (module, name) = both.ok_or("it names something by what is no text")?;
                let (module, name) = (module.to_owned(), name.to_owned());
                self.global(&module, &name)?;
            }
            b'Q' => self.persistent()?,
            b'R' | 0x81 => self.call()?,
            b'b' => {
                // What is kept beside a dictionary, such as the versions of modules, or hooks of a tensor.
                self.pop()?;
                let object = self.top()?;
                if !matches!(self.heap.get(object), Object::Dict(_) | Object::Tensor(_)) {
                    return Err("it sets the state of something that is no dictionary".into());
                }
            }
            _ => {
                return Err(format!(
                    "it has an instruction {code:#04x} at byte {}, which no state dict needs",
                    self.position - 1
                ));
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(bytes: &[u8]) -> String {
        load(bytes, &mut 0).map(|(heap, id)| format!("{:?}", heap.get(id))).unwrap_err()
    }

    #[test]
    fn code_is_refused_by_its_name() {
        assert!(error(b"cos\nsystem\n(X\x04\x00\x00\x00trueR.").contains("names os.system"));
        assert!(error(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.").contains("names builtins.eval"));
        assert!(error(b"c__torch__\nNet\n)\x81.").contains("__torch__.Net"));
        // Instructions that make objects by other ways.
        assert!(error(b"(ios\nsystem\n.").contains("0x69"));
        assert!(error(b"\x82\x01.").contains("0x82"));
    }

    #[test]
    fn broken_programs_are_refused() {
        for (program, part) in [
            (&b""[..], "ends"),
            (b".", "stack"),
            (b"0", "stack"),
            (b"t", "mark"),
            (b"\x85", "stack"),
            (b"N(\x85", "stack"),
            (b"N(0", "stack"),
            (b"h\x00", "remembered"),
            (b"q\x00", "stack"),
            (b"Na", "stack"),
            (b"NNa", "no list"),
            (b"}Ns", "stack"),
            (b"NNNs", "no dictionary"),
            (b"}(Nu", "no dictionary"),
            (b"NNR", "no function"),
            (b"ccollections\nOrderedDict\nNR", "other arguments"),
            (b"ccollections\nOrderedDict\n", "ends"),
            (b"ccollections", "name"),
            (b"NQ", "no storage"),
            (b"NNb", "no dictionary"),
            (b"X\xff\xff\xff\xff", "ends"),
            (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff", "ends"),
            (b"X\x01\x00\x00\x00\xff", "UTF-8"),
            (b"\x8a\x11aaaaaaaaaaaaaaaaa", "16 bytes"),
            (b"\x80\x09", "version 9"),
        ] {
            let found = error(program);
            assert!(found.contains(part), "{}: {found}", program.escape_ascii());
        }
    }

    #[test]
    fn what_is_copied_is_bounded() {
        // A list, a text or a shape of 20 kB, and 3000 objects that are made of it.
        let many = |first: &[u8], again: &[u8]| [first, &again.repeat(3000), b"."].concat();
        let pairs =
            [&b"(ccollections\nOrderedDict\nq\x00]q\x01("[..], &b"NN\x86".repeat(7000), b"e\x85q\x02"]
                .concat();
        assert!(error(&many(&pairs, b"h\x00h\x02R0")).contains("copies"));
        let key = b"k".repeat(20_000);
        let length = (key.len() as u32).to_le_bytes();
        let storage = [
            &b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX"[..],
            &length,
            &key,
            b"X\x03\x00\x00\x00cpuK\x01tq\x00",
        ]
        .concat();
        assert!(error(&many(&storage, b"h\x00Q0")).contains("copies"));
        let tensor = |axes: usize| {
            let storage = b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQq\x00";
            let function = b"ctorch._utils\n_rebuild_tensor_v2\nq\x01";
            let sizes = [&b"("[..], &b"K\x01".repeat(axes), b"tq\x02"].concat();
            [&storage[..], function, &sizes, b"(h\x00K\x00h\x02h\x02tq\x03"].concat()
        };
        assert!(error(&many(&tensor(10_000), b"h\x01h\x03R0")).contains("other arguments"));
        assert!(error(&many(&tensor(64), b"h\x01h\x03R0")).contains("copies"));
        // As few as PyTorch has are no more than there are bytes.
        assert!(load(&many(&tensor(4), b"h\x01h\x03R0"), &mut 0).is_ok());
    }

    #[test]
    fn whole_numbers() {
        assert_eq!(long(&[]), Ok(0));
        assert_eq!(long(&[0xff]), Ok(-1));
        assert_eq!(long(&[0xff, 0]), Ok(255));
        assert!(long(&[0; 17]).is_err());
    }

    #[test]
    fn an_object_may_contain_itself() {
        let (heap, id) = load(b"]q\x00h\x00a.", &mut 0).unwrap();
        assert_eq!(heap.list(id), Some(&[id][..]));
    }
}
