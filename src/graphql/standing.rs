//! Whether a long-lived client may still be sent what it asked for. Rights are looked at when
//! something is delivered, not only when it was subscribed to.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_util::{FutureExt, future::BoxFuture};

use super::gateway::Gateway;
use crate::{auth::Caller, base::Result};

/// The caller of a socket or event stream, and as of which epoch that was looked up.
pub struct Standing<G> {
    gateway: G,
    caller: Option<Arc<Caller>>,
    epoch: u64,
    looking: Option<Looking>,
}

/// A look-up under way, and the epoch before it.
struct Looking {
    epoch: u64,
    found: BoxFuture<'static, Result<Option<Arc<Caller>>>>,
}

/// How the caller stands.
#[derive(Debug)]
pub enum Verdict {
    Same,
    /// Sees other things from now on.
    Changed(Arc<Caller>),
    /// Signed out, expired, withdrawn or deactivated.
    Gone,
    /// It cannot be told at the moment, so nothing may be delivered.
    Unknown,
}

impl<G: Gateway> Standing<G> {
    /// `epoch` is what [`Gateway::rights_epoch`] said before the caller was looked up.
    pub fn new(gateway: G, caller: Option<Arc<Caller>>, epoch: u64) -> Self {
        Self { gateway, caller, epoch, looking: None }
    }

    pub fn caller(&self) -> Option<&Arc<Caller>> {
        self.caller.as_ref()
    }

    /// Ready at once, unless the caller has to be looked up again.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Verdict> {
        let Some(caller) = &self.caller else { return Poll::Ready(Verdict::Same) };
        if self.looking.is_none() {
            if !self.gateway.is_stale(caller, self.epoch) {
                return Poll::Ready(Verdict::Same);
            }
            let epoch = self.gateway.rights_epoch();
            let (gateway, caller) = (self.gateway.clone(), Arc::clone(caller));
            let found = async move { gateway.refresh(&caller).await }.boxed();
            self.looking = Some(Looking { epoch, found });
        }
        let Some(Looking { epoch, found }) = &mut self.looking else { return Poll::Ready(Verdict::Same) };
        let (found, epoch) = (ready!(found.as_mut().poll(cx)), *epoch);
        self.looking = None;
        Poll::Ready(match found {
            Err(error) => {
                tracing::warn!(%error, "the rights of a subscriber cannot be looked up");
                Verdict::Unknown
            }
            Ok(None) => Verdict::Gone,
            Ok(Some(now)) => {
                self.epoch = epoch;
                let same = now.rights_fingerprint() == caller.rights_fingerprint();
                self.caller = Some(Arc::clone(&now));
                if same { Verdict::Same } else { Verdict::Changed(now) }
            }
        })
    }
}
