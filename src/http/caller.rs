//! Who sent a request: a bearer token in `Authorization`, or the browser's cookie.
//!
//! A cookie is sent by the browser whoever made the page, so a cookie alone proves nothing about
//! intent: a request that may change something must also say that it comes from our own origin.

use std::sync::Arc;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, Method, header, request::Parts},
};

use super::{client::ClientInfo, origin::same_origin, problem::Problem, request_id::RequestId};
use crate::{
    auth::{Caller, Via},
    base::{Error, Result},
    ctx::Ctx,
};

pub const COOKIE: &str = "kontor_session";

/// What a request brings to prove who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    Bearer(String),
    Cookie(String),
}

impl Credential {
    /// The request's credential; a bearer token goes before a cookie.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        authorization.and_then(bearer).map(Self::Bearer).or_else(|| cookie(headers).map(Self::Cookie))
    }

    pub fn text(&self) -> &str {
        match self {
            Self::Bearer(text) | Self::Cookie(text) => text,
        }
    }
}

/// The token of an `Authorization` value.
pub fn bearer(value: &str) -> Option<String> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned()).filter(|token| !token.is_empty())
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned())
}

/// The caller of a request, or `None` where nobody is signed in. A wrong credential is an error.
pub async fn resolve(ctx: &Ctx, parts: &Parts) -> Result<Option<Caller>> {
    let Some(credential) = Credential::of(&parts.headers) else { return Ok(None) };
    let reads = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if matches!(credential, Credential::Cookie(_)) && !reads && !same_origin(&parts.headers) {
        return Err(Error::Forbidden("This request does not come from one of this server's own pages".into()));
    }
    let caller = ctx.resolver.resolve(credential.text()).await?;
    let address = ClientInfo::of(parts).address;
    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
    Ok(Some(Arc::unwrap_or_clone(caller).with_request(address, request_id)))
}

/// Extracts the caller; refuses with 401 where nobody is signed in.
#[derive(Debug, Clone)]
pub struct Signed(pub Caller);

impl<S> FromRequestParts<S> for Signed
where
    Ctx: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match resolve(&Ctx::from_ref(state), parts).await? {
            Some(caller) => Ok(Self(caller.via(Via::Rest))),
            None => Err(Problem(Error::Unauthenticated("Sign in first: send Authorization: Bearer <token>".into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn a_bearer_token_goes_before_a_cookie() {
        let both = headers(&[("authorization", "bearer  abc"), ("cookie", "x=1; kontor_session=def")]);
        assert_eq!(Credential::of(&both), Some(Credential::Bearer("abc".into())));
        let cookie = headers(&[("cookie", "x=1; kontor_session=def")]);
        assert_eq!(Credential::of(&cookie), Some(Credential::Cookie("def".into())));
        assert_eq!(Credential::of(&headers(&[("authorization", "Basic abc")])), None);
    }
}
