//! Every operator of every field, of records and of what they lead to, as a statement: none is a
//! mistake in SQL, whatever stands in the table.

use std::env;

use kontor::crm::{
    Account, Contact, Deal, Lead, Product, RecordKind, Task,
    criteria::{
        Asked, Changed, FieldDescription, Known, Operator, RelationDescription, criteria_fields, criteria_relations,
    },
    fields::{self, CustomType, ops::NewField},
};
use serde_json::{Value, json};

use super::{checked, setting};
use crate::support::{client::Client, records::make_record, server::TestServer};

/// A field of each type for a kind; indexed where that can be.
async fn define(server: &TestServer, ada: &Client, kind: RecordKind, is_indexed: bool) {
    for field_type in CustomType::ALL {
        let choices = match field_type {
            CustomType::Choice | CustomType::MultiChoice => vec!["Gold".to_owned(), "Silver".to_owned()],
            _ => Vec::new(),
        };
        let new = NewField {
            kind,
            key: Some(format!("{}_{}", if is_indexed { "i" } else { "p" }, field_type.as_str())),
            label: format!("{field_type} {is_indexed}"),
            description: None,
            field_type: *field_type,
            choices,
            record_kind: (*field_type == CustomType::Record).then_some(RecordKind::Account),
            is_required: false,
            is_unique: false,
            is_indexed: is_indexed && *field_type != CustomType::MultiChoice,
        };
        fields::ops::create(&server.ctx, &ada.caller(), new).await.expect("a field");
    }
}

/// What an operator of this type is asked with.
fn comparison(field: &FieldDescription, op: Operator) -> Value {
    use Operator::*;
    let one = match &field.asked {
        Asked::Text | Asked::LongText => json!("it's 100%_\\ \"ok\""),
        Asked::Email => json!("ada@navy.test"),
        Asked::Url => json!("https://navy.test/x"),
        Asked::Phone => json!("+49 451 12345"),
        Asked::Number => json!(7),
        Asked::Decimal => json!("7.5"),
        Asked::Boolean => json!(true),
        Asked::Choice(words) | Asked::MultiChoice(words) => json!(words[0]),
        Asked::User | Asked::Link(_) | Asked::Id => json!("01890000-0000-7000-8000-000000000000"),
        Asked::Tags => json!("news"),
        Asked::Date | Asked::Time => json!("2026-03-29"),
    };
    let mut asked = json!({ "field": field.name, "op": op });
    match op {
        In | NotIn | HasAny | HasNone | HasAll | HasExactly | Between | NotBetween | ChangedFromTo => {
            asked["values"] = json!([one.clone(), one]);
        }
        DomainIs => asked["value"] = json!("navy.test"),
        DomainIn => asked["values"] = json!(["navy.test", "bücher.test"]),
        CountryIs => asked["value"] = json!("DE"),
        IsEmpty | IsNotEmpty | IsTrue | IsFalse | IsMe | InMyTeam | IsInactive | Today | Yesterday | Tomorrow
        | InPast | InFuture => {}
        InLast | InNext | NotInLast | MoreThanAgo | LessThanAgo | MoreThanAhead | ChangedInLast => {
            (asked["value"], asked["unit"]) = (json!(7), json!("DAY"));
        }
        AnniversaryInNext => asked["value"] = json!(30),
        This | Last | Next => asked["unit"] = json!("QUARTER"),
        _ => asked["value"] = one,
    }
    json!({ "compare": asked })
}

/// All comparisons of these fields.
fn comparisons(fields: &[FieldDescription]) -> Vec<Value> {
    fields.iter().flat_map(|field| field.operators.iter().map(|op| comparison(field, *op))).collect()
}

