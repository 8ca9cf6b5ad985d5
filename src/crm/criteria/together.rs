//! Many trees asked at once about the same records, which are in hand: the incremental form. Each tree is
//! taken apart into its questions (comparisons, relations, lists), each question is asked once however
//! many trees hold it, and the answers, a bit for each record, are put together in memory. SQL gives every
//! answer, so that there is one meaning.
//!
//! What stands in the record itself is asked first, in one statement. Where that settles a tree, what it
//! asks of other tables is not asked any more: planning such questions is what most of the time went into.

use std::collections::{BTreeMap, HashMap};

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

/// Trees over records of one kind, to be asked together.
#[derive(Debug)]
pub struct Together {
    workspace: WorkspaceId,
    kind: RecordKind,
    questions: Vec<Question>,
    places: HashMap<Question, usize>,
    shapes: Vec<Shape>,
}

/// What is asked of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
pub type Bits = FixedBitSet;

/// What was found out about records.
#[derive(Debug)]
pub struct Answers {
    /// Which of the records are there and not deleted.
    pub live: Bits,
    /// Which live ones match, for each tree in the order in which it was added.
    pub matching: Vec<Bits>,
    members: HashMap<Uuid, Bits>,
}

impl Answers {
    /// The records that are in this list or in `matching`, and not in both; with whether it is the latter.
    pub fn differing(&self, list: Uuid, matching: &Bits) -> Vec<(usize, bool)> {
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

impl Together {
    pub fn new(workspace: WorkspaceId, kind: RecordKind) -> Self {
        Self { workspace, kind, questions: Vec::new(), places: HashMap::new(), shapes: Vec::new() }
    }

    /// Adds a tree, of this kind; its place among the answers.
    pub fn add(&mut self, criteria: &Criteria, setting: &Setting) -> usize {
        let shape = self.shape(criteria.tree(), setting);
        self.shapes.push(shape);
        self.shapes.len() - 1
    }

    /// How many questions there are, each once.
    pub fn questions(&self) -> usize {
        self.questions.len()
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
                let condition = Writer { sql: &mut sql, setting }.tree(tree, "r", false);
                Question::Asked(sql.into_form(condition))
            }
        };
        let next = self.questions.len();
        let place = *self.places.entry(question.clone()).or_insert(next);
        if place == next {
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
        for (shape, weighed) in self.shapes.iter().zip(&weighed) {
            let mut open = live.clone();
            open.difference_with(&weighed.yes);
            open.difference_with(&weighed.no);
            if !open.is_clear() {
                shape.want(&known, &open, &mut wanted);
            }
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
        let named = self.questions.iter().filter_map(|question| match question {
            Question::Member(list) => Some(*list),
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
            for place in own {
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
                for (place, _) in own.iter().zip(&row.answers).filter(|(_, holds)| **holds) {
                    known[*place].get_or_insert_with(|| none.clone()).insert(record);
                }
            }
        }
        for (place, question) in self.questions.iter().enumerate() {
            if let Question::Member(list) = question {
                known[place] = members.get(list).cloned();
            }
        }
        Ok((live, members))
    }

    /// The questions about the records' own rows, as many at a time as go into one statement; one time at
    /// least, for whether the records are there.
    fn own(&self) -> Vec<Vec<usize>> {
        let (mut parts, mut values) = (vec![Vec::new()], 0);
        for (place, question) in self.questions.iter().enumerate() {
            if let Question::Asked(form) = question
                && form.is_of_row()
            {
                values += form.values.len();
                if values > VALUES {
                    values = form.values.len();
                    parts.push(Vec::new());
                }
                if let Some(part) = parts.last_mut() {
                    part.push(place);
                }
            }
        }
        parts
    }

    fn own_statement(&self, own: &[usize], lists: &[Uuid], ids: &[Uuid]) -> Sql {
        let mut sql = Sql::new(self.workspace);
        let (ids, lists) = (sql.hold(Bind::Uuids(ids.to_vec())), sql.hold(Bind::Uuids(lists.to_vec())));
        let mut answers = Vec::new();
        for place in own {
            if let Some(Question::Asked(form)) = self.questions.get(*place) {
                answers.push(format!("({}) IS TRUE", form.hold(&mut sql)));
            }
        }
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
        for sql in self.others(wanted, ids) {
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

    /// The statements that ask. Questions that differ in their values only are rows beside one condition:
    /// PostgreSQL plans it once.
    fn others(&self, wanted: &BTreeMap<usize, Bits>, ids: &[Uuid]) -> Vec<Sql> {
        let mut alike: Vec<(Vec<(usize, &Form)>, Bits)> = Vec::new();
        for (place, records) in wanted {
            let Some(Question::Asked(form)) = self.questions.get(*place) else { continue };
            let fits = |group: &(Vec<(usize, &Form)>, Bits)| {
                group.0.len() < ALIKE && group.0.first().is_some_and(|(_, first)| first.key() == form.key())
            };
            match alike.iter().position(fits).and_then(|at| alike.get_mut(at)) {
                Some((group, asked)) => {
                    group.push((*place, form));
                    asked.union_with(records);
                }
                None => alike.push((vec![(*place, form)], records.clone())),
            }
        }
        let (mut statements, mut sql): (Vec<Sql>, Option<Sql>) = (Vec::new(), None);
        for (group, records) in &alike {
            let more = group.iter().map(|(_, form)| form.values.len() + 1).sum::<usize>();
            if sql.as_ref().is_some_and(|sql| sql.values() + more > VALUES) {
                statements.extend(sql.take());
            }
            let sql = match &mut sql {
                Some(sql) => {
                    sql.push(" UNION ALL ");
                    sql
                }
                None => sql.insert(Sql::new(self.workspace)),
            };
            self.push_others(sql, group, records, ids);
        }
        statements.extend(sql);
        statements
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

    /// Notes of which records each question that has no answer yet is to be asked.
    fn want(&self, known: &[Option<Bits>], open: &Bits, wanted: &mut BTreeMap<usize, Bits>) {
        match self {
            Self::All(shapes) | Self::Any(shapes) => shapes.iter().for_each(|shape| shape.want(known, open, wanted)),
            Self::Not(shape) => shape.want(known, open, wanted),
            Self::Question(place) => {
                if let Some(None) = known.get(*place) {
                    wanted.entry(*place).or_insert_with(|| Bits::with_capacity(open.len())).union_with(open);
                }
            }
        }
    }
}

fn every(records: usize) -> Bits {
    let mut every = Bits::with_capacity(records);
    every.insert_range(..);
    every
}
