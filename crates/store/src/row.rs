//! One row of a query.

use crate::error::{BoxError, Error, Result};
use crate::value::{FromValue, Value};

/// A row, valid while the mapping closure runs.
pub struct Row<'a>(pub(crate) &'a rusqlite::Row<'a>);

/// A column, by its position from 0 or by its name.
pub trait Column: Copy + std::fmt::Display {
    /// The position in this row.
    #[doc(hidden)]
    fn position(self, row: &Row<'_>) -> Option<usize>;
}

impl Column for usize {
    fn position(self, row: &Row<'_>) -> Option<usize> {
        (self < row.0.as_ref().column_count()).then_some(self)
    }
}

impl Column for &str {
    fn position(self, row: &Row<'_>) -> Option<usize> {
        row.0.as_ref().column_index(self).ok()
    }
}

impl Row<'_> {
    /// The value of a column.
    pub fn get<T: FromValue>(&self, column: impl Column) -> Result<T> {
        self.value(column)
            .and_then(T::from_value)
            .map_err(|source| Error::Column { column: column.to_string(), source })
    }

    /// The text of a column, decoded by the caller: JSON, an enum, an address.
    pub fn decode<T, E: Into<BoxError>>(
        &self,
        column: impl Column,
        decode: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T> {
        let text: String = self.get(column)?;
        decode(&text).map_err(|e| Error::Column { column: column.to_string(), source: e.into() })
    }

    fn value(&self, column: impl Column) -> Result<Value, BoxError> {
        let position = column.position(self).ok_or("the query has no such column")?;
        Value::from_ref(self.0.get_ref(position)?)
    }
}
