//! Records of every kind: queries and mutations, which differ by the kind alone. (Their changes are
//! in `changes`.)

use async_graphql::{Context, Enum, ID, InputObject, MergedObject, Object, SimpleObject};
use uuid::Uuid;

use super::{
    context::{Repeatable, both, caller, once},
    errors::{Nullable, nullable, parse_id},
    loaders::Loaders,
    objects::{
        account::{AccountConnection, AccountObject},
        contact::{ContactConnection, ContactObject},
        criteria::RecordCriteria,
        deal::{DealConnection, DealObject},
        deleted::{self, DeletedConnection},
        input::{AccountInput, ContactInput, DealInput, LeadInput, ProductInput, TaskInput},
        lead::{LeadConnection, LeadObject},
        product::{ProductConnection, ProductObject},
        record::{Counted, RecordObject, Shown},
        task::{TaskConnection, TaskObject},
    },
    order::OrderDirection,
};
use crate::{
    base::{
        Error,
        ids::{AccountId, ContactId, DealId, LeadId, ProductId, TaskId},
        page::PageArgs,
    },
    crm::{
        Account, Contact, Deal, Lead, Product, RecordKind, Task,
        matching::{self, ARGUMENT, Filter},
        record::{
            Record, deletion, ops,
            select::{Order, Sort},
            tags,
        },
    },
    for_kind, id_input,
};

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

#[derive(SimpleObject)]
#[graphql(name = "DeleteRecordPayload")]
pub struct DeleteRecordPayload {
    /// What was deleted; it can be restored.
    deleted_id: ID,
}

/// A page of records as a query asks for it.
async fn page<R: Shown>(
    context: &Context<'_>,
    filter: Filter,
    order: Option<Order>,
    args: PageArgs,
) -> async_graphql::Result<R::Connection> {
    let (ctx, caller) = both(context)?;
    let order = order.unwrap_or(Order::NEWEST_FIRST);
    let slice = matching::page::<R>(ctx, caller, &filter, order, args).await?;
    Ok(R::connection(slice, Counted::Found(Box::new(filter))))
}

/// The order by the field of this name, which has an index.
fn by<R: Record>(name: &str, direction: OrderDirection) -> Order {
    let field = match name {
        // ids grow with time
        "createdAt" => None,
        "updatedAt" => Some(Sort::UPDATED_AT),
        name => R::FIELDS.iter().find(|field| field.name == name).map(Sort::by),
    };
    Order { field, descending: direction.descending() }
}

/// Pages sort by one thing; a list is taken so that more can come later.
fn single<T>(orders: Option<Vec<T>>) -> async_graphql::Result<Option<T>> {
    match orders.map(|orders| <[T; 1]>::try_from(orders).map_err(|orders| orders.len())) {
        None | Some(Err(0)) => Ok(None),
        Some(Ok([order])) => Ok(Some(order)),
        Some(Err(_)) => Err(Error::invalid("orderBy", "takes one order").into()),
    }
}

