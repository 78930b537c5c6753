//! The suite that a config comes to.

use std::ops::Range;

use super::branches::{
    Tree, TreeEntry, TreeItem, copies, lifted, listed, merged, scalar_value, unmergeable,
};
use super::config::{Branch, Config};
use super::expression::{Expr, Kind};
use super::fields::{Part, Rule, is_same, rule};
use super::out::{Out, OutEntry, quoted, scalar};
use super::scenario::{self, Scenarios};
use super::skeleton::Part as Piece;
use super::source::{Finding, Source, Trouble};
use super::templates::Templates;
use super::yaml::{Comments, Node, Scalar};

/// Lists whose items have conditions of their own.
const LISTS: [&str; 3] = ["jobs", "objects", "metricsEndpoints"];

/// What becomes of a config while it is read.
pub(super) struct Builder<'a> {
    pub(super) source: &'a Source,
    pub(super) config: &'a Config,
    pub(super) templates: &'a mut Templates,
    pub(super) findings: Vec<Finding>,
    /// What parts that were left out named.
    pub(super) unused: Vec<Expr>,
    /// Files of queries or, if so, of alerts: names and texts.
    pub(super) profiles: Vec<(String, bool, String)>,
    pub(super) keep_jobs: bool,
}

/// A suite, before its variables are named.
pub(super) struct Draft {
    pub(super) head: Vec<OutEntry>,
    pub(super) jobs: Vec<(Comments, Out)>,
    pub(super) scenarios: Scenarios,
    pub(super) trailing: Vec<String>,
    /// Namespaces that jobs have because their objects name them.
    pub(super) namespace: Option<String>,
}

