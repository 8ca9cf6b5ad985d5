//! What must hold at each door. All that does not is told, so that one run shows everything.

use kontor::auth::Role;
use serde_json::Value;

use super::{
    call::{self, Body, Call, Outcome},
    rights::{Reach, Scope, reach},
    table::{Door, Look, Need},
    world::World,
};
use crate::support::client::Client;

/// What is expected of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Good,
    /// `NOT_FOUND`, or null where the field can be null.
    Hidden,
    Code(&'static str),
}

/// What does not hold at this door.
pub async fn door(world: &World, door: &Door) -> Vec<String> {
    let mut check = Check { world, door, faults: Vec::new() };
    let rights = match &door.need {
        Need::Part(reason) | Need::Open(reason) if reason.len() < 10 => {
            check.fault("nobody", "its line gives no reason");
            return check.faults;
        }
        Need::Part(_) => return check.faults,
        Need::Open(_) => {
            check.expect("a stranger", &world.stranger, &world.other, Expected::Good).await;
            return check.faults;
        }
        Need::Rights(rights) => *rights,
    };
    check.strangers().await;
    for role in [Role::Admin, Role::Manager, Role::SalesRep, Role::Support] {
        check.role(role, reach(rights, role)).await;
    }
    check.another_workspace().await;
    check.tokens(rights.iter().map(|right| right.scope()).collect(), reach(rights, Role::Admin)).await;
    check.faults
}

struct Check<'a> {
    world: &'a World,
    door: &'a Door,
    faults: Vec<String>,
}

