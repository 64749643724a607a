//! How a character looks, and the sequences that say so.

use super::sequence::Csi;

/// A colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) enum Colour {
    /// The terminal's own.
    #[default]
    Default,
    /// One of 256.
    Indexed(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

/// Everything "select graphic rendition" sets, and the link under the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Style {
    pub(super) foreground: Colour,
    pub(super) background: Colour,
    pub(super) underline_colour: Colour,
    /// Number in the table of links; 0 is none.
    pub(super) link: u16,
    /// Bits of [`Attributes`].
    pub(super) attributes: u8,
    /// 0 none, 1 single, 2 double, 3 curly, 4 dotted, 5 dashed.
    pub(super) underline: u8,
    pub(super) overline: bool,
}

/// Bits of [`Style::attributes`] with the parameters that set them.
pub(super) const ATTRIBUTES: [(u8, u16); 7] = [
    (BOLD, 1),
    (FAINT, 2),
    (ITALIC, 3),
    (BLINK, 5),
    (INVERSE, 7),
    (INVISIBLE, 8),
    (STRUCK, 9),
];
const BOLD: u8 = 1;
const FAINT: u8 = 1 << 1;
const ITALIC: u8 = 1 << 2;
const BLINK: u8 = 1 << 3;
const INVERSE: u8 = 1 << 4;
const INVISIBLE: u8 = 1 << 5;
const STRUCK: u8 = 1 << 6;

impl Style {
    /// What erasing leaves: the background alone.
    pub(super) fn erased(&self) -> Style {
        Style {
            background: self.background,
            ..Style::default()
        }
    }

    /// A number that differs between most styles, quickly made.
    pub(super) fn fingerprint(&self) -> usize {
        let colours = [self.foreground, self.background, self.underline_colour];
        let looks = [self.attributes, self.underline, u8::from(self.overline), 0];
        let seed = u32::from_le_bytes(looks) ^ u32::from(self.link) << 16;
        let mixed = colours.iter().fold(seed, |mixed, colour| {
            mixed.wrapping_mul(MIX) ^ colour.bits()
        });
        usize::try_from(mixed.wrapping_mul(MIX) >> 16).unwrap_or(0)
    }

    /// The same without its link.
    pub(super) fn unlinked(&self) -> Style {
        Style { link: 0, ..*self }
    }

    /// The same with colours of which there are only so many, for a screen with too many styles.
    pub(super) fn approximated(&self) -> Style {
        Style {
            foreground: self.foreground.approximated(),
            background: self.background.approximated(),
            underline_colour: Colour::Default,
            link: 0,
            ..*self
        }
    }

    /// Appends the sequence that sets this style (not its link), whatever was set before.
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\x1b[");
        if self.unlinked() == Style::default() {
            out.push(b'm');
            return;
        }
        out.push(b'0');
        for (bit, parameter) in ATTRIBUTES {
            if self.attributes & bit != 0 {
                out.push(b';');
                push_number(out, u32::from(parameter));
            }
        }
        match self.underline {
            0 => {}
            1 => out.extend_from_slice(b";4"),
            2 => out.extend_from_slice(b";21"),
            style => {
                out.extend_from_slice(b";4:");
                push_number(out, u32::from(style));
            }
        }
        if self.overline {
            out.extend_from_slice(b";53");
        }
        self.foreground.write_to(out, 30);
        self.background.write_to(out, 40);
        match self.underline_colour {
            Colour::Default => {}
            Colour::Indexed(index) => {
                out.extend_from_slice(b";58:5:");
                push_number(out, u32::from(index));
            }
            Colour::Rgb(red, green, blue) => {
                out.extend_from_slice(b";58:2:");
                for part in [red, green, blue] {
                    out.push(b':');
                    push_number(out, u32::from(part));
                }
            }
        }
        out.push(b'm');
    }

    /// Applies an SGR sequence. What is unknown changes nothing.
    pub(super) fn apply(&mut self, csi: &Csi) {
        let mut rest = csi.parameters();
        while let Some((first, behind)) = rest.split_first() {
            let (joined, next) = behind.split_at(csi.joined_behind(rest).min(behind.len()));
            rest = next;
            match first {
                38 | 48 | 58 => {
                    let colour = if joined.is_empty() {
                        let (colour, taken) = colour_of(next, false);
                        rest = next.get(taken..).unwrap_or_default();
                        colour
                    } else {
                        colour_of(joined, true).0
                    };
                    if let Some(colour) = colour {
                        match first {
                            38 => self.foreground = colour,
                            48 => self.background = colour,
                            _ => self.underline_colour = colour,
                        }
                    }
                }
                4 => {
                    self.underline = match joined.first() {
                        None => 1,
                        Some(style @ 0..=5) => u8::try_from(*style).unwrap_or(1),
                        Some(_) => self.underline,
                    }
                }
                _ => self.apply_one(*first),
            }
        }
    }

