-- Films that could not be delivered wait for the person, with their credits held; films are sent again.

alter table jobs drop constraint jobs_state_check;
alter table jobs add constraint jobs_state_check check (state in ('quoted', 'waiting', 'ready',
    'running', 'delivering', 'kept', 'done', 'failed', 'cancelled'));
alter table jobs add column kept_until timestamptz;
alter table jobs add column offered_at timestamptz;
alter table jobs add column resend_of uuid references jobs(id);
alter table jobs add constraint jobs_kept_until check ((state = 'kept') = (kept_until is not null));
create index jobs_kept on jobs(user_id, network) where state = 'kept';
create index jobs_kept_end on jobs(kept_until) where state = 'kept';
comment on column jobs.kept_until is 'Nobody could be reached: the film is kept, and the credits held, until then';
comment on column jobs.offered_at is 'When a kept film was last offered to its person';
comment on column jobs.resend_of is 'This one only sends the film of that one again; it costs nothing';
