//! The two ways in: a private integration's token, or the consent to a marketplace application.

use sdk::auth::{Key, Lifetimes, Narrow, OAuth2, Reconnect};

pub const TOKEN: Key = Key {
    name: "token",
    env: "GHL_API_KEY",
    help: "Settings > Private Integrations > Create new integration; the token begins with pit-",
};

/// The scopes of all tools, and the one that makes a location's token of an agency's.
const SCOPES: &[&str] = &[
    "contacts.readonly",
    "contacts.write",
    "opportunities.readonly",
    "opportunities.write",
    "conversations.readonly",
    "conversations/message.readonly",
    "conversations/message.write",
    "calendars.readonly",
    "calendars/events.readonly",
    "calendars/events.write",
    "locations.readonly",
    "oauth.write",
];

/// The vendor's token operations want a version; the documented one is the oldest.
const VERSION: &[(&str, &str)] = &[("version", "2021-07-28")];

/// A marketplace application. <https://marketplace.gohighlevel.com/docs/Authorization/OAuth2.0>
///
/// Access tokens live a day, refresh tokens a year and work once.
pub const APPLICATION: OAuth2 = OAuth2 {
    authorize_url: "https://marketplace.gohighlevel.com/v2/oauth/chooselocation",
    token_url: "https://services.leadconnectorhq.com/oauth/token",
    scopes: SCOPES,
    client_id: Key {
        name: "client_id",
        env: "GHL_CLIENT_ID",
        help: "marketplace.gohighlevel.com > My Apps > your app > Advanced Settings > Auth > Client Keys",
    },
    client_secret: Key {
        name: "client_secret",
        env: "GHL_CLIENT_SECRET",
        help: "beside the client id; it is shown once",
    },
    token_with: &[("user_type", "Location")],
    from_token: &[("locationId", "location_id")],
    // The consent of an agency's owner brings the agency's token even where one location was picked.
    narrow: Some(Narrow {
        when: ("userType", "Company"),
        path: "locationToken",
        group: "companyId",
        account: ("locationId", "location_id"),
        choices: "approvedLocations",
        headers: VERSION,
    }),
    reconnect: Some(Reconnect {
        path: "reconnect",
        client: ("clientKey", "clientSecret"),
        account: ("locationId", "location_id"),
        code: "authorizationCode",
        headers: VERSION,
    }),
    lifetimes: Lifetimes { refresh_days: Some(365), client_secret_days: None },
    unlocks: &[
        ("contacts.readonly", &["read_contacts", "get_contact"]),
        ("contacts.write", &["create_contact", "update_contact", "add_tags", "remove_tags", "add_note", "create_task"]),
        ("opportunities.readonly", &["list_pipelines", "pipeline_digest", "list_opportunities"]),
        ("opportunities.write", &["update_opportunity"]),
        ("conversations.readonly", &["read_conversations"]),
        ("conversations/message.readonly", &["read_conversations"]),
        ("conversations/message.write", &["send_sms", "send_email"]),
        ("calendars.readonly", &["list_appointments", "book_appointment"]),
        ("calendars/events.readonly", &["list_appointments"]),
        ("calendars/events.write", &["book_appointment"]),
    ],
    ..OAuth2::STANDARD
};
