//! The criteria language as input, and what user interfaces that build criteria want to know.

use async_graphql::{ID, InputObject, Json, OneofObject, SimpleObject};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::record::RecordObject;
use crate::{
    base::{Error, FieldErrors, Result},
    crm::{
        RecordKind,
        criteria::{
            Comparison, Explanation, FieldDescription, Node, Operand, Operator, OperatorUse, Quantifier, RelatedNode,
            Relation, RelationDescription, TimeUnit, ValueType, operator_use,
        },
    },
    lists::{Source, explain::Membership},
};

/// Which records are meant: one node of a tree, exactly one of these. At most eight deep, with at most
/// 250 comparisons, relations and lists.
#[derive(OneofObject)]
#[graphql(name = "RecordCriteria")]
pub enum RecordCriteria {
    /// Every one holds; without any: true.
    All(Vec<RecordCriteria>),
    /// At least one holds; without any: false.
    Any(Vec<RecordCriteria>),
    /// It does not hold.
    Not(Box<RecordCriteria>),
    Compare(Box<FieldComparison>),
    Related(Box<RelatedCriteria>),
    /// A member of this list; of contacts.
    InList(ID),
}

/// A field, compared. What goes with which operator tells `criteriaFields`.
#[derive(InputObject)]
#[graphql(name = "FieldComparison")]
pub struct FieldComparison {
    /// A name, `custom.<key>`, or a path such as `account.industry`.
    field: String,
    op: Operator,
    value: Option<Json<Value>>,
    /// Several; two for a range. At most 1,000.
    values: Option<Vec<Option<Json<Value>>>>,
    /// Another field in the value's place.
    field2: Option<String>,
    unit: Option<TimeUnit>,
    /// Text and tags ignore case unless this says otherwise.
    case_sensitive: Option<bool>,
    /// Whether a negation holds for an empty field; it does unless this says no.
    match_empty: Option<bool>,
}

/// Related records: how many of them satisfy all of `where`, each by itself.
#[derive(InputObject)]
#[graphql(name = "RelatedCriteria")]
pub struct RelatedCriteria {
    relation: Relation,
    #[graphql(default_with = "Quantifier::Any")]
    quantifier: Quantifier,
    /// Of `AT_LEAST`, `AT_MOST` and `EXACTLY`.
    count: Option<i32>,
    #[graphql(name = "where")]
    condition: Option<RecordCriteria>,
}

impl RecordCriteria {
    /// The tree; errors name the path within this argument.
    pub fn node(self, argument: &str) -> Result<Node> {
        let mut errors = FieldErrors::new();
        let node = self.read(argument, &mut errors);
        errors.into_result()?;
        node.ok_or_else(|| Error::invalid(argument.to_owned(), "cannot be read"))
    }

    fn read(self, path: &str, errors: &mut FieldErrors) -> Option<Node> {
        Some(match self {
            Self::All(nodes) => Node::All(each(nodes, &format!("{path}.all"), errors)?),
            Self::Any(nodes) => Node::Any(each(nodes, &format!("{path}.any"), errors)?),
            Self::Not(node) => Node::Not(Box::new(node.read(&format!("{path}.not"), errors)?)),
            Self::Compare(comparison) => Node::Compare(comparison.read()),
            Self::Related(related) => {
                let RelatedCriteria { relation, quantifier, count, condition } = *related;
                let condition = match condition {
                    Some(condition) => Some(Box::new(condition.read(&format!("{path}.related.where"), errors)?)),
                    None => None,
                };
                Node::Related(RelatedNode { relation, quantifier, count: count.map(i64::from), condition })
            }
            Self::InList(id) => match id.parse::<Uuid>() {
                Ok(id) => Node::InList(id),
                Err(_) => {
                    errors.add(format!("{path}.inList"), "must be the id of a list");
                    return None;
                }
            },
        })
    }
}

