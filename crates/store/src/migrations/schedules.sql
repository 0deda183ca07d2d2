CREATE TABLE schedules (
    id            {uuid} PRIMARY KEY,
    tenant_id     TEXT NOT NULL,
    name          TEXT NOT NULL,
    kind          TEXT NOT NULL,
    input         {json} NOT NULL,
    cron          TEXT,
    every_seconds BIGINT,
    next_due      {ts} NOT NULL,
    last_tick     {ts},
    enabled       BOOLEAN NOT NULL,
    UNIQUE (tenant_id, name)
);
CREATE INDEX schedules_due ON schedules (next_due);
