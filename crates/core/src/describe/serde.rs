//! Descriptions in the formats of serde: `{"name": "adam", "lr": 0.001}`, or the text form.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::description::{CHAIN, Description, Value};

/// The key of the name of a thing.
const NAME: &str = "name";

impl Serialize for Description {
    /// A map of the name and the settings; a chain has the single key `then`. Settings without a name have their index.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.name == CHAIN {
            let parts: Vec<&Value> = self.settings.iter().map(|(_, part)| part).collect();
            map.serialize_entry(CHAIN, &parts)?;
            return map.end();
        }
        map.serialize_entry(NAME, &self.name)?;
        for (index, (name, value)) in self.settings.iter().enumerate() {
            match &**name {
                "" => map.serialize_entry(&index.to_string(), value)?,
                name => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => match i64::try_from(*value) {
                Ok(value) => serializer.serialize_i64(value),
                Err(_) => serializer.serialize_u64(u64::try_from(*value).unwrap_or(u64::MAX)),
            },
            Self::Number(value) if value.is_finite() => serializer.serialize_f64(*value),
            Self::Number(_) => serializer.collect_str(self),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(values) => values.serialize(serializer),
            Self::Described(description) => description.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Description {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Described(description) => Ok(description),
            Value::Text(text) => text.parse().map_err(de::Error::custom),
            value => Err(de::Error::custom(format_args!(
                "`{value}` describes nothing: write a text such as \"adam(lr=0.001)\", or a table with a `name`"
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, a list, true, false, nothing, or a table with a `name`")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut name = None;
        let mut settings = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                NAME => name = Some(map.next_value::<String>()?),
                CHAIN => {
                    let parts = map.next_value::<Vec<Description>>()?;
                    if let Some(other) = map.next_key::<String>()? {
                        return Err(de::Error::custom(format_args!(
                            "`{CHAIN}` stands alone, but there is `{other}`"
                        )));
                    }
                    return Ok(Description::chain(parts).into());
                }
                key if key.parse::<usize>().is_ok() => settings.push((String::new(), map.next_value()?)),
                _ => settings.push((key, map.next_value()?)),
            }
        }
        let name = name.ok_or_else(|| de::Error::missing_field(NAME))?;
        Ok(Value::Described(Description { name, settings }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_back() {
        for text in [
            "adam(lr=0.001, betas=[0.9, 0.999])",
            "dense(units=64, bias=none, name_of=\"a b\")",
            "warm_up(500) then cosine(rate=inf)",
            "sequential([flatten, dense(10), (relu then tanh) then softmax])",
        ] {
            let description: Description = text.parse().unwrap();
            let json = serde_json::to_string(&description).unwrap();
            let back: Description = serde_json::from_str(&json).unwrap();
            assert_eq!(back.to_string().replace('"', ""), text.replace('"', ""), "{json}");
        }
        let description: Description = serde_json::from_str("\"adam(lr=0.1)\"").unwrap();
        assert_eq!(description.to_string(), "adam(lr=0.1)");
        for wrong in ["3", "{\"lr\": 1}", "{\"name\": 3}", "[]", "\"a(\"", "{\"then\": [1]}"] {
            assert!(serde_json::from_str::<Description>(wrong).is_err(), "{wrong}");
        }
    }
}
