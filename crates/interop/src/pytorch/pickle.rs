//! A reader of pickles that runs no code.
//!
//! A pickle is a program for a stack. Each instruction reads at least a byte and adds at most one object, so that memory is bounded by
//! the length. What it names is looked up in [`Global::of`], and what it calls does what stands here.

use std::collections::BTreeMap;

use super::object::{Global, Heap, Id, Object, RebuiltTensor, Storage};

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

    /// The length of the stack below which the last mark, if there is one, lets nothing be taken.
    fn bottom(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn push(&mut self, object: Object) {
        let id = self.heap.add(object);
        self.stack.push(id);
    }

    fn pop(&mut self) -> Result<Id, String> {
        if self.stack.len() == self.bottom() {
            return Err("it takes what is not on its stack".into());
        }
        self.stack.pop().ok_or_else(|| "it takes what is not on its stack".into())
    }

    fn top(&self) -> Result<Id, String> {
        self.stack.last().copied().ok_or_else(|| "it uses what is not on its stack".into())
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or("it goes back to a mark that was not set")?;
        Ok(self.stack.split_off(mark))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self.position.checked_add(length);
        let taken =
            end.and_then(|end| self.bytes.get(self.position..end)).ok_or("it ends within an instruction")?;
        self.position += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(*self.take(N)?.first_chunk().expect("it has this length"))
    }

    /// A length of `N` bytes, and as many bytes.
    fn counted<const N: usize>(&mut self) -> Result<&'a [u8], String> {
        let mut length = [0; 8];
        length[..N].copy_from_slice(&self.array::<N>()?);
        let length = usize::try_from(u64::from_le_bytes(length)).map_err(|_| "it ends within a text")?;
        self.take(length)
    }

    fn text<const N: usize>(&mut self) -> Result<(), String> {
        let text =
            std::str::from_utf8(self.counted::<N>()?).map_err(|_| "it has a text that is not UTF-8")?;
        self.push(Object::Text(text.to_owned()));
        Ok(())
    }

    fn binary<const N: usize>(&mut self) -> Result<(), String> {
        self.counted::<N>()?;
        self.push(Object::Other);
        Ok(())
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == b'\n').ok_or("it ends within a name")?;
        let line = self.take(end + 1)?;
        std::str::from_utf8(&line[..end]).map_err(|_| "it has a name that is not UTF-8".into())
    }

    fn remember(&mut self, index: u64) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: u64) -> Result<(), String> {
        let id = self.memo.get(&index).ok_or("it recalls what it has not remembered")?;
        self.stack.push(*id);
        Ok(())
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        let list = self.top()?;
        let Object::List(list) = self.heap.get_mut(list) else {
            return Err("it appends to what is no list".into());
        };
        list.extend(items);
        Ok(())
    }

    fn set(&mut self, items: &[Id]) -> Result<(), String> {
        let (pairs, rest) = items.as_chunks::<2>();
        let dict = self.top()?;
        match self.heap.get_mut(dict) {
            Object::Dict(entries) if rest.is_empty() => {
                entries.extend(pairs.iter().map(|&[key, value]| (key, value)))
            }
            _ => return Err("it sets entries of what is no dictionary".into()),
        }
        Ok(())
    }

    fn global(&mut self, module: &str, name: &str) -> Result<(), String> {
        let refused = || {
            format!(
                "it names {module}.{name}, which is neither a tensor nor a dictionary: it could be code, which is not run here; \
                 save a state dict, by torch.save(model.state_dict(), ...)"
            )
        };
        let global = Global::of(module, name).ok_or_else(refused)?;
        self.push(Object::Global(global));
        Ok(())
    }

    /// `("storage", type, key, location, length)`, in older files with something more.
    fn persistent(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        let heap = &self.heap;
        let storage = || {
            let &[kind, class, key, _, length, ..] = heap.list(id)? else { return None };
            let Object::Global(Global::StorageOf(dtype)) = *heap.get(class) else { return None };
            let key = heap.text(key)?.to_owned();
            (heap.text(kind)? == "storage").then_some(Storage { key, dtype, length: heap.size(length)? })
        };
        let storage = storage().ok_or("it refers to something outside that is no storage of a known type")?;
        self.push(Object::Storage(storage));
        Ok(())
    }

    fn call(&mut self) -> Result<(), String> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Object::Global(global) = *self.heap.get(function) else {
            return Err("it calls what is no function".into());
        };
        let wrong = || format!("it calls {global:?} with other arguments than PyTorch does");
        let arguments = self.heap.list(arguments).ok_or_else(wrong)?;
        match (global, arguments) {
            (Global::OrderedDict, []) => self.push(Object::Dict(Vec::new())),
            (Global::OrderedDict, &[pairs]) => {
                let pair = |&id: &Id| match self.heap.list(id) {
                    Some(&[key, value]) => Some((key, value)),
                    _ => None,
                };
                let pairs =
                    self.heap.list(pairs).and_then(|pairs| pairs.iter().map(pair).collect::<Option<_>>());
                self.push(Object::Dict(pairs.ok_or_else(wrong)?));
            }
            (Global::Size | Global::RebuildParameter, &[first, ..]) => self.stack.push(first),
            (Global::RebuildTensor, &[storage, offset, shape, strides, ..]) => {
                let heap = &self.heap;
                let sizes = heap.sizes(shape).zip(heap.sizes(strides)).zip(heap.size(offset));
                let ((shape, strides), offset) = sizes.ok_or_else(wrong)?;
                if !matches!(heap.get(storage), Object::Storage(_)) {
                    return Err(wrong());
                }
                self.push(Object::Tensor(RebuiltTensor { storage, offset, shape, strides }));
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }
}

/// A whole number in two's complement of any length up to 16 bytes.
fn long(bytes: &[u8]) -> Result<i128, String> {
    let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
    let mut value = [if negative { 0xff } else { 0 }; 16];
    value.get_mut(..bytes.len()).ok_or("it has a whole number of more than 16 bytes")?.copy_from_slice(bytes);
    Ok(i128::from_le_bytes(value))
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
