//! A checked tree as an SQL condition over an alias. Every value is bound; names come from our own
//! tables alone. SQL's third truth value goes nowhere: a condition is true exactly where the tree
//! holds, and what is denied is denied at the leaves, where null counts as false.
//!
//! Statements run under the system role and name the workspace, always `$1`, for each of their tables.

use std::mem::{Discriminant, discriminant};

use bigdecimal::BigDecimal;
use chrono::{DateTime, Utc};
use diesel::{
    pg::Pg,
    query_builder::{BoxedSqlQuery, SqlQuery},
    sql_types::{Array, BigInt, Bool, Integer, Text, Timestamptz, Uuid as SqlUuid},
};
use uuid::Uuid;

use super::{
    check::Criteria,
    checked::{Base, FieldHow, How, Leaf, Numeric, Place, Related, SetHow, Source, Tree},
    fields::{Asked, Entity},
    phones,
    reads::Step,
    tree::Quantifier,
    when::{self, Range, Setting},
};
use crate::{
    base::ids::WorkspaceId,
    crm::{RecordKind, record::search::END_OF_TEXT},
};

/// Whether the user `$2` of the workspace `$1` sees the list `l`: whose it is, with everybody whom it is
/// shared with. Here, because criteria name lists and count them.
pub const LIST_SEEN: &str = "(l.created_by = $2 OR l.sharing <> 'private' OR \
     EXISTS (SELECT FROM list_shares s WHERE s.workspace_id = l.workspace_id AND s.list_id = l.id \
     AND (s.user_id = $2 OR s.team_id IN (SELECT t.team_id FROM team_members t WHERE t.workspace_id = $1 \
     AND t.user_id = $2))))";

/// The same of a list of another alias, and a user of another placeholder.
pub fn list_seen(alias: &str, user: &str) -> String {
    LIST_SEEN.replace("$2", user).replace("(l.", &format!("({alias}.")).replace(" l.", &format!(" {alias}."))
}

/// A value of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Bind {
    Text(String),
    Texts(Vec<String>),
    Uuid(Uuid),
    Uuids(Vec<Uuid>),
    Time(DateTime<Utc>),
    Number(BigDecimal),
    Int(i64),
    Ints(Vec<i32>),
    Bool(bool),
}

impl Bind {
    /// Values of an array; of what is none, one.
    fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Uuids(ids) => ids.len(),
            Self::Ints(numbers) => numbers.len(),
            _ => 1,
        }
    }

    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        let text = |text: &String| text.len() + size_of::<String>();
        match self {
            Self::Text(one) => text(one),
            Self::Texts(texts) => texts.iter().map(text).sum(),
            _ => self.len() * 40,
        }
    }
}

/// A statement that grows, with its values. `$1` is the workspace from the start.
#[derive(Debug, Clone, PartialEq)]
pub struct Sql {
    text: String,
    binds: Vec<Bind>,
    aliases: usize,
    /// Whether records may be found by what is kept beside them: their search text, and the rows of their
    /// custom fields.
    by_kept: bool,
}

impl Sql {
    pub fn new(workspace: WorkspaceId) -> Self {
        Self { text: String::new(), binds: vec![Bind::Uuid(workspace.0)], aliases: 0, by_kept: true }
    }

    /// For records that are in hand, or are put together, so that what is kept beside them is not theirs.
    pub fn of_others(workspace: WorkspaceId) -> Self {
        Self { by_kept: false, ..Self::new(workspace) }
    }

    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Binds a value and writes its placeholder.
    pub fn bind(&mut self, value: Bind) {
        let placeholder = self.hold(value);
        self.text.push_str(&placeholder);
    }

    /// Binds a value; its placeholder, to be written somewhere.
    pub fn hold(&mut self, value: Bind) -> String {
        let cast = if matches!(value, Bind::Number(_)) { "::numeric" } else { "" };
        format!("{}{cast}", self.hold_bare(value))
    }

    /// The same, as it comes: a number as text.
    fn hold_bare(&mut self, value: Bind) -> String {
        self.binds.push(value);
        format!("${}", self.binds.len())
    }

