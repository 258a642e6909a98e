-- What must stop until somebody has looked: no orders, no refunds while the books do not agree.

create table alarms (
    name text primary key,
    what text not null,
    since timestamptz not null default clock_timestamp()
);
comment on table alarms is 'ledger: an invariant of money or jobs is broken; the check that finds all of them whole takes it away';
