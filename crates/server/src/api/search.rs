//! Finding devices: the filters of both versions of the inventory API.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Json;
use super::inventory::{InventoryDevice, assemble, group_attribute};
use super::query::{Paging, Query, TOTAL_COUNT};
use crate::app::App;
use crate::error::ApiError;
use crate::http::envelope::ErrorBody;
use crate::store::{
    AttributeName, AttributeScope, Comparison, Condition, DeviceFilter, Order, Search,
};

/// Most conditions, sort keys, values of a list and attributes of an answer.
const CONDITIONS_MAX: usize = 50;
const VALUES_MAX: usize = 500;

/// Longest regular expression in bytes.
const PATTERN_BYTES_MAX: usize = 1000;

/// What is looked for; everything given must hold.
#[derive(Deserialize, ToSchema)]
pub(super) struct SearchQuery {
    /// Page, from 1.
    #[schema(minimum = 1, default = 1)]
    page: Option<u32>,
    /// Entries of a page.
    #[schema(minimum = 1, maximum = 500, default = 20)]
    per_page: Option<u32>,
    #[serde(default)]
    filters: Vec<Filter>,
    #[serde(default)]
    sort: Vec<SortKey>,
    /// Only these attributes are told; all when there are none.
    #[serde(default)]
    attributes: Vec<Selected>,
    /// Only these devices.
    #[serde(default)]
    device_ids: Vec<String>,
    /// A text in the id, the identity or an attribute.
    text: Option<String>,
}

/// One condition.
#[derive(Deserialize, ToSchema)]
pub(super) struct Filter {
    scope: AttributeScope,
    attribute: String,
    /// `$eq $ne $gt $gte $lt $lte $in $nin $exists $regex`
    #[serde(rename = "type")]
    kind: String,
    #[schema(value_type = Value)]
    value: Value,
}

/// One key to sort by.
#[derive(Deserialize, ToSchema)]
pub(super) struct SortKey {
    scope: AttributeScope,
    attribute: String,
    /// `asc` or `desc`
    order: String,
}

/// One attribute that is to be told.
#[derive(Deserialize, ToSchema)]
pub(super) struct Selected {
    scope: AttributeScope,
    attribute: String,
}

/// An attribute by scope and name.
pub(super) fn attribute_name(scope: AttributeScope, name: &str) -> AttributeName {
    AttributeName {
        scope,
        name: name.to_owned(),
    }
}

fn comparison(kind: &str, value: Value) -> Result<Comparison, ApiError> {
    let invalid = || ApiError::bad_request(format!("invalid value for filter type {kind}"));
    let plain = |value: Value| match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Array(_) => Ok(value),
        Value::Null | Value::Object(_) => Err(invalid()),
    };
    let list = |value: Value| match value {
        Value::Array(values) if values.len() <= VALUES_MAX => Ok(values),
        Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Object(_) => Err(invalid()),
    };
    Ok(match kind {
        "$eq" => Comparison::Equal(plain(value)?),
        "$ne" => Comparison::NotEqual(plain(value)?),
        "$gt" => Comparison::Greater(plain(value)?),
        "$gte" => Comparison::GreaterOrEqual(plain(value)?),
        "$lt" => Comparison::Less(plain(value)?),
        // The second is a slip that real clients know.
        "$lte" | "$ltne" => Comparison::LessOrEqual(plain(value)?),
        "$in" => Comparison::OneOf(list(value)?),
        "$nin" => Comparison::NoneOf(list(value)?),
        "$exists" => Comparison::Exists(value.as_bool().ok_or_else(invalid)?),
        "$regex" => Comparison::Matches(pattern(&value).ok_or_else(invalid)?),
        _ => return Err(ApiError::bad_request("type: must be a valid value.")),
    })
}

/// A regular expression that can be used.
fn pattern(value: &Value) -> Option<String> {
    let text = value
        .as_str()
        .filter(|text| text.len() <= PATTERN_BYTES_MAX)?;
    regex::Regex::new(text).ok()?;
    Some(text.to_owned())
}

fn order(text: &str) -> Result<Order, ApiError> {
    match text {
        "asc" => Ok(Order::Ascending),
        "desc" => Ok(Order::Descending),
        _ => Err(ApiError::bad_request("order: must be a valid value.")),
    }
}

