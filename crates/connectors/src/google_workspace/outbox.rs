//! Drafts and sending. A mail is written as a draft first and then sent: Gmail sends a draft once, whatever is lost on
//! the way.

use schemars::JsonSchema;
use sdk::{Error, Kind, Plan, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::compose::{self, EFFECT, Mail};
use super::mail::{header, metadata};
use super::{GoogleWorkspace, digest, wire};
use crate::json;

/// Writes a mail as a draft in Gmail; nothing is sent. Use it when a person shall read it first. With `reply_to` it
/// joins that conversation. Answers the `draft`.
#[derive(Deserialize, JsonSchema)]
pub struct CreateDraft(Wish);

/// Sends a mail from the connected Gmail account. With `reply_to` it joins that conversation. Use `create_draft` when a
/// person shall read it first. Answers the `message` that was sent.
#[derive(Deserialize, JsonSchema)]
pub struct SendEmail(Wish);

/// The mail that is wanted.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// Addresses, `ada@example.com` or `Ada Byron <ada@example.com>`; with `reply_to` its sender unless given.
    #[serde(default)]
    #[schemars(length(max = 50), inner(length(min = 3, max = 320)))]
    to: Vec<String>,
    /// Addresses that get a copy.
    #[serde(default)]
    #[schemars(length(max = 50), inner(length(min = 3, max = 320)))]
    cc: Vec<String>,
    /// Addresses that get a copy unseen by others.
    #[serde(default)]
    #[schemars(length(max = 50), inner(length(min = 3, max = 320)))]
    bcc: Vec<String>,
    /// The subject; with `reply_to` that of the conversation unless given.
    #[schemars(length(min = 1, max = 250))]
    subject: Option<String>,
    /// Plain text.
    #[schemars(length(min = 1, max = 50_000))]
    body: String,
    /// The id of the mail that this one answers.
    #[schemars(length(min = 1, max = 128))]
    reply_to: Option<String>,
}

/// A draft that was written.
#[derive(Serialize, JsonSchema)]
pub struct Drafted {
    draft: Draft,
}

/// A draft.
#[derive(Serialize, JsonSchema)]
pub struct Draft {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_id: Option<String>,
    to: Vec<String>,
    subject: String,
}

/// A mail that was sent.
#[derive(Serialize, JsonSchema)]
pub struct Sent {
    message: SentMessage,
    /// An earlier attempt of the same call had sent it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    already_sent: bool,
}

/// A mail that was sent.
#[derive(Serialize, JsonSchema)]
pub struct SentMessage {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_id: Option<String>,
    to: Vec<String>,
    subject: String,
}

pub async fn create_draft(api: &GoogleWorkspace, args: CreateDraft) -> Result<Drafted> {
    let letter = Letter::of(api, "create_draft", args.0).await?;
    let row = match drafted(api, &letter).await? {
        Some(row) => row,
        None => write(api, &letter).await?,
    };
    let message = row.get("message").unwrap_or(&Value::Null);
    Ok(Drafted {
        draft: Draft {
            id: json::text(&row, "id").unwrap_or_default(),
            message_id: json::text(message, "id"),
            thread_id: json::text(message, "threadId"),
            to: letter.mail.to,
            subject: letter.mail.subject,
        },
    })
}

