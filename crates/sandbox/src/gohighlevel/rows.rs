//! A contact as the different operations show it.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};

use crate::{
    business::{Contact, Id, Opportunity, Text},
    clock::{Millis, iso},
};

/// A moment as the vendor writes it.
pub(crate) struct At(pub Millis);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&iso(self.0))
    }
}

/// A row of `POST /contacts/search`: the index's document, with nulls and the cursor.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SearchRow<'a> {
    id: Id,
    first_name: Option<&'a Text>,
    first_name_lower_case: Option<String>,
    last_name: Option<&'a Text>,
    last_name_lower_case: Option<String>,
    contact_name: String,
    email: Option<&'a Text>,
    phone: Option<&'a Text>,
    phone_label: Option<()>,
    additional_emails: &'a [Text],
    additional_phones: [(); 0],
    r#type: &'a Text,
    location_id: Id,
    assigned_to: Option<Id>,
    tags: &'a [Text],
    custom_fields: Answers<'a>,
    dnd: bool,
    dnd_settings: Value,
    inbound_dnd_settings: Map<String, Value>,
    country: &'a Text,
    city: Option<&'a Text>,
    state: Option<&'a Text>,
    postal_code: Option<&'a Text>,
    website: Option<&'a Text>,
    address: Option<&'a Text>,
    business_id: Option<()>,
    business_name: Option<&'a Text>,
    company_name: Option<&'a Text>,
    date_of_birth: Option<&'a Text>,
    timezone: Option<&'a Text>,
    source: Option<&'a Text>,
    date_added: At,
    date_updated: At,
    followers: [(); 0],
    valid_email: Option<()>,
    opportunities: Vec<Deal<'a>>,
    pub search_after: Vec<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deal<'a> {
    id: Id,
    pipeline_id: Id,
    pipeline_stage_id: &'a str,
    monetary_value: f64,
    status: &'a str,
}

impl<'a> Deal<'a> {
    pub(crate) fn of(opportunity: &'a Opportunity) -> Deal<'a> {
        Deal {
            id: opportunity.id,
            pipeline_id: opportunity.pipeline,
            pipeline_stage_id: &opportunity.stage,
            monetary_value: opportunity.value,
            status: &opportunity.status,
        }
    }
}

/// Custom fields as `[{"id": …, "value": …}]`.
pub(crate) struct Answers<'a>(pub &'a [(Id, Value)]);

impl Serialize for Answers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Answer))
    }
}

struct Answer<'a>(&'a (Id, Value));

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("id", &self.0.0)?;
        map.serialize_entry("value", &self.0.1)?;
        map.end()
    }
}

pub(crate) fn search_row<'a>(contact: &'a Contact, location: Id, v3: bool, deals: Vec<Deal<'a>>) -> SearchRow<'a> {
    SearchRow {
        id: contact.id,
        first_name: contact.first_name.as_ref(),
        first_name_lower_case: lower(contact.first_name.as_ref()),
        last_name: contact.last_name.as_ref(),
        last_name_lower_case: lower(contact.last_name.as_ref()),
        contact_name: contact.name().to_lowercase(),
        email: contact.email.as_ref(),
        phone: contact.phone.as_ref(),
        phone_label: None,
        additional_emails: &contact.additional_emails,
        additional_phones: [],
        r#type: &contact.kind,
        location_id: location,
        assigned_to: contact.assigned_to,
        tags: &contact.tags,
        custom_fields: Answers(&contact.custom_fields),
        dnd: contact.dnd,
        dnd_settings: dnd(contact, v3).unwrap_or_else(|| json!({})),
        inbound_dnd_settings: Map::new(),
        country: &contact.country,
        city: contact.city.as_ref(),
        state: contact.state.as_ref(),
        postal_code: contact.postal_code.as_ref(),
        website: contact.website.as_ref(),
        address: contact.address.as_ref(),
        business_id: None,
        business_name: contact.company.as_ref(),
        company_name: contact.company.as_ref(),
        date_of_birth: contact.date_of_birth.as_ref(),
        timezone: contact.timezone.as_ref(),
        source: contact.source.as_ref(),
        date_added: At(contact.added),
        date_updated: At(contact.updated),
        followers: [],
        valid_email: None,
        opportunities: deals,
        search_after: Vec::new(),
    }
}

fn lower(text: Option<&Text>) -> Option<String> {
    text.map(|text| text.to_lowercase())
}

