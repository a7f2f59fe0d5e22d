//! Cutting a list of messages into what one commit changes.
//!
//! What always holds: a piece has at least one message, which always fits into a commit, since it has at most 100 placements.

use postroom_types::Uid;

/// Ascending UIDs, and how many of them the next commit is to change.
pub(crate) struct Pieces<'a> {
    left: &'a [Uid],
    most: usize,
    next: usize,
}

impl<'a> Pieces<'a> {
    /// At most so many to a commit.
    pub(crate) const fn new(uids: &'a [Uid], most: usize) -> Self {
        Self {
            left: uids,
            most,
            next: most,
        }
    }

    /// The next piece, of which not all need be done at once; `None` if all are done.
    pub(crate) fn piece(&self) -> Option<&'a [Uid]> {
        (!self.left.is_empty()).then(|| &self.left[..self.next.min(self.left.len())])
    }

    /// So many of the piece are done.
    pub(crate) fn done(&mut self, count: usize) {
        self.left = &self.left[count..];
        // Where few went into a commit, the next ones are likely to have many placements too: fewer are read in vain.
        self.next = (2 * count).clamp(1, self.most);
    }
}

/// The part of a piece with the first half of those that change, to be done alone; `None` if that is but one.
pub(crate) fn first_half<'a>(piece: &'a [Uid], changing: &[Uid]) -> Option<&'a [Uid]> {
    let middle = changing.get(changing.len() / 2).filter(|_| changing.len() > 1)?;
    Some(&piece[..piece.partition_point(|uid| uid < middle)])
}
