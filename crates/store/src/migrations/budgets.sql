CREATE TABLE budgets (
    tenant_id  TEXT NOT NULL,
    name       TEXT NOT NULL,
    budget     {json} NOT NULL,
    created_by TEXT NOT NULL,
    created_at {ts} NOT NULL,
    updated_at {ts} NOT NULL,
    PRIMARY KEY (tenant_id, name)
);
-- What was taken from a budget since the beginning of a day or a month: calls, or millionths of money.
CREATE TABLE budget_uses (
    tenant_id TEXT NOT NULL,
    name      TEXT NOT NULL,
    -- Who took it, where each caller has a budget of his own; otherwise empty.
    caller    TEXT NOT NULL,
    begins    {ts} NOT NULL,
    used      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, name, caller, begins)
);
CREATE INDEX budget_uses_begins ON budget_uses (begins);