impl Builder<'_> {
    pub(super) fn build(&mut self, root: &Node, trailing: &[String]) -> Draft {
        let mut draft = Draft {
            head: Vec::new(),
            jobs: Vec::new(),
            scenarios: Scenarios::default(),
            trailing: trailing.to_vec(),
            namespace: None,
        };
        let Tree::Map(entries) = lifted(self.config, root, &[]) else {
            let advice = "a config of kube-burner has `jobs`";
            let finding = self.source.lost(&Trouble::new(&(0..0), advice));
            self.findings.push(finding);
            return draft;
        };
        let mut seen = Vec::new();
        for entry in &entries {
            let name = &*entry.key.value;
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            match name {
                "metricsEndpoints" => {
                    let items = self.endpoints(listed(&entries, name));
                    let comments = entry.comments.clone();
                    if !items.is_empty() {
                        draft.head.push(OutEntry {
                            comments,
                            ..OutEntry::new(name, Out::List(items))
                        });
                    }
                }
                "jobs" => self.jobs(listed(&entries, name), &mut draft),
                "global" => {
                    let global = self.global(entry);
                    draft.head.push(global);
                }
                _ => draft
                    .head
                    .extend(self.left_out(Part::Top, entry).map(OutEntry::remark)),
            }
        }
        self.follow(&mut draft);
        if !draft.scenarios.items.is_empty() {
            draft.jobs.insert(0, scenario::needs());
        }
        draft
    }

    /// Jobs in the namespace of the run follow it.
    fn follow(&self, draft: &mut Draft) {
        let own = self
            .config
            .finals
            .iter()
            .filter_map(|version| self.config.versions.get(*version));
        if own.into_iter().any(|version| version.name == "namespace") {
            draft.namespace = None;
        }
        let Some(namespace) = &draft.namespace else {
            return;
        };
        for (_, job) in &mut draft.jobs {
            let Out::Map(members) = job else {
                continue;
            };
            for member in members
                .iter_mut()
                .filter(|member| member.key == "namespace")
            {
                if matches!(&member.value, Out::Ready(text) if *text == scalar(namespace) || *text == quoted(namespace))
                {
                    member.value = Out::Value(Expr::Name("vars.namespace".to_owned(), Kind::Text));
                }
            }
        }
    }

    pub(super) fn span(&self, at: &Range<usize>) -> Range<usize> {
        self.config.skeleton.origin(at.start)..self.config.skeleton.origin(at.end)
    }

    /// Tells of a loss; the comment that stands in its place.
    pub(super) fn lose(&mut self, trouble: &Trouble) -> Vec<String> {
        let finding = self.source.lost(trouble);
        let mark = format!(" {}", finding.mark());
        self.findings.push(finding);
        vec![mark]
    }

    pub(super) fn note(&mut self, at: &Range<usize>, advice: &str) {
        let span = self.span(at);
        self.findings.push(self.source.note(&span, advice));
    }

    /// A field that is left out: a comment in its place, if that changes anything.
    pub(super) fn left_out(&mut self, part: Part, entry: &TreeEntry) -> Option<Vec<String>> {
        let Rule::Without(same, advice) = rule(part, &entry.key.value) else {
            return None;
        };
        self.forget(&entry.node);
        if is_same(same, &entry.node) {
            self.note(
                &entry.key.span,
                &format!("left out, and nothing changes: {advice}"),
            );
            let above = entry.comments.above.clone();
            return Some(above).filter(|above| !above.is_empty());
        }
        let trouble = Trouble::new(&self.span(&entry.key.span), format!("left out: {advice}"));
        Some([entry.comments.above.clone(), self.lose(&trouble)].concat())
    }

    /// Variables that are named only here are not needed any more.
    pub(super) fn forget(&mut self, node: &Tree) {
        match node {
            Tree::Scalar(scalar) => {
                let parts = self.config.skeleton.parts(&scalar.value);
                let values = parts.into_iter().filter_map(|part| match part {
                    Piece::Atom(atom) => atom.value.clone().ok(),
                    Piece::Text(_) => None,
                });
                self.unused.extend(values);
            }
            Tree::Chosen(value) => self.unused.push(value.clone()),
            Tree::List(items, _) => items.iter().for_each(|item| self.forget(&item.node)),
            Tree::Map(entries) => entries.iter().for_each(|entry| self.forget(&entry.node)),
        }
    }

    fn global(&mut self, entry: &TreeEntry) -> OutEntry {
        if let (Some(_), _) | (_, Some(_)) = (
            entry.branches.first(),
            unmergeable(self.config, &entry.node, &[]),
        ) {
            let advice = "what is global cannot depend on conditions; set it by `--set global.…`";
            let mark = self.lose(&Trouble::new(&self.span(&entry.key.span), advice));
            return OutEntry::remark([entry.comments.above.clone(), mark].concat());
        }
        let members = self.members(Part::Global, &entry.node);
        let comments = entry.comments.clone();
        OutEntry {
            comments,
            ..OutEntry::new("global", Out::Map(members))
        }
    }

    /// The fields of a part that is free of conditions.
    pub(super) fn members(&mut self, part: Part, node: &Tree) -> Vec<OutEntry> {
        let node = match merged(self.config, node.clone(), &LISTS) {
            Ok(node) => node,
            Err(trouble) => return vec![OutEntry::remark(self.lose(&trouble))],
        };
        let Tree::Map(entries) = &node else {
            return Vec::new();
        };
        let mut members = Vec::new();
        for entry in entries {
            if rule(part, &entry.key.value) != Rule::Kept {
                members.extend(self.left_out(part, entry).map(OutEntry::remark));
                continue;
            }
            match &*entry.key.value {
                "indexer" => members.extend(self.indexer(entry)),
                "objects" | "inputVars" => {}
                name @ ("metrics" | "alerts") if part == Part::Endpoint => {
                    members.push(self.files(entry, name == "alerts"));
                }
                _ => members.push(self.entry(entry)),
            }
        }
        members
    }

    /// Where results go is said by flags.
    fn indexer(&mut self, entry: &TreeEntry) -> Option<OutEntry> {
        self.forget(&entry.node);
        let kind = entry.node.member("type");
        let kind = matches!(kind, Some(Tree::Scalar(it)) if matches!(&*it.value, "opensearch" | "elastic"));
        let given = |name| match entry.node.member(name) {
            Some(Tree::Scalar(scalar)) => self.is_given(scalar),
            Some(Tree::List(items, _)) => items.iter().all(|item| match &item.node {
                Tree::Scalar(scalar) => self.is_given(scalar),
                _ => false,
            }),
            Some(_) => false,
            None => true,
        };
        if kind && given("esServers") && given("defaultIndex") {
            self.note(
                &entry.key.span,
                "left out: --es-server and --es-index say where results go, here too",
            );
            let above = entry.comments.above.clone();
            return Some(above)
                .filter(|it| !it.is_empty())
                .map(OutEntry::remark);
        }
        let advice =
            "left out: say where results go by --es-server and --es-index, --output or --store";
        let mark = self.lose(&Trouble::new(&self.span(&entry.key.span), advice));
        Some(OutEntry::remark(
            [entry.comments.above.clone(), mark].concat(),
        ))
    }

    fn files(&mut self, entry: &TreeEntry, alerts: bool) -> OutEntry {
        let mut comments = entry.comments.clone();
        let mut names = Vec::new();
        let items = match &entry.node {
            Tree::List(items, _) => items.clone(),
            _ => Vec::new(),
        };
        for item in items {
            let Tree::Scalar(scalar) = &item.node else {
                continue;
            };
            match self.profile(scalar) {
                Ok((name, text)) => {
                    names.push(Out::text(&Templates::profile_name(&name)));
                    self.profiles.push((name, alerts, text));
                }
                Err(trouble) => comments.above.extend(self.lose(&trouble)),
            }
        }
        OutEntry {
            comments,
            ..OutEntry::new(&entry.key.value, Out::Flow(names))
        }
    }

    /// The name and the text of a profile.
    fn profile(&self, scalar: &Scalar) -> Result<(String, String), Trouble> {
        let span = self.span(&scalar.span);
        let Expr::Text(name) = self.inlined(&scalar_value(self.config, scalar)?) else {
            let advice = "the name of a file cannot depend on values here; write it down";
            return Err(Trouble::new(&span, advice));
        };
        let text = self.templates.file(&name);
        let text = text.map_err(|advice| Trouble::new(&span, advice))?;
        Ok((name, text))
    }

    /// Copies of items without conditions inside.
    fn copies(&mut self, items: Vec<TreeItem>) -> Vec<Result<TreeItem, Vec<String>>> {
        let mut done = Vec::new();
        for item in items {
            let above = item.comments.above.clone();
            match copies(self.config, item, &LISTS) {
                Ok(copies) => done.extend(copies.into_iter().map(Ok)),
                Err(trouble) => done.push(Err([above, self.lose(&trouble)].concat())),
            }
        }
        done
    }

    /// `when`, if an item stands under conditions.
    pub(super) fn when(&self, branches: &[Branch]) -> Option<OutEntry> {
        let condition = self.config.condition(branches)?;
        Some(OutEntry::new("when", Out::Bare(condition)))
    }

    fn endpoints(&mut self, items: Vec<TreeItem>) -> Vec<(Comments, Out)> {
        let mut done = Vec::new();
        for item in self.copies(items) {
            match item {
                Ok(item) => {
                    let mut members = self.members(Part::Endpoint, &item.node);
                    members.extend(self.when(&item.branches));
                    done.push((item.comments, Out::Map(members)));
                }
                Err(above) => done.push(remark(above)),
            }
        }
        done
    }

    fn jobs(&mut self, items: Vec<TreeItem>, draft: &mut Draft) {
        for item in self.copies(items) {
            match item {
                Ok(item) => self.job(item, draft),
                Err(above) => draft.jobs.push(remark(above)),
            }
        }
    }

    fn job(&mut self, item: TreeItem, draft: &mut Draft) {
        let Tree::Map(entries) = &item.node else {
            return;
        };
        if let Some(Tree::Scalar(kind)) = item.node.member("jobType")
            && kind.value != "create"
        {
            let trouble = Trouble::new(
                &self.span(&kind.span),
                "left out, with its job: only jobs that create can be run",
            );
            self.forget(&item.node);
            draft
                .jobs
                .push(remark([item.comments.above, self.lose(&trouble)].concat()));
            return;
        }
        let objects = self.copies(listed(entries, "objects"));
        if !self.keep_jobs
            && let Some(scenario) = scenario::read(self, &item, &objects)
        {
            draft.scenarios.add(self, scenario);
            return;
        }
        let mut members = self.members(Part::Job, &item.node);
        self.namespace(&item, &objects, &mut members, draft);
        members.extend(self.when(&item.branches));
        let at = item.node.get("objects");
        let comments = at.map(|entry| entry.comments.clone()).unwrap_or_default();
        let mut outs = Vec::new();
        for object in objects {
            outs.push(match object {
                Ok(object) => self.object(object),
                Err(above) => remark(above),
            });
        }
        members.push(OutEntry {
            comments,
            ..OutEntry::new("objects", Out::List(outs))
        });
        draft.jobs.push((item.comments, Out::Map(members)));
    }
}

pub(super) fn remark(above: Vec<String>) -> (Comments, Out) {
    (
        Comments {
            above,
            ..Comments::default()
        },
        Out::Ready(String::new()),
    )
}
