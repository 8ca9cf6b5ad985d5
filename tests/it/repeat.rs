//! Requests that carry a key are done once, however often they are sent.

use std::collections::BTreeSet;

use kontor::auth::Role;
use reqwest::{Method, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::support::{
    server::{Answer, Client, PASSWORD, TestServer},
    sql,
};

/// A mutation with its key in `$key`.
struct Case {
    name: &'static str,
    arguments: String,
    answer: &'static str,
}

impl Case {
    fn new(name: &'static str, arguments: impl Into<String>, answer: &'static str) -> Self {
        Self { name, arguments: arguments.into(), answer }
    }

    /// With an input object.
    fn input(name: &'static str, input: impl std::fmt::Display, answer: &'static str) -> Self {
        Self::new(name, format!("input: {{ clientMutationId: $key, {input} }}"), answer)
    }

    fn of_id(name: &'static str, id: &str, answer: &'static str) -> Self {
        Self::input(name, format!("id: \"{id}\""), answer)
    }

    fn document(&self) -> String {
        format!("mutation($key: String) {{ {}({}) {} }}", self.name, self.arguments, self.answer)
    }
}

fn id(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no id: {value}")).to_owned()
}

async fn make(client: &Client, document: &str, path: &str) -> String {
    let data = client.data(&format!("mutation {{ {document} }}"), json!({})).await;
    id(data.pointer(path).expect("it is there"))
}

/// A complete upload.
async fn upload(client: &Client) -> String {
    let file =
        make(client, "createUpload(input: { name: \"a.csv\", size: 5 }) { uploadId }", "/createUpload/uploadId").await;
    let url = format!("{}/api/uploads/{file}", client.url);
    let sent = client.http.put(url).bearer_auth(client.token.as_deref().expect("a token")).body("email").send().await;
    assert_eq!(sent.expect("an answer").status(), StatusCode::OK);
    file
}

async fn cases(server: &TestServer, ada: &Client) -> Vec<Case> {
    let contact = async |name: &str| {
        let new = format!("createContact(input: {{ contact: {{ lastName: \"{name}\" }} }}) {{ contact {{ id }} }}");
        make(ada, &new, "/createContact/contact/id").await
    };
    let account = async |name: &str| {
        let new = format!("createAccount(input: {{ account: {{ name: \"{name}\" }} }}) {{ account {{ id }} }}");
        make(ada, &new, "/createAccount/account/id").await
    };
    let (deleted_contact, deleted_account) = (contact("deleted").await, account("deleted").await);
    make(
        ada,
        &format!("deleteContact(input: {{ id: \"{deleted_contact}\" }}) {{ deletedId }}"),
        "/deleteContact/deletedId",
    )
    .await;
    make(
        ada,
        &format!("deleteAccount(input: {{ id: \"{deleted_account}\" }}) {{ deletedId }}"),
        "/deleteAccount/deletedId",
    )
    .await;
    let invite = async |email: &str| {
        let new = format!("inviteUser(input: {{ email: \"{email}\", role: SUPPORT }}) {{ invitation {{ id }} }}");
        make(ada, &new, "/inviteUser/invitation/id").await
    };
    let (invitation, _) = (invite("one@invited.test").await, invite("two@invited.test").await);
    let jobs = ada.data("{ jobs { nodes { id } } }", json!({})).await["jobs"]["nodes"].clone();
    let (waiting, failed) = (id(&jobs[0]["id"]), id(&jobs[1]["id"]));
    let fail = format!("UPDATE jobs SET state = 'failed', finished_at = now() WHERE id = '{failed}'");
    sql::run(&server.database.db, &fail).await;
    let token =
        make(ada, "createApiToken(input: { name: \"t\" }) { apiToken { id } }", "/createApiToken/apiToken/id").await;
    let import = format!(
        "createImport(input: {{ uploadId: \"{}\", kind: CONTACT }}) {{ importJob {{ id }} }}",
        upload(ada).await
    );
    let import = make(ada, &import, "/createImport/importJob/id").await;
    let user = ada.invite_role(Role::Support).await.user();
    let user_input = format!("email: \"new@users.test\", fullName: \"New\", password: \"{PASSWORD}\", role: SUPPORT");
    let new = "createProduct(input: { product: { name: \"noted\" } }) { product { id } }";
    let noted = make(ada, new, "/createProduct/product/id").await;
    let note = async |body: &str| {
        let new = format!(
            "createNote(input: {{ recordKind: PRODUCT, recordId: \"{noted}\", body: \"{body}\" }}) {{ note {{ id }} }}"
        );
        make(ada, &new, "/createNote/note/id").await
    };
    let mut cases = vec![
        Case::input(
            "createNote",
            format!("recordKind: PRODUCT, recordId: \"{noted}\", body: \"A\""),
            "{ note { id version body } }",
        ),
        Case::input("updateNote", format!("id: \"{}\", body: \"B\"", note("b").await), "{ note { id version body } }"),
        Case::of_id("deleteNote", &note("c").await, "{ deletedId }"),
    ];
    macro_rules! of_kind {
        ($one:literal $type:literal $field:literal) => {
            let record = async |name: &str| {
                let new = format!(
                    concat!(
                        "create",
                        $type,
                        "(input: {{ ",
                        $one,
                        ": {{ ",
                        $field,
                        ": \"{}\" }} }}) {{ ",
                        $one,
                        " {{ id }} }}"
                    ),
                    name
                );
                make(ada, &new, concat!("/create", $type, "/", $one, "/id")).await
            };
            let deleted = record("deleted").await;
            let delete = format!(concat!("delete", $type, "(input: {{ id: \"{}\" }}) {{ deletedId }}"), deleted);
            make(ada, &delete, concat!("/delete", $type, "/deletedId")).await;
            let answer = concat!("{ ", $one, " { id version } }");
            let patch = format!(concat!("id: \"{}\", patch: {{ ", $field, ": \"Rome\" }}"), record("b").await);
            cases.push(Case::input(concat!("create", $type), concat!($one, ": { ", $field, ": \"A\" }"), answer));
            cases.push(Case::input(concat!("update", $type), patch, answer));
            cases.push(Case::of_id(concat!("delete", $type), &record("c").await, "{ deletedId }"));
            cases.push(Case::of_id(concat!("restore", $type), &deleted, answer));
        };
    }
    of_kind!("lead" "Lead" "lastName");
    of_kind!("deal" "Deal" "name");
    of_kind!("product" "Product" "name");
    of_kind!("task" "Task" "title");
    let of_gold =
        make(ada, "createLead(input: { lead: { lastName: \"Miner\" } }) { lead { id } }", "/createLead/lead/id").await;
    cases.extend(of_teams_and_fields(ada).await);
    cases.extend(of_lists(ada, &contact("member").await).await);
    cases.extend(of_many(server, ada, &noted, &user.to_string()).await);
    cases.extend(of_merges(ada, [contact("own").await, contact("stays").await, contact("goes").await]).await);
    cases.extend([Case::input(
        "convertLead",
        format!("id: \"{of_gold}\", account: {{ name: \"Gold\" }}, deal: {{ amount: \"9.50\" }}"),
        "{ lead { id version status } contact { id } account { id } deal { id amount } }",
    )]);
    let pipeline = async |name: &str| {
        let open = "{ name: \"Open\", type: OPEN, probability: 1 }";
        let new = format!(
            "createPipeline(input: {{ name: \"{name}\", stages: [{open}, {{ name: \"Won\", type: WON }}] }}) \
             {{ pipeline {{ id stages {{ id }} }} }}"
        );
        let made = ada.data(&format!("mutation {{ {new} }}"), json!({})).await["createPipeline"]["pipeline"].clone();
        (id(&made["id"]), id(&made["stages"][1]["id"]))
    };
    let ((stays, won), (goes, _), (_, goes_too)) =
        (pipeline("stays").await, pipeline("goes").await, pipeline("goes in part").await);
    let deal = make(ada, "createDeal(input: { deal: { name: \"D\" } }) { deal { id } }", "/createDeal/deal/id").await;
    let stages = "name: \"Made\", stages: [{ name: \"Open\", type: OPEN, probability: 1 }]";
    cases.extend([
        Case::input("createPipeline", stages, "{ pipeline { id name } }"),
        Case::input("updatePipeline", format!("id: \"{stays}\", name: \"Kept\""), "{ pipeline { id name updatedAt } }"),
        Case::of_id("deletePipeline", &goes, "{ deletedId }"),
        Case::input(
            "createStage",
            format!("pipelineId: \"{stays}\", name: \"Lost\", type: LOST"),
            "{ stage { id position } pipeline { id } }",
        ),
        Case::input("updateStage", format!("id: \"{won}\", name: \"Closed\""), "{ stage { id name } }"),
        Case::of_id("deleteStage", &goes_too, "{ deletedId jobId pipeline { id } }"),
        Case::input(
            "reorderStages",
            format!("pipelineId: \"{stays}\", stageIds: [\"{won}\"]"),
            "{ pipeline { stages { id } } }",
        ),
        Case::input(
            "setDealLineItems",
            format!("dealId: \"{deal}\", add: [{{ name: \"A\", unitPrice: 1 }}]"),
            "{ deal { version lineItems { id } } }",
        ),
        Case::input("createContact", "contact: { lastName: \"A\" }", "{ contact { id version } }"),
        Case::input(
            "updateContact",
            format!("id: \"{}\", patch: {{ city: \"Rome\" }}", contact("b").await),
            "{ contact { id version } }",
        ),
        Case::input("deleteContact", format!("id: \"{}\"", contact("c").await), "{ deletedId }"),
        Case::of_id("restoreContact", &deleted_contact, "{ contact { id version } }"),
        Case::input("createAccount", "account: { name: \"A\" }", "{ account { id version } }"),
        Case::input(
            "updateAccount",
            format!("id: \"{}\", patch: {{ industry: \"Iron\" }}", account("b").await),
            "{ account { id version } }",
        ),
        Case::input("deleteAccount", format!("id: \"{}\"", account("c").await), "{ deletedId }"),
        Case::of_id("restoreAccount", &deleted_account, "{ account { id version } }"),
        Case::input("createUser", user_input, "{ user { id email } }"),
        Case::input("updateUser", "fullName: \"Ada the First\"", "{ user { id fullName } }"),
        Case::of_id("deactivateUser", &user.to_string(), "{ done }"),
        Case::input("inviteUser", "email: \"three@invited.test\", role: SUPPORT", "{ invitation { id email } }"),
        Case::of_id("revokeInvitation", &invitation, "{ done }"),
        Case::input("createApiToken", "name: \"u\"", "{ apiToken { id } }"),
        Case::of_id("revokeApiToken", &token, "{ done }"),
        Case::input("updateWorkspace", "name: \"Renamed\"", "{ workspace { name } }"),
        Case::of_id("cancelJob", &waiting, "{ job { id status } }"),
        Case::of_id("rerunJob", &failed, "{ job { id status } }"),
        Case::input("createUpload", "name: \"b.csv\"", "{ uploadId url }"),
        Case::input(
            "createImport",
            format!("uploadId: \"{}\", kind: CONTACT", upload(ada).await),
            "{ importJob { id } }",
        ),
        Case::input("cancelImport", format!("id: \"{import}\""), "{ importJob { id status } }"),
    ]);
    cases
}

async fn of_teams_and_fields(ada: &Client) -> Vec<Case> {
    let team = async |name: &str| {
        make(ada, &format!("createTeam(input: {{ name: \"{name}\" }}) {{ team {{ id }} }}"), "/createTeam/team/id")
            .await
    };
    let field = async |label: &str| {
        let new = format!(
            "createCustomField(input: {{ kind: TASK, label: \"{label}\", type: TEXT }}) {{ customField {{ id }} }}"
        );
        make(ada, &new, "/createCustomField/customField/id").await
    };
    let answer = "{ customField { id label } }";
    vec![
        Case::input("createTeam", "name: \"A\"", "{ team { id name } }"),
        Case::input("updateTeam", format!("id: \"{}\", name: \"B\"", team("b").await), "{ team { id name } }"),
        Case::input(
            "setTeamMembers",
            format!("id: \"{}\", add: [\"{}\"]", team("c").await, ada.user()),
            "{ team { members { id } } }",
        ),
        Case::of_id("deleteTeam", &team("d").await, "{ done }"),
        Case::input("createCustomField", "kind: TASK, label: \"Plan\", type: TEXT", answer),
        Case::input("updateCustomField", format!("id: \"{}\", label: \"B2\"", field("b").await), answer),
        Case::input(
            "reorderCustomFields",
            format!("kind: TASK, ids: [\"{}\"]", field("c").await),
            "{ customFields { id } }",
        ),
        Case::of_id("deleteCustomField", &field("d").await, "{ deletedId }"),
    ]
}

/// Of this product and this user, who stay as they are: no job runs.
async fn of_many(server: &TestServer, ada: &Client, product: &str, user: &str) -> Vec<Case> {
    let answer = "{ job { id } matched }";
    let of_product = format!("kind: PRODUCT, ids: [\"{product}\"]");
    let started = format!("bulkUpdate(input: {{ {of_product}, addTags: [\"a\"] }}) {{ job {{ id }} }}");
    let ended = make(ada, &started, "/bulkUpdate/job/id").await;
    let end = format!("UPDATE jobs SET state = 'completed', due = false, finished_at = now() WHERE id = '{ended}'");
    sql::run(&server.database.db, &end).await;
    let new = "createTask(input: { task: { title: \"gone\" } }) { task { id } }";
    let task = make(ada, new, "/createTask/task/id").await;
    make(ada, &format!("deleteTask(input: {{ id: \"{task}\" }}) {{ deletedId }}"), "/deleteTask/deletedId").await;
    vec![
        Case::input("bulkUpdate", format!("{of_product}, addTags: [\"b\"]"), answer),
        Case::input("bulkDelete", &of_product, answer),
        Case::input("bulkRestore", format!("kind: TASK, ids: [\"{task}\"]"), answer),
        Case::input("bulkReassign", format!("from: \"{user}\", to: \"{}\"", ada.user()), answer),
        Case::input("undoBulk", format!("jobId: \"{ended}\""), answer),
    ]
}

async fn of_merges(ada: &Client, [with_addresses, stays, goes]: [String; 3]) -> Vec<Case> {
    let address = async |name: &str| {
        let new = format!(
            "addExtraAddress(input: {{ contactId: \"{with_addresses}\", kind: EMAIL, address: \"{name}@own.test\" }}) \
             {{ contact {{ extraAddresses {{ id }} }} }}"
        );
        let made = ada.data(&format!("mutation {{ {new} }}"), json!({})).await;
        let known = made["addExtraAddress"]["contact"]["extraAddresses"].as_array().expect("a list").clone();
        id(&known.last().expect("the new one")["id"])
    };
    let (one, two) = (address("one").await, address("two").await);
    let mut leads = Vec::new();
    for name in ["one", "two", "three", "four"] {
        let new = format!("createLead(input: {{ lead: {{ lastName: \"{name}\" }} }}) {{ lead {{ id }} }}");
        leads.push(make(ada, &new, "/createLead/lead/id").await);
    }
    let of_leads = |into: &str, other: &str| format!("kind: LEAD, intoId: \"{into}\", ids: [\"{other}\"]");
    let merge = format!("mergeRecords(input: {{ {} }}) {{ merge {{ id }} }}", of_leads(&leads[2], &leads[3]));
    let merge = make(ada, &merge, "/mergeRecords/merge/id").await;
    vec![
        Case::input(
            "addExtraAddress",
            format!("contactId: \"{with_addresses}\", kind: PHONE, address: \"1234567\""),
            "{ contact { id } }",
        ),
        Case::of_id("makeAddressPrimary", &one, "{ contact { id email } }"),
        Case::of_id("removeExtraAddress", &two, "{ contact { id } }"),
        Case::input(
            "mergeContacts",
            format!("intoId: \"{stays}\", ids: [\"{goes}\"]"),
            "{ contact { id version } merge { id mergedIds } }",
        ),
        Case::input("mergeRecords", of_leads(&leads[0], &leads[1]), "{ record { id version } merge { id } }"),
        Case::input(
            "undoMerge",
            format!("mergeId: \"{merge}\""),
            "{ restoredIds keptFields movedBackCount keptCount merge { id undoneAt } }",
        ),
    ]
}

async fn of_lists(ada: &Client, member: &str) -> Vec<Case> {
    let list = async |more: &str| {
        let new = format!("createContactList(input: {{ name: \"L\"{more} }}) {{ contactList {{ id }} }}");
        make(ada, &new, "/createContactList/contactList/id").await
    };
    let folder = async |name: &str| {
        let new = format!("createListFolder(input: {{ name: \"{name}\" }}) {{ folder {{ id }} }}");
        make(ada, &new, "/createListFolder/folder/id").await
    };
    let dynamic = ", listType: DYNAMIC, criteria: { all: [] }";
    let has_member = format!(", contactIds: [\"{member}\"]");
    let answer = "{ contactList { id name contactCount } }";
    let of_member = |list: &str| format!("id: \"{list}\", contactIds: [\"{member}\"]");
    vec![
        Case::input("createContactList", "name: \"N\"", answer),
        Case::input("updateContactList", format!("id: \"{}\", name: \"M\"", list("").await), answer),
        Case::of_id("deleteContactList", &list("").await, "{ deletedId }"),
        Case::input("addContactsToList", of_member(&list("").await), answer),
        Case::input("removeContactsFromList", of_member(&list(&has_member).await), answer),
        Case::of_id("refreshContactList", &list(dynamic).await, "{ contactList { id } }"),
        Case::input("snapshotContactList", format!("id: \"{}\", name: \"S\"", list("").await), answer),
        Case::input("shareContactList", format!("id: \"{}\", level: VIEW", list("").await), answer),
        Case::input("setListFavorite", format!("id: \"{}\", favorite: true", list("").await), answer),
        Case::input("createListFolder", "name: \"A\"", "{ folder { id name } }"),
        Case::input(
            "renameListFolder",
            format!("id: \"{}\", name: \"B\"", folder("b").await),
            "{ folder { id name } }",
        ),
        Case::of_id("deleteListFolder", &folder("c").await, "{ deletedId }"),
    ]
}

/// The mutations whose arguments, or whose input, have a key.
async fn repeatable(client: &Client) -> BTreeSet<String> {
    let schema =
        "{ __schema { mutationType { fields { name args { name type { ofType { inputFields { name } } } } } } } }";
    let fields = client.data(schema, json!({})).await["__schema"]["mutationType"]["fields"].clone();
    let is_key = |value: &Value| value["name"] == "clientMutationId";
    let takes_key = |field: &&Value| {
        let mut arguments = field["args"].as_array().into_iter().flatten();
        arguments
            .any(|one| is_key(one) || one["type"]["ofType"]["inputFields"].as_array().into_iter().flatten().any(is_key))
    };
    fields.as_array().expect("a list").iter().filter(takes_key).map(|field| id(&field["name"])).collect()
}

#[tokio::test]
async fn every_mutation_that_takes_a_key_is_done_once() {
    let server = TestServer::start_idle().await;
    let ada = server.admin().await;
    let cases = cases(&server, &ada).await;
    let covered: BTreeSet<_> = cases.iter().map(|case| case.name.to_owned()).collect();
    assert_eq!(covered, repeatable(&ada).await, "a case for each");
    for case in cases {
        let (document, variables) = (case.document(), json!({ "key": case.name }));
        let first = ada.data(&document, variables.clone()).await;
        let kept = format!("SELECT count(*) AS value FROM idempotency_keys WHERE key = '{}'", case.name);
        assert_eq!(sql::number(&server.database.db, &kept).await, 1, "{} keeps its key", case.name);
        if case.name == "createApiToken" {
            let refusal = ada.refused(&document, variables, "CONFLICT").await;
            assert_eq!(refusal["extensions"]["details"]["tokenId"], first["createApiToken"]["apiToken"]["id"]);
        } else {
            assert_eq!(ada.data(&document, variables).await, first, "{document}");
        }
        // under another name it is another request
        let other = "mutation { updateWorkspace(input: { clientMutationId: \"KEY\", weekStart: SUNDAY }) { workspace { name } } }";
        ada.refused(&other.replace("KEY", case.name), json!({}), "CONFLICT").await;
    }
    for (table, rows) in
        [("contacts", 9), ("accounts", 5), ("invitations", 3), ("tokens", 2), ("imports", 2), ("notes", 3)]
    {
        let count = format!("SELECT count(*) AS value FROM {table}");
        assert_eq!(sql::number(&server.database.db, &count).await, rows, "{table}");
    }
}

#[tokio::test]
async fn a_key_is_its_users_own_and_only_of_what_succeeded() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let cora = ada.invite_role(Role::Manager).await;
    let create = "mutation($c: ContactInput!) { createContact(input: { clientMutationId: \"k\", contact: $c }) { contact { id city } } }";
    ada.refused(create, json!({ "c": { "email": "no address" } }), "BAD_USER_INPUT").await;
    let first = ada.data(create, json!({ "c": { "lastName": "A", "city": "Rome" } })).await;
    // the same in another order, by another document
    let same = "mutation { createContact(input: { contact: { city: \"Rome\", lastName: \"A\" }, clientMutationId: \"k\" }) { contact { id city } } }";
    assert_eq!(ada.data(same, json!({})).await, first);
    let conflict = ada.refused(create, json!({ "c": { "lastName": "A", "city": "Oslo" } }), "CONFLICT").await;
    assert!(conflict["message"].as_str().is_some_and(|message| message.contains("other input")), "{conflict}");
    let hers = cora.data(create, json!({ "c": { "lastName": "A", "city": "Rome" } })).await;
    assert_ne!(hers, first);

    // what was done is shown as it is by now
    let contact = id(&first["createContact"]["contact"]["id"]);
    cora.put(&format!("/contacts/{contact}"), json!({ "city": "Bern" })).await.data();
    assert_eq!(ada.data(same, json!({})).await["createContact"]["contact"], json!({ "id": contact, "city": "Bern" }));
    for wrong in ["", &"k".repeat(201), "a\tb"] {
        let create = "mutation($key: String) { createContact(input: { clientMutationId: $key, contact: { lastName: \"B\" } }) { contact { id } } }";
        ada.refused(create, json!({ "key": wrong }), "BAD_USER_INPUT").await;
    }
}

