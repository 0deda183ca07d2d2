//! Replies that are lost after the vendor has committed, and a server that is killed between them: what is wanted once is
//! there once at most, and what was answered is there. Counted at the vendor, with the real binary.
//!
//! `EMCP_LOST_REPLIES=1000` makes a thousand of each.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandbox::{Fault, Sandbox};
use serde_json::{Value, json};

use crate::binary::Binary;
use crate::vendors::{self, call};

const ECOSYSTEMS: [&str; 5] = ["gohighlevel", "quickbooks", "google_workspace", "cloudflare", "godaddy"];
/// Of each kind, unless the environment says more.
const OF_EACH: usize = 40;
const KILLS: usize = 4;

/// One kind of thing that is made at a vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Invoice,
    Contact,
    Draft,
    CloudflareRecord,
    GodaddyRecord,
}

const KINDS: [Kind; 5] = [Kind::Invoice, Kind::Contact, Kind::Draft, Kind::CloudflareRecord, Kind::GodaddyRecord];

impl Kind {
    fn tool(self) -> &'static str {
        match self {
            Kind::Invoice => "quickbooks.create_draft_invoice",
            Kind::Contact => "gohighlevel.create_contact",
            Kind::Draft => "google_workspace.create_draft",
            Kind::CloudflareRecord => "cloudflare.create_dns_record",
            Kind::GodaddyRecord => "godaddy.apply_dns_plan",
        }
    }

    /// Where the request goes whose reply is lost.
    fn path(self) -> &'static str {
        match self {
            Kind::Invoice => "/quickbooks/v3/company/",
            Kind::Contact => "/contacts/upsert",
            Kind::Draft => "/google_workspace/gmail/v1/users/me/drafts",
            Kind::CloudflareRecord => "/cloudflare/client/v4/zones/",
            Kind::GodaddyRecord => "/godaddy/v3/domains/zones/",
        }
    }

    /// What the vendor calls it that one was made, and where the mark stands in it.
    fn effect(self) -> (&'static str, &'static str) {
        match self {
            Kind::Invoice => ("qbo.invoice.created.v1", "/PrivateNote"),
            Kind::Contact => ("ContactCreate", "/companyName"),
            Kind::Draft => ("GmailDraftCreate", "/subject"),
            Kind::CloudflareRecord => ("cloudflare.record.create", "/content"),
            Kind::GodaddyRecord => ("godaddy.record.create", "/data"),
        }
    }

    /// How many make them at once. A domain's plan is void when its zone has changed meanwhile.
    fn makers(self) -> usize {
        if self == Kind::GodaddyRecord { 2 } else { 5 }
    }
}

/// What became of one that was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The server said that it was done.
    Done,
    /// The server said that it does not know.
    Unknown,
    /// The server was killed before it said anything.
    Cut,
}

