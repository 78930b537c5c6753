//! Jobs and their objects in the suite.

use super::branches::{Tree, TreeItem, scalar_value};
use super::expression::Expr;
use super::fields::Part;
use super::out::{Out, OutEntry};
use super::source::Trouble;
use super::suite::{Builder, Draft, remark};
use super::yaml::Comments;

impl Builder<'_> {
    /// The namespace of a job that names none is the one that its objects name.
    pub(super) fn namespace(
        &mut self,
        item: &TreeItem,
        objects: &[Result<TreeItem, Vec<String>>],
        members: &mut Vec<OutEntry>,
        draft: &mut Draft,
    ) {
        let templates: Vec<String> = objects
            .iter()
            .flatten()
            .filter_map(|it| self.template_name(it))
            .collect();
        let own = item.node.member("namespace").and_then(|it| match it {
            Tree::Scalar(scalar) if !scalar.value.is_empty() => {
                scalar_value(self.config, scalar).ok()
            }
            _ => None,
        });
        let own = own.map(|value| self.inlined(&value));
        let iterations = item.node.member("namespacedIterations");
        let together = matches!(iterations, Some(Tree::Scalar(scalar)) if scalar.value == "false");
        let at = members
            .iter()
            .position(|entry| entry.key == "name")
            .map_or(0, |at| at + 1);
        let fixed = self.templates.namespace(&templates);
        let namespace = match (own, fixed) {
            (None, Some(fixed)) => {
                members
                    .retain(|entry| !matches!(&*entry.key, "namespace" | "namespacedIterations"));
                members.insert(
                    at.min(members.len()),
                    OutEntry::new("namespace", Out::text(&fixed)),
                );
                Some(fixed)
            }
            (Some(own), _) if together => match own {
                Expr::Text(own) => Some(own),
                _ => None,
            },
            (own, _) => {
                if iterations.is_none() && own.is_some() {
                    let value = Out::Ready("true".to_owned());
                    let at = members
                        .iter()
                        .position(|entry| entry.key == "namespace")
                        .map_or(at, |at| at + 1);
                    members.insert(at, OutEntry::new("namespacedIterations", value));
                }
                None
            }
        };
        draft.namespace = draft.namespace.take().or_else(|| namespace.clone());
        for template in templates {
            self.templates.used_in(&template, namespace.as_deref());
        }
    }

    /// The file that an object names, if that is fixed.
    pub(super) fn template_name(&self, object: &TreeItem) -> Option<String> {
        match object.node.member("objectTemplate")? {
            Tree::Scalar(scalar) => match self.inlined(&scalar_value(self.config, scalar).ok()?) {
                Expr::Text(name) => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn object(&mut self, object: TreeItem) -> (Comments, Out) {
        let Some(template) = self.template_name(&object) else {
            let at = object.at..object.at;
            let advice = "the template's name has to be fixed; write out an object for each";
            let mark = self.lose(&Trouble::new(&self.span(&at), advice));
            return remark([object.comments.above, mark].concat());
        };
        let at = object
            .node
            .get("objectTemplate")
            .map_or(0..0, |entry| self.span(&entry.key.span));
        let written = match self.templates.written_name(&template) {
            Ok(written) => written,
            Err(advice) => {
                let mark = self.lose(&Trouble::new(&at, advice));
                return remark([object.comments.above, mark].concat());
            }
        };
        let mut members = self.members(Part::Object, &object.node);
        for member in &mut members {
            if member.key == "objectTemplate" {
                member.value = Out::text(&written);
            }
        }
        let after = members
            .iter()
            .position(|entry| entry.key == "objectTemplate")
            .map_or(0, |at| at + 1);
        if let Some(when) = self.when(&object.branches) {
            members.insert(after, when);
        }
        if let Some(entry) = object.node.get("inputVars") {
            let inputs = self.inputs(&template, &entry.node);
            let comments = entry.comments.clone();
            if !inputs.is_empty() {
                members.push(OutEntry {
                    comments,
                    ..OutEntry::new("inputVars", Out::Map(inputs))
                });
            }
        }
        (object.comments, Out::Map(members))
    }
}
