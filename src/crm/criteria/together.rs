//! Many trees asked at once about the same records, which are in hand: the incremental form. Each tree is
//! taken apart into its questions (comparisons, relations, lists), each question is asked once however
//! many trees hold it, and the answers, a bit for each record, are put together in memory. SQL gives every
//! answer, so that there is one meaning.
//!
//! What stands in the record itself is asked first, in one statement. Where that settles a tree, what it
//! asks of other tables is not asked any more: planning such questions is what most of the time went into.

use std::{
    collections::{BTreeMap, HashMap},
    mem::Discriminant,
    sync::Arc,
};

use diesel_async::AsyncPgConnection;
use fixedbitset::FixedBitSet;
use uuid::Uuid;

use super::{
    check::Criteria,
    checked::Tree,
    queries,
    sql::{Bind, Form, Sql, Writer},
    when::Setting,
};
use crate::{
    base::{Result, ids::WorkspaceId},
    crm::RecordKind,
};

/// Values of one statement, of which PostgreSQL takes 65,535.
const VALUES: usize = 10_000;
/// Questions that differ in their values only, of one plan.
const ALIKE: usize = 200;
/// Plans of one statement.
const PLANS: usize = 50;
/// Longest array that is asked as one of several: theirs are gone through anew for each record.
const LONG: usize = 16;
/// Questions asked together, and bytes of their values: with either there is no room for more trees.
const QUESTIONS: usize = 2_500;
const BYTES: usize = 8 << 20;
/// Answers, of all questions about all records, that are in memory at once.
const ANSWERS: usize = 500_000;
/// Most records that are asked about at once.
const RECORDS: usize = 1_000;

/// Trees over records of one kind, to be asked together.
#[derive(Debug)]
pub struct Together {
    workspace: WorkspaceId,
    kind: RecordKind,
    questions: Vec<Arc<Question>>,
    places: HashMap<Arc<Question>, usize>,
    /// The forms by what they ask, and of each question which one it has.
    forms: HashMap<FormKey, usize>,
    form_of: Vec<Option<usize>>,
    bytes: usize,
    shapes: Vec<Shape>,
}

/// What those have in common that ask the same with other values.
type FormKey = (String, Vec<Discriminant<Bind>>);

/// What is asked of a record.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Question {
    /// Whether it is a member of this list.
    Member(Uuid),
    Asked(Form),
}

/// How a tree puts its questions together, by their places.
#[derive(Debug)]
enum Shape {
    All(Vec<Shape>),
    Any(Vec<Shape>),
    Not(Box<Shape>),
    Question(usize),
}

/// Records, by their places among those that were asked.
type Bits = FixedBitSet;

/// What was found out about records, which are named by their places among those that were asked.
#[derive(Debug)]
pub struct Answers {
    live: Bits,
    /// For each tree, in the order in which they were added.
    matching: Vec<Bits>,
    members: HashMap<Uuid, Bits>,
}

impl Answers {
    /// Whether the record is there, and not deleted.
    pub fn is_live(&self, record: usize) -> bool {
        self.live.contains(record)
    }

    /// The live records that match a tree, which is named by its place.
    pub fn matching(&self, tree: usize) -> Vec<usize> {
        self.matching.get(tree).into_iter().flat_map(Bits::ones).collect()
    }

    /// The records that match a tree or are members of this list, and not both; with whether they match.
    pub fn differing(&self, tree: usize, list: Uuid) -> Vec<(usize, bool)> {
        let Some(matching) = self.matching.get(tree) else { return Vec::new() };
        let mut differing = matching.clone();
        if let Some(members) = self.members.get(&list) {
            differing.symmetric_difference_with(members);
        }
        differing.ones().map(|record| (record, matching.contains(record))).collect()
    }
}

/// Of which records something is known to hold, and of which not to hold; of all others nothing is known.
struct Weighed {
    yes: Bits,
    no: Bits,
}

/// Questions alike, with their places, and the records that they are to be asked about.
type Group<'a> = (Vec<(usize, &'a Form)>, Bits);

impl Together {
    pub fn new(workspace: WorkspaceId, kind: RecordKind) -> Self {
        Self {
            workspace,
            kind,
            questions: Vec::new(),
            places: HashMap::new(),
            forms: HashMap::new(),
            form_of: Vec::new(),
            bytes: 0,
            shapes: Vec::new(),
        }
    }

