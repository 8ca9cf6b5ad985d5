//! Contacts and accounts: queries and mutations. (Their changes are in `changes`.)

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::{
    context::{Repeatable, both, caller, once},
    errors::{Nullable, nullable, parse_id},
    loaders::Loaders,
    objects::{
        account::{AccountConnection, AccountObject},
        contact::{ContactConnection, ContactObject},
        input::{AccountInput, ContactInput},
        record::RecordObject,
    },
};
use crate::{
    base::{
        Error,
        ids::{AccountId, ContactId},
        page::{self, PageArgs},
    },
    crm::{
        Account, Contact, RecordKind,
        record::{
            ops,
            select::{self, Order, Sort},
        },
    },
    id_input,
};

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "OrderDirection")]
pub enum OrderDirection {
    Asc,
    Desc,
}

impl OrderDirection {
    fn descending(self) -> bool {
        self == Self::Desc
    }
}

/// What contacts can be sorted by; each has an index.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "ContactOrderField")]
pub enum ContactOrderField {
    CreatedAt,
    UpdatedAt,
    LastName,
    Email,
    Country,
}

#[derive(InputObject)]
#[graphql(name = "ContactOrder")]
pub struct ContactOrder {
    field: ContactOrderField,
    #[graphql(default_with = "OrderDirection::Asc")]
    direction: OrderDirection,
}

/// What accounts can be sorted by; each has an index.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "AccountOrderField")]
pub enum AccountOrderField {
    CreatedAt,
    UpdatedAt,
    Name,
    AccountNumber,
}

#[derive(InputObject)]
#[graphql(name = "AccountOrder")]
pub struct AccountOrder {
    field: AccountOrderField,
    #[graphql(default_with = "OrderDirection::Asc")]
    direction: OrderDirection,
}

const TEXT: &str = "text";

impl ContactOrder {
    fn order(&self) -> Order {
        let field = match self.field {
            ContactOrderField::CreatedAt => None,
            ContactOrderField::UpdatedAt => Some(Sort::UPDATED_AT),
            ContactOrderField::LastName => Some(Sort { column: "last_name", sql_type: TEXT }),
            ContactOrderField::Email => Some(Sort { column: "email", sql_type: TEXT }),
            ContactOrderField::Country => Some(Sort { column: "country", sql_type: TEXT }),
        };
        Order { field, descending: self.direction.descending() }
    }
}

impl AccountOrder {
    fn order(&self) -> Order {
        let field = match self.field {
            AccountOrderField::CreatedAt => None,
            AccountOrderField::UpdatedAt => Some(Sort::UPDATED_AT),
            AccountOrderField::Name => Some(Sort { column: "name", sql_type: TEXT }),
            AccountOrderField::AccountNumber => Some(Sort { column: "account_number", sql_type: TEXT }),
        };
        Order { field, descending: self.direction.descending() }
    }
}

/// Queries about records.
#[derive(Default)]
pub struct RecordQuery;

