//! From bytes to characters, controls and sequences, as terminals of the DEC VT500 family cut them
//! (states after <https://vt100.net/emu/dec_ansi_parser>), with UTF-8 outside of sequences.
//!
//! Unlike that description a sequence is kept as bytes until its end and understood then. So whatever is
//! unfinished can be handed on as it is ([`Parser::pending`]).

use super::sequence::Csi;

/// One thing that the bytes said.
#[derive(Debug)]
pub(super) enum Token<'a> {
    /// Printable characters of ASCII.
    Ascii(&'a [u8]),
    /// Any other character.
    Char(char),
    /// A control character, 0x00–0x1f.
    Control(u8),
    /// `ESC`, one byte 0x20–0x2f or none (0), and the last one.
    Escape(u8, u8),
    /// A control sequence.
    Csi(Csi),
    /// The text of an operating system command.
    Osc(Vec<u8>),
}

/// The state between two bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Parser {
    state: State,
    /// What came of the unfinished character, escape sequence, control sequence or command.
    held: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Ground,
    /// Within a character of several bytes; `held` has the first ones.
    Utf8,
    /// Behind `ESC`; `held` has the bytes 0x20–0x2f.
    Escape,
    /// Behind `CSI`; `held` has parameters and intermediate bytes.
    Csi,
    /// A control sequence too long or malformed, up to its last byte.
    CsiSkip,
    /// Behind `OSC`; `held` has the text.
    Osc,
    /// A command too long or of no known form, up to its end.
    OscSkip,
    /// The strings nobody here understands (DCS, SOS, PM, APC), up to their end.
    StringSkip,
}

/// Bytes of a control sequence kept; longer ones are skipped.
const CSI_MAX: usize = 256;
/// Bytes of a command kept; longer ones are skipped.
const OSC_MAX: usize = 4096;

const ESC: u8 = 0x1b;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
const BEL: u8 = 0x07;
const DEL: u8 = 0x7f;