    /// Adds a tree, which must be of this kind; its place among the answers.
    pub fn add(&mut self, criteria: &Criteria, setting: &Setting) -> usize {
        debug_assert_eq!(criteria.kind(), self.kind, "of another kind");
        let shape = self.shape(criteria.tree(), setting);
        self.shapes.push(shape);
        self.shapes.len() - 1
    }

    /// Whether there is room for one more tree.
    pub fn has_room(&self) -> bool {
        self.questions.len() < QUESTIONS && self.bytes < BYTES
    }

    /// About how many records it can be asked at once.
    pub fn records(&self) -> usize {
        (ANSWERS / self.questions.len().max(1)).clamp(1, RECORDS)
    }

    fn shape(&mut self, tree: &Tree, setting: &Setting) -> Shape {
        let question = match tree {
            Tree::All(nodes) => return Shape::All(nodes.iter().map(|node| self.shape(node, setting)).collect()),
            Tree::Any(nodes) => return Shape::Any(nodes.iter().map(|node| self.shape(node, setting)).collect()),
            Tree::Not(node) => return Shape::Not(Box::new(self.shape(node, setting))),
            Tree::InList(list) => Question::Member(*list),
            Tree::Leaf(_) | Tree::Related(_) => {
                // found by a value that stands in a table of its own, all that have it would be walked
                let mut sql = Sql::of_others(self.workspace);
                let condition = Writer::new(&mut sql, setting).tree(tree, "r", false);
                Question::Asked(Form::new(condition, sql))
            }
        };
        let next = self.questions.len();
        let question = Arc::new(question);
        let place = *self.places.entry(Arc::clone(&question)).or_insert(next);
        if place == next {
            self.form_of.push(match &*question {
                Question::Member(_) => None,
                Question::Asked(form) => {
                    self.bytes += form.bytes();
                    let next = self.forms.len();
                    Some(*self.forms.entry(form.key()).or_insert(next))
                }
            });
            self.questions.push(question);
        }
        Shape::Question(place)
    }

    /// Asks all of it about these records, and who is in these lists besides.
    pub async fn ask(&self, connection: &mut AsyncPgConnection, lists: &[Uuid], ids: &[Uuid]) -> Result<Answers> {
        let mut known: Vec<Option<Bits>> = vec![None; self.questions.len()];
        let (live, members) = self.ask_own(connection, lists, ids, &mut known).await?;
        let mut weighed: Vec<_> = self.shapes.iter().map(|shape| shape.weigh(&known, ids.len())).collect();
        let mut wanted: BTreeMap<usize, Bits> = BTreeMap::new();
        for shape in &self.shapes {
            shape.want(&known, &live, &mut wanted);
        }
        if !wanted.is_empty() {
            self.ask_others(connection, &wanted, ids, &mut known).await?;
            // whom a question was not asked about, of them the trees are settled whatever its answer is
            let none = Bits::with_capacity(ids.len());
            known.iter_mut().for_each(|answer| *answer = Some(answer.take().unwrap_or_else(|| none.clone())));
            weighed = self.shapes.iter().map(|shape| shape.weigh(&known, ids.len())).collect();
        }
        let matching = weighed.into_iter().map(|weighed| {
            let mut matching = weighed.yes;
            matching.intersect_with(&live);
            matching
        });
        Ok(Answers { matching: matching.collect(), live, members })
    }

    /// What the records' own rows say, and the lists that they are in.
    async fn ask_own(
        &self,
        connection: &mut AsyncPgConnection,
        lists: &[Uuid],
        ids: &[Uuid],
        known: &mut [Option<Bits>],
    ) -> Result<(Bits, HashMap<Uuid, Bits>)> {
        let named = self.questions.iter().filter_map(|question| match **question {
            Question::Member(list) => Some(list),
            Question::Asked(_) => None,
        });
        let mut lists: Vec<_> = named.chain(lists.iter().copied()).collect();
        lists.sort_unstable();
        lists.dedup();
        let none = Bits::with_capacity(ids.len());
        let mut live = none.clone();
        let mut members: HashMap<_, _> = lists.iter().map(|list| (*list, none.clone())).collect();
        for (number, own) in self.own().iter().enumerate() {
            // who is in which list is asked once
            let lists = if number == 0 { lists.as_slice() } else { &[] };
            for (place, _) in own {
                known[*place] = Some(none.clone());
            }
            for row in queries::own(connection, &self.own_statement(own, lists, ids)).await? {
                let Some(record) = usize::try_from(row.place).ok().filter(|record| *record < ids.len()) else {
                    continue;
                };
                live.set(record, row.is_live);
                for list in &row.held {
                    members.entry(*list).or_insert_with(|| none.clone()).insert(record);
                }
                for ((place, _), _) in own.iter().zip(&row.answers).filter(|(_, holds)| **holds) {
                    known[*place].get_or_insert_with(|| none.clone()).insert(record);
                }
            }
        }
        for (place, question) in self.questions.iter().enumerate() {
            if let Question::Member(list) = &**question {
                known[place] = members.get(list).cloned();
            }
        }
        Ok((live, members))
    }

