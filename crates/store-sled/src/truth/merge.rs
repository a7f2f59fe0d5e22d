//! Sorted files as one.
//!
//! What always holds: each key comes once, in order, and of several files that have it, the newest counts.

use crate::error::OpenError;
use crate::index::RawRow;
use crate::snapshot::Reader;
use postroom_store::{Key, Value};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::vec;

/// A pair, and which file it is from.
pub(super) struct Merged {
    pub(super) key: Key,
    pub(super) value: Value,
    /// Its place among the files.
    pub(super) file: usize,
}

/// Files that are read beside one another.
pub(super) struct Merge {
    files: Vec<Sorted>,
    /// The first pair of each that was not taken. On top is the least key, from the newest file that has it.
    firsts: BinaryHeap<Reverse<(Key, Reverse<usize>, Value)>>,
}

impl Merge {
    /// The newest file comes last.
    pub(super) fn of(readers: Vec<Reader>) -> Result<Self, OpenError> {
        let sorted = |reader| Sorted {
            reader,
            block: Vec::new().into_iter(),
        };
        let mut merge = Self {
            files: readers.into_iter().map(sorted).collect(),
            firsts: BinaryHeap::new(),
        };
        for file in 0..merge.files.len() {
            merge.advance(file, None)?;
        }
        Ok(merge)
    }

    /// The next pair; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Merged>, OpenError> {
        let Some(Reverse((key, Reverse(file), value))) = self.firsts.pop() else {
            return Ok(None);
        };
        self.advance(file, Some(&key))?;
        while let Some(Reverse((_, Reverse(older), _))) =
            self.firsts.peek().filter(|Reverse((other, ..))| *other == key)
        {
            let older = *older;
            self.firsts.pop();
            self.advance(older, Some(&key))?;
        }
        Ok(Some(Merged { key, value, file }))
    }

    /// Has the next pair of a file take its place among the first ones; it comes after this key.
    fn advance(&mut self, file: usize, taken: Option<&Key>) -> Result<(), OpenError> {
        let sorted = &mut self.files[file];
        let Some((key, value)) = sorted.next()? else {
            return Ok(());
        };
        if taken.is_some_and(|taken| key <= *taken) {
            return Err(sorted.reader.corrupt("its keys are not in order"));
        }
        self.firsts.push(Reverse((key, Reverse(file), value)));
        Ok(())
    }
}

/// A file, and what of its last block was not taken.
struct Sorted {
    reader: Reader,
    block: vec::IntoIter<RawRow>,
}

impl Sorted {
    fn next(&mut self) -> Result<Option<RawRow>, OpenError> {
        if self.block.as_slice().is_empty() {
            self.block = self.reader.block()?.unwrap_or_default().into_iter();
        }
        Ok(self.block.next())
    }
}
