//! Holds a tree against the fields there are. What passes is a [`Criteria`]; of what does not, all that
//! is wrong is told at once, each by its path.

use std::{str::FromStr, sync::Arc};

use bigdecimal::BigDecimal;
use chrono::{DateTime, Datelike, NaiveDate, SubsecRound};
use serde_json::Value as Json;
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;

use super::{
    checked::{Base, FieldHow, How, Leaf, Numeric, Place, Related, Root, SetHow, Tree, place},
    fields::{Asked, HISTORY, Known},
    old, phones,
    reads::Reads,
    relations,
    tree::{
        Comparison, DEEPEST, LARGEST, MOST_LEAVES, MOST_VALUES, Node, Operator, Path, Quantifier, RelatedNode,
        TimeUnit, one,
    },
    when::{Point, Span, Stretch},
};
use crate::{
    base::{
        FieldErrors,
        text::{self, EmailAddress},
    },
    crm::RecordKind,
};

/// A tree that was checked for a kind of record. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Criteria(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: RecordKind,
    node: Node,
    tree: Tree,
    reads: Reads,
    lists: Vec<Uuid>,
    is_relative: bool,
    is_of_days: bool,
}

impl Criteria {
    /// Reads the JSON form, or REST's old one.
    pub fn read(json: &Json) -> Result<Node, FieldErrors> {
        if text::has_nul(json) {
            return Err(one("where", "must not contain NUL characters"));
        }
        if json.to_string().len() > LARGEST {
            return Err(one("where", "is larger than 64 KiB"));
        }
        if old::is_old(json) { old::read(json) } else { Node::read(json) }
    }

    /// Checks a tree for records of this kind.
    pub fn check(kind: RecordKind, node: &Node, known: &Known) -> Result<Self, FieldErrors> {
        let json = node.to_json();
        if text::has_nul(&json) {
            return Err(one("where", "must not contain NUL characters"));
        }
        if json.to_string().len() > LARGEST {
            return Err(one("where", "is larger than 64 KiB"));
        }
        let mut checker = Checker { known, errors: FieldErrors::new(), leaves: 0, lists: Vec::new() };
        let tree = checker.node(node, Root::Kind(kind), &Path::root(), 1);
        if checker.leaves > MOST_LEAVES {
            checker.errors.add("where", format!("has more than {MOST_LEAVES} comparisons"));
        }
        match tree {
            Some(tree) if checker.errors.is_empty() => {
                let mut lists = checker.lists;
                lists.sort_unstable();
                lists.dedup();
                let reads = Reads::of(kind, &tree);
                let (is_relative, is_of_days) = (any_leaf(&tree, Leaf::is_relative), any_leaf(&tree, Leaf::is_of_days));
                Ok(Self(Arc::new(Inner { kind, node: node.clone(), tree, reads, lists, is_relative, is_of_days })))
            }
            _ => Err(checker.errors),
        }
    }

    pub fn kind(&self) -> RecordKind {
        self.0.kind
    }

    /// The tree as it was written.
    pub fn node(&self) -> &Node {
        &self.0.node
    }

    pub fn tree(&self) -> &Tree {
        &self.0.tree
    }

    /// What its answer depends on.
    pub fn reads(&self) -> &Reads {
        &self.0.reads
    }

    /// The lists that it names by `inList`, each once.
    pub fn lists(&self) -> &[Uuid] {
        &self.0.lists
    }

    /// Whether its answer moves with the clock.
    pub fn is_relative(&self) -> bool {
        self.0.is_relative
    }

    /// Whether its answer depends on where days and weeks begin.
    pub fn is_of_days(&self) -> bool {
        self.0.is_of_days
    }
}

fn any_leaf(tree: &Tree, is_so: fn(&Leaf) -> bool) -> bool {
    match tree {
        Tree::All(nodes) | Tree::Any(nodes) => nodes.iter().any(|node| any_leaf(node, is_so)),
        Tree::Not(node) => any_leaf(node, is_so),
        Tree::Leaf(leaf) => is_so(leaf),
        Tree::Related(related) => related.condition.as_ref().is_some_and(|condition| any_leaf(condition, is_so)),
        Tree::InList(_) => false,
    }
}