/// The queries and mutations of one kind. A name of the API stands beside each name of ours.
macro_rules! record_operations {
    ($record:ident $id:ident $object:ident $connection:ident $input:ident,
     queries $query:ident $query_name:literal $one:ident $many:ident, $many_doc:literal, $one_doc:literal, search $search_doc:literal,
     order $order:ident $order_name:literal $order_field:ident $order_field_name:literal, $order_doc:literal { $($variant:ident $field:literal)+ },
     mutations $mutation:ident $mutation_name:literal,
     create $create:ident $create_input:ident $create_input_name:literal $create_payload:ident $create_payload_name:literal,
     update $update:ident $update_input:ident $update_input_name:literal $update_payload:ident $update_payload_name:literal,
     delete $delete:ident,
     restore $restore:ident $restore_payload:ident $restore_payload_name:literal
    ) => {
        #[doc = $order_doc]
        #[derive(Clone, Copy, PartialEq, Eq, Enum)]
        #[graphql(name = $order_field_name)]
        pub enum $order_field {
            $($variant,)+
        }

        #[derive(InputObject)]
        #[graphql(name = $order_name)]
        pub struct $order {
            field: $order_field,
            #[graphql(default_with = "OrderDirection::Asc")]
            direction: OrderDirection,
        }

        impl $order {
            fn order(&self) -> Order {
                let name = match self.field { $($order_field::$variant => $field,)+ };
                by::<$record>(name, self.direction)
            }
        }

        #[derive(Default)]
        pub struct $query;

        #[Object(name = $query_name)]
        impl $query {
            #[doc = $many_doc]
            async fn $many(
                &self,
                context: &Context<'_>,
                #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
                #[graphql(desc = "A cursor of this list.")] after: Option<String>,
                last: Option<i32>,
                before: Option<String>,
                #[graphql(desc = $search_doc)] search: Option<String>,
                #[graphql(name = "where", desc = "Only those that these criteria mean.")] criteria: Option<RecordCriteria>,
                #[graphql(desc = "One order; ties are broken by age.")] order_by: Option<Vec<$order>>,
            ) -> async_graphql::Result<$connection> {
                let order = single(order_by)?.map(|order| order.order());
                let criteria = criteria.map(|criteria| criteria.node(ARGUMENT)).transpose()?;
                page::<$record>(context, Filter { search, criteria }, order, PageArgs { first, after, last, before }).await
            }

            #[doc = $one_doc]
            async fn $one(&self, context: &Context<'_>, id: ID) -> Nullable<$object> {
                nullable(async {
                    caller(context)?;
                    let Ok(id) = id.parse::<$id>() else { return Ok(None) };
                    Ok(context.data::<Loaders>()?.singles.load_one(id).await?.map($object))
                })
                .await
            }
        }

        #[derive(InputObject)]
        #[graphql(name = $create_input_name)]
        pub struct $create_input {
            #[graphql(flatten)]
            repeat: Repeatable,
            $one: $input,
        }

        #[derive(InputObject)]
        #[graphql(name = $update_input_name)]
        pub struct $update_input {
            #[graphql(flatten)]
            repeat: Repeatable,
            id: ID,
            /// The version you read. The update is refused where somebody has changed one of these
            /// fields since; without it the last one wins.
            expected_version: Option<i32>,
            /// Absent fields stay as they are, nulls clear.
            patch: $input,
        }

        #[derive(SimpleObject)]
        #[graphql(name = $create_payload_name)]
        pub struct $create_payload {
            $one: $object,
        }

        #[derive(SimpleObject)]
        #[graphql(name = $update_payload_name)]
        pub struct $update_payload {
            $one: $object,
        }

        #[derive(SimpleObject)]
        #[graphql(name = $restore_payload_name)]
        pub struct $restore_payload {
            $one: $object,
        }

        #[derive(Default)]
        pub struct $mutation;

        #[Object(name = $mutation_name)]
        impl $mutation {
            async fn $create(
                &self,
                context: &Context<'_>,
                input: $create_input,
            ) -> async_graphql::Result<$create_payload> {
                let (ctx, caller) = once(context, &input.repeat)?;
                let given = input.$one.given();
                let $one = ops::create(ctx, &caller, given.raw()).await?;
                Ok($create_payload { $one: $object($one) })
            }

            async fn $update(
                &self,
                context: &Context<'_>,
                input: $update_input,
            ) -> async_graphql::Result<$update_payload> {
                let (ctx, caller) = once(context, &input.repeat)?;
                let id: $id = parse_id("id", &input.id)?;
                let given = input.patch.given();
                let $one = ops::update(ctx, &caller, id.0, input.expected_version, given.raw()).await?;
                Ok($update_payload { $one: $object($one) })
            }

            async fn $delete(
                &self,
                context: &Context<'_>,
                input: DeleteRecordInput,
            ) -> async_graphql::Result<DeleteRecordPayload> {
                let (ctx, caller) = once(context, &input.repeat)?;
                let id: $id = parse_id("id", &input.id)?;
                ops::delete::<$record>(ctx, &caller, id.0, input.expected_version).await?;
                Ok(DeleteRecordPayload { deleted_id: input.id })
            }

            /// Takes a deletion back.
            async fn $restore(
                &self,
                context: &Context<'_>,
                input: RestoreRecordInput,
            ) -> async_graphql::Result<$restore_payload> {
                let (ctx, caller) = once(context, &input.repeat)?;
                let id: $id = parse_id("id", &input.id)?;
                let $one = ops::restore(ctx, &caller, id.0).await?;
                Ok($restore_payload { $one: $object($one) })
            }
        }
    };
}

