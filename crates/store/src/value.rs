//! Values that go into statements and come out of rows.

use rusqlite::types::{ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

use crate::error::BoxError;

/// A value of a column or parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// No value.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A floating point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    pub(crate) fn from_ref(value: ValueRef<'_>) -> Result<Value, BoxError> {
        Ok(match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(i) => Value::Integer(i),
            ValueRef::Real(r) => Value::Real(r),
            ValueRef::Text(t) => Value::Text(std::str::from_utf8(t)?.to_owned()),
            ValueRef::Blob(b) => Value::Blob(b.to_vec()),
        })
    }

    /// Roughly what the value costs in the log.
    pub(crate) fn size(&self) -> usize {
        match self {
            Value::Null | Value::Integer(_) | Value::Real(_) => 9,
            Value::Text(t) => t.len() + 5,
            Value::Blob(b) => b.len() + 5,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Integer(_) => "an integer",
            Value::Real(_) => "a real number",
            Value::Text(_) => "text",
            Value::Blob(_) => "bytes",
        }
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(i) => ValueRef::Integer(*i),
            Value::Real(r) => ValueRef::Real(*r),
            Value::Text(t) => ValueRef::Text(t.as_bytes()),
            Value::Blob(b) => ValueRef::Blob(b),
        }))
    }
}

/// What can be bound to a statement with [`params!`](crate::params).
pub trait ToValue {
    /// The value to store.
    fn to_value(&self) -> Value;
}

/// What can be read from a column.
pub trait FromValue: Sized {
    /// Takes the stored value, or says why it does not fit.
    fn from_value(value: Value) -> Result<Self, Box<dyn std::error::Error + Send + Sync>>;
}

/// Makes the parameters of a statement, by reference: `params![name, project.id, None::<i64>]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::ToValue::to_value(&$value)),*] as &[$crate::Value]
    };
}

/// A value of another kind than asked for.
#[derive(Debug, thiserror::Error)]
#[error("it holds {found}, not {wanted}")]
struct Mismatch {
    wanted: &'static str,
    found: &'static str,
}

fn mismatch<T>(wanted: &'static str, found: &Value) -> Result<T, BoxError> {
    Err(Mismatch { wanted, found: found.kind() }.into())
}

macro_rules! integers {
    ($($kind:ty),*) => {$(
        impl ToValue for $kind {
            fn to_value(&self) -> Value {
                Value::Integer(i64::from(*self))
            }
        }
        impl FromValue for $kind {
            fn from_value(value: Value) -> Result<Self, BoxError> {
                match value {
                    Value::Integer(i) => Ok(<$kind>::try_from(i)?),
                    other => mismatch("an integer", &other),
                }
            }
        }
    )*};
}
integers!(i64, i32, i16, u32, u16, u8);

/// Sizes fit: SQLite has 63 bits and no disk has more. Larger numbers saturate.
impl ToValue for u64 {
    fn to_value(&self) -> Value {
        Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}

impl FromValue for u64 {
    fn from_value(value: Value) -> Result<Self, BoxError> {
        Ok(u64::try_from(i64::from_value(value)?)?)
    }
}

impl ToValue for usize {
    fn to_value(&self) -> Value {
        (*self as u64).to_value()
    }
}

impl FromValue for usize {
    fn from_value(value: Value) -> Result<Self, BoxError> {
        Ok(usize::try_from(i64::from_value(value)?)?)
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Value {
        Value::Integer(i64::from(*self))
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Result<Self, BoxError> {
        Ok(i64::from_value(value)? != 0)
    }
}

impl ToValue for f64 {
    fn to_value(&self) -> Value {
        Value::Real(*self)
    }
}

impl FromValue for f64 {
    fn from_value(value: Value) -> Result<Self, BoxError> {
        match value {
            Value::Real(r) => Ok(r),
            Value::Integer(i) => Ok(i as f64),
            other => mismatch("a number", &other),
        }
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value {
        Value::Text(self.to_owned())
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Result<Self, BoxError> {
        match value {
            Value::Text(t) => Ok(t),
            other => mismatch("text", &other),
        }
    }
}

impl ToValue for [u8] {
    fn to_value(&self) -> Value {
        Value::Blob(self.to_owned())
    }
}

impl ToValue for Vec<u8> {
    fn to_value(&self) -> Value {
        Value::Blob(self.clone())
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Result<Self, BoxError> {
        match value {
            Value::Blob(b) => Ok(b),
            other => mismatch("bytes", &other),
        }
    }
}

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self, BoxError> {
        Ok(value)
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self, BoxError> {
        match value {
            Value::Null => Ok(None),
            other => T::from_value(other).map(Some),
        }
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}