fn each(nodes: Vec<RecordCriteria>, path: &str, errors: &mut FieldErrors) -> Option<Vec<Node>> {
    let nodes = nodes.into_iter().enumerate();
    let nodes: Vec<_> = nodes.map(|(at, node)| node.read(&format!("{path}[{at}]"), errors)).collect();
    nodes.into_iter().collect()
}

impl FieldComparison {
    fn read(self) -> Comparison {
        let null = |value: Option<Json<Value>>| value.map_or(Value::Null, |value| value.0);
        Comparison {
            field: self.field,
            op: self.op,
            value: self.value.map(|value| value.0),
            values: self.values.map(|values| values.into_iter().map(null).collect()),
            field2: self.field2,
            unit: self.unit,
            case_sensitive: self.case_sensitive,
            match_empty: self.match_empty,
        }
    }
}

/// A field that criteria can ask about.
#[derive(SimpleObject)]
#[graphql(name = "CriteriaField")]
pub struct CriteriaFieldObject {
    /// As comparisons name it, with its path.
    name: String,
    label: String,
    /// What it holds.
    #[graphql(name = "type")]
    field_type: ValueType,
    is_custom: bool,
    operators: Vec<CriteriaOperatorUse>,
    /// What a choice may hold; of other types none.
    choices: Vec<CriteriaChoice>,
}

/// One way to compare a field.
#[derive(SimpleObject)]
#[graphql(name = "CriteriaOperatorUse")]
pub struct CriteriaOperatorUse {
    operator: Operator,
    /// What stands beside it.
    operand: Operand,
    /// Those that go with it; none where it takes no unit.
    units: Vec<TimeUnit>,
    /// Whether another field can stand in the value's place, as `field2`.
    takes_field: bool,
    /// Whether `matchEmpty` makes a difference.
    takes_match_empty: bool,
    /// Whether `caseSensitive` makes a difference.
    takes_case_sensitive: bool,
}

/// A word that a choice may hold.
#[derive(SimpleObject)]
#[graphql(name = "CriteriaChoice")]
pub struct CriteriaChoice {
    value: String,
    label: String,
}

/// What records of a kind are related to, several at a time.
#[derive(SimpleObject)]
#[graphql(name = "CriteriaRelation")]
pub struct CriteriaRelationObject {
    relation: Relation,
    /// The kind of the related records; null where they are no records, as lists.
    kind: Option<RecordKind>,
    /// How many of them can be asked for.
    quantifiers: Vec<Quantifier>,
    /// What can be asked of each in `where`.
    fields: Vec<CriteriaFieldObject>,
}

/// What criteria mean at the moment.
#[derive(SimpleObject)]
#[graphql(name = "CriteriaPreview")]
pub struct CriteriaPreview {
    /// How many records; exact.
    pub count: i64,
    /// The newest of them, at most 50.
    pub records: Vec<RecordObject>,
}

/// Why a contact is in a list, or is not.
#[derive(SimpleObject)]
#[graphql(name = "MembershipExplanation")]
pub struct MembershipExplanation {
    is_member: bool,
    /// When it entered; null where it is no member.
    entered_at: Option<DateTime<Utc>>,
    /// How it came in; null where it is no member.
    source: Option<Source>,
    /// Whether a dynamic list's criteria mean it now, which the membership follows; null for a static
    /// list.
    matches: Option<bool>,
    /// Why the criteria cannot be answered any more, in words.
    broken: Option<String>,
    /// The criteria node by node, each before those within it; none for a static list.
    nodes: Vec<ExplainedNode>,
}

/// One node of criteria, and its answer for a contact.
#[derive(SimpleObject)]
#[graphql(name = "ExplainedNode")]
pub struct ExplainedNode {
    /// Where it stands: `all[2].any[0].compare`.
    path: String,
    /// `all`, `any`, `not`, `compare`, `related` or `inList`.
    node: String,
    passed: bool,
    /// The field's value, or how many related records satisfy the condition; of others null.
    value: Option<Json<Value>>,
    /// What was asked; null where other nodes stand within it.
    asked: Option<Json<Value>>,
}

