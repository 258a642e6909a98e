-- What a chat has seen lately, whoever of its members asked for it.

alter table jobs add column lane bytea check (length(lane) = 32);
create index jobs_lane on jobs(lane, created_at desc) where lane is not null;
create index jobs_lane_end on jobs(ended_at) where ended_at is not null and lane is not null;
comment on column jobs.lane is 'Keyed hash of the chat, as in outbox; null 90 days after the end and after /forget';