    /// A name for a table that no other has in this statement.
    pub fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("k{}", self.aliases)
    }

    /// Writes a condition that is true where the record of this alias matches, and false or null where
    /// it does not: for a `WHERE`.
    pub fn condition(&mut self, criteria: &Criteria, alias: &str, setting: &Setting) {
        let condition = self.hold_condition(criteria, alias, setting);
        self.text.push_str(&condition);
    }

    /// The same condition, with its values bound; to be written somewhere, and as often as one likes.
    pub fn hold_condition(&mut self, criteria: &Criteria, alias: &str, setting: &Setting) -> String {
        Writer::new(self, setting).tree(criteria.tree(), alias, false)
    }

    /// A condition that was written with this statement's values, with them apart.
    pub(super) fn into_form(mut self, condition: String) -> Form {
        Form { text: condition, values: self.binds.split_off(1) }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many values it has so far; PostgreSQL takes 65,535.
    pub fn values(&self) -> usize {
        self.binds.len()
    }

    /// Ready to be run.
    pub fn query(&self) -> BoxedSqlQuery<'static, Pg, SqlQuery> {
        let mut query = diesel::sql_query(self.text.clone()).into_boxed();
        for bind in &self.binds {
            query = match bind.clone() {
                Bind::Text(text) => query.bind::<Text, _>(text),
                Bind::Texts(texts) => query.bind::<Array<Text>, _>(texts),
                Bind::Uuid(id) => query.bind::<SqlUuid, _>(id),
                Bind::Uuids(ids) => query.bind::<Array<SqlUuid>, _>(ids),
                Bind::Time(at) => query.bind::<Timestamptz, _>(at),
                Bind::Number(number) => query.bind::<Text, _>(number.to_plain_string()),
                Bind::Int(number) => query.bind::<BigInt, _>(number),
                Bind::Ints(numbers) => query.bind::<Array<Integer>, _>(numbers),
                Bind::Bool(flag) => query.bind::<Bool, _>(flag),
            };
        }
        query
    }
}

/// A condition, and the values that it is asked with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Form {
    /// With placeholders, from `$2` on; `$1` is the workspace.
    text: String,
    pub values: Vec<Bind>,
}

impl Form {
    /// What those have in common that ask the same with other values.
    pub fn key(&self) -> (String, Vec<Discriminant<Bind>>) {
        (self.text.clone(), self.values.iter().map(discriminant).collect())
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.values.iter().map(Bind::bytes).sum::<usize>()
    }

    /// Values of its longest array.
    pub fn longest(&self) -> usize {
        self.values.iter().map(Bind::len).max().unwrap_or_default()
    }

    /// Whether it reads the record's own row alone. All of the text is ours, values are bound. (Which it is
    /// decides how it is asked, and moves no answer.)
    pub fn is_of_row(&self) -> bool {
        !self.text.contains("SELECT")
    }

    /// The condition with its values bound by a statement.
    pub fn hold(&self, sql: &mut Sql) -> String {
        let places: Vec<_> = self.values.iter().map(|value| sql.hold_bare(value.clone())).collect();
        self.placed(|number| places.get(number - 2).cloned())
    }

    /// The condition with its values in columns `p2`, `p3` and so on of a table of this alias.
    pub fn over(&self, table: &str) -> String {
        self.placed(|number| Some(format!("{table}.p{number}")))
    }

    /// The condition with something else for each placeholder but the workspace's.
    fn placed(&self, place: impl Fn(usize) -> Option<String>) -> String {
        let mut placed = String::with_capacity(self.text.len());
        let mut rest = self.text.as_str();
        while let Some((before, behind)) = rest.split_once('$') {
            let digits = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
            let (number, behind) = behind.split_at(digits);
            placed.push_str(before);
            match number.parse().ok().filter(|number| *number > 1).and_then(&place) {
                Some(other) => placed.push_str(&other),
                None => placed.extend(["$", number]),
            }
            rest = behind;
        }
        placed.push_str(rest);
        placed
    }
}

/// A value in SQL: a column, or JSON from custom fields or the history.
#[derive(Debug, Clone)]
pub(super) struct Operand {
    sql: String,
    is_json: bool,
    asked: Asked,
    /// Where `custom_values` have it: the field, and the alias whose record it is of.
    indexed: Option<(Uuid, String)>,
    /// Where a search text holds it, too: the alias whose record it is of, and the part.
    searched: Option<(String, Part)>,
}

impl Operand {
    pub fn json(sql: String, asked: &Asked) -> Self {
        Self { sql, is_json: true, asked: asked.clone(), indexed: None, searched: None }
    }

    fn unindexed(mut self) -> Self {
        self.indexed = None;
        self.searched = None;
        self
    }

    /// As jsonb, to be shown.
    pub fn shown(&self) -> String {
        if self.is_json { self.sql.clone() } else { format!("to_jsonb({})", self.sql) }
    }

    fn text(&self) -> String {
        if self.is_json { format!("({} #>> '{{}}')", self.sql) } else { self.sql.clone() }
    }

    fn number(&self) -> String {
        if self.is_json { format!("custom_number({})", self.sql) } else { self.sql.clone() }
    }

    fn time(&self) -> String {
        if self.is_json { format!("custom_time({})", self.sql) } else { self.sql.clone() }
    }

    /// An id, as text where it is JSON.
    fn id(&self) -> String {
        if self.is_json { format!("lower({})", self.text()) } else { self.sql.clone() }
    }

