//! Who matches, by plain reading of the record in memory: the third evaluator. It knows the language
//! from its description and nothing of SQL.

use std::str::FromStr;

use bigdecimal::BigDecimal;
use kontor::crm::{
    RecordKind,
    criteria::{Asked, Comparison, Node, Operator, Quantifier, RelatedNode, Relation, Setting},
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{
    text,
    time::{self, Point},
    words::printed,
    world::{Catalog, Fields, Line, Member, Sort, World, column, id_of, target},
};

/// What a field holds; empty texts and lists are nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Held {
    Nothing,
    Text(String),
    Number(BigDecimal),
    Flag(bool),
    Id(Uuid),
    Set(Vec<String>),
    Time(Point),
}

/// What is asked.
#[derive(Clone, Copy)]
pub enum Thing<'w> {
    Record(RecordKind, &'w Fields),
    User(&'w Fields),
    Line(&'w Line, &'w Fields),
    List(&'w Member),
}

impl Thing<'_> {
    fn sort(self) -> Sort {
        match self {
            Thing::Record(kind, _) => Sort::Kind(kind),
            Thing::User(_) => Sort::User,
            Thing::Line(..) => Sort::Line,
            Thing::List(_) => Sort::List,
        }
    }
}

pub struct Judge<'w> {
    pub world: &'w World,
    pub catalog: &'w Catalog,
    pub setting: &'w Setting,
}

/// Reads a value of this type.
pub fn held(json: &Json, asked: &Asked) -> Held {
    let text = json.as_str().filter(|text| !text.is_empty());
    let read = match asked {
        Asked::Number | Asked::Decimal => match json {
            Json::Number(number) => Some(Held::Number(number.to_string().parse().expect("a number"))),
            _ => text.map(|text| Held::Number(BigDecimal::from_str(text).expect("a number"))),
        },
        Asked::Boolean => json.as_bool().map(Held::Flag),
        Asked::User | Asked::Link(_) | Asked::Id => id_of(json).map(Held::Id),
        Asked::Tags | Asked::MultiChoice(_) => json
            .as_array()
            .filter(|items| !items.is_empty())
            .map(|items| Held::Set(items.iter().map(|item| item.as_str().expect("a text").to_owned()).collect())),
        Asked::Date | Asked::Time => text.map(|text| Held::Time(Point::read(text))),
        _ => text.map(|text| Held::Text(text.to_owned())),
    };
    read.unwrap_or(Held::Nothing)
}

impl<'w> Judge<'w> {
    /// The live records of a kind that match.
    pub fn matching(&self, kind: RecordKind, node: &Node) -> Vec<Uuid> {
        let live = self.world.of(kind).iter().filter(|(_, record)| record["deleted_at"].is_null());
        live.filter(|(_, record)| self.holds(node, Thing::Record(kind, record))).map(|(id, _)| *id).collect()
    }

    pub fn holds(&self, node: &Node, thing: Thing<'w>) -> bool {
        match node {
            Node::All(nodes) => nodes.iter().all(|node| self.holds(node, thing)),
            Node::Any(nodes) => nodes.iter().any(|node| self.holds(node, thing)),
            Node::Not(node) => !self.holds(node, thing),
            Node::Compare(comparison) => self.compare(comparison, thing),
            Node::Related(related) => self.related(related, thing),
            Node::InList(list) => {
                let Thing::Record(_, record) = thing else { panic!("lists hold contacts") };
                let id = id_of(&record["id"]).expect("an id");
                self.world
                    .members
                    .iter()
                    .any(|member| member.list == *list && member.record == id && !member.is_suspended)
            }
        }
    }

    fn related(&self, related: &RelatedNode, thing: Thing<'w>) -> bool {
        let all = self.relation(related.relation, thing);
        let satisfies = |thing: &&Thing<'w>| related.condition.as_ref().is_none_or(|node| self.holds(node, **thing));
        let count = all.iter().filter(satisfies).count();
        let wanted = usize::try_from(related.count.unwrap_or(0)).expect("small");
        match related.quantifier {
            Quantifier::Any => count > 0,
            Quantifier::None => count == 0,
            Quantifier::All => count == all.len(),
            Quantifier::AtLeast => count >= wanted,
            Quantifier::AtMost => count <= wanted,
            Quantifier::Exactly => count == wanted,
        }
    }

