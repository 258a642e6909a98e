-- A message's name holds the number of its chat: from now on it is sealed. What was stored in clear goes;
-- the next word about it is a new message.

update outbox set remote_ref = '', edit_ref = '' where remote_ref <> '' or edit_ref <> '';
update orders set card_ref = '' where card_ref <> '';
update deliveries set remote_ref = '' where remote_ref <> '';
update jobs set card_ref = '' where card_ref <> '';
comment on column jobs.card_ref is 'The card that shows it, sealed';
comment on column orders.card_ref is 'The card that shows it, sealed';