pub async fn send(api: &GoogleWorkspace, args: SendEmail) -> Result<Sent> {
    let letter = Letter::of(api, "send_email", args.0).await?;
    if let Some(row) = sent_before(api, &letter).await? {
        return Ok(letter.sent(&row, true));
    }
    let draft = match drafted(api, &letter).await? {
        Some(draft) => draft,
        None => write(api, &letter).await?,
    };
    let id = json::text(&draft, "id").ok_or_else(|| Error::upstream("Gmail answered a draft without an id"))?;
    let look = |error| wire::unknown(error, "look into the folder of sent mail");
    // Sending removes the draft, so that sending it again finds nothing to send.
    let request = api.post("/gmail/v1/users/me/drafts/send", &[])?.json(&json!({"id": id})).repeatable();
    let error = match request.send().await.and_then(|answer| answer.json::<Value>()) {
        Ok(row) => return Ok(letter.sent(&row, false)),
        Err(error) => error,
    };
    // Either an earlier attempt sent it, or nobody knows: what lies among the sent mails decides.
    let gone = error.kind == Kind::NotFound;
    if !gone && !error.outcome_unknown && error.kind != Kind::Upstream {
        return Err(error);
    }
    match sent_before(api, &letter).await {
        Ok(Some(row)) => Ok(letter.sent(&row, false)),
        // A draft that is still there was not sent, and the same call finds it again.
        Ok(None) if !gone && matches!(drafted(api, &letter).await, Ok(Some(_))) => Err(error.with_known_outcome()),
        _ => Err(look(error.with_unknown_outcome())),
    }
}

pub async fn plan_draft(api: &GoogleWorkspace, args: CreateDraft) -> Result<Plan> {
    let letter = Letter::of(api, "create_draft", args.0).await?;
    let plan = Plan::new("write a draft; nothing is sent");
    Ok(letter.planned(plan))
}

pub async fn plan_send(api: &GoogleWorkspace, args: SendEmail) -> Result<Plan> {
    let letter = Letter::of(api, "send_email", args.0).await?;
    let count = letter.mail.to.len() + letter.mail.cc.len() + letter.mail.bcc.len();
    let plan = Plan::new(format!("send a mail to {count} {}", if count == 1 { "address" } else { "addresses" }));
    Ok(letter.planned(plan).note("a mail that was sent cannot be taken back"))
}

/// A mail, and the conversation that it belongs to.
struct Letter {
    mail: Mail,
    thread: Option<String>,
}

impl Letter {
    async fn of(api: &GoogleWorkspace, tool: &str, args: Wish) -> Result<Letter> {
        let given = json!([args.to, args.cc, args.bcc, args.subject, args.body, args.reply_to]).to_string();
        let effect = digest::of(api, &[tool, &given]);
        let mut letter = Letter {
            mail: Mail {
                to: args.to,
                cc: args.cc,
                bcc: args.bcc,
                subject: args.subject.unwrap_or_default(),
                body: args.body,
                effect,
                answers: None,
            },
            thread: None,
        };
        if let Some(id) = args.reply_to {
            letter.join(api, &id).await?;
        }
        if letter.mail.to.is_empty() {
            return Err(Error::invalid_input("to: give at least one address"));
        }
        if letter.mail.subject.is_empty() {
            return Err(Error::invalid_input("subject: give one"));
        }
        // What cannot be written is refused before anything is asked or sent.
        letter.mail.raw()?;
        Ok(letter)
    }

    /// Makes it an answer: Gmail wants the conversation, the references and the same subject.
    async fn join(&mut self, api: &GoogleWorkspace, id: &str) -> Result<()> {
        let row = metadata(api, id, &[]).await?;
        let row = row.ok_or_else(|| Error::not_found("reply_to: there is no such mail"))?;
        self.thread = json::text(&row, "threadId");
        if self.mail.to.is_empty() {
            let sender = header(&row, "Reply-To").or_else(|| header(&row, "From")).unwrap_or_default();
            self.mail.to = compose::addresses(&sender);
        }
        if self.mail.subject.is_empty() {
            let subject = header(&row, "Subject").unwrap_or_default().replace(char::is_control, " ");
            let answered = subject.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("re:"));
            self.mail.subject = if answered { subject } else { format!("Re: {subject}") };
        }
        if let Some(answered) = header(&row, "Message-ID") {
            self.mail.answers = Some((answered, header(&row, "References").unwrap_or_default()));
        }
        Ok(())
    }

    fn sent(self, row: &Value, already_sent: bool) -> Sent {
        let message = SentMessage {
            id: json::text(row, "id").unwrap_or_default(),
            thread_id: json::text(row, "threadId"),
            to: self.mail.to,
            subject: self.mail.subject,
        };
        Sent { message, already_sent }
    }

    fn planned(&self, plan: Plan) -> Plan {
        let mut plan = plan.adds("to", json!(self.mail.to));
        for (what, list) in [("cc", &self.mail.cc), ("bcc", &self.mail.bcc)] {
            if !list.is_empty() {
                plan = plan.adds(what, json!(list));
            }
        }
        plan = plan.adds("subject", self.mail.subject.clone()).adds("body", sdk::text::cut(&self.mail.body, 2_000));
        if self.thread.is_some() { plan.note("it joins the conversation of the mail that it answers") } else { plan }
    }
}

