//! Contacts: creating, changing and tagging them.

use schemars::JsonSchema;
use sdk::http::Method;
use sdk::{Error, Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::contacts::Contact;
use super::{GoHighLevel, plans};
use crate::json;

/// Creates a contact in GoHighLevel. If one with this e-mail or phone exists, it is updated instead and `new` is
/// false, so that no duplicate appears. Needs a name, e-mail or phone. Tags are added, none is removed. Answers
/// `contact` and `new`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateContact {
    /// Given name.
    #[schemars(length(max = 100))]
    first_name: Option<String>,
    /// Family name.
    #[schemars(length(max = 100))]
    last_name: Option<String>,
    /// Company that the person works for.
    #[schemars(length(max = 200))]
    company: Option<String>,
    /// E-mail address.
    #[schemars(length(max = 254), email)]
    email: Option<String>,
    /// Phone number with country code, `+13105550123`.
    #[schemars(length(max = 40))]
    phone: Option<String>,
    /// Street and number.
    #[schemars(length(max = 300))]
    address: Option<String>,
    /// City.
    #[schemars(length(max = 100))]
    city: Option<String>,
    /// State or region.
    #[schemars(length(max = 100))]
    state: Option<String>,
    /// Postal code.
    #[schemars(length(max = 20))]
    postal_code: Option<String>,
    /// Two-letter country code, `US`.
    #[schemars(length(min = 2, max = 2))]
    country: Option<String>,
    /// Website.
    #[schemars(length(max = 300))]
    website: Option<String>,
    /// Time zone, `America/Chicago`.
    #[schemars(length(max = 60))]
    timezone: Option<String>,
    /// Where the contact came from, `trade fair`.
    #[schemars(length(max = 200))]
    source: Option<String>,
    /// The id of the user who owns the contact.
    #[schemars(length(min = 1, max = 128))]
    assigned_to: Option<String>,
    /// Values of the business's own fields.
    #[serde(default)]
    #[schemars(length(max = 50))]
    custom_fields: Vec<CustomValue>,
    /// Tags to add.
    #[serde(default)]
    #[schemars(length(max = 50), inner(length(min = 1, max = 100)))]
    tags: Vec<String>,
}

/// Changes fields of one GoHighLevel contact; fields that are not given stay as they are. Tags are changed with
/// `add_tags` and `remove_tags`. Answers the changed `contact`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateContact {
    /// The contact's id.
    #[schemars(length(min = 1, max = 128))]
    contact_id: String,
    /// Given name.
    #[schemars(length(max = 100))]
    first_name: Option<String>,
    /// Family name.
    #[schemars(length(max = 100))]
    last_name: Option<String>,
    /// Company that the person works for.
    #[schemars(length(max = 200))]
    company: Option<String>,
    /// E-mail address.
    #[schemars(length(max = 254), email)]
    email: Option<String>,
    /// Phone number with country code, `+13105550123`.
    #[schemars(length(max = 40))]
    phone: Option<String>,
    /// Street and number.
    #[schemars(length(max = 300))]
    address: Option<String>,
    /// City.
    #[schemars(length(max = 100))]
    city: Option<String>,
    /// State or region.
    #[schemars(length(max = 100))]
    state: Option<String>,
    /// Postal code.
    #[schemars(length(max = 20))]
    postal_code: Option<String>,
    /// Two-letter country code, `US`.
    #[schemars(length(min = 2, max = 2))]
    country: Option<String>,
    /// Website.
    #[schemars(length(max = 300))]
    website: Option<String>,
    /// Time zone, `America/Chicago`.
    #[schemars(length(max = 60))]
    timezone: Option<String>,
    /// Where the contact came from, `trade fair`.
    #[schemars(length(max = 200))]
    source: Option<String>,
    /// The id of the user who owns the contact.
    #[schemars(length(min = 1, max = 128))]
    assigned_to: Option<String>,
    /// Values of the business's own fields.
    #[serde(default)]
    #[schemars(length(max = 50))]
    custom_fields: Vec<CustomValue>,
}

/// The value of one of the business's own fields.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomValue {
    /// The field's id.
    #[schemars(length(min = 1, max = 128))]
    id: String,
    /// The new value.
    #[schemars(length(max = 2000))]
    value: String,
}

/// Adds tags to a GoHighLevel contact; tags that it has already stay. Use it to mark or segment a contact. Answers
/// all `tags` that the contact has now.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddTags {
    /// The contact's id.
    #[schemars(length(min = 1, max = 128))]
    contact_id: String,
    /// The tags to add.
    #[schemars(length(min = 1, max = 50), inner(length(min = 1, max = 100)))]
    tags: Vec<String>,
}