#[tokio::test]
async fn every_operator_of_every_field_is_a_statement() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let (ctx, caller) = (&server.ctx, ada.caller());
    for kind in RecordKind::ALL {
        define(&server, &ada, *kind, false).await;
        define(&server, &ada, *kind, true).await;
    }
    let named = json!({ "lastName": "Hopper", "tags": ["news"], "customFields": { "i_number": 7, "p_date": "2026-01-31", "free": [1] } });
    let account = make_record::<Account>(ctx, &caller, json!({ "name": "Navy" })).await.id;
    let mut of_account = named.clone();
    of_account["accountId"] = json!(account);
    make_record::<Lead>(ctx, &caller, named).await;
    let contact = make_record::<Contact>(ctx, &caller, of_account).await.id;
    let deal = json!({ "name": "Ship", "contactId": contact, "accountId": account });
    let deal = make_record::<Deal>(ctx, &caller, deal).await.id;
    let product = make_record::<Product>(ctx, &caller, json!({ "name": "Compiler" })).await.id;
    let line = "mutation($deal: ID!, $product: ID!) { setDealLineItems(input: { dealId: $deal,
        set: [{ productId: $product, quantity: \"3\", unitPrice: \"19.99\" }] }) { deal { id } } }";
    ada.data(line, json!({ "deal": deal, "product": product })).await;
    make_record::<Task>(ctx, &caller, json!({ "title": "Call", "contactId": contact })).await;
    let mut tx = ctx.db.system().await.expect("a transaction");
    let known = Known::load(tx.connection(), ada.workspace()).await.expect("loaded");
    drop(tx);
    let (workspace, db) = (ada.workspace(), &server.database.db);
    let mut setting = setting();
    setting.me = Some(ada.user());
    setting.visible.leads_of = Some(ada.user());
    let later = setting.at(setting.now + chrono::TimeDelta::days(1));
    let mut wrong = Vec::new();
    for kind in RecordKind::ALL {
        let mut trees = comparisons(&criteria_fields(*kind, &known, 1));
        for RelationDescription { name, fields, .. } in criteria_relations(*kind, &known) {
            let related = |quantifier: &str, condition: Value| json!({ "related": { "relation": name, "quantifier": quantifier, "count": 2, "where": condition } });
            trees.extend(
                comparisons(&fields)
                    .into_iter()
                    .map(|condition| json!({ "related": { "relation": name, "where": condition } })),
            );
            trees
                .extend(["AT_LEAST", "AT_MOST", "EXACTLY"].map(|quantifier| related(quantifier, json!({ "all": [] }))));
            trees.extend(["NONE", "ALL"].map(|quantifier| {
                json!({ "related": { "relation": name, "quantifier": quantifier, "where": { "any": [] } } })
            }));
        }
        if *kind == RecordKind::Contact {
            trees.push(json!({ "inList": uuid::Uuid::now_v7() }));
        }
        // each of the many trees makes half a dozen statements: a part of them, another one of each
        // kind, unless there is time for all
        let step = if env::var_os("KONTOR_TEST_LONG").is_some() { 1 } else { 9 };
        for tree in trees.into_iter().skip(*kind as usize % step).step_by(step) {
            let criteria = checked(db, workspace, *kind, &tree).await;
            // one transaction each: the first mistake would end it
            let mut tx = db.system().await.expect("a transaction");
            let all = criteria.count(tx.connection(), workspace, &setting).await;
            let all = match all {
                Ok(all) => all,
                Err(error) => {
                    wrong.push(format!("{kind} {tree}: {error:?}"));
                    continue;
                }
            };
            let not = json!({ "not": tree });
            let denied = checked(db, workspace, *kind, &not).await;
            match denied.count(tx.connection(), workspace, &setting).await {
                // true or false, and nothing between
                Ok(others) if all + others == 1 => {}
                answer => wrong.push(format!("{kind} {tree}: {all} and {answer:?} of one record")),
            }
            let mut tx = db.system().await.expect("a transaction");
            let explained = criteria.explain(tx.connection(), workspace, &setting, contact.0).await;
            if explained.is_err() {
                wrong.push(format!("{kind} {tree} explained: {explained:?}"));
            }
            let mut tx = db.system().await.expect("a transaction");
            if let Err(error) = criteria.flipped_ids(tx.connection(), workspace, &setting, &later).await {
                wrong.push(format!("{kind} {tree} flipped: {error:?}"));
            }
            let sources: Vec<_> = criteria.reads().reads.iter().map(|read| read.source).collect();
            for source in sources {
                let mut tx = db.system().await.expect("a transaction");
                let changed = Changed { source, fields: None };
                let reached = criteria.reached_ids(tx.connection(), workspace, &changed, &[contact.0]).await;
                if let Err(error) = reached {
                    wrong.push(format!("{kind} {tree} reached from {source}: {error:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}