record_operations! {
    Lead LeadId LeadObject LeadConnection LeadInput,
    queries LeadQuery "LeadQuery" lead leads, "The people who may become customers, the newest first unless told otherwise.", "One lead; null where there is none.", search "A fragment of the name, the e-mail address, the company or the phone number, of which the digits count.",
    order LeadOrder "LeadOrder" LeadOrderField "LeadOrderField", "What leads can be sorted by; each has an index." { CreatedAt "createdAt" UpdatedAt "updatedAt" LastName "lastName" Email "email" LeadScore "leadScore" Status "status" },
    mutations LeadMutation "LeadMutation",
    create create_lead CreateLeadInput "CreateLeadInput" CreateLeadPayload "CreateLeadPayload",
    update update_lead UpdateLeadInput "UpdateLeadInput" UpdateLeadPayload "UpdateLeadPayload",
    delete delete_lead,
    restore restore_lead RestoreLeadPayload "RestoreLeadPayload"
}

record_operations! {
    Contact ContactId ContactObject ContactConnection ContactInput,
    queries ContactQuery "ContactQuery" contact contacts, "Contacts, the newest first unless told otherwise.", "One contact; null where there is none.", search "A fragment of the name, an e-mail address, a phone number, of which the digits count, or the name of the account.",
    order ContactOrder "ContactOrder" ContactOrderField "ContactOrderField", "What contacts can be sorted by; each has an index." { CreatedAt "createdAt" UpdatedAt "updatedAt" LastName "lastName" Email "email" Country "country" },
    mutations ContactMutation "ContactMutation",
    create create_contact CreateContactInput "CreateContactInput" CreateContactPayload "CreateContactPayload",
    update update_contact UpdateContactInput "UpdateContactInput" UpdateContactPayload "UpdateContactPayload",
    delete delete_contact,
    restore restore_contact RestoreContactPayload "RestoreContactPayload"
}

record_operations! {
    Account AccountId AccountObject AccountConnection AccountInput,
    queries AccountQuery "AccountQuery" account accounts, "Accounts, the newest first unless told otherwise.", "One account; null where there is none.", search "A fragment of the name, the industry, the host of the website or the phone number, of which the digits count.",
    order AccountOrder "AccountOrder" AccountOrderField "AccountOrderField", "What accounts can be sorted by; each has an index." { CreatedAt "createdAt" UpdatedAt "updatedAt" Name "name" AccountNumber "accountNumber" },
    mutations AccountMutation "AccountMutation",
    create create_account CreateAccountInput "CreateAccountInput" CreateAccountPayload "CreateAccountPayload",
    update update_account UpdateAccountInput "UpdateAccountInput" UpdateAccountPayload "UpdateAccountPayload",
    delete delete_account,
    restore restore_account RestoreAccountPayload "RestoreAccountPayload"
}

record_operations! {
    Deal DealId DealObject DealConnection DealInput,
    queries DealQuery "DealQuery" deal deals, "Deals, the newest first unless told otherwise.", "One deal; null where there is none.", search "A fragment of the name or the description.",
    order DealOrder "DealOrder" DealOrderField "DealOrderField", "What deals can be sorted by; each has an index." { CreatedAt "createdAt" UpdatedAt "updatedAt" Name "name" Amount "amount" ExpectedCloseDate "expectedCloseDate" },
    mutations DealMutation "DealMutation",
    create create_deal CreateDealInput "CreateDealInput" CreateDealPayload "CreateDealPayload",
    update update_deal UpdateDealInput "UpdateDealInput" UpdateDealPayload "UpdateDealPayload",
    delete delete_deal,
    restore restore_deal RestoreDealPayload "RestoreDealPayload"
}

