//! One mapping of a document, read key by key.
//!
//! Answers which keys a mapping has, and refuses those that nobody asked for, with the key that was probably meant. Does
//! not know what any key means. Asking for a key is what makes it known, so there is no second list of keys to forget.

use std::collections::BTreeMap;

use homeostat_policies::rules::language::nearest;

use crate::problems::{Place, Report};
use crate::text::{Key, Node, Value};

/// A mapping that is being read. Must be closed, or unknown keys would pass.
#[must_use = "close the section, so that unknown keys are refused"]
pub struct Section<'a> {
    path: String,
    at: Place,
    entries: Vec<(&'a Key, &'a Node)>,
    known: Vec<&'static str>,
    taken: Vec<&'static str>,
}

/// A value with the path it was found at.
#[derive(Clone)]
pub struct Field<'a> {
    /// The path from the root.
    pub path: String,
    /// Where its key stands; for items of a list, where the item stands.
    pub key_at: Place,
    /// The value.
    pub node: &'a Node,
}

impl<'a> Section<'a> {
    /// Reads `field` as a mapping. A key with nothing behind it is an empty mapping.
    pub fn open(field: &Field<'a>, report: &mut Report) -> Section<'a> {
        let mut section = Section {
            path: field.path.clone(),
            at: field.node.at,
            entries: Vec::new(),
            known: Vec::new(),
            taken: Vec::new(),
        };
        match &field.node.value {
            Value::Nothing => {}
            Value::Mapping(entries) => section.fill(entries, report),
            other => field.problem(format!("must be a mapping of keys, found {}", other.describe()), report),
        }
        section
    }

    fn fill(&mut self, entries: &'a [(Key, Node)], report: &mut Report) {
        let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
        for (key, node) in entries {
            match seen.insert(&key.name, key.at) {
                Some(earlier) => {
                    let what = format!("given twice; the first is in line {}", earlier.line);
                    report.problem(key.at, &self.path_of(&key.name), what);
                }
                None => self.entries.push((key, node)),
            }
        }
    }

    /// The value of `name`, if it is there.
    pub fn take(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.known.push(name);
        let found = self.entries.iter().position(|(key, _)| key.name == name)?;
        self.taken.push(name);
        let (key, node) = self.entries.remove(found);
        Some(Field { path: self.path_of(name), key_at: key.at, node })
    }

    /// The value of `name`; its absence is a problem.
    pub fn require(&mut self, name: &'static str, report: &mut Report) -> Option<Field<'a>> {
        let found = self.take(name);
        if found.is_none() {
            report.problem(self.at, &self.path_of(name), "missing");
        }
        found
    }

    /// The mapping behind `name`, if it is there.
    pub fn section(&mut self, name: &'static str, report: &mut Report) -> Option<Section<'a>> {
        self.take(name).map(|field| Section::open(&field, report))
    }

    /// The value of `name`, read by `read`; `None` where it is absent or wrong.
    pub fn get<T>(&mut self, name: &'static str, report: &mut Report, read: Reader<T>) -> Option<T> {
        self.take(name).and_then(|field| field.read(report, read))
    }

    /// All entries, for mappings whose keys are names that the operator chose.
    pub fn named(self, report: &mut Report) -> Vec<(&'a str, Field<'a>)> {
        if let Some((key, _)) = self.entries.iter().find(|(key, _)| key.name.is_empty()) {
            report.problem(key.at, &self.path, "a name must not be empty");
        }
        let field = |key: &Key, node| Field { path: self.path_of(&key.name), key_at: key.at, node };
        self.entries.iter().map(|(key, node)| (key.name.as_str(), field(key, node))).collect()
    }

    /// Notes every key of `names` that is there as accepted without effect.
    pub fn not_yet(&mut self, names: &[&'static str], report: &mut Report) {
        for name in names {
            if let Some(field) = self.take(name) {
                field.not_yet(report);
            }
        }
    }

    /// Whether a key that was asked for is there, right or wrong.
    pub fn is_given(&self, name: &str) -> bool {
        self.taken.contains(&name)
    }

    /// Where the mapping stands.
    pub fn at(&self) -> Place {
        self.at
    }

    /// The path of one of its keys.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Refuses every key that was not asked for.
    pub fn close(self, report: &mut Report) {
        for (key, _) in &self.entries {
            let what = match nearest(&key.name, &self.known) {
                Some(meant) => format!("unknown key; did you mean {meant}?"),
                None => format!("unknown key; known here: {}", self.known.join(", ")),
            };
            report.problem(key.at, &self.path_of(&key.name), what);
        }
    }
}

/// Reads a scalar; the error says what it must be.
pub type Reader<T> = fn(&Value) -> Result<T, String>;

impl<'a> Field<'a> {
    /// The value as `read` understands it.
    pub fn read<T>(&self, report: &mut Report, read: Reader<T>) -> Option<T> {
        match read(&self.node.value) {
            Ok(value) => Some(value),
            Err(must) => {
                self.problem(format!("{must}, found {}", self.node.value.describe()), report);
                None
            }
        }
    }

    /// The items of a list. A key with nothing behind it is an empty list.
    pub fn items(&self, report: &mut Report) -> Vec<Field<'a>> {
        match &self.node.value {
            Value::Nothing => Vec::new(),
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(index, node)| Field { path: format!("{}[{index}]", self.path), key_at: node.at, node })
                .collect(),
            other => {
                self.problem(format!("must be a list, found {}", other.describe()), report);
                Vec::new()
            }
        }
    }

    /// Notes that the value is accepted without effect.
    pub fn not_yet(&self, report: &mut Report) {
        report.not_yet(self.key_at, &self.path);
    }

    /// Adds a problem with this value.
    pub fn problem(&self, what: impl Into<String>, report: &mut Report) {
        report.problem(self.node.at, &self.path, what);
    }
}
