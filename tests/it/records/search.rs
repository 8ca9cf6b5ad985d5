//! What GraphQL's search finds beyond REST's: by phone numbers, companies and websites; and that it finds
//! by the indexes.

use std::collections::BTreeSet;

use kontor::{
    crm::{
        RecordKind,
        record::search::{Reach, Search},
    },
    db::Tx,
};
use serde_json::{Value, json};

use super::{account, contact, text};
use crate::support::{
    client::{Client, with_query},
    server::TestServer,
    sql,
};

/// What is found by GraphQL of a kind: alone and among what criteria mean, listed and counted.
async fn found(client: &Client, kind: &str, search: &str) -> Vec<String> {
    let mut answers = BTreeSet::new();
    for criteria in [Value::Null, json!({ "compare": { "field": "createdAt", "op": "IN_PAST" } })] {
        let query = format!(
            "query($search: String, $where: RecordCriteria) {{
                {kind}(search: $search, where: $where) {{ nodes {{ displayName }} totalCount }} }}"
        );
        let data = client.data(&query, json!({ "search": search, "where": criteria })).await;
        let names = data[kind]["nodes"].as_array().expect("nodes").iter().map(|node| text(&node["displayName"]));
        let names: Vec<_> = names.collect();
        assert_eq!(data[kind]["totalCount"], names.len(), "{search}");
        answers.insert(names);
    }
    assert_eq!(answers.len(), 1, "{search}: {answers:?}");
    answers.pop_first().expect("an answer")
}

/// How many REST finds.
async fn found_by_rest(client: &Client, kind: &str, search: &str) -> usize {
    let path = with_query(&format!("/{kind}"), &[("search", search)]);
    client.get(&path).await.data().as_array().expect("a list").len()
}

#[tokio::test]
async fn contacts_are_found_by_phone_and_company_and_not_so_by_rest() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let navy = account(&ada, json!({ "name": "Navy Yards", "industry": "Ships" })).await;
    let other = account(&ada, json!({ "name": "Post", "industry": "Letters" })).await;
    for fields in [
        json!({ "firstName": "Grace", "phone": "+49 (40) 123-45", "accountId": navy }),
        json!({ "firstName": "Jörg", "mobile": "0049 (0)171.5550/123", "accountId": other }),
        json!({ "firstName": "Yard", "lastName": "Twelve", "email": "y4012@d.test" }),
        json!({ "firstName": "Mia", "phone": "12 34 56", "mobile": "78 90" }),
    ] {
        contact(&ada, fields).await;
    }
    for (search, names, by_rest) in [
        ("+494012345", vec!["Grace"], 0),
        ("+49 (40) 123-45", vec!["Grace"], 0),
        ("040 123 45", vec!["Grace"], 0),
        ("0049 40", vec!["Grace"], 0),
        ("4012", vec!["Yard Twelve", "Grace"], 1),
        ("40 12", vec!["Grace"], 0),
        // too short to be a number
        ("401", vec!["Yard Twelve"], 1),
        ("715550", vec!["Jörg"], 0),
        ("(0)171", vec![], 0),
        ("(0)1715", vec!["Jörg"], 0),
        // of two numbers
        ("5678", vec![], 0),
        ("56 78", vec![], 0),
        ("NAVY", vec!["Grace"], 0),
        ("yard", vec!["Yard Twelve", "Grace"], 1),
        ("ships", vec![], 0),
        ("grace navy", vec![], 0),
        ("4012 x", vec![], 0),
    ] {
        assert_eq!(found(&ada, "contacts", search).await, names, "{search}");
        assert_eq!(found_by_rest(&ada, "contacts", search).await, by_rest, "{search}");
    }

    // as it is now
    let rename = "mutation($input: UpdateAccountInput!) { updateAccount(input: $input) { account { id } } }";
    ada.data(rename, json!({ "input": { "id": navy, "patch": { "name": "Harbour" } } })).await;
    assert_eq!(found(&ada, "contacts", "harbour").await, ["Grace"]);
    assert!(found(&ada, "contacts", "navy").await.is_empty());
    let delete = "mutation($input: DeleteRecordInput!) { deleteAccount(input: $input) { deletedId } }";
    ada.data(delete, json!({ "input": { "id": navy } })).await;
    assert!(found(&ada, "contacts", "harbour").await.is_empty());

    // nobody else's
    let eve = server.other_workspace().await;
    for search in ["post", "4012", "yard"] {
        assert!(found(&eve, "contacts", search).await.is_empty(), "{search}");
    }
}

