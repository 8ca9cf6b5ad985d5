//! Database errors in the words of operations: named constraints become field errors, a lost
//! connection becomes "unavailable", and nothing of the database's own text reaches a client.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};
use tokio_postgres::error::SqlState;

use crate::base::{Error, FieldErrors};

/// What a broken constraint means to the person who typed the value: field and message.
const CONSTRAINTS: &[(&str, &str, &str)] = &[
    ("members_pkey", "email", "belongs to a user of this workspace already"),
    ("users_email_key", "email", "is already used by another user"),
    ("invitations_open_key", "email", "has an open invitation already"),
    ("teams_name_key", "name", "is already used by another team"),
    ("team_members_member_fkey", "add", "names somebody who is not a user of this workspace"),
    ("accounts_account_number_key", "accountNumber", "is already used by another account"),
    ("pipelines_name_key", "name", "is already used by another pipeline"),
    ("pipeline_stages_name_key", "name", "is already used by another stage of the pipeline"),
    ("products_sku_key", "sku", "is already used by another product"),
    ("leads_owner_fkey", "ownerId", "is not a user of this workspace"),
    ("deals_owner_fkey", "ownerId", "is not a user of this workspace"),
    ("deals_account_fkey", "accountId", "is not an account of this workspace"),
    ("deals_contact_fkey", "contactId", "is not a contact of this workspace"),
    ("products_owner_fkey", "ownerId", "is not a user of this workspace"),
    ("tasks_owner_fkey", "ownerId", "is not a user of this workspace"),
    ("tasks_lead_fkey", "leadId", "is not a lead of this workspace"),
    ("tasks_contact_fkey", "contactId", "is not a contact of this workspace"),
    ("tasks_account_fkey", "accountId", "is not an account of this workspace"),
    ("tasks_deal_fkey", "dealId", "is not a deal of this workspace"),
    ("accounts_owner_fkey", "ownerId", "is not a user of this workspace"),
    ("contacts_email_key", "email", "is already used by another contact"),
    ("contact_extra_addresses_email_key", "email", "is already used by another contact"),
    ("contacts_owner_fkey", "ownerId", "is not a user of this workspace"),
    ("contacts_account_fkey", "accountId", "is not an account of this workspace"),
    ("contacts_reachable_check", "lastName", "or a first name, an e-mail address or a phone number is needed"),
    ("custom_fields_key_key", "key", "is already used by another custom field of this kind"),
    ("custom_values_unique_key", "customFields", "has a value that must be unique and that another record has"),
    ("list_folders_name_key", "name", "is already used by another folder"),
    ("contact_lists_folder_fkey", "folderId", "is not a folder of this workspace"),
    ("list_shares_key", "shares", "names somebody twice"),
    ("list_shares_user_fkey", "shares", "names somebody who is no user of this workspace"),
    ("list_shares_team_fkey", "shares", "names a team that this workspace does not have"),
    ("accounts_employees_check", "employees", "must not be negative"),
];

/// Constraints that an operation has looked after itself: broken, they tell that somebody else was
/// faster.
const OVERTAKEN: &[(&str, &str, &str)] = &[
    ("deals_stage_fkey", "stageId", "was deleted or moved meanwhile; choose another stage"),
    ("deal_products_product_fkey", "items", "name a product that was removed meanwhile"),
];

/// The conflict that a broken constraint of those tells of.
fn overtaken(name: Option<&str>) -> Option<Error> {
    let known = OVERTAKEN.iter().find(|known| Some(known.0) == name)?;
    Some(Error::taken(known.1, known.2, None))
}

/// Field and message of a named constraint.
fn constraint(name: &str) -> Option<(&'static str, &'static str)> {
    CONSTRAINTS.iter().find(|known| known.0 == name).map(|known| (known.1, known.2))
}

