//! The criteria of five hundred lists as a company comes to have them, the same at every run: by
//! country, source, tags, owner, custom fields, parts of names and addresses; a tenth relative to time,
//! a tenth over linked records, some over other lists. Pure, so that they can be tried on a small
//! database before a large one is filled.

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::world::{INDUSTRIES, PLANS, TAGS, TOPICS};
use crate::data::{COUNTRIES, DEPARTMENTS, FIRST, LAST, PLACES, SOURCES, STATUSES, TITLES, pick};

/// Lists in all.
pub const LISTS: usize = 500;
/// The last but some: a contact is in the one whose word stands in its `state`, which nothing else sets.
pub const PROBES: usize = 24;
/// The last ones: the members of the first probes.
pub const OVER_PROBES: usize = 4;
/// Where the probes begin.
pub const FIRST_PROBE: usize = LISTS - OVER_PROBES - PROBES;
/// The first list: three contacts of ten.
pub const LARGE: usize = 0;

/// A list to be made. `inList` in its criteria names an earlier one by its number: see [`with_ids`].
#[derive(Debug)]
pub struct Planned {
    pub name: String,
    pub criteria: Value,
    /// Whether its members come and go without any change.
    pub is_relative: bool,
}

/// All of them, in the order in which they are to be made.
pub fn planned(seed: u64, owners: &[String]) -> Vec<Planned> {
    let mut maker = Maker { random: StdRng::seed_from_u64(seed), owners };
    let mut lists: Vec<Planned> = Vec::with_capacity(LISTS);
    for number in 0..LISTS {
        let (name, criteria) = match number {
            LARGE => ("Large", large_one()),
            _ if number >= FIRST_PROBE + PROBES => ("Over a probe", over_probe(number - FIRST_PROBE - PROBES)),
            _ if number >= FIRST_PROBE => ("Probe", probe(number - FIRST_PROBE)),
            _ => match number % 50 {
                0..5 => ("Of late", maker.of_late()),
                5..10 => ("Linked", maker.linked()),
                10 => ("Over a list", maker.over_list(number)),
                11 | 12 => ("Wide", maker.wide()),
                _ => ("Narrow", maker.narrow()),
            },
        };
        // only what is relative to the present has a unit; the probes reach back further than anything
        let is_relative = number < FIRST_PROBE
            && (criteria.to_string().contains("\"unit\"") || named(&criteria).is_some_and(|of| lists[of].is_relative));
        lists.push(Planned { name: format!("{name} {number}"), criteria, is_relative });
    }
    lists
}

/// The number of the list that criteria name.
fn named(criteria: &Value) -> Option<usize> {
    match criteria {
        Value::Object(entries) => entries.iter().find_map(|(key, value)| match value.as_u64() {
            Some(number) if key == "inList" => usize::try_from(number).ok(),
            _ => named(value),
        }),
        Value::Array(items) => items.iter().find_map(named),
        _ => None,
    }
}

/// Whether criteria name another list.
pub fn names_list(criteria: &Value) -> bool {
    named(criteria).is_some()
}

