//! Modes that are on or off, and those that have a few values.

use super::style::push_number;

/// What "set mode" and its kin have set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Modes {
    /// Bits of [`SWITCHES`].
    switches: u32,
    /// 0 or the private mode that asks for mouse reports: 9, 1000, 1002, 1003.
    pub(super) mouse: u16,
    /// 0 or the private mode that says how they are written: 1005, 1006, 1015, 1016.
    pub(super) mouse_encoding: u16,
    /// DECSCUSR, 0–6.
    pub(super) cursor_shape: u8,
    /// xterm's modifyOtherKeys, 0–3.
    pub(super) other_keys: u8,
}

/// Which modes are carried as they are: private or not, number, on in a fresh terminal.
const SWITCHES: [(bool, u16, bool); 14] = [
    (true, 1, false),
    (true, 5, false),
    (true, 6, false),
    (true, 7, true),
    (true, 12, false),
    (true, 25, true),
    (true, 66, false),
    (true, 1004, false),
    (true, 1007, false),
    (true, 2004, false),
    (true, 2026, false),
    (true, 2031, false),
    (false, 4, false),
    (false, 20, false),
];

const ORIGIN: (bool, u16) = (true, 6);
const AUTOWRAP: (bool, u16) = (true, 7);
const BLINKING: (bool, u16) = (true, 12);
const KEYPAD: (bool, u16) = (true, 66);
const INSERT: (bool, u16) = (false, 4);
const NEW_LINE: (bool, u16) = (false, 20);

const MOUSE: [u16; 4] = [9, 1000, 1002, 1003];
const MOUSE_ENCODINGS: [u16; 4] = [1005, 1006, 1015, 1016];

impl Default for Modes {
    fn default() -> Self {
        let mut modes = Modes {
            switches: 0,
            mouse: 0,
            mouse_encoding: 0,
            cursor_shape: 0,
            other_keys: 0,
        };
        for (private, number, on) in SWITCHES {
            modes.set(private, number, on);
        }
        modes
    }
}

impl Modes {
    /// Sets or resets a mode; one that is unknown changes nothing.
    pub(super) fn set(&mut self, private: bool, number: u16, on: bool) {
        if private && MOUSE.contains(&number) {
            self.mouse = if on { number } else { 0 };
        } else if private && MOUSE_ENCODINGS.contains(&number) {
            self.mouse_encoding = if on { number } else { 0 };
        } else if let Some(bit) = bit(private, number) {
            if on {
                self.switches |= bit;
            } else {
                self.switches &= !bit;
            }
        }
    }

    /// Whether a mode is on; `None` if it is unknown.
    pub(super) fn get(&self, private: bool, number: u16) -> Option<bool> {
        if private && MOUSE.contains(&number) {
            return Some(self.mouse == number);
        }
        if private && MOUSE_ENCODINGS.contains(&number) {
            return Some(self.mouse_encoding == number);
        }
        bit(private, number).map(|bit| self.switches & bit != 0)
    }

    fn is(&self, (private, number): (bool, u16)) -> bool {
        self.get(private, number).unwrap_or(false)
    }

    /// Lines are counted from the top of the scroll region.
    pub(super) fn origin(&self) -> bool {
        self.is(ORIGIN)
    }

    /// Sets [`Modes::origin`].
    pub(super) fn set_origin(&mut self, on: bool) {
        self.set(ORIGIN.0, ORIGIN.1, on);
    }

    /// A character past the last column goes to the next line.
    pub(super) fn autowrap(&self) -> bool {
        self.is(AUTOWRAP)
    }

    /// Characters push what is behind them.
    pub(super) fn insert(&self) -> bool {
        self.is(INSERT)
    }

    /// Line feeds return the carriage, too.
    pub(super) fn new_line(&self) -> bool {
        self.is(NEW_LINE)
    }

    /// Sets the keypad's application mode.
    pub(super) fn set_keypad(&mut self, on: bool) {
        self.set(KEYPAD.0, KEYPAD.1, on);
    }

    /// What a soft reset sets back.
    pub(super) fn soft_reset(&mut self) {
        for (private, number, on) in [
            (true, 1, false),
            (true, 6, false),
            (true, 7, true),
            (true, 25, true),
            (true, 66, false),
            (false, 4, false),
        ] {
            self.set(private, number, on);
        }
    }

    /// Appends what brings a terminal of any modes to those of a fresh one.
    pub(super) fn write_reset(out: &mut Vec<u8>) {
        for (private, number, on) in SWITCHES {
            // Whether an unasked cursor blinks is the viewer's own choice.
            if (private, number) != BLINKING {
                write_switch(out, private, number, on);
            }
        }
        for number in [1000, 1006] {
            write_switch(out, true, number, false);
        }
        out.extend_from_slice(b"\x1b[0 q\x1b[>4m");
    }

    /// Appends what brings a terminal from the modes of a fresh one to these, except for those that
    /// change how the rest of a snapshot would be understood: see [`Modes::write_last_to`].
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        for (private, number, fresh) in SWITCHES {
            let last = [ORIGIN, AUTOWRAP, INSERT, NEW_LINE].contains(&(private, number));
            let on = self.is((private, number));
            if !last && on != fresh {
                write_switch(out, private, number, on);
            }
        }
        for number in [self.mouse, self.mouse_encoding] {
            if number != 0 {
                write_switch(out, true, number, true);
            }
        }
        if self.other_keys != 0 {
            out.extend_from_slice(b"\x1b[>4;");
            push_number(out, u32::from(self.other_keys));
            out.push(b'm');
        }
        if self.cursor_shape != 0 {
            out.extend_from_slice(b"\x1b[");
            push_number(out, u32::from(self.cursor_shape));
            out.extend_from_slice(b" q");
        }
    }

    /// Appends automatic wrapping, inserting and new lines. Origin mode moves the cursor and is written
    /// where that is placed.
    pub(super) fn write_last_to(&self, out: &mut Vec<u8>) {
        for (mode, fresh) in [(AUTOWRAP, true), (INSERT, false), (NEW_LINE, false)] {
            if self.is(mode) != fresh {
                write_switch(out, mode.0, mode.1, !fresh);
            }
        }
    }
}

fn bit(private: bool, number: u16) -> Option<u32> {
    SWITCHES
        .iter()
        .position(|(switch_private, switch, _)| (*switch_private, *switch) == (private, number))
        .map(|position| 1 << position)
}

fn write_switch(out: &mut Vec<u8>, private: bool, number: u16, on: bool) {
    out.extend_from_slice(if private { b"\x1b[?" } else { b"\x1b[" });
    push_number(out, u32::from(number));
    out.push(if on { b'h' } else { b'l' });
}
