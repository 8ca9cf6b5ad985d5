//! The one error type of operations. It knows neither HTTP nor GraphQL nor diesel; each face
//! shapes it for its clients. A variant exists only if a client program would act upon it.

use std::{any::Any, borrow::Cow, collections::BTreeMap, fmt, time::Duration};

pub type Result<T, E = Error> = std::result::Result<T, E>;
type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why an operation was refused or failed. `Display` is safe to show to the caller.
#[derive(Debug)]
pub enum Error {
    /// The thing does not exist, or not for this caller (the two look the same on purpose).
    NotFound(&'static str),
    /// The caller is known and may not do this.
    Forbidden(Cow<'static, str>),
    /// Nobody is signed in, or the credentials are wrong or spent.
    Unauthenticated(Cow<'static, str>),
    /// The input breaks a rule; says which field and what would be right.
    Invalid(FieldErrors),
    /// The state does not allow it: a taken key, a stale version, a key used with other input.
    Conflict(Conflict),
    /// Too many requests; try again after the given time.
    Limited { retry_after: Duration },
    /// A cursor or link is older than what is kept.
    Expired(Cow<'static, str>),
    /// The work took longer than its time limit.
    TimedOut,
    /// The input is larger than the configured limit; says which limit.
    TooLarge(Cow<'static, str>),
    /// Something we depend on does not answer; trying again may help.
    Unavailable(Cow<'static, str>),
    /// A defect or a fault of the machine. The source is logged, never shown.
    Internal(Source),
}

/// A refused change together with what a client needs to solve the conflict.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conflict {
    pub message: Cow<'static, str>,
    /// The fields at odds, for input forms.
    pub fields: FieldErrors,
    /// Present values or the id of the other record, as JSON; shape told by the operation.
    pub details: Option<serde_json::Value>,
}

/// Field name (as in the API's input, dotted for nested ones) to what would be right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(BTreeMap<Cow<'static, str>, Cow<'static, str>>);

impl FieldErrors {
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes one broken rule; the first one told about a field stays.
    pub fn add(&mut self, field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) {
        self.0.entry(field.into()).or_insert_with(|| message.into());
    }

    /// Keeps the value, or notes what is wrong with it under `field`.
    pub fn take<T>(&mut self, field: &'static str, parsed: Result<T, impl Into<Cow<'static, str>>>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(message) => {
                self.add(field, message);
                None
            }
        }
    }

    /// Takes over which fields another check refused.
    pub fn merge(&mut self, checked: Result<()>) {
        if let Err(Error::Invalid(wrong)) = checked {
            wrong.0.into_iter().for_each(|(field, message)| self.add(field, message));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, message)| (field.as_ref(), message.as_ref()))
    }

    /// `Ok` when nothing was noted, else the refusal.
    pub fn into_result(self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(Error::Invalid(self)) }
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (field, message)) in self.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{field} {message}")?;
        }
        Ok(())
    }
}

impl Error {
    /// One field is wrong; `message` continues the field's name: "is not an e-mail address".
    pub fn invalid(field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        let mut fields = FieldErrors::new();
        fields.add(field, message);
        Self::Invalid(fields)
    }

    pub fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Conflict(Conflict { message: message.into(), ..Conflict::default() })
    }

    /// A value of `field` is taken by another record.
    pub fn taken(field: &'static str, message: &'static str, other: Option<serde_json::Value>) -> Self {
        let mut fields = FieldErrors::new();
        fields.add(field, message);
        Self::Conflict(Conflict { message: format!("{field} {message}").into(), fields, details: other })
    }

    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }

    /// The stable code that every API carries; clients branch on it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "NOT_FOUND",
            Self::Forbidden(_) => "FORBIDDEN",
            Self::Unauthenticated(_) => "UNAUTHENTICATED",
            Self::Invalid(_) => "BAD_USER_INPUT",
            Self::Conflict(_) => "CONFLICT",
            Self::Limited { .. } => "RATE_LIMITED",
            Self::Expired(_) => "CURSOR_EXPIRED",
            Self::TimedOut => "TIMED_OUT",
            Self::TooLarge(_) => "TOO_LARGE",
            Self::Unavailable(_) => "UNAVAILABLE",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// What is wrong per field, where that is known.
    pub fn fields(&self) -> Option<&FieldErrors> {
        match self {
            Self::Invalid(fields) => Some(fields),
            Self::Conflict(conflict) if !conflict.fields.is_empty() => Some(&conflict.fields),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(what) => write!(f, "{what} not found"),
            Self::Forbidden(message)
            | Self::Unauthenticated(message)
            | Self::Expired(message)
            | Self::TooLarge(message)
            | Self::Unavailable(message) => f.write_str(message),
            Self::Invalid(fields) => fields.fmt(f),
            Self::Conflict(conflict) => f.write_str(&conflict.message),
            Self::Limited { retry_after } => {
                write!(f, "Too many requests; try again in {} s", retry_after.as_secs().max(1))
            }
            Self::TimedOut => f.write_str("This took longer than the time limit; narrow it down"),
            Self::Internal(_) => f.write_str("Something went wrong on our side; it has been logged"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Internal(source) => Some(source.as_ref()),
            _ => None,
        }
    }
}

/// What a panic said, for the log.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)")
}
