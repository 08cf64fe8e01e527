//! Templates of images: what is written into an instance's files when it is made, copied, renamed or started.
//!
//! They are pongo2's dialect ([`dialect`]), rendered by minijinja. What a template can cost is bounded: by fuel, by
//! how long its result may be, and as nothing in the language makes long texts of short ones.

mod dialect;

use std::{collections::BTreeMap, io};

use minijinja::{Environment, UndefinedBehavior, Value, context, syntax::SyntaxConfig};

use crate::{Error, Result};

/// Instructions that one may take.
const FUEL: u64 = 1_000_000;
/// Bytes of a result at most.
const LONGEST: usize = 4 << 20;
/// Bytes of a template at most.
pub const MAX_TEMPLATE: u64 = 1 << 20;

/// Words by their names.
pub type Words = BTreeMap<String, String>;

/// What a template may use.
#[derive(Debug, Clone, Default)]
pub struct Values {
    /// Why it is rendered: `create`, `copy`, `rename`, `start`.
    pub trigger: String,
    /// The file that it makes.
    pub path: String,
    /// `name`, `type`, `architecture`, `privileged`, `ephemeral`.
    pub instance: Words,
    /// The instance's options, with those of its profiles.
    pub config: Words,
    /// Its devices, with those of its profiles.
    pub devices: BTreeMap<String, Words>,
    /// What `metadata.yaml` gives the template.
    pub properties: Words,
}

/// What a template becomes.
///
/// # Errors
/// [`Error::Template`] when it cannot be understood, or takes too much.
pub fn render(text: &str, values: &Values) -> Result<String> {
    let failed = |why: String| Error::Template { why };
    let translated = dialect::translate(text).map_err(failed)?;
    let environment = environment(&values.config);
    let template = environment.template_from_str(&translated);
    let template = template.map_err(|error| failed(words(&error)))?;
    let mut result = Bounded(Vec::new());
    let Values { trigger, path, instance, config, devices, properties } = values.clone();
    let instance = Value::from(instance);
    let given = context! {
        container => instance.clone(),
        trigger, path, instance, config, devices, properties,
    };
    template.render_captured_to(given, &mut result).map_err(|error| failed(words(&error)))?;
    String::from_utf8(result.0).map_err(|error| failed(error.to_string()))
}

/// The language: little, and nothing that makes much of it.
fn environment(config: &Words) -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.unwrap_or_default());
    environment.set_fuel(Some(FUEL));
    let config = config.clone();
    environment.add_function("config_get", move |key: &str, default: Option<Value>| {
        let set = config.get(key).map(|value| Value::from(value.as_str()));
        set.or(default).unwrap_or_else(|| Value::from(""))
    });
    let or = |value: Value, default: Value| if value.is_true() { value } else { default };
    environment.add_filter("default", or);
    environment.add_filter("safe", |value: Value| value);
    environment.add_filter("upper", |text: &str| text.to_uppercase());
    environment.add_filter("lower", |text: &str| text.to_lowercase());
    environment.add_filter("trim", |text: &str| text.trim().to_owned());
    environment.add_filter("length", |value: Value| value.len());
    environment.add_filter("pairs", pairs);
    environment
}

/// Names and values of a map; anything else as it is.
fn pairs(value: Value) -> Result<Value, minijinja::Error> {
    if value.kind() != minijinja::value::ValueKind::Map {
        return Ok(value);
    }
    let names: Vec<Value> = value.try_iter()?.collect();
    let pair = |name: Value| Ok(Value::from(vec![name.clone(), value.get_item(&name)?]));
    names.into_iter().map(pair).collect::<Result<Vec<Value>, minijinja::Error>>().map(Value::from)
}

/// What is wrong, and where.
fn words(error: &minijinja::Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.line() {
        Some(line) => format!("line {line}: {what}"),
        None => what,
    }
}

/// What is written, until it is too long.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(io::Error::other("its result is longer than 4 MiB"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
