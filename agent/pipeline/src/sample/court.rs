//! Where decisions are asked for.
//!
//! Answers what becomes of a trace whose spans are known one by one: finds its structure, then asks the judge. Does not
//! know where the spans are. Keeps the working memory of that, so that a request allocates it once for all its traces.

use homeostat_core::Timestamp;

use super::roots::{Known, Root, Roots};
use super::{Decision, Facts, Judge, Node, Shaper};

/// The judge, and room to work in.
pub(super) struct Court<'a> {
    judge: &'a Judge,
    roots: Known,
    shaper: Shaper,
    nodes: Vec<Node>,
}

impl<'a> Court<'a> {
    pub(super) fn of(judge: &'a Judge, roots: &Roots) -> Court<'a> {
        Court { judge, roots: roots.known(), shaper: Shaper::default(), nodes: Vec::new() }
    }

    /// Decides the trace of `nodes`, of which everything but the structure is `known`.
    pub(super) fn decide(&mut self, now: Timestamp, known: &Facts, nodes: impl Iterator<Item = Node>) -> Decision {
        let facts = self.facts(known, nodes);
        let root = self.roots.of(facts.root);
        let promised = root.and_then(Root::share);
        let facts = Facts { share: promised.unwrap_or(facts.share), is_promised: promised.is_some(), ..facts };
        let decision = self.judge.decide(now, &facts);
        root.iter().for_each(|root| root.count(facts.spans, decision));
        decision
    }

    /// What it is worth while it waits.
    pub(super) fn value(&mut self, known: &Facts, nodes: impl Iterator<Item = Node>) -> u32 {
        let facts = self.facts(known, nodes);
        self.judge.value(&facts)
    }

    fn facts(&mut self, known: &Facts, nodes: impl Iterator<Item = Node>) -> Facts {
        self.nodes.clear();
        self.nodes.extend(nodes);
        Facts { shape: self.shaper.shape(&self.nodes), ..*known }
    }
}
