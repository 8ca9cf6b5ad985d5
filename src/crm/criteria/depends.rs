//! Which records' answers a change, or the passing of time, can have moved. Both tell rather too many
//! than too few: whoever asks evaluates those that are told.

use uuid::Uuid;

use super::{
    check::Criteria,
    checked::{Base, Leaf},
    fields::{Asked, Entity},
    reads::{Changed, Meets, Read, Seen, Step, walk},
    relations::Link,
    sql::{Bind, Sql, Writer},
    when::{self, Range, Setting, Stretch},
};

/// Whose answers a change may move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Concern {
    Nobody,
    /// Those of the records whose ids the change names.
    Themselves,
    /// Those of records that are linked to the changed: see [`Criteria::reached`].
    Linked,
    /// Anybody's.
    Everybody,
}

impl Criteria {
    /// Whom the change concerns.
    pub fn concern(&self, changed: &Changed<'_>) -> Concern {
        let met = self.reads().reads.iter().filter(|read| read.meets(changed));
        let of_read = |read: &Read| match read.meets {
            Meets::Everybody => Concern::Everybody,
            Meets::Ids if read.route.is_empty() => Concern::Themselves,
            Meets::Ids | Meets::User => Concern::Linked,
        };
        met.map(of_read).max().unwrap_or(Concern::Nobody)
    }

    /// Writes the condition "the record of this alias can be concerned by this change of these": of
    /// things with these ids (of `list_member`: the contacts that entered or left). False where the
    /// change does not matter; then nothing is written.
    pub fn reached(&self, sql: &mut Sql, alias: &str, changed: &Changed<'_>, ids: &[Uuid]) -> bool {
        // reaching knows neither a time nor who asks
        let setting = Setting::new(chrono::DateTime::UNIX_EPOCH, chrono_tz::Tz::UTC, crate::team::Weekday::Monday);
        let mut writer = Writer::new(sql, &setting);
        let mut queries = Vec::new();
        for read in self.reads().reads.iter().filter(|read| read.meets(changed)) {
            queries.extend(self.reach(&mut writer, read, changed, ids));
        }
        write(sql, alias, &queries)
    }

    fn reach(&self, writer: &mut Writer<'_>, read: &Read, changed: &Changed<'_>, ids: &[Uuid]) -> Vec<String> {
        match read.meets {
            Meets::Ids => {
                let (root, tables, mut joins, at) = self.route(writer, &read.route, false);
                let key = match read.route.last() {
                    Some(Step::Path(path)) => path.key.replace("{b}", &at),
                    Some(Step::Relation(relation)) => relation.key.replace("{b}", &at),
                    None => format!("{at}.id"),
                };
                let ids = writer.sql.hold(Bind::Uuids(ids.to_vec()));
                joins.push(format!("{key} = ANY({ids})"));
                let mut queries = vec![select(&root, &tables, &joins)];
                queries.extend(self.formerly(writer, read, changed, &ids));
                queries
            }
            Meets::User => {
                let mut queries = Vec::new();
                for (route, place) in &self.reads().users {
                    let (root, tables, mut joins, at) = self.route(writer, route, false);
                    let operand = writer.operand(place, &at);
                    joins.push(writer.is_one_of(ids, &operand));
                    queries.push(select(&root, &tables, &joins));
                }
                queries
            }
            Meets::Everybody => {
                let (root, tables, joins, _) = self.route(writer, &[], false);
                vec![select(&root, &tables, &joins)]
            }
        }
    }

    /// Who was linked to the changed before: a deal that goes from one contact to another concerns both.
    fn formerly(&self, writer: &mut Writer<'_>, read: &Read, changed: &Changed<'_>, ids: &str) -> Option<String> {
        let (Step::Relation(relation), before) = read.route.split_last()? else { return None };
        let (Link::Theirs { field, column }, Entity::Record(kind)) = (relation.link, relation.to) else { return None };
        let moved = changed.fields.is_none_or(|fields| fields.iter().any(|changed| changed == field));
        if !moved {
            return None;
        }
        let (root, mut tables, mut joins, at) = self.route(writer, before, false);
        let history = writer.sql.alias();
        tables.push(format!("record_changes {history}"));
        joins.push(format!(
            "{history}.workspace_id = $1 AND {history}.kind = '{}' AND {history}.record_id = ANY({ids}) \
             AND {at}.id = ({history}.before ->> '{column}')::uuid",
            kind.as_str()
        ));
        Some(select(&root, &tables, &joins))
    }

