//! A condition apart from its values: what asks the same with other values has the same text, and is asked
//! with it in one statement.

use std::mem::{Discriminant, discriminant};

use super::{Bind, Sql};

/// A condition, and the values that it is asked with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Form {
    /// With placeholders, from `$2` on; `$1` is the workspace.
    text: String,
    pub values: Vec<Bind>,
}

impl Form {
    /// A condition that was written with this statement's values, and nothing else was.
    pub fn new(condition: String, sql: Sql) -> Self {
        Self { text: condition, values: sql.into_values() }
    }

    /// What those have in common that ask the same with other values.
    pub fn key(&self) -> (String, Vec<Discriminant<Bind>>) {
        (self.text.clone(), self.values.iter().map(discriminant).collect())
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.values.iter().map(Bind::bytes).sum::<usize>()
    }

    /// Values of its longest array.
    pub fn longest(&self) -> usize {
        self.values.iter().map(Bind::len).max().unwrap_or_default()
    }

    /// Whether it reads the record's own row alone. All of the text is ours, values are bound. (Which it is
    /// decides how it is asked, and moves no answer.)
    pub fn is_of_row(&self) -> bool {
        !self.text.contains("SELECT")
    }

    /// The condition with its values bound by a statement.
    pub fn hold(&self, sql: &mut Sql) -> String {
        let places: Vec<_> = self.values.iter().map(|value| sql.hold_bare(value.clone())).collect();
        self.placed(|number| places.get(number - 2).cloned())
    }

    /// The condition with its values in columns `p2`, `p3` and so on of a table of this alias.
    pub fn over(&self, table: &str) -> String {
        self.placed(|number| Some(format!("{table}.p{number}")))
    }

    /// The condition with something else for each placeholder but the workspace's.
    fn placed(&self, place: impl Fn(usize) -> Option<String>) -> String {
        let mut placed = String::with_capacity(self.text.len());
        let mut rest = self.text.as_str();
        while let Some((before, behind)) = rest.split_once('$') {
            let digits = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
            let (number, behind) = behind.split_at(digits);
            placed.push_str(before);
            match number.parse().ok().filter(|number| *number > 1).and_then(&place) {
                Some(other) => placed.push_str(&other),
                None => placed.extend(["$", number]),
            }
            rest = behind;
        }
        placed.push_str(rest);
        placed
    }
}