impl From<DieselError> for Error {
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(kind, information) => {
                from_database(*kind, information.as_ref()).unwrap_or_else(|| Self::internal(error))
            }
            _ => Self::internal(error),
        }
    }
}

fn from_database(kind: DatabaseErrorKind, information: &(dyn DatabaseErrorInformation + Send + Sync)) -> Option<Error> {
    if let Some(error) = overtaken(information.constraint_name()) {
        return Some(error);
    }
    let named = information.constraint_name().and_then(constraint);
    match kind {
        DatabaseErrorKind::UniqueViolation => named.map(|(field, message)| Error::taken(field, message, None)),
        DatabaseErrorKind::ForeignKeyViolation
        | DatabaseErrorKind::CheckViolation
        | DatabaseErrorKind::NotNullViolation => named.map(|(field, message)| Error::invalid(field, message)),
        DatabaseErrorKind::SerializationFailure => Some(try_again()),
        DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection => Some(lost()),
        _ => from_message(information.message()),
    }
}

/// diesel keeps no SQLSTATE for these, so the text must do; a server with translated messages
/// answers INTERNAL instead.
fn from_message(message: &str) -> Option<Error> {
    let says = |text| message.contains(text);
    if says("due to statement timeout") {
        Some(Error::TimedOut)
    } else if says("deadlock detected") || says("due to lock timeout") {
        Some(try_again())
    } else if says("terminating connection")
        || says("is shutting down")
        || says("is starting up")
        || says("recovery mode")
    {
        Some(lost())
    } else {
        None
    }
}

fn lost() -> Error {
    Error::Unavailable("The connection to the database was lost; try again in a moment".into())
}

fn try_again() -> Error {
    Error::Unavailable("Another change was in the way; try again".into())
}

/// The same for connections that diesel does not drive.
pub fn from_postgres(error: tokio_postgres::Error) -> Error {
    let Some(database) = error.as_db_error() else {
        return if error.is_closed() { lost() } else { Error::internal(error) };
    };
    if let Some(error) = overtaken(database.constraint()) {
        return error;
    }
    let named = database.constraint().and_then(constraint);
    match (named, database.code()) {
        (Some((field, message)), code) if *code == SqlState::UNIQUE_VIOLATION => Error::taken(field, message, None),
        (Some((field, message)), _) => {
            let mut fields = FieldErrors::new();
            fields.add(field, message);
            Error::Invalid(fields)
        }
        (None, _) => from_message(database.message()).unwrap_or_else(|| Error::internal(error)),
    }
}

/// Why a connection could not be opened, as one plain sentence with the remedy where there is one.
pub fn connect_sentence(error: &tokio_postgres::Error) -> String {
    if let Some(database) = error.as_db_error() {
        return match *database.code() {
            SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                format!("PostgreSQL refused the user or the password of DATABASE_URL ({}).", database.message())
            }
            SqlState::INVALID_CATALOG_NAME => {
                format!("The database of DATABASE_URL is missing ({}); make it with createdb.", database.message())
            }
            SqlState::TOO_MANY_CONNECTIONS => "PostgreSQL has no connection left for us; raise its max_connections \
                 or lower database_connections."
                .to_owned(),
            SqlState::CANNOT_CONNECT_NOW => format!("PostgreSQL is not ready yet ({}).", database.message()),
            SqlState::INSUFFICIENT_PRIVILEGE | SqlState::UNDEFINED_OBJECT => format!(
                "The user of DATABASE_URL may not act as our roles ({}); docs/deployment.md has the SQL for an \
                 administrator.",
                database.message()
            ),
            // of SET ROLE
            SqlState::INVALID_PARAMETER_VALUE => {
                format!("The database of DATABASE_URL was never prepared ({}); run kontor migrate.", database.message())
            }
            _ => format!("PostgreSQL answered: {}.", database.message()),
        };
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    format!("PostgreSQL cannot be reached: {innermost}. Is the host in DATABASE_URL right, and is it running?")
}
