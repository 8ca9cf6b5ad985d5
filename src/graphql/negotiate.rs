//! Which media type a client would like best, by its `Accept` header (RFC 9110, section 12.5.1).

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

/// What we can answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// `application/graphql-response+json`: the status tells whether anything was executed
    GraphqlResponse,
    /// `application/json`: an executed or refused document is 200 either way
    Json,
    /// `text/event-stream`
    EventStream,
}

/// A client's wishes among our media types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// For an answer that comes once.
    pub single: Media,
    /// The client takes events, so a subscription can be answered.
    pub events: bool,
}

/// One of the header's ranges: how well it fits a media type, and how much it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
struct Wish {
    quality: f32,
    /// 2: this very type, 1: `application/*`, 0: `*/*`
    exactness: u8,
}

impl Media {
    /// An answer of this type.
    pub fn respond(self, status: StatusCode, payload: String) -> Response {
        let headers = [
            (header::CONTENT_TYPE, self.content_type()),
            // answers hold what only their caller may see, and a cache in between knows no callers
            (header::CACHE_CONTROL, "no-store"),
        ];
        (status, headers, payload).into_response()
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::EventStream => "text/event-stream; charset=utf-8",
        }
    }

    fn exactness_of(self, range: &str) -> Option<u8> {
        let (name, family) = match self {
            Self::GraphqlResponse => ("application/graphql-response+json", "application/*"),
            Self::Json => ("application/json", "application/*"),
            Self::EventStream => ("text/event-stream", "text/*"),
        };
        match range {
            _ if range.eq_ignore_ascii_case(name) => Some(2),
            _ if range.eq_ignore_ascii_case(family) => Some(1),
            // whoever takes anything does not wait for events
            "*/*" if self != Self::EventStream => Some(0),
            _ => None,
        }
    }
}

/// Reads the header; `None` when nothing of ours is acceptable. Without one it is plain JSON, as
/// older clients expect.
pub fn negotiate(headers: &HeaderMap) -> Option<Accepted> {
    let mut ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    if ranges.peek().is_none() {
        return Some(Accepted { single: Media::Json, events: false });
    }
    let ranges: Vec<_> = ranges.flat_map(|value| value.split(',')).filter_map(parse_range).collect();
    let [graphql, json, events] =
        [Media::GraphqlResponse, Media::Json, Media::EventStream].map(|media| wish_for(media, &ranges));
    // A client that lists both JSON types alike knows the newer one; one that takes anything may not.
    let mut best: Option<(Media, Wish)> = None;
    for (media, wish) in [(Media::GraphqlResponse, graphql), (Media::Json, json), (Media::EventStream, events)] {
        let Some(wish) = wish else { continue };
        let wins = best.is_none_or(|(_, other)| wish > other || wish == other && prefers(media, wish));
        if wins {
            best = Some((media, wish));
        }
    }
    best.map(|(single, _)| Accepted { single, events: events.is_some() })
}

fn prefers(media: Media, wish: Wish) -> bool {
    media == Media::Json && wish.exactness < 2
}

fn wish_for(media: Media, ranges: &[(&str, f32)]) -> Option<Wish> {
    let fitting = ranges.iter().filter_map(|(range, quality)| {
        media.exactness_of(range).map(|exactness| Wish { quality: *quality, exactness })
    });
    // the most exact range speaks for the type, even to exclude it with q=0
    fitting.max_by_key(|wish| wish.exactness).filter(|wish| wish.quality > 0.0)
}

fn parse_range(range: &str) -> Option<(&str, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let mut quality = 1.0;
    for parameter in parts {
        let Some((key, value)) = parameter.split_once('=') else { continue };
        match key.trim().to_ascii_lowercase().as_str() {
            "q" => quality = value.trim().parse::<f32>().ok()?.clamp(0.0, 1.0),
            "charset" if !value.trim_matches('"').eq_ignore_ascii_case("utf-8") => return None,
            _ => {}
        }
    }
    Some((name, quality))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(accept: &str) -> Option<Media> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().expect("a header value"));
        negotiate(&headers).map(|accepted| accepted.single)
    }

    #[test]
    fn the_best_liked_type_wins() {
        use Media::{EventStream, GraphqlResponse, Json};
        let cases = [
            ("*/*", Some(Json)),
            ("application/*", Some(Json)),
            ("application/json", Some(Json)),
            ("application/json; charset=UTF-8", Some(Json)),
            ("APPLICATION/GraphQL-Response+JSON", Some(GraphqlResponse)),
            ("application/json, application/graphql-response+json", Some(GraphqlResponse)),
            ("application/json;q=0.9, application/graphql-response+json;q=0.3", Some(Json)),
            ("application/graphql-response+json, */*;q=0.1", Some(GraphqlResponse)),
            ("application/json;q=0, */*", Some(GraphqlResponse)),
            ("text/html, */*;q=0.8", Some(Json)),
            ("text/event-stream", Some(EventStream)),
            ("text/event-stream, application/json", Some(Json)),
            ("text/event-stream, application/json;q=0.5", Some(EventStream)),
            ("text/html", None),
            ("application/json;q=0", None),
            ("application/json; charset=latin1", None),
            ("", None),
        ];
        for (accept, expected) in cases {
            assert_eq!(single(accept), expected, "{accept:?}");
        }
        assert_eq!(negotiate(&HeaderMap::new()).map(|accepted| accepted.single), Some(Json));
    }
}
