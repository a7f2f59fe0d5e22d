//! Many small bodies at once: those that lie near each other in the journal are read together, since a call of the system
//! costs more than a small body and what lies between.
//!
//! What always holds: what comes out here is right; whatever is in doubt is left to [`Bodies::read`], which says what is
//! wrong with it.

use super::{Bodies, Which};
use crate::index::{At, Location};
use crate::replay::read_full_at;
use bytes::Bytes;
use postroom_types::Lsn;
use std::ops::Range;

/// Most octets read at once: larger pieces of memory would come from the system and go back to it each time.
const READ_OCTETS: u64 = 64 << 10;
/// So much that nobody asked for is read along.
const GAP_OCTETS: u64 = 4 << 10;

/// A body that lies in the journal, and what of it is wanted.
struct Spot<'a> {
    file: Lsn,
    octets: Range<u64>,
    location: &'a Location,
}

impl<'a> Spot<'a> {
    /// `None` if it has a file of its own, or is gone.
    fn of(range: &Range<u64>, location: Option<&'a Location>) -> Option<Self> {
        let location = location?;
        let At::Journal { file, offset } = location.at else {
            return None;
        };
        let end = range.end.min(location.octets);
        let octets = offset + range.start.min(end)..offset + end;
        Some(Self { file, octets, location })
    }

    /// Whether it is read along with what begins there and ends there.
    fn follows(&self, file: Lsn, run: &Range<u64>) -> bool {
        self.file == file
            && (run.end..run.end + GAP_OCTETS).contains(&self.octets.start)
            && self.octets.end - run.start <= READ_OCTETS
    }

    /// Its octets out of those of a run that begins there.
    fn cut(&self, read: &Bytes, begins: u64) -> Option<Bytes> {
        // Both lie within one run, whose length is a usize.
        let cut = read.slice((self.octets.start - begins) as usize..(self.octets.end - begins) as usize);
        let is_whole = cut.len() as u64 == self.location.octets;
        (!is_whole || crc32fast::hash(&cut) == self.location.crc).then_some(cut)
    }
}

impl Bodies {
    /// Those of the wanted octets that come in one piece with others, in their order; `None` for all the rest. A range
    /// beyond the end of a body is cut, whole bodies are checked against their CRC.
    pub(crate) fn read_together<'a>(
        &self,
        wanted: impl Iterator<Item = (&'a Range<u64>, Option<&'a Location>)>,
    ) -> Vec<Option<Bytes>> {
        let mut spots = wanted.map(|(range, location)| Spot::of(range, location)).peekable();
        let mut found = Vec::new();
        let mut run: Vec<Spot<'a>> = Vec::new();
        while let Some(spot) = spots.next() {
            let Some(first) = spot else {
                found.push(None);
                continue;
            };
            let (file, mut octets) = (first.file, first.octets.clone());
            run.push(first);
            while let Some(Some(next)) =
                spots.next_if(|next| next.as_ref().is_some_and(|next| next.follows(file, &octets)))
            {
                octets.end = next.octets.end;
                run.push(next);
            }
            let read = (run.len() > 1).then(|| self.read_run(file, &octets)).flatten();
            let cut = |spot: Spot<'_>| spot.cut(read.as_ref()?, octets.start);
            found.extend(run.drain(..).map(cut));
        }
        found
    }

    /// All octets of a run, or nothing.
    fn read_run(&self, file: Lsn, octets: &Range<u64>) -> Option<Bytes> {
        let file = self.file(Which::Journal(file)).ok()?;
        let mut bytes = vec![0; usize::try_from(octets.end - octets.start).ok()?];
        let read = read_full_at(&file, &mut bytes, octets.start).ok()?;
        (read == bytes.len()).then(|| bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::file_path;
    use proptest::prelude::*;
    use std::path::PathBuf;

    /// A journal folder with one file, removed on drop.
    struct Folder(PathBuf);

    impl Folder {
        fn with(content: &[u8]) -> Self {
            let name = format!("postroom-ahead-{}", uuid::Uuid::now_v7().simple());
            let folder = Self(std::env::temp_dir().join(name));
            std::fs::create_dir(&folder.0).unwrap();
            std::fs::write(file_path(&folder.0, Lsn(7)), content).unwrap();
            folder
        }

        fn bodies(&self) -> Bodies {
            Bodies::new(self.0.clone(), self.0.clone(), 4)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// A file with bodies in it, some damaged in the index, and questions in any order.
    fn check(bodies: &[(u64, u64, bool)], asked: &[(usize, Range<u64>)]) -> Result<(), TestCaseError> {
        let content: Vec<u8> = (0..300_000u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let folder = Folder::with(&content);
        let locations: Vec<Location> = bodies
            .iter()
            .map(|&(offset, octets, is_damaged)| Location {
                at: At::Journal { file: Lsn(7), offset },
                octets,
                crc: crc32fast::hash(content.get(offset as usize..(offset + octets) as usize).unwrap_or(&[]))
                    ^ u32::from(is_damaged),
            })
            .collect();
        let store = folder.bodies();
        let wanted = asked.iter().map(|(body, range)| (range, locations.get(*body)));
        let found = store.read_together(wanted);
        prop_assert_eq!(found.len(), asked.len());
        for (found, (body, range)) in found.into_iter().zip(asked) {
            let Some(found) = found else { continue };
            let id = postroom_types::BlobId([0; 16]);
            prop_assert_eq!(found, store.read(id, &locations[*body], range.clone()).unwrap());
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn as_one_by_one(
            bodies in proptest::collection::vec((0..310_000u64, 0..9_000u64, proptest::bool::weighted(0.1)), 1..40),
            mut asked in proptest::collection::vec((0..45usize, 0..4_000u64, 0..9_000u64), 0..60),
            in_order: bool,
        ) {
            let mut bodies = bodies;
            if in_order {
                bodies.sort_unstable();
                asked.sort_unstable();
            }
            let asked: Vec<_> = asked.into_iter().map(|(body, start, end)| (body, start..end.max(start))).collect();
            check(&bodies, &asked)?;
        }
    }

    #[test]
    fn neighbours_come_together() {
        let folder = Folder::with(&[b'x'; 100_000]);
        let location = |offset| Location {
            at: At::Journal { file: Lsn(7), offset },
            octets: 1000,
            crc: crc32fast::hash(&[b'x'; 1000]),
        };
        let near = [
            location(0),
            location(3000),
            location(4500),
            location(50_000),
            location(99_500),
        ];
        let own = Location {
            at: At::Own(3),
            ..near[0].clone()
        };
        let all = 0..u64::MAX;
        let store = folder.bodies();
        let asked = near.iter().map(Some).chain([Some(&own), None]);
        let found = store.read_together(asked.map(|location| (&all, location)));
        let is_there: Vec<bool> = found.iter().map(Option::is_some).collect();
        assert_eq!(is_there, [true, true, true, false, false, false, false]);
        assert!(found.into_iter().flatten().all(|body| body == vec![b'x'; 1000]));
    }
}