    /// The live ones.
    fn relation(&self, relation: Relation, thing: Thing<'w>) -> Vec<Thing<'w>> {
        let (kind, record) = match thing {
            Thing::Record(kind, record) => (kind, record),
            Thing::Line(_, record) => (RecordKind::Product, record),
            Thing::User(_) | Thing::List(_) => panic!("has no relations"),
        };
        let id = id_of(&record["id"]).expect("an id");
        let linked = |kind: RecordKind, column: &str| -> Vec<Thing<'w>> {
            let own = id_of(&record[column]).and_then(|id| self.world.live(kind, id));
            own.map(|record| Thing::Record(kind, record)).into_iter().collect()
        };
        let linking = |kind: RecordKind, column: &str| -> Vec<Thing<'w>> {
            let live = self.world.of(kind).values().filter(|other| other["deleted_at"].is_null());
            live.filter(|other| other[column] == record["id"]).map(|other| Thing::Record(kind, other)).collect()
        };
        match (kind, relation) {
            (RecordKind::Contact | RecordKind::Deal, Relation::Account) => linked(RecordKind::Account, "account_id"),
            (RecordKind::Deal, Relation::Contact) => linked(RecordKind::Contact, "contact_id"),
            (RecordKind::Contact, Relation::Deals) => linking(RecordKind::Deal, "contact_id"),
            (RecordKind::Account, Relation::Deals) => linking(RecordKind::Deal, "account_id"),
            (RecordKind::Account, Relation::Contacts) => linking(RecordKind::Contact, "account_id"),
            (RecordKind::Contact, Relation::Tasks) => linking(RecordKind::Task, "contact_id"),
            (RecordKind::Account, Relation::Tasks) => linking(RecordKind::Task, "account_id"),
            (RecordKind::Deal, Relation::Tasks) => linking(RecordKind::Task, "deal_id"),
            (RecordKind::Lead, Relation::Tasks) => linking(RecordKind::Task, "lead_id"),
            (RecordKind::Contact, Relation::Lists) => {
                let of_record = self.world.members.iter().filter(|member| member.record == id && !member.is_suspended);
                of_record.filter(|member| !self.world.lists[&member.list].is_deleted).map(Thing::List).collect()
            }
            (RecordKind::Deal, Relation::Products) => {
                let lines = self.world.lines.iter().filter(|line| line.deal == id);
                let product = |line: &'w Line| Some((line, self.world.live(RecordKind::Product, line.product?)?));
                lines.filter_map(product).map(|(line, product)| Thing::Line(line, product)).collect()
            }
            (RecordKind::Product, Relation::Deals) => {
                let has =
                    |deal: &Uuid| self.world.lines.iter().any(|line| line.deal == *deal && line.product == Some(id));
                let deals = self.world.of(RecordKind::Deal).iter().filter(|(deal, _)| has(deal));
                let live = deals.filter(|(_, deal)| deal["deleted_at"].is_null());
                live.map(|(_, deal)| Thing::Record(RecordKind::Deal, deal)).collect()
            }
            _ => panic!("{relation:?} of a {kind}"),
        }
    }

    /// Where a path leads, if anywhere.
    fn step(&self, thing: Thing<'w>, path: &str) -> Option<Thing<'w>> {
        let (Thing::Record(_, record) | Thing::Line(_, record)) = thing else { panic!("{path} leads nowhere") };
        match target(thing.sort(), path).expect("a path") {
            Sort::User => self.world.users.get(&id_of(&record["owner_id"])?).map(Thing::User),
            Sort::Kind(kind) => {
                let linked = self.world.live(kind, id_of(&record[&format!("{path}_id")])?)?;
                let hidden = kind == RecordKind::Lead
                    && self
                        .setting
                        .visible
                        .leads_of
                        .is_some_and(|user| id_of(&linked["owner_id"]).is_some_and(|owner| owner != user.0));
                (!hidden).then_some(Thing::Record(kind, linked))
            }
            Sort::Line | Sort::List => panic!("no path leads there"),
        }
    }

    /// The thing at the end of a path, if there is one, and the field's own name.
    fn at_end<'n>(&self, thing: Thing<'w>, name: &'n str) -> (Option<Thing<'w>>, &'n str) {
        match name.split_once('.').filter(|(path, _)| *path != "custom") {
            Some((path, behind)) => match self.step(thing, path) {
                Some(next) => self.at_end(next, behind),
                None => (None, behind),
            },
            None => (Some(thing), name),
        }
    }

    /// The JSON of a thing's own field.
    fn raw(&self, thing: Thing<'w>, name: &str) -> Json {
        let (kind, record) = match thing {
            Thing::User(user) => return user[name].clone(),
            Thing::List(member) => {
                return match name {
                    "id" => member.list.to_string().into(),
                    "name" => self.world.lists[&member.list].name.clone().into(),
                    "enteredAt" => printed(member.entered_at).into(),
                    _ => panic!("{name} of a list"),
                };
            }
            Thing::Line(line, product) => match name {
                "quantity" => return line.quantity.clone().into(),
                "unitPrice" => return line.unit_price.clone().into(),
                _ => (RecordKind::Product, product),
            },
            Thing::Record(kind, record) => (kind, record),
        };
        if let Some(key) = name.strip_prefix("custom.") {
            return record["custom_fields"].get(key).cloned().unwrap_or_default();
        }
        if kind == RecordKind::Deal && ["stage", "stageType", "pipeline"].contains(&name) {
            let stage = &self.world.stages[&id_of(&record["stage_id"]).expect("a stage")];
            return match name {
                "stage" => stage.name.clone(),
                "stageType" => stage.stage_type.clone(),
                _ => self.world.pipelines[&stage.pipeline].clone(),
            }
            .into();
        }
        record[column(kind, name)].clone()
    }

    fn value(&self, thing: Thing<'w>, name: &str, asked: &Asked) -> Held {
        let (thing, name) = self.at_end(thing, name);
        thing.map_or(Held::Nothing, |thing| held(&self.raw(thing, name), asked))
    }

    fn compare(&self, comparison: &Comparison, thing: Thing<'w>) -> bool {
        let asked = self.catalog.asked(thing.sort(), &comparison.field);
        let op = usual(comparison, &asked);
        let value = self.value(thing, &comparison.field, &asked);
        if let Some(answer) = self.history(op, comparison, thing, &asked, &value) {
            return answer;
        }
        match (op, opposite(op)) {
            (Operator::IsEmpty, _) => value == Held::Nothing,
            (Operator::IsNotEmpty, _) => value != Held::Nothing,
            (_, Some(_)) if value == Held::Nothing => comparison.match_empty.unwrap_or(true),
            (_, Some(positive)) => !self.positive(positive, comparison, thing, &asked, &value),
            _ => value != Held::Nothing && self.positive(op, comparison, thing, &asked, &value),
        }
    }

    /// Of a field that is not empty.
    fn positive(&self, op: Operator, comparison: &Comparison, thing: Thing<'w>, asked: &Asked, value: &Held) -> bool {
        let cased = comparison.case_sensitive.unwrap_or(false);
        if let Some(name) = &comparison.field2 {
            let other = self.catalog.asked(thing.sort(), name);
            let second = self.value(thing, name, &other);
            return second != Held::Nothing && self.two_fields(op, asked, value, &second, cased);
        }
        let values: Vec<&Json> = match (&comparison.values, &comparison.value) {
            (Some(values), _) => values.iter().collect(),
            (None, Some(Json::Array(values))) => values.iter().collect(),
            (None, value) => value.iter().collect(),
        };
        match value {
            Held::Nothing => panic!("is empty"),
            Held::Number(number) => {
                let asked: Vec<_> = values.iter().map(|value| number_of(value)).collect();
                match op {
                    Operator::Eq | Operator::In => asked.contains(number),
                    Operator::Gt => *number > asked[0],
                    Operator::Gte => *number >= asked[0],
                    Operator::Lt => *number < asked[0],
                    Operator::Lte => *number <= asked[0],
                    Operator::Between => *number >= asked[0] && *number <= asked[1],
                    _ => panic!("{op:?}"),
                }
            }
            Held::Flag(flag) => match op {
                Operator::IsTrue => *flag,
                Operator::IsFalse => !flag,
                _ => equals(asked, &values, cased, value, self.setting),
            },
            Held::Id(id) => match op {
                Operator::IsMe => self.setting.me.is_some_and(|me| me.0 == *id),
                Operator::InMyTeam => self
                    .setting
                    .me
                    .is_some_and(|me| self.world.teams.values().any(|team| team.contains(&me.0) && team.contains(id))),
                Operator::IsInactive => self.world.users[id]["status"] != "active",
                _ => equals(asked, &values, cased, value, self.setting),
            },
            Held::Set(have) => {
                let key = |text: &str| match asked {
                    Asked::MultiChoice(words) => word(words, text),
                    _ => text::folded(&text::nfc(text), cased),
                };
                let have: Vec<_> = have.iter().map(|text| key(text)).collect();
                let wanted: Vec<_> = values.iter().map(|text| key(text.as_str().expect("a text"))).collect();
                match op {
                    Operator::HasAny => wanted.iter().any(|text| have.contains(text)),
                    Operator::HasAll => wanted.iter().all(|text| have.contains(text)),
                    Operator::HasExactly => {
                        wanted.iter().all(|text| have.contains(text)) && have.iter().all(|text| wanted.contains(text))
                    }
                    _ => panic!("{op:?}"),
                }
            }
            Held::Time(point) => match op {
                Operator::On
                | Operator::Before
                | Operator::After
                | Operator::OnOrBefore
                | Operator::OnOrAfter
                | Operator::Between => {
                    let points: Vec<_> =
                        values.iter().map(|value| Point::read(value.as_str().expect("a time"))).collect();
                    time::compared(op, *point, &points, self.setting.zone)
                }
                _ => {
                    let count = values.first().and_then(|value| value.as_u64()).unwrap_or(0);
                    let count = u32::try_from(count).expect("small");
                    time::relative(op, *point, count, comparison.unit, self.setting)
                }
            },
            Held::Text(text) => self.text(op, asked, text, &values, cased),
        }
    }

    fn text(&self, op: Operator, asked: &Asked, text: &str, values: &[&Json], cased: bool) -> bool {
        let value = || text::nfc(values[0].as_str().expect("a text"));
        let is_phone = *asked == Asked::Phone;
        let have = if is_phone { text::e164(text) } else { text::folded(text, cased) };
        let part = || if is_phone { text::phone_part(&value()) } else { text::folded(&value(), cased) };
        match op {
            Operator::Eq | Operator::In => equals(asked, values, cased, &Held::Text(text.to_owned()), self.setting),
            Operator::Contains => have.contains(&part()),
            Operator::StartsWith if is_phone => have.starts_with(&text::e164(&value())),
            Operator::StartsWith => have.starts_with(&part()),
            Operator::EndsWith => have.ends_with(&part()),
            Operator::ContainsWord => text::has_words(&text::folded(text, cased), &text::folded(&value(), cased)),
            Operator::Matches => {
                let pattern = if is_phone {
                    value().chars().filter(|c| c.is_ascii_digit() || "+%_".contains(*c)).collect()
                } else {
                    part()
                };
                let chars = |text: &str| text.chars().collect::<Vec<_>>();
                text::like(&chars(&have), &chars(&pattern))
            }
            Operator::DomainIs | Operator::DomainIn => {
                let host = if *asked == Asked::Email { text::domain_of_email(text) } else { text::host_of_url(text) };
                values.iter().any(|value| text::domain(value.as_str().expect("a domain")) == host)
            }
            Operator::CountryIs => text::country(text).is_some_and(|country| country.eq_ignore_ascii_case(&value())),
            _ => panic!("{op:?}"),
        }
    }

    fn two_fields(&self, op: Operator, asked: &Asked, one: &Held, two: &Held, cased: bool) -> bool {
        match (one, two) {
            (Held::Number(one), Held::Number(two)) => match op {
                Operator::Eq => one == two,
                Operator::Gt => one > two,
                Operator::Gte => one >= two,
                Operator::Lt => one < two,
                Operator::Lte => one <= two,
                _ => panic!("{op:?}"),
            },
            (Held::Time(one), Held::Time(two)) => time::fields_compared(op, *one, *two, self.setting.zone),
            (Held::Text(one), Held::Text(two)) => match asked {
                Asked::Phone => text::e164(one) == text::e164(two),
                Asked::Choice(_) => one == two,
                _ => text::folded(one, cased) == text::folded(two, cased),
            },
            _ => one == two,
        }
    }

    /// Of the field history, whatever the field holds now.
    fn history(
        &self,
        op: Operator,
        comparison: &Comparison,
        thing: Thing<'w>,
        asked: &Asked,
        now: &Held,
    ) -> Option<bool> {
        if !matches!(op, Operator::ChangedInLast | Operator::WasEver | Operator::ChangedFromTo) {
            return None;
        }
        let (Some(thing), name) = self.at_end(thing, &comparison.field) else { return Some(false) };
        let (kind, record) = match thing {
            Thing::Record(kind, record) => (kind, record),
            Thing::Line(_, record) => (RecordKind::Product, record),
            Thing::User(_) | Thing::List(_) => panic!("has no history"),
        };
        let key = if name.starts_with("custom.") { name } else { column(kind, name) };
        let id = id_of(&record["id"]).expect("an id");
        let mut changes =
            self.world.changes.get(&id).into_iter().flatten().filter(|change| change.after.contains_key(key));
        let cased = comparison.case_sensitive.unwrap_or(false);
        let is = |json: &Json, value: &Json| match (held(json, asked), value) {
            (Held::Nothing, value) => value.is_null(),
            (_, Json::Null) => false,
            (held, value) => equals(asked, &[value], cased, &held, self.setting),
        };
        let value = comparison.value.clone().unwrap_or_default();
        Some(match op {
            Operator::ChangedInLast => {
                let count = u32::try_from(value.as_u64().expect("a count")).expect("small");
                changes.any(|change| {
                    time::relative(Operator::InLast, Point::Moment(change.at), count, comparison.unit, self.setting)
                })
            }
            Operator::WasEver => {
                let now = *now != Held::Nothing && equals(asked, &[&value], cased, now, self.setting);
                now || changes.any(|change| is(&change.before[key], &value) || is(&change.after[key], &value))
            }
            _ => {
                let values = comparison.values.as_ref().expect("two");
                changes.any(|change| is(&change.before[key], &values[0]) && is(&change.after[key], &values[1]))
            }
        })
    }
}