#[Object(name = "RecordQuery")]
impl RecordQuery {
    /// Contacts, the newest first unless told otherwise.
    async fn contacts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "A fragment of the name or the e-mail address.")] search: Option<String>,
        #[graphql(desc = "One order; ties are broken by age.")] order_by: Option<Vec<ContactOrder>>,
    ) -> async_graphql::Result<ContactConnection> {
        let (ctx, caller) = both(context)?;
        let order = single(order_by)?.map_or(Order::NEWEST_FIRST, |order| order.order());
        let args = PageArgs { first, after, last, before };
        let slice = select::page::<Contact>(ctx, caller, search.as_deref(), order, args).await?;
        Ok(ContactConnection::new(slice, search, |(at, row)| (page::encode(&at), ContactObject(row))))
    }

    /// One contact; null where there is none.
    async fn contact(&self, context: &Context<'_>, id: ID) -> Nullable<ContactObject> {
        nullable(self.contact_of(context, id)).await
    }

    /// Accounts, the newest first unless told otherwise.
    async fn accounts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "A fragment of the name or the industry.")] search: Option<String>,
        #[graphql(desc = "One order; ties are broken by age.")] order_by: Option<Vec<AccountOrder>>,
    ) -> async_graphql::Result<AccountConnection> {
        let (ctx, caller) = both(context)?;
        let order = single(order_by)?.map_or(Order::NEWEST_FIRST, |order| order.order());
        let args = PageArgs { first, after, last, before };
        let slice = select::page::<Account>(ctx, caller, search.as_deref(), order, args).await?;
        Ok(AccountConnection::new(slice, search, |(at, row)| (page::encode(&at), AccountObject(row))))
    }

    /// One account; null where there is none.
    async fn account(&self, context: &Context<'_>, id: ID) -> Nullable<AccountObject> {
        nullable(self.account_of(context, id)).await
    }

    /// One record of any kind; null where there is none.
    async fn record(&self, context: &Context<'_>, kind: RecordKind, id: ID) -> Nullable<RecordObject> {
        nullable(async {
            match kind {
                RecordKind::Contact => Ok(self.contact_of(context, id).await?.map(RecordObject::Contact)),
                RecordKind::Account => Ok(self.account_of(context, id).await?.map(RecordObject::Account)),
                RecordKind::Lead | RecordKind::Deal | RecordKind::Product | RecordKind::Task => Ok(None),
            }
        })
        .await
    }
}

impl RecordQuery {
    async fn contact_of(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<Option<ContactObject>> {
        caller(context)?;
        let Ok(id) = id.parse::<ContactId>() else { return Ok(None) };
        Ok(context.data::<Loaders>()?.singles.load_one(id).await?.map(ContactObject))
    }

    async fn account_of(&self, context: &Context<'_>, id: ID) -> async_graphql::Result<Option<AccountObject>> {
        caller(context)?;
        let Ok(id) = id.parse::<AccountId>() else { return Ok(None) };
        Ok(context.data::<Loaders>()?.singles.load_one(id).await?.map(AccountObject))
    }
}

#[derive(InputObject)]
#[graphql(name = "CreateContactInput")]
pub struct CreateContactInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    contact: ContactInput,
}

#[derive(InputObject)]
#[graphql(name = "UpdateContactInput")]
pub struct UpdateContactInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// The version you read. The update is refused where somebody has changed one of these fields
    /// since; without it the last one wins.
    expected_version: Option<i32>,
    /// Absent fields stay as they are, nulls clear.
    patch: ContactInput,
}

#[derive(InputObject)]
#[graphql(name = "CreateAccountInput")]
pub struct CreateAccountInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    account: AccountInput,
}

#[derive(InputObject)]
#[graphql(name = "UpdateAccountInput")]
pub struct UpdateAccountInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// The version you read. The update is refused where somebody has changed one of these fields
    /// since; without it the last one wins.
    expected_version: Option<i32>,
    /// Absent fields stay as they are, nulls clear.
    patch: AccountInput,
}

#[derive(InputObject)]
#[graphql(name = "DeleteRecordInput")]
pub struct DeleteRecordInput {
    #[graphql(flatten)]
    repeat: Repeatable,
    id: ID,
    /// Refuses where the record has changed since this version.
    expected_version: Option<i32>,
}

id_input!(RestoreRecordInput "RestoreRecordInput");

/// What the mutations of one kind answer with.
macro_rules! payloads {
    ($($name:ident $graphql:literal { $field:ident: $object:ty })+) => {$(
        #[derive(SimpleObject)]
        #[graphql(name = $graphql)]
        pub struct $name {
            $field: $object,
        }
    )+};
}

payloads! {
    CreateContactPayload "CreateContactPayload" { contact: ContactObject }
    UpdateContactPayload "UpdateContactPayload" { contact: ContactObject }
    RestoreContactPayload "RestoreContactPayload" { contact: ContactObject }
    CreateAccountPayload "CreateAccountPayload" { account: AccountObject }
    UpdateAccountPayload "UpdateAccountPayload" { account: AccountObject }
    RestoreAccountPayload "RestoreAccountPayload" { account: AccountObject }
}

