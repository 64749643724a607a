//! What a device's programs have switched on in the local terminal, so that it can be switched off
//! again when they do not get to do so themselves.

/// Modes that outlive a program that is cut off, and that a shell prompt suffers from: application
/// cursor keys, mouse, focus reports, alternate screens, bracketed paste, synchronised output.
const TRACKED: [u16; 14] = [
    1, 9, 25, 47, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1047, 1049, 2004,
];

/// The cursor is visible unless switched off; everything else is off unless switched on.
const CURSOR: u16 = 25;

/// How many parameters of one sequence count, and how long one may be.
const PARAMETERS: usize = 16;

/// Follows a stream of output.
#[derive(Default)]
pub(super) struct Modes {
    state: State,
    /// Parameters of the sequence at hand.
    parameters: Vec<u16>,
    /// Modes that are not as they should be at the end.
    changed: Vec<u16>,
    keypad: bool,
    styled: bool,
    /// Whether the last thing shown was anything but the end of a line.
    within_line: bool,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    #[default]
    Text,
    Escape,
    Csi,
    Private,
    /// A sequence that is none of our business.
    Other,
}

impl Modes {
    /// Takes the next bytes of output.
    pub(super) fn feed(&mut self, output: &[u8]) {
        for byte in output {
            self.state = self.step(*byte);
        }
        if let Some(last) = output.last() {
            self.within_line = *last != b'\n';
        }
    }

    fn step(&mut self, byte: u8) -> State {
        match (self.state, byte) {
            (_, 0x1b) => State::Escape,
            // Cancel and substitute end any sequence.
            (_, 0x18 | 0x1a) | (State::Text, _) => State::Text,
            (State::Escape, b'[') => {
                self.parameters.clear();
                State::Csi
            }
            (State::Escape, b'=' | b'>') => {
                self.keypad = byte == b'=';
                State::Text
            }
            (State::Escape, b'c') => {
                *self = Modes::default();
                State::Text
            }
            (State::Escape, _) => State::Text,
            (State::Csi, b'?') => {
                self.parameters.push(0);
                State::Private
            }
            (State::Csi, b'm') => {
                self.styled = true;
                State::Text
            }
            (State::Private, b'0'..=b'9') => {
                if let Some(last) = self.parameters.last_mut() {
                    *last = last
                        .saturating_mul(10)
                        .saturating_add(u16::from(byte - b'0'));
                }
                State::Private
            }
            (State::Private, b';') => {
                if self.parameters.len() < PARAMETERS {
                    self.parameters.push(0);
                }
                State::Private
            }
            (State::Private, b'h' | b'l') => {
                self.set(byte == b'h');
                State::Text
            }
            (State::Csi | State::Private | State::Other, 0x40..=0x7e) => State::Text,
            (State::Csi, b'0'..=b'9' | b';' | b':') => State::Csi,
            (State::Csi | State::Private | State::Other, _) => State::Other,
        }
    }

    fn set(&mut self, on: bool) {
        for mode in std::mem::take(&mut self.parameters) {
            if TRACKED.contains(&mode) {
                self.changed.retain(|other| *other != mode);
                if on != (mode == CURSOR) {
                    self.changed.push(mode);
                }
            }
        }
    }

    /// Whether nothing is half said.
    pub(super) fn is_between_sequences(&self) -> bool {
        self.state == State::Text
    }

    /// Whether a program has taken the whole screen.
    pub(super) fn has_whole_screen(&self) -> bool {
        self.changed
            .iter()
            .any(|mode| matches!(mode, 47 | 1047 | 1049))
    }

    /// What to write to the terminal to have it as it was, with the cursor at the beginning of a
    /// line; empty if it is.
    pub(super) fn undo(&self) -> String {
        let mut text = String::new();
        for mode in &self.changed {
            let letter = if *mode == CURSOR { 'h' } else { 'l' };
            text.push_str(&format!("\x1b[?{mode}{letter}"));
        }
        if self.keypad {
            text.push_str("\x1b>");
        }
        if self.styled {
            text.push_str("\x1b[0m");
        }
        // Leaving an alternate screen puts the cursor where it was before.
        if self.within_line && !self.has_whole_screen() {
            text.push_str("\r\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undo(output: &[u8]) -> String {
        let mut whole = Modes::default();
        whole.feed(output);
        let mut bytewise = Modes::default();
        for byte in output {
            bytewise.feed(&[*byte]);
        }
        assert_eq!(whole.undo(), bytewise.undo(), "cuts make no difference");
        whole.undo()
    }

    #[test]
    fn what_was_left_on_is_switched_off() {
        // vim, cut off.
        let vim = b"\x1b[?1049h\x1b[22;0;0t\x1b[?1h\x1b=\x1b[?2004h\x1b[?25l\x1b[1;24r";
        assert_eq!(undo(vim), "\x1b[?1049l\x1b[?1l\x1b[?2004l\x1b[?25h\x1b>");
        assert_eq!(undo(b"\x1b[?1000;1006h\x1b[?1006l\n"), "\x1b[?1000l");
        assert_eq!(undo(b"\x1b[31mred\r\n"), "\x1b[0m");
    }

    #[test]
    fn what_was_switched_off_again_is_left_alone() {
        assert_eq!(undo(b"\x1b[?1049h\x1b[?25l\x1b[?25h\x1b[?1049l\n"), "");
        assert_eq!(undo(b"\x1b[?1049h\x1b="), "\x1b[?1049l\x1b>");
        assert_eq!(undo(b"\x1b[?1049h\x1b=\x1bc\n"), "", "a full reset");
        assert_eq!(undo(b"$ ls\r\nx\r\n"), "");
    }

    #[test]
    fn the_next_line_begins_at_its_beginning() {
        assert_eq!(undo(b"$ "), "\r\n");
        assert_eq!(undo(b"$ \x1b[?2004h"), "\x1b[?2004l\r\n");
        assert_eq!(undo(b"logout\r\n"), "");
        assert_eq!(undo(b""), "");
    }

    #[test]
    fn what_only_looks_like_it_is_left_alone() {
        assert_eq!(undo(b"[?1049h\n"), "");
        assert_eq!(undo(b"\x1b[1049h\n"), "");
        assert_eq!(undo(b"\x1b[?1049\x18h\n"), "");
        assert_eq!(undo(b"\x1b[?7h\x1b[?99999999999h\n"), "");
        assert_eq!(undo(b"\x1b[?1049$p\n"), "", "a question");
        assert_eq!(undo(b"\x1b[>4;1m\n"), "");
    }

    #[test]
    fn a_hostile_stream_is_bounded() {
        let mut modes = Modes::default();
        modes.feed(b"\x1b[?");
        modes.feed(&b"1000;".repeat(100_000));
        modes.feed(b"h\n");
        assert!(modes.parameters.len() <= PARAMETERS);
        assert_eq!(modes.undo(), "\x1b[?1000l");
    }
}