    /// True or false, never null.
    fn is_empty(&self) -> String {
        let x = &self.sql;
        match (&self.asked, self.is_json) {
            (Asked::Number | Asked::Decimal, true) => format!("{} IS NULL", self.number()),
            (Asked::Date | Asked::Time, true) => format!("{} IS NULL", self.time()),
            (Asked::Boolean, true) => format!("({x} IN ('true', 'false')) IS NOT TRUE"),
            (Asked::Tags | Asked::MultiChoice(_), true) => {
                format!(r#"coalesce({x}, 'null') IN ('null', '[]', '""')"#)
            }
            (_, true) => format!("coalesce({}, '') = ''", self.text()),
            (Asked::Tags | Asked::MultiChoice(_), false) => format!("coalesce({x}, '{{}}') = '{{}}'"),
            (asked, false) if asked.is_text() => format!("coalesce({x}, '') = ''"),
            (_, false) => format!("{x} IS NULL"),
        }
    }
}

/// Where a field stands in a search text: see the migration `search`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    First,
    /// Behind a space.
    Later,
    /// The digits alone.
    Phone,
}

/// Shortest text that the trigram index finds.
const FEWEST_SEARCHED: usize = 3;

/// Which part a column is. Lower case of the whole is the lower case of each, spaces being between them.
fn part_of(kind: RecordKind, column: &str) -> Option<Part> {
    Some(match (kind, column) {
        (RecordKind::Contact | RecordKind::Lead, "first_name")
        | (RecordKind::Account | RecordKind::Deal | RecordKind::Product, "name")
        | (RecordKind::Task, "title") => Part::First,
        (RecordKind::Contact | RecordKind::Lead, "last_name" | "email")
        | (RecordKind::Lead, "company")
        | (RecordKind::Account, "industry")
        | (RecordKind::Product, "sku")
        | (RecordKind::Deal | RecordKind::Product | RecordKind::Task, "description") => Part::Later,
        (RecordKind::Contact, "phone" | "mobile") | (RecordKind::Lead | RecordKind::Account, "phone") => Part::Phone,
        _ => return None,
    })
}

pub(super) struct Writer<'a> {
    pub sql: &'a mut Sql,
    pub setting: &'a Setting,
    /// Whether what is written need not hold for the whole to hold: then no index over custom values helps,
    /// and all that it finds would be gathered, or gone through for each record.
    is_optional: bool,
    /// Whether what is written is about a related record.
    is_related: bool,
}

impl<'a> Writer<'a> {
    pub fn new(sql: &'a mut Sql, setting: &'a Setting) -> Self {
        Self { sql, setting, is_optional: false, is_related: false }
    }

    /// A condition that is true exactly where the tree holds, or, denied, where it does not.
    pub fn tree(&mut self, tree: &Tree, alias: &str, denied: bool) -> String {
        match tree {
            Tree::All(nodes) => self.nodes(nodes, alias, denied, !denied),
            Tree::Any(nodes) => self.nodes(nodes, alias, denied, denied),
            Tree::Not(node) => self.tree(node, alias, !denied),
            Tree::Leaf(leaf) => self.leaf(leaf, alias, denied),
            Tree::Related(related) => self.related(related, alias, denied),
            Tree::InList(list) => {
                let (member, list) = (self.sql.alias(), self.sql.hold(Bind::Uuid(*list)));
                let not = if denied { "NOT " } else { "" };
                format!(
                    "{not}EXISTS (SELECT 1 FROM list_members {member} WHERE {member}.workspace_id = $1 \
                     AND {member}.list_id = {list} AND {member}.record_id = {alias}.id AND NOT {member}.is_suspended)"
                )
            }
        }
    }

    fn nodes(&mut self, nodes: &[Tree], alias: &str, denied: bool, together: bool) -> String {
        let was_optional = self.is_optional;
        self.is_optional |= !together && nodes.len() > 1;
        let parts: Vec<_> = nodes.iter().map(|node| self.tree(node, alias, denied)).collect();
        self.is_optional = was_optional;
        match (parts.as_slice(), together) {
            ([], true) => "TRUE".to_owned(),
            ([], false) => "FALSE".to_owned(),
            (parts, true) => format!("({})", parts.join(" AND ")),
            (parts, false) => format!("({})", parts.join(" OR ")),
        }
    }

    /// The tables of links in a row, and how they join; the last one's alias.
    pub fn chain(&mut self, alias: &str, steps: &[Step], only_live: bool) -> (Vec<String>, Vec<String>, String) {
        let (mut tables, mut joins, mut at) = (Vec::new(), Vec::new(), alias.to_owned());
        for step in steps {
            let to = self.sql.alias();
            let (table, join, live, entity) = match step {
                Step::Path(path) => (path.table, path.join, path.live, path.to),
                Step::Relation(relation) => (relation.table, relation.join, relation.live, relation.to),
            };
            let filled = |template: &str| template.replace("{a}", &at).replace("{b}", &to);
            tables.push(filled(table));
            joins.push(filled(join));
            if only_live {
                joins.push(filled(live));
                joins.extend(self.visible(entity, &to));
            }
            at = to;
        }
        (tables, joins, at)
    }

