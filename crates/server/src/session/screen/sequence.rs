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
    /// Values, and whether a colon joins each to the one before. Missing values are 0.
    parameters: [(u16, bool); PARAMETERS_MAX],
    count: usize,
}

impl Csi {
    /// Reads what stands between `CSI` and the last byte. `None` if it is not in order.
    pub(super) fn parse(held: &[u8], last: u8) -> Option<Csi> {
        let mut csi = Csi {
            mark: 0,
            intermediate: 0,
            last,
            parameters: [(0, false); PARAMETERS_MAX],
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
        if let Some(slot) = self.parameters.get_mut(self.count) {
            *slot = (value, joined);
            self.count += 1;
        }
    }

    /// All parameters; one 0 if there is none.
    pub(super) fn parameters(&self) -> &[(u16, bool)] {
        self.parameters.get(..self.count.max(1)).unwrap_or_default()
    }

    /// A parameter, 0 if it is missing.
    pub(super) fn value(&self, index: usize) -> u16 {
        self.parameters.get(index).map_or(0, |(value, _)| *value)
    }

    /// A parameter that counts, at least 1.
    pub(super) fn count(&self, index: usize) -> usize {
        usize::from(self.value(index)).max(1)
    }
}
