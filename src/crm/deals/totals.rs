//! What the deals on stages come to: counts and, by currency, amounts. Amounts of different
//! currencies are never added up.

use std::collections::HashMap;

use super::{Deal, StageTotal, queries};
use crate::{
    auth::Caller,
    base::{Result, ids::StageId},
    crm::record::Sight,
    ctx::Ctx,
};

/// The totals of each of these stages, in the order of the currencies' letters. One statement.
pub async fn of_stages(ctx: &Ctx, caller: &Caller, stages: &[StageId]) -> Result<HashMap<StageId, Vec<StageTotal>>> {
    let sight = Sight::of::<Deal>(caller)?;
    let mut tx = ctx.db.read(caller).await?;
    let totals = queries::stage_totals(tx.connection(), caller.workspace, sight, stages).await?;
    let mut found: HashMap<_, Vec<_>> = stages.iter().map(|stage| (*stage, Vec::new())).collect();
    for total in totals {
        found.entry(total.stage).or_default().push(total);
    }
    Ok(found)
}
