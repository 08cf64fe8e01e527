//! What is printed.

pub(crate) mod human;
pub(crate) mod progress;
pub(crate) mod table;

use serde::Serialize;

use crate::error::{Error, Result};

pub(crate) use self::table::Table;

/// How a list is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A box.
    #[default]
    Table,
    /// A table without lines.
    Compact,
    /// Comma-separated values without a head.
    Csv,
    /// JSON, all there is.
    Json,
    /// YAML, all there is.
    Yaml,
}

/// The option `--format`.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct FormatArg {
    /// How to print the list
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

impl FormatArg {
    /// Prints a list: the data itself as JSON or YAML, or what `table` makes of it.
    pub(crate) fn print<T: Serialize>(
        self,
        data: &[T],
        table: impl FnOnce(&[T]) -> Table,
    ) -> Result<()> {
        match self.format {
            Format::Table => out!("{}", table(data).boxed()),
            Format::Compact => out!("{}", table(data).compact()),
            Format::Csv => out!("{}", table(data).csv()),
            Format::Json => outln!("{}", serde_json::to_string(data).map_err(Error::Json)?),
            Format::Yaml => yaml(&data)?,
        }
        Ok(())
    }
}

/// Prints a thing as YAML.
pub(crate) fn yaml(thing: &impl Serialize) -> Result<()> {
    out!("{}", serde_saphyr::to_string(thing).map_err(Error::Yaml)?);
    Ok(())
}
