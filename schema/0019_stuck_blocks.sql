-- A block is given up only when it provably can never be confirmed; then its place is free again. One that nodes merely refuse waits.

alter table blocks add column refusals int not null default 0 check (refusals >= 0);
comment on column blocks.refusals is 'Refusals in a row; many of them are told to the operator';

-- Given up before this on the word of nodes alone: tried again. A refund's end was always proven.
update blocks b set state = 'stored', next_at = clock_timestamp()
    where state = 'refused' and not exists (select 1 from refunds r where r.block = b.hash);

alter table blocks drop constraint blocks_address_previous_key;
create unique index blocks_place on blocks(address, previous) where state <> 'refused';
comment on table blocks is 'Blocks that we signed: stored before they are published, one per predecessor unless it can never count, so that we can never fork ourselves';