/// Removes tags from a GoHighLevel contact; tags that it does not have are ignored. Answers all `tags` that the
/// contact has now.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveTags {
    /// The contact's id.
    #[schemars(length(min = 1, max = 128))]
    contact_id: String,
    /// The tags to remove.
    #[schemars(length(min = 1, max = 50), inner(length(min = 1, max = 100)))]
    tags: Vec<String>,
}

/// A contact that was created, or found and updated.
#[derive(Serialize, JsonSchema)]
pub struct CreatedContact {
    contact: Contact,
    /// False when a contact with this e-mail or phone existed and was updated.
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<bool>,
    /// What did not work although the contact was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

/// A contact that was changed.
#[derive(Serialize, JsonSchema)]
pub struct UpdatedContact {
    contact: Contact,
}

/// The tags of a contact.
#[derive(Serialize, JsonSchema)]
pub struct Tags {
    contact_id: String,
    tags: Vec<String>,
}

pub async fn create(api: &GoHighLevel, args: CreateContact) -> Result<CreatedContact> {
    let known_by = args.is_known_by_something()?;
    let mut body = args.fields(api);
    body.insert("locationId".into(), json!(api.location()?));
    body.insert("createNewIfDuplicateAllowed".into(), json!(false));
    let request = api.post("/contacts/upsert", &[])?.json(&body);
    // The vendor recognises the contact by e-mail or phone, so that sending again finds the one that
    // was made. Without either, a second request would make a second contact.
    let request = if known_by { request.repeatable() } else { request };
    let sent = request.send().await;
    let answer: Value =
        sent.and_then(|r| r.json()).map_err(|e| super::wire::unknown(e, "look for the contact with read_contacts"))?;
    let mut contact = Contact::of(answer.get("contact").unwrap_or(&Value::Null), true);
    let warning = match tag_new(api, &contact.id, args.tags).await {
        Ok(Some(tags)) => {
            contact.tags = tags;
            None
        }
        Ok(None) => None,
        Err(error) => Some(format!("the contact was saved, but the tags were not added: {error}")),
    };
    Ok(CreatedContact { contact, new: json::flag(&answer, "new"), warning })
}

pub async fn plan_create(api: &GoHighLevel, args: CreateContact) -> Result<Plan> {
    args.is_known_by_something()?;
    let found = plans::duplicate(api, args.email.as_deref(), args.phone.as_deref()).await?;
    let plan = match &found {
        Some(row) => Plan::new(format!("Update {}, who has this e-mail address or phone number.", plans::name(row)))
            .note("which contact is found follows the location's settings for duplicates"),
        None => Plan::new("Create a contact."),
    };
    let row = found.unwrap_or_default();
    let plan = plans::fields(plan, &row, &args.fields(api));
    let plan = plans::own_fields(plan, &row, args.custom_fields.iter().map(CustomValue::pair));
    Ok(plans::tags(&row, &args.tags, false).into_iter().fold(plan, |plan, tag| plan.adds("tag", tag)))
}

pub async fn update(api: &GoHighLevel, args: UpdateContact) -> Result<UpdatedContact> {
    // `tags` is never among the fields: the vendor would replace all tags by those sent.
    let body = args.changes(api)?;
    let request = api.request(Method::PUT, "/contacts/{contact_id}", &[&args.contact_id])?;
    let answer: Value = request.json(&body).send().await?.json()?;
    let row = answer.get("contact").filter(|row| row.is_object()).unwrap_or(&Value::Null);
    let mut contact = Contact::of(row, true);
    if contact.id.is_empty() {
        contact.id = args.contact_id;
    }
    Ok(UpdatedContact { contact })
}

pub async fn plan_update(api: &GoHighLevel, args: UpdateContact) -> Result<Plan> {
    let changes = args.changes(api)?;
    let row = plans::contact(api, &args.contact_id).await?;
    let plan = Plan::new(format!("Change {}.", plans::name(&row)));
    let plan = plans::fields(plan, &row, &changes);
    Ok(plans::own_fields(plan, &row, args.custom_fields.iter().map(CustomValue::pair)))
}

pub async fn add_tags(api: &GoHighLevel, args: AddTags) -> Result<Tags> {
    let tags = change_tags(api, Method::POST, &args.contact_id, &args.tags).await?;
    Ok(Tags { contact_id: args.contact_id, tags })
}

pub async fn remove_tags(api: &GoHighLevel, args: RemoveTags) -> Result<Tags> {
    let tags = change_tags(api, Method::DELETE, &args.contact_id, &args.tags).await?;
    Ok(Tags { contact_id: args.contact_id, tags })
}

pub async fn plan_add_tags(api: &GoHighLevel, args: AddTags) -> Result<Plan> {
    let row = plans::contact(api, &args.contact_id).await?;
    let plan = Plan::new(format!("Add tags to {}.", plans::name(&row)));
    Ok(plans::tags(&row, &args.tags, false).into_iter().fold(plan, |plan, tag| plan.adds("tag", tag)))
}

pub async fn plan_remove_tags(api: &GoHighLevel, args: RemoveTags) -> Result<Plan> {
    let row = plans::contact(api, &args.contact_id).await?;
    let plan = Plan::new(format!("Remove tags from {}.", plans::name(&row)));
    Ok(plans::tags(&row, &args.tags, true).into_iter().fold(plan, |plan, tag| plan.removes("tag", tag)))
}

/// Tags are added after the upsert, because tags within it replace all that are there.
async fn tag_new(api: &GoHighLevel, contact: &str, tags: Vec<String>) -> Result<Option<Vec<String>>> {
    if tags.is_empty() {
        return Ok(None);
    }
    change_tags(api, Method::POST, contact, &tags).await.map(Some)
}

/// Adding a tag twice, or removing it twice, is the same as once.
async fn change_tags(api: &GoHighLevel, method: Method, contact: &str, tags: &[String]) -> Result<Vec<String>> {
    let request = api.request(method, "/contacts/{contact_id}/tags", &[contact])?.repeatable();
    let answer: Value = request.json(&json!({ "tags": tags })).send().await?.json()?;
    Ok(json::texts(&answer, "tags"))
}

impl CustomValue {
    fn pair(&self) -> (&str, &str) {
        (&self.id, &self.value)
    }
}

impl CreateContact {
    /// Whether the vendor can find the contact again; one that nothing is known of is refused.
    fn is_known_by_something(&self) -> Result<bool> {
        let known_by = self.email.is_some() || self.phone.is_some();
        if !known_by && self.first_name.is_none() && self.last_name.is_none() {
            return Err(Error::invalid_input("a contact needs an email, a phone or a name"));
        }
        Ok(known_by)
    }