/// The criteria with the ids of the lists that they name by number.
pub fn with_ids(criteria: &Value, ids: &[String]) -> Value {
    match criteria {
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| match value.as_u64().and_then(|number| ids.get(usize::try_from(number).ok()?)) {
                Some(id) if key == "inList" => (key.clone(), json!(id)),
                _ => (key.clone(), with_ids(value, ids)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(|item| with_ids(item, ids)).collect(),
        other => other.clone(),
    }
}

/// What a contact's `state` says while it is in a probe.
pub fn probe_word(probe: usize) -> String {
    format!("Probe {probe}")
}

/// Three contacts of ten.
pub fn large_one() -> Value {
    is("country", "EQ", "US")
}

/// Four conditions, of which there are so many combinations that no run meets one twice.
pub fn segment(number: usize) -> [(&'static str, &'static str); 4] {
    let at = |of: &[&'static str], number: usize| of[number % of.len()];
    [
        ("country", at(&COUNTRIES, number)),
        ("status", at(&STATUSES, number / COUNTRIES.len())),
        ("source", at(&SOURCES, number / COUNTRIES.len() / STATUSES.len())),
        ("department", at(&DEPARTMENTS, number / 3)),
    ]
}

/// The same as criteria.
pub fn segment_criteria(number: usize) -> Value {
    all(segment(number).map(|(field, value)| is(field, "EQ", value)))
}

/// However it is asked, the word in `state` decides: all else holds for every contact.
fn probe(number: usize) -> Value {
    let word = is("state", "EQ", probe_word(number));
    match number % 4 {
        0 => word,
        1 => all([word, not(bare("country", "IS_EMPTY"))]),
        2 => all([word, any([span("createdAt", "IN_LAST", 10, "YEAR"), bare("status", "IS_NOT_EMPTY")])]),
        _ => all([word, related("DEALS", "NONE", is("amount", "GT", 1_000_000_000))]),
    }
}

fn over_probe(number: usize) -> Value {
    all([json!({ "inList": FIRST_PROBE + number }), bare("status", "IS_NOT_EMPTY")])
}

struct Maker<'a> {
    random: StdRng,
    owners: &'a [String],
}

impl Maker<'_> {
    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        *pick(&mut self.random, of)
    }

    fn up_to(&mut self, most: usize) -> usize {
        self.random.random_range(0..most)
    }

    fn country(&mut self) -> Value {
        is("country", "EQ", self.one(&COUNTRIES))
    }

    fn city(&mut self) -> Value {
        is("city", "EQ", self.one(&PLACES).0)
    }

    fn source(&mut self) -> Value {
        is("source", "EQ", self.one(&SOURCES))
    }

    fn status(&mut self) -> Value {
        is("status", "EQ", self.one(&STATUSES))
    }

    fn plan(&mut self) -> Value {
        is("custom.plan", "EQ", self.one(&PLANS))
    }

    fn owner(&mut self) -> Value {
        let at = self.up_to(self.owners.len());
        is("ownerId", "EQ", self.owners[at].as_str())
    }

    fn tag(&mut self) -> Value {
        let tag = format!("tag {}", self.up_to(TAGS));
        is_any("tags", "HAS_ANY", [tag])
    }

    fn topics(&mut self) -> Value {
        let topics = [(); 2].map(|()| format!("topic {}", self.up_to(TOPICS)));
        is_any("tags", "HAS_ANY", topics)
    }

    fn score(&mut self, width: usize) -> Value {
        let from = self.up_to(101 - width);
        is_any("custom.score", "BETWEEN", [from, from + width])
    }

    /// A part of them all.
    fn wide(&mut self) -> Value {
        match self.up_to(6) {
            0 => self.status(),
            1 => is_any("country", "IN", [self.one(&COUNTRIES), self.one(&COUNTRIES)]),
            2 => is("custom.score", "GTE", 75 + self.up_to(10)),
            3 => all([self.source(), not(self.country())]),
            4 => is("lastName", "CONTAINS", "er"),
            _ => all([is("department", "EQ", self.one(&DEPARTMENTS)), not(self.city())]),
        }
    }

    /// Some thousands of a million.
    fn narrow(&mut self) -> Value {
        match self.up_to(11) {
            0 => all([self.country(), self.source(), self.status()]),
            1 => all([self.tag(), is_any("country", "IN", [self.one(&COUNTRIES), self.one(&COUNTRIES)])]),
            2 => self.topics(),
            3 => all([self.owner(), self.plan(), self.status(), self.source()]),
            4 => all([self.score(2), self.city()]),
            5 => {
                let last = self.one(&LAST).chars().take(3).collect::<String>();
                all([is("lastName", "STARTS_WITH", last), is("firstName", "EQ", self.one(&FIRST)), self.country()])
            }
            6 => {
                let domain = format!("example{}.com", self.up_to(97));
                all([is("email", "DOMAIN_IS", domain), not(self.status())])
            }
            7 => is("email", "STARTS_WITH", format!("base{}", 100 + self.up_to(900))),
            8 => {
                let (tag, topic) = (format!("tag {}", self.up_to(TAGS)), format!("topic {}", self.up_to(TOPICS)));
                let at_sales = [is("title", "CONTAINS", "sales"), self.country(), is("custom.score", "GTE", 97)];
                let neither = any([not(self.status()), self.source(), is("custom.score", "LT", 99)]);
                any([
                    all(at_sales),
                    all([self.plan(), is_any("tags", "HAS_ALL", [tag, topic])]),
                    all([not(neither), self.city()]),
                ])
            }
            9 => {
                let last = is_any("lastName", "IN", [self.one(&LAST), self.one(&LAST)]);
                let title = is("title", "EQ", self.one(&TITLES));
                all([title, is("department", "EQ", self.one(&DEPARTMENTS)), last, bare("email", "IS_NOT_EMPTY")])
            }
            _ => all([is("phone", "COUNTRY_IS", self.one(&COUNTRIES)), self.status(), not(self.source())]),
        }
    }

    /// Whose answer moves with the clock.
    fn of_late(&mut self) -> Value {
        let days = 3 + self.up_to(28);
        match self.up_to(6) {
            0 => all([span("createdAt", "IN_LAST", 7, "DAY"), self.country()]),
            1 => all([span("lastContactDate", "IN_LAST", days, "DAY"), self.status(), self.country()]),
            2 => all([span("lastContactDate", "NOT_IN_LAST", 90, "DAY"), self.tag()]),
            3 => {
                let unit = self.one(&["WEEK", "MONTH"]);
                all([json!({ "compare": { "field": "createdAt", "op": "LAST", "unit": unit } }), self.source()])
            }
            4 => all([
                span("lastContactDate", "MORE_THAN_AGO", 6, "MONTH"),
                self.owner(),
                self.plan(),
                self.source(),
                self.country(),
            ]),
            _ => all([span("status", "CHANGED_IN_LAST", 7, "DAY"), self.source()]),
        }
    }

    /// Over a contact's deals and its company.
    fn linked(&mut self) -> Value {
        let open = is("stageType", "EQ", "open");
        let above = |amount: usize| is("amount", "GT", (amount * 1_000).to_string());
        match self.up_to(6) {
            0 => all([related("DEALS", "ANY", all([open, above(50 + self.up_to(45))])), self.country()]),
            1 => all([is("account.industry", "EQ", self.one(&INDUSTRIES)), self.city(), self.status()]),
            2 => all([related("DEALS", "NONE", open), self.plan(), self.source(), self.country(), self.score(5)]),
            3 => {
                let deals = json!({ "relation": "DEALS", "quantifier": "AT_LEAST", "count": 1,
                                    "where": is_any("amount", "BETWEEN", ["10000", "30000"]) });
                all([json!({ "related": deals }), self.status()])
            }
            4 => all([is("account.employees", "GTE", 1_000 + self.up_to(900)), self.source(), self.country()]),
            _ => all([related("ACCOUNT", "ANY", is("type", "EQ", "customer")), self.topics()]),
        }
    }

    fn over_list(&mut self, number: usize) -> Value {
        let list = json!({ "inList": self.up_to(number) });
        match self.up_to(2) {
            0 => all([list, self.country()]),
            _ => all([self.tag(), not(list)]),
        }
    }
}

