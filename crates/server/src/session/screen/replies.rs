//! What a terminal answers by itself.

use super::Screen;
use super::style::push_number;

/// Bytes of answers kept; further questions stay unanswered.
const REPLIES_MAX: usize = 4096;

impl Screen {
    /// The answers to what programs have asked since the last call. A terminal that is attached gives its
    /// own, so these are for the time when none is.
    pub fn replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.replies)
    }

    fn reply(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if self.replies.len() + length <= REPLIES_MAX {
            for part in parts {
                self.replies.extend_from_slice(part);
            }
        }
    }

    /// DA1 and DA2, as xterm.js answers them.
    pub(super) fn report_attributes(&mut self, secondary: bool) {
        if secondary {
            self.reply(&[b"\x1b[>0;276;0c"]);
        } else {
            self.reply(&[b"\x1b[?1;2c"]);
        }
    }

    /// DSR: whether all is well, and where the cursor is.
    pub(super) fn report_status(&mut self, private: bool, what: u16) {
        match (private, what) {
            (false, 5) => self.reply(&[b"\x1b[0n"]),
            (_, 6) => {
                let top = if self.modes.origin() {
                    self.margins.0
                } else {
                    0
                };
                let line = decimal(self.cursor.line.saturating_sub(top) + 1);
                let column = decimal(self.column() + 1);
                let lead: &[u8] = if private { b"\x1b[?" } else { b"\x1b[" };
                self.reply(&[lead, &line, b";", &column, b"R"]);
            }
            _ => {}
        }
    }

    /// DECRQM: whether a mode is on.
    pub(super) fn report_mode(&mut self, private: bool, number: u16) {
        let on = match (private, number) {
            (true, 47 | 1047 | 1049) => Some(self.alternate.is_some()),
            _ => self.modes.get(private, number),
        };
        let state: &[u8] = match on {
            None => b"0",
            Some(true) => b"1",
            Some(false) => b"2",
        };
        let lead: &[u8] = if private { b"\x1b[?" } else { b"\x1b[" };
        let number = decimal(usize::from(number));
        self.reply(&[lead, &number, b";", state, b"$y"]);
    }

    /// XTWINOPS 18: the size in characters.
    pub(super) fn report_size(&mut self) {
        let (rows, cols) = (decimal(self.rows), decimal(self.cols));
        self.reply(&[b"\x1b[8;", &rows, b";", &cols, b"t"]);
    }

    /// OSC 10, 11, 12: foreground, background, cursor. With several questions the later ones are about
    /// the next of these.
    pub(super) fn report_colours(&mut self, first: &[u8], text: &str) {
        let first = match first {
            b"10" => 10,
            b"11" => 11,
            _ => 12,
        };
        for (number, question) in (first..=12).zip(text.split(';')) {
            if question == "?" {
                let colour = if number == 11 { BACKGROUND } else { FOREGROUND };
                let number = decimal(number);
                self.reply(&[b"\x1b]", &number, b";", colour, b"\x1b\\"]);
            }
        }
    }

    /// OSC 4: colours of the palette, as pairs of number and question mark.
    pub(super) fn report_palette(&mut self, text: &str) {
        let mut parts = text.split(';');
        while let (Some(index), Some(question)) = (parts.next(), parts.next()) {
            let Ok(index) = index.parse::<u8>() else {
                continue;
            };
            if question != "?" {
                continue;
            }
            let (red, green, blue) = palette(index);
            let colour = format!(
                "\x1b]4;{index};rgb:{red:02x}{red:02x}/{green:02x}{green:02x}/{blue:02x}{blue:02x}\x1b\\"
            );
            self.reply(&[colour.as_bytes()]);
        }
    }
}

/// Light on dark.
const FOREGROUND: &[u8] = b"rgb:e5e5/e5e5/e5e5";
/// Dark.
const BACKGROUND: &[u8] = b"rgb:0000/0000/0000";

fn decimal(number: usize) -> Vec<u8> {
    let mut digits = Vec::new();
    push_number(&mut digits, u32::try_from(number).unwrap_or(u32::MAX));
    digits
}

/// xterm's colours: 16 of the system, a cube of 6×6×6, 24 greys.
fn palette(index: u8) -> (u8, u8, u8) {
    match index {
        0..=6 | 8 => {
            let on = if index == 8 { 127 } else { 205 };
            let part = |bit: u8| if index >> bit & 1 == 1 { on } else { 0 };
            match index {
                4 => (0, 0, 238),
                8 => (127, 127, 127),
                _ => (part(0), part(1), part(2)),
            }
        }
        7 => (229, 229, 229),
        12 => (92, 92, 255),
        9..=15 => {
            let part = |bit: u8| if index >> bit & 1 == 1 { 255 } else { 0 };
            (part(0), part(1), part(2))
        }
        16..=231 => {
            let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
            let cube = index - 16;
            (level(cube / 36), level(cube / 6 % 6), level(cube % 6))
        }
        232.. => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
    }
}
