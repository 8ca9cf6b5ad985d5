//! What criteria mean, by examples: empties, case, Unicode, wildcards, days of a zone, related records.

use kontor::crm::{
    Account, Contact, Deal, RecordKind,
    criteria::{Changed, Criteria, Known},
};
use serde_json::{Value, json};

use super::{checked, setting};
use crate::support::{client::Client, records::make_record, server::TestServer};

async fn names(server: &TestServer, ada: &Client, tree: &Value) -> Vec<String> {
    let criteria = checked(&server.database.db, ada.workspace(), RecordKind::Contact, tree).await;
    let mut tx = server.database.db.system().await.expect("a transaction");
    let ids = criteria.ids(tx.connection(), ada.workspace(), &setting(), None, 100).await.expect("ids");
    let mut same = criteria.matching(tx.connection(), ada.workspace(), &setting(), &ids).await.expect("ids");
    same.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(ids, same, "{tree}");
    drop(tx);
    let mut names = Vec::new();
    for id in ids {
        let query = format!("SELECT last_name AS value FROM contacts WHERE id = '{id}'");
        names.extend(crate::support::sql::texts(&server.database.db, &query).await);
    }
    names.sort_unstable();
    names
}

#[tokio::test]
async fn criteria_mean_what_the_language_says() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let (ctx, caller) = (&server.ctx, ada.caller());
    let navy = make_record::<Account>(ctx, &caller, json!({ "name": "Navy", "industry": "Ships" })).await.id;
    let people = [
        json!({ "lastName": "A", "city": "Lübeck", "email": "a@navy.test", "tags": ["x", "y"], "accountId": navy }),
        json!({ "lastName": "B", "city": "LÜBECK", "email": "b@sub.navy.test", "tags": ["X"], "phone": "+49 451 1" }),
        json!({ "lastName": "C", "city": "100%", "phone": "0049 451 2", "lastContactDate": "2026-03-28T23:30:00Z" }),
        json!({ "lastName": "D", "phone": "+1 212 3", "lastContactDate": "2026-03-29T22:30:00Z",
            "linkedinUrl": "https://BÜCHER.test/d" }),
    ];
    let mut ids = Vec::new();
    for person in people {
        ids.push(make_record::<Contact>(ctx, &caller, person).await.id);
    }
    // as a field has it that somebody defined after it was filled
    crate::support::sql::run(&server.database.db, "UPDATE contacts SET title = '' WHERE last_name = 'A'").await;
    crate::support::sql::run(&server.database.db, "UPDATE contacts SET title = '🚀' WHERE last_name = 'B'").await;
    make_record::<Deal>(ctx, &caller, json!({ "name": "Small", "amount": "9", "contactId": ids[0] })).await;
    make_record::<Deal>(
        ctx,
        &caller,
        json!({ "name": "Big", "amount": "11000", "contactId": ids[0], "stageId": "Closed Won" }),
    )
    .await;
    make_record::<Deal>(ctx, &caller, json!({ "name": "Large", "amount": "12000", "contactId": ids[1] })).await;
    let compare =
        |field: &str, op: &str, value: Value| json!({ "compare": { "field": field, "op": op, "value": value } });
    let of_deals = |condition: Value| json!({ "related": { "relation": "DEALS", "where": condition } });
    let cases = [
        (json!({ "all": [] }), "A B C D"),
        (json!({ "any": [] }), ""),
        (compare("city", "EQ", json!("lu\u{308}beck")), "A B"),
        (json!({ "compare": { "field": "city", "op": "EQ", "value": "Lübeck", "caseSensitive": true } }), "A"),
        (compare("city", "NE", json!("lübeck")), "C D"),
        (json!({ "compare": { "field": "city", "op": "NE", "value": "lübeck", "matchEmpty": false } }), "C"),
        (compare("city", "CONTAINS", json!("%")), "C"),
        (compare("city", "MATCHES", json!("l%k")), "A B"),
        (compare("city", "STARTS_WITH", json!("LÜ")), "A B"),
        (json!({ "compare": { "field": "city", "op": "IS_EMPTY" } }), "D"),
        (json!({ "not": { "compare": { "field": "city", "op": "IS_EMPTY" } } }), "A B C"),
        (json!({ "compare": { "field": "tags", "op": "HAS_ALL", "values": ["X", "y"] } }), "A"),
        (json!({ "compare": { "field": "tags", "op": "HAS_EXACTLY", "values": ["x"] } }), "B"),
        (json!({ "compare": { "field": "tags", "op": "HAS_NONE", "values": ["y"] } }), "B C D"),
        (compare("email", "DOMAIN_IS", json!("Navy.test")), "A"),
        // a host is the same in letters and in ASCII
        (compare("linkedinUrl", "DOMAIN_IS", json!("bücher.test")), "D"),
        (compare("linkedinUrl", "DOMAIN_IS", json!("xn--bcher-kva.test")), "D"),
        // an empty text is nothing, and fits no pattern
        (compare("title", "MATCHES", json!("%")), "B"),
        // to the database ½ is no word, and so is in no text that has none either
        (compare("title", "CONTAINS_WORD", json!("½")), ""),
        (json!({ "compare": { "field": "title", "op": "IS_EMPTY" } }), "A C D"),
        (compare("phone", "COUNTRY_IS", json!("DE")), "B C"),
        (compare("account.industry", "EQ", json!("ships")), "A"),
        (compare("account.industry", "NE", json!("ships")), "B C D"),
        (compare("owner.email", "IS_EMPTY", Value::Null), "A B C D"),
        // 23:30 in London is the next day in Berlin, where the clocks go forward that night
        (json!({ "compare": { "field": "lastContactDate", "op": "TODAY" } }), "C"),
        (json!({ "compare": { "field": "lastContactDate", "op": "TOMORROW" } }), "D"),
        (json!({ "compare": { "field": "lastContactDate", "op": "IN_LAST", "value": 12, "unit": "HOUR" } }), "C"),
        (json!({ "compare": { "field": "lastContactDate", "op": "IN_FUTURE" } }), "D"),
        (json!({ "compare": { "field": "lastContactDate", "op": "THIS", "unit": "WEEK" } }), "C"),
        (json!({ "compare": { "field": "lastContactDate", "op": "NEXT", "unit": "WEEK" } }), "D"),
        // one and the same deal satisfies all of it
        (
            of_deals(
                json!({ "all": [compare("stageType", "EQ", json!("OPEN")), compare("amount", "GT", json!("10000"))] }),
            ),
            "B",
        ),
        (of_deals(compare("amount", "GT", json!("10000"))), "A B"),
        (json!({ "related": { "relation": "DEALS", "quantifier": "NONE" } }), "C D"),
        (
            json!({ "related": { "relation": "DEALS", "quantifier": "ALL", "where": compare("amount", "GT", json!(10)) } }),
            "B C D",
        ),
        (json!({ "related": { "relation": "DEALS", "quantifier": "AT_LEAST", "count": 2 } }), "A"),
        (json!({ "related": { "relation": "DEALS", "quantifier": "AT_MOST", "count": 0 } }), "C D"),
        // a fragment of SQL is a text like any other
        (compare("city", "EQ", json!("' OR 1=1; DROP TABLE contacts; --")), ""),
        (compare("lastName", "NE", json!("') OR ('a'='a")), "A B C D"),
    ];
    let mut wrong = Vec::new();
    for (tree, expected) in cases {
        let found = names(&server, &ada, &tree).await.join(" ");
        if found != expected {
            wrong.push(format!("{tree}: {found:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_its_path() {
    let leaf = json!({ "compare": { "field": "city", "op": "EQ", "value": "x" } });
    let deep = |depth: usize| (1..depth).fold(leaf.clone(), |inner, _| json!({ "all": [inner] }));
    let many = |count: usize| json!({ "any": vec![leaf.clone(); count] });
    let check = |tree: &Value| {
        Criteria::read(tree).and_then(|node| Criteria::check(RecordKind::Contact, &node, &Known::default()).map(drop))
    };
    assert_eq!(check(&deep(8)), Ok(()));
    assert_eq!(check(&many(250)), Ok(()));
    for (tree, path) in [
        (deep(9), "all[0]"),
        (many(251), ""),
        (
            json!({ "all": [leaf, { "any": [{ "compare": { "field": "city", "op": "GT", "value": "x" } }] }] }),
            "all[1].any[0].compare.op",
        ),
        (json!({ "all": [{ "compare": { "field": "no", "op": "EQ", "value": "x" } }] }), "all[0].compare.field"),
        (json!({ "compare": { "field": "custom.gone", "op": "EQ", "value": "x" } }), "compare.field"),
        (json!({ "compare": { "field": "createdAt", "op": "ON", "value": "31/31" } }), "compare.value"),
        (json!({ "compare": { "field": "city", "op": "EQ", "value": { "a": 1 } } }), "compare.value"),
        (json!({ "compare": { "field": "city", "op": "EQ", "value": "a\u{0}" } }), "NUL"),
        (json!({ "compare": { "field": "city", "op": "IN", "values": vec!["x"; 1001] } }), "compare.values"),
        (json!({ "related": { "relation": "PRODUCTS" } }), "related.relation"),
        (json!({ "inList": "x" }), "inList"),
    ] {
        let errors = check(&tree).expect_err("refused").to_string();
        assert!(errors.contains(path), "{tree}: {errors}");
    }
}

#[test]
fn what_an_update_moves_besides_its_fields_is_met_too() {
    let meets = |field: &str, changed: &str| {
        let tree = json!({ "compare": { "field": field, "op": "IN_LAST", "value": 1, "unit": "DAY" } });
        let node = Criteria::read(&tree).expect("a tree");
        let criteria = Criteria::check(RecordKind::Deal, &node, &Known::default()).expect("checked");
        let fields = [changed.to_owned()];
        criteria.reads().meets(&Changed { source: "deal", fields: Some(&fields) })
    };
    assert!(meets("updatedAt", "description"));
    assert!(meets("stageEnteredAt", "stageId"));
    assert!(!meets("stageEnteredAt", "description"));
    assert!(!meets("createdAt", "description"));
}
