-- A chat that got a new id holds up both chats until that is dealt with; two accounts become one;
-- an event that ends whoever deals with it is given up.

alter table events add column lane2 bytea check (length(lane2) = 32);
alter table events add column begun int not null default 0;
alter table events add column begun_by bigint not null default 0;
create index events_lane2 on events(lane2, id) where lane2 is not null;
comment on column events.lane2 is 'The other chat of a move: both wait for it';
comment on column events.begun is 'Processes that began with it and were gone before its end; begun_by: the last of them';

alter table wallets add column heir uuid references users(id) check (heir <> user_id);
create index wallets_heir on wallets(heir) where heir is not null;
comment on column wallets.heir is 'This account became part of that one; whatever still arrives goes there';

alter table transfers drop constraint transfers_verb_check;
alter table transfers add constraint transfers_verb_check
    check (verb in ('trial', 'grant', 'hold', 'capture', 'release', 'buy', 'bonus', 'refund',
                    'unrefund', 'gone', 'came'));
alter table entries drop constraint entries_account_check;
alter table entries add constraint entries_account_check
    check (account in ('avail', 'held', 'promo', 'revenue', 'world', 'heirs'));

create table inherited_rests (
    from_id uuid not null references users(id),
    into_id uuid not null references users(id),
    method text not null,
    raw numeric(39,0) not null check (raw > 0),
    at timestamptz not null default clock_timestamp(),
    primary key (from_id, method)
);
comment on table inherited_rests is 'What was less than a credit on an account that became part of another';
