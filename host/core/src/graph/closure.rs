//! The closure of the graph: everything that some nodes rest on.

use std::collections::{BTreeSet, HashSet};
use std::mem;

use super::{Graph, Node, Reference};
use crate::hash::{ActionKey, ArtifactHash, ObjectHash, RunHash};

/// Rule for which of the actions that gave an artifact belong to a closure with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProducerRule {
    /// For an input that no action of the closure gave, the action that gave it first.
    First,
    /// For an input that no action of the closure gave, all actions that did.
    Unexplained,
    /// For any artifact, all actions that gave it, also by the word of a run alone.
    All,
}

/// Some nodes and everything that they rest on. It does not recurse, follows every document once,
/// and so ends in time linear in the documents even on a cycle.
#[derive(Debug)]
pub struct Closure {
    rule: ProducerRule,
    /// The runs.
    pub runs: BTreeSet<RunHash>,
    /// The actions.
    pub actions: BTreeSet<ActionKey>,
    /// The artifacts.
    pub artifacts: BTreeSet<ArtifactHash>,
    /// The objects, documents among them.
    pub objects: BTreeSet<ObjectHash>,
    /// Actions whose references are still to be followed.
    waiting: Vec<ActionKey>,
    /// Artifacts whose producers are still to be added.
    wanted: Vec<ArtifactHash>,
    /// Artifacts that actions of the closure gave.
    given: HashSet<ArtifactHash>,
}

impl Closure {
    /// Everything that these nodes rest on.
    pub fn of(graph: &Graph, rule: ProducerRule, nodes: impl IntoIterator<Item = Node>) -> Self {
        let mut closure = Self {
            rule,
            runs: BTreeSet::new(),
            actions: BTreeSet::new(),
            artifacts: BTreeSet::new(),
            objects: BTreeSet::new(),
            waiting: Vec::new(),
            wanted: Vec::new(),
            given: HashSet::new(),
        };
        closure.extend(graph, nodes);
        closure
    }

    /// Adds more nodes and everything that they rest on.
    pub fn extend(&mut self, graph: &Graph, nodes: impl IntoIterator<Item = Node>) {
        for node in nodes {
            self.add(graph, node);
        }
        loop {
            while let Some(action) = self.waiting.pop() {
                self.follow(graph, Node::Action(action));
            }
            for artifact in mem::take(&mut self.wanted) {
                self.add_producers(graph, artifact);
            }
            if self.waiting.is_empty() {
                return;
            }
        }
    }

    fn add(&mut self, graph: &Graph, node: Node) {
        match node {
            Node::Run(run) => {
                if self.runs.insert(run) {
                    self.objects.insert(run.into());
                    self.follow(graph, node);
                }
            }
            Node::Action(action) => {
                if self.actions.insert(action) {
                    self.objects.insert(action.into());
                    self.waiting.push(action);
                }
            }
            Node::Artifact(artifact) => {
                self.add_artifact(graph, artifact);
                self.wanted.push(artifact);
            }
            Node::Object(object) => {
                self.objects.insert(object);
            }
        }
    }

    fn add_artifact(&mut self, graph: &Graph, artifact: ArtifactHash) {
        if self.artifacts.insert(artifact) {
            self.objects.insert(artifact.into());
            self.follow(graph, Node::Artifact(artifact));
            if self.rule == ProducerRule::All {
                self.wanted.push(artifact);
            }
        }
    }

    fn follow(&mut self, graph: &Graph, node: Node) {
        for reference in graph.references(node) {
            match reference {
                Reference::PipelineFile(_, object)
                | Reference::NetworksFile(_, object)
                | Reference::FiguresFile(_, object)
                | Reference::Log { log: object, .. }
                | Reference::File { object, .. } => {
                    self.objects.insert(object);
                }
                Reference::Library(_, pin) => {
                    self.objects.insert(pin.hash.into());
                }
                Reference::Stage(stage) => {
                    if let Some(action) = stage.action {
                        self.add(graph, Node::Action(action));
                    }
                    if let Some(artifact) = stage.artifact {
                        self.add_artifact(graph, artifact);
                    }
                }
                Reference::Input(artifact) => self.add(graph, Node::Artifact(artifact)),
                Reference::Result(artifact) => {
                    self.given.insert(artifact);
                    self.add_artifact(graph, artifact);
                }
            }
        }
    }

    fn add_producers(&mut self, graph: &Graph, artifact: ArtifactHash) {
        match self.rule {
            ProducerRule::First | ProducerRule::Unexplained if self.given.contains(&artifact) => {}
            ProducerRule::First => {
                let first = graph.first_producer(artifact);
                if let Some(key) = first {
                    self.add(graph, Node::Action(key));
                }
            }
            ProducerRule::Unexplained => graph
                .producers(artifact)
                .for_each(|key| self.add(graph, Node::Action(key))),
            ProducerRule::All => graph
                .claimed_producers(artifact)
                .for_each(|key| self.add(graph, Node::Action(key))),
        }
    }
}