record_operations! {
    Product ProductId ProductObject ProductConnection ProductInput,
    queries ProductQuery "ProductQuery" product products, "Products, the newest first unless told otherwise.", "One product; null where there is none.", search "A fragment of the name, the stock-keeping unit or the description.",
    order ProductOrder "ProductOrder" ProductOrderField "ProductOrderField", "What products can be sorted by; each has an index." { CreatedAt "createdAt" UpdatedAt "updatedAt" Name "name" Sku "sku" },
    mutations ProductMutation "ProductMutation",
    create create_product CreateProductInput "CreateProductInput" CreateProductPayload "CreateProductPayload",
    update update_product UpdateProductInput "UpdateProductInput" UpdateProductPayload "UpdateProductPayload",
    delete delete_product,
    restore restore_product RestoreProductPayload "RestoreProductPayload"
}

record_operations! {
    Task TaskId TaskObject TaskConnection TaskInput,
    queries TaskQuery "TaskQuery" task tasks, "Tasks, the newest first unless told otherwise.", "One task; null where there is none.", search "A fragment of the title or the description.",
    order TaskOrder "TaskOrder" TaskOrderField "TaskOrderField", "What tasks can be sorted by; each has an index." { CreatedAt "createdAt" UpdatedAt "updatedAt" DueDate "dueDate" },
    mutations TaskMutation "TaskMutation",
    create create_task CreateTaskInput "CreateTaskInput" CreateTaskPayload "CreateTaskPayload",
    update update_task UpdateTaskInput "UpdateTaskInput" UpdateTaskPayload "UpdateTaskPayload",
    delete delete_task,
    restore restore_task RestoreTaskPayload "RestoreTaskPayload"
}

/// A tag, and how many records have it.
#[derive(SimpleObject)]
#[graphql(name = "TagCount")]
pub struct TagCountObject {
    name: String,
    /// Live records that you see.
    count: i64,
}

/// Queries about records of any kind.
#[derive(Default)]
pub struct AnyRecordQuery;

#[Object(name = "AnyRecordQuery")]
impl AnyRecordQuery {
    /// One record of any kind; null where there is none.
    async fn record(&self, context: &Context<'_>, kind: RecordKind, id: ID) -> Nullable<RecordObject> {
        nullable(async {
            let (ctx, caller) = both(context)?;
            let Ok(id) = id.parse::<Uuid>() else { return Ok(None) };
            let found = for_kind!(kind, R => {
                ops::by_ids::<R>(ctx, caller, &[id]).await?.into_iter().next().map(Shown::into_record)
            });
            Ok(found)
        })
        .await
    }

    /// The deleted records of a kind that can be restored, what was deleted last first. Those that were merged
    /// into another one are not among them: see `undoMerge`.
    async fn deleted_records(
        &self,
        context: &Context<'_>,
        kind: RecordKind,
        #[graphql(desc = "At most 500; 50 unless told.")] first: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] after: Option<String>,
        #[graphql(desc = "At most 500; with `before`.")] last: Option<i32>,
        #[graphql(desc = "A cursor of this list.")] before: Option<String>,
    ) -> async_graphql::Result<DeletedConnection> {
        let (ctx, caller) = both(context)?;
        let args = PageArgs { first, after, last, before };
        Ok(for_kind!(kind, R => {
            DeletedConnection::new(deletion::page::<R>(ctx, caller, args).await?, kind, deleted::edge)
        }))
    }

    /// The tags of a kind of records, the most used first; at most 500.
    async fn tags(
        &self,
        context: &Context<'_>,
        kind: RecordKind,
        #[graphql(desc = "A fragment of the tag, in whatever case.")] search: Option<String>,
    ) -> async_graphql::Result<Vec<TagCountObject>> {
        let (ctx, caller) = both(context)?;
        let counted = for_kind!(kind, R => tags::in_use::<R>(ctx, caller, search.as_deref()).await?);
        Ok(counted.into_iter().map(|tag| TagCountObject { name: tag.name, count: tag.count }).collect())
    }
}

/// Queries about records.
#[derive(MergedObject, Default)]
#[graphql(name = "RecordQuery")]
pub struct RecordQuery(LeadQuery, ContactQuery, AccountQuery, DealQuery, ProductQuery, TaskQuery, AnyRecordQuery);

/// Mutations of records.
#[derive(MergedObject, Default)]
#[graphql(name = "RecordMutation")]
pub struct RecordMutation(LeadMutation, ContactMutation, AccountMutation, DealMutation, ProductMutation, TaskMutation);