fn all(nodes: impl IntoIterator<Item = Value>) -> Value {
    json!({ "all": nodes.into_iter().collect::<Vec<_>>() })
}

fn any(nodes: impl IntoIterator<Item = Value>) -> Value {
    json!({ "any": nodes.into_iter().collect::<Vec<_>>() })
}

fn not(node: Value) -> Value {
    json!({ "not": node })
}

fn bare(field: &str, op: &str) -> Value {
    json!({ "compare": { "field": field, "op": op } })
}

fn is(field: &str, op: &str, value: impl Into<Value>) -> Value {
    json!({ "compare": { "field": field, "op": op, "value": value.into() } })
}

fn is_any<T: Into<Value>>(field: &str, op: &str, values: impl IntoIterator<Item = T>) -> Value {
    let values: Vec<Value> = values.into_iter().map(Into::into).collect();
    json!({ "compare": { "field": field, "op": op, "values": values } })
}

fn span(field: &str, op: &str, value: usize, unit: &str) -> Value {
    json!({ "compare": { "field": field, "op": op, "value": value, "unit": unit } })
}

fn related(relation: &str, quantifier: &str, node: Value) -> Value {
    json!({ "related": { "relation": relation, "quantifier": quantifier, "where": node } })
}

/// Fragments to search for: of names, of addresses, and some that stand nowhere. All different.
pub fn fragments(seed: u64, count: usize, contacts: usize) -> Vec<String> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut found: Vec<String> = Vec::with_capacity(count);
    while found.len() < count {
        let fragment = fragment(&mut random, contacts);
        if fragment.chars().count() >= 3 && !found.contains(&fragment) {
            found.push(fragment);
        }
    }
    found
}

fn fragment(random: &mut impl Rng, contacts: usize) -> String {
    match random.random_range(0..10) {
        0..5 => {
            let name: Vec<char> = format!("{} {}", pick(random, &FIRST), pick(random, &LAST)).chars().collect();
            let from = random.random_range(0..name.len().saturating_sub(3).max(1));
            let length = random.random_range(3..=10);
            name.iter().skip(from).take(length).collect::<String>().trim().to_owned()
        }
        5..8 => format!("{}", random.random_range(contacts / 100..contacts)),
        8 => format!("{}@example{}", random.random_range(0..10), random.random_range(10..97)),
        _ => format!("zzq{}", random.random_range(0..1_000)),
    }
}
