-- Groups have an account of their own that pays for the videos of their members.

alter table jobs add column payer_id uuid references users(id);
alter table jobs add constraint jobs_payer check (payer_id <> user_id);
comment on column jobs.payer_id is 'The group whose credits pay; null: the account that asked';

create table group_settings (
    user_id uuid primary key references users(id),
    is_on boolean not null default true,
    cap bigint check (cap >= 0),
    lang text not null default '',
    network text not null default '',
    addr text not null default ''
);
create index group_settings_network on group_settings(network) where addr <> '';
comment on table group_settings is 'What its admins decided: whether it pays, and credits per member and UTC day (null: no bound); addr is sealed';

create table group_links (
    token bytea primary key check (length(token) = 32),
    user_id uuid not null references users(id),
    until timestamptz not null
);
create index group_links_until on group_links(until);
comment on table group_links is 'Keyed hash of what a link to the private chat carries, in place of the group''s id; short-lived';

create table group_used (
    mac bytea not null check (length(mac) = 32),
    group_id uuid not null references users(id),
    credits bigint not null check (credits > 0),
    at timestamptz not null default clock_timestamp()
);
create index group_used_mac on group_used(mac);
create index group_used_at on group_used(at);
comment on table group_used is 'Hash of an identity''s hash and what it used today before /forget, so that a new account does not start the day anew; gone after it';
