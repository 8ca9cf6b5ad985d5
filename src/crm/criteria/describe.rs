//! What can be asked about a kind, for user interfaces that build criteria.

use super::{
    checked::Root,
    fields::{Asked, CustomField, Entity, FieldDef, HISTORY, Known, fields_of, paths_of},
    relations::{RelationDef, relations_of},
    tree::{Operator, Relation, TimeUnit},
};
use crate::crm::RecordKind;

/// A field, and how it can be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDescription {
    /// As comparisons name it, with its path.
    pub name: String,
    pub label: String,
    pub asked: Asked,
    pub operators: Vec<Operator>,
    /// The words of a choice.
    pub choices: Vec<String>,
    pub is_custom: bool,
}

/// What a field holds, in the words of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "CriteriaFieldType")]
pub enum ValueType {
    Text,
    LongText,
    Email,
    Url,
    Phone,
    /// A whole number.
    Number,
    Decimal,
    Boolean,
    /// One of the field's `choices`.
    Choice,
    /// A person's id.
    User,
    /// A record's id.
    Record,
    Tags,
    MultiChoice,
    /// A calendar day.
    Date,
    /// A moment.
    Time,
    /// An id of something else.
    Id,
}

impl From<&Asked> for ValueType {
    fn from(asked: &Asked) -> Self {
        match asked {
            Asked::Text => Self::Text,
            Asked::LongText => Self::LongText,
            Asked::Email => Self::Email,
            Asked::Url => Self::Url,
            Asked::Phone => Self::Phone,
            Asked::Number => Self::Number,
            Asked::Decimal => Self::Decimal,
            Asked::Boolean => Self::Boolean,
            Asked::Choice(_) => Self::Choice,
            Asked::User => Self::User,
            Asked::Link(_) => Self::Record,
            Asked::Tags => Self::Tags,
            Asked::MultiChoice(_) => Self::MultiChoice,
            Asked::Date => Self::Date,
            Asked::Time => Self::Time,
            Asked::Id => Self::Id,
        }
    }
}

/// What stands beside an operator in a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
#[graphql(name = "CriteriaOperand")]
pub enum Operand {
    /// Nothing.
    None,
    /// A single `value`.
    Value,
    /// A list of `values`.
    Values,
    /// Two `values`: from and to, both included.
    Range,
    /// Two `values`: before and after, of which null is empty.
    Change,
    /// A whole number as the `value`, and a `unit`.
    Span,
    /// A whole number of days as the `value`.
    Days,
    /// A `unit` alone.
    Unit,
}

/// How a field is compared by an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorUse {
    pub operator: Operator,
    pub operand: Operand,
    /// Those that go with it.
    pub units: Vec<TimeUnit>,
    /// Whether another field can stand in the value's place, as `field2`.
    pub takes_field: bool,
    /// Whether `matchEmpty` makes a difference.
    pub takes_match_empty: bool,
    /// Whether `caseSensitive` makes a difference.
    pub takes_case: bool,
}

/// What goes with an operator of a field of this type.
pub fn operator_use(asked: &Asked, operator: Operator) -> OperatorUse {
    use Operator::*;
    let operand = match operator {
        IsEmpty | IsNotEmpty | IsTrue | IsFalse | IsMe | InMyTeam | IsInactive | Today | Yesterday | Tomorrow
        | InPast | InFuture => Operand::None,
        In | NotIn | DomainIn | HasAny | HasNone | HasAll | HasExactly => Operand::Values,
        Between | NotBetween => Operand::Range,
        ChangedFromTo => Operand::Change,
        InLast | InNext | NotInLast | MoreThanAgo | LessThanAgo | MoreThanAhead | ChangedInLast => Operand::Span,
        AnniversaryInNext => Operand::Days,
        This | Last | Next => Operand::Unit,
        _ => Operand::Value,
    };
    let units = match operand {
        Operand::Span if *asked == Asked::Date && operator != ChangedInLast => &TimeUnit::ALL[2..],
        Operand::Span => TimeUnit::ALL,
        Operand::Unit => &TimeUnit::ALL[3..],
        _ => &[],
    };
    let negates = matches!(
        operator,
        Ne | NotIn | NotContains | NotStartsWith | NotEndsWith | NotBetween | HasNone | NotOn | NotInLast
    );
    let with_text = matches!(operand, Operand::Value | Operand::Values | Operand::Change);
    let folds = matches!(asked, Asked::Text | Asked::LongText | Asked::Email | Asked::Url | Asked::Tags);
    OperatorUse {
        operator,
        operand,
        units: units.to_vec(),
        takes_field: asked.compares_fields_by(operator),
        takes_match_empty: negates,
        takes_case: with_text && folds && !matches!(operator, DomainIs | DomainIn),
    }
}

