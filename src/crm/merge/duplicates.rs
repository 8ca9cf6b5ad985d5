//! Finding records that may be the same: beside one of them, and in all of a workspace.

use std::time::Duration;

use uuid::Uuid;

use super::{
    model::DuplicateGroup,
    queries::duplicates::{self as queries, Candidate, Mark, Marks},
};
use crate::{
    auth::Caller,
    base::{
        Error, Result,
        page::{PageArgs, Slice},
    },
    crm::{
        contacts::addresses,
        record::{Field, Record, RecordKind, Sight, Value, ops},
    },
    ctx::Ctx,
    db::Tx,
    text_enum,
};

/// Most candidates that are shown.
const SHOWN: usize = 50;
/// Most records of one group that are shown.
const OF_GROUP: i64 = 50;
/// Names that are as similar as this speak for themselves,
const SIMILAR: f32 = 0.8;
/// and of one company less will do.
const SIMILAR_OF_COMPANY: f32 = 0.45;
/// All records are looked at, so it may take longer than most.
const WITHIN: Duration = Duration::from_secs(10);

text_enum! {
    /// Why two records may be one.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "DuplicateReason")]
    pub enum Reason {
        /// An e-mail address is the same; of contacts, further ones too.
        SameEmail = "same_email",
        /// A phone number is the same, however it is written, with or without its country.
        SamePhone = "same_phone",
        /// The names are alike.
        SimilarName = "similar_name",
        /// The company is the same, or the domain of the e-mail addresses.
        SameCompany = "same_company",
    }
}

text_enum! {
    /// By what records are grouped that may be one.
    #[derive(async_graphql::Enum)]
    #[graphql(name = "DuplicateMark")]
    pub enum GroupedBy {
        Email = "email",
        Phone = "phone",
        Name = "name",
    }
}

/// A record that may be the same as another.
#[derive(Debug, Clone)]
pub struct Duplicate<R> {
    pub record: R,
    pub reasons: Vec<Reason>,
    /// From 0 to 1.
    pub score: f64,
}

/// Live records that the caller sees and that may be the same as this one, the likeliest first; at most
/// fifty.
pub async fn of_record<R: Record>(ctx: &Ctx, caller: &Caller, id: Uuid) -> Result<Vec<Duplicate<R>>> {
    if R::KIND == RecordKind::Task {
        return Err(Error::invalid("kind", "has no duplicates: two tasks may well be the same"));
    }
    let sight = Sight::of::<R>(caller)?;
    let record = ops::get::<R>(ctx, caller, id).await?;
    let mut marks = marks(&record);
    if R::KIND == RecordKind::Contact {
        for further in addresses::of_contacts(ctx, caller, &[id.into()]).await?.into_values().flatten() {
            match further.kind {
                addresses::AddressKind::Email => marks.emails.push(further.address),
                addresses::AddressKind::Phone => marks.phones.push(further.address),
            }
        }
    }
    let mut tx = system(ctx, caller).await?;
    let found = queries::candidates(tx.connection(), caller.workspace, (R::KIND, id), sight, &marks).await?;
    tx.commit().await?;
    let mut judged: Vec<_> = found.iter().filter_map(|one| judge(one).map(|judged| (one.id, judged))).collect();
    judged.sort_by(|(one, (_, score)), (other, (_, other_score))| other_score.total_cmp(score).then(one.cmp(other)));
    judged.truncate(SHOWN);
    let ids: Vec<_> = judged.iter().map(|(id, _)| *id).collect();
    let mut records = ops::by_ids::<R>(ctx, caller, &ids).await?;
    let mut duplicates = Vec::new();
    for (id, (reasons, score)) in judged {
        if let Some(at) = records.iter().position(|record| record.meta().id == id) {
            duplicates.push(Duplicate { record: records.swap_remove(at), reasons, score });
        }
    }
    Ok(duplicates)
}

