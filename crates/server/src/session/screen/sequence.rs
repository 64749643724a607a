//! A control sequence, understood.

/// Parameters kept of one sequence; the rest is not looked at.
const PARAMETERS_MAX: usize = 32;

/// `CSI`, perhaps a private mark, parameters, perhaps an intermediate byte, and the last byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Csi {
    /// `<`, `=`, `>`, `?` or 0.
    pub(super) mark: u8,
    /// 0x20–0x2f or 0.
    pub(super) intermediate: u8,
    /// 0x40–0x7e.
    pub(super) last: u8,
    /// Missing values are 0.
    parameters: [u16; PARAMETERS_MAX],
    /// A bit for each: a colon joins it to the one before.
    joined: u32,
    count: u8,
}

impl Csi {
    /// Reads what stands between `CSI` and the last byte. `None` if it is not in order.
    pub(super) fn parse(held: &[u8], last: u8) -> Option<Csi> {
        let mut csi = Csi {
            mark: 0,
            intermediate: 0,
            last,
            parameters: [0; PARAMETERS_MAX],
            joined: 0,
            count: 0,
        };
        let mut rest = held;
        if let Some((mark @ b'<'..=b'?', behind)) = rest.split_first() {
            csi.mark = *mark;
            rest = behind;
        }
        if let Some((byte @ 0x20..0x30, before)) = rest.split_last() {
            csi.intermediate = *byte;
            rest = before;
        }
        let mut value = 0u16;
        let mut joined = false;
        for byte in rest {
            match byte {
                b'0'..=b'9' => {
                    value = value
                        .saturating_mul(10)
                        .saturating_add(u16::from(byte - b'0'));
                }
                b';' | b':' => {
                    csi.push(value, joined);
                    value = 0;
                    joined = *byte == b':';
                }
                _ => return None,
            }
        }
        if !rest.is_empty() {
            csi.push(value, joined);
        }
        Some(csi)
    }

    fn push(&mut self, value: u16, joined: bool) {
        if let Some(slot) = self.parameters.get_mut(usize::from(self.count)) {
            *slot = value;
            self.joined |= u32::from(joined) << self.count;
            self.count += 1;
        }
    }

    /// All parameters; one 0 if there is none.
    pub(super) fn parameters(&self) -> &[u16] {
        self.parameters
            .get(..usize::from(self.count.max(1)))
            .unwrap_or_default()
    }

    /// How many parameters behind the first of some at the end a colon joins to it.
    pub(super) fn joined_behind(&self, rest: &[u16]) -> usize {
        let first = self.parameters().len() - rest.len();
        let behind = self
            .joined
            .checked_shr(u32::try_from(first + 1).unwrap_or(32));
        usize::try_from(behind.unwrap_or(0).trailing_ones()).unwrap_or(0)
    }

    /// A parameter, 0 if it is missing.
    pub(super) fn value(&self, index: usize) -> u16 {
        self.parameters.get(index).copied().unwrap_or(0)
    }

    /// A parameter that counts, at least 1.
    pub(super) fn count(&self, index: usize) -> usize {
        usize::from(self.value(index)).max(1)
    }
}