/// How often a draft is written whose reply is lost, each time after a look that it is not there.
const ATTEMPTS: usize = 3;

/// Writes the draft. When the reply is lost, the draft is looked for before it is written again.
async fn write(api: &GoogleWorkspace, letter: &Letter) -> Result<Value> {
    let mut message = json!({"raw": letter.mail.raw()?});
    if let Some(thread) = &letter.thread {
        message["threadId"] = json!(thread);
    }
    let mut last = Error::internal("no attempt was made");
    for _ in 0..ATTEMPTS {
        let request = api.post("/gmail/v1/users/me/drafts", &[])?.json(&json!({"message": message}));
        match request.send().await.and_then(|answer| answer.json::<Value>()) {
            Ok(row) if row.get("id").is_some() => return Ok(row),
            Ok(_) => last = Error::upstream("Gmail answered a draft without an id").with_unknown_outcome(),
            Err(error) if !error.outcome_unknown => return Err(error),
            Err(error) => last = error,
        }
        match drafted(api, letter).await {
            Ok(Some(row)) => return Ok(row),
            Ok(None) => {}
            Err(_) => break,
        }
    }
    Err(wire::unknown(last, "look into the folder of drafts"))
}

/// The draft of this very effect, if it is written already.
async fn drafted(api: &GoogleWorkspace, letter: &Letter) -> Result<Option<Value>> {
    let query = format!("rfc822msgid:{}", letter.mail.message_id().trim_matches(['<', '>']));
    let found = wire::listing("drafts", None, |token| {
        Ok(api.get("/gmail/v1/users/me/drafts", &[])?.query(&[
            ("q", Some(query.clone())),
            ("maxResults", Some("5".to_owned())),
            ("pageToken", token),
        ]))
    })
    .await?;
    Ok(found.rows.into_iter().find(|row| json::text(row, "id").is_some()))
}

/// Mails to the same address that are looked through.
const LOOKED_AT: usize = 10;

/// The mail of this very effect among those sent lately. Gmail may replace the message id when it sends, so each is
/// known by a header of ours.
async fn sent_before(api: &GoogleWorkspace, letter: &Letter) -> Result<Option<Value>> {
    let to = letter.mail.to.first().map(|to| compose::address(to)).unwrap_or_default();
    let query = format!("in:sent newer_than:7d to:{}", to.replace(|c: char| c.is_whitespace() || c == '"', ""));
    let found = wire::listing("messages", None, |token| {
        Ok(api.get("/gmail/v1/users/me/messages", &[])?.query(&[
            ("q", Some(query.clone())),
            ("maxResults", Some(LOOKED_AT.to_string())),
            ("pageToken", token),
        ]))
    })
    .await?;
    for id in found.rows.iter().filter_map(|row| json::text(row, "id")) {
        let Some(row) = metadata(api, &id, &[EFFECT]).await? else { continue };
        let ours = header(&row, EFFECT).is_some_and(|effect| effect == letter.mail.effect);
        if ours || header(&row, "Message-ID").is_some_and(|id| id == letter.mail.message_id()) {
            return Ok(Some(row));
        }
    }
    Ok(None)
}