/// Reasons and score, where there is enough of a reason: each makes it less likely that the two are not
/// one.
fn judge(candidate: &Candidate) -> Option<(Vec<Reason>, f64)> {
    let least = if candidate.company { SIMILAR_OF_COMPANY } else { SIMILAR };
    let is_alike = candidate.name >= least;
    let weighed = [
        (candidate.email, Reason::SameEmail, 0.95),
        (candidate.phone, Reason::SamePhone, 0.7),
        (is_alike, Reason::SimilarName, 0.6 * f64::from(candidate.name)),
        (candidate.company && (is_alike || candidate.phone || candidate.email), Reason::SameCompany, 0.3),
    ];
    let holding = weighed.into_iter().filter(|(holds, _, _)| *holds);
    let (mut reasons, mut unlikely) = (Vec::new(), 1.0);
    for (_, reason, weight) in holding {
        reasons.push(reason);
        unlikely *= 1.0 - weight;
    }
    (!reasons.is_empty()).then_some((reasons, 1.0 - unlikely))
}

fn marks<R: Record>(record: &R) -> Marks {
    let text = |column: &str| {
        let field: Option<&Field> = R::FIELDS.iter().find(|field| field.column == column);
        match field.map(|field| record.get(field)) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    };
    let account = R::FIELDS.iter().find(|field| field.column == "account_id").map(|field| record.get(field));
    let name = match R::KIND {
        RecordKind::Lead | RecordKind::Contact => {
            let parts: Vec<_> = ["first_name", "last_name"].into_iter().filter_map(text).collect();
            (!parts.is_empty()).then(|| parts.join(" "))
        }
        RecordKind::Task => None,
        RecordKind::Account | RecordKind::Deal | RecordKind::Product => text("name"),
    };
    Marks {
        emails: text("email").into_iter().collect(),
        phones: ["phone", "mobile"].into_iter().filter_map(text).collect(),
        name: name.map(|name| name.to_lowercase()),
        account: account.and_then(|account| if let Value::Id(id) = account { Some(id) } else { None }),
        company: text("company").map(|company| company.to_lowercase()),
    }
}

/// For what the app role would do without its indexes.
async fn system(ctx: &Ctx, caller: &Caller) -> Result<Tx> {
    let mut tx = ctx.db.search_in(caller.workspace).await?;
    tx.limit_statements(WITHIN).await?;
    Ok(tx)
}

/// A page of the groups of live records that the caller sees and that have a mark in common, in the order
/// of the marks.
pub async fn groups<R: Record>(
    ctx: &Ctx,
    caller: &Caller,
    by: GroupedBy,
    args: PageArgs,
) -> Result<Slice<DuplicateGroup>> {
    let sight = Sight::of::<R>(caller)?;
    let mark = mark::<R>(by)?;
    let page = args.parse::<String>()?;
    page.require_cursor(|key| !key.contains('\0'))?;
    if page.is_backward() {
        return Err(Error::invalid("last", "is not known here; groups are read forwards"));
    }
    let mut tx = system(ctx, caller).await?;
    let (after, most) = (page.from.as_deref(), (page.fetch(), OF_GROUP));
    let found = queries::groups(tx.connection(), caller.workspace, (R::KIND, mark), sight, after, most).await?;
    tx.commit().await?;
    Ok(page.slice(found))
}

/// How many groups there are.
pub async fn count_groups<R: Record>(ctx: &Ctx, caller: &Caller, by: GroupedBy) -> Result<i64> {
    let sight = Sight::of::<R>(caller)?;
    let mark = mark::<R>(by)?;
    let mut tx = system(ctx, caller).await?;
    let count = queries::count_groups(tx.connection(), caller.workspace, (R::KIND, mark), sight).await?;
    tx.commit().await?;
    Ok(count)
}

fn mark<R: Record>(by: GroupedBy) -> Result<Mark> {
    match (by, R::KIND) {
        (_, RecordKind::Task) => Err(Error::invalid("kind", "has no duplicates: two tasks may well be the same")),
        (GroupedBy::Email, RecordKind::Lead | RecordKind::Contact) => Ok(Mark::Email),
        (GroupedBy::Phone, RecordKind::Lead | RecordKind::Contact | RecordKind::Account) => Ok(Mark::Phone),
        (GroupedBy::Name, _) => Ok(Mark::Name),
        (GroupedBy::Email | GroupedBy::Phone, _) => {
            Err(Error::invalid("by", format!("is nothing that {} has", R::KIND.with_article())))
        }
    }
}
