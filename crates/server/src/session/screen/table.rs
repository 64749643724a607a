//! Values that many cells share, by number.

use std::collections::HashMap;
use std::hash::Hash;

/// Numbers for values, so that a cell needs two bytes for each. Both how many there are and what they
/// weigh together is bounded; what no cell uses any more is found by [`Table::keep`].
#[derive(Debug)]
pub(super) struct Table<T> {
    values: Vec<Option<T>>,
    numbers: HashMap<T, u16>,
    free: Vec<u16>,
    weight: usize,
    limits: Limits,
    /// How many were asked for in vain since unused ones were last looked for.
    refused: usize,
}

/// How much a table may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Values.
    pub(super) count: u16,
    /// Bytes of all values together that they hold elsewhere in memory.
    pub(super) weight: usize,
}

impl<T: Clone + Eq + Hash> Table<T> {
    /// An empty table whose number 0 is `first`, for ever.
    pub(super) fn new(first: T, limits: Limits) -> Self {
        Table {
            numbers: HashMap::from([(first.clone(), 0)]),
            values: vec![Some(first)],
            free: Vec::new(),
            weight: 0,
            limits,
            refused: 0,
        }
    }

    /// The value with a number.
    pub(super) fn get(&self, number: u16) -> Option<&T> {
        self.values
            .get(usize::from(number))
            .and_then(Option::as_ref)
    }

    /// The number of a value, if it has one.
    pub(super) fn find(&self, value: &T) -> Option<u16> {
        self.numbers.get(value).copied()
    }

    /// A new number for a value that has none. `None` if the table is full.
    pub(super) fn add(&mut self, value: T, weight: usize) -> Option<u16> {
        let full = self.numbers.len() >= usize::from(self.limits.count);
        if full || self.weight + weight > self.limits.weight {
            self.refused += 1;
            return None;
        }
        let number = match self.free.pop() {
            Some(number) => number,
            None => {
                let number = u16::try_from(self.values.len()).ok()?;
                self.values.push(None);
                number
            }
        };
        *self.values.get_mut(usize::from(number))? = Some(value.clone());
        self.numbers.insert(value, number);
        self.weight += weight;
        Some(number)
    }

    /// Whether it is time to look for unused values: looking costs a walk over the screen, and is not
    /// worth it for every refusal while the screen really shows as many.
    pub(super) fn should_collect(&self) -> bool {
        self.refused % COLLECT_EVERY == 1
    }

    /// Forgets all values but those that are marked.
    pub(super) fn keep(&mut self, used: &[bool], weight_of: impl Fn(&T) -> usize) {
        for (index, slot) in self.values.iter_mut().enumerate().skip(1) {
            if used.get(index).copied().unwrap_or(false) {
                continue;
            }
            if let (Some(value), Ok(number)) = (slot.take(), u16::try_from(index)) {
                self.numbers.remove(&value);
                self.weight = self.weight.saturating_sub(weight_of(&value));
                self.free.push(number);
            }
        }
        if self.numbers.len() + usize::from(self.limits.count / 8) < usize::from(self.limits.count)
        {
            self.refused = 0;
        }
    }

    /// A mark for every number, none set.
    pub(super) fn marks(&self) -> Vec<bool> {
        vec![false; self.values.len()]
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.values.capacity() * size_of::<Option<T>>()
            + self.numbers.capacity() * 8 / 7 * (size_of::<(T, u16)>() + 1)
            + self.free.capacity() * 2
            + self.weight
    }
}

/// Every how many refusals a full table is searched for unused values.
const COLLECT_EVERY: usize = 1024;
