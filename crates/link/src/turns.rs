//! Taking turns: whoever was served goes to the back.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

/// Whose turn was last. An order of its own for each kind of turn keeps them from disturbing each
/// other.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    last: String,
}

impl Turns {
    /// Asks each one after the last served, in turn, and stops at the first that gives something.
    pub(crate) fn take<T, R>(
        &mut self,
        all: &mut BTreeMap<String, T>,
        mut ask: impl FnMut(&str, &mut T) -> Option<R>,
    ) -> Option<R> {
        let mut found = None;
        for (sid, one) in all.range_mut::<str, _>((Excluded(self.last.as_str()), Unbounded)) {
            if let Some(result) = ask(sid, one) {
                found = Some((sid.clone(), result));
                break;
            }
        }
        if found.is_none() {
            for (sid, one) in
                all.range_mut::<str, _>((Unbounded, std::ops::Bound::Included(self.last.as_str())))
            {
                if let Some(result) = ask(sid, one) {
                    found = Some((sid.clone(), result));
                    break;
                }
            }
        }
        let (sid, result) = found?;
        self.last = sid;
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_gets_a_turn_before_anybody_gets_two() {
        let mut all: BTreeMap<String, u32> = ["a", "b", "c"].map(|sid| (sid.to_owned(), 2)).into();
        let mut turns = Turns::default();
        let mut order = String::new();
        while let Some(sid) = turns.take(&mut all, |sid, left| {
            *left = left.checked_sub(1)?;
            Some(sid.to_owned())
        }) {
            order.push_str(&sid);
        }
        assert_eq!(order, "abcabc");
    }
}
