-- What the dry run told when it was asked: what a person said yes to, and what has to be still so when it is carried out.
ALTER TABLE approvals ADD COLUMN plan {json};
-- The arguments that the requester had, where a person changed them before the decision, and who did.
ALTER TABLE approvals ADD COLUMN asked_arguments {json};
ALTER TABLE approvals ADD COLUMN modified_by {json};
