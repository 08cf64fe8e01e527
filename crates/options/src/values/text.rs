//! Any text.

use crate::{Kind, Value};

impl Value for String {
    const KIND: Kind = Kind::Text;

    fn parse(text: &str) -> Result<Self, String> {
        if text.contains('\0') {
            Err("text without a zero byte".to_owned())
        } else {
            Ok(text.to_owned())
        }
    }
}