    fn visible(&mut self, entity: Entity, alias: &str) -> Option<String> {
        let visible = self.setting.visible;
        match entity {
            Entity::Record(RecordKind::Lead) => {
                let user = self.sql.hold(Bind::Uuid(visible.leads_of?.0));
                Some(format!("({alias}.owner_id IS NULL OR {alias}.owner_id = {user})"))
            }
            Entity::Other("list") => {
                let user = self.sql.hold(Bind::Uuid(visible.lists_of?.0));
                let chosen =
                    if visible.chosen_lists { format!(" AND {alias}.list_type = 'static'") } else { String::new() };
                Some(format!("{}{chosen}", list_seen(alias, &user)))
            }
            _ => None,
        }
    }

    fn related(&mut self, related: &Related, alias: &str, denied: bool) -> String {
        let (tables, mut joins, to) = self.chain(alias, &[Step::Relation(related.relation)], true);
        let for_all = related.quantifier == Quantifier::All;
        let was_related = std::mem::replace(&mut self.is_related, true);
        match &related.condition {
            Some(condition) => joins.push(self.tree(condition, &to, for_all)),
            // nothing fails to satisfy no condition
            None if for_all => joins.push("FALSE".to_owned()),
            None => {}
        }
        let rows = format!("SELECT 1 FROM {} WHERE {}", tables.join(", "), joins.join(" AND "));
        let exists = |wanted: bool| format!("{}EXISTS ({rows})", if wanted { "" } else { "NOT " });
        let count = related.count;
        // never more rows than tell
        let counted = |limit: i64| format!("(SELECT count(*) FROM ({rows} LIMIT {limit}) AS counted)");
        self.is_related = was_related;
        // all records would be gone through for their counts; those that have any are found by an index.
        // (Within another relation there are few, and at each level it would double the text.)
        let of_some = |condition: String| match count > 0 && !denied && !self.is_optional && !was_related {
            true => format!("({} AND {condition})", exists(true)),
            false => condition,
        };
        match related.quantifier {
            Quantifier::Any => exists(!denied),
            Quantifier::None | Quantifier::All => exists(denied),
            Quantifier::AtLeast if count == 1 => exists(!denied),
            Quantifier::AtLeast => of_some(format!("{} {} {count}", counted(count), if denied { "<" } else { ">=" })),
            Quantifier::AtMost => format!("{} {} {count}", counted(count + 1), if denied { ">" } else { "<=" }),
            Quantifier::Exactly => {
                of_some(format!("{} {} {count}", counted(count + 1), if denied { "<>" } else { "=" }))
            }
        }
    }

    /// How many related records satisfy the condition, for showing.
    pub fn related_count(&mut self, related: &Related, alias: &str) -> String {
        let (tables, mut joins, to) = self.chain(alias, &[Step::Relation(related.relation)], true);
        if let Some(condition) = &related.condition {
            joins.push(self.tree(condition, &to, false));
        }
        format!("(SELECT to_jsonb(count(*)) FROM {} WHERE {})", tables.join(", "), joins.join(" AND "))
    }

    pub fn leaf(&mut self, leaf: &Leaf, alias: &str, denied: bool) -> String {
        if leaf.place.hops.is_empty() {
            return self.leaf_at(leaf, alias, alias, denied);
        }
        let steps: Vec<_> = leaf.place.hops.iter().map(|hop| Step::Path(hop)).collect();
        let (tables, mut joins, at) = self.chain(alias, &steps, true);
        // to at most one: it is there and holds, or it does not fail
        let for_nothing = leaf.holds_for_nothing();
        joins.push(self.leaf_at(leaf, &at, alias, for_nothing));
        let not = if for_nothing != denied { "NOT " } else { "" };
        format!("{not}EXISTS (SELECT 1 FROM {} WHERE {})", tables.join(", "), joins.join(" AND "))
    }

    /// With the field at `at`; other fields of the comparison start at `root`.
    fn leaf_at(&mut self, leaf: &Leaf, at: &str, root: &str, denied: bool) -> String {
        let mut operand = self.operand(&leaf.place, at);
        if leaf.negated || denied {
            operand = operand.unindexed();
        }
        let positive = self.base(&leaf.base, &operand, &leaf.place, at, root);
        let keeps_empty = leaf.match_empty || matches!(leaf.base, Base::Empty);
        match (leaf.negated, denied) {
            (false, false) => positive,
            (false, true) => format!("({positive}) IS NOT TRUE"),
            (true, false) if keeps_empty => format!("({positive}) IS NOT TRUE"),
            (true, true) if keeps_empty => positive,
            (true, false) => format!("(({positive}) IS NOT TRUE AND NOT ({}))", operand.is_empty()),
            (true, true) => format!("(({positive}) OR {})", operand.is_empty()),
        }
    }