#[tokio::test]
async fn contacts_are_found_by_their_further_addresses_as_long_as_they_have_them() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let grace =
        contact(&ada, json!({ "firstName": "Grace", "email": "grace@navy.test", "phone": "+49 40 1111" })).await;
    let jorg = contact(&ada, json!({ "firstName": "Jörg", "email": "jorg@post.test" })).await;
    let add = "mutation($contact: ID!, $kind: AddressKind!, $address: String!) {
        addExtraAddress(input: { contactId: $contact, kind: $kind, address: $address }) {
            contact { extraAddresses { id address } } } }";
    let added = async |contact: &str, kind: &str, address: &str| {
        let added = ada.data(add, json!({ "contact": contact, "kind": kind, "address": address })).await;
        let all = added["addExtraAddress"]["contact"]["extraAddresses"].as_array().expect("a list").clone();
        text(&all.last().expect("an address")["id"])
    };
    let hopper = added(&grace, "EMAIL", "Hopper@Yale.test").await;
    added(&grace, "PHONE", "+1 (212) 555-0123").await;
    added(&jorg, "PHONE", "0171 98765").await;
    for (search, names) in [
        ("hopper@yale", vec!["Grace"]),
        ("grace@navy", vec!["Grace"]),
        ("2125550123", vec!["Grace"]),
        ("212 555", vec!["Grace"]),
        ("98765", vec!["Jörg"]),
        ("4911", vec![]),
        // of two numbers
        ("11111212", vec![]),
    ] {
        assert_eq!(found(&ada, "contacts", search).await, names, "{search}");
        // REST's looks into what its contract names
        assert_eq!(found_by_rest(&ada, "contacts", search).await, usize::from(search.starts_with("grace")), "{search}");
    }

    // what becomes of an address becomes of the search
    let primary = "mutation($id: ID!) { makeAddressPrimary(input: { id: $id }) { contact { email } } }";
    ada.data(primary, json!({ "id": hopper })).await;
    assert_eq!(found_by_rest(&ada, "contacts", "hopper@yale").await, 1);
    assert_eq!(found(&ada, "contacts", "grace@navy").await, ["Grace"]);
    let merge =
        "mutation($into: ID!, $ids: [ID!]!) { mergeContacts(input: { intoId: $into, ids: $ids }) { merge { id } } }";
    let merged = ada.data(merge, json!({ "into": grace, "ids": [jorg] })).await;
    for search in ["98765", "jorg@post", "grace@navy"] {
        assert_eq!(found(&ada, "contacts", search).await, ["Grace"], "{search}");
    }
    let undo = "mutation($id: ID!) { undoMerge(input: { mergeId: $id }) { restoredIds } }";
    ada.data(undo, json!({ "id": merged["mergeContacts"]["merge"]["id"] })).await;
    for (search, name) in [("98765", "Jörg"), ("jorg@post", "Jörg"), ("grace@navy", "Grace")] {
        assert_eq!(found(&ada, "contacts", search).await, [name], "{search}");
    }
    let addresses = "query($id: ID!) { contact(id: $id) { extraAddresses { id } } }";
    let addresses = ada.data(addresses, json!({ "id": jorg })).await;
    let remove = "mutation($id: ID!) { removeExtraAddress(input: { id: $id }) { contact { id } } }";
    ada.data(remove, json!({ "id": addresses["contact"]["extraAddresses"][0]["id"] })).await;
    assert!(found(&ada, "contacts", "98765").await.is_empty());
}

