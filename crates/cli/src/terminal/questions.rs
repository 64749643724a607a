//! Takes out of old output what a terminal would answer: the answers were given when it was new, and
//! whoever is in the shell now has not asked.

use bytes::Bytes;

/// Longer than any question; what is longer is none.
const LONGEST: usize = 4096;

/// Reports of the window's state and size.
const WINDOW_REPORTS: [&[u8]; 9] = [
    b"11", b"13", b"14", b"15", b"16", b"18", b"19", b"20", b"21",
];

/// Follows a stream of output, whose old part comes first.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// A sequence whose end has not come.
    held: Vec<u8>,
}

impl Questions {
    /// What to show of `bytes`. Everything, if they are new.
    pub(super) fn without(&mut self, bytes: Bytes, is_live: bool) -> Bytes {
        if is_live && self.held.is_empty() {
            return bytes;
        }
        let mut shown = Vec::with_capacity(bytes.len() + self.held.len());
        if is_live {
            shown.append(&mut self.held);
            shown.extend_from_slice(&bytes);
            return shown.into();
        }
        for byte in bytes {
            if self.held.is_empty() && byte != 0x1b {
                if byte != 0x05 {
                    shown.push(byte);
                }
                continue;
            }
            self.held.push(byte);
            if is_complete(&self.held) {
                if !is_question(&self.held) {
                    shown.extend_from_slice(&self.held);
                }
                self.held.clear();
            } else if self.held.len() >= LONGEST {
                shown.append(&mut self.held);
            }
        }
        shown.into()
    }
}

fn is_complete(sequence: &[u8]) -> bool {
    match sequence {
        [0x1b] => false,
        [.., 0x18 | 0x1a] => true,
        [0x1b, b'[', rest @ ..] => matches!(rest, [.., 0x40..=0x7e]),
        [0x1b, b']' | b'P' | b'_' | b'^' | b'X', rest @ ..] => {
            matches!(rest, [.., 0x07] | [.., 0x1b, b'\\'])
        }
        [.., 0x20..=0x2f] => false,
        _ => true,
    }
}

fn is_question(sequence: &[u8]) -> bool {
    match sequence {
        [0x1b, b'Z'] => true,
        [0x1b, b'[', parameters @ .., last] => is_asking_csi(parameters, *last),
        [0x1b, b']', text @ ..] => {
            let text = text.strip_suffix(b"\x07").or(text.strip_suffix(b"\x1b\\"));
            text.is_some_and(|text| text.split(|byte| *byte == b';').any(|part| part == b"?"))
        }
        [0x1b, b'P', text @ ..] => text.starts_with(b"$q") || text.starts_with(b"+q"),
        _ => false,
    }
}

fn is_asking_csi(parameters: &[u8], last: u8) -> bool {
    let prefix = parameters.first().copied();
    let middle = parameters
        .last()
        .copied()
        .filter(|byte| matches!(byte, 0x20..=0x2f));
    match (last, middle) {
        (b'c' | b'x', None) => true,
        (b'n', None) => prefix != Some(b'>'),
        (b't', None) => {
            let first = parameters.split(|byte| *byte == b';').next();
            first.is_some_and(|first| WINDOW_REPORTS.contains(&first))
        }
        (b'q', None) => prefix == Some(b'>'),
        (b'u' | b'S' | b'm', None) => prefix == Some(b'?'),
        (b'p' | b'w' | b'u', Some(b'$')) | (b'u', Some(b'&')) | (b'y', Some(b'*')) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(output: &[u8]) -> Vec<u8> {
        let whole = Questions::default().without(Bytes::copy_from_slice(output), false);
        let mut bytewise = Questions::default();
        let parts: Vec<u8> = output
            .iter()
            .flat_map(|byte| bytewise.without(Bytes::copy_from_slice(&[*byte]), false))
            .collect();
        assert_eq!(whole, parts, "cuts make no difference");
        parts
    }

    #[test]
    fn what_a_terminal_answers_is_taken_out() {
        for question in [
            &b"\x05"[..],
            b"\x1bZ",
            b"\x1b[c",
            b"\x1b[>0c",
            b"\x1b[=c",
            b"\x1b[5n",
            b"\x1b[?6n",
            b"\x1b[?2026$p",
            b"\x1b[14t",
            b"\x1b[>q",
            b"\x1b[?u",
            b"\x1b]11;?\x07",
            b"\x1b]4;1;?\x1b\\",
            b"\x1bP$qm\x1b\\",
            b"\x1bP+q544e\x1b\\",
        ] {
            let output = [b"a", question, b"b"].concat();
            assert_eq!(old(&output), b"ab", "{question:?}");
        }
    }

    #[test]
    fn everything_else_is_left() {
        for output in [
            &b"plain \xc3\xa4\r\n"[..],
            b"\x1b[31mred\x1b[0m",
            b"\x1b[!p\x1b[2 q\x1b[61\"p",
            b"\x1b[?1049h\x1b[22;0;0t\x1b[1;24r",
            b"\x1b]0;title\x07\x1b]11;#000000\x1b\\",
            b"\x1b(B\x1b7\x1b8\x1bM",
            b"\x1b[>4;1m\x1b[>1u",
        ] {
            assert_eq!(old(output), output);
        }
    }

    #[test]
    fn new_output_may_ask_and_ends_what_was_begun() {
        let mut questions = Questions::default();
        assert_eq!(questions.without("x\x1b[".into(), false), "x");
        assert_eq!(questions.without("6n\x1b[c".into(), true), "\x1b[6n\x1b[c");
        assert_eq!(questions.without("\x1b[c".into(), true), "\x1b[c");
        let flood = questions.without(Bytes::from(vec![0x1b; 100_000]), false);
        assert!(questions.held.len() <= LONGEST && flood.len() + LONGEST >= 50_000);
    }
}
