//! Why a record matches, or does not: the tree again with pass or fail at each node, and the value that
//! each comparison saw. One statement for all of it.

use diesel_async::AsyncPgConnection;
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    check::Criteria,
    checked::Tree,
    queries,
    sql::{Bind, Sql, Writer},
    tree::{Node, Path, Relation},
    when::Setting,
};
use crate::base::{Result, ids::WorkspaceId};

/// One node's answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Where it stands: `all[2].any[0].compare`.
    pub path: String,
    /// `all`, `any`, `not`, `compare`, `related` or `inList`.
    pub node: &'static str,
    pub passed: bool,
    /// The field's value, or how many related records satisfy the condition; of others nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
    /// What was asked, where it has no children.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Explanation>,
}

impl Explanation {
    /// Without how many lists the record is in: that counts lists of the person whose criteria these are, which
    /// others may not see.
    pub fn without_list_counts(mut self) -> Self {
        let asks_lists = |asked: &Json| asked["relation"] == json!(Relation::Lists);
        if self.node == "related" && self.asked.as_ref().is_some_and(asks_lists) {
            self.value = None;
        }
        self.children = self.children.into_iter().map(Self::without_list_counts).collect();
        self
    }
}

impl Criteria {
    /// Explains the answer for a record; none where there is no such record.
    pub async fn explain(
        &self,
        connection: &mut AsyncPgConnection,
        workspace: WorkspaceId,
        setting: &Setting,
        record: Uuid,
    ) -> Result<Option<Explanation>> {
        let mut sql = Sql::new(workspace);
        let (mut passed, mut seen) = (Vec::new(), Vec::new());
        leaves(self.tree(), &mut Writer::new(&mut sql, setting), &mut passed, &mut seen);
        sql.push(&format!(
            "SELECT ARRAY[{}]::boolean[] AS passed, ARRAY[{}]::jsonb[] AS seen FROM {} r \
             WHERE r.workspace_id = $1 AND r.id = ",
            passed.join(", "),
            seen.join(", "),
            self.kind().table(),
        ));
        sql.bind(Bind::Uuid(record));
        let Some(row) = queries::seen(connection, &sql).await? else { return Ok(None) };
        let mut answers = row.passed.into_iter().zip(row.seen);
        Ok(Some(put_together(self.node(), &Path::root(), &mut answers)))
    }
}

/// The answer and the value of each leaf, as SQL over `r`.
fn leaves(tree: &Tree, writer: &mut Writer<'_>, passed: &mut Vec<String>, seen: &mut Vec<String>) {
    match tree {
        Tree::All(nodes) | Tree::Any(nodes) => nodes.iter().for_each(|node| leaves(node, writer, passed, seen)),
        Tree::Not(node) => leaves(node, writer, passed, seen),
        Tree::Leaf(leaf) => {
            let condition = writer.leaf(leaf, "r", false);
            passed.push(format!("({condition}) IS TRUE"));
            seen.push(writer.value(&leaf.place, "r").shown());
        }
        Tree::Related(related) => {
            let condition = writer.tree(tree, "r", false);
            passed.push(format!("({condition}) IS TRUE"));
            seen.push(writer.related_count(related, "r"));
        }
        Tree::InList(_) => {
            let condition = writer.tree(tree, "r", false);
            passed.push(format!("({condition}) IS TRUE"));
            seen.push("NULL".to_owned());
        }
    }
}

fn put_together(node: &Node, path: &Path, answers: &mut dyn Iterator<Item = (bool, Option<Json>)>) -> Explanation {
    let inner = |node: &'static str, path: &Path, passed: bool, children: Vec<Explanation>| Explanation {
        path: path.text(),
        node,
        passed,
        value: None,
        asked: None,
        children,
    };
    match node {
        Node::All(nodes) => {
            let at = path.key("all");
            let children = each(nodes, &at, answers);
            inner("all", &at, children.iter().all(|child| child.passed), children)
        }
        Node::Any(nodes) => {
            let at = path.key("any");
            let children = each(nodes, &at, answers);
            inner("any", &at, children.iter().any(|child| child.passed), children)
        }
        Node::Not(negated) => {
            let at = path.key("not");
            let child = put_together(negated, &at, answers);
            inner("not", &at, !child.passed, vec![child])
        }
        Node::Compare(_) | Node::Related(_) | Node::InList(_) => {
            let key = match node {
                Node::Compare(_) => "compare",
                Node::Related(_) => "related",
                _ => "inList",
            };
            // one answer per leaf, by the same walk
            let (passed, value) = answers.next().unwrap_or_default();
            let asked = node.to_json().get(key).cloned();
            Explanation { value, asked, ..inner(key, &path.key(key), passed, Vec::new()) }
        }
    }
}

fn each(nodes: &[Node], path: &Path, answers: &mut dyn Iterator<Item = (bool, Option<Json>)>) -> Vec<Explanation> {
    nodes.iter().enumerate().map(|(at, node)| put_together(node, &path.item(at), answers)).collect()
}
