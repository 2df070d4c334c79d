//! The Features that a configuration needs, with what each waits for.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use super::{
    Feature, Found, Manifest, Need, Reference, ResolveError, Resolver, compare,
    reference::short,
    resolver::{MAX_DEPTH, MAX_FEATURES, MAX_REFERENCES},
    shorthand,
};
use crate::properties::Properties;

/// One mention of a Feature.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    /// The reference as written.
    pub(super) id: String,
    pub(super) options: Value,
    pub(super) source: Source<'a>,
    /// What the Feature is and was called, where that was looked up.
    pub(super) aliases: Option<Vec<String>>,
    /// Mentions of what must be installed before, with just those options.
    pub(super) depends_on: Vec<usize>,
    /// Mentions of what goes before if it is installed at all.
    pub(super) installs_after: Vec<usize>,
    /// The higher, the sooner within a round.
    pub(super) priority: usize,
    depth: usize,
}

/// A reference, and what was found under it.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    pub(super) reference: Reference,
    pub(super) digest: Option<&'a str>,
    artifact: Option<&'a Value>,
    metadata: Option<&'a Manifest>,
}

/// All mentions, and which of them are installed.
#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    /// Each Feature once per set of options, in the order in which they were met.
    pub(super) accepted: Vec<usize>,
    pub(super) needs: Vec<Need>,
    /// References that were read, also those that are needed and were read before.
    mentions: usize,
}

struct Mention {
    id: String,
    options: Value,
    by: Option<usize>,
}

/// Follows all references as far as they are known, breadth first.
pub(super) fn build(resolver: &Resolver) -> Result<Graph<'_>, ResolveError> {
    let mut graph = Graph::default();
    let wishes = resolver.wishes.iter();
    let mut queue: VecDeque<Mention> =
        wishes.map(|wish| Mention { id: wish.id.clone(), options: wish.options.clone(), by: None }).collect();
    while let Some(mention) = queue.pop_front() {
        let Some(at) = graph.add(resolver, mention, false)? else { continue };
        let node = &graph.nodes[at];
        // This ends circles without a word; they are found when an order is sought.
        if graph.accepted.iter().any(|other| compare::same(&graph.nodes[*other], node)) {
            continue;
        }
        if graph.accepted.len() >= MAX_FEATURES {
            return Err(ResolveError::TooMany);
        }
        let metadata = node.source.metadata;
        graph.accepted.push(at);
        let Some(metadata) = metadata else { continue };
        if graph.mentions + queue.len() + metadata.depends_on().len() > MAX_REFERENCES {
            return Err(ResolveError::TooMany);
        }
        graph.nodes[at].aliases = Some(metadata.aliases());
        for (id, options) in metadata.depends_on() {
            queue.push_back(Mention { id, options, by: Some(at) });
        }
        for id in metadata.installs_after() {
            let soft = Mention { id, options: Value::Object(Map::new()), by: Some(at) };
            graph.add(resolver, soft, true)?;
        }
    }
    graph.prioritise(resolver)?;
    Ok(graph)
}

impl<'a> Graph<'a> {
    /// Adds a mention; `None` if it must be looked up first.
    fn add(&mut self, resolver: &'a Resolver, mention: Mention, soft: bool) -> Result<Option<usize>, ResolveError> {
        let by = mention.by.and_then(|by| self.nodes.get(by));
        let depth = by.map_or(0, |by| by.depth + 1);
        let name = by.map(|by| by.id.clone());
        self.mentions += 1;
        if self.mentions > MAX_REFERENCES {
            return Err(ResolveError::TooMany);
        }
        if depth > MAX_DEPTH {
            return Err(ResolveError::TooDeep(mention.id));
        }
        let Some(source) = self.look(resolver, &mention.id, name, soft)? else { return Ok(None) };
        let at = self.nodes.len();
        if let Some(by) = mention.by.and_then(|by| self.nodes.get_mut(by)) {
            if soft { &mut by.installs_after } else { &mut by.depends_on }.push(at);
        }
        let aliases = source.metadata.filter(|_| soft).map(Manifest::aliases);
        self.nodes.push(Node {
            id: mention.id,
            options: mention.options,
            source,
            aliases,
            depends_on: Vec::new(),
            installs_after: Vec::new(),
            priority: 0,
            depth,
        });
        Ok(Some(at))
    }