    /// The questions about the records' own rows with their places, as many at a time as go into one
    /// statement; one time at least, for whether the records are there.
    fn own(&self) -> Vec<Vec<(usize, &Form)>> {
        let (mut parts, mut values) = (vec![Vec::new()], 0);
        for (place, question) in self.questions.iter().enumerate() {
            if let Question::Asked(form) = &**question
                && form.is_of_row()
            {
                values += form.values.len();
                if values > VALUES {
                    values = form.values.len();
                    parts.push(Vec::new());
                }
                if let Some(part) = parts.last_mut() {
                    part.push((place, form));
                }
            }
        }
        parts
    }

    fn own_statement(&self, own: &[(usize, &Form)], lists: &[Uuid], ids: &[Uuid]) -> Sql {
        let mut sql = Sql::new(self.workspace);
        let (ids, lists) = (sql.hold(Bind::Uuids(ids.to_vec())), sql.hold(Bind::Uuids(lists.to_vec())));
        let answers: Vec<_> = own.iter().map(|(_, form)| format!("({}) IS TRUE", form.hold(&mut sql))).collect();
        sql.push(&format!(
            "SELECT x.place - 1 AS place, r.id IS NOT NULL AS is_live, ARRAY[{}]::boolean[] AS answers, \
                    ARRAY(SELECT m.list_id FROM list_members m WHERE m.workspace_id = $1 AND m.record_id = x.id \
                             AND NOT m.is_suspended AND m.list_id = ANY({lists})) AS held \
               FROM unnest({ids}) WITH ORDINALITY AS x (id, place) \
               LEFT JOIN {} r ON r.workspace_id = $1 AND r.id = x.id AND r.deleted_at IS NULL",
            answers.join(", "),
            self.kind.table()
        ));
        sql
    }

    /// What other tables say of those records of which it matters.
    async fn ask_others(
        &self,
        connection: &mut AsyncPgConnection,
        wanted: &BTreeMap<usize, Bits>,
        ids: &[Uuid],
        known: &mut [Option<Bits>],
    ) -> Result<()> {
        for place in wanted.keys() {
            known[*place] = Some(Bits::with_capacity(ids.len()));
        }
        for sql in self.other_statements(&self.groups(wanted), ids) {
            for row in queries::others(connection, &sql).await? {
                let (Ok(place), Ok(record)) = (usize::try_from(row.question), usize::try_from(row.place)) else {
                    continue;
                };
                if let Some(Some(answer)) = known.get_mut(place)
                    && record < ids.len()
                {
                    answer.insert(record);
                }
            }
        }
        Ok(())
    }

    /// Questions that differ in their values only are rows beside one condition: PostgreSQL plans it once.
    fn groups(&self, wanted: &BTreeMap<usize, Bits>) -> Vec<Group<'_>> {
        let (mut groups, mut open): (Vec<Group<'_>>, HashMap<usize, usize>) = (Vec::new(), HashMap::new());
        for (place, records) in wanted {
            let (Some(Question::Asked(form)), Some(kind)) =
                (self.questions.get(*place).map(|question| &**question), self.form_of.get(*place).copied().flatten())
            else {
                continue;
            };
            let most = if form.longest() > LONG { 1 } else { (VALUES / (form.values.len() + 1)).clamp(1, ALIKE) };
            match open.get(&kind).and_then(|at| groups.get_mut(*at)).filter(|(group, _)| group.len() < most) {
                Some((group, asked)) => {
                    group.push((*place, form));
                    asked.union_with(records);
                }
                None => {
                    open.insert(kind, groups.len());
                    groups.push((vec![(*place, form)], records.clone()));
                }
            }
        }
        groups
    }