    /// The value of a field at an alias.
    pub fn operand(&mut self, place: &Place, alias: &str) -> Operand {
        let asked = place.asked.clone();
        match &place.source {
            Source::Column(column) => {
                let sql = if column.contains("{}") { column.replace("{}", alias) } else { format!("{alias}.{column}") };
                let part = place.entity.kind().filter(|_| self.sql.by_kept).and_then(|kind| part_of(kind, column));
                Operand {
                    sql,
                    is_json: false,
                    asked,
                    indexed: None,
                    searched: part.map(|part| (alias.to_owned(), part)),
                }
            }
            Source::Custom { id, key, is_indexed } => {
                let key = self.sql.hold(Bind::Text(key.clone()));
                let finds = *is_indexed && self.sql.by_kept && !self.is_optional;
                let indexed = finds.then(|| (*id, alias.to_owned()));
                Operand {
                    sql: format!("({alias}.custom_fields -> {key})"),
                    is_json: true,
                    asked,
                    indexed,
                    searched: None,
                }
            }
        }
    }

    /// The value of a field from the record on, wherever it stands.
    pub fn value(&mut self, place: &Place, alias: &str) -> Operand {
        if place.hops.is_empty() {
            return self.operand(place, alias).unindexed();
        }
        let steps: Vec<_> = place.hops.iter().map(|hop| Step::Path(hop)).collect();
        let (tables, joins, at) = self.chain(alias, &steps, true);
        let operand = self.operand(place, &at).unindexed();
        let sql = format!("(SELECT {} FROM {} WHERE {})", operand.sql, tables.join(", "), joins.join(" AND "));
        Operand { sql, ..operand }
    }

    fn base(&mut self, base: &Base, x: &Operand, place: &Place, at: &str, root: &str) -> String {
        match base {
            Base::Empty => x.is_empty(),
            Base::Text { how, values, cased } => {
                let condition = self.text(*how, values, *cased, x);
                match self.in_search_text(*how, values, x) {
                    // the planner takes half of what is left to satisfy a CASE, where it would take some
                    // thousandths to satisfy a comparison with lower(): what is common would look rare
                    Some(searched) => format!("({searched} AND CASE WHEN {condition} THEN TRUE END)"),
                    None => condition,
                }
            }
            Base::Domain(domains) => {
                let domains = self.sql.hold(Bind::Texts(domains.clone()));
                let domain = match x.asked {
                    Asked::Email => format!("split_part(lower({}), '@', 2)", x.text()),
                    _ => format!(
                        "substring(lower({}) FROM '^(?:[a-z][a-z0-9+.-]*://)?(?:[^/?#@]*@)?(?:www\\.)?([^/?#:]*)')",
                        x.text()
                    ),
                };
                format!("{domain} = ANY({domains})")
            }
            Base::Country(country) => {
                let number = phones::normal_sql(&x.text());
                let like = self.sql.hold(Bind::Texts(country.like.clone()));
                let unlike = self.sql.hold(Bind::Texts(country.unlike.clone()));
                format!("({number} LIKE ANY({like}) AND NOT {number} LIKE ANY({unlike}))")
            }
            Base::Number(numeric) => self.number(numeric, x),
            Base::Flag(flag) => format!("{} = '{flag}'::jsonb", x.sql),
            Base::Words(words) => self.words(words, x),
            Base::Ids(ids) => self.ids(ids, x),
            Base::Me => match self.setting.me {
                Some(me) => self.ids(&[me.0], x),
                None => "FALSE".to_owned(),
            },
            Base::MyTeam => self.my_team(x),
            Base::Inactive => {
                let member = self.sql.alias();
                let user = if x.is_json { format!("{member}.user_id::text") } else { format!("{member}.user_id") };
                format!(
                    "EXISTS (SELECT 1 FROM members {member} WHERE {member}.workspace_id = $1 AND {user} = {} \
                     AND {member}.status <> 'active')",
                    x.id()
                )
            }
            Base::Set { how, values, cased } => self.set(*how, values, *cased, x),
            Base::When(stretch) => {
                let range = match x.asked {
                    Asked::Date => stretch.days(self.setting),
                    _ => stretch.instants(self.setting),
                };
                self.within(x, range)
            }
            Base::Anniversary(days) => self.on_days(x, when::anniversaries(*days, self.setting)),
            Base::Field { how, other, cased } => self.fields(*how, x, other, *cased, root),
            Base::Changed(span) => {
                let within = when::last(*span, self.setting);
                let history = self.sql.alias();
                let (after, within) = (self.after(place, &history), self.at_within(&history, within));
                self.in_history(place, at, &history, &format!("{within} AND {after}"))
            }
            Base::WasEver(base) => {
                let now = self.base(base, x, place, at, root);
                let history = self.sql.alias();
                let after = self.after(place, &history);
                let sides = ["before", "after"].map(|side| {
                    let side = self.side(place, &history, side);
                    self.base(base, &side, place, at, root)
                });
                let once = self.in_history(place, at, &history, &format!("{after} AND ({})", sides.join(" OR ")));
                format!("({now} OR {once})")
            }
            Base::FromTo(from, to) => {
                let history = self.sql.alias();
                let after = self.after(place, &history);
                let from = {
                    let side = self.side(place, &history, "before");
                    self.base(from, &side, place, at, root)
                };
                let to = {
                    let side = self.side(place, &history, "after");
                    self.base(to, &side, place, at, root)
                };
                self.in_history(place, at, &history, &format!("{after} AND {from} AND {to}"))
            }
        }
    }