impl From<FieldDescription> for CriteriaFieldObject {
    fn from(field: FieldDescription) -> Self {
        let uses = field.operators.iter().map(|operator| operator_use(&field.asked, *operator));
        let operators = uses.map(CriteriaOperatorUse::from).collect();
        let is_custom = field.is_custom;
        let choice =
            |value: String| CriteriaChoice { label: if is_custom { value.clone() } else { words(&value) }, value };
        Self {
            field_type: ValueType::from(&field.asked),
            operators,
            choices: field.choices.into_iter().map(choice).collect(),
            name: field.name,
            label: field.label,
            is_custom,
        }
    }
}

/// `in_progress` as people read it: "In progress".
fn words(choice: &str) -> String {
    let text = choice.replace('_', " ").to_lowercase();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl From<OperatorUse> for CriteriaOperatorUse {
    fn from(used: OperatorUse) -> Self {
        Self {
            operator: used.operator,
            operand: used.operand,
            units: used.units,
            takes_field: used.takes_field,
            takes_match_empty: used.takes_match_empty,
            takes_case_sensitive: used.takes_case,
        }
    }
}

impl From<RelationDescription> for CriteriaRelationObject {
    fn from(relation: RelationDescription) -> Self {
        Self {
            relation: relation.name,
            kind: relation.kind,
            quantifiers: Quantifier::ALL.to_vec(),
            fields: relation.fields.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Membership> for MembershipExplanation {
    fn from(membership: Membership) -> Self {
        let Membership { member, explanation, broken } = membership;
        let mut nodes = Vec::new();
        let matches = explanation.as_ref().map(|explanation| explanation.passed);
        if let Some(explanation) = explanation {
            flatten(explanation, &mut nodes);
        }
        Self {
            is_member: member.is_some(),
            entered_at: member.map(|member| member.entered_at),
            source: member.map(|member| member.source),
            matches,
            broken,
            nodes,
        }
    }
}

fn flatten(explanation: Explanation, nodes: &mut Vec<ExplainedNode>) {
    let Explanation { path, node, passed, value, asked, children } = explanation;
    nodes.push(ExplainedNode { path, node: node.to_owned(), passed, value: value.map(Json), asked: asked.map(Json) });
    children.into_iter().for_each(|child| flatten(child, nodes));
}

#[cfg(test)]
mod tests {
    use async_graphql::{InputType, Value as Graphql};
    use serde_json::json;

    use super::*;

    fn node(json: Value) -> Result<Node> {
        let value = Graphql::from_json(json).expect("a value");
        RecordCriteria::parse(Some(value)).map_err(|_| Error::internal("no criteria"))?.node("where")
    }

    #[test]
    fn nothing_is_lost_on_the_way_to_the_tree() {
        let json = json!({ "all": [
            { "compare": { "field": "city", "op": "EQ", "value": "Berlin", "caseSensitive": true, "matchEmpty": false } },
            { "compare": { "field": "status", "op": "CHANGED_FROM_TO", "values": [null, "active"] } },
            { "compare": { "field": "createdAt", "op": "IN_LAST", "value": 7, "unit": "DAY" } },
            { "not": { "related": { "relation": "DEALS", "quantifier": "AT_LEAST", "count": 2,
                "where": { "any": [{ "compare": { "field": "amount", "op": "GT", "field2": "amount" } }] } } } },
            { "inList": "0195d3f0-0000-7000-8000-000000000000" },
        ] });
        assert_eq!(node(json.clone()).expect("a tree"), Node::read(&json).expect("a tree"));
    }

    #[test]
    fn an_id_that_is_none_is_told_by_its_path() {
        let wrong = node(json!({ "not": { "any": [{ "all": [] }, { "inList": "x" }] } })).expect_err("wrong");
        let fields: Vec<_> = wrong.fields().expect("fields").iter().map(|(path, _)| path.to_owned()).collect();
        assert_eq!(fields, ["where.not.any[1].inList"]);
    }
}