    fn apply_one(&mut self, parameter: u16) {
        match parameter {
            0 => {
                *self = Style {
                    link: self.link,
                    ..Style::default()
                }
            }
            21 => self.underline = 2,
            22 => self.attributes &= !(BOLD | FAINT),
            23 => self.attributes &= !ITALIC,
            24 => self.underline = 0,
            25 => self.attributes &= !BLINK,
            27 => self.attributes &= !INVERSE,
            28 => self.attributes &= !INVISIBLE,
            29 => self.attributes &= !STRUCK,
            30..=37 => self.foreground = indexed(parameter - 30),
            39 => self.foreground = Colour::Default,
            40..=47 => self.background = indexed(parameter - 40),
            49 => self.background = Colour::Default,
            53 => self.overline = true,
            55 => self.overline = false,
            59 => self.underline_colour = Colour::Default,
            90..=97 => self.foreground = indexed(parameter - 90 + 8),
            100..=107 => self.background = indexed(parameter - 100 + 8),
            6 => self.attributes |= BLINK,
            _ => {
                for (bit, set_by) in ATTRIBUTES {
                    if set_by == parameter {
                        self.attributes |= bit;
                    }
                }
            }
        }
    }
}

/// The golden ratio as a fraction of 2^32: multiplying by it spreads neighbours.
const MIX: u32 = 0x9e37_79b1;

impl Colour {
    fn bits(self) -> u32 {
        u32::from_le_bytes(match self {
            Colour::Default => [0; 4],
            Colour::Indexed(index) => [index, 0, 0, 1],
            Colour::Rgb(red, green, blue) => [red, green, blue, 2],
        })
    }

    fn approximated(self) -> Colour {
        match self {
            Colour::Default | Colour::Indexed(_) => self,
            Colour::Rgb(red, green, blue) => {
                let level = |part: u8| (part / 43).min(5);
                Colour::Indexed(16 + 36 * level(red) + 6 * level(green) + level(blue))
            }
        }
    }

    fn write_to(self, out: &mut Vec<u8>, base: u32) {
        match self {
            Colour::Default => {}
            Colour::Indexed(index @ 0..=7) => {
                out.push(b';');
                push_number(out, base + u32::from(index));
            }
            Colour::Indexed(index @ 8..=15) => {
                out.push(b';');
                push_number(out, base + 60 + u32::from(index) - 8);
            }
            Colour::Indexed(index) => {
                out.push(b';');
                push_number(out, base + 8);
                out.extend_from_slice(b";5;");
                push_number(out, u32::from(index));
            }
            Colour::Rgb(red, green, blue) => {
                out.push(b';');
                push_number(out, base + 8);
                out.extend_from_slice(b";2");
                for part in [red, green, blue] {
                    out.push(b';');
                    push_number(out, u32::from(part));
                }
            }
        }
    }
}

fn indexed(index: u16) -> Colour {
    Colour::Indexed(u8::try_from(index).unwrap_or(0))
}

/// The colour behind a 38, 48 or 58, and how many parameters it took. With colons the colour space may
/// stand before red.
fn colour_of(parameters: &[u16], colons: bool) -> (Option<Colour>, usize) {
    let part = |index: usize| {
        let value = parameters.get(index)?;
        u8::try_from(*value).ok()
    };
    match parameters.first() {
        Some(5) => (part(1).map(Colour::Indexed), 2),
        Some(2) => {
            let red = if colons && parameters.len() > 4 { 2 } else { 1 };
            let colour = match (part(red), part(red + 1), part(red + 2)) {
                (Some(red), Some(green), Some(blue)) => Some(Colour::Rgb(red, green, blue)),
                _ => None,
            };
            (colour, 4)
        }
        _ => (None, usize::from(!parameters.is_empty())),
    }
}

/// Appends a number in decimal.
pub(super) fn push_number(out: &mut Vec<u8>, number: u32) {
    let mut digits = [0u8; 10];
    let mut rest = number;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        used += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend(digits.iter().skip(digits.len() - used));
}
