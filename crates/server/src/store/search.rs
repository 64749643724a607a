//! Finding devices by what they are and report.

use serde_json::Value;
use sqlx::Row as _;

use super::attributes::comparable;
use super::database::{Builder, REGEX_OPERATOR};
use super::{AttributeScope, Device, DeviceFilter, Reader, StoreError, devices};
use crate::time::Timestamp;

/// An attribute by scope and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeName {
    /// Where it comes from.
    pub scope: AttributeScope,
    /// Its name.
    pub name: String,
}

/// How an attribute is compared. A missing attribute compares as different.
#[derive(Clone, Debug, PartialEq)]
pub enum Comparison {
    /// The same.
    Equal(Value),
    /// Another, or none.
    NotEqual(Value),
    /// Greater.
    Greater(Value),
    /// Greater or the same.
    GreaterOrEqual(Value),
    /// Less.
    Less(Value),
    /// Less or the same.
    LessOrEqual(Value),
    /// One of these.
    OneOf(Vec<Value>),
    /// None of these.
    NoneOf(Vec<Value>),
    /// There at all, or not.
    Exists(bool),
    /// Matches this regular expression.
    Matches(String),
}

/// One condition on one attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Which attribute.
    pub attribute: AttributeName,
    /// What of it.
    pub comparison: Comparison,
}

/// Direction of sorting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest first.
    Ascending,
    /// Greatest first.
    Descending,
}

/// What is looked for; everything given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Search {
    /// State and ids.
    pub devices: DeviceFilter,
    /// Conditions on attributes.
    pub conditions: Vec<Condition>,
    /// A text in the id, the identity or an attribute.
    pub text: Option<String>,
    /// By what to sort; then by state (pending first) and age.
    pub sort: Vec<(AttributeName, Order)>,
}

/// A device's own column, for what is not stored as an attribute.
enum Column {
    Text(&'static str),
    Time(&'static str),
}

fn column(attribute: &AttributeName) -> Option<Column> {
    match (attribute.scope, attribute.name.as_str()) {
        (AttributeScope::Identity, "status") => Some(Column::Text("d.status")),
        (AttributeScope::System, "group") => Some(Column::Text("d.group_name")),
        (AttributeScope::System, "created_ts") => Some(Column::Time("d.created_at")),
        (AttributeScope::System, "updated_ts") => Some(Column::Time("d.updated_at")),
        (AttributeScope::System, "check_in_time") => Some(Column::Time("d.checked_in_at")),
        _ => None,
    }
}

/// What is compared: text, or a number.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
}

fn push_expression(query: &mut Builder, attribute: &AttributeName, kind: Kind) {
    match column(attribute) {
        Some(Column::Text(name) | Column::Time(name)) => {
            query.push(name);
        }
        None => {
            let value = match kind {
                Kind::Text => "value_text",
                Kind::Number => "value_number",
            };
            query
                .push("(SELECT a.")
                .push(value)
                .push(" FROM device_attributes a WHERE a.device_id = d.id AND a.scope = ")
                .push_bind(attribute.scope.as_str())
                .push(" AND a.name = ")
                .push_bind(attribute.name.clone())
                .push(")");
        }
    }
}

fn push_value(query: &mut Builder, attribute: &AttributeName, value: &Value, kind: Kind) {
    if let Some(Column::Time(_)) = column(attribute) {
        // A time that is none compares as the beginning of time.
        let time = value.as_str().and_then(Timestamp::parse);
        query.push_bind(time.map_or(0, Timestamp::millis));
        return;
    }
    match kind {
        Kind::Number => query.push_bind(value.as_f64().unwrap_or_default()),
        Kind::Text => query.push_bind(comparable(value)),
    };
}

fn kind_of(value: &Value) -> Kind {
    if value.is_number() {
        Kind::Number
    } else {
        Kind::Text
    }
}

fn push_binary(query: &mut Builder, attribute: &AttributeName, operator: &str, value: &Value) {
    let kind = kind_of(value);
    push_expression(query, attribute, kind);
    query.push(operator);
    push_value(query, attribute, value, kind);
}

fn push_list(query: &mut Builder, attribute: &AttributeName, values: &[Value]) {
    if values.is_empty() {
        query.push("1 = 0");
        return;
    }
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            query.push(" OR ");
        }
        push_binary(query, attribute, " = ", value);
    }
}