#[tokio::test]
async fn two_that_come_at_once_are_one() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let send = || {
        with_key(
            &ada,
            Method::POST,
            "/contacts",
            "k",
            json!({ "first_name": "A", "last_name": "B", "email": "a@b.test" }),
        )
    };
    let (one, two, three) = tokio::join!(send(), send(), send());
    let (one, two, three) = (one.data(), two.data(), three.data());
    assert_eq!((&one, &one), (&two, &three));
    assert_eq!(sql::number(&server.database.db, "SELECT count(*) AS value FROM contacts").await, 1);
}

async fn with_key(client: &Client, method: Method, path: &str, key: &str, body: Value) -> Answer {
    client.send(method, path, |request| request.header("Idempotency-Key", key).json(&body)).await
}

#[tokio::test]
async fn rest_requests_with_a_key_are_done_once() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let person = json!({ "first_name": "A", "last_name": "B", "email": "a@b.test" });
    let first = with_key(&ada, Method::POST, "/contacts", "create", person.clone()).await.expect(StatusCode::CREATED);
    let again = with_key(&ada, Method::POST, "/contacts", "create", person.clone()).await.expect(StatusCode::CREATED);
    assert_eq!(first, again);
    let other = json!({ "first_name": "A", "last_name": "C", "email": "c@b.test" });
    assert_eq!(with_key(&ada, Method::POST, "/contacts", "create", other).await.refused(409)["code"], "CONFLICT");
    let path = format!("/contacts/{}", id(&first["data"]["id"]));
    with_key(&ada, Method::PUT, &path, "create", person).await.refused(409);

    let change = json!({ "city": "Rome" });
    with_key(&ada, Method::PUT, &path, "change", change.clone()).await.data();
    ada.put(&path, json!({ "city": "Oslo" })).await.data();
    // done again, it would say Rome
    assert_eq!(with_key(&ada, Method::PUT, &path, "change", change).await.data()["city"], "Oslo");
    for _ in 0..2 {
        with_key(&ada, Method::DELETE, &path, "delete", json!({})).await.expect(StatusCode::OK);
    }
    ada.delete(&path).await.refused(404);

    let user = json!({ "email": "u@users.test", "password": PASSWORD, "full_name": "U" });
    let made = with_key(&ada, Method::POST, "/users", "user", user.clone()).await.data();
    assert_eq!(with_key(&ada, Method::POST, "/users", "user", user).await.data(), made);
    let another = json!({ "email": "u@users.test", "password": "another password", "full_name": "U" });
    with_key(&ada, Method::POST, "/users", "user", another).await.refused(409);
    for _ in 0..2 {
        let profile = json!({ "department": "D" });
        assert_eq!(with_key(&ada, Method::PUT, "/auth/update-profile", "me", profile).await.data()["department"], "D");
    }
    let user = format!("/users/{}", id(&made["id"]));
    for _ in 0..2 {
        with_key(&ada, Method::DELETE, &user, "gone", json!({})).await.expect(StatusCode::OK);
    }

    // reading repeats itself, and a wrong key is told
    with_key(&ada, Method::GET, "/contacts", "create", json!({})).await.data();
    let refusal = with_key(&ada, Method::POST, "/contacts", &"k".repeat(201), json!({})).await.refused(400);
    assert!(refusal["fields"]["idempotency-key"].is_string(), "{refusal}");
    server
        .stranger()
        .send(Method::POST, "/contacts", |request| request.header("Idempotency-Key", "x"))
        .await
        .refused(401);
}

