//! What makes one result out of another, as a client is told (RFC 5267 §4.3.3, §4.3.4): first what goes, then what comes,
//! each run of neighbours with the place of its first. Places count from 1 and are meant as it is when the runs before have
//! been dealt with.

use postroom_types::Uid;

/// See the head of this file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) removed: Vec<Run>,
    pub(crate) added: Vec<Run>,
}

/// The place of the first, and all. Place 0: wherever the order of the mailbox has them.
pub(crate) type Run = (usize, Vec<Uid>);

impl Difference {
    /// Of a result in the order of the mailbox, which needs no places.
    pub(crate) fn of_sets(removed: Vec<Uid>, added: Vec<Uid>) -> Self {
        let run = |uids: Vec<Uid>| if uids.is_empty() { Vec::new() } else { vec![(0, uids)] };
        Self {
            removed: run(removed),
            added: run(added),
        }
    }

    /// Of a result in any order, which these leave; they ascend.
    pub(crate) fn without(before: &[Uid], leaves: &[Uid]) -> Self {
        let mut difference = Self::default();
        let mut stays = 0;
        for uid in before {
            if leaves.binary_search(uid).is_ok() {
                difference.remove(stays, *uid);
            } else {
                stays += 1;
            }
        }
        difference
    }

    /// The next one that goes; so many before it stay.
    fn remove(&mut self, stays: usize, uid: Uid) {
        let follows = self.removed.last().is_some_and(|(place, _)| *place == stays + 1);
        join(&mut self.removed, follows, stays + 1, uid);
    }

    /// Of results in any order. What has another order than before goes and comes again.
    pub(crate) fn between(before: &[Uid], now: &[Uid]) -> Self {
        let mut places: Vec<(Uid, usize)> = now.iter().copied().zip(0..).collect();
        places.sort_unstable();
        let place_of = |uid: &Uid| {
            places
                .binary_search_by_key(uid, |(uid, _)| *uid)
                .ok()
                .map(|at| places[at].1)
        };
        let mut difference = Self::default();
        // Places in `now` of what stays, ascending.
        let mut kept: Vec<usize> = Vec::new();
        for uid in before {
            match place_of(uid).filter(|place| kept.last().is_none_or(|last| last < place)) {
                Some(place) => kept.push(place),
                None => difference.remove(kept.len(), *uid),
            }
        }
        let mut kept = kept.into_iter().peekable();
        for (at, uid) in now.iter().enumerate() {
            if kept.next_if_eq(&at).is_none() {
                let follows = difference
                    .added
                    .last()
                    .is_some_and(|(place, run)| place + run.len() == at + 1);
                join(&mut difference.added, follows, at + 1, *uid);
            }
        }
        difference
    }
}

/// Adds one to the last run, or begins another.
fn join(runs: &mut Vec<Run>, follows: bool, place: usize, uid: Uid) {
    match runs.last_mut().filter(|_| follows) {
        Some((_, run)) => run.push(uid),
        None => runs.push((place, vec![uid])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uids(numbers: &[u32]) -> Vec<Uid> {
        numbers.iter().filter_map(|number| Uid::new(*number)).collect()
    }

    /// Does as a client does.
    fn apply(mut result: Vec<Uid>, difference: &Difference) -> Vec<Uid> {
        for (place, run) in &difference.removed {
            let gone: Vec<Uid> = result.drain(place - 1..place - 1 + run.len()).collect();
            assert_eq!(&gone, run);
        }
        for (place, run) in &difference.added {
            result.splice(place - 1..place - 1, run.iter().copied());
        }
        result
    }

    #[test]
    fn runs() {
        let check = |before: &[u32], now: &[u32], removed: &[(usize, &[u32])], added: &[(usize, &[u32])]| {
            let runs = |runs: &[(usize, &[u32])]| runs.iter().map(|(place, run)| (*place, uids(run))).collect();
            let expected = Difference {
                removed: runs(removed),
                added: runs(added),
            };
            assert_eq!(
                Difference::between(&uids(before), &uids(now)),
                expected,
                "{before:?} {now:?}"
            );
        };
        check(&[], &[], &[], &[]);
        // RFC 5267 §4.3.3: the preferred of its three.
        check(
            &[2734, 2735],
            &[2731, 2732, 2733, 2734, 2735],
            &[],
            &[(1, &[2731, 2732, 2733])],
        );
        check(&[9, 5, 7], &[9, 4, 5, 8, 7, 1], &[], &[(2, &[4]), (4, &[8]), (6, &[1])]);
        check(&[9, 5, 7, 3], &[5], &[(1, &[9]), (2, &[7, 3])], &[]);
        check(&[9, 5, 7, 3], &[], &[(1, &[9, 5, 7, 3])], &[]);
        check(&[1, 2, 3], &[4, 2, 5], &[(1, &[1]), (2, &[3])], &[(1, &[4]), (3, &[5])]);
        check(&[1, 2, 3], &[2, 3, 1], &[(2, &[2, 3])], &[(1, &[2, 3])]);
    }

    proptest! {
        #[test]
        fn whoever_follows_it_gets_there(
            before in Just((1_u32..25).collect::<Vec<_>>()).prop_shuffle(),
            now in Just((1_u32..25).collect::<Vec<_>>()).prop_shuffle(),
            lengths in (0_usize..24, 0_usize..24),
        ) {
            let (before, now) = (uids(&before[..lengths.0]), uids(&now[..lengths.1]));
            prop_assert_eq!(apply(before.clone(), &Difference::between(&before, &now)), now);
        }

        #[test]
        fn who_leaves_is_the_difference(
            before in Just((1_u32..25).collect::<Vec<_>>()).prop_shuffle(),
            leaves in proptest::collection::btree_set(1_u32..25, 0..25),
        ) {
            let (before, leaves) = (uids(&before), uids(&leaves.into_iter().collect::<Vec<_>>()));
            let now: Vec<Uid> = before.iter().copied().filter(|uid| !leaves.contains(uid)).collect();
            prop_assert_eq!(Difference::without(&before, &leaves), Difference::between(&before, &now));
        }

        #[test]
        fn what_stays_in_order_is_not_mentioned(before in proptest::collection::btree_set(1_u32..40, 0..30), now in proptest::collection::btree_set(1_u32..40, 0..30)) {
            let ascending = |set: &std::collections::BTreeSet<u32>| uids(&set.iter().copied().collect::<Vec<_>>());
            let difference = Difference::between(&ascending(&before), &ascending(&now));
            let said = |runs: &[Run]| runs.iter().flat_map(|(_, run)| run).map(|uid| uid.get()).collect::<Vec<_>>();
            prop_assert_eq!(said(&difference.removed), before.difference(&now).copied().collect::<Vec<_>>());
            prop_assert_eq!(said(&difference.added), now.difference(&before).copied().collect::<Vec<_>>());
        }
    }
}
