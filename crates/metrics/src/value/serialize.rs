//! Values in files: a number is a number, a vector a list, a table an object with its columns and rows. What is
//! undefined is an object with the reason: `{"undefined": "no sample is positive"}`.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{MetricValue, Table, Undefined};

impl Serialize for Undefined {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("undefined", self.0)?;
        map.end()
    }
}

/// A number of a vector.
struct Entry<'a>(&'a Result<f64, Undefined>);

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Ok(number) => serializer.serialize_f64(*number),
            Err(undefined) => undefined.serialize(serializer),
        }
    }
}

impl Serialize for MetricValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Undefined(undefined) => undefined.serialize(serializer),
            Self::Vector(numbers) => {
                let mut list = serializer.serialize_seq(Some(numbers.len()))?;
                numbers.iter().try_for_each(|number| list.serialize_element(&Entry(number)))?;
                list.end()
            }
            Self::Table(table) => table.serialize(serializer),
        }
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("columns", self.columns())?;
        map.serialize_entry("rows", self.rows())?;
        if !self.row_names().is_empty() {
            map.serialize_entry("row_names", self.row_names())?;
        }
        if !self.notes().is_empty() {
            map.serialize_entry("notes", self.notes())?;
        }
        map.end()
    }
}