/// `GET /contacts/{id}` and what writes give back: absent instead of null.
pub(crate) fn detail(contact: &Contact, location: Id, v3: bool) -> Value {
    let name = contact.name();
    let mut row = json!({
        "id": contact.id,
        "locationId": location,
        "fullNameLowerCase": name.to_lowercase(),
        "type": contact.kind,
        "country": contact.country,
        "dnd": contact.dnd,
        "tags": contact.tags,
        "customFields": Answers(&contact.custom_fields),
        "followers": [],
        "additionalEmails": contact.additional_emails,
        "additionalPhones": [],
        "dateAdded": At(contact.added),
        "dateUpdated": At(contact.updated),
        "lastActivity": At(contact.last_activity),
    });
    let Some(fields) = row.as_object_mut() else { return row };
    if v3 || !name.is_empty() {
        fields.insert("name".into(), name.into());
    }
    let email = contact.email.as_ref();
    let lowered = [
        ("firstNameLowerCase", lower(contact.first_name.as_ref())),
        ("lastNameLowerCase", lower(contact.last_name.as_ref())),
        ("emailLowerCase", lower(email)),
    ];
    for (key, value) in lowered {
        value.map(|value| fields.insert(key.into(), value.into()));
    }
    for (key, value) in texts(contact) {
        value.map(|value| fields.insert(key.into(), value.as_ref().into()));
    }
    contact.assigned_to.map(|user| fields.insert("assignedTo".into(), user.as_str().into()));
    dnd(contact, v3).map(|settings| fields.insert("dndSettings".into(), settings));
    row
}

/// The plain text fields under the names that most operations use.
fn texts(contact: &Contact) -> [(&'static str, Option<&Text>); 13] {
    [
        ("firstName", contact.first_name.as_ref()),
        ("lastName", contact.last_name.as_ref()),
        ("email", contact.email.as_ref()),
        ("phone", contact.phone.as_ref()),
        ("companyName", contact.company.as_ref()),
        ("source", contact.source.as_ref()),
        ("address1", contact.address.as_ref()),
        ("city", contact.city.as_ref()),
        ("state", contact.state.as_ref()),
        ("postalCode", contact.postal_code.as_ref()),
        ("website", contact.website.as_ref()),
        ("timezone", contact.timezone.as_ref()),
        ("dateOfBirth", contact.date_of_birth.as_ref()),
    ]
}

/// A row of the deprecated V2 list. Fields that its schema knows as strings are absent when empty.
pub(crate) fn listed(contact: &Contact, location: Id) -> Value {
    let mut row = v1(contact, location);
    let Some(fields) = row.as_object_mut() else { return row };
    let answers = fields.remove("customField").unwrap_or_default();
    fields.remove("lastActivity");
    fields.insert("customFields".into(), answers);
    fields.insert("additionalEmails".into(), json!(contact.additional_emails));
    fields.insert("attributions".into(), json!([]));
    fields.insert("followers".into(), json!([]));
    fields.retain(|key, value| !value.is_null() || !["email", "timezone", "country", "source"].contains(&key.as_str()));
    row
}

/// A row of the V1 list: everything may be null, `customField` is singular.
pub(crate) fn v1(contact: &Contact, location: Id) -> Value {
    let mut row = json!({
        "id": contact.id,
        "locationId": location,
        "contactName": contact.name(),
        "dnd": contact.dnd,
        "type": contact.kind,
        "assignedTo": contact.assigned_to,
        "dateAdded": At(contact.added),
        "dateUpdated": At(contact.updated),
        "tags": contact.tags,
        "country": contact.country,
        "lastActivity": contact.last_activity,
        "customField": Answers(&contact.custom_fields),
    });
    if let Some(fields) = row.as_object_mut() {
        fields.extend(texts(contact).map(|(key, value)| (key.to_owned(), json!(value))));
    }
    row
}

/// The flat payload of contact events.
pub(crate) fn event(contact: &Contact, location: Id) -> Value {
    let mut event = json!({
        "locationId": location,
        "id": contact.id,
        "name": contact.name(),
        "dateAdded": At(contact.added),
        "dnd": contact.dnd,
        "country": contact.country,
        "tags": contact.tags,
        "attachments": [],
        "customFields": Answers(&contact.custom_fields),
    });
    let Some(fields) = event.as_object_mut() else { return event };
    for (key, value) in texts(contact) {
        value.map(|value| fields.insert(key.into(), value.as_ref().into()));
    }
    fields.remove("timezone");
    contact.assigned_to.map(|user| fields.insert("assignedTo".into(), user.as_str().into()));
    dnd(contact, false).map(|settings| fields.insert("dndSettings".into(), settings));
    event
}

/// Channel by channel, with the keys of the version.
fn dnd(contact: &Contact, v3: bool) -> Option<Value> {
    let settings = contact.dnd_settings.as_deref()?;
    if !v3 {
        return Some(Value::Object(settings.clone()));
    }
    let renamed = settings.iter().map(|(key, value)| {
        let key = if key == "WhatsApp" { "whatsApp".to_owned() } else { key.to_lowercase() };
        (key, value.clone())
    });
    Some(Value::Object(renamed.collect()))
}
