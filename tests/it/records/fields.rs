//! Every field of every kind by GraphQL: set, read back, cleared, set again. What can be set is asked of the
//! schema, so that nothing is forgotten here.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{account, contact, text};
use crate::support::{client::Client, server::TestServer};

/// The fields of one kind.
struct Kind {
    /// As in the fields of the schema.
    name: &'static str,
    /// All but those below, each with a value.
    fields: Value,
    /// Those of which a record has one at most.
    alone: Value,
    /// What a null makes of those that are never null.
    cleared: Value,
    /// What a record cannot be without, once everything else is cleared.
    needed: &'static [&'static str],
}

impl Kind {
    fn type_name(&self) -> String {
        format!("{}{}", self.name[..1].to_uppercase(), &self.name[1..])
    }

    /// A field and its value, of all that can be set.
    fn all(&self) -> Map<String, Value> {
        object(&self.fields)
            .iter()
            .chain(object(&self.alone))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    fn mutation(&self, verb: &str) -> String {
        let (name, of_type) = (self.name, self.type_name());
        let input = format!("{}{}{of_type}Input", verb[..1].to_uppercase(), &verb[1..]);
        format!(
            "mutation($input: {input}!) {{ {verb}{of_type}(input: $input) {{ {name} {{ id version {} }} }} }}",
            self.selection()
        )
    }

    fn selection(&self) -> String {
        self.all().keys().cloned().collect::<Vec<_>>().join(" ")
    }

    /// The record after a mutation, as it is answered and as it is read then.
    async fn done(&self, client: &Client, verb: &str, input: Value) -> Map<String, Value> {
        let field = format!("{verb}{}", self.type_name());
        let answered = client.data(&self.mutation(verb), json!({ "input": input })).await[&field][self.name].take();
        let query = format!("query($id: ID!) {{ {}(id: $id) {{ id version {} }} }}", self.name, self.selection());
        let read = client.data(&query, json!({ "id": answered["id"] })).await[self.name].take();
        assert_eq!(answered, read, "{field} {input}");
        object(&read).clone()
    }
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("an object: {value}"))
}

/// The fields of an input or of an object, with the kind of their types.
async fn described(client: &Client, name: &str) -> Map<String, Value> {
    let query = "query($name: String!) { __type(name: $name) { inputFields { name type { kind name ofType { name } } }
        fields { name type { kind name ofType { name } } } } }";
    let told = client.data(query, json!({ "name": name })).await["__type"].take();
    let fields = told["inputFields"].as_array().or(told["fields"].as_array()).expect("fields");
    fields.iter().map(|field| (text(&field["name"]), field["type"].clone())).collect()
}

