//! The property of live lists: after any sequence of changes by anybody, of records and of what they are
//! linked to, of criteria, of the clock, while workers lose their jobs, each dynamic list is what a fresh
//! look at its criteria says, its count, its log and its sizes too.
//!
//! `KONTOR_TEST_SEED` gives other sequences, `KONTOR_TEST_LONG` more and longer ones.

use chrono::TimeDelta;
use kontor::auth::Role;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    list,
    settled::{settled, wrong},
    text,
};
use crate::{
    rest::import,
    support::{client::Client, server::TestServer, sql},
};

const CITIES: [&str; 4] = ["Riga", "Bergen", "Oslo", "L\u{fc}beck"];
const TAGS: [&str; 3] = ["vip", "news", "partner"];
const ZONES: [&str; 3] = ["UTC", "Pacific/Auckland", "America/New_York"];

/// A workspace in which much happens.
struct Town {
    server: TestServer,
    ada: Client,
    people: Vec<Client>,
    team: String,
    contacts: Vec<String>,
    accounts: Vec<String>,
    deals: Vec<String>,
    products: Vec<String>,
    stages: Vec<String>,
    chosen: Vec<String>,
    dynamic: Vec<String>,
    merges: Vec<String>,
    rng: StdRng,
    done: Vec<String>,
}

fn compare(field: &str, op: &str, more: Value) -> Value {
    let mut compare = json!({ "field": field, "op": op });
    for (key, value) in more.as_object().expect("an object") {
        compare[key] = value.clone();
    }
    json!({ "compare": compare })
}

fn related(relation: &str, more: Value) -> Value {
    let mut related = json!({ "relation": relation });
    for (key, value) in more.as_object().expect("an object") {
        related[key] = value.clone();
    }
    json!({ "related": related })
}