#[tokio::test]
async fn leads_are_found_by_phone_accounts_by_phone_and_website() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let create = "mutation($input: CreateLeadInput!) { createLead(input: $input) { lead { id } } }";
    ada.data(create, json!({ "input": { "lead": { "firstName": "Leo", "phone": "+1 (212) 555-0100" } } })).await;
    for fields in [
        json!({ "name": "Acme", "website": "https://user@www.Example.test:8080/shop", "phone": "030/55 66 77" }),
        json!({ "name": "Bare", "website": "bare.test" }),
        json!({ "name": "None" }),
    ] {
        account(&ada, fields).await;
    }
    for (kind, search, names, by_rest) in [
        ("leads", "212 5550100", vec!["Leo"], 0),
        ("leads", "2125", vec!["Leo"], 0),
        ("leads", "212", vec![], 0),
        ("leads", "leo", vec!["Leo"], 1),
        ("accounts", "556677", vec!["Acme"], 0),
        ("accounts", "+30 5566", vec!["Acme"], 0),
        ("accounts", "EXAMPLE.test", vec!["Acme"], 0),
        ("accounts", ".test", vec!["Bare", "Acme"], 0),
        ("accounts", "shop", vec![], 0),
        ("accounts", "www", vec![], 0),
        ("accounts", "8080", vec![], 0),
        ("accounts", "none", vec!["None"], 1),
    ] {
        assert_eq!(found(&ada, kind, search).await, names, "{search}");
        assert_eq!(found_by_rest(&ada, kind, search).await, by_rest, "{search}");
    }
}

/// Contacts, the first of them of companies of their own.
async fn many(server: &TestServer, ada: &Client, contacts: usize, companies: usize) {
    let db = &server.database.db;
    let (workspace, user) = (ada.workspace(), ada.user());
    for table in ["contacts", "accounts"] {
        sql::run(db, &format!("ALTER TABLE {table} SET (autovacuum_enabled = off)")).await;
    }
    sql::run(
        db,
        &format!(
            "INSERT INTO accounts (workspace_id, id, name, created_by, created_at, updated_at) \
             SELECT '{workspace}', md5('a' || n)::uuid, \
                    CASE WHEN n % 100 = 0 THEN 'Rare ' ELSE 'Works ' END || n, '{user}', now(), now() \
               FROM generate_series(1, {companies}) AS n"
        ),
    )
    .await;
    sql::run(
        db,
        &format!(
            "INSERT INTO contacts (workspace_id, id, last_name, email, phone, city, country, tags, account_id, created_by, \
                                   created_at, updated_at) \
             SELECT '{workspace}', ('018' || lpad(to_hex(n), 29, '0'))::uuid, 'Miller' || n % 500, 'p' || n || '@x.test', \
                    '+49 40 ' || 1000000 + n, 'Town ' || n % 500, 'C' || n % 100, \
                    CASE WHEN n % 2 = 0 THEN ARRAY['Tag ' || n % 300] ELSE '{{}}' END, \
                    CASE WHEN n <= {companies} THEN md5('a' || n)::uuid END, '{user}', now() - n * interval '1 hour', now() \
               FROM generate_series(1, {contacts}) AS n"
        ),
    )
    .await;
    sql::run(db, "ANALYZE contacts, accounts").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn companies_give_their_contacts_in_order_few_or_very_many() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    many(&server, &ada, 1_600, 1_500).await;
    let query =
        "query($search: String, $after: String, $before: String, $first: Int, $last: Int, $where: RecordCriteria) {
        contacts(search: $search, after: $after, before: $before, first: $first, last: $last, where: $where) {
            nodes { email } totalCount pageInfo { startCursor endCursor } } }";
    // fifteen companies, and nearly all
    for (search, every) in [("rare", 100), ("work", 1)] {
        let wanted: Vec<_> = (1..=1_500)
            .rev()
            .filter(|number| if every == 1 { number % 100 != 0 } else { number % every == 0 })
            .map(|number| format!("p{number}@x.test"))
            .collect();
        for criteria in [Value::Null, json!({ "compare": { "field": "createdAt", "op": "IN_PAST" } })] {
            let page = async |place: Value| {
                let mut variables = json!({ "search": search, "where": criteria });
                variables.as_object_mut().expect("an object").extend(place.as_object().expect("an object").clone());
                let data = ada.data(query, variables).await;
                assert_eq!(data["contacts"]["totalCount"], wanted.len(), "{search}");
                let emails =
                    data["contacts"]["nodes"].as_array().expect("nodes").iter().map(|node| text(&node["email"]));
                (emails.collect::<Vec<_>>(), data["contacts"]["pageInfo"].clone())
            };
            let (first, places) = page(json!({ "first": 7 })).await;
            assert_eq!(first, wanted[..7], "{search}");
            let (second, _) = page(json!({ "first": 7, "after": places["endCursor"] })).await;
            assert_eq!(second, wanted[7..14], "{search}");
            let (last, places) = page(json!({ "last": 4 })).await;
            assert_eq!(last, wanted[wanted.len() - 4..], "{search}");
            let (before, _) = page(json!({ "last": 4, "before": places["startCursor"] })).await;
            assert_eq!(before, wanted[wanted.len() - 8..wanted.len() - 4], "{search}");
        }
        assert_eq!(found_by_rest(&ada, "contacts", search).await, 0);
    }
}

