-- One row a shared limit. tat is the theoretical arrival time of GCRA, in microseconds since 1970.
CREATE TABLE rate_buckets (
    key TEXT PRIMARY KEY,
    tat BIGINT NOT NULL
);