async fn kinds(ada: &Client) -> Vec<Kind> {
    let navy = account(ada, json!({ "name": "Navy" })).await;
    let grace = contact(ada, json!({ "lastName": "Hopper" })).await;
    let id = async |mutation: &str, path: [&str; 2]| {
        text(&ada.data(&format!("mutation {{ {mutation} }}"), json!({})).await[path[0]][path[1]]["id"])
    };
    let lead = id("createLead(input: { lead: { lastName: \"L\" } }) { lead { id } }", ["createLead", "lead"]).await;
    let deal = id("createDeal(input: { deal: { name: \"D\" } }) { deal { id } }", ["createDeal", "deal"]).await;
    let pipeline =
        "mutation { createPipeline(input: { name: \"P\", stages: [{ name: \"First\", type: OPEN, probability: 5 },
        { name: \"Second\", type: OPEN, probability: 45 }] }) { pipeline { id stages { id } } } }";
    let pipeline = ada.data(pipeline, json!({})).await["createPipeline"]["pipeline"].take();
    let cleared = |more: Value| {
        let mut cleared = json!({ "tags": [], "customFields": {} });
        cleared.as_object_mut().expect("an object").extend(object(&more).clone());
        cleared
    };
    let at = "2026-01-31T09:30:00.123456+00:00";
    let custom = json!({ "shoe": 42, "deep": [{ "a": null }] });
    let mut account = json!({
        "name": "Engines", "accountNumber": "A-1", "website": "https://engines.test", "industry": "Machines",
        "annualRevenue": "1200.5", "employees": 12, "type": "PARTNER", "phone": "+1 2",
        "description": "Builds\nengines.", "ownerId": ada.user(), "tags": ["a"], "customFields": custom,
    });
    for of in ["billing", "shipping"] {
        for part in ["Address", "City", "State", "Country", "PostalCode"] {
            account[format!("{of}{part}")] = json!(format!("{of} {part}"));
        }
    }
    vec![
        Kind {
            name: "contact",
            fields: json!({
                "firstName": "Grace", "lastName": "Hopper", "email": "grace@navy.test", "phone": "+1 2", "mobile": "3",
                "title": "Rear Admiral", "department": "Navy", "accountId": navy, "source": "EVENT",
                "status": "CUSTOMER", "linkedinUrl": "https://linkedin.test/grace", "twitterHandle": "@grace",
                "address": "1 Main St\nFloor 2", "city": "Arlington", "state": "VA", "country": "US",
                "postalCode": "22202", "notes": "Found\nthe bug.", "lastContactDate": at, "ownerId": ada.user(),
                "tags": ["vip", "navy"], "customFields": custom,
            }),
            alone: json!({}),
            cleared: cleared(json!({ "source": "WEBSITE", "status": "ACTIVE" })),
            needed: &["lastName"],
        },
        Kind {
            name: "account",
            fields: account,
            alone: json!({}),
            cleared: cleared(json!({ "type": "PROSPECT" })),
            needed: &["name"],
        },
        Kind {
            name: "lead",
            fields: json!({
                "firstName": "Grace", "lastName": "Hopper", "email": "grace@navy.test", "phone": "+1 2",
                "company": "Navy", "title": "Rear Admiral", "source": "REFERRAL", "status": "CONTACTED",
                "leadScore": 77, "industry": "Ships", "annualRevenue": "999999999999999.9999", "employees": 3,
                "website": "https://navy.test", "address": "1 Main St\nFloor 2", "city": "Arlington", "state": "VA",
                "country": "US", "postalCode": "22202", "notes": "Found\nthe bug.", "convertedDate": at,
                "lastContactDate": at, "ownerId": ada.user(), "tags": ["vip"], "customFields": custom,
            }),
            alone: json!({}),
            cleared: cleared(json!({ "source": "WEBSITE", "status": "NEW", "leadScore": 0 })),
            needed: &["lastName"],
        },
        Kind {
            name: "deal",
            fields: json!({
                "name": "Ship", "amount": "1200.5", "currency": "SEK", "pipelineId": pipeline["id"],
                "stageId": pipeline["stages"][1]["id"], "probability": 33, "expectedCloseDate": at, "closeDate": at,
                "accountId": navy, "contactId": grace, "leadSource": "COLD_CALL", "description": "A ship.\nIn wood.",
                "nextStep": "Call", "lossReason": "None yet", "ownerId": ada.user(), "tags": ["big"],
                "customFields": custom,
            }),
            alone: json!({}),
            // a deal stays on its pipeline, and is again as likely as its stage says
            cleared: cleared(json!({
                "amount": "0", "currency": "USD", "pipelineId": pipeline["id"], "probability": 45,
            })),
            needed: &["name", "stageId"],
        },
        Kind {
            name: "product",
            fields: json!({
                "name": "Compiler", "sku": "C-1", "description": "Compiles.\nMostly.", "category": "Software",
                "price": "19.9999", "cost": "0.01", "currency": "EUR", "stockQuantity": 7, "unit": "box",
                "status": "OUT_OF_STOCK", "imageUrl": "https://navy.test/c.png",
                "specifications": { "a": [1, { "b": null }] }, "ownerId": ada.user(), "tags": ["new"],
                "customFields": custom,
            }),
            alone: json!({}),
            cleared: cleared(json!({
                "price": "0", "currency": "USD", "stockQuantity": 0, "unit": "unit", "status": "ACTIVE",
                "specifications": {},
            })),
            needed: &["name"],
        },
        Kind {
            name: "task",
            fields: json!({
                "title": "Call", "description": "About\nthe ship", "status": "IN_PROGRESS", "priority": "URGENT",
                "dueDate": at, "completedDate": at, "reminder": at, "notes": "busy", "ownerId": ada.user(),
                "tags": ["now"], "customFields": custom,
            }),
            alone: json!({ "leadId": lead, "contactId": grace, "accountId": navy, "dealId": deal }),
            cleared: cleared(json!({ "status": "PENDING", "priority": "MEDIUM" })),
            needed: &["title"],
        },
    ]
}

#[tokio::test]
async fn every_field_of_every_kind_can_be_set_read_and_cleared() {
    let server = TestServer::start().await;
    let ada = server.admin().await;
    let kinds = kinds(&ada).await;
    let known = ada.data("{ __type(name: \"RecordKind\") { enumValues { name } } }", json!({})).await;
    let known = known["__type"]["enumValues"].as_array().expect("values").iter();
    let known: BTreeSet<_> = known.map(|value| text(&value["name"]).to_lowercase()).collect();
    assert_eq!(kinds.iter().map(|kind| kind.name.to_owned()).collect::<BTreeSet<_>>(), known);
    for kind in &kinds {
        nothing_is_forgotten(&ada, kind).await;
        set_and_clear(&ada, kind).await;
    }
}

/// Neither a field, nor that it is never null.
async fn nothing_is_forgotten(client: &Client, kind: &Kind) {
    let (name, of_type) = (kind.name, kind.type_name());
    let names = |fields: &Map<String, Value>| fields.keys().cloned().collect::<BTreeSet<_>>();
    let input = format!("{of_type}Input");
    assert_eq!(names(&described(client, &input).await), names(&kind.all()), "{name}");
    for (verb, place, beside) in [
        ("Create", name, vec!["clientMutationId"]),
        ("Update", "patch", vec!["clientMutationId", "expectedVersion", "id"]),
    ] {
        let mut whole = described(client, &format!("{verb}{of_type}Input")).await;
        let inner = whole.remove(place).unwrap_or_default();
        assert_eq!(inner["ofType"]["name"], input, "{verb} {name}");
        assert_eq!(whole.keys().collect::<Vec<_>>(), beside, "{verb} {name}");
    }
    let shown = described(client, &of_type).await;
    let never_null: BTreeSet<_> =
        kind.all().keys().filter(|field| shown[*field]["kind"] == "NON_NULL").cloned().collect();
    let (told, needed) = (names(object(&kind.cleared)), kind.needed.iter().map(|field| (*field).to_owned()).collect());
    assert!(told.is_subset(&never_null), "{name}: {told:?}");
    assert_eq!(&(&never_null - &told) - &needed, BTreeSet::new(), "{name}");
}

/// In a new record, one by one to nothing, and back again by updates.
async fn set_and_clear(client: &Client, kind: &Kind) {
    let name = kind.name;
    let mut record = kind.done(client, "create", json!({ name: kind.fields })).await;
    for (field, value) in object(&kind.fields) {
        assert_eq!(&record[field], value, "{name}.{field}");
    }
    for (field, value) in object(&kind.alone) {
        assert_eq!(record[field], Value::Null, "{name}.{field}");
        record = set(client, kind, record, field, value, value).await;
        let (other, too) = object(&kind.alone).iter().find(|(other, _)| *other != field).expect("another one");
        let both = json!({ "input": { "id": record["id"], "patch": { other: too } } });
        client.refused(&kind.mutation("update"), both, "BAD_USER_INPUT").await;
        record = set(client, kind, record, field, &Value::Null, &Value::Null).await;
    }
    let cleared: Vec<_> = object(&kind.fields).keys().filter(|field| !kind.needed.contains(&field.as_str())).collect();
    for field in &cleared {
        let becomes = kind.cleared.get(field.as_str()).cloned().unwrap_or_default();
        record = set(client, kind, record, field, &Value::Null, &becomes).await;
    }
    for field in kind.needed {
        let patch = json!({ "input": { "id": record["id"], "patch": { *field: null } } });
        let refusal = client.refused(&kind.mutation("update"), patch, "BAD_USER_INPUT").await;
        assert!(refusal["extensions"]["fields"][*field].is_string(), "{name}.{field}: {refusal}");
    }
    for field in cleared {
        let value = &kind.fields[field.as_str()];
        record = set(client, kind, record, field, value, value).await;
    }
    for (field, value) in object(&kind.fields) {
        assert_eq!(&record[field], value, "{name}.{field}");
    }
}

/// Sets one field; it becomes this, every other one stays, and there is a new version where that is a change.
async fn set(
    client: &Client,
    kind: &Kind,
    mut record: Map<String, Value>,
    field: &str,
    to: &Value,
    becomes: &Value,
) -> Map<String, Value> {
    let patch = json!({ "id": record["id"], "patch": { field: to } });
    let version = record["version"].as_i64().expect("a version");
    let is_new = record[field] != *becomes;
    record.insert(field.to_owned(), becomes.clone());
    record.insert("version".to_owned(), json!(version + i64::from(is_new)));
    let now = kind.done(client, "update", patch).await;
    assert_eq!(now, record, "{}.{field}", kind.name);
    now
}
