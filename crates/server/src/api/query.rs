//! Query strings and paging.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::ApiError;

/// Says how many there are on all pages together.
pub(super) const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

const PER_PAGE: u32 = 20;
const PER_PAGE_MAX: u32 = 500;

/// The pairs of a query string, in order; a key may come several times.
pub(super) struct Query {
    path: String,
    pairs: Vec<(String, String)>,
}

/// A page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    /// From 1.
    pub(super) page: u32,
    /// Entries of a page, at most 500.
    pub(super) per_page: u32,
}

/// The parameters of every list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its documentation is used")]
pub(super) struct PagingParams {
    /// Page, from 1.
    #[param(minimum = 1, default = 1)]
    page: Option<u32>,
    /// Entries of a page.
    #[param(minimum = 1, maximum = 500, default = 20)]
    per_page: Option<u32>,
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    fn from_request_parts(
        parts: &mut Parts,
        _state: &S,
    ) -> impl Future<Output = Result<Self, ApiError>> + Send {
        let query = parts.uri.query().unwrap_or_default();
        std::future::ready(Ok(Self {
            path: parts.uri.path().to_owned(),
            pairs: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        }))
    }
}

impl Query {
    /// Every value of a key.
    pub(super) fn all<'q>(&'q self, key: &'q str) -> impl Iterator<Item = &'q str> {
        self.pairs
            .iter()
            .filter(move |(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a key.
    pub(super) fn first(&self, key: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// Every pair.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Every value of a key as another type.
    pub(super) fn parsed<T: std::str::FromStr>(
        &self,
        key: &str,
        error: &'static str,
    ) -> Result<Vec<T>, ApiError> {
        self.all(key)
            .map(|value| value.parse().map_err(|_| ApiError::bad_request(error)))
            .collect()
    }

    /// The page that is asked for.
    pub(super) fn paging(&self) -> Result<Paging, ApiError> {
        let page = match self.first("page") {
            None => 1,
            Some(text) => positive(text)
                .ok_or_else(|| ApiError::bad_request(format!("invalid page query: {text:?}")))?,
        };
        let per_page = match self.first("per_page") {
            None => PER_PAGE,
            Some(text) => positive(text).ok_or_else(|| {
                ApiError::bad_request(
                    "invalid per_page query: value must be a non-zero positive integer",
                )
            })?,
        };
        Paging::new(page, per_page)
    }

    /// `Link` headers to the other pages, and the total when it is known.
    pub(super) fn links(&self, paging: Paging, here: usize, total: Option<u64>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut link = |page: u64, rel: &str| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            for (name, value) in self.pairs() {
                if name != "page" && name != "per_page" {
                    query.append_pair(name, value);
                }
            }
            query.append_pair("page", &page.to_string());
            query.append_pair("per_page", &paging.per_page.to_string());
            let text = format!("<{}?{}>; rel=\"{rel}\"", self.path, query.finish());
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.append(header::LINK, value);
            }
        };
        let (page, per_page) = (u64::from(paging.page), u64::from(paging.per_page));
        let last = total.map(|total| total.div_ceil(per_page).max(1));
        link(1, "first");
        if page > 1 {
            link(page - 1, "prev");
        }
        let more = last.map_or(here as u64 >= per_page, |last| page < last);
        if more {
            link(page + 1, "next");
        }
        if let Some(last) = last {
            link(last, "last");
        }
        if let Some(total) = total {
            headers.insert(TOTAL_COUNT, HeaderValue::from(total));
        }
        headers
    }
}

impl Paging {
    /// Checks the size of the page.
    pub(super) fn new(page: u32, per_page: u32) -> Result<Self, ApiError> {
        if per_page > PER_PAGE_MAX {
            return Err(ApiError::bad_request(format!(
                "parameter \"per_page\" above limit (max: {PER_PAGE_MAX})"
            )));
        }
        Ok(Self { page, per_page })
    }

    /// Entries on the pages before this one.
    pub(super) fn offset(self) -> u64 {
        u64::from(self.page - 1) * u64::from(self.per_page)
    }
}

fn positive(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(uri: &str) -> Query {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        Query {
            path: path.to_owned(),
            pairs: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        }
    }

    fn links(headers: &HeaderMap) -> Vec<&str> {
        headers
            .get_all(header::LINK)
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect()
    }

    #[test]
    fn item_36_pages_have_the_limits_and_texts_of_mender() {
        let paging = |uri| {
            query(uri)
                .paging()
                .map(|paging| (paging.page, paging.per_page))
        };
        assert_eq!(paging("/d"), Ok((1, 20)));
        assert_eq!(paging("/d?page=3&per_page=500"), Ok((3, 500)));
        for (uri, text) in [
            ("/d?page=0", "invalid page query: \"0\""),
            ("/d?page=x", "invalid page query: \"x\""),
            (
                "/d?per_page=0",
                "invalid per_page query: value must be a non-zero positive integer",
            ),
            (
                "/d?per_page=501",
                "parameter \"per_page\" above limit (max: 500)",
            ),
        ] {
            assert_eq!(paging(uri), Err(ApiError::bad_request(text)), "{uri}");
        }
    }

    #[test]
    fn item_36_links_are_relative_and_keep_the_other_parameters() {
        let asked = query("/d?status=a%20b&page=2&per_page=10");
        let paging = asked.paging().unwrap();
        let known = asked.links(paging, 10, Some(35));
        assert_eq!(
            links(&known),
            [
                "</d?status=a+b&page=1&per_page=10>; rel=\"first\"",
                "</d?status=a+b&page=1&per_page=10>; rel=\"prev\"",
                "</d?status=a+b&page=3&per_page=10>; rel=\"next\"",
                "</d?status=a+b&page=4&per_page=10>; rel=\"last\"",
            ]
        );
        assert_eq!(known.get(TOTAL_COUNT).unwrap(), "35");
        // Without a total there is no last page, and a full page may have a next one.
        let unknown = asked.links(paging, 10, None);
        assert_eq!(links(&unknown).len(), 3);
        assert_eq!(links(&asked.links(paging, 9, None)).len(), 2);
        assert!(unknown.get(TOTAL_COUNT).is_none());
    }
}
