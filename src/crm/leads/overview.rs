//! How many leads there are of which sort.

use super::{Lead, queries};
use crate::{auth::Caller, base::Result, crm::record::Sight, ctx::Ctx};

/// The leads that the caller sees, counted; what there is none of is left out.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    pub by_status: Vec<(String, i64)>,
    pub by_source: Vec<(String, i64)>,
}

pub async fn of_leads(ctx: &Ctx, caller: &Caller) -> Result<Overview> {
    let sight = Sight::of::<Lead>(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    let mut overview = Overview::default();
    for counted in queries::counts(tx.connection(), caller.workspace, sight).await? {
        match (counted.status, counted.source) {
            (Some(status), _) => overview.by_status.push((status, counted.count)),
            (None, Some(source)) => overview.by_source.push((source, counted.count)),
            (None, None) => {}
        }
    }
    Ok(overview)
}
