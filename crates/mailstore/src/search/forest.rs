//! Trees of which one can be put below a node of another, or taken off again, and that tell the root of a node quickly
//! however deep they are: the link-cut trees of Sleator and Tarjan, without re-rooting.
//!
//! Hostile References can make chains of 100,000 messages and ask again and again whether their end lies below their
//! beginning. Each question takes O(log n) here, amortised.

const NONE: u32 = u32::MAX;

/// A node in the tree in which a path is kept, ordered by depth.
#[derive(Clone, Copy)]
struct Node {
    /// The node above in the path's tree; or, for its root, the node in another path that the path hangs below.
    up: u32,
    /// Nodes nearer to the root of the forest's tree, and farther from it.
    nearer: u32,
    farther: u32,
    /// In the forest.
    parent: u32,
    children: u32,
}

/// See the module.
#[derive(Default)]
pub(super) struct Forest(Vec<Node>);

impl Forest {
    /// A new tree of one node.
    pub(super) fn add(&mut self) -> u32 {
        self.0.push(Node {
            up: NONE,
            nearer: NONE,
            farther: NONE,
            parent: NONE,
            children: 0,
        });
        self.0.len() as u32 - 1
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn parent(&self, node: u32) -> Option<u32> {
        Some(self.0[node as usize].parent).filter(|parent| *parent != NONE)
    }

    /// Whether a root can be put below a node without a loop.
    pub(super) fn can_link(&mut self, root: u32, below: u32) -> bool {
        if root == below {
            return false;
        }
        // The usual cases need no search.
        if self.0[root as usize].children == 0 || self.parent(below).is_none() {
            return true;
        }
        self.root_of(below) != root
    }

    /// Puts a root below a node; see [`can_link`](Self::can_link).
    pub(super) fn link(&mut self, root: u32, below: u32) {
        self.access(root);
        let node = &mut self.0[root as usize];
        node.up = below;
        node.parent = below;
        self.0[below as usize].children += 1;
    }

    /// Makes a node a root.
    pub(super) fn cut(&mut self, node: u32) {
        let Some(parent) = self.parent(node) else { return };
        self.0[parent as usize].children -= 1;
        self.0[node as usize].parent = NONE;
        self.access(node);
        let nearer = std::mem::replace(&mut self.0[node as usize].nearer, NONE);
        if nearer != NONE {
            self.0[nearer as usize].up = NONE;
        }
        self.0[node as usize].up = NONE;
    }

    fn root_of(&mut self, node: u32) -> u32 {
        self.access(node);
        let mut root = node;
        while self.0[root as usize].nearer != NONE {
            root = self.0[root as usize].nearer;
        }
        self.splay(root);
        root
    }

    /// Makes the way from the root to the node one path, of whose tree the node is the root.
    fn access(&mut self, node: u32) {
        let mut path = NONE;
        let mut at = node;
        while at != NONE {
            self.splay(at);
            self.0[at as usize].farther = path;
            path = at;
            at = self.0[at as usize].up;
        }
        self.splay(node);
    }

    fn is_path_root(&self, node: u32) -> bool {
        let up = self.0[node as usize].up;
        up == NONE || {
            let up = &self.0[up as usize];
            up.nearer != node && up.farther != node
        }
    }

    fn splay(&mut self, node: u32) {
        while !self.is_path_root(node) {
            let up = self.0[node as usize].up;
            if !self.is_path_root(up) {
                let top = self.0[up as usize].up;
                let same_side = (self.0[up as usize].nearer == node) == (self.0[top as usize].nearer == up);
                self.rotate(if same_side { up } else { node });
            }
            self.rotate(node);
        }
    }

    /// Lifts a node above the one above it.
    fn rotate(&mut self, node: u32) {
        let up = self.0[node as usize].up;
        let top = self.0[up as usize].up;
        if !self.is_path_root(up) {
            let top = &mut self.0[top as usize];
            let side = if top.nearer == up {
                &mut top.nearer
            } else {
                &mut top.farther
            };
            *side = node;
        }
        let moved = if self.0[up as usize].nearer == node {
            let moved = std::mem::replace(&mut self.0[node as usize].farther, up);
            self.0[up as usize].nearer = moved;
            moved
        } else {
            let moved = std::mem::replace(&mut self.0[node as usize].nearer, up);
            self.0[up as usize].farther = moved;
            moved
        };
        if moved != NONE {
            self.0[moved as usize].up = up;
        }
        self.0[node as usize].up = top;
        self.0[up as usize].up = node;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive_root(forest: &Forest, mut node: u32) -> u32 {
        while let Some(parent) = forest.parent(node) {
            node = parent;
        }
        node
    }

    proptest! {
        #[test]
        fn roots_are_found(steps in proptest::collection::vec((0..24u32, 0..24u32, any::<bool>()), 0..200)) {
            let mut forest = Forest::default();
            (0..24).for_each(|_| {
                forest.add();
            });
            for (node, below, cut) in steps {
                if cut {
                    forest.cut(node);
                } else if forest.parent(node).is_none() {
                    let can = naive_root(&forest, below) != node;
                    prop_assert_eq!(forest.can_link(node, below), can);
                    if can {
                        forest.link(node, below);
                    }
                }
                let root = naive_root(&forest, below);
                prop_assert_eq!(forest.root_of(below), root);
            }
        }
    }

    #[test]
    fn a_long_chain_is_asked_often() {
        let mut forest = Forest::default();
        let first = forest.add();
        let mut last = first;
        for _ in 0..100_000 {
            let next = forest.add();
            forest.link(next, last);
            last = next;
        }
        for _ in 0..100_000 {
            assert!(!forest.can_link(first, last));
        }
    }
}
