use super::*;

/// A Saturday.
fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn utc() -> FixedOffset {
    FixedOffset::east_opt(0).unwrap()
}

fn understood(text: &str) -> String {
    parse(text, now(), utc()).understood(utc()).join(" · ")
}

#[test]
fn questions_that_people_ask() {
    let cases = [
        // names, companies and both
        ("dana", "matching “dana”"),
        ("Dana Fitzgerald", "matching “Dana Fitzgerald”"),
        ("who is sarah?", "matching “sarah”"),
        ("find John Smith please", "matching “John Smith”"),
        ("what's Dana's phone number", "matching “Dana”"),
        ("dana@acme.com", "matching “dana@acme.com”"),
        ("+1 (555) 123-4567", "matching “+1 555 123-4567”"),
        ("acme supply", "matching “acme supply”"),
        ("who is at acme supply", "at “acme supply”"),
        ("contacts at Acme Supply", "at “Acme Supply”"),
        ("contacts from the Green House", "at “Green House”"),
        ("who works for Smith and Sons?", "at “Smith and Sons”"),
        ("everyone at \"Active Leads Inc\"", "at “Active Leads Inc”"),
        ("people at Active Health", "at “Active Health”"),
        ("contacts at Green Leads Inc", "at “Green Leads Inc”"),
        ("sarah from green leaf", "named “sarah” · at “green leaf”"),
        ("show me John Smith from Acme Supply", "named “John Smith” · at “Acme Supply”"),
        ("leads at acme supply without email", "leads · at “acme supply” · without e-mail"),
        ("acme supply leads", "leads · matching “acme supply”"),
        ("contacts at acme who are leads", "leads · at “acme”"),
        ("company:acme type:lead tag:vip", "leads · at “acme” · tagged “vip”"),
        // kinds and fields
        ("leads without email", "leads · without e-mail"),
        ("leads with no e-mail address", "leads · without e-mail"),
        ("leads who don't have an email", "leads · without e-mail"),
        ("leads missing email or phone", "leads · without e-mail · without phone"),
        ("customers with phone", "customers · with phone"),
        ("clients with a phone number but no email", "customers · without e-mail · with phone"),
        ("how many leads do we have", "leads"),
        // times of adding
        ("added this week", "added since 2026-11-16"),
        ("who was added today?", "added since 2026-11-21"),
        ("contacts added yesterday", "added since 2026-11-20 · added before 2026-11-21"),
        ("added this month", "added since 2026-11-01"),
        ("added in the last 3 days", "added since 2026-11-18 12:00"),
        ("added last 3 days", "added since 2026-11-18 12:00"),
        ("leads added since 2026-10-01", "leads · added since 2026-10-01"),
        ("added 2026-10-01", "added since 2026-10-01 · added before 2026-10-02"),
        ("new leads this week", "leads · added since 2026-11-16 · latest first"),
        ("new this week", "added since 2026-11-16"),
        ("leads from last week", "leads · added since 2026-11-09 · added before 2026-11-16"),
        // contact
        ("not contacted in 30 days", "not contacted since 2026-10-22 12:00"),
        ("customers we haven't talked to in 2 weeks", "customers · not contacted since 2026-11-07 12:00"),
        ("haven’t spoken with for over a month", "not contacted since 2026-10-22 12:00"),
        ("haven't talked to dana in 2 weeks", "not contacted since 2026-11-07 12:00 · matching “dana”"),
        ("who have we not contacted since october", "not contacted since 2026-10-01"),
        ("leads never contacted", "leads · never contacted"),
        ("contacts not contacted", "not contacted since 2026-10-22 12:00"),
        ("people I talked to yesterday", "contacted since 2026-11-20"),
        ("last contacted before 2026-10-01", "not contacted since 2026-10-01"),
        ("a lead called Dana", "leads · matching “Dana”"),
        ("who needs follow-up", "not contacted since 2026-11-07 12:00 · most important first"),
        ("who should I call today?", "not contacted since 2026-11-07 12:00 · most important first"),
        ("cold leads", "leads · not contacted since 2026-09-22 12:00 · most important first"),
        // activity
        ("active this week", "active since 2026-11-16"),
        ("leads active in the last 7 days", "leads · active since 2026-11-14 12:00"),
        ("recently active customers", "customers · active since 2026-11-14 12:00"),
        ("inactive for 60 days", "no activity since 2026-09-22 12:00"),
        // industry and tags
        ("in the cannabis industry", "in the “cannabis” industry"),
        ("leads in the medical supply industry", "leads · in the “medical supply” industry"),
        ("cannabis industry customers", "customers · in the “cannabis” industry"),
        ("tagged vip", "tagged “vip”"),
        ("contacts tagged vip and wholesale without phone", "tagged “vip” · tagged “wholesale” · without phone"),
        ("leads tagged \"hot lead\"", "leads · tagged “hot lead”"),
        ("#vip customers", "customers · tagged “vip”"),
        // order and number
        ("show me my latest contacts", "latest first"),
        ("latest 5 leads", "leads · latest first · at most 5"),
        ("last 5 contacts", "latest first · at most 5"),
        ("most important contacts", "most important first"),
        ("top 10 contacts", "most important first · at most 10"),
        ("contacts with importance at least 8", "importance at least 8"),
        ("importance > 7", "importance at least 8"),
        ("hot leads", "leads · importance at least 8"),
        // names that look like grammar
        ("Active Health leads", "leads · matching “Active Health”"),
        ("April from Summit", "named “April” · at “Summit”"),
        ("Mark at Lead Bank", "named “Mark” · at “Lead Bank”"),
        ("contacts at Acme, Inc.", "at “Acme Inc”"),
        ("Smith & Sons", "matching “Smith & Sons”"),
        ("whose company is green leaf", "at “green leaf”"),
        // and grammar that comes in many words
        ("who haven't I talked to in two weeks", "not contacted since 2026-11-07 12:00"),
        ("contacts I should follow up with", "not contacted since 2026-11-07 12:00 · most important first"),
        ("urgent contacts", "not contacted since 2026-11-07 12:00 · importance at least 8 · most important first"),
        ("who hasn't been contacted recently", "not contacted since 2026-10-22 12:00"),
        ("importance of 9 or more", "importance at least 9"),
        ("leads over 30 days old", "leads · added before 2026-10-22 12:00"),
        ("contacts older than a year", "added before 2025-11-21 12:00"),
        ("VIP customers", "customers · tagged “vip”"),
        ("last contact with Dana", "matching “Dana”"),
        // everything together
        (
            "show me leads from Acme Supply tagged vip in the cannabis industry without email added this week not contacted in 30 days",
            "leads · at “Acme Supply” · in the “cannabis” industry · tagged “vip” · without e-mail · added since 2026-11-16 · not contacted since 2026-10-22 12:00",
        ),
        (
            "10 most important customers, with email, active this month",
            "customers · with e-mail · active since 2026-11-01 · most important first · at most 10",
        ),
        // everybody, and nothing
        ("show me all contacts", ""),
        ("contacts", ""),
        ("", ""),
        ("the", "matching “the”"),
        ("New York Deli", "matching “New York Deli”"),
        ("?!", ""),
    ];
    let wrong: Vec<String> = cases
        .iter()
        .filter(|(text, expected)| understood(text) != *expected)
        .map(|(text, expected)| format!("{text}\n  {}\n  {expected}\n", understood(text)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn an_open_question_asks_for_everybody() {
    assert!(parse("show me my latest contacts", now(), utc()).is_open());
    assert!(!parse("leads", now(), utc()).is_open());
    let counted = parse("how many contacts do we have", now(), utc());
    assert!(counted.is_open() && counted.counts && counted.text.is_none());
}

/// Whatever is typed, something comes back, at once.
#[test]
fn any_text_can_be_read() {
    let mut random = fastrand::Rng::with_seed(11);
    let pieces = [
        "not",
        "contacted",
        "in",
        "the",
        "last",
        "99999999999",
        "days",
        "from",
        "at",
        "tagged",
        "and",
        "\"",
        "“",
        "since",
        "2026-13-45",
        "0000-00-00",
        "between",
        "importance",
        ">=",
        "+",
        "#",
        "@",
        "'s",
        "ago",
        "İ",
        "ß",
        "\u{0}",
        "🧑‍🚀",
        "ﬃ",
        ":",
        "a:",
    ];
    for _ in 0..4_000 {
        let words = random.usize(..40);
        let text: String = (0..words)
            .map(|_| match random.bool() {
                true => format!("{} ", pieces[random.usize(..pieces.len())]),
                false => (0..random.usize(..8)).map(|_| random.char(..)).collect(),
            })
            .collect();
        let question = parse(&text, now(), utc());
        question.understood(utc());
    }
}

#[test]
fn the_longest_text_is_read_in_bounded_time() {
    let began = std::time::Instant::now();
    for piece in ["a ", "not ", "tagged a and ", "from ", "in the ", "last ", "with email and ", "at acme "] {
        parse(&piece.repeat(500), now(), utc());
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(2));
}
