//! The structure of a trace.
//!
//! Answers whether two traces have the same structure, at three grains: which operations call which, roughly how often, and
//! the whole tree. Does not know what the spans are called or how long they took. Edges are sorted and folded rather than
//! kept in a set, because sorting eight numbers in place is cheaper than hashing them and needs no memory of its own.

/// One span's part in the structure of its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its id.
    pub(crate) span: u64,
    /// Its parent's id; 0: it has none.
    pub(crate) parent: u64,
    /// What it does: a keyed hash of service, operation and kind.
    pub(crate) op: u64,
    /// Whether it failed.
    pub(crate) error: bool,
}

/// Edges that are kept one by one, for the model; beyond it, those with the smallest hashes are, whatever their order.
pub(crate) const EDGES_MAX: usize = 32;

/// Up to this many spans a parent is looked for span by span; above, by halving a sorted list. A hash table would be quicker,
/// and could be made slow by whoever chooses the ids.
const SCANNED_MAX: usize = 24;

/// The operation above a root.
const NOBODY: u64 = 0x726f_6f74_726f_6f74;
/// The operation of a parent that did not arrive.
const MISSING: u64 = 0x6d69_7373_6d69_7373;
/// Marks spans that are their own ancestors.
const CYCLE: u64 = 0x6379_636c_6379_636c;
/// The parent of a span that has none, or whose parent is not here.
const NONE: u32 = u32::MAX;

/// The structure of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The set of edges from calling to called operation, whatever their order and number.
    pub(crate) coarse: u64,
    /// The same with the number of each edge, rounded to a power of two.
    pub(crate) fine: u64,
    /// The tree itself, whatever the order of siblings.
    pub(crate) tree: u64,
    /// How many of its spans failed.
    pub(crate) failed: u32,
    edges: [u32; EDGES_MAX],
    len: u8,
}

impl Default for Shape {
    /// That of no spans.
    fn default() -> Self {
        Shape { coarse: 0, fine: 0, tree: 0, failed: 0, edges: [0; EDGES_MAX], len: 0 }
    }
}

impl Shape {
    /// Its edges, as short hashes.
    pub(crate) fn edges(&self) -> &[u32] {
        &self.edges[..usize::from(self.len)]
    }
}

/// Finds the structure of traces. Keeps its memory from one trace to the next.
#[derive(Debug, Default)]
pub(crate) struct Shaper {
    parents: Vec<u32>,
    /// Children that are not folded yet.
    waiting: Vec<u32>,
    /// What the folded children of a span amount to.
    folded: Vec<u64>,
    edges: Vec<u64>,
    by_id: Vec<(u64, u32)>,
}

impl Shaper {
    /// The structure of the trace that consists of `nodes`.
    pub(crate) fn shape(&mut self, nodes: &[Node]) -> Shape {
        self.find_parents(nodes);
        let tree = self.fold_tree(nodes);
        self.collect_edges(nodes);
        let mut shape = Shape { tree, ..Shape::default() };
        shape.failed = nodes.iter().map(|node| u32::from(node.error)).sum();
        self.edges.sort_unstable();
        for run in self.edges.chunk_by(|left, right| left == right) {
            let edge = run[0];
            shape.coarse = mix(shape.coarse, edge);
            shape.fine = mix(shape.fine, edge ^ u64::from(run.len().ilog2()));
            if let Some(free) = shape.edges.get_mut(usize::from(shape.len)) {
                *free = edge as u32;
                shape.len += 1;
            }
        }
        shape
    }

    fn find_parents(&mut self, nodes: &[Node]) {
        self.parents.clear();
        if nodes.len() <= SCANNED_MAX {
            let place = |id: u64| nodes.iter().position(|node| node.span == id).map_or(NONE, |at| at as u32);
            self.parents.extend(nodes.iter().map(|node| if is_child(node) { place(node.parent) } else { NONE }));
            return;
        }
        let by_id = &mut self.by_id;
        by_id.clear();
        by_id.extend(nodes.iter().zip(0..).map(|(node, at)| (node.span, at)));
        // Of spans with one id, the first is the parent.
        by_id.sort_unstable();
        let place = |id: u64| {
            let at = by_id.partition_point(|(span, _)| *span < id);
            by_id.get(at).filter(|(span, _)| *span == id).map_or(NONE, |(_, at)| *at)
        };
        self.parents.extend(nodes.iter().map(|node| if is_child(node) { place(node.parent) } else { NONE }));
    }

    /// Folds leaves into their parents until only roots are left; spans in a cycle never become leaves.
    fn fold_tree(&mut self, nodes: &[Node]) -> u64 {
        self.waiting.clear();
        self.waiting.resize(nodes.len(), 0);
        self.folded.clear();
        self.folded.resize(nodes.len(), 0);
        for parent in &self.parents {
            if let Some(children) = self.waiting.get_mut(*parent as usize) {
                *children += 1;
            }
        }
        let (mut tree, mut left) = (0_u64, nodes.len());
        for start in 0..nodes.len() {
            let mut at = start;
            while self.waiting[at] == 0 {
                self.waiting[at] = NONE;
                left -= 1;
                let folded = mix(nodes[at].op, self.folded[at]);
                let parent = self.parents[at] as usize;
                match self.folded.get_mut(parent) {
                    Some(sum) => *sum = sum.wrapping_add(folded),
                    None => {
                        tree = tree.wrapping_add(mix(folded, above(&nodes[at])));
                        break;
                    }
                }
                self.waiting[parent] -= 1;
                at = parent;
            }
        }
        if 0 < left {
            let cyclic = nodes.iter().zip(&self.waiting).filter(|(_, waiting)| **waiting != NONE);
            tree = cyclic.fold(tree, |tree, (node, _)| tree.wrapping_add(mix(node.op, CYCLE)));
        }
        mix(tree, NOBODY)
    }

    fn collect_edges(&mut self, nodes: &[Node]) {
        self.edges.clear();
        let caller = |node: &Node, parent: u32| nodes.get(parent as usize).map_or_else(|| above(node), |node| node.op);
        self.edges.extend(nodes.iter().zip(&self.parents).map(|(node, parent)| mix(caller(node, *parent), node.op)));
    }
}

/// Whether a span claims a parent other than itself.
fn is_child(node: &Node) -> bool {
    node.parent != 0 && node.parent != node.span
}

/// What stands above a span whose parent is not here.
fn above(node: &Node) -> u64 {
    if node.parent == 0 { NOBODY } else { MISSING }
}

/// Mixes two numbers into one, so that every bit depends on every bit: the folded product of wyhash.
pub(crate) fn mix(left: u64, right: u64) -> u64 {
    let product = u128::from(left ^ 0x9e37_79b9_7f4a_7c15) * u128::from(right ^ 0xd6e8_feb8_6659_fd93);
    (product >> 64) as u64 ^ product as u64
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
