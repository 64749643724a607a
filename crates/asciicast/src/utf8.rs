//! Text out of bytes that may be cut within a character.

/// What came of a character so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carry {
    /// At most the first three bytes of four.
    held: Vec<u8>,
}

impl Carry {
    /// Appends the text of these bytes and of what was held before. The beginning of a character at the
    /// end is held; each longest run of bytes that cannot become a character is one U+FFFD.
    pub(crate) fn decode(&mut self, bytes: &[u8], out: &mut String) {
        let joined;
        let mut rest = if self.held.is_empty() {
            bytes
        } else {
            joined = [self.held.as_slice(), bytes].concat();
            self.held.clear();
            &joined
        };
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    out.push_str(text);
                    return;
                }
                Err(error) => {
                    let (valid, behind) = rest.split_at(error.valid_up_to());
                    out.push_str(&String::from_utf8_lossy(valid));
                    let Some(bad) = error.error_len() else {
                        self.held = behind.to_vec();
                        return;
                    };
                    out.push(char::REPLACEMENT_CHARACTER);
                    rest = behind.get(bad..).unwrap_or_default();
                }
            }
        }
    }

    /// There will be no more: appends what stands for a character that was begun.
    pub(crate) fn finish(&mut self, out: &mut String) {
        if !self.held.is_empty() {
            self.held.clear();
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}