/// Longest time that a span may stand for, in the unit: a thousand years.
fn most(unit: TimeUnit) -> u32 {
    match unit {
        TimeUnit::Minute => 525_600_000,
        TimeUnit::Hour => 8_760_000,
        TimeUnit::Day => 365_000,
        TimeUnit::Week => 52_000,
        TimeUnit::Month => 12_000,
        TimeUnit::Quarter => 4_000,
        TimeUnit::Year => 1_000,
    }
}

/// Most related records that are counted.
const MOST_COUNTED: i64 = 10_000;

struct Checker<'a> {
    known: &'a Known,
    errors: FieldErrors,
    leaves: usize,
    lists: Vec<Uuid>,
}

impl Checker<'_> {
    fn node(&mut self, node: &Node, root: Root, path: &Path, depth: usize) -> Option<Tree> {
        if depth > DEEPEST {
            self.errors.add(path.text(), format!("is nested deeper than {DEEPEST}"));
            return None;
        }
        match node {
            Node::All(nodes) => self.nodes(nodes, root, &path.key("all"), depth).map(Tree::All),
            Node::Any(nodes) => self.nodes(nodes, root, &path.key("any"), depth).map(Tree::Any),
            Node::Not(inner) => {
                self.node(inner, root, &path.key("not"), depth + 1).map(|inner| Tree::Not(Box::new(inner)))
            }
            Node::Compare(comparison) => {
                self.leaves += 1;
                self.compare(comparison, root, &path.key("compare")).map(|leaf| Tree::Leaf(Box::new(leaf)))
            }
            Node::Related(related) => {
                self.leaves += 1;
                self.related(related, root, &path.key("related"), depth)
            }
            Node::InList(list) => {
                self.leaves += 1;
                if root.entity().kind() != Some(RecordKind::Contact) {
                    return self.wrong(&path.key("inList"), "is for contacts: lists hold nothing else");
                }
                self.lists.push(*list);
                Some(Tree::InList(*list))
            }
        }
    }

    fn nodes(&mut self, nodes: &[Node], root: Root, path: &Path, depth: usize) -> Option<Vec<Tree>> {
        let checked: Vec<_> =
            nodes.iter().enumerate().map(|(at, node)| self.node(node, root, &path.item(at), depth + 1)).collect();
        checked.into_iter().collect()
    }

    fn related(&mut self, related: &RelatedNode, root: Root, path: &Path, depth: usize) -> Option<Tree> {
        let found = root.entity().kind().and_then(|kind| relations::find(kind, related.relation));
        let Some(relation) = found else {
            let what = root.entity().name();
            return self.wrong(&path.key("relation"), format!("is no relation of a {what}"));
        };
        let counts = matches!(related.quantifier, Quantifier::AtLeast | Quantifier::AtMost | Quantifier::Exactly);
        match related.count {
            Some(count) if counts && !(0..=MOST_COUNTED).contains(&count) => {
                return self.wrong(&path.key("count"), format!("must be from 0 to {MOST_COUNTED}"));
            }
            Some(_) if !counts => return self.wrong(&path.key("count"), "goes with AT_LEAST, AT_MOST and EXACTLY"),
            None if counts => return self.wrong(&path.key("count"), "is needed"),
            _ => {}
        }
        let condition = match &related.condition {
            Some(node) => Some(self.node(node, Root::Relation(relation), &path.key("where"), depth + 1)?),
            None => None,
        };
        let count = related.count.unwrap_or(0);
        Some(Tree::Related(Box::new(Related { relation, quantifier: related.quantifier, count, condition })))
    }

    fn wrong<T>(&mut self, path: &Path, message: impl Into<std::borrow::Cow<'static, str>>) -> Option<T> {
        self.errors.add(path.text(), message);
        None
    }

    fn take<T>(&mut self, path: &Path, parsed: Result<T, String>) -> Option<T> {
        parsed.map_or_else(|message| self.wrong(path, message), Some)
    }

    fn find(&mut self, root: Root, name: &str, path: &Path) -> Option<Place> {
        let found = place(root, name, self.known);
        found.or_else(|| self.wrong(path, format!("is no field of a {} that can be asked", root.entity().name())))
    }

    fn compare(&mut self, comparison: &Comparison, root: Root, path: &Path) -> Option<Leaf> {
        let place = self.find(root, &comparison.field, &path.key("field"))?;
        let (op, denied) = usual(comparison, &place.asked);
        let at = path.key("op");
        if HISTORY.contains(&op) {
            if place.history.is_none() {
                return self.wrong(&at, "needs a field that has a history");
            }
        } else if !place.asked.operators().contains(&op) {
            let known: Vec<_> = place.asked.operators().iter().map(|op| op.as_str()).collect();
            return self.wrong(&at, format!("does not go with this field; one of {} does", known.join(", ")));
        }
        self.refuse_unused(comparison, op, path)?;
        let cased = comparison.case_sensitive.unwrap_or(false);
        let (base, negated) = match &comparison.field2 {
            Some(name) => self.against_field(root, name, &place, op, cased, path)?,
            None => self.against_values(comparison, &place.asked, op, cased, path)?,
        };
        let match_empty = comparison.match_empty.unwrap_or(true);
        Some(Leaf { place, base, negated: negated != denied, match_empty })
    }

    /// What stands in a comparison is used, or somebody has misunderstood it.
    fn refuse_unused(&mut self, comparison: &Comparison, op: Operator, path: &Path) -> Option<()> {
        use Operator::*;
        let bare = matches!(
            op,
            IsEmpty
                | IsNotEmpty
                | IsTrue
                | IsFalse
                | IsMe
                | InMyTeam
                | IsInactive
                | Today
                | Yesterday
                | Tomorrow
                | InPast
                | InFuture
                | This
                | Last
                | Next
        );
        let old_flag = matches!(comparison.op, Eq | Ne);
        let uses_unit = matches!(
            op,
            InLast
                | InNext
                | NotInLast
                | MoreThanAgo
                | LessThanAgo
                | MoreThanAhead
                | This
                | Last
                | Next
                | ChangedInLast
        );
        let given = comparison.value.is_some() || comparison.values.is_some();
        if bare && given && !old_flag {
            return self.wrong(&path.key("value"), format!("does not go with {}", op.as_str()));
        }
        if comparison.value.is_some() && comparison.values.is_some() {
            return self.wrong(&path.key("values"), "does not go with value");
        }
        if comparison.field2.is_some() && given {
            return self.wrong(&path.key("field2"), "does not go with value or values");
        }
        if comparison.unit.is_some() && !uses_unit {
            return self.wrong(&path.key("unit"), format!("does not go with {}", op.as_str()));
        }
        Some(())
    }

    fn against_field(
        &mut self,
        root: Root,
        name: &str,
        place: &Place,
        op: Operator,
        cased: bool,
        path: &Path,
    ) -> Option<(Base, bool)> {
        use Operator::*;
        let at = path.key("field2");
        let other = self.find(root, name, &at)?;
        if !place.asked.compares_fields_by(op) {
            return self.wrong(&at, format!("does not go with {} of this field", op.as_str()));
        }
        if !place.asked.goes_with(&other.asked) {
            return self.wrong(&at, "holds something of another type");
        }
        let (how, negated) = match op {
            Ne => (FieldHow::Equal, true),
            Gt | After => (FieldHow::Above, false),
            Gte | OnOrAfter => (FieldHow::AtLeast, false),
            Lt | Before => (FieldHow::Below, false),
            Lte | OnOrBefore => (FieldHow::AtMost, false),
            On => (FieldHow::SameDay, false),
            NotOn => (FieldHow::SameDay, true),
            _ => (FieldHow::Equal, false),
        };
        Some((Base::Field { how, other, cased }, negated))
    }

    fn against_values(
        &mut self,
        comparison: &Comparison,
        asked: &Asked,
        op: Operator,
        cased: bool,
        path: &Path,
    ) -> Option<(Base, bool)> {
        use Operator::*;
        let negated = matches!(
            op,
            IsNotEmpty
                | Ne
                | NotIn
                | NotContains
                | NotStartsWith
                | NotEndsWith
                | NotBetween
                | HasNone
                | NotOn
                | NotInLast
        );
        let base = match op {
            IsEmpty | IsNotEmpty => Base::Empty,
            IsTrue => Base::Flag(true),
            IsFalse => Base::Flag(false),
            IsMe => Base::Me,
            InMyTeam => Base::MyTeam,
            IsInactive => Base::Inactive,
            Eq | Ne => {
                let value = self.value(comparison, path)?;
                self.equal(asked, &[(path.key("value"), value)], cased)?
            }
            In | NotIn => {
                let values = self.values(comparison, path)?;
                self.equal(asked, &values, cased)?
            }
            Contains | NotContains => self.text(comparison, asked, How::Contains, cased, path)?,
            StartsWith | NotStartsWith => self.text(comparison, asked, How::Starts, cased, path)?,
            EndsWith | NotEndsWith => self.text(comparison, asked, How::Ends, cased, path)?,
            ContainsWord => self.text(comparison, asked, How::Word, cased, path)?,
            Matches => self.text(comparison, asked, How::Matches, cased, path)?,
            DomainIs | DomainIn => {
                let values = match op {
                    DomainIs => vec![(path.key("value"), self.value(comparison, path)?)],
                    _ => self.values(comparison, path)?,
                };
                let mut domains = Vec::new();
                for (at, value) in &values {
                    domains.extend(self.take(at, domain(value))?);
                }
                Base::Domain(domains)
            }
            CountryIs => {
                let value = self.value(comparison, path)?;
                let country = value.as_str().and_then(phones::country);
                let wrong = || "must be the two letters of a country, such as DE".to_owned();
                Base::Country(self.take(&path.key("value"), country.ok_or_else(wrong))?)
            }
            Gt | Gte | Lt | Lte => {
                let value = self.value(comparison, path)?;
                let value = self.take(&path.key("value"), number(value))?;
                Base::Number(match op {
                    Gt => Numeric::Above(value),
                    Gte => Numeric::AtLeast(value),
                    Lt => Numeric::Below(value),
                    _ => Numeric::AtMost(value),
                })
            }
            Between | NotBetween => self.between(comparison, asked, path)?,
            HasAny | HasNone => self.set(comparison, asked, SetHow::Any, cased, path)?,
            HasAll => self.set(comparison, asked, SetHow::All, cased, path)?,
            HasExactly => self.set(comparison, asked, SetHow::Exactly, cased, path)?,
            On | NotOn | Before | After | OnOrBefore | OnOrAfter => {
                let value = self.value(comparison, path)?;
                let point = self.take(&path.key("value"), point(value))?;
                Base::When(match op {
                    Before => Stretch::Before(point),
                    After => Stretch::After(point),
                    OnOrBefore => Stretch::OnOrBefore(point),
                    OnOrAfter => Stretch::OnOrAfter(point),
                    _ => Stretch::On(point),
                })
            }
            Today => Base::When(Stretch::Day(0)),
            Yesterday => Base::When(Stretch::Day(-1)),
            Tomorrow => Base::When(Stretch::Day(1)),
            InPast => Base::When(Stretch::Past),
            InFuture => Base::When(Stretch::Future),
            InLast | NotInLast | LessThanAgo => {
                Base::When(Stretch::InLast(self.span(comparison, *asked == Asked::Date, path)?))
            }
            InNext => Base::When(Stretch::InNext(self.span(comparison, *asked == Asked::Date, path)?)),
            MoreThanAgo => Base::When(Stretch::MoreThanAgo(self.span(comparison, *asked == Asked::Date, path)?)),
            MoreThanAhead => Base::When(Stretch::MoreThanAhead(self.span(comparison, *asked == Asked::Date, path)?)),
            This | Last | Next => {
                let steps = match op {
                    Last => -1,
                    Next => 1,
                    _ => 0,
                };
                match comparison.unit {
                    Some(unit @ (TimeUnit::Week | TimeUnit::Month | TimeUnit::Quarter | TimeUnit::Year)) => {
                        Base::When(Stretch::Calendar(steps, unit))
                    }
                    _ => return self.wrong(&path.key("unit"), "must be WEEK, MONTH, QUARTER or YEAR"),
                }
            }
            AnniversaryInNext => {
                let value = self.value(comparison, path)?;
                Base::Anniversary(self.take(&path.key("value"), count(value, 366))?)
            }
            ChangedInLast => Base::Changed(self.span(comparison, false, path)?),
            WasEver => {
                let value = self.value(comparison, path)?;
                Base::WasEver(Box::new(self.equal(asked, &[(path.key("value"), value)], cased)?))
            }
            ChangedFromTo => {
                let Some([from, to]) = comparison.values.as_deref() else {
                    return self.wrong(&path.key("values"), "must be two: before and after");
                };
                let mut side = |at: usize, value: &Json| match value {
                    Json::Null => Some(Box::new(Base::Empty)),
                    value => self.equal(asked, &[(path.key("values").item(at), value)], cased).map(Box::new),
                };
                let (from, to) = (side(0, from), side(1, to));
                Base::FromTo(from?, to?)
            }
        };
        Some((base, negated))
    }

    fn value<'j>(&mut self, comparison: &'j Comparison, path: &Path) -> Option<&'j Json> {
        match comparison.value.as_ref().filter(|value| !value.is_null()) {
            Some(value) => Some(value),
            None if comparison.values.is_some() => self.wrong(&path.key("values"), "must be a single value"),
            None => self.wrong(&path.key("value"), "is needed"),
        }
    }

    fn values<'j>(&mut self, comparison: &'j Comparison, path: &Path) -> Option<Vec<(Path, &'j Json)>> {
        let (at, values) = match (&comparison.values, &comparison.value) {
            (Some(values), _) => (path.key("values"), values.as_slice()),
            (None, Some(Json::Array(values))) => (path.key("value"), values.as_slice()),
            _ => return self.wrong(&path.key("values"), "must be a list of values"),
        };
        if values.is_empty() {
            return self.wrong(&at, "must not be empty");
        }
        if values.len() > MOST_VALUES {
            return self.wrong(&at, format!("must be at most {MOST_VALUES}"));
        }
        Some(values.iter().enumerate().map(|(item, value)| (at.item(item), value)).collect())
    }

    /// That the field is one of these.
    fn equal(&mut self, asked: &Asked, values: &[(Path, &Json)], cased: bool) -> Option<Base> {
        match asked {
            Asked::Text | Asked::LongText | Asked::Url => {
                Some(Base::Text { how: How::Equals, values: self.each(values, text_value)?, cased })
            }
            Asked::Email => {
                let email = |value: &Json| {
                    let text = text_value(value)?;
                    Ok(EmailAddress::parse(&text)?.into_inner())
                };
                Some(Base::Text { how: How::Equals, values: self.each(values, email)?, cased })
            }
            Asked::Phone => {
                let phone = |value: &Json| filled(phones::normal(&text_value(value)?));
                Some(Base::Text { how: How::Equals, values: self.each(values, phone)?, cased })
            }
            Asked::Number | Asked::Decimal => Some(Base::Number(Numeric::In(self.each(values, number)?))),
            Asked::Boolean => {
                let flag = |value: &Json| value.as_bool().ok_or_else(|| "must be true or false".to_owned());
                self.each(values, flag)?.first().map(|flag| Base::Flag(*flag))
            }
            Asked::Choice(words) => Some(Base::Words(self.each(values, |value| word(words, value))?)),
            Asked::User | Asked::Link(_) | Asked::Id => Some(Base::Ids(self.each(values, id)?)),
            Asked::Tags => Some(Base::Set { how: SetHow::Any, values: self.each(values, text_value)?, cased }),
            Asked::MultiChoice(words) => {
                let values = self.each(values, |value| word(words, value))?;
                Some(Base::Set { how: SetHow::Any, values, cased: true })
            }
            Asked::Date | Asked::Time => self.each(values, point)?.first().map(|point| Base::When(Stretch::On(*point))),
        }
    }

    fn each<T>(&mut self, values: &[(Path, &Json)], parse: impl Fn(&Json) -> Result<T, String>) -> Option<Vec<T>> {
        let parsed: Vec<_> = values.iter().map(|(at, value)| self.take(at, parse(value))).collect();
        parsed.into_iter().collect()
    }

    fn text(&mut self, comparison: &Comparison, asked: &Asked, how: How, cased: bool, path: &Path) -> Option<Base> {
        let value = self.value(comparison, path)?;
        let parse = |value: &Json| {
            let text = text_value(value)?;
            match (asked, how) {
                (_, How::Word) if !text.chars().any(char::is_alphanumeric) => Err("must have a word".to_owned()),
                (_, How::Matches) if ends_open(&text) => Err(r"must not end with a single \".to_owned()),
                (Asked::Phone, How::Starts) => filled(phones::normal(&text)),
                (Asked::Phone, How::Contains | How::Ends) => filled(phones::digits(&text)),
                (Asked::Phone, How::Matches) => {
                    filled(text.chars().filter(|c| c.is_ascii_digit() || "+%_".contains(*c)).collect())
                }
                _ => Ok(text),
            }
        };
        let value = self.take(&path.key("value"), parse(value))?;
        Some(Base::Text { how, values: vec![value], cased })
    }

    fn between(&mut self, comparison: &Comparison, asked: &Asked, path: &Path) -> Option<Base> {
        let at = path.key("values");
        let Some([from, to]) = comparison.values.as_deref() else {
            return self.wrong(&at, "must be two: from and to, both included");
        };
        if asked.is_number() {
            let (from, to) = (self.take(&at.item(0), number(from)), self.take(&at.item(1), number(to)));
            return Some(Base::Number(Numeric::Between(from?, to?)));
        }
        let (from, to) = (self.take(&at.item(0), point(from)), self.take(&at.item(1), point(to)));
        Some(Base::When(Stretch::Between(from?, to?)))
    }

    fn set(&mut self, comparison: &Comparison, asked: &Asked, how: SetHow, cased: bool, path: &Path) -> Option<Base> {
        let values = match &comparison.value {
            // a single one needs no list
            Some(value @ Json::String(_)) => vec![(path.key("value"), value)],
            _ => self.values(comparison, path)?,
        };
        match self.equal(asked, &values, cased)? {
            Base::Set { values, cased, .. } => Some(Base::Set { how, values, cased }),
            other => Some(other),
        }
    }

    fn span(&mut self, comparison: &Comparison, of_days: bool, path: &Path) -> Option<Span> {
        let Some(unit) = comparison.unit else { return self.wrong(&path.key("unit"), "is needed") };
        if of_days && matches!(unit, TimeUnit::Minute | TimeUnit::Hour) {
            return self.wrong(&path.key("unit"), "must be DAY or longer: the field holds days");
        }
        let value = self.value(comparison, path)?;
        let count = self.take(&path.key("value"), count(value, most(unit)))?;
        Some(Span { count, unit })
    }
}

