//! `key=value` words.

use std::io::{Read, stdin};

use wire::ConfigMap;

use crate::error::{Error, Result};

/// Parts a word at its first `=`.
pub(crate) fn pair(word: &str) -> Result<(String, String)> {
    let (key, value) = word
        .split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| Error::Form { word: word.to_owned(), form: "key=value" })?;
    Ok((key.to_owned(), value.to_owned()))
}

/// A map of `key=value` words.
pub(crate) fn map(words: &[String]) -> Result<ConfigMap> {
    words.iter().map(|word| pair(word)).collect()
}

/// What is to be set: `key=value ...`, or the older `key value`. A value of `-` is read from standard input.
pub(crate) fn settings(words: &[String]) -> Result<ConfigMap> {
    let mut settings = match words {
        [key, value] if !key.contains('=') => ConfigMap::from([(key.clone(), value.clone())]),
        _ => map(words)?,
    };
    for value in settings.values_mut().filter(|value| *value == "-") {
        value.clear();
        stdin().read_to_string(value).map_err(Error::Stdio)?;
    }
    Ok(settings)
}

/// Sets keys; an empty value takes a key away.
pub(crate) fn apply(config: &mut ConfigMap, settings: ConfigMap) {
    for (key, value) in settings {
        if value.is_empty() {
            config.remove(&key);
        } else {
            config.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn both_ways_to_set_are_one() {
        let want = ConfigMap::from([("limits.memory".into(), "1GiB".into())]);
        assert_eq!(settings(&words("limits.memory=1GiB")).unwrap(), want);
        assert_eq!(settings(&words("limits.memory 1GiB")).unwrap(), want);
    }

    #[test]
    fn a_value_may_hold_an_equals_sign() {
        assert_eq!(pair("environment.A=b=c").unwrap(), ("environment.A".into(), "b=c".into()));
    }

    #[test]
    fn a_word_without_key_is_refused() {
        assert_eq!(pair("=x").unwrap_err().to_string(), r#""=x" is not of the form key=value"#);
        assert!(settings(&words("a b c")).is_err());
    }

    #[test]
    fn an_empty_value_takes_the_key_away() {
        let mut config = ConfigMap::from([("a".into(), "1".into())]);
        apply(&mut config, words("a= b=2").iter().map(|word| pair(word).unwrap()).collect());
        assert_eq!(config, ConfigMap::from([("b".into(), "2".into())]));
    }
}
