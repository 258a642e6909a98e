-- What must not be made: strikes and pauses. What script writers answered, for support.

create table strikes (
    id bigint generated always as identity primary key,
    user_id uuid not null references users(id),
    category text not null check (length(category) between 1 and 64),
    at timestamptz not null default clock_timestamp()
);
create index strikes_user on strikes(user_id, at);
comment on table strikes is 'A person asked for what is not made here; what was asked is not kept';

create table pauses (
    user_id uuid primary key references users(id),
    until timestamptz not null
);
comment on table pauses is 'Accounts that may order nothing until then, because of their strikes';

create table script_calls (
    id bigint generated always as identity primary key,
    job_id uuid not null references jobs(id),
    user_id uuid not null references users(id),
    writer text not null,
    model text not null,
    outcome text not null,
    tokens_in bigint,
    tokens_out bigint,
    ms int not null,
    answer text not null check (octet_length(answer) <= 16384),
    at timestamptz not null default clock_timestamp()
);
create index script_calls_job on script_calls(job_id, id);
create index script_calls_user on script_calls(user_id);
create index script_calls_at on script_calls(at);
comment on table script_calls is 'Each call to a script writer: what it cost and what came, for some days';
