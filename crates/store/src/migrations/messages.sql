-- Headers of mails, whoever they are from: a contact that is added later finds what was written before.
CREATE TABLE messages (
    {as_it_came},
    others   {json} NOT NULL,
    subject  TEXT,
    sent_at  {ts} NOT NULL,
    outbound BOOLEAN NOT NULL,
    {as_it_was_seen}
);