/// What is true of the whole run.
struct Run {
    vendor: Sandbox,
    /// Where the server is, while it is.
    url: Mutex<Option<String>>,
    /// May decide on approvals.
    approver: String,
    ends: Mutex<BTreeMap<(Kind, usize), End>>,
    lost: AtomicUsize,
    customer: String,
    /// Of Cloudflare, and two of GoDaddy.
    zone: String,
    domains: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_never_makes_a_duplicate() {
    #[expect(clippy::disallowed_methods, reason = "how much is to be tested is said from outside")]
    let of_each = std::env::var("EMCP_LOST_REPLIES").map_or(OF_EACH, |count| count.parse().unwrap());
    let kills = KILLS * (of_each / OF_EACH).clamp(1, 5);
    let vendor = vendors::start(|options| options.enforce_limits = false).await;
    let folder = tempfile::tempdir().unwrap();
    let secrets = vendors::connect_without_limits(folder.path(), &vendor, &ECOSYSTEMS);
    let secrets: HashMap<String, String> =
        secrets.into_iter().filter(|(name, _)| !name.starts_with("GODADDY_API")).collect();
    let secrets = with_token(secrets, &vendor);
    let approver = key(folder.path());
    let server = start(folder.path(), &secrets);
    let (customer, zone, domains) = places(&server.url).await;
    let run = Arc::new(Run {
        vendor,
        url: Mutex::new(Some(server.url.clone())),
        approver,
        ends: Mutex::default(),
        lost: AtomicUsize::new(0),
        customer,
        zone,
        domains,
    });
    let makers: Vec<_> = KINDS
        .iter()
        .flat_map(|kind| (0..kind.makers()).map(|maker| (*kind, maker)))
        .map(|(kind, maker)| {
            let run = run.clone();
            tokio::spawn(async move {
                for number in (maker..of_each).step_by(kind.makers()) {
                    make(&run, kind, maker, number).await;
                }
            })
        })
        .collect();
    let mut server = Some(server);
    for kill in 1..=kills {
        let goal = KINDS.len() * of_each * kill / (kills + 1);
        while run.ends.lock().unwrap().len() < goal && makers.iter().any(|maker| !maker.is_finished()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        *run.url.lock().unwrap() = None;
        server.take().unwrap().kill();
        let again = start(folder.path(), &secrets);
        *run.url.lock().unwrap() = Some(again.url.clone());
        server = Some(again);
    }
    for maker in makers {
        maker.await.unwrap();
    }
    server.unwrap().kill();
    count(&run, of_each, kills);
}

/// GoDaddy's newer API can only create: its key is left out, so that the token counts.
fn with_token(mut secrets: HashMap<String, String>, vendor: &Sandbox) -> HashMap<String, String> {
    let token = vendor.account("godaddy").unwrap().credentials["token"].clone();
    secrets.insert("GODADDY_TOKEN".into(), token);
    secrets
}

fn start(folder: &Path, secrets: &HashMap<String, String>) -> Binary {
    let allowed = "google_workspace.create_draft,cloudflare.create_dns_record,godaddy.apply_dns_plan";
    vendors::serve(folder, secrets, &[("POLICY_ALLOW", allowed)])
}

/// A person's key.
fn key(folder: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enterprise-mcp"));
    command.args(["key", "create", "owner", "--scopes", "read,approve"]).current_dir(folder).env_clear();
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().next().unwrap().trim().to_owned()
}

/// A customer, a zone and domains that things can be made for.
async fn places(url: &str) -> (String, String, Vec<String>) {
    let http = server::app::client().unwrap();
    let ask = async |tool: &str| call(&http, url, tool, &json!({})).await.unwrap();
    let customers = ask("quickbooks.list_customers").await;
    let customer = customers["data"]["customers"][0]["id"].as_str().unwrap_or_else(|| panic!("{customers}"));
    let zones = ask("cloudflare.list_zones").await;
    let zone = zones["data"]["zones"][0]["name"].as_str().unwrap_or_else(|| panic!("{zones}"));
    let domains = ask("godaddy.list_domains").await;
    let names = domains["data"]["domains"].as_array().unwrap_or_else(|| panic!("{domains}"));
    let mut hosted = Vec::new();
    for name in names.iter().filter_map(|domain| domain["domain"].as_str().or(domain["name"].as_str())) {
        // The DNS of the others is elsewhere.
        let dns = call(&http, url, "godaddy.list_dns", &json!({"domain": name})).await.unwrap();
        hosted.extend((dns["status"] == "ok").then(|| name.to_owned()));
    }
    assert!(hosted.len() > 1, "{domains}");
    (customer.to_owned(), zone.to_owned(), hosted)
}

/// Makes one, until the server says that it is done or that it does not know, or goes away.
async fn make(run: &Run, kind: Kind, maker: usize, number: usize) {
    let http = server::app::client().unwrap();
    for attempt in 0..60 {
        let url = server(run).await;
        // Every third reply is lost, and the next one, to another request, is not.
        if attempt == 0 && number.is_multiple_of(3) {
            run.vendor.faults().next_post_on(kind.path(), 1, Fault::DropReply);
            run.lost.fetch_add(1, Ordering::Relaxed);
        }
        let outcome = match kind {
            Kind::GodaddyRecord => planned(run, &http, &url, maker, number).await,
            _ => said(call(&http, &url, kind.tool(), &arguments(run, kind, number)).await),
        };
        let outcome = match outcome {
            Said::Asks(approval) => approved(run, &http, &approval).await,
            outcome => outcome,
        };
        let end = match outcome {
            Said::Done => End::Done,
            Said::Unknown => End::Unknown,
            Said::Nothing => End::Cut,
            // It did not happen, so it may be wanted again.
            Said::Refused(_) if attempt < 59 => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                continue;
            }
            Said::Refused(why) => panic!("{kind:?} {number}: {why}"),
            Said::Asks(_) => unreachable!("an approval was decided"),
        };
        run.ends.lock().unwrap().insert((kind, number), end);
        return;
    }
}

/// Where the server is, once it is there.
async fn server(run: &Run) -> String {
    loop {
        if let Some(url) = run.url.lock().unwrap().clone() {
            return url;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the server said.
enum Said {
    Done,
    Unknown,
    Refused(String),
    Asks(String),
    Nothing,
}

fn said(body: Option<Value>) -> Said {
    let Some(body) = body else { return Said::Nothing };
    match body["status"].as_str() {
        Some("ok") => Said::Done,
        Some("pending_approval") => Said::Asks(body["data"]["approval_id"].as_str().unwrap().to_owned()),
        _ if body["outcome_unknown"] == true => Said::Unknown,
        _ => Said::Refused(body.to_string()),
    }
}

/// Says yes, and waits for what comes of it, over a kill too.
async fn approved(run: &Run, http: &reqwest::Client, id: &str) -> Said {
    let (mut patience, mut executing_at) = (0, None);
    loop {
        let server = server(run).await;
        let url = format!("{server}/api/v1/approvals/{id}");
        let decision =
            http.post(format!("{url}/decision")).bearer_auth(&run.approver).json(&json!({"decision": "approve"}));
        // Whether it was decided before is told by its state.
        drop(decision.send().await);
        let shown = http.get(&url).bearer_auth(&run.approver).send().await;
        let approval: Value = match shown {
            Ok(answer) => answer.json().await.unwrap_or_default(),
            Err(_) => Value::Null,
        };
        match approval["state"].as_str() {
            Some("executed") => return Said::Done,
            Some("unknown") => return Said::Unknown,
            Some("failed") => return Said::Refused(approval["result"].to_string()),
            // A kill has cut it off; it is settled as unknown later.
            Some("executing") if executing_at.get_or_insert(server.clone()) != &server || patience > 150 => {
                return Said::Nothing;
            }
            _ if patience > 600 => panic!("nothing becomes of {approval}"),
            _ => patience += 1,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// GoDaddy's DNS is changed by a plan.
async fn planned(run: &Run, http: &reqwest::Client, url: &str, maker: usize, number: usize) -> Said {
    let record = json!({"type": "TXT", "name": format!("lost{number}"), "data": mark(Kind::GodaddyRecord, number)});
    let mut arguments = json!({"domain": run.domains[maker % run.domains.len()], "records": [record]});
    let Some(plan) = call(http, url, "godaddy.dns_plan", &arguments).await else {
        // Nothing was changed by a plan.
        return Said::Refused("the server was killed while it planned".into());
    };
    let Some(plan) = plan["data"]["plan"].as_str() else { return Said::Refused(plan.to_string()) };
    arguments["plan"] = json!(plan);
    said(call(http, url, Kind::GodaddyRecord.tool(), &arguments).await)
}

fn mark(kind: Kind, number: usize) -> String {
    format!("lost-{kind:?}-{number}-end")
}

fn arguments(run: &Run, kind: Kind, number: usize) -> Value {
    let mark = mark(kind, number);
    match kind {
        Kind::Invoice => json!({"customer_id": run.customer, "private_note": mark, "email": "lost@example.com",
            "lines": [{"description": "one", "unit_price": 10}]}),
        // Some have no address that GoHighLevel would know them by.
        Kind::Contact if number % 4 == 3 => json!({"first_name": mark, "company": mark}),
        Kind::Contact => json!({"email": format!("lost{number}@example.com"), "company": mark}),
        Kind::Draft => json!({"to": ["lost@example.com"], "subject": mark, "body": "One draft."}),
        Kind::CloudflareRecord => {
            json!({"zone": run.zone, "type": "TXT", "name": format!("lost{number}"), "content": mark})
        }
        Kind::GodaddyRecord => unreachable!("it is planned"),
    }
}

/// Counts at the vendor.
fn count(run: &Run, of_each: usize, kills: usize) {
    let effects = run.vendor.business().effects();
    let ends = run.ends.lock().unwrap();
    println!("{} replies lost, {kills} kills", run.lost.load(Ordering::Relaxed));
    let mut wrong = Vec::new();
    for kind in KINDS {
        let (name, place) = kind.effect();
        let made: Vec<&str> = effects
            .iter()
            .filter(|effect| effect.kind == name)
            .filter_map(|effect| effect.payload.pointer(place)?.as_str())
            .collect();
        let mut sums: BTreeMap<(End, usize), usize> = BTreeMap::new();
        for number in 0..of_each {
            let end = ends[&(kind, number)];
            let mark = mark(kind, number);
            let times = made.iter().filter(|made| made.contains(&mark)).count();
            *sums.entry((end, times)).or_default() += 1;
            if times > 1 || (end == End::Done && times == 0) {
                wrong.push(format!("{mark}: {end:?}, and {times} of it at the vendor"));
            }
        }
        println!("{kind:?}: {}", told(&sums));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let done = ends.values().filter(|end| **end == End::Done).count();
    assert!(done * 2 > KINDS.len() * of_each, "most were answered: {done}");
}

fn told(sums: &BTreeMap<(End, usize), usize>) -> String {
    let each = sums.iter().map(|((end, times), count)| format!("{count} {end:?} and there {times} times"));
    each.collect::<Vec<_>>().join(", ")
}