    fn text(&mut self, how: How, values: &[String], cased: bool, x: &Operand) -> String {
        let is_phone = x.asked == Asked::Phone && how != How::Word;
        let column = if is_phone { phones::normal_sql(&x.text()) } else { x.text() };
        // addresses are stored in lower case, and so are the values that are whole ones
        let bare = cased || is_phone || x.asked == Asked::Email && !x.is_json && how == How::Equals;
        let fold = |text: &str| if bare { text.to_owned() } else { format!("lower({text})") };
        let pattern = |value: &str| match how {
            How::Contains => format!("%{}%", literal(value)),
            How::Starts => format!("{}%", literal(value)),
            How::Ends => format!("%{}", literal(value)),
            _ => value.to_owned(),
        };
        match (how, values) {
            (How::Equals, [value]) => {
                let value = self.sql.hold(Bind::Text(value.clone()));
                if let Some((field, at)) = x.indexed.clone().filter(|_| !bare) {
                    return self.by_value(field, &at, |v| format!("{v}.text_value = lower({value})"));
                }
                format!("{} = {}", fold(&column), fold(&value))
            }
            (How::Equals, values) => {
                let values = self.each(values, bare);
                if let Some((field, at)) = x.indexed.clone().filter(|_| !bare) {
                    return self.by_value(field, &at, |v| format!("{v}.text_value = ANY({values})"));
                }
                format!("{} = ANY({values})", fold(&column))
            }
            (How::Word, values) => {
                let value = self.sql.hold(Bind::Text(values.concat()));
                let words = |text: &str| format!("btrim(regexp_replace({}, '[^[:alnum:]]+', ' ', 'g'))", fold(text));
                let (column, value) = (words(&column), words(&value));
                // a value without a word, as the database knows words, is in no text
                format!("({value} <> '' AND strpos(' ' || {column} || ' ', ' ' || {value} || ' ') > 0)")
            }
            // all but an empty text, which is nothing
            (How::Matches, values) if values.iter().all(|value| value.bytes().all(|byte| byte == b'%')) => {
                format!("{} <> ''", x.text())
            }
            (_, values) => {
                let value = self.sql.hold(Bind::Text(pattern(&values.concat())));
                format!("{} LIKE {}", fold(&column), fold(&value))
            }
        }
    }

    /// An array of these, in lower case unless they are to stay as they are.
    fn each(&mut self, values: &[String], bare: bool) -> String {
        if bare {
            return self.sql.hold(Bind::Texts(values.to_vec()));
        }
        // the function parts texts at chr(1), which no text of a record holds, nor chr(2)
        let values = values.iter().map(|value| value.replace('\u{1}', "\u{2}")).collect();
        format!("lower_all({})", self.sql.hold(Bind::Texts(values)))
    }

    /// What a record's search text holds wherever its field satisfies this: for the trigram index.
    fn in_search_text(&mut self, how: How, values: &[String], x: &Operand) -> Option<String> {
        let ((alias, part), [value]) = (x.searched.as_ref()?, values) else { return None };
        let at_start = matches!(how, How::Equals | How::Starts);
        let pattern = match (part, how) {
            // there are better indexes
            (_, How::Equals) if x.asked == Asked::Email => return None,
            (_, How::Word | How::Matches) => return None,
            (Part::Phone, _) => {
                let digits: String = value.chars().filter(char::is_ascii_digit).collect();
                (digits.len() >= FEWEST_SEARCHED).then(|| format!("%{END_OF_TEXT}%{digits}%"))?
            }
            _ if value.chars().count() < FEWEST_SEARCHED => return None,
            (Part::First, _) if at_start => format!("{}%", literal(value)),
            // a space is before each of the others
            (Part::Later, _) if at_start => format!("% {}%", literal(value)),
            _ => format!("%{}%", literal(value)),
        };
        let pattern = self.sql.hold(Bind::Text(pattern));
        Some(format!("{alias}.search_text LIKE lower({pattern})"))
    }

