-- Paying straight to the operator's wallet: how far its own chain was looked through.

create table wallet_chains (
    method text not null,
    address text not null check (length(address) between 1 and 128),
    seen text not null check (seen ~ '^[0-9A-F]{64}$'),
    primary key (method, address)
);
comment on table wallet_chains is 'Each block of this chain up to seen was looked at for payments; zeros: none yet';
