-- One row for all that an agent does towards one end; its executions and approvals carry the same correlation id.
ALTER TABLE agent_decisions ADD COLUMN caller_id TEXT;
ALTER TABLE agent_decisions ADD COLUMN correlation_id TEXT;
CREATE UNIQUE INDEX agent_decisions_correlation ON agent_decisions (tenant_id, caller_id, correlation_id);