impl Parser {
    /// What needs no state and no sequence, as quickly as can be: printable text and one of the usual
    /// control characters behind it, taken off `input`. Either may be missing; both are when it is time
    /// for [`Parser::next`].
    pub(super) fn plain<'a>(&self, input: &mut &'a [u8]) -> (&'a [u8], Option<u8>) {
        if self.state != State::Ground {
            return (&[], None);
        }
        let (text, rest) = input.split_at(printable(input));
        *input = rest;
        match rest {
            [control @ 0x08..=0x0f, rest @ ..] => {
                *input = rest;
                (text, Some(*control))
            }
            _ => (text, None),
        }
    }

    /// The next token, its bytes taken off `input`; `None` when all of `input` is taken.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Option<Token<'a>> {
        loop {
            if self.state == State::Ground {
                if input.is_empty() {
                    return None;
                }
                if let Some((token, rest)) = whole(input) {
                    *input = rest;
                    return Some(token);
                }
            }
            let (byte, rest) = input.split_first()?;
            let (taken, token) = self.step(*byte);
            if taken {
                *input = rest;
            }
            if token.is_some() {
                return token;
            }
        }
    }

    /// Bytes that bring a fresh parser into this state.
    pub(super) fn pending(&self) -> Vec<u8> {
        let lead: &[u8] = match self.state {
            State::Ground | State::Utf8 => b"",
            State::Escape => b"\x1b",
            State::Csi => b"\x1b[",
            State::CsiSkip => b"\x1b[<<",
            State::Osc => b"\x1b]",
            State::OscSkip => b"\x1b]!",
            State::StringSkip => b"\x1bX",
        };
        [lead, &self.held].concat()
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.held.capacity()
    }

    /// Whether the byte was taken (if not, it comes again), and what it completed.
    fn step(&mut self, byte: u8) -> (bool, Option<Token<'static>>) {
        match self.state {
            State::Ground => (true, self.ground(byte)),
            State::Utf8 => self.within_char(byte),
            State::Escape => self.escape(byte),
            State::Csi | State::CsiSkip => self.control_sequence(byte),
            State::Osc => (true, self.command(byte)),
            State::OscSkip | State::StringSkip => {
                match byte {
                    CAN | SUB => self.to(State::Ground),
                    BEL if self.state == State::OscSkip => self.to(State::Ground),
                    ESC => self.to(State::Escape),
                    _ => {}
                }
                (true, None)
            }
        }
    }

    fn to(&mut self, state: State) {
        self.state = state;
        self.held.clear();
    }

    fn ground(&mut self, byte: u8) -> Option<Token<'static>> {
        match byte {
            ESC => {
                self.to(State::Escape);
                None
            }
            0..0x20 => Some(Token::Control(byte)),
            DEL => None,
            0xc2..=0xf4 => {
                self.to(State::Utf8);
                self.held.push(byte);
                None
            }
            _ => Some(Token::Char(char::REPLACEMENT_CHARACTER)),
        }
    }

    fn within_char(&mut self, byte: u8) -> (bool, Option<Token<'static>>) {
        self.held.push(byte);
        match std::str::from_utf8(&self.held) {
            Ok(text) => {
                let char = text.chars().next();
                self.to(State::Ground);
                match char {
                    // A control character of the upper half is an escape sequence of two bytes.
                    Some(control @ '\u{80}'..='\u{9f}') => {
                        self.state = State::Escape;
                        let last = u8::try_from(u32::from(control)).unwrap_or(0x80) - 0x40;
                        self.escape(last)
                    }
                    char => (true, char.map(Token::Char)),
                }
            }
            Err(error) if error.error_len().is_none() => (true, None),
            Err(_) => {
                self.to(State::Ground);
                (false, Some(Token::Char(char::REPLACEMENT_CHARACTER)))
            }
        }
    }

    fn escape(&mut self, byte: u8) -> (bool, Option<Token<'static>>) {
        let intermediate = self.held.first().copied();
        match (byte, intermediate) {
            (ESC, _) => self.to(State::Escape),
            (CAN | SUB, _) => self.to(State::Ground),
            (0..0x20, _) => return (true, Some(Token::Control(byte))),
            (0x20..0x30, _) => {
                // Nobody uses a second one, and nothing is done for those that have one.
                if self.held.len() < 2 {
                    self.held.push(byte);
                }
            }
            (b'[', None) => self.to(State::Csi),
            (b']', None) => self.to(State::Osc),
            (b'P' | b'X' | b'^' | b'_', None) => self.to(State::StringSkip),
            (DEL, _) => {}
            (0x80.., _) => {
                self.to(State::Ground);
                return (false, None);
            }
            _ => {
                let known = self.held.len() < 2;
                self.to(State::Ground);
                let token = Token::Escape(intermediate.unwrap_or(0), byte);
                return (true, known.then_some(token));
            }
        }
        (true, None)
    }

    fn control_sequence(&mut self, byte: u8) -> (bool, Option<Token<'static>>) {
        match byte {
            ESC => self.to(State::Escape),
            CAN | SUB => self.to(State::Ground),
            0..0x20 => return (true, Some(Token::Control(byte))),
            0x20..0x40 => {
                let mark_within = byte >= b'<' && !self.held.is_empty();
                if mark_within || self.held.len() >= CSI_MAX {
                    self.to(State::CsiSkip);
                } else if self.state == State::Csi {
                    self.held.push(byte);
                }
            }
            DEL => {}
            0x40..DEL => {
                let parsed = if self.state == State::Csi {
                    Csi::parse(&self.held, byte)
                } else {
                    None
                };
                self.to(State::Ground);
                return (true, parsed.map(Token::Csi));
            }
            _ => {
                self.to(State::Ground);
                return (false, None);
            }
        }
        (true, None)
    }

    fn command(&mut self, byte: u8) -> Option<Token<'static>> {
        match byte {
            CAN | SUB => self.to(State::Ground),
            BEL | ESC => {
                let text = std::mem::take(&mut self.held);
                self.to(if byte == ESC {
                    State::Escape
                } else {
                    State::Ground
                });
                return Some(Token::Osc(text));
            }
            0..0x20 => {}
            _ if self.held.is_empty() && !byte.is_ascii_digit() => self.to(State::OscSkip),
            _ if self.held.len() < OSC_MAX => self.held.push(byte),
            _ => self.to(State::OscSkip),
        }
        None
    }
}

/// A token that lies in `input` as a whole and begins with it, and what is behind. These are nearly all,
/// and need no state; everything else is taken byte by byte.
fn whole(input: &[u8]) -> Option<(Token<'_>, &[u8])> {
    match input {
        [0x20..DEL, ..] => {
            let (text, rest) = input.split_at(printable(input));
            Some((Token::Ascii(text), rest))
        }
        [ESC, b'[', behind @ ..] => {
            let mut within = behind.iter().take(CSI_MAX);
            let length = within.position(|byte| !(0x20..0x40).contains(byte))?;
            let (held, rest) = behind.split_at(length);
            let (last, rest) = rest.split_first()?;
            if !(0x40..DEL).contains(last) {
                return None;
            }
            Some((Token::Csi(Csi::parse(held, *last)?), rest))
        }
        [first @ 0xc2..=0xf4, ..] => {
            let length = match first {
                ..0xe0 => 2,
                ..0xf0 => 3,
                _ => 4,
            };
            let (encoded, rest) = input.split_at_checked(length)?;
            let char = std::str::from_utf8(encoded).ok()?.chars().next()?;
            (char > '\u{9f}').then_some((Token::Char(char), rest))
        }
        _ => None,
    }
}

/// How many bytes are printable, looked at by sixteen as long as all are.
fn printable(input: &[u8]) -> usize {
    let is_printable = |byte: &u8| byte.wrapping_sub(0x20) < DEL - 0x20;
    let sixteens = input
        .chunks_exact(16)
        .take_while(|chunk| {
            chunk
                .iter()
                .fold(true, |all, byte| all & is_printable(byte))
        })
        .count();
    let (_, rest) = input.split_at(sixteens * 16);
    sixteens * 16 + rest.iter().take_while(|byte| is_printable(byte)).count()
}