#[derive(SimpleObject)]
#[graphql(name = "DeleteRecordPayload")]
pub struct DeleteRecordPayload {
    /// What was deleted; it can be restored.
    deleted_id: ID,
}

/// Mutations of records.
#[derive(Default)]
pub struct RecordMutation;

#[Object(name = "RecordMutation")]
impl RecordMutation {
    async fn create_contact(
        &self,
        context: &Context<'_>,
        input: CreateContactInput,
    ) -> async_graphql::Result<CreateContactPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let given = input.contact.given();
        let contact = ops::create(ctx, &caller, given.raw()).await?;
        Ok(CreateContactPayload { contact: ContactObject(contact) })
    }

    async fn update_contact(
        &self,
        context: &Context<'_>,
        input: UpdateContactInput,
    ) -> async_graphql::Result<UpdateContactPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: ContactId = parse_id("id", &input.id)?;
        let given = input.patch.given();
        let contact = ops::update(ctx, &caller, id.0, input.expected_version, given.raw()).await?;
        Ok(UpdateContactPayload { contact: ContactObject(contact) })
    }

    async fn delete_contact(
        &self,
        context: &Context<'_>,
        input: DeleteRecordInput,
    ) -> async_graphql::Result<DeleteRecordPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: ContactId = parse_id("id", &input.id)?;
        ops::delete::<Contact>(ctx, &caller, id.0, input.expected_version).await?;
        Ok(DeleteRecordPayload { deleted_id: input.id })
    }

    /// Takes a deletion back.
    async fn restore_contact(
        &self,
        context: &Context<'_>,
        input: RestoreRecordInput,
    ) -> async_graphql::Result<RestoreContactPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: ContactId = parse_id("id", &input.id)?;
        let contact = ops::restore(ctx, &caller, id.0).await?;
        Ok(RestoreContactPayload { contact: ContactObject(contact) })
    }

    async fn create_account(
        &self,
        context: &Context<'_>,
        input: CreateAccountInput,
    ) -> async_graphql::Result<CreateAccountPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let given = input.account.given();
        let account = ops::create(ctx, &caller, given.raw()).await?;
        Ok(CreateAccountPayload { account: AccountObject(account) })
    }

    async fn update_account(
        &self,
        context: &Context<'_>,
        input: UpdateAccountInput,
    ) -> async_graphql::Result<UpdateAccountPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: AccountId = parse_id("id", &input.id)?;
        let given = input.patch.given();
        let account = ops::update(ctx, &caller, id.0, input.expected_version, given.raw()).await?;
        Ok(UpdateAccountPayload { account: AccountObject(account) })
    }

    async fn delete_account(
        &self,
        context: &Context<'_>,
        input: DeleteRecordInput,
    ) -> async_graphql::Result<DeleteRecordPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: AccountId = parse_id("id", &input.id)?;
        ops::delete::<Account>(ctx, &caller, id.0, input.expected_version).await?;
        Ok(DeleteRecordPayload { deleted_id: input.id })
    }

    /// Takes a deletion back.
    async fn restore_account(
        &self,
        context: &Context<'_>,
        input: RestoreRecordInput,
    ) -> async_graphql::Result<RestoreAccountPayload> {
        let (ctx, caller) = once(context, &input.repeat)?;
        let id: AccountId = parse_id("id", &input.id)?;
        let account = ops::restore(ctx, &caller, id.0).await?;
        Ok(RestoreAccountPayload { account: AccountObject(account) })
    }
}

/// Pages sort by one thing; a list is taken so that more can come later.
fn single<T>(orders: Option<Vec<T>>) -> async_graphql::Result<Option<T>> {
    match orders.map(|orders| <[T; 1]>::try_from(orders).map_err(|orders| orders.len())) {
        None | Some(Err(0)) => Ok(None),
        Some(Ok([order])) => Ok(Some(order)),
        Some(Err(_)) => Err(Error::invalid("orderBy", "takes one order").into()),
    }
}
