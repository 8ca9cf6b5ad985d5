//! A tree as a condition: its nodes, the links to other records, and where its values stand.

use super::{
    super::{
        check::Criteria,
        checked::{Base, Leaf, Place, Related, Source, Tree},
        fields::Entity,
        reads::Step,
        tree::Quantifier,
        when::Setting,
    },
    Bind, Operand, Sql, list_seen,
    operand::part_of,
};
use crate::crm::RecordKind;

impl Sql {
    /// Writes a condition that is true where the record of this alias matches, and false or null where
    /// it does not: for a `WHERE`.
    pub fn condition(&mut self, criteria: &Criteria, alias: &str, setting: &Setting) {
        let condition = self.hold_condition(criteria, alias, setting);
        self.push(&condition);
    }

    /// The same condition, with its values bound; to be written somewhere, and as often as one likes.
    pub fn hold_condition(&mut self, criteria: &Criteria, alias: &str, setting: &Setting) -> String {
        Writer::new(self, setting).tree(criteria.tree(), alias, false)
    }
}

/// Writes conditions into a statement.
pub struct Writer<'a> {
    pub sql: &'a mut Sql,
    pub setting: &'a Setting,
    /// Whether what is written need not hold for the whole to hold: then no index over custom values helps,
    /// and all that it finds would be gathered, or gone through for each record.
    pub(super) is_optional: bool,
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
}
