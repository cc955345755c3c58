//! Tests of the structure of traces: what is the same, what differs, and what damaged or enormous traces cost.

use homeostat_core::Seed;
use proptest::prelude::*;
use rand::Rng;

use super::*;

/// A span of operation `op`; ids are positions plus one, so that parent 0 is none.
fn node(span: u64, parent: u64, op: u64) -> Node {
    Node { span, parent, op: mix(op, 77), error: false }
}

fn shape(nodes: &[Node]) -> Shape {
    Shaper::default().shape(nodes)
}

/// Scenario: a request with a call, with the call repeated three and four times, with another call, with a call deeper.
/// Guarantees: each grain sees what it should: repetition only the finer two, exact numbers only the tree, structure all.
#[test]
fn each_grain_sees_what_it_should() {
    let calls = |count: u64| {
        let mut nodes = vec![node(1, 0, 1)];
        nodes.extend((0..count).map(|call| node(2 + call, 1, 2)));
        shape(&nodes)
    };
    let (one, four, five) = (calls(1), calls(4), calls(5));
    assert_eq!((one.coarse, four.coarse), (four.coarse, five.coarse));
    assert_ne!(one.fine, four.fine);
    assert_eq!(four.fine, five.fine);
    assert_ne!(four.tree, five.tree);
    let other = shape(&[node(1, 0, 1), node(2, 1, 3)]);
    assert_ne!(one.coarse, other.coarse);
    // The same edges, hung up differently: a → {b → {c, d}, b} and a → {b → c, b → d}.
    let left = [node(1, 0, 1), node(2, 1, 2), node(3, 1, 2), node(4, 2, 3), node(5, 2, 4)];
    let right = [node(1, 0, 1), node(2, 1, 2), node(3, 1, 2), node(4, 2, 3), node(5, 3, 4)];
    assert_eq!(shape(&left).fine, shape(&right).fine);
    assert_ne!(shape(&left).tree, shape(&right).tree);
    assert_eq!(one.edges().len(), 2);
}

/// Scenario: traces whose root is missing, whose spans are their own parents or each other's, that repeat an id, or that
/// are empty.
/// Guarantees: each has a structure of its own, and finding it ends.
#[test]
fn damaged_traces_have_a_shape_too() {
    let whole = shape(&[node(1, 0, 1), node(2, 1, 2)]);
    let rootless = shape(&[node(2, 1, 2)]);
    let selfish = shape(&[node(1, 1, 1), node(2, 1, 2)]);
    let circular = shape(&[node(1, 2, 1), node(2, 1, 2)]);
    let repeated = shape(&[node(1, 0, 1), node(2, 1, 2), node(2, 1, 2)]);
    let shapes = [whole, rootless, selfish, circular, repeated, shape(&[])];
    for (at, one) in shapes.iter().enumerate() {
        assert!(shapes[..at].iter().all(|other| other.tree != one.tree), "{at}");
    }
}

/// Scenario: a trace of a hundred thousand spans, as a fan, as a chain, and with a different operation each.
/// Guarantees: it is taken without recursion, and the edges kept for the model stay bounded.
#[test]
fn enormous_traces_are_bounded() {
    let fan: Vec<Node> = (0..100_000).map(|at| node(at + 1, at.min(1), 2)).collect();
    let chain: Vec<Node> = (0..100_000).map(|at| node(at + 1, at, 2)).collect();
    let diverse: Vec<Node> = (0..100_000).map(|at| node(at + 1, at.min(1), at)).collect();
    let mut shaper = Shaper::default();
    let [fan, chain, diverse] = [fan, chain, diverse].map(|nodes| shaper.shape(&nodes));
    assert_eq!(fan.coarse, chain.coarse);
    assert_ne!(fan.tree, chain.tree);
    assert_eq!(diverse.edges().len(), EDGES_MAX);
}

proptest! {
    /// Scenario: random trees, small and large, with their spans in any order and under other ids.
    /// Guarantees: the shape does not change; the scan and the sorted list agree.
    #[test]
    fn order_and_ids_do_not_matter(seed in any::<u64>(), count in 1_usize..80) {
        let mut stream = Seed(seed).stream("test/shape");
        let mut below = |bound: u64| stream.next_u64() % bound;
        let parent = |at: u64, below: &mut dyn FnMut(u64) -> u64| if at == 0 { 0 } else { 1 + below(at) };
        let tree: Vec<_> = (0..count as u64).map(|at| (parent(at, &mut below), below(5))).collect();
        let at = |salt: u64| move |id: u64| if id == 0 { 0 } else { mix(id, salt) | 1 };
        let nodes = |salt: u64| -> Vec<Node> {
            let id = at(salt);
            (1..).zip(&tree).map(|(own, (parent, op))| node(id(own), id(*parent), *op)).collect()
        };
        let first = nodes(1);
        let mut second = nodes(2);
        for place in (1..second.len()).rev() {
            second.swap(place, below(place as u64 + 1) as usize);
        }
        let mut shaper = Shaper::default();
        prop_assert_eq!(shaper.shape(&first), shaper.shape(&second));
    }
}