/// Whether what is held, which is something, is one of these.
fn equals(asked: &Asked, values: &[&Json], cased: bool, held: &Held, setting: &Setting) -> bool {
    let one = |value: &&Json| {
        let text = || text::nfc(value.as_str().expect("a text"));
        match held {
            Held::Nothing => false,
            Held::Number(number) => *number == number_of(value),
            Held::Flag(flag) => value.as_bool() == Some(*flag),
            Held::Id(id) => Uuid::try_parse(text().trim()) == Ok(*id),
            Held::Time(point) => time::compared(Operator::On, *point, &[Point::read(&text())], setting.zone),
            Held::Set(have) => match asked {
                Asked::MultiChoice(words) => have.contains(&word(words, &text())),
                _ => have.iter().any(|have| text::folded(have, cased) == text::folded(&text(), cased)),
            },
            Held::Text(have) => match asked {
                Asked::Phone => text::e164(have) == text::e164(&text()),
                Asked::Email => text::folded(have, cased) == text::folded(&text::email(&text()), cased),
                Asked::Choice(words) => *have == word(words, &text()),
                _ => text::folded(have, cased) == text::folded(&text(), cased),
            },
        }
    };
    values.iter().any(one)
}

/// The word that is meant, as it is stored.
fn word(words: &[String], text: &str) -> String {
    let plain = |text: &str| text.trim().to_lowercase().replace([' ', '-'], "_");
    let exact = words.iter().find(|word| *word == text.trim());
    exact.or_else(|| words.iter().find(|word| plain(word) == plain(text))).expect("a choice").clone()
}

