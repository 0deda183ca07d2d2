//! A new customer.

use schemars::JsonSchema;
use sdk::{Error, Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::QuickBooks;
use super::customers::Customer;
use super::select::Select;
use super::wire;
use crate::json as read;

/// Creates a customer in QuickBooks, to write invoices to. The name must be new: look with list_customers first.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCustomer {
    /// Display name, unlike that of any customer, vendor or employee.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// Company.
    #[schemars(length(max = 100))]
    company: Option<String>,
    /// First name of the person.
    #[schemars(length(max = 100))]
    first_name: Option<String>,
    /// Last name of the person.
    #[schemars(length(max = 100))]
    last_name: Option<String>,
    /// Where invoices go.
    #[schemars(length(max = 100))]
    email: Option<String>,
    /// Phone.
    #[schemars(length(max = 30))]
    phone: Option<String>,
    /// Street and number.
    #[schemars(length(max = 200))]
    street: Option<String>,
    /// City.
    #[schemars(length(max = 100))]
    city: Option<String>,
    /// State or region.
    #[schemars(length(max = 50))]
    state: Option<String>,
    /// Postal code.
    #[schemars(length(max = 20))]
    postal_code: Option<String>,
}

/// A customer that was created.
#[derive(Serialize, JsonSchema)]
pub struct CreatedCustomer {
    customer: Customer,
}

pub async fn create(api: &QuickBooks, args: CreateCustomer) -> Result<CreatedCustomer> {
    let body = args.body()?;
    let sent = api.write("/v3/company/{realmId}/customer", None, &body).await;
    let answer = sent.map_err(|error| wire::unknown(error, "look with list_customers"))?;
    Ok(CreatedCustomer { customer: Customer::of(&answer["Customer"]) })
}

pub async fn plan(api: &QuickBooks, args: CreateCustomer) -> Result<Plan> {
    let body = args.body()?;
    let same_name = Select::from("Customer", "Id").and("DisplayName", "=", body["DisplayName"].as_str()).and_inactive();
    if let Some(other) = same_name.page(api, 1, 1).await?.rows("Customer").first() {
        let id = read::text(other, "Id").unwrap_or_default();
        return Err(Error::conflict(format!("there is a customer of this name already, with the id {id}")));
    }
    let plan = Plan::new(format!("Create the customer \"{}\"", args.name.trim())).adds("customer", body.clone());
    let Some(email) = body.pointer("/PrimaryEmailAddr/Address").and_then(Value::as_str) else {
        return Ok(plan.note("Without an e-mail address invoices cannot be sent to them"));
    };
    let same_address = Select::from("Customer", "Id").and("PrimaryEmailAddr", "=", Some(email));
    match same_address.page(api, 1, 1).await?.rows("Customer").first().map(Customer::of) {
        Some(other) => Ok(plan.note(format!("\"{}\" (id {}) has the same e-mail address", other.name, other.id))),
        None => Ok(plan),
    }
}

impl CreateCustomer {
    fn body(&self) -> Result<Value> {
        let name = self.name.trim();
        if name.is_empty() || name.contains([':', '\t', '\n']) {
            return Err(Error::invalid_input("name: a display name without colon, tab or line break is needed"));
        }
        let mut body =
            given(&[("CompanyName", &self.company), ("GivenName", &self.first_name), ("FamilyName", &self.last_name)]);
        body.insert("DisplayName".into(), json!(name));
        if let Some(email) = &self.email {
            body.insert("PrimaryEmailAddr".into(), json!({"Address": email.trim()}));
        }
        if let Some(phone) = &self.phone {
            body.insert("PrimaryPhone".into(), json!({"FreeFormNumber": phone.trim()}));
        }
        let address = given(&[
            ("Line1", &self.street),
            ("City", &self.city),
            ("CountrySubDivisionCode", &self.state),
            ("PostalCode", &self.postal_code),
        ]);
        if !address.is_empty() {
            body.insert("BillAddr".into(), Value::Object(address));
        }
        Ok(Value::Object(body))
    }
}

fn given(texts: &[(&str, &Option<String>)]) -> Map<String, Value> {
    let given = texts.iter().filter_map(|(name, text)| Some((*name, text.as_deref()?.trim())));
    given.filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name.to_owned(), json!(text))).collect()
}