    /// By the index over custom values.
    fn by_value(&mut self, field: Uuid, at: &str, condition: impl FnOnce(&str) -> String) -> String {
        let (v, field) = (self.sql.alias(), self.sql.hold(Bind::Uuid(field)));
        let condition = condition(&v);
        format!(
            "{at}.id IN (SELECT {v}.record_id FROM custom_values {v} WHERE {v}.workspace_id = $1 \
             AND {v}.field_id = {field} AND {condition})"
        )
    }

    fn number(&mut self, numeric: &Numeric, x: &Operand) -> String {
        let whole = x.asked == Asked::Number && !x.is_json;
        let mut hold = |number: &BigDecimal| {
            // whole numbers against whole numbers, for the index
            let int = number.to_plain_string().parse::<i64>().ok().filter(|_| whole);
            self.sql.hold(int.map_or_else(|| Bind::Number(number.clone()), Bind::Int))
        };
        let condition: Box<dyn Fn(&str) -> String> = match numeric {
            Numeric::In(numbers) => match numbers.as_slice() {
                [number] => {
                    let number = hold(number);
                    Box::new(move |x| format!("{x} = {number}"))
                }
                numbers => {
                    let texts = numbers.iter().map(BigDecimal::to_plain_string).collect();
                    let numbers = self.sql.hold(Bind::Texts(texts));
                    Box::new(move |x| format!("{x} = ANY({numbers}::numeric[])"))
                }
            },
            Numeric::Above(number) => against(">", hold(number)),
            Numeric::AtLeast(number) => against(">=", hold(number)),
            Numeric::Below(number) => against("<", hold(number)),
            Numeric::AtMost(number) => against("<=", hold(number)),
            Numeric::Between(from, to) => {
                let (from, to) = (hold(from), hold(to));
                Box::new(move |x| format!("{x} BETWEEN {from} AND {to}"))
            }
        };
        match x.indexed.clone() {
            Some((field, at)) => self.by_value(field, &at, |v| condition(&format!("{v}.number_value"))),
            None => condition(&x.number()),
        }
    }

    fn words(&mut self, words: &[String], x: &Operand) -> String {
        let exact = match words {
            [word] => format!("{} = {}", x.text(), self.sql.hold(Bind::Text(word.clone()))),
            words => format!("{} = ANY({})", x.text(), self.sql.hold(Bind::Texts(words.to_vec()))),
        };
        let Some((field, at)) = x.indexed.clone() else { return exact };
        let lower = self.sql.hold(Bind::Texts(words.to_vec()));
        let near = format!("ARRAY(SELECT lower(w) FROM unnest({lower}) AS w)");
        let found = self.by_value(field, &at, |v| format!("{v}.text_value = ANY({near})"));
        format!("({found} AND {exact})")
    }

    fn ids(&mut self, ids: &[Uuid], x: &Operand) -> String {
        if x.is_json {
            let texts = ids.iter().map(Uuid::to_string).collect();
            let texts = self.sql.hold(Bind::Texts(texts));
            return match x.indexed.clone() {
                Some((field, at)) => self.by_value(field, &at, |v| format!("{v}.text_value = ANY({texts})")),
                None => format!("{} = ANY({texts})", x.id()),
            };
        }
        match ids {
            [id] => format!("{} = {}", x.sql, self.sql.hold(Bind::Uuid(*id))),
            ids => format!("{} = ANY({})", x.sql, self.sql.hold(Bind::Uuids(ids.to_vec()))),
        }
    }

    /// That a user field holds one of these.
    pub fn is_one_of(&mut self, ids: &[Uuid], x: &Operand) -> String {
        self.ids(ids, x)
    }

    fn my_team(&mut self, x: &Operand) -> String {
        let Some(me) = self.setting.me else { return "FALSE".to_owned() };
        let (mine, theirs, me) = (self.sql.alias(), self.sql.alias(), self.sql.hold(Bind::Uuid(me.0)));
        let user = if x.is_json { format!("{theirs}.user_id::text") } else { format!("{theirs}.user_id") };
        format!(
            "EXISTS (SELECT 1 FROM team_members {mine} JOIN team_members {theirs} ON {theirs}.workspace_id = $1 \
             AND {theirs}.team_id = {mine}.team_id WHERE {mine}.workspace_id = $1 AND {mine}.user_id = {me} \
             AND {user} = {})",
            x.id()
        )
    }

    fn set(&mut self, how: SetHow, values: &[String], cased: bool, x: &Operand) -> String {
        let wanted = self.each(values, cased);
        let y = &x.sql;
        if x.is_json {
            let have = if cased { y.clone() } else { format!("lower({y}::text)::jsonb") };
            let holds = match how {
                SetHow::Any => format!("{have} ?| {wanted}"),
                SetHow::All => format!("{have} ?& {wanted}"),
                SetHow::Exactly => format!("{have} ?& {wanted} AND {have} <@ to_jsonb({wanted})"),
            };
            return format!("(jsonb_typeof({y}) = 'array' AND {holds})");
        }
        let have = if cased { y.clone() } else { format!("lower_all({y})") };
        // as the index has it, which leaves out who has none
        let some = if values.is_empty() { String::new() } else { format!("{y} <> '{{}}' AND ") };
        match how {
            SetHow::Any => format!("({some}{have} && {wanted})"),
            SetHow::All => format!("({some}{have} @> {wanted})"),
            SetHow::Exactly => format!("({some}{have} @> {wanted} AND {have} <@ {wanted})"),
        }
    }

