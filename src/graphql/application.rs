//! The application as the transport sees it: who calls, and how a request is executed with its
//! caller and its loaders.

use std::{future::Future, net::IpAddr, sync::Arc};

use async_graphql::{Request, Response};
use futures_util::stream::BoxStream;

use super::{
    changes::Begun,
    cost::Costs,
    gateway::{Arrival, Gateway},
    loaders::Loaders,
    schema::{self, KontorSchema},
};
use crate::{
    auth::{Caller, Via},
    base::{Error, Limits, Result},
    ctx::Ctx,
    events::Bus,
    http::{bounds::Rates, caller::Credential, origin::same_origin},
};

/// The schema with its tools.
#[derive(Clone)]
pub struct Application {
    ctx: Ctx,
    schema: KontorSchema,
    bus: Bus,
    rates: Rates,
    costs: Arc<Costs>,
}

impl Application {
    pub fn new(ctx: Ctx, bus: Bus, rates: Rates) -> Self {
        let schema = schema::build(Some((ctx.clone(), bus.clone())));
        let costs = Arc::new(Costs::of_schema(&schema.sdl()));
        Self { ctx, schema, bus, rates, costs }
    }

    /// With the caller and the loaders; nobody has neither.
    fn dressed(
        &self,
        caller: Option<Arc<Caller>>,
        request: Request,
        loaders: fn(&Ctx, &Arc<Caller>) -> Loaders,
    ) -> Request {
        match caller {
            Some(caller) => request.data(loaders(&self.ctx, &caller)).data(caller),
            // what the schema looks like is for those who may use it
            None => request.disable_introspection(),
        }
    }
}

impl Gateway for Application {
    fn resolve(&self, arrival: &Arrival) -> impl Future<Output = Result<Option<Arc<Caller>>>> + Send {
        let credential = Credential::of(&arrival.headers);
        let ours = same_origin(&arrival.headers);
        async move {
            let Some(credential) = credential else { return Ok(None) };
            let by_cookie = matches!(credential, Credential::Cookie(_));
            if by_cookie && !ours {
                return Err(Error::Forbidden("This request does not come from one of this server's own pages".into()));
            }
            match self.ctx.resolver.resolve(credential.text()).await {
                Ok(caller) => {
                    let caller = Arc::unwrap_or_clone(caller).via(Via::Graphql);
                    Ok(Some(Arc::new(caller.with_request(arrival.peer, arrival.request_id.clone()))))
                }
                Err(Error::Unauthenticated(_)) if by_cookie => Ok(None),
                Err(error) => Err(error),
            }
        }
    }

    fn rights_epoch(&self) -> u64 {
        self.ctx.resolver.epoch()
    }

    fn is_stale(&self, caller: &Caller, epoch: u64) -> bool {
        self.ctx.resolver.is_stale(caller, epoch)
    }

    async fn refresh(&self, caller: &Caller) -> Result<Option<Arc<Caller>>> {
        self.ctx.resolver.refresh(caller).await
    }

    fn admit(&self, caller: Option<&Caller>, from: Option<IpAddr>) -> Result<()> {
        self.rates.admit_operation(caller, from)
    }

    async fn execute(&self, caller: Option<Arc<Caller>>, request: Request) -> Response {
        // before anything is read
        let request = request.data(Begun(self.bus.cursor().ok()));
        self.schema.execute(self.dressed(caller, request, Loaders::new)).await
    }

    fn subscribe(&self, caller: Option<Arc<Caller>>, request: Request) -> BoxStream<'static, Response> {
        self.schema.execute_stream(self.dressed(caller, request, Loaders::keeping))
    }

    fn is_shared(&self, field: &str) -> bool {
        field == "recordChanged"
    }

    fn personal_words(&self) -> &'static [&'static str] {
        // of a contact, the lists that the caller sees; of leads, those that are theirs; of criteria, those
        // that are about the caller, or name lists
        &[
            "lists",
            "LISTS",
            "inList",
            "IS_ME",
            "IN_MY_TEAM",
            "LEAD",
            "Lead",
            "lead",
            "leads",
            "convertedFrom",
            "convertedTo",
        ]
    }

    fn limits(&self) -> &Limits {
        &self.ctx.limits
    }

    fn costs(&self) -> &Costs {
        &self.costs
    }
}