impl Check<'_> {
    async fn strangers(&mut self) {
        let refused = Expected::Code("UNAUTHENTICATED");
        self.expect("a stranger", &self.world.stranger, &self.world.other, refused).await;
        // a socket with a wrong token is closed before it can ask for anything
        if !self.door.is_subscription() {
            self.expect("a made-up token", &self.world.impostor, &self.world.other, refused).await;
        }
    }

    async fn role(&mut self, role: Role, reach: Reach) {
        let person = self.world.person(role);
        let caller = person.again().await;
        let who = role.as_str();
        match (reach, self.door.look) {
            (Reach::No, _) => self.expect(who, &caller, &self.world.other, Expected::Code("FORBIDDEN")).await,
            (_, Some(look)) => self.looks(who, &caller, reach, look).await,
            (Reach::All, None) => self.expect(who, &caller, &self.world.other, Expected::Good).await,
            (Reach::OwnOfSeen | Reach::Own, None) => {
                let beyond = if reach == Reach::Own { Expected::Hidden } else { Expected::Code("FORBIDDEN") };
                if self.door.names_something() {
                    self.expect(&format!("{who}, of others"), &caller, &self.world.other, beyond).await;
                }
                self.expect(&format!("{who}, of their own"), &person.again().await, person, Expected::Good).await;
            }
        }
    }

    /// A list or a stream shows what it should and nothing else, and a count counts no more.
    async fn looks(&mut self, who: &str, caller: &Client, reach: Reach, look: Look) {
        let (world, other) = (self.world, &self.world.other);
        match look {
            Look::Shows(what) => {
                let call = self.filled(caller).await;
                let others = world.make(what, other).await;
                let own = if reach == Reach::All { None } else { Some(world.make(what, caller).await) };
                let shown = self.good(who, self.tried(caller, &call).await).await;
                if shown.contains(&others) != (reach == Reach::All) {
                    self.fault(who, &format!("what is others' ({others}) is shown wrongly: {shown}"));
                }
                if own.is_some_and(|own| !shown.contains(&own)) {
                    self.fault(who, &format!("does not see their own: {shown}"));
                }
            }
            Look::Counts(what) => {
                let before = self.count(who, caller).await;
                world.make(what, other).await;
                let more = self.count(who, caller).await - before;
                if more != i64::from(reach == Reach::All) {
                    self.fault(who, &format!("counts {more} more where others made one"));
                }
            }
        }
    }

    async fn another_workspace(&mut self) {
        let (world, who) = (self.world, "another workspace");
        let caller = world.foreigner.again().await;
        match self.door.look {
            None if self.door.links => self.expect(who, &caller, &world.other, Expected::Code("BAD_USER_INPUT")).await,
            None if self.door.names_something() => self.expect(who, &caller, &world.other, Expected::Hidden).await,
            None => {}
            Some(Look::Shows(what)) => {
                let call = self.filled(&caller).await;
                let (ours, theirs) = (world.make(what, &world.other).await, world.make(what, &caller).await);
                let shown = self.good(who, self.tried(&caller, &call).await).await;
                if shown.contains(&ours) || !shown.contains(&theirs) {
                    self.fault(who, &format!("sees {ours} or not its own {theirs}: {shown}"));
                }
            }
            Some(Look::Counts(what)) => {
                let before = self.count(who, &caller).await;
                world.make(what, &world.other).await;
                if self.count(who, &caller).await != before {
                    self.fault(who, "counts what is not its own");
                }
            }
        }
    }

    async fn tokens(&mut self, scopes: Vec<Scope>, reach: Reach) {
        let world = self.world;
        let owner = if reach == Reach::All { &world.other } else { &world.admin };
        let named: Vec<_> =
            scopes.iter().filter_map(|scope| if let Scope::Named(name) = scope { Some(*name) } else { None }).collect();
        if scopes.contains(&Scope::Session) {
            let token = world.token(&[]).await;
            return self.expect("a token", &token, owner, Expected::Code("BAD_USER_INPUT")).await;
        }
        let all = world.scopes.clone();
        if scopes.contains(&Scope::Whole) {
            let token = world.token(&all).await;
            return self.expect("a token with scopes", &token, owner, Expected::Code("FORBIDDEN")).await;
        }
        for lacking in &named {
            let others: Vec<_> = all.iter().copied().filter(|scope| scope != lacking).collect();
            let (who, token) = (format!("a token without {lacking}"), world.token(&others).await);
            self.expect(&who, &token, owner, Expected::Code("FORBIDDEN")).await;
        }
        // one that has nothing to do with the door, where none is needed
        let just = if named.is_empty() { vec!["audit:read"] } else { named };
        let token = world.token(&just).await;
        if let Some(Look::Shows(what)) = self.door.look {
            let call = self.filled(&token).await;
            world.make(what, owner).await;
            self.good("a token with just the scopes", self.tried(&token, &call).await).await;
        } else {
            self.expect("a token with just the scopes", &token, owner, Expected::Good).await;
        }
    }

    /// Tries the door at things that this owner has.
    async fn expect(&mut self, who: &str, caller: &Client, owner: &Client, expected: Expected) {
        let call = self.filled(owner).await;
        let outcome = self.tried(caller, &call).await;
        let met = match (&outcome, expected) {
            (Outcome::Good(answer), Expected::Good) => self.door.shown_in(answer).is_some_and(|shown| !shown.is_null()),
            (Outcome::Good(answer), Expected::Hidden) => {
                self.door.is_query() && self.door.shown_in(answer).is_some_and(Value::is_null)
            }
            (Outcome::Refused(code), Expected::Hidden) => code == "NOT_FOUND",
            (Outcome::Refused(code), Expected::Code(expected)) => code == expected,
            _ => false,
        };
        if !met {
            self.fault(who, &format!("{expected:?} is due, not {outcome:?}"));
        }
    }

    /// The answer's text; empty, and a fault, where there is none.
    async fn good(&mut self, who: &str, outcome: Outcome) -> String {
        match outcome {
            Outcome::Good(answer) => answer.to_string(),
            other => {
                self.fault(who, &format!("{other:?}"));
                String::new()
            }
        }
    }

    async fn count(&mut self, who: &str, caller: &Client) -> i64 {
        let call = self.filled(caller).await;
        let outcome = self.tried(caller, &call).await;
        let counted = match &outcome {
            Outcome::Good(answer) => self.door.shown_in(answer).and_then(Value::as_i64),
            _ => None,
        };
        if counted.is_none() {
            self.fault(who, &format!("no count: {outcome:?}"));
        }
        counted.unwrap_or_default()
    }

    /// The texts of the call, with things of this owner.
    async fn filled(&self, owner: &Client) -> (String, String) {
        match &self.door.call {
            Call::Graphql(_, text) => (self.world.fill(text, "\"", owner).await, String::new()),
            Call::Http(_, path, Body::Json(text)) => {
                (self.world.fill(path, "", owner).await, self.world.fill(text, "", owner).await)
            }
            Call::Http(_, path, _) => (self.world.fill(path, "", owner).await, String::new()),
            Call::Nothing => Default::default(),
        }
    }

    async fn tried(&self, caller: &Client, (text, body): &(String, String)) -> Outcome {
        match &self.door.call {
            Call::Graphql(operation, _) => call::graphql(caller, operation, text).await,
            Call::Http(method, _, kind) => call::http(caller, method, text, *kind, body.clone()).await,
            Call::Nothing => Outcome::Odd("there is nothing to try".to_owned()),
        }
    }

    fn fault(&mut self, who: &str, what: &str) {
        let what: String = what.chars().take(600).collect();
        self.faults.push(format!("{} ({who}): {what}", self.door.name));
    }
}
