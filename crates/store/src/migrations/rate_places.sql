-- One row a place for a request under way. ends is when the place is free whatever became of its holder, in microseconds
-- since 1970.
CREATE TABLE rate_places (
    key TEXT NOT NULL,
    place BIGINT NOT NULL,
    holder {uuid} NOT NULL,
    ends BIGINT NOT NULL,
    PRIMARY KEY (key, place)
);