#[tokio::test]
async fn an_import_with_a_key_is_started_once() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let send = async |key: &str, rows: &str| {
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"entity_type\"\r\n\r\ncontacts\r\n\
             --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{rows}\r\n--b--\r\n"
        );
        let with = |request: reqwest::RequestBuilder| {
            request.header(CONTENT_TYPE, "multipart/form-data; boundary=b").header("Idempotency-Key", key).body(body)
        };
        ada.send(Method::POST, "/import", with).await
    };
    let first = send("k", "email\none@example.com\n").await.expect(StatusCode::CREATED);
    server.jobs_done().await;
    let again = send("k", "email\none@example.com\n").await.expect(StatusCode::CREATED);
    assert_eq!((&again["id"], &again["status"]), (&first["id"], &json!("completed")));
    let other = send("k", "email\ntwo@example.com\n").await;
    assert_eq!((other.status, &other.body["code"]), (StatusCode::CONFLICT, &json!("CONFLICT")), "{}", other.body);
    assert_ne!(send("l", "email\none@example.com\n").await.expect(StatusCode::CREATED)["id"], first["id"]);
    for (table, rows) in [("imports", 2), ("files", 2)] {
        let count = format!("SELECT count(*) AS value FROM {table}");
        assert_eq!(sql::number(&server.database.db, &count).await, rows, "{table}");
    }
    server.jobs_done().await;
}