fn number_of(json: &Json) -> BigDecimal {
    let text = json.as_str().map_or_else(|| json.to_string(), ToOwned::to_owned);
    text.trim().parse().expect("a number")
}

/// What is denied by this one.
fn opposite(op: Operator) -> Option<Operator> {
    Some(match op {
        Operator::Ne => Operator::Eq,
        Operator::NotIn => Operator::In,
        Operator::NotContains => Operator::Contains,
        Operator::NotStartsWith => Operator::StartsWith,
        Operator::NotEndsWith => Operator::EndsWith,
        Operator::NotBetween => Operator::Between,
        Operator::HasNone => Operator::HasAny,
        Operator::NotOn => Operator::On,
        Operator::NotInLast => Operator::InLast,
        _ => return None,
    })
}

/// The operator by the name that it has for the type: REST's words are one set for all types.
fn usual(comparison: &Comparison, asked: &Asked) -> Operator {
    match (asked, comparison.op) {
        (Asked::Date | Asked::Time, Operator::Eq) => Operator::On,
        (Asked::Date | Asked::Time, Operator::Ne) => Operator::NotOn,
        (Asked::Date | Asked::Time, Operator::Gt) => Operator::After,
        (Asked::Date | Asked::Time, Operator::Gte) => Operator::OnOrAfter,
        (Asked::Date | Asked::Time, Operator::Lt) => Operator::Before,
        (Asked::Date | Asked::Time, Operator::Lte) => Operator::OnOrBefore,
        (Asked::Number | Asked::Decimal, Operator::After) => Operator::Gt,
        (Asked::Number | Asked::Decimal, Operator::Before) => Operator::Lt,
        (Asked::Tags | Asked::MultiChoice(_), Operator::Contains | Operator::In) => Operator::HasAny,
        (Asked::Tags | Asked::MultiChoice(_), Operator::NotContains | Operator::NotIn) => Operator::HasNone,
        (Asked::Tags | Asked::MultiChoice(_), Operator::Eq) => Operator::HasExactly,
        (_, op) => op,
    }
}