    /// That a date or an instant lies in a range.
    pub fn within(&mut self, x: &Operand, range: Range) -> String {
        let from = range.from.map(|at| self.sql.hold(Bind::Time(at)));
        let to = range.to.map(|at| self.sql.hold(Bind::Time(at)));
        let condition = |x: &str| {
            let from = from.map(|at| format!("{x} >= {at}"));
            let to = to.map(|at| format!("{x} < {at}"));
            let parts: Vec<_> = from.into_iter().chain(to).collect();
            format!("({})", parts.join(" AND "))
        };
        match x.indexed.clone() {
            Some((field, at)) => self.by_value(field, &at, |v| condition(&format!("{v}.time_value"))),
            None => condition(&x.time()),
        }
    }

    /// That the day of the year is one of these.
    pub fn on_days(&mut self, x: &Operand, days: Vec<i32>) -> String {
        let local = self.local(x);
        let days = self.sql.hold(Bind::Ints(days));
        format!("(extract(month FROM {local}) * 100 + extract(day FROM {local}))::int = ANY({days})")
    }

    /// What the workspace's clocks show then; of a day, its midnight.
    fn local(&mut self, x: &Operand) -> String {
        let zone = if x.asked == Asked::Date { "UTC" } else { self.setting.zone.name() };
        let zone = self.sql.hold(Bind::Text(zone.to_owned()));
        format!("({} AT TIME ZONE {zone})", x.time())
    }

    fn fields(&mut self, how: FieldHow, x: &Operand, other: &Place, cased: bool, root: &str) -> String {
        let y = self.value(other, root);
        let op = match how {
            FieldHow::Equal | FieldHow::SameDay => "=",
            FieldHow::Above => ">",
            FieldHow::AtLeast => ">=",
            FieldHow::Below => "<",
            FieldHow::AtMost => "<=",
        };
        if x.asked.is_number() {
            return format!("{} {op} {}", x.number(), y.number());
        }
        if x.asked.is_date() {
            let moments = x.asked == Asked::Time && y.asked == Asked::Time;
            if moments && matches!(how, FieldHow::Above | FieldHow::Below) {
                return format!("{} {op} {}", x.time(), y.time());
            }
            let (one, two) = (self.local(x), self.local(&y));
            return format!("{one}::date {op} {two}::date");
        }
        if matches!(x.asked, Asked::User | Asked::Link(_)) {
            return format!("({})::text = ({})::text", x.id(), y.id());
        }
        let fold = |operand: &Operand| match operand.asked {
            Asked::Phone => phones::normal_sql(&operand.text()),
            Asked::Choice(_) => operand.text(),
            _ if cased => operand.text(),
            _ => format!("lower({})", operand.text()),
        };
        format!("({} = {} AND {} <> '')", fold(x), fold(&y), x.text())
    }

    fn side(&mut self, place: &Place, history: &str, side: &str) -> Operand {
        let key = self.sql.hold(Bind::Text(place.history.clone().unwrap_or_default()));
        Operand::json(format!("({history}.{side} -> {key})"), &place.asked)
    }

    /// That a change is of this field.
    pub fn after(&mut self, place: &Place, history: &str) -> String {
        let key = self.sql.hold(Bind::Text(place.history.clone().unwrap_or_default()));
        format!("{history}.after ? {key}")
    }

    pub fn at_within(&mut self, history: &str, range: Range) -> String {
        let x =
            Operand { sql: format!("{history}.at"), is_json: false, asked: Asked::Time, indexed: None, searched: None };
        self.within(&x, range)
    }

    /// The history of the record at an alias.
    pub fn of_history(&self, place: &Place, at: &str, history: &str) -> String {
        // a kind's word is ours
        let kind = place.entity.name();
        format!("{history}.workspace_id = $1 AND {history}.kind = '{kind}' AND {history}.record_id = {at}.id")
    }

    fn in_history(&mut self, place: &Place, at: &str, history: &str, condition: &str) -> String {
        let of = self.of_history(place, at, history);
        format!("EXISTS (SELECT 1 FROM record_changes {history} WHERE {of} AND {condition})")
    }
}

fn against(op: &'static str, number: String) -> Box<dyn Fn(&str) -> String> {
    Box::new(move |x| format!("{x} {op} {number}"))
}

/// Nothing in it is a wildcard of LIKE.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}