fn push_condition(query: &mut Builder, condition: &Condition) {
    let attribute = &condition.attribute;
    query.push(" AND COALESCE((");
    let missing = match &condition.comparison {
        Comparison::Equal(value) => {
            push_binary(query, attribute, " = ", value);
            false
        }
        Comparison::NotEqual(value) => {
            push_binary(query, attribute, " <> ", value);
            true
        }
        Comparison::Greater(value) => {
            push_binary(query, attribute, " > ", value);
            false
        }
        Comparison::GreaterOrEqual(value) => {
            push_binary(query, attribute, " >= ", value);
            false
        }
        Comparison::Less(value) => {
            push_binary(query, attribute, " < ", value);
            false
        }
        Comparison::LessOrEqual(value) => {
            push_binary(query, attribute, " <= ", value);
            false
        }
        Comparison::OneOf(values) => {
            push_list(query, attribute, values);
            false
        }
        Comparison::NoneOf(values) => {
            query.push("NOT (");
            push_list(query, attribute, values);
            query.push(")");
            true
        }
        Comparison::Exists(exists) => {
            push_expression(query, attribute, Kind::Text);
            query.push(if *exists { " IS NOT NULL" } else { " IS NULL" });
            false
        }
        Comparison::Matches(pattern) => {
            push_expression(query, attribute, Kind::Text);
            query.push(REGEX_OPERATOR).push_bind(pattern.clone());
            false
        }
    };
    query.push(if missing { "), TRUE)" } else { "), FALSE)" });
}

/// A text as a pattern that matches wherever it occurs. Case is that of ASCII, as SQLite's `LOWER` has it.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.to_ascii_lowercase().chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

impl Search {
    fn push(&self, query: &mut Builder) {
        query.push(" FROM devices d");
        self.devices.write(query);
        for condition in &self.conditions {
            push_condition(query, condition);
        }
        if let Some(text) = &self.text {
            let pattern = containing(text);
            query
                .push(" AND (d.id LIKE ")
                .push_bind(pattern.clone())
                .push(" ESCAPE '\\' OR EXISTS (SELECT 1 FROM device_attributes a WHERE a.device_id = d.id AND LOWER(a.value_text) LIKE ")
                .push_bind(pattern)
                .push(" ESCAPE '\\'))");
        }
    }

    fn push_order(&self, query: &mut Builder) {
        query.push(" ORDER BY ");
        for (attribute, order) in &self.sort {
            // Numbers as numbers; what is no number has none and is sorted by its text then.
            for kind in [Kind::Number, Kind::Text] {
                push_expression(query, attribute, kind);
                query.push(match order {
                    Order::Ascending => " ASC, ",
                    Order::Descending => " DESC, ",
                });
            }
        }
        query.push("CASE d.status WHEN 'pending' THEN 0 ELSE 1 END, d.created_at, d.id");
    }
}

impl Reader {
    /// A page of the devices that are found, and how many there are on all pages.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_devices(
        &mut self,
        search: &Search,
        offset: u64,
        limit: u32,
    ) -> Result<(Vec<Device>, u64), StoreError> {
        let mut query = Builder::new("SELECT COUNT(*)");
        search.push(&mut query);
        let total: i64 = query
            .build()
            .fetch_one(self.connection())
            .await?
            .try_get(0)?;
        let mut query = Builder::new("SELECT d.*");
        search.push(&mut query);
        search.push_order(&mut query);
        query
            .push(" LIMIT ")
            .push_bind(i64::from(limit))
            .push(" OFFSET ")
            .push_bind(i64::try_from(offset).unwrap_or(i64::MAX));
        let rows = query.build().fetch_all(self.connection()).await?;
        let found = rows.iter().map(devices::device).collect::<Result<_, _>>()?;
        Ok((found, u64::try_from(total).unwrap_or_default()))
    }
}
