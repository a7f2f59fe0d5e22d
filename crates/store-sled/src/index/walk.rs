//! Many rows by their keys, one after the other: rows that lie next to each other are found by stepping from one to the
//! next, which costs less than half of finding each from the root.

use sled::IVec;

/// Rows that are stepped over before one is found from the root again.
const STEPS: usize = 4;

/// A walk through one space of the index, best in ascending order of the keys.
pub(super) struct Walk<'a> {
    db: &'a sled::Db,
    space: u8,
    rows: Option<sled::Iter>,
    /// The row last looked at; keys between the one last asked for and this are missing.
    here: Option<(IVec, IVec)>,
    asked: Vec<u8>,
}

impl<'a> Walk<'a> {
    pub(super) const fn new(db: &'a sled::Db, space: u8) -> Self {
        Self {
            db,
            space,
            rows: None,
            here: None,
            asked: Vec::new(),
        }
    }

    /// The row with this key.
    pub(super) fn find(&mut self, key: &[u8]) -> sled::Result<Option<IVec>> {
        let is_ahead = self.asked.get(1..).is_some_and(|asked| asked <= key);
        self.asked.clear();
        self.asked.push(self.space);
        self.asked.extend_from_slice(key);
        let key = self.asked.as_slice();
        if let Some(rows) = self.rows.as_mut().filter(|_| is_ahead) {
            for _ in 0..STEPS {
                match &self.here {
                    Some((here, _)) if **here < *key => self.here = rows.next().transpose()?,
                    here => return Ok(row_of(here.as_ref(), key)),
                }
            }
        }
        let mut rows = self.db.range(key..);
        self.here = rows.next().transpose()?;
        self.rows = Some(rows);
        Ok(row_of(self.here.as_ref(), key))
    }
}

fn row_of(here: Option<&(IVec, IVec)>, key: &[u8]) -> Option<IVec> {
    here.filter(|(here, _)| **here == *key).map(|(_, row)| row.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn every_row_is_found_in_any_order(
            rows in btree_set(0..400u16, 0..200),
            mut asked in vec(0..400u16, 0..100),
            sorted: bool,
        ) {
            let db = sled::Config::new().temporary(true).open().unwrap();
            for row in &rows {
                for space in [b'k', b'l'] {
                    db.insert([&[space], row.to_be_bytes().as_slice()].concat(), &[space, *row as u8]).unwrap();
                }
            }
            if sorted {
                asked.sort_unstable();
            }
            let mut walk = Walk::new(&db, b'k');
            for key in asked {
                let found = walk.find(&key.to_be_bytes()).unwrap();
                let expected = rows.contains(&key).then(|| vec![b'k', key as u8]);
                prop_assert_eq!(found.map(|row| row.to_vec()), expected, "{}", key);
            }
        }
    }
}