impl SearchQuery {
    fn search(self) -> Result<(Search, Vec<AttributeName>), ApiError> {
        let lists = [self.filters.len(), self.sort.len(), self.attributes.len()];
        if lists.iter().any(|length| *length > CONDITIONS_MAX) {
            return Err(ApiError::bad_request(format!(
                "more than {CONDITIONS_MAX} filters, sort keys or attributes"
            )));
        }
        if self.device_ids.len() > VALUES_MAX {
            return Err(ApiError::bad_request(format!(
                "more than {VALUES_MAX} device ids"
            )));
        }
        let ids = self
            .device_ids
            .iter()
            .map(|id| {
                id.parse()
                    .map_err(|_| ApiError::bad_request("incorrect device id"))
            })
            .collect::<Result<_, _>>()?;
        let conditions = self
            .filters
            .into_iter()
            .map(|filter| {
                Ok(Condition {
                    attribute: attribute_name(filter.scope, &filter.attribute),
                    comparison: comparison(&filter.kind, filter.value)?,
                })
            })
            .collect::<Result<_, ApiError>>()?;
        let sort = self
            .sort
            .iter()
            .map(|key| {
                let attribute = attribute_name(key.scope, &key.attribute);
                Ok((attribute, order(&key.order)?))
            })
            .collect::<Result<_, ApiError>>()?;
        let selected = self
            .attributes
            .iter()
            .map(|one| attribute_name(one.scope, &one.attribute))
            .collect();
        let search = Search {
            devices: DeviceFilter {
                status: Vec::new(),
                ids,
            },
            conditions,
            text: self.text.filter(|text| !text.is_empty()),
            sort,
        };
        Ok((search, selected))
    }
}

/// Find devices
#[utoipa::path(
    post,
    path = "/api/management/v2/inventory/filters/search",
    operation_id = "searchInventory",
    tag = "Management: inventory",
    request_body = SearchQuery,
    responses(
        (status = 200, description = "A page; `X-Total-Count` says how many there are", body = Vec<InventoryDevice>),
        (status = 400, description = "Not understood", body = ErrorBody),
    )
)]
pub(super) async fn search(
    State(app): State<App>,
    Json(query): Json<SearchQuery>,
) -> Result<(HeaderMap, axum::Json<Vec<InventoryDevice>>), ApiError> {
    let (page, per_page) = (query.page.unwrap_or(1), query.per_page.unwrap_or(20));
    if page == 0 || per_page == 0 {
        return Err(ApiError::bad_request(
            "page and per_page must be positive integers",
        ));
    }
    let paging = Paging::new(page, per_page)?;
    let (search, selected) = query.search()?;
    let mut read = app.store.read().await?;
    let (devices, total) = read
        .search_devices(&search, paging.offset(), paging.per_page)
        .await?;
    let mut devices = assemble(&mut read, devices).await?;
    if !selected.is_empty() {
        for device in &mut devices {
            device.attributes.retain(|attribute| {
                selected
                    .iter()
                    .any(|one| one.scope == attribute.scope && one.name == attribute.name)
            });
        }
    }
    let headers = HeaderMap::from_iter([(TOTAL_COUNT, HeaderValue::from(total))]);
    Ok((headers, axum::Json(devices)))
}

/// `[scope/]name`, as a query string has it.
fn v1_attribute(text: &str) -> Result<AttributeName, ApiError> {
    match text.split_once('/') {
        None => Ok(attribute_name(AttributeScope::Inventory, text)),
        Some((scope, name)) => {
            let scope = scope
                .parse()
                .map_err(|_| ApiError::bad_request(format!("unknown attribute scope: {scope}")))?;
            Ok(attribute_name(scope, name))
        }
    }
}

/// The filters of a query string: `[scope/]name=[eq:]value`, `group` and `has_group`.
pub(super) fn v1_conditions(query: &Query) -> Result<Vec<Condition>, ApiError> {
    let mut conditions = Vec::new();
    for (name, value) in query.pairs() {
        let (attribute, comparison) = match name {
            "page" | "per_page" | "sort" => continue,
            "group" => (group_attribute(), Comparison::Equal(value.into())),
            "has_group" => {
                let has = value.parse().map_err(|_| {
                    ApiError::bad_request("invalid has_group query: must be true or false")
                })?;
                (group_attribute(), Comparison::Exists(has))
            }
            _ => {
                let value = value.strip_prefix("eq:").unwrap_or(value);
                (v1_attribute(name)?, Comparison::Equal(value.into()))
            }
        };
        conditions.push(Condition {
            attribute,
            comparison,
        });
    }
    if conditions.len() > CONDITIONS_MAX {
        return Err(ApiError::bad_request(format!(
            "more than {CONDITIONS_MAX} filters"
        )));
    }
    Ok(conditions)
}

/// `[scope/]name[:asc|desc]`, several with commas.
pub(super) fn v1_sort(text: Option<&str>) -> Result<Vec<(AttributeName, Order)>, ApiError> {
    let keys: Vec<_> = text
        .unwrap_or_default()
        .split(',')
        .filter(|key| !key.is_empty())
        .collect();
    if keys.len() > CONDITIONS_MAX {
        return Err(ApiError::bad_request(format!(
            "more than {CONDITIONS_MAX} sort keys"
        )));
    }
    keys.into_iter()
        .map(|key| match key.rsplit_once(':') {
            Some((name, direction)) => Ok((v1_attribute(name)?, order(direction)?)),
            None => Ok((v1_attribute(key)?, Order::Ascending)),
        })
        .collect()
}
