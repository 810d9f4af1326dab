//! In what two descriptions differ.

use chainrule_core::{Description, Value};

/// The first thing in a file that is not what the program has, and that; `None` if they agree.
///
/// A setting that the file leaves out agrees with any: it was added to the layer after the file was written.
pub(super) fn first_difference(file: &Description, program: &Description) -> Option<(String, String)> {
    let whole = || Some((file.to_string(), program.to_string()));
    if file.name != program.name {
        return whole();
    }
    for (setting, found) in &file.settings {
        let Some(expected) = program.get(setting) else { return whole() };
        match value_difference(found, expected) {
            None => {}
            Some(Difference::Here) => return whole(),
            Some(Difference::Inside(found, expected)) => return Some((found, expected)),
        }
    }
    None
}

/// Where two values differ.
enum Difference {
    /// In themselves.
    Here,
    /// In a thing inside of them.
    Inside(String, String),
}

fn value_difference(found: &Value, expected: &Value) -> Option<Difference> {
    match (found, expected) {
        (Value::List(found), Value::List(expected)) if found.len() == expected.len() => {
            found.iter().zip(expected).find_map(|(found, expected)| value_difference(found, expected))
        }
        (Value::Described(found), Value::Described(expected)) => {
            first_difference(found, expected).map(|(found, expected)| Difference::Inside(found, expected))
        }
        // A text has no sign of whether a whole number is one.
        _ if found == expected || (found.as_f64().is_some() && found.as_f64() == expected.as_f64()) => None,
        // A thing whose settings the file does not know.
        (Value::Text(name), Value::Described(thing)) if *name == thing.name => None,
        _ => Some(Difference::Here),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        for (file, program, difference) in [
            ("a(1, b=c(2))", "a(1, b=c(2))", None),
            ("a(x=1.0)", "a(x=1)", None),
            ("a(x=1)", "a(x=1, y=2)", None),
            ("a(x=b)", "a(x=b(y=2))", None),
            ("a(x=1)", "b(x=1)", Some(("a(x=1)", "b(x=1)"))),
            ("a(x=1)", "a(x=2)", Some(("a(x=1)", "a(x=2)"))),
            ("a(x=1)", "a(y=1)", Some(("a(x=1)", "a(y=1)"))),
            ("a(x=[b, c(y=1)])", "a(x=[b, c(y=2)])", Some(("c(y=1)", "c(y=2)"))),
            ("a(x=[b, c])", "a(x=[b])", Some(("a(x=[b, c])", "a(x=[b])"))),
            ("a(x=[b])", "a(x=[c])", Some(("a(x=[b])", "a(x=[c])"))),
        ] {
            let found = first_difference(&file.parse().unwrap(), &program.parse().unwrap());
            let difference = difference.map(|(a, b): (&str, &str)| (a.to_owned(), b.to_owned()));
            assert_eq!(found, difference, "{file} and {program}");
        }
    }
}