    /// What is known under a reference; `None` if it must be looked up first.
    fn look(
        &mut self,
        resolver: &'a Resolver,
        id: &str,
        by: Option<String>,
        soft: bool,
    ) -> Result<Option<Source<'a>>, ResolveError> {
        let reference =
            Reference::parse(id, &resolver.place).map_err(|error| ResolveError::Reference { error, by: by.clone() })?;
        let missing = || ResolveError::Missing { id: short(id), by: by.clone() };
        let bare = |reference| Source { reference, digest: None, artifact: None, metadata: None };
        let digest = match &reference {
            // Only the registry's other names are of interest where nothing is installed.
            Reference::Tarball(_) | Reference::Local(_) if soft => return Ok(Some(bare(reference))),
            Reference::Release(_) => return Ok(Some(bare(reference))),
            Reference::Local(_) => None,
            Reference::Tarball(tarball) => resolver.lockfile.integrity(&tarball.url),
            // In the reference, too, an old short name is looked up in the lockfile by what it stands for,
            // but written there as it is, so it is never pinned.
            Reference::Oci(oci) => resolver.lockfile.integrity(&shorthand::expand(id)).or_else(|| oci.digest.clone()),
        };
        match resolver.known(&reference, digest.clone()) {
            None => {
                self.need(Need { reference, digest, soft });
                Ok(None)
            }
            Some(Found::Artifact { manifest, digest, metadata }) => Ok(Some(Source {
                reference,
                digest: Some(digest),
                artifact: Some(manifest),
                metadata: metadata.as_ref(),
            })),
            Some(Found::Files { metadata, digest }) => {
                let (digest, metadata) = (digest.as_deref(), metadata.as_ref());
                Ok(Some(Source { reference, digest, artifact: None, metadata }))
            }
            Some(Found::Unreachable) if soft => Ok(Some(bare(reference))),
            Some(Found::Missing | Found::Unreachable) if matches!(reference, Reference::Oci(_)) => {
                Reference::fallback(id).map(|release| Some(bare(release))).map_err(|_| missing())
            }
            Some(Found::Missing | Found::Unreachable) => Err(missing()),
        }
    }

    fn need(&mut self, need: Need) {
        let same = |other: &&mut Need| other.reference == need.reference && other.digest == need.digest;
        match self.needs.iter_mut().find(same) {
            Some(other) => other.soft &= need.soft,
            None => self.needs.push(need),
        }
    }

    /// Lets the Features go first that the configuration says should. A later mention counts less; what is
    /// not installed is ignored, but must exist.
    fn prioritise(&mut self, resolver: &'a Resolver) -> Result<(), ResolveError> {
        let count = resolver.first.len();
        for (index, id) in resolver.first.iter().enumerate() {
            let mention = Mention { id: id.clone(), options: Value::Object(Map::new()), by: None };
            let Some(at) = self.add(resolver, mention, true)? else { continue };
            // Its other names do not count here.
            self.nodes[at].aliases = None;
            let wanted = self.nodes[at].clone();
            for accepted in &self.accepted {
                if compare::satisfies(&self.nodes[*accepted], &wanted) {
                    let node = &mut self.nodes[*accepted];
                    node.priority = node.priority.max(count - index);
                }
            }
        }
        Ok(())
    }
}

impl Node<'_> {
    /// The Feature to install.
    pub(super) fn feature(&self) -> Feature {
        let mut said = Map::new();
        said.insert("id".to_owned(), Value::from(self.source.reference.id()));
        if !matches!(self.source.reference, Reference::Oci(_)) {
            said.insert("name".to_owned(), Value::from(&*shorthand::expand(&self.id)));
        }
        said.extend(self.source.metadata.cloned().unwrap_or_default().0.0);
        // The reference keeps the options among what the Feature says about itself, which thus replaces them.
        let options = said.shift_remove("value").unwrap_or_else(|| self.options.clone());
        Feature {
            id: self.id.clone(),
            reference: self.source.reference.clone(),
            digest: self.source.digest.map(str::to_owned),
            artifact: self.source.artifact.cloned(),
            manifest: Manifest(Properties(said)),
            options,
            is_old: false,
        }
    }
}