/// What the operator is called for the field's type, and whether its contrary is meant: REST's old form knows
/// one set for all of them.
fn usual(comparison: &Comparison, asked: &Asked) -> (Operator, bool) {
    use Operator::*;
    let op = comparison.op;
    let called = match asked {
        Asked::Date | Asked::Time => match op {
            Eq => On,
            Ne => NotOn,
            Gt => After,
            Gte => OnOrAfter,
            Lt => Before,
            Lte => OnOrBefore,
            _ => op,
        },
        Asked::Number | Asked::Decimal => match op {
            After => Gt,
            Before => Lt,
            _ => op,
        },
        Asked::Tags | Asked::MultiChoice(_) => match op {
            Contains | In => HasAny,
            NotContains | NotIn => HasNone,
            Eq | Ne => HasExactly,
            _ => op,
        },
        Asked::Boolean => match (op, comparison.value.as_ref()) {
            (Eq | Ne, Some(Json::Bool(true))) => IsTrue,
            (Eq | Ne, Some(Json::Bool(false))) => IsFalse,
            _ => op,
        },
        _ => op,
    };
    (called, op == Ne && matches!(called, HasExactly | IsTrue | IsFalse))
}

fn filled(text: String) -> Result<String, String> {
    if text.chars().any(|c| c.is_ascii_digit()) { Ok(text) } else { Err("must have digits".to_owned()) }
}

