//! Replies of lists: addresses, or with `recursion` the things themselves.

use std::{fmt, marker::PhantomData};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

/// A list without or with recursion.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "ListOf{T}")]
pub enum Listing<T> {
    /// Addresses such as `/1.0/instances/web`.
    Urls(Vec<String>),
    /// The things themselves.
    Full(Vec<T>),
}

impl<T> Listing<T> {
    /// The things; none when the list holds addresses.
    pub fn into_full(self) -> Vec<T> {
        match self {
            Self::Full(items) => items,
            Self::Urls(_) => Vec::new(),
        }
    }
}

/// One element, told apart by its JSON type, so that an error names the field and not "no variant matched".
enum Element<T> {
    Url(String),
    Full(T),
}

struct ElementVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ElementVisitor<T> {
    type Value = Element<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address or an object")
    }

    fn visit_str<E>(self, url: &str) -> Result<Self::Value, E> {
        Ok(Element::Url(url.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Element::Full)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Element<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor(PhantomData))
    }
}

struct ListingVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListingVisitor<T> {
    type Value = Listing<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Listing<T>, A::Error> {
        let (mut urls, mut full) = (Vec::new(), Vec::new());
        while let Some(element) = list.next_element()? {
            match element {
                Element::Url(url) => urls.push(url),
                Element::Full(item) => full.push(item),
            }
        }
        Ok(if full.is_empty() { Listing::Urls(urls) } else { Listing::Full(full) })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Listing<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListingVisitor(PhantomData))
    }
}