/// By this connection.
async fn scans_so_far(tx: &mut Tx, of: &[&str]) -> Vec<i64> {
    let mut counts = Vec::new();
    for relation in of {
        let count = format!("SELECT pg_stat_get_xact_numscans('{relation}'::regclass) AS value");
        counts.push(sql::number_in(tx, &count).await);
    }
    counts
}

/// How often a transaction that finds 51 has used these tables and indexes.
async fn scans(server: &TestServer, ada: &Client, reach: Reach, search: &str, of: &[&str]) -> Vec<i64> {
    let search = Search::new(RecordKind::Contact, reach, Some(search)).expect("valid").expect("something");
    let patterns = search.patterns().iter().map(|pattern| match pattern {
        Some(pattern) => format!("'{}'", pattern.replace('\'', "''")),
        None => "NULL".to_owned(),
    });
    let patterns = format!("ARRAY[{}]", patterns.collect::<Vec<_>>().join(", "));
    let mut tx = server.ctx.db.read(&ada.caller()).await.expect("a transaction");
    let find = format!("SELECT count(*) AS value FROM {}", search.ids("contacts", &patterns, "NULL", "NULL", "51"));
    let before = scans_so_far(&mut tx, of).await;
    sql::number_in(&mut tx, &find).await;
    scans_so_far(&mut tx, of).await.iter().zip(before).map(|(after, before)| after - before).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_newest_do_not_fill_is_found_by_the_index_of_fragments() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    many(&server, &ada, 20_000, 2_000).await;
    let of = ["contacts_search_idx", "contacts_account_idx", "contacts_pkey", "contacts"];
    for (reach, search, seen) in [
        (Reach::Contract, "p1234@", [1, 0, 1, 0]),
        (Reach::All, "p1234@", [1, 0, 1, 0]),
        (Reach::All, "+49 (40) 1001234", [2, 0, 1, 0]),
        (Reach::All, "1001234", [1, 0, 1, 0]),
        // each of twenty companies is asked for its own
        (Reach::All, "rare", [1, 20, 1, 0]),
        // among the newest; nobody is called so
        (Reach::All, "miller", [0, 0, 1, 0]),
        (Reach::All, "xyz", [1, 0, 1, 0]),
    ] {
        assert_eq!(scans(&server, &ada, reach, search, &of).await, seen, "{search}");
    }
}
