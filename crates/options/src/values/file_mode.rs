//! Modes of files.

use std::fmt;

use super::value;

/// The permissions of a file or folder, as `chmod(1)` takes them in octal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMode(u32);

impl FileMode {
    /// The bits.
    pub fn bits(self) -> u32 {
        self.0
    }

    fn read(text: &str) -> Option<Self> {
        let octal = text.bytes().all(|b| matches!(b, b'0'..=b'7'));
        let bits = u32::from_str_radix(text, 8).ok()?;
        (octal && bits <= 0o7777).then_some(Self(bits))
    }
}

value!(FileMode, "mode", "a mode in octal digits, such as 0711", FileMode::read);

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn octal_and_nothing_else() {
        for (text, bits) in [("0711", 0o711), ("1777", 0o1777), ("0", 0)] {
            assert_eq!(FileMode::parse(text).unwrap().bits(), bits);
        }
        for bad in ["", "8", "0o711", "+711", "77777", "rwx"] {
            assert!(FileMode::parse(bad).is_err(), "{bad:?}");
        }
    }
}