/// Whether the pattern's last `\` stands before nothing.
fn ends_open(pattern: &str) -> bool {
    pattern.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

fn text_value(value: &Json) -> Result<String, String> {
    let text = value.as_str().ok_or_else(|| "must be a text".to_owned())?;
    match text {
        "" => Err("must not be empty; IS_EMPTY asks for that".to_owned()),
        _ if text.contains('\0') => Err("must not contain NUL characters".to_owned()),
        _ => Ok(text.nfc().collect()),
    }
}

/// The domain as it may stand in an address or a URL: as typed, in ASCII, and in letters.
fn domain(value: &Json) -> Result<Vec<String>, String> {
    let text = text_value(value)?.trim().to_lowercase();
    let text = text.strip_prefix('@').unwrap_or(&text);
    let text = text.strip_prefix("www.").unwrap_or(text).to_owned();
    let ascii = idna::domain_to_ascii(&text).unwrap_or_default();
    if ascii.is_empty() || text.contains(|c: char| c.is_whitespace() || "/@:?#".contains(c)) {
        return Err("must be a domain such as example.com".to_owned());
    }
    let letters = idna::domain_to_unicode(&ascii).0;
    let mut forms = vec![text, ascii, letters];
    forms.sort_unstable();
    forms.dedup();
    Ok(forms)
}

fn number(value: &Json) -> Result<BigDecimal, String> {
    const DIGITS: usize = 30;
    let wrong = || "must be a number such as 1200.5".to_owned();
    let text = match value {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.trim().to_owned(),
        _ => return Err(wrong()),
    };
    let bare = text.strip_prefix('-').unwrap_or(&text);
    let (whole, part) = bare.split_once('.').unwrap_or((bare, "0"));
    let digits = |text: &str| (1..=DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return Err(wrong());
    }
    BigDecimal::from_str(&text).map(|number| number.normalized()).map_err(|_| wrong())
}

fn count(value: &Json, most: u32) -> Result<u32, String> {
    let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
    count.filter(|count| (1..=most).contains(count)).ok_or_else(|| format!("must be a whole number from 1 to {most}"))
}

fn id(value: &Json) -> Result<Uuid, String> {
    value.as_str().and_then(|text| Uuid::try_parse(text.trim()).ok()).ok_or_else(|| "must be an id".to_owned())
}

/// As it is stored; in any case, as GraphQL and people write it.
fn word(words: &[String], value: &Json) -> Result<String, String> {
    let text = text_value(value)?;
    let text = text.trim();
    let plain = |text: &str| text.to_lowercase().replace([' ', '-'], "_");
    let found =
        words.iter().find(|word| *word == text).or_else(|| words.iter().find(|word| plain(word) == plain(text)));
    found.cloned().ok_or_else(|| format!("must be one of {}", words.join(", ")))
}

fn point(value: &Json) -> Result<Point, String> {
    let wrong = || "must be a date (2026-01-31) or a time with its zone (2026-01-31T09:30:00Z)".to_owned();
    let text = value.as_str().ok_or_else(wrong)?.trim();
    let point = if let Ok(day) = text.parse::<NaiveDate>() {
        Point::Day(day)
    } else {
        Point::Moment(DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?.to_utc().trunc_subsecs(6))
    };
    let year = match point {
        Point::Day(day) => day.year(),
        Point::Moment(at) => at.year(),
    };
    if (1..=9999).contains(&year) { Ok(point) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(kind: RecordKind, json: &Json) -> Result<Criteria, FieldErrors> {
        Criteria::check(kind, &Criteria::read(json)?, &Known::default())
    }

    fn paths(kind: RecordKind, json: Json) -> Vec<String> {
        let errors = check(kind, &json).expect_err("wrong");
        errors.iter().map(|(path, _)| path.to_owned()).collect()
    }

    #[test]
    fn all_wrong_nodes_are_told_at_once() {
        let wrong = json!({ "all": [
            { "compare": { "field": "shoeSize", "op": "EQ", "value": 1 } },
            { "any": [{ "compare": { "field": "city", "op": "GT", "value": "x" } },
                      { "compare": { "field": "city", "op": "EQ", "value": 5 } }] },
            { "compare": { "field": "email", "op": "EQ", "value": "nobody" } },
            { "compare": { "field": "status", "op": "IN", "values": ["active", "bored"] } },
            { "compare": { "field": "createdAt", "op": "IN_LAST", "value": 7 } },
            { "related": { "relation": "PRODUCTS" } },
            { "related": { "relation": "DEALS", "where": { "compare": { "field": "amount", "op": "GT", "value": "much" } } } },
            { "compare": { "field": "customFields", "op": "IS_EMPTY" } },
            { "compare": { "field": "city", "op": "EQ", "value": "a\0b" } },
        ] });
        let mut without_nul = wrong.clone();
        without_nul["all"].as_array_mut().expect("a list").pop();
        assert_eq!(paths(RecordKind::Contact, wrong), ["where"]);
        assert_eq!(
            paths(RecordKind::Contact, without_nul),
            [
                "all[0].compare.field",
                "all[1].any[0].compare.op",
                "all[1].any[1].compare.value",
                "all[2].compare.value",
                "all[3].compare.values[1]",
                "all[4].compare.unit",
                "all[5].related.relation",
                "all[6].related.where.compare.value",
                "all[7].compare.field",
            ]
        );
    }

    #[test]
    fn limits_hold() {
        let leaf = json!({ "compare": { "field": "city", "op": "IS_EMPTY" } });
        let many = |count: usize| json!({ "any": vec![leaf.clone(); count] });
        assert!(check(RecordKind::Contact, &many(MOST_LEAVES)).is_ok());
        assert_eq!(paths(RecordKind::Contact, many(MOST_LEAVES + 1)), ["where"]);
        let values = |count: usize| json!({ "compare": { "field": "city", "op": "IN", "values": vec!["x"; count] } });
        assert!(check(RecordKind::Contact, &values(MOST_VALUES)).is_ok());
        assert_eq!(paths(RecordKind::Contact, values(MOST_VALUES + 1)), ["compare.values"]);
        let large = json!({ "compare": { "field": "city", "op": "EQ", "value": "x".repeat(LARGEST) } });
        assert_eq!(paths(RecordKind::Contact, large), ["where"]);
        let mut deep = leaf;
        for _ in 0..DEEPEST {
            deep = json!({ "not": deep });
        }
        assert_eq!(paths(RecordKind::Contact, deep).len(), 1);
    }

    #[test]
    fn lists_are_of_contacts_and_values_have_their_forms() {
        assert_eq!(paths(RecordKind::Deal, json!({ "inList": Uuid::nil() })), ["inList"]);
        let ok = |kind, compare: Json| check(kind, &json!({ "compare": compare })).is_ok();
        assert!(ok(RecordKind::Deal, json!({ "field": "stageType", "op": "EQ", "value": "OPEN" })));
        assert!(ok(RecordKind::Deal, json!({ "field": "contact.account.name", "op": "CONTAINS", "value": "%" })));
        assert!(!ok(RecordKind::Deal, json!({ "field": "amount", "op": "GT", "value": "1e9" })));
        assert!(!ok(RecordKind::Contact, json!({ "field": "city", "op": "MATCHES", "value": "x\\" })));
        assert!(ok(RecordKind::Contact, json!({ "field": "city", "op": "MATCHES", "value": "x\\\\" })));
        assert!(!ok(RecordKind::Contact, json!({ "field": "createdAt", "op": "WAS_EVER", "value": "2026-01-01" })));
        assert!(!ok(RecordKind::Contact, json!({ "field": "lastContactDate", "op": "ON", "field2": "city" })));
        assert!(ok(RecordKind::Contact, json!({ "field": "lastContactDate", "op": "ON", "field2": "createdAt" })));
        assert!(!ok(
            RecordKind::Contact,
            json!({ "field": "lastContactDate", "op": "IN_LAST", "value": 1001, "unit": "YEAR" })
        ));
    }
}
