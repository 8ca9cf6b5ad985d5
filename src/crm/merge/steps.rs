//! Which steps there are, in their order.

use super::{
    addresses, links,
    relink::{self, Step},
};
use crate::crm::RecordKind;

/// The steps of a kind: first those of this feature.
pub fn of(kind: RecordKind) -> Vec<&'static Step> {
    let all = [links::STEPS, addresses::STEPS].into_iter().chain(relink::added());
    all.flatten().filter(|step| step.kinds.contains(&kind)).collect()
}
