//! What is so, whoever believes what.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::Rng;

/// The output of every session is one long text from another place on, so that bytes from the wrong
/// offset or of the wrong session are noticed. Its period is a prime. It is plain text: a terminal has
/// nothing to answer to it.
const PERIOD: u64 = 65_521;

fn text() -> &'static [u8] {
    static TEXT: OnceLock<Vec<u8>> = OnceLock::new();
    TEXT.get_or_init(|| {
        let mut rng = Rng::new(1);
        let once: Vec<u8> = (0..PERIOD).map(|_| b' ' + rng.below(95) as u8).collect();
        [once.clone(), once.clone(), once].concat()
    })
}

/// Output from an offset on, up to two periods.
pub fn output(sid: &str, from: u64, count: u64) -> &'static [u8] {
    let key: u64 = sid
        .bytes()
        .fold(7, |key: u64, byte| key.wrapping_mul(31) + u64::from(byte));
    let first = ((from + key % PERIOD) % PERIOD) as usize;
    &text()[first..first + count as usize]
}

pub fn is_output(sid: &str, from: u64, bytes: &[u8]) -> bool {
    output(sid, from, bytes.len() as u64) == bytes
}

/// What was typed in one session, by whom and what became of it.
#[derive(Default)]
pub struct Typed {
    /// By epoch: where its input starts as the device set it, and what its controller typed from
    /// where.
    typed: BTreeMap<u64, (u64, Vec<u8>)>,
    /// By epoch: where its input starts at the device.
    starts: BTreeMap<u64, u64>,
    /// What became of each offset, in order: written, signalled or thrown away.
    pub fate: Vec<Fate>,
    pub dropped: u64,
    /// Interrupts that passed input the device had not even got.
    pub out_of_turn: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    Written { epoch: u64, byte: u8 },
    Signalled { epoch: u64, byte: u8 },
    Dropped,
}

impl Typed {
    /// The controller of an epoch typed this at this offset.
    pub fn typed(&mut self, epoch: u64, offset: u64, bytes: &[u8]) {
        let (start, all) = self.typed.entry(epoch).or_insert((offset, Vec::new()));
        assert_eq!(
            *start + all.len() as u64,
            offset,
            "epoch {epoch}: typed out of order"
        );
        all.extend_from_slice(bytes);
    }

    fn typed_at(&self, epoch: u64, offset: u64) -> Option<u8> {
        let (start, all) = self.typed.get(&epoch)?;
        all.get(usize::try_from(offset.checked_sub(*start)?).ok()?)
            .copied()
    }

    pub fn epoch_begins(&mut self, epoch: u64) {
        let start = self.fate.len() as u64;
        self.starts.insert(epoch, start);
    }

    /// Where the input of an epoch ended, if a newer one has begun.
    pub fn epoch_ended(&self, epoch: u64) -> Option<u64> {
        self.starts
            .range(epoch + 1..)
            .next()
            .map(|(_, start)| *start)
    }

    /// The shell took these bytes.
    pub fn written(&mut self, epoch: u64, bytes: &[u8]) {
        for byte in bytes {
            let offset = self.fate.len() as u64;
            assert_eq!(
                self.typed_at(epoch, offset),
                Some(*byte),
                "epoch {epoch}: the shell got what nobody typed at {offset}"
            );
            self.fate.push(Fate::Written { epoch, byte: *byte });
        }
    }

    /// The interrupt at this offset was carried out.
    pub fn interrupted(&mut self, epoch: u64, offset: u64, dropped: u64, byte: u8) {
        assert_eq!(self.fate.len() as u64 + dropped, offset);
        assert_eq!(self.typed_at(epoch, offset), Some(byte));
        for _ in 0..dropped {
            self.fate.push(Fate::Dropped);
        }
        self.dropped += dropped;
        self.fate.push(Fate::Signalled { epoch, byte });
    }

    /// The last epoch and where what was typed in it ends.
    pub fn last(&self) -> Option<(u64, u64)> {
        let (epoch, (start, all)) = self.typed.last_key_value()?;
        Some((*epoch, start + all.len() as u64))
    }
}
