//! Shapes that PowerSchool's JSON takes because it is XML underneath: numbers as text, one element instead of a list,
//! `""` for an empty container.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, SeqAccess, Visitor, value::MapAccessDeserializer},
};

/// A whole number, sent as a number or as text; anything else is `None`.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(text(deserializer)?.and_then(|text| text.trim().parse().ok()))
}

/// Text, sent as text or as a number; `null`, `""` and containers are `None`.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    use serde_json::Value;

    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    })
}

/// A list: several elements, or a bare one, or nothing (absent, `null`, `""`).
pub(crate) fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct ListVisitor<T>(PhantomData<T>);

    impl<'de, T: DeserializeOwned> Visitor<'de> for ListVisitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list, a single element or nothing")
        }

        fn visit_unit<E>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            if text.is_empty() {
                Ok(Vec::new())
            } else {
                Err(E::invalid_type(serde::de::Unexpected::Str("text"), &self))
            }
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
            Ok(vec![T::deserialize(MapAccessDeserializer::new(map))?])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = sequence.next_element()? {
                elements.push(element);
            }
            Ok(elements)
        }
    }

    deserializer.deserialize_any(ListVisitor(PhantomData))
}

/// A container that may be `""`, `null` or absent instead of empty.
pub(crate) fn container<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(list(deserializer)?.into_iter().next().unwrap_or_default())
}

/// PowerSchool's count: `{"resource":{"count":N}}` for `/ws/v1`, `{"count":N}` for `/ws/schema`.
#[derive(Deserialize)]
pub(crate) struct CountAnswer {
    #[serde(default, deserialize_with = "number")]
    count: Option<i64>,
    #[serde(default, deserialize_with = "container")]
    resource: ResourceCount,
}

#[derive(Default, Deserialize)]
struct ResourceCount {
    #[serde(default, deserialize_with = "number")]
    count: Option<i64>,
}

impl CountAnswer {
    pub(crate) fn count(&self) -> Option<u64> {
        self.count.or(self.resource.count).and_then(|count| u64::try_from(count).ok())
    }
}

/// PowerSchool's answer to a request it finds invalid, and to one that lacks access.
#[derive(Default, Deserialize)]
pub(crate) struct Validation {
    #[serde(default, deserialize_with = "text")]
    pub(crate) message: Option<String>,
    #[serde(default, deserialize_with = "list")]
    pub(crate) errors: Vec<ValidationError>,
}

#[derive(Default, Deserialize)]
pub(crate) struct ValidationError {
    #[serde(default, deserialize_with = "text")]
    pub(crate) field: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(crate) code: Option<String>,
}
