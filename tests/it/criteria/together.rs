//! Many trees asked at once: how many statements that takes, and that no number of trees, comparisons or
//! values is too much for one. (That the answers are right, `plain` sees to, and `lists::random`.)

use kontor::crm::{Contact, Deal, RecordKind, criteria::Together};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{checked, setting};
use crate::support::{client::Client, records::make_record, server::TestServer, statements};

struct Lab {
    server: TestServer,
    ada: Client,
    /// In Riga and in Oslo by turns; the first two have a deal of 50.
    ids: Vec<Uuid>,
}

impl Lab {
    async fn new() -> Self {
        let server = TestServer::start_idle().await;
        let ada = server.admin().await;
        let mut ids = Vec::new();
        for number in 0..4 {
            let city = if number % 2 == 0 { "Riga" } else { "Oslo" };
            let fields = json!({ "lastName": format!("N{number}"), "city": city });
            ids.push(make_record::<Contact>(&server.ctx, &ada.caller(), fields).await.id.0);
        }
        for contact in &ids[..2] {
            let fields = json!({ "name": "D", "amount": "50", "contactId": contact });
            make_record::<Deal>(&server.ctx, &ada.caller(), fields).await;
        }
        Self { server, ada, ids }
    }

    /// What each tree says, and the statements that this took.
    async fn asked(&self, trees: &[Value]) -> (Vec<Vec<usize>>, usize) {
        let (db, workspace) = (&self.server.database.db, self.ada.workspace());
        let mut together = Together::new(workspace, RecordKind::Contact);
        for tree in trees {
            together.add(&checked(db, workspace, RecordKind::Contact, tree).await, &setting());
        }
        let asked = async {
            let mut tx = db.system_in(workspace).await.expect("a transaction");
            together.ask(tx.connection(), &[], &self.ids).await.expect("answered")
        };
        let (answers, seen) = statements::caused_by(workspace, asked).await;
        let asking = seen.iter().filter(|text| text.contains("FROM unnest")).count();
        ((0..trees.len()).map(|tree| answers.matching(tree)).collect(), asking)
    }
}

fn is(field: &str, value: impl Into<Value>) -> Value {
    json!({ "compare": { "field": field, "op": "EQ", "value": value.into() } })
}

fn deals(node: Value) -> Value {
    json!({ "related": { "relation": "DEALS", "where": node } })
}

fn amount(op: &str, values: [usize; 2]) -> Value {
    json!({ "compare": { "field": "amount", "op": op, "values": values.map(|value| value.to_string()) } })
}

#[tokio::test]
async fn what_records_say_themselves_takes_one_statement_and_settles_what_it_can() {
    let lab = Lab::new().await;
    let own: Vec<_> = (0..100).map(|number| json!({ "not": is("city", format!("Town {number}")) })).collect();
    let (answers, statements) = lab.asked(&own).await;
    assert!(answers.iter().all(|answer| *answer == [0, 1, 2, 3]));
    assert_eq!(statements, 1);
    // nobody is in Bergen, so that nobody's deals matter
    let settled = json!({ "all": [is("city", "Bergen"), deals(amount("IN", [50, 60]))] });
    assert_eq!(lab.asked(&[settled]).await, (vec![vec![]], 1));
    // as many as there are, in one more
    let mut open: Vec<_> =
        (0..60).map(|from| json!({ "all": [is("city", "Riga"), deals(amount("BETWEEN", [from, 55]))] })).collect();
    open.push(json!({ "any": [{ "not": deals(amount("IN", [50, 60])) }, is("city", "Oslo")] }));
    let (answers, statements) = lab.asked(&open).await;
    assert_eq!(statements, 2);
    for (from, answer) in answers[..60].iter().enumerate() {
        assert_eq!(answer.as_slice(), if from <= 50 { [0].as_slice() } else { &[] }, "from {from}");
    }
    assert_eq!(answers[60], [1, 2, 3]);
}

#[tokio::test]
async fn more_values_than_a_statement_takes_are_asked_in_several() {
    let lab = Lab::new().await;
    // alike, but for one number: together they would have 79,600 values
    let tree = |number: usize| {
        let between = (0..199).map(|from| amount("BETWEEN", if from == 7 { [number, 60] } else { [from % 50, 60] }));
        deals(json!({ "all": between.collect::<Vec<_>>() }))
    };
    let alike: Vec<_> = (0..200).map(tree).collect();
    let (answers, statements) = lab.asked(&alike).await;
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.as_slice(), if number <= 50 { [0, 1].as_slice() } else { &[] }, "{number}");
    }
    assert!((9..14).contains(&statements), "{statements}");
    // the same of what records say themselves, each comparison another one
    let own = |number: usize| {
        let each = (0..200).map(|city| json!({ "not": is("city", format!("Town {number} {city}")) }));
        json!({ "all": each.collect::<Vec<_>>() })
    };
    let own: Vec<_> = (0..150).map(own).collect();
    let (answers, statements) = lab.asked(&own).await;
    assert!(answers.iter().all(|answer| *answer == [0, 1, 2, 3]));
    assert_eq!(statements, 3);
    // and of plans: each of these has one of its own
    let counts = (0..120).map(|count| {
        let many = json!({ "relation": "DEALS", "quantifier": "AT_LEAST", "count": count });
        json!({ "related": many })
    });
    let (answers, statements) = lab.asked(&counts.collect::<Vec<_>>()).await;
    assert_eq!(answers[..3], [vec![0, 1, 2, 3], vec![0, 1], vec![]]);
    assert_eq!(statements, 4);
}

#[tokio::test]
async fn a_workspace_with_room_for_no_more_trees_is_asked_in_parts() {
    let lab = Lab::new().await;
    let (db, workspace) = (&lab.server.database.db, lab.ada.workspace());
    let mut together = Together::new(workspace, RecordKind::Contact);
    let words: Vec<_> = (0..900).map(|word| format!("a word of some length {word}")).collect();
    let long = json!({ "compare": { "field": "city", "op": "IN", "values": words } });
    for number in 0..=200 {
        let tree = json!({ "all": [long, { "not": is("title", format!("T{number}")) }] });
        together.add(&checked(db, workspace, RecordKind::Contact, &tree).await, &setting());
    }
    assert!(together.has_room(), "the same words are kept once");
    for number in 0..400 {
        let words: Vec<_> = words.iter().map(|word| format!("{word} {number}")).collect();
        let tree = json!({ "compare": { "field": "city", "op": "IN", "values": words } });
        together.add(&checked(db, workspace, RecordKind::Contact, &tree).await, &setting());
        if !together.has_room() {
            assert!(number > 50, "{number}");
            return;
        }
    }
    panic!("there is always room");
}
