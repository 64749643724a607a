//! The receiving half of one direction of one session.

use bytes::Bytes;

/// How far one direction has come in.
#[derive(Debug)]
pub(crate) struct Inbound {
    /// The next byte to come.
    position: u64,
    /// Everything before is acknowledged: recorded, or applied.
    confirmed: u64,
    /// What the peer may send beyond `confirmed`.
    window: u64,
}

/// Why bytes are not taken. The peer broke the rules.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    Hole,
    OverWindow,
}

impl Inbound {
    pub(crate) fn at(offset: u64, window: u64) -> Self {
        Inbound {
            position: offset,
            confirmed: offset,
            window,
        }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// Takes what is new of a piece; what came before already is dropped.
    pub(crate) fn accept(&mut self, offset: u64, mut bytes: Bytes) -> Result<Bytes, Refusal> {
        if offset > self.position {
            return Err(Refusal::Hole);
        }
        if offset + bytes.len() as u64 > self.confirmed.saturating_add(self.window) {
            return Err(Refusal::OverWindow);
        }
        let known = usize::try_from(self.position - offset).unwrap_or(usize::MAX);
        let new = bytes.split_off(known.min(bytes.len()));
        self.position += new.len() as u64;
        Ok(new)
    }

    /// Everything before `offset` is safe. True if that is news.
    pub(crate) fn confirm(&mut self, offset: u64) -> bool {
        let offset = offset.min(self.position);
        let news = offset > self.confirmed;
        self.confirmed = self.confirmed.max(offset);
        news
    }

    /// The stream continues at `offset`; what lies before will never come.
    pub(crate) fn jump(&mut self, offset: u64) {
        self.position = offset;
        self.confirmed = offset;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_only_what_is_new_and_allowed() {
        let mut inbound = Inbound::at(10, 8);
        let hello = Bytes::from_static(b"hello");
        assert_eq!(inbound.accept(11, hello.clone()), Err(Refusal::Hole));
        assert_eq!(inbound.accept(10, hello.clone()), Ok(hello.clone()));
        assert_eq!(inbound.accept(10, hello.clone()), Ok(Bytes::new()));
        assert_eq!(
            inbound.accept(12, hello.clone()),
            Ok(Bytes::from_static(b"lo"))
        );
        assert_eq!(inbound.accept(17, hello.clone()), Err(Refusal::OverWindow));
        assert!(inbound.confirm(14));
        assert!(!inbound.confirm(13));
        assert_eq!(inbound.accept(17, hello.clone()), Ok(hello));
    }
}
