//! How many files and connections the system lets this process have open at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files of the store, of spools and of imports, and sockets of name lookups and webhooks.
const OTHERS: usize = 512;

/// Raises the soft limit to the hard one: the low default is for programs that call `select`. Returns the limit then in
/// force; `None` is without.
pub(crate) fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current;
    }
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays as it was");
            limit.current
        }
    }
}

/// Says so if that many listeners and connections outwards, all busy at once, would need more than the limit.
pub(crate) fn warn_if_few(limit: Option<u64>, listeners: usize, connections: usize, outbound: usize) {
    if let (needed, Some(limit)) = (needed(listeners, connections, outbound), limit)
        && limit < needed
    {
        tracing::warn!(
            limit,
            needed,
            listeners,
            "limits.connections is for each listener, and all together need more open files than the system allows: raise \
             LimitNOFILE (ulimit -n), or lower limits.connections"
        );
    }
}

fn needed(listeners: usize, connections: usize, outbound: usize) -> u64 {
    let all = listeners
        .saturating_mul(connections)
        .saturating_add(outbound)
        .saturating_add(OTHERS);
    u64::try_from(all).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let before = getrlimit(Resource::Nofile);
        let lower = before.current.map_or(64, |current| current.min(64));
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(lower),
                ..before
            },
        )
        .unwrap();
        assert_eq!(raise(), before.maximum);
        assert_eq!(getrlimit(Resource::Nofile).current, before.maximum);
        assert_eq!(raise(), before.maximum, "once more changes nothing");
    }

    #[test]
    fn what_all_listeners_need() {
        assert_eq!(needed(6, 4096, 200), 6 * 4096 + 200 + 512);
        assert_eq!(needed(2, usize::MAX, 1), u64::try_from(usize::MAX).unwrap());
    }
}