    fn other_statements(&self, groups: &[Group<'_>], ids: &[Uuid]) -> Vec<Sql> {
        let mut statements: Vec<(Sql, usize)> = Vec::new();
        for (group, records) in groups {
            let more = group.iter().map(|(_, form)| form.values.len()).sum::<usize>() + 2;
            let fits = |(sql, plans): &&mut (Sql, usize)| *plans < PLANS && sql.values() + more <= VALUES;
            match statements.last_mut().filter(|last| fits(last)) {
                Some((sql, plans)) => {
                    *plans += 1;
                    sql.push(" UNION ALL ");
                    self.push_others(sql, group, records, ids);
                }
                None => {
                    let mut sql = Sql::new(self.workspace);
                    self.push_others(&mut sql, group, records, ids);
                    statements.push((sql, 1));
                }
            }
        }
        statements.into_iter().map(|(sql, _)| sql).collect()
    }

    fn push_others(&self, sql: &mut Sql, group: &[(usize, &Form)], records: &Bits, ids: &[Uuid]) {
        let Some((_, first)) = group.first() else { return };
        let (places, ids): (Vec<i32>, Vec<Uuid>) =
            records.ones().filter_map(|place| Some((i32::try_from(place).ok()?, *ids.get(place)?))).unzip();
        let (places, ids) = (sql.hold(Bind::Ints(places)), sql.hold(Bind::Uuids(ids)));
        let mut rows = Vec::new();
        for (place, form) in group {
            // a place is ours
            let values = form.values.iter().map(|value| format!(", {}", sql.hold(value.clone())));
            rows.push(format!("({place}{})", values.collect::<String>()));
        }
        let columns: String = (0..first.values.len()).map(|place| format!(", p{}", place + 2)).collect();
        // OFFSET keeps the records together: each is fetched once, and not once for each question
        sql.push(&format!(
            "SELECT v.question::int AS question, r.asked_place AS place \
               FROM (SELECT x.place AS asked_place, c.* FROM unnest({places}, {ids}) AS x (place, id) \
                       JOIN {} c ON c.workspace_id = $1 AND c.id = x.id AND c.deleted_at IS NULL OFFSET 0) AS r \
              CROSS JOIN (VALUES {}) AS v (question{columns}) WHERE {}",
            self.kind.table(),
            rows.join(", "),
            first.over("v")
        ));
    }
}

impl Shape {
    fn weigh(&self, known: &[Option<Bits>], records: usize) -> Weighed {
        match self {
            Self::All(shapes) => {
                let (mut yes, mut no) = (every(records), Bits::with_capacity(records));
                for weighed in shapes.iter().map(|shape| shape.weigh(known, records)) {
                    yes.intersect_with(&weighed.yes);
                    no.union_with(&weighed.no);
                }
                Weighed { yes, no }
            }
            Self::Any(shapes) => {
                let (mut yes, mut no) = (Bits::with_capacity(records), every(records));
                for weighed in shapes.iter().map(|shape| shape.weigh(known, records)) {
                    yes.union_with(&weighed.yes);
                    no.intersect_with(&weighed.no);
                }
                Weighed { yes, no }
            }
            Self::Not(shape) => {
                let Weighed { yes, no } = shape.weigh(known, records);
                Weighed { yes: no, no: yes }
            }
            Self::Question(place) => match known.get(*place) {
                Some(Some(yes)) => {
                    let mut no = yes.clone();
                    no.toggle_range(..);
                    Weighed { yes: yes.clone(), no }
                }
                _ => Weighed { yes: Bits::with_capacity(records), no: Bits::with_capacity(records) },
            },
        }
    }

    /// Notes about which of these records each question that has no answer yet is to be asked: those of which
    /// it is not settled yet what this part says.
    fn want(&self, known: &[Option<Bits>], records: &Bits, wanted: &mut BTreeMap<usize, Bits>) {
        let weighed = self.weigh(known, records.len());
        let mut open = records.clone();
        open.difference_with(&weighed.yes);
        open.difference_with(&weighed.no);
        if open.is_clear() {
            return;
        }
        match self {
            Self::All(shapes) | Self::Any(shapes) => shapes.iter().for_each(|shape| shape.want(known, &open, wanted)),
            Self::Not(shape) => shape.want(known, &open, wanted),
            Self::Question(place) => {
                wanted.entry(*place).or_insert_with(|| Bits::with_capacity(open.len())).union_with(&open);
            }
        }
    }
}

fn every(records: usize) -> Bits {
    let mut every = Bits::with_capacity(records);
    every.insert_range(..);
    every
}
