//! The tags in use.

use kontor::{
    auth::Role,
    crm::{Contact, Lead, record::ops},
};
use serde_json::json;

use crate::support::{records::make_record, server::TestServer};

const TAGS: &str = "query($kind: RecordKind!, $search: String) { tags(kind: $kind, search: $search) { name count } }";

#[tokio::test]
async fn the_tags_in_use_are_told_with_how_many_have_them() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let (ctx, maker) = (&server.ctx, ada.caller());
    for (name, tags) in [("A", json!(["vip", "100% wool"])), ("B", json!(["vip", "Fair"])), ("C", json!([]))] {
        make_record::<Contact>(ctx, &maker, json!({ "lastName": name, "tags": tags })).await;
    }
    let gone = make_record::<Contact>(ctx, &maker, json!({ "lastName": "D", "tags": ["vip", "gone"] })).await;
    ops::delete::<Contact>(ctx, &maker, gone.id.0, None).await.expect("deleted");

    let tags = async |search: Option<&str>| {
        ada.data(TAGS, json!({ "kind": "CONTACT", "search": search })).await["tags"].clone()
    };
    let all = tags(None).await;
    assert_eq!(all[0], json!({ "name": "vip", "count": 2 }));
    let mut names: Vec<_> = all.as_array().expect("a list").iter().map(|tag| tag["name"].to_string()).collect();
    names.sort();
    assert_eq!(names, ["\"100% wool\"", "\"Fair\"", "\"vip\""]);
    assert_eq!(tags(Some("FAI")).await, json!([{ "name": "Fair", "count": 1 }]));
    assert_eq!(tags(Some("%")).await, json!([{ "name": "100% wool", "count": 1 }]));
    assert_eq!(tags(Some("  ")).await, all);
    assert_eq!(ada.data(TAGS, json!({ "kind": "DEAL" })).await["tags"], json!([]));
    ada.refused(TAGS, json!({ "kind": "CONTACT", "search": "x".repeat(61) }), "BAD_USER_INPUT").await;
    let stranger = server.other_workspace().await;
    assert_eq!(stranger.data(TAGS, json!({ "kind": "CONTACT" })).await["tags"], json!([]));
}

#[tokio::test]
async fn tags_of_leads_are_counted_as_far_as_one_sees_them() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let rep = ada.invite_role(Role::SalesRep).await;
    for (owner, tags) in [(json!(rep.user()), json!(["fair"])), (json!(ada.user()), json!(["fair", "secret"]))] {
        make_record::<Lead>(&server.ctx, &ada.caller(), json!({ "lastName": "L", "ownerId": owner, "tags": tags }))
            .await;
    }
    let leads = json!({ "kind": "LEAD" });
    assert_eq!(rep.data(TAGS, leads.clone()).await["tags"], json!([{ "name": "fair", "count": 1 }]));
    assert_eq!(ada.data(TAGS, leads).await["tags"][0], json!({ "name": "fair", "count": 2 }));
}