impl Town {
    async fn new(seed: u64) -> Self {
        let server = TestServer::start().await;
        let ada = server.admin().await;
        let mut people = vec![ada.clone()];
        for role in [Role::Manager, Role::SalesRep, Role::SalesRep] {
            people.push(ada.invite_role(role).await);
        }
        let team = "mutation($of: [ID!]!) { createTeam(input: { name: \"T\", members: $of }) { team { id } } }";
        let team = ada.data(team, json!({ "of": [people[0].user(), people[2].user()] })).await;
        let field = "mutation { createCustomField(input: { kind: CONTACT, label: \"Plan\", key: \"plan\", type: TEXT,
            isIndexed: true }) { customField { id } } }";
        ada.data(field, json!({})).await;
        let stages = "SELECT id::text AS value FROM pipeline_stages ORDER BY 1";
        let stages = sql::texts(&server.database.db, stages).await;
        let mut town = Self {
            team: text(&team["createTeam"]["team"]["id"]),
            server,
            ada,
            people,
            contacts: Vec::new(),
            accounts: Vec::new(),
            deals: Vec::new(),
            products: Vec::new(),
            stages,
            chosen: Vec::new(),
            dynamic: Vec::new(),
            merges: Vec::new(),
            rng: StdRng::seed_from_u64(seed),
            done: Vec::new(),
        };
        for number in 0..3 {
            town.create("product", json!({ "name": format!("P{number}"), "price": "10" })).await;
        }
        for _ in 0..3 {
            town.create_account().await;
        }
        for _ in 0..12 {
            town.create_contact().await;
        }
        for _ in 0..4 {
            town.create_deal().await;
        }
        for number in 0..2 {
            let of: Vec<_> = town.contacts.iter().take(4 * (number + 1)).cloned().collect();
            let made =
                list(&town.ada, json!({ "name": format!("S{number}"), "contactIds": of, "sharing": "EDIT" })).await;
            town.chosen.push(made);
        }
        for _ in 0..18 {
            town.create_list().await;
        }
        town
    }

    fn below(&mut self, count: usize) -> usize {
        self.rng.random_range(0..count)
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// Does something as somebody, who may be refused; what comes of it.
    async fn ask(&mut self, by: &Client, query: &str, variables: Value) -> Value {
        let answer = by.graphql(query, variables.clone()).await;
        let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned();
        self.done.push(format!("{} {variables} {code}", query.get(..40).unwrap_or(query)));
        let refused = ["BAD_USER_INPUT", "NOT_FOUND", "CONFLICT", "FORBIDDEN"].contains(&code.as_str());
        assert!(refused || answer.get("errors").is_none(), "{query} {variables}: {answer}");
        answer["data"].clone()
    }

    async fn create(&mut self, kind: &str, fields: Value) -> Option<String> {
        let name = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
        let query =
            format!("mutation($of: {name}Input!) {{ create{name}(input: {{ {kind}: $of }}) {{ {kind} {{ id }} }} }}");
        let made = self.ask(&self.ada.clone(), &query, json!({ "of": fields })).await;
        let id = made[format!("create{name}")][kind]["id"].as_str()?.to_owned();
        match kind {
            "contact" => self.contacts.push(id.clone()),
            "account" => self.accounts.push(id.clone()),
            "deal" => self.deals.push(id.clone()),
            "product" => self.products.push(id.clone()),
            _ => {}
        }
        Some(id)
    }

    async fn change(&mut self, kind: &str, id: &str, patch: Value) {
        let name = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
        let query = format!(
            "mutation($id: ID!, $p: {name}Input!) {{ update{name}(input: {{ id: $id, patch: $p }}) {{ {kind} {{ id }} }} }}"
        );
        self.ask(&self.ada.clone(), &query, json!({ "id": id, "p": patch })).await;
    }

    async fn come_or_go(&mut self, kind: &str, id: &str) {
        let name = format!("{}{}", kind[..1].to_uppercase(), &kind[1..]);
        let query = match self.below(2) {
            0 => format!("mutation($id: ID!) {{ delete{name}(input: {{ id: $id }}) {{ deletedId }} }}"),
            _ => format!("mutation($id: ID!) {{ restore{name}(input: {{ id: $id }}) {{ {kind} {{ id }} }} }}"),
        };
        self.ask(&self.ada.clone(), &query, json!({ "id": id })).await;
    }

    fn contact_fields(&mut self) -> Value {
        let mut fields = json!({});
        match self.below(8) {
            0 => fields["tags"] = json!([self.one(&TAGS)]),
            1 => fields["customFields"] = json!({ "plan": self.one(&["gold", "free"]) }),
            2 => fields["accountId"] = json!(self.one(&self.accounts.clone())),
            3 => fields["ownerId"] = json!(self.one(&self.people.clone()).user()),
            4 => fields["accountId"] = Value::Null,
            5 => {
                let hours = self.rng.random_range(-100..100);
                fields["lastContactDate"] = json!(self.server.clock.now() + TimeDelta::hours(hours));
            }
            6 => fields["status"] = json!(self.one(&["ACTIVE", "INACTIVE"])),
            _ => fields["city"] = json!(self.one(&CITIES)),
        }
        fields
    }

    async fn create_contact(&mut self) {
        let mut fields = self.contact_fields();
        fields["lastName"] = json!(format!("N{}", self.contacts.len()));
        if self.below(2) == 0 {
            fields["city"] = json!(self.one(&CITIES));
        }
        self.create("contact", fields).await;
    }

    async fn create_account(&mut self) {
        let fields =
            json!({ "name": format!("A{}", self.accounts.len()), "industry": self.one(&["Shipping", "Grain"]) });
        self.create("account", fields).await;
    }

    fn deal_fields(&mut self) -> Value {
        match self.below(4) {
            0 => json!({ "contactId": self.one(&self.contacts.clone()) }),
            1 => json!({ "amount": self.one(&["5", "50", "500"]) }),
            2 => json!({ "stageId": self.one(&self.stages.clone()) }),
            _ => json!({ "contactId": null }),
        }
    }

    async fn create_deal(&mut self) {
        let (contact, amount) = (self.one(&self.contacts.clone()), self.one(&["5", "50", "500"]));
        let name = format!("D{}", self.deals.len());
        self.create("deal", json!({ "name": name, "contactId": contact, "amount": amount })).await;
    }

    fn leaf(&mut self) -> Value {
        match self.below(24) {
            0 | 1 => compare("city", "EQ", json!({ "value": self.one(&CITIES) })),
            2 => compare("city", "NE", json!({ "value": self.one(&CITIES) })),
            3 => compare("tags", "HAS_ANY", json!({ "values": [self.one(&TAGS)] })),
            4 => compare("custom.plan", "EQ", json!({ "value": "gold" })),
            5 => compare("account.industry", "EQ", json!({ "value": "Grain" })),
            6 => compare("accountId", "IS_EMPTY", json!({})),
            7 => compare("ownerId", self.one(&["IS_INACTIVE", "IN_MY_TEAM", "IS_ME"]), json!({})),
            8 => compare("createdAt", "IN_LAST", json!({ "value": 2, "unit": self.one(&["HOUR", "DAY"]) })),
            9 => compare("updatedAt", "MORE_THAN_AGO", json!({ "value": 90, "unit": "MINUTE" })),
            10 => compare("lastContactDate", self.one(&["TODAY", "IN_PAST", "YESTERDAY"]), json!({})),
            11 => compare("lastContactDate", "THIS", json!({ "unit": self.one(&["WEEK", "MONTH"]) })),
            12 => compare("city", "CHANGED_IN_LAST", json!({ "value": 3, "unit": "HOUR" })),
            13 => compare("city", "WAS_EVER", json!({ "value": "Riga" })),
            14 => related("DEALS", json!({ "where": compare("amount", "GT", json!({ "value": "10" })) })),
            15 => related("DEALS", json!({ "quantifier": "NONE" })),
            16 => related("DEALS", json!({ "quantifier": "AT_LEAST", "count": 2 })),
            17 => related("DEALS", json!({ "where": compare("stageType", "EQ", json!({ "value": "open" })) })),
            18 => {
                let product = compare("name", "EQ", json!({ "value": "P1" }));
                related("DEALS", json!({ "where": related("PRODUCTS", json!({ "where": product })) }))
            }
            19 => {
                let others = related("CONTACTS", json!({ "where": compare("city", "EQ", json!({ "value": "Riga" })) }));
                related("ACCOUNT", json!({ "where": others }))
            }
            20 => related("LISTS", json!({ "quantifier": "AT_LEAST", "count": 3 })),
            21 if !self.dynamic.is_empty() => json!({ "inList": self.one(&self.dynamic.clone()) }),
            22 => compare("account.owner.status", "EQ", json!({ "value": "ACTIVE" })),
            _ => json!({ "inList": self.one(&self.chosen.clone()) }),
        }
    }

    fn criteria(&mut self) -> Value {
        match self.below(5) {
            0 => json!({ "all": [self.leaf(), self.leaf()] }),
            1 => json!({ "any": [self.leaf(), self.leaf(), self.leaf()] }),
            2 => json!({ "not": self.leaf() }),
            _ => self.leaf(),
        }
    }

    async fn create_list(&mut self) {
        let by = match self.below(3) {
            0 => self.people[2].clone(),
            _ => self.ada.clone(),
        };
        let name = format!("L{}", self.dynamic.len());
        let input = json!({ "name": name, "listType": "DYNAMIC", "sharing": "EDIT", "criteria": self.criteria() });
        let made = self.ask(&by, super::CREATE, json!({ "input": input })).await;
        if let Some(id) = made["createContactList"]["contactList"]["id"].as_str() {
            self.dynamic.push(id.to_owned());
        }
    }

    async fn step(&mut self) {
        let ada = self.ada.clone();
        let contact = self.one(&self.contacts.clone());
        match self.below(30) {
            0..6 => {
                let patch = self.contact_fields();
                self.change("contact", &contact, patch).await;
            }
            6 => self.create_contact().await,
            7 | 8 => self.come_or_go("contact", &contact).await,
            9 | 10 => {
                let (deal, patch) = (self.one(&self.deals.clone()), self.deal_fields());
                self.change("deal", &deal, patch).await;
            }
            11 => self.create_deal().await,
            12 => {
                let deal = self.one(&self.deals.clone());
                self.come_or_go("deal", &deal).await;
            }
            13 => {
                let account = self.one(&self.accounts.clone());
                let patch = match self.below(2) {
                    0 => json!({ "industry": self.one(&["Shipping", "Grain"]) }),
                    _ => json!({ "ownerId": self.one(&self.people.clone()).user() }),
                };
                self.change("account", &account, patch).await;
            }
            14 => {
                let account = self.one(&self.accounts.clone());
                self.come_or_go("account", &account).await;
            }
            15 => {
                let (deal, product) = (self.one(&self.deals.clone()), self.one(&self.products.clone()));
                let query = "mutation($d: ID!, $p: ID!) { setDealLineItems(input: { dealId: $d, set: [{ productId: $p, quantity: \"1\" }] }) { deal { id } } }";
                self.ask(&ada, query, json!({ "d": deal, "p": product })).await;
            }
            16 => {
                let (to, ids) = (self.one(&self.chosen.clone()), json!([contact]));
                let query = if self.below(2) == 0 { super::ADD } else { super::REMOVE };
                self.ask(&ada, query, json!({ "input": { "id": to, "contactIds": ids } })).await;
            }
            17 | 18 => {
                let (id, criteria) = (self.one(&self.dynamic.clone()), self.criteria());
                let query = "mutation($id: ID!, $c: RecordCriteria!) { updateContactList(input: { id: $id, criteria: $c }) { contactList { id } } }";
                self.ask(&ada, query, json!({ "id": id, "c": criteria })).await;
            }
            19 => {
                let other = self.one(&self.contacts.clone());
                let query =
                    "mutation($a: ID!, $b: ID!) { mergeContacts(input: { intoId: $a, ids: [$b] }) { merge { id } } }";
                let made = self.ask(&ada, query, json!({ "a": contact, "b": other })).await;
                self.merges.extend(made["mergeContacts"]["merge"]["id"].as_str().map(str::to_owned));
            }
            20 if !self.merges.is_empty() => {
                let merge = self.one(&self.merges.clone());
                let query = "mutation($id: ID!) { undoMerge(input: { mergeId: $id }) { keptCount } }";
                self.ask(&ada, query, json!({ "id": merge })).await;
            }
            21 => {
                let (from, to) = (self.one(&CITIES), self.one(&CITIES));
                let query = "mutation($w: RecordCriteria!, $c: String!) { bulkUpdate(input: { kind: CONTACT, where: $w,
                    patch: { contact: { city: $c } } }) { matched } }";
                let criteria = compare("city", "EQ", json!({ "value": from }));
                self.ask(&ada, query, json!({ "w": criteria, "c": to })).await;
            }
            22 => {
                let person = self.one(&self.people.clone()).user();
                let query = if self.below(2) == 0 { "add" } else { "remove" };
                let query = format!(
                    "mutation($t: ID!, $u: [ID!]!) {{ setTeamMembers(input: {{ id: $t, {query}: $u }}) {{ team {{ id }} }} }}"
                );
                let team = self.team.clone();
                self.ask(&ada, &query, json!({ "t": team, "u": [person] })).await;
            }
            23 => {
                let (list, level) = (self.one(&self.chosen.clone()), self.one(&["PRIVATE", "VIEW", "EDIT"]));
                self.ask(&ada, super::SHARE, json!({ "input": { "id": list, "level": level } })).await;
            }
            24 => {
                let by = self.one(&[37, 313, 26 * 60 + 11, 3 * 24 * 60 + 7 * 60]);
                self.server.advance(TimeDelta::minutes(by));
                self.done.push(format!("{by} minutes pass"));
                // their sessions ended
                for person in self.people.iter_mut().take(3) {
                    *person = person.again().await;
                }
                self.ada = self.people[0].clone();
                let steal = "UPDATE jobs SET lease_until = now() - interval '1 s', crashes = 0 WHERE state = 'running'";
                sql::run(&self.server.database.db, steal).await;
            }
            25 => self.snapshot().await,
            26 => self.delete_list().await,
            27 => self.change_field().await,
            28 => self.import().await,
            _ => match self.below(4) {
                0 => {
                    let person = self.people[3].user();
                    let query = "mutation($id: ID!) { deactivateUser(input: { id: $id }) { done } }";
                    self.ask(&ada, query, json!({ "id": person })).await;
                }
                1 => {
                    let zone = self.one(&ZONES);
                    let query =
                        "mutation($z: String!) { updateWorkspace(input: { timeZone: $z }) { workspace { id } } }";
                    self.ask(&ada, query, json!({ "z": zone })).await;
                }
                _ => {
                    let stage = self.one(&self.stages.clone());
                    let name = format!("Stage {}", self.done.len());
                    let query = "mutation($id: ID!, $n: String!) { updateStage(input: { id: $id, name: $n }) { stage { id } } }";
                    self.ask(&ada, query, json!({ "id": stage, "n": name })).await;
                }
            },
        }
    }

    /// Keeps a list's members in a new list, or in place.
    async fn snapshot(&mut self) {
        let (number, in_place) = (self.below(self.dynamic.len()), self.below(3) == 0);
        let (id, name) = (self.dynamic[number].clone(), format!("Copy {}", self.done.len()));
        let query = "mutation($id: ID!, $n: String) { snapshotContactList(input: { id: $id, name: $n }) { contactList { id } } }";
        let name = (!in_place).then_some(name);
        let made = self.ask(&self.ada.clone(), query, json!({ "id": id, "n": name })).await;
        if let Some(id) = made["snapshotContactList"]["contactList"]["id"].as_str() {
            self.chosen.push(id.to_owned());
            if in_place {
                self.dynamic.remove(number);
                self.create_list().await;
            }
        }
    }

    /// Deletes a list, whether or not others name it, and makes another one.
    async fn delete_list(&mut self) {
        let query =
            "mutation($id: ID!, $f: Boolean!) { deleteContactList(input: { id: $id, force: $f }) { deletedId } }";
        let number = self.below(self.dynamic.len());
        let (id, force) = (self.dynamic[number].clone(), self.below(2) == 0);
        let gone = self.ask(&self.ada.clone(), query, json!({ "id": id, "f": force })).await;
        if !gone["deleteContactList"].is_null() {
            self.dynamic.remove(number);
            self.create_list().await;
        }
    }

    /// The custom field goes, comes again with another index, or is indexed or not any more.
    async fn change_field(&mut self) {
        let ada = self.ada.clone();
        let fields = ada.data("{ customFields(kind: CONTACT) { id isIndexed } }", json!({})).await;
        let field = &fields["customFields"][0];
        let (query, variables) = match field["id"].as_str() {
            None => (
                "mutation($i: Boolean!) { createCustomField(input: { kind: CONTACT, label: \"Plan\", key: \"plan\",
                    type: TEXT, isIndexed: $i }) { customField { id } } }",
                json!({ "i": self.below(2) == 0 }),
            ),
            Some(id) if self.below(2) == 0 => (
                "mutation($id: ID!) { deleteCustomField(input: { id: $id, force: true }) { deletedId } }",
                json!({ "id": id }),
            ),
            Some(id) => (
                "mutation($id: ID!, $i: Boolean!) { updateCustomField(input: { id: $id, isIndexed: $i }) { customField { id } } }",
                json!({ "id": id, "i": field["isIndexed"] != true }),
            ),
        };
        self.ask(&ada, query, variables).await;
    }

    /// A file with somebody new and a change of those who came by the last one.
    async fn import(&mut self) {
        let mut file = String::from("last_name,email,city\n");
        for number in 0..3 + self.below(3) {
            file += &format!("I{number},i{number}@example.com,{}\n", self.one(&CITIES));
        }
        self.done.push(format!("import {file}"));
        let parts: [import::Part<'_>; 3] = [
            ("file", Some("people.csv"), file.as_bytes()),
            ("entity_type", None, b"contacts"),
            ("import_options", None, br#"{ "update_existing": true }"#),
        ];
        let job = import::post(&self.ada, &parts).await.expect(StatusCode::CREATED);
        import::ended(&self.ada, &job).await;
    }

    async fn check(&mut self, seed: u64) {
        // nothing is to be mended before this test sees it
        sql::run(&self.server.database.db, "DELETE FROM jobs WHERE kind = 'lists.mend' AND state = 'queued'").await;
        settled(&self.server).await;
        let wrong = wrong(&self.server.ctx, &self.server.database.db, self.ada.workspace()).await;
        assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}\nafter {:#?}", self.done);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_lists_are_what_a_fresh_look_says() {
    let is_long = std::env::var_os("KONTOR_TEST_LONG").is_some();
    let first: u64 = std::env::var("KONTOR_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let (seeds, rounds) = if is_long { (20, 20) } else { (2, 6) };
    for seed in first..first + seeds {
        let mut town = Town::new(seed).await;
        town.check(seed).await;
        for _ in 0..rounds {
            for _ in 0..12 {
                town.step().await;
            }
            town.check(seed).await;
        }
    }
}
