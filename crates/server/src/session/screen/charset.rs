//! Character sets: what the bytes of ASCII mean.

/// A set that may be designated to G0–G3. Those nobody uses any more count as ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Charset {
    #[default]
    Ascii,
    /// DEC special graphics: line drawing.
    Graphics,
    /// ASCII with a pound sign for `#`.
    British,
}

/// The four designations, and which of them is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Charsets {
    sets: [Charset; 4],
    in_use: u8,
}

impl Charsets {
    /// `ESC` with one of `( ) * +`, and the set's own byte.
    pub(super) fn designate(&mut self, intermediate: u8, set: u8) {
        let set = match set {
            b'0' => Charset::Graphics,
            b'A' => Charset::British,
            _ => Charset::Ascii,
        };
        let place = usize::from(intermediate.wrapping_sub(b'('));
        if let Some(designated) = self.sets.get_mut(place) {
            *designated = set;
        }
    }

    /// A locking shift to one of 0–3.
    pub(super) fn shift(&mut self, to: u8) {
        self.in_use = to & 3;
    }

    /// The set in use.
    pub(super) fn current(&self) -> Charset {
        self.sets
            .get(usize::from(self.in_use))
            .copied()
            .unwrap_or_default()
    }

    /// Appends what brings a terminal from the default to this.
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        for (place, set) in (b'('..=b'+').zip(self.sets) {
            match set {
                Charset::Ascii => {}
                Charset::Graphics => out.extend_from_slice(&[0x1b, place, b'0']),
                Charset::British => out.extend_from_slice(&[0x1b, place, b'A']),
            }
        }
        match self.in_use {
            1 => out.push(0x0e),
            2 => out.extend_from_slice(b"\x1bn"),
            3 => out.extend_from_slice(b"\x1bo"),
            _ => {}
        }
    }

    /// Appends what brings a terminal back to the default.
    pub(super) fn write_reset(out: &mut Vec<u8>) {
        out.extend_from_slice(b"\x1b(B\x1b)B\x1b*B\x1b+B\x0f");
    }
}

impl Charset {
    /// What a byte of ASCII stands for.
    pub(super) fn map(self, byte: u8) -> char {
        match (self, byte) {
            (Charset::Graphics, 0x5f..=0x7e) => GRAPHICS
                .get(usize::from(byte - 0x5f))
                .copied()
                .unwrap_or(' '),
            (Charset::British, b'#') => '£',
            _ => char::from(byte),
        }
    }
}

/// DEC special graphics from 0x5f on (VT220 programmer reference, table 2-4).
const GRAPHICS: [char; 32] = [
    '\u{a0}', '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼', '⎺', '⎻',
    '─', '⎼', '⎽', '├', '┤', '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·',
];
