//! Products and services, which every line of an invoice must name.

use std::collections::HashMap;

use sdk::{Error, Result};
use serde_json::Value;

use super::QuickBooks;
use super::select::Select;
use crate::json;

/// The item of each line: an id as it is, a name looked up, none the usual one. At most two requests.
pub async fn of_lines(api: &QuickBooks, wanted: &[Option<&str>]) -> Result<Vec<String>> {
    let named: Vec<String> =
        wanted.iter().flatten().filter(|item| !is_id(item)).map(|item| item.trim().to_owned()).collect();
    let known = if named.is_empty() { HashMap::new() } else { by_name(api, &named).await? };
    let usual = if wanted.iter().any(Option::is_none) { Some(usual(api).await?) } else { None };
    let mut ids = Vec::with_capacity(wanted.len());
    for item in wanted {
        ids.push(match item {
            None => usual.clone().unwrap_or_default(),
            Some(item) if is_id(item) => item.trim().to_owned(),
            Some(item) => match known.get(&item.trim().to_lowercase()) {
                Some(id) => id.clone(),
                None => return Err(unknown(api, item).await?),
            },
        });
    }
    Ok(ids)
}

fn is_id(item: &str) -> bool {
    let item = item.trim();
    !item.is_empty() && item.bytes().all(|letter| letter.is_ascii_digit())
}

async fn by_name(api: &QuickBooks, names: &[String]) -> Result<HashMap<String, String>> {
    let answer = Select::from("Item", "Name").and_in("Name", names).page(api, 1, 1000).await?;
    let pair = |row: &Value| Some((json::text(row, "Name")?.to_lowercase(), json::text(row, "Id")?));
    Ok(answer.rows("Item").iter().filter_map(pair).collect())
}

/// What lines without an item are: the configured one, or the company's first service.
async fn usual(api: &QuickBooks) -> Result<String> {
    if let Some(id) = &api.config.default_item_id {
        return Ok(id.clone());
    }
    let answer = Select::from("Item", "Id").and("Type", "=", Some("Service")).page(api, 1, 1).await?;
    let id = answer.rows("Item").first().and_then(|row| json::text(row, "Id"));
    id.ok_or_else(|| {
        Error::invalid_input("item: the company has no service to bill as; name a product or service for each line")
    })
}

/// An item that does not exist, with what there is like it.
async fn unknown(api: &QuickBooks, item: &str) -> Result<Error> {
    let word = item.split_whitespace().next().unwrap_or_default();
    let answer = Select::from("Item", "Name").and_contains("Name", word).page(api, 1, 5).await?;
    let like: Vec<String> = answer.rows("Item").iter().filter_map(|row| json::text(row, "Name")).collect();
    let hint = if like.is_empty() { String::new() } else { format!("; there is: {}", like.join(" | ")) };
    Ok(Error::not_found(format!("item: QuickBooks has no product or service \"{}\"{hint}", sdk::text::cut(item, 80))))
}