    /// Writes the condition "the answer for the record of this alias can have changed between the two
    /// moments with nothing but the clock moving": of the same zone and week. False where no limit of a
    /// relative comparison moved; then nothing is written.
    pub fn flips(&self, sql: &mut Sql, alias: &str, from: &Setting, to: &Setting) -> bool {
        let mut writer = Writer::new(sql, to);
        let mut queries = Vec::new();
        let mut visit = |route: &[Step], _: Entity, seen: Seen<'_>| {
            if let Seen::Leaf(leaf) = seen
                && leaf.is_relative()
            {
                queries.extend(self.flipping(&mut writer, route, leaf, from, to));
            }
        };
        walk(self.tree(), &mut Vec::new(), Entity::Record(self.kind()), &mut visit);
        write(sql, alias, &queries)
    }

    fn flipping(
        &self,
        writer: &mut Writer<'_>,
        route: &[Step],
        leaf: &Leaf,
        from: &Setting,
        to: &Setting,
    ) -> Vec<String> {
        let hops = leaf.place.hops.iter().map(|hop| Step::Path(hop));
        let route: Vec<_> = route.iter().copied().chain(hops).collect();
        let of_days = leaf.place.asked == Asked::Date;
        match &leaf.base {
            Base::When(stretch) => {
                let crossed = crossed(range_of(*stretch, of_days, from), range_of(*stretch, of_days, to));
                let query = |range| {
                    let (root, tables, mut joins, at) = self.route(writer, &route, true);
                    let operand = writer.operand(&leaf.place, &at);
                    joins.push(writer.within(&operand, range));
                    select(&root, &tables, &joins)
                };
                crossed.into_iter().map(query).collect()
            }
            Base::Changed(span) => {
                let crossed = crossed(when::last(*span, from), when::last(*span, to));
                let query = |range| {
                    let (root, mut tables, mut joins, at) = self.route(writer, &route, true);
                    let history = writer.sql.alias();
                    tables.push(format!("record_changes {history}"));
                    joins.push(writer.of_history(&leaf.place, &at, &history));
                    joins.push(writer.at_within(&history, range));
                    joins.push(writer.after(&leaf.place, &history));
                    select(&root, &tables, &joins)
                };
                crossed.into_iter().map(query).collect()
            }
            Base::Anniversary(days) => {
                let (old, new) = (when::anniversaries(*days, from), when::anniversaries(*days, to));
                let only = |one: &[i32], other: &[i32]| -> Vec<i32> {
                    one.iter().copied().filter(|day| !other.contains(day)).collect()
                };
                let moved = [only(&old, &new), only(&new, &old)].concat();
                if moved.is_empty() {
                    return Vec::new();
                }
                let (root, tables, mut joins, at) = self.route(writer, &route, true);
                let operand = writer.operand(&leaf.place, &at);
                joins.push(writer.on_days(&operand, moved));
                vec![select(&root, &tables, &joins)]
            }
            _ => Vec::new(),
        }
    }

    /// The records themselves and what the route leads to: the record's alias, tables, joins, and the
    /// alias at the end. Time moves answers by what is live and counts alone, which has the indexes; a change
    /// may be that something is not live any more.
    fn route(
        &self,
        writer: &mut Writer<'_>,
        route: &[Step],
        only_live: bool,
    ) -> (String, Vec<String>, Vec<String>, String) {
        let root = writer.sql.alias();
        let (mut tables, mut joins, at) = writer.chain(&root, route, only_live);
        tables.insert(0, format!("{} {root}", self.kind().table()));
        if only_live {
            joins.insert(0, format!("{root}.deleted_at IS NULL"));
        }
        joins.insert(0, format!("{root}.workspace_id = $1"));
        (root, tables, joins, at)
    }
}

fn range_of(stretch: Stretch, of_days: bool, setting: &Setting) -> Range {
    if of_days { stretch.days(setting) } else { stretch.instants(setting) }
}

/// The stretches that the limits of a range have passed over.
fn crossed(old: Range, new: Range) -> Vec<Range> {
    let mut found = Vec::new();
    for (one, two) in [(old.from, new.from), (old.to, new.to)] {
        if let (Some(one), Some(two)) = (one, two)
            && one != two
        {
            found.push(Range { from: Some(one.min(two)), to: Some(one.max(two)) });
        }
    }
    found
}

fn select(root: &str, tables: &[String], joins: &[String]) -> String {
    // a table with a JOIN of its own binds closer than the comma
    format!("SELECT {root}.id FROM {} WHERE {}", tables.join(", "), joins.join(" AND "))
}

/// One run for each way, so that each finds its index.
fn write(sql: &mut Sql, alias: &str, queries: &[String]) -> bool {
    if queries.is_empty() {
        return false;
    }
    sql.push(&format!("{alias}.id IN ({})", queries.join(" UNION ")));
    true
}
