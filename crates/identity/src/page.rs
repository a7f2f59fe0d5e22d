//! Pages of lists whose ids ascend with age.

use postroom_store::{Key, prefix_end};

/// Which part of a list to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageOf<Id> {
    /// The last one of the page before.
    pub after: Option<Id>,
    /// Whether the oldest comes first.
    pub ascending: bool,
    /// How many at most.
    pub limit: usize,
}

impl<Id: Ord> PageOf<Id> {
    /// Whether an item comes after the page before.
    pub(crate) fn is_beyond(&self, id: &Id) -> bool {
        match &self.after {
            None => true,
            Some(after) if self.ascending => id > after,
            Some(after) => id < after,
        }
    }

    /// The keys that begin with `prefix`, end with an id and come after the page before.
    pub(crate) fn range(&self, prefix: &[u8], octets: impl Fn(&Id) -> &[u8; 16]) -> (Key, Key) {
        let (mut low, mut high) = (prefix.to_vec(), prefix_end(prefix));
        if let Some(after) = &self.after {
            let at = [prefix, octets(after)].concat();
            if self.ascending {
                low = at;
                low.push(0);
            } else {
                high = at;
            }
        }
        (low, high)
    }
}