    /// The fields that were given, by the vendor's names.
    fn fields(&self, api: &GoHighLevel) -> Map<String, Value> {
        let texts = [
            ("firstName", &self.first_name),
            ("lastName", &self.last_name),
            ("companyName", &self.company),
            ("email", &self.email),
            ("phone", &self.phone),
            ("address1", &self.address),
            ("city", &self.city),
            ("state", &self.state),
            ("postalCode", &self.postal_code),
            ("country", &self.country),
            ("website", &self.website),
            ("timezone", &self.timezone),
            ("source", &self.source),
            ("assignedTo", &self.assigned_to),
        ];
        given(&texts, &self.custom_fields, api)
    }
}

impl UpdateContact {
    /// What is to change, which must be something.
    fn changes(&self, api: &GoHighLevel) -> Result<Map<String, Value>> {
        let fields = self.fields(api);
        if fields.is_empty() {
            return Err(Error::invalid_input("nothing to change: give at least one field besides contact_id"));
        }
        Ok(fields)
    }

    /// The fields that were given, by the vendor's names.
    fn fields(&self, api: &GoHighLevel) -> Map<String, Value> {
        let texts = [
            ("firstName", &self.first_name),
            ("lastName", &self.last_name),
            ("companyName", &self.company),
            ("email", &self.email),
            ("phone", &self.phone),
            ("address1", &self.address),
            ("city", &self.city),
            ("state", &self.state),
            ("postalCode", &self.postal_code),
            ("country", &self.country),
            ("website", &self.website),
            ("timezone", &self.timezone),
            ("source", &self.source),
            ("assignedTo", &self.assigned_to),
        ];
        given(&texts, &self.custom_fields, api)
    }
}

fn given(texts: &[(&str, &Option<String>)], own: &[CustomValue], api: &GoHighLevel) -> Map<String, Value> {
    let given = texts.iter().filter_map(|(name, text)| text.as_ref().map(|text| ((*name).to_owned(), json!(text))));
    let mut fields: Map<String, Value> = given.collect();
    if !own.is_empty() {
        let value = if api.is_v3() { "fieldValue" } else { "field_value" };
        let own: Vec<Value> = own.iter().map(|field| json!({"id": field.id, value: field.value})).collect();
        fields.insert("customFields".into(), json!(own));
    }
    fields
}