/// A relation, and what can be asked of its other end.
#[derive(Debug, Clone, PartialEq)]
pub struct RelationDescription {
    pub name: Relation,
    /// The kind of the related records, where they are records.
    pub kind: Option<RecordKind>,
    pub fields: Vec<FieldDescription>,
}

/// All fields of a kind: its own, custom ones, and those of what it is linked to, so many links far.
pub fn criteria_fields(kind: RecordKind, known: &Known, links: usize) -> Vec<FieldDescription> {
    let mut fields = of_entity(Root::Kind(kind), known, "", "");
    linked(Entity::Record(kind), known, links, ("", ""), &mut fields);
    fields
}

/// The fields of what an entity is linked to, behind this path and label.
fn linked(of: Entity, known: &Known, links: usize, (prefix, before): (&str, &str), fields: &mut Vec<FieldDescription>) {
    if links == 0 {
        return;
    }
    // what is asked of the link as a field of the record needs no second name
    for path in paths_of(of).filter(|path| path.to.kind().is_some() || path.to == Entity::User) {
        let (prefix, before) = (format!("{prefix}{}.", path.name), format!("{before}{}: ", label(path.name)));
        fields.extend(of_fields(fields_of(path.to), &prefix, &before));
        if let Some(kind) = path.to.kind() {
            fields.extend(custom(kind, known, &prefix, &before));
        }
        linked(path.to, known, links - 1, (&prefix, &before), fields);
    }
}

/// The relations of a kind.
pub fn criteria_relations(kind: RecordKind, known: &Known) -> Vec<RelationDescription> {
    let describe = |relation: &'static RelationDef| RelationDescription {
        name: relation.name,
        kind: relation.to.kind(),
        fields: of_entity(Root::Relation(relation), known, "", ""),
    };
    relations_of(kind).into_iter().map(describe).collect()
}

fn of_entity(root: Root, known: &Known, prefix: &str, before: &str) -> Vec<FieldDescription> {
    let mut fields = of_fields(root.fields(), prefix, before);
    if let Some(kind) = root.entity().kind() {
        fields.extend(custom(kind, known, prefix, before));
    }
    fields
}

fn of_fields(fields: Vec<FieldDef>, prefix: &str, before: &str) -> Vec<FieldDescription> {
    let describe = |field: FieldDef| {
        let name = format!("{prefix}{}", field.name);
        let label = format!("{before}{}", label(field.name));
        description(name, label, field.asked, field.history, false)
    };
    fields.into_iter().map(describe).collect()
}

fn custom(kind: RecordKind, known: &Known, prefix: &str, before: &str) -> Vec<FieldDescription> {
    let describe = |field: &CustomField| {
        let name = format!("{prefix}custom.{}", field.key);
        description(name, format!("{before}{}", field.label), field.asked.clone(), true, true)
    };
    known.of(kind).map(describe).collect()
}

fn description(name: String, label: String, asked: Asked, history: bool, is_custom: bool) -> FieldDescription {
    let mut operators = asked.operators();
    if history {
        operators.extend(HISTORY);
    }
    let choices = asked.choices().unwrap_or_default().to_vec();
    FieldDescription { name, label, asked, operators, choices, is_custom }
}

/// `lastContactDate` as people read it: "Last contact date".
fn label(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for (at, c) in name.chars().enumerate() {
        if at == 0 {
            text.push(c.to_ascii_uppercase());
        } else if c.is_ascii_uppercase() {
            text.push(' ');
            text.push(c.to_ascii_lowercase());
        } else {
            text.push(c);
        }
    }
    text.strip_suffix(" id").map_or_else(|| text.clone(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{
        super::checked::{MOST_LINKS, place},
        *,
    };

    #[test]
    fn what_is_described_can_be_asked() {
        for kind in RecordKind::ALL {
            for field in criteria_fields(*kind, &Known::default(), MOST_LINKS) {
                let place = place(Root::Kind(*kind), &field.name, &Known::default());
                assert_eq!(place.expect("a field").asked, field.asked, "{}", field.name);
            }
        }
        let names = |kind| {
            criteria_relations(kind, &Known::default()).into_iter().map(|relation| relation.name).collect::<Vec<_>>()
        };
        assert_eq!(names(RecordKind::Account), [Relation::Contacts, Relation::Deals, Relation::Tasks]);
        assert_eq!(label("lastContactDate"), "Last contact date");
        let far = criteria_fields(RecordKind::Task, &Known::default(), MOST_LINKS);
        let far = far.iter().find(|field| field.name == "deal.contact.account.industry").expect("three links far");
        assert_eq!(far.label, "Deal: Contact: Account: Industry");
    }
}
