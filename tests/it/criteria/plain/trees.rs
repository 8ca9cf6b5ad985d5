//! Random trees: every operator of every field that the catalogue has, of records, of what they are
//! linked to, and of what is related to them.

use kontor::crm::{
    RecordKind,
    criteria::{Asked, Operator, Relation, TimeUnit},
};
use serde_json::{Value as Json, json};
use unicode_normalization::UnicodeNormalization;

use super::{
    dice::Dice,
    text,
    words::{self, printed},
    world::{Catalog, Sort, World, column, paths},
};

pub struct Grower<'w> {
    pub dice: &'w mut Dice,
    pub world: &'w World,
    pub catalog: &'w Catalog,
    /// How many leaves may still grow.
    pub leaves: usize,
}

/// One less than the language takes: each tree is asked for its opposite, too.
const DEEPEST: usize = kontor::crm::criteria::DEEPEST - 1;

impl Grower<'_> {
    pub fn tree(&mut self, sort: Sort, depth: usize) -> Json {
        let branches = depth < DEEPEST && self.leaves > 1 && self.dice.chance(if depth == 1 { 70 } else { 50 });
        if branches {
            return match self.dice.below(5) {
                0 | 1 => json!({ "all": self.trees(sort, depth) }),
                2 | 3 => json!({ "any": self.trees(sort, depth) }),
                _ => json!({ "not": self.tree(sort, depth + 1) }),
            };
        }
        self.leaves = self.leaves.saturating_sub(1);
        let kind = match sort {
            Sort::Kind(kind) => Some(kind),
            Sort::Line => Some(RecordKind::Product),
            Sort::User | Sort::List => None,
        };
        if let Some(kind) = kind {
            if self.dice.chance(25) && !known_relations(self.catalog, kind).is_empty() {
                return self.related(kind, depth);
            }
            if kind == RecordKind::Contact && self.dice.chance(10) {
                // a deleted one is none to ask for
                let lists: Vec<_> =
                    self.world.lists.iter().filter(|(_, list)| !list.is_deleted).map(|(id, _)| *id).collect();
                if !lists.is_empty() {
                    return json!({ "inList": self.dice.one(&lists) });
                }
            }
        }
        self.comparison(sort)
    }

    fn trees(&mut self, sort: Sort, depth: usize) -> Vec<Json> {
        let count = self.dice.one(&[0, 1, 2, 2, 2, 3, 3]);
        (0..count).map(|_| self.tree(sort, depth + 1)).collect()
    }

    fn related(&mut self, kind: RecordKind, depth: usize) -> Json {
        let relations = known_relations(self.catalog, kind);
        let relation = self.dice.one(&relations);
        let sort = match relation.as_str() {
            "PRODUCTS" => Sort::Line,
            "LISTS" => Sort::List,
            "ACCOUNT" => Sort::Kind(RecordKind::Account),
            "CONTACT" => Sort::Kind(RecordKind::Contact),
            "CONTACTS" => Sort::Kind(RecordKind::Contact),
            "DEALS" => Sort::Kind(RecordKind::Deal),
            "TASKS" => Sort::Kind(RecordKind::Task),
            other => panic!("{other}"),
        };
        let quantifier = self.dice.pick(&["ANY", "NONE", "ALL", "AT_LEAST", "AT_MOST", "EXACTLY"]);
        let mut related = json!({ "relation": relation, "quantifier": quantifier });
        if ["AT_LEAST", "AT_MOST", "EXACTLY"].contains(&quantifier) {
            related["count"] = self.dice.one(&[0, 1, 1, 2, 2, 3]).into();
        }
        if depth < DEEPEST && self.dice.chance(85) {
            related["where"] = self.tree(sort, depth + 1);
        }
        json!({ "related": related })
    }

    /// A field by its path, with how far it leads.
    fn field(&mut self, sort: Sort, hops: usize) -> (String, Asked, Vec<Operator>, Sort) {
        let paths = match sort {
            Sort::Kind(kind) => paths(kind),
            Sort::Line => paths(RecordKind::Product),
            Sort::User | Sort::List => &[],
        };
        if hops < 3 && !paths.is_empty() && self.dice.chance(25) {
            let (path, target) = self.dice.one(paths);
            let (name, asked, operators, end) = self.field(target, hops + 1);
            return (format!("{path}.{name}"), asked, operators, end);
        }
        let fields = self.catalog.fields(sort);
        let field = &fields[self.dice.below(fields.len())];
        (field.name.clone(), field.asked.clone(), field.operators.clone(), sort)
    }

    fn comparison(&mut self, sort: Sort) -> Json {
        use Operator::*;
        let (name, asked, operators, end) = self.field(sort, 0);
        let op = self.dice.one(&operators);
        let mut compare = json!({ "field": name, "op": op });
        if self.dice.chance(30) {
            compare["caseSensitive"] = self.dice.chance(50).into();
        }
        if self.dice.chance(30) {
            compare["matchEmpty"] = self.dice.chance(30).into();
        }
        if asked.compares_fields_by(op) && self.dice.chance(20) {
            // the first that fits, of some
            for _ in 0..20 {
                let (other, its, ..) = self.field(sort, 0);
                if asked.goes_with(&its) {
                    compare["field2"] = other.into();
                    return json!({ "compare": compare });
                }
            }
        }
        let name = name
            .rsplit_once("custom.")
            .map_or_else(|| name.rsplit('.').next().unwrap_or_default().to_owned(), |(_, key)| format!("custom.{key}"));
        match op {
            IsEmpty | IsNotEmpty | IsTrue | IsFalse | IsMe | InMyTeam | IsInactive | Today | Yesterday | Tomorrow
            | InPast | InFuture => {}
            This | Last | Next => compare["unit"] = self.unit(3),
            InLast | InNext | NotInLast | LessThanAgo | MoreThanAgo | MoreThanAhead | ChangedInLast => {
                let days_only = asked == Asked::Date && op != ChangedInLast;
                compare["unit"] = self.unit(if days_only { 2 } else { 0 });
                compare["value"] = self.dice.one(&[1, 1, 2, 3, 7, 12, 30, 90, 365, 1_000]).into();
            }
            AnniversaryInNext => compare["value"] = self.dice.one(&[1, 2, 3, 7, 31, 366]).into(),
            In | NotIn | HasAny | HasNone | HasAll | HasExactly | DomainIn => {
                let count = self.dice.one(&[1, 1, 2, 3]);
                let values = (0..count).map(|_| self.operand(end, &name, &asked, op)).collect();
                compare["values"] = Json::Array(values);
            }
            Between | NotBetween => {
                compare["values"] = json!([self.operand(end, &name, &asked, op), self.operand(end, &name, &asked, op)]);
            }
            ChangedFromTo => {
                let values = [(); 2]
                    .map(|()| if self.dice.chance(30) { Json::Null } else { self.operand(end, &name, &asked, Eq) });
                compare["values"] = json!(values);
            }
            _ => compare["value"] = self.operand(end, &name, &asked, op),
        }
        self.under_another_name(&mut compare, &asked, op);
        json!({ "compare": compare })
    }

    /// Some operators have another name for other types.
    fn under_another_name(&mut self, compare: &mut Json, asked: &Asked, op: Operator) {
        use Operator::*;
        let other = match (asked, op) {
            (Asked::Date | Asked::Time, On) => Eq,
            (Asked::Date | Asked::Time, NotOn) => Ne,
            (Asked::Date | Asked::Time, Before) => Lt,
            (Asked::Date | Asked::Time, OnOrAfter) => Gte,
            (Asked::Number | Asked::Decimal, Gt) => After,
            (Asked::Tags | Asked::MultiChoice(_), HasAny) => In,
            (Asked::Tags | Asked::MultiChoice(_), HasNone) => NotContains,
            (Asked::Tags | Asked::MultiChoice(_), HasExactly) => Eq,
            _ => return,
        };
        if self.dice.chance(20) {
            compare["op"] = json!(other);
        }
    }

    fn unit(&mut self, from: usize) -> Json {
        let units = &TimeUnit::ALL[from..];
        json!(self.dice.one(units))
    }

    /// A value to compare with: mostly one that some record has there.
    fn operand(&mut self, sort: Sort, name: &str, asked: &Asked, op: Operator) -> Json {
        match op {
            Operator::DomainIs | Operator::DomainIn => return self.dice.pick(words::ASKED_DOMAINS).into(),
            Operator::CountryIs => return self.dice.pick(&["DE", "us", "CA", "RU", "KZ", "GB", "GG", "NP"]).into(),
            _ => {}
        }
        let held = if self.dice.chance(60) { self.held(sort, name) } else { Json::Null };
        let held = match held {
            Json::Array(items) if !items.is_empty() => self.dice.one(&items),
            Json::Array(_) => Json::Null,
            held => held,
        };
        let held = if held == json!("") { Json::Null } else { held };
        match asked {
            Asked::Number | Asked::Decimal => self.number(held),
            Asked::Boolean => self.dice.chance(50).into(),
            Asked::Choice(choices) | Asked::MultiChoice(choices) => {
                let word = held.as_str().map_or_else(|| self.dice.one(choices), ToOwned::to_owned);
                // as GraphQL writes it
                if word.is_ascii() && self.dice.chance(30) { word.to_uppercase().replace(' ', "_") } else { word }
                    .into()
            }
            Asked::User | Asked::Link(_) | Asked::Id => {
                if !held.is_null() {
                    return held;
                }
                let ids = match asked {
                    Asked::Link(kind) => self.world.ids(*kind),
                    Asked::User => self.world.users.keys().copied().collect(),
                    _ => vec![self.dice.id()],
                };
                let id = self.dice.one(&ids).to_string();
                if self.dice.chance(20) { id.to_uppercase() } else { id }.into()
            }
            Asked::Date | Asked::Time => self.point(held),
            Asked::Email
                if matches!(op, Operator::Eq | Operator::Ne | Operator::In | Operator::NotIn | Operator::WasEver) =>
            {
                let email = held.as_str().map_or("Ada1@Navy.Test", |text| text).to_owned();
                if self.dice.chance(30) { format!(" {}", email.nfd()) } else { email }.into()
            }
            Asked::Tags => {
                let tag = held.as_str().map_or_else(|| self.dice.pick(words::TAGS).to_owned(), ToOwned::to_owned);
                self.respelled(tag).into()
            }
            _ => self.text(held, asked, op).into(),
        }
    }

    fn number(&mut self, held: Json) -> Json {
        if !held.is_null() && self.dice.chance(80) {
            return held;
        }
        match self.dice.below(3) {
            0 => self.dice.one(words::NUMBERS).into(),
            1 => self.dice.pick(words::DECIMALS).into(),
            _ => self
                .dice
                .pick(&["7.0", "-007.50", "123456789012345678901234567890", "0.000000000000000000000000000001"])
                .into(),
        }
    }

    fn point(&mut self, held: Json) -> Json {
        match (held.as_str(), self.dice.below(6)) {
            (Some(text), 0..=2) => text.into(),
            (Some(text), 3) => text[..10].into(),
            (_, 4) => self.dice.pick(&["0001-01-01", "9999-12-31", "2026-03-29T02:30:00+01:00", "2024-02-29"]).into(),
            (_, 5) => words::day(self.dice).to_string().into(),
            _ => printed(words::instant(self.dice)).into(),
        }
    }

    fn text(&mut self, held: Json, asked: &Asked, op: Operator) -> String {
        let pool = match asked {
            Asked::Url => words::URLS,
            Asked::Phone => words::PHONES,
            Asked::Email => &["ada", "@navy.test", "jörg1@xn--bcher-kva.test"],
            _ => words::TEXTS,
        };
        let whole = held.as_str().map_or_else(|| self.dice.pick(pool).to_owned(), ToOwned::to_owned);
        let chars: Vec<char> = whole.chars().collect();
        let middle = self.dice.below(chars.len());
        let part: String = match op {
            Operator::Contains | Operator::NotContains | Operator::ContainsWord if self.dice.chance(70) => {
                let end = middle + 1 + self.dice.below(chars.len() - middle);
                chars[middle..end].iter().collect()
            }
            Operator::StartsWith | Operator::NotStartsWith if self.dice.chance(70) => chars[..=middle].iter().collect(),
            Operator::EndsWith | Operator::NotEndsWith if self.dice.chance(70) => chars[middle..].iter().collect(),
            Operator::Matches => self.pattern(&chars),
            _ => whole.clone(),
        };
        let spelled = self.respelled(part);
        let is_phone = *asked == Asked::Phone && op != Operator::ContainsWord;
        let fits = match op {
            _ if is_phone => text::e164(&spelled).chars().any(|c| c.is_ascii_digit()),
            Operator::ContainsWord => !text::words(&spelled).is_empty() || spelled.chars().any(char::is_alphanumeric),
            _ => true,
        };
        match fits {
            true => spelled,
            false if is_phone => "45".to_owned(),
            false => "york".to_owned(),
        }
    }

    /// The text with wildcards for some of it.
    fn pattern(&mut self, chars: &[char]) -> String {
        if self.dice.chance(10) {
            return "%".to_owned();
        }
        let mut pattern = String::new();
        for c in chars {
            match self.dice.below(10) {
                0 => pattern.push('%'),
                1 => pattern.push('_'),
                2 => {}
                _ if "%_\\".contains(*c) => {
                    pattern.push('\\');
                    pattern.push(*c);
                }
                3 if c.is_ascii_punctuation() => {
                    pattern.push('\\');
                    pattern.push(*c);
                }
                _ => pattern.push(*c),
            }
        }
        if pattern.is_empty() { "%".to_owned() } else { pattern }
    }

    /// In another case, or decomposed.
    fn respelled(&mut self, text: String) -> String {
        match self.dice.below(6) {
            0 => text.to_uppercase(),
            1 => text.to_lowercase(),
            2 => text.nfd().collect(),
            _ => text,
        }
    }

    /// What some record holds there.
    fn held(&mut self, sort: Sort, name: &str) -> Json {
        let kind = match sort {
            Sort::Kind(kind) => kind,
            Sort::Line if name != "quantity" && name != "unitPrice" => RecordKind::Product,
            Sort::Line => return self.dice.pick(&["7", "7.5"]).into(),
            Sort::User => {
                let users: Vec<_> = self.world.users.values().collect();
                return self.dice.one(&users)[name].clone();
            }
            Sort::List => {
                let lists: Vec<_> = self.world.lists.iter().collect();
                let (id, list) = self.dice.one(&lists);
                return match name {
                    "id" => id.to_string().into(),
                    "name" => list.name.clone().into(),
                    _ => Json::Null,
                };
            }
        };
        if kind == RecordKind::Deal && ["stage", "stageType", "pipeline"].contains(&name) {
            let stages: Vec<_> = self.world.stages.values().collect();
            let stage = self.dice.one(&stages);
            return match name {
                "stage" => stage.name.clone(),
                "stageType" => stage.stage_type.clone(),
                _ => self.world.pipelines[&stage.pipeline].clone(),
            }
            .into();
        }
        let records: Vec<_> = self.world.of(kind).values().collect();
        let record = self.dice.one(&records);
        match name.strip_prefix("custom.") {
            Some(key) => record["custom_fields"].get(key).cloned().unwrap_or_default(),
            None => record[column(kind, name)].clone(),
        }
    }
}

/// A tree for records of a kind.
pub fn tree(dice: &mut Dice, world: &World, catalog: &Catalog, kind: RecordKind, leaves: usize) -> Json {
    Grower { dice, world, catalog, leaves }.tree(Sort::Kind(kind), 1)
}

/// Those that the plain evaluator knows: features to the right of the records have further ones.
pub fn known_relations(catalog: &Catalog, kind: RecordKind) -> Vec<Relation> {
    let all = catalog.relations[kind as usize].iter().map(|relation| relation.name);
    all.filter(|name| !matches!(name, Relation::Conversations | Relation::Messages)).collect()
}
